#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154
#
# tbtf - a lender on this machine: what it lends, to whom, and what comes back
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh. Nodes are addresses of 127.0.0.0/8; nothing here needs rights or the
# module, and the lender is started as a trial where it has none.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh
# shellcheck source=lend-lib.sh
. selftests/host/lend-lib.sh

[ -x "$TBTFD" ] || { echo "skip lend: the libraries that tbtfd needs are not here"; exit 0; }

# --- it begins --------------------------------------------------------------------

conf
expect "lend: a dry run says what there is" 0 "would lend 131072 KiB now: memory_kb = 131072 allows" \
	"$TBTFD" lend --config "$file" --dry-run
conf "headroom_kb = 60000000000"
expect "lend: and why there is nothing" 0 "would lend 0 KiB now: .*headroom_kb = 60000000000 stays" \
	"$TBTFD" lend --config "$file" --dry-run
conf "listen = 192.0.2.1:10810"
expect "lend: an address that is not ours" 1 "cannot listen at 192.0.2.1:10810, port [0-9]*: Cannot assign" \
	"$TBTFD" lend --trial --config "$file"
if command -v setpriv > /dev/null && [ "$(id -u)" = 0 ] && setpriv --reuid=65534 test -x "$TBTFD"; then
	chmod 711 "$tmp"
	expect "lend: without rights it does not lend" 77 "needs CAP_" prlimit --memlock=65536 \
		setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
		"$TBTFD" lend --config "$file"
else
	echo "skip lend: without rights: it takes root to become somebody else, and setpriv"
fi

conf
start_lender
status=/proc/$lender/status
if grep -q __asan_init "$TBTFD"; then
	echo "skip lend: it is locked in memory (a sanitizer makes mlockall do nothing)"
else
	check "lend: it is locked in memory" [ "$(field VmLck "$status")" -ge "$(field VmExe "$status")" ]
fi
wait_until "lend: NOTIFY_SOCKET is told when it is ready" grep -q '^READY=1' "$tmp/notified"

# --- leases -----------------------------------------------------------------------

control one "$(hello one)"
reply 1 "lend: hello" '"ok":true,"version":1,"node":"two","nbd_port":'"$nbd_port"',"offer_kb":98304,"may_swap":(true|false)'
while IFS='|' read -r name from want line; do
	control "$from" "$line"
	reply 1 "lend: refused: $name" "\"ok\":false,\"error\":\"$want"
done <<'CASES'
another's name|three|not-allowed|{"id":1,"type":"hello","version":1,"node":"one"}
nobody's name|one|not-allowed|{"id":1,"type":"hello","version":1,"node":"four"}
its own name|one|not-allowed|{"id":1,"type":"hello","version":1,"node":"two"}
another version|one|version","message":"version 1 is spoken here|{"id":1,"type":"hello","version":2,"node":"one"}
no hello before|one|bad-request","message":"hello comes first|{"id":1,"type":"offer"}
no JSON|one|bad-request","message":"no JSON|hello
no id|one|bad-request","message":"\\"id\\" is missing|{"type":"hello"}
CASES
control one "$(hello one)" "$(hello one)"
reply 2 "lend: refused: hello twice" '"bad-request","message":"hello comes first, and once'
control one "$(hello one)" "$(printf '{"id":2,"type":"%020000d"}' 1)"
reply 2 "lend: refused: a line that is too long" '"bad-request","message":"the line is too long'
control 9 "$(hello one)"
reply 1 "lend: an address that is no peer's is sent away" '^closed$'
check "lend: which is logged" grep -q '127.0.0.9:[0-9]*: refused: its address is none of \[peers\]' "$log"

{
	hello one
	for ((i = 2; i <= 200; i++)); do
		printf '{"id":%d,"type":"offer"}\n' $i
	done
} | peer burst one > "$tmp/replies" 2>&1
expect "lend: 200 requests at once, and an end: all are answered" 0 '^200$' grep -c '"ok":true' "$tmp/replies"

