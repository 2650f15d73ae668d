#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - on_exhausted=panic is a kill while memory of other nodes is held, or with guard
#
# Copyright (C) 2026 The tbtf authors
#
# And when neither is so any more the machine goes down.
#
# vm: mem=256 timeout=120 append="panic=0" expect=panic files="helper"
# vm-expect: tbtf: on_exhausted=panic, but guard is 1: until it is 0 the kernel kills the protected process instead
# vm-expect: Kernel panic - not syncing: tbtf: episode 3: memory is exhausted, [0-9]+ \(p3\) has outlived all others
# vm-expect: Rebooting in 1 seconds
. ./lib.sh

plan 17

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
