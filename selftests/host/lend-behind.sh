#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154,SC2034
#
# tbtf - a lender on this machine that has nothing itself, and what its borrower is asked
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh. The borrower is a script: it writes down what it is told, and answers
# what is in the file "answer". The real one is in selftests/test_steal_chain.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh
# shellcheck source=lend-lib.sh
. selftests/host/lend-lib.sh

[ -x "$TBTFD" ] || { echo "skip behind: the libraries that tbtfd needs are not here"; exit 0; }
export RUNTIME_DIRECTORY=$tmp

# behind LEASE: what there is, and the answer to a lease
behind()
{
	printf '%s\n' '{"id":1,"ok":true,"offer_kb":65536,"may_swap":true,"far":2}' "$1" > "$tmp/answer.new"
	mv "$tmp/answer.new" "$tmp/answer"
}

borrower()
{
	rm -f "$tmp/borrow.sock" "$tmp/asked"
	: > "$tmp/asked"
	perl -MIO::Socket::UNIX -e '
		my ($path, $asked, $answer) = @ARGV;
		my $s = IO::Socket::UNIX->new(Listen => 5, Local => $path) or die "$path: $!\n";
		open my $f, ">>", $asked or die;
		$f->autoflush(1);
		$SIG{PIPE} = "IGNORE";
		while (my $c = $s->accept) {
			my $line = <$c> // next;
			print $f $line;
			open my $a, "<", $answer or die;
			my ($offer, $lease) = <$a>;
			next if $line =~ /"lease"/ && $lease =~ /^hang up/;
			print $c $line =~ /"lease"/ ? $lease : $offer;
		}' "$tmp/borrow.sock" "$tmp/asked" "$tmp/answer" &
	scripted=$!
}

offers()
{
	control one "$(hello one)"
	grep -qE "\"offer_kb\":$1,\"may_swap\":$2,\"far\":$3" "$tmp/replies"
}

asked='{"id":2,"type":"lease","kb":32768,"path":["four","one"],"hops":5}'

# Less than is to stay available, and yet not so little that leases are called back.
headroom=$(($(field MemAvailable /proc/meminfo) * 14 / 10))
conf "headroom_kb = $headroom"
start_lender
control one "$(hello one)"
reply 1 "behind: without a borrower there is nothing" '"offer_kb":0,"may_swap":(true|false),"far":0'

behind '{"id":2,"ok":true}'
borrower
wait_until "behind: what its borrower could have is on offer" offers 65536 true 2
check "behind: it says what it has promised of that" grep -q '^{"id":1,"type":"behind","promised_kb":0}$' "$tmp/asked"
control one "$(hello one)" "$asked"
reply 2 "behind: a lease, when that was stolen" '"id":2,"ok":true,"lease":"[0-9]+","export":"[0-9a-f]{32}","kb":32768'
check "behind: its borrower is asked with the whole path" \
	grep -q '^{"id":2,"type":"lease","kb":32768,"path":\["four","one"\],"hops":5}$' "$tmp/asked"
is_less "behind: and that is not prepaid" "$(field RssShmem "/proc/$lender/status")" 1000
wait_until "behind: the promise is told" grep -q '"promised_kb":32768}' "$tmp/asked"
check "behind: memory_kb holds for it, too" offers 65536 true 2

behind '{"id":2,"ok":false,"error":"cycle","message":"four-one-two-four is a ring"}'
control one "$(hello one)" "$asked"
reply 2 "behind: its borrower refuses: so does it, in the same words" \
	'"id":2,"ok":false,"error":"cycle","message":"four-one-two-four is a ring"'
behind 'no JSON'
wait_until "behind: it is on offer again" offers 65536 true 2
control one "$(hello one)" "$asked"
reply 2 "behind: it talks nonsense" '"id":2,"ok":false,"error":"no-memory","message":"the borrower of this node says what is not'
behind 'hang up'
wait_until "behind: it is on offer once more" offers 65536 true 2
control one "$(hello one)" "$asked" '{"id":3,"type":"leases"}'
reply 2 "behind: it hangs up" '"id":2,"ok":false,"error":"no-memory","message":"the borrower of this node has hung up'
reply 3 "behind: nothing is left of these" '"leases":\[\{"lease":"[0-9]+","export":"[0-9a-f]{32}","kb":32768,"expires_s":[0-9]+\}\]'
kill $scripted
wait $scripted 2> /dev/null
wait_until "behind: it is gone, and with it the offer" offers 0 "(true|false)" 0
stop_lender
lender=

conf "headroom_kb = $headroom" "pass_on = no"
start_lender
behind '{"id":2,"ok":true}'
borrower
sleep 2
check "behind: pass_on = no: nobody is asked" [ ! -s "$tmp/asked" ]
kill $scripted
# Nothing is lent: it ends at once.
kill "$lender"
wait "$lender"
check "behind: and it ends" [ $? = 0 ]
kill "$notifier" 2> /dev/null
lender=
exit $failed
