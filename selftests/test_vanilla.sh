#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - without a protected process an OOM is what it is without the module
#
# Copyright (C) 2026 The tbtf authors
#
# Each scenario is run by the kernel alone, and again with the module loaded;
# what the kernel logs and counts has to be the same. Left out of the comparison
# are numbers, the module's own functions on the stack of the report, the marked
# process in its list of tasks, and that memory will not last (of which the module
# warns while somebody is marked, whoever eats it).
#
# vm: mem=256 smp=1 module=no timeout=180
. ./lib.sh

# report: the log since log_mark, without what differs between any two runs
report()
{
	log_since | sed -e 's/^\[[^]]*\] //' |
		# The slabs listed, and frames the unwinder is not sure of, vary.
		sed -e '/ ? /d' -e '/\[tbtf\]/d' -e '/^tbtf: memory lasts for /d' -e '/ marked$/d' -e '/^[^ ]* *[0-9]*KB *[0-9]*KB$/d' |
		sed -e 's/+0x[0-9a-f]*\/0x[0-9a-f]*//g' -e 's/[0-9a-f]\{16\}/X/g' \
		    -e 's/0x[0-9a-f]*/X/g' -e 's/R[0-9A-Z]*: [0-9]*://; s/\([RDEC][A-Z0-9]*\): X/\1/g' \
		    -e 's/[0-9][0-9]*/N/g' -e 's/  */ /g' |
		# Free blocks of each order, and which pages they are.
		sed -e 's/^Node N \(DMA[0-9N]*\|Normal\): .*/Node \1 blocks/' \
		    -e 's/(U*M*E*H*I*)//g' -e '/^RIP: \|^RSP: \|^RAX: \|^RDX: \|^RBP: \|^Code: \|^R[0-9N]*: /d'
}

events()
{
	grep . "$CGROUP/$1/memory.events.local" | tr '\n' ' '
}

# The scenarios. Each leaves the log after log_mark, and in $outcome who died
# and what was counted.
global()
{
	hog_start small1 -s 12M
	hog_start leak -s 40M
	hog_start small2 -s 12M -a 20
	log_mark
	hog_dies leak grow 250M 4M
	outcome="$(killed) $(hogs_alive small1 small2)"
	hog_kill small1 small2
}

in_memcg()
{
	cg_make m memory.max=60M
	hog_start small1 -s 12M -c m
	hog_start other -s 30M
	hog_start leak -s 20M -c m
	log_mark
	hog_dies leak grow 60M 1M
	outcome="$(killed) $(hogs_alive small1 other) $(events m)"
	hog_kill small1 other
	cg_remove m
}

in_group()
{
	cg_make g memory.max=60M
	cg_make g/svc memory.oom.group=1
	cg_make g/lone
	hog_start small1 -s 12M -c g/svc
	hog_start leak -s 20M -c g/svc
	hog_start lone -s 12M -c g/lone
	log_mark
	hog_dies leak grow 60M 1M
	hog_gone small1 60
	outcome="$(killed) $(hogs_alive lone) $(events g) $(events g/svc) $(events g/lone)"
	hog_kill lone
	cg_remove g/svc
	cg_remove g/lone
	cg_remove g
}

allocating()
{
	echo 1 > /proc/sys/vm/oom_kill_allocating_task
	hog_start larger -s 60M
	hog_start asker -s 20M
	log_mark
	hog_dies asker grow 250M 4M
	outcome="$(killed) $(hogs_alive larger)"
	echo 0 > /proc/sys/vm/oom_kill_allocating_task
	hog_kill larger
}

# run SCENARIO INTO: the outcome and the report in files
run()
{
	$1
	echo "$outcome" | sed 's/\(low\|high\|max\|oom\) [0-9]*/\1/g' > "/tmp/$2.outcome"
	report > "/tmp/$2.report"
}

# same FILE FILE: whether they are, and something was compared at all
same()
{
	[ -s "$1" ] && diff "$1" "$2" > /tmp/diff && return
	head -20 /tmp/diff | sed 's/^/# /'
	return 1
}

plan 14

# The report has to be a good one, or two empty ones are the same.
run global plain.global
check "the report shows who asked, the memory, the tasks and the victim" \
	sh -c 'for w in "invoked oom-killer" "Call Trace" "Mem-Info" "Tasks state" "oom-kill:constraint=" "Out of memory: Killed process N (leak)"; do grep -q "$w" /tmp/plain.global.report || exit 1; done'
for s in in_memcg in_group allocating; do
	run $s plain.$s
done
# The first report after loading would say "Tainted" where the others do not.
modprobe tbtf
rmmod tbtf
run global plain.global
run global again.global
is "two runs without the module give the same report" \
	"$(diff /tmp/plain.global.report /tmp/again.global.report | head -5)" ""

for s in in_memcg in_group allocating; do
	run $s plain.$s
done
modprobe tbtf
# A mark anywhere, so that the module has a reason to look.
hog_start marked -s 4M -m
stat_mark
for s in global in_memcg in_group allocating; do
	run $s tbtf.$s
	check "$s: the same died, and the events are the same" \
		same /tmp/plain.$s.outcome /tmp/tbtf.$s.outcome
	check "$s: the kernel's report is the same" same /tmp/plain.$s.report /tmp/tbtf.$s.report
done
is "the module has seen each of them, and let it pass" \
	"$(stat_since rounds) $(stat_since passes) $(stat_since episodes)" "4 4 0"
is "nobody but the kernel has killed" "$(stat_since sacrifices) $(stat_since group_spared)" "0 0"
check "the marked one lives" hog_do marked 30 verify
check "the module goes" rmmod tbtf

finish
