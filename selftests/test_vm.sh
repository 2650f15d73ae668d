#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the VM is what the tests take it for
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 module=no
# vm-expect: Killed process [0-9]+ \(big\)
. ./lib.sh

plan 10

check "cgroup v2 has the memory controller" grep -qw memory "$CGROUP/cgroup.subtree_control"
check "tracefs and debugfs are mounted" test -d /sys/kernel/tracing/events/oom -a -d /sys/kernel/debug/tracing
is "the test is out of the OOM killer's reach" "$(cat /proc/self/oom_score_adj)" -1000
check "modules can be loaded" modprobe zram

# One honest OOM of the machine: the largest dies, and nobody else.
log_mark
hog_start small -s 10M
hog_start big -s 40M
is "a hog has what it was given" "$(hog_get big kb)" 40960
check "and it is as written" hog_do big 20 verify
hog_tell big grow 400M 4M
check "growing past the memory of the machine kills it" hog_gone big 60
is "it was the OOM killer" "$(killed)" big
check "the small one lives" hog_do small 20 verify
hog_kill small
check_not "and dies when told" hog_alive small

finish
