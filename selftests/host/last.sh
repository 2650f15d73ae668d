#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - last and guard: what is on record of crashes, and what follows from it
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

export TZ=UTC
root=$tmp/lastroot
make_root "$root"
out=$tmp/last-output
mkdir -p "$root/proc/sys/kernel/random" "$root/dev" "$root/sys/fs/pstore" "$root/var/lib" \
	"$root/run" "$root/var/crash/202611220300" "$root/var/lib/systemd/pstore/170000001"
: > "$root/dev/kmsg"
echo 0 > "$root/sys/kernel/mm/tbtf/guard"
echo 0.5 0.5 > "$root/proc/uptime"
pstore=$root/sys/fs/pstore
guard=$root/var/lib/tbtf/guard

# panic WHO VICTIMS: what a panic of tbtf's leaves
panic()
{
	cat <<-EOT
		<6>[    9.000000] tbtf: loaded: a candidate is worth 8192 kB at least
		<4>[   10.000001] tbtf: episode 7: global: spared 812 ($1) 124284kB; instead 98 (weather) 10012kB, frees 9232kB, adj 0, band ordinary, policy uniform, 12 candidates
		<4>[   11.000001] tbtf: episode 6: global: spared 812 ($1) 124284kB; instead 99 (other) 10012kB, frees 9232kB, adj 0, band ordinary, policy uniform, 12 candidates
		<3>[   41.500000] tbtf: episode 7: exhausted: global: 812 ($1) has outlived all: 1 killed for it, 9232kB, then 30088ms without anybody to kill; on_exhausted=panic
		<0>[   41.600000] Kernel panic - not syncing: tbtf: episode 7: memory is exhausted, 812 ($1) has outlived all others; it has 181248kB; killed for it: 3, 61548kB (last: $2); stolen 65536kB, printed 32768kB; consumed up to 17455kB/s, of it 5645kB/s brought or printed: 11810kB/s more were needed; reboot follows
		<0>[   41.700000] Kernel panic - not syncing: a second one
	EOT
}

# boot ID: what the guard makes of it in the boot ID
boot()
{
	rm -rf "$root/run/motd.d" "$root/run/issue.d" "$root/run/modprobe.d"
	echo 0 > "$root/sys/kernel/mm/tbtf/guard"
	echo "$1" > "$root/proc/sys/kernel/random/boot_id"
	"$TBTF" --root "$root" guard --boot
}

last()
{
	"$TBTF" --root "$root" last "$@"
}

is_on()
{
	[ "$(cat "$root/sys/kernel/mm/tbtf/guard")" = 1 ] && [ -s "$root/run/motd.d/50-tbtf-guard" ] &&
		grep -q '^<2>tbtf: guard: ' "$root/dev/kmsg"
}

is_off()
{
	[ "$(cat "$root/sys/kernel/mm/tbtf/guard")" = 0 ] && [ ! -e "$root/run/motd.d/50-tbtf-guard" ]
}

# --- last --------------------------------------------------------------------------

expect "last: an argument" 64 "'x' is one argument too many.*see 'tbtf last --help'" "$TBTF" last x
expect "last: a file that is not there" 1 "/nowhere: No such file" "$TBTF" last -f /nowhere
expect "last: nothing on record" 3 "^No panic is on record" last
expect "last: and nothing to keep one" 3 "pstore has no backend" last
mkdir -p "$root/sys/module/pstore/parameters"
echo efi_pstore > "$root/sys/module/pstore/parameters/backend"
expect "last: something to keep one" 3 "the backend of pstore is efi_pstore" last
echo "all is well" > "$tmp/quiet"
expect "last: a file without a panic" 3 "has no panic" "$TBTF" last -f "$tmp/quiet"

