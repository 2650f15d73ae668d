# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# tbtf - a test of several VMs: the links between them, and the wire they talk by
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced by vm.sh. Settings: nodes=, links=, mtu=, node1= to node4=.
#	vm_check_nodes	are they sound
#	node_conf N	what one node has of its own
#	vm_run		boot what VM[] says, one VM or several, and wait
#
# Node 1 runs the test. On the others process 1 runs on.c as their test, which
# does what node 1 sends it over the wire, the third serial port. Each port ends
# in a pair of fifos here; hub passes lines from one to the other, and does itself
# what is for "host":
#
#	link A-B off|on		as if the cable were pulled out
#	off N			the power fails: nothing more of it is run
#	stop N, cont N		it hangs, and goes on
#
# A link is a pair of unix datagram sockets. No address of the host is used, and
# nobody else on it can see or disturb what goes over one.

VM_NODES_MAX=4
VM_OTHERS=()
VM_NODE=		# .N while node N is meant
VM_ARGS=()

# vm_links: "1-2" a line, the smaller number first
vm_links()
{
	local n

	if [ -n "${VM[links]}" ]; then
		xargs -n1 <<< "${VM[links]}"
		return
	fi
	for ((n = 1; n < VM[nodes]; n++)); do
		echo "$n-$((n + 1))"
	done
}

# vm_check_nodes WHERE
vm_check_nodes()
{
	local link n word

	[[ ${VM[nodes]} =~ ^[1-$VM_NODES_MAX]$ ]] ||
		vm_die "$1: nodes=${VM[nodes]}: 1 to $VM_NODES_MAX is expected"
	if ! [[ ${VM[mtu]} =~ ^[1-9][0-9]*$ ]] || [ "${VM[mtu]}" -lt 576 ] || [ "${VM[mtu]}" -gt 65000 ]; then
		vm_die "$1: mtu=${VM[mtu]}: 576 to 65000 is expected"
	fi
	for ((n = VM[nodes] + 1; n <= VM_NODES_MAX; n++)); do
		[ -z "${VM[node$n]}" ] || vm_die "$1: node$n=: there are ${VM[nodes]} nodes"
	done
	for ((n = 1; n <= VM[nodes]; n++)); do
		while read -r word; do
			case $word in
			"" | mem=* | smp=* | numa=* | load=* | module=* | params=* | adj=* | expect=* | \
			append=* | thread=* | icount=* | accel=* | qopt=*) ;;
			*) vm_die "$1: node$n=: \"$word\" is nothing that one node may have of its own" ;;
			esac
		done < <(xargs -n1 printf '%s\n' <<< "${VM[node$n]}")
	done
	if [ "${VM[nodes]}" -gt 1 ] && [ -n "${VM[disk]}" ]; then
		vm_die "$1: disk=${VM[disk]}: for one VM only"
	fi
	for link in ${VM[links]}; do
		if ! [[ $link =~ ^[1-9]-[1-9]$ ]] || [ "${link%-*}" -ge "${link#*-}" ] ||
		   [ "${link#*-}" -gt "${VM[nodes]}" ]; then
			vm_die "$1: links=$link: two nodes of ${VM[nodes]} are expected, as in 1-2"
		fi
	done
}

# node_conf N: make VM[] what it is for node N
node_conf()
{
	# A panic is expected of the node that says so itself.
	[ "$1" -eq 1 ] || VM[expect]=""
	vm_conf "node$1=" "${VM[node$1]}"
}

# nodes_others N: those to which N has a link
nodes_others()
{
	local link

	for link in $(vm_links); do
		case $link in
		"$1"-*) echo "${link#*-}" ;;
		*-"$1") echo "${link%-*}" ;;
		esac
	done
}

# nodes_address N OTHER: of N, on its link to OTHER
nodes_address()
{
	if [ "$1" -lt "$2" ]; then
		echo "10.$1.$2.$1"
	else
		echo "10.$2.$1.$1"
	fi
}

