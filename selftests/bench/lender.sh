#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - how fast the lender is, beside other NBD servers and TCP itself
#
# Copyright (C) 2026 The tbtf authors
#
# usage: lender.sh [ROUNDS [SECONDS]]		(make bench-lend)
#
# On this machine, over loopback: the same client (load.c) asks each server in turn, in
# short rounds, and what is shown is the best of all: other load on the machine makes
# servers slower, and never faster. What is compared are ratios. The exit code is 0 if
# all of them are good.
set -u
cd "$(dirname "$0")/../.." || exit 2
OUTPUT=${OUTPUT:-$PWD/.output}
rounds=${1:-5} seconds=${2:-0.4}
size_kb=262144
tmp=$(mktemp -d)
shm=$(mktemp -d -p /dev/shm)
pids=()
# A lender that is asked to stop waits for its leases.
trap 'kill -KILL "${pids[@]}" 2> /dev/null; rm -rf "$tmp" "$shm"' EXIT
load=$OUTPUT/selftests/load
tbtfd=$OUTPUT/userspace/tbtfd
for f in "$load" "$tbtfd"; do
	[ -x "$f" ] || { echo "lender.sh: there is no $f: make selftests userspace" >&2; exit 2; }
done

# --- servers --------------------------------------------------------------------

declare -A port pid name
plain=(tbtf nbdkit nbdkit-malloc nbd-server qemu-nbd)
tls=(tbtf-tls nbdkit-tls)
servers=("${plain[@]}" "${tls[@]}")
base=$((21000 + $$ % 20000))

# up SERVER: it listens
up()
{
	local i

	for ((i = 0; i < 100; i++)); do
		! (: < "/dev/tcp/127.0.0.1/${port[$1]}") 2> /dev/null || return 0
		sleep 0.1
	done
	echo "lender.sh: $1 does not listen" >&2
	cat "$tmp/$1.log" >&2
	exit 1
}

# server NAME EXPORT COMMAND...
server()
{
	local what=$1

	name[$what]=$2
	shift 2
	"$@" > "$tmp/$what.log" 2>&1 &
	pid[$what]=$!
	pids+=($!)
	disown $!	# and no word of its end
}

for s in "${servers[@]}"; do
	port[$s]=$((base++))
done
control=$((base++))
truncate -s ${size_kb}K "$shm/qemu" "$shm/nbd"
cat > "$tmp/nbd.conf" <<CONF
[generic]
	port = ${port[nbd-server]}
	listenaddr = 127.0.0.1
	allowlist = false
[x]
	exportname = $shm/nbd
CONF
# conf NAME PORT LINE...: a lender's configuration
conf()
{
	printf '%s\n' "[node]" "name = lender" "[peers]" "load = 127.0.0.1" "[lend]" "listen = 127.0.0.1:$2" \
		"nbd_port = ${port[$1]}" "memory_kb = $size_kb" "headroom_kb = 1024" "[security]" "${@:3}" \
		> "$tmp/$1.conf"
}

# One directory does for all: it has the names that each program wants.
"$tbtfd" pki ca "$tmp" > /dev/null && "$tbtfd" pki node "$tmp" lender > /dev/null &&
	"$tbtfd" pki node "$tmp" load > /dev/null || exit 1
cp "$tmp/ca.pem" "$tmp/ca-cert.pem"
for f in pem:cert key:key; do
	cp "$tmp/lender.${f%:*}" "$tmp/server-${f#*:}.pem"
	cp "$tmp/load.${f%:*}" "$tmp/client-${f#*:}.pem"
done
export TLS_DIR=$tmp
gcc -O2 -std=gnu11 -D_GNU_SOURCE -DWITH_TLS -pthread -o "$tmp/load-tls" selftests/bench/load.c -lssl -lcrypto || exit 1

