#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the pages of a victim that is gone are waited for, and nobody else is killed
#
# Copyright (C) 2026 The tbtf authors
#
# For the kernel a victim is gone when its memory is unmapped, and a moment later the
# pages are free. oom_provoke makes that moment last.
#
# vm: mem=256 smp=1 load="oom_provoke" timeout=120
. ./lib.sh

PROVOKE=/sys/kernel/debug/oom_provoke
SMALLS="small1 small2 small3 small4 small5 small6"
MOMENTS=

# crowd MS: six processes whose pages are on their way for so long
crowd()
{
	local name

	for name in $SMALLS; do
		hog_start "$name" -s 12M || return
		echo "$(hog_pid "$name") $1" > $PROVOKE/linger &
		MOMENTS="$MOMENTS $!"
	done
}

clear_away()
{
	local name

	for name in big $SMALLS; do
		! hog_alive "$name" || hog_kill "$name"
	done
	# shellcheck disable=SC2086 # several words
	wait $MOMENTS
	MOMENTS=
	episodes_over 30
}

# The least time between two kills of the log, in ms.
least_gap()
{
	log_since | sed -n 's/^\[ *\([0-9]*\)\.\([0-9]\{3\}\)[0-9]*\] Out of memory: Killed process .*/\1\2/p' |
		awk 'NR > 1 && (min == "" || $1 - last < min) { min = $1 - last }
		     { last = $1 } END { print min == "" ? -1 : min }'
}

# Sizes of the protected process at each substitution: it has had what each kill gave.
grown_in_between()
{
	log_since | sed -n 's/.*tbtf: episode .* spared [0-9]* (big) \([0-9]*\)kB; instead .*/\1/p' |
		awk 'NR > 1 && $1 < last + 6144 { early++ } { last = $1 } END { exit early > 0 || NR < 2 }'
}

plan 17
knob episode_idle_ms 5000

# --- a moment of 300 ms: nobody dies before it is over
stat_mark
log_mark
check "a crowd" crowd 300
check "a marked process beside it" hog_start big -s 40M -m
check "it grows past what is there" hog_do big 90 grow 95M 1M 5
check "its data is there" hog_do big 60 verify
dead=$((6 - $(hogs_alive $SMALLS)))
in_range "some of the crowd died for it, not all" "$dead" 2 5
is "all kills were of the crowd" "$(killed | grep -vc '^small')" 0
check "each when it had got what the one before had" grown_in_between
# Some kernels free the pages before they take the lock that is held here.
lasts=$(least_gap)
if [ "$lasts" -ge 290 ]; then
	ok "the moment was waited for"
	check_not "rounds have waited" [ "$(stat_since leaving)" = 0 ]
else
	skip "the moment was waited for" "this kernel gives the pages back before mmap_lock is wanted"
	skip "rounds have waited" "this kernel gives the pages back before mmap_lock is wanted"
fi
check "the rest" clear_away
is "was one episode, ended in sacrifices" "$(stat_since episodes) $(stat_since outcome_sacrificed)" "1 1"

# --- pages that do not come hold nobody up for ever
stat_mark
log_mark
check "a crowd whose pages do not come soon" crowd 8000
check "a marked process" hog_start big -s 40M -m
check "gets its memory all the same" hog_do big 90 grow 95M 1M 5
if [ "$lasts" -ge 290 ]; then
	in_range "the next one dies after a second" "$(least_gap)" 990 4000
else
	skip "the next one dies after a second" "this kernel gives the pages back before mmap_lock is wanted"
fi
is "all kills were of the crowd" "$(killed | grep -vc '^small')" 0
check "the rest" clear_away
finish
