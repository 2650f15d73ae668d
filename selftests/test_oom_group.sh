#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - memory.oom.group kills all of a cgroup, but for who must not die
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 timeout=150
. ./lib.sh

group_kills()
{
	cg_get "$1" memory.events.local oom_group_kill
}

# Names killed after log_mark, sorted, in one line. The kernel kills the one who
# is in the group for two once more with the others.
dead()
{
	killed | sort -u | tr '\n' ' '
}

plan 30

cg_make top memory.max=100M
cg_make top/svc memory.oom.group=1
cg_make top/svc/a
cg_make top/svc/b
cg_make top/own
cg_make top/lone

# --- a leaf: the victim's whole group goes, as the kernel does it
hog_start big -s 20M -c top/own -m
cg_make top/leaf memory.oom.group=1
hog_start l1 -s 12M -c top/leaf
hog_start l2 -s 12M -c top/leaf
hog_start l3 -s 2M -c top/leaf
stat_mark
log_mark
check "a group in a leaf: the marked process gets what it asks for" hog_do big 60 grow 55M 1M 5
is "all of the group are dead" "$(hogs_alive l1 l2 l3) $(dead)" "0 l1 l2 l3 "
is "by one substitution, and one kill of a group" "$(stat_since sacrifices) $(group_kills top/leaf)" "1 1"
in_range "each counted" "$(cg_get top/leaf memory.events oom_kill)" 3 4
check "the marked one has its data" hog_do big 60 verify
hog_kill big

# --- a parent: the group is that of the highest cgroup below the OOM
hog_start big -s 20M -c top/own -m
hog_start a1 -s 12M -c top/svc/a
hog_start b1 -s 12M -c top/svc/b
hog_start lone -s 1M -c top/lone
stat_mark
log_mark
check "a group in a parent: the same" hog_do big 60 grow 55M 1M 5
is "its children's processes are dead, the others not" "$(dead) $(verified lone)" "a1 b1  1"
is "one substitution, one kill of a group" "$(stat_since sacrifices) $(group_kills top/svc)" "1 1"
hog_kill big lone

# --- the marked process in the group: another's death must not take it along,
# and who is in a group with it is no candidate
hog_start big -s 30M -c top/svc/a -m
hog_start a1 -s 12M -c top/svc/a
hog_start b1 -s 12M -c top/svc/b
hog_start lone -s 12M -c top/lone
log_mark
stat_mark
check "the marked one inside: who is outside dies for it" hog_do big 60 grow 40M 1M 5
is "and nobody of the group" "$(dead) $(verified big a1 b1)" "lone  3"
is "no group was killed" "$(($(group_kills top/svc) - 1)) $(stat_since group_spared)" "0 0"

# Nobody is left whose death would not be that of a group with it. It waits.
knob on_exhausted_memcg wait
hog_tell big grow 24M 1M 5
check "with nobody left but its group it waits" \
	wait_for 'log_has "tbtf: episode [0-9]+: memcg /top: nobody to kill for [0-9]+ \\(big\\)"' 30
wait_for '[ "$(stat_since naps)" -gt 3 ]' 30
is "and takes none of them" "$(dead) $(hogs_alive big a1 b1)" "lone  3"
cg_set top memory.max 140M
check "with more memory it goes on" wait_for '[ "$(hog_get big state)" = idle ]' 30
is "all have their data" "$(verified big a1 b1)" 3
knob on_exhausted_memcg kill

# The kernel's own choice in such a group is another matter: it stands.
hog_kill big
hog_start big -s 20M -c top/svc/a -m
hog_start leak -s 40M -c top/svc/b
log_mark
stat_mark
hog_tell leak grow 120M 1M 5
check "an unmarked leaker in the group, bigger than the marked one, dies" hog_gone leak 60
is "and the group with it" "$(hogs_alive a1 b1) $(dead)" "0 a1 b1 leak "
check "but for the marked one, which has its data" hog_do big 60 verify
is "that was the kernel's choice, and one was held back" \
	"$(stat_since passes) $(stat_since sacrifices) $(stat_since group_spared)" "1 0 1"
hog_kill big

# --- a cgroup makes it spare, inside a group
cg_make top/svc/keep memory.tbtf=spare
cg_set top memory.max 100M
hog_start big -s 20M -c top/own -m
hog_start kept -s 5M -c top/svc/keep
hog_start b1 -s 12M -c top/svc/b
hog_start lone -s 12M -c top/lone
log_mark
stat_mark
check "a spare one inside: who is outside dies" hog_do big 60 grow 54M 1M 5
is "and nobody of the group" "$(dead) $(verified big kept b1)" "lone  3"
hog_start leak -s 4M -c top/svc/b
hog_kill big
log_mark
stat_mark
hog_tell leak grow 90M 1M 5
check "an unmarked leaker beside a spare one dies" hog_gone leak 60
is "with the group, but for the spare one" "$(dead) $(verified kept)" "b1 leak  1"
is "it was held back" "$(stat_since group_spared)" 1
check "cgroup: no role any more" cg_set top/svc/keep memory.tbtf inherit
hog_start leak -s 40M -c top/svc/b
log_mark
hog_tell leak grow 90M 1M 5
check "the same without that role" hog_gone leak 60
hog_gone kept 20
is "takes it along" "$(dead)" "kept leak "

# --- the ladder's end: nobody is held back then
hog_start big -s 30M -c top/svc/a -m
hog_start b1 -s 12M -c top/svc/b
knob ladder_deadline_ms 500
log_mark
check "at the end of the ladder the marked one dies" hog_dies big grow 120M 1M
check "and the kernel's rule for the group holds" hog_gone b1 20
is "both, once" "$(dead)" "b1 big "

finish
