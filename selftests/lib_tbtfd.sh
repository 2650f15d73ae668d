# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - lenders and borrowers on the nodes of a test
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh and lib_nodes.sh, on node 1. The nodes have the names one,
# two, three, four. A daemon runs as its unit has it: oom_score_adj -1000, and in a
# cgroup of its own, "daemon". What it prints is in /tmp/borrow.log or /tmp/lend.log.

PKI=

# name_of N
name_of()
{
	set -- "$1" one two three four
	shift "$1"
	echo "$1"
}

# make_pki: an authority, and a certificate for each node; from then on what configure
# writes has encryption = tls
make_pki()
{
	local node file dir=/etc/tbtf

	mkdir -p $dir
	tbtfd pki ca $dir > /dev/null || return
	for node in $(seq "$NODES"); do
		tbtfd pki node $dir "$(name_of "$node")" > /dev/null || return
		[ "$node" -gt 1 ] || continue
		on "$node" "mkdir -p $dir" || return
		for file in ca.pem "$(name_of "$node").pem" "$(name_of "$node").key"; do
			on "$node" "echo '$(cat "$dir/$file")' > $dir/$file" || return
		done
	done
	PKI=$dir
}

security()
{
	if [ -z "$PKI" ]; then
		echo "encryption = none"
	else
		printf '%s\n' "encryption = tls" "ca = $PKI/ca.pem" \
			"cert = $PKI/$(name_of "$1").pem" "key = $PKI/$(name_of "$1").key"
	fi
}

# configure N: what /etc/tbtf/tbtfd.conf has there is on stdin, but for what is the
# same in all tests: names, peers, and that nothing is encrypted unless make_pki was
configure()
{
	local other peers=""

	for other in $(on "$1" ls /sys/class/net | sed -n 's/^node//p'); do
		peers="$peers
$(name_of "$other") = $(address "$other" "$1")"
	done
	on "$1" "mkdir -p /etc/tbtf; echo '[node]
name = $(name_of "$1")
[peers]$peers
[security]
$(security "$1")
$(cat)' > /etc/tbtf/tbtfd.conf"
}

# start N lend|borrow: and wait until it is ready
start()
{
	on -t 100 "$1" "mkdir -p /run/tbtf /sys/fs/cgroup/daemon
[ $2 = lend ] || modprobe nbd nbds_max=16
ready -t 60 -a -1000 -c daemon $2 tbtfd $2"
}

# daemon N lend|borrow: its pid
daemon()
{
	on "$1" cat "/tmp/$2.pid"
}

# stop N lend|borrow TIMEOUT: as systemd does, and wait; whether it is gone
stop()
{
	on "$1" kill "$(daemon "$1" "$2")"
	gone "$1" "$2" "$3"
}

gone()
{
	on_wait "$1" "! pid_alive $(daemon "$1" "$2")" "$3"
}

# finish_nodes: finish, with what the daemons said if something failed
finish_nodes()
{
	local n what

	# shellcheck disable=SC2154 # it is of lib.sh
	if [ "$__failed" -gt 0 ]; then
		for n in $(seq "$NODES"); do
			for what in borrow lend; do
				on -t 5 "$n" "[ ! -e /tmp/$what.log ] || tail -30 /tmp/$what.log" |
					sed "s/^/# node $n: /"
			done
		done
	fi
	finish
}

# memory_kb FIELD [N]: of /proc/meminfo
memory_kb()
{
	on "${2:-1}" "sed -n 's/^$1: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"
}

# status_kb PID FIELD [N]: of /proc/PID/status
status_kb()
{
	on "${3:-1}" "sed -n 's/^$2:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$1/status"
}

# swap_used_kb: on all devices of node 1
swap_used_kb()
{
	awk 'NR > 1 { n += $4 } END { print n + 0 }' /proc/swaps
}
