#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - others at the same functions: redirections, live patches, probes
#
# Copyright (C) 2026 The tbtf authors
#
# Under icount one CPU after the other runs, and waiting takes no time: code is
# patched a lot here.
#
# vm: mem=256 smp=1 module=no icount="shift=0,sleep=off" timeout=150 append=slab_nomerge
# vm-allow: tbtf: .* not loading
. ./lib.sh

plan 35

MODULES=/lib/modules/$(uname -r)/extra
FUNCTIONS="security_task_prctl oom_kill_process oom_kill_memcg_member out_of_memory"

# nothing_left: of tbtf in the kernel
nothing_left()
{
	local f

	for f in $TBTF /dev/tbtf /sys/module/tbtf /sys/class/misc/tbtf /sys/kernel/slab/tbtf_mark \
		/sys/kernel/tracing/events/tbtf "$CGROUP"/m/memory.tbtf*; do
		[ ! -e "$f" ] || { diag "$f is there"; return 1; }
	done
	if grep -E 'tbtf|replace_' /sys/kernel/tracing/enabled_functions; then
		return 1
	fi
	# 22 is EINVAL: the option is unknown.
	hog_start asks -s 1M -m && return 1
	[ "$(hog_get asks err)" = 22 ]
}

# one_oom: in a memory cgroup, with a protected process that has to live
one_oom()
{
	log_mark
	episodes_over 20
	hog_start small -s 10M -c m
	hog_start p -m -s 15M -c m
	hog_do p 60 grow 15M 1M || { diag "p: $(cat $HOG_DIR/p/stat)"; return 1; }
	[ "$(killed)" = small ] || { diag "killed: $(killed)"; return 1; }
	hog_do p 30 verify || return
	hog_kill p
}

cg_make m memory.max=40M memory.swap.max=0
# tracefs lists them before and after: nobody else is on them in this VM.
check "nothing of tbtf is there to begin with" nothing_left

# --- somebody else was first ---------------------------------------------------------

for f in $FUNCTIONS; do
	check "$f: taken by another" insmod "$MODULES/second_user.ko" "func=$f"
	log_mark
	check_not "$f: tbtf does not load" eval 'insmod "$MODULES/tbtf.ko" 2>/dev/null'
	check "$f: it names it, and says why" log_has \
		"tbtf: $f is redirected by somebody else already \(a live patch, another module\?\); not loading"
	check "$f: it leaves nothing behind" nothing_left
	rmmod second_user
done

check "a live patch" insmod "$MODULES/live_patch.ko"
wait_for '[ "$(cat /sys/kernel/livepatch/live_patch/transition)" = 0 ]' 30
log_mark
check_not "live patch: tbtf does not load" eval 'insmod "$MODULES/tbtf.ko" 2>/dev/null'
check "live patch: it says why" log_has "tbtf: security_task_prctl is redirected by somebody else already"
check "live patch: it leaves nothing behind" nothing_left
echo 0 > /sys/kernel/livepatch/live_patch/enabled
wait_for '[ ! -e /sys/kernel/livepatch/live_patch ]' 30
rmmod live_patch

# --- tbtf was first --------------------------------------------------------------------

check "when they are gone it loads" insmod "$MODULES/tbtf.ko"
refused=0
for f in $FUNCTIONS; do
	insmod "$MODULES/second_user.ko" "func=$f" 2>/tmp/why && break
	grep -q "busy" /tmp/why || { diag "$(cat /tmp/why)"; break; }
	refused=$((refused + 1))
done
is "and another gets none of its functions" "$refused" 4
check_not "nor a live patch" eval 'insmod "$MODULES/live_patch.ko" 2>/dev/null'
knob min_victim_kb 2000
knob episode_idle_ms 100
check "an OOM goes as it should" one_oom

# --- those who only look on ---------------------------------------------------------------

cd /sys/kernel/tracing || exit
for f in $FUNCTIONS __oom_kill_process oom_evaluate_task; do
	echo "p:look/p_$f $f" >> kprobe_events
	echo "r:look/r_$f $f" >> kprobe_events
done
echo 1 > events/look/enable
check "kprobes and kretprobes on all of them: an OOM goes as it should" eval '(cd /tests && one_oom)'
echo 0 > events/look/enable
seen=0
for f in $FUNCTIONS; do
	# No memory.oom.group was at work.
	[ "$f" != oom_kill_memcg_member ] || continue
	grep -q " p_$f: " trace && grep -q " r_$f: " trace && seen=$((seen + 1))
done
is "and they see the calls, and the returns" "$seen" 3
echo > kprobe_events
echo > trace

# shellcheck disable=SC2086
echo $FUNCTIONS | tr ' ' '\n' > set_ftrace_filter
echo function_graph > current_tracer
check "function_graph: an OOM goes as it should" eval '(cd /tests && one_oom)'
check "and it shows them" grep -q 'out_of_memory' trace
check "unloading under it" rmmod tbtf
check "and loading" insmod "$MODULES/tbtf.ko" min_victim_kb=2000 episode_idle_ms=100
check "an OOM after that" eval '(cd /tests && one_oom)'
echo nop > current_tracer
echo > set_ftrace_filter
cd /tests || exit
check "ftrace cannot be switched off below it" eval '! echo 0 2>/dev/null > /proc/sys/kernel/ftrace_enabled'
check "it unloads" rmmod tbtf
check "and leaves nothing behind" nothing_left

finish
