#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154
#
# tbtf - tbtfd: its options, its configuration, and what it says of mistakes
#
# Copyright (C) 2026 The tbtf authors
set -u
. selftests/host/lib.sh

TBTFD=$OUT/tbtfd
file=$tmp/tbtfd.conf

# conf LINE...: the file; a good one begins with good
conf()
{
	printf '%s\n' "$@" > "$file"
}

good=("[node]" "name = one" "[peers]" "two = 192.0.2.2" "[security]" "encryption = none"
      "[borrow]" "credit_kb = 65536" "secrecy = none" "[lend]" "memory_kb = 65536")

# refused NAME REGEX LINE...: both roles refuse this file
refused()
{
	local name=$1 regex=$2 role

	shift 2
	conf "$@"
	for role in borrow lend; do
		expect "tbtfd: $role: $name" 78 "^tbtfd $role: .*$regex" \
			"$TBTFD" "$role" --config "$file" --check-config
	done
}

# only ROLE NAME REGEX LINE...: one role refuses it
only()
{
	local role=$1 name=$2 regex=$3

	shift 3
	conf "$@"
	expect "tbtfd: $role: $name" 78 "$file.*$regex" "$TBTFD" "$role" --config "$file" --check-config
}

expect "tbtfd: --version" 0 '^tbtfd ' "$TBTFD" --version
expect "tbtfd: --help" 0 '^Usage: tbtfd borrow' "$TBTFD" --help
expect "tbtfd: nothing said" 64 '^Usage: ' "$TBTFD"
expect "tbtfd: an unknown role" 64 "there is no 'steal'" "$TBTFD" steal
expect "tbtfd: an unknown option" 64 "there is no option '--frobnicate'" "$TBTFD" borrow --frobnicate
expect "tbtfd: an option without its value" 64 "'--config' needs a value" "$TBTFD" borrow --config
expect "tbtfd: a word too many" 64 "'lend' is one word too many" "$TBTFD" borrow lend
expect "tbtfd: no such file" 78 "cannot read $tmp/none: No such file" \
	"$TBTFD" borrow --config "$tmp/none" --check-config
expect "tbtfd: a full disk" 1 'cannot write' sh -c "'$TBTFD' --help > /dev/full"

conf "${good[@]}"
expect "tbtfd: borrow: a good file" 0 "good for 'tbtfd borrow'" "$TBTFD" borrow --config "$file" --check-config
expect "tbtfd: lend: a good file" 0 "good for 'tbtfd lend'" "$TBTFD" lend --config "$file" --check-config
conf "# a comment" "" "  ${good[0]}" "  name = one ; and another" "${good[@]:2}"
expect "tbtfd: comments, indented lines" 0 "good for" "$TBTFD" borrow --config "$file" --check-config
printf '%s' "$(conf "${good[@]}"; cat "$file")" > "$tmp/cut"
expect "tbtfd: no newline at the end" 0 "good for" "$TBTFD" borrow --config "$tmp/cut" --check-config

conf "${good[@]}"
expect "tbtfd: borrow: a dry run" 0 'would ask two at 192.0.2.2' "$TBTFD" borrow --config "$file" --dry-run
expect "tbtfd: borrow: its extents" 0 'extents of up to 16384 kB' "$TBTFD" borrow --config "$file" --dry-run

# One line is wrong, and named: file, line, key, what would be right.
refused "an unknown section" ":12: no section is called \[loan\]: there are \[node\]" "${good[@]}" "[loan]"
refused "a section without an end" ":12: no section is called" "${good[@]}" "[lend"
refused "an unknown key" ":12: \[lend\] has no key 'colour': there are listen, nbd_port" \
	"${good[@]}" "colour = red"
refused "a key before any section" ":1: 'name' stands before the first \[section\]" "name = one" "${good[@]}"
refused "a key twice" ":12: memory_kb for the second time: it stands in line 11 already" \
	"${good[@]}" "memory_kb = 65536"
refused "no key at all" ":12: neither a \[section\] nor key = value" "${good[@]}" "hello"
refused "a long line" ":12: longer than [0-9]* characters" "${good[@]}" "$(printf '%01000d' 1)"
refused "a number with a unit" ":12: lease_s = 10m: a number from 10 to 604800 seconds, digits only" \
	"${good[@]}" "lease_s = 10m"
