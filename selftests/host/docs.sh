#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - manuals, header, exported names and programs say the same
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

man=Documentation/man

# --- options: --help against tbtf(8) --------------------------------------------

# options_of_man SECTION: the long options of a .SS section
options_of_man()
{
	awk -v want="$1" '
		/^\.S[SH]/ { inside = 0 }
		/^\.SS/ { if (index($0, want)) inside = 1 }
		inside && /^\.B[IR]? / && /\\-\\-/ && /\\-[a-zA-Z]/' "$man/tbtf.8" "$man/tbtf-last.8" |
		grep -oE '\\-\\-[a-z]+' | sed 's/\\//g' | sort -u
}

options_of_help()
{
	"$TBTF" "$1" --help | grep -oE '^  -[a-zA-Z], --[a-z]+' | grep -oE -- '--[a-z]+' | sort -u
}

compare()
{
	if diff "$tmp/a" "$tmp/b" > "$tmp/diff"; then
		ok "$1"
	else
		not_ok "$1" "$2"
		cat "$tmp/diff"
	fi
}

while read -r cmd section; do
	options_of_man "$section" > "$tmp/a"
	# One section for all the roles; these only "set" has.
	case $cmd in
	clear | spare | expendable | ordinary)
		grep -vxE -- '--(local|contain|brake|dry)' "$tmp/a" > "$tmp/c"
		mv "$tmp/c" "$tmp/a"
		;;
	on)
		echo --help > "$tmp/a"
		;;
	esac
	options_of_help "$cmd" > "$tmp/b"
	compare "options of tbtf $cmd: manual and --help" "manual (<) and --help (>) differ:"
done <<'CASES'
run "tbtf run"
set "tbtf set
clear "tbtf set
spare "tbtf set
expendable "tbtf set
ordinary "tbtf set
list "tbtf list"
victims "tbtf victims"
tree "tbtf tree"
status "tbtf status"
peers "tbtf peers"
lend "tbtf lend"
top "tbtf top"
report "tbtf report"
why "tbtf why"
last "tbtf last"
guard "tbtf guard"
stats "tbtf stats"
watch "tbtf watch"
record "tbtf record"
doctor "tbtf doctor"
drill "tbtf drill"
off "tbtf off
on "tbtf off
CASES

"$TBTF" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort > "$tmp/a"
{
	echo run; echo set; echo clear; echo spare; echo expendable; echo ordinary; echo list
	echo victims; echo tree; echo status; echo peers; echo lend; echo stats; echo watch; echo record; echo top; echo report; echo why; echo last; echo guard; echo doctor; echo drill; echo off; echo on
} | sort > "$tmp/b"
compare "commands: all are compared here" "--help (<) and this test (>) differ:"

check "no line of a help text is longer than 79 columns" sh -c "
	for c in $(tr '\n' ' ' < "$tmp/a"); do
		! '$TBTF' \$c --help | grep '.\{80\}' || exit 1
	done"

# Every exit code that a help text names is in the manual.
for c in $(cat "$tmp/a"); do
	"$TBTF" "$c" --help | sed -n '/^Exit status/,$p' | tr '\n' ' ' |
		grep -oE '(: |; |^| )[0-9]+ ' | grep -oE '[0-9]+'
done | sort -un > "$tmp/codes"
missing=""
for code in $(cat "$tmp/codes"); do
	sed -n '/^\.SH EXIT STATUS/,/^\.SH FILES/p' "$man/tbtf.8" | grep -qw "$code" ||
		missing="$missing $code"
done
[ -z "$missing" ] && ok "exit codes of the help texts are in the manual" ||
	not_ok "exit codes of the help texts are in the manual" "missing:$missing"

# Every finding of the doctor is in the manual.
sed -n 's/^\t{ "\([a-z0-9-]*\)", \(MACHINE\|TARGET\|PROCESS\).*/\1/p' userspace/tbtf/doctor.c | sort > "$tmp/a"
sed -n '/^The findings, by name/,/^\.SS/p' "$man/tbtf.8" | grep -E '^\.BR? ' |
	sed 's/^\.BR\? //; s/ .*//; s/\\//g' | sort > "$tmp/b"
compare "findings of the doctor: program and manual" "program (<) and manual (>) differ:"

# --- the library -----------------------------------------------------------------

