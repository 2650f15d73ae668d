#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the whole ladder in one run: sacrifice, steal, steal behind, print, back to normal
#
# Copyright (C) 2026 The tbtf authors
#
# Each of those who had a part in it keeps books of its own: the module, eBPF, the kernel,
# three daemons. They have to agree, to the byte and to the kill.
#
# vm: nodes=3 mem=160 smp=1 timeout=150 mtu=9000 load=zram
# vm: node2="mem=224 load=" node3="mem=256 load="
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh
. ./lib_ladder.sh

CROWD="c1 c2 c3"
METRICS=/tmp/metrics

# figure NAME: of eBPF
figure()
{
	sed -n "s/^tbtf_$1 //p" $METRICS
}

# outcomes: those of the module, those of eBPF
outcomes()
{
	local o

	for o in sacrificed stolen printed waited killed panicked failed switched; do
		echo "$o $(stat_since outcome_$o) $(figure outcome_${o}_total)"
	done
}

# logged REGEX [N]: the sum of the kB that lines of the borrower's log begin with
logged()
{
	on "${2:-1}" cat /tmp/borrow.log | sed -n "s/.* \\([0-9]*\\) kB $1.*/\\1/p" |
		awk '{ n += $1 } END { print n + 0 }'
}

# swap_kb REGEX [N]: the size of the swap devices of node N that are called so
swap_kb()
{
	on "${2:-1}" cat /proc/swaps | awk -v re="$1" '$1 ~ re { n += $3 + 4 } END { print n + 0 }'
}

plan 38

zrams=$(find /sys/block -name 'zram*' | wc -l)

check "node three lends" ladder_three
check "node two lends, and may borrow of three" ladder_two
check "node one may borrow of two, and print" ladder_one
check "and has some of both ready" ladder_ready 60
check "eBPF counts" tbtf stats --attach
cg_make work
cg_make crowd
for c in $CROWD; do
	hog_start "$c" -s 8M -c crowd
done
hog_start big -m -k -s 4M -c work
stat_mark
log_mark
kills=$(awk '$1 == "oom_kill" { print $2 }' /proc/vmstat)

# --- up ------------------------------------------------------------------------------

check "it outlives all smaller ones" ladder_until '[ "$(hogs_alive $CROWD)" = 0 ]' 60
check "and has what node two had to lend" \
	ladder_until '[ "$(ladder_get line granted)" -ge 2 ]' 60
is "which was its own" "$(ladder_lent 2 kb '"behind":false')" $((2 * LADDER_KB))
check "and what node two borrowed of three" \
	ladder_until '[ "$(ladder_get line granted)" -ge 3 ]' 60
is "nothing is printed so far" "$(stat_since minted_kb)" 0
check "and when no node has any left, what is printed" \
	ladder_until '[ "$(ladder_get print granted)" -ge 1 ]' 60
check "and goes on" hog_do big 60 grow 16M
check "every byte is as it was written" hog_do big 90 verify

# --- the books -----------------------------------------------------------------------

episodes_over 30
wait_for 'tbtf stats --prometheus > $METRICS; [ "$(figure episodes_total)" = "$(stat_since episodes)" ]' 20
is "the crowd was killed, says the log" "$(killed | sort | xargs)" "$CROWD"
is "so many, say module, eBPF and kernel" \
	"$(stat_since sacrifices) $(figure kills_total) $(($(awk '$1 == "oom_kill" { print $2 }' /proc/vmstat) - kills))" \
	"3 3 3"
# A lender that has to swap itself may well keep the fourth extent.
extents=$(($(stat_since granted_kb) / LADDER_KB))
in_range "three or four extents were stolen" $extents 3 4
stolen=$((extents * LADDER_KB))
is "so much, say module and eBPF" \
	"$(stat_since granted_kb) $(figure granted_bytes_total)" "$stolen $((stolen * 1024))"
is "and the borrower, its log, and the kernel" \
	"$(ladder_get line granted_kb) $(ladder_sum extent kb 1 attached) $(logged stolen) $(swap_kb nbd)" \
	"$stolen $stolen $stolen $stolen"
# One more may be ready by now.
leased=$((stolen + $(ladder_get line ready_kb)))
is "and who lent them" "$(ladder_lent 2 kb) $(ladder_lent 2 kb '"path":."one".}')" "$leased $leased"
is "all but two of them borrowed" "$(ladder_lent 2 kb '"behind":true')" $((leased - 2 * LADDER_KB))
behind=$(((leased / LADDER_KB - 2) * LADDER_BEHIND_KB))
is "for which it has borrowed, says its borrower, and its kernel" \
	"$(ladder_sum extent kb 2 '"path":."one","two".') $(logged 'stolen of three for one' 2) $(swap_kb nbd 2)" \
	"$behind $behind $behind"
is "and its lender" "$(ladder_lent 3 kb '"path":."one","two".')" $behind
minted=$(stat_since minted_kb)
is "so much was printed, say module, eBPF, mint and log" \
	"$(figure minted_bytes_total) $(ladder_get print granted_kb) $(logged 'printed by zram')" \
	"$((minted * 1024)) $minted $minted"
in_range "of which the kernel has as much as swap" "$(swap_kb zram)" $minted 1000000
grants=$(($(ladder_get line granted) + $(ladder_get print granted)))
is "requests were granted, or refused where there was nothing left" \
	"$(figure requests_total) $(figure requests_granted_total) $(figure requests_refused_total)" \
	"$(stat_since requests) $grants $(($(stat_since requests) - grants))"
check "outcomes sum to episodes" books_balance
is "and are the same for both" "$(outcomes | awk '$2 != $3')" ""
# What is sacrificed and what is stolen first can be one episode, which ends as stolen.
is "memory was stolen and printed, and none ended any worse" \
	"$(outcomes | awk '$2 > 0 { print $1 }' | grep -vE 'sacrificed|waited' | xargs)" "stolen printed"
check "it can be detached" tbtf stats --detach

# --- and down --------------------------------------------------------------------------

check "it needs no more of that" hog_do big 30 free
check "what was printed is withdrawn" ladder_withdrawn 60
min_free=$(cat /proc/sys/vm/min_free_kbytes)
check "all daemons end" ladder_down
is "and no swap is left" "$(swap_kb /) $(swap_kb / 2)" "0 0"
is "nor anything of a mint" "$(find /sys/block -name 'zram*' | wc -l)" "$zrams"
check "memory is everybody's again" [ "$(cat /proc/sys/vm/min_free_kbytes)" -lt "$min_free" ]
for n in 2 3; do
	is "all leases of node $n have ended, by being given back" \
		"$(on $n "grep -c 'has ended: released' /tmp/lend.log")" "$(on $n "grep -c 'has lease' /tmp/lend.log")"
done
is "and it is still alive" "$(hogs_alive big)" 1

finish_nodes
