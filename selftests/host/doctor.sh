#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - each finding of the doctor, on machines that are made up
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh. Every case starts from a machine in order, breaks one thing,
# and wants that finding, with that severity, and that exit code.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

good=$tmp/good
root=$tmp/doctor
make_root "$good"
mkdir -p "$tmp/bin"
cat > "$tmp/bin/systemctl" <<'SCRIPT'
#!/bin/sh
[ "$4" = OOMPolicy ] && echo "${POLICY-stop}"
SCRIPT
chmod +x "$tmp/bin/systemctl"
PATH=$tmp/bin:$PATH

# finding NAME CODE SEVERITY ID REGEX COMMANDS [ARGUMENT...]: the commands break
# the machine; they run in its root
finding()
{
	local name=$1 code=$2 severity=$3 id=$4 regex=$5 commands=$6 rc

	shift 6
	rm -rf "$root"
	cp -a "$good" "$root"
	(cd "$root" && eval "$commands") || not_ok "$name: cannot break the machine"
	PATH=${SEARCH:-$PATH} "$TBTF" --root "$root" doctor --json "$@" > "$tmp/json" 2> "$tmp/err"
	rc=$?
	if grep -q 'Sanitizer\|runtime error' "$tmp/err"; then
		not_ok "$name" "a sanitizer complained:"
	elif [ $rc -ne "$code" ]; then
		not_ok "$name" "exit code $rc, wanted $code:"
	elif ! awk -v id="$id" -v severity="$severity" -v regex="$regex" '
		/"id": / { at = index($0, "\"" id "\"") }
		/"severity": / { at = at && index($0, "\"" severity "\"") }
		/"text": / && at && $0 ~ regex { found = 1 }
		/"(why|todo)": ""/ { bad = 1 }
		END { exit !found || bad }' "$tmp/json"
	then
		not_ok "$name" "wanted $severity $id: $regex"
	else
		ok "$name"
		return 0
	fi
	cat "$tmp/err" "$tmp/json"
}

vm=proc/sys/vm
knobs=sys/kernel/mm/tbtf
db=sys/fs/cgroup/system.slice/db.service

finding "a machine in order" 0 ok module "loaded \(ABI 1\)" true
finding "nothing is marked" 0 note marked "no process and no cgroup" "echo inherit > $db/memory.tbtf"
finding "no module" 2 failed module "not loaded" "rm -r $knobs"
finding "a newer module" 1 warning module "speaks ABI 2" "echo 2 > $knobs/abi"
finding "no kill hook" 2 failed features "'kill'.*nobody is spared" "echo prctl -kill > $knobs/features"
finding "no group hook" 1 warning features "'group'" "echo prctl kill -group > $knobs/features"
finding "a feature of the future" 1 warning features "'foo' is not in place" \
	"echo prctl -foo > $knobs/features"
finding "switched off" 2 failed enabled "switched off" "echo 0 > $knobs/enabled"
finding "dry run" 2 failed dry-run "nobody is spared" "echo 1 > $knobs/dry_run"
finding "no device" 1 warning device "no /dev/tbtf" "rm dev/tbtf"
finding "a marked one has died" 1 warning history "killed by an OOM: 2" "echo 2 > $knobs/stats/died_oom"
finding "panic_on_oom 1" 2 failed panic-on-oom "is 1" "echo 1 > $vm/panic_on_oom"
finding "panic_on_oom 2" 2 failed panic-on-oom "also one of a cgroup" "echo 2 > $vm/panic_on_oom"
finding "overcommit 2" 1 warning overcommit "limit of 4.0G, of which 2.0G" \
	"echo 2 > $vm/overcommit_memory"
finding "the allocating task" 0 note allocating-task "is 1" "echo 1 > $vm/oom_kill_allocating_task"
finding "a dump of few tasks" 0 ok dump-tasks "is 1" "echo 1 > $vm/oom_dump_tasks"
finding "a dump of many tasks" 1 warning dump-tasks "1102 processes" \
	"echo 1 > $vm/oom_dump_tasks; mkdir proc/{200..1299}"
finding "no reboot" 0 note panic-timeout "stays down" "echo 0 > proc/sys/kernel/panic"
finding "no reboot after tbtf's panic" 1 warning panic-timeout "on_exhausted is panic" \
	"echo 0 > proc/sys/kernel/panic; echo 0 > $knobs/panic_reboot_s
	 echo 'kill [panic]' > $knobs/on_exhausted"
finding "tbtf's panic reboots" 0 note panic-timeout "after 10 s" \
	"echo 0 > proc/sys/kernel/panic; echo 'kill [panic]' > $knobs/on_exhausted"
finding "swappiness 0, no swap" 0 ok swappiness "is 0" "echo 0 > $vm/swappiness"
finding "swappiness 0, with swap" 1 warning swappiness "there is swap" \
	"echo 0 > $vm/swappiness; echo '/dev/sda2 partition 1000 0 -2' >> proc/swaps"
finding "cgroup v1" 1 warning cgroup-v1 "belongs to cgroup v1" \
	"sed -i 's/^memory.*/memory\t4\t1\t1/' proc/cgroups"
finding "no memory controller" 1 warning cgroup-v1 "switched off" \
	"sed -i 's/^memory.*/memory\t0\t1\t0/' proc/cgroups"
