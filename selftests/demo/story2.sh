#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the demo's second act on its first node: memory is stolen, and printed
#
# Copyright (C) 2026 The tbtf authors
#
# Tells ./act2 what happens, one event a line:
#	@ credit KB		so much is ready on node one
#	@ small N		so many small ones are there
#	@ big KB NBD_KB ZRAM_KB	how much the big one holds; swap of either kind in use
#	@ killed NAME		it is not there any more
#	@ log NODE TEXT		what tbtfd borrow says there
#	@ show NODE COMMAND	which is run there, and
#	@ | LINE		what it prints
#	@ dry			no other node has anything left
#	@ verified KB		every byte of the big one is as it was written
#	@ withdrawn		what was printed is not swap any more
#	@ down			all daemons have ended, and nobody has any memory of anybody
. ./lib.sh
. ./lib_nodes.sh
. ./lib_tbtfd.sh
. ./lib_ladder.sh

BIG=big
CROWD="mail-indexer:9 photo-sync:7 updatedb:6"
LAST_KB=163840

alive=""
lines=0
behind=0

# show N COMMAND [FILTER]
show()
{
	echo "@ show $(name_of "$1") $2"
	on "$1" "$2 | ${3:-cat}" | sed 's/^/@ | /'
}

# tell: what is new, after each step
tell()
{
	local one still=""

	echo "@ big $(hog_get $BIG kb) $(awk '$1 ~ /nbd/ { n += $4 } $1 ~ /zram/ { z += $4 } END { print n + 0, z + 0 }' /proc/swaps)"
	for one in $alive; do
		if hog_alive "$one"; then
			still="$still $one"
		else
			echo "@ killed $one"
		fi
	done
	alive=$still
	sed -n "$((lines + 1)),\$s/^tbtfd borrow: \\(.*\\(stolen for\\|nothing to steal\\|printed by\\).*\\)/@ log one \\1/p" /tmp/borrow.log
	lines=$(wc -l < /tmp/borrow.log)
}

# granted KIND N: whether so many requests of that kind were
granted()
{
	tell
	[ "$(ladder_get "$1" granted)" -ge "$2" ]
}

ladder_three && ladder_two && ladder_one && ladder_ready 60 || exit 1
lines=$(wc -l < /tmp/borrow.log)
echo "@ credit $(ladder_get line ready_kb)"
cg_make work
cg_make crowd
for one in $CROWD; do
	hog_start "${one%:*}" -s "${one#*:}M" -c crowd || exit 1
	alive="$alive ${one%:*}"
done
hog_start $BIG -m -k -s 4M -c work || exit 1
echo "@ small $(echo "$CROWD" | wc -w)"

LADDER_STEP=2M
ladder_until 'granted line 2' 60 || exit 1
# The next one is of node three; who lends it tells.
ladder_until 'granted line 3' 60 || exit 1
on 2 "sed -n 's/^tbtfd borrow: \\(.*stolen of .* for one\\)/@ log two \\1/p' /tmp/borrow.log"
show 2 "tbtf lend"
show 1 "tbtf peers" "sed '/^printing:/,\$d'"
ladder_until 'granted print 1' 60 || exit 1
ladder_until "tell; [ \"\$(hog_get $BIG kb)\" -ge $LAST_KB ]" 60 || exit 1
# Knobs and counters are another matter.
show 1 "tbtf status" "sed '/^knobs:/,\$d'"
hog_do $BIG 90 verify || exit 1
echo "@ verified $(hog_get $BIG kb)"
hog_do $BIG 30 free
ladder_withdrawn 60 || exit 1
echo "@ withdrawn"
ladder_down && [ "$(wc -l < /proc/swaps)" = 1 ] || exit 1
echo "@ down"
exit 0
