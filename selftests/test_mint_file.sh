#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the mints zram and file in order: what cannot be compressed goes to the disk
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=192 smp=2 timeout=240 disk=192 load=zram
# vm: files="../userspace/tbtfd ready watcher"
. ./lib.sh
. ./lib_mint.sh

FILE=/var/print.swap

# refused NAME REGEX: tbtfd does not start, and says why
refused()
{
	if tbtfd_start; then
		not_ok "$1"
		kill "$(tbtfd_pid)"
	else
		check "$1" said "$2"
	fi
}

used()
{
	awk -v d="$1" '$1 == d { print $4 }' /proc/swaps
}

file_kb()
{
	stat -c '%b' $FILE 2>/dev/null | awk '{ print $1 / 2 }'
}

# files: how many there are that are ours
files()
{
	find /var -name '*.swap' | wc -l
}

plan 32

memory=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 20000
echo 1 > /proc/sys/vm/overcommit_memory
cg_make work
before=$(zrams)
check "a bystander who is locked in memory" watch_start

# --- where no swap file can be ------------------------------------------------------------

printing "mints = file" "file = /tmp/print.swap" "file_kb = 65536"
refused "not in memory" 'file = /tmp/print.swap is on (tmpfs|ramfs), which is memory'
printing "mints = file" "file = /nowhere/print.swap" "file_kb = 65536"
refused "not where there is no directory" 'file = /nowhere/print.swap: no directory /nowhere: No such file'
echo "dear diary" > /var/diary
printing "mints = file" "file = /var/diary" "file_kb = 65536"
refused "not over somebody's file" 'file = /var/diary is there already, and was not made by tbtfd'
is "which is still there" "$(cat /var/diary)" "dear diary"
printing "mints = file" "file = $FILE" "file_kb = 1048576"
check "a file larger than the disk" tbtfd_start
check "is no mint" wait_for 'said "file prints nothing: cannot make /var/print.swap with 1048576 kB: No space left"' 30
is "and leaves nothing" "$(mint file state) $(files)" "dry 0"
check "tbtfd ends" tbtfd_stop 20

# --- in order: zram, and when that is no gain, the file ----------------------------------------

printing "mints = zram file" "withdraw_after_s = 2" "file = $FILE" "file_kb = 98304"
check "tbtfd has both" tbtfd_start
check "a zram is ready" wait_for '[ "$(mint zram state)" = ready ]' 30
check "and so is a file" wait_for '[ "$(mint file state)" = ready ]' 60
is "without holes, for nobody else to read" "$(($(file_kb) >= 98304)) $(stat -c %a $FILE)" "1 600"
is "neither is swap yet" "$(no_swap && echo none)" none
stat_mark
# At first it packs well, so that zram is printed, and what comes then does not.
hog_start p -m -k -s 16M -c work
check "the sample says that zram pays" wait_for 'said "1000 kB would take [2-4][0-9][0-9] kB, by a sample"' 30
hog_start q -m -s 4M -c work
check "P grows beyond memory" hog_do p 60 grow $((memory - 40000)) 1M
check "another that cannot be compressed grows as well" hog_do q 120 grow 96M 1M
is "zram was printed first, then the file" \
	"$(sed -n 's/.* printed by \([a-z]*\) for .*/\1/p' /tmp/borrow.log | uniq | xargs)" "zram file"
in_range "pages are on the disk" "$(used $FILE)" 1000 98304
is "nobody has died" "$(stat_since sacrifices) $(stat_since outcome_killed) $(hogs_alive p q)" "0 0 2"
is "and every byte is right" "$(verified p q)" 2
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))

# --- tbtfd is killed, and finds both again ------------------------------------------------------

kill -9 "$(tbtfd_pid)"
check "tbtfd is killed" tbtfd_gone 10
check "and is back" tbtfd_start
check "it finds its file" said "$FILE is still here: it is swap, with [0-9]+ kB"
check "P and the other do not notice" [ "$(verified p q)" = 2 ]

# --- back to normal ---------------------------------------------------------------------------

inode=$(stat -c %i $FILE)
hog_kill p q
check "when they are gone, so is all swap" wait_for no_swap 60
# The last goes first, unless zram is no gain by now.
is "both have been withdrawn" \
	"$(sed -n 's/.*what \([a-z]*\) has printed is withdrawn: [0-9].*/\1/p' /tmp/borrow.log | sort -u | xargs)" \
	"file zram"
check "a file is ready again" wait_for '[ "$(mint file state)" = ready ]' 60
check "another one" test "$(stat -c %i $FILE)$(used $FILE)" != "$inode" -o "$(said_count "$FILE is ready")" -ge 1
check "tbtfd ends when it is told to" tbtfd_stop 30
is "and leaves nothing" "$(zrams) $(files)" "$before 0"
finish_mint
