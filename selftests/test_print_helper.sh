#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - rung three: the helper is asked to print, after other nodes and before the end
#
# Copyright (C) 2026 The tbtf authors
#
# What is stolen is a RAM disk of 8 MB; what is printed is a higher limit of the cgroup,
# and for the machine a disk of QEMU's.
#
# vm: mem=384 smp=2 timeout=300 files="helper" load="virtio_pci virtio_blk"
# vm: qopt="-drive file.driver=null-co,file.size=134217728,file.read-zeroes=on,format=raw,if=virtio,snapshot=on"
. ./lib.sh
. ./lib_helper.sh

TRACE=/sys/kernel/tracing

helper_stop()
{
	kill -9 "$helper" 2>/dev/null
	wait "$helper" 2>/dev/null
	! grep -q "^/dev/ram0 " /proc/swaps || swapoff /dev/ram0
}

# fresh [HOG-OPTION...]: another P, and counters, trace and log from here
fresh()
{
	! hog_alive p || hog_kill p
	episodes_over 30
	cg_set m memory.max 30M
	echo 0 > $TRACE/tracing_on
	echo > $TRACE/trace
	echo 1 > $TRACE/tracing_on
	hog_start p "$@"
	stat_mark
	log_mark
}

# p_done: P has what it wanted, and has not lost a byte
p_done()
{
	wait_for '[ "$(hog_get p state)" = idle ] || ! hog_alive p' 60
	hog_alive p && [ "$(hog_get p err)" = 0 ] && hog_do p 60 verify
}

# asked: of which rungs, one after the other
asked()
{
	sed -n 's/.*tbtf_request: .*rung=\([0-9]\).*/\1/p' $TRACE/trace | xargs
}

# answered: rung:what of each answer
answered()
{
	sed -n 's/.*tbtf_answer: .*rung=\([0-9]\).*what=\([0-9]\).*/\1:\2/p' $TRACE/trace | xargs
}

# left: rung:outcome of each rung that was left
left()
{
	sed -n 's/.*tbtf_rung_end: .*outcome=\([0-9]\).*rung=\([0-9]\).*/\2:\1/p' $TRACE/trace | xargs
}

# on_rung RUNG OUTCOME: for how many ms, the first time that it was left so
on_rung()
{
	sed -n "s/.*tbtf_rung_end: .*outcome=$2 ns=\\([0-9]*\\) rung=$1.*/\\1/p" $TRACE/trace |
		head -1 | awk '{ print int($1 / 1000000) }'
}

plan 59

modprobe brd rd_nr=1 rd_size=8192 || skip_all "no RAM disk"
[ -b /dev/vda ] || skip_all "no virtio disk"
mkswap /dev/ram0 > /dev/null
mkswap /dev/vda > /dev/null
knob nap_ms 100
knob episode_idle_ms 300
knob ladder_deadline_ms 3000
cg_make m memory.max=30M
for event in answer request rung_end; do
	echo 1 > $TRACE/events/tbtf/tbtf_$event/enable
done

# --- other nodes first, and what they have is used up -------------------------------

knob episode_idle_ms 30000
helper_start -r 3 -o steal -p limit -l m /dev/ram0
is "it offers both" "$(cat $TBTF/helper_rungs)" "steal print"
fresh -m -c m -s 20M
hog_tell p grow 40M
check "P gets more than other nodes have, every byte right" p_done
is "it was stolen first, then printed" "$(asked)" "1 1 2 1 2"
is "what was stolen" "$(stat_since granted_kb)" 8192
is "what was printed" "$(stat_since minted_kb)" 32768
check "nobody has died" [ -z "$(killed)" ]
is "another time, because it was used up" "$(helper_get again)" 3
knob episode_idle_ms 300
check "the episode ends" episodes_over 20
is "as printed" "$(stat_since outcome_printed) $(stat_since episodes)" "1 1"
is "each rung was left when that was refused, or used up, the last in the end" "$(left)" "1:7 1:0 2:8 1:0 2:8"
check "the log tells what was asked for" log_has 'tbtf: episode [0-9]+: asks the helper to print [0-9]+kB for [0-9]+ \(p\)'
is "it was asked for the cgroup" "$(helper_get scope) $(helper_get scope_cgroup) $(helper_get no_swap)" \
	"2 $(stat -c %i $CGROUP/m) 0"
helper_stop

# --- one that hangs over other nodes leaves time to print -----------------------------

helper_start -r 3 -o silent -p limit -l m -k 65536
fresh -m -c m -s 20M
hog_tell p grow 40M
check "nothing comes from other nodes: they are waited for" wait_for '[ "$(knob stage)" = steal ]' 10
check "then it is printed, every byte right" p_done
is "the one was late, the other granted" "$(answered)" "1:4 2:2"
in_range "they have half of the time" "$(on_rung 1 0)" 1480 2500
in_range "and printing the rest" "$(helper_get deadline)" 1 1500
check "the episode ends" episodes_over 20
is "as printed" "$(stat_since outcome_printed) $(stat_since requests_late)" "1 1"
helper_stop

# --- what keeps pages from other nodes does not keep them from being printed ----------