sed -n 's/^\t\(tbtf_[a-z_]*\);$/\1/p' userspace/lib/libtbtf.map | sort > "$tmp/b"
grep -E '^(int|const char \*)' userspace/lib/tbtf.h | grep -oE '\btbtf_[a-z_]+\(' |
	tr -d '(' | sort -u > "$tmp/a"
compare "library: header and version script" "header (<) and map (>) differ:"
nm -D --defined-only "$OUT/libtbtf.so.1" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort > "$tmp/a"
compare "library: exported names and version script" "exported (<) and map (>) differ:"
sed -n '/^\.SH SYNOPSIS/,/^\.SH DESC/p' "$man/libtbtf.3" | grep -oE '\btbtf_[a-z_]+\(' |
	tr -d '(' | sort -u > "$tmp/a"
compare "library: libtbtf(3) and version script" "manual (<) and map (>) differ:"
check "library: every name has a version" sh -c \
	"! nm -D --defined-only '$OUT/libtbtf.so.1' | awk '\$2 == \"T\"' | grep -v '@@LIBTBTF_1$'"

printf '#include <tbtf.h>\nint main(void) { return tbtf_self_set(TBTF_ON) == 1; }\n' > "$tmp/t.c"
includes=(-Iuserspace/lib -Ikmod/uapi)
check "header: C11 without extensions" ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -pedantic \
	"${includes[@]}" -fsyntax-only "$tmp/t.c"
if command -v g++ > /dev/null; then
	cp "$tmp/t.c" "$tmp/t.cc"
	check "header: C++" g++ -Wall -Wextra -Werror "${includes[@]}" -fsyntax-only "$tmp/t.cc"
else
	echo "skip header: C++ (no g++)"
fi

# --- install -----------------------------------------------------------------------

plain=$OUT/plain
if make -s -C userspace OUT="$plain" CFLAGS=-O0 > "$tmp/log" 2>&1 &&
   make -s -C userspace OUT="$plain" CFLAGS=-O0 DESTDIR="$tmp/dest" PREFIX=/opt/tbtf install >> "$tmp/log" 2>&1; then
	ok "install"
else
	not_ok "install"
	cat "$tmp/log"
fi
if command -v pkg-config > /dev/null; then
	export PKG_CONFIG_PATH=$tmp/dest/opt/tbtf/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$tmp/dest
	check "install: a program is built with pkg-config" sh -c \
		"${CC:-gcc} -o '$tmp/t' '$tmp/t.c' \$(pkg-config --cflags --libs libtbtf)"
	check "install: and runs" env LD_LIBRARY_PATH="$tmp/dest/opt/tbtf/lib" "$tmp/t"
else
	echo "skip install: no pkg-config"
fi
expect "install: the command finds its library" 0 "^tbtf 0" \
	env LD_LIBRARY_PATH="$tmp/dest/opt/tbtf/lib" "$tmp/dest/opt/tbtf/sbin/tbtf" --version
make -s -C userspace OUT="$plain" CFLAGS=-O0 DESTDIR="$tmp/dest" PREFIX=/opt/tbtf uninstall > /dev/null
check "uninstall leaves no file" sh -c "[ -z \"\$(find '$tmp/dest' ! -type d)\" ]"

# --- manuals ------------------------------------------------------------------------

for page in "$man"/*.[1-8]; do
	name=${page##*/}
	if command -v groff > /dev/null; then
		groff -man -ww -z -Tutf8 "$page" > "$tmp/log" 2>&1
		[ ! -s "$tmp/log" ] && ok "manual $name: no warnings" || {
			not_ok "manual $name: no warnings"
			cat "$tmp/log"
		}
	else
		echo "skip manual $name: no groff"
	fi
	grep -oE '^\.SH .*' "$page" | sed 's/^\.SH //' > "$tmp/b"
	# What a page has of these, it has in this order.
	grep -xFf "$tmp/b" <<-'ORDER' > "$tmp/a"
		NAME
		SYNOPSIS
		DESCRIPTION
		COMMANDS
		OUTPUT
		EXAMPLES
		EXIT STATUS
		RETURN VALUE
		ERRORS
		FILES
		NOTES
		CAVEATS
		OVERHEAD
		SEE ALSO
	ORDER
	compare "manual $name: sections in their order" "the order (<) and the page (>) differ:"
done
exit $failed
