#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - top: what it reads and draws, and the terminal, on a made-up machine
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

root=$tmp/toproot
sysfs=$root/sys/kernel/mm/tbtf
make_root "$root"
mkdir -p "$root/proc/pressure"
printf 'MemTotal: 8388608 kB\nMemAvailable: 2097152 kB\nSwapTotal: 1048576 kB\nSwapFree: 524288 kB\n' \
	> "$root/proc/meminfo"
printf '%s avg10=%s avg60=0.00 avg300=0.00 total=12345\n' some 1.23 full 0.45 > "$root/proc/pressure/memory"
echo "stage=sacrifice open_episodes=2 sacrificed_kb=3072 episodes=7 outcome_sacrificed=4 outcome_waited=1 outcome_stolen=2" |
	tr ' ' '\n' | while IFS="=" read -r name value; do
	case $name in
	stage) echo "$value" > "$sysfs/stage" ;;
	*) echo "$value" > "$sysfs/stats/$name" ;;
	esac
done
: > "$root/dev/kmsg"

if [ ! -e /sys/kernel/mm/tbtf ]; then
	expect "no module" 69 "the module is not loaded" "$TBTF" top
fi
expect "arguments: an interval that is none" 64 "'0.01' is no interval" "$TBTF" top -i 0.01
expect "arguments: text for an interval" 64 "'1s' is no interval" "$TBTF" top -i 1s
expect "arguments: one too many" 64 "'x' is one argument too many" "$TBTF" top x
expect "no terminal" 1 "there is no terminal: .*--once" "$TBTF" --root "$root" top < /dev/null

export LC_ALL=C
shot()
{
	"$TBTF" --root "$root" top --once > "$tmp/shot" 2>&1
}

