#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - who asks for memory is one thing, whom the kernel picks another
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 timeout=120
. ./lib.sh

# asks NAME: until somebody is killed, it grows; then it stops, dead or alive
asks()
{
	hog_tell "$1" grow 250M 512K 5
	wait_for '[ -n "$(killed)" ]' 60 || return
	hog_kill "$1"
}

plan 24

# --- an unmarked process asks, the kernel picks the marked one, as the largest
hog_start big -s 90M -m
hog_start small1 -s 20M
hog_start small2 -s 20M
hog_start asker -s 12M
stat_mark
log_mark
check "an unmarked process uses up the memory" asks asker
check "the kernel would have killed the marked one" log_has 'tbtf: episode [0-9]+: global: spared [0-9]+ \(big\)'
check "which lives, and has its data" hog_do big 60 verify
is "somebody smaller died in its place" "$(killed | grep -cE '^(small[12]|asker)$') $(killed | grep -c big)" \
	"$(stat_since sacrifices) 0"
in_range "that was one, or two" "$(stat_since sacrifices)" 1 2
hog_kill small1 small2 big

# --- with a leaker that is bigger than the marked one, whoever asks
hog_start big -s 40M -m
hog_start small1 -s 15M
hog_start small2 -s 15M
hog_start leak -s 70M
stat_mark
log_mark
check "an unmarked leaker bigger than the marked process dies of its own growth" \
	hog_dies leak grow 200M 1M 5
is "and nobody else" "$(killed) $(verified big small1 small2)" "leak 3"
is "the kernel's choice, passed on" "$(stat_since passes) $(stat_since sacrifices) $(stat_since episodes)" "1 0 0"
check_not "tbtf says nothing of it" log_has 'tbtf: episode'

hog_kill small2
hog_start leak -s 105M
log_mark
check "it dies of the growth of the marked one as well" hog_do big 60 grow 40M 1M 5
is "and nobody else" "$(killed) $(verified big small1)" "leak 2"
hog_kill big small1

# --- substitute=always: P is who asks. In a cgroup, so that this test never asks.
check "substitute=always" knob substitute always
cg_make m memory.max=130M
hog_start small1 -s 10M -c m
hog_start small2 -s 10M -c m
hog_start leak -s 70M -c m
hog_start big -s 30M -c m -m
stat_mark
log_mark
check "a marked process that asks gets what it wants" hog_do big 60 grow 70M 512K 5
check "and has its data" hog_do big 60 verify
is "smaller ones went first, then the leaker" "$(killed | tr -d '12' | tr '\n' ' ')" "small small leak "
is "it was protected each time, the last time for want of a smaller one" \
	"$(stat_since sacrifices) $(stat_since bigger) $(stat_since passes)" "3 1 0"
is "the log has the three" "$(log_count 'tbtf: episode [0-9]+: memcg /m: spared [0-9]+ \(big\)')" 3
hog_kill big

# The same limit, the same processes; now the leaker asks.
hog_start small1 -s 10M -c m
hog_start big -s 30M -c m -m
hog_start leak -s 70M -c m
stat_mark
log_mark
hog_tell leak grow 100M 1M 5
check "an unmarked leaker that asks itself dies" hog_gone leak 60
is "and nobody else" "$(killed) $(verified big small1)" "leak 2"
is "the kernel's choice" "$(stat_since passes) $(stat_since sacrifices)" "1 0"

# And the marked one asks again, with substitute=chosen.
check "substitute=chosen" knob substitute chosen
hog_start leak -s 70M -c m
log_mark
stat_mark
check "a marked process that asks does not save the leaker" hog_do big 60 grow 50M 1M 5
is "which dies, and nobody else" "$(killed) $(verified big small1)" "leak 2"
is "the kernel's choice" "$(stat_since passes) $(stat_since sacrifices)" "1 0"

finish
