// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - stats as metrics: OpenMetrics, and the text format of Prometheus
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * They differ in whose name TYPE and HELP bear (of a counter: the family's, or
 * that of the sample, with _total) and in the last line. Histograms are given
 * for the machine only: 256 cgroups would be 70000 series.
 */
#include <stdio.h>
#include <string.h>

#include "stats.h"

static bool openmetrics;

static void head(const char *prefix, const char *name, const char *suffix, const char *type,
		 const char *help)
{
	printf("# HELP tbtf_%s%s%s %s\n# TYPE tbtf_%s%s%s %s\n", prefix, name, suffix, help,
	       prefix, name, suffix, type);
}

static void head_counter(const char *prefix, const char *name, const char *help)
{
	head(prefix, name, openmetrics ? "" : "_total", "counter", help);
}

/* A label's value: no byte of it may end it, nor break the encoding. */
static void put_label(const char *text, size_t max)
{
	const char *end = text + strnlen(text, max);

	for (; text < end; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n')
			fputs("\\n", stdout);
		else if (c >= 0x20 && c < 0x7f)
			putchar(c);
		else
			printf("\\\\x%02x", c);
	}
}

static void print_counter(const char *name, const char *help, uint64_t value)
{
	head_counter("", name, help);
	printf("tbtf_%s_total %llu\n", name, (unsigned long long)value);
}

static void print_hist(const struct stats_hist *desc, const struct tbtf_hist *hist)
{
	static const char * const suffixes[] = { "_seconds", "_bytes", "" };
	static const double scales[] = { 0.000000001, 1024, 1 };
	const char *suffix = suffixes[desc->unit];
	double scale = scales[desc->unit];
	uint64_t n = 0;

	head("", desc->name, suffix, "histogram", desc->help);
	for (size_t i = 0; i < TBTF_BUCKETS - 1; i++) {
		n += hist->buckets[i];
		printf("tbtf_%s%s_bucket{le=\"%.10g\"} %llu\n", desc->name, suffix,
		       (double)(1ULL << i) * scale, (unsigned long long)n);
	}
	n += hist->buckets[TBTF_BUCKETS - 1];
	printf("tbtf_%s%s_bucket{le=\"+Inf\"} %llu\n", desc->name, suffix, (unsigned long long)n);
	printf("tbtf_%s%s_sum %.17g\n", desc->name, suffix, hist->sum * scale);
	printf("tbtf_%s%s_count %llu\n", desc->name, suffix, (unsigned long long)n);
}

static void print_cgroups(const struct stats *s, size_t counter)
{
	head_counter("cgroup_", stats_counters[counter].name, stats_counters[counter].help);
	for (size_t i = 0; i < s->nr_cgroups; i++) {
		const char *path = tbtf_event_cgroup(s->cgroups[i].key.id);

		printf("tbtf_cgroup_%s_total{id=\"%llu\",path=\"", stats_counters[counter].name,
		       (unsigned long long)s->cgroups[i].key.id);
		put_label(path, strlen(path));
		printf("\"} %llu\n",
		       (unsigned long long)s->cgroups[i].value.set.counters[counter]);
	}
}

static void print_processes(const struct stats *s, size_t counter)
{
	head_counter("process_", stats_counters[counter].name, stats_counters[counter].help);
	for (size_t i = 0; i < s->nr_processes; i++) {
		const struct tbtf_entry *entry = &s->processes[i];

		/* The start keeps two apart that had the same number. */
		printf("tbtf_process_%s_total{pid=\"%llu\",start=\"%.2f\",comm=\"",
		       stats_counters[counter].name, (unsigned long long)entry->key.pid,
		       entry->key.id / 1e9);
		put_label(entry->value.comm, sizeof(entry->value.comm));
		printf("\"} %llu\n", (unsigned long long)entry->value.set.counters[counter]);
	}
}

void stats_print_metrics(const struct stats *s, bool as_openmetrics)
{
	openmetrics = as_openmetrics;
	for (size_t i = 0; i < TBTF_COUNTER_NR; i++)
		print_counter(stats_counters[i].name, stats_counters[i].help,
			      s->totals.counters[i]);
	print_counter("events", "events told by the tracepoints", s->control.head);
	print_counter("events_lost", "events overwritten before a reader had them",
		      s->control.lost);
	print_counter("events_bad", "events of another version of the module, not counted",
		      s->control.bad);
	print_counter("cgroups_dropped", "cgroups whose figures went to make room for others",
		      s->control.dropped[TBTF_TABLE_CGROUPS]);
	print_counter("processes_dropped", "processes whose figures went to make room for others",
		      s->control.dropped[TBTF_TABLE_PROCESSES]);
	for (size_t i = 0; i < TBTF_HIST_NR; i++)
		print_hist(&stats_hists[i], &s->totals.hists[i]);
	for (size_t i = 0; i < TBTF_COUNTER_NR && s->nr_cgroups; i++)
		if (stats_counters[i].whose != WHOSE_NONE)
			print_cgroups(s, i);
	for (size_t i = 0; i < TBTF_COUNTER_NR && s->nr_processes; i++)
		if (stats_counters[i].whose != WHOSE_NONE && stats_counters[i].whose != WHOSE_SCOPE)
			print_processes(s, i);
	if (openmetrics)
		puts("# EOF");
}
