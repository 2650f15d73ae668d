#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - several VMs are what the tests of several nodes take them for
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=3 mem=128 smp=1 mtu=9000
# vm: node2="mem=192 load=zram" node3="module=no"
. ./lib.sh
. ./lib_nodes.sh

loaded()
{
	on "$1" 'lsmod | grep -c "^tbtf "'
}

memory_kb()
{
	on "$1" "sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"
}

plan 25

is "there are as many as were asked for" "$NODES" 3
is "the second is another machine" "$(on 2 hostname)" node2
is "and so is the third" "$(on 3 hostname)" node3
on 2 'exit 7'
is "an exit code comes back" $? 7
on 3 'kill -9 $$'
is "a signal as well" $? 137
is "both outputs, and what has quotes in it" "$(on 2 "echo \"it's\"; echo 100% >&2")" "it's
100%"
on -t 1 3 'sleep 600'
is "who is not back in time is not waited for" $? 124
is "and the node is there for the next" "$(on 3 echo here)" here
sent=$(on 2 'hexdump -n 30000 /dev/urandom > /tmp/lines; md5sum < /tmp/lines')
is "long answers are whole" "$(on 2 cat /tmp/lines | md5sum)" "$sent"
on 2 'sleep 600 > /dev/null 2>&1 &'
check "what is started in the background stays" on 2 pidof sleep

check "a node has the memory that is its own" test "$(memory_kb 2)" -gt $(($(memory_kb 3) + 50000))
check "and the modules" on 2 test -e /dev/zram0
is "tbtf is loaded but where it is not to be" "$(loaded 2)$(loaded 3)" 10
is "nothing of the test is swapped out" "$(sed s/^0::// /proc/self/cgroup) $(cat $CGROUP/test/memory.swap.max)" "/test 0"

check "the first reaches the second" reaches 2
check "with frames of 9000 bytes" ping -c 1 -W 1 -s 8972 node2
check "the second reaches the third" reaches 2 3
check_not "the first does not reach the third" ping -c 1 -W 1 "$(address 3 2)"
link 1-2 off
check_not "a link that is cut carries nothing" reaches 2
check "the other one does" reaches 2 3
link 1-2 on
check "and this one again" wait_for 'reaches 2' 10

on host stop 2
on -t 1 2 true
is "a node that hangs does not answer" $? 124
on host cont 2
check "and does when it goes on" on 2 true
on host off 3
on 3 true
is "one without power is gone" $? 125
check "and the others are not" on 2 true
# It hangs at the end of the test, too, and has to end all the same.
on host stop 2

finish
