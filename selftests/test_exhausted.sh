#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - nobody is left to be killed: what on_exhausted says, and when
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=120
. ./lib.sh

plan 46

# fresh: every episode over, and counters and log from here
fresh()
{
	episodes_over 30
	stat_mark
	log_mark
}

knob nap_ms 50
knob episode_idle_ms 300
knob min_victim_kb 2048
hog_start outside -s 10M

# --- a memory cgroup, kill --------------------------------------------------------

knob ladder_deadline_ms 2000
cg_make kill memory.max=40M memory.swap.max=0
fresh
hog_start p -m -c kill -s 20M
hog_tell p grow 100M
check "memcg, kill: it waits first" wait_for '[ "$(knob stage)" = exhausted ]' 20
check "and lives meanwhile" hog_alive p
check "when the deadline has passed it dies" hog_gone p 30
is "nobody else does" "$(killed)" p
# (The clock of the ladder has ticks of 4 ms, that of the log has not.)
in_range "not before the deadline, and not much later" \
	$(($(log_ms 'exhausted: memcg /kill: ') - $(log_ms 'memcg /kill: nobody to kill'))) 1996 8000
check "the log says who and why" log_has \
	"tbtf: episode [0-9]+: exhausted: memcg /kill: [0-9]+ \(p\) has outlived all: 0 killed for it, 0kB, then [0-9]+ms without anybody to kill; on_exhausted_memcg=kill: the kernel kills it"
is "memory.events counts one" "$(cg_get kill memory.events oom_kill)" 1
is "memory.tbtf.events counts no sacrifice" "$(cg_get kill memory.tbtf.events sacrificed)" 0
check "the episode ends by itself" wait_for '[ "$(knob stage)" = idle ]' 20
is "as killed" "$(stat_since outcome_killed)" 1
is "one death of a protected process" "$(stat_since died_exhausted)" 1
is "the mark is gone with it" "$(knob marked)" 0
check "it has napped" test "$(stat_since naps)" -gt 0
check "outcomes sum to episodes: memcg kill" books_balance

# The same with a deadline of nothing: the next round is the last.
knob ladder_deadline_ms 0
fresh
hog_start p -m -c kill -s 20M
hog_tell p grow 100M
check "deadline 0: it dies" hog_gone p 20
in_range "at once" \
	$(($(log_ms 'exhausted: memcg /kill: ') - $(log_ms 'memcg /kill: nobody to kill'))) 0 500
is "without a nap" "$(stat_since naps)" 0
cg_remove kill

# memory.oom.group at the end of the ladder does as it likes.
cg_make group memory.max=40M memory.swap.max=0 memory.oom.group=1 memory.tbtf=tbtf
fresh
hog_start p1 -c group -s 10M
hog_start p2 -c group -s 10M
hog_tell p1 grow 100M
check "oom.group: both die at the end" wait_for '[ "$(hogs_alive p1 p2)" = 0 ]' 20
is "as a group" "$(cg_get group memory.events oom_group_kill)" 1
cg_remove group

# --- a memory cgroup, wait --------------------------------------------------------

knob on_exhausted_memcg wait
knob ladder_deadline_ms 200
cg_make wait memory.max=40M memory.swap.max=0
fresh
hog_start p -m -c wait -s 20M
hog_tell p grow 40M
check "memcg, wait: it waits" wait_for '[ "$(stat_since naps)" -ge 20 ]' 30
check "long past the deadline it lives" hog_alive p
is "nobody has died" "$(killed)" ""
check_not "the log does not say exhausted" log_has exhausted:
check "it says that it waits" log_has 'memcg /wait: nobody to kill for [0-9]+ \(p\) after 0 kills: waits until there is memory'
is "the stage is exhausted" "$(knob stage)" exhausted
cg_set wait memory.max 80M
check "memory.max raised: it goes on" wait_for '[ "$(hog_get p kb)" = 61440 ] && [ "$(hog_get p state)" = idle ]' 30
check "and every byte is right" hog_do p 30 verify
check "the episode ends" episodes_over 20
is "as waited" "$(stat_since outcome_waited)" 1
check "outcomes sum to episodes: memcg wait" books_balance
hog_kill p

# Who waits is woken by an exit, not by the end of its nap.
cg_set wait memory.max 40M
knob nap_ms 10000
fresh
hog_start spare -c wait -s 15M
echo spare > "$CGROUP/wait/memory.tbtf"
hog_start p -m -c wait -s 20M
hog_tell p grow 15M
check "it naps" wait_for '[ "$(stat_since naps)" -ge 1 ]' 30
is "a spare one is no candidate" "$(hogs_alive spare)" 1
from=$(now_ms)
hog_kill spare
check "an exit lets it go on" wait_for '[ "$(hog_get p state)" = idle ]' 30
in_range "before its nap is over" $(($(now_ms) - from)) 0 8000
hog_kill p

# Who waits can be killed, and switching off ends the waiting.
fresh
hog_start p -m -c wait -s 20M
hog_tell p grow 100M
wait_for '[ "$(stat_since naps)" -ge 1 ]' 30
from=$(now_ms)
kill -9 "$(hog_pid p)"
check "a signal ends the nap" hog_gone p 30
in_range "at once" $(($(now_ms) - from)) 0 8000

fresh
hog_start p -m -c wait -s 20M
hog_tell p grow 100M
wait_for '[ "$(stat_since naps)" -ge 1 ]' 30
knob enabled 0
check "enabled=0: the kernel kills it" hog_gone p 8
check "the episode is closed" episodes_over 20
is "as switched off" "$(stat_since outcome_switched)" 1
check "outcomes sum to episodes: switched off" books_balance
knob enabled 1
knob nap_ms 50
cg_remove wait

# --- the machine, kill ------------------------------------------------------------

knob ladder_deadline_ms 2000
fresh
hog_start small -s 10M
hog_start p -m -s 20M
hog_tell p grow 1G
check "the machine, kill: the marked one dies in the end" hog_gone p 60
is "after all others" "$(killed | sort | tr '\n' ' ')" "outside p small "
is "and as the last" "$(killed | tail -1)" p
in_range "the deadline is kept" \
	$(($(log_ms 'exhausted: global: ') - $(log_ms 'global: nobody to kill'))) 1950 10000
episodes_over 20
is "the episode ended as killed" "$(stat_since outcome_killed)" 1
check "outcomes sum to episodes: global kill" books_balance

finish
