#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - tbtf stats: every figure of a scripted episode, to the last byte
#
# Copyright (C) 2026 The tbtf authors
#
# Seven processes of known sizes, in two cgroups, die for one. What the kernel's
# own log says of each kill is what the figures have to be. Then one of each other
# end: of exhaustion, unmarked, of SIGBUS, while switched off. All of it twice:
# by tp_btf and by raw tracepoints. test_bpf_figures_smp does it on four CPUs.
#
# vm: mem=256 smp=1 timeout=240 files="flood"
. ./lib.sh

METRICS=/tmp/metrics
EVENTS=/tmp/events

# take: the figures as they are
take()
{
	tbtf stats --prometheus > "$METRICS"
}

# fig NAME: one of the machine. of_cgroup NAME PATH, of_process NAME PID
fig()
{
	sed -n "s/^tbtf_$1 //p" "$METRICS"
}

of_cgroup()
{
	sed -n "s,^tbtf_cgroup_$1_total{.*path=\"$2\"} ,,p" "$METRICS"
}

of_process()
{
	sed -n "s,^tbtf_process_$1_total{pid=\"$2\".*} ,,p" "$METRICS"
}

# bucket NAME LE: how many are in that bucket and those before
bucket()
{
	sed -n "s/^tbtf_$1_bucket{le=\"$2\"} //p" "$METRICS"
}

# seen EVENT [TEXT]: how many lines of the recording
seen()
{
	grep "\"event\": \"$1\"" "$EVENTS" | grep -c -- "${2:-.}"
}

# Of what the kernel logged of its kills: the sum of some "word:NUMBERkB".
kernel_sum()
{
	log_since | grep 'Killed process' | grep -v '(big)' | grep -oE "($1):[0-9]+kB" |
		awk -F'[:k]' '{ n += $2 } END { print n + 0 }'
}

# as_logged NAME GOT LOGGED KINDS: to the byte, with two exceptions. On several CPUs
# the victim may be on its way out already when the kernel logs it, and only then are
# the pages in its books that its thread had not reported yet: fewer than 64 of each
# kind. And since v6.2 (which took sync_mm_rss away) each CPU keeps less than a batch
# of them back, which the kernel's log has summed up in late kernels only.
as_logged()
{
	local batch=$(($(nproc) * 2)) slack

	if ! grep -q ' sync_mm_rss$' /proc/kallsyms; then
		[ $batch -gt 32 ] || batch=32
		slack=$((7 * $4 * $(nproc) * batch * 4096))
		in_range "$1" "$2" $(($3 - slack)) $(($3 + slack))
	elif [ "$(nproc)" = 1 ]; then
		is "$1" "$2" "$3"
	else
		in_range "$1" "$2" $(($3 - 7 * $4 * 64 * 4096)) "$3"
	fi
}

