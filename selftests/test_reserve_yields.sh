#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - on a machine of 64 MB: what the reserve holds kills nobody who would live without it
#
# Copyright (C) 2026 The tbtf authors
#
# (QEMU is given 100: the kernel and its initramfs are not in MemTotal, which is then
# between 53 MB, on 7.3, and 64.)
#
# vm: mem=100 module=no timeout=120
. ./lib.sh

plan 31

kills()
{
	awk '$1 == "oom_kill" { print $2 }' /proc/vmstat
}

yielded()
{
	stat_get yielded_kb
}

held()
{
	cat $TBTF/reserve_held_kb
}

# fits SIZE: somebody needs that much, and has it
fits()
{
	local bad=0

	hog_start load -s "$1" && hog_do load 30 verify || bad=1
	hog_kill load
	return $bad
}

# Where a zone is fragmented the kernel raises its watermarks for a while, by 2 MB
# here: on such a machine that is what decides whether something fits.
echo 0 > /proc/sys/vm/watermark_boost_factor

# --- what fits without the module -----------------------------------------------

in_range "memory in kB" "$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)" 50000 65536
size=$(($(free_kb) - 7500))
was=$(kills)
check "without the module $size kB fit" fits $size
is "and nobody is killed" "$(kills)" "$was"

# --- with a reserve, and nobody protected -----------------------------------------

check_not "a reserve of half the machine: refused" tbtf_loads reserve_kb=32768
# What load has freed may still be on the lists of each CPU, whence it is not taken;
# newer kernels let them shrink within seconds.
check "of 6 MiB: loaded" wait_for 'tbtf_loads reserve_kb=6144 print_rate_kb=1000000' 20
[ -e $TBTF ] || finish
is "held" "$(held)" 6144
was=$(kills)
check "the same fits" fits $size
is "nobody is killed" "$(kills)" "$was"
check "the reserve gave way" test "$(yielded)" -gt 0
is "and printed nothing: that is for others" "$(stat_get printed_kb)" 0
is "no episode was begun" "$(stat_get episodes)" 0
check "it is refilled" wait_for '[ "$(held)" = 6144 ]' 10
is "by as much" "$(stat_get refilled_kb)" "$(yielded)"

# What is past all that is there is killed, as it would be. The kernel may take
# another before the first one's memory has come back, whoever is loaded; and if
# there were none, it would panic.
was=$(kills)
hog_start other -s 256K
hog_start load -s 1M
hog_tell load grow 100M
check "what does not fit is killed" hog_gone load 30
in_range "and hardly another" "$(kills)" $((was + 1)) $((was + 2))
hog_kill other
check "it is refilled" wait_for '[ "$(held)" = 6144 ]' 10

# Also when tbtf is switched off, or only looks.
for how in enabled=0 dry_run=1; do
	knob ${how%=*} ${how#*=}
	stat_mark
	was=$(kills)
	check "$how: the same fits" fits $size
	is "$how: nobody is killed" "$(kills)" "$was"
	check "$how: the reserve gave way" test "$(stat_since yielded_kb)" -gt 0
	check "$how: it is refilled" wait_for '[ "$(held)" = 6144 ]' 10
	knob ${how%=*} $((1 - ${how#*=}))
done

# The kernel would have panicked: nobody is there that it may kill.
stat_mark
was=$(kills)
hog_start load -s $((size - 3000)) -a -1000
hog_tell load grow 2M
check "nobody may be killed, and the machine stands" wait_for '[ "$(hog_get load done)" = 1 ]' 20
check "the reserve gave way" test "$(stat_since yielded_kb)" -gt 0
hog_kill load

# --- with somebody protected ----------------------------------------------------------

check "it is refilled" wait_for '[ "$(held)" = 6144 ]' 10
hog_start p -m -s 1M
stat_mark
was=$(kills)
check "beside a protected one the same fits" fits $((size - 1500))
is "nobody is killed" "$(kills)" "$was"
check "the reserve gave way" test "$(stat_since yielded_kb)" -gt 0
check "the books are right" wait_for reserve_adds_up 20

finish