lease_cases=(
	'cycle","message":"one-two-one-two is a ring"|{"id":2,"type":"lease","kb":4,"path":["one","two","one"],"hops":4}'
	'cycle","message":"two-three-one-two is a ring"|{"id":2,"type":"lease","kb":4,"path":["two","three","one"],"hops":4}'
	'hops","message":"it came by 3 nodes, and .*hops.* is 2"|{"id":2,"type":"lease","kb":4,"path":["x","y","one"],"hops":2}'
	'bad-request","message":".*path.* does not end with one|{"id":2,"type":"lease","kb":4,"path":["three"],"hops":4}'
	'bad-request","message":".*kb.* is 0: not a multiple of 4|{"id":2,"type":"lease","kb":0,"path":["one"],"hops":4}'
	'bad-request","message":".*kb.* is 6: not a multiple of 4|{"id":2,"type":"lease","kb":6,"path":["one"],"hops":4}'
	'quota","message":"one may have 98304 KiB in all, and has 0"|{"id":2,"type":"lease","kb":98308,"path":["one"],"hops":4}'
	'unknown-lease"|{"id":2,"type":"renew","lease":"7"}'
	'unknown-lease"|{"id":2,"type":"release","lease":"7"}'
)
for c in "${lease_cases[@]}"; do
	control one "$(hello one)" "${c#*|}"
	reply 2 "lend: refused: ${c#*|}" "\"ok\":false,\"error\":\"${c%%|*}"
done

lease one 65536
check "lend: a lease is prepaid" [ "$(field RssShmem "$status")" -ge 65536 ]
control three "$(hello three)" '{"id":2,"type":"lease","kb":98304,"path":["three"],"hops":4}' \
	'{"id":3,"type":"offer"}' '{"id":4,"type":"leases"}'
reply 2 "lend: asked for more than it has" '"error":"no-memory","message":"two can lend 65536 KiB: memory_kb = 131072 allows no more"'
reply 3 "lend: what it has is on offer" '"offer_kb":65536'
reply 4 "lend: another's leases are not listed" '"leases":\[\]'
control one "$(hello one)" '{"id":2,"type":"leases"}' "{\"id\":3,\"type\":\"renew\",\"lease\":\"$number\"}"
reply 2 "lend: its own are" "\"leases\":\[{\"lease\":\"$number\",\"export\":\"$export\",\"kb\":65536,\"expires_s\":(600|59[0-9])}\]"
reply 3 "lend: and are renewed" '"ok":true,"expires_s":600'
control three "$(hello three)" "{\"id\":2,\"type\":\"release\",\"lease\":\"$number\"}"
reply 2 "lend: another's lease cannot be released" unknown-lease

# --- data -------------------------------------------------------------------------

uri=nbd://127.0.0.1:$nbd_port/$export
expect "nbd: nbdinfo" 0 'export-size: 67108864' nbdinfo "$uri"
expect "nbd: block status: nothing was written" 0 '^ +0 +67108864 +3 +hole,zero$' nbdinfo --map "$uri"
expect "nbd: names are not listed" 1 'server replied with error to list request' nbdinfo --list "nbd://127.0.0.1:$nbd_port"
expect "nbd: no such export" 1 "error 6 no such export" peer go one "${export//[0-9]/0}x"
expect "nbd: a name that is too short" 1 "error 6 no such export" peer go one "${export:1}"
expect "nbd: another's export is as if it were not there" 1 "^error 6 no such export$" peer go three "$export"
check "nbd: but the log knows" grep -q '127.0.0.3:[0-9]*: refused: the export is another.s' "$log"

head -c 67108864 /dev/urandom > "$tmp/image"
check "nbd: nbdcopy there" nbdcopy "$tmp/image" "$uri"
check "nbd: nbdcopy back" nbdcopy "$uri" "$tmp/back"
check "nbd: byte for byte" cmp "$tmp/image" "$tmp/back"
check "nbd: nbdcopy over one connection, small requests" \
	nbdcopy --connections=1 --requests=7 --request-size=4096 "$uri" "$tmp/back"
check "nbd: byte for byte again" cmp "$tmp/image" "$tmp/back"
check "nbd: qemu-img compares" qemu-img compare -f raw -F raw "$tmp/image" "$uri"
truncate -s 0 "$tmp/back"
truncate -s 64M "$tmp/back"
dd if="$tmp/image" of="$tmp/back" bs=1M seek=20 count=7 conv=notrunc status=none
check "nbd: qemu-img writes an image with holes" qemu-img convert -n -f raw -O raw "$tmp/back" "$uri"
check "nbd: and it is that" qemu-img compare -f raw -F raw "$tmp/back" "$uri"
expect "nbd: block status: what is there" 0 '^ +20971520 +7340032 +0 +data$' nbdinfo --map "$uri"
rm "$tmp/back"

# What a request gives back, measured.
# rss COMMAND...: how much of what is lent is there, in KiB, after commands of qemu-io
rss()
{
	local words=()

	for c; do
		words+=(-c "$c")
	done
	qemu-io -f raw "${words[@]}" "$uri" > "$tmp/qemu-io" 2>&1 || cat "$tmp/qemu-io" >&2
	field RssShmem "$status"
}

