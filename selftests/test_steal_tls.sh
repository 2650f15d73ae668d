#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# tbtf - test_steal_nodes, over mutual TLS that the kernel does, and at MTU 1500
#
# Copyright (C) 2026 The tbtf authors
#
# vm: nodes=2 mtu=1500 mem=160 smp=1 timeout=500 node2="mem=448"
# vm: modules="tls aesni-intel gcm ghash-generic ctr" load="aesni-intel" files="test_steal_nodes.sh"
WITH_TLS=yes
. ./test_steal_nodes.sh
