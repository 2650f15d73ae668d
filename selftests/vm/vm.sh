# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# tbtf - build an initramfs, boot a VM: what run and shell share
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced, never run. The caller sets nothing beforehand; after sourcing:
#	OUTPUT		where everything generated is
#	vm_setup KVER	picks the kernel, makes the work directory $VM_WORK
#	vm_job NAME	in a subshell: a directory of its own, $VM_JOB, for its VM
#	vm_base		builds the part of the initramfs that all tests share
#	vm_conf LINE	reads one line of settings (see README) into VM[]
#	vm_run ...	boots one VM or, for a test of several, all (nodes.sh); waits, and
#			kills what does not end

export LC_ALL=C
VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$VM_DIR/../.." && pwd)
OUTPUT=${OUTPUT:-$TOP/.output}
QEMU=${QEMU:-qemu-system-x86_64}
VM_PATIENCE=${VM_PATIENCE:-1}
VM_EFFORT=${VM_EFFORT:-100}
VM_MEMORY=${VM_MEMORY:-100+0}
VM_PID=
VM_WORK=
VM_JOB=

# Modules a test may load. Those that a kernel has built in, or has not at
# all, are left out without a word: modprobe in the guest says so if asked.
VM_MODULES="virtio_pci virtio_blk virtio_net virtio_console virtio_mem zram lzo lzo-rle lz4 nbd loop overlay brd"

# shellcheck source=nodes.sh
. "$VM_DIR/nodes.sh"

vm_die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

vm_stop()
{
	# timeout(1) passes it on, and kills what does not heed it.
	[ -z "$VM_PID" ] || kill -TERM "$VM_PID" 2>/dev/null || true
	[ "${#VM_OTHERS[@]}" -eq 0 ] || kill -TERM "${VM_OTHERS[@]}" 2>/dev/null || true
	VM_PID=
	VM_OTHERS=()
}

vm_cleanup()
{
	vm_stop
	[ -z "$VM_WORK" ] || rm -rf "$VM_WORK"
	VM_WORK=
}

# The kernel to boot: KVER, or the newest for which a module is built, or the
# newest installed headers of Debian's cloud kernel.
vm_kver()
{
	local k

	if [ -n "${KVER:-}" ]; then
		echo "$KVER"
		return
	fi
	k=$(printf '%s\n' "$OUTPUT"/kmod/*cloud*/tbtf.ko | sed -n 's,.*/\([^*]*\)/tbtf.ko,\1,p' |
	    sort -V | tail -1)
	[ -n "$k" ] || k=$(printf '%s\n' /usr/src/linux-headers-*-cloud-amd64 |
			   sed -n 's,.*/linux-headers-\([^*]*\),\1,p' | sort -V | tail -1)
	[ -n "$k" ] || vm_die "no kernel to boot: install linux-headers-cloud-amd64 (make deps), or give -k KVER"
	echo "$k"
}

# vm_setup [KVER]
vm_setup()
{
	KVER=${1:-$(vm_kver)}
	command -v "$QEMU" >/dev/null ||
		vm_die "$QEMU is not installed (make deps)"
	VM_KERNEL=$("$VM_DIR/kernel" "$KVER")
	mkdir -p "$OUTPUT/vm"
	VM_WORK=$(mktemp -d "$OUTPUT/vm/work.XXXXXX")
	VM_JOB=$VM_WORK
	trap vm_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# vm_job NAME: several VMs at a time, each booted by a subshell that called
# this. The directory goes with $VM_WORK; TERM ends the VM and the subshell.
vm_job()
{
	VM_PID=
	VM_OTHERS=()
	VM_JOB=$VM_WORK/job.$1
	mkdir "$VM_JOB"
	trap vm_stop EXIT
	trap 'exit 143' TERM
}

# vm_add ROOT FILE DIR: copy a program into DIR of the guest's tree, and the
# shared libraries it needs to where it looks for them.
vm_add()
{
	local lib

	mkdir -p "$1$3"
	cp -L "$2" "$1$3/"
	case $(head -c 4 "$2" | tr -d '\0') in
	*ELF) ;;
	*) return 0 ;;
	esac
	ldd "$2" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
		[ -e "$1$lib" ] && continue
		mkdir -p "$1${lib%/*}"
		cp -L "$lib" "$1$lib"
	done
}

