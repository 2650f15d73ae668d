# SPDX-License-Identifier: GPL-2.0
#
# tbtf - compare what the kernel's selftests said on each side
#
# Copyright (C) 2026 The tbtf authors
#
# usage: awk -v sides="plain loaded" -v again=FILE -v enough=N -f compare.awk
#		ROWS side=plain LOG... side=loaded LOG...
#
# The first side is the reference: the kernel without the module. ROWS is what
# the guest was given to do, a LOG what it printed, with a test perhaps more than
# once. A result of a test is known by its name; where a name comes twice, also
# by which of the two it is. One that a run did not give is "missing".
#
# A side agrees with the reference on a result if
#
#   - everything it ever showed, the reference has shown as well. That a test
#     sometimes fails with the module is excused only by a run in which it fails
#     without; and
#   - what the reference shows most often, it has shown at least once. A test
#     that seldom fails without the module and always with it is no flaky one.
#
# A test that did not run on the reference, or not to an end of its own choosing,
# has compared nothing, and is a failure.
#
# On stdout TAP without numbers and plan. To FILE, lines "SIDE DIR COMMAND": what
# has to be run again before this is the last word, because a side disagrees, and
# either there are less than "enough" runs yet or the results vary.

function say(line)
{
	lines[++said] = line
}

# add NAME RESULT: of the run that is being read
function add(name, result,	k, n)
{
	k = name
	for (n = 2; (row, k) in here; n++)
		k = name " (" n ")"
	here[row, k] = 1
	if (!((row, k) in known)) {
		known[row, k] = 1
		item[row, ++items[row]] = k
	}
	got[row_side, row, runs[row_side, row], k] = result
}

function begin_row(text)
{
	row = text
	row_side = side
	runs[side, row]++
	split("", here)
	line_no = 0
	last_line = "nothing"
}

function end_row(result)
{
	add("exit", result)
	if (read[row] == "last")
		add("last line", last_line)
	row = ""
}

# Cut off in the middle: the VM died, or was killed when its time was up.
function end_log()
{
	if (row != "")
		end_row("the VM died")
}

BEGIN {
	OFS = ""
	sides = split(sides, side_at)
	if (!enough)
		enough = 3
	NOTHING["not run"] = NOTHING["the VM died"] = 1
	NOTHING["exit=126"] = NOTHING["exit=127"] = 1
}

FNR == 1 { end_log() }

# Each test has an exit, whatever became of it.
side == "" {
	how = $2
	sub(/^[^ ]+ [^ ]+ /, "")
	row_at[++rows] = $0
	read[$0] = how
	known[$0, "exit"] = 1
	item[$0, items[$0] = 1] = "exit"
	next
}

{ sub(/\r$/, "") }

/^# kself: begin / {
	end_log()
	sub(/^# kself: begin [^ ]+ /, "")
	begin_row($0)
	next
}

/^# kself: end / {
	if (row != "")
		end_row(substr($0, 14))
	next
}

row == "" { next }

/[^ \t#]/ {
	why[row] = $0
	last_line = $0
	# What was printed over is not there any more.
	sub(/^.*\r/, "", last_line)
	gsub(/0x[0-9a-f]+|\(nil\)/, "X", last_line)
	gsub(/[0-9]+/, "N", last_line)
	# Colours, and dots that show that time goes by.
	gsub(/\033\[N?m/, "", last_line)
	gsub(/\.\.+/, "...", last_line)
}

read[row] == "text" {
	if ($0 != "")
		add("line " ++line_no, last_line)
	next
}

/^(not )?ok [0-9]/ {
	result = /^not/ ? "not ok" : "ok"
	sub(/^(not )?ok [0-9]+ */, "")
	sub(/^- */, "")
	# kselftest.h has the directive before the name, TAP behind it.
	if (match($0, /^# *(SKIP|XFAIL|XPASS|error) */)) {
		result = tolower(substr($0, RSTART + 1, RLENGTH - 1))
		gsub(/ /, "", result)
		$0 = substr($0, RLENGTH + 1)
	} else if (match($0, / *# *SKIP.*/)) {
		result = "skip"
		$0 = substr($0, 1, RSTART - 1)
	}
	sub(/ +$/, "")
	add($0, result)
}

# tally SIDE ROW ITEM: what it showed, into count[], best and text
function tally(s, r, k,		i, v, n)
{
	split("", count)
	split("", order)
	n = 0
	for (i = 1; i <= runs[s, r]; i++) {
		v = (s, r, i, k) in got ? got[s, r, i, k] : "missing"
		if (!count[v]++)
			order[++n] = v
	}
	if (!n) {
		order[n = 1] = "not run"
		count["not run"] = 1
	}
	different = n
	best = 0
	text = ""
	for (i = 1; i <= n; i++) {
		if (count[order[i]] > best)
			best = count[order[i]]
		text = text (i > 1 ? ", " : "") order[i]
		if (runs[s, r] > 1)
			text = text " " count[order[i]] " of " runs[s, r]
	}
}

# agrees SIDE ROW ITEM: with what tally() found of the reference
function agrees(s, r, k,	v, common)
{
	tally(s, r, k)
	for (v in count)
		if (!(v in ref))
			return 0
	for (v in ref)
		if (ref[v] == ref_best && v in count)
			common = 1
	return common
}

function judge(r, k,	i, v, s, bad, all, name, only)
{
	tally(side_at[1], r, k)
	split("", ref)
	for (v in count)
		ref[v] = count[v]
	ref_best = best
	ref_different = different
	only = order[1]
	all = side_at[1] " " text
	for (i = 2; i <= sides; i++) {
		s = side_at[i]
		if (!agrees(s, r, k)) {
			bad = 1
			if (runs[side_at[1], r] < enough || runs[s, r] < enough ||
			    ref_different > 1 || different > 1)
				repeat[s, r] = repeat[side_at[1], r] = 1
		}
		all = all "; " s " " text
	}
	name = r ": " k
	gsub(/\.\//, "", name)
	for (v in ref)
		if (v in NOTHING)
			bad = 1
	if (bad)
		say("not ok " name ": " all)
	else if (ref_different > 1)
		say("ok " name ": it varies, also without the module: " all)
	else if (only == "skip")
		say("ok " name " # SKIP without the module as well")
	else if (only == "exit=4" && items[r] == 1)
		say("ok " name " # SKIP without the module as well: " why[r])
	else if (only == "ok")
		say("ok " name)
	else
		say("ok " name ": " only)
}

END {
	end_log()
	for (i = 1; i <= rows; i++)
		for (j = 1; j <= items[row_at[i]]; j++)
			judge(row_at[i], item[row_at[i], j])
	for (i = 1; i <= said; i++)
		print lines[i]
	printf "" > again
	for (i = 1; i <= rows; i++)
		for (j = 1; j <= sides; j++)
			if (repeat[side_at[j], row_at[i]])
				print side_at[j], " ", row_at[i] > again
}
