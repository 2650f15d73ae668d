#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - node one borrows of node two, which has too little, and steals of node three first
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=3 mem=192 smp=1 timeout=240 mtu=9000 links="1-2 2-3 1-3"
# vm: node2="mem=192" node3="mem=320"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# says N WHAT: the lender on node N is told this by node one; what it answers to id 2
says()
{
	local to="$1"

	shift
	: > /tmp/reply
	{
		printf '%s\n' '{"id":1,"type":"hello","version":1,"node":"one"}' "$@"
		# It is gone when this end is.
		wait_for "grep -q '\"id\":2,' /tmp/reply" 20
	} | nc "$(address "$to")" 10810 > /tmp/reply
	grep '"id":2,' /tmp/reply
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

# both N HEADROOM CREDIT: what a node that lends and borrows has in its configuration
both()
{
	configure "$1" << EOT
[lend]
memory_kb = 262144
headroom_kb = $2
[borrow]
credit_kb = $3
extent_kb = 16384
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
}

plan 31

# --- a ring: only node one has memory, two and three would have to borrow
both 1 16384 16384
check "node one lends" start 1 lend
for n in 3 2; do
	# What a borrower takes for itself is not available any more.
	both $n 16384 16384
	check "node $n borrows" start $n borrow
	both $n $(($(memory_kb MemAvailable $n) * 3 / 2)) 16384
	check "and lends" start $n lend
done
offers()
{
	says 2 '{"id":2,"type":"offer"}' | grep -q '"offer_kb": *[1-9].*"may_swap": *true.*"far": *[12]'
}
check "node two offers memory that it would have to borrow" wait_for offers 60
ring=$(says 2 '{"id":2,"type":"lease","kb":16384,"path":["one"],"hops":4}')
check "node one asks for it: refused" has "$ring" '"error": *"cycle"'
check "with a message that names the path" has "$ring" one-two-three-one
check "node three, which would have asked, has said so" on_wait 3 'grep -q "one-two-three-one is a ring" /tmp/borrow.log' 5
# Who has just refused is not asked again at once.
too_far()
{
	far=$(says 2 '{"id":2,"type":"lease","kb":16384,"path":["one"],"hops":2}')
	has "$far" '"error": *"hops"'
}
check "and over no more than two nodes it is too far" wait_for too_far 20
# Nothing more is wanted of this.
for n in 2 3; do
	check "node $n borrows no more" stop $n borrow 60
	check "and lends no more" stop $n lend 60
done
check "nor does node one" stop 1 lend 60

# --- one to two to three
configure 3 << EOT
[lend]
memory_kb = 196608
headroom_kb = 16384
EOT
check "node three lends" start 3 lend
both 2 16384 16384
check "node two borrows" start 2 borrow
# 40 MiB of its own, two extents.
both 2 $(($(memory_kb MemAvailable 2) - 40960)) 16384
check "and lends" start 2 lend
check "its own credit line is ready" on_wait 2 'grep -q "credit line: 16384 of" /tmp/borrow.log' 60
configure 1 << EOT
[borrow]
credit_kb = 98304
extent_kb = 16384
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
# It shall not reach node three by itself.
sed -i '/^three =/d' /etc/tbtf/tbtfd.conf
check "node one borrows" start 1 borrow
check "its credit line is ready" wait_for "grep -q 'credit line: 98304 of' /tmp/borrow.log" 120
check "node two gave of its own first" on 2 "grep 'has lease' /tmp/lend.log | head -1 | grep -qv 'borrowed for it'"
behind=$(on 2 "grep -c 'borrowed for it' /tmp/lend.log")
in_range "and for the rest it has borrowed first" "$behind" 3 4
is "what it had for that is swap" "$(on 2 grep -c nbd /proc/swaps)" "$behind"
is "each is a lease of node three's, for node one through node two" \
	"$(on 2 "grep -c 'stolen of three for one' /tmp/borrow.log")" "$behind"

cg_make p memory.max=24M
hog_start big -s 8M -c p -m
check "a process of node one grows by more than it and node two have" hog_do big 120 grow 80M 1M
in_range "pages of it are on node three" "$(counter 2 pswpout)" 2000 1000000
in=$(counter 2 pswpin)
# Node three hangs for a while: who waits for a page waits as long, and goes on.
seen=$(hog_get big "done")
hog_tell big verify
on host stop 3
sleep 5
on host cont 3
check "it comes to its end" wait_for '[ "$(hog_get big "done")" -gt '"$seen ]" 120
is "every byte is as it was written" "$(hog_get big err) $(hog_get big bad)" "0 -1"
in_range "some having come from node three" $(($(counter 2 pswpin) - in)) 1000 1000000
is "nobody was killed" "$(killed; on 2 dmesg | grep -c 'Killed process')" 0

finish_nodes