shot
expect "the stage" 0 "^tbtf top .* on  stage sacrifice  open episodes 2 .*q quit$" cat "$tmp/shot"
expect "episodes" 0 "^episodes 7: 4 sacrificed  2 stolen  0 printed  1 waited  0 killed" cat "$tmp/shot"
expect "kills" 0 "^kills 3 \(3\.0M\)  naps 0  rounds 12 .* died: oom 0 exhausted 0$" cat "$tmp/shot"
expect "a marked cgroup" 0 "^  cgroup +8\.0M +- +-  /system.slice/db.service$" cat "$tmp/shot"
expect "memory" 0 "^MEMORY 6\.0G of 8\.0G in use, swap 512\.0M of 1\.0G$" cat "$tmp/shot"
expect "pressure" 0 "^PRESSURE somebody stalled 1\.23%, all 0\.45%" cat "$tmp/shot"
expect "no events" 0 "none of tbtf's" cat "$tmp/shot"
check "24 lines of 80 columns at most" awk 'length($0) > 80 { exit 1 } END { exit NR != 24 }' "$tmp/shot"
# Three quarters of the lines of the plot, in the rightmost column.
check "the plot is as high as memory is full" sh -c "
	h=\$(sed -n '/^MEMORY/,/^kill/p' '$tmp/shot' | grep -c '|')
	n=\$(sed -n '/^MEMORY/,/^kill/p' '$tmp/shot' | grep -c '[#:.]\$')
	[ \"\$n\" -ge \$(((h - 1) * 3 / 4)) ] && [ \"\$n\" -le \$(((h - 1) * 3 / 4 + 1)) ]"
check "in the C locale it is ASCII" sh -c "! LC_ALL=C grep -q '[^ -~]' '$tmp/shot'"

COLUMNS=140 LINES=50 "$TBTF" --root "$root" top --once > "$tmp/shot"
expect "a large one has the list of counters" 0 "  COUNTER$" cat "$tmp/shot"
expect "with its numbers" 0 " outcome_sacrificed +4$" cat "$tmp/shot"
check "50 lines" sh -c "[ \$(wc -l < '$tmp/shot') = 50 ]"
for size in "1 1" "3 7" "9 20" "12 40" "128 320" "9999 9999"; do
	expect "drawn in ${size/ /x}" 0 "" sh -c \
		"LINES=${size% *} COLUMNS=${size#* } '$TBTF' --root '$root' top --once 2>&1 > /dev/null"
done

# --- the kernel log, as /dev/kmsg has it -------------------------------------------

# event NAME WANTED LINE: what becomes of it
event()
{
	printf '%s\n' "6,77,1000000,-;$3" > "$root/dev/kmsg"
	COLUMNS=250 shot
	if sed '1,/^EVENTS/d' "$tmp/shot" | sed 's/^[0-2][0-9]:[0-5][0-9]:[0-5][0-9] //' |
	   grep -qxF -- "$2"; then
		ok "log: $1"
	else
		not_ok "log: $1" "wanted: $2"
		sed '1,/^EVENTS/d; /^$/d' "$tmp/shot"
	fi
}

rest="12288kB, frees 12000kB, adj 0, band ordinary, policy uniform, 3 tries"
event "a kill" "#3 small1 (901) 12.0M dies for big (812) 60.5M, frees 11.7M, band ordinary" \
	"tbtf: episode 3: global: spared 812 (big) 62000kB; instead 901 (small1) $rest"
event "a dry run" "#3 dry run: a (901) 12.0M would die for big (812) 1K, frees 11.7M, band ordinary" \
	"tbtf: episode 3: global: dry run: would have spared 812 (big) 1kB; instead 901 (a) $rest"
event "hostile names" "#3 a) 1kB, frees  (901) 12.0M dies for x) 1kB; instead (812) 1K, frees 11.7M, band ordinary" \
	"tbtf: episode 3: global: spared 812 (x) 1kB; instead) 1kB; instead 901 (a) 1kB, frees ) $rest"
event "a cgroup that is named like a line" "#3 a (2) 12.0M dies for x (1) 1K, frees 11.7M, band ordinary" \
	"tbtf: episode 3: memcg /: spared 8 (q) 9kB; instead 9 (z) 9kB, frees 9kB, adj 9, band : spared 1 (x) 1kB; instead 2 (a) $rest"
event "a wait" "#3 big (812) waits after 2 kills: nobody to kill" \
	"tbtf: episode 3: memcg /t: nobody to kill for 812 (big) after 2 kills: waits for ladder_deadline_ms at most"
event "the end" "#3 exhausted after 2 kills and 430 ms: big (812): on_exhausted=panic" \
	"tbtf: episode 3: exhausted: global: 812 (big) has outlived all: 2 killed for it, 20000kB, then 430ms without anybody to kill; on_exhausted=panic"
event "an allocation that fails" "#3 an order-9 allocation fails of big (812) after 30 ms" \
	"tbtf: episode 3: exhausted: global: order-9 allocation of 812 (big) fails after 30ms, as others will"
event "the kernel's own kill" "the kernel killed small1 (901) 11.9M" \
	"Out of memory: Killed process 901 (small1) total-vm:13000kB, anon-rss:12000kB, file-rss:200kB, shmem-rss:0kB, UID:0 pgtables:60kB oom_score_adj:0"
event "control characters" 'the kernel killed \x1b[2J (901) 1K' \
	"$(printf 'Out of memory: Killed process 901 (\033[2J) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB')"
for line in "tbtf: episode 3" "tbtf: episode 3: " "tbtf: episode x: global: spared" \
	    "tbtf: episode 3: global: spared 812 (big" "Killed process 1 (x) total-vm:1kB" \
	    "tbtf: episode 99999999999999999999: global: spared 1 (a) 1kB; instead 2 (b) $rest"; do
	event "not understood: $line" "  none of tbtf's" "$line"
done

# --- without ncurses ----------------------------------------------------------------

if ${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iuserspace/lib -Ikmod/uapi -c \
	-o "$tmp/screen.o" userspace/tbtf/top_screen.c > "$tmp/log" 2>&1; then
	ok "it builds without ncurses"
else
	not_ok "it builds without ncurses"
	cat "$tmp/log"
fi
expect "and says what is missing" 0 "libncurses-dev" strings "$tmp/screen.o"

# --- a terminal: tmux ------------------------------------------------------------------

if ! command -v tmux > /dev/null; then
	echo "skip terminal: tmux is not installed"
	exit $failed
fi
export TMUX_TMPDIR=$tmp
t()
{
	tmux -L top "$@"
}

# shows REGEX: within ten seconds a line of the screen matches
shows()
{
	local i

	for ((i = 0; i < 100; i++)); do
		t capture-pane -p -t top > "$tmp/screen"
		! grep -qE -- "$1" "$tmp/screen" || return 0
		sleep 0.1
	done
	cat "$tmp/screen"
	return 1
}

# ends: it has, and the terminal is as before
ends()
{
	local i

	for ((i = 0; i < 100; i++)); do
		[ ! -s "$tmp/after" ] || break
		sleep 0.1
	done
	cmp "$tmp/before" "$tmp/after" && [ "$(cat "$tmp/code")" = "$1" ] && shows "^done" &&
		! grep -q EVENTS "$tmp/screen"
}

# in_terminal TYPE: start it
in_terminal()
{
	rm -f "$tmp/after" "$tmp/code"
	t respawn-pane -k -t top "stty -g > '$tmp/before'
		TERM=$1 '$TBTF' --root '$root' top -i 0.2 2> '$tmp/err'; echo \$? > '$tmp/code'
		stty -g > '$tmp/after'; echo done; exec sleep 1000"
}

# How a sanitizer counts what a library loaded late allocates is not of interest here.
export ASAN_OPTIONS=detect_leaks=0
t -f /dev/null new-session -d -s top -x 80 -y 24 "sleep 1000"
in_terminal screen
check "terminal: 80x24" shows "^tbtf top .*q quit$"
t resize-window -t top -x 200 -y 60
check "terminal: 200x60" shows "  COUNTER$"
echo 5 > "$sysfs/stats/sacrifices"
check "terminal: it looks again" shows " sacrifices +5$"
check "terminal: kills since then are in the line of kills" shows "^kill \| .*2"
t send-keys -t top x - -
check "terminal: - shows more of the past" shows "^ +-2[01]m"
t resize-window -t top -x 3 -y 2
t resize-window -t top -x 80 -y 24
check "terminal: from 3x2 back to 80x24" shows "^EVENTS"
in_terminal screen
shows "^EVENTS" > /dev/null
t send-keys -t top q
check "terminal: q ends it, and the terminal is as it was" ends 0
for signal in TERM INT HUP; do
	in_terminal screen
	shows "^EVENTS" > /dev/null
	pid=$(pgrep -P "$(t display-message -p -t top '#{pane_pid}')" tbtf)
	kill -s $signal "$pid"
	check "terminal: SIG$signal ends it likewise" ends $((128 + $(kill -l $signal)))
done
in_terminal nosuch
check "terminal: of an unknown type" ends 1
expect "terminal: and that is said" 0 "type 'nosuch' \(TERM\)" cat "$tmp/err"
mv "$sysfs" "$sysfs.away"
mkdir "$sysfs"
in_terminal screen
shows "module is not loaded" > "$tmp/check" && ok "terminal: the module has gone" ||
	not_ok "terminal: the module has gone" "$(cat "$tmp/check")"
rm -rf "$sysfs"
mv "$sysfs.away" "$sysfs"
check "terminal: and comes back" shows "stage sacrifice"
t kill-server
exit $failed