panic big "app5, app2" > "$tmp/whole"
touch -d "2026-11-22 12:00:00" "$tmp/whole"
# As efi-pstore cuts it: the end is part 1.
{ echo "Panic#1 Part2"; sed -n 1,2p "$tmp/whole"; } > "$pstore/dmesg-efi_pstore-1702"
{ echo "Panic#1 Part1"; sed -n '3,$p' "$tmp/whole"; } > "$pstore/dmesg-efi_pstore-1701"
touch -d "2026-11-22 12:00:00" "$pstore"/*
expect "last: when" 0 "^tbtf took the machine down on 2026-11-22 12:00:00, 41.6 s after it had booted" last
expect "last: for whom" 0 "^  protected    812 \(big\), 177.0M$" last
expect "last: episode" 0 "^  episode      7; for 30.1 s nobody was left to be killed$" last
expect "last: who died, and how many are not in the record" 0 "^  killed       3 in its place, 60.1M in all; the last: app5, app2$" last
expect "last: of another part of the record" 0 "^ +98 \(weather\) 9.8M$" last
check "last: not of another episode" sh -c "! '$TBTF' --root '$root' last | grep -q '(other)'"
expect "last: stolen" 0 "^  stolen       64.0M" last
expect "last: printed" 0 "^  printed      32.0M" last
expect "last: needed" 0 "^  needed       11.5M more a second" last
check "last: as JSON" sh -c "'$TBTF' --root '$root' last -j | tee $tmp/json > /dev/null"
[ "$(json crashes.0.needed_kb_s < "$tmp/json")" = 11810 ] && ok "last: JSON has the numbers" ||
	not_ok "last: JSON has the numbers" "$(cat "$tmp/json")"
echo "[  100.0] Kernel panic - not syncing: sysrq triggered crash" > "$root/var/crash/202611220300/dmesg.202611220300"
touch -d "2026-11-22 13:00:00" "$root/var/crash/202611220300/dmesg.202611220300"
expect "last: another crash since" 0 "^After that, on 2026-11-22 13:00:00 the machine went down, not by tbtf: sysrq triggered crash" last
expect "last: from a file" 0 "^tbtf took the machine down on 2026-11-22 12:00:00" "$TBTF" last -f "$tmp/whole"
# shellcheck disable=SC2016
panic 'a) has outlived' '; stolen 5kB, pr), x) (last: ' > "$tmp/hostile"
expect "last: hostile names" 0 "^  protected    812 \(a\) has outlived\), 177.0M$" "$TBTF" last -f "$tmp/hostile"
expect "last: whole" 0 "the last: ; stolen 5kB, pr\), x\) \(last: $" "$TBTF" last -f "$tmp/hostile"
panic "$(printf 'a\033[2J')" b > "$tmp/hostile"
check "last: no control character gets out" \
	sh -c "! '$TBTF' last -f '$tmp/hostile' | LC_ALL=C grep -q '[[:cntrl:]]'"
for n in 1 40 200 500 760; do
	head -c $n "$tmp/whole" | tail -c 450 > "$tmp/cut"
	"$TBTF" last -f "$tmp/cut" > "$out" 2>&1
	[ $? -eq 3 ] && ! grep -q Sanitizer "$out" && ok "last: cut at $n" || not_ok "last: cut at $n" "$(cat "$out")"
done
head -c 300000 /dev/urandom > "$tmp/rubbish"
expect "last: rubbish" 3 "has no panic" "$TBTF" last -f "$tmp/rubbish"

# --- guard --------------------------------------------------------------------------

expect "guard: an argument" 64 "'x' is one argument too many" "$TBTF" guard x
expect "guard: both" 64 "exclude each other" "$TBTF" guard -b -c
rm -f "$pstore"/* "$root"/var/crash/*/*
expect "guard: it has not looked" 0 "has not looked in this boot" "$TBTF" --root "$root" guard
expect "guard: no panic" 0 "" boot one
check "guard: off" is_off
panic big a > "$pstore/dmesg-x-1"
expect "guard: one panic" 0 "" boot two
check "guard: one is none" is_off
expect "guard: it counts one" 0 "that count: 1" "$TBTF" --root "$root" guard
expect "guard: the same, in the next boot" 0 "" boot three
check "guard: it is no second" is_off
panic big b > "$pstore/dmesg-x-2"
touch -d "-70 minutes" "$pstore/dmesg-x-1"
expect "guard: a second one" 0 "" boot four
check "guard: on" is_on
expect "guard: says so" 0 "taken down twice within an hour" "$TBTF" --root "$root" guard
expect "guard: again in the same boot" 0 "" "$TBTF" --root "$root" guard --boot
check "guard: it is on" is_on
expect "guard: in the next boot" 0 "" boot five
check "guard: off again" is_off
panic big c > "$pstore/dmesg-x-3"
expect "guard: a third" 0 "" boot six
check "guard: on" is_on
expect "guard: cleared" 0 "allowed again" "$TBTF" --root "$root" guard --clear
check "guard: off at once" is_off
panic big d > "$pstore/dmesg-x-4"
expect "guard: one after that" 0 "" boot seven
check "guard: is one" is_off