equal_to_module()
{
	local pair

	for pair; do
		is "$name: ${pair#*=} as the module counts" "$(fig "${pair%=*}_total")" \
			"$(stat_since "${pair#*=}")"
	done
}

run_episode()
{
	name=$1
	shift
	check "$name: attached" tbtf stats --attach "$@"
	is "$name: as wanted" "$(tbtf stats --json | sed -n 's/^  "mode": "\(.*\)",/\1/p')" "$name"
	rm -f "$EVENTS"
	tbtf watch --json > "$EVENTS" &
	watcher=$!
	# It reads from where it began: what it cannot miss is a first event.
	wait_for 'flood 1; [ -s "$EVENTS" ]' 20
	take
	marks=$(fig marks_set_total)

	stat_mark
	log_mark
	knob episode_idle_ms 60000	# the machine that runs the VM may be slow
	cg_make t memory.max=112M
	cg_make t/a
	cg_make t/b
	cg_make t/p
	hog_start a1 -c t/a -s 5M
	hog_start a2 -c t/a -s 9M
	hog_start a3 -c t/a -s 10M
	hog_start b1 -c t/b -s 6M
	hog_start b2 -c t/b -s 11M
	hog_start b3 -c t/b -s 12M
	hog_start b4 -c t/b -s 13M
	hog_start big -c t/p -s 20M -m
	big=$(hog_pid big)
	check "$name: it grows" hog_do big 60 grow 88M 256K
	check "$name: every byte is right" hog_do big 30 verify
	knob episode_idle_ms 300
	check "$name: the episode ends" episodes_over 20
	check "$name: the victims are gone" wait_for \
		'take; [ "$(fig oom_victims_gone_total)" = 7 ]' 10

	is "$name: seven died" "$(hogs_alive a1 a2 a3 b1 b2 b3 b4)" 0
	# Seven that kill, and those that found a victim on his way out still.
	rounds=$(stat_since rounds)
	is "$name: rounds" "$(fig rounds_total)" "$rounds"
	is "$name: an episode" "$(fig episodes_total)" 1
	is "$name: and its outcome" "$(fig outcome_sacrificed_total)" 1
	is "$name: kills" "$(fig kills_total)" 7
	is "$name: spared" "$(fig spared_total)" 7
	as_logged "$name: freed, of the kernel's log" "$(fig freed_bytes_total)" \
		"$(($(kernel_sum 'anon-rss|pgtables') * 1024))" 1
	is "$name: freed, as the module counts" "$(fig freed_bytes_total)" \
		"$(($(stat_since sacrificed_kb) * 1024))"
	as_logged "$name: sizes, of the kernel's log" "$(fig victim_size_bytes_sum)" \
		"$(($(kernel_sum 'anon-rss|file-rss|shmem-rss|pgtables') * 1024))" 3
	is "$name: two up to 8 MiB" "$(bucket victim_size_bytes 8388608)" 2
	is "$name: none up to 4" "$(bucket victim_size_bytes 4194304)" 0
	is "$name: seven up to 16" "$(bucket victim_size_bytes 16777216)" 7
	is "$name: looked at 7, 6, 5, ... processes" "$(fig candidates_sum)" 28
	is "$name: seven times" "$(fig candidates_count)" 7
	is "$name: one in the first bucket" "$(bucket candidates 1)" 1
	is "$name: and four up to 4" "$(bucket candidates 4)" 4
	is "$name: each was timed" "$(fig round_seconds_count)" "$rounds"
	is "$name: the kernel's victims" "$(fig oom_victims_total)" 7
	is "$name: timed until gone" "$(fig victim_gone_seconds_count)" 7
	is "$name: a mark" "$(($(fig marks_set_total) - marks))" 1
	is "$name: nobody passed" "$(fig passes_total)" 0
	is "$name: nobody napped" "$(fig naps_total)" 0
	is "$name: the scope's cgroup has the episode" "$(of_cgroup episodes /t)" 1
	is "$name: and no kill of its own" "$(of_cgroup kills /t)" 0
	is "$name: three of a" "$(of_cgroup kills /t/a)" 3
	is "$name: four of b" "$(of_cgroup kills /t/b)" 4
	is "$name: freed adds up" \
		"$(($(of_cgroup freed_bytes /t/a) + $(of_cgroup freed_bytes /t/b)))" \
		"$(fig freed_bytes_total)"
	is "$name: spared in p" "$(of_cgroup spared /t/p)" 7
	is "$name: rounds of p" "$(of_cgroup rounds /t/p) $(of_process rounds "$big")" \
		"$rounds $rounds"
	is "$name: the process was spared" "$(of_process spared "$big")" 7
	is "$name: for so many" "$(of_process kills "$big")" 7
	is "$name: of so much" "$(of_process freed_bytes "$big")" "$(fig freed_bytes_total)"

	check "$name: the watcher has it all" wait_for \
		'[ "$(seen episode_end)" = 1 ] && [ "$(seen oom_victim_gone)" = 7 ]' 10
	is "$name: seven events of a sacrifice" "$(seen sacrifice)" 7
	# A fault may need two of them, where another CPU takes its time to die.
	is "$name: the faults that they were for got their memory" \
		"$(sed -n 's/.*"relief".*"kills": \([0-9]*\),.*/\1/p' "$EVENTS" |
		   awk '{ n += $1 } END { print n }')" 7
	is "$name: and were timed" "$(fig relief_seconds_count)" "$(seen relief)"
	is "$name: for this process" "$(seen sacrifice "\"protected\": {\"pid\": $big, \"comm\": \"big\"")" 7
	is "$name: of these processes, in this order" \
		"$(sed -n 's/.*"sacrifice".*"task": {"pid": \([0-9]*\),.*/\1/p' "$EVENTS" | tr '\n' ' ')" \
		"$(log_since | sed -n 's/.*Killed process \([0-9]*\) .*/\1/p' | tr '\n' ' ')"
	is "$name: all of one episode" "$(sed -n 's/.*"sacrifice".*"episode": \([0-9]*\),.*/\1/p' "$EVENTS" |
		sort -u | wc -l)" 1
	is "$name: it ended so" \
		"$(seen episode_end "\"outcome\": \"sacrificed\".*\"rounds\": $rounds, \"kills\": 7")" 1
	is "$name: nothing was lost" "$(seen lost) $(fig events_lost_total)" "0 0"

	# On over the end of the ladder.
	knob episode_idle_ms 60000
	knob ladder_deadline_ms 400
	knob nap_ms 100
	hog_tell big grow 100M 256K
	check "$name: exhausted, it dies" hog_gone big 60
	knob episode_idle_ms 300
	check "$name: the second episode ends" episodes_over 20
	wait_for 'take; [ "$(fig oom_victims_gone_total)" = 8 ]' 10
	is "$name: by on_exhausted" "$(fig died_exhausted_total)" 1
	is "$name: said of the process" "$(of_process died_exhausted "$big")" 1
	is "$name: and of its cgroup" "$(of_cgroup died_exhausted /t/p)" 1
	is "$name: the last rung was left once" "$(fig rung_wait_seconds_count)" 1
	is "$name: after the deadline, in less than a minute" \
		"$(bucket rung_wait_seconds 0.268435456) $(bucket rung_wait_seconds 68.71947674)" "0 1"
	is "$name: naps were timed" "$(fig nap_seconds_count)" "$(fig naps_total)"
	is "$name: its last round" "$(seen exhausted '"outcome": "killed"')" 1
	is "$name: told" "$(seen died "\"death\": \"exhausted\".*\"pid\": $big")" 1

	# Who is not marked dies as ever.
	hog_start plain -c t/a -s 20M
	hog_tell plain grow 200M 256K
	check "$name: an unmarked one dies" hog_gone plain 30
	# Who is, dies of SIGBUS and while tbtf is off, and not by us.
	hog_start lost -c t/b -s 1M -m
	kill -BUS "$(hog_pid lost)"
	hog_gone lost 10
	knob enabled 0
	hog_start off -c t/b -s 20M -m
	hog_tell off grow 200M 256K
	check "$name: switched off, a marked one dies" hog_gone off 30
	knob enabled 1
	check "$name: all is over" wait_for 'take; [ "$(fig oom_victims_gone_total)" = 10 ]' 10
	is "$name: one passed" "$(fig passes_total) $(of_cgroup passes /t/a)" "1 1"
	is "$name: one of SIGBUS" "$(fig died_sigbus_total) $(of_cgroup died_sigbus /t/b)" "1 1"
	is "$name: one while off" "$(fig died_off_total) $(of_cgroup died_off /t/b)" "1 1"
	is "$name: none while others were left" "$(fig died_oom_total)" 0
	is "$name: marks set and cleared" "$(($(fig marks_set_total) - $(fig marks_cleared_total)))" 0
	is "$name: outcomes sum to episodes" \
		"$(sed -n 's/^tbtf_outcome_.*_total //p' "$METRICS" | awk '{ n += $1 } END { print n }')" \
		"$(fig episodes_total)"
	equal_to_module kills=sacrifices passes=passes passes_dying=passes_dying \
		episodes=episodes outcome_killed=outcome_killed killless=killless naps=naps \
		jiffies=jiffies died_exhausted=died_exhausted
	is "$name: nothing was unreadable" "$(fig events_bad_total)" 0

	kill "$watcher"
	wait "$watcher"
	is "$name: the watcher ends well" $? 0
	cg_remove t/a
	cg_remove t/b
	cg_remove t/p
	cg_remove t
	# A removed cgroup keeps its figures, by its number.
	take
	is "$name: what was killed in a removed cgroup is known" \
		"$(sed -n 's/^tbtf_cgroup_kills_total{.*} //p' "$METRICS" | awk '{ n += $1 } END { print n }')" 7
	check "$name: detached" tbtf stats --detach
	knob ladder_deadline_ms 30000
	knob nap_ms "$nap"
}

plan 158

nap=$(knob nap_ms)
knob policy largest
run_episode tp_btf
run_episode raw_tp --raw
finish
