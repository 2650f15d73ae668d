#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - memory is in pieces: an order-3 allocation is no reason for a massacre
#
# Copyright (C) 2026 The tbtf authors
#
# oom_provoke holds every eighth page of the machine, and the processes have
# theirs in between: a block of eight pages is not to be had by anybody's death.
#
# vm: mem=256 smp=1 load="oom_provoke" timeout=120 files="helper" params="on_exhausted=panic"
# vm-reject: Kernel panic
. ./lib.sh

PROVOKE=/sys/kernel/debug/oom_provoke
SMALLS="small1 small2 small3 small4 small5 small6"

# Blocks of eight pages and more on the machine.
blocks()
{
	awk '{ size = 1; for (i = 8; i <= NF; i++) { n += $i * size; size *= 2 } } END { print n + 0 }' /proc/buddyinfo
}

plan 20

knob ladder_deadline_ms 2000
knob nap_ms 100
echo 6000 > $PROVOKE/pieces
hog_start big -s 60M -m
for name in $SMALLS; do
	hog_start "$name" -s 8M
done
helper -o refuse &
in_range "there is memory enough" "$(free_kb)" 30000 200000
in_range "but little of it in blocks of eight pages" "$(blocks)" 0 400

# --- somebody else asks; the kernel would kill P, the largest
stat_mark
log_mark
check_not "allocations of order 3 fail in the end" \
	sh -c "{ echo '3 1000 kernel' > $PROVOKE/alloc; } 2>/dev/null"
in_range "some were had before" "$(cat $PROVOKE/got)" 1 30000
check "the kernel meant to kill for it" log_has 'invoked oom-killer: .*order=3'
in_range "two of the small ones were tried, at the most" "$(killed | wc -l)" 0 2
is "the marked one was not" "$(killed | grep -c big)" 0
is "that it is of no use is seen" "$(log_count 'tbtf: episode [0-9]+: global: memory is in pieces, not gone for [0-9]+ \(big\)')" 1
check "and waited for, until the deadline" \
	log_has 'tbtf: episode [0-9]+: exhausted: global: order-3 allocation of [0-9]+ \(.*\) fails after [2-9][0-9]{3}ms'
in_range "it is counted" "$(stat_since failed_allocations)" 1 99
is "no other node is asked for pages that are no use" \
	"$(stat_since skipped_fragmented) $(stat_since requests)" "1 0"
in_range "as futile" "$(stat_since futile_fragmented)" 1 99999
in_range "the machine has memory enough all the time" "$(free_kb)" 30000 200000

# --- P itself asks: it waits, and is refused as well
dead=$(killed | wc -l)
hog_do big 10 open $PROVOKE/alloc
check_not "an allocation of the marked process itself fails too" hog_do big 60 write 3 1000 kernel
is "with ENOMEM" "$(hog_get big err)" 12
is "the marked one lives, and has its data" "$(verified big)" 1
in_range "and two of the small ones have died, at the most" "$(killed | wc -l)" "$dead" $((dead + 2))
is "the others have their data" "$(verified $SMALLS)" "$(hogs_alive $SMALLS)"

# --- and when memory is really short, small ones do die, for single pages
echo 1 > $PROVOKE/free
knob episode_idle_ms 100
wait_for '[ "$(stat_get open_episodes)" = 0 ]' 30
knob episode_idle_ms 10000
knob on_exhausted kill
log_mark
more=$(($(free_kb) / 1024 + 4))
check "later, with memory in one piece again, it grows as ever" hog_do big 60 grow ${more}M 1M 5
in_range "by the death of small ones" "$(killed | grep -c small)" 1 6

finish