refused "a negative number" ":12: lease_s = -1: a number from" "${good[@]}" "lease_s = -1"
refused "a number too large for any" ":12: lease_s = 9{30}: a number from" \
	"${good[@]}" "lease_s = 999999999999999999999999999999"
refused "a number below the least" ":12: lease_s = 9: a number from 10" "${good[@]}" "lease_s = 9"
refused "no number" ":12: lease_s = : a number from 10" "${good[@]}" "lease_s ="
refused "neither yes nor no" ":12: too_big_to_fail = maybe: yes or no" "${good[@]}" "too_big_to_fail = maybe"
refused "an unknown word" ":6: encryption = rot13: one of: tls, none" "${good[@]:0:5}" "encryption = rot13"
refused "an empty word" ":6: encryption = : one of: tls, none" "${good[@]:0:5}" "encryption ="
refused "a file's name that is none" ":13: ca = ca.pem: a file's full name" "${good[@]}" "[security]" "ca = ca.pem"
refused "a node's name that is none" ":2: name = a/b: 1 to 63 letters" "[node]" "name = a/b"
refused "a node's name too long" ":2: name = a{64}: 1 to 63 letters" \
	"[node]" "name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
for address in 192.0.2.256 192.0.2.2:0 192.0.2.2:65536 192.0.2.2: "[2001:db8::2" "[::1]x" "[one]" ":10810"; do
	refused "no address: $address" ":2: two = .*: not address\[:port\]" "[peers]" "two = $address"
done
for address in 192.0.2.2:1 2001:db8::2 "[2001:db8::2]" "[2001:db8::2]:65535" localhost; do
	conf "${good[@]:0:2}" "[peers]" "two = $address" "${good[@]:4}"
	expect "tbtfd: an address: $address" 0 "good for" "$TBTFD" lend --config "$file" --check-config
done
refused "a host that nobody knows" ":2: two = host.invalid: no host of this name is known" \
	"[peers]" "two = host.invalid"
refused "a peer twice" ":5: peer 'two' for the second time" "${good[@]:0:4}" "two = 192.0.2.3"
refused "too many peers" ":68: more than 64 peers" "${good[@]:0:2}" "[peers]" \
	"$(for ((i = 2; i < 100; i++)); do echo "n$i = 192.0.2.$i"; done)"

# What is missing, or contradicts.
refused "no peers" "\[peers\] is empty" "${good[@]:0:2}" "${good[@]:4}"
refused "a peer with its own name" "\[peers\] has 'one', which is this node" "${good[@]:0:3}" \
	"one = 192.0.2.1" "${good[@]:4}"
refused "not a word about encryption" "\[security\] has to say encryption = tls" \
	"${good[@]:0:4}" "${good[@]:6}"
refused "encryption without certificates" "encryption = tls needs ca, cert and key" \
	"${good[@]:0:5}" "encryption = tls" "ca = /etc/tbtf/ca.pem" "${good[@]:6}"
refused "certificates without encryption" "encryption = none, and yet ca, cert or key" \
	"${good[@]}" "[security]" "key = /etc/tbtf/key.pem"
only borrow "no credit" "has to say credit_kb" "${good[@]:0:7}" "${good[@]:8}"
only borrow "an extent larger than the line" "extent_kb = 131072 is more than credit_kb = 65536" \
	"${good[@]}" "[borrow]" "extent_kb = 131072"
only borrow "two copies, one lender" "copies = 2 needs two nodes" "${good[@]}" "[borrow]" "copies = 2"
only borrow "no lenders, no mints" "\[peers\] is empty" "[node]" "name = one"

# [print]
own=("[print]" "mints = zram")
conf "${own[@]}"
expect "tbtfd: borrow: mints, and nothing else" 0 "good for 'tbtfd borrow'" "$TBTFD" borrow --config "$file" --check-config
expect "tbtfd: borrow: mints: a dry run" 0 'would print with a zram of [0-9]* kB' "$TBTFD" borrow --config "$file" --dry-run
conf "${good[@]}" "[print]" "mints = file	 zram" "file = /swap" "file_kb = 65536"
expect "tbtfd: borrow: lenders and mints" 0 "good for" "$TBTFD" borrow --config "$file" --check-config
expect "tbtfd: borrow: in the order of the file" 0 'a swap file /swap of 65536 kB.*' \
	sh -c "'$TBTFD' borrow --config '$file' --dry-run 2>&1 | grep 'print with' | head -1"