helper_start -r 3 -o steal -p limit -l m -k 65536 -x 100 /dev/ram0
fresh -l -c m -s 20M
hog_tell p grow 40M
check "local: P has its memory" p_done
is "local: nothing was stolen, and swap would do" \
	"$(stat_since skipped_local) $(asked) $(helper_get no_swap) $(wc -l < /proc/swaps)" "1 2 0 1"
fresh -m -L -c m -s 20M
hog_tell p grow 40M
check "locked: P has its memory" p_done
is "locked: nothing was stolen, and swap would not do" \
	"$(stat_since skipped_locked) $(asked) $(helper_get no_swap) $(wc -l < /proc/swaps)" "1 2 1 1"
cg_set m memory.swap.max 0
fresh -m -c m -s 20M
hog_tell p grow 40M
check "swap.max=0: P has its memory" p_done
is "swap.max=0: nothing was stolen, and swap would not do" \
	"$(stat_since skipped_swap_max) $(asked) $(helper_get no_swap) $(wc -l < /proc/swaps)" "1 2 1 1"
cg_set m memory.swap.max max
check "each ends as printed" episodes_over 20
is "the last, too" "$(stat_since outcome_printed)" 1
helper_stop

# --- none that prints, one that refuses, is silent, lies, or dies ---------------------

helper_start -r 1 -o refuse
fresh -m -c m -s 20M
hog_tell p grow 40M
check "one that steals only: P dies" hog_gone p 30
is "it is not asked to print" "$(answered)" "1:3 2:7"
is "that is counted" "$(stat_since print_skipped)" 1
check "and logged" log_has 'tbtf: episode [0-9]+: the helper prints nothing for [0-9]+ \(p\): there is no helper'
helper_stop

helper_start -r 3 -o refuse
fresh -m -c m -s 20M
hog_tell p grow 40M
check "refused: all rungs are left at once" wait_for '[ "$(knob stage)" = exhausted ]' 5
check "P dies" hog_gone p 30
is "it was asked twice" "$(answered)" "1:3 2:3"
in_range "the deadline is that of the ladder" \
	$(($(log_ms 'exhausted: memcg /m: ') - $(log_ms 'memcg /m: nobody to kill'))) 2900 6000
helper_stop

helper_start -r 3 -o refuse -p silent
fresh -m -c m -s 20M
hog_tell p grow 40M
check "silent: it is waited for" wait_for '[ "$(knob stage)" = print ]' 10
check "P dies" hog_gone p 30
is "refused, then late" "$(answered)" "1:3 2:4"
is "the rung was left for the end" "$(left)" "1:0 2:3"
helper_stop

helper_start -r 3 -o refuse -p lie
fresh -m -c m -s 20M
hog_tell p grow 40M
check "a lie: P dies" hog_gone p 30
in_range "at the deadline" \
	$(($(log_ms 'exhausted: memcg /m: ') - $(log_ms 'memcg /m: nobody to kill'))) 2900 6000
in_range "it was asked to print five times a second at the most" "$(helper_get prints)" 2 17
is "and is not believed" "$(stat_since outcome_printed) $(stat_since outcome_killed)" "0 1"
helper_stop

helper_start -r 2 -o silent
fresh -m -c m -s 20M
hog_tell p grow 40M
wait_for '[ "$(knob stage)" = print ]' 10
kill -9 "$helper"
check "it dies over it: the rung is left at once" wait_for '[ "$(knob stage)" = exhausted ]' 5
check "P dies" hog_gone p 30
is "skipped, then orphaned, then nobody is left" "$(answered)" "1:7 2:5 2:7"
check "outcomes sum to episodes" books_balance

# --- the machine: what the module holds is the bridge, and the last of it -----------------

knob reserve_kb 16384
knob min_victim_kb 8192
wait_for '[ "$(cat $TBTF/reserve_held_kb)" = 16384 ]' 20
helper_start -b 8192 -r 2 -o steal -d 1000 /dev/vda
fresh -m -s 20M
free=$(free_kb)
hog_tell p grow $((free + 30 * 1024))
check "for the machine: P gets more than there is" wait_for '[ "$(hog_get p state)" = idle ]' 120
check "every byte is right" hog_do p 120 verify
is "by what was printed" "$(stat_since minted_kb) $(helper_get scope) $(helper_get scope_cgroup)" "131072 0 0"
is "while it was at it, the reserve was the bridge only" "$(stat_since printed_kb)" 0
check "the episode ends" episodes_over 20
is "as printed" "$(stat_since outcome_printed)" 1
hog_kill p
check "swap can be given back" swapoff /dev/vda
helper_stop

knob ladder_deadline_ms 4000
wait_for '[ "$(cat $TBTF/reserve_held_kb)" = 16384 ]' 20
helper_start -r 2 -o silent
fresh -m -s 20M
free=$(free_kb)
hog_tell p grow $((free + 4 * 1024))
check "it never answers: the reserve is printed after all" wait_for '[ "$(stat_since printed_kb)" -gt 0 ]' 60
is "when it was late" "$(stat_since requests_late)" 1
check "and P has its memory" p_done
is "each request has come to an end" "$(stat_get requests)" \
	"$(($(stat_get requests_granted) + $(stat_get requests_refused) + $(stat_get requests_late) + \
	$(stat_get requests_orphaned) + $(stat_get requests_withdrawn)))"
hog_kill p
helper_stop
check "outcomes sum to episodes" books_balance

finish
