#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash disable=SC3043
#
# tbtf - the mint hotplug: a process eats more than there is, and the hypervisor has more
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=2 timeout=240 hotplug=512 load="virtio_pci virtio_console virtio_mem"
# vm: files="../userspace/tbtfd ready watcher"
. ./lib.sh
. ./lib_mint.sh

MEMORY=/sys/devices/system/memory

total()
{
	awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo
}

# blocks STATE: how many there are
blocks()
{
	cat $MEMORY/memory*/state | grep -cx "$1"
}

# movable: how many pages ZONE_MOVABLE has
movable()
{
	awk '$4 == "Movable" { zone = 1 } zone && $1 == "managed" { print $2; exit }' /proc/zoneinfo
}

# nothing_left: all memory is what it was
nothing_left()
{
	wait_for '[ "$(blocks online) $(blocks offline) $(total)" = "$online 0 $was" ]' 10
}

# goes_round NAME: one step comes, and goes
goes_round()
{
	check "tbtfd with $1" tbtfd_start
	check "which is ready" wait_for '[ "$(mint hotplug state)" = ready ]' 30
	episodes_over 30
	stat_mark
	hog_start p -m -s 16M -c work
	check "P grows beyond memory" hog_do p 90 grow $((was - 20000)) 1M
	is "one step was brought" "$(($(total) - was)) $(stat_since minted_kb)" "$step $step"
	is "nobody has died, every byte is right" "$(stat_since outcome_killed) $(verified p)" "0 1"
	hog_kill p
	check "when P is gone, so is $1" wait_for '[ "$(total)" = "$was" ]' 60
	check "tbtfd ends" tbtfd_stop 30
	check "and leaves nothing" nothing_left
}

plan 43

was=$(total)
step=131072
knob nap_ms 100
knob episode_idle_ms 1000
knob ladder_deadline_ms 30000
echo 1 > /proc/sys/vm/overcommit_memory
cg_make work
for port in /sys/class/virtio-ports/*; do
	[ "$(cat "$port/name")" = qmp ] && port=/dev/${port##*/} && break
done
online=$(blocks online)
check "a bystander who is locked in memory" watch_start
check "a reserve in the module" knob reserve_kb 8192

# --- a machine at its end gets more ----------------------------------------------------

# vmem AFTER: the configuration
vmem()
{
	printing "mints = hotplug" "withdraw_after_s = $1" "qmp = $port" "hotplug_device = vmem" \
		"hotplug_max_kb = 393216"
}

# Nothing is withdrawn before it has been looked at, also if P has room for a step to spare.
vmem 600
check "tbtfd is ready" tbtfd_start
check "and so is the mint" wait_for '[ "$(mint hotplug state)" = ready ]' 30
is "a block is there, and not in use" "$(blocks online) $(blocks offline) $(total)" "$online 1 $was"
episodes_over 30
stat_mark
hog_start p -m -s 16M -c work
check "P grows beyond memory, and beyond what was there ahead" hog_do p 90 grow $((was + 100000)) 1M
is "every byte is right" "$(verified p)" 1
is "nobody has died" "$(stat_since sacrifices) $(stat_since outcome_killed)" "0 0"
in_range "it was printed, more than once" "$(said_count 'printed by hotplug for')" 2 3
is "what was brought is what the machine has more" "$(($(total) - was))" \
	"$(($(stat_since minted_kb)))"
check "all of it can be moved" test "$(movable)" -ge $((2 * step / 4))
check "the episode is over" episodes_over 30
is "as printed" "$(stat_since outcome_printed)" "$(stat_since episodes)"
check "outcomes sum to episodes" books_balance
# A 64th of what is there, for as much of it as is in use.
in_range "what it costs is told: the tables" "$(mint hotplug price_permille)" 15 1000
check "the bystander has not waited" test "$(watched)" -le $((2000 * ${VM_PATIENCE:-1}))

# --- tbtfd is killed in the middle of it ----------------------------------------------------

kill -9 "$(tbtfd_pid)"
check "tbtfd is killed" tbtfd_gone 10
check "P does not notice" hog_do p 60 verify
vmem 2
check "tbtfd is back" tbtfd_start
check "it finds what was brought" wait_for '[ "$(mint hotplug out_kb)" = $(($(total) - was)) ]' 20

# --- back to normal ---------------------------------------------------------------------------

hog_kill p
check "when P is gone, so is what was brought" wait_for '[ "$(total)" = "$was" ]' 90
check "it is told" said "what hotplug has printed is withdrawn"
check "and a block is ready again" wait_for '[ "$(mint hotplug state)" = ready ]' 30
check "tbtfd ends when it is told to" tbtfd_stop 30
check "and leaves nothing" nothing_left

# --- DIMMs, and a command ---------------------------------------------------------------------

printing "mints = hotplug" "withdraw_after_s = 2" "qmp = $port" "hotplug_max_kb = 131072"
goes_round "a DIMM"

# Capabilities are negotiated already: it is to say what it wants, and nobody hears the answer.
cat > /tmp/more <<-EOT
	#!/bin/sh
	echo "\$1" >> /tmp/more.log
	echo '{"execute":"qom-set","arguments":{"path":"/machine/peripheral/vmem","property":"requested-size","value":'\$((\$1 * 1024))'}}' > $port
EOT
chmod +x /tmp/more
printing "mints = hotplug" "withdraw_after_s = 2" "hotplug_command = /tmp/more" "hotplug_max_kb = 131072"
goes_round "what a command asks for"
is "which was told how much there shall be" "$(xargs < /tmp/more.log | cut -d' ' -f1-2)" "$step 0"
is "and last of all, nothing" "$(tail -n 1 /tmp/more.log)" 0
finish_mint