refused "no mint" ":2: mints = : one or more of: zram, file, limit, hotplug" "[print]" "mints ="
refused "an unknown mint" ":2: mints has 'gold': one or more of: zram" "[print]" "mints = zram gold"
refused "a mint twice" ":2: mints has 'zram' twice" "[print]" "mints = zram file zram"
refused "a file's name from here" ":2: file = swap: a file's full name" "[print]" "file = swap"
hot=("[print]" "mints = zram hotplug" "hotplug_max_kb = 262144")
only borrow "hotplug of nobody" "'hotplug' needs qmp, where the hypervisor is asked, or hotplug_command" "${hot[@]}"
only borrow "hotplug of two" "hotplug_command, which asks it; and not both" "${hot[@]}" "qmp = /dev/vport0p1" \
	"hotplug_command = /bin/true"
only borrow "hotplug without an end" "'hotplug' needs hotplug_max_kb" "${hot[@]:0:2}" "qmp = /dev/vport0p1"
only borrow "a step larger than all" "hotplug_step_kb = 524288 is more than hotplug_max_kb = 262144" \
	"${hot[@]}" "qmp = /dev/vport0p1" "hotplug_step_kb = 524288"
only borrow "a device for a command" "hotplug_device needs qmp" "${hot[@]}" "hotplug_command = /bin/true" \
	"hotplug_device = vm0"
only borrow "a base of no device" "hotplug_base_kb needs hotplug_device" "${hot[@]}" "qmp = /dev/vport0p1" \
	"hotplug_base_kb = 65536"
only borrow "a monitor for nothing" "yet mints has no 'hotplug': which is it" "[print]" "mints = zram" \
	"qmp = /dev/vport0p1"
refused "a step too small" ":4: hotplug_step_kb = 4096: a number from 16384 to 4194304 KiB" "${hot[@]}" \
	"hotplug_step_kb = 4096"
refused "a device that is none" ":4: hotplug_device = a\"b: 1 to 63 letters" "${hot[@]}" 'hotplug_device = a"b'
conf "${hot[@]}" "qmp = /dev/vport0p1"
expect "tbtfd: borrow: the mint hotplug, DIMMs" 0 'print with up to 262144 kB of DIMMs of 131072 kB, asked for at /dev/vport0p1' \
	"$TBTFD" borrow --config "$file" --dry-run
conf "${hot[@]}" "qmp = /dev/vport0p1" "hotplug_device = vm0"
expect "tbtfd: borrow: of a virtio-mem device" 0 'print with up to 262144 kB of the virtio-mem device vm0, asked' \
	"$TBTFD" borrow --config "$file" --dry-run
conf "${hot[@]}" "hotplug_command = /bin/true"
expect "tbtfd: borrow: by a command" 0 "print with up to 262144 kB of the hypervisor's, by /bin/true" \
	"$TBTFD" borrow --config "$file" --dry-run
only borrow "a limit without an end" "'limit' needs limit_max_kb" "[print]" "mints = limit"
only borrow "an end without a limit" "'limit' needs limit_max_kb" "[print]" "mints = zram" "limit_max_kb = 65536"
conf "[print]" "mints = limit" "limit_max_kb = 65536"
expect "tbtfd: borrow: the mint limit" 0 'would print with memory.max of a cgroup at its limit, up to 65536 kB' \
	"$TBTFD" borrow --config "$file" --dry-run
only borrow "a file without a size" "'file' needs file, its name, and file_kb" "[print]" "mints = file" "file = /swap"
only borrow "a size without a file" "'file' needs file, its name, and file_kb" "[print]" "mints = file" "file_kb = 65536"
only borrow "a file and no mint for it" "mints has no 'file': which is it" "${own[@]}" "file = /swap"
only borrow "a file's name with a blank" "a name without blanks" "[print]" "mints = file" "file = /my swap" "file_kb = 65536"
only borrow "credit of nobody" "credit_kb = 65536, and yet \[peers\] is empty" "[borrow]" "credit_kb = 65536" "${own[@]}"
only borrow "zram behind other nodes" "zram_priority = 10 has to be above \[borrow\] priority = 10" \
	"${own[@]}" "zram_priority = 10"

only lend "no memory" "has to say memory_kb" "${good[@]:0:10}"
only lend "more for one than for all" "per_borrower_kb = 131072 is more than memory_kb" \
	"${good[@]}" "per_borrower_kb = 131072"

