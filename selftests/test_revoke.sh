#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - memory is called back while its pages are in use: they stay, until there is room
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=3 mem=192 smp=1 timeout=240 mtu=9000 links="1-2 1-3" node2="mem=224" node3="mem=224"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

works()
{
	check "it reads all it has" hog_do big 100 verify
	is "every byte is as it was written" "$(hog_get big bad)" -1
}

plan 17

for n in 2 3; do
	configure $n << EOT
[lend]
memory_kb = 98304
headroom_kb = 16384
EOT
done
configure 1 << EOT
[borrow]
credit_kb = 81920
extent_kb = 16384
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "node two lends" start 2 lend
check "node one borrows" start 1 borrow
check "its credit line is ready" wait_for "grep -q 'credit line: 81920 of' /tmp/borrow.log" 60
cg_make p memory.max=24M
knob ladder_deadline_ms $((10000 * ${VM_PATIENCE:-1}))
hog_start big -s 8M -c p -m
check "a process has pages on node two" hog_do big 60 grow 40M 1M

# --- nowhere to move: what is held stays, and the process lives
lender=$(daemon 2 lend)
on 2 "kill $lender"
check "node two wants all of it back" wait_for "grep -q 'wants 16384 kB back' /tmp/borrow.log" 20
# As long as the module lets one live that gets nothing, and longer.
hog_tell big grow 3M 128K $((500 * ${VM_PATIENCE:-1}))
check "which does not fit into the cgroup: it stays swap" \
	wait_for "grep -q 'stays swap' /tmp/borrow.log" 60
check "the process writes all the while" wait_for '[ "$(hog_get big "done")" -gt 1 ] || ! hog_alive big' 100
works
is "nobody was killed" "$(killed)" ""
check "node two keeps what it holds" on 2 kill -0 "$lender"

# --- a place to move to
check "node three lends" start 3 lend
check "in a minute node two has its memory back" on_wait 2 "! pid_alive $lender" 60
is "and has lost nothing of it" "$(on 2 grep -c "'is lost'" /tmp/lend.log)" 0
works
is "nobody was killed" "$(killed)" ""

finish_nodes
