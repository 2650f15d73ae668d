// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - stats: what the eBPF part has counted; attaching and detaching it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf.h"
#include "cmd.h"
#include "json.h"
#include "stats.h"

#define COUNTER(n, whose_, help_)	{ .name = #n, .help = help_, .whose = WHOSE_##whose_ },
const struct stats_counter stats_counters[TBTF_COUNTER_NR] = { TBTF_COUNTERS(COUNTER) };

#define HIST(n, unit_, whose_, help_)	\
	{ .name = #n, .help = help_, .unit = UNIT_##unit_, .whose = WHOSE_##whose_ },
const struct stats_hist stats_hists[TBTF_HIST_NR] = { TBTF_HISTS(HIST) };

uint64_t stats_hist_count(const struct tbtf_hist *hist)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TBTF_BUCKETS; i++)
		n += hist->buckets[i];
	return n;
}

static int get(struct stats *s)
{
	struct tbtf_bpf bpf;
	int code, err;

	code = tbtf_bpf_open(&bpf);
	if (code)
		return code;
	s->control = bpf.control;
	tbtf_bpf_close(&bpf);
	err = tbtf_bpf_totals(&s->totals);
	if (!err)
		err = tbtf_bpf_table(TBTF_TABLE_CGROUPS, &s->cgroups, &s->nr_cgroups);
	if (!err)
		err = tbtf_bpf_table(TBTF_TABLE_PROCESSES, &s->processes, &s->nr_processes);
	return err ? tbtf_failed(err, "reading " BPF_DIR) : EXIT_OK;
}

static const char *mode_name(const struct stats *s)
{
	return s->control.mode == TBTF_MODE_TP_BTF ? "tp_btf" : "raw_tp";
}

/* --- text ------------------------------------------------------------------ */

/* 1.5 us, 34 ms: three digits. */
static const char *duration(double ns, char buf[16])
{
	static const char * const units[] = { "ns", "us", "ms" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units) && ns >= 1000; i++)
		ns /= 1000;
	snprintf(buf, 16, "%.3g %s", ns, i < ARRAY_SIZE(units) ? units[i] : "s");
	return buf;
}

static const char *value(enum stats_unit unit, double v, char buf[16])
{
	switch (unit) {
	case UNIT_NS:
		return duration(v, buf);
	case UNIT_KB:
		return tbtf_size(v, buf);
	case UNIT_COUNT:
		break;
	}
	snprintf(buf, 16, "%.6g", v);
	return buf;
}

static void print_hist(const struct stats_hist *desc, const struct tbtf_hist *hist)
{
	uint64_t n = stats_hist_count(hist), most = 0;
	size_t first = TBTF_BUCKETS, last = 0;
	char a[16], b[16];
	int width;

	if (!n)
		return;
	for (size_t i = 0; i < TBTF_BUCKETS; i++) {
		if (!hist->buckets[i])
			continue;
		if (first == TBTF_BUCKETS)
			first = i;
		last = i;
		if (hist->buckets[i] > most)
			most = hist->buckets[i];
	}
	printf("\n%s: %s\n  %llu, mean %s\n", desc->name, desc->help, (unsigned long long)n,
	       value(desc->unit, (double)hist->sum / n, a));
	for (size_t i = first; i <= last; i++) {
		width = (hist->buckets[i] * 40 + most - 1) / most;
		printf("  %s %8s %8llu %.*s\n", i == TBTF_BUCKETS - 1 ? "> " : "<=",
		       value(desc->unit, (double)(1ULL << (i == TBTF_BUCKETS - 1 ? i - 1 : i)), b),
		       (unsigned long long)hist->buckets[i], width,
		       "########################################");
	}
}