all=$(rss "write -P 0xab 0 64M")
check "nbd: all of it is written" [ "$all" -ge 65536 ]
is_less "nbd: TRIM gives memory back" "$(rss "discard 0 32M")" 33000
is_less "nbd: so does WRITE_ZEROES" "$(rss "write -zu 32M 16M")" 16700
is_less "nbd: not what it must not" 16383 "$(rss "write -z 48M 16M")"
expect "nbd: all of that is zeroes" 0 '^read 67108864' qemu-io -f raw -c "read -P 0 0 64M" "$uri"
is_less "nbd: reading them takes no memory" "$(field RssShmem "$status")" 17000
rss "write -P 0xab 0 64k" "write -z 100 1000" "discard 5000 6000" "write -zu 20000 20000" > /dev/null
expect "nbd: bytes between pages: before" 0 '^read 100/100' qemu-io -f raw -c "read -P 0xab 0 100" "$uri"
expect "nbd: bytes between pages: zeroed" 0 '^read 1000/1000' qemu-io -f raw -c "read -P 0 100 1000" "$uri"
expect "nbd: bytes between pages: kept" 0 '^read 7092/7092' qemu-io -f raw -c "read -P 0xab 1100 7092" "$uri"
expect "nbd: bytes between pages: zeroed again" 0 '^read 20000/20000' qemu-io -f raw -c "read -P 0 20000 20000" "$uri"
expect "nbd: bytes between pages: behind" 0 '^read 25536/25536' qemu-io -f raw -c "read -P 0xab 40000 25536" "$uri"

if fio --enghelp 2> /dev/null | grep -qw nbd; then
	expect "nbd: fio's engine, verified" 0 'err= 0' fio --name=x --ioengine=nbd --uri="$uri" --rw=randrw \
		--bs=4k-64k --size=64M --io_size=32M --iodepth=32 --verify=crc32c --randrepeat=0 \
		--verify_state_save=0
else
	echo "skip nbd: fio's engine: this fio has none"
fi

