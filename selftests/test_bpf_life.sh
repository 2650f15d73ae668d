#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - the eBPF part comes and goes, and says what keeps it from coming
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=150 files="flood"
. ./lib.sh

PINS=/sys/fs/bpf/tbtf
OUT=/tmp/out

as_nobody()
{
	su -s /bin/sh nobody -c "/tests/tbtf $*"
}

# doctor TEXT: whether it says so
doctor()
{
	tbtf doctor --json --verbose | grep -q "$1"
}

fig()
{
	tbtf stats --prometheus | sed -n "s/^tbtf_$1 //p"
}

mode()
{
	tbtf stats --json | sed -n 's/^  "mode": "\(.*\)",/\1/p'
}

# unloaded: newer kernels let go of a link only a while after it is gone
unloaded()
{
	wait_for 'rmmod tbtf 2>/dev/null' 10
}

plan 48

# --- not there yet
one_line "stats: not attached" 1 "not attached: tbtf stats --attach" tbtf stats
one_line "watch: not attached" 1 "not attached: tbtf stats --attach" tbtf watch
one_line "record: not attached" 1 "not attached: tbtf stats --attach" tbtf record -o /tmp/r
one_line "detach: nothing to do" 0 "nothing is pinned" tbtf stats --detach
check "the doctor says so" doctor "no eBPF programs are attached"
one_line "no rights" 77 "not permitted" as_nobody stats --attach
check_not "and nothing is left behind" test -e "$PINS"

# --- attached; it counts with nobody there, and a second loader takes what it finds
check "attached" tbtf stats --attach
is "only root can look" "$(stat -c '%a %u' "$PINS")" "700 0"
is "by the module's types" "$(mode)" tp_btf
flood 5
is "five marks" "$(fig marks_set_total)" 5
one_line "nobody else can look" 77 "not permitted" as_nobody stats
# how many links are pinned
links()
{
	set -- "$PINS"/link_*
	echo $#
}

links=$(links)
rm "$PINS/link_btf_mark"
check "a second loader" tbtf stats --attach --raw
is "mends what is missing" "$(links)" "$links"
is "as the first began it" "$(mode)" tp_btf
is "and keeps the figures" "$(fig marks_set_total)" 5
flood 5
is "it goes on" "$(fig marks_set_total)" 10

# --- it holds the module
check_not "rmmod is refused" rmmod tbtf
check "the doctor says why" doctor "cannot be unloaded before 'tbtf stats --detach'"
check "and what to do" doctor "To unload it: tbtf stats --detach"
tbtf watch > /tmp/watched 2>&1 &
watcher=$!
# From now on, or a little later: whatever it tells first, it is there.
wait_for 'flood 1; [ -s /tmp/watched ]' 20
check "detached" tbtf stats --detach
check "who watches is told" wait_for '! pid_alive $watcher' 10
wait "$watcher"
is "and gives up" "$? $(tail -1 /tmp/watched)" "1 tbtf: the eBPF part has been detached"
check_not "no pins" test -e "$PINS"
check "rmmod works" unloaded
one_line "stats without the module" 69 "module is not loaded" tbtf stats
one_line "watch without the module" 69 "module is not loaded" tbtf watch
one_line "attach without the module" 69 "module is not loaded" tbtf stats --attach
check_not "still no pins" test -e "$PINS"
check "loaded again" modprobe tbtf
check "attached again" tbtf stats --attach
is "from zero" "$(fig marks_set_total)" 0

# --- what another version has pinned: a map of that name with other contents
check "detached again" tbtf stats --detach
mkdir -m 700 "$PINS"
tbtf stats --attach && mv "$PINS/control" "$PINS/other" && mv "$PINS/victims" "$PINS/control"
one_line "attach refuses what it does not know" 1 "of another version" tbtf stats --attach
one_line "and so does stats" 1 "of another version" tbtf stats
check "the doctor names it" doctor "another version of tbtf are attached"
check "it can be detached all the same" tbtf stats --detach

# --- no bpffs
umount /sys/fs/bpf
one_line "no bpf file system" 1 "mount -t bpf" tbtf stats --attach
mount -t bpf bpf /sys/fs/bpf

# --- without the module's types: raw tracepoints, by itself
cp /sys/kernel/btf/vmlinux /tmp/vmlinux
mount -t tmpfs none /sys/kernel/btf
cp /tmp/vmlinux /sys/kernel/btf/vmlinux
check "without the module's types it is attached" tbtf stats --attach
is "by raw tracepoints" "$(mode)" raw_tp
flood 5
is "which count as well" "$(fig marks_set_total) $(fig events_bad_total)" "5 0"
check "and are detached" tbtf stats --detach

# --- without the kernel's
rm /sys/kernel/btf/vmlinux
one_line "without the kernel's: one line" 1 "no type information" tbtf stats --attach
check_not "and nothing is left behind" test -e "$PINS"
umount /sys/kernel/btf

# --- locked down
mount -t securityfs none /sys/kernel/security 2>/dev/null
if echo confidentiality > /sys/kernel/security/lockdown; then
	one_line "locked down: one line" 1 "locked down" tbtf stats --attach
	check_not "and nothing is left behind" test -e "$PINS"
else
	skip "locked down: one line" "this kernel has no lockdown"
	skip "and nothing is left behind" "this kernel has no lockdown"
fi
# All else goes on.
cg_make t memory.max=48M
hog_start a -c t -s 10M
hog_start big -c t -s 20M -m
check "it grows" hog_do big 60 grow 22M 256K
is "another died for it" "$(hogs_alive a big)" 1
finish
