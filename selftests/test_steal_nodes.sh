#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a process eats the crowd on its node, and then another node's memory
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mtu=9000 mem=144 smp=1 timeout=360 node2="mem=448"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

TRACE=/sys/kernel/tracing
CROWD="c1 c2 c3 c4 c5"

# us EVENT first|last: when it was traced, in microseconds of uptime; EVENT is a regex
us()
{
	grep -E " ($1): " $TRACE/trace | { [ "$2" = first ] && head -1 || tail -1; } |
		sed -n 's/.* \([0-9]*\)\.\([0-9]\{6\}\): .*/\1\2/p'
}

# unlocked PID: its mappings that are in memory and may leave it. (The kernel's own,
# such as the vdso, cannot be locked; they are VM_DONTEXPAND, or belong to a device.)
unlocked()
{
	awk '/^[0-9a-f]+-[0-9a-f]+ / { name = $1 " " $6 }
		$1 == "Rss:" { rss = $2 }
		$1 == "VmFlags:" && rss > 0 && !/ (lo|de|io|pf)( |$)/ { print name }' "/proc/$1/smaps"
}

# tls NAME: of the kernel's counters
tls()
{
	sed -n "s/^Tls$1[^A-Za-z0-9]*//p" /proc/net/tls_stat
}

# connections: to the lender, of devices
connections()
{
	cat /sys/block/nbd*/pid 2> /dev/null | wc -l
}

results=24
[ -z "$WITH_TLS" ] || results=28
plan $results

[ -z "$WITH_TLS" ] || check "there is an authority, and a certificate for each" make_pki
memory=$(memory_kb MemTotal)
cg_make work
cg_make crowd
min_free=$(cat /proc/sys/vm/min_free_kbytes)
echo 1 > /proc/sys/vm/overcommit_memory

configure 2 << EOT
[lend]
memory_kb = 262144
headroom_kb = 16384
EOT
configure 1 << EOT
[borrow]
credit_kb = 229376
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
EOT
check "the lender is ready" start 2 lend
check "the borrower is ready" start 1 borrow
borrower=$(daemon 1 borrow)
is "it is the helper" "$(knob helper)" "$borrower"
check "it is locked in memory" test "$(status_kb "$borrower" VmLck)" -gt 0
is "all of it that can be" "$(unlocked "$borrower")" ""
is "and has seen to it that packets find memory" "$(cat /proc/sys/vm/min_free_kbytes)" 16384
is "nothing is elsewhere yet" "$(swap_used_kb)" 0

echo 256 > $TRACE/buffer_size_kb
echo 0 > $TRACE/options/overwrite
for event in tbtf/tbtf_sacrifice tbtf/tbtf_killless tbtf/tbtf_request tbtf/tbtf_answer \
	vmscan/mm_vmscan_write_folio; do
	echo 1 > $TRACE/events/$event/enable
done
stat_mark
log_mark
for c in $CROWD; do
	hog_start "$c" -s 2M -c crowd
done
hog_start big -s 4M -c work -m
is "nobody is short of memory yet" "$(stat_since episodes) $(hogs_alive big $CROWD)" "0 6"
began=$(now_ms)
check "it grows to twice the memory" hog_do big 200 grow $((2 * memory - 4096)) 1M
grew=$(now_ms)
is "the crowd went, and nobody else" "$(killed | sort | xargs)" "$CROWD"
check "memory was asked for when nobody was left" test "$(us tbtf_request first)" -gt "$(us tbtf_sacrifice last)"
is "and granted, as often as it was asked for" \
	"$(($(stat_since requests) > 0)) $(($(stat_since requests) - $(stat_since requests_granted)))" "1 0"
in_range "more than half of it is elsewhere" "$(status_kb "$(hog_pid big)" VmSwap)" $((memory / 2)) $((2 * memory))
lender=$(daemon 2 lend)
in_range "with the lender" "$(status_kb "$lender" VmRSS 2)" $((memory / 2)) 400000

# How long there was nothing: from the first round that found nobody.
killless=$(us tbtf_killless first)
usable=$(us mm_vmscan_write_folio first)
diag "$(($(us tbtf_answer first) - killless)) us from the first round with nobody left to the grant;"
diag "$((usable - killless)) us to the first page that went out, $((usable - $(us tbtf_sacrifice last))) us from the last kill"
# (Encryption that is emulated says nothing about time.)
[ -n "$WITH_TLS" ] || in_range "the first page goes out 200 ms after" $((usable - killless)) 0 $((200000 * ${VM_PATIENCE:-1}))
echo 0 > $TRACE/events/enable

if [ -n "$WITH_TLS" ]; then
	# Which it does not for the control connection: TLS 1.3, to which OpenSSL 3.0 gives
	# the kernel the sending half only. One that is being made is the daemon's still.
	check "the kernel does TLS, both ways, on each connection" \
		wait_for '[ "$(tls CurrRxSw)" = "$(connections)" ] && [ "$(tls CurrTxSw)" -ge "$(connections)" ]' 20
	in_range "of which there are some" "$(connections)" 4 16
fi
check "every byte is as it was written" hog_do big 300 verify
diag "$((2 * memory)) kB written in $((grew - began)) ms, read in $(($(now_ms) - grew)) ms"
is "nobody has died since" "$(killed | wc -l)" 5
check "the books balance" books_balance
check "memory was stolen, say the outcomes" wait_for '[ "$(stat_since outcome_stolen)" -gt 0 ]' 30
check "the borrower lives" pid_alive "$borrower"

if [ -n "$WITH_TLS" ]; then
	is "what came was what had been sent" "$(tls DecryptError)" 0
	check "the lender will have TLS, and nothing else" on 2 \
		"! printf '%s\\n' '{\"id\":1,\"type\":\"hello\",\"version\":1,\"node\":\"one\"}' |
		 nc 127.0.0.1 10810 | grep -q ok"
fi
hog_kill big
check "the borrower ends when told to" stop 1 borrow 60
is "it has left no swap" "$(wc -l < /proc/swaps)" 1
is "and set min_free_kbytes to what it was" "$(cat /proc/sys/vm/min_free_kbytes)" "$min_free"
check "the lender ends when told to" stop 2 lend 30

finish_nodes