# Requests that are wrong get an error, and the connection lives.
expect "nbd: past the end" 1 'Input/output error|Invalid|No space|past' qemu-io -f raw -c "read 64M 4k" "$uri"
go=49484156454f5054$(printf '%08x%08x%08x' 7 $((${#export} + 6)) ${#export})$(printf %s "$export" | od -An -tx1 | tr -d ' \n')0000
# request TYPE FLAGS OFFSET LENGTH: 28 bytes in hex, with a cookie of c's
request()
{
	printf '25609513%04x%04x%s%016x%08x' "$2" "$1" cccccccccccccccc "$3" "$4"
}

simple()
{
	printf '67446698%08xcccccccccccccccc' "$1"
}

while read -r error type flags offset length name; do
	expect "nbd: $name: error $error, and life goes on" 0 "$(simple "$error")$(simple 0)\$" \
		peer raw one "$go$(request "$type" "$flags" "$offset" "$length")$(request 3 0 0 0)"
done <<'CASES'
22 0 0 67108864 1 a read past the end
22 0 0 18446744073709551615 4096 a read whose end is no number
22 0 0 0 0 a read of nothing
22 0 0 0 33554433 a read that is too long
22 0 2 0 4096 a read with a flag of others
22 9 0 0 4096 a command that there is not
22 7 0 0 4096 block status that was not agreed upon
22 4 0 67108864 4096 a trim past the end
28 6 0 67108864 4096 zeroes past the end
CASES
expect "nbd: a write past the end: its data is skipped" 0 "$(simple 28)$(simple 0)\$" \
	peer raw one "$go$(request 1 0 67108864 4)deadbeef$(request 3 0 0 0)"
expect "nbd: no magic: the connection ends" 0 '^[0-9a-f]*[^c]$' peer raw one "$go$(request 3 0 0 0 | tr 2 3)"
expect "nbd: an option without end" 0 '^$' peer raw one "49484156454f50540000000700ffffff"
expect "nbd: an option that is too long is refused" 0 '^0003e889045565a90000000780000009' \
	peer raw one "49484156454f50540000000700004000$(printf '%032768d' 0)"
expect "nbd: ABORT is acknowledged" 0 '^0003e889045565a9000000020000000100000000$' peer raw one "49484156454f50540000000200000000"
expect "nbd: STARTTLS: there is none" 0 '^0003e889045565a90000000580000002' peer raw one "49484156454f50540000000500000000"

# --- connections that are lost ---------------------------------------------------------

perl selftests/host/peer.pl hold "$nbd_port" 127.0.0.1 "$export" \
	"$(request 1 0 0 4096)$(head -c 4096 "$tmp/image" | od -An -v -tx1 | tr -d ' \n')" > "$tmp/held" 2>&1 &
holder=$!
wait_until "nbd: a connection is held" grep -q size "$tmp/held"
wait_until "nbd: what it wrote is there" sh -c "nbdcopy '$uri' '$tmp/back' && cmp -n 4096 '$tmp/image' '$tmp/back'"
kill -KILL $holder
wait $holder 2> /dev/null
expect "nbd: its end costs nothing: the pages stay" 0 '' sh -c "nbdcopy '$uri' '$tmp/back' && cmp -n 4096 '$tmp/image' '$tmp/back'"
control one "$(hello one)" '{"id":2,"type":"leases"}'
reply 2 "nbd: nor does it end the lease" "\"export\":\"$export\""

perl selftests/host/peer.pl hold "$nbd_port" 127.0.0.1 "$export" > "$tmp/held" 2>&1 &
holder=$!
wait_until "nbd: another one is held" grep -q size "$tmp/held"
control one "$(hello one)" "{\"id\":2,\"type\":\"release\",\"lease\":\"$number\"}"
reply 2 "lend: released" '"id":2,"ok":true}'
is_less "lend: its memory is free at once" "$(field RssShmem "$status")" 1000
wait_until "lend: its connections are ended" grep -q closed "$tmp/held"
kill $holder 2> /dev/null
wait $holder 2> /dev/null
expect "nbd: the name is of no use any more" 1 "error 6 no such export" peer go one "$export"

# What one has given back, the next one does not see.
lease three 65536
go=49484156454f5054$(printf '%08x%08x%08x' 7 $((${#export} + 6)) ${#export})$(printf %s "$export" | od -An -tx1 | tr -d ' \n')0000
peer raw three "$go$(request 0 0 0 1048576)" | tr -s 0 > "$tmp/read"
expect "nbd: memory of another's is zeroes" 0 '674466980c{16}0$' cat "$tmp/read"
not "nbd: it is three's, though: one does not get it" peer go one "$export"
stop_lender
check "lend: it says what is lost when it is stopped twice" grep -q "three: what lease $number holds is lost" "$log"

# --- time ---------------------------------------------------------------------------------

# Ten seconds is the shortest there is: it is waited for once, by all of these.
conf "lease_s = 10"
start_lender
lease one 8192
perl selftests/host/peer.pl hold "$nbd_port" 127.0.0.1 "$export" > "$tmp/held" 2>&1 &
holder=$!
wait_until "time: a lease is in use" grep -q size "$tmp/held"
used=$export
# After it, so that its time is over when this one's is.
lease one 4096
(exec 3<> "/dev/tcp/127.0.0.1/$nbd_port" && cat <&3 > "$tmp/mute"; echo end >> "$tmp/mute") &
wait_until "time: a lease that is not renewed expires" grep -q "has ended: it has expired; 4096 of 4096" "$log"
expect "time: its name is of no use any more" 1 "error 6 no such export" peer go one "$export"
expect "time: one that is in use does not" 0 "size 8388608" peer go one "$used"
wait_until "time: who says nothing is sent away" grep -q end "$tmp/mute"
stop_lender
kill $holder 2> /dev/null

# --- the end, in order ------------------------------------------------------------------------

conf
start_lender
lease one 8192
# Of the part before: this script is run with two builds.
rm -f "$tmp/go" "$tmp/go2"

{
	hello one
	while [ ! -e "$tmp/go" ]; do sleep 0.1; done
	echo "wait revoke"
	while [ ! -e "$tmp/go2" ]; do sleep 0.1; done
	printf '{"id":2,"type":"release","lease":"%s"}\n' "$number"
} | peer control one > "$tmp/told" 2>&1 &
wait_until "end: a borrower is here" grep -q '"ok":true' "$tmp/told"
kill -TERM "$lender"
: > "$tmp/go"
wait_until "end: it is told" grep -q "{\"notice\":\"revoke\",\"lease\":\"$number\",\"deadline_s\":60}" "$tmp/told"
control three "$(hello three)" '{"id":2,"type":"lease","kb":4,"path":["three"],"hops":4}'
reply 2 "end: nothing new is lent" '"no-memory","message":"two can lend 0 KiB: it is being stopped'
check "end: but what is lent is still there" peer go one "$export"
: > "$tmp/go2"
wait_until "end: when all is back, it ends" sh -c "! kill -0 $lender 2> /dev/null"
wait "$lender"
check "end: with success" [ $? = 0 ]
not "end: and nothing was lost" grep -q 'is lost' "$log"
lender=
exit $failed
