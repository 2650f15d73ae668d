#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - what the documents say of knobs, counters and files is what the code has
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh; by itself too. Nothing is built or run here: the sources are
# read, and the words compared.
set -u
cd "$(dirname "$0")/../.." || exit 2
if [ -z "${tmp:-}" ]; then
	tmp=$(mktemp -d) || exit 2
	trap 'rm -rf "$tmp"' EXIT
fi
OUT=${OUT:-.output/selftests/host}
# shellcheck source=lib.sh
. selftests/host/lib.sh

usage=Documentation/admin-guide/usage.rst
abi=Documentation/ABI/testing/sysfs-kernel-mm-tbtf
sysfs=/sys/kernel/mm/tbtf

# Each "#define TBTF_X value" of limits.h becomes a variable: plain arithmetic.
while read -r name value; do
	printf -v "$name" '%s' "$((value))"
done < <(sed -n 's/^#define[[:space:]]\+\(TBTF_[A-Z_]*\)[[:space:]]\+\([^/]*\).*/\1 \2/p' kmod/limits.h |
	sed 's/\([0-9]\)[UL]\+/\1/g')
# shellcheck disable=SC2034 # by name, in $((...))
UNSET=4294967295

# same NAME: $tmp/code and $tmp/docs have the same lines
same()
{
	if ! [ -s "$tmp/code" ]; then
		not_ok "$1" "nothing was found in the code: has it moved?"
	elif diff "$tmp/code" "$tmp/docs" > "$tmp/diff"; then
		ok "$1"
	else
		not_ok "$1" "code (<) and document (>) differ:"
		cat "$tmp/diff"
	fi
}

# one line a file of the ABI document, without the directory
abi_files()
{
	sed -n "s,^What:[[:space:]]*$1/,,p" "$abi" | LC_ALL=C sort
}

# --- knobs ------------------------------------------------------------------------

# "NAME DEFAULT MIN MAX", or "NAME DEFAULT WORD..." in the order of the code
default_of()
{
	sed -n "s/^\t\.$1[[:space:]]*= \([A-Z0-9_]*\),.*/\1/p" kmod/knobs.c
}

knobs()
{
	local kind name args default first word

	while IFS='|' read -r kind name args; do
		default=$(default_of "$name")
		if [ "$kind" = NUMBER ]; then
			[ "$default" = UNSET ] && default=computed || default=$((default))
			args=${args%%, .*}
			echo "$name $default $((${args%%,*})) $((${args#*,}))"
		else
			first=${args%%,*}
			args=${args#*,}
			word=$(tr -d '", ' <<< "${args%%,*}")
			# The first word has the value that is given; so it must be the default's.
			[ "$default" = "$first" ] || word="?($default)"
			echo "$name $word $(tr -d '",' <<< "$args" | xargs)"
		fi
	done < <(sed -n 's/^\(NUMBER\|WORDS\)(\([a-z_]*\), \(.*\));/\1|\2|\3/p' kmod/knobs.c)
}

knobs | LC_ALL=C sort > "$tmp/code"
cp "$tmp/code" "$tmp/knobs"

# ``name`` and then *Default 1; 0 to 1.*, or *Default a; a, b or c.*
awk '/^``[a-z_]+``$/ { gsub("`", ""); name = $0; getline
		       if (match($0, /\*Default [^*]*\.\*/)) print name, substr($0, RSTART + 9, RLENGTH - 11) }' \
	"$usage" | sed 's/ at load;/;/; s/ to / /; s/ or / /; s/[;,]//g' | LC_ALL=C sort > "$tmp/docs"
same "knobs: defaults and ranges in usage.rst"

awk '/^What:/ { name = $2; sub(".*/", "", name) }
     /^What:/ || /^Date:/ { text = "" }
     /^\t\t/ { text = text " " $0 }
     /^$/ || eof { say() }
     END { say() }
     function say() {
	gsub(/[\t ]+/, " ", text)
	if (match(text, /Default: [a-z0-9]+/)) {
		line = name " " substr(text, RSTART + 9, RLENGTH - 9)
		if (match(text, /Range: [0-9]+ to [0-9]+/))
			line = line " " substr(text, RSTART + 7, RLENGTH - 7)
		else if (match(text, /Values: [a-z, ]+/))
			line = line " " substr(text, RSTART + 8, RLENGTH - 8)
		gsub(/ to /, " ", line); gsub(/,/, "", line)
		print line
	}
	text = ""
     }' "$abi" | LC_ALL=C sort > "$tmp/docs"
same "knobs: defaults and ranges in the ABI document"

cut -d' ' -f1 "$tmp/knobs" > "$tmp/names"
sed -n 's/^\t&knob_\([a-z_]*\)\.attr\.attr,/\1/p' kmod/knobs.c | LC_ALL=C sort > "$tmp/code"
cp "$tmp/names" "$tmp/docs"
same "knobs: each has its file"

# --- other files --------------------------------------------------------------------

