#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a lender or the way to it goes away while it holds pages; there is one copy
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mem=192 smp=1 timeout=280 mtu=9000 node2="mem=256"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# borrow TIMEOUT DEAD: a borrower with these, in seconds, and its line ready
borrow()
{
	configure 1 << EOT
[borrow]
credit_kb = 65536
copies = 1
secrecy = none
min_free_kbytes = 16384
ballast_kb = 2048
timeout_s = $1
dead_timeout_s = $2
EOT
	rm -f /tmp/borrow.log
	start 1 borrow && wait_for "grep -q 'credit line: 65536 of' /tmp/borrow.log" 30
}

# holds NAME: a marked hog in the cgroup p with much of it elsewhere
holds()
{
	hog_start "$1" -s 8M -c p -m && big=$! && hog_do "$1" 60 grow 20M 1M &&
		[ "$(status_kb "$(hog_pid "$1")" VmSwap)" -gt 8192 ]
}

# away: the borrower that runs now has said that the lender is, and what that means
away()
{
	wait_for "grep -qE 'two has been away for [0-9]+ s: [0-9]+ kB in /dev/nbd' /tmp/borrow.log" 30 &&
		: > /tmp/borrow.log
}

# quiet NAME: an unmarked hog that has pages elsewhere, and does not touch them. (It is
# stopped: its stack may be among them. And its cgroup has room for all of it then: a
# swapoff takes pages even for what cannot be read, and at the limit somebody would die.)
quiet()
{
	echo 8M > $CGROUP/q/memory.max
	hog_start "$1" -s 12M -c q && hog_alive "$1" && kill -STOP "$(hog_pid "$1")" &&
		[ "$(status_kb "$(hog_pid "$1")" VmSwap)" -gt 1024 ] && echo 24M > $CGROUP/q/memory.max
}

# ready: how many extents could be swapped on now
ready()
{
	tbtf peers --json | grep '"state":"ready"' | grep -c '"connected":true'
}

plan 37

configure 2 << EOT
[lend]
memory_kb = 163840
headroom_kb = 16384
lease_s = 16
EOT
check "the lender is ready" start 2 lend
cg_make p memory.max=16M
cg_make q memory.max=8M
cg_make other
hog_start bystander -s 8M -c other

# --- the link is cut for 8 s, which is less than the timeout
check "the borrower is ready" borrow 30 30
check "a process has pages elsewhere" holds cut
log_mark
link 1-2 off
hog_tell cut verify
# So long, and not until something has happened, is the link down.
sleep 8
is "it waits while the link is down" "$(hog_get cut state)" busy
link 1-2 on
check "it goes on when the link is back" wait_for '[ "$(hog_get cut done)" = 2 ]' 60
is "and every byte is as it was written" "$(hog_get cut err) $(hog_get cut bad)" "0 -1"
is "nothing failed meanwhile" "$(log_since | grep -cE 'I/O error|Killed')" 0
hog_kill cut
check "the borrower ends" stop 1 borrow 60
is "without a trace" "$(wc -l < /proc/swaps)" 1

# --- the lender is killed
check "the borrower is ready" borrow 3 3
check "a process has pages elsewhere" holds lost
check "and another one, that does not need them" quiet asleep
lender=$(daemon 2 lend)
on 2 kill -9 "$lender"
gone 2 lend 10
hog_tell lost verify
wait "$big"
is "it is killed by SIGBUS when it touches them" $? $((128 + 7))
is "and nobody else is" "$(verified bystander) $(hogs_alive asleep) $(pid_alive "$(daemon 1 borrow)"; echo $?)" "1 1 0"
check "what cannot be read is logged" away
check "what holds pages is still swap, for they may come back" test "$(wc -l < /proc/swaps)" -gt 1
check "another lender is ready" start 2 lend
check "which knows nothing of it: it is lost, and logged" \
	wait_for "grep -qE 'two has lost what it held: [0-9]+ kB in /dev/nbd' /tmp/borrow.log" 30
check "the devices are swap no more" wait_for '[ "$(wc -l < /proc/swaps)" = 1 ]' 60
check "and the line is prepared anew" wait_for "grep -q 'credit line: 65536 of' /tmp/borrow.log" 60
is "who does not touch what is lost is alive" "$(hogs_alive asleep)" 1
hog_kill asleep
check "so that the next process has memory elsewhere" holds after
check "and another one, that does not need it" quiet asleep
check "and every byte as it was written" hog_do after 60 verify

# --- the link is cut for ever
log_mark
link 1-2 off
began=$(now_ms)
hog_tell after verify
wait "$big"
is "it is killed by SIGBUS when it touches what is lost" $? $((128 + 7))
in_range "after the timeouts" $(($(now_ms) - began)) 3000 $((20000 * ${VM_PATIENCE:-1}))
is "and nobody else is" "$(verified bystander) $(hogs_alive asleep) $(pid_alive "$(daemon 1 borrow)"; echo $?)" "1 1 0"
check "what cannot be read is logged" away
check "when its lease is over nothing will come back, and that is logged" wait_for \
	"grep -qE 'two has been away for [0-9]+ s, longer than its lease lasts: [0-9]+ kB in /dev/nbd' /tmp/borrow.log" 40
check "and no device is swap any more" wait_for '[ "$(wc -l < /proc/swaps)" = 1 ]' 30
is "who does not touch what is lost is alive" "$(hogs_alive asleep)" 1
hog_kill asleep

# --- the link is back, and cut again; this time nobody else has pages there
: > /tmp/borrow.log
link 1-2 on
check "with the link back there is a line again" wait_for '[ "$(ready)" -ge 2 ]' 60
check "and a process has pages elsewhere" holds last
link 1-2 off
hog_tell last verify
wait "$big"
is "it is killed by SIGBUS when it touches what is lost" $? $((128 + 7))
check "what holds nothing is swap no more" wait_for '[ "$(wc -l < /proc/swaps)" = 1 ]' 15
link 1-2 on
check "with the link back the borrower ends when told to" stop 1 borrow 60
check "and the lender" stop 2 lend 60

finish_nodes
