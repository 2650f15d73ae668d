#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - a kernel that is locked down: no eBPF, which is said, and all else works
#
# Copyright (C) 2026 The tbtf authors
#
# Locked down at boot it would not load a module that nobody has signed, as those of
# the tests are: it is done when tbtf is there.
#
# vm: mem=256 smp=1 timeout=120 files="flood"
. ./lib.sh

LOCKDOWN=/sys/kernel/security/lockdown
PINS=/sys/fs/bpf/tbtf
OUT=/tmp/out

fig()
{
	tbtf stats --prometheus | sed -n "s/^tbtf_$1 //p"
}

mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
[ -e $LOCKDOWN ] || skip_all "this kernel cannot be locked down"

plan 15

check "attached" tbtf stats --attach
flood 5
check "locked down" sh -c "echo confidentiality > $LOCKDOWN && grep -q '\[confidentiality\]' $LOCKDOWN"
flood 5
is "what is attached already goes on" "$(fig marks_set_total)" 10
check "and is detached" tbtf stats --detach
one_line "attach: one line" 1 "the kernel is locked down \(confidentiality\).*all else works" \
	tbtf stats --attach
check_not "nothing is left behind" test -e "$PINS"
one_line "stats: not attached" 1 "not attached" tbtf stats

# --- all else
cg_make t memory.max=60M
hog_start small -c t -s 12M
hog_start big -c t -s 20M -m
check "who is marked is listed" sh -c "tbtf list | grep -qw $(hog_pid big)"
check "who could go is seen" sh -c "tbtf victims $(hog_pid big) | grep -qw small"
stat_mark
log_mark
check "another dies for it" hog_do big 60 grow 34M 1M
is "that one" "$(killed)" small
is "the module counts it" "$(stat_since sacrifices)" 1
check "every byte is right" hog_do big 30 verify
check "why says it, from the log" sh -c "tbtf why small | grep -q big"
check "watch says what to do" sh -c "tbtf watch 2>&1 | grep -q 'not attached'"
hog_kill big
finish
