#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - out of memory on the whole machine: the marked outlives it, and unmarked it does not
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 timeout=120
. ./lib.sh

SMALL_KB=12288
SMALLS="small1 small2 small3 small4 small5 small6 small7"

# The same crowd, and the same work beside it: a process that begins with 40 MiB
# and ends with 144, on a machine that has some 190 for all.
crowd()
{
	local name

	for name in $SMALLS; do
		hog_start "$name" -s ${SMALL_KB} || return
	done
}

# Sizes of the protected process in the lines of substitutions, in kB.
protected_sizes()
{
	log_since | sed -n 's/.*tbtf: episode .* spared [0-9]* (big) \([0-9]*\)kB; instead .*/\1/p'
}

# Each kill was asked for by a process that had grown since the one before,
# by the better part of what that one freed.
one_by_one()
{
	protected_sizes | awk -v step=$((SMALL_KB / 2)) '
		NR > 1 && $1 < last + step { early++ }
		{ last = $1 }
		END { exit early > 0 || NR < 2 }'
}

plan 19

# --- with the mark
stat_mark
log_mark
check "a crowd" crowd
check "a marked process beside it" hog_start big -s 40M -m
hog_start room -a -1000 -s 6M
check "it grows past what is there, and gets all it asked for" hog_do big 90 grow 104M 1M 5
is "it is as big as its work wanted" "$(hog_get big kb)" 147456
left=$(free_kb)
hog_kill room	# for us to look in: memory may be full to the last page, and no one else is to die
check "what it wrote is there, byte for byte" hog_do big 60 verify
dead=$((7 - $(hogs_alive $SMALLS)))
in_range "some of the crowd died for it, not all" "$dead" 2 6
is "all kills were of the crowd" "$(killed | grep -vc '^small')" 0
is "each of the dead was killed once" "$(killed | sort -u | wc -l) $(killed | wc -l)" "$dead $dead"
check "one by one: in between it grew by what it got" one_by_one
# Had one more died than necessary, its memory would be free now.
in_range "no more than had to" "$left" 0 $((SMALL_KB + 6144))
is "the others have their memory still, byte for byte" "$(verified $SMALLS)" $((7 - dead))
is "a line in the log for each" \
	"$(log_count 'tbtf: episode [0-9]+: global: spared [0-9]+ \(big\) [0-9]+kB; instead [0-9]+ \(small[1-7]\) [0-9]+kB, frees [0-9]+kB, adj 0, band ordinary, policy uniform, [0-9]+ (tries|candidates)$')" \
	"$dead"
is "the counter counts them" "$(stat_since sacrifices)" "$dead"
is "the log says what was freed as the counter does" \
	"$(log_since | sed -n 's/.*tbtf: episode .* frees \([0-9]*\)kB,.*/\1/p' | awk '{ n += $1 } END { print n }')" \
	"$(stat_since sacrificed_kb)"
knob episode_idle_ms 100
wait_for '[ "$(stat_get open_episodes)" = 0 ]' 30
is "one episode, and it ended in sacrifices" \
	"$(stat_since episodes) $(stat_since outcome_sacrificed)" "1 1"
is "the stage is idle again" "$(knob stage)" idle
hog_kill big $SMALLS

# --- without
knob episode_idle_ms 10000
log_mark
crowd
hog_start big -s 40M
check "without the mark it dies on the way" hog_dies big grow 104M 1M 5
is "and nobody else" "$(killed)" big
is "the crowd has its memory, byte for byte" "$(verified $SMALLS)" 7

finish
