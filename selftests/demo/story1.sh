#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the demo's side in the VM: a crowd, a big one, and not enough memory
#
# Copyright (C) 2026 The tbtf authors
#
# usage: story1.sh, with /tests/mark present if the big one is to be marked
#
# Tells ./act1 what happens, one event a line:
#	@ small NAME KB		a small one is there
#	@ big KB		how much the big one holds now
#	@ killed NAME KB	the kernel killed it; so much was freed
#	@ log TEXT		what the module logged
#	@ alive NAME KB		at the end; of the big one only if every byte of it
#				is as it was written
#	@ dead NAME
. ./lib.sh

BIG=database
CROWD="updatedb:10 thumbnailer:14 mail-indexer:22 cron-report:8 log-shipper:12
chat-client:26 music-player:18 photo-sync:16 backup-agent:20 print-spooler:7
weather-widget:9 wiki-cache:24"
FROM=60M
GROW=180M

mark=
[ ! -e /tests/mark ] || mark=-m

# Kernel log to events, from the one mark to the other.
watch()
{
	local line name on=

	while IFS= read -r line; do
		line=${line#*;}
		case $on$line in
		"demo: begin")
			on=:
			;;
		":demo: end")
			break
			;;
		":Out of memory: Killed process"*)
			name=${line#*\(}
			line=${line##*anon-rss:}
			echo "@ killed ${name%%\)*} ${line%%kB*}"
			;;
		":tbtf: "*)
			echo "@ log $line"
			;;
		esac
	done
}

for one in $CROWD; do
	hog -n "${one%:*}" -s "${one#*:}M" &
done
for one in $CROWD; do
	wait_for "[ \"\$(hog_get ${one%:*} state)\" = idle ]" 60 || exit 1
	echo "@ small ${one%:*} $(hog_get "${one%:*}" kb)"
done
# shellcheck disable=SC2086
hog_start $BIG -s $FROM $mark || exit 1
echo "@ big $(hog_get $BIG kb)"

mkfifo /tmp/log
echo "<6>demo: begin" > /dev/kmsg
cat /dev/kmsg > /tmp/log &
reader=$!
watch < /tmp/log &
watcher=$!

hog_tell $BIG grow $GROW 2M 40
while hog_alive $BIG && [ "$(hog_get $BIG "done")" = 0 ]; do
	echo "@ big $(hog_get $BIG kb)"
	sleep 0.3
done
if hog_alive $BIG && hog_do $BIG 60 verify; then
	echo "@ alive $BIG $(hog_get $BIG kb)"
else
	echo "@ dead $BIG"
fi
for one in $CROWD; do
	if hog_alive "${one%:*}"; then
		echo "@ alive ${one%:*} $(hog_get "${one%:*}" kb)"
	else
		echo "@ dead ${one%:*}"
	fi
done
# Looking after them takes memory too: who dies only now is told by the watcher.
echo "<6>demo: end" > /dev/kmsg
wait $watcher
kill $reader
exit 0
