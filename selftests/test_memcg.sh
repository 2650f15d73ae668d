#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - out of memory in a memory cgroup: who is in it pays, and nobody else
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=384 smp=1 timeout=150
. ./lib.sh

# event CGROUP KEY, local_event CGROUP KEY
event()
{
	cg_get "$1" memory.events "$2"
}

local_event()
{
	cg_get "$1" memory.events.local "$2"
}

# "sacrificed spared" of a cgroup
tbtf_events()
{
	echo "$(cg_get "$1" memory.tbtf.events sacrificed) $(cg_get "$1" memory.tbtf.events spared)"
}

# killed_of NAME...: how many of these were killed after log_mark
killed_of()
{
	local name n=0

	for name; do
		! killed | grep -qx "$name" || n=$((n + 1))
	done
	echo "$n"
}

oom_lines()
{
	log_since | grep 'oom-kill:constraint='
}

plan 38

# --- a limit, and a crowd within and without
cg_make in memory.max=64M
cg_make out
hog_start root1 -s 14M
hog_start out1 -s 14M -c out
hog_start out2 -s 6M -c out -a 1000
for n in 1 2 3 4; do
	hog_start in$n -s 10M -c in
done
hog_start big -s 14M -c in -m
stat_mark
log_mark
check "at memory.max of its cgroup a marked process gets what it asks for" \
	hog_do big 60 grow 24M 1M 5
dead=$(killed_of in1 in2 in3 in4)
in_range "by the death of some who are inside" "$dead" 2 3
is "and of no others" "$(killed | wc -l) $(verified root1 out1 out2)" "$dead 3"
check "its data is there" hog_do big 60 verify
is "so is that of the other survivors" "$(verified in1 in2 in3 in4)" $((4 - dead))
is "the kernel calls each a kill of this cgroup" \
	"$(oom_lines | grep -c 'constraint=CONSTRAINT_MEMCG,.*oom_memcg=/in,task_memcg=/in,task=in')" "$dead"
is "and tbtf names it as the scope" \
	"$(log_count 'tbtf: episode [0-9]+: memcg /in: spared [0-9]+ \(big\)')" "$dead"
is "memory.events counts them" "$(event in oom_kill) $(local_event in oom_kill)" "$dead $dead"
in_range "and as many times that it was out of memory, or more" "$(event in oom)" "$dead" 99
is "nothing is counted where nothing happened" \
	"$(event out oom) $(event out oom_kill) $(event out max)" "0 0 0"
is "memory.tbtf.events: sacrificed, spared" "$(tbtf_events in)" "$dead $dead"
is "and nothing elsewhere" "$(tbtf_events out)" "0 0"
hog_kill big in1 in2 in3 in4

# --- the same without the mark
for n in 1 2 3 4; do
	hog_start in$n -s 10M -c in
done
hog_start big -s 14M -c in
log_mark
hog_tell big grow 24M 1M 5
check "unmarked it dies" hog_gone big 60
is "alone" "$(killed) $(verified in1 in2 in3 in4 out1)" "big 5"
hog_kill in1 in2 in3 in4

# --- a marked process elsewhere changes nothing
hog_start friend -s 40M -c out -m
hog_start in1 -s 10M -c in
hog_start in2 -s 10M -c in
hog_start leak -s 20M -c in
stat_mark
log_mark
hog_tell leak grow 60M 1M 5
check "with a marked process in another cgroup, the largest of this one dies" hog_gone leak 60
is "and nobody else" "$(killed) $(verified in1 in2 friend out1)" "leak 4"
is "it was the kernel's own choice" "$(stat_since passes) $(stat_since sacrifices)" "1 0"
hog_kill in1 in2 friend
cg_remove in

