#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - rung two for the machine, and for a node of it: a P that needs more than there is
#
# Copyright (C) 2026 The tbtf authors
#
# The device is one of QEMU's that keeps what is written to it on the host.
#
# vm: mem=320 numa=2 smp=2 timeout=180 files="helper" load="virtio_pci virtio_blk"
# vm: qopt="-drive file.driver=null-co,file.size=268435456,file.read-zeroes=on,format=raw,if=virtio,snapshot=on"
. ./lib.sh
. ./lib_helper.sh

# node_free_kb NODE
node_free_kb()
{
	awk '$3 == "MemFree:" { print $4 }' "/sys/devices/system/node/node$1/meminfo"
}

plan 23

[ -b /dev/vda ] || skip_all "no virtio disk"
mkswap /dev/vda > /dev/null
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 8000
check "a helper registers" helper_start -b 16384 /dev/vda
hog_start small -s 10M
hog_start p -m -s 20M
stat_mark
log_mark
free=$(free_kb)
hog_tell p grow $((free + 60 * 1024))
check "P gets more than there is" wait_for '[ "$(hog_get p state)" = idle ]' 120
is "it is all there" "$(hog_get p kb)" $((free + 80 * 1024))
check "and every byte is right" hog_do p 120 verify
is "one was sacrificed before" "$(killed)" small
is "then the helper was asked" "$(stat_since requests) $(stat_since requests_granted)" "1 1"
check "for the machine" log_has 'global: nobody to kill for [0-9]+ \(p\)'
in_range "from asking to the grant, ms" \
	"$(log_since | sed -n 's/.*the helper grants 262144kB after \([0-9]*\)ms/\1/p')" 0 2000
check "the helper lives" pid_alive "$helper"
check "the episode ends" episodes_over 20
is "as stolen" "$(stat_since outcome_stolen)" 1
is "nobody protected has died" "$(stat_since died_oom)" 0
hog_kill p
check "swap can be given back" swapoff /dev/vda

# --- bound to a node: that one is full, and the other is not
kill -9 "$helper"
wait "$helper" 2>/dev/null
check "another helper registers" helper_start /dev/vda
hog_start p -m -b 1 -s 20M
stat_mark
log_mark
room=$(node_free_kb 1)
hog_tell p grow $((room + 40 * 1024))
check "P bound to a node gets more than that has" wait_for '[ "$(hog_get p state)" = idle ]' 120
is "it is all there" "$(hog_get p kb)" $((room + 60 * 1024))
check "and every byte is right" hog_do p 120 verify
check "it was for that node" log_has 'constrained: nobody to kill for [0-9]+ \(p\)'
is "the helper was told" "$(sed 's/.* scope=\([0-9]*\) .*/\1/' /tmp/helper)" 1
is "nobody has died" "$(killed)" ""
check "the episode ends" episodes_over 20
is "as stolen" "$(stat_since outcome_stolen) $(stat_since episodes)" "1 1"
check "outcomes sum to episodes" books_balance

finish