finding "a live patch" 1 warning livepatch "replaces oom_kill_process" \
	"mkdir -p sys/kernel/livepatch/kpatch_1/vmlinux/oom_kill_process,1"
finding "a live patch of something else" 0 ok livepatch "no live patch" \
	"mkdir -p sys/kernel/livepatch/kpatch_1/vmlinux/__oom_kill_process,1"
finding "systemd-oomd" 1 warning killers "systemd-oomd is running \(process 77\)" \
	"mkdir proc/77; echo systemd-oomd > proc/77/comm"
finding "earlyoom" 1 warning killers "earlyoom" "mkdir proc/78; echo earlyoom > proc/78/comm"
finding "the watchdog of a daemon" 1 warning watchdog "watchdog0 is held by 79 .wd.*x1b" \
	"mkdir -p proc/79/fd; printf 'wd\033\n' > proc/79/comm; ln -s /dev/watchdog0 proc/79/fd/4"
finding "one that is never killed" 0 ok watchdog "never sacrificed" \
	"mkdir -p proc/79/fd; echo -1000 > proc/79/oom_score_adj; ln -s /dev/watchdog proc/79/fd/4"
finding "the watchdog of systemd" 0 ok watchdog "held by 1 \(systemd\)" \
	"ln -s /dev/watchdog0 proc/1/fd/17"

finding "a protected process" 0 ok role "process 100 \(db\) is too big to fail" true 100
finding "one that is not" 2 failed role "is ordinary" \
	"echo ordinary > $db/memory.tbtf.effective" 100
finding "a protected cgroup" 0 ok role "/system.slice/db.service is too big" true -c /system.slice/db.service
finding "one that is not" 2 failed role "/system.slice is ordinary" true --cgroup /system.slice
finding "one without the controller" 2 failed role "no memory controller" \
	"mkdir sys/fs/cgroup/bare" --cgroup /bare
finding "oom_score_adj -1000" 1 warning adj "is -1000" "echo -1000 > proc/100/oom_score_adj" 100
finding "oom_score_adj -500" 0 note adj "is -500" "echo -500 > proc/100/oom_score_adj" 100
finding "oom_score_adj 300" 0 note adj "is 300" "echo 300 > proc/100/oom_score_adj" 100
finding "memory.oom.group" 1 warning oom-group "of /system.slice/db.service is 1" \
	"echo 1 > $db/memory.oom.group" 100
finding "memory.oom.group above" 1 warning oom-group "of /system.slice is 1" \
	"echo 1 > sys/fs/cgroup/system.slice/memory.oom.group" 100
finding "memory.oom.group, unhooked" 2 failed oom-group "takes the protected along" \
	"echo 1 > $db/memory.oom.group; echo prctl kill -group > $knobs/features" 100
finding "memory.max" 0 note limits "of /system.slice is 1.0G, of which 8.0M" \
	"echo 1073741824 > sys/fs/cgroup/system.slice/memory.max" 100
finding "memory.swap.max 0" 1 warning swap-max "db.service is 0" "echo 0 > $db/memory.swap.max" 100
finding "memory.swap.max" 0 note swap-max "db.service is 64.0M" \
	"echo 67108864 > $db/memory.swap.max" 100
finding "locked memory" 1 warning locked "585.9M of its 781.2M are locked" \
	"sed -i 's/^VmLck.*/VmLck: 600000 kB/' proc/100/status" 100
finding "a little of it" 0 note locked "9.8M of" \
	"sed -i 's/^VmLck.*/VmLck: 10000 kB/' proc/100/status" 100
finding "hugetlb" 1 warning hugetlb "1.5G of its 2.3G are hugetlb" \
	"sed -i 's/^Huge.*/HugetlbPages: 1600000 kB/' proc/100/status" 100
finding "OOMPolicy=stop" 1 warning oom-policy "of db.service is stop" "mkdir -p run/systemd/system" 100
POLICY="continue" finding "OOMPolicy=continue" 0 ok oom-policy "is continue" \
	"mkdir -p run/systemd/system" 100
POLICY='' finding "a unit without OOMPolicy" 0 ok role "too big" "mkdir -p run/systemd/system" 100
SEARCH=$tmp finding "no systemctl" 0 note oom-policy "no systemctl" \
	"mkdir -p run/systemd/system" 100

expect "JSON: a process" 0 "^100$" json pid < "$tmp/json"
expect "JSON: its cgroup" 0 "^/system.slice/db.service$" json cgroup < "$tmp/json"
expect "JSON: the verdict" 0 "^all well$" json verdict < "$tmp/json"
expect "JSON: a finding" 0 "^module$" json findings.0.id < "$tmp/json"
expect "no such process" 64 "process 4711: there is no such process" \
	"$TBTF" --root "$good" doctor 4711
expect "no such cgroup" 64 "no cgroup /gone" "$TBTF" --root "$good" doctor --cgroup /gone
expect "text: a finding and what to do" 2 "^ +do: +tbtf on$" sh -c \
	"echo 0 > '$root/$knobs/enabled'; '$TBTF' --root '$root' doctor"
check "text: no line is longer than 79 columns" sh -c \
	"! '$TBTF' --root '$root' doctor --verbose 100 | grep -q '.\{80\}'"
expect "text: what is in order, too" 2 "^ok +module +the module is loaded" \
	"$TBTF" --root "$root" doctor --verbose
exit $failed
