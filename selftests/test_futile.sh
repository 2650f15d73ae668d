#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - kills that do not help come to an end
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=240 load=zram append=log_buf_len=4M
. ./lib.sh

plan 29

# fresh: every episode over, and counters and log from here
fresh()
{
	episodes_over 60
	stat_mark
	log_mark
}

# remove_top: with all below
remove_top()
{
	echo 1 > "$CGROUP/top/cgroup.kill"
	wait_for 'rmdir "$CGROUP"/top/* 2>/dev/null; rmdir "$CGROUP/top" 2>/dev/null' 10
}

# The most that were sacrificed in one of the cgroups below top
most_in_one()
{
	local f

	for f in "$CGROUP"/top/s*/memory.tbtf.events; do
		awk '$1 == "sacrificed" { print $2 }' "$f"
	done | sort -n | tail -1
}

# died_with_p: who died, up to p. With p nobody is protected any more: a kernel that
# does not wait until p has given back all kills another, and that is its own affair.
died_with_p()
{
	killed | sed '/^p$/q'
}

knob nap_ms 50
knob ladder_deadline_ms 500
knob min_victim_kb 1000

# --- services that respawn --------------------------------------------------------

# Twenty, each in a cgroup of its own, each put back by its supervisor.
cg_make top memory.max=120M memory.swap.max=0
cg_make top/p
for i in $(seq 1 20); do
	cg_make "top/s$i"
	while [ ! -e /tmp/stop ]; do
		hog -s 3M -c "top/s$i"
	done 2> /dev/null &
	supervisors="$supervisors $!"
done

# Are all there, and as large as they will be?
services_all()
{
	[ "$(cat "$CGROUP"/top/s*/memory.current | awk '$1 > 3000000 { n++ } END { print n }')" = 20 ]
}

hog_start outside -s 10M
wait_for services_all 60

# respawn_round: P grows into all of it, and dies in the end
respawn_round()
{
	fresh
	hog_start p -m -c top/p -s 10M
	hog_tell p grow 1G 1M
	hog_gone p 90
}

knob max_kills 1000
check "respawning services: it ends" respawn_round
is "the protected one dies as the last" "$(died_with_p | tail -1) $(died_with_p | wc -l)" \
	"p $(($(stat_since sacrifices) + 1))"
in_range "at most two generations of each have died" "$(most_in_one)" 1 2
in_range "that is at most forty" "$(stat_since sacrifices)" 20 40
check "the log says why" log_has 'memcg /top: only services left that respawn for [0-9]+ \(p\)'
check "and it is counted" test "$(stat_since futile_respawn)" -gt 0
check "nobody outside has died" hog_alive outside
check "it ended as killed" wait_for '[ "$(stat_since outcome_killed)" = 1 ]' 30

knob max_kills 16
check "they all come back" wait_for services_all 60
check "with max_kills it ends, too" respawn_round
in_range "after no more than max_kills" "$(stat_since sacrifices)" 1 16
check "outcomes sum to episodes" books_balance

touch /tmp/stop
# shellcheck disable=SC2086
kill $supervisors
remove_top
hog_kill outside

# --- siblings are one generation ---------------------------------------------------

# Ten workers of one service, all there at the first kill: no respawn.
cg_make top memory.max=80M memory.swap.max=0
cg_make top/pool
cg_make top/p
for i in $(seq 1 10); do
	hog_start "w$i" -s 4M -c top/pool
done
fresh
hog_start p -m -c top/p -s 10M
check "a pool of workers may go whole" hog_do p 60 grow 60M 1M
is "none is taken for respawned" "$(stat_since futile_respawn)" 0
check "as many die as it takes" test "$(stat_since sacrifices)" -ge 4
hog_kill p
remove_top

# --- a tmpfs that ate the memory -----------------------------------------------------

mkdir -p /tmp/eater
mount -t tmpfs -o size=200M tmpfs /tmp/eater
total=$(($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) / 1024))
dd if=/dev/zero of=/tmp/eater/file bs=1M count=$((total - 90)) 2>/dev/null
for i in $(seq 1 12); do
	hog_start "t$i" -s 3M
done
knob max_kills 5
fresh
hog_start p -m -s 5M
hog_tell p grow 1G 1M
check "a tmpfs ate the memory: it ends" hog_gone p 90
is "max_kills have died for it" "$(stat_since sacrifices)" 5
is "and itself, nobody else" "$(killed | wc -l)" 6
is "seven live" "$(hogs_alive t1 t2 t3 t4 t5 t6 t7 t8 t9 t10 t11 t12)" 7
check "the log says why" log_has 'global: max_kills reached for [0-9]+ \(p\) after 5 kills'
check "and it is counted" test "$(stat_since futile_max_kills)" -gt 0
umount /tmp/eater
killall -9 hog
knob max_kills 16

# --- kills that regain next to nothing -------------------------------------------------

# Locked memory, beside swap that is free: eight small ones die for a little.
# Then most of the swap is taken away, a device that comes second, and is empty yet.
# What the eight gave is nothing to that: 9 MB, nineteen times as much is 172.
swap2=/dev/zram$(cat /sys/class/zram-control/hot_add)
echo 100M > /sys/block/zram0/disksize
echo 300M > "/sys/block/${swap2#/dev/}/disksize"
mkswap /dev/zram0 > /dev/null
mkswap "$swap2" > /dev/null
swapon /dev/zram0
swapon "$swap2"
knob episode_idle_ms 60000
for i in $(seq 1 20); do
	hog_start "r$i" -L -s 1M
done
fresh
hog_start p -m -L -s "$(($(awk '/MemFree/ { print $2 }' /proc/meminfo) / 1024 - 25))M"
until [ "$(stat_since sacrifices)" -ge 8 ] || ! hog_do p 30 grow 1M; do :; done
dead=$(stat_since sacrifices)
in_range "eight die" "$dead" 8 10
is "and nothing is futile yet" "$(stat_since futile_regain)" 0
check "swap is taken away" swapoff "$swap2"
hog_tell p grow 1G 1M
check "it ends" hog_gone p 60
is "without another death" "$(stat_since sacrifices)" "$dead"
check "the log says why" log_has 'the last kills regained less than a twentieth of what was consumed for [0-9]+ \(p\)'
check "and it is counted" test "$(stat_since futile_regain)" -gt 0
swapoff /dev/zram0
knob episode_idle_ms 300
check "outcomes sum to episodes at the end" books_balance

finish
