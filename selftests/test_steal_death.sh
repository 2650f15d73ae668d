#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the helper is killed in the middle of a steal, at twenty moments
#
# Copyright (C) 2026 The tbtf authors
#
# Before it has read, while it thinks, in swapon(2), when it has granted: the rung ends
# at once, whatever the moment, and what was attached until then is there.
#
# vm: mem=320 smp=2 timeout=240 files="helper"
. ./lib.sh

# One P, one helper, killed so many ms after P was told to grow. What became of P: lives,
# dies, or hangs.
moment()
{
	rm -f /tmp/helper
	helper -d 200 /dev/ram0 &
	helper=$!
	wait_for 'grep -q ^state=ready /tmp/helper 2>/dev/null' 20 || { echo "no helper"; return; }
	hog_start p -m -c m -s 20M 2>/dev/null
	hog_tell p grow 30M
	wait_for '[ "$(knob stage)" != idle ]' 20
	usleep "${1}000"
	kill -9 $helper
	wait $helper 2>/dev/null
	[ "$(cat $TBTF/helper)" = 0 ] || { echo "helper stays"; return; }
	wait_for '[ "$(hog_get p state)" = idle ] || ! hog_alive p' 20 || { echo hangs; return; }
	if hog_alive p; then
		hog_do p 20 verify && echo lives || echo corrupt
		hog_kill p
	else
		echo dies
	fi
	! grep -q ^/dev/ram0 /proc/swaps || swapoff /dev/ram0
	episodes_over 20 || echo "an episode stays open"
}

plan 7

modprobe brd rd_nr=1 rd_size=32768 || skip_all "no RAM disk"
mkswap /dev/ram0 > /dev/null
knob nap_ms 50
knob episode_idle_ms 200
knob ladder_deadline_ms 300
cg_make m memory.max=30M
stat_mark
log_mark

: > /tmp/fates
n=0
while [ $n -lt 20 ]; do
	moment $((n * 15)) >> /tmp/fates
	n=$((n + 1))
done
diag "$(sort /tmp/fates | uniq -c | xargs)"
is "each P has lived or died" "$(grep -cxE 'lives|dies' /tmp/fates) $(wc -l < /tmp/fates)" "20 20"
check "some moments were too early" grep -qx dies /tmp/fates
check "some were late enough" grep -qx lives /tmp/fates
is "twenty deaths of a helper" "$(stat_since helper_deaths)" 20
is "each request has come to one end" "$(stat_since requests)" \
	"$(($(stat_since requests_granted) + $(stat_since requests_refused) + $(stat_since requests_late) + \
	$(stat_since requests_orphaned) + $(stat_since requests_withdrawn)))"
in_range "some lost their helper" "$(stat_since requests_orphaned)" 1 20
check "outcomes sum to episodes" books_balance

finish
