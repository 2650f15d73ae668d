#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# tbtf - the module has type information, which eBPF programs can rely on
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256
. ./lib.sh

[ -e /sys/kernel/btf/vmlinux ] || skip_all "this kernel has no type information itself"

plan 2
# The kernel has taken it: against that of another kernel it would have been refused.
check "the kernel knows the module's types" test -s /sys/kernel/btf/tbtf
check_not "and did not complain of them" sh -c "dmesg | grep -i 'BPF:\|btf.*tbtf'"
finish