# --- limits within limits: the OOM of the middle one
#
#	top (150M) ----- mid (56M) ----- left (big, left1)
#	            |               `--- right (right1, right2)
#	            `--- side (side1)
cg_make top memory.max=150M
cg_make top/mid memory.max=56M
cg_make top/side
cg_make top/mid/left
cg_make top/mid/right
hog_start left1 -s 10M -c top/mid/left
hog_start right1 -s 10M -c top/mid/right
hog_start right2 -s 10M -c top/mid/right
hog_start side1 -s 10M -c top/side
hog_start big -s 14M -c top/mid/left -m
stat_mark
log_mark
check "a limit above its cgroup: it gets what it asks for" hog_do big 60 grow 22M 1M 5
dead=$(killed_of left1 right1 right2)
in_range "by deaths below that limit" "$dead" 2 2
is "and not beside it" "$(killed | wc -l) $(verified side1 root1 out1)" "$dead 3"
is "the middle one is named, by the kernel and by tbtf" \
	"$(oom_lines | grep -c 'oom_memcg=/top/mid,') $(log_count 'tbtf: episode [0-9]+: memcg /top/mid: spared')" \
	"$dead $dead"
is "memory.events adds up: the top, the middle" \
	"$(event top oom_kill) $(event top/mid oom_kill)" "$dead $dead"
is "and the two below it together" \
	"$(($(event top/mid/left oom_kill) + $(event top/mid/right oom_kill)))" "$dead"
is "each where its process was" \
	"$(local_event top/mid/left oom_kill) $(local_event top/mid/right oom_kill)" \
	"$(killed_of left1) $(killed_of right1 right2)"
is "nobody was in the middle or the top itself" \
	"$(local_event top oom_kill) $(local_event top/mid oom_kill)" "0 0"
is "the limit that was hit is the middle one's" \
	"$(local_event top oom) $(local_event top/mid/left oom) $(local_event top/mid/right oom) $(event top/side oom)" \
	"0 0 0 0"
in_range "so often, at least" "$(local_event top/mid oom)" "$dead" 99
is "memory.tbtf.events likewise: those who lost one" \
	"$(cg_get top/mid/left memory.tbtf.events sacrificed) $(cg_get top/mid/right memory.tbtf.events sacrificed)" \
	"$(killed_of left1) $(killed_of right1 right2)"
is "and the one whose process was spared" \
	"$(cg_get top/mid/left memory.tbtf.events spared) $(cg_get top/mid/right memory.tbtf.events spared) $(cg_get top/side memory.tbtf.events spared)" \
	"$dead 0 0"
check "its data is there" hog_do big 60 verify
hog_kill big left1 right1 right2

# --- an OOM of the top: whoever is below it, wherever that is
cg_set top/mid memory.max max
cg_set top memory.max 80M
was_top=$(event top oom_kill)
was_side=$(event top/side oom_kill)
hog_start left1 -s 14M -c top/mid/left
hog_start side2 -s 14M -c top/side
hog_start big -s 24M -c top/mid/left -m
log_mark
check "a limit far above: it gets what it asks for" hog_do big 60 grow 46M 1M 5
is "all smaller ones below that limit died in turn" "$(killed_of left1 side1 side2)" 3
is "and nobody outside" "$(killed | wc -l) $(verified root1 out1 out2)" "3 3"
is "the top is named" "$(oom_lines | grep -c 'oom_memcg=/top,')" 3
is "memory.events: top, side" \
	"$(($(event top oom_kill) - was_top)) $(($(event top/side oom_kill) - was_side))" "3 2"
check "its data is there" hog_do big 60 verify
hog_kill big

# --- in one cgroup an OOM, and a marked one deeper in it that is not the largest
hog_start deep -s 12M -c top/mid/left -m
hog_start side1 -s 10M -c top/side
hog_start leak -s 30M -c top/side
log_mark
hog_tell leak grow 60M 1M 5
check "the largest is not marked: it dies" hog_gone leak 60
is "nobody else, marked or not" "$(killed) $(verified deep side1)" "leak 2"

finish
