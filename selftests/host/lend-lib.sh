# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154,SC2034
#
# tbtf - a lender for tests on this machine
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced after lib.sh. The lender is node two; one and three are 127.0.0.1 and
# 127.0.0.3. Everything is below $tmp.

TBTFD=$OUT/tbtfd
file=$tmp/lend.conf
log=$tmp/lend.log
lender=
control_port=$((20000 + $$ % 20000))
nbd_port=$((control_port + 1))
security="encryption = none"

# conf LINE...: the lender's configuration, with more lines for [lend]
conf()
{
	local lines=("memory_kb = 131072" "per_borrower_kb = 98304" "headroom_kb = 16384"
		"listen = 127.0.0.1:$control_port" "nbd_port = $nbd_port") line more

	for more; do
		for line in "${!lines[@]}"; do
			[ "${lines[line]%% *}" != "${more%% *}" ] || unset "lines[line]"
		done
		lines+=("$more")
	done
	printf '%s\n' "[node]" "name = two" "[peers]" "one = 127.0.0.1" "three = 127.0.0.3" \
		"[security]" "$security" "[lend]" "${lines[@]}" > "$file"
}

# What is waited for, for half a minute.
wait_until()
{
	local name=$1 i

	shift
	for ((i = 0; i < 300; i++)); do
		if "$@" > /dev/null 2>&1; then
			ok "$name"
			return 0
		fi
		sleep 0.1
	done
	not_ok "$name" "it did not happen: $*"
	[ ! -e "$log" ] || tail -20 "$log"
	return 1
}

# not NAME COMMAND...: it fails; a function, too
not()
{
	local name=$1

	shift
	if "$@" > "$tmp/check" 2>&1; then
		not_ok "$name" "$* did not fail:"
		cat "$tmp/check"
	else
		ok "$name"
	fi
}

is_less()
{
	[ "$2" -lt "$3" ] && ok "$1" || not_ok "$1" "$2 is not less than $3"
}

# field NAME FILE: a number of KiB of /proc/PID/status
field()
{
	awk -v name="$1:" '$1 == name { print $2 }' "$2"
}

# Ports may be taken: some are tried.
start_lender()
{
	local i socket=$tmp/notify.$BASHPID.$RANDOM

	rm -f "$tmp/notified"
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
		open my $f, ">", $ARGV[1] or die;
		$f->autoflush(1);
		while (defined $s->recv(my $d, 4096)) { print $f "$d\n" }' \
		"$socket" "$tmp/notified" &
	notifier=$!
	for ((i = 0; i < 50; i++)); do
		[ ! -S "$socket" ] || break
		sleep 0.1
	done
	NOTIFY_SOCKET=$socket "$TBTFD" lend --trial --verbose --config "$file" > "$log" 2>&1 &
	lender=$!
	# Without it nothing of what follows makes sense.
	wait_until "lend: it is ready" grep -q 'ready as two' "$log" || exit 1
}

stop_lender()
{
	kill -TERM "$lender"
	wait_until "lend: it was told to stop" grep -q 'stops when\|is lost' "$log"
	kill -TERM "$lender"
	wait "$lender"
	check "lend: it was stopped" [ $? = 0 ]
	kill "$notifier" 2> /dev/null
	! grep -q 'Sanitizer\|runtime error' "$log" || { not_ok "lend: a sanitizer complained"; cat "$log"; }
}

address()
{
	case $1 in
	one) echo 127.0.0.1 ;;
	three) echo 127.0.0.3 ;;
	*) echo "127.0.0.$1" ;;
	esac
}

# peer go|hold|raw|control NODE [ARG]
peer()
{
	local port=$nbd_port

	[ "$1" != control ] && [ "$1" != burst ] || port=$control_port
	perl selftests/host/peer.pl "$1" "$port" "$(address "$2")" ${3+"$3"}
}

hello()
{
	printf '{"id":1,"type":"hello","version":1,"node":"%s"}\n' "$1"
}

# control NODE LINE...: what comes back is in $tmp/replies
control()
{
	local node=$1

	shift
	printf '%s\n' "$@" | peer control "$node" > "$tmp/replies" 2>&1
}

# reply N NAME REGEX: line N of it
reply()
{
	if sed -n "$1p" "$tmp/replies" | grep -qE -- "$3"; then
		ok "$2"
	else
		not_ok "$2" "wanted: $3"
		cat "$tmp/replies"
	fi
}

# lease NODE KB: sets number and export
lease()
{
	control "$1" "$(hello "$1")" "{\"id\":2,\"type\":\"lease\",\"kb\":$2,\"path\":[\"$1\"],\"hops\":4}"
	reply 2 "lend: $1 gets $2 KiB" '"ok":true,"lease":"[0-9]+","export":"[0-9a-f]{32}","kb":'"$2"',"expires_s":[0-9]+'
	number=$(sed -n '2s/.*"lease":"\([0-9]*\)".*/\1/p' "$tmp/replies")
	export=$(sed -n '2s/.*"export":"\([0-9a-f]*\)".*/\1/p' "$tmp/replies")
}

trap '[ -z "$lender" ] || kill -KILL "$lender"; kill "${notifier-}" 2> /dev/null; jobs -p | xargs -r kill 2> /dev/null' EXIT
