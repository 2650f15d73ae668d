#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a protected process that is dying, or only seems to be
#
# Copyright (C) 2026 The tbtf authors
#
# A process that has been killed and sits in the kernel, where no signal reaches
# it, is what oom_provoke's "hold" is for.
#
# vm: mem=256 smp=1 load="oom_provoke" timeout=150
. ./lib.sh

PROVOKE=/sys/kernel/debug/oom_provoke

# state PID: the letter of /proc/PID/stat, or nothing
state()
{
	local line=""

	{ read -r line < "/proc/$1/stat"; } 2>/dev/null
	line=${line##*) }
	echo "${line%% *}"
}

# kill_held PID: with SIGKILL, which has to wait for the release
kill_held()
{
	wait_for "[ \"\$(state $1)\" = D ]" 20 || return
	kill -9 "$1"
	wait_for "grep -q 'SigPnd:.*1..\$\|ShdPnd:.*1..\$' /proc/$1/status" 5
}

rss_kb()
{
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# pid_of NAME: of a sharer, which has no control directory
pid_of()
{
	local dir comm

	for dir in /proc/[1-9]*; do
		{ read -r comm < "$dir/comm"; } 2>/dev/null
		if [ "$comm" = "$1" ]; then
			echo "${dir#/proc/}"
			return
		fi
	done
	return 1
}

plan 28

# --- P is dying: it is nobody's to protect any more
hog_start big -s 90M -m
big=$(hog_pid big)
hog_start small1 -s 12M
hog_start small2 -s 12M
hog_do big 10 open $PROVOKE/hold
hog_tell big write 1
check "a marked process is killed, and stays" kill_held "$big"
hog_start asker -s 12M
stat_mark
log_mark
check "somebody uses up the memory, and gets it" hog_do asker 60 grow 80M 1M 5
is "from the one who is dying: nobody else has to" "$(killed) $(verified asker small1 small2)" " 3"
in_range "tbtf has let it pass" "$(stat_since passes_dying)" 1 9
is "and begun nothing" "$(stat_since sacrifices) $(stat_since episodes)" "0 0"
in_range "its memory is gone before it is" "$(rss_kb "$big")" 0 1000
hog_kill asker
echo 1 > $PROVOKE/release
check "let go, it dies" wait_for "! pid_alive $big" 20

# --- a sharer of its memory is dying, and it is not
hog_start big -s 90M -m
check "a process shares the memory of a marked one" hog_do big 10 share twin $PROVOKE/hold
wait_for 'pid_of twin > /dev/null' 10
twin=$(pid_of twin)
check "is killed, and stays" kill_held "$twin"
hog_start asker -s 12M
stat_mark
log_mark
hog_tell asker grow 250M 1M 5
check "somebody uses up the memory: a smaller one dies" \
	wait_for 'log_has "Killed process [0-9]+ \\((small[12]|asker)\\)"' 60
hog_kill asker
check "the log has the sharer, or the marked one, as the spared" \
	log_has 'tbtf: episode [0-9]+: global: spared [0-9]+ \((twin|big)\) 9[0-9]{4}kB; instead'
is "nothing has passed as dying" "$(stat_since passes_dying)" 0
check "the marked one lives, and has its data" hog_do big 60 verify
echo 1 > $PROVOKE/release
check "the sharer dies when let go" wait_for "! pid_alive $twin" 20
check "and that changes nothing for the marked one" hog_do big 60 verify
hog_kill small1 small2

# --- the marked one of the two is dying: the other holds the memory still, and
# is protected with it
check "another process shares its memory" hog_do big 10 share twin
wait_for 'pid_of twin > /dev/null' 10
twin=$(pid_of twin)
big=$(hog_pid big)
hog_do big 10 open $PROVOKE/hold
hog_tell big write 1
check "the marked one itself is killed, and stays" kill_held "$big"
hog_start small1 -s 12M
hog_start asker -s 12M
log_mark
hog_tell asker grow 250M 1M 5
check "somebody smaller dies" wait_for 'log_has "Killed process [0-9]+ \\((small[12]|asker)\\)"' 60
hog_kill asker small1
check "both are there, and their memory" \
	[ "$(state "$big") $(state "$twin") $(($(rss_kb "$twin") / 10000))" = "D S 9" ]
kill -9 "$twin"
echo 1 > $PROVOKE/release
wait_for "! pid_alive $big && ! pid_alive $twin" 20

# --- it dumps core: that takes long, and has to be whole
cat > /tmp/core.sh << 'EOF'
#!/bin/sh
echo > /tmp/dumping
read -r go < /tmp/core.go
wc -c > /tmp/core.size
EOF
chmod +x /tmp/core.sh
mkfifo /tmp/core.go
echo '|/tmp/core.sh' > /proc/sys/kernel/core_pattern
hog_start big -s 90M -m
big=$(hog_pid big)
hog_start small1 -s 12M
kill -SEGV "$big"
check "a marked process crashes, and dumps core" wait_for '[ -e /tmp/dumping ]' 20
hog_start asker -s 12M
stat_mark
log_mark
hog_tell asker grow 250M 1M 5
check "somebody uses up the memory: a smaller one dies" \
	wait_for 'log_has "Killed process [0-9]+ \\((small1|asker)\\)"' 60
check "for the one who dumps" log_has 'tbtf: episode [0-9]+: global: spared [0-9]+ \(big\)'
hog_kill asker small1
is "it is not killed, and not taken for dying" \
	"$(killed | grep -c big) $(stat_since passes_dying)" "0 0"
echo go > /tmp/core.go
check "it goes on dumping, to the end" wait_for '[ -s /tmp/core.size ]' 60
in_range "the dump is whole" "$(cat /tmp/core.size)" $((90 * 1024 * 1024)) $((96 * 1024 * 1024))
check "then it is gone" wait_for "! pid_alive $big" 20

# --- locked in memory
hog_start big -s 60M -m -L
hog_start small1 -s 20M
hog_start small2 -s 20M
log_mark
check "a marked process with all its memory locked gets what it asks for" hog_do big 60 grow 70M 1M 5
is "by the death of smaller ones, and has its data" "$(killed | grep -cv small) $(verified big)" "0 1"

finish
