#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - on_exhausted=panic is a kill while memory of other nodes is held, or with guard
#
# Copyright (C) 2026 The tbtf authors
#
# And when neither is so any more the machine goes down.
#
# vm: mem=256 timeout=120 append="panic=0" expect=panic files="helper ../userspace/tbtfd"
# vm-expect: tbtf: on_exhausted=panic, but guard is 1: until it is 0 the kernel kills the protected process instead
# vm-expect: Kernel panic - not syncing: tbtf: episode 3: memory is exhausted, [0-9]+ \(p3\) has outlived all others
# vm-expect: Rebooting in 1 seconds
. ./lib.sh

plan 22

one="" two=""
lends()
{
	./helper -e "$2" -f /tmp/"$1" &
	eval "$1=$!"
	wait_for "grep -qs state=lends /tmp/$1" 20
}

# exhausts NAME REASON: memory runs out for a marked process, which dies
exhausts()
{
	log_mark
	hog_start "$1" -m -s 20M
	hog_tell "$1" grow 1G
	hog_gone "$1" 60 && log_has "$2"
}

# lender YES-OR-NO: tbtfd, asked for a lease at once
lender()
{
	cat > /tmp/lend.conf <<-EOT
		[node]
		name = two
		[peers]
		one = 127.0.0.1
		[lend]
		memory_kb = 16384
		headroom_kb = 32768
		panic_while_lending = $1
		[security]
		encryption = none
	EOT
	./tbtfd --config /tmp/lend.conf lend 2> /tmp/lend.log &
	lender=$!
	wait_for "grep -q 'ready as two' /tmp/lend.log" 20 || { diag "$(cat /tmp/lend.log)"; return 1; }
	{
		printf '%s\n' '{"id":1,"type":"hello","version":1,"node":"one"}' \
			'{"id":2,"type":"lease","kb":16384,"path":["one"],"hops":4}'
		wait_for "grep -q '\"id\":2,' /tmp/reply" 20
	} | nc 127.0.0.1 10810 > /tmp/reply
	grep '"id":2,' /tmp/reply | grep -q '"export"' || { diag "$(cat /tmp/reply /tmp/lend.log)"; return 1; }
}

knob on_exhausted panic
knob panic_reboot_s 1
knob nap_ms 50
knob ladder_deadline_ms 300
knob min_victim_kb 2048
knob episode_idle_ms 100

is "nothing is lent" "$(cat $TBTF/lent_kb)" 0
check "one lends" lends one 4096
check "and another" lends two 65536
is "that is the sum" "$(cat $TBTF/lent_kb)" 69632
kill -9 "$one"
check "who is killed holds nothing any more" wait_for '[ "$(cat $TBTF/lent_kb)" = 65536 ]' 10
check "while one lends, the marked one is killed" exhausts p1 \
	'exhausted: global: [0-9]+ \(p1\) has outlived all: .*; on_exhausted=panic, but memory of other nodes is held here: the kernel kills it'
check "and nobody who lends" kill -0 "$two"
check "that episode ends" episodes_over 20
is "as killed" "$(stat_get outcome_killed) $(stat_get outcome_panicked)" "1 0"
check "tbtf status knows" sh -c 'tbtf status | grep -qE "^lent +65536 kB"'
ip link set lo up
: > /tmp/reply
check "tbtfd lends" lender no
check "and says so" wait_for '[ "$(cat $TBTF/lent_kb)" = 81920 ]' 10
kill -9 "$lender"
check "killed, it has lost it all" wait_for '[ "$(cat $TBTF/lent_kb)" = 65536 ]' 10
: > /tmp/reply
check "panic_while_lending: tbtfd lends" lender yes
check_not "and does not say so" wait_for '[ "$(cat $TBTF/lent_kb)" != 65536 ]' 3
kill -9 "$lender"

kill "$two"
check "it has nothing any more" wait_for '[ "$(cat $TBTF/lent_kb)" = 0 ]' 10

knob guard 1
check "with guard it is killed as well" exhausts p2 \
	'exhausted: global: [0-9]+ \(p2\) has outlived all: .*; on_exhausted=panic, but guard=1: the kernel kills it'
check "that episode ends" episodes_over 20
is "as killed" "$(stat_get outcome_killed) $(stat_get outcome_panicked)" "2 0"
check "on_exhausted is what it was" [ "$(knob on_exhausted)" = panic ]

knob guard 0
check "with neither" hog_start p3 -m -s 20M
ok "the machine goes down"
hog_tell p3 grow 1G
hog_gone p3 60
not_ok "the machine is still there"
finish
