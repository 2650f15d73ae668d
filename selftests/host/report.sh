#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - report: numbers, names and shape of the page; in a browser if there is one
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh, and by `make check-report`, which sees to it that there is a
# browser (TBTF_BROWSER=needed: to have none is then a failure).
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

rec=$tmp/recording
page=$tmp/page.html
export TZ=UTC
perl selftests/host/recording.pl > "$rec"

# --- arguments ----------------------------------------------------------------------

while IFS='|' read -r name regex words; do
	read -ra args <<< "$words"
	expect "arguments: $name" 64 "$regex.*see 'tbtf report --help'" "$TBTF" report "${args[@]}"
done <<'CASES'
two files|'b' is one argument too many|a b
episode 0|'0' is no episode|--episode 0 a
a word for an episode|'x' is no episode|-e x a
a bad time|'noon' is no time|--from noon a
half a time|'12:00' is no time|--from 12:00 a
an episode and a time|exclude each other|-e 3 -f 2026-11-22 a
backwards|ends before it begins|-f 2026-11-22 -t 2026-11-21 a
CASES
expect "a file that is not there" 1 "/nowhere: No such file" "$TBTF" report /nowhere
[ -e /var/log/tbtf/events.jsonl ] ||
	expect "no default recording" 1 "there is no /var/log/tbtf/events.jsonl: give a recording" "$TBTF" report
expect "a directory" 1 "Is a directory" "$TBTF" report "$tmp"
expect "no recording" 1 "is no recording: none of its [0-9]+ lines" "$TBTF" report README.md
expect "an empty one" 1 "is no recording" "$TBTF" report /dev/null
expect "an episode that it has not" 1 "has nothing of episode 77" "$TBTF" report -e 77 "$rec"
expect "a time that it has not" 1 "has nothing of that time" "$TBTF" report -t 2020-01-01 "$rec"
expect "where it cannot be written" 1 "/nowhere/x: No such file" "$TBTF" report -o /nowhere/x "$rec"

# --- numbers ---------------------------------------------------------------------------

# number ID: what stands in the element of this id
number()
{
	sed -n "s,.*<dd id=\"$1\">\([^<]*\)</dd>.*,\1,p" "$page"
}

# is NAME GOT WANTED
is()
{
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "got '$2', wanted '$3'"
}

# rows TABLE: of its body
rows()
{
	sed -n "/id=\"$1\"/,/<.table>/p" "$page" | grep -c '^<tr'
}

# count STRING: how often the page has it
count()
{
	grep -oF -- "$1" "$page" | wc -l
}

