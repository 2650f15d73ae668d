#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the deadline comes where rounds are so far apart that each is an episode
#
# Copyright (C) 2026 The tbtf authors
#
# What keeps the rounds apart is a stop: to the module it is the same whether a thread
# is in reclaim between two of them or stopped, for it has not got its page.
#
# vm: mem=256 smp=1 icount="shift=1,sleep=off" files=helper timeout=120
. ./lib.sh

plan 16

# apart CONDITION MS: p's rounds come one by one, until the shell condition holds. Between
# two of them p stands for so long, and until no episode is open.
apart()
{
	local end n pid stopped

	pid=$(hog_pid p)
	end=$(($(now_ms) + 15000))
	until eval "$1" || [ "$(now_ms)" -ge $end ]; do
		kill -STOP "$pid" 2>/dev/null
		stopped=$(now_ms)
		wait_for "[ \$(now_ms) -ge $((stopped + $2)) ]" 10
		[ "$(knob episode_idle_ms)" -gt "$2" ] || episodes_over 10
		n=$(stat_get killless)
		kill -CONT "$pid" 2>/dev/null
		wait_for "[ \$(stat_get killless) -gt $n ] || ! pid_alive $pid" 10
	done
}

# begins SIZE: p wants more than there is, and has found nobody to kill
begins()
{
	local n

	n=$(stat_get killless)
	hog_tell p grow "$1"
	wait_for "[ \$(stat_get killless) -gt $n ]" 20
	echo "<6>test: it has begun" > /dev/kmsg
}

# lasted: ms from then to the end
lasted()
{
	echo $(($(log_ms 'exhausted: ') - $(log_ms 'test: it has begun' last)))
}

fresh()
{
	episodes_over 30
	stat_mark
	log_mark
}

knob nap_ms 20
knob min_victim_kb 2048
knob ladder_deadline_ms 3000
cg_make c memory.max=30M memory.swap.max=0
helper -o silent -r 2 &
helper=$!
check "there is a helper, which never answers" wait_for '[ "$(knob helper)" = '$helper' ]' 10

# --- further apart than episode_idle_ms ------------------------------------------------

knob episode_idle_ms 100
fresh
hog_start p -m -c c -s 20M
begins 40M
apart '! hog_alive p' 300
check "each round an episode: the marked one dies" hog_gone p 0
check "of several" test "$(stat_since episodes)" -ge 4
# By the clock of this shell, which on a busy host looks late; the log knows better.
in_range "when the deadline has passed, since the first of them" "$(lasted)" 2800 15000
in_range "and that is what the log says" \
	"$(log_since | sed -n 's/.*exhausted: .*, then \([0-9]*\)ms without.*/\1/p')" 2990 4500
is "in one of them it was exhausted" "$(stat_since died_exhausted)" 1
check "the others: waited" test "$(stat_since outcome_waited)" -ge 3

# --- further apart than what passes for memory that has lasted ---------------------------

knob episode_idle_ms 10000
knob ladder_deadline_ms 4000
fresh
hog_start p -m -c c -s 20M
begins 40M
apart '! hog_alive p' 2500
# (Reclaim may find it a last page when the first round is over: its clock begins then.)
in_range "one episode, and seconds between the rounds" "$(lasted)" 3800 11000
is "it was one" "$(stat_since episodes)" 1

# --- who has had its memory has all the time again ---------------------------------------

knob episode_idle_ms 100
fresh
hog_start p -m -c c -s 20M
from=$(now_ms)
begins 20M
apart '[ $(($(now_ms) - from)) -ge 2500 ]' 300
check "it has waited for most of the time" hog_alive p
cg_set c memory.max 44M
check "memory comes: it goes on" wait_for '[ "$(hog_get p state)" = idle ]' 20
check "and every byte is right" hog_do p 20 verify
episodes_over 20
is "nobody has died" "$(stat_since died_exhausted)" 0
begins 40M
apart '! hog_alive p' 300
check "it wants more: in the end it dies" hog_gone p 0
in_range "with a clock of its own" "$(lasted)" 3800 5500

kill $helper
check "no helper is left" wait_for '[ "$(knob helper)" = 0 ]' 10
finish
