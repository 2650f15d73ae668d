#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - on_exhausted=panic with eBPF programs attached: the machine goes down all the same
#
# Copyright (C) 2026 The tbtf authors
#
# The last event of its episode is told before the panic: whoever watches may still
# have it. What is looked at here is that nothing that counts is in the way.
#
# vm: mem=256 timeout=90 append="panic=0" expect=panic
# vm-expect: tbtf: episode 1: exhausted: global: [0-9]+ \(p\) has outlived all: 1 killed for it, .* on_exhausted=panic
# vm-expect: Kernel panic - not syncing: tbtf: episode 1: memory is exhausted, [0-9]+ \(p\) has outlived all others; .*; reboot follows
# vm-expect: Rebooting in 1 seconds
# vm-reject: Killed process [0-9]+ \(p\)
. ./lib.sh

plan 3

knob on_exhausted panic
knob panic_reboot_s 1
knob nap_ms 50
knob ladder_deadline_ms 1000
knob min_victim_kb 2048
knob episode_idle_ms 60000
check "attached" tbtf stats --attach
hog_start small -s 10M
hog_start p -m -s 20M
is "it counts" "$(tbtf stats --prometheus | sed -n 's/^tbtf_marks_set_total //p')" 1
ok "now for the machine"
hog_tell p grow 1G
hog_gone p 60
not_ok "the machine is still there"
finish
