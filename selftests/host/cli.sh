#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the command's arguments, messages and exit codes, without the module
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

root=$tmp/root
make_root "$root"
cg=$root/sys/fs/cgroup
empty=$tmp/empty
mkdir -p "$empty/proc/self"
: > "$empty/proc/self/mountinfo"

# --- arguments ----------------------------------------------------------------

expect "no command" 64 "^Usage: tbtf" "$TBTF"
expect "an unknown command" 64 "no command 'frobnicate'" "$TBTF" frobnicate
expect "help" 0 "^  drill " "$TBTF" --help
expect "help of a command" 0 "^Usage: tbtf victims" "$TBTF" help victims
expect "help of an unknown one" 64 "no command 'x'" "$TBTF" help x
expect "version" 0 "^tbtf test$" "$TBTF" --version

while IFS='|' read -r name regex words; do
	read -ra args <<< "$words"
	expect "arguments: $name" 64 "$regex.*see 'tbtf ${args[0]} --help'" "$TBTF" "${args[@]}"
done <<'CASES'
unknown long option|'--frob' is not known|list --frob
unknown letter|no option '-x'|list -x
missing argument|'--cgroup' needs an argument|set --cgroup
an argument that is none|'--json=1' is not known|list --json=1
one too many|'surplus' is one argument too many|list surplus
nothing to set|no process, cgroup or unit|set
not a pid|'12x' is not a pid|set 12x
pid 0|'0' is not a pid|clear 0
a negative pid|no option '-1'|spare -1
local is of set only|'--local' is not known|spare --local 1
no pid for victims|give one pid|victims
two pids for victims|give one pid|victims 1 2
a bad policy|'best' is no policy|victims -p best 1
the library's word for the knob|'set' is no policy|victims -p set 1
doctor with two targets|give one pid|doctor 1 --cgroup /a
drill takes nothing|'x' is one argument too many|drill x
off takes nothing|'x' is one argument too many|off x
CASES

while IFS='|' read -r name regex words; do
	read -ra args <<< "$words"
	expect "run: $name" 125 "$regex" "$TBTF" run "${args[@]}"
done <<'CASES'
no command|no command is given|--
an unknown option|'--frob' is not known|--frob true
name without cgroup|give --cgroup as well|--name x true
a bad name|'a/b' cannot be a name|--cgroup --name a/b true
local and cgroup|a cgroup's has none|--local --cgroup true
two places|exclude each other|--here --cgroup true
CASES

# --- no module ------------------------------------------------------------------

if [ ! -e /sys/kernel/mm/tbtf ]; then
	for words in list status tree "victims 1" on "off" "set $$" "drill" "doctor"; do
		read -ra args <<< "$words"
		code=69
		[ "${args[0]}" != doctor ] || code=2
		expect "no module: $words" $code "the module is not loaded" "$TBTF" "${args[@]}"
	done
	expect "no module: run" 125 "the module is not loaded" "$TBTF" run -- true
	expect "no module: run --try says so" 0 "without protection" "$TBTF" run --try -- true
	expect "no module: run --try runs it" 7 "" sh -c "'$TBTF' run --try -- sh -c 'exit 7' 2>/dev/null"
	expect "no module: what is not there" 127 "cannot run 'no-such-prog'" "$TBTF" run -t no-such-prog
	expect "no module: what cannot be run" 126 "cannot run '/'" "$TBTF" run -t /
	expect "no module: run --cgroup" 125 "the module is not loaded" "$TBTF" run --cgroup -- true
	expect "no module: tbtf-off" 69 "the module is not loaded" "$OUT/tbtf-off"
else
	echo "skip no module: it is loaded here"
fi
expect "tbtf-off: help" 0 "^Usage: tbtf-off" "$OUT/tbtf-off" --help
expect "tbtf-off: an argument" 64 "no argument but --standby" "$OUT/tbtf-off" now
check "tbtf-off: one page, no interpreter" sh -c "
	[ \$(stat -c %s '$OUT/tbtf-off') -le 4096 ] &&
	! readelf -lW '$OUT/tbtf-off' | grep -q INTERP"