static void print_text(const struct stats *s, bool all)
{
	struct timespec now;
	char a[16], b[16];
	int zeros = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("attached %s ago (%s), %llu events, %llu lost",
	       duration(now.tv_sec * 1e9 + now.tv_nsec - s->control.attached, a), mode_name(s),
	       (unsigned long long)s->control.head, (unsigned long long)s->control.lost);
	if (s->control.bad)
		printf(", %llu of another version not counted", (unsigned long long)s->control.bad);
	puts("\n");
	for (size_t i = 0; i < TBTF_COUNTER_NR; i++) {
		if (!s->totals.counters[i] && !all) {
			zeros++;
			continue;
		}
		printf("  %-20s %12llu  %s\n", stats_counters[i].name,
		       (unsigned long long)s->totals.counters[i], stats_counters[i].help);
	}
	if (zeros)
		printf("  (%d more are 0)\n", zeros);
	for (size_t i = 0; i < TBTF_HIST_NR; i++)
		print_hist(&stats_hists[i], &s->totals.hists[i]);

	if (s->nr_cgroups)
		puts("\n KILLED   FREED  SPARED  ROUNDS  CGROUP");
	for (size_t i = 0; i < s->nr_cgroups; i++) {
		const __u64 *c = s->cgroups[i].value.set.counters;
		const char *path = tbtf_event_cgroup(s->cgroups[i].key.id);
		char text[PATH_LEN];

		printf("%7llu %7s %7llu %7llu  ", (unsigned long long)c[TBTF_COUNTER_kills],
		       tbtf_size(c[TBTF_COUNTER_freed_bytes] >> 10, b),
		       (unsigned long long)c[TBTF_COUNTER_spared],
		       (unsigned long long)c[TBTF_COUNTER_rounds]);
		if (*path)
			puts(tbtf_text(text, sizeof(text), path));
		else
			printf("%llu (gone)\n", (unsigned long long)s->cgroups[i].key.id);
	}
	if (s->control.dropped[TBTF_TABLE_CGROUPS])
		printf("  (%llu more were dropped, the oldest)\n",
		       (unsigned long long)s->control.dropped[TBTF_TABLE_CGROUPS]);

	if (s->nr_processes)
		puts("\n SPARED  KILLED   FREED    DIED     PID  PROTECTED");
	for (size_t i = 0; i < s->nr_processes; i++) {
		const struct tbtf_keyed *v = &s->processes[i].value;
		const __u64 *c = v->set.counters;
		char comm[17], text[64];

		memcpy(comm, v->comm, 16);
		comm[16] = '\0';
		printf("%7llu %7llu %7s %7s %7llu  %s\n",
		       (unsigned long long)c[TBTF_COUNTER_spared],
		       (unsigned long long)c[TBTF_COUNTER_kills],
		       tbtf_size(c[TBTF_COUNTER_freed_bytes] >> 10, b),
		       c[TBTF_COUNTER_died_oom] ? "OOM" :
		       c[TBTF_COUNTER_died_exhausted] ? "exhaust" :
		       c[TBTF_COUNTER_died_sigbus] ? "SIGBUS" :
		       c[TBTF_COUNTER_died_off] ? "off" : "-",
		       (unsigned long long)s->processes[i].key.pid,
		       tbtf_text(text, sizeof(text), comm));
	}
	if (s->control.dropped[TBTF_TABLE_PROCESSES])
		printf("  (%llu more were dropped, the oldest)\n",
		       (unsigned long long)s->control.dropped[TBTF_TABLE_PROCESSES]);
	if (s->totals.counters[TBTF_COUNTER_died_oom])
		puts("\nprotected processes died of an OOM though others were left: tell the authors");
}

/* --- JSON ------------------------------------------------------------------ */

/* of_process: those figures that are kept for processes; cgroups have all but NONE. */
static bool kept(enum stats_whose whose, bool keyed)
{
	return !keyed || whose != WHOSE_NONE;
}

static void json_set(struct json *json, const struct tbtf_set *set, bool keyed)
{
	static const char * const units[] = { "ns", "kb", "count" };

	json_open(json, "counters", '{');
	for (size_t i = 0; i < TBTF_COUNTER_NR; i++)
		if (kept(stats_counters[i].whose, keyed))
			json_unsigned(json, stats_counters[i].name, set->counters[i]);
	json_close(json, '}');
	json_open(json, "histograms", '{');
	for (size_t i = 0; i < TBTF_HIST_NR; i++) {
		const struct tbtf_hist *hist = &set->hists[i];

		if (!kept(stats_hists[i].whose, keyed))
			continue;
		json_open(json, stats_hists[i].name, '{');
		json_string(json, "unit", units[stats_hists[i].unit]);
		json_unsigned(json, "count", stats_hist_count(hist));
		json_unsigned(json, "sum", hist->sum);
		json_open(json, "buckets", '[');
		for (size_t b = 0; b < TBTF_BUCKETS; b++) {
			if (!hist->buckets[b])
				continue;
			json_open(json, NULL, '{');
			if (b == TBTF_BUCKETS - 1)
				json_null(json, "le");
			else
				json_unsigned(json, "le", 1ULL << b);
			json_unsigned(json, "count", hist->buckets[b]);
			json_close(json, '}');
		}
		json_close(json, ']');
		json_close(json, '}');
	}
	json_close(json, '}');
}

