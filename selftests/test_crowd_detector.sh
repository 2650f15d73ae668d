#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the detector of soft lockups that test_crowd relies on
#
# Copyright (C) 2026 The tbtf authors
#
# The VM and the threshold are those of test_crowd. A module keeps the CPU for
# longer: were that not in the log, a clean log there would mean nothing.
#
# vm: mem=256 smp=1 timeout=90 append="preempt=none"
# vm-allow: soft lockup
# vm-expect: BUG: soft lockup - CPU#0 stuck for [0-9]+s
. ./lib.sh

plan 3
is "the detector is on" "$(cat /proc/sys/kernel/soft_watchdog)" 1
check "its threshold is taken" sh -c 'echo 5 > /proc/sys/kernel/watchdog_thresh'
check "a CPU is kept for 13 s" modprobe spin seconds=13
rmmod spin
finish