sed -n 's/^static struct kobj_attribute \([a-z_]*\)_attr = .*/\1/p' kmod/sysfs.c > "$tmp/info"
{
	cat "$tmp/names" "$tmp/info"
	echo economy
	sed -n 's/^static struct kobj_attribute \([a-z_]*\)_attr = .*/economy\/\1/p' kmod/lastresort.c
	echo stats
	sed -n 's/^\tX(\([a-z_]*\),.*/stats\/\1/p' kmod/stats.h
	sed -n 's/^static struct kobj_attribute \([a-z_]*\)_attr = .*/stats\/\1/p' kmod/stats.c
} | LC_ALL=C sort > "$tmp/code"
abi_files $sysfs > "$tmp/docs"
same "sysfs: every file in the ABI document, and none besides"

sed -n 's,^stats/,,p' "$tmp/code" > "$tmp/stats"
sed -n 's,^economy/,,p' "$tmp/code" > "$tmp/economy"
cp "$tmp/stats" "$tmp/code"
sed -n 's/^   \* - ``\([a-z_]*\)``$/\1/p' "$usage" | LC_ALL=C sort > "$tmp/docs"
same "counters: the table of usage.rst"

cat "$tmp/names" "$tmp/info" "$tmp/economy" "$tmp/stats" | LC_ALL=C sort > "$tmp/code"
sed -n '/^    \/sys\/kernel\/mm\/tbtf\/$/,/^$/s/^    [^a-z]*── //p' "$usage" |
	sed 's/stats\///; s/economy\///; s/   .*//; s/  /\n/g' | grep . | LC_ALL=C sort > "$tmp/docs"
same "sysfs: the tree of usage.rst"

sed -n 's/^\t\t\.name = "\(tbtf[a-z.]*\)",/memory.\1/p' kmod/cgroup.c | LC_ALL=C sort > "$tmp/code"
abi_files '/sys/fs/cgroup/<cgroup>' > "$tmp/docs"
same "cgroup files: the ABI document"
grep -oE '^memory\.tbtf[a-z.]*$' "$usage" | LC_ALL=C sort > "$tmp/docs"
same "cgroup files: usage.rst"

awk '/^What:/ { if (n) print what; n = 5; what = $2 }
     /^(What|Date|KernelVersion|Contact|Description):/ { n-- }
     END { if (n) print what }' "$abi" > "$tmp/bad"
if [ -s "$tmp/bad" ]; then
	not_ok "ABI document: each entry has its five fields" "incomplete:"
	cat "$tmp/bad"
else
	ok "ABI document: each entry has its five fields"
fi

# --- words --------------------------------------------------------------------------

# words NAME DOCUMENT: what is in $tmp/code is in the document as ``word``
words()
{
	local word missing=""

	while read -r word; do
		grep -qF -- "$word" "$2" || missing+=" $word"
	done < "$tmp/code"
	if ! [ -s "$tmp/code" ]; then
		not_ok "$1" "nothing was found in the code: has it moved?"
	elif [ -n "$missing" ]; then
		not_ok "$1" "missing in $2:$missing"
	else
		ok "$1"
	fi
}

sed -n '/^const char \*const tbtf_feature_names/,/^};/p' kmod/hook.c | grep -oE '"[a-z]+"' |
	tr '"' '`' | sed 's/`/``/g' > "$tmp/code"
words "features: usage.rst" "$usage"
sed -n 's/^\tTBTF_REASON_\([A-Z_]*\)[[:space:]]*=.*/\1/p' kmod/uapi/linux/tbtf.h | grep -vx 'NR\|CANDIDATE' |
	tr '[:upper:]' '[:lower:]' | sed 's/.*/``&``/' > "$tmp/code"
words "reasons: victim.rst" Documentation/design/victim.rst
sed -n 's/^\tTBTF_BAND_\([A-Z_]*\)[[:space:]]*=.*/\1/p' kmod/uapi/linux/tbtf.h | grep -vx NR |
	tr '[:upper:]' '[:lower:]' | sed 's/.*/``&``/' > "$tmp/code"
