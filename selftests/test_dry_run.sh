#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - dry_run changes nothing and counts everything; enabled=0 is as if unloaded
#
# Copyright (C) 2026 The tbtf authors
#
# The same OOMs four times: without the module, with dry_run=1, with enabled=0,
# and, so that it is seen that they would have ended otherwise, switched on.
#
# vm: mem=256 timeout=150 module=no thread=single
. ./lib.sh

plan 42

# one_by_one TEXT: names, sorted, on one line
one_by_one()
{
	echo "$1" | sort -u | xargs
}

# remember FILE of the memory.events of m
events()
{
	grep -vE '^(low|high|max|oom) ' "$CGROUP/m/memory.events" | xargs
}

# scenario MARK: a memcg OOM, one with memory.oom.group, and one of the machine.
# Leaves who died in each in died_*, and what memory.events said in events_*.
scenario()
{
	cg_make m memory.max=60M memory.swap.max=0
	log_mark
	for i in 1 2 3; do
		hog_start "s$i" -s 8M -c m
	done
	# shellcheck disable=SC2086
	hog_start p $1 -s 15M -c m
	hog_tell p grow 38M 1M
	wait_for '! hog_alive p || [ "$(hog_get p state)" = idle ]' 30
	died_memcg=$(killed)
	events_memcg=$(events)
	sacrificed_memcg=$(cg_get m memory.tbtf.events sacrificed 2>/dev/null)
	hog_kill p s1 s2 s3

	cg_set m memory.oom.group 1
	log_mark
	for i in 1 2; do
		hog_start "g$i" -s 8M -c m
	done
	# shellcheck disable=SC2086
	hog_start p $1 -s 15M -c m
	hog_tell g1 grow 60M 1M
	hog_gone g1 20
	died_group=$(one_by_one "$(killed)")
	hog_kill p g1 g2
	cg_remove m

	log_mark
	for i in 1 2 3; do
		hog_start "s$i" -s 12M
	done
	# shellcheck disable=SC2086
	hog_start p $1 -s 40M
	hog_tell p grow 1G 1M
	hog_gone p 60
	died_global=$(killed | head -1)
	hog_kill p s1 s2 s3
}

# counters NAME...: each has grown
grown()
{
	local name

	for name; do
		[ "$(stat_since "$name")" -gt 0 ] && continue
		diag "$name has not grown"
		return 1
	done
}

# unchanged NAME...: none has
unchanged()
{
	local name

	for name; do
		[ "$(stat_since "$name")" = 0 ] && continue
		diag "$name has grown by $(stat_since "$name")"
		return 1
	done
}

trace()
{
	cat /sys/kernel/tracing/trace
}

# --- without the module ------------------------------------------------------------

scenario ""
plain_memcg=$died_memcg plain_events=$events_memcg plain_group=$died_group plain_global=$died_global
is "without: the kernel takes the largest of a memory cgroup" "$plain_memcg" p
is "all of a group" "$plain_group" "g1 g2 p"
is "and the largest of the machine" "$plain_global" p

# --- dry run -------------------------------------------------------------------------

modprobe tbtf dry_run=1 min_victim_kb=2000 episode_idle_ms=300
echo 1 > /sys/kernel/tracing/events/tbtf/enable
log_mark
echo "<6>test: dry" > /dev/kmsg
stat_mark
scenario -m
is "dry run, memcg: the same dies" "$died_memcg" "$plain_memcg"
is "memory.events is the same" "$events_memcg" "$plain_events"
is "nobody was sacrificed there" "$sacrificed_memcg" 0
is "group: the same die" "$died_group" "$plain_group"
is "machine: the same dies" "$died_global" "$plain_global"
check "it was counted" grown rounds episodes dry_run group_spared died_oom
check "but not as done" unchanged sacrifices sacrificed_kb naps jiffies killless \
	died_exhausted outcome_killed outcome_panicked outcome_failed
