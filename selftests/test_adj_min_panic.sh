#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a marked process at oom_score_adj -1000 past the deadline: a panic, announced
#
# Copyright (C) 2026 The tbtf authors
#
# Whom nothing may kill, nothing can kill; the log says first how it came to that.
#
# vm: mem=256 smp=1 timeout=60 expect=panic params="ladder_deadline_ms=2000"
# vm-expect: tbtf: episode [0-9]+: global: nobody to kill for [0-9]+ \(big\) after 0 kills
# vm-expect: tbtf: episode [0-9]+: exhausted: global: [0-9]+ \(big\) has outlived all: .* then [2-9][0-9]{3}ms without anybody to kill; it has oom_score_adj -1000
# vm-expect: Kernel panic - not syncing: tbtf: episode [0-9]+: memory is exhausted, [0-9]+ \(big\) has outlived all others
# vm-reject: Killed process|deadlocked on memory
. ./lib.sh

plan 2

is "on_exhausted is kill" "$(knob on_exhausted)" kill
hog_start big -s 40M -m -a -1000
check "a marked process that cannot be killed, and nobody else" hog_alive big
hog_dies big grow 250M 1M
not_ok "the machine is still there"
finish
