#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the command: what its subcommands do with the module there
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=512 timeout=240
. ./lib.sh

plan 95

# says NAME CODE REGEX COMMAND...: exit code, and what it prints on either channel
says()
{
	# shellcheck disable=SC3043 # the shell is busybox's
	local name="$1" code="$2" regex="$3" rc=0

	shift 3
	"$@" > /tmp/says 2>&1 || rc=$?
	if [ "$rc" -eq "$code" ] && { [ -n "$regex" ] || [ ! -s /tmp/says ]; } &&
	   grep -qE -- "$regex" /tmp/says; then
		ok "$name"
	elif [ "$rc" -eq "$code" ] && [ -z "$regex" ] && [ ! -s /tmp/says ]; then
		ok "$name"
	else
		not_ok "$name"
		diag "exit code $rc, wanted $code and: $regex"
		diag "$(cat /tmp/says)"
	fi
}

# The cgroups that the command has made and not removed.
left()
{
	find "$CGROUP" -mindepth 1 -name 'tbtf-*' -type d
}

# --- roles of processes ---------------------------------------------------------

hog_start big -s 60M
hog_start s1 -s 20M
hog_start s2 -s 12M
hog_start s3 -s 1M
hog_start raised -s 10M -a 300
big=$(hog_pid big)
says "doctor: a machine in order" 0 "0 failed, 0 warnings" tbtf doctor
says "list: nobody yet" 0 "^ *PID" tbtf list
is "list: one line" "$(wc -l < /tmp/says)" 1
says "set" 0 "" tbtf set "$big"
says "list: it is marked" 0 "^ +$big +tbtf +tbtf +process +6[01]\.[0-9]M" tbtf list
says "list: as JSON" 0 '"effective": "tbtf"' tbtf list --json
says "set --local" 0 "" tbtf set --local "$big"
says "list: it is local" 0 "^ +$big +tbtf,local" tbtf list
says "spare, expendable, of several" 0 "" tbtf spare "$(hog_pid s1)" "$(hog_pid s2)"
is "the knob of the marked" "$(knob marked)" 3
says "one that is gone: nothing is changed" 1 "process 99999: there is no such process" \
	tbtf clear "$big" 99999
is "nothing is" "$(knob marked)" 3
says "a kernel thread" 1 "process 2 is a kernel thread" tbtf set 2
says "init is not expendable" 1 "process 1 is init" tbtf expendable 1
says "clear" 0 "" tbtf clear "$(hog_pid s1)" "$(hog_pid s2)"
knob max_marks 1
says "too many marks" 1 "max_marks" tbtf spare "$(hog_pid s1)"
knob max_marks 1024
says "a thread is no process" 1 "is a thread of process [0-9]+: give the process" \
	sh -c 'hog -n threads -t 1 -s 1M & h=$!
	       until [ "$(ls /proc/$h/task 2>/dev/null | wc -l)" -gt 1 ]; do sleep 0.05; done
	       tbtf set "$(ls /proc/$h/task | tail -1)"; rc=$?; kill -9 $h; exit $rc'

# --- victims ----------------------------------------------------------------------

says "victims: the open band" 0 "^3 candidates, open band raised, policy uniform" tbtf victims "$big"
says "victims: the one that would go" 0 "^ +$(hog_pid raised) raised .* 100.0000% +300  raised" \
	tbtf victims "$big"
says "victims: those who would not yet" 0 " ordinary .* 0.0000% +0  s1" tbtf victims "$big"
says "victims: why not the others" 0 "s3: worth less than min_victim_kb" tbtf victims --all "$big"
says "victims: itself" 0 "big: the protected process itself" tbtf victims --all "$big"
says "victims: as JSON" 0 '"likelihood_ppm": 1000000' tbtf victims --json "$big"
hog_kill raised
says "victims: uniform" 0 "50.0000% +0  s2" tbtf victims "$big"
says "victims: another policy" 0 "100.0000% +0  s1" tbtf victims --policy largest "$big"
says "victims: only a bigger one" 0 "^0 candidates, open band bigger" tbtf victims "$(hog_pid s3)"
knob min_victim_kb 1000000
says "victims: nobody" 3 "^0 candidates, open band none" tbtf victims "$big"
knob min_victim_kb 4096
says "victims: of a kernel thread" 1 "has no memory" tbtf victims 2

# --- cgroups ------------------------------------------------------------------------

