#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - what choosing a victim costs
#
# Copyright (C) 2026 The tbtf authors
#
# vm: smp=1 icount="shift=0,sleep=off" append="tsc=reliable clocksource=tsc"
# vm: mem=2560 timeout=600 module=no
exec /tests/figures choose
