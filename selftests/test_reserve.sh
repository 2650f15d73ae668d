#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the reserve: what is taken, what is refused, what is given back
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 module=no timeout=120
# vm-expect: tbtf: reserve_kb=100000000: a quarter of this machine's memory is the most: [0-9]+$
# vm-expect: tbtf: reserve_kb=[0-9]+: of node 0's part, [0-9]+ kB, no more than [0-9]+ kB can be had without pressing anybody
. ./lib.sh

plan 49

# What reclaim has done so far: looked at, taken, waited for.
reclaim()
{
	awk '/^(pgscan_|pgsteal_|allocstall_|oom_kill|pageoutrun|compact_stall)/ { n += $2 } END { print n + 0 }' \
		/proc/vmstat
}

held()
{
	cat $TBTF/reserve_held_kb
}

# asked KB: the knob, as a program writes it
asked()
{
	{ echo "$1" > $TBTF/reserve_kb; } 2>/tmp/why
}

# --- at load -------------------------------------------------------------------

ram=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
before=$(free_kb)
check_not "a reserve of more than the memory: not loaded" tbtf_loads reserve_kb=$((ram * 2))
is "for this reason" "$(tbtf_why)" "Invalid argument"
check_not "a third of it: not loaded" tbtf_loads reserve_kb=$((ram / 3))
check_not "a negative one: not loaded" tbtf_loads reserve_kb=-1
check_not "no number: not loaded" tbtf_loads reserve_kb=lots
check_not "none is left of these" test -e /sys/module/tbtf
# On 7.3 there is 10 MB more after a module has come and gone than before. What
# would be lost is what is looked for here, and that is less.
before=$(free_kb)
check "a sixteenth: loaded" tbtf_loads reserve_kb=16384
is "it is what was asked for" "$(knob reserve_kb)" 16384
is "it is held" "$(held)" 16384
is "it is counted" "$(stat_get taken_kb)" 16384
in_range "and is not free" $((before - $(free_kb))) 15000 22000
is "the default rate is 16 MiB" "$(knob print_rate_kb)" 16384
rmmod tbtf
in_range "unloaded, it is free again" $((before - $(free_kb))) -20000 1500

# --- while it runs ---------------------------------------------------------------

tbtf_loads
is "by default there is none" "$(knob reserve_kb) $(held)" "0 0"
was=$(reclaim)
before=$(free_kb)
check "taken" asked 32768
is "all of it" "$(held)" 32768
in_range "from what was free" $((before - $(free_kb))) 31000 34500
check "more" asked 40000
is "rounded up to a quantum" "$(held)" 40192
check "less" asked 1000
is "likewise" "$(held)" 1024
check "and what is too much is free again" test $((before - $(free_kb))) -lt 2500
is "the knob has what was written" "$(knob reserve_kb)" 1000
for bad in -1 100000000 4294967295 "$((ram / 3))" x ""; do
	asked "$bad"
	is "$bad: nothing has changed" "$? $(knob reserve_kb) $(held)" "1 1000 1024"
done
is "the errno" "$(sed 's/.*: //' /tmp/why)" "Invalid argument"
check "the books are right" wait_for reserve_adds_up 20
is "nothing was reclaimed for any of that" "$(reclaim)" "$was"

# --- where it would press ----------------------------------------------------------

# Everything but some 35 MB: what nobody would miss of that is less.
hog_start big -s $(($(free_kb) - 35000))
was=$(reclaim)
log_mark
before=$(free_kb)
check_not "more than is to be had: refused" asked 40000
is "with ENOMEM" "$(sed 's/.*: //' /tmp/why)" "Cannot allocate memory"
is "nothing has changed" "$(knob reserve_kb) $(held)" "1000 1024"
in_range "nor has what is free" $((before - $(free_kb))) -600 600
is "nobody was pressed, and nobody killed" "$(reclaim)" "$was"
check "the log says what could be had" log_has 'reserve_kb=40000: of node 0.s part, 40192 kB, no more than [0-9]+ kB can be had'
can=$(log_since | sed -n 's/.*no more than \([0-9]*\) kB.*/\1/p')
in_range "something, but not all" "$can" 4096 36000
# (But for what is rounded up, and what the test itself has used since.)
check "and that can be had" asked $((can - 1024))
check_not "but not 2 MB more" asked $((can + 2048))
is "nobody was pressed for that either" "$(reclaim)" "$was"
check "the books are right" wait_for reserve_adds_up 20
hog_kill big

# --- there and back ------------------------------------------------------------------

knob reserve_kb 0
is "nothing is held" "$(held)" 0
before=$(free_kb)
i=0
while [ $i -lt 50 ]; do
	asked 40000 && asked 256 && asked 12345 && asked 0 || break
	i=$((i + 1))
done
is "taken and given back fifty times" $i 50
# (Of two hundred changes each losing a block it would be 12 MB.)
in_range "nothing is lost" $((before - $(free_kb))) -20000 3000
check "the books are right" wait_for reserve_adds_up 20

rmmod tbtf
before=$(free_kb)
i=0
while [ $i -lt 5 ]; do
	tbtf_loads reserve_kb=32768 || break
	[ "$(held)" = 32768 ] || break
	rmmod tbtf
	i=$((i + 1))
done
is "loaded and unloaded with a reserve" $i 5
in_range "nothing is lost by that" $((before - $(free_kb))) -20000 1200

finish
