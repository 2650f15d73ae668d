# SPDX-License-Identifier: GPL-2.0
#
# tbtf - read the verdict of one test: TAP 13, and the runner's own last line
#
# Copyright (C) 2026 The tbtf authors
#
# -v name=TEST -v expect=panic|"" -v tally=FILE -v node=""|.N [-v boots=N]
#
# Of a test of several boots each has a plan of its own, and begins with a line of
# process 1, "# vm: boot N".
#
# A node that is not the one with the test (node=.2) need not have results.
#
# Prints one line a subtest, and one for each way in which the stream as a
# whole is not what a finished test leaves. FILE gets "passed failed skipped".

function result(verdict, n, text)
{
	count[verdict]++
	printf "%-4s %s %s%s\n", verdict, name, n, text == "" ? "" : " " text
}

function wrong(text)
{
	count["FAIL"]++
	printf "FAIL %s: %s\n", name, text
}

# What a boot has said, against what it has planned.
function planned()
{
	# A panic comes before the end of the test, and the plan may as well.
	if (plan < 0 && seen && expect != "panic")
		wrong(of "no plan, " seen " results")
	if (plan >= 0 && plan != seen)
		wrong(of "planned " plan ", saw " seen)
}

BEGIN { plan = -1; seen = 0; ended = 0; boot = 0; of = "" }

{ sub(/\r$/, "") }

# kselftest_harness.h gives the name of a skipped test only here.
/^# +RUN +/ { running = $3; next }

/^1\.\.[0-9]+/ {
	if (plan >= 0)
		wrong("a second plan: " $0)
	plan = substr($1, 4) + 0
	if (plan == 0) {
		reason = $0
		sub(/^1\.\.0 *#? *(SKIP)? */, "", reason)
	}
	next
}

/^(not )?ok( |$)/ {
	bad = /^not ok/
	text = $0
	sub(/^(not )?ok */, "", text)
	number = seen + 1
	if (match(text, /^[0-9]+/)) {
		number = substr(text, 1, RLENGTH) + 0
		text = substr(text, RLENGTH + 1)
	}
	sub(/^ *(- )? */, "", text)
	seen++
	if (number != seen && !order) {
		order = 1
		wrong("result " seen " has number " number)
	}
	if (!bad && match(text, /# *SKIP/)) {
		why = substr(text, RSTART + RLENGTH)
		text = substr(text, 1, RSTART - 1)
		sub(/^ +/, "", why)
		sub(/ +$/, "", text)
		if (text == "")
			text = running
		result("skip", number, of text " # " why)
	} else {
		result(bad ? "FAIL" : "ok", number, of text)
	}
	running = ""
	next
}

/^# vm: boot / {
	if (boot) {
		planned()
		if (!seen)
			wrong(of "no result")
	}
	if (ended)
		wrong("a boot after the end")
	if ($4 != boot + 1)
		wrong("boot " $4 " after boot " boot)
	boot = $4
	of = boots > 1 ? "boot " boot ": " : ""
	plan = -1
	seen = 0
	order = 0
	next
}

/^Bail out!/ { wrong($0); next }

/^# vm: cannot unload/ { sub(/^# vm: /, ""); trouble = $0; next }

/^# vm: end / {
	ended = 1
	split($4, a, "=")
	how = a[1]
	code = a[2]
	split($5, a, "=")
	unload = a[2]
}

END {
	if (ended && how == "signal")
		wrong("killed by signal " code)
	else if (ended && code == 4 && !count["ok"] && !count["FAIL"]) {
		# kselftest's way to say: nothing of this can run here
		if (!seen)
			result("skip", "all", "# " (reason == "" ? "no reason given" : reason))
	} else if (ended && code != 0 && !count["FAIL"])
		wrong("exit code " code)
	else if (node != "" && !seen)
		;
	else if (ended && code == 0 && plan == 0 && !seen)
		result("skip", "all", "# " (reason == "" ? "no reason given" : reason))
	else if (ended && code == 0 && !seen)
		wrong("no result")
	if (ended && unload)
		wrong(trouble == "" ? "the module cannot be unloaded" : trouble)

	planned()
	# Nothing of it can run here: then there is nothing to boot again for.
	if (boots > 1 && boot != boots && !(boot == 1 && count["skip"] && !seen))
		wrong("booted " boot " times, and not " boots)
	printf "%d %d %d\n", count["ok"], count["FAIL"], count["skip"] > tally
}
