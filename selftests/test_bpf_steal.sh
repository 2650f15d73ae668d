#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - tbtf stats and watch: what was asked of the helper, and what came of it
#
# Copyright (C) 2026 The tbtf authors
#
# A request that is granted, one that is refused, one whose helper dies, and none at all.
#
# vm: mem=256 smp=1 timeout=180 files="helper flood"
. ./lib.sh

METRICS=/tmp/metrics
EVENTS=/tmp/events

fig()
{
	sed -n "s/^tbtf_$1 //p" $METRICS
}

# helped ORDER [DEVICE]: a helper that does so, and a P that wants 20 MB too much
helped()
{
	rm -f /tmp/helper
	helper -o "$@" &
	helper=$!
	wait_for 'grep -q ^state=ready /tmp/helper 2>/dev/null' 20
	hog_start p -m -c m -s 20M
	hog_tell p grow 26M
}

over()
{
	wait_for '[ "$(hog_get p state)" = idle ] || ! hog_alive p' 30
	! hog_alive p || hog_kill p
	kill -9 $helper 2>/dev/null
	wait $helper 2>/dev/null
	episodes_over 20
}

# lines EVENT TEXT: how many of the recording
lines()
{
	grep "\"event\": \"$1\"" $EVENTS | grep -c -- "$2"
}

plan 19

modprobe brd rd_nr=1 rd_size=32768 || skip_all "no RAM disk"
mkswap /dev/ram0 > /dev/null
tbtf stats --attach || skip_all "no eBPF here"
knob nap_ms 100
knob episode_idle_ms 300
knob ladder_deadline_ms 500
cg_make m memory.max=30M
tbtf watch --json > $EVENTS &
watch=$!
# What it cannot miss is a first event.
wait_for 'flood 1; [ -s $EVENTS ]' 20
stat_mark

helped steal /dev/ram0
over
swapoff /dev/ram0
helped refuse
over
helped silent
wait_for '[ "$(knob stage)" = steal ]' 10
kill -9 $helper
over
hog_start p -m -c m -s 20M
hog_tell p grow 26M
over

wait_for "[ \"\$(grep -c '\"event\": \"episode_end\"' $EVENTS)\" = 4 ]" 10
kill $watch
tbtf stats --prometheus > $METRICS
is "requests" "$(fig requests_total)" 3
is "of these granted, refused, lost" \
	"$(fig requests_granted_total) $(fig requests_refused_total) $(fig requests_lost_total)" "1 1 1"
is "as the module counts" "$(stat_since requests_granted) $(stat_since requests_refused) $(stat_since requests_orphaned)" "1 1 1"
is "bytes" "$(fig granted_bytes_total)" $((32768 * 1024))
is "nothing was asked: the helper was dead, and there was none" "$(fig skipped_total)" 2
is "one was stolen" "$(fig outcome_stolen_total)" 1
is "the others were killed" "$(fig outcome_killed_total)" 3
is "the time to the grant was taken" "$(fig grant_seconds_count)" 1
is "outcomes sum to episodes" "$(fig episodes_total)" 4
is "watch: requests" "$(lines request '"rung": "steal", "wanted_kb": 65536')" 3
is "watch: granted" "$(lines answer '"answer": "granted".*"granted_kb": 32768')" 1
is "watch: refused" "$(lines answer '"answer": "refused"')" 1
is "watch: orphaned" "$(lines answer '"answer": "orphaned"')" 1
is "watch: skipped, and why" "$(lines answer '"answer": "skipped".*"rung": "steal".*"reason": "no_helper"')" 2
is "watch: nor does anybody print" "$(lines answer '"answer": "skipped".*"rung": "print".*"reason": "no_helper"')" 3
is "watch: the rung that was left" "$(lines rung_end '"outcome": "stolen".*"rung": "steal"')" 1
is "watch: the end" "$(lines episode_end '"outcome": "stolen"')" 1
check "nothing is unknown" [ "$(grep -c unknown $EVENTS)" = 0 ]
check "it can be detached" tbtf stats --detach

finish