# --- targets ----------------------------------------------------------------------

sleep 1000 &
sleeper=$!
expect "a process that is gone, nothing changed" 1 "process 2147483647: there is no such process" \
	"$TBTF" set $sleeper 2147483647
kill $sleeper
expect "a cgroup that is not there" 1 "no cgroup /nowhere below" "$TBTF" --root "$root" set -c /nowhere
expect "a cgroup without a name" 1 "empty name" "$TBTF" --root "$root" set -c ""
expect "a way out of the tree" 1 "without '\.' and" "$TBTF" --root "$root" set -c /a/../../proc
expect "no cgroup v2" 1 "cgroup v2 is not mounted" "$TBTF" --root "$empty" set -c /a
expect "a unit without systemd, by its cgroup" 0 "" "$TBTF" --root "$root" spare --unit db
expect "it is spare" 0 "^spare$" cat "$cg/system.slice/db.service/memory.tbtf"
expect "a cgroup by its directory" 0 "" "$TBTF" --root "$root" set -c "$cg/system.slice"
expect "it is too big to fail" 0 "^tbtf$" cat "$cg/system.slice/memory.tbtf"
expect "two cgroups, one of them missing" 1 "no cgroup /gone" \
	"$TBTF" --root "$root" clear -c /system.slice -c /gone
expect "the other one is unchanged" 0 "^tbtf$" cat "$cg/system.slice/memory.tbtf"
expect "clear" 0 "" "$TBTF" --root "$root" clear -c /system.slice
expect "it inherits" 0 "^inherit$" cat "$cg/system.slice/memory.tbtf"
expect "expendable" 0 "" "$TBTF" --root "$root" expendable -c system.slice
expect "ordinary" 0 "" "$TBTF" --root "$root" ordinary -c system.slice
expect "it is ordinary" 0 "^ordinary$" cat "$cg/system.slice/memory.tbtf"
expect "the root has no role" 1 "no memory controller" "$TBTF" --root "$root" set -c /
expect "no unit" 1 "no cgroup has this name" "$TBTF" --root "$root" set -u gone.service
expect "a name that is no unit" 1 "is not the name of a unit" "$TBTF" --root "$root" set -u /a
expect "local is not of cgroups" 64 "a cgroup's has none" "$TBTF" --root "$root" set -l -c /system.slice
mkdir -p "$cg/other/db.service"
expect "a name of two cgroups" 1 "2 cgroups have this name" "$TBTF" --root "$root" set -u db
rm -r "$cg/other"

# With systemd it is systemd that is asked.
mkdir -p "$root/run/systemd/system" "$tmp/bin"
cat > "$tmp/bin/systemctl" <<'SCRIPT'
#!/bin/sh
case "$4:$6" in
ControlGroup:up) echo /system.slice/db.service ;;
ControlGroup:down) echo ;;
OOMPolicy:db.service) echo "${POLICY-stop}" ;;
*) exit 1 ;;
esac
SCRIPT
chmod +x "$tmp/bin/systemctl"
PATH=$tmp/bin:$PATH
expect "systemd: a unit" 0 "" "$TBTF" --root "$root" set --unit up
expect "systemd: it is marked" 0 "^tbtf$" cat "$cg/system.slice/db.service/memory.tbtf"
expect "systemd: one that does not run" 1 "has no cgroup" "$TBTF" --root "$root" set --unit down
expect "systemd: no systemctl" 1 "no systemctl" env PATH="$tmp" "$TBTF" --root "$root" set --unit up

# --- status and tree ----------------------------------------------------------------