static void print_json(const struct stats *s)
{
	struct json json = JSON_INIT(stdout);

	json_open(&json, NULL, '{');
	json_unsigned(&json, "layout", s->control.layout);
	json_string(&json, "mode", mode_name(s));
	json_unsigned(&json, "attached_ns", s->control.attached);
	json_unsigned(&json, "events", s->control.head);
	json_unsigned(&json, "events_lost", s->control.lost);
	json_unsigned(&json, "events_bad", s->control.bad);
	json_unsigned(&json, "cgroups_dropped", s->control.dropped[TBTF_TABLE_CGROUPS]);
	json_unsigned(&json, "processes_dropped", s->control.dropped[TBTF_TABLE_PROCESSES]);
	json_set(&json, &s->totals, false);
	json_open(&json, "cgroups", '[');
	for (size_t i = 0; i < s->nr_cgroups; i++) {
		const char *path = tbtf_event_cgroup(s->cgroups[i].key.id);

		json_open(&json, NULL, '{');
		json_unsigned(&json, "id", s->cgroups[i].key.id);
		if (*path)
			json_string(&json, "path", path);
		else
			json_null(&json, "path");
		json_unsigned(&json, "first_ns", s->cgroups[i].value.first);
		json_unsigned(&json, "last_ns", s->cgroups[i].value.last);
		json_set(&json, &s->cgroups[i].value.set, true);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < s->nr_processes; i++) {
		const struct tbtf_entry *entry = &s->processes[i];

		json_open(&json, NULL, '{');
		json_unsigned(&json, "pid", entry->key.pid);
		json_string_n(&json, "comm", entry->value.comm, sizeof(entry->value.comm));
		json_unsigned(&json, "start_ns", entry->key.id);
		json_unsigned(&json, "first_ns", entry->value.first);
		json_unsigned(&json, "last_ns", entry->value.last);
		json_set(&json, &entry->value.set, true);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* --- the command ------------------------------------------------------------- */

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "all",	no_argument,	NULL, 'a' },
		{ "json",	no_argument,	NULL, 'j' },
		{ "openmetrics", no_argument,	NULL, 'o' },
		{ "prometheus",	no_argument,	NULL, 'p' },
		{ "attach",	no_argument,	NULL, 'A' },
		{ "raw",	no_argument,	NULL, 'R' },
		{ "detach",	no_argument,	NULL, 'D' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	bool all = false, raw = false;
	struct stats s = { 0 };
	int opt, code, what = 0;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":ajopARDh", names, &code)) != -1) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'R':
			raw = true;
			break;
		case 'j':
		case 'o':
		case 'p':
		case 'A':
		case 'D':
			if (what && what != opt)
				return tbtf_bad_usage(cmd, "only one of --json, --openmetrics, --prometheus, --attach and --detach");
			what = opt;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	if (raw && what != 'A')
		return tbtf_bad_usage(cmd, "--raw goes with --attach");
	if (what == 'A')
		return tbtf_bpf_attach(raw);
	if (what == 'D')
		return tbtf_bpf_detach();
	code = get(&s);
	if (!code) {
		if (what == 'j')
			print_json(&s);
		else if (what)
			stats_print_metrics(&s, what == 'o');
		else
			print_text(&s, all);
	}
	free(s.cgroups);
	free(s.processes);
	return code;
}

const struct cmd cmd_stats = {
	.name = "stats",
	.synopsis = "[--attach|--detach|OPTION]",
	.summary = "what has been counted, by eBPF in the kernel",
	.help = "Options:\n"
		"  -A, --attach            begin to count; goes on until --detach, also when no\n"
		"                          tbtf runs, and keeps the module from being unloaded\n"
		"  -R, --raw               ... by raw tracepoints, even where the module's types\n"
		"                          are known\n"
		"  -D, --detach            stop, and forget what has been counted\n"
		"  -a, --all               the counters that are 0 as well\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		"  -o, --openmetrics       as OpenMetrics\n"
		"  -p, --prometheus        in the text format of Prometheus, as the textfile\n"
		"                          collector of its node exporter wants it\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed, or the eBPF part is not attached; 69 the module is\n"
		"not loaded; 77 not permitted.\n",
	.run = run,
};
