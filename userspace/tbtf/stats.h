/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - stats: what has been counted, and how each figure is called
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_CMD_STATS_H
#define _TBTF_CMD_STATS_H

#include "bpf.h"

enum stats_whose { WHOSE_NONE, WHOSE_TASK, WHOSE_PROTECTED, WHOSE_SCOPE };
enum stats_unit { UNIT_NS, UNIT_KB, UNIT_COUNT };

struct stats_counter {
	const char *name, *help;
	enum stats_whose whose;
};

struct stats_hist {
	const char *name, *help;
	enum stats_unit unit;
	enum stats_whose whose;
};

extern const struct stats_counter stats_counters[TBTF_COUNTER_NR];
extern const struct stats_hist stats_hists[TBTF_HIST_NR];

struct stats {
	struct tbtf_control control;
	struct tbtf_set totals;
	struct tbtf_entry *cgroups, *processes;
	size_t nr_cgroups, nr_processes;
};

uint64_t stats_hist_count(const struct tbtf_hist *hist);

/* For Prometheus: its own format, or OpenMetrics. */
void stats_print_metrics(const struct stats *stats, bool openmetrics);

#endif /* _TBTF_CMD_STATS_H */