# well_formed: every element is closed in its order, attributes are quoted, it is
# UTF-8, and no control character got through
well_formed()
{
	perl -e '
		use strict; use warnings;
		local $/; my $t = <STDIN>;
		utf8::decode($t) or die "not UTF-8\n";
		die "a control character\n" if $t =~ /[^\P{Cc}\n]/ || $t =~ /[\x{202a}-\x{202e}]/;
		$t =~ s/^<!DOCTYPE html>\n// or die "no doctype\n";
		$t =~ s{<style>.*?</style>}{}s;
		my @open;
		while ($t =~ /\G([^<]*)(<[^>]*>)?/gc) {
			my ($text, $tag) = ($1, $2);
			die "a bare & or > in: $text\n" if $text =~ />|&(?!(?:amp|lt|gt|quot|#39);)/;
			last if !defined $tag;
			if ($tag =~ m{^</(\w+)>$}) {
				die "$tag closes @open\n" if !@open || pop @open ne $1;
			} elsif ($tag =~ m{^<(\w+)(?: [\w-]+="[^"<>]*")*(/?)>$}) {
				push @open, $1 if !$2;
			} else {
				die "not a tag: $tag\n";
			}
		}
		die "left open: @open\n" if @open;
		die "something is left\n" if pos($t) < length $t;' < "$1"
}

expect "a page" 0 "" "$TBTF" report -o "$page" "$rec"
check "it is readable for all" sh -c "[ \$(stat -c %a '$page') = 644 ]"
check "it is well formed" well_formed "$page"
is "episodes" "$(number episodes)" 3
is "kills, the dry run not counted" "$(number kills)" 8
is "freed: 2800 MiB less 7, and 11" "$(number freed)" 2.7G
is "waits, each rung its own" "$(number waits)" 4
is "protected that died" "$(number died)" 1
is "least memory" "$(number least)" 12.1M
expect "the headline" 0 "^<h1>8 processes died for <bdi>postgres</bdi>, and it was not enough</h1>" cat "$page"
expect "the span" 0 "2026-11-22, 12:03:20 to 12:05:20, 2 min 0 s\." cat "$page"
is "a row for each episode" "$(rows episode-table)" 3
is "a row for each kill" "$(rows kill-table)" 9
is "a row for the end, and for the death" "$(rows end-table)" 2
is "a dot for each kill" "$(count '<circle class="dot"')" 9
is "a text for each dot" "$(count '<g class="hot kill"')" 9
is "a bar for each wait" "$(count '<g class="hot wait"')" 4
is "a mark for each end" "$(count '<g class="hot end"')" 2
is "a line for each episode" "$(count 'class="episode"')" 3
is "numbers at each place of the picture" "$(count 'class="hot strip"')" 232
for id in protected crowd used some full; do
	is "the picture has $id" "$(count "<path id=\"$id\"")" 1
done
expect "an episode's numbers" 0 '<tr data-episode="3">.*1 min 1 s</td><td class="out killed">killed</td>.*data-kb="4194304">4.0G</td><td class="n">8</td><td class="n" data-kb="2871296">2.7G</td><td class="n">31</td><td class="n">20</td>' \
	cat "$page"
expect "an open one" 0 '<tr data-episode="5">.*&gt; 10.0 s</td><td class="out ">open</td>' cat "$page"
expect "a kill's numbers" 0 '12:03:55\.000</td><td class="n">3</td><td><bdi>chrome</bdi> <small>901</small></td><td class="n" data-kb="102400">100.0M</td><td class="n" data-kb="101376">99.0M</td><td>ordinary</td><td>uniform</td><td><bdi>postgres</bdi> <small>812</small></td>' \
	cat "$page"
expect "a dry run is called so" 0 "cc1plus</bdi> <small>5001</small> <small>dry run</small>" cat "$page"
expect "a kill's hover text" 0 '>chrome \(901\) died</tspan>.*>for postgres \(812\)</tspan>.*>size 100.0M, frees 99.0M</tspan>' cat "$page"
expect "a wait's hover text" 0 '>nobody to kill: waits for 4.0 s</tspan>.*>why: nobody</tspan>' cat "$page"
expect "a wait for other nodes" 0 '>nobody to kill: waits for 3.0 s on rung steal</tspan>.*>why: max_kills</tspan>' cat "$page"
expect "and one for what is printed" 0 '>nobody to kill: waits for 6.9 s on rung print</tspan>.*>why: max_kills</tspan>' cat "$page"
expect "the hover text of a moment" 0 '12:04:40</tspan>.*>in use 8.0G of 8.0G</tspan>.*>available 12.1M</tspan>.*>stalled: somebody 40%, all 10%</tspan>' cat "$page"
expect "lost events are owned to" 0 'id="lost">17 events' cat "$page"

# The dot of the first kill, 35 s after the beginning of 120.
is "a kill is where it was" "$(sed -n 's/.*<circle class="dot" cx="\([0-9.]*\)".*/\1/p' "$page" | head -1)" \
	"$(awk 'BEGIN { printf "%.1f", 62 + 35 / 120 * 928 }')"
# Half of the memory is available at the beginning.
is "memory is as high as it was" "$(sed -n 's/.*<path id="used"[^>]* d="M62.0 \([0-9.]*\)L.*/\1/p' "$page")" 137.0

# --- names ---------------------------------------------------------------------------------

is "no script" "$(grep -ci '<script' "$page")" 0
expect "a name that is a tag" 0 '<bdi>&lt;script&gt;x\(1\)&lt;/s</bdi>' cat "$page"
expect "a name of quotes and controls" 0 '<bdi>a&quot;&#39;&amp;&lt;b&gt;\\xe2\\x80\\xae\\x1b\[2J</bdi>' cat "$page"
expect "a name that ends the title" 0 '<bdi>&lt;/title&gt;&lt;h1&gt;</bdi>' cat "$page"
expect "a name in another script" 0 "<bdi>$(printf '\357\277\275\344\270\255\346\226\207')</bdi>" cat "$page"
expect "a cgroup's" 0 '<td class="path">/user.slice/&lt;u&gt;&amp;&#39;&quot;</td>' cat "$page"
cp "$rec" "$tmp/<img src=x>\"'.jsonl"
"$TBTF" report "$tmp/<img src=x>\"'.jsonl" > "$page"
check "the file's own name" well_formed "$page"
{
	printf '{"event":"sacrifice","ns":5,"episode":1,"task":{"pid":2,"comm":"\377\376<x>\300\257"}}\n'
	printf '{"event":"sacrifice","ns":6,"episode":1,"outcome":"\\u0000\\ud800\\n","task":{"pid":3,"comm":"\\u0000a\\ud83d\\ude00\\udc00"}}\n'
} > "$tmp/raw"
"$TBTF" report "$tmp/raw" > "$page"
check "bytes that are no UTF-8" well_formed "$page"
expect "become U+FFFD" 0 "<bdi>$(printf '\357\277\275\357\277\275')&lt;x&gt;" cat "$page"
expect "a NUL, a pair and half of one" 0 "<bdi>$(printf '\357\277\275a\360\237\230\200\357\277\275')</bdi>" cat "$page"

# Nothing is loaded: no address, no url(), no frame, no script.
"$TBTF" report "$rec" > "$page"
check "it stands alone" sh -c "! grep -qiE 'https?:|//[a-z]|url\(|@import|<(script|iframe|img|object|embed)|src=' '$page'"
expect "and its policy forbids the rest" 0 "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" cat "$page"

# --- less of it --------------------------------------------------------------------------------

expect "one episode" 0 "" "$TBTF" report -e 4 -o "$page" "$rec"
is "one episode: its kill" "$(rows kill-table) $(number kills)" "1 0"
expect "one episode: and what was around it" 0 ", 12:04:30 to 12:05:15, 45.0 s" cat "$page"
check "one episode: well formed" well_formed "$page"
expect "a span" 0 "" "$TBTF" report -f "2026-11-22 12:03:52" -t 2026-11-22T12:04:01 -o "$page" "$rec"
is "a span: its kills" "$(rows kill-table)" 2
expect "a span, from stdin, in seconds" 0 "" sh -c "'$TBTF' report -f @1795349032 -t @1795349041.5 - < '$rec' > '$page'"
is "a span, from stdin: its kills" "$(rows kill-table)" 2
expect "a span, from stdin: it says so" 0 "From the recording <bdi>stdin</bdi>" cat "$page"
perl selftests/host/recording.pl events > "$tmp/events"
expect "without samples" 0 "" "$TBTF" report -o "$page" "$tmp/events"
check "without samples: well formed" well_formed "$page"
expect "without samples: the size of P is what there is" 0 '<path id="sizes"' cat "$page"
expect "without samples: and it says why" 0 'id="no-samples"' cat "$page"
head -1 "$rec" > "$tmp/one"
sed -n 2p "$rec" >> "$tmp/one"
expect "a single sample" 0 "" "$TBTF" report -o "$page" "$tmp/one"
check "a single sample: well formed" well_formed "$page"
expect "a single sample: no episode" 0 "<h1>No episode" cat "$page"
{ cat "$rec"; printf '{"event":"sacri'; } > "$tmp/cut"
expect "half a line at the end" 0 "" "$TBTF" report -o "$page" "$tmp/cut"
expect "half a line: owned to" 0 "id=\"bad\">1 of [0-9]+ lines.*the first is line $(wc -l < "$tmp/cut" | awk '{ print $1 + 1 }')\." cat "$page"

{ cat "$rec"; echo '{"event":"sample","ns":91120000000000,"total_kb":8388608,"available_kb":9}'; } > "$tmp/days"
expect "a day and more" 0 "" "$TBTF" report -o "$page" "$tmp/days"
expect "a day and more: which day it was" 0 ">11-22 12:03:55.000</td>" cat "$page"

# --- nonsense, under the sanitizers ---------------------------------------------------------------

perl -e '
	srand(7);
	my @lines = <STDIN>;
	for my $n (1 .. 4000) {
		my $l = $lines[rand @lines];
		for (0 .. rand 4) {
			my $at = int rand length $l;
			my $what = int rand 4;
			if ($what == 0) { substr($l, $at, 1) = chr int rand 256; }
			elsif ($what == 1) { substr($l, $at, int rand 20) = ""; }
			elsif ($what == 2) { substr($l, $at, 0) = ("{", "[", "\"", "\\", "\\u", "99999999999999999999", "-1", "1e999")[rand 8]; }
			else { substr($l, $at, 0) = substr($l, rand length $l, rand 40); }
		}
		$l =~ tr/\n//d;
		print $l, "\n";
	}
	print "[" x 3000, "\n", "{\"a\":" x 3000, "\n", "{\"event\":\"", "x" x 100000, "\"}\n";
	print "{", join(",", map { "\"k$_\":$_" } 1 .. 500), "}\n";' < "$rec" > "$tmp/nonsense"
expect "nonsense" 0 "" "$TBTF" report -o "$page" "$tmp/nonsense"
check "nonsense: well formed" well_formed "$page"

# --- in a browser --------------------------------------------------------------------------------------

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
	if [ "${TBTF_BROWSER:-}" = needed ]; then
		not_ok "browser: there is none" "the package chromium is needed"
	else
		echo "skip browser: chromium is not installed (make check-report installs it)"
	fi
	exit $failed
fi

# browse FILE OPTION...: what it says of its console goes to $tmp/console
browse()
{
	local file=$1

	shift
	rm -rf "$tmp/profile"
	timeout -k 5 180 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--hide-scrollbars --user-data-dir="$tmp/profile" --window-size=1200,1500 \
		--enable-logging=stderr "$@" "file://$file" 2> "$tmp/browser"
	grep 'CONSOLE' "$tmp/browser" > "$tmp/console"
	return 0
}

"$TBTF" report -o "$page" "$rec"
browse "$page" --dump-dom > "$tmp/dom"
check "browser: nothing on the console" sh -c "! grep . '$tmp/console'"
is "browser: kills" "$(grep -oE '<g class="hot kill"' "$tmp/dom" | wc -l)" 9
expect "browser: their number" 0 '<dd id="kills">8</dd>' cat "$tmp/dom"
expect "browser: names are text" 0 '&lt;script&gt;x\(1\)&lt;/s' cat "$tmp/dom"
is "browser: and no elements" "$(grep -ciE '<(script|b|h1>.*<h1|img)[ >]' "$tmp/dom")" 0

# What a browser makes of it: a copy that may run a script, which measures.
for scheme in 1 0; do
	sed 's,<meta http-equiv[^>]*>,,' "$page" > "$tmp/measured.html"
	cat >> "$tmp/measured.html" <<'SCRIPT'
<script>
addEventListener("load", () => {
	const box = document.getElementById("picture").getBoundingClientRect();
	const tips = [...document.querySelectorAll(".tip")];
	const outside = tips.filter(t => {
		const b = t.getBBox();
		return b.x < -1 || b.x + b.width > 1001;
	}).length;
	const tight = tips.filter(t => {
		const r = t.querySelector("rect"), x = t.querySelector("text");
		return x.getBBox().width + 14 > r.getBBox().width;
	}).map(t => t.textContent).join("; ");
	document.body.dataset.measured = JSON.stringify({
		width: Math.round(box.width), height: Math.round(box.height),
		overflow: document.documentElement.scrollWidth - innerWidth, outside, tight,
		background: getComputedStyle(document.body).backgroundColor,
		shown: tips.filter(t => getComputedStyle(t).visibility != "hidden").length,
		fill: getComputedStyle(document.getElementById("protected")).fill,
		rows: document.querySelectorAll("#kill-table tbody tr").length,
		scheme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
	});
});
</script>
SCRIPT
	browse "$tmp/measured.html" --blink-settings=preferredColorScheme=$scheme --dump-dom > "$tmp/dom"
	sed -n 's/.*data-measured="\([^"]*\)".*/\1/p' "$tmp/dom" | sed 's/&quot;/"/g' > "$tmp/measured"
	name=$(json scheme < "$tmp/measured")
	is "browser: the scheme that was asked for" "$name" "$([ $scheme = 1 ] && echo light || echo dark)"
	is "browser, $name: rows" "$(json rows < "$tmp/measured")" 9
	is "browser, $name: nothing is wider than the window" "$(json overflow < "$tmp/measured")" 0
	is "browser, $name: hover texts are in the picture" "$(json outside < "$tmp/measured")" 0
	is "browser, $name: and fit into their boxes" "$(json tight < "$tmp/measured")" ""
	is "browser, $name: none is shown before it is asked for" "$(json shown < "$tmp/measured")" 0
	check "browser, $name: the picture has a size" sh -c "[ $(json width < "$tmp/measured") -gt 900 ] && [ $(json height < "$tmp/measured") -gt 400 ]"
	json background < "$tmp/measured" > "$tmp/background.$scheme"
	json fill < "$tmp/measured" > "$tmp/fill.$scheme"
	browse "$page" --blink-settings=preferredColorScheme=$scheme --screenshot="$tmp/shot.$scheme.png"
	check "browser, $name: a picture of it" sh -c "[ \$(stat -c %s '$tmp/shot.$scheme.png') -gt 50000 ]"
done
check "browser: dark and light are two" sh -c "! cmp -s '$tmp/background.0' '$tmp/background.1' && ! cmp -s '$tmp/fill.0' '$tmp/fill.1'"
# That the console is looked at: what the policy forbids is said there.
sed 's,</main>,<img src="http://127.0.0.1:9/x"/></main>,' "$page" > "$tmp/loads.html"
browse "$tmp/loads.html" --dump-dom > /dev/null
check "browser: what would be loaded is refused, and seen here" grep -q "Content Security Policy" "$tmp/console"
exit $failed
