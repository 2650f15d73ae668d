# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# tbtf - what the parts of run.sh that are scripts have in common
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced from the top of the tree, with OUT (what was built) and tmp (a
# directory that goes away).

TBTF=$OUT/tbtf
failed=0

ok()
{
	echo "ok $1"
}

not_ok()
{
	echo "not ok $1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
	failed=1
}

# check NAME COMMAND...
check()
{
	local name=$1

	shift
	if "$@" > "$tmp/check" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$* failed:"
		cat "$tmp/check"
	fi
}

# expect NAME CODE REGEX COMMAND...: the exit code, and what stdout and stderr
# together must have (nothing at all with an empty one)
expect()
{
	local name=$1 code=$2 regex=$3 rc

	shift 3
	"$@" > "$tmp/output" 2>&1
	rc=$?
	if grep -q 'Sanitizer\|runtime error' "$tmp/output"; then
		not_ok "$name" "a sanitizer complained:"
	elif [ "$rc" -ne "$code" ]; then
		not_ok "$name" "exit code $rc, wanted $code:"
	elif [ -z "$regex" ] && [ -s "$tmp/output" ]; then
		not_ok "$name" "it should say nothing:"
	elif [ -n "$regex" ] && ! grep -qE -- "$regex" "$tmp/output"; then
		not_ok "$name" "wanted: $regex"
	else
		ok "$name"
		return 0
	fi
	sed -e '$a\' "$tmp/output"
}

# json KEYS < text: what stands behind the keys (a.0.b); invalid JSON fails
json()
{
	perl -MJSON::PP -0777 -e '
		my $d = JSON::PP->new->decode(scalar <STDIN>);
		for my $key (grep length, split /\./, $ARGV[0]) {
			$d = ref $d eq "ARRAY" ? $d->[$key] : $d->{$key};
		}
		$d = "null" if !defined $d;
		print ref $d ? JSON::PP->new->allow_nonref->canonical->encode($d) : $d, "\n";' "$1"
}

# A machine with the module, in order, below the directory $1.
make_root()
{
	local root=$1 k

	mkdir -p "$root"/proc/self "$root"/proc/sys/{vm,kernel} "$root"/proc/{1,100}/fd \
		"$root"/sys/kernel/mm/tbtf/stats "$root"/sys/fs/cgroup/system.slice/db.service \
		"$root"/dev "$root"/run
	: > "$root/dev/tbtf"
	echo "31 1 0:26 / /sys/fs/cgroup rw - cgroup2 none rw" > "$root/proc/self/mountinfo"
	echo "0::/" > "$root/proc/self/cgroup"
	for k in panic_on_oom=0 overcommit_memory=0 oom_kill_allocating_task=0 oom_dump_tasks=0 \
		 swappiness=60; do
		echo "${k#*=}" > "$root/proc/sys/vm/${k%=*}"
	done
	echo 10 > "$root/proc/sys/kernel/panic"
	printf 'MemTotal: 8000000 kB\nCommitLimit: 4194304 kB\nCommitted_AS: 2097152 kB\n' \
		> "$root/proc/meminfo"
	printf 'Filename\tType\tSize\tUsed\tPriority\n' > "$root/proc/swaps"
	printf '#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t12\t1\n' \
		> "$root/proc/cgroups"
	echo systemd > "$root/proc/1/comm"
	echo db > "$root/proc/100/comm"
	echo 0 > "$root/proc/1/oom_score_adj"
	echo 0 > "$root/proc/100/oom_score_adj"
	echo "0::/system.slice/db.service" > "$root/proc/100/cgroup"
	printf 'Name:\tdb\nPPid:\t1\nVmLck:\t       0 kB\nVmRSS:\t  800000 kB\nHugetlbPages:\t       0 kB\nVmSwap:\t       0 kB\n' \
		> "$root/proc/100/status"
	printf 'Name:\tsystemd\nPPid:\t0\nVmRSS:\t 12000 kB\n' > "$root/proc/1/status"
	for k in "enabled=1" "dry_run=0" "substitute=[chosen] always" \
		 "policy=[uniform] weighted largest" "min_victim_kb=8192" "max_kills=16" \
		 "max_marks=1024" "nap_ms=200" "episode_idle_ms=10000" \
		 "ladder_deadline_ms=30000" "on_exhausted=[kill] panic" \
		 "on_exhausted_memcg=[kill] wait" "panic_reboot_s=10" "guard=0" \
		 "reserve_kb=0" "print_rate_kb=16384" \
		 "features=prctl kill group cgroup front nap exec rmdir fault" "marked=0" "stage=idle" \
		 "abi=1" "stats/rounds=12" "stats/died_oom=0" "stats/sacrifices=3"; do
		echo "${k#*=}" > "$root/sys/kernel/mm/tbtf/${k%%=*}"
	done
	make_cgroup "$root" ""
	make_cgroup "$root" system.slice
	make_cgroup "$root" system.slice/db.service
	echo tbtf > "$root/sys/fs/cgroup/system.slice/db.service/memory.tbtf"
	echo tbtf > "$root/sys/fs/cgroup/system.slice/db.service/memory.tbtf.effective"
	echo 100 > "$root/sys/fs/cgroup/system.slice/db.service/cgroup.procs"
}

# The files of one cgroup; the root has none of tbtf's.
make_cgroup()
{
	local dir=$1/sys/fs/cgroup/$2

	mkdir -p "$dir"
	: > "$dir/cgroup.procs"
	[ -n "$2" ] || return 0
	echo max > "$dir/memory.max"
	echo max > "$dir/memory.swap.max"
	echo 0 > "$dir/memory.oom.group"
	echo 8388608 > "$dir/memory.current"
	echo inherit > "$dir/memory.tbtf"
	echo ordinary > "$dir/memory.tbtf.effective"
	printf 'sacrificed 1\nspared 2\n' > "$dir/memory.tbtf.events"
}
