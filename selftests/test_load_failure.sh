#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a load that fails half-way leaves nothing behind
#
# Copyright (C) 2026 The tbtf authors
#
# Each step of main.c is made to fail once: the hooks one by one, the memory.tbtf
# files, the device, sysfs. slab_nomerge, so that tbtf_mark has a slab of its own
# and the kernel says so if an object of it remains.
#
# vm: mem=256 smp=1 module=no icount="shift=0,sleep=off" timeout=150 append=slab_nomerge
# vm-allow: tbtf: .* not loading
. ./lib.sh

plan 40

cg_make m memory.max=40M memory.swap.max=0
check "there is nothing at first" nothing_left

# The hooks in order: what was hooked before is let go of.
for f in security_task_prctl oom_kill_process oom_kill_memcg_member out_of_memory \
	pagefault_out_of_memory; do
	insmod "$EXTRA/second_user.ko" "func=$f"
	check_not "the hook of $f fails: it does not load" tbtf_loads
	check "and nothing is left" nothing_left
	rmmod second_user
	check "it loads without the obstacle" tbtf_loads
	rmmod tbtf
done

for what in device sysfs; do
	insmod "$EXTRA/rival.ko" "what=$what"
	log_mark
	check_not "$what: the name is taken: it does not load" tbtf_loads
	# Not "File exists": to modprobe that means that all is well.
	is "$what: insmod says so" "$(tbtf_why)" "Device or resource busy"
	check "$what: the log names it" log_has "tbtf: cannot make (/dev/tbtf|/sys/kernel/mm/tbtf): .*not loading"
	check "$what: nothing is left" nothing_left "$what"
	rmmod rival
	check "$what: it loads without the obstacle" tbtf_loads
	check "$what: and works" hog_start works -s 1M -m
	hog_kill works
	rmmod tbtf
done

# The kernel then takes away by name what it has added, and so the other's file:
# the second try, which busybox makes without being asked, may succeed.
insmod "$EXTRA/rival.ko" what=cgroup
log_mark
tbtf_loads && rmmod tbtf
check "cgroup: the name is taken: the log says so" \
	log_has "tbtf: cannot add the memory.tbtf files: -17; not loading"
rmmod rival
check "cgroup: nothing is left" nothing_left
check "cgroup: it loads without the obstacle" tbtf_loads
rmmod tbtf

# The switch of ftrace itself.
if echo 0 > /proc/sys/kernel/ftrace_enabled; then
	log_mark
	check_not "kernel.ftrace_enabled=0: it does not load" tbtf_loads
	check "and says why" log_has "tbtf: .* cannot be hooked: kernel.ftrace_enabled is 0; not loading"
	check "and nothing is left" nothing_left
	echo 1 > /proc/sys/kernel/ftrace_enabled
	check "with 1 it loads" tbtf_loads
	rmmod tbtf
else
	for f in "it does not load" "and says why" "and nothing is left" "with 1 it loads"; do
		skip "kernel.ftrace_enabled=0: $f" "here kernel.ftrace_enabled no longer switches ftrace off"
	done
fi

check "at the end there is nothing" nothing_left
is "nor in /proc/modules" "$(grep -c '^tbtf ' /proc/modules)" 0
is "nor in /proc/slabinfo" "$(grep -c '^tbtf' /proc/slabinfo)" 0
is "nor in vmallocinfo" "$(grep -c '\[tbtf\]' /proc/vmallocinfo)" 0
is "nor in misc" "$(grep -c tbtf /proc/misc)" 0

finish
