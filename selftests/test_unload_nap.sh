#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - unload while some sleep in the hook
#
# Copyright (C) 2026 The tbtf authors
#
# Eleven memory cgroups have nobody left to kill: their processes nap for ten
# seconds, or are about to; nine after a fault of their own, two where read(2)
# writes to their memory, in the middle of an OOM. Time is the guest's (icount). slab_nomerge: the
# kernel says so if an object is left in tbtf_mark.
#
# vm: mem=256 smp=1 module=no icount="shift=1,sleep=off" timeout=120 append=slab_nomerge
. ./lib.sh

plan 20

KO=/lib/modules/$(uname -r)/extra/tbtf.ko
NAMES="n1 n2 n3 n4 n5 n6 n7 n8 n9"

# in_read NAME: a process that wants 9 MB of which the kernel is to write to
in_read()
{
	echo tbtf > "$CGROUP/$1/memory.tbtf" || return
	cg_set "$1" memory.max 4M
	# shellcheck disable=SC2016
	sh -c 'echo 0 > /proc/self/oom_score_adj; echo $$ > "$0/cgroup.procs"
		exec dd if=/dev/zero of=/dev/null bs=9M count=1' "$CGROUP/$1" 2>/dev/null &
}

# none_in NAME...: no process is
none_in()
{
	local cg

	for cg; do
		[ -z "$(cat "$CGROUP/$cg/cgroup.procs")" ] || return 1
	done
}

# begin: eleven wait
begin()
{
	local n

	insmod "$KO" on_exhausted_memcg=wait nap_ms=10000 min_victim_kb=1000 || return
	for n in $NAMES; do
		cg_set "$n" memory.max 8M
		hog_start "$n" -m -s 2M -c "$n" || return
	done
	stat_mark
	for n in $NAMES; do
		hog_tell "$n" grow 7M
	done
	in_read k1 && in_read k2 || return
	wait_for '[ "$(stat_get open_episodes)" = 11 ] && [ "$(stat_since naps)" -ge 11 ]' 60
}

check_after()
{
	in_range "$1: unloaded within two seconds" "$took" 0 2000
	is "$1: it is gone" "$(lsmod | grep -c '^tbtf ')" 0
	is "$1: and its slab" "$(grep -c '^tbtf' /proc/slabinfo)" 0
	is "$1: no function is redirected" "$(grep -cE 'tbtf|replace_' /sys/kernel/tracing/enabled_functions)" 0
}

for n in $NAMES k1 k2; do
	cg_make "$n" memory.max=8M memory.swap.max=0
done

# Then the kernel does what it does without us.
check "eleven nap" begin
is "all live" "$(hogs_alive $NAMES)" 9
log_mark
from=$(now_ms)
rmmod tbtf
took=$(($(now_ms) - from))
check_after "with eleven napping"
check "what was spared so far, the kernel kills" wait_for '[ "$(hogs_alive $NAMES)" = 0 ]' 30
check "also those in a system call" wait_for 'none_in k1 k2' 30
is "once each" "$(killed | sort | xargs)" "dd dd $NAMES"

# And once more, with others that come in all the time: a short nap, and exits
# that wake all of them.
check "again" begin
knob nap_ms 1
(while :; do true | true; done) &
busy=$!
wait_for '[ "$(stat_since naps)" -ge 200 ]' 60
from=$(now_ms)
rmmod tbtf
took=$(($(now_ms) - from))
kill $busy
check_after "with eleven coming and going"
check "the kernel kills these, too" wait_for '[ "$(hogs_alive $NAMES)" = 0 ] && none_in k1 k2' 30

# Who waits when the limit is raised after the module is gone just goes on.
check "a third time" begin
log_mark
for n in $NAMES k1 k2; do
	cg_set "$n" memory.max 20M
done
rmmod tbtf
check "raised before it goes: all go on" wait_for '[ "$(cat $HOG_DIR/n*/stat | grep -c "state=idle kb=9216")" = 9 ]' 60
check "those in a system call as well" wait_for 'none_in k1 k2' 30
is "nobody is killed" "$(killed)" ""
bad=0
for n in $NAMES; do
	hog_do "$n" 20 verify || bad=1
done
is "every byte is right" "$bad" 0

finish
