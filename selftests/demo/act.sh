# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# tbtf - the demo: what all acts share
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced by an act, with its options: -k KVER. It has the functions of vm.sh then, and
# the VM's kernel and the common part of its initramfs are there.
#
# shellcheck source=../vm/vm.sh disable=SC2154
. "$(dirname "${BASH_SOURCE[0]}")/../vm/vm.sh"

here=$VM_DIR/../demo
wrong=()			# what did not go as it should
began=${EPOCHREALTIME/[.,]/}

while getopts k: opt; do
	case $opt in
	k) KVER=$OPTARG ;;
	*) exit 2 ;;
	esac
done

# say TEXT: a line with the time since the run began
say()
{
	printf '%6.1f s  %s\n' "$(((${EPOCHREALTIME/[.,]/} - began) / 100000))e-1" "$1"
}

# finish TEXT: the last line of an act that went as it is said to go
finish()
{
	if [ ${#wrong[@]} -gt 0 ]; then
		echo "The story did not hold (kernel logs: .output/results/demo):"
		printf '  %s\n' "${wrong[@]}"
		exit 1
	fi
	echo "$1"
}

vm_setup "${KVER:-}"
[ -e "$OUTPUT/kmod/$KVER/tbtf.ko" ] ||
	vm_die "there is no module for $KVER (make kmod KVER=$KVER)"
vm_base
mkdir -p "$OUTPUT/results/demo"
