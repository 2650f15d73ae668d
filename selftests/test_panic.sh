#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - nobody is left to be killed: on_exhausted=panic takes the machine down
#
# Copyright (C) 2026 The tbtf authors
#
# With kernel.panic = 0 the kernel alone would hang for good: the time would be
# up. That this ends is panic_reboot_s.
#
# vm: mem=256 timeout=90 append="panic=0" expect=panic
# vm-expect: tbtf: episode 2: global: nobody to kill for [0-9]+ \(p\) after 1 kills: waits for ladder_deadline_ms at most
# vm-expect: tbtf: episode 2: exhausted: global: [0-9]+ \(p\) has outlived all: 1 killed for it, [0-9]+kB, then 1[0-9]{3}ms without anybody to kill; on_exhausted=panic
# vm-expect: Kernel panic - not syncing: tbtf: episode 2: memory is exhausted, [0-9]+ \(p\) has outlived all others; it has [0-9]+kB; killed for it: 1, [0-9]+kB \(last: small\); stolen 0kB, printed 4096kB; consumed up to [1-9][0-9]*kB/s, of it [0-9]+kB/s brought or printed: [0-9]+kB/s more were needed; reboot follows
# vm-expect: tbtf: on_exhausted=panic, and kernel.panic is 0: the machine reboots after a panic of tbtf's \(panic_reboot_s=10\), and stays down after any other
# vm-expect: tbtf: on_exhausted=panic, but kernel.panic and panic_reboot_s are 0: the machine will stay down
# vm-expect: Rebooting in 1 seconds
# vm-reject: Killed process [0-9]+ \(p\)
. ./lib.sh

plan 4

is "kernel.panic is 0" "$(cat /proc/sys/kernel/panic)" 0
knob on_exhausted panic
knob panic_reboot_s 0
knob on_exhausted panic
knob panic_reboot_s 1
knob reserve_kb 4096
knob print_rate_kb 0
knob nap_ms 50
knob ladder_deadline_ms 1000
knob min_victim_kb 2048

# Never for a memory cgroup: only the kernel's own choice there.
cg_make m memory.max=30M memory.swap.max=0
hog_start q -m -c m -s 10M
hog_tell q grow 100M
check "a memory cgroup takes no machine down: the one in it dies" hog_gone q 30
knob episode_idle_ms 100
check "that episode ends" episodes_over 20
knob episode_idle_ms 5000
cg_remove m

hog_start small -s 10M
hog_start p -m -s 20M
ok "now for the machine"
hog_tell p grow 1G
hog_gone p 60
not_ok "the machine is still there"
finish