# nodes_net N: the script by which node N comes to its network
nodes_net()
{
	local other

	cat <<-EOT
		hostname node$1
		modprobe virtio_pci
		modprobe virtio_net
		ip link set lo up
		echo "127.0.0.1 localhost node$1" > /etc/hosts
	EOT
	for other in $(nodes_others "$1"); do
		cat <<-EOT
			for dev in /sys/class/net/*; do
				[ "\$(cat \$dev/address)" = 52:54:00:00:0$1:0$other ] || continue
				ip link set "\${dev##*/}" name node$other
				ip link set node$other mtu ${VM[mtu]} up
				ip addr add $(nodes_address "$1" "$other")/24 dev node$other
				echo "$(nodes_address "$other" "$1") node$other" >> /etc/hosts
			done
			[ -e /sys/class/net/node$other ] || exit 1
		EOT
	done
}

# nodes_overlay N: what of the initramfs is node N's own, over that of the test
nodes_overlay()
{
	local root=$VM_JOB/overlay.$1

	mkdir "$root"
	nodes_net "$1" > "$root/vm.net"
	{
		if [ "$1" -eq 1 ]; then
			grep -Ev '^(module|params|load|adj) ' "$VM_JOB/overlay/vm.conf"
			# What a lender's death takes along is not to be the test.
			echo "cgroup test"
		else
			echo "test /tests/on"
			sed -n 's/^name .*/&, node '"$1"'/p; /^env /p' "$VM_JOB/overlay/vm.conf"
		fi
		echo "env NODES=${VM[nodes]}"
		echo "ramfs yes"
		echo "net /vm.net"
		vm_conf_lines
	} > "$root/vm.conf"
	vm_pack "$root" "$root.cpio"
	cat "$VM_JOB/initrd" "$root.cpio" > "$VM_JOB/initrd.$1"
}

# nodes_args N: of QEMU
nodes_args()
{
	local other

	VM_ARGS=(-chardev "pipe,id=wire,path=$VM_JOB/wire.$1"
		 -device "isa-serial,chardev=wire,index=2,irq=5"
		 -chardev "pipe,id=qmp,path=$VM_JOB/qmp.$1" -mon "chardev=qmp,mode=control")
	for other in $(nodes_others "$1"); do
		# Names without a directory: a socket's has but 107 characters.
		VM_ARGS+=(-netdev "dgram,id=to$other,local.type=unix,local.path=link.$1-$other,remote.type=unix,remote.path=link.$other-$1"
			  -device "virtio-net-pci,netdev=to$other,mac=52:54:00:00:0$1:0$other,romfile=")
	done
}

# node_run N CONSOLE VERDICT: as vm_boot, with what is set for node N
node_run()
{
	local rc=0

	VM_NODE=.$1
	node_conf "$1"
	# Not swapped out, and so not lost with a lender: what is in the initramfs.
	VM[append]+=" rootfstype=ramfs"
	nodes_overlay "$1"
	nodes_args "$1"
	vm_boot "$2" "$3" || rc=$?
	echo "$rc" > "$VM_JOB/rc.$1"
	echo "$1 gone" 1<> "$VM_JOB/wire.1.in"
	return "$rc"
}

# from_node N: what node N says, to node 1
from_node()
{
	local line

	while read -r line; do
		line=${line%$'\r'}
		if [ "$line" = ready ]; then
			touch "$VM_JOB/ready.$1"
		else
			echo "$1 $line"
		fi
	done 0<> "$VM_JOB/wire.$1.out" 1<> "$VM_JOB/wire.1.in"
}

# qmp_says N TEXT: wait until QEMU does, or gives an error
qmp_says()
{
	local line

	while read -r -t $((20 * VM_PATIENCE)) line; do
		case $line in
		"{\"$2\""*) return 0 ;;
		'{"error"'*) break ;;
		esac
	done 0<> "$VM_JOB/qmp.$1.out"
	echo "QEMU of node $1: ${line:-no answer}" >> "$VM_JOB/hub"
	return 1
}

# qmp N COMMAND [ARGUMENTS]: whether QEMU has done it
qmp()
{
	echo "{\"execute\":\"$2\"${3:+,\"arguments\":$3}}" 1<> "$VM_JOB/qmp.$1.in"
	qmp_says "$1" return
}

set_link()
{
	qmp "$1" set_link "{\"name\":\"to$2\",\"up\":$3}"
}

