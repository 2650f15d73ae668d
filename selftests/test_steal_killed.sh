#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the borrower is killed at bad moments, and nothing is lost by it
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mem=192 smp=1 timeout=240 mtu=1500 node2="mem=320"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# line_of KB: the credit line of the borrower that runs now has reached it
line_of()
{
	wait_for "grep -q 'credit line: $1 of' /tmp/borrow.log" 30
}

devices()
{
	awk 'NR > 1 { print $1 }' /proc/swaps | sort | xargs
}

kill_borrower()
{
	kill -9 "$(daemon 1 borrow)"
	gone 1 borrow 10
	mv /tmp/borrow.log /tmp/borrow.log.before
}

plan 24

configure 2 << EOT
[lend]
memory_kb = 163840
headroom_kb = 16384
EOT
configure 1 << EOT
[borrow]
credit_kb = 131072
extent_kb = 32768
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "the lender is ready" start 2 lend
check "the borrower is ready" start 1 borrow
check "and so is its credit line" line_of 131072
cg_make p memory.max=24M

# --- with the line ready, and nothing stolen
stat_mark
log_mark
check "it is killed while it waits" kill_borrower
check "the kernel knows" wait_for '[ "$(knob helper)" = 0 ]' 10
check "another takes its place" start 1 borrow
check "and has the whole line, of the same lender" line_of 131072
is "which has not lent more for it" "$(on 2 "grep -c 'has lease' /tmp/lend.log")" 4

# --- while it is asked. It cannot be caught at that: it is stopped, asked, and killed.
hog_start big -s 8M -c p -m
kill -STOP "$(daemon 1 borrow)"
# All of it has a place in the first device, and that is not filled: what is read keeps
# its place, and where swap is full the kernel takes nothing away any more, not even
# what has been written already (6.12: 16 MB of 24 in both). Nobody is there to ask.
hog_tell big grow 22M 1M
check "it is asked" wait_for '[ "$(stat_since requests)" -gt 0 ]' 30
check "it is killed before it can answer" kill_borrower
check "which ends the request" wait_for '[ "$(stat_since requests_orphaned)" -gt 0 ]' 10
check "but not who is waiting" hog_alive big
check "the next is ready" start 1 borrow
check "and gets the memory, in time" wait_for '[ "$(hog_get big done)" = 1 ]' 60
is "nobody was killed" "$(killed)" ""

# --- while it holds pages
before=$(devices)
check "it is killed while it holds pages" kill_borrower
check "they are there without it" hog_do big 120 verify
is "where they were" "$(devices)" "$before"
check "the next is ready" start 1 borrow
check "and steals more" hog_do big 120 grow 40M 1M
check "every byte is as it was written" hog_do big 120 verify

hog_kill big
check "the last one gives back what it never attached" stop 1 borrow 60
is "no swap is left" "$(devices)" ""
# There is one more since what was stolen last: the line has grown again.
check "the lender has all of it back" on_wait 2 \
	'[ "$(grep -c "has lease" /tmp/lend.log)" = "$(grep -c "has ended: released" /tmp/lend.log)" ]' 10

finish_nodes
