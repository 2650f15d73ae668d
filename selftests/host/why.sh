#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - why: who died for whom, from a recording and from the kernel log
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

export TZ=UTC
rec=$tmp/why-recording
root=$tmp/whyroot
perl selftests/host/recording.pl > "$rec"
mkdir -p "$root/dev" "$root/var/log/tbtf" "$tmp/journal"
: > "$root/dev/kmsg"

while IFS='|' read -r name regex words; do
	read -ra args <<< "$words"
	expect "arguments: $name" 64 "$regex.*see 'tbtf why --help'" "$TBTF" why "${args[@]}"
done <<'CASES'
nobody|give the pid, the unit|
two of them|'b' is one argument too many|a b
pid 0|'0' is not a pid|0
a pid beyond all|'99999999999' is not a pid|99999999999
both sources|exclude each other|--log --file x a
CASES
expect "arguments: an empty name" 64 "the name is empty" "$TBTF" why ""
expect "a recording that is not there" 1 "/nowhere: No such file" "$TBTF" why -f /nowhere 1

# --- a recording ------------------------------------------------------------------

expect "by pid" 0 "^901 \(chrome\) of /user.slice/<u>&'\" died on 2026-11-22 12:03:55 in place of 812 \(postgres\)" \
	"$TBTF" why -f "$rec" 901
expect "the episode" 0 "^  episode      3, an OOM of the machine; kill 2 of 8; it ended: killed$" "$TBTF" why -f "$rec" 902
expect "why it" 0 "^  why it       200.0M, smaller than the 4.0G of the protected one; killing it frees 199.0M$" \
	"$TBTF" why -f "$rec" 902
expect "its band" 0 "band lowered: its oom_score_adj is below 0: all others were gone" "$TBTF" why -f "$rec" 950
expect "not another" 0 "not another  by chance: each of its band was equally likely" "$TBTF" why -f "$rec" 950
expect "by unit" 0 "^950 \(cron\)" "$TBTF" why -f "$rec" cron.service
expect "by unit without its ending" 0 "^812 \(postgres\)" "$TBTF" why -f "$rec" postgresql
expect "by cgroup" 0 "^950 \(cron\)" "$TBTF" why -f "$rec" /system.slice/cron.service
expect "by its directory" 0 "^950 \(cron\)" "$TBTF" why -f "$rec" /sys/fs/cgroup/system.slice/cron.service
check "by a cgroup above: all of them" sh -c "[ \$('$TBTF' why -f '$rec' /user.slice | grep -c '^90[1-7] ') = 7 ]"
check "by a part of a name: none" sh -c "! '$TBTF' why -f '$rec' /system.slice/cro"
expect "by name" 0 "^905 \(node\)" "$TBTF" why -f "$rec" node
expect "from stdin" 0 "from the recording of stdin" sh -c "'$TBTF' why -f - 901 < '$rec'"
expect "the protected one itself" 0 "^812 \(postgres\).* too big to fail itself, died .* at the end of the ladder" \
	"$TBTF" why -f "$rec" 812
expect "after how many" 0 "8 had died for it before" "$TBTF" why -f "$rec" 812
expect "and for how long" 0 "no memory came for 10.0 s" "$TBTF" why -f "$rec" 812
check "it is told once" sh -c "[ \$('$TBTF' why -f '$rec' 812 | grep -c '^812') = 1 ]"
expect "the kernel's own choice" 0 "^777 \(lonely\).* by the kernel's own choice" "$TBTF" why -f "$rec" lonely
expect "a dry run is no death" 3 "has nothing of 5001; it speaks of 2026-11-22 12:03:20 to 2026-11-22 12:05:20" \
	"$TBTF" why -f "$rec" 5001
expect "who was spared" 3 "nothing of a death of" "$TBTF" why -f <(grep -v '"died"\|"exhausted"' "$rec") 812
expect "a hostile name, as text" 0 '^904 \(a"'"'"'&<b>.*\\x1b\[2J\)' "$TBTF" why -f "$rec" 904
check "no control character gets out" sh -c "! '$TBTF' why -f '$rec' 904 | LC_ALL=C grep -q '[[:cntrl:]]'"
"$TBTF" why --json -f "$rec" 902 > "$tmp/json"
expect "JSON: cause" 0 "^sacrificed$" json deaths.0.cause < "$tmp/json"
expect "JSON: for whom" 0 "^812$" json deaths.0.protected.pid < "$tmp/json"
expect "JSON: worth" 0 "^203776$" json deaths.0.worth_kb < "$tmp/json"
expect "JSON: which of how many" 0 "^2$" json deaths.0.kill < "$tmp/json"
expect "JSON: of how many" 0 "^8$" json deaths.0.kills < "$tmp/json"
expect "JSON: time" 0 "^1795349040$" json deaths.0.time < "$tmp/json"
{
	cat "$rec"
	echo '{"event":"episode_begin","ns":1,"episode":3,"scope":"global"}'
	echo '{"event":"sacrifice","ns":2,"episode":3,"task":{"pid":90,"comm":"new"},"protected":{"pid":9,"comm":"p"}}'
} > "$tmp/two"
expect "after a reload the ids begin anew" 0 "episode      3; kill 1$" "$TBTF" why -f "$tmp/two" new

