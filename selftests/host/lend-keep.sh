#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154,SC2034
#
# tbtf - a lender whose leases are kept by its service manager: restarts, and a kill
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh. The service manager is selftests/keeper.c: it really holds the
# descriptors, and hands them to the next lender.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh
# shellcheck source=lend-lib.sh
. selftests/host/lend-lib.sh

[ -x "$TBTFD" ] || { echo "skip keep: the libraries that tbtfd needs are not here"; exit 0; }
export RUNTIME_DIRECTORY=$tmp/run/tbtf
mkdir -p "$RUNTIME_DIRECTORY"

# start_kept MAX: $keeper, $lender; what it prints is in $tmp/kept
start_kept()
{
	# What the one before has said is not to be taken for this one's.
	rm -f "$tmp/kept" "$log"
	"$OUT/keeper" "$tmp/keeper.sock" "$1" "$TBTFD" lend --trial --verbose --config "$file" \
		> "$tmp/kept" 2> "$log" &
	keeper=$!
	wait_until "keep: it is ready" grep -q '^ready' "$tmp/kept" || exit 1
	lender=$(pgrep -P "$keeper")
}

# again N: the Nth time that it is ready
again()
{
	wait_until "keep: it is ready as the $1. lender" sh -c "[ \$(grep -c '^ready' '$tmp/kept') -ge $1 ]"
	lender=$(pgrep -P "$keeper")
}

# same NAME: the lease is as it was, to its last byte
same()
{
	control one "$(hello one)" '{"id":2,"type":"leases"}'
	reply 2 "keep: $1: the lease is there, by its number and its name" \
		"\"lease\":\"$number\",\"export\":\"$export\",\"kb\":8192,\"expires_s\":(600|59[0-9])"
	check "keep: $1: every byte is as it was written" \
		sh -c "nbdcopy '$uri' '$tmp/back' && cmp '$tmp/image' '$tmp/back'"
	expect "keep: $1: what was trimmed is a hole" 0 '^ +6291456 +2097152 +3 +hole,zero$' nbdinfo --map "$uri"
}

# tbtf_lend NAME REGEX
tbtf_lend()
{
	expect "tbtf lend: $1" 0 "$2" "$TBTF" --root "$tmp" lend
}

expect "tbtf lend: no lender" 1 'no lender is running .*: systemctl start tbtfd-lend' "$TBTF" --root "$tmp" lend

# --- a manager that keeps them
conf
start_kept 600
check "keep: it has tried out that they are kept" grep -q 'leases are kept by the service manager' "$log"
check "keep: and left nothing of the trial" grep -q '^dropped probe' "$tmp/kept"
lease one 8192
check "keep: a lease is kept" grep -q "^kept lease-$number" "$tmp/kept"
uri=nbd://127.0.0.1:$nbd_port/$export
{
	head -c 6291456 /dev/urandom
	head -c 2097152 /dev/zero
} > "$tmp/image"
check "keep: it is written" nbdcopy "$tmp/image" "$uri"
check "keep: and trimmed in part" qemu-io -f raw -c "discard 6M 2M" "$uri"

tbtf_lend "how much" '^lent: 8.0M of 128.0M, of which 8.0M are there$'
tbtf_lend "what there is" '^to lend: 120.0M: memory_kb = 131072 allows no more$'
tbtf_lend "that leases are kept" '^leases outlive this lender'
tbtf_lend "a borrower" '^one +away +- +1 +8.0M +88.0M( +may swap)?$'
tbtf_lend "another" '^three +away +- +0 +0K +96.0M( +may swap)?$'
tbtf_lend "a lease, what is written, by which path" "^$number +one +8.0M +6.0M +[0-9]+s +- +0  one  no connection\$"
perl selftests/host/peer.pl hold "$nbd_port" 127.0.0.1 "$export" > "$tmp/held" 2>&1 &
holder=$!
wait_until "tbtf lend: somebody is connected" grep -q size "$tmp/held"
tbtf_lend "its latency" "^$number +one +8.0M +6.0M +[0-9]+s +[0-9.]+ms +0  one\$"
kill -KILL $holder
wait $holder 2> /dev/null
"$TBTF" --root "$tmp" lend --json > "$tmp/json"
check "tbtf lend: --json is of the three kinds" [ "$(sed -n 's/^{"kind":"\([a-z]*\)".*/\1/p' "$tmp/json" | sort | uniq -c |
	tr -s ' \n' ' ')" = " 2 borrower 1 lease 1 lend " ]
check "tbtf lend: no export's name is told" sh -c "! grep -q '$export' '$tmp/json'"

kill -HUP "$keeper"
again 2
check "keep: the first one ended well" grep -q '^exit 0, 1 kept' "$tmp/kept"
check "keep: and says that they stay" grep -q '1 leases stay with the service manager' "$log"
same "a restart"
control three "$(hello three)" '{"id":2,"type":"leases"}'
reply 2 "keep: it is still nobody else's" '"leases":\[\]'
expect "keep: nor can another have it" 1 "^error 6 no such export$" peer go three "$export"

first=$number
for n in 3 4; do
	kill -KILL "$lender"
	again $n
	same "the $n. lender, after a kill"
done
# Numbers are not used again, and what is promised is remembered.
control one "$(hello one)" '{"id":2,"type":"lease","kb":98304,"path":["one"],"hops":4}'
reply 2 "keep: what it has counts" 'quota","message":"one may have 98304 KiB in all, and has 8192'
lease one 4096
check "keep: another lease has another number" [ "$number" -gt "$first" ]
control one "$(hello one)" "{\"id\":2,\"type\":\"release\",\"lease\":\"$number\"}"
reply 2 "keep: and is released" '"ok":true'
wait_until "keep: which its keeper is told" grep -q "^dropped lease-$number" "$tmp/kept"

# A configuration that knows the borrower no more.
sed -i '/^one = /d' "$file"
kill -HUP "$keeper"
again 5
check "keep: of a node that is none of [peers]: given up" \
	grep -q "lease-$first\" is given up, .* it is of no node in \[peers\]" "$log"
wait_until "keep: and its memory is free" grep -q "^dropped lease-$first" "$tmp/kept"
kill -TERM "$keeper"
wait "$keeper"
check "keep: it ends" [ $? = 0 ]

# --- and one that does not
conf
start_kept 0
check "keep: where nobody keeps them it knows" grep -q 'leases end with this lender' "$log"
lease one 8192
kill -HUP "$keeper"
wait_until "keep: then a restart calls back" grep -q 'is called back: this lender stops' "$log"
check "keep: and it waits" kill -0 "$lender"
kill -TERM "$keeper"
wait "$keeper"
lender=
exit $failed
