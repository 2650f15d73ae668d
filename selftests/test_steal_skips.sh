#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - whose memory must not or cannot go to another node, keeps it
#
# Copyright (C) 2026 The tbtf authors
#
# With a lender and a borrower that stand ready: it is the rung that is skipped.
#
# vm: nodes=2 mem=192 smp=1 timeout=120 mtu=9000 node2="mem=256"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# out: how many pages this machine has ever swapped out
out()
{
	sed -n 's/^pswpout //p' /proc/vmstat
}

# stays NAME REASON COUNTER OPTION...: a hog in the cgroup p that wants more than it
# may have, and gets nothing from elsewhere
stays()
{
	local name="$1" reason="$2" counter="$3"

	shift 3
	episodes_over 20
	stat_mark
	log_mark
	hog_start "$name" -s 8M -c p "$@"
	hog_tell "$name" grow 40M 1M
	# Killed by what on_exhausted_memcg says; or told that there is no more, if locked.
	check "$name: ends where it would have without other nodes" \
		wait_for "! hog_alive $name || [ \$(hog_get $name done) = 1 ]" 30
	check "$name: having no more than its cgroup may have" test "$(hog_get "$name" kb)" -lt 24576
	is "$name: nobody was asked" "$(stat_since requests) $(stat_since granted_kb)" "0 0"
	check "$name: for a reason that is counted" test "$(stat_since "$counter")" -gt 0
	check "$name: and logged" log_has "steals nothing for [0-9]+ \\($name\\): $reason"
	in_range "$name: and at once" $(($(log_ms 'steals nothing for') - $(log_ms 'waits for ladder'))) 0 500
	is "$name: no page has left the machine" "$(out) $(swap_used_kb) $(wc -l < /proc/swaps)" "0 0 1"
	hog_kill "$name"
}

plan 28

configure 2 << EOT
[lend]
memory_kb = 98304
headroom_kb = 16384
EOT
configure 1 << EOT
[borrow]
credit_kb = 65536
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "the lender is ready" start 2 lend
check "the borrower is ready" start 1 borrow
check "and so is its credit line" wait_for "grep -q 'credit line: 65536 of' /tmp/borrow.log" 30
cg_make p memory.max=24M
knob ladder_deadline_ms 1500

stays local "it is marked local" skipped_local -l
stays locked "its memory is locked" skipped_locked -m -L
cg_set p memory.swap.max 0
stays noswap "its memory.swap.max is 0" skipped_swap_max -m
cg_set p memory.swap.max max

# What would have been, but for these.
stat_mark
hog_start any -s 8M -c p -m
check "any other gets what it wants" hog_do any 60 grow 32M 1M
check "from elsewhere" test "$(stat_since requests_granted)" -gt 0 -a "$(out)" -gt 0
check "and it is as it was written" hog_do any 60 verify
hog_kill any
check "the borrower ends when told to" stop 1 borrow 60

finish_nodes
