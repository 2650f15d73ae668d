# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - what shell tests have in common
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced first thing by a test in the VM: `. ./lib.sh`. Busybox's ash has
# `local`; nothing else beyond POSIX is used.
#
# A test says how many results it has (plan), gives them (ok, not_ok, check,
# is, skip), and ends with `finish`. The script itself runs at oom_score_adj
# -1000 and so do its children, unless they are hogs or `killable`.

TBTF=/sys/kernel/mm/tbtf
CGROUP=/sys/fs/cgroup
HOG_DIR=${HOG_DIR:-/tmp/hog}
export HOG_DIR

__planned=
__seen=0
__failed=0

# --- results --------------------------------------------------------------

# plan N: how many results there will be
plan()
{
	__planned=$1
	echo "TAP version 13"
	echo "1..$1"
}

# diag TEXT...: for whoever reads the log of a failure
diag()
{
	echo "$*" | sed 's/^/# /'
}

ok()
{
	__seen=$((__seen + 1))
	echo "ok $__seen $*"
}

not_ok()
{
	__seen=$((__seen + 1))
	__failed=$((__failed + 1))
	echo "not ok $__seen $*"
}

# skip NAME REASON: one result that cannot be had here
skip()
{
	__seen=$((__seen + 1))
	echo "ok $__seen $1 # SKIP $2"
}

# skip_all REASON: nothing of this test can run here
skip_all()
{
	echo "1..0 # SKIP $*"
	exit 4
}

# check NAME COMMAND...: ok if the command succeeds
check()
{
	local name="$1"

	shift
	if "$@"; then
		ok "$name"
	else
		not_ok "$name"
		diag "failed: $*"
	fi
}

# check_not NAME COMMAND...: ok if it fails
check_not()
{
	local name="$1"

	shift
	if "$@"; then
		not_ok "$name"
		diag "succeeded, though it should not: $*"
	else
		ok "$name"
	fi
}

# is NAME GOT WANTED
is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "got \"$2\", wanted \"$3\""
	fi
}

# one_line NAME CODE REGEX COMMAND...: that exit code, one line, and it says so.
# What it said is in $OUT.
one_line()
{
	local name="$1" code="$2" regex="$3" rc

	shift 3
	"$@" > "$OUT" 2>&1
	rc=$?
	if [ "$rc" = "$code" ] && [ "$(wc -l < "$OUT")" = 1 ] && grep -qE -- "$regex" "$OUT"; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit code $rc, wanted $code and \"$regex\":"
		diag "$(cat "$OUT")"
	fi
}

# in_range NAME GOT FROM TO
in_range()
{
	if [ -n "$2" ] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "got \"$2\", wanted $3 to $4"
	fi
}

finish()
{
	[ -n "$__planned" ] || {
		echo "TAP version 13"
		echo "1..$__seen"
	}
	[ "$__failed" -eq 0 ]
	exit
}

# --- waiting --------------------------------------------------------------

