#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - with swap: what is swapped out counts, and a swapoff is the first to go
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=384 smp=1 load="zram" timeout=180
. ./lib.sh

ZRAM=/dev/zram0
DISK=/dev/ram0

status_kb()
{
	sed -n "s/^$2:[^0-9]*\\([0-9]*\\) kB/\\1/p" "/proc/$(hog_pid "$1")/status"
}

swap_used()
{
	awk 'NR > 1 { n += $4 } END { print n + 0 }' /proc/swaps
}

# In swapoff(2), or through with it: the device is still there meanwhile.
swap_size()
{
	awk 'NR > 1 { n += $3 } END { print n + 0 }' /proc/swaps
}

plan 24

echo 160M > /sys/block/zram0/disksize
mkswap $ZRAM > /dev/null && swapon $ZRAM || skip_all "no swap on zram"
cg_make p

# --- P mostly in swap: small by what is resident, and yet the largest
hog_start big -s 80M -c p -m
echo 70M > $CGROUP/p/memory.reclaim 2>/dev/null
in_range "most of the marked process is swapped out" "$(status_kb big VmSwap)" 50000 82000
rss=$(status_kb big RssAnon)
hog_start small1 -s 70M -L
hog_start small2 -s 70M -L
hog_start small3 -s 35M -L
in_range "what of it is resident is less than what others have" "$rss" 0 33000
stat_mark
log_mark
# Locked, so that it is memory that runs out, and not swap space that fills up.
hog_start other -s 4M -L
hog_tell other grow 200M 1M 5
check "the kernel picks it, and tbtf takes one that is smaller than all of it" \
	wait_for 'log_has "tbtf: episode [0-9]+: global: spared [0-9]+ \\(big\\) [0-9]+kB; instead [0-9]+ \\((small[123]|other)\\)"' 60
hog_kill other
spared=$(log_since | sed -n 's/.*spared [0-9]* (big) \([0-9]*\)kB; .*/\1/p' | head -1)
in_range "its size is that with swap" "$spared" 80000 90000
check "it was not killed" hog_alive big
check "what comes back from swap is what was written" hog_do big 60 verify
is "nor has anybody else lost anything" "$(verified small1 small2 small3)" "$(hogs_alive small1 small2 small3)"
hog_kill small1 small2 small3
check "with room for it a swapoff is done" swapoff $ZRAM
check "what it brought back is what was written" hog_do big 60 verify

# --- swapoff under pressure: it is the kernel's own first choice, marked or not
swapoff_dies()
{
	hog_tell off swapoff $DISK
	hog_gone off 60
}

fill()
{
	echo 70M > $CGROUP/p/memory.reclaim 2>/dev/null
	hog_start lock1 -s 80M -L
	hog_start lock2 -s 70M -L
}

# A RAM disk does not shrink when its pages are read back, as zram does.
modprobe brd rd_nr=1 rd_size=98304
dd if=/dev/zero of=$DISK bs=1M count=96 2>/dev/null
mkswap $DISK > /dev/null && swapon $DISK || skip_all "no swap on a RAM disk"
size=$(swap_size)
fill
in_range "there is much to bring back" "$(swap_used)" 40000 160000
hog_start off -s 4K
stat_mark
log_mark
check "swapoff without the room for it dies" swapoff_dies
is "and nobody else, with the marked one as the largest" "$(killed) $(hogs_alive big lock1 lock2)" "off 3"
is "tbtf has let it pass" "$(stat_since passes_origin) $(stat_since sacrifices) $(stat_since episodes)" "1 0 0"
is "the swap is still on" "$(swap_size)" "$size"

hog_start off -s 4K -m
stat_mark
log_mark
check "a swapoff that is marked itself dies all the same" swapoff_dies
is "and nobody else" "$(killed) $(hogs_alive big lock1 lock2)" "off 3"
is "tbtf has let it pass" "$(stat_since passes_origin) $(stat_since sacrifices) $(stat_since episodes)" "1 0 0"

# A marked process that runs swapoff is not left to wait for what it eats itself.
cg_set p memory.tbtf tbtf
hog_start off -s 4K -c p
log_mark
check "one protected by its cgroup as well" swapoff_dies
is "and nobody else" "$(killed) $(hogs_alive big lock1 lock2)" "off 3"
check "what comes back from swap is what was written" hog_do big 60 verify
is "to all" "$(verified lock1 lock2)" 2
hog_kill lock1 lock2
check "with the room it is done" hog_start off -s 4K -m
check "also by a marked one" hog_do off 60 swapoff $DISK
check "and the marked one has its data" hog_do big 60 verify

finish