# plan NAME REGEX LINE...: what the borrower would do with this file
plan()
{
	local name=$1 regex=$2

	shift 2
	conf "$@"
	expect "tbtfd: borrow: $name" 0 "$regex" "$TBTFD" borrow --config "$file" --dry-run
}

plan "one lender: one copy" "one copy of each page, which lenders can read" "${good[@]}"
plan "secrecy by default" "one copy of each page, which lenders cannot read" "${good[@]:0:8}"
plan "two lenders: two copies" "two copies of each page" "${good[@]:0:4}" "three = 192.0.2.3" "${good[@]:4}"
plan "stealing early" "would steal when less than [0-9]+ kB are available, and as little swap is free" \
	"${good[@]}" "[borrow]" "steal_when = pressure"
plan "two lenders, but one copy is wanted" "one copy of each page" \
	"${good[@]:0:4}" "three = 192.0.2.3" "${good[@]:4:4}" "copies = 1"

# The sample: as it is it asks for the decisions that are not its own to make, and
# with every line of it taken it is right.
sample=userspace/tbtfd/tbtfd.conf.example
expect "tbtfd: the sample as it is" 78 'empty' "$TBTFD" borrow --config $sample --check-config
sed 's/^#\([a-z_]* = \)/\1/; /^three/d' $sample > "$file"
for role in borrow lend; do
	expect "tbtfd: $role: the sample, filled in" 0 'good for' "$TBTFD" $role --config "$file" --check-config
done

# --- tbtf peers -------------------------------------------------------------------

# answering LINE...: a borrower that says these lines to one who asks
answering()
{
	rm -f "$tmp/run/tbtf/borrow.sock" "$tmp/run/tbtf/borrow.sock.new"
	perl -MIO::Socket::UNIX -e '
		my $path = shift;
		my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$path.new", Listen => 1) or die "$path: $!";
		# It has its name only now that it listens; and nobody waits for ever.
		rename "$path.new", $path or die "$path: $!";
		alarm 30;
		my $c = $s->accept;
		my $asked = <$c>;
		$asked eq "{\"type\":\"status\"}\n" or die "asked: $asked";
		print $c map { "$_\n" } @ARGV;' "$tmp/run/tbtf/borrow.sock" "$@" &
	while [ ! -S "$tmp/run/tbtf/borrow.sock" ] && kill -0 $! 2>/dev/null; do
		sleep 0.02
	done
}

# peers NAME CODE REGEX: what is made of the lines that were given to answering
peers()
{
	expect "tbtf peers: $1" "$2" "$3" "$TBTF" --root "$tmp" peers
	wait
}

line='{"kind":"line","node":"one","credit_kb":1048576,"ready_kb":524288,"attached_kb":262144,"used_kb":1024,"requests":3,"granted":2,"granted_kb":262144,"refused":1,"last_grant_us":38220}'
lender='{"kind":"lender","name":"two","address":"192.0.2.2","connected":true,"since":1,"latency_us":1500,"offer_kb":1048576,"may_swap":true,"lent_kb":786432,"used_kb":1024,"why":"\u001bno more"}'
mirror='{"kind":"extent","device":"/dev/dm-0","lender":"two and three","state":"attached","kb":262144,"used_kb":1024,"leased":1,"attached":0,"connected":true,"revoked":false,"lost":false,"copies":1,"copies_wanted":2,"copied_percent":43,"secret":true}'
extent='{"kind":"extent","device":"/dev/nbd0","lender":"two","state":"attached","kb":262144,"used_kb":1024,"leased":1,"attached":0,"connected":false,"revoked":true,"lost":true}'
mkdir -p "$tmp/run/tbtf"
expect "tbtf peers: no borrower" 1 'no borrower is running' "$TBTF" --root "$tmp" peers
answering "$line" "$lender" "$extent"
peers "the line" 0 '^credit line: 512.0M ready of 1.0G; 256.0M are swap, 1.0M of that in use'
answering "$line" "$lender" "$extent"
peers "what it was asked" 0 '^asked 3 times, granted 2 \(256.0M\), refused 1; the last one took 38.2 ms'
answering "$line" "$lender" "$extent"
peers "a lender" 0 '^two +there +[0-9]+d +1.5ms +1.0G +768.0M +1.0M  may swap; \\x1bno more$'
answering "$line" "$lender" "$extent"
peers "an extent" 0 '^/dev/nbd0 +two +attached +256.0M +1.0M +[0-9]+d +-  no connection  called back  lost$'
print='{"kind":"print","requests":2,"granted":1,"refused":1,"granted_kb":262144,"burn_kb_s":1024,"print_kb_s":2048,"inflation_permille":333,"withdrawing":true}'
mint='{"kind":"mint","name":"zram","state":"no-gain","ready_kb":0,"out_kb":524288,"used_kb":1024,"cost_kb":512,"printed_kb":262144,"prints":1,"rate_kb_s":2048,"price_permille":950,"ns_per_kb":900,"why":"\u001bpages"}'
answering "$line" "$print" "$mint"
peers "what is printed" 0 '^printing: asked 2 times, granted 1 \(256.0M\), refused 1; burns 1.0M/s, prints 2.0M/s, at 33.3 %; withdraws$'
answering "$line" "$print" "$mint"
peers "a mint" 0 '^zram +no-gain +0K +512.0M +1.0M +512K +95.0 %  \\x1bpages$'
answering "$line" "$lender" "$mirror"
peers "a mirror" 0 '^/dev/dm-0 +two and three +attached +256.0M +1.0M +[0-9]+d +-  encrypted  1 of 2 copies  43% copied$'
answering "$line" nonsense
peers "an answer that is none" 1 'the answer of tbtfd'
answering "$line" '{"kind":"borrower"}'
peers "a kind that is none" 1 'the answer of tbtfd'
answering
peers "no answer" 1 'the answer of tbtfd'
answering "$line" "$lender"
"$TBTF" --root "$tmp" peers --json > "$tmp/json"
wait
check "tbtf peers: --json is what the daemon says" diff "$tmp/json" <(printf '%s\n' "$line" "$lender")

