#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# tbtf - the figure that has to be 0: a protected process that dies of an OOM
#
# Copyright (C) 2026 The tbtf authors
#
# It grows where tbtf fails. On a kernel without oom_kill_memcg_member() nothing
# keeps memory.oom.group from taking the protected member of a group along:
# refuse.ko makes it such a kernel, and with the hook the same does not happen.
#
# vm: mem=256 smp=1 timeout=120 module=no
. ./lib.sh

EVENTS=/tmp/events

fig()
{
	tbtf stats --prometheus | sed -n "s/^tbtf_$1 //p"
}

# A service of two, killed as one: the kernel takes the larger for its own growth,
# which is none of tbtf's, and then the other for the group.
a_group_is_killed()
{
	cg_make t memory.max=80M memory.oom.group=1
	hog_start big -c t -s 10M -m
	big=$(hog_pid big)
	hog_start greedy -c t -s 30M
	hog_tell greedy grow 100M 1M
	hog_gone greedy 60
}

# Load it without its hook in oom_kill_memcg_member(), and with all else. Which of its
# questions for a function is that for this one is found by trying.
load_without()
{
	nth=0
	while [ $nth -lt 40 ]; do
		nth=$((nth + 1))
		echo $nth > /sys/module/refuse/parameters/nth
		modprobe tbtf 2>/dev/null || continue
		[ "$(tr ' ' '\n' < "$TBTF/features" | grep '^-')" != -group ] || return 0
		rmmod tbtf
	done
	return 1
}

plan 17

# --- as on the kernels that are supported
check "loaded" modprobe tbtf
check "attached" tbtf stats --attach
check "a group is killed" a_group_is_killed
is "but for its protected member" "$(hogs_alive big) $(fig died_oom_total)" "1 0"
is "which the module counts" "$(stat_get group_spared)" 1
hog_kill big
check "killed by hand it is no figure" [ "$(fig died_oom_total)" = 0 ]
cg_remove t
check "detached" tbtf stats --detach
check "unloaded" wait_for 'rmmod tbtf 2>/dev/null' 10

# --- without that hook
check "refuse" insmod "$EXTRA/refuse.ko" func=register_kprobe ret=-2
check "loaded without it" load_without
check "attached again" tbtf stats --attach
check "a group is killed again" a_group_is_killed
check "all of it" hog_gone big 30
is "and that is counted" "$(fig died_oom_total)" 1
tbtf watch --past --json --number 1000 > "$EVENTS" &
check "told" wait_for \
	'grep -q "\"event\": \"died\".*\"death\": \"oom\".*\"pid\": $big" "$EVENTS"' 10
kill $!
is "in the cgroup, and of the process" \
	"$(tbtf stats --prometheus | grep -cE \
		'^tbtf_(cgroup_died_oom_total\{.*path="/t"|process_died_oom_total\{pid="'"$big"'".*)\} 1$')" 2
cg_remove t
tbtf stats --detach
check "unloaded at the end" wait_for 'rmmod tbtf 2>/dev/null' 10
rmmod refuse
finish
