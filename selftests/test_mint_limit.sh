#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - the mint limit: a cgroup's memory.max goes up for P, and down again afterwards
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=320 smp=2 timeout=300 files="../userspace/tbtfd ready watcher"
. ./lib.sh
. ./lib_mint.sh

MIB=1048576

max()
{
	cat $CGROUP/m/memory.max
}

high()
{
	cat $CGROUP/m/memory.high
}

# restored: both are what they were
restored()
{
	[ "$(max) $(high)" = "$((30 * MIB)) $((28 * MIB))" ]
}

# p_grows SIZE: and has every byte of it
p_grows()
{
	hog_do p 90 grow "$1" && hog_do p 60 verify
}

# fresh: another P in the cgroup, which is as it was
fresh()
{
	! hog_alive p || hog_kill p
	wait_for restored 120 || return
	episodes_over 30
	stat_mark
	hog_start p -m -c m -s 20M
}

plan 34

knob nap_ms 100
knob episode_idle_ms 300
knob ladder_deadline_ms 6000
cg_make m memory.max=30M memory.high=28M memory.swap.max=0
printing "mints = limit" "limit_max_kb = 102400" "withdraw_after_s = 2"
check "tbtfd is ready" tbtfd_start
check "so is the mint" wait_for '[ "$(mint limit state)" = ready ]' 20
is "it is asked to print only" "$(cat $TBTF/helper_rungs)" "-steal print"

# --- up, and down when P has given back -------------------------------------------------------

check "a P at its limit" fresh
check "gets more, every byte right" p_grows 50M
check "nobody has died" [ -z "$(killed)" ]
check "memory.max went up for it" test "$(max)" -ge $((70 * MIB))
check "not above limit_max_kb" test "$(max)" -le $((100 * MIB))
is "memory.high went with it" "$(($(max) - $(high)))" $((2 * MIB))
is "the module was told what" "$(stat_since minted_kb)" "$((($(max) - 30 * MIB) / 1024))"
check "the episode ends" episodes_over 20
is "as printed" "$(stat_since outcome_printed)" 1
sleep 4
check "as long as P has it the limit stays where it is" test "$(max)" -ge $((70 * MIB))
rounds=$(stat_get rounds)
check "P gives it back" hog_do p 30 free
check "the limits come down to what they were, to the byte" wait_for restored 120
check "in steps" test "$(said_count 'what limit has printed is withdrawn')" -ge 4
is "nobody was out of memory by that" "$(($(stat_get rounds) - rounds))" 0
check "nothing is written down any more" [ ! -e /run/tbtf/mint-limit ]

# --- a daemon that dies leaves nothing raised for good ------------------------------------------

check "another P" fresh
check "gets more" p_grows 40M
check "which is written down" grep -q " /m\$" /run/tbtf/mint-limit
kill -9 "$(tbtfd_pid)"
tbtfd_gone 10
hog_kill p
check_not "nobody is there to lower it" restored
check "another daemon begins" tbtfd_start
check "finds it" said '/m may have [0-9]+ kB since before this daemon began, once 30720 kB'
check "and lowers it" wait_for restored 120

# --- who sets a limit himself has the last word ----------------------------------------------------

check "another P" fresh
check "gets more" p_grows 40M
cg_set m memory.max 150M
hog_kill p
check "a limit that somebody has set stays" wait_for 'said "/m: memory.max is 153600 kB, which is not of tbtfd"' 30
is "it and memory.high" "$(max) $(high)" "$((150 * MIB)) $((28 * MIB))"
cg_set m memory.max 30M

# --- not for ever ---------------------------------------------------------------------------------------

check "another P" fresh
hog_tell p grow 150M
check "that wants more than it may ever have: dies in the end" hog_gone p 60
in_range "memory.max never was above limit_max_kb" \
	"$(sed -n 's,.*/m may have \([0-9]*\) kB.*,\1,p' /tmp/borrow.old /tmp/borrow.log | sort -n | tail -1)" \
	81920 102400
check "and comes back" wait_for restored 120
check "tbtfd ends" tbtfd_stop 30

finish_mint
