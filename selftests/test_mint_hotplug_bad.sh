#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - the mint hotplug with a monitor that is dead or hostile: the next mint prints
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=192 smp=2 timeout=240 load="zram" files="../userspace/tbtfd ready watcher qmp_bad"
. ./lib.sh
. ./lib_mint.sh

# monitor MODE: another one, and tbtfd connects to it
monitor()
{
	[ -z "$qmp" ] || { kill "$qmp"; wait "$qmp" 2>/dev/null; }
	qmp_bad /tmp/qmp "$1" &
	qmp=$!
	wait_for '[ -S /tmp/qmp ]' 10
}

# tries MODE REGEX: such a monitor is found out, in time, and zram prints
tries()
{
	check "a monitor that will be $1" monitor "$1"
	rm -f /tmp/borrow.log
	check "is good for now" tbtfd_start
	check "and so is the mint" wait_for '[ "$(mint hotplug state) $(mint zram state)" = "ready ready" ]' 40
	episodes_over 30
	stat_mark
	hog_start p -m -k -s 12M -c work
	check "P grows beyond memory" hog_do p 90 grow $((memory + 4000)) 1M
	check "it is said what is wrong" said "hotplug prints nothing: .*$2"
	is "the next mint has printed" "$(sed -n 's/.* printed by \([a-z]*\) for .*/\1/p' /tmp/borrow.log | uniq | xargs)" zram
	in_range "within a few seconds" "$(sed -n 's/.* printed by zram for .*: \([0-9]*\) us$/\1/p' /tmp/borrow.log | head -n 1)" \
		0 $((9000000 * ${VM_PATIENCE:-1}))
	is "nobody has died, nothing was late" \
		"$(stat_since sacrifices) $(stat_since outcome_killed) $(stat_since requests_late)" "0 0 0"
	is "every byte is right" "$(verified p)" 1
	hog_kill p
	check "all goes back" wait_for no_swap 60
	check "tbtfd ends" tbtfd_stop 30
}

plan 32

memory=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 30000
echo 1 > /proc/sys/vm/overcommit_memory
cg_make work
printing "mints = hotplug zram" "withdraw_after_s = 2" "qmp = /tmp/qmp" "hotplug_device = vmem" \
	"hotplug_max_kb = 393216" "hotplug_ahead = no"
check "a bystander who is locked in memory" watch_start

# --- it is not there at all ----------------------------------------------------------------

check "tbtfd starts without any" tbtfd_start
check "and says what it has not" wait_for 'said "hotplug prints nothing: /tmp/qmp: No such file"' 20
is "as a mint that is dry" "$(mint hotplug state)" dry
check "until there is one" monitor lies
check "which is found" wait_for '[ "$(mint hotplug state)" = ready ]' 30
kill "$qmp"
check "one that is gone is missed" wait_for 'said "hotplug prints nothing: /tmp/qmp: the other end is closed"' 20
is "and nothing can be printed" "$(mint hotplug state)" dry
check "tbtfd ends" tbtfd_stop 30

# --- there until it is needed ----------------------------------------------------------------

tries silent "no answer"
tries lies "were asked for, and have not come"
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))
finish_mint