# Two that are far from each other, found at the same time; and two near ones, long ago.
rm -f "$guard" "$pstore"/*
panic big e > "$pstore/dmesg-x-1"
panic big f > "$pstore/dmesg-x-2"
touch -d "-2 hours" "$pstore/dmesg-x-1"
expect "guard: two, far apart" 0 "" boot eight
check "guard: off" is_off
rm -f "$guard"
touch -d "-3 hours" "$pstore"/*
expect "guard: two, long ago" 0 "" boot nine
check "guard: off" is_off
rm -f "$guard"
touch -d "+3 hours" "$pstore"/*
expect "guard: a clock that goes wrong" 0 "" boot ten
check "guard: on" is_on
echo "[  100.0] Kernel panic - not syncing: sysrq triggered crash" > "$pstore/dmesg-x-1"
echo "[  101.0] Kernel panic - not syncing: VFS" > "$pstore/dmesg-x-2"
rm -f "$guard"
expect "guard: panics of others" 0 "" boot eleven
check "guard: are none" is_off

# A state that nobody has written so: it goes on, by what is on record.
rm -f "$pstore"/*
panic big g > "$pstore/dmesg-x-1"
panic big h > "$pstore/dmesg-x-2"
n=0
while IFS= read -r line; do
	n=$((n + 1))
	printf '%b' "$line" > "$guard"
	expect "guard: a state that makes no sense, $n" 0 "make no sense and are left out" boot "bad$n"
	check "guard: on all the same, $n" is_on
	expect "guard: whole again, $n" 0 "" "$TBTF" --root "$root" guard --boot
done <<'EOT'
panic
panic 1 xyz\nboot
\0\0\0\0\0\0\0\0
boot x maybe 1 2
panic 99999999999999999999999999 1 trailing
EOT
head -c 200000 /dev/urandom > "$guard"
expect "guard: rubbish" 0 "make no sense" boot rubbish
check "guard: on all the same" is_on
rm -f "$guard"
mkdir "$guard"
expect "guard: a directory" 1 "is no file, and is left out" boot directory
check "guard: on all the same" is_on
rmdir "$guard"
mkfifo "$guard"
expect "guard: a fifo in its place" 0 "is no file, and is left out" boot fifo
check "guard: on all the same" is_on
ln -sf /dev/full "$guard"
expect "guard: a device in its place" 0 "is no file, and is left out" boot device
check "guard: on all the same" is_on
check "guard: and a file again" [ -f "$guard" ]
rm -rf "$root/var/lib/tbtf"
: > "$root/var/lib/tbtf"
expect "guard: no directory to be had" 1 "cannot be written" boot nodir
check "guard: on all the same" is_on
rm "$root/var/lib/tbtf"
rm -rf "$root/sys/kernel/mm/tbtf"
rm -rf "$root/run/modprobe.d"
echo x > "$root/proc/sys/kernel/random/boot_id"
expect "guard: the module is not loaded yet" 0 "" "$TBTF" --root "$root" guard --boot
check "guard: it will be with guard=1" grep -qx "options tbtf guard=1" "$root/run/modprobe.d/tbtf-guard.conf"

exit $failed
