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
# A PROBE .../need_x.c must compile. Its second line, a comment, says what it is
# that the module cannot do without, and it is printed where it is missing: a
# kernel newer than known is refused in words. What the compiler said is kept in
# probed.log, beside HEADER.
set -eu

out=$1
cc=$2
shift 2
log=$(cd "${out%/*}" && pwd)/$(basename "$out" .h).log
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
: > "$tmp/missing"

: > "$log"
{
	echo "/* Made by kmod/compat/probe.sh: what this kernel has. */"
	for probe; do
		name=${probe##*/}
		name=${name%.c}
		have=0
		[ ! -e "$tmp/$name.ok" ] || have=1
		[ "${name#need_}" = "$name" ] || [ "$have" = 1 ] ||
			sed -n '2s,^/\* \(.*\) \*/$,  \1,p' "$probe" >> "$tmp/missing"
		[ "${name#need_}" != "$name" ] || echo "#define TBTF_$(echo "$name" | tr '[:lower:]' '[:upper:]') $have"
		{
			echo "== $name: $have"
			cat "$tmp/$name.log"
		} >> "$log"
	done
} > "$tmp/header"
if [ -s "$tmp/missing" ]; then
	{
		echo "tbtf: no module can be built for this kernel. It has not, or not as tbtf knows it:"
		cat "$tmp/missing"
		echo "tbtf: what the compiler said is in $log (Documentation/design/kernels.rst)"
	} >&2
	exit 1
fi
mv "$tmp/header" "$out"
