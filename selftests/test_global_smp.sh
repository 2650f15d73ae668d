#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - several marked processes grow at once, on two CPUs
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=384 smp=2 timeout=120
. ./lib.sh

SMALLS="small1 small2 small3 small4 small5 small6 small7 small8 small9"

idle()
{
	wait_for "[ \"\$(hog_get $1 state)\" != busy ] || ! hog_alive $1" 60
	hog_alive "$1" && [ "$(hog_get "$1" err)" = 0 ]
}

plan 11

for name in $SMALLS; do
	hog_start "$name" -s 10M
done
hog_start big1 -s 40M -m
hog_start big2 -s 40M -m
hog_start big3 -s 40M -m
stat_mark
log_mark
hog_tell big1 grow 42M 512K
hog_tell big2 grow 42M 512K
hog_tell big3 grow 42M 512K
check "the first marked process gets what it asks for" idle big1
check "so does the second" idle big2
check "and the third" idle big3
dead=$((9 - $(hogs_alive $SMALLS)))
in_range "some of the crowd died for them" "$dead" 1 9
is "and nobody else" "$(killed | grep -vc '^small[1-9]$')" 0
is "each of the dead was killed once" "$(killed | sort -u | wc -l) $(killed | wc -l)" "$dead $dead"
is "the marked have their data" "$(verified big1 big2 big3)" 3
is "so have the others" "$(verified $SMALLS)" $((9 - dead))
is "each death was a substitution" "$(stat_since sacrifices)" "$dead"
is "no marked process has died" "$(stat_since died_oom)" 0
knob episode_idle_ms 100
wait_for '[ "$(stat_get open_episodes)" = 0 ]' 30
is "every episode has one outcome" \
	"$(($(stat_since outcome_sacrificed) + $(stat_since outcome_waited)))" "$(stat_since episodes)"

finish
