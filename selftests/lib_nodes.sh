# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - what tests of several VMs have in common
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh, on node 1; the other nodes do what is sent to them:
#	on N COMMAND...		there, in /tests, as root (on.c)
# $NODES is how many there are. Nothing of this script is swapped out: it runs in
# the cgroup "test". What shall be, has to be started in another one (hog -c).

# on_lib N COMMAND...: with the functions of lib.sh
on_lib()
{
	local node="$1"

	shift
	on "$node" ". ./lib.sh; $*"
}

# on_wait N COND TIMEOUT: wait_for, there
on_wait()
{
	on -t $(($3 + 10)) "$1" ". ./lib.sh; wait_for '$2' $3"
}

# address N [OF]: of node N, on its link to node OF (1)
address()
{
	local of="${2:-1}"

	if [ "$1" -lt "$of" ]; then
		echo "10.$1.$of.$1"
	else
		echo "10.$of.$1.$1"
	fi
}

# link A-B off|on: pull the cable out, plug it in
link()
{
	on host link "$1" "$2"
}

# reaches [N] OTHER: whether a ping from node N (this one) is answered within a second
reaches()
{
	if [ $# -gt 1 ]; then
		on "$1" "ping -c 1 -W 1 node$2 > /dev/null"
	else
		ping -c 1 -W 1 "node$1" > /dev/null
	fi
}
