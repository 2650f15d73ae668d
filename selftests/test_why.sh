#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - why: of real deaths, from the kernel log
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=180
. ./lib.sh

# says NAME CODE REGEX ARGUMENT...: exit code of tbtf why, and a line of what it says
says()
{
	local name="$1" code="$2" regex="$3" rc=0

	shift 3
	tbtf why "$@" > /tmp/says 2>&1 || rc=$?
	if [ "$rc" -eq "$code" ] && grep -qE -- "$regex" /tmp/says; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit code $rc, wanted $code and: $regex"
		diag "$(cat /tmp/says)"
	fi
}

plan 14

says "nothing has happened yet" 3 "nothing of tbtf, nor of any OOM" 1
knob policy largest
knob ladder_deadline_ms 300
cg_make t memory.max=64M
cg_make t/s
hog_start a -c t/s -s 8M -a 100
hog_start b -c t/s -s 12M
hog_start big -c t/s -s 20M -m
a=$(hog_pid a) big=$(hog_pid big)
hog_tell big grow 200M 512K 1
check "P outlives the two, and dies" hog_gone big 90

says "the first: for whom" 0 "^$a \(a\) of /t/s died on .* in place of $big \(big\)" "$a"
says "the first: in which episode" 0 "^  episode      1, an OOM of /t; kill 1$" "$a"
says "the first: why it" 0 "band raised: oom_score_adj above 0" "$a"
says "the first: how large" 0 "^  why it       8\.[0-9]M, smaller than the [0-9.]+M of the protected one; killing it frees 8\.[0-9]M" "$a"
says "by cgroup: both, and P" 0 "kill 2$" /t
is "by cgroup: three" "$(grep -c ' of /t/s' /tmp/says)" 3
says "by unit" 0 "^$a \(a\)" s
says "P itself" 0 "^$big \(big\) of /t/s, too big to fail itself, died .* at the end of the ladder" "$big"
says "P itself: after how many" 0 "an OOM of /t; 2 had died for it before" "$big"
says "as JSON" 0 '"cause": "sacrificed"' --json "$a"
says "somebody who lives" 3 "has nothing of $$; it speaks of" "$$"

# Not marked: the kernel's own choice.
hog_start plain -c t/s -s 20M
plain=$(hog_pid plain)
hog_tell plain grow 200M 512K 1
hog_gone plain 60
says "one that was never marked" 0 "^$plain \(plain\) of /t/s was killed on .* by the kernel's own choice" "$plain"
cg_remove t/s
finish