# order WORDS...: for the host, from node 1
order()
{
	case "$*" in
	"link "[1-9]-[1-9]" off" | "link "[1-9]-[1-9]" on")
		local up=true

		[ "$3" = on ] || up=false
		set_link "${2%-*}" "${2#*-}" "$up" && set_link "${2#*-}" "${2%-*}" "$up"
		;;
	"off "[2-9])
		touch "$VM_JOB/off.$2"
		# It may be gone before it has answered.
		echo '{"execute":"quit"}' 1<> "$VM_JOB/qmp.$2.in"
		until [ -e "$VM_JOB/rc.$2" ]; do
			sleep 0.05
		done
		;;
	"stop "[2-9])
		touch "$VM_JOB/stop.$2"
		qmp "$2" stop
		;;
	"cont "[2-9])
		rm -f "$VM_JOB/stop.$2"
		qmp "$2" cont
		;;
	*)
		echo "no order: $*" >> "$VM_JOB/hub"
		return 1
		;;
	esac
}

# hub: what node 1 says, to whom it is for
hub()
{
	local to id text code n

	for ((n = 1; n <= VM[nodes]; n++)); do
		# What is said before the greeting is not heard.
		qmp_says "$n" QMP && qmp "$n" qmp_capabilities || true
	done
	while read -r to id text; do
		text=${text%$'\r'}
		if [ "$to" = host ]; then
			code=0
			# shellcheck disable=SC2046,SC2059
			order $(printf "$(sed 's/../\\x&/g' <<< "$text")") || code=1
			echo "host $id end $code" 1<> "$VM_JOB/wire.1.in"
			continue
		fi
		[[ $to =~ ^[2-9]$ ]] && [ "$to" -le "${VM[nodes]}" ] || {
			echo "$to gone" 1<> "$VM_JOB/wire.1.in"
			continue
		}
		until [ -e "$VM_JOB/ready.$to" ] || [ -e "$VM_JOB/rc.$to" ]; do
			sleep 0.05
		done
		if [ -e "$VM_JOB/rc.$to" ]; then
			echo "$to gone" 1<> "$VM_JOB/wire.1.in"
		else
			echo "$id $text" 1<> "$VM_JOB/wire.$to.in"
		fi
	done 0<> "$VM_JOB/wire.1.out"
}

# node_beside N CONSOLE VERDICT: in the background, and gone with us
node_beside()
{
	(
		VM_PID=
		VM_OTHERS=()
		trap vm_stop EXIT
		trap 'exit 143' TERM
		node_run "$@"
	) &
	VM_OTHERS+=($!)
}

# vm_run CONSOLE VERDICT: boot, wait, and return what vm_boot does, of node 1.
# The others leave CONSOLE.N, VERDICT.N (beside CONSOLE, if VERDICT is "-"), and
# in $VM_JOB rc.N, qemu.N, and off.N if the test put them off.
vm_run()
{
	local n rc=0 pids=() verdict=$2

	if [ "${VM[nodes]}" -eq 1 ]; then
		vm_boot "$1" "$2"
		return
	fi
	[ "$verdict" != - ] || verdict=${1%/*}/verdict
	for ((n = 1; n <= VM[nodes]; n++)); do
		mkfifo "$VM_JOB/wire.$n.in" "$VM_JOB/wire.$n.out" "$VM_JOB/qmp.$n.in" "$VM_JOB/qmp.$n.out"
	done
	: > "$VM_JOB/hub"
	for ((n = 2; n <= VM[nodes]; n++)); do
		# Both are read afterwards, also if there never was a VM.
		: > "$1.$n"
		: > "$verdict.$n"
		node_beside "$n" "$1.$n" "$verdict.$n"
		pids+=($!)
		from_node "$n" &
		VM_OTHERS+=($!)
	done
	hub &
	VM_OTHERS+=($!)
	node_run 1 "$1" "$2" || rc=$?
	for ((n = 2; n <= VM[nodes]; n++)); do
		until [ -e "$VM_JOB/ready.$n" ] || [ -e "$VM_JOB/rc.$n" ]; do
			sleep 0.1
		done
		[ ! -e "$VM_JOB/stop.$n" ] || order cont "$n" || true
		echo quit 1<> "$VM_JOB/wire.$n.in"
	done
	wait "${pids[@]}" || true
	kill "${VM_OTHERS[@]}" 2>/dev/null || true
	wait "${VM_OTHERS[@]}" || true
	VM_OTHERS=()
	return "$rc"
}
