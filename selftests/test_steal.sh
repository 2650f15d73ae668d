#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - rung two in a cgroup: a helper that brings swap, and one that does not
#
# Copyright (C) 2026 The tbtf authors
#
# The memory of other nodes is a RAM disk here, which no limit of a cgroup counts. A P
# of 20 MB in a cgroup of 30 wants 40 more.
#
# vm: mem=384 smp=2 timeout=240 files="helper"
. ./lib.sh
. ./lib_helper.sh

# helper_stop: and give back what it has brought
helper_stop()
{
	kill -9 "$helper" 2>/dev/null
	wait "$helper" 2>/dev/null
	for d in $DEVICES; do
		grep -q "^$d " /proc/swaps && swapoff $d
	done
}

# fresh [HOG-OPTION...]: another P, and counters and log from here
fresh()
{
	! hog_alive p || hog_kill p
	episodes_over 30
	echo 0 > $TRACE/tracing_on
	echo > $TRACE/trace
	echo 1 > $TRACE/tracing_on
	hog_start p -c m -s 20M "$@"
	stat_mark
	log_mark
}

TRACE=/sys/kernel/tracing
DEVICES="/dev/ram0 /dev/ram1 /dev/ram2 /dev/ram3 /dev/ram4 /dev/ram5 /dev/ram6 /dev/ram7"

# p_done: P has what it wanted, and has not lost a byte
p_done()
{
	wait_for '[ "$(hog_get p state)" = idle ] || ! hog_alive p' 60
	hog_alive p && [ "$(hog_get p err)" = 0 ] && hog_do p 60 verify
}

# p_dies: at the deadline; $took ms after the first round with nobody to kill
p_dies()
{
	hog_gone p 30 || return
	took=$(($(log_ms 'exhausted: memcg /m: ') - $(log_ms 'memcg /m: nobody to kill')))
}

# skips HOG-OPTION... REASON WORD: nothing is asked for, for this reason, and P waits
skips()
{
	local reason="$1" log="$2"

	shift 2
	fresh "$@"
	hog_tell p grow 40M
	if [ "$reason" = locked ]; then
		# mlock(2) is a system call, and fails after a second: EAGAIN.
		check "locked: P is refused its memory" wait_for '[ "$(hog_get p err)" = 11 ]' 20
	else
		check "$reason: P waits for the deadline and dies" p_dies
	fi
	is "$reason: it is counted, and nothing was asked for" \
		"$(stat_since "skipped_$reason") $(stat_since requests) $(helper_get requests)" "1 0 0"
	check "$reason: the log says it" log_has "tbtf: episode [0-9]+: steals nothing for [0-9]+ \\(p\\): $log"
	is "$reason: the trace as well, before the first nap" "$(first_answer)" "what=7 reason=$skip_nr"
	is "$reason: and once" "$(log_count 'steals nothing')" 1
}

# The first answer in the trace, if nobody has napped before it.
first_answer()
{
	sed -n '/tbtf_nap: .*jiffy=0/q; s/.*tbtf_answer: .* \(what=[0-9]*\) \(reason=[0-9]*\) .*/\1 \2/p' $TRACE/trace |
		head -1
}

plan 86

modprobe brd rd_nr=8 rd_size=8192 || skip_all "no RAM disk"
for d in $DEVICES; do
	mkswap "$d" > /dev/null
done
knob nap_ms 100
knob episode_idle_ms 300
knob ladder_deadline_ms 1000
cg_make m memory.max=30M
echo 1 > $TRACE/events/tbtf/tbtf_answer/enable
echo 1 > $TRACE/events/tbtf/tbtf_request/enable
echo 1 > $TRACE/events/tbtf/tbtf_nap/enable
echo 1 > $TRACE/events/tbtf/tbtf_rung_end/enable

# --- nobody has registered
skip_nr=3
fresh -m
hog_tell p grow 40M
is "there is no helper" "$(cat $TBTF/helper) $(cat $TBTF/helper_rungs)" "0 -steal -print"
check "nobody to ask: P dies" p_dies
is "counted, and nothing else" "$(stat_since skipped_no_helper) $(stat_since requests)" "1 0"
check "the log says it" log_has 'tbtf: episode [0-9]+: steals nothing for [0-9]+ \(p\): there is no helper'
is "and the trace" "$(first_answer)" "what=7 reason=3"
is "the episode ended as killed" "$(stat_since outcome_killed)" 1

# --- it brings devices, one after the other; P is woken, and sleeps for long otherwise
knob nap_ms 10000
knob ladder_deadline_ms 30000
knob episode_idle_ms 60000
# shellcheck disable=SC2086 # several words
check "a helper registers" helper_start -d 20 $DEVICES
is "it is shown" "$(cat $TBTF/helper) $(cat $TBTF/helper_rungs)" "$helper steal -print"
check "the log names it" log_has "tbtf: $helper \\(helper\\) is the helper"
fresh -m
hog_tell p grow 16M
check "it goes on" wait_for "grep -q '^VmSwap:.*[1-9]' /proc/$(hog_pid p)/status" 60
in_range "having been woken" $(($(now_ms) - $(log_ms 'the helper grants'))) 0 8000
check "P has its memory, and every byte is right" p_done
knob nap_ms 100
knob ladder_deadline_ms 1000
# Slowly: it takes several times the deadline of the ladder.
hog_tell p grow 52M 1M 60
check "eaten as it comes, for longer than the deadline: every byte is right" p_done
is "one device after the other" "$(stat_since requests) $(stat_since requests_granted) $(stat_since granted_kb)" "8 8 65536"
is "asked again each time that one was used up" "$(helper_get again)" 7
in_range "in all that time, longer than the deadline" \
	$(($(log_ms 'grants .* after' last) - $(log_ms 'grants .* after'))) 1500 600000
