#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - vm.panic_on_oom means what it meant: the administrator has said so
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=1 timeout=60 expect=panic
# vm-expect: Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled
# vm-reject: tbtf: episode [0-9]+: global
. ./lib.sh

plan 4

# 1: for an OOM of the whole machine only.
echo 1 > /proc/sys/vm/panic_on_oom
cg_make m memory.max=50M
hog_start big -s 20M -m -c m
hog_start small1 -s 12M -c m
log_mark
check "with panic_on_oom=1 a memory cgroup is no reason" hog_do big 60 grow 18M 1M 5
is "a smaller one has died in it" "$(killed)" small1
check "the marked one has its data" hog_do big 60 verify

hog_start small2 -s 12M
hog_start huge -s 40M -m
hog_tell huge grow 250M 1M
ok "a marked process uses up the memory of the machine"
hog_gone huge 60
not_ok "the machine is still there"
finish