conf tbtf "$control" "encryption = none"
conf tbtf-tls $((control + 1)) "encryption = tls" "ca = $tmp/ca.pem" "cert = $tmp/lender.pem" "key = $tmp/lender.key"
server tbtf "" "$tbtfd" lend --trial --config "$tmp/tbtf.conf"
server tbtf-tls "" "$tbtfd" lend --trial --config "$tmp/tbtf-tls.conf"
server nbdkit-tls "" nbdkit -f -i 127.0.0.1 -p "${port[nbdkit-tls]}" --tls=require --tls-certificates="$tmp" \
	--tls-verify-peer memory ${size_kb}K allocator=malloc
server nbdkit "" nbdkit -f -i 127.0.0.1 -p "${port[nbdkit]}" memory ${size_kb}K
server nbdkit-malloc "" nbdkit -f -i 127.0.0.1 -p "${port[nbdkit-malloc]}" memory ${size_kb}K allocator=malloc
# It goes into the background.
server nbd-server x nbd-server -C "$tmp/nbd.conf" -p "$tmp/nbd.pid"
server qemu-nbd "" qemu-nbd -t -b 127.0.0.1 -p "${port[qemu-nbd]}" -f raw --cache=writeback -e 4 "$shm/qemu"
for s in "${servers[@]}"; do
	up "$s"
done

pid[nbd-server]=$(cat "$tmp/nbd.pid")
pids+=("${pid[nbd-server]}")

# The lender has no export before somebody has a lease.
requests=('{"id":1,"type":"hello","version":1,"node":"load"}'
	"{\"id\":2,\"type\":\"lease\",\"kb\":$size_kb,\"path\":[\"load\"],\"hops\":1}" "the end")
exec 3<> "/dev/tcp/127.0.0.1/$control"
printf '%s\n' "${requests[@]}" >&3
cat <&3 > "$tmp/answers"
printf '%s\n' "${requests[@]}" | openssl s_client -quiet -connect "127.0.0.1:$((control + 1))" -CAfile "$tmp/ca.pem" \
	-cert "$tmp/load.pem" -key "$tmp/load.key" > "$tmp/answers-tls" 2> /dev/null
name[tbtf]=$(sed -n 's/.*"export":"\([0-9a-f]*\)".*/\1/p' "$tmp/answers")
name[tbtf-tls]=$(sed -n 's/.*"export":"\([0-9a-f]*\)".*/\1/p' "$tmp/answers-tls")
[ -n "${name[tbtf]}" ] && [ -n "${name[tbtf-tls]}" ] || {
	echo "lender.sh: no lease:" >&2
	cat "$tmp/answers" "$tmp/answers-tls" >&2
	exit 1
}
# load SERVER ARGUMENT...: the client for it
load()
{
	local client=$load

	[ "$1" = "${1%-tls}" ] || client=$tmp/load-tls
	"$client" "${port[$1]}" "${name[$1]}" "${@:2}"
}

for s in "${servers[@]}"; do
	load "$s" fill 8 131072 0 > /dev/null || exit 1
done

# --- measured -------------------------------------------------------------------

kinds=("randread 1 4096" "randread 16 4096" "randread 64 4096" "randwrite 1 4096" "randwrite 16 4096"
       "randwrite 64 4096" "seqread 8 131072" "seqwrite 8 131072")
declare -A best cpu

