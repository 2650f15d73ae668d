#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# tbtf - test_bpf_figures, on four CPUs: what each has counted is added up
#
# Copyright (C) 2026 The tbtf authors
#
# vm: mem=256 smp=4 thread=single timeout=300 files="flood test_bpf_figures.sh"
. ./test_bpf_figures.sh
