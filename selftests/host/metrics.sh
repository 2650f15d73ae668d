#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - figures for Prometheus: the file, the alert rules, the exporter, the units
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh. What is not installed of Prometheus is said, and skipped; `make
# check-report` installs it (TBTF_PROMETHEUS=needed: to lack it is then a failure).
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh

metrics=userspace/metrics/tbtf-metrics
rules=userspace/metrics/tbtf.rules.yml
root=$tmp/metricsroot
dir=$tmp/textfile
make_root "$root"
mkdir -p "$dir" "$tmp/bin"
echo 2 > "$root/sys/kernel/mm/tbtf/stats/open_episodes"
export TBTF_SYSFS=$root/sys/kernel/mm/tbtf

# A stand-in for the command: the figures come from a file or, where that is a
# fifo, when somebody writes them.
cat > "$tmp/bin/tbtf" <<SCRIPT
#!/bin/sh
[ "\$*" = "stats --prometheus" ] || exit 64
cat "$tmp/figures"
SCRIPT
chmod +x "$tmp/bin/tbtf"
figures='# HELP tbtf_kills_total processes killed in a protected one'"'"'s place
# TYPE tbtf_kills_total counter
tbtf_kills_total 7'

# value NAME: in the file
value()
{
	sed -n "s/^$1 //p" "$dir/tbtf.prom"
}

# is NAME GOT WANTED
is()
{
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "got '$2', wanted '$3'"
}

# --- the file -----------------------------------------------------------------------

expect "no directory" 1 "there is no directory /nowhere: install prometheus-node-exporter" $metrics /nowhere
expect "two directories" 64 "'b' is one argument too many" $metrics a b
expect "an option" 64 "there is no option '-x'" $metrics -x
expect "help" 0 "^Usage: tbtf-metrics" $metrics --help

export TBTF=$TBTF
expect "without the eBPF part" 0 "" $metrics "$dir"
is "without the eBPF part: the module is there" "$(value tbtf_up)" 1
is "without the eBPF part: it does not count" "$(value tbtf_stats_up)" 0
is "the module's gauges" "$(value tbtf_enabled) $(value tbtf_dry_run) $(value tbtf_roles) $(value tbtf_open_episodes) $(value tbtf_stage)" \
	"1 0 0 2 0"
for stage in sacrifice=1 exhausted=2 steal=3; do
	echo "${stage%=*}" > "$TBTF_SYSFS/stage"
	$metrics "$dir"
	is "the stage ${stage%=*} is a number" "$(value tbtf_stage)" "${stage#*=}"
done
TBTF_SYSFS=/nowhere $metrics "$dir"
is "without the module" "$(value tbtf_up) $(value tbtf_stats_up) $(value tbtf_enabled)" "0 0 "

export TBTF=$tmp/bin/tbtf
echo "$figures" > "$tmp/figures"
expect "with figures" 0 "" $metrics "$dir"
is "with figures: they are there" "$(value tbtf_stats_up) $(value tbtf_kills_total)" "1 7"
is "everybody may read it" "$(stat -c %a "$dir/tbtf.prom")" 644
is "nothing else is left" "$(ls "$dir")" tbtf.prom

# While the figures are being written the old file is there, and whole.
cp "$dir/tbtf.prom" "$tmp/old"
rm "$tmp/figures"
mkfifo "$tmp/figures"
$metrics "$dir" &
writer=$!
exec 3> "$tmp/figures"
echo "$figures" | head -2 >&3
check "in the middle of it: the old file, whole" cmp "$tmp/old" "$dir/tbtf.prom"
is "in the middle of it: what the collector reads" "$(cd "$dir" && echo ./*.prom)" ./tbtf.prom
echo "tbtf_kills_total 8" >&3
exec 3>&-
wait $writer
is "then the new one" "$(value tbtf_kills_total)" 8
$metrics "$dir" &
writer=$!
exec 3> "$tmp/figures"
echo "$figures" >&3
kill $writer
exec 3>&-
wait $writer
is "stopped half way: the file before" "$(value tbtf_kills_total) $(ls "$dir")" "8 tbtf.prom"
rm "$tmp/figures"
echo "$figures" > "$tmp/figures"
$metrics "$dir"

# --- the rules, in themselves -----------------------------------------------------------