# ticks PID: of the process and of threads that have ended, in 1/100 s; nbd-server forks
ticks()
{
	local p n=0 stat

	for p in "$1" $(pgrep -P "$1"); do
		read -r stat 2> /dev/null < "/proc/$p/stat" || continue
		# shellcheck disable=SC2086 # the fields
		set -- ${stat##*) }
		n=$((n + ${12} + ${13}))
	done
	echo "$n"
}

# better KEY VALUE
better()
{
	[ "$2" -le "${best[$1]:-0}" ] || best[$1]=$2
}

for ((r = 0; r < rounds; r++)); do
	for kind in "${kinds[@]}"; do
		read -r what depth block <<< "$kind"
		for s in "${servers[@]}"; do
			before=$(ticks "${pid[$s]}")
			read -r iops _ < <(load "$s" "$what" "$depth" "$block" "$seconds")
			[ -n "$iops" ] || { echo "lender.sh: $s: $kind failed" >&2; exit 1; }
			better "$s $kind" "$iops"
			# nbd-server's child is gone by now, and with it what it used.
			n=$(($(ticks "${pid[$s]}") - before))
			cpu[$s $kind]=$(awk -v a="${cpu[$s $kind]:-0 0}" -v n="$n" -v i="$iops" -v t="$seconds" \
				'BEGIN { split(a, b, " "); print b[1] + n * 10000, b[2] + i * t }')
		done
	done
	read -r n _ < <("$load" 0 - pingpong 1 4096 "$seconds")
	better "pingpong" "$n"
done

# --- shown ----------------------------------------------------------------------

printf '\n%-22s' "thousand a second"
printf '%14s' "${servers[@]}"
printf '\n'
for kind in "${kinds[@]}"; do
	printf '%-20s' "$kind"
	for s in "${servers[@]}"; do
		awk -v n="${best[$s $kind]}" 'BEGIN { printf "%14.1f", n / 1000 }'
	done
	printf '\n'
done
printf '%-20s%14s\n' "TCP ping-pong" "$(awk -v n="${best[pingpong]}" 'BEGIN { printf "%.1f", n / 1000 }')"
printf '\n%-22s' "us of CPU a request"
printf '%14s' "${servers[@]}"
printf '\n'
for kind in "${kinds[@]}"; do
	printf '%-20s' "$kind"
	for s in "${servers[@]}"; do
		awk -v a="${cpu[$s $kind]}" -v s="$s" 'BEGIN { split(a, b, " ")
			printf "%14s", s == "nbd-server" ? "-" : sprintf("%.2f", b[1] / b[2]) }'
	done
	printf '\n'
done

bad=0
# line TEXT LIMIT FIGURE: FIGURE is good if it is at least LIMIT
line()
{
	local verdict=ok

	if [ "$2" = - ]; then
		verdict=
	elif awk -v a="$3" -v b="$2" 'BEGIN { exit !(a < b) }'; then
		verdict=UNDER
		bad=1
	fi
	printf '%-60s %8s %10s  %s\n' "$1" "$2" "$3" "$verdict"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# most KIND SERVER...: the best of these
most()
{
	local kind=$1 s n=0

	shift
	for s; do
		[ "${best[$s $kind]}" -le "$n" ] || n=${best[$s $kind]}
	done
	echo "$n"
}

# The limit is for TLS in the kernel. Without it client and server spend most of the
# time in the same cipher, and how they compare says little: see the CPU a request.
tls_limit=3 ktls_missing=
if ! grep -qw tls /proc/sys/net/ipv4/tcp_available_ulp; then
	tls_limit=- ktls_missing=", none in the kernel"
fi

printf '\n%-60s %8s %10s\n' "figure (as many times)" limit measured
for kind in "${kinds[@]}"; do
	line "$kind: the best of the others" 1 \
		"$(ratio "${best[tbtf $kind]}" "$(most "$kind" "${plain[@]:1}")")"
	case $kind in
	rand*" 16 "* | rand*" 64 "*)
		line "$kind: nbdkit" 3 "$(ratio "${best[tbtf $kind]}" "$(most "$kind" nbdkit nbdkit-malloc)")"
		line "$kind: nbdkit, both with TLS$ktls_missing" "$tls_limit" "$(ratio "${best[tbtf-tls $kind]}" "${best[nbdkit-tls $kind]}")" ;;
	"randread 1 "*)
		line "$kind: TCP ping-pong" 0.6 "$(ratio "${best[tbtf $kind]}" "${best[pingpong]}")" ;;
	esac
done
exit $bad