# vm_modules NAME MODULE...: a modules directory, these and what they need. It
# changes with the kernel only, so it is kept, as .output/vm/modules/NAME.
vm_modules()
{
	local dst=$OUTPUT/vm/modules/$1 src=$VM_KERNEL m f to tmp words

	shift
	words="$src $*"
	if [ -e "$dst/.done" ] && [ "$(cat "$dst/.done")" = "$words" ]; then
		return
	fi
	mkdir -p "${dst%/*}"
	tmp=$(mktemp -d "$dst.XXXXXX")
	mkdir -p "$tmp/lib/modules/$KVER"
	for m; do
		modprobe -d "$src" -S "$KVER" --show-depends "$m" 2>/dev/null || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r f; do
		to=$tmp/lib/modules/$KVER/${f#*"/lib/modules/$KVER/"}
		mkdir -p "${to%/*}"
		case $f in
		*.xz) xz -dc "$f" > "${to%.xz}" ;;
		*) cp "$f" "$to" ;;
		esac
	done
	cp "$src/lib/modules/$KVER/modules.order" \
	   "$src/lib/modules/$KVER/modules.builtin" \
	   "$src/lib/modules/$KVER/modules.builtin.modinfo" "$tmp/lib/modules/$KVER/"
	echo "$words" > "$tmp/.done"
	chmod 755 "$tmp"
	rm -rf "$dst"
	mv "$tmp" "$dst"
}

# vm_tree ROOT NAME MODULE...: that directory, our own modules, and what modprobe reads
vm_tree()
{
	local root=$1 name=$2 f

	shift 2
	(
		flock 9
		vm_modules "$name" "$@"
		cp -r "$OUTPUT/vm/modules/$name/lib" "$root/"
	) 9> "$OUTPUT/vm/modules.lock"
	for f in "$OUTPUT/kmod/$KVER/tbtf.ko" "$OUTPUT/selftests/modules/$KVER"/*.ko; do
		[ -e "$f" ] || continue
		mkdir -p "$root/lib/modules/$KVER/extra"
		strip -g -o "$root/lib/modules/$KVER/extra/${f##*/}" "$f"
	done
	depmod -b "$root" "$KVER"
}

vm_pack()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) > "$2"
}

# What all tests of one kernel share: busybox, process 1, kernel modules,
# helpers, the tbtf command. Not compressed: TCG unpacks slower than it reads.
vm_base()
{
	local root=$VM_WORK/base busybox f

	busybox=$(command -v busybox) || vm_die "busybox is not installed (make deps)"
	ldd "$busybox" >/dev/null 2>&1 &&
		vm_die "$busybox is not static: install busybox-static (make deps)"
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,etc,tests,root}
	ln -s bin "$root/sbin"
	cp "$busybox" "$root/bin/busybox"
	"$busybox" --list | while read -r f; do
		[ "$f" = busybox ] || ln -s busybox "$root/bin/$f"
	done
	echo 'root:x:0:0:root:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/tmp:/bin/sh' > "$root/etc/passwd"
	echo 'root:x:0:
nogroup:x:65534:' > "$root/etc/group"
	[ -x "$OUTPUT/selftests/vm/init" ] || vm_build_init
	cp "$OUTPUT/selftests/vm/init" "$root/init"
	# shellcheck disable=SC2086
	vm_tree "$root" "$KVER" $VM_MODULES
	for f in "$TOP"/selftests/{lib,lib_helper,lib_mint}.sh "$OUTPUT/selftests/hog" "$OUTPUT/userspace/tbtf-off"; do
		[ ! -e "$f" ] || vm_add "$root" "$f" /tests
	done
	[ ! -e "$OUTPUT/userspace/tbtf-static" ] ||
		cp "$OUTPUT/userspace/tbtf-static" "$root/tests/tbtf"
	vm_pack "$root" "$VM_WORK/base.cpio"
}

# Without `make selftests` (a checkout, a script to try): process 1 is enough.
vm_build_init()
{
	mkdir -p "$OUTPUT/selftests/vm"
	${CC:-gcc} -static -O2 -Wall -Wextra -o "$OUTPUT/selftests/vm/init" "$VM_DIR/init.c" ||
		vm_die "cannot build vm/init.c"
}

# How a VM runs here: "kvm", or "tcg" where a guest does not really boot under
# KVM. A /dev/kvm that opens says little (nested, or forbidden to set MSRs),
# so a kernel is booted to its first line of output. The answer is kept for
# this boot of the host.
vm_accel()
{
	local cache answer id

	id=$(cat /proc/sys/kernel/random/boot_id)
	cache=$OUTPUT/vm/accel.$id
	if [ ! -e "$cache" ]; then
		answer=tcg
		if [ -w /dev/kvm ]; then
			timeout -k 1 5 "$QEMU" -accel kvm -cpu max -m 128 -nodefaults \
				-no-reboot -monitor none -display none \
				-serial "file:$VM_WORK/kvm" \
				-kernel "$VM_KERNEL/vmlinuz" \
				-append "console=ttyS0 panic=-1" </dev/null >/dev/null 2>&1 || true
			# No initramfs: it panics for want of a root, and has booted.
			grep -aq 'Kernel panic - not syncing' "$VM_WORK/kvm" 2>/dev/null && answer=kvm
		fi
		rm -f "$OUTPUT/vm/accel".*
		echo "$answer" > "$VM_WORK/accel"
		mv "$VM_WORK/accel" "$cache"
	fi
	cat "$cache"
}

