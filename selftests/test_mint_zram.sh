#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the mint zram: a process eats more than there is, and all goes back afterwards
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=192 smp=2 timeout=240 load="zram"
# vm: files="../userspace/tbtfd ready watcher"
. ./lib.sh
. ./lib_mint.sh

# ours: the number of the zram that is swap, or would be
ours()
{
	sed -n 's/.*\/dev\/zram\([0-9]*\) is ready: .*/\1/p' /tmp/borrow.log | head -1
}

# fresh: nobody is out of memory; counters from here
fresh()
{
	episodes_over 30
	stat_mark
}

plan 54

memory=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 20000
echo 1 > /proc/sys/vm/overcommit_memory
cg_make work
min_free=$(cat /proc/sys/vm/min_free_kbytes)
before=$(zrams)
# Somebody else's, which nobody is to touch.
echo 8M > /sys/block/zram0/disksize
mkswap /dev/zram0 > /dev/null
sum=$(md5sum < /dev/zram0)
check "a bystander who is locked in memory" watch_start

# --- what can be compressed -----------------------------------------------------------

printing "mints = zram" "withdraw_after_s = 2"
check "tbtfd without lenders is ready" tbtfd_start
is "it is the helper for printing" "$(knob helper) $(knob helper_rungs)" "$(tbtfd_pid) -steal print"
check "a zram is ready" wait_for '[ "$(mint zram state)" = ready ]' 20
is "which is no swap yet" "$(no_swap && echo none)" none
fresh
hog_start p -m -k -s 12M -c work
check "its pages are sampled" wait_for 'said "1000 kB would take [0-9]+ kB, by a sample"' 30
in_range "they can be compressed to a quarter and a bit" \
	"$(sed -n 's/.*1000 kB would take \([0-9]*\) kB, by a sample.*/\1/p' /tmp/borrow.log | tail -1)" 200 400
zram=$(ours)
in_range "and the zram is as large as half of memory" \
	$(($(cat "/sys/block/zram$zram/size") / 2)) $((memory / 2 - 1024)) $((memory / 2))
check "a fast compressor" grep -qE '\[(lz4|lzo|lzo-rle)\]' "/sys/block/zram$zram/comp_algorithm"
check "P grows beyond memory" hog_do p 60 grow $((memory + 8000)) 1M
in_range "it was printed, and what was gained once more" "$(said_count 'printed by zram for')" 1 6
is "outcome of all that: granted" \
	"$(($(stat_since requests_granted) > 0)) $(stat_since outcome_killed) $(stat_since sacrifices)" "1 0 0"
is "before all other swap" "$(awk -v d="/dev/zram$zram" '$1 == d { print $5 }' /proc/swaps)" 50
check "every byte is right" hog_do p 90 verify
check "the episode is over" episodes_over 30
is "as printed, as all of them" $(($(stat_since outcome_printed) - $(stat_since episodes))) 0
check "outcomes sum to episodes" books_balance
in_range "what it costs is told" "$(mint zram price_permille)" 150 600
in_range "and what all of it costs" "$(print_get inflation_permille)" 150 600
check "and in words" sh -c 'tbtf peers | grep -qE "^zram +out "'
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))

# --- tbtfd is killed in the middle of it ------------------------------------------------

kill -9 "$(tbtfd_pid)"
check "tbtfd is killed" tbtfd_gone 10
check "P does not notice" hog_do p 60 grow 1M
check "tbtfd is back" tbtfd_start
check "it finds its zram" said "/dev/zram$zram is still here: it is swap"
is "as what it was" "$(mint zram state)" out
check "every byte is right" hog_do p 90 verify

# --- back to normal ----------------------------------------------------------------------

hog_kill p
check "when P is gone, so is the swap" wait_for no_swap 60
check "it is told" wait_for 'said "what zram has printed is withdrawn: [0-9]+ kB came back"' 10
check "and a zram is ready again" wait_for '[ "$(mint zram state)" = ready ]' 20
check "tbtfd ends when it is told to" tbtfd_stop 30
is "and leaves nothing" "$(zrams) $(cat /proc/sys/vm/min_free_kbytes)" "$before $min_free"

# --- killed with a zram that is only ready ------------------------------------------------

check "tbtfd once more" tbtfd_start
check "is ready" wait_for '[ "$(mint zram state)" = ready ]' 20
kill -9 "$(tbtfd_pid)"
check "and killed" tbtfd_gone 10
fresh

# --- what was promising, and cannot be compressed after all ---------------------------------

# With no other mint, this is where a machine could be busy with nothing but itself.
knob ladder_deadline_ms 2000
check "tbtfd once more" tbtfd_start
hog_start p -m -k -s 16M -c work
check "a sample of who can be compressed" wait_for 'said "1000 kB would take [2-4][0-9][0-9] kB, by a sample"' 30
hog_start q -m -s 4M -c work
hog_tell q grow $((memory * 2)) 1M
check "who cannot eats all of it, and goes" hog_gone q 120
in_range "zram was printed" "$(said_count 'printed by zram for')" 1 6
is "and refused in the end" "$(($(stat_since requests_refused) > 0)) $(stat_since requests_late)" "1 0"
check "no page was refused that there was room for" sh -c '! dmesg | grep -q "Write-error on swap-device"'
check "the other has every byte" hog_do p 90 verify
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))
hog_kill p
check "all swap goes" wait_for no_swap 60
check "tbtfd ends" tbtfd_stop 30
fresh

# --- what cannot be compressed -------------------------------------------------------------

check "tbtfd once more" tbtfd_start
hog_start p -m -s 12M -c work
check "the sample says that it is no use" wait_for '[ "$(mint zram state)" = dry ]' 30
check "and so does the log" said 'zram prints nothing: pages of who is protected can hardly be compressed'
hog_tell p grow $((memory + 8000)) 1M
check "P is refused, and goes" hog_gone p 60
is "nothing was tried" "$(no_swap && echo none) $(stat_since requests_granted)" "none 0"
is "refused at once" "$(($(stat_since requests_refused) > 0)) $(stat_since requests_late)" "1 0"
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))
check "tbtfd ends" tbtfd_stop 30
is "and leaves nothing, but what is not its own" "$(zrams) $(md5sum < /dev/zram0)" "$before $sum"
finish_mint