expect "status" 0 "^  sacrifices +3$" "$TBTF" --root "$root" status
expect "status: zeros are not listed" 0 "1 more are 0" "$TBTF" --root "$root" status
expect "status: all" 0 "died_oom +0" "$TBTF" --root "$root" status --all
"$TBTF" --root "$root" status --json > "$tmp/json"
expect "status: JSON, a number" 0 "^8192$" json knobs.min_victim_kb < "$tmp/json"
expect "status: JSON, a word" 0 "^uniform$" json knobs.policy < "$tmp/json"
expect "status: JSON, a feature" 0 "^true$" json features.front < "$tmp/json"
echo "prctl kill -group" > "$root/sys/kernel/mm/tbtf/features"
expect "status: JSON, a missing one" 0 "^false$" sh -c \
	"'$TBTF' --root '$root' status --json | perl -MJSON::PP -0777 -e 'print JSON::PP->new->decode(scalar <STDIN>)->{features}{group} ? \"true\" : \"false\", \"\n\"'"
echo "prctl kill -cgroup" > "$root/sys/kernel/mm/tbtf/features"
expect "tree: without the files" 1 "no memory.tbtf files" "$TBTF" --root "$root" tree
echo "prctl kill cgroup" > "$root/sys/kernel/mm/tbtf/features"
echo 0 > "$root/sys/kernel/mm/tbtf/enabled"
expect "status: switched off" 0 "switched off" "$TBTF" --root "$root" status
expect "on" 0 "" "$TBTF" --root "$root" on
expect "on: is on" 0 "^1$" cat "$root/sys/kernel/mm/tbtf/enabled"
expect "a full disk" 1 "No space left" sh -c "'$TBTF' --root '$root' status > /dev/full"

expect "no output to be had, and none wanted" 0 "" sh -c "'$TBTF' --root '$root' on >&-"

hostile=$(printf 'evil\033[2J"\\\001\377\303\244')
make_cgroup "$root" "system.slice/$hostile"
echo expendable > "$cg/system.slice/$hostile/memory.tbtf"
expect "tree: a hostile name, as text" 0 'evil\\x1b\[2J"\\\\x01\\xffä$' "$TBTF" --root "$root" tree
check "tree: no control character gets out" sh -c \
	"! '$TBTF' --root '$root' tree | LC_ALL=C grep -q '[[:cntrl:]]'"
"$TBTF" --root "$root" tree --json > "$tmp/json"
expect "tree: a hostile name, as JSON" 0 'evil.\[2J"' json cgroups.3.path < "$tmp/json"
expect "tree: its role" 0 "^expendable$" json cgroups.3.role < "$tmp/json"
expect "tree: the root has none" 0 "^null$" json cgroups.0.role < "$tmp/json"
expect "tree: usage" 0 "^8192$" json cgroups.1.usage_kb < "$tmp/json"
echo inherit > "$cg/system.slice/$hostile/memory.tbtf"
echo inherit > "$cg/system.slice/memory.tbtf"
make_cgroup "$root" "user.slice"
expect "tree: the marked, and those above" 0 "^tbtf +tbtf +8.0M +1 +2 +db.service$" \
	"$TBTF" --root "$root" tree --marked
check "tree: and no others" sh -c "[ \$('$TBTF' --root '$root' tree --marked | wc -l) -eq 4 ]"

# --- rights ----------------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ] && command -v setpriv > /dev/null; then
	chmod 711 "$tmp"
	chmod -R a+rX "$OUT" "$root"
	as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	if "${as_nobody[@]}" test -x "$TBTF"; then
		expect "not root: set" 77 "not permitted: it needs root" \
			"${as_nobody[@]}" "$TBTF" --root "$root" set -c /system.slice
		expect "not root: on" 77 "not permitted" "${as_nobody[@]}" "$TBTF" --root "$root" on
		expect "not root: drill" 77 "needs root" "${as_nobody[@]}" "$TBTF" --root "$root" drill
	else
		echo "skip not root: $OUT is in a directory that others cannot enter"
	fi
else
	echo "skip not root: it takes root to become somebody else, and setpriv"
fi
exit $failed