# The settings of a VM, and their defaults. README says what they mean.
declare -A VM
vm_defaults()
{
	VM=([mem]=256 [smp]=2 [timeout]=60 [append]="" [qopt]="" [thread]=""
	    [numa]=1 [accel]="" [icount]="" [module]=yes [params]="" [load]=""
	    [adj]=-1000 [expect]="" [files]="" [modules]=""
	    [disk]="" [boots]=1 [hotplug]=""
	    [nodes]=1 [links]="" [mtu]=1500 [node1]="" [node2]="" [node3]="" [node4]="")
}

# vm_conf WHERE WORDS: words are key=value, values may be quoted.
vm_conf()
{
	local word key

	while read -r word; do
		[ -n "$word" ] || continue
		key=${word%%=*}
		if [ "$key" = "$word" ] || [ -z "${VM[$key]+set}" ]; then
			vm_die "$1: \"$word\" is no setting; there are: $(
				printf '%s= ' "${!VM[@]}" | xargs -n1 | sort | xargs)"
		fi
		VM[$key]=${word#*=}
	done < <(xargs -n1 printf '%s\n' <<< "$2")
	vm_check "$1"
}

# vm_lines KEY FILE: what stands behind "KEY:" in the comments of a source.
vm_lines()
{
	sed -nE "s,^[[:space:]]*(#|//|/\\*|\\*)?[[:space:]]*$1:[[:space:]]*(.*)\$,\\2,p" "$2" |
		sed -E 's,[[:space:]]*(\*/)?[[:space:]]*$,,'
}

vm_check()
{
	local key

	for key in mem smp timeout numa; do
		[[ ${VM[$key]} =~ ^[1-9][0-9]*$ ]] ||
			vm_die "$1: $key=${VM[$key]}: a number above 0 is expected"
	done
	[[ ${VM[adj]} =~ ^-?[0-9]+$ ]] || vm_die "$1: adj=${VM[adj]}: -1000 to 1000 is expected"
	[[ ${VM[thread]} =~ ^(|multi|single)$ ]] || vm_die "$1: thread=${VM[thread]}: multi or single is expected"
	[[ ${VM[module]} =~ ^(yes|no)$ ]] || vm_die "$1: module=${VM[module]}: yes or no is expected"
	[[ ${VM[accel]} =~ ^(|tcg|kvm)$ ]] || vm_die "$1: accel=${VM[accel]}: tcg or kvm is expected"
	[[ ${VM[expect]} =~ ^(|panic)$ ]] || vm_die "$1: expect=${VM[expect]}: panic is expected"
	[[ ${VM[disk]} =~ ^(|[1-9][0-9]*)$ ]] || vm_die "$1: disk=${VM[disk]}: a number above 0 is expected"
	[[ ${VM[hotplug]} =~ ^(|[1-9][0-9]*)$ ]] ||
		vm_die "$1: hotplug=${VM[hotplug]}: a number above 0 is expected"
	[[ ${VM[boots]} =~ ^[1-9]$ ]] || vm_die "$1: boots=${VM[boots]}: 1 to 9 is expected"
	if [ "${VM[boots]}" -gt 1 ]; then
		[ -n "${VM[disk]}" ] || vm_die "$1: boots=${VM[boots]}: that is counted on a disk: disk= is needed"
		[ -z "${VM[expect]}" ] || vm_die "$1: boots=${VM[boots]}: expect=panic is for the only boot"
	fi
	vm_check_nodes "$1"
}

# Of /vm.conf, what may be another on each node of a test.
vm_conf_lines()
{
	echo "module ${VM[module]}"
	[ -z "${VM[params]}" ] || echo "params ${VM[params]}"
	[ -z "${VM[load]}" ] || echo "load ${VM[load]}"
	echo "adj ${VM[adj]}"
	[ -z "${VM[disk]}" ] || echo "boots ${VM[boots]}"
}

