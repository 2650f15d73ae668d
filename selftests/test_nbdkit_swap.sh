#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - swap on another node, set up by hand: what tbtfd is compared with
#
# Copyright (C) 2026 The tbtf authors
#
# Debian's nbdkit lends memory, nbd-client borrows it, and there is neither the
# module nor the daemon: the kernel's part, the links and the lib, and nothing else.
#
# vm: nodes=2 mem=160 smp=1 module=no load=nbd mtu=9000 timeout=120
# vm: node2="mem=448" files="nbdkit nbdkit-memory-plugin.so nbd-client"
. ./lib.sh
. ./lib_nodes.sh

plan 9

memory=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
echo 16384 > /proc/sys/vm/min_free_kbytes
echo 1 > /proc/sys/vm/overcommit_memory
cg_make work

check "the lender lends" on 2 nbdkit -P /tmp/nbdkit.pid ./nbdkit-memory-plugin.so 320M
check "the borrower borrows" nbd-client -N "" "$(address 2)" /dev/nbd0 -timeout 60 -swap
check "and swaps" sh -c 'mkswap /dev/nbd0 > /dev/null && swapon /dev/nbd0'

began=$(now_ms)
check "the working set is twice the memory" hog_start big -c work -s $((2 * memory))
wrote=$(now_ms)
in_range "at least half of it is on the other node" \
	"$(on 2 "sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/\$(cat /tmp/nbdkit.pid)/status")" \
	$memory 400000
check "every byte is as it was written" hog_do big 60 verify
diag "$((2 * memory)) kB written in $((wrote - began)) ms, read in $(($(now_ms) - wrote)) ms"
is "nothing was killed" "$(killed)" ""

hog_kill big
check "it is given back" swapoff /dev/nbd0
check "and disconnected" sh -c 'nbd-client -d /dev/nbd0 > /dev/null'

finish