dry_log=$(dmesg | sed -n '/test: dry$/,$p')
check "the log says what would have been, for the memcg" eval 'echo "$dry_log" | grep -qE \
	"tbtf: episode [0-9]+: memcg /m: dry run: would have spared [0-9]+ \(p\) [0-9]+kB; instead [0-9]+ \(s[123]\)"'
check "and for the machine" eval 'echo "$dry_log" | grep -qE \
	"tbtf: episode [0-9]+: global: dry run: would have spared [0-9]+ \(p\) [0-9]+kB; instead [0-9]+ \(s[123]\)"'
check_not "it says nothing of having done it" eval 'echo "$dry_log" | grep -qE "tbtf: .*: (spared|exhausted)"'
check "the decision is traced as dry" eval 'trace | grep -q "tbtf_sacrifice: .* dry_run=1"'
check_not "and none as done" eval 'trace | grep -q "tbtf_sacrifice: .* dry_run=0"'
check "episodes end" episodes_over 20
check "outcomes sum to episodes" books_balance

# Nobody to kill: it would have waited, and does not.
cg_make m memory.max=40M memory.swap.max=0
log_mark
stat_mark
hog_start p -m -s 15M -c m
hog_tell p grow 60M 1M
check "nobody else there: it dies at once" hog_gone p 20
check "the log says that it would have waited" log_has \
	'tbtf: episode [0-9]+: memcg /m: dry run: would have waited for [0-9]+ \(p\): nobody to kill'
check "counted" grown dry_run
check "but nothing done" unchanged sacrifices naps jiffies killless died_exhausted outcome_killed
cg_remove m
check "outcomes sum to episodes again" books_balance

# A leaker that the kernel picks by itself is no substitution, dry or not.
stat_mark
cg_make m memory.max=40M memory.swap.max=0
hog_start p -m -s 5M -c m
hog_start leaker -s 15M -c m
hog_tell leaker grow 60M 1M
hog_gone leaker 20
check "the leaker dies, the marked one lives" hog_alive p
check "that is a pass, not a dry run" grown rounds passes
check "and no episode" unchanged dry_run episodes
hog_kill p
cg_remove m

# --- enabled=0 -----------------------------------------------------------------------

knob dry_run 0
knob enabled 0
episodes_over 20
echo > /sys/kernel/tracing/trace
echo "<6>test: off" > /dev/kmsg
stat_mark
scenario -m
is "enabled=0, memcg: the same dies" "$died_memcg" "$plain_memcg"
is "memory.events is the same" "$events_memcg" "$plain_events"
is "group: the same die" "$died_group" "$plain_group"
is "machine: the same dies" "$died_global" "$plain_global"
check "nothing is counted but marks" unchanged rounds passes passes_origin passes_dying episodes \
	sacrifices sacrificed_kb killless naps jiffies failed_charges unkillable dry_run \
	group_spared sampled scanned no_episode_slot died_exhausted futile_respawn \
	futile_regain futile_max_kills
check "marks are" grown marks_set marks_exited
check_not "nothing is logged" eval 'dmesg | sed -n "/test: off\$/,\$p" | grep -q "tbtf: "'
check_not "nothing is traced but marks and deaths" \
	eval 'trace | grep " tbtf_" | grep -qvE "tbtf_(mark|died):"'
is "the stage is idle" "$(knob stage)" idle

# --- on: that all this would have been otherwise ----------------------------------------

knob enabled 1
knob nap_ms 50
knob ladder_deadline_ms 200
stat_mark
scenario -m
check_not "on, memcg: not the protected one" eval 'echo "$died_memcg" | grep -qx p'
check "it says how many were sacrificed" test "${sacrificed_memcg:-0}" -gt 0
is "group: not the protected one" "$died_group" "g1 g2"
check "machine: one of the small ones" eval 'echo "$died_global" | grep -qx "s[123]"'
check "counted" grown rounds episodes sacrifices sacrificed_kb
check "no dry run" unchanged dry_run
episodes_over 20
check "outcomes sum to episodes" books_balance

# Nothing is left of any of it.
echo 0 > /sys/kernel/tracing/events/tbtf/enable
check "it unloads" rmmod tbtf

finish
