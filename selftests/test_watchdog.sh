#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - tbtfd watchdog: a panic that does not end is ended, and nothing else is
#
# Copyright (C) 2026 The tbtf authors
#
# kernel.panic and panic_reboot_s are both 0: after the panic the machine stands still.
#
# vm: boots=2 disk=16 mem=192 timeout=240 append="panic=0 memmap=1M$128M" modules="ramoops watchdog i6300esb"
# vm: qopt="-device i6300esb -action watchdog=reset" files="../userspace/tbtfd"
# vm-allow: Kernel panic
. ./lib.sh
. ./lib_crash.sh

DEV=/dev/watchdog0
LOG=/tmp/watchdog.log

# dog [TIMEOUT]: start it
dog()
{
	printf '[exhausted]\nwatchdog = %s\nwatchdog_timeout_s = %s\n' "$DEV" "${1:-10}" > /tmp/dog.conf
	./tbtfd --config /tmp/dog.conf watchdog 2> $LOG &
	dog=$!
	wait_for "grep -q 'ready: ' $LOG || ! pid_alive $dog" 20
	grep -q 'ready: ' $LOG || { diag "$(cat $LOG)"; return 1; }
}

state()
{
	cat /sys/class/watchdog/watchdog0/state
}

# Debian's cloud kernel has no driver for it in 6.1, where the test brings its own.
modprobe i6300esb || skip_all "no driver for a watchdog that QEMU has (CONFIG_I6300ESB_WDT)"

case $VM_BOOT in
1)
	plan 19
	check "ramoops" ramoops
	DEV=/dev/null
	check_not "what is no watchdog is refused" dog
	check "and it says so" grep -q '/dev/null: is no watchdog' $LOG
	DEV=/dev/watchdog0
	check_not "a timeout that it cannot have is refused" dog 3600
	check "and it says so" grep -q 'cannot have a timeout of 3600 s' $LOG
	is "it does not run" "$(state)" inactive
	check "it is ready" dog 2
	is "it does not run" "$(state)" inactive
	kill -9 "$dog"
	sleep 5
	ok "killed while all is well, and nothing happens"

	check "it is ready again" dog
	knob min_victim_kb 2048
	knob nap_ms 50
	knob episode_idle_ms 500
	# An episode, of a memory cgroup: it is watched, though this one will not end in a panic.
	knob on_exhausted_memcg wait
	cg_make m memory.max=40M memory.swap.max=0
	hog_start q -m -c m -s 20M
	hog_tell q grow 1G
	check "memory runs out" wait_for '[ "$(knob stage)" = exhausted ]' 20
	# It looks four times a second.
	check_not "where on_exhausted is not panic it does not run" wait_for '[ "$(state)" = active ]' 1
	knob on_exhausted panic
	check "with panic it runs" wait_for '[ "$(state)" = active ]' 20
	kill "$dog"
	check "told to stop, it is stopped with it" wait_for '[ "$(state)" = inactive ]' 10
	check "it is ready again" dog
	check "and runs at once" wait_for '[ "$(state)" = active ]' 20
	hog_kill q
	check "all is well: it is stopped" wait_for '[ "$(state)" = inactive ]' 40
	check "which is said" grep -q 'all is well again: the watchdog is stopped' $LOG
	cg_remove m

	knob panic_reboot_s 0
	knob ladder_deadline_ms 1500
	hog_start p -m -s 20M
	sync
	ok "now for the machine"
	hog_tell p grow 1G
	hog_gone p 60
	not_ok "the machine is still there"
	;;
2)
	plan 3
	check "ramoops" ramoops
	check "it was tbtf's panic, after which nothing would have come" pstore_has \
		'Kernel panic - not syncing: tbtf: episode [0-9]+: .*; reboot by hand'
	is "and the watchdog has brought the machine back" "$VM_BOOT" 2
	;;
esac
finish
