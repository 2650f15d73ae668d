#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - on_exhausted=panic: the machine is back by itself, and pstore has the line
#
# Copyright (C) 2026 The tbtf authors
#
# vm: boots=2 disk=16 mem=256 timeout=90 append="panic=0 memmap=1M$128M" modules=ramoops
# vm-allow: Kernel panic
# vm-expect: Kernel panic - not syncing: tbtf: episode 1: .*; reboot follows
# vm-expect: Rebooting in 1 seconds
. ./lib.sh
. ./lib_crash.sh

case $VM_BOOT in
1)
	plan 3
	check "ramoops" ramoops
	check_not "nothing is kept from before" pstore_has .
	hog_start small -s 10M
	hog_start p -m -s 20M
	ready_to_panic
	ok "now for the machine"
	hog_tell p grow 1G
	hog_gone p 60
	not_ok "the machine is still there"
	;;
2)
	plan 3
	check "ramoops" ramoops
	check "pstore has the whole line" pstore_has 'Kernel panic - not syncing: tbtf: episode 1: memory is exhausted, [0-9]+ \(p\) has outlived all others; it has [0-9]+kB; killed for it: 1, [0-9]+kB \(last: small\); stolen 0kB, printed 0kB; consumed up to [0-9]+kB/s, of it [0-9]+kB/s brought or printed: [0-9]+kB/s more were needed; reboot follows'
	check "and what was before it" pstore_has 'tbtf: episode 1: exhausted: global: [0-9]+ \(p\) has outlived all'
	;;
esac
finish