words "bands: victim.rst" Documentation/design/victim.rst
sed -n 's/^DEFINE_EVENT(tbtf_event, \(tbtf_[a-z_]*\),.*/\1/p; s/^TBTF_EVENT(\([a-z_]*\),.*/tbtf_\1/p' kmod/trace.h > "$tmp/code"
words "tracepoints: usage.rst" "$usage"
words "tracepoints: bpf/README.rst" bpf/README.rst
{
	sed -n 's/^\t\t\.name = "\([a-z_]*\)",$/\1/p' kmod/hook.c
	sed -n 's/^\t\[PROBE_[^"]*\.name = "\([a-z_]*\)".*/\1/p; s/^\t\t\.name = "\([a-z_]*\)", \.func.*/\1/p' kmod/hook.c
	grep -ohE 'tbtf_ksym_(text|data)\("[a-z_]+"\)' kmod/*.c kmod/compat/*.c | grep -oE '"[a-z_]+"' | tr -d '"'
} > "$tmp/code"
words "what is hooked, attached or looked up: entry-points.rst" Documentation/design/entry-points.rst

# --- numbers of limits.h in running text ---------------------------------------------

# A document says a number of limits.h in words of its own: file, macro, regex
# with @ for the value.
while IFS='|' read -r file macro regex; do
	value=${!macro:-}
	flat=$(tr -s '[:space:]' ' ' < "Documentation/$file")
	if [ -n "$value" ] && grep -qE -- "${regex//@/$value}" <<< "$flat"; then
		ok "$file: $macro"
	else
		not_ok "$file: $macro" "limits.h has $value, and \"${regex//@/$value}\" is not found"
	fi
done <<'NUMBERS'
design/victim.rst|TBTF_TRIES|@ times at most
design/victim.rst|TBTF_SHARER_WALKS|[Aa]t most @ such walks
design/victim.rst|TBTF_PREVIEW_WALKS|\(@ in a preview\)
design/episode.rst|TBTF_MAX_EPISODES|at most @ at a time
design/episode.rst|TBTF_MAX_KILLS|``max_kills`` reached \(@\)
design/episode.rst|TBTF_CGROUPS_REMEMBERED|@ cgroups are remembered
design/episode.rst|TBTF_NAP_MS|``nap_ms`` @ ms
design/episode.rst|TBTF_SYSCALL_WAIT_MS|until @ ms after the first killless round
design/episode.rst|TBTF_SLICE_MS|looked at every @ ms
design/episode.rst|TBTF_NAPS_IN_A_ROW|sleep on, for @ naps
design/steal.rst|TBTF_STEAL_SHOWS_MS|is given @ ms to show
design/locking.rst|TBTF_SLICE_MS|looked at every @ ms
design/lastresort.rst|TBTF_BRIDGE_MS|once in @ ms
design/lastresort.rst|TBTF_ROUND_QUANTA|@ quanta at most
design/lastresort.rst|TBTF_ECONOMY_TICK_MS|each @ ms
design/lastresort.rst|TBTF_ECONOMY_TAU_MS|a time constant of @ ms
admin-guide/usage.rst|TBTF_MAX_EPISODES|more than @ scopes
ABI/testing/sysfs-kernel-mm-tbtf|TBTF_MAX_CGROUPS|ENOSPC when @ cgroups
ABI/testing/sysfs-kernel-mm-tbtf|TBTF_MIN_VICTIM_FRACTION|a @th of memory
ABI/testing/sysfs-kernel-mm-tbtf|TBTF_MIN_VICTIM_KB|load: @ or
ABI/testing/sysfs-kernel-mm-tbtf|TBTF_MIN_VICTIM_FLOOR_KB|@ at the least
NUMBERS

# --- README, and all documents ---------------------------------------------------------

# Each "make x" of a command line, or in backquotes, is a target.
grep -oE '(^    (# )?|`|\$ )make [a-z][a-z-]*' README.md | sed 's/.*make //' | LC_ALL=C sort -u > "$tmp/code"
missing=""
for target in $(cat "$tmp/code"); do
	grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:" Makefile || missing+=" $target"
done
if [ -z "$missing" ] && grep -qx demo "$tmp/code" && grep -qx check "$tmp/code"; then
	ok "README: its make commands are targets, demo and check among them"
else
	not_ok "README: its make commands are targets, demo and check among them" "no targets:$missing"
fi

missing=""
for file in $(grep -oE '\]\([^)#]+\)' README.md | tr -d ']()' | grep -v '^https\?:'); do
	[ -e "$file" ] || missing+=" $file"
done
[ -z "$missing" ] && ok "README: its links" || not_ok "README: its links" "not there:$missing"

mapfile -t rst < <(find Documentation bpf -name '*.rst' | LC_ALL=C sort)
bad=""
for file in "${rst[@]}"; do
	for name in $(grep -oE '[a-z-]+\.rst' "$file" | LC_ALL=C sort -u); do
		[ -n "$(find Documentation bpf -name "$name")" ] || bad+=" $file:$name"
	done
	for name in $(grep -oE '\bkmod/[a-z/_]+\.[ch]\b' "$file" | LC_ALL=C sort -u); do
		[ -e "$name" ] || bad+=" $file:$name"
	done
done
[ -z "$bad" ] && ok "documents: the files they speak of" || not_ok "documents: the files they speak of" "not there:$bad"

if rst2html=$(command -v rst2html rst2html.py | head -1) && [ -n "$rst2html" ] &&
   echo x | "$rst2html" > /dev/null 2>&1; then
	for file in "${rst[@]}"; do
		check "$file: docutils finds nothing" "$rst2html" --strict "$file" "$tmp/html"
	done
else
	echo "skip documents: docutils (not installed)"
fi
exit "$failed"