# vm_disk: an empty one of its own; QEMU's options for it are in VM_DISK
vm_disk()
{
	local disk=$VM_JOB/disk$VM_NODE

	VM_DISK=()
	[ -n "${VM[disk]}" ] || return 0
	rm -f "$disk"
	truncate -s "${VM[disk]}M" "$disk"
	/sbin/mke2fs -q -F -t ext4 -L var "$disk" || vm_die "no disk for the VM (e2fsprogs: make deps)"
	VM_DISK=(-drive "file=$disk,format=raw,if=virtio,cache=unsafe")
}

# vm_hotplug MEMORY: what more it may get while it runs, and a port of the guest's that ends
# in a monitor of its QEMU. The options are in VM_PLUG, without any in VM_PLUG_SIZE. Where
# memory may come above 4 GiB the kernel would set 64 MiB aside for devices that cannot
# reach there: QEMU's can.
vm_hotplug()
{
	VM_PLUG=()
	VM_PLUG_SIZE=
	[ -n "${VM[hotplug]}" ] || return 0
	VM_PLUG_SIZE=M,slots=4,maxmem=$(($1 + 2 * VM[hotplug]))M
	VM_PLUG=(-object "memory-backend-ram,id=more,size=${VM[hotplug]}M"
		 -device "virtio-mem-pci,id=vmem,memdev=more,requested-size=0"
		 -chardev "socket,id=port,path=qmp$VM_NODE.guest,server=on,wait=off"
		 -device "virtio-serial-pci,id=ports"
		 -device "virtserialport,bus=ports.0,chardev=port,name=qmp"
		 -chardev "socket,id=own,path=qmp$VM_NODE.guest" -mon "chardev=own,mode=control")
}

# vm_overlay PATH NAME FILE...: the part of the initramfs of one test.
vm_overlay()
{
	local root=$VM_JOB/overlay path=$1 name=$2 f

	shift 2
	rm -rf "$root"
	mkdir -p "$root"
	for f in "$@"; do
		vm_add "$root" "$f" /tests
	done
	# shellcheck disable=SC2086
	[ -z "${VM[modules]}" ] || vm_tree "$root" "$KVER-${VM[modules]// /-}" $VM_MODULES ${VM[modules]}
	if [ "${VM[nodes]}" -gt 1 ]; then
		for f in "$OUTPUT/selftests/on" "$OUTPUT/selftests/ready" "$OUTPUT/userspace/tbtfd" \
			"$TOP"/selftests/lib_{nodes,tbtfd,ladder}.sh; do
			[ ! -e "$f" ] || vm_add "$root" "$f" /tests
		done
	fi
	[ -z "${VM[disk]}" ] || vm_add "$root" "$TOP/selftests/lib_crash.sh" /tests
	{
		echo "test $path"
		echo "name $name"
		vm_conf_lines
		echo "env VM_PATIENCE=$VM_PATIENCE"
		echo "env VM_EFFORT=$VM_EFFORT"
	} > "$root/vm.conf"
	vm_pack "$root" "$VM_JOB/overlay.cpio"
	cat "$VM_WORK/base.cpio" "$VM_JOB/overlay.cpio" > "$VM_JOB/initrd"
}

