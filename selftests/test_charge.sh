#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a cgroup past rung one: charges under a filesystem's lock, and writers of memory.max
#
# Copyright (C) 2026 The tbtf authors
#
# Nobody is left to be killed in a cgroup, and its processes wait for memory, in
# their page faults. Who may hold something that others need must not: an
# allocation with GFP_NOFS fails, one with __GFP_NOFAIL goes over the limit. Here
# they are made by oom_provoke, with a mutex held in the place of a filesystem's.
#
# vm: mem=256 smp=2 load="oom_provoke" timeout=180 params="on_exhausted_memcg=wait nap_ms=1000"
. ./lib.sh

PROVOKE=/sys/kernel/debug/oom_provoke
TRACING=/sys/kernel/tracing

# CPU time of a process in ms: user and system, from /proc/PID/stat
cpu_ms()
{
	local line user

	read -r line < "/proc/$1/stat"
	line=${line##*) }
	set -- $line
	echo $(((${12} + ${13}) * 10))
}

# takes COMMAND...: as the command; how long it took is in $took
takes()
{
	local began rc=0

	began=$(now_ms)
	"$@" || rc=$?
	took=$(($(now_ms) - began))
	return $rc
}

# How often a process has napped, and not for a jiffy only.
naps_of()
{
	grep -c "tbtf_nap: .* pid=$1 .* jiffy=0" $TRACING/trace
}

# A hog in the cgroup told to allocate: it has the file open before.
asks()
{
	hog_do asker 30 write "$1"
}

# too_many: pages, some more than the limit has room for
too_many()
{
	echo $(((60 * 1024 * 1024 - $(cg_get m memory.current)) / 4096 + 250))
}

# fresh: no episode is open, so that a first round with nobody to kill is next
fresh()
{
	echo 1 > $PROVOKE/free
	knob episode_idle_ms 100
	wait_for '[ "$(stat_get open_episodes)" = 0 ]' 20
	knob episode_idle_ms 10000
}

plan 43

cg_make m memory.max=60M
hog_start big -s 56M -c m -m
hog_start asker -s 1M -c m
hog_do asker 10 open $PROVOKE/alloc
asker=$(hog_pid asker)
hog_start maker -s 4K -c m
mkdir /tmp/shared
hog_do maker 10 create /tmp/shared 1
echo 1 > $TRACING/events/tbtf/tbtf_nap/enable
stat_mark
log_mark

# --- GFP_NOFS, as the first to find nobody: the limit is reached by it
check_not "a charge with GFP_NOFS fails" takes asks "0 $(too_many) nofs account lock"
is "with ENOMEM" "$(hog_get asker err)" 12
in_range "soon" "$took" 0 8000
in_range "after some that were in the limit" "$(cat $PROVOKE/got)" 10 3000
check "the log says that there is nobody to kill" \
	log_has 'tbtf: episode [0-9]+: memcg /m: nobody to kill for [0-9]+ \(big\)'
in_range "failing is counted" "$(stat_since failed_charges)" 1 999
is "it has not napped" "$(naps_of "$asker")" 0

# --- __GFP_NOFAIL, likewise
fresh
check "a charge with __GFP_NOFAIL is done" takes asks "0 $(too_many) nofs nofail account lock"
in_range "soon" "$took" 0 30000
in_range "over the limit" "$(cg_get m memory.current)" $((60 * 1024 * 1024 + 1)) $((64 * 1024 * 1024))
is "it has not napped" "$(naps_of "$asker")" 0
fresh
check "with GFP_KERNEL as well" takes asks "0 $(too_many) kernel nofail account lock"
is "it has not napped" "$(naps_of "$asker")" 0
is "nobody was killed" "$(killed) $(hogs_alive big asker)" " 2"

# --- the marked process waits, in its page fault
fresh
log_mark
hog_tell big grow 34M 1M
check "with nobody to kill the marked process waits" \
	wait_for 'log_has "tbtf: episode [0-9]+: memcg /m: nobody to kill for [0-9]+ \\(big\\)"' 60
check "and naps" wait_for '[ "$(naps_of "$(hog_pid big)")" -ge 2 ]' 20

# While one asks again and again, the lock is there for the others.
n=0 longest=0
while [ $n -lt 10 ]; do
	hog_tell asker write "0 64 nofs account lock"
	ms=$(cat $PROVOKE/lock)
	[ "$ms" -le "$longest" ] || longest=$ms
	n=$((n + 1))
done
in_range "who needs the lock has it soon" "$longest" 0 5000
wait_for '[ "$(hog_get asker state)" = idle ]' 30

# Each inode is charged to the cgroup, with the lock of the directory held.
hog_tell maker create /tmp/shared 1000000
n=0 longest=0
while [ $n -lt 10 ]; do
	began=$(now_ms)
	: > /tmp/shared/other$n
	ms=$(($(now_ms) - began))
	[ "$ms" -le "$longest" ] || longest=$ms
	n=$((n + 1))
done
in_range "and a directory in which the cgroup makes files is there for others" "$longest" 0 5000
is "while it tries to" "$(hog_get maker state)" busy
# shellcheck disable=SC2010 # the names are the test's own
check "in vain" [ "$(ls /tmp/shared | grep -c maker)" -lt 1000 ]
hog_kill maker

# --- in a system call, whatever it may hold: it waits a little, and fails
check_not "a charge with GFP_KERNEL in a system call fails" takes asks "0 64 kernel account lock"
is "with ENOMEM" "$(hog_get asker err)" 12
in_range "soon" "$took" 0 8000

# --- who holds nothing waits: the marked process, in its page fault
naps=$(naps_of "$(hog_pid big)")
check "it naps on" wait_for '[ "$(naps_of "$(hog_pid big)")" -gt $((naps + 1)) ]' 20
is "and does nothing else" "$(hog_get big state)" busy
check "until there is more memory" cg_set m memory.max 110M
check "then it is done" wait_for '[ "$(hog_get big state)" = idle ]' 30
check "and has its data" hog_do big 60 verify
check "now a charge is no matter" asks "0 64 kernel account"
fresh

# --- memory.max written below what is used: by somebody outside. Not by this
# shell: a signal ends such a write, and the death of a child is one.
hog_kill asker
hog_start writer -s 4K
writer=$(hog_pid writer)
hog_do writer 10 open $CGROUP/m/memory.max
hog_start small1 -s 5M -c m
hog_start small2 -s 5M -c m
log_mark
cpu=$(cpu_ms "$writer")
check "memory.max far below what is used: the writer comes back" hog_do writer 30 write 40M
in_range "without having spun" "$(($(cpu_ms "$writer") - cpu))" 0 5000
is "the limit is what was written" "$(cg_get m memory.max)" $((40 * 1024 * 1024))
is "the small ones were killed for it, the marked one was not" "$(killed | sort | tr '\n' ' ')$(hogs_alive big)" "small1 small2 1"
check "the marked one has its data" hog_do big 60 verify

# The marked process will have to pay for it, but by its own growth, and not by
# this; also where it will not be waited for in the end.
knob on_exhausted_memcg kill
cg_set m memory.max 110M
check "the same with on_exhausted_memcg=kill: the writer comes back" hog_do writer 30 write 41M
is "and the marked one lives" "$(hogs_alive big) $(cg_get m memory.max)" "1 $((41 * 1024 * 1024))"
knob on_exhausted_memcg wait

# --- by somebody inside, who is marked
cg_set m memory.max 110M
hog_do big 10 open $CGROUP/m/memory.max
pid=$(hog_pid big)
naps=$(naps_of "$pid")
cpu=$(cpu_ms "$pid")
check "the marked process itself writes it: it comes back" hog_do big 40 write 40M
in_range "without having spun" "$(($(cpu_ms "$pid") - cpu))" 0 5000
is "the limit is what was written" "$(cg_get m memory.max)" $((40 * 1024 * 1024))
hog_tell big grow 4M
check "now it has to wait" wait_for "[ \"\$(naps_of $pid)\" -gt $naps ]" 20
check "until there is more" cg_set m memory.max 130M
check "and goes on" wait_for '[ "$(hog_get big state)" = idle ]' 30
check "and has its data" hog_do big 60 verify

finish
