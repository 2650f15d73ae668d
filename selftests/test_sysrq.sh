#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - OOM kills that nobody's memory asked for: sysrq-f, and vm.oom_kill_allocating_task
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 timeout=120
. ./lib.sh

# The work of sysrq-f is done by a kernel thread, at some time after the write.
sysrq_f()
{
	expected=$1
	log_mark
	echo f > /proc/sysrq-trigger
	wait_for 'log_has "$expected"' 20
}

plan 24

echo 1 > /proc/sys/kernel/sysrq

# --- sysrq-f
hog_start big -s 60M -m
hog_start small -s 12M
stat_mark
check "sysrq-f with a marked process as the largest kills a smaller one" \
	sysrq_f 'Killed process [0-9]+ \(small\)'
check "the log says for whom" log_has 'tbtf: episode [0-9]+: global: spared [0-9]+ \(big\) .*; instead [0-9]+ \(small\)'
check "the marked one lives, and has its data" hog_do big 60 verify
is "one substitution" "$(stat_since sacrifices)" 1

# With nobody else a worker of the kernel must not wait: it holds up its queue.
knob nap_ms 10000
began=$(now_ms)
check "without anybody smaller it kills nobody" sysrq_f 'OOM request ignored'
in_range "and is through at once, though nap_ms is 10 s" "$(($(now_ms) - began))" 0 8000
is "nobody has napped" "$(stat_since naps)" 0
is "nobody was killed" "$(killed) $(verified big)" " 1"
check_not "nobody waits, and the log does not say so" log_has 'waits'
check_not "the ladder has not been entered" [ "$(knob stage)" = exhausted ]

# The deadline is for those who wait for memory: nobody does.
knob ladder_deadline_ms 100
log_mark
check "nor is anybody killed when it is asked again, past the deadline" sysrq_f 'OOM request ignored'
is "nobody was killed" "$(killed) $(verified big)" " 1"
hog_start small -s 12M
check "and then there is somebody again: he is" sysrq_f 'Killed process [0-9]+ \(small\)'
check "the marked one lives" hog_do big 60 verify
knob nap_ms 200
knob ladder_deadline_ms 30000

hog_start leak -s 80M
hog_start small -s 12M
check "the largest is not marked: sysrq-f kills that" sysrq_f 'Killed process [0-9]+ \(leak\)'
is "and nobody else" "$(killed) $(verified big small)" "leak 2"
hog_kill big small

# --- vm.oom_kill_allocating_task: the kernel picks whoever asks. This shell must
# not ask meanwhile: at oom_score_adj -1000 it cannot be picked.
echo 1 > /proc/sys/vm/oom_kill_allocating_task
# With the small one there is too little, without it all fits, whatever the kernel itself takes.
hog_start larger -s 84M
hog_start small -s 30M
stat_mark
log_mark
hog -q -n big -m -s 40M -g 40M -p 5 -w &
wait $!
is "oom_kill_allocating_task: the marked one asks, gets it, and has its data" $? 0
is "who died instead is smaller than it" "$(killed)" small
check "the log says so" log_has 'tbtf: episode [0-9]+: global: spared [0-9]+ \(big\) .*; instead [0-9]+ \(small\)'
is "one substitution for it" "$(stat_since sacrifices)" 1
is "the larger one has its memory" "$(verified larger)" 1
hog_kill larger

hog_start big -s 50M -m
hog_start larger -s 50M
hog_start asker -s 20M
stat_mark
log_mark
check "an unmarked one asks: it is the kernel's pick, and dies" hog_dies asker grow 250M 1M
is "and nobody else" "$(killed) $(verified big larger)" "asker 2"
is "no substitution" "$(stat_since sacrifices) $(stat_since passes)" "0 1"
echo 0 > /proc/sys/vm/oom_kill_allocating_task

finish
