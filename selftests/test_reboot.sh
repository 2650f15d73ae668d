#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - two panics: the machine is back by itself, the story is told, the guard is up
#
# Copyright (C) 2026 The tbtf authors
#
# vm: boots=3 disk=16 mem=192 timeout=240 append="panic=0 memmap=1M$128M" modules=ramoops
# vm-allow: Kernel panic
# vm-expect: Kernel panic - not syncing: tbtf: episode 1: .*; reboot follows
# vm-expect: Rebooting in 1 seconds
# vm-expect: tbtf: guard: the machine was taken down twice within an hour
. ./lib.sh
. ./lib_crash.sh

goes_down()
{
	hog_start small -s 10M
	hog_start p -m -s 20M
	ready_to_panic
	ok "now for the machine"
	hog_tell p grow 1G
	hog_gone p 60
	not_ok "the machine is still there"
	finish
}

# says REGEX COMMAND...: exit code 0, and that
says()
{
	local regex="$1"

	shift
	"$@" > /tmp/said 2>&1 && grep -qE -- "$regex" /tmp/said || {
		diag "$(cat /tmp/said)"
		return 1
	}
}

mkdir -p /var/lib
case $VM_BOOT in
1)
	plan 6
	check "ramoops" ramoops
	check_not "nothing is kept from before" pstore_has .
	is "tbtf last: nothing" "$(tbtf last > /tmp/said 2>&1; echo $?)" 3
	check "but it would be kept" grep -q "the backend of pstore is ramoops" /tmp/said
	check "the guard has nothing against panics" tbtf guard --boot
	goes_down
	;;
2)
	plan 14
	check "ramoops" ramoops
	check "pstore has the whole line" pstore_has 'Kernel panic - not syncing: tbtf: episode 1: memory is exhausted, [0-9]+ \(p\) has outlived all others; it has [0-9]+kB; killed for it: 1, [0-9]+kB \(last: small\); stolen 0kB, printed 0kB; consumed up to [0-9]+kB/s, of it [0-9]+kB/s brought or printed: [0-9]+kB/s more were needed; reboot follows'
	check "and what was before it" pstore_has 'tbtf: episode 1: exhausted: global: [0-9]+ \(p\) has outlived all'
	check "tbtf last" sh -c 'tbtf last > /tmp/last'
	check "tells of it" grep -qE '^tbtf took the machine down on 20[0-9-]+ [0-9:]+, [0-9.]+ s after it had booted' /tmp/last
	check "who it was for" grep -qE '^  protected    [0-9]+ \(p\), [0-9.]+M' /tmp/last
	check "who was killed" grep -qE '^ +[0-9]+ \(small\) 1[01]\.[0-9]M' /tmp/last
	check "how long it waited" grep -qE '^  episode      1; for 0\.[5-9] s nobody was left' /tmp/last
	check "what would have been needed" grep -qE '^  needed       [0-9.]+[KM] more a second' /tmp/last
	check "from where it knows" grep -qE '^  source       /sys/fs/pstore/dmesg-ramoops-0' /tmp/last
	check "as JSON" says '"by_tbtf": true' tbtf last --json
	check "the guard counts one" says '^Panics of tbtf.s that count: 1' sh -c 'tbtf guard --boot && tbtf guard'
	is "and allows another" "$(knob guard)" 0
	# As systemd-pstore does: it has another time afterwards.
	mkdir -p /var/lib/systemd/pstore
	cp /sys/fs/pstore/dmesg-ramoops-0 /var/lib/systemd/pstore/ && rm /sys/fs/pstore/dmesg-ramoops-0
	goes_down
	;;
3)
	plan 15
	check "ramoops" ramoops
	log_mark
	check "the guard" tbtf guard --boot
	is "is up" "$(knob guard)" 1
	is "also for a module that is loaded later" "$(grep -v '^#' /run/modprobe.d/tbtf-guard.conf)" \
		"options tbtf guard=1"
	check "the console is told" log_has 'tbtf: guard: the machine was taken down twice within an hour \(20.*, 20.*\)'
	check "and who logs in" grep -q 'tbtf took this machine down twice within an hour' /run/motd.d/50-tbtf-guard
	check "and who is about to" grep -q 'tbtf took this machine down twice within an hour' /run/issue.d/50-tbtf-guard.issue
	check "and who asks" says '^The machine was taken down twice' tbtf guard
	check "and sees the status" says '^guard +no panic' tbtf status
	check "it counts two, and none twice" says '^Panics of tbtf.s that count: 2' tbtf guard
	check "started anew it thinks the same" says '^The machine was taken down twice' sh -c 'tbtf guard --boot && tbtf guard'
	check "cleared" says '^Panics are allowed again' tbtf guard --clear
	is "it is down" "$(knob guard)" 0
	is "and nobody is told any more" "$(find /run -name '*tbtf*')" ""
	check "in the same boot it stays down" says '^Panics are allowed' sh -c 'tbtf guard --boot && tbtf guard'
	;;
esac
finish
