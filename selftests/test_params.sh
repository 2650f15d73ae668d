#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the knobs as module parameters
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 module=no thread=single append="tbtf.nap_ms=321 tbtf.dry_run=1"
. ./lib.sh

PARAMETERS=/sys/module/tbtf/parameters

plan 36

# as_given NAME=VALUE...: the knobs and the parameters have these values
as_given()
{
	local arg

	for arg; do
		[ "$(knob "${arg%%=*}")" = "${arg#*=}" ] &&
			[ "$(cat "$PARAMETERS/${arg%%=*}")" = "$(cat "$TBTF/${arg%%=*}")" ] && continue
		diag "$arg: $(cat "$TBTF/${arg%%=*}")"
		return 1
	done
}

# does_not_load NAME=VALUE: nor leave anything behind; and the log says why
does_not_load()
{
	log_mark
	insmod "$KO" "$1" 2>/dev/null && { rmmod tbtf; return 1; }
	[ ! -e $TBTF ] && [ ! -e /dev/tbtf ] && [ ! -e /sys/module/tbtf ] &&
		log_has "tbtf: $1: .* is wanted"
}

KO=/lib/modules/$(uname -r)/extra/tbtf.ko

insmod "$KO"
check "the defaults" as_given enabled=1 dry_run=0 substitute=chosen policy=uniform \
	max_kills=16 max_marks=1024 nap_ms=200 episode_idle_ms=10000 \
	ladder_deadline_ms=30000 on_exhausted=kill on_exhausted_memcg=kill panic_reboot_s=10 guard=0 \
	reserve_kb=0 print_rate_kb=16384
is "min_victim_kb is scaled down for a small machine" \
	"$(knob min_victim_kb)" "$(awk '/MemTotal/ { print int(8192 * $2 / 1048576) }' /proc/meminfo)"
rmmod tbtf

ALL="enabled=0 dry_run=1 substitute=always policy=largest min_victim_kb=77 max_kills=3
	max_marks=5 nap_ms=7 episode_idle_ms=1234 ladder_deadline_ms=0 on_exhausted=panic
	on_exhausted_memcg=wait panic_reboot_s=0 guard=1 reserve_kb=2048 print_rate_kb=9"
# shellcheck disable=SC2086
{
	insmod "$KO" $ALL
	check "every knob, given at load" as_given $ALL
}
rmmod tbtf

modprobe tbtf
check "given on the kernel's command line" as_given nap_ms=321 dry_run=1 enabled=1
rmmod tbtf

for bad in enabled=2 enabled= enabled=yes dry_run=-1 dry_run=2 min_victim_kb=4294967295 \
	min_victim_kb=8M max_kills=0 max_kills=1025 max_kills=3x max_marks=0 max_marks=0x10 \
	max_marks=65537 nap_ms=0 nap_ms=10001 nap_ms=5ms episode_idle_ms=99 \
	episode_idle_ms=3600001 ladder_deadline_ms=3600001 ladder_deadline_ms=-1 \
	panic_reboot_s=86401 substitute=never policy=Uniform policy=uniformx policy= \
	on_exhausted=wait on_exhausted_memcg=panic; do
	check "not with $bad, and says so" does_not_load "$bad"
done

# Without a value: this the kernel refuses itself.
log_mark
check_not "not with a bare name" insmod "$KO" enabled 2>/dev/null
check "and says so" log_has "tbtf: .* invalid for parameter .enabled'"

# They count, and do not only show.
insmod "$KO" max_marks=1 min_victim_kb=1000
hog_start one -s 1M -m
check_not "max_marks=1: a second is refused" hog_start two -s 1M -m
is "with ENOSPC" "$(hog_get two err)" 28
is "and counted" "$(stat_get marks_full)" 1
hog_kill one
rmmod tbtf

finish
