# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - a node that prints: tbtfd borrow with mints and without lenders
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh, by a test with files="../userspace/tbtfd ready watcher".
# What tbtfd prints is in /tmp/borrow.log.

# printing LINE...: /etc/tbtf/tbtfd.conf has these below [print]
printing()
{
	mkdir -p /etc/tbtf /run/tbtf
	{
		echo "[borrow]"
		echo "min_free_kbytes = 16384"
		echo "ballast_kb = 2048"
		echo "[print]"
		printf '%s\n' "$@"
	} > /etc/tbtf/tbtfd.conf
}

# tbtfd_start: and wait until it is ready
tbtfd_start()
{
	[ ! -e /tmp/borrow.log ] || cat /tmp/borrow.log >> /tmp/borrow.old
	[ -d $CGROUP/daemon ] || cg_make daemon
	ready -t 60 -a -1000 -c daemon borrow tbtfd --verbose borrow
}

tbtfd_pid()
{
	cat /tmp/borrow.pid
}

tbtfd_gone()
{
	wait_for '! pid_alive "$(tbtfd_pid)"' "$1"
}

# tbtfd_stop TIMEOUT: as systemd does, and wait; whether it is gone
tbtfd_stop()
{
	kill "$(tbtfd_pid)"
	tbtfd_gone "$1"
}

# said REGEX: in the log of the tbtfd that runs
said()
{
	grep -qE -- "$1" /tmp/borrow.log
}

said_count()
{
	grep -cE -- "$1" /tmp/borrow.log
}


# mint NAME KEY: of the status
mint()
{
	tbtf peers --json | sed -n 's/.*"name":"'"$1"'".*"'"$2"'":"\{0,1\}\([^,"}]*\).*/\1/p'
}

# print_get KEY: of the status, of all mints
print_get()
{
	tbtf peers --json | sed -n 's/.*"kind":"print".*"'"$1"'":\([^,}]*\).*/\1/p'
}

# swapped FILE: whether that is swap
swapped()
{
	grep -q "^$1 " /proc/swaps
}

# no_swap: nothing is
no_swap()
{
	[ "$(wc -l < /proc/swaps)" -le 1 ]
}

# zrams: how many devices there are
zrams()
{
	find /sys/block -name 'zram*' | wc -l
}

watch_start()
{
	watcher /tmp/watcher &
	wait_for '[ -s /tmp/watcher ]' 10
}

# watched: the longest that it was kept waiting, in ms
watched()
{
	sed 's/^longest=\([0-9]*\) .*/\1/' /tmp/watcher
}

# finish_mint: finish, with what tbtfd said if something failed
finish_mint()
{
	# shellcheck disable=SC2154 # it is of lib.sh
	if [ "$__failed" -gt 0 ]; then
		cat /tmp/borrow.old /tmp/borrow.log 2>/dev/null | tail -60 | sed 's/^/# tbtfd: /'
		sed 's/^/# /' /proc/swaps
	fi
	finish
}
