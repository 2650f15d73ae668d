#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - find out what the kernel has by compiling
#
# Copyright (C) 2026 The tbtf authors
#
# usage: probe.sh HEADER "COMPILER AND FLAGS" PROBE...
#
# For each PROBE, .../has_x.c, HEADER gets "#define TBTF_HAS_X 1" if it compiles,
# and 0 if it does not. Version numbers are not asked: distributions backport.
# What the compiler said is kept in probed.log, beside HEADER.
set -eu

out=$1
cc=$2
shift 2
log=${out%.h}.log
tmp=$(mktemp -d "${out%/*}/probe.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# A missing function has to be an error, an unused one of a probe must not.
try()
{
	$cc -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
		-Werror=int-conversion -Wno-unused -Wno-missing-prototypes \
		-c -o "$tmp/$1.o" "$2" > "$tmp/$1.log" 2>&1
}

# A compiler that cannot compile anything would answer 0 to every question.
echo '#include <linux/module.h>' > "$tmp/any.c"
if ! try any "$tmp/any.c"; then
	cat "$tmp/any.log" >&2
	echo "probe.sh: this compiler cannot compile for this kernel" >&2
	exit 1
fi

for probe; do
	name=${probe##*/}
	name=${name%.c}
	if try "$name" "$probe"; then : > "$tmp/$name.ok"; fi &
done
wait

: > "$log"
{
	echo "/* Made by kmod/compat/probe.sh: what this kernel has. */"
	for probe; do
		name=${probe##*/}
		name=${name%.c}
		have=0
		[ ! -e "$tmp/$name.ok" ] || have=1
		echo "#define TBTF_$(echo "$name" | tr '[:lower:]' '[:upper:]') $have"
		{
			echo "== $name: $have"
			cat "$tmp/$name.log"
		} >> "$log"
	done
} > "$tmp/header"
mv "$tmp/header" "$out"
