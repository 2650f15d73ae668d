#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a lender lends what its node can spare, and has it back when it cannot
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mem=160 smp=1 timeout=150 mtu=9000 node2="mem=256"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# says WHAT...: what the lender answers node one to these, besides hello
says()
{
	: > /tmp/reply
	{
		printf '%s\n' '{"id":1,"type":"hello","version":1,"node":"one"}' "$@"
		# It is gone when this end is.
		wait_for "grep -q '\"id\":2,' /tmp/reply" 20
	} | nc "$(address 2)" 10810 > /tmp/reply
	grep '"id":2,' /tmp/reply
}

offer()
{
	says '{"id":2,"type":"offer"}' | sed -n 's/.*"offer_kb": *\([0-9]*\).*/\1/p'
}

# there HOG ORDER...: a hog of node two does it; without ORDER, it is started
there()
{
	on -t 100 2 "HOG_DIR=/tmp/hog; . ./lib.sh; $*"
}

plan 15

configure 2 << EOT
[lend]
memory_kb = 81920
headroom_kb = 57344
EOT
configure 1 << EOT
[borrow]
credit_kb = 49152
extent_kb = 16384
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "the lender is ready" start 2 lend
first=$(offer)
in_range "it offers no more than it may, and can" "$first" 32768 81920
available=$(memory_kb MemAvailable 2)
in_range "and keeps its headroom" $((available - first)) 55000 1000000

# --- memory that its own node takes is not lent
check "a process of its own takes most of it" \
	there "hog_start own -s $((available - 45056)) -L > /dev/null 2>&1"
check "the offer is less" wait_for '[ "$(offer)" -lt 32768 ]' 10
check "and more is not lent" \
	expr "$(says '{"id":2,"type":"lease","kb":65536,"path":["one"],"hops":4}')" : '.*"error": *"no-memory"'
there "hog_kill own"
check "it is more again when there is" wait_for "[ \$(offer) -ge $((first - 8192)) ]" 20

# --- and what it has lent comes back when its own node needs it
check "the borrower is ready" start 1 borrow
check "and so is its credit line" wait_for "grep -q 'credit line: 49152 of' /tmp/borrow.log" 30
available=$(memory_kb MemAvailable 2)
there "hog_start own -s 4M > /dev/null 2>&1"
# Slowly where it counts: the lender looks once a second.
check "a process of its own gets more than was left beside the loan" \
	there "hog_do own 60 grow $((available - 40960)) 1M && hog_do own 60 grow 53248 256K 60"
check "some was called back" on 2 "grep -q 'is called back' /tmp/lend.log"
check "and has come back" on 2 "grep -q 'has ended: released' /tmp/lend.log"
is "nobody was killed" "$(on 2 dmesg | grep -c 'Killed process')" 0
check "the borrower lives, and ends when told to" stop 1 borrow 30
check "and so does the lender" stop 2 lend 30

finish_nodes
