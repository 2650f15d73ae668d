#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - what a whole OOM costs
#
# Copyright (C) 2026 The tbtf authors
#
# vm: smp=1 icount="shift=0,sleep=off" append="tsc=reliable clocksource=tsc"
# vm: mem=512 timeout=600 module=no
exec /tests/figures round
