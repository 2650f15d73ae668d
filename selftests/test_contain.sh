#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - --contain: whose pages leave memory when a process grows, and whose do not
#
# Copyright (C) 2026 The tbtf authors
#
# The device is one of QEMU's that keeps what is written to it on the host.
#
# vm: mem=192 smp=1 timeout=150 load="virtio_pci virtio_blk"
# vm: qopt="-drive file.driver=null-co,file.size=268435456,file.read-zeroes=on,format=raw,if=virtio,snapshot=on"
. ./lib.sh

CROWD="c1 c2 c3"

# swapped NAME: of its memory, kB
swapped()
{
	sed -n 's/^VmSwap:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(hog_pid "$1")/status"
}

crowd_swapped()
{
	local c n=0

	for c in $CROWD; do
		n=$((n + $(swapped "$c")))
	done
	echo $n
}

# limits: of all cgroups but those without one
limits()
{
	grep -H . "$CGROUP"/*/memory.swap.max "$CGROUP"/*/memory.high | grep -v ':max$' | sed "s,$CGROUP/,,"
}

# eat: three that do nothing, and one that grows beyond what there is
eat()
{
	local c

	for c in $CROWD; do
		hog_start "$c" -s 12M -c crowd
	done
	hog_start p -s 4M -c p
	began=$(now_ms)
	hog_do p 60 grow $((free + 4096)) 1M
	grew=$(($(now_ms) - began))
	out=$(crowd_swapped)
	verified=$(now_ms)
	verified $CROWD > /dev/null
	verified=$(($(now_ms) - verified))
}

plan 18

[ -b /dev/vda ] || skip_all "no virtio disk"
mkswap /dev/vda > /dev/null
swapon /dev/vda
cg_make crowd
cg_make p
free=$(free_kb)

check "a process grows beyond what there is" eat
in_range "and others are swapped for it" "$out" 4096 40000
diag "without: $out kB of the others and $(swapped p) kB of P swapped; P grew in $grew ms, the others read theirs in $verified ms"
hog_kill p $CROWD

before=$(limits)
check "contained, of which is said what is written" sh -c "tbtf set -c /p --contain --dry-run | grep -qx '/crowd/memory.swap.max: max -> 0'"
is "and nothing is written" "$(limits) $(cg_get p memory.tbtf)" "$before inherit"
check "contained" tbtf set -c /p --contain
is "the others may not swap" "$(cg_get crowd memory.swap.max) $(cg_get p memory.swap.max)" "0 max"
is "and it is marked" "$(cg_get p memory.tbtf)" tbtf
check "it grows as before" eat
is "nothing of the others is swapped" "$out" 0
in_range "for it is all its own" "$(swapped p)" 4096 100000
diag "contained: 0 kB of the others and $(swapped p) kB of P swapped; P grew in $grew ms, the others read theirs in $verified ms"
check "all of it is as it was written" hog_do p 60 verify
check "it is cleared" tbtf clear -c /p
is "and all limits are as before" "$(limits)" "$before"
hog_kill p $CROWD

mkdir "$CGROUP/other"
check "run in a cgroup that is contained" \
	sh -c 'tbtf run --cgroup --name x --contain --brake 65536 -- cat /sys/fs/cgroup/other/memory.swap.max \
		/sys/fs/cgroup/tbtf-x/memory.high | xargs | grep -qx "0 67108864"'
check "which is over when it ends" wait_for '[ "$(limits)" = "$before" ]' 20
check "and its cgroup is gone" wait_for '[ ! -e "$CGROUP/tbtf-x" ]' 20
is "nothing is left of it" "$(ls /run/tbtf/contain)" ""
is "nobody was killed" "$(dmesg | grep -c 'Killed process')" 0

finish