echo +memory > "$CGROUP/cgroup.subtree_control"
cg_make a
cg_make a/b
says "set --cgroup" 0 "" tbtf set --cgroup /a
is "memory.tbtf" "$(cg_get a memory.tbtf)" tbtf
says "tree: what it has, and what counts below" 0 "^inherit +tbtf .*    b$" tbtf tree
says "tree: as JSON" 0 '"path": "/a/b"' tbtf tree --json
says "tree: the marked" 0 "^tbtf +tbtf .*  a$" tbtf tree --marked
is "tree: and those above" "$(wc -l < /tmp/says)" 3
says "ordinary, by the directory" 0 "" tbtf ordinary --cgroup "$CGROUP/a/b"
is "what counts" "$(cg_get a/b memory.tbtf.effective)" ordinary
says "clear --cgroup" 0 "" tbtf clear --cgroup /a --cgroup a/b
says "victims: the cgroup has not got it" 1 "an OOM of /a never chooses it" \
	tbtf victims --cgroup /a "$big"
echo "$big" > "$CGROUP/a/cgroup.procs" 2>/dev/null || echo "$big" > "$CGROUP/a/b/cgroup.procs"
says "victims: nobody else is in it" 3 "OOM of /a: .*" tbtf victims --cgroup /a "$big"
cg_set a/b memory.tbtf tbtf
says "clear: the cgroup's role stays, and it says so" 0 "stays tbtf by its cgroup /a/b" \
	tbtf clear "$big"
says "list --all: the cgroup's" 0 "^ +$big +inherit +tbtf +cgroup" tbtf list --all
says "list --json: whose it is" 0 '"source_cgroup": "/a/b"' tbtf list --all --json
says "unit without systemd: a cgroup's name" 0 "" tbtf spare --unit b
is "it is spare" "$(cg_get a/b memory.tbtf)" spare

# --- run -------------------------------------------------------------------------------

says "run: the mark is the command's" 0 "^ +[0-9]+ +tbtf " tbtf run -- tbtf list
says "run: the exit status is the command's" 7 "" tbtf run -- sh -c 'exit 7'
says "run: the pid and the parent stay" 0 "^same$" sh -c \
	'echo $$ > /tmp/pid; exec tbtf run -- sh -c "[ \$\$ = \$(cat /tmp/pid) ] && echo same"'
says "run: no such command" 127 "cannot run 'nothing'" tbtf run -- nothing
says "run: no rights" 125 "not permitted" unshare -U -r tbtf run -- true
says "run --try: without" 0 "without protection" unshare -U -r tbtf run --try -- true
says "run --cgroup: in a cgroup that is marked" 0 "^tbtf$" tbtf run --cgroup --name x -- \
	sh -c 'cat /sys/fs/cgroup/tbtf-x/memory.tbtf.effective'
check "run --cgroup: it is removed" wait_for '[ -z "$(left)" ]' 10
says "run --cgroup: children that stay" 0 "" tbtf run --cgroup --name x -- \
	sh -c 'mkdir /sys/fs/cgroup/tbtf-x/sub; sleep 1000 > /dev/null 2>&1 & echo $! > /tmp/pid'
is "run --cgroup: keep it" "$(cat "$CGROUP/tbtf-x/cgroup.procs")" "$(cat /tmp/pid)"
says "run --cgroup: nobody else gets in" 125 "has processes already" tbtf run --cgroup --name x -- true
kill "$(cat /tmp/pid)"
check "run --cgroup: then it goes, and what is below" wait_for '[ -z "$(left)" ]' 10
check "run --cgroup: the janitor too" wait_for '! pidof tbtf-janitor' 10
says "run --cgroup: no such command" 127 "cannot run 'nothing'" tbtf run --cgroup -- nothing
check "run --cgroup: nothing stays" wait_for '[ -z "$(left)" ]' 10
mkdir "$CGROUP/tbtf-old"
says "run --cgroup: takes an empty one" 0 "^0::/tbtf-old$" tbtf run -c -n old -- cat /proc/self/cgroup
check "run --cgroup: and removes it" wait_for '[ -z "$(left)" ]' 10
cg_make leaf
says "run --cgroup: from a leaf, beside it" 0 "^0::/tbtf-y$" cg_run leaf \
	tbtf run --cgroup --name y -- cat /proc/self/cgroup
says "run --here: alone" 0 "^tbtf$" cg_run leaf \
	tbtf run --here -- cat "$CGROUP/leaf/memory.tbtf"
