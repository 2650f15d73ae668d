#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - each step of loading refused in turn
#
# Copyright (C) 2026 The tbtf authors
#
# refuse.ko lets a function of the kernel fail where tbtf calls it, one call a
# load, until a load gets by without one: so every error path of tbtf_init() is
# gone through, also those that no shortage of memory reaches, each with a reserve
# of some size already taken. What is refused
# for want of memory is in test_fault_load.c, which needs the debug kernel; what
# somebody else has taken, in test_load_failure.sh.
#
# vm: mem=256 smp=1 module=no icount="shift=0,sleep=off" timeout=400 append=slab_nomerge
# vm-allow: tbtf: .* not loading
. ./lib.sh

REFUSE=/sys/module/refuse/parameters
RESERVE=16384

# refused FUNC[|FUNC] RET WHY FAILURES [QUIET]: each call of tbtf's to that function
# gives RET. So often, or "+" and more often, it does not load then, for the
# reason WHY; and where it does, it says what it has to do without, but for QUIET
# calls by which nothing is lost. Where a kernel calls the function by another
# name, the first that tbtf calls is taken.
refused()
{
	local names="$1" ret="$2" why="$3" wanted="$4" quiet="${5:-0}"
	local func="" calls=0 n failed=0 left="" mute="" other=""

	for func in $(echo "$names" | tr '|' ' '); do
		insmod "$EXTRA/refuse.ko" "func=$func" "ret=$ret" 2>/dev/null || continue
		tbtf_loads reserve_kb=$RESERVE && rmmod tbtf
		calls=$(cat $REFUSE/calls)
		[ "$calls" = 0 ] || break
		rmmod refuse
	done
	if [ "$calls" = 0 ]; then
		not_ok "$names: tbtf calls none of them"
		return
	fi

	# One more than there are calls: with it, none is refused.
	for n in $(seq 1 $((calls + 1))); do
		echo "$n" > $REFUSE/nth
		log_mark
		if tbtf_loads reserve_kb=$RESERVE; then
			if [ "$n" -le "$calls" ] && ! says_so; then
				[ "$quiet" -gt 0 ] || mute="$mute $n"
				quiet=$((quiet - 1))
			fi
			rmmod tbtf || left="$left $n"
		else
			failed=$((failed + 1))
			[ "$(tbtf_why)" = "$why" ] || other="$other $n:$(tbtf_why)"
			[ "$why" = "$NOMEM" ] || log_has 'tbtf: .*; not loading' || mute="$mute $n"
		fi
		# The whole of it once a function, for the time it takes.
		[ ! -e $TBTF ] && [ ! -e /dev/tbtf ] && [ ! -e "$CGROUP/m/memory.tbtf" ] ||
			left="$left $n"
	done
	rmmod refuse
	nothing_left || left="$left (in the end)"
	diag "$func: tbtf calls it $calls times; $failed times it does not load without"
	case $wanted in
	+*) in_range "$func: as often as it must it does not load" $failed "${wanted#+}" $calls ;;
	*) is "$func: as often as it must it does not load" $failed "$wanted" ;;
	esac
	is "$func: for that reason" "$other" ""
	is "$func: and says what for, or what it does without" "$mute" ""
	is "$func: nothing is left of any of them" "$left" ""
}

# What is missing of a module that has loaded without something.
says_so()
{
	log_has 'tbtf: .*(done without|see features|no memory.tbtf files)'
}

plan 60

cg_make m memory.max=40M memory.swap.max=0
check "there is nothing at first" nothing_left
# What one load takes and does not give back is to be seen, whatever else moves.
check "it loads with a reserve" tbtf_loads reserve_kb=$RESERVE
is "and holds it" "$(cat $TBTF/reserve_held_kb)" $RESERVE
rmmod tbtf
free=$(free_kb)

# Tables: of episodes, of the reserve, of marks, the pool of records of cgroups, the directory.
# (One record more is asked for than the pool has room for.)
NOMEM="Cannot allocate memory"
refused "kvmalloc_node|__kvmalloc_node_noprof" 0 "$NOMEM" 2
refused "alloc_workqueue|alloc_workqueue_noprof" 0 "$NOMEM" 1
refused "__kmalloc|__kmalloc_noprof" 0 "$NOMEM" 1
refused "kmem_cache_create|__kmem_cache_create_args" 0 "$NOMEM" 1
refused "kmalloc_trace|kmem_cache_alloc_trace|__kmalloc_cache_noprof" 0 "$NOMEM" +2 1

# What is not there: ENOENT, as busybox calls it. (Of data, kallsyms_lookup_name
# is asked.)
NONE="unknown symbol in module, or unknown parameter"
refused register_kprobe -2 "$NONE" +5
refused kallsyms_lookup_name 0 "$NONE" 1
refused for_each_kernel_tracepoint 0 "$NONE" 1

refused tracepoint_probe_register -2 "$NONE" 2

# What is there, and does not work: no reason to do without. (EEXIST, of which
# insmod is told EBUSY.)
refused tracepoint_probe_register -17 "Device or resource busy" 4
refused cgroup_add_dfl_cftypes -28 "No space left on device" 1
refused misc_register -16 "Device or resource busy" 1
refused sysfs_create_groups -22 "Invalid argument" 1

# A hook that is not entered: somebody else's kprobe takes the calls away.
insmod "$EXTRA/rival.ko" what=prctl
log_mark
check_not "a hook that is not entered: it does not load" tbtf_loads
check "and says so" log_has "tbtf: security_task_prctl is hooked, but the hook is not entered .*not loading"
check "and nothing is left" nothing_left
rmmod rival
# Pages that are nobody's, no checker finds.
now=$(free_kb)
diag "free: $free kB before, $now kB now"
check "the reserve has come back from each of them" [ $((now + RESERVE / 2)) -gt "$free" ]
check "without the obstacle it loads" tbtf_loads

finish
