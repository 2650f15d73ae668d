#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a node is full, the machine is half empty: no reason to take it down
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=384 numa=2 smp=1 timeout=150 params="on_exhausted=panic"
# vm-reject: Kernel panic
. ./lib.sh

# node_free_kb NODE
node_free_kb()
{
	awk '$3 == "MemFree:" { print $4 }' "/sys/devices/system/node/node$1/meminfo"
}

plan 25

[ -d /sys/devices/system/node/node1 ] || skip_all "this machine has one node"
is "the end of the ladder would be a panic" "$(knob on_exhausted)" panic
knob ladder_deadline_ms 1500
knob nap_ms 100

# --- a memory policy: P and some are bound to node 1
cg_make away cpuset.mems=0
hog_start other -s 20M -b 0 -c away
hog_start here1 -s 15M -b 1
hog_start here2 -s 15M -b 1
hog_start big -s 70M -b 1 -m
half=$(node_free_kb 0)
room=$(($(node_free_kb 1) / 1024))
stat_mark
log_mark
check "bound to a full node, a marked process gets what it asks for" hog_do big 60 grow $((room + 10))M 1M 5
is "by the death of one who has memory there" "$(killed | sort -u | tr -d '12')" here
check "tbtf says that it is a constraint" \
	log_has 'tbtf: episode [0-9]+: constrained: spared [0-9]+ \(big\) .*; instead [0-9]+ \(here[12]\)'
check "the kernel says so too" log_has 'oom-kill:constraint=CONSTRAINT_MEMORY_POLICY'
is "data is as it was" "$(verified other big)" 2
in_range "the other node is as empty as before" "$(node_free_kb 0)" $((half - 20000)) $((half + 20000))

# Nobody is left there: the deadline passes, and with it P, not the machine.
hog_kill here1 here2
log_mark
hog_tell big grow 190M 1M 5
check "with nobody left there, the marked one dies" hog_gone big 60
check "after the wait, by the ladder's decision" \
	log_has 'tbtf: episode [0-9]+: exhausted: constrained: [0-9]+ \(big\) .* then [1-9][0-9]{3}ms without anybody to kill; on_exhausted=kill'
is "alone, and those on the other node live" "$(killed) $(verified other)" "big 1"

# At oom_score_adj -1000 there is nobody whom the kernel could kill for it.
hog_start big -s 70M -b 1 -m -a -1000
log_mark
stat_mark
hog_tell big grow 190M 1M 5
check "one that cannot be killed waits" \
	wait_for 'log_has "tbtf: episode [0-9]+: constrained: nobody to kill for [0-9]+ \\(big\\)"' 30
wait_for '[ "$(stat_since naps)" -gt 40 ]' 30
check "and again, past the deadline: the machine stays" hog_alive big
is "nobody has died" "$(killed) $(verified other)" " 1"
hog_kill big

# --- a cpuset
cg_make set cpuset.mems=1
hog_start in1 -s 15M -c set
hog_start in2 -s 15M -c set
hog_start big -s 70M -c set -m
room=$(($(node_free_kb 1) / 1024))
log_mark
stat_mark
check "in a cpuset with a full node, it gets what it asks for" hog_do big 60 grow $((room + 10))M 1M 5
is "by the death of one who is in it" "$(killed | sort -u | tr -d '12')" in
check "a constraint" log_has 'tbtf: episode [0-9]+: constrained: spared [0-9]+ \(big\) .*; instead [0-9]+ \(in[12]\)'
check "to the kernel too" log_has 'oom-kill:constraint=CONSTRAINT_CPUSET'
is "data is as it was" "$(verified other big)" 2
hog_kill in1 in2
log_mark
hog_tell big grow 190M 1M 5
check "with nobody left in it, the marked one dies" hog_gone big 60
check "after the wait, by the ladder's decision" \
	log_has 'tbtf: episode [0-9]+: exhausted: constrained: [0-9]+ \(big\) .*; on_exhausted=kill'
is "alone" "$(killed) $(verified other)" "big 1"

# --- on_exhausted=panic has not been forgotten: it is for the whole machine
is "the knob stands" "$(knob on_exhausted)" panic
is "nothing ended in a panic" "$(stat_get outcome_panicked)" 0
knob episode_idle_ms 100
check "all episodes end" wait_for '[ "$(stat_get open_episodes)" = 0 ]' 30
is "each in one outcome" \
	"$(($(stat_get outcome_sacrificed) + $(stat_get outcome_waited) + $(stat_get outcome_killed) + $(stat_get outcome_failed)))" \
	"$(stat_get episodes)"

finish
