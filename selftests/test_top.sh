#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - top: what its screen shows of real episodes, in tmux
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 timeout=300 files="tmux terminfo.screen LC_CTYPE"
. ./lib.sh

SCREEN=/tmp/screen
SMALLS="small1 small2 small3 small4 small5 small6 small7"

export HOME=/tmp TMUX_TMPDIR=/tmp TERM=screen TERMINFO=/tmp/terminfo LOCPATH=/tmp/locale
mkdir -p $TERMINFO/s $LOCPATH/C.utf8
cp terminfo.screen $TERMINFO/s/screen
cp LC_CTYPE $LOCPATH/C.utf8/

# shows REGEX [SECONDS]: a line of the screen matches, now or within that time
shows()
{
	wait_for "tmux capture-pane -p -t t > $SCREEN && grep -qE -- '$1' $SCREEN" "${2:-30}" && return
	sed 's/^/# |/' $SCREEN
	return 1
}

shows_not()
{
	tmux capture-pane -p -t t > $SCREEN
	! grep -qE -- "$1" $SCREEN
}

type_in()
{
	tmux send-keys -t t "$@"
}

# lines REGEX: how many there are on the screen as it was looked at last
lines()
{
	grep -cE -- "$1" $SCREEN
}

# The digits of the line of kills, added up.
kills_drawn()
{
	sed -n 's/^kill |//p' $SCREEN | sed 's/[^0-9]//g; s/./&\n/g' | awk '{ n += $1 } END { print n + 0 }'
}

# The columns of the memory plot that have something in the lowest line.
columns_drawn()
{
	sed -n '/^MEMORY/,/^kill/s/^   0 |//p' $SCREEN | sed 's/ //g' | awk '{ print length($0) }'
}

top_pid()
{
	local p comm

	for p in /proc/[0-9]*; do
		{ read -r comm < "$p/comm"; } 2>/dev/null || continue
		[ "$comm" != tbtf ] || echo "${p#/proc/}"
	done
}

plan 35

# --- at rest, 80x24
tmux -f /dev/null new-session -d -s t -x 80 -y 24 "env TERM=screen PS1=# sh"
type_in "clear; stty -g > /tmp/tty.before; tbtf top -i 0.5; echo ended: \$?; stty -g > /tmp/tty.after" Enter
check "the title" shows "^tbtf top .* on  stage idle  open episodes 0 .*q quit$" 60
check "nobody is marked" shows "nobody is marked"
is "24 lines" "$(wc -l < $SCREEN)" 24
check "no line is cut off at the bottom" shows "^EVENTS in the kernel log"
pid=$(top_pid)
check "it is spare" sh -c "tbtf list | grep -qE '^ +$pid +spare .* tbtf$'"
locked=$(awk '$1 == "VmLck:" { print $2 }' "/proc/$pid/status")
in_range "all of it is locked, and is not much (kB)" "$locked" 1000 12000

# --- an episode of the machine
for name in $SMALLS; do
	hog_start "$name" -s 12288
done
hog_start big -s 40M -m
big=$(hog_pid big)
check "a marked process, its size, its headroom and seven candidates" \
	shows "^ +$big +0 +40\.[0-9]M +[0-9.]+M +7  big$"
headroom=$(sed -n "s/^ *$big  *0  *[0-9.]*M  *\([0-9]*\)\.[0-9]M .*/\1/p" $SCREEN)
free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
in_range "headroom is what is available and what the seven are worth (MiB)" "$headroom" \
	$((free + 84 - 6)) $((free + 84 + 10))
knob episode_idle_ms 60000	# the machine that runs the VM may be slow
stat_mark
check "it grows, and others die" hog_do big 120 grow 90M 1M 5
dead=$(stat_since sacrifices)
in_range "so many" "$dead" 2 6
check "the stage, and an open episode" shows "^tbtf top .* stage sacrifice  open episodes 1"
check "the counters" shows "^kills $dead \([0-9.]+M\) .* died: oom 0 exhausted 0"
check "what it has grown to" shows "^ +$big +0 +130\.[0-9]M +~"
is "a line for each in the events, newest last" \
	"$(lines "^[0-2][0-9]:[0-5][0-9]:[0-5][0-9] #1 small[1-7] \([0-9]+\) 1[0-9.]+M dies for big \($big\) [0-9.]+M")" \
	"$((dead < 6 ? dead : 6))"
check "no other is said twice" shows_not "the kernel killed"
is "all of them in the line of kills" "$(kills_drawn)" "$dead"
in_range "the plot of memory has a past" "$(columns_drawn)" 1 74
check "memory is used up" shows "^MEMORY [12][0-9.]+M of 2[0-9.]+M in use, swap 0K of 0K"
check "pressure" shows "^PRESSURE (somebody stalled [0-9.]+%, all [0-9.]+%|is not known)"

# --- larger
tmux resize-window -t t -x 200 -y 60
check "200x60: the list of counters" shows "  COUNTER$"
check "its numbers" shows " sacrifices +$dead$"
is "60 lines" "$(wc -l < $SCREEN)" 60
is "all of the events" "$(lines "#1 small.* dies for big ")" "$dead"
in_range "the widest line fills it" "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' $SCREEN)" \
	190 200

# --- nobody left, in a cgroup: it goes on while P waits
hog_kill big $SMALLS
knob ladder_deadline_ms 8000
cg_make t memory.max=64M
hog_start alone -c t -s 20M -m
alone=$(hog_pid alone)
knob episode_idle_ms 100
check "the episode ends" shows "stage idle  open episodes 0 "
check "the cgroup that limits it" shows "^ +$alone +0 +20\.[0-9]M +4[0-9.]+M +0  alone  \(limit: /t\)"
stat_mark
hog_tell alone grow 100M 1M 1
check "it waits, and that is seen" shows "stage exhausted  open episodes 1 "
check "the event" shows "#2 alone \($alone\) waits after 0 kills: nobody to kill"
type_in -
check "a key works meanwhile: more of the past" shows "^ +-1[0-9]m[0-9][0-9]s---"
check "it dies at the end" hog_gone alone 60
check "the end is seen" shows "#2 exhausted after 0 kills and [0-9]+ ms: alone \($alone\)"
cg_remove t

# --- smaller than there is room for, and the end
tmux resize-window -t t -x 20 -y 4
check "a window too small for anything" shows "^tbtf top"
tmux resize-window -t t -x 80 -y 24
check "and back" shows "^EVENTS in the kernel log"
type_in q
wait_for '[ -s /tmp/tty.after ]' 30
check "q ends it" shows "^ended: 0$"
rm -f /tmp/tty.after
type_in "clear; tbtf top; echo ended: \$?; stty -g > /tmp/tty.after" Enter
shows "^tbtf top"
kill "$(top_pid)"
wait_for '[ -s /tmp/tty.after ]' 30
check "so does SIGTERM, and the terminal is as it was" \
	sh -c 'cmp /tmp/tty.before /tmp/tty.after' && shows "^ended: 143$" && shows_not "EVENTS"
tmux kill-server

finish
