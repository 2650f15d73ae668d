#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - in the VM: run the kernel's own selftests on an ext4 root
#
# Copyright (C) 2026 The tbtf authors
#
# Started by process 1 as any test. Beside it are
#	rows	lines "SECONDS READ DIR COMMAND", done in this order
#	marked	if it is there, a process is marked, in a cgroup of its own and
#		as big as the tests are, before the first of them begins
#
# Each test prints between two lines, "# kself: begin READ DIR COMMAND" and "# kself:
# end RESULT"; compare.awk reads them. Lines "# kself: state ..." say what the
# module is and what it has seen.
set -u

MODULE=/sys/kernel/mm/tbtf
MARKED=/sys/fs/cgroup/tbtf_marked
export HOG_DIR=/run/hog

die()
{
	echo "# kself: guest: $*"
	exit 1
}

# The initramfs has no reclaimable page cache, which the tests of memory cgroups
# rely on. What is done here is what switch_root does, in a mount namespace of
# our own: process 1 stays where it is.
if [ "${1:-}" != tests ]; then
	[ "${1:-}" = root ] || exec unshare -m "$0" root
	i=0
	until [ -b /dev/vda ]; do
		i=$((i + 1))
		[ "$i" -le 100 ] || die "no disk"
		usleep 50000
	done
	mkdir -p /disk
	mount -t ext4 /dev/vda /disk || die "cannot mount the disk"
	for d in proc sys dev tmp run; do
		mount --move "/$d" "/disk/$d" || die "cannot move /$d"
	done
	mount --bind /tests /disk/tests || die "cannot bind /tests"
	cd /disk || die "no /disk"
	mount --move . / || die "cannot move the root"
	exec chroot . /tests/guest.sh tests
fi

# hog_field NAME: a field of what the marked process says of itself
hog_field()
{
	[ ! -e $HOG_DIR/marked/stat ] ||
		tr " " "\n" < $HOG_DIR/marked/stat | sed -n "s/^$1=//p"
}

start_marked()
{
	local i=0

	mkdir $MARKED || die "cannot make a cgroup"
	if [ -e $MARKED/memory.tbtf ]; then
		echo tbtf > $MARKED/memory.tbtf || die "cannot mark a cgroup"
	fi
	/tests/hog -n marked -s 64M -m -c tbtf_marked -q &
	until [ "$(hog_field state)" = idle ]; do
		i=$((i + 1))
		[ "$i" -le 200 ] && kill -0 $! || die "the process to be marked does not start"
		usleep 50000
	done
}

# state WHEN: for the host, which knows what to expect
state()
{
	local f line="module=none"

	if [ -d $MODULE ]; then
		line="module=live"
		for f in rounds passes sacrifices group_spared died_oom; do
			line="$line $f=$(cat $MODULE/stats/$f)"
		done
		line="$line marked=$(cat $MODULE/marked)"
	elif grep -q '^tbtf ' /proc/modules; then
		line="module=loaded"
	fi
	[ ! -e /tests/marked ] || line="$line hog_kb=$(hog_field kb)"
	echo "# kself: state $1 $line"
}

# limited COMMAND...: killed when its time is up; killable like any process
limited()
{
	(
		echo 0 > /proc/self/oom_score_adj
		exec timeout -s KILL "$seconds" "$@"
	) < /dev/null
}

huge()
{
	local rc

	echo 3 > /proc/sys/vm/drop_caches
	echo "$1" > /proc/sys/vm/nr_hugepages
	shift
	mkdir -p huge
	mount -t hugetlbfs none huge
	limited "$@"
	rc=$?
	clear_up 0
	umount huge
	echo 0 > /proc/sys/vm/nr_hugepages
	return $rc
}

nobody()
{
	limited su -s /bin/sh -c "$*" nobody
}

# users FILE: the processes that are no kernel threads, one a line. Nothing is
# forked here that would be one of them; timeout(1) looks after a test from a
# process of its own, which ends by itself.
users()
{
	local p comm

	for p in /proc/[0-9]*; do
		[ -e "$p/exe" ] && read -r comm 2>/dev/null < "$p/comm" && [ "$comm" != timeout ] &&
			echo "${p#/proc/}"
	done > "$1"
}

# others: is there any process that was not there before the test?
others()
{
	users /tmp/now
	grep -vxFf /tmp/before /tmp/now > /tmp/others
}

# clear_up SECONDS: some tests go on in a child and let the first process end
# well, others leave children behind. Wait for all, at most so long, then kill
# them: the next test is to find none.
clear_up()
{
	local p end=$(($(date +%s) + $1))

	while others && [ "$(date +%s)" -lt "$end" ]; do
		usleep 100000
	done
	while others; do
		while read -r p; do
			kill -KILL "$p" 2>/dev/null
		done < /tmp/others
		usleep 100000
	done
}

export PATH=/bin
[ ! -e /tests/marked ] || start_marked
state before
users /tmp/before
while read -r seconds read dir command; do
	cd "/selftests/$dir" || die "no directory $dir"
	# shellcheck disable=SC2086
	set -- $command
	case $1 in
	huge | nobody) ;;
	*) set -- limited "$@" ;;
	esac
	echo "# kself: begin $read $dir $command"
	start=$(date +%s)
	"$@"
	rc=$?
	if [ $rc -eq 0 ]; then
		clear_up $((start + seconds - $(date +%s)))
	else
		clear_up 0
	fi
	# Not every program ends its last line.
	echo
	case $rc in
	137) echo "# kself: end killed" ;;
	*) echo "# kself: end exit=$rc" ;;
	esac
	echo "# kself: took $(($(date +%s) - start)) s"
done < /tests/rows
state after
