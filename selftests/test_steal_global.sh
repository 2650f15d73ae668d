#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - rung two for the machine: a P that needs more than there is, and a helper
#
# Copyright (C) 2026 The tbtf authors
#
# The device is one of QEMU's that keeps what is written to it on the host.
#
# vm: mem=256 smp=2 timeout=180 files="helper" load="virtio_pci virtio_blk"
# vm: qopt="-drive file.driver=null-co,file.size=268435456,file.read-zeroes=on,format=raw,if=virtio,snapshot=on"
. ./lib.sh

plan 14

[ -b /dev/vda ] || skip_all "no virtio disk"
mkswap /dev/vda > /dev/null
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 8000
helper -b 16384 /dev/vda &
helper=$!
check "a helper registers" wait_for 'grep -q ^state=ready /tmp/helper' 20
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
check "outcomes sum to episodes" books_balance

finish
