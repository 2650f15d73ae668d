#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - events that come faster than they are read: counted, said, and no more
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=120 files="flood"
. ./lib.sh

EVENTS=/tmp/events

# seen: how many events the watcher has told of; lost: how many it says it missed
seen()
{
	grep -c '"event": "mark"' "$EVENTS"
}

lost()
{
	sed -n 's/.*"event": "lost".*"count": \([0-9]*\).*/\1/p' "$EVENTS" |
		awk '{ n += $1 } END { print n + 0 }'
}

fig()
{
	tbtf stats --prometheus | sed -n "s/^tbtf_$1 //p"
}

# in_order: the numbers of what was seen rise
in_order()
{
	sed -n 's/.*"event": "mark", "seq": \([0-9]*\).*/\1/p' "$EVENTS" | sort -n -c
}

plan 22

check "attached" tbtf stats --attach
tbtf watch --json > "$EVENTS" &
watcher=$!
wait_for 'flood 1; [ "$(seen)" -gt 0 ]' 20
check "it keeps up with a few" wait_for '[ "$(seen)" -ge $(($(fig marks_set_total) * 2 - 2)) ]' 5
is "nothing is lost" "$(lost)" 0

# Of 5000 events a ring of 1024 keeps the last. Exactly the rest is lost.
before=$(fig events_total)
already=$(seen)
kill -STOP "$watcher"
flood 2500
is "5000 events" "$(($(fig events_total) - before))" 5000
is "nobody has missed any yet" "$(fig events_lost_total)" 0
kill -CONT "$watcher"
check "it says that it has lost some" wait_for '[ "$(lost)" -gt 0 ]' 10
check "what it saw and what it lost is all" wait_for \
	'[ $(($(seen) - already + $(lost))) = 5000 ]' 10
in_range "at least half a ring was there still" "$(($(seen) - already))" 512 1024
is "the lost are counted" "$(fig events_lost_total)" "$(lost)"
check "what was seen is in order" in_order
flood 3
check "and it goes on" wait_for '[ $(($(seen) - already + $(lost))) = 5006 ]' 10

# Marks are counted, seen or not.
is "the counters have lost nothing" "$(fig marks_set_total)" "$(fig marks_cleared_total)"
kill "$watcher"
wait "$watcher"
is "it ends well" $? 0

# Two at a time see the same, and who comes later sees the past if he wants to.
tbtf watch --number 6 > /tmp/one &
one=$!
tbtf watch --number 6 > /tmp/two &
two=$!
wait_for 'flood 1; ! pid_alive $one && ! pid_alive $two' 20
wait "$one" && wait "$two"
is "two watchers" $? 0
is "each had its six" "$(cat /tmp/one /tmp/two | grep -c 'role of')" 12
is "the past" "$(tbtf watch --past --number 100 | grep -c 'role of')" 100
check_not "a bad number is refused" tbtf watch --number 0
check "the lost are in the text as well" sh -c "tbtf stats | grep -q ' $(fig events_lost_total) lost'"

# An OOM in the middle of a flood is not overlooked by the counters.
knob policy largest
cg_make t memory.max=48M
hog_start a -c t -s 10M
hog_start big -c t -s 20M -m
stat_mark
# One on each CPU: on that where it happens nothing else does.
killable flood 1000000000 &
one=$!
killable flood 1000000000 &
two=$!
check "a process grows while it lasts" hog_do big 60 grow 22M 256K
kill $one $two
wait $one $two
is "a kill is counted in a flood" "$(fig kills_total) $(fig dry_run_total) $(stat_since sacrifices)" "1 0 1"
in_range "with what it freed" "$(fig freed_bytes_total)" 10485760 12582912
check "detached" tbtf stats --detach
finish
