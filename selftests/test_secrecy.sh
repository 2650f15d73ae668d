#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - what a lender holds is noise to it
#
# Copyright (C) 2026 The tbtf authors
#
# A file in a tmpfs is swapped out, line by line the same; then the memory of the
# lender is searched for it. First without secrecy, where it has to be found.
#
# vm: nodes=2 mem=192 smp=1 timeout=400 mtu=9000 node2="mem=320" modules="dm_crypt xts"
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh

LINE="these are the words of node one"

# borrow SECRECY: what is said of it, or nothing
borrow()
{
	configure 1 << EOT
[borrow]
credit_kb = 49152
$1
min_free_kbytes = 16384
ballast_kb = 2048
EOT
	rm -f /tmp/borrow.log
	start 1 borrow && wait_for "grep -q 'credit line: 49152 of' /tmp/borrow.log" 40
}

# write_out: a process has memory stolen, and there the file goes, too
write_out()
{
	hog_start big -s 4M -c p -m && hog_do big 60 grow 12M 1M &&
		mkdir -p /mnt && mount -t tmpfs none /mnt &&
		cg_run s sh -c "yes '$LINE' | head -c 8388608 > /mnt/file" &&
		[ "$(cat /sys/fs/cgroup/s/memory.swap.current)" -gt 3145728 ]
}

# found: how much of the file is in the memory of the lender, in lines
found()
{
	on -t 200 2 "pid=$(daemon 2 lend)
awk '\$2 ~ /^rw/ { split(\$1, a, \"-\"); print a[1], a[2] }' /proc/\$pid/maps |
while read -r from to; do
	dd if=/proc/\$pid/mem bs=1M iflag=skip_bytes,count_bytes skip=\$((0x\$from)) \
		count=\$((0x\$to - 0x\$from)) 2> /dev/null
done | grep -aFc '$LINE'"
}

file_ok()
{
	yes "$LINE" | head -c 8388608 | cmp -s - /mnt/file
}

forget()
{
	hog_kill big
	umount /mnt
}

plan 24

configure 2 << EOT
[lend]
memory_kb = 163840
headroom_kb = 16384
EOT
cg_make p memory.max=8M
cg_make s memory.max=3M
check "the lender is ready" start 2 lend

# --- without
check "the borrower is ready, with secrecy = none" borrow "secrecy = none"
check "pages are elsewhere" write_out
in_range "the lender can read them" "$(found)" 50000 500000
forget
check "the borrower ends" stop 1 borrow 60
is "and the lender has forgotten them" "$(found)" 0

# --- with: it is the default
modprobe dm_crypt
check "the borrower is ready" borrow ""
check "pages are elsewhere" write_out
is "through dm-crypt" "$(awk 'NR > 1 && $1 !~ "^/dev/dm-"' /proc/swaps | wc -l)" 0
in_range "the lender holds them" "$(status_kb "$(daemon 2 lend)" VmRSS 2)" 8192 400000
is "and cannot read them" "$(found)" 0
check "here they are as they were" file_ok
check "and so is what the process has" hog_do big 60 verify
# Programs cannot read it; but who holds it is who could use it.
check "the key is in no keyring any more" wait_for '! grep -q "logon *tbtf:" /proc/keys' 10

# --- the daemon goes, and the key stays in the kernel
before=$(awk 'NR > 1 { print $1 }' /proc/swaps | sort | xargs)
kill -9 "$(daemon 1 borrow)"
check "the borrower is killed" gone 1 borrow 10
check "every byte is there without it" hog_do big 60 verify
mv /tmp/borrow.log /tmp/borrow.log.before
check "the next one is ready" start 1 borrow
check "and knows its devices" wait_for "grep -qE '/dev/dm-[0-9]+ of two is still here: it is swap' /tmp/borrow.log" 30
is "which are the same" "$(awk 'NR > 1 { print $1 }' /proc/swaps | sort | xargs)" "$before"
check "and has its line again" wait_for "grep -q 'credit line: 49152 of' /tmp/borrow.log" 40
check "every byte is as it was" hog_do big 60 verify

resident=$(status_kb "$(daemon 2 lend)" VmRSS 2)
forget
lender=$(daemon 2 lend)
check "what is not needed the lender has back at once" \
	wait_for "[ \$(status_kb $lender VmRSS 2) -lt $((resident - 8192)) ]" 30
check "the borrower ends" stop 1 borrow 60
is "no device is left" "$(cat /sys/block/dm-*/size 2> /dev/null)" ""

finish_nodes