is "nobody has died" "$(killed)" ""
check "the log tells of it" log_has 'tbtf: episode [0-9]+: asks the helper for 65536kB for [0-9]+ \(p\)'
check "with the time it took" log_has 'tbtf: episode [0-9]+: the helper grants 8192kB after [0-9]+ms'
knob episode_idle_ms 300
check "the episode ends" episodes_over 20
is "as stolen" "$(stat_since outcome_stolen) $(stat_since episodes)" "1 1"
is "the rung that was left, eight times, is steal" \
	"$(sed -n 's/.*tbtf_rung_end: .*\(outcome=.\) .*\(rung=.\).*/\1 \2/p' $TRACE/trace | sort | uniq -c | xargs)" "8 outcome=7 rung=1"
check "outcomes sum to episodes" books_balance

# There is none left: it refuses, and the end follows.
log_mark
hog_tell p grow 40M
check "no device left: it is refused, and P dies" p_dies
check "the log says that" log_has 'tbtf: episode [0-9]+: the helper refuses after [0-9]+ms'
helper_stop

# --- it refuses
helper_start -o refuse
fresh -m
hog_tell p grow 40M
check "refused: the rung is left at once" wait_for '[ "$(knob stage)" = exhausted ]' 5
check "P dies at the deadline" p_dies
in_range "of the ladder" "$took" 500 5000
is "it was asked once" "$(stat_since requests) $(stat_since requests_refused) $(helper_get requests)" "1 1 1"
check "outcomes sum to episodes" books_balance
helper_stop

# --- it never answers
for order in silent deaf pending; do
	helper_start -o $order
	fresh -m
	hog_tell p grow 40M
	check "$order: it is waited for" wait_for '[ "$(knob stage)" = steal ]' 10
	check "$order: P dies" p_dies
	in_range "$order: at the deadline" "$took" 500 5000
	is "$order: asked once, too late" "$(stat_since requests) $(stat_since requests_late)" "1 1"
	check "$order: the log says so" log_has 'tbtf: episode [0-9]+: the helper has not answered in time'
	is "$order: the episode ended as killed" "$(stat_since outcome_killed)" 1
	helper_stop
done

# --- it lies
helper_start -o lie
fresh -m
hog_tell p grow 40M
check "a lie: P dies" p_dies
in_range "at the deadline" "$took" 500 5000
in_range "it was asked again and again, five times a second at the most" "$(stat_since requests)" 2 7
is "it is not stolen" "$(stat_since outcome_killed) $(stat_since outcome_stolen)" "1 0"
# An error of the helper is one of the others, too: memory that comes all the same.
fresh -m
hog_tell p grow 40M
wait_for '[ "$(stat_since requests)" -ge 2 ]' 10
cg_set m memory.max 80M
check "a lie, and memory from elsewhere: P goes on" p_done
cg_set m memory.max 30M
hog_kill p
check "outcomes sum to episodes" books_balance
helper_stop

# --- of no use
helper_start /dev/ram0
skip_nr=5
skips local "it is marked local" -l
skip_nr=8
knob ladder_deadline_ms 3000
skips locked "its memory is locked, or huge pages" -m -L
knob ladder_deadline_ms 1000
skip_nr=7
cg_set m memory.swap.max 0
skips swap_max "its memory.swap.max is 0" -m
cg_set m memory.swap.max max

skip_nr=6
hog_start other -s 4M -l
skips other_local "another is marked local, and may swap" -m
is "nothing was attached all the while" "$(wc -l < /proc/swaps)" 1
cg_make kept memory.swap.max=0
echo "$(hog_pid other)" > $CGROUP/kept/cgroup.procs
fresh -m
hog_tell p grow 14M
check "kept from swap, another local one is no reason: P has its memory" p_done
is "the helper was asked for it" "$(helper_get requests) $(stat_since outcome_sacrificed)" "1 0"
is "nothing of the local one went out" "$(sed -n 's/^VmSwap:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(hog_pid other)/status")" 0
check "the episode ends" episodes_over 20
is "as stolen" "$(stat_since outcome_stolen)" 1
hog_kill other p
helper_stop

# --- it is never the victim, not even as the only one
cg_set m memory.swap.max 0
helper_start -o refuse -c m -s 4096
knob min_victim_kb 1024
echo 0 > "$CGROUP/m/memory.swap.max"
fresh -m
hog_tell p grow 40M
check "the helper in the same cgroup, and nobody else: P dies" p_dies
check "the helper lives" pid_alive "$helper"
is "nobody was sacrificed" "$(stat_since sacrifices)" 0
is "the helper has not napped" "$(grep -c "tbtf_nap: .* pid=$helper .*jiffy=0" $TRACE/trace)" 0
helper_stop
check "outcomes sum to episodes" books_balance
is "requests have come to an end each" "$(stat_get requests)" \
	"$(($(stat_get requests_granted) + $(stat_get requests_refused) + $(stat_get requests_late) + \
	$(stat_get requests_orphaned) + $(stat_get requests_withdrawn)))"

finish
