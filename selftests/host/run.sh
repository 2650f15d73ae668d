#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - the tests that need no kernel: the module's pure parts, library, command, manuals
#
# Copyright (C) 2026 The tbtf authors
#
# usage: run.sh [OUTPUT]
#
# Builds everything with sanitizers below OUTPUT (.output/selftests/host), runs
# the parts, and prints TAP 13. A part prints "ok NAME", "not ok NAME" or
# "skip NAME"; the numbers are given here. Exit code 1 if anything failed.
set -u
cd "$(dirname "$0")/../.." || exit 2
OUT=$(realpath -m "${1:-${OUTPUT:-$PWD/.output}/selftests/host}")
export OUT
mkdir -p "$OUT"
tmp=$(mktemp -d) || exit 2
export tmp
trap 'rm -rf "$tmp"' EXIT

# Anything that is not an "ok" line is a comment in TAP.
number()
{
	awk '/^ok / { print "ok " ++n " - " substr($0, 4); next }
	     /^not ok / { print "not ok " ++n " - " substr($0, 8); bad++; next }
	     /^skip / { print "ok " ++n " - " substr($0, 6) " # SKIP"; next }
	     { print "# " $0 }
	     END { print "1.." n + 0; exit bad || !n }'
}

SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

# What a part ends with: its own exit code counts too, a crash prints no "not ok".
part()
{
	local name=$1 rc

	shift
	"$@" 2> "$tmp/stderr"
	rc=$?
	sed 's/^/# /' "$tmp/stderr"
	[ $rc -eq 0 ] || [ $rc -eq 1 ] || echo "not ok $name ended with $rc"
	! grep -q 'Sanitizer\|runtime error' "$tmp/stderr" || echo "not ok $name: a sanitizer complained"
}

build()
{
	make -s -C userspace OUT="$OUT" VERSION=test CFLAGS="-O1 -g $SANITIZE" \
		LDFLAGS="$SANITIZE" "$OUT/libtbtf.a" "$OUT/libtbtf.so.1" "$OUT/tbtf" \
		"$OUT/tbtf-off" "$OUT/tbtfd" > "$tmp/build" 2>&1 &&
	make -s -C userspace OUT="$OUT/plain" CFLAGS=-O0 "$OUT/plain/tbtfd" >> "$tmp/build" 2>&1 &&
	build_unit >> "$tmp/build" 2>&1 &&
	build_tbtfd nbd_client nbd-client tls-kernel tls stream >> "$tmp/build" 2>&1 &&
	build_tbtfd extent extent swap conf >> "$tmp/build" 2>&1 &&
	build_tbtfd limit limit >> "$tmp/build" 2>&1 &&
	build_tbtfd qmp qmp json-line blocks proc log >> "$tmp/build" 2>&1 &&
	build_tbtfd price price extent conf >> "$tmp/build" 2>&1 &&
	build_tbtfd early early >> "$tmp/build" 2>&1 &&
	build_pure choose likelihood >> "$tmp/build" 2>&1 &&
	build_pure futile futile >> "$tmp/build" 2>&1 &&
	build_pure request request ladder >> "$tmp/build" 2>&1 &&
	build_pure episode slots ladder request >> "$tmp/build" 2>&1 &&
	build_pure economy economy >> "$tmp/build" 2>&1 &&
	build_tbtfd ledger ledger peer json-line conf >> "$tmp/build" 2>&1 &&
	${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -O1 -g -o "$OUT/keeper" \
		selftests/keeper.c >> "$tmp/build" 2>&1 &&
	build_tbtfd back back extent peer json-line conf >> "$tmp/build" 2>&1 &&
	build_tbtfd peer peer json-line conf >> "$tmp/build" 2>&1
}

build_unit()
{
	local objects

	mapfile -t objects < <(find "$OUT/obj/tbtf" -name '*.o' -not -name tbtf.o)
	# shellcheck disable=SC2086 # several words
	${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -O1 -g $SANITIZE \
		-Iuserspace/lib -Ikmod/uapi -o "$OUT/unit" selftests/host/unit.c \
		"${objects[@]}" "$OUT/libtbtf.a"
}

# build_pure NAME PART...: unit_NAME.c with those pure parts of the module (kmod/pure.h)
build_pure()
{
	local name=$1 parts

	shift
	parts=("${@/#/kmod/}")
	parts=("${parts[@]/%/.c}")
	# shellcheck disable=SC2086 # several words
	${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -O1 -g $SANITIZE -Iselftests/host -Ikmod/uapi \
		-o "$OUT/unit_$name" "selftests/host/unit_$name.c" \
		"${parts[@]}" -lm
}

# build_tbtfd NAME PART...: unit_NAME.c with those parts of the daemon
build_tbtfd()
{
	local name=$1 parts

	shift
	parts=("${@/#/$OUT/obj/tbtfd/}")
	parts=("${parts[@]/%/.o}")
	# shellcheck disable=SC2086,SC2046 # several words
	${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -O1 -g $SANITIZE -Iselftests/host \
		-o "$OUT/unit_$name" "selftests/host/unit_$name.c" "${parts[@]}" \
		$(pkg-config --libs json-c inih libssl libcrypto) -pthread
}

echo "TAP version 13"
{
	if build; then
		echo "ok everything builds with sanitizers"
		mkdir "$tmp/unit"
		part unit "$OUT/unit" "$tmp/unit"
		part unit_choose "$OUT/unit_choose"
		part unit_futile "$OUT/unit_futile"
		part unit_request "$OUT/unit_request"
		part unit_episode "$OUT/unit_episode"
		part unit_economy "$OUT/unit_economy"
		part cli selftests/host/cli.sh
		part contain selftests/host/contain.sh
		part doctor selftests/host/doctor.sh
		part top selftests/host/top.sh
		part report selftests/host/report.sh
		part why selftests/host/why.sh
		part last selftests/host/last.sh
		part tbtfd selftests/host/tbtfd.sh
		part unit_ledger "$OUT/unit_ledger"
		part unit_back "$OUT/unit_back"
		part lend-behind selftests/host/lend-behind.sh
		part lend-keep selftests/host/lend-keep.sh
		part lend selftests/host/lend.sh
		part lend-tls selftests/host/lend-tls.sh
		part fuzz env OUTPUT="$OUT" selftests/fuzz/fuzz 10
		part "lend without sanitizers" env OUT="$OUT/plain" selftests/host/lend.sh
		part unit_peer "$OUT/unit_peer"
		part unit_extent "$OUT/unit_extent"
		part unit_limit "$OUT/unit_limit"
		part unit_qmp "$OUT/unit_qmp"
		part unit_price "$OUT/unit_price"
		part unit_early "$OUT/unit_early"
		part unit_nbd_client "$OUT/unit_nbd_client"
		part metrics selftests/host/metrics.sh
		part docs selftests/host/docs.sh
		part documents selftests/host/documents.sh
	else
		cat "$tmp/build"
		echo "not ok everything builds with sanitizers"
	fi
} | number