# --- the borrower's part of tbtf status -------------------------------------------

sysfs=$tmp/sys/kernel/mm/tbtf
mkdir -p "$sysfs/stats"
for knob in features:prctl stage:steal marked:1 abi:1 enabled:1 dry_run:0 stats/episodes:1; do
	echo "${knob#*:}" > "$sysfs/${knob%:*}"
done

# status NAME REGEX: what is made of the lines that were given to answering
status()
{
	expect "tbtf status: $1" 0 "$2" "$TBTF" --root "$tmp" status
	wait
}

short='{"kind":"lender","name":"three","connected":true,"lent_kb":0,"used_kb":0,"why":"has no memory to give"}'
away='{"kind":"lender","name":"four","connected":false,"lent_kb":0,"used_kb":0,"why":"not reached"}'
rm -f "$tmp/run/tbtf/borrow.sock"
status "without a borrower it says what to do" 'no borrower is running'
status "and how" '^  systemctl start tbtfd-borrow$'
answering "$line" "$lender"
status "the credit line" '^  credit line  512.0M ready of 1.0G$'
answering "$line" "$lender"
status "what is stolen" '^  stolen       256.0M, of which 1.0M are in use$'
answering "$line" "$lender"
status "what it was asked" '^  asked        3 times, granted 2 \(256.0M\), refused 1$'
answering "$line" "$lender" "$short"
status "who lends" '^  lent by      two 768.0M$'
answering "$line" "$lender" "$short" "$away"
status "missing: of the line" '^missing   512.0M of the credit line$'
answering "$line" "$lender" "$short" "$away"
status "missing: what a lender lacks" '^missing   lender three: has no memory to give$'
answering "$line" "$lender" "$short" "$away"
status "missing: a lender" '^missing   lender four: away: not reached$'
answering "$line" "$lender" "$mirror"
status "copies" '^  copies       1 of each page at least; 2 are wanted$'
answering "$line" "$lender" "$mirror"
status "missing: a copy" '^missing   1 of 2 copies of 1.0M in /dev/dm-0$'
answering "$line" "$lender" "$extent"
status "missing: what is lost" '^missing   1.0M in /dev/nbd0: lost by two$'
answering "$line" "$lender" "${extent/\"lost\":true/\"lost\":false}"
status "missing: a connection" '^missing   1.0M in /dev/nbd0: no connection to two$'
answering "$line" "$lender"
status "no mints" 'no mints \(\[print\] of tbtfd.conf'
answering "$line" "$print" "$mint"
status "what is printed" '^  printed      512.0M, of which 1.0M are in use, at 33.3 %; it is being withdrawn$'
answering "$line" "$print" "$mint" "${mint/zram/file}"
status "the mints" '^  mints        zram no-gain, file no-gain$'
answering "$line" "$print" "$mint"
status "missing: a mint" '^missing   mint zram: \\x1bpages$'
answering "${line/524288/1048576}" "${lender/\\u001bno more/}" "$print" "${mint/\"no-gain\"/\"out\"}"
status "nothing is missing" '^missing   nothing$'
answering "$line" nonsense
status "an answer that is none" '^rungs two and three: the borrower does not answer: Protocol error$'

