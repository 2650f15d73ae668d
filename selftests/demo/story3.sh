#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the demo's third act in the VM: consumption is faster than printing
#
# Copyright (C) 2026 The tbtf authors
#
# Tells ./act3 what happens, one event a line:
#	@ small N		so many small ones are there
#	@ big KB LEFT		how much the big one holds now, and how much is left
#	@ up			the second boot
#	@ last TEXT		what tbtf last says
#	@ guard N		panics that count
# The rest it sees on the console.
. ./lib.sh
. ./lib_crash.sh

mkdir -p /var/lib
ramoops || exit 1
tbtf guard --boot || exit 1
if [ "$VM_BOOT" = 2 ]; then
	echo "@ up"
	tbtf last | sed 's/^/@ last /'
	tbtf guard | sed -n 's/.*count: \([0-9]*\)\.$/@ guard \1/p'
	exit 0
fi

knob on_exhausted panic
knob panic_reboot_s 1
knob reserve_kb 24576
knob ladder_deadline_ms 2000
knob nap_ms 100
for one in mail-indexer:12 photo-sync:10 updatedb:9; do
	hog_start "${one%:*}" -s "${one#*:}M" || exit 1
done
hog_start database -m -s 60M || exit 1
echo "@ small 3"
sync
hog_tell database grow 1G 2M 60
while hog_alive database; do
	echo "@ big $(hog_get database kb) $(cat $TBTF/economy/left_kb)"
	sleep 1
done
echo "the machine is still there"
exit 1