# --- which source ---------------------------------------------------------------------

cp "$rec" "$root/var/log/tbtf/events.jsonl"
expect "the default recording" 0 "from the recording .*/var/log/tbtf/events.jsonl" "$TBTF" --root "$root" why 901
rest="12288kB, frees 12000kB, adj 0, band ordinary, policy largest, 3 candidates"
{
	printf '6,1,1000000,-;tbtf: episode 1: global: spared 40 (old) 9kB; instead 41 (a) %s\n' "$rest"
	printf '6,2,2000000,-;tbtf: loaded: a candidate is worth 8192 kB at least\n'
	printf '6,3,3000000,-;tbtf: episode 1: memcg /t: spared 50 (big) 62000kB; instead 60 (sm,pid=1) %s\n' "$rest"
	printf '6,4,3000100,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,oom_memcg=/t,task_memcg=/t/web.service,task=sm,pid=1,pid=60,uid=0\n'
	printf '3,5,3000200,-;Memory cgroup out of memory: Killed process 60 (sm,pid=1) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0\n'
	printf '6,6,9000000,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/k.slice/,task=not-a-name,task=y,pid=70,uid=0\n'
	printf '3,7,9000200,-;Out of memory: Killed process 70 (y) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0\n'
	printf '3,8,9900000,-;tbtf: episode 2: exhausted: memcg /t: 50 (big) has outlived all: 1 killed for it, 12000kB, then 430ms without anybody to kill; on_exhausted_memcg=kill: the kernel kills it\n'
	printf '3,9,9900200,-;Memory cgroup out of memory: Killed process 50 (big) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0\n'
} > "$root/dev/kmsg"
expect "what the recording has not, the log may have" 0 "^60 \(sm,pid=1\) of /t/web.service died .* in place of 50 \(big\)" \
	"$TBTF" --root "$root" why 60
expect "and it is said" 0 "from the kernel log of this boot" "$TBTF" --root "$root" why 60
expect "neither has it: both are named, the recording" 3 "the recording .* has nothing of 61; it speaks of" "$TBTF" --root "$root" why 61
expect "neither has it: and the log" 3 "the kernel log of this boot has nothing of 61" "$TBTF" --root "$root" why 61
rm "$root/var/log/tbtf/events.jsonl"

# --- the kernel log ------------------------------------------------------------------------

expect "log: by unit" 0 "^60 " "$TBTF" --root "$root" why web
expect "log: by cgroup" 0 "^60 " "$TBTF" --root "$root" why /t
expect "log: of the new load it is the first" 0 "episode      1, an OOM of /t; kill 1$" "$TBTF" --root "$root" why 60
expect "log: policy" 0 "the largest of its band" "$TBTF" --root "$root" why 60
expect "log: candidates" 0 "3 could have gone" "$TBTF" --root "$root" why 60
expect "log: the kernel's own" 0 "^70 \(y\) of /k.slice/,task=not-a-name was killed .* by the kernel's own choice" "$TBTF" --root "$root" why 70
expect "log: the end" 0 "^50 \(big\).*at the end of the ladder" "$TBTF" --root "$root" why big
check "log: the end is told once" sh -c "[ \$('$TBTF' --root '$root' why big | grep -c '^50') = 1 ]"
: > "$root/dev/kmsg"
expect "log: an empty one" 3 "has nothing of tbtf, nor of any OOM" "$TBTF" --root "$root" why 60
rm "$root/dev/kmsg"
expect "log: none" 1 "the kernel log: No such file" "$TBTF" --root "$root" why 60

# With systemd it is the journal that is asked.
mkdir -p "$root/run/systemd/system"
cat > "$tmp/journal/journalctl" <<SCRIPT
#!/bin/sh
echo "\$*" > "$tmp/asked"
echo "1795349040.500000 host kernel: tbtf: episode 7: global: spared 50 (big) 62000kB; instead 60 (small) $rest"
SCRIPT
chmod +x "$tmp/journal/journalctl"
expect "journal" 0 "^60 \(small\) died on 2026-11-22 12:04:00" env PATH="$tmp/journal:$PATH" "$TBTF" --root "$root" why 60
expect "journal: it is said" 0 "from the kernel's lines in the journal" env PATH="$tmp/journal:$PATH" "$TBTF" --root "$root" why 60
expect "journal: all boots are asked for" 0 "^--no-pager -q -o short-unix _TRANSPORT=kernel$" cat "$tmp/asked"
printf '6,1,1000000,-;tbtf: episode 9: global: spared 40 (old) 9kB; instead 41 (a) %s\n' "$rest" > "$root/dev/kmsg"
mkdir "$tmp/nojournal"
expect "journal: none, the log instead" 0 "from the kernel log of this boot" env PATH="$tmp/nojournal:/bin" "$TBTF" --root "$root" why 41
exit $failed
