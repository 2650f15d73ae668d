#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a hundred episodes that printing ends: every page of the reserve is accounted for
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=180
. ./lib.sh

plan 12

held()
{
	cat $TBTF/reserve_held_kb
}

knob nap_ms 50
knob episode_idle_ms 100
knob min_victim_kb 2048
knob print_rate_kb 1000000
knob reserve_kb 32768
hog_start ballast -a -1000 -s $(($(free_kb) - 36000))
hog_start p -m -s 1M
before=$(free_kb)
stat_mark

n=$((100 * ${VM_EFFORT:-100} / 100))
size=$(($(free_kb) + 3000))
i=0
# Written anew, the knob takes what is missing at once.
while [ $i -lt $n ]; do
	hog_do p 20 grow $size 8M && hog_do p 20 free && knob reserve_kb 32768 || break
	i=$((i + 1))
done
is "so many times over the edge and back" $i "$n"
check "the last episode ends" episodes_over 10
# (On a slow machine one may fall into several.)
check "each was an episode" test "$(stat_since episodes)" -ge "$n"
is "that ended as printed" "$(stat_since outcome_printed)" "$(stat_since episodes)"
check "outcomes sum to episodes" books_balance
check "something was printed in each" test "$(stat_since printed_kb)" -ge $((n * 256))
is "it is there again" "$(held)" 32768
check "the reserve's books are right" wait_for reserve_adds_up 20
# (More may be free: what was short has drained the lists of each CPU, and caches.)
in_range "nothing is lost" $((before - $(free_kb))) -12000 1000
knob reserve_kb 0
is "what is given back is all" "$(held)" 0
check "the reserve's books are right" wait_for reserve_adds_up 20
in_range "nothing is lost" $((before + 32768 - $(free_kb))) -12000 1500

finish