# vm_memory: in MiB, what a test asks for, and what the kernel takes for itself
# beyond what Debian's does (VM_MEMORY=PERCENT+MIB), on each node as much.
vm_memory()
{
	local mem

	[[ $VM_MEMORY =~ ^[1-9][0-9]*\+[0-9]+$ ]] ||
		vm_die "VM_MEMORY=$VM_MEMORY: PERCENT+MIB is expected, like 120+40"
	mem=$((VM[mem] * ${VM_MEMORY%+*} / 100 + ${VM_MEMORY#*+}))
	echo $(((mem + VM[numa] - 1) / VM[numa] * VM[numa]))
}

# vm_boot CONSOLE VERDICT: boot and wait. VERDICT is a file, or "-" for our
# stdout. Returns what timeout(1) does: 0, 124 where the time was up, or what
# QEMU gave; what QEMU said is in $VM_JOB/qemu$VM_NODE.
vm_boot()
{
	local console=$1 verdict=$2 args=() words accel thread=${VM[thread]} n mem rc=0
	local monitor=$VM_JOB/monitor$VM_NODE limit=$((VM[timeout] * VM_PATIENCE)) clock

	accel=${VM[accel]:-$(vm_accel)}
	[ -z "${VM[icount]}" ] || accel=tcg
	if [ "$accel" = kvm ]; then
		args+=(-accel kvm -cpu max)
	elif [ -n "${VM[icount]}" ]; then
		args+=(-accel "tcg,thread=single" -icount "${VM[icount]}" -cpu "max,-cx16")
	else
		# Loading the module switches ftrace hooks on: code is patched while other
		# CPUs run it, which QEMU's TCG gets wrong where each has its own thread.
		[ -n "$thread" ] || [ "${VM[module]}" = no ] || thread=single
		# cmpxchg16b of QEMU 7.2's TCG now and then corrupts EFLAGS.
		args+=(-accel "tcg,thread=${thread:-multi}" -cpu "max,-cx16")
	fi
	mem=$(vm_memory)
	vm_hotplug "$mem"
	args+=(-m "$mem$VM_PLUG_SIZE" -nodefaults -display none)
	rm -f "$monitor".*
	mkfifo "$monitor.in" "$monitor.out" "$monitor.clock"
	args+=(-chardev "pipe,id=monitor,path=$monitor" -mon "chardev=monitor,mode=readline")
	# A reset leaves memory as it is: what ramoops keeps is there in the next boot.
	[ "${VM[boots]}" -gt 1 ] || args+=(-no-reboot)
	vm_disk
	if [ "${VM[numa]}" -gt 1 ]; then
		# A socket for each CPU: cores of one on two nodes make the kernel warn.
		args+=(-smp "${VM[smp]},sockets=${VM[smp]},cores=1,threads=1")
		for ((n = 0; n < VM[numa]; n++)); do
			args+=(-object "memory-backend-ram,id=mem$n,size=$((mem / VM[numa]))M"
			       -numa "node,nodeid=$n,memdev=mem$n")
		done
		for ((n = 0; n < VM[smp]; n++)); do
			args+=(-numa "cpu,node-id=$((n % VM[numa])),socket-id=$n")
		done
	else
		args+=(-smp "${VM[smp]}")
	fi
	args+=(-serial "file:$console")
	if [ "$verdict" = - ]; then
		args+=(-chardev "stdio,id=verdict,signal=on" -serial chardev:verdict)
	else
		args+=(-serial "file:$verdict")
	fi
	read -ra words <<< "${VM[qopt]}"
	args+=("${words[@]}" "${VM_ARGS[@]}" "${VM_DISK[@]}" "${VM_PLUG[@]}")
	[ -z "$VM_PLUG_SIZE" ] || VM[append]+=" swiotlb=noforce"
	args+=(-kernel "$VM_KERNEL/vmlinuz" -initrd "$VM_JOB/initrd$VM_NODE"
	       -append "console=ttyS0 loglevel=4 panic_on_warn=1 panic=-1 no_timer_check unknown_nmi_panic ${VM[append]}")
	# Where the time is up the guest is asked, by an NMI, where it stands: its panic
	# says so. Whoever does not even do that is killed a little later.
	(
		read -r -t "$limit" _ <> "$monitor.clock"
		touch "$monitor.late"
		echo nmi > "$monitor.in"
	) &
	clock=$!
	(
		# The sockets of the links are named by what they are called here.
		cd "$VM_JOB" &&
		exec timeout --foreground -k 2 $((limit + 5)) "$QEMU" "${args[@]}"
	) </dev/null 2>"$VM_JOB/qemu$VM_NODE" &
	VM_PID=$!
	wait "$VM_PID" || rc=$?
	VM_PID=
	kill "$clock" 2>/dev/null
	wait "$clock" 2>/dev/null || true
	[ ! -e "$monitor.late" ] || rc=124
	return "$rc"
}

# vm_log CONSOLE: the kernel log from where process 1 began
vm_log()
{
	tr -d '\r' < "$1" | sed -n '/vm: begin /,$p'
}

# What a sound kernel does not say, whatever a test does to it.
VM_TROUBLE='WARNING:|BUG:|KASAN|KCSAN|UBSAN|ODEBUG|Oops|Internal error|general protection'
VM_TROUBLE+='|[Uu]nable to handle|NULL pointer|stack segment:|double fault|invalid opcode'
VM_TROUBLE+='|soft lockup|hard LOCKUP|blocked for more than|rcu.*detected (expedited )?stall|self-detected stall'
VM_TROUBLE+='|possible recursive locking|possible circular locking|possible irq lock inversion'
VM_TROUBLE+='|possible deadlock|inconsistent lock state|suspicious RCU usage|bad unlock balance'
VM_TROUBLE+='|held lock freed|still held|list_(add|del) corruption|refcount_t:|Bad page|Bad rss-counter'
VM_TROUBLE+='|unreferenced object|kmemleak: [1-9]|Objects remaining|trying to (free|register) .* twice'
VM_TROUBLE+='|vm: init: |Kernel panic'

# vm_trouble CONSOLE ALLOWED: lines that are trouble and do not match ALLOWED
vm_trouble()
{
	vm_log "$1" | grep -Ev "$2" | grep -E "$VM_TROUBLE" || true
}
