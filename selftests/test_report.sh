#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - a real episode, recorded: what report, why and top make of it, and the figures' file
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=512 timeout=240 files="tbtf-metrics"
. ./lib.sh

REC=/tmp/events.jsonl
PAGE=/tmp/page.html

# number ID: what stands in this place of the page
number()
{
	sed -n "s,.*<dd id=\"$1\">\([^<]*\)</dd>.*,\1,p" $PAGE
}

# rows TABLE: of its body
rows()
{
	sed -n "/id=\"$1\"/,/<.table>/p" $PAGE | grep -c '^<tr'
}

# recorded WORD...: lines of the recording that have all the words
recorded()
{
	awk -v words="$*" 'BEGIN { n = split(words, word, " ") }
		{ for (i = 1; i <= n; i++)
			if (!index($0, word[i]))
				next
		  count++ }
		END { print count + 0 }' $REC
}

if ! tbtf stats --attach > /tmp/attach 2>&1; then
	skip_all "the eBPF part cannot be attached: $(cat /tmp/attach)"
fi
plan 30

knob policy largest
knob ladder_deadline_ms 400
knob episode_idle_ms 60000	# the machine that runs the VM may be slow
tbtf record --output $REC &
recorder=$!
check "samples come" wait_for '[ "$(recorded sample)" -ge 2 ] 2>/dev/null' 30
cg_make t memory.max=64M
hog_start a -c t -s 8M
hog_start b -c t -s 12M
hog_start big -c t -s 20M -m
big=$(hog_pid big) a=$(hog_pid a) b=$(hog_pid b)
check "a sample knows the protected and the crowd" \
	wait_for "grep -qE '\"protected_kb\": ?2.*\"crowd\": ?2[,}]' $REC" 30
sample=$(grep -E '"crowd": ?2[,}]' $REC | tail -1)
in_range "the protected: 20 MiB" "$(echo "$sample" | sed 's/.*"protected_kb": *\([0-9]*\).*/\1/')" 20480 22000
in_range "the crowd: 8 and 12" "$(echo "$sample" | sed 's/.*"crowd_kb": *\([0-9]*\).*/\1/')" 20000 22000
stat_mark
hog_tell big grow 200M 512K 1
check "P outlives the two, and dies" hog_gone big 90
check "the end is recorded" wait_for '[ "$(recorded episode_end)" = 1 ]' 60
kill $recorder
wait $recorder
is "the recorder ends well" $? 0

# --- the page
check "a page" tbtf report --output $PAGE $REC
is "one episode" "$(number episodes) $(rows episode-table)" "1 1"
is "two kills" "$(number kills) $(rows kill-table)" "2 2"
is "the counter says so, too" "$(stat_since sacrifices)" 2
is "one of the protected died" "$(number died)" 1
is "it waited once" "$(number waits)" 1
kb=$(sed -n 's/.*<tr data-episode="1">.*data-kb="\([0-9]*\)">[^<]*<.td><td class="n">[0-9]*<.td><td class="n">[0-9]*<.td><td class="path">.*/\1/p' $PAGE)
is "what was freed is what the counter has" "$kb" "$(stat_since sacrificed_kb)"
check "b went first, for big" sh -c "sed -n '/id=\"kill-table\"/,/<.table>/p' $PAGE | grep '^<tr' | head -1 |
	grep -q '<bdi>b</bdi> <small>$b</small>.*<bdi>big</bdi> <small>$big</small>.*>/t<'"
check "the protected have their place in the picture" grep -q '<path id="protected"' $PAGE
check "and the crowd" grep -q '<path id="crowd"' $PAGE
check "the end of the ladder" grep -q '<g class="hot end"' $PAGE
check "one episode alone" tbtf report --episode 1 --output $PAGE $REC
is "has the same" "$(number kills) $(number died)" "2 1"

# --- why, from the recording
tbtf why --file $REC "$a" > /tmp/why
check "why a" grep -q "^$a (a) of /t died on .* in place of $big (big)" /tmp/why
check "which of how many" grep -q "^  episode      1, an OOM of /t; kill 2 of 2; it ended: killed$" /tmp/why
tbtf why --file $REC "$big" > /tmp/why
check "why P" grep -q "^$big (big) of /t, too big to fail itself, died .* at the end of the ladder" /tmp/why

# --- top, with the events of the eBPF part
COLUMNS=150 LINES=40 tbtf top --once > /tmp/top
check "top says whose events they are" grep -q '^EVENTS of the eBPF part' /tmp/top
check "a kill" grep -q "^[0-9:]* episode 1: kills $b (b) .* for $big (big) /t; " /tmp/top
check "the death of the protected" grep -q "PROTECTED PROCESS DIED: $big (big): exhausted" /tmp/top

# --- the figures' file
check "tbtf-metrics" sh ./tbtf-metrics /tmp
is "it counts" "$(sed -n 's/^tbtf_stats_up //p' /tmp/tbtf.prom)" 1
is "two kills" "$(sed -n 's/^tbtf_kills_total //p' /tmp/tbtf.prom)" 2
is "a death at the end, none before it" \
	"$(sed -n 's/^tbtf_died_\(exhausted\|oom\)_total //p' /tmp/tbtf.prom | sort -n | xargs)" "0 1"

cg_remove t
tbtf stats --detach
finish
