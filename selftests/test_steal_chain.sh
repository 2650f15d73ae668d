#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - node one borrows of node two, which runs short itself, and borrows of node three
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=3 mem=192 smp=1 timeout=240 mtu=9000
# vm: node2="mem=256" node3="mem=320"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# says WHAT...: the lender on node two is told these lines by node one; what it answers
says()
{
	printf '%s\n' '{"id":1,"type":"hello","version":1,"node":"one"}' "$@" |
		{ cat; sleep 2; } | nc "$(address 2)" 10810
}

# has TEXT REGEX
has()
{
	echo "$1" | grep -q -- "$2"
}

# counter N FIELD: of /proc/vmstat
counter()
{
	on "$1" "sed -n 's/^$2 //p' /proc/vmstat"
}

plan 20

configure 3 << EOT
[lend]
memory_kb = 163840
headroom_kb = 16384
EOT
configure 2 << EOT
[lend]
memory_kb = 81920
headroom_kb = 16384
[borrow]
credit_kb = 131072
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
configure 1 << EOT
[borrow]
credit_kb = 65536
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "node three lends" start 3 lend
check "node two lends" start 2 lend

# --- a request that comes back to where it has been
ring=$(says '{"id":2,"type":"lease","kb":16384,"path":["two","three","one"],"hops":4}' | grep '"id":2')
check "a ring is refused" has "$ring" '"error": *"cycle"'
check "with a message that names the path" has "$ring" two-three-one-two
far=$(says '{"id":2,"type":"lease","kb":16384,"path":["four","three","one"],"hops":2}' | grep '"id":2')
check "and so is a path that is too long" has "$far" '"error": *"hops"'
is "nothing was lent for it" "$(on 2 "grep -c 'has lease' /tmp/lend.log")" 0

# --- one to two
check "node two borrows" start 2 borrow
check "its credit line is ready" on_wait 2 'grep -q "credit line: 131072 of" /tmp/borrow.log' 60
check "node one borrows" start 1 borrow
check "its credit line is ready" wait_for "grep -q 'credit line: 65536 of' /tmp/borrow.log" 60
cg_make p memory.max=24M
hog_start big -s 8M -c p -m
check "a process of node one has pages on node two" hog_do big 60 grow 56M 1M
lender=$(daemon 2 lend)
resident=$(status_kb "$lender" VmRSS 2)
in_range "where they are in memory" "$resident" 32768 100000

# --- two to three
memory=$(memory_kb MemTotal 2)
check "a process of node two grows as large as that node" on -t 100 2 \
	"HOG_DIR=/tmp/hog; . ./lib.sh; cg_make work; hog_start big2 -s 16M -c work -m > /dev/null 2>&1 &&
	 hog_do big2 90 grow $((memory - 16384)) 1M"
check "node two has stolen from node three" test "$(on 2 cat $TBTF/stats/requests_granted)" -gt 0
# (VmSwap does not know of shared memory, which a memfd is.)
in_range "and what it has lent to node one went there" $((resident - $(status_kb "$lender" VmRSS 2))) 8192 100000
in=$(counter 2 pswpin)
check "on node one every byte is as it was written" hog_do big 120 verify
in_range "having come from node three" $(($(counter 2 pswpin) - in)) 1000 1000000
check "and on node two as well" on -t 130 2 ". ./lib.sh; hog_do big2 120 verify"
is "the daemons have outlived it" "$(on 2 "kill -0 $lender && echo lives") $(on 2 "kill -0 $(daemon 2 borrow) && echo lives")" "lives lives"
is "nobody was killed" "$(killed; on 2 dmesg | grep -c 'Killed process')" 0

finish_nodes
