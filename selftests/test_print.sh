#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - rung three: the reserve is printed when nobody is left to be killed
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=180
. ./lib.sh

plan 40

held()
{
	cat $TBTF/reserve_held_kb
}

full()
{
	wait_for "[ \$(held) = $1 ]" 20
}

# One episode, as a rule; on a slow host it may be over in the middle, and another begins.
ended_printed()
{
	[ "$(stat_since outcome_printed)" -ge 1 ] &&
		[ "$(stat_since outcome_printed)" = "$(stat_since episodes)" ]
}

fresh()
{
	episodes_over 30
	stat_mark
	log_mark
}

# Everything but so many kB of what is free is taken, by one who is never killed.
ballast()
{
	hog_start ballast -a -1000 -s $(($(free_kb) - $1))
}

knob nap_ms 50
knob episode_idle_ms 2000
knob min_victim_kb 2048
knob ladder_deadline_ms 2000
knob print_rate_kb 1000000
knob reserve_kb 32768
ballast 40000

# --- enough is there ---------------------------------------------------------------

fresh
check "it is all there" full 32768
hog_start small -s 8M
hog_start p -m -s 4M
check "more than there is, less than with the reserve" hog_do p 60 grow $(($(free_kb) + 8000))
is "somebody smaller went first" "$(killed)" small
check "then it was printed" test "$(stat_since printed_kb)" -gt 0
is "each round of that found nobody to kill" "$(stat_since outcome_killed)" 0
check "the log says so" log_has 'tbtf: episode [0-9]+: global: memory is printed: [0-9]+kB are left in reserve'
is "once" "$(log_count 'memory is printed')" 1
check "no more than was wanted" test "$(stat_since printed_kb)" -lt 16384
check "what was written is right" hog_do p 30 verify
check "the episode ends" episodes_over 20
check "as printed" ended_printed
check "outcomes sum to episodes" books_balance
check "the reserve's books are right" wait_for reserve_adds_up 20
hog_kill p
check "it is refilled when memory is there" full 32768
is "by as much" "$(stat_since refilled_kb)" "$(stat_since printed_kb)"

# --- at oom_score_adj -1000: the kernel would panic at once ----------------------------

fresh
hog_start p -m -a -1000 -s 4M
check "a protected one that cannot be killed" hog_do p 60 grow $(($(free_kb) + 6000))
check "is printed for" test "$(stat_since printed_kb)" -gt 0
check "and the machine stands" hog_do p 30 verify
check "the episode ends" episodes_over 20
check "as printed" ended_printed
hog_kill p
check "it is refilled" full 32768

# --- not enough is there ------------------------------------------------------------------

fresh
hog_start p -m -s 4M
hog_tell p grow 400M
check "more than all there is: it dies" hog_gone p 60
is "all was printed" "$(stat_since printed_kb)" 32768
is "the episode ended as killed" "$(episodes_over 20; stat_since outcome_killed)" 1
check "not before the deadline" test "$(($(log_ms 'exhausted: global: ') - $(log_ms 'global: nobody to kill')))" -ge 1990
check "nor before the last of it" log_has 'exhausted: global: '
check "the reserve's books are right" wait_for reserve_adds_up 20
check "it is refilled" full 32768

# Not even past the deadline, as long as there is something to print.
knob ladder_deadline_ms 0
fresh
hog_start p -m -s 4M
check "deadline 0: printed all the same" hog_do p 60 grow $(($(free_kb) + 8000))
check "and nobody dies" test "$(stat_since printed_kb)" -gt 0 -a "$(stat_since outcome_killed)" = 0
hog_kill p
knob ladder_deadline_ms 2000
check "it is refilled" full 32768

# --- a memory cgroup: no page changes its limit -----------------------------------------------

fresh
cg_make m memory.max=20M memory.swap.max=0
hog_start q -m -c m -s 4M
hog_tell q grow 60M
check "a memory cgroup: it dies in the end" hog_gone q 30
is "nothing was printed for it" "$(stat_since printed_kb)" 0
cg_remove m

# --- never faster than print_rate_kb --------------------------------------------------------------

knob print_rate_kb 2000
fresh
hog_start p -m -s 4M
hog_do p 60 grow $(($(free_kb) + 8000))
hog_kill p
from=$(now_ms)
was=$(stat_get refilled_kb)
check "refilled slowly" wait_for '[ "$(stat_since refilled_kb)" -ge 6144 ]' 20
took=$(($(now_ms) - from))
got=$(($(stat_get refilled_kb) - was))
# A quantum and a look may have been due.
in_range "at the rate" $(((got - 256 - 1000) * 1000 / took)) 1000 2000
check "not to the end" test "$(held)" -lt 32768
knob print_rate_kb 0
was=$(held)
sleep 1.2
is "rate 0: not at all" "$(held)" "$was"
knob print_rate_kb 1000000
check "it is refilled" full 32768

# --- nothing is refilled from what somebody may want ------------------------------------------------

fresh
hog_start p -m -s 4M
hog_do p 60 grow $(($(free_kb) + 8000))
sleep 1.2
is "memory is short: nothing is refilled" "$(stat_since refilled_kb)" 0
hog_kill p
check "it is refilled" full 32768

finish
