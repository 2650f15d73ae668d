#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - the tracepoints tell what happened, each with the id of its episode
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=120
. ./lib.sh

TRACING=/sys/kernel/tracing
TRACE=/tmp/trace

# take: what was traced since the last time, one event a line: "NAME FIELD=VALUE ..."
take()
{
	echo 0 > "$TRACING/tracing_on"
	sed -n 's/^.*: \(tbtf_[a-z_]*\): \(.*\)$/\1 \2/p' "$TRACING/trace" > "$TRACE"
	echo > "$TRACING/trace"
	echo 1 > "$TRACING/tracing_on"
}

# events NAME [WORD...]: those lines that have all the words
events()
{
	awk -v words="$*" 'BEGIN { n = split(words, word) }
		$1 == word[1] {
			for (i = 2; i <= n; i++)
				if (index($0 " ", " " word[i] " ") == 0)
					next
			print
		}' "$TRACE"
}

# count NAME [WORD...]: how many
count()
{
	events "$@" | wc -l
}

# field NAME FIELD: of the first such event
field()
{
	events "$1" | sed -n "1s/.* $2=\\([^ ]*\\).*/\\1/p"
}

# in_order NAME...: the first of each comes after the first of the one before
in_order()
{
	local at last=0 name

	for name; do
		at=$(grep -nE "^$name " "$TRACE" | head -1 | cut -d: -f1)
		[ -n "$at" ] && [ "$at" -gt "$last" ] || return
		last=$at
	done
}

plan 66

all="tbtf_died tbtf_episode_begin tbtf_episode_end tbtf_exhausted tbtf_killless tbtf_mark"
all="$all tbtf_nap tbtf_pass tbtf_relief tbtf_round tbtf_round_end tbtf_rung_end tbtf_sacrifice"
for e in $all; do
	check "there is $e" test -d "$TRACING/events/tbtf/$e"
done
# Whoever reads without type information finds the id first.
for e in $all; do
	[ "$e" != tbtf_mark ] || continue
	first=$(sed -n 's/^print fmt: "\([a-z]*\)=.*/\1/p' "$TRACING/events/tbtf/$e/format")
	is "$e has the id first" "$first" episode
done

echo 1 > "$TRACING/events/tbtf/enable"
knob policy largest
knob nap_ms 50
knob ladder_deadline_ms 400
knob episode_idle_ms 60000	# the machine that runs the VM may be slow

# One episode of a cgroup, over all rungs: two die, then nobody is left.
cg_make t memory.max=64M
hog_start a -c t -s 8M
hog_start b -c t -s 12M
hog_start big -c t -s 20M -m
big=$(hog_pid big)
take
is "a mark was set" "$(events tbtf_mark)" "tbtf_mark pid=$big role=1 flags=0x1"

stat_mark
log_mark
hog_tell big grow 200M 512K 1
check "P outlives the two, and dies of exhaustion" hog_gone big 60
check "the episode ends" wait_for '[ "$(stat_get open_episodes)" = 0 ]' 30
take
id=$(field tbtf_episode_begin episode)
key=$(stat -c %i "$CGROUP/t")

in_range "the episode has an id" "$id" 1 1000000
is "one episode begins" "$(count tbtf_episode_begin)" 1
is "of that cgroup" "$(count tbtf_episode_begin scope=2 "key=$key")" 1
is "one ends" "$(count tbtf_episode_end "episode=$id")" 1
is "its outcome is killed" "$(field tbtf_episode_end outcome)" 3
is "its kills" "$(field tbtf_episode_end kills)" 2
check "the rungs in their order" in_order tbtf_episode_begin tbtf_round tbtf_sacrifice \
	tbtf_killless tbtf_exhausted tbtf_episode_end
is "every event has this id" "$(grep -vE '^tbtf_(mark|died|foretold) ' "$TRACE" | grep -vc " episode=$id ")" 0
is "each round has an end, or kills another" "$(($(count tbtf_round_end) + 2))" \
	"$(field tbtf_episode_end rounds)"
is "one of them kills P" "$(count tbtf_round_end what=5)" 1
is "a sacrifice has the time of its round" "$(count tbtf_sacrifice ns=0)" 0
is "the faults that others died for have their memory" "$(count tbtf_relief "caller=$big")" 2
is "the rung past sacrifice is left for exhaustion" "$(count tbtf_rung_end outcome=3)" 1
in_range "after the deadline" "$(($(field tbtf_rung_end ns) / 1000000))" 390 20000
is "P died, and why" "$(events tbtf_died "pid=$big")" "tbtf_died episode=0 pid=$big comm=big what=1"
is "two are sacrificed" "$(count tbtf_sacrifice)" 2
is "the larger first" "$(field tbtf_sacrifice victim)" "$(hog_pid b)"
is "then the other" "$(count tbtf_sacrifice "victim=$(hog_pid a)")" 1
is "for P" "$(count tbtf_sacrifice "protected=$big")" 2
is "in this scope" "$(count tbtf_sacrifice "scope_cgroup=$key")" 2
is "from this cgroup" "$(count tbtf_sacrifice "cgroup=$key")" 2
is "by this policy, from this band" "$(count tbtf_sacrifice band=2 policy=3)" 2
is "in earnest" "$(count tbtf_sacrifice dry_run=0)" 2
in_range "of so much memory" "$(field tbtf_sacrifice worth_kb)" 12000 13500
is "the first had two candidates" "$(field tbtf_sacrifice candidates)" 2
sum=$(events tbtf_sacrifice | sed 's/.* worth_kb=\([0-9]*\).*/\1/' | awk '{ n += $1 } END { print n }')
is "what was freed adds up" "$(field tbtf_episode_end freed_kb)" "$sum"
is "each round is P's" "$(count tbtf_round)" "$(count tbtf_round "protected=$big")"
is "each nap is in the books" "$(count tbtf_nap)" "$(field tbtf_episode_end naps)"
is "each round without anybody" "$(count tbtf_killless)" "$(stat_since killless)"
in_range "the deadline was kept" "$(field tbtf_exhausted waited_ms)" 400 20000
is "the mark has gone with P" "$(events tbtf_mark "pid=$big")" "tbtf_mark pid=$big role=0 flags=0x0"
is "the log speaks of the same episode" "$(log_count "tbtf: episode $id: .*spared $big \(big\)")" 2
is "and of its end" "$(log_count "tbtf: episode $id: exhausted: ")" 1

# A dry run: the same events, and they say what they are.
knob dry_run 1
hog_start c -c t -s 8M
hog_start big2 -c t -s 20M -m
take
hog_tell big2 grow 200M 512K 1
check "in a dry run P dies" hog_gone big2 60
take
in_range "what would have been is traced" "$(count tbtf_sacrifice dry_run=1)" 1 100
is "and each such round has an end" "$(count tbtf_round_end what=2)" \
	"$(count tbtf_sacrifice dry_run=1)"
is "and nothing else" "$(count tbtf_sacrifice dry_run=0)" 0
check "in another episode" test "$(field tbtf_sacrifice episode)" -gt "$id"
knob dry_run 0

finish
