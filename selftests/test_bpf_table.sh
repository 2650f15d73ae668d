#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - more cgroups and processes than the tables of the figures hold
#
# Copyright (C) 2026 The tbtf authors
#
# 256 cgroups and 64 processes are kept (bpf/tbtf_stats.h). When one more comes, an
# old one goes, and that is counted.
#
# vm: mem=256 timeout=150 files="flood"
. ./lib.sh

METRICS=/tmp/metrics

take()
{
	tbtf stats --prometheus > "$METRICS"
}

fig()
{
	sed -n "s/^tbtf_$1 //p" "$METRICS"
}

# The cgroups in which a process was marked, of those that are kept: their numbers.
kept()
{
	sed -n 's,^tbtf_cgroup_marks_set_total{.*path="/c\([0-9]*\)"} 1$,\1,p' "$METRICS"
}

# mark_in FROM TO: one process in each of these cgroups marks itself, and is gone
mark_in()
{
	local i="$1"

	while [ "$i" -le "$2" ]; do
		[ -d "$CGROUP/c$i" ] || mkdir "$CGROUP/c$i"
		sh -c "echo \$\$ > $CGROUP/c$i/cgroup.procs; exec flood 1" || return
		i=$((i + 1))
	done
}

# missing_of FROM TO: how many of these are not kept
missing_of()
{
	kept | awk -v from="$1" -v to="$2" \
		'$1 >= from && $1 <= to { n++ } END { print to - from + 1 - n }'
}

plan 16

check "attached" tbtf stats --attach
check "256 cgroups" mark_in 1 256
take
is "all of them are there" "$(missing_of 1 256)" 0
is "none was dropped" "$(fig cgroups_dropped_total)" 0
check "44 more" mark_in 257 300
take
is "it stays at 256" "$(kept | wc -l)" 256
is "44 were dropped" "$(fig cgroups_dropped_total)" 44
is "which is said in the text" "$(tbtf stats | grep -c '^ *(44 more were dropped, the oldest)')" 1
is "not the new ones" "$(missing_of 257 300)" 0
# The hand of the clock passes three that were touched for each that goes.
is "but of the 176 that came first" "$(missing_of 1 176)" 44
is "the machine's figures have lost nothing" "$(fig marks_set_total) $(fig marks_cleared_total)" \
	"300 300"

# Who was dropped and comes back begins again.
gone=$(kept | sort -n | awk '$1 != NR { print NR; exit }')
mark_in "$gone" "$gone"
take
is "one that was dropped comes back" "$(kept | grep -cx "$gone")" 1
is "for another" "$(kept | wc -l) $(fig cgroups_dropped_total)" "256 45"

# Processes: protected ones that die of SIGBUS have figures of their own.
i=0
while [ $i -lt 70 ]; do
	tbtf run -- sh -c 'kill -BUS $$' 2>/dev/null
	i=$((i + 1))
done
take
is "70 processes" "$(fig died_sigbus_total)" 70
is "64 are kept, 6 dropped" \
	"$(grep -c '^tbtf_process_died_sigbus_total{' "$METRICS") $(fig processes_dropped_total)" \
	"64 6"
check "detached" tbtf stats --detach
finish