# wait_for COND TIMEOUT: until the shell condition holds, at most so many
# seconds (times VM_PATIENCE); whether it held
wait_for()
{
	local end

	end=$(($(now_ms) + $2 * 1000 * ${VM_PATIENCE:-1}))
	until eval "$1"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# Milliseconds since boot.
now_ms()
{
	local up rest

	read -r up rest < /proc/uptime
	echo "${up%.*}${up#*.}0"
}

# --- knobs, counters, log ---------------------------------------------------

# knob NAME: its value, of a choice the word in brackets
# knob NAME VALUE: set it
knob()
{
	local text

	if [ $# -gt 1 ]; then
		{ echo "$2" > "$TBTF/$1"; } 2>/dev/null
		return
	fi
	text=$(cat "$TBTF/$1") || return
	case $text in
	*\[*\]*)
		text=${text#*[}
		text=${text%%]*}
		;;
	esac
	echo "$text"
}

# stat_get NAME: a counter. stat_since NAME: by how much it grew after stat_mark
stat_get()
{
	cat "$TBTF/stats/$1"
}

stat_mark()
{
	(cd "$TBTF/stats" && grep . ./*) | sed 's,^\./,,' > /tmp/stat_mark
}

stat_since()
{
	local was

	was=$(sed -n "s/^$1://p" /tmp/stat_mark)
	echo $(($(stat_get "$1") - ${was:-0}))
}

# reserve_adds_up: what went into the reserve is held, or went out again. Each figure
# is read by itself: it holds only while nothing is handed out or refilled, so it is
# to be waited for.
reserve_adds_up()
{
	local in out

	in=$(($(stat_get taken_kb) + $(stat_get refilled_kb)))
	out=$(($(stat_get printed_kb) + $(stat_get bridged_kb) + $(stat_get yielded_kb) +
	       $(stat_get returned_kb)))
	[ $in -eq $(($(cat $TBTF/reserve_held_kb) + out)) ]
}

# books_balance: every episode that began is open or has ended in one outcome
books_balance()
{
	wait_for __balanced 5
}

__balanced()
{
	local f n

	n=$(stat_get open_episodes)
	for f in "$TBTF"/stats/outcome_*; do
		n=$((n + $(cat "$f")))
	done
	[ "$n" = "$(stat_get episodes)" ]
}

# episodes_over TIMEOUT: wait until none is open
episodes_over()
{
	wait_for '[ "$(stat_get open_episodes)" = 0 ]' "$1"
}

# --- loading ------------------------------------------------------------------

# Where the modules of the tests are, and tbtf itself.
EXTRA=/lib/modules/$(uname -r)/extra

# tbtf_loads [PARAMETER...]; tbtf_why: why it did not
tbtf_loads()
{
	insmod "$EXTRA/tbtf.ko" "$@" 2>/tmp/why
}

tbtf_why()
{
	sed 's/.*: //' /tmp/why
}

# nothing_left [WHAT]: of tbtf in the kernel; WHAT of it (device, sysfs, cgroup) is
# somebody else's now. Looks at the files of the cgroup m.
nothing_left()
{
	local f

	for f in $TBTF/enabled $TBTF/stats /sys/module/tbtf /sys/kernel/slab/tbtf_mark \
		/sys/kernel/tracing/events/tbtf "$CGROUP"/m/memory.tbtf.*; do
		[ ! -e "$f" ] || { diag "$f is there"; return 1; }
	done
	for f in sysfs:$TBTF device:/dev/tbtf cgroup:"$CGROUP"/m/memory.tbtf; do
		[ "${f%%:*}" = "$1" ] || [ ! -e "${f#*:}" ] || { diag "${f#*:} is there"; return 1; }
	done
	# The tracepoints, by what the others are: nobody is on them here.
	if grep -E 'tbtf|replace_' /sys/kernel/tracing/enabled_functions; then
		return 1
	fi
	if grep -E '\[tbtf\]' /proc/kallsyms; then
		return 1
	fi
	# The rescuer of its workqueue.
	if grep -x tbtf_reserve /proc/[0-9]*/comm 2>/dev/null; then
		return 1
	fi
	# 22 is EINVAL: the option is unknown.
	hog_start asks -s 1M -m 2>/dev/null && return 1
	[ "$(hog_get asks err)" = 22 ]
}

# --- the kernel log -----------------------------------------------------------

# log_mark: from here on. log_since: what the kernel logged after it, or all.
log_mark()
{
	__log_mark="mark $(now_ms) $__seen"
	echo "<6>test: $__log_mark" > /dev/kmsg
}

log_since()
{
	if [ -n "${__log_mark:-}" ]; then
		dmesg | sed -n "/test: $__log_mark\$/,\$p" | sed 1d
	else
		dmesg
	fi
}

# log_has REGEX, log_count REGEX: lines after log_mark
log_has()
{
	log_since | grep -qE -- "$1"
}

log_count()
{
	log_since | grep -cE -- "$1"
}

# log_ms REGEX [last]: when the first, or last, line after log_mark that matches was
# logged, ms
log_ms()
{
	log_since | grep -E -- "$1" | if [ $# -gt 1 ]; then tail -n 1; else head -n 1; fi | sed -n 's/^\[ *\([0-9]*\)\.\([0-9]\{3\}\).*/\1\2/p'
}

# Names of those the OOM killer took after log_mark, one a line, in order.
killed()
{
	log_since | sed -n 's/.*Killed process [0-9]* (\(.*\)) total-vm.*/\1/p'
}

# --- cgroups, by their path below /sys/fs/cgroup ------------------------------

# cg_make NAME [FILE=VALUE...]: with the memory controller, also when nested
cg_make()
{
	local cg="$1"

	case $cg in
	*/*) echo +memory > "$CGROUP/${cg%/*}/cgroup.subtree_control" || return ;;
	esac
	mkdir "$CGROUP/$cg" || return
	shift
	while [ $# -gt 0 ]; do
		cg_set "$cg" "${1%%=*}" "${1#*=}" || return
		shift
	done
}

# cg_remove NAME: with all that is in it
cg_remove()
{
	echo 1 > "$CGROUP/$1/cgroup.kill"
	wait_for "rmdir '$CGROUP/$1' 2>/dev/null" 10
}

cg_set()
{
	{ echo "$3" > "$CGROUP/$1/$2"; } 2>/dev/null
}

# cg_get NAME FILE [KEY]: the file, or what stands behind KEY in it
cg_get()
{
	if [ $# -gt 2 ]; then
		awk -v key="$3" '$1 == key { print $2 }' "$CGROUP/$1/$2"
	else
		cat "$CGROUP/$1/$2"
	fi
}

# cg_run NAME COMMAND...: in that cgroup, in the foreground
cg_run()
{
	local cg="$1"

	shift
	sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$CGROUP/$cg" "$@"
}

# killable COMMAND...: at oom_score_adj 0
killable()
{
	sh -c 'echo 0 > /proc/self/oom_score_adj; exec "$@"' killable "$@"
}

# --- hogs (hog.c) -------------------------------------------------------------

# hog_start NAME [OPTION...]: in the background; back when it has its memory
hog_start()
{
	local name="$1"

	shift
	rm -rf "${HOG_DIR:?}/$name"
	hog -n "$name" "$@" &
	wait_for "hog_settled $name $!" 60 || return
	[ "$(hog_get "$name" state)" = idle ]
}

# The shell knows the pid before the hog has written it.
hog_settled()
{
	case $(hog_get "$1" state) in
	idle | failed | finished) return 0 ;;
	esac
	! pid_alive "$2"
}

# hog_get NAME FIELD: pid, state, kb, done, err, bad (hog.c)
hog_get()
{
	local line

	{ read -r line < "$HOG_DIR/$1/stat"; } 2>/dev/null || return 1
	line=" $line"
	line=${line##* "$2"=}
	echo "${line%% *}"
}

hog_pid()
{
	hog_get "$1" pid
}

# hog_tell NAME ORDER...: does not wait
hog_tell()
{
	local name="$1"

	shift
	hog_alive "$name" && echo "$*" > "$HOG_DIR/$name/ctl"
}

# hog_do NAME TIMEOUT ORDER...: tell, wait until it is done (seconds); whether
# it was done without an error
hog_do()
{
	local name="$1" timeout="$2" count

	shift 2
	count=$(hog_get "$name" "done") || return
	hog_tell "$name" "$@" || return
	wait_for "[ \"\$(hog_get $name done)\" != $count ] || ! hog_alive $name" "$timeout" || return
	hog_alive "$name" && [ "$(hog_get "$name" err)" = 0 ]
}

# pid_alive PID: there, and no zombie
pid_alive()
{
	local line=""

	{ read -r line < "/proc/$1/stat"; } 2>/dev/null
	line=${line##*) }
	case $line in
	"" | Z* | X*) return 1 ;;
	esac
}

hog_alive()
{
	pid_alive "$(hog_pid "$1")"
}

# verified NAME...: how many of these hogs live and hold what they wrote
verified()
{
	local name n=0

	for name; do
		! hog_do "$name" 60 verify || n=$((n + 1))
	done
	echo "$n"
}

# The machine's free memory in kB.
free_kb()
{
	awk '$1 == "MemFree:" { print $2 }' /proc/meminfo
}

# hog_gone NAME TIMEOUT: wait until it is dead
hog_gone()
{
	wait_for "! hog_alive $1" "$2"
}

# hog_dies NAME ORDER...: tell a hog that this shell has started, and wait for
# its death without needing memory meanwhile: who asks in vain is never the test
hog_dies()
{
	local name="$1" pid

	pid=$(hog_pid "$name")
	shift
	echo "$*" > "$HOG_DIR/$name/ctl"
	wait "$pid" 2>/dev/null
	! pid_alive "$pid"
}

# hog_kill NAME...: and wait
hog_kill()
{
	local name

	for name; do
		! hog_alive "$name" || kill -9 "$(hog_pid "$name")"
		hog_gone "$name" 10
	done
}

# hogs_alive NAME...: how many of them are
hogs_alive()
{
	local name n=0

	for name; do
		! hog_alive "$name" || n=$((n + 1))
	done
	echo "$n"
}
