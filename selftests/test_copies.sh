#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - two lenders hold each page: one of them may go, again and again
#
# Copyright (C) 2026 The tbtf authors
#
# Neither copies nor secrecy is said: two copies, and dm-crypt above them, are the
# defaults. Each lender that goes has been the only one with some of the pages before,
# or got them from such a one.
#
# vm: nodes=4 links="1-2 1-3 1-4" mem=224 smp=1 timeout=400 mtu=9000
# vm: node2="mem=224" node3="mem=224" node4="mem=288" modules="raid1 dm_crypt xts"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

# logged TEXT TIMEOUT: the borrower has said it, a regex, since the last forget_log
logged()
{
	wait_for "grep -qE '$1' /tmp/borrow.log" "$2"
}

forget_log()
{
	cp /tmp/borrow.log /tmp/borrow.log.before
	: > /tmp/borrow.log
}

# mirrored: every mirror that is swap has two members, and both hold everything
mirrored()
{
	local array

	for array in /sys/block/md_tbtf_*; do
		[ "$(cat "$array/md/degraded")" = 0 ] || return 1
	done
}

received_kb()
{
	on "$1" 'echo $(($(cat /sys/class/net/node1/statistics/rx_bytes) / 1024))'
}

plan 34

# The third has room for all, also for what of the line is only ready.
for n in 2 3 4; do
	configure $n << EOT
[lend]
memory_kb = $((n == 4 ? 180224 : 131072))
headroom_kb = 16384
EOT
done
configure 1 << EOT
[borrow]
credit_kb = 32768
min_free_kbytes = 16384
ballast_kb = 2048
dead_timeout_s = 60
replace_after_s = 5
EOT
modprobe raid1
modprobe dm_crypt
check "two lenders are ready" start 2 lend
check "both" start 3 lend
check "the borrower is ready" start 1 borrow
check "and its line, counted once" logged 'of (two and three|three and two) ready as /dev/dm-[0-9]+; credit line: 32768 of' 40
cg_make p memory.max=16M
cg_make other
hog_start bystander -s 4M -c other
hog_start big -s 8M -c p -m
check "a process has twice of what it may have" hog_do big 100 grow 24M 1M
in_range "the rest is elsewhere" "$(status_kb "$(hog_pid big)" VmSwap)" 12288 32768
check "in mirrors" mirrored
is "of as many lenders as copies" "$(tbtf peers --json | grep '"state":"attached"' |
	grep -vc '"copies":2,"copies_wanted":2,"copied_percent":null,"secret":true')" 0
used=$(swap_used_kb)
for n in 2 3; do
	in_range "lender $n holds all of it" "$(status_kb "$(daemon $n lend)" VmRSS $n)" "$used" 400000
done

# --- the way to one of them is cut for 8 s, while little is written
forget_log
link 1-2 off
check "it goes on without it" hog_do big 60 grow 1M 1M
check "the log says who has the only copy" logged 'two is out of the mirror /dev/dm-[0-9]+: three has the only copy' 30
# So long, and not until something has happened, is the link down.
sleep 8
before=$(received_kb 2)
link 1-2 on
check "it is taken back" logged 'two is back in the mirror' 60
check "and has what it missed" logged 'has two copies again: two has all' 60
check "so has every mirror" wait_for mirrored 60
copied=$(($(received_kb 2) - before))
attached=$(awk 'NR > 1 { n += $3 } END { print n }' /proc/swaps)
in_range "which is not everything" "$copied" 0 $((attached * 15 / 16))
check "every byte is as it was written" hog_do big 60 verify

# --- this node is cut off: both ways, for 8 s
forget_log
hog_tell big verify
link 1-2 off
link 1-3 off
sleep 8
link 1-2 on
link 1-3 on
check "with no lender at all it waits" wait_for '[ "$(hog_get big done)" = 4 ]' 60
is "and nothing is lost" "$(hog_get big err) $(hog_get big bad)" "0 -1"
check "every mirror is whole again" wait_for mirrored 60
is "and takes writes: none has lost both" "$(cat /sys/block/md_tbtf_*/md/array_state | grep -c broken)" 0

# --- the power of the other one fails
forget_log
hog_tell big verify
on host off 3
check "it goes on with what the first one has" wait_for '[ "$(hog_get big done)" = 5 ]' 60
is "every byte is as it was written" "$(hog_get big err) $(hog_get big bad)" "0 -1"
check "the log says who has the only copy" logged 'three is out of the mirror /dev/dm-[0-9]+: two has the only copy' 30
check "a third lender is ready" start 4 lend
check "it is taken in" logged 'four is taken into the mirror /dev/dm-[0-9]+: [0-9]+ kB are copied' 60
check "and gets all" logged 'has two copies again: four has all' 90
check "in every mirror" wait_for mirrored 90

# --- the second one is killed
forget_log
lender=$(daemon 2 lend)
hog_tell big verify
on 2 kill -9 "$lender"
check "it goes on with what the third one has" wait_for '[ "$(hog_get big done)" = 6 ]' 60
is "every byte is as it was written" "$(hog_get big err) $(hog_get big bad)" "0 -1"
is "and nobody has been hurt" "$(verified bystander) $(pid_alive "$(daemon 1 borrow)"; echo $?) $(killed)" "1 0 "
hog_kill big
check "the borrower ends" stop 1 borrow 90
left=$(cat /sys/block/md*/size /sys/block/dm-*/size 2> /dev/null)
# From 6.18 on an array with a name stays when it is stopped, but is nothing (kernels.rst).
[ ! -e /sys/module/md_mod/parameters/legacy_async_del_gendisk ] || left=$(echo "$left" | grep -vx 0)
is "no device is left" "$left" ""
check "and the last lender has all of it back" stop 4 lend 30

finish_nodes
