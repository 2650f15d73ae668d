# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - three nodes on which all of the ladder can be climbed: test_ladder, the demo
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh, lib_nodes.sh and lib_tbtfd.sh, on node 1 of a chain 1-2-3. One
# borrows of two, which has two extents of its own to lend and borrows two more of three
# (besides the one that two keeps ready for itself); then nobody has anything left, and one
# prints with zram. What is compared in the end is
# read where each of them keeps its books.

# One extent, and so much of three's: the page of the swap header is not two's to lend.
LADDER_KB=16384
LADDER_BEHIND_KB=16388

# ladder_three: who lends, and has nobody behind
ladder_three()
{
	configure 3 << EOT
[lend]
memory_kb = $((LADDER_KB + 2 * LADDER_BEHIND_KB))
headroom_kb = 16384
EOT
	start 3 lend
}

# ladder_two: who lends two extents of its own, and two of three's
ladder_two()
{
	__ladder_two 16384 && start 2 borrow || return
	# What a borrower takes for itself is not available any more.
	__ladder_two $(($(memory_kb MemAvailable 2) - 5 * LADDER_KB / 2)) && start 2 lend || return
	on_wait 2 "grep -q \"credit line: $LADDER_KB of\" /tmp/borrow.log" 60
}

__ladder_two()
{
	configure 2 << EOT
[lend]
memory_kb = $((4 * LADDER_KB))
headroom_kb = $1
[borrow]
credit_kb = $LADDER_KB
extent_kb = $LADDER_KB
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
}

# ladder_one: who has two extents ready at a time, and prints when there are no more
ladder_one()
{
	echo 1 > /proc/sys/vm/overcommit_memory
	knob nap_ms 100
	knob episode_idle_ms 500
	configure 1 << EOT
[borrow]
credit_kb = $LADDER_KB
extent_kb = $LADDER_KB
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
[print]
mints = zram
withdraw_after_s = 2
EOT
	start 1 borrow
}

# ladder_ready: the credit line and the mint of node one
ladder_ready()
{
	wait_for "[ \"\$(ladder_get line ready_kb)\" = $LADDER_KB ] &&
		  [ \"\$(ladder_get mint state)\" = ready ]" "$1"
}

# ladder_get KIND KEY [N]: of the first such object that the borrower of node N tells
ladder_get()
{
	on "${3:-1}" "tbtf peers --json" | __ladder_key "$1" "$2" | head -1
}

# ladder_sum KIND KEY [N] [REGEX]: of all such objects (whose line matches)
ladder_sum()
{
	on "${3:-1}" "tbtf peers --json" | grep -- "${4:-.}" | __ladder_key "$1" "$2" |
		awk '{ n += $1 } END { print n + 0 }'
}

# ladder_lent N KEY [REGEX]: the sum over the leases of node N's lender (that match)
ladder_lent()
{
	on "$1" "tbtf lend --json" | grep -- "${3:-.}" | __ladder_key lease "$2" |
		awk '{ n += $1 } END { print n + 0 }'
}

__ladder_key()
{
	sed -n 's/.*"kind":"'"$1"'".*"'"$2"'":"\{0,1\}\([^,"}]*\).*/\1/p'
}

# ladder_until COND TIMEOUT: P grows until the condition holds; then its episode ends
ladder_until()
{
	local end

	end=$(($(now_ms) + $2 * 1000 * ${VM_PATIENCE:-1}))
	until eval "$1"; do
		[ "$(now_ms)" -lt "$end" ] && hog_do big 60 grow "${LADDER_STEP:-1M}" || return
	done
	episodes_over 30
}

# ladder_withdrawn TIMEOUT: what was printed is gone from among the swap, by itself
ladder_withdrawn()
{
	wait_for '! grep -q zram /proc/swaps && [ "$(ladder_get mint state)" = ready ]' "$1"
}

# ladder_down: all stop, from the top; each gives back what it has of the next one. (That
# they do without being told needs ten seconds without any pressure, and then some.)
ladder_down()
{
	stop 1 borrow 60 && stop 2 lend 60 && stop 2 borrow 60 && stop 3 lend 30
}
