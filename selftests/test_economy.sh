#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - burn against print: when the end is foretold, and when it comes
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 icount="shift=1,sleep=off" timeout=240
. ./lib.sh

plan 14

left_ms()
{
	cat $TBTF/economy/left_ms
}

held()
{
	cat $TBTF/reserve_held_kb
}

knob nap_ms 50
knob episode_idle_ms 5000
knob min_victim_kb 2048
knob ladder_deadline_ms 2000
is "nobody is protected, nothing is held: nothing is foretold" "$(left_ms)" never
knob reserve_kb 32768

# --- burn above print: p eats at a constant rate until nothing is left ------------------

log_mark
stat_mark
hog_start p -m -s 1M
from=$(now_ms)
hog_tell p grow 400M 256K 25
# What was foretold when, in ms from the beginning; the shell alone, for it needs no memory.
n=0
while [ "$(held)" -gt 0 ]; do
	read -r left < $TBTF/economy/left_ms
	n=$((n + 1))
	eval "at_$n=$(($(now_ms) - from)) left_$n=$left"
	sleep 0.2
done
end=$(($(now_ms) - from))
check "the reserve is empty in the end" test "$(stat_since printed_kb)" = 32768
check "that took long enough to be foretold" test "$end" -ge 12000
early=0 wrong=0 seen=0 at=0
while [ $n -gt 0 ]; do
	eval "at=\$at_$n left=\$left_$n"
	n=$((n - 1))
	[ $((at * 2)) -ge "$end" ] || { early=$((early + 1)); continue; }
	seen=$((seen + 1))
	[ "$left" != never ] && [ $((at + left)) -ge $((end * 80 / 100)) ] &&
		[ $((at + left)) -le $((end * 120 / 100)) ] && continue
	wrong=$((wrong + 1))
	diag "at $at ms: $left ms are left; the end was at $end ms"
done
check "it was asked often" test $seen -ge 10 -a $early -ge 10
is "from half-way on the end was foretold within 20 %" $wrong 0
check "the log said so before it came" test "$(log_ms 'memory lasts for ')" -lt "$(log_ms 'nobody to kill')"
check "more than once" test "$(log_count 'memory lasts for ')" -ge 3
check "then p dies, and nobody before" hog_gone p 30
is "the episode ended as killed" "$(episodes_over 30; stat_since outcome_killed)" 1
check "nothing is consumed any more: nothing is foretold" wait_for '[ "$(left_ms)" = never ]' 20

# --- burn below print: to the edge and back, and each time it is refilled -----------------

check "the reserve is full" wait_for '[ "$(held)" = 32768 ]' 20
hog_start ballast -a -1000 -s $(($(free_kb) - 36000))
hog_start p -m -s 1M
size=$(($(free_kb) + 3000))
stat_mark
until=$(($(now_ms) + 10000))
bad=0
while [ "$(now_ms)" -lt $until ]; do
	hog_do p 20 grow $size 8M && hog_do p 20 free || bad=1
	wait_for '[ "$(held)" = 32768 ]' 10 || bad=1
done
is "at the edge it goes on" $bad 0
check "by printing" test "$(stat_since printed_kb)" -gt 4096
is "and nobody dies of it" "$(stat_since outcome_killed)" 0

finish
