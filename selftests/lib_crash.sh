# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - what tests of a machine that goes down have in common
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh by a test with boots= (vm/README), which says
#	# vm: modules=ramoops append="panic=0 memmap=1M$128M"
# so that the kernel leaves that piece of memory alone.

# ramoops: keep the end of the kernel log over a reset, and see what was kept
ramoops()
{
	# A reset does not go over memory; the ends of it are used by who boots the VM.
	modprobe ramoops mem_address=0x8000000 mem_size=0x100000 record_size=0x8000 ecc=1 || return
	mkdir -p /sys/fs/pstore
	mount -t pstore pstore /sys/fs/pstore
}

# pstore_has REGEX: in a line of what was kept
pstore_has()
{
	cat /sys/fs/pstore/dmesg-* 2> /dev/null | grep -qE -- "$1"
}

# ready_to_panic: the ladder comes to its end soon, and what was written is safe
ready_to_panic()
{
	knob on_exhausted panic
	knob panic_reboot_s 1
	knob nap_ms 50
	knob ladder_deadline_ms 500
	knob min_victim_kb 2048
	sync
}
