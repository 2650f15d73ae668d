# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - a helper of the tests' own (helper.c), which a test starts and asks
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh, by a test with files="helper".

# helper_start OPTION...: the helper, when it is one
helper_start()
{
	rm -f /tmp/helper
	helper "$@" &
	helper=$!
	wait_for '[ "$(helper_get state)" = ready ]' 20
}

# helper_get FIELD: see helper.c
helper_get()
{
	local line

	{ read -r line < /tmp/helper; } 2>/dev/null || return 1
	line=" $line"
	line=${line##* "$1"=}
	echo "${line%% *}"
}