# json_of EXPRESSION LINE...: of --json, with $_ the borrower
json_of()
{
	local what=$1

	shift
	answering "$@"
	"$TBTF" --root "$tmp" status --json > "$tmp/json"
	wait
	perl -MJSON::PP -0777 -e '$_ = JSON::PP->new->decode(scalar <STDIN>)->{borrower};
		print '"$what"', "\n"' < "$tmp/json"
}

expect "tbtf status: --json: the line" 0 '^1048576 524288 262144 1024$' json_of \
	'"@$_{qw(credit_kb ready_kb stolen_kb used_kb)}"' "$line"
expect "tbtf status: --json: copies" 0 '^1 2$' json_of '"@$_{qw(copies copies_wanted)}"' "$line" "$mirror"
expect "tbtf status: --json: a lender" 0 '^two 786432$' json_of \
	'"@{$_->{lenders}[0]}{qw(name lent_kb)}"' "$line" "$lender"
expect "tbtf status: --json: no mints" 0 '^none$' json_of '$_->{print} // "none"' "$line"
expect "tbtf status: --json: a mint" 0 '^zram no-gain 524288$' json_of \
	'"@{$_->{print}{mints}[0]}{qw(name state out_kb)}"' "$line" "$print" "$mint"
expect "tbtf status: --json: what is missing" 0 '^512.0M of the credit line$' json_of '$_->{missing}[0]' "$line"
rm -f "$tmp/run/tbtf/borrow.sock"
"$TBTF" --root "$tmp" status --json > "$tmp/json"
expect "tbtf status: --json: no borrower" 0 '"borrower": null,' cat "$tmp/json"

# Manuals: every option, every key that a message lists, and no others.
"$TBTFD" --help | grep -oE -- '^  --[a-z-]+' | sort > "$tmp/a"
sed -n '/^\.SS Options/,/^\.SH EXAMPLES/p' Documentation/man/tbtfd.8 | sed 's/\\-/-/g' |
	grep -oE '^\.BI? --[a-z-]+' | sed 's/^[^ ]*/ /' | sort > "$tmp/b"
check "tbtfd: options: --help and tbtfd(8)" diff "$tmp/a" "$tmp/b"
for section in node borrow lend print exhausted security; do
	conf "[$section]" "nothing = 1"
	"$TBTFD" lend --config "$file" --check-config 2>&1 | sed 's/.*there are //; s/, /\n/g' | sort > "$tmp/a"
	sed -n "/^\.SS \[$section\]/,/^\.S[SH]/p" Documentation/man/tbtfd.conf.5 |
		sed -n '/^\.TP/{n;s/^\.BR* //;s/[ ",]\+/\n/g;p}' | sort > "$tmp/b"
	check "tbtfd: keys of [$section]: messages and tbtfd.conf(5)" diff "$tmp/a" "$tmp/b"
done

# --- the watchdog, which needs no other node ------------------------------------------
printf '[exhausted]\nwatchdog_timeout_s = 30\n' > "$tmp/dog.conf"
expect "tbtfd: watchdog: which?" 78 "dog.conf: \[exhausted\] has to say watchdog" \
	"$TBTFD" watchdog --config "$tmp/dog.conf"
printf '[exhausted]\nwatchdog = /dev/watchdog0\nwatchdog_timeout_s = 1\n' > "$tmp/dog.conf"
expect "tbtfd: watchdog: too short" 78 "dog.conf:3: watchdog_timeout_s = 1" \
	"$TBTFD" watchdog --config "$tmp/dog.conf" --check-config
printf '[exhausted]\nwatchdog = /dev/watchdog0\n' > "$tmp/dog.conf"
expect "tbtfd: watchdog: good" 0 "good for 'tbtfd watchdog'" \
	"$TBTFD" watchdog --config "$tmp/dog.conf" --check-config
expect "tbtfd: watchdog: dry run" 0 "would run /dev/watchdog0, of 60 s" \
	"$TBTFD" watchdog --config "$tmp/dog.conf" --dry-run

exit $failed
