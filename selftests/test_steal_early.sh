#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - steal_when: with "last" the crowd dies first, with "pressure" nobody does
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mem=192 smp=1 timeout=400 mtu=9000 node2="mem=320"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

CROWD="c1 c2 c3 c4 c5"

# borrow WHEN: a borrower that steals then, with its line ready
borrow()
{
	configure 1 << EOT
[borrow]
credit_kb = 131072
extent_kb = 32768
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
give_back_after_s = 2
steal_when = $1
EOT
	start 1 borrow && wait_for "grep -q 'credit line: 131072 of' /tmp/borrow.log" 60
}

# eat: a crowd, and one that grows until there is no memory for both
eat()
{
	local c

	for c in $CROWD; do
		hog_start "$c" -s 4M -c crowd
	done
	hog_start big -s 4M -c work -m
	stat_mark
	log_mark
	hog_do big 120 grow $((memory - 8192)) 1M
}

early()
{
	grep -c 'stolen before they are asked for' /tmp/borrow.log
}

attached()
{
	echo $(($(wc -l < /proc/swaps) - 1))
}

plan 23

memory=$(memory_kb MemTotal)
cg_make work
cg_make crowd
echo 1 > /proc/sys/vm/overcommit_memory
configure 2 << EOT
[lend]
memory_kb = 196608
headroom_kb = 16384
EOT
check "the lender is ready" start 2 lend

check "a borrower that steals last" borrow last
check "a process grows as large as the machine" eat
is "for which all of the crowd have died" "$(killed | sort | xargs)" "$CROWD"
is "before anything was stolen" "$(early) $(($(stat_since requests_granted) > 0))" "0 1"
check "and has what it wrote" hog_do big 120 verify
hog_kill big
check "the borrower ends" stop 1 borrow 60

check "one that steals when memory is short" borrow pressure
is "which it is not" "$(early) $(attached)" "0 0"
check "a process grows as large as the machine" eat
is "nobody was killed" "$(killed)" ""
is "nor was anybody about to" "$(stat_since episodes)" 0
in_range "for memory was stolen before" "$(early)" 1 6
check "and has what it wrote" hog_do big 200 verify
is "so have the others" "$(verified $CROWD)" 5
n=$(early)
is "as many are swap as were stolen" "$(attached)" "$n"

hog_kill big $CROWD
check "what is not needed any more is given back" wait_for '[ "$(attached)" = 0 ]' 60
is "and not stolen again" "$(early)" "$n"

hog_start own -s 8M -l
hog_start big -s 4M -c work
log_mark
check "while a process has the mark TBTF_LOCAL it is as without" hog_dies big grow "$memory" 1M
is "one is killed, nothing is stolen" "$(killed) $(early) $(attached)" "big $n 0"
check "which is said" grep -q 'mark TBTF_LOCAL' /tmp/borrow.log
hog_kill own
check "the borrower ends" stop 1 borrow 60
check "the lender ends" stop 2 lend 30

finish_nodes