# What a rule asks for is what is exported: gauges by tbtf-metrics, counters by
# the list of the statistics.
sed -n 's/^\tX(\([a-z_]*\), [A-Z]*, ".*/tbtf_\1_total/p' bpf/tbtf_stats.h > "$tmp/exported"
sed -n 's/.*print_counter("\([a-z_]*\)".*/tbtf_\1_total/p' userspace/tbtf/stats_metrics.c >> "$tmp/exported"
sed -n 's/^\t*gauge \([a-z_]*\) ".*/tbtf_\1/p' $metrics >> "$tmp/exported"
echo node_textfile_mtime_seconds >> "$tmp/exported"
sort -u -o "$tmp/exported" "$tmp/exported"
sed -n 's/^ *expr: //p' $rules | grep -oE '\b(tbtf|node)_[a-z_]+' | sort -u > "$tmp/asked"
if [ -s "$tmp/asked" ] && [ -z "$(comm -13 "$tmp/exported" "$tmp/asked")" ]; then
	ok "rules: what they ask for is exported"
else
	not_ok "rules: what they ask for is exported" "not exported: $(comm -13 "$tmp/exported" "$tmp/asked" | tr '\n' ' ')"
fi
check "rules: each has a severity and says what to do" sh -c "
	[ \$(grep -c '^ *- alert: ' $rules) = \$(grep -c '^ *severity: \(critical\|warning\|info\)$' $rules) ] &&
	[ \$(grep -c '^ *- alert: ' $rules) = \$(grep -c '^ *summary: \"' $rules) ] &&
	[ \$(grep -c '^ *- alert: ' $rules) = \$(grep -c '^ *description: \"' $rules) ]"

# --- the units ------------------------------------------------------------------------------

if command -v systemd-analyze > /dev/null; then
	mkdir -p "$tmp/units"
	sed "s,@SBINDIR@,$PWD/userspace/metrics," userspace/metrics/tbtf-metrics.service.in > "$tmp/units/tbtf-metrics.service"
	cp userspace/metrics/tbtf-metrics.timer "$tmp/units/"
	# It also complains of units of this machine; of interest is what it says of ours.
	SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze --man=no verify "$tmp/units/tbtf-metrics.timer" \
		"$tmp/units/tbtf-metrics.service" 2>&1 | grep tbtf > "$tmp/verify"
	if [ -s "$tmp/verify" ]; then
		not_ok "units: systemd-analyze verify" "$(cat "$tmp/verify")"
	else
		ok "units: systemd-analyze verify"
	fi
	sed -i 's/^OnUnitActiveSec=.*/OnUnitActiveSec=often/' "$tmp/units/tbtf-metrics.timer"
	SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze --man=no verify "$tmp/units/tbtf-metrics.timer" 2>&1 |
		grep tbtf > "$tmp/verify"
	check "units: it would have said so" test -s "$tmp/verify"
else
	echo "skip units: systemd is not installed"
fi

# --- Prometheus ---------------------------------------------------------------------------------

# lacks PACKAGE: whether to go on without
lacks()
{
	if [ "${TBTF_PROMETHEUS:-}" = needed ]; then
		not_ok "$1: it is not installed"
	else
		echo "skip $1: it is not installed (make check-report installs it)"
	fi
}

if command -v promtool > /dev/null; then
	expect "promtool: the rules" 0 "SUCCESS: 1[0-9] rules found" promtool check rules $rules
	check "promtool: without a warning" sh -c "! promtool check rules $rules 2>&1 | grep -iE 'warn|error|fail'"
	cp $rules selftests/host/tbtf.rules.test.yml "$tmp/"
	expect "promtool: they fire when they should, and only then" 0 "SUCCESS" \
		promtool test rules "$tmp/tbtf.rules.test.yml"
	expect "promtool: the file" 0 "" sh -c "promtool check metrics < '$dir/tbtf.prom'"
else
	lacks prometheus
fi

# fetch PORT: what the exporter serves
fetch()
{
	exec 4<> "/dev/tcp/127.0.0.1/$1" || return
	printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
	cat <&4
	exec 4>&-
}

if command -v prometheus-node-exporter > /dev/null; then
	port=$((20000 + RANDOM % 20000))
	prometheus-node-exporter --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$dir" --web.listen-address="127.0.0.1:$port" \
		2> "$tmp/exporter" &
	exporter=$!
	for ((i = 0; i < 200; i++)); do
		fetch $port > "$tmp/served" 2>/dev/null && break
		sleep 0.1
	done
	expect "exporter: it serves them" 0 "^tbtf_kills_total 7$" cat "$tmp/served"
	expect "exporter: with the gauges" 0 "^tbtf_up 1$" cat "$tmp/served"
	expect "exporter: with their types" 0 "^# TYPE tbtf_kills_total counter" cat "$tmp/served"
	expect "exporter: it found no fault" 0 "^node_textfile_scrape_error 0$" cat "$tmp/served"
	expect "exporter: the time that the rules ask for" 0 "^node_textfile_mtime_seconds\{file=\".*tbtf.prom\"\} 1" cat "$tmp/served"
	kill $exporter
	wait $exporter 2>/dev/null
else
	lacks prometheus-node-exporter
fi
exit $failed
