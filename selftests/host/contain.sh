#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154
#
# tbtf - --contain: what is written to which cgroup, and what is put back
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

root=$tmp/contain
cg=$root/sys/fs/cgroup
db=/system.slice/db.service

make_root "$root"
for c in system.slice/cron.service system.slice/cron.service/job system.slice/cache.service user.slice user.slice/user-0.slice; do
	make_cgroup "$root" $c
done
for c in system.slice $(cd "$cg" && echo system.slice/*/ user.slice); do
	echo max > "$cg/$c/memory.high"
done
echo tbtf > "$cg/system.slice/cache.service/memory.tbtf.effective"
echo 1048576 > "$cg/user.slice/memory.swap.max"

# values: of all cgroups that swap.max is of, one a line
values()
{
	(cd "$cg" && grep -rH . --include=memory.swap.max --include=memory.high . | grep -v ':max$' |
		sed 's,^\./,,' | sort)
}

tbtf()
{
	"$TBTF" --root "$root" "$@"
}

# written NAME LINE...: these limits are other than max, and no others
written()
{
	local name=$1

	shift
	check "contain: $name" diff <(values) <(printf '%s\n' "$@" | sort)
}

before="user.slice/memory.swap.max:1048576"
expect "contain: a dry run says what it would write" 0 '^/user.slice/memory.swap.max: 1048576 -> 0$' \
	tbtf set -c $db --contain --dry-run
expect "contain: the same line for line" 0 '^3$' \
	sh -c "'$TBTF' --root '$root' set -c $db --contain --brake 65536 --dry-run | wc -l"
expect "contain: and the brake" 0 "^$db/memory.high: max -> 67108864$" \
	tbtf set -c $db --contain --brake 65536 --dry-run
written "a dry run writes nothing" "$before"
check "contain: nor keeps anything" [ ! -e "$root/run/tbtf" ]

expect "contain: set" 0 "" tbtf set -c $db --contain --brake 65536
written "the others cannot swap; one too big to fail, and what is below one that cannot, is as it was" \
	system.slice/cron.service/memory.swap.max:0 user.slice/memory.swap.max:0 \
	system.slice/db.service/memory.high:67108864
expect "contain: twice" 1 "contained already: tbtf clear --cgroup $db first" tbtf set -c $db --contain
echo 4096 > "$cg/system.slice/cron.service/memory.swap.max"
expect "contain: cleared" 0 "" tbtf clear -c $db
written "all is as it was, but for what somebody has changed since" "$before" \
	system.slice/cron.service/memory.swap.max:4096
echo max > "$cg/system.slice/cron.service/memory.swap.max"
expect "contain: cleared again, which is nothing" 0 "" tbtf clear -c $db
written "and nothing is written" "$before"

# Half of it cannot be: what was written is put back.
mv "$cg/system.slice/cron.service/memory.swap.max" "$tmp/swap.max"
ln -s /proc/version "$cg/system.slice/cron.service/memory.swap.max"
expect "contain: one that does not take it" 1 "cgroup /system.slice/cron.service: memory.swap.max = 0" \
	tbtf set -c $db --contain
rm "$cg/system.slice/cron.service/memory.swap.max"
mv "$tmp/swap.max" "$cg/system.slice/cron.service/memory.swap.max"
written "has changed nothing" "$before"

# Its unit was stopped before it was cleared.
expect "contain: another one" 0 "" tbtf set -c /system.slice/cron.service --contain
mv "$cg/system.slice/cron.service" "$tmp/cron"
expect "contain: its cgroup is gone, another is cleared" 0 "" tbtf clear -c $db
written "and what it held back is free" "$before"
mv "$tmp/cron" "$cg/system.slice/cron.service"

echo 0 > "$cg/system.slice/memory.swap.max"
expect "contain: below one that may not swap" 1 "cgroup /system.slice has memory.swap.max = 0: nothing of $db" \
	tbtf set -c $db --contain
expect "contain: the root" 1 "there are no others" tbtf set -c / --contain
while IFS='|' read -r name regex words; do
	read -ra args <<< "$words"
	expect "contain: refused: $name" 64 "$regex" tbtf "${args[@]}"
done <<CASES
a process|is of one cgroup|set --contain 1
a process as well|is of one cgroup|set --contain -c $db 1
two cgroups|is of one cgroup|set --contain -c $db -c /user.slice
a brake alone|go with --contain|set --brake 65536 -c $db
a dry run alone|go with --contain|set --dry-run -c $db
a brake that is none|'64M': a number of KiB, 4096 at least|set --contain --brake 64M -c $db
a brake too small|'4095': a number of KiB|set --contain --brake 4095 -c $db
of spare|'--contain' is not known|spare --contain -c $db
CASES
expect "contain: run: without a cgroup" 125 "give --cgroup as well" tbtf run --contain true
expect "contain: run: a brake alone" 125 "goes with --contain" tbtf run --cgroup --brake 65536 true
mkdir -p "$root/run/systemd/system"
expect "contain: run: where systemd runs" 125 "use a unit, and tbtf set --contain --unit" \
	tbtf run --cgroup --contain true
exit $failed
