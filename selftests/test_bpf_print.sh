#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - tbtf stats and watch: what was printed, by whom, and that the end was foretold
#
# Copyright (C) 2026 The tbtf authors
#
# A helper that raises a limit after other nodes had nothing; then nobody but the reserve.
# All that the module counts is counted by the programs as well, to the byte.
#
# vm: mem=256 smp=1 timeout=240 files="helper flood"
. ./lib.sh

METRICS=/tmp/metrics
EVENTS=/tmp/events

fig()
{
	sed -n "s/^tbtf_$1 //p" $METRICS
}

# lines EVENT TEXT: how many of the recording
lines()
{
	grep "\"event\": \"$1\"" $EVENTS | grep -c -- "$2"
}

# bytes COUNTER: of the module, since the mark
bytes()
{
	echo $(($(stat_since "$1") * 1024))
}

plan 30

tbtf stats --attach || skip_all "no eBPF here"
knob nap_ms 100
knob episode_idle_ms 300
knob ladder_deadline_ms 3000
knob min_victim_kb 8192
cg_make m memory.max=30M
tbtf watch --json > $EVENTS &
watch=$!
wait_for 'flood 1; [ -s $EVENTS ]' 20
stat_mark
log_mark

# --- the helper prints -----------------------------------------------------------------

rm -f /tmp/helper
helper -r 3 -o refuse -p limit -l m -k 32768 &
helper=$!
wait_for 'grep -q ^state=ready /tmp/helper 2>/dev/null' 20
hog_start p -m -c m -s 20M
check "P gets what was printed" hog_do p 60 grow 26M
check "and every byte is right" hog_do p 60 verify
episodes_over 20
is "the module counts it as printed" "$(stat_since outcome_printed) $(stat_since minted_kb)" "1 32768"
kill -9 $helper
wait $helper 2>/dev/null
hog_kill p

# --- nobody but the reserve ----------------------------------------------------------------

knob print_rate_kb 0
knob reserve_kb 16384
knob episode_idle_ms 10000
hog_start p -m -s 10M
check "more than there is, less than with the reserve" hog_do p 120 grow $(($(free_kb) + 6000))
check "is right, every byte" hog_do p 60 verify
check "it was printed" test "$(stat_since printed_kb)" -gt 0
knob episode_idle_ms 300
episodes_over 20
# With P at the edge others may want a page as well, each in an episode of its own.
check "this ended as printed, too" test "$(stat_since outcome_printed)" -ge 2
hog_kill p

# --- nobody is protected: what is held goes before anyone is killed ------------------------------

hog_start q -s 4M
hog_tell q grow 400M
check "an ordinary one, with all there is" hog_gone q 60
check "had the rest of the reserve first" wait_for '[ "$(stat_since yielded_kb)" -gt 0 ]' 10

wait_for "[ \"\$(grep -c '\"event\": \"episode_end\"' $EVENTS)\" = $(stat_since episodes) ]" 10
wait_for "[ \"\$(lines print '\"print\": \"yield\"')\" -ge 1 ]" 10
kill $watch
tbtf stats --prometheus > $METRICS
is "requests, on both rungs" "$(fig requests_total)" "$(stat_since requests)"
is "of these granted and refused" "$(fig requests_granted_total) $(fig requests_refused_total)" "1 1"
is "bytes printed by the helper" "$(fig minted_bytes_total)" "$(bytes minted_kb)"
is "bytes of other nodes" "$(fig granted_bytes_total)" 0
is "bytes of the reserve" "$(fig printed_bytes_total)" "$(bytes printed_kb)"
is "bytes of the bridge" "$(fig bridged_bytes_total)" "$(bytes bridged_kb)"
is "bytes given to others" "$(fig yielded_bytes_total)" "$(bytes yielded_kb)"
is "nobody was asked to steal, once; nor to print" "$(fig skipped_total) $(fig print_skipped_total)" \
	"$(stat_since skipped_no_helper) $(stat_since print_skipped)"
check "which was a wait once at least" test "$(stat_since skipped_no_helper)" -ge 1
is "all were printed" "$(fig outcome_printed_total)" "$(stat_since outcome_printed)"
is "the end was foretold as often as the log has it" "$(fig foretold_total)" \
	"$(dmesg | grep -c 'tbtf: memory lasts for')"
check "each rung has its time: other nodes" test "$(fig rung_steal_seconds_count)" -ge 1
check "each rung has its time: printing" test "$(fig rung_print_seconds_count)" -ge 2
is "the time to the grant was taken" "$(fig grant_seconds_count)" 1
is "watch: the request" "$(lines request '"rung": "print", "wanted_kb": 65536')" 1
is "watch: granted" "$(lines answer '"answer": "granted".*"rung": "print", "granted_kb": 32768')" 1
check "watch: out of the reserve" test "$(lines print '"print": "last".*"printed_kb": ')" -ge 1
check "watch: the rung that was left" test "$(lines rung_end '"outcome": "printed".*"rung": "print"')" -ge 1
is "watch: the ends" "$(lines episode_end '"outcome": "printed"')" "$(stat_since outcome_printed)"
check "nothing is unknown" [ "$(grep -c unknown $EVENTS)" = 0 ]
check "it can be detached" tbtf stats --detach

finish