sleep 1000 &
echo $! > "$CGROUP/leaf/cgroup.procs"
says "run --here: not alone" 125 "has other processes, such as $!" cg_run leaf tbtf run --here -- true
kill $!
i=0
while [ $i -lt 30 ] && tbtf run --cgroup --name again -- true; do
	i=$((i + 1))
done
is "run --cgroup: the same name 30 times in a row" $i 30

# --- doctor ------------------------------------------------------------------------------

cg_make p memory.oom.group=1 memory.swap.max=0 memory.max=64M
hog_start target -c p -s 30M -L
target=$(hog_pid target)
says "doctor: what has happened" 1 "^warning +history +marks refused because of max_marks: 1" tbtf doctor
says "doctor: not protected" 2 "^failed +role +process $target \\(target\\) is ordinary" \
	tbtf doctor "$target"
tbtf set "$target"
says "doctor: an oom.group" 1 "^warning +oom-group +memory.oom.group of /p is 1" tbtf doctor "$target"
says "doctor: a limit, and nobody there" 1 "^warning +limits +memory.max of /p is 64.0M" \
	tbtf doctor "$target"
says "doctor: no swap" 1 "^warning +swap-max +memory.swap.max of /p is 0" tbtf doctor "$target"
says "doctor: locked" 1 "^warning +locked +[0-9.]+M of its [0-9.]+M are locked" tbtf doctor "$target"
says "doctor: the others could go" 1 "^ok +candidates +2 candidates" tbtf doctor -v "$target"
hog_do target 20 fork child
says "doctor: a child" 1 "^warning +children +1 of its 1 child" tbtf doctor "$target"
echo -1000 > "/proc/$target/oom_score_adj"
says "doctor: oom_score_adj" 1 "^warning +adj +oom_score_adj is -1000" tbtf doctor "$target"
hog_kill child target
says "doctor: a cgroup" 2 "^failed +role +/p is ordinary" tbtf doctor --cgroup /p
cg_remove p
echo 2 > /proc/sys/vm/overcommit_memory
says "doctor: overcommit" 1 "^warning +overcommit +vm.overcommit_memory is 2" tbtf doctor
echo 0 > /proc/sys/vm/overcommit_memory
says "doctor: no such process" 64 "there is no such process" tbtf doctor 99999

# --- drill -------------------------------------------------------------------------------

knob min_victim_kb 4096
stat_mark
says "drill" 0 "^drill: passed" tbtf drill
is "drill: one sacrifice" "$(stat_since sacrifices)" 1
is "drill: nothing stays" "$(left)" ""
knob dry_run 1
says "drill: with dry_run" 3 "would have spared it" tbtf drill
says "doctor: with dry_run" 2 "^failed +dry-run" tbtf doctor
knob dry_run 0
knob policy largest
says "drill: with another policy" 0 "^drill: passed" tbtf drill
knob policy uniform
knob min_victim_kb 20000
says "drill: a bigger one" 0 "memory.max 8[0-9]\.[0-9]M" tbtf drill
knob min_victim_kb 400000
says "drill: not enough memory" 2 "it wants twice" tbtf drill
knob min_victim_kb 4096
echo 2 > /proc/sys/vm/panic_on_oom
says "drill: not with panic_on_oom" 2 "would crash the machine" tbtf drill
says "doctor: panic_on_oom" 2 "^failed +panic-on-oom" tbtf doctor
echo 0 > /proc/sys/vm/panic_on_oom
tbtf drill > /tmp/out 2>&1 &
drill=$!
wait_for 'ls -d /sys/fs/cgroup/tbtf-drill-*' 10 > /dev/null
kill -INT "$drill" 2>/dev/null
wait "$drill"
# It may have been quicker.
in_range "drill: interrupted" $(($? == 130 || $? == 0)) 0 1
is "drill: nothing stays then either" "$(left)" ""
mkdir "$CGROUP/tbtf-drill-999999"
says "drill: what an earlier one has left goes" 0 "passed" tbtf drill
is "drill: it is gone" "$(left)" ""

# --- off and on -----------------------------------------------------------------------------

says "tbtf-off" 0 "off \(enabled is 0\)" tbtf-off
is "off: it is" "$(knob enabled)" 0
says "drill: nothing to try" 3 "switched off" tbtf drill
tbtf on
is "on: it is" "$(knob enabled)" 1
finish
