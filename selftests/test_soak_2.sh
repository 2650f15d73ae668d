#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a slice of the soak: two CPUs, preempt=full
#
# Copyright (C) 2026 The tbtf authors
#
# soak/soak.c says what is done. One host thread runs all CPUs, because the module is
# loaded and unloaded under load. What failed says how to repeat it with make soak.
#
# vm: mem=256 smp=2 timeout=600 module=no thread=single files="soak"
# vm: append="preempt=full slab_nomerge soak.seconds=80"
exec soak
