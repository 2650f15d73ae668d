#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - while a marked process waits at the end of the ladder, sysrq and shutdown work
#
# Copyright (C) 2026 The tbtf authors
#
# In both scopes, whatever is to be done at the deadline, which is far off here.
#
# vm: boots=3 disk=16 mem=160 timeout=300 files="atend" append="sysrq_always_enabled"
# vm-reject: exhausted: (global|memcg)
. ./lib.sh

# A nap is longer than anything here may take: nobody waits for the end of one.
knob nap_ms 10000
knob ladder_deadline_ms 600000
knob min_victim_kb 2048
knob episode_idle_ms 300

# waits SCOPE HOW ACTION...: a marked process waits there, then that is done; what it took
# is in $TOOK
waits()
{
	local scope="$1"

	knob "on_exhausted${scope#machine}" "$2"
	shift 2
	case $scope in
	machine)
		hog_start p -m -s 20M ;;
	_memcg)
		cg_make m memory.max=40M memory.swap.max=0
		hog_start p -m -c m -s 20M ;;
	esac
	atend "$(hog_pid p)" 500 "$@" > /tmp/atend &
	atend=$!
	wait_for 'grep -q ready /tmp/atend' 20 || return 1
	hog_tell p grow 1G
	wait $atend
}

took()
{
	sed -n "s/.*$1 \([0-9]*\) .*/\1/p" /tmp/atend
}

case $VM_BOOT in
1)
	plan 17
	for how in machine:kill machine:panic _memcg:kill _memcg:wait; do
		log_mark
		check "$how: sysrq-f and SIGTERM while it waits" waits "${how%:*}" "${how#*:}" f term
		in_range "$how: sysrq-f is answered" "$(took f)" 0 3000
		in_range "$how: who waits dies of a signal" "$(took term)" 0 5000
		# It lasts for a nap longer.
		knob nap_ms 200
		check "$how: the episode ends" episodes_over 20
		knob nap_ms 10000
		[ "${how%:*}" = machine ] || cg_remove m
	done
	sync
	ok "and sysrq-b while it waits for a panic"
	waits machine panic b
	sleep 20
	not_ok "the machine is still there"
	;;
2)
	plan 2
	ok "it has booted"
	sync
	ok "reboot(2) while it waits for a panic"
	waits machine panic reboot
	sleep 20
	not_ok "the machine is still there"
	;;
3)
	plan 2
	ok "it has booted"
	# What is left to process 1 is to kill it, to unload, and to switch off.
	cg_make m memory.max=40M memory.swap.max=0
	knob on_exhausted_memcg wait
	hog_start p -m -c m -s 20M
	hog_tell p grow 1G
	check "it waits, and the machine is switched off" wait_for '[ "$(knob stage)" = exhausted ]' 20
	;;
esac
finish
