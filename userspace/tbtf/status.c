// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - status: hooks, knobs, stage, rungs two and three, and counters
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "borrower.h"
#include "cmd.h"
#include "json.h"

static const char * const knobs[] = {
	"enabled", "dry_run", "substitute", "policy", "min_victim_kb", "max_kills", "max_marks",
	"nap_ms", "episode_idle_ms", "ladder_deadline_ms", "on_exhausted", "on_exhausted_memcg",
	"panic_reboot_s", "guard", "reserve_kb", "print_rate_kb",
};

struct status {
	int sysfs;
	char features[256];
	char stage[32];
	char marked[32];
	char abi[32];
	char version[64];	/* of the module, or "" */
	struct tbtf_stat *stats;
	size_t nr_stats;
	struct borrower *borrower;
	int borrower_err;	/* why there is none */
};

static int get(struct status *s)
{
	int err;

	err = tbtf_knob_get(s->sysfs, "features", s->features, sizeof(s->features));
	if (!err)
		err = tbtf_knob_get(s->sysfs, "stage", s->stage, sizeof(s->stage));
	if (!err)
		err = tbtf_knob_get(s->sysfs, "marked", s->marked, sizeof(s->marked));
	if (!err)
		err = tbtf_knob_get(s->sysfs, "abi", s->abi, sizeof(s->abi));
	if (!err)
		err = tbtf_stat_list(s->sysfs, &s->stats, &s->nr_stats);
	if (tbtf_read(s->version, sizeof(s->version), "/sys/module/tbtf/version") < 0)
		s->version[0] = '\0';
	if (!err)
		s->borrower_err = borrower_read(&s->borrower);
	return err;
}

static bool knob_is(const struct status *s, const char *knob, const char *value)
{
	char text[64];

	return !tbtf_knob_get(s->sysfs, knob, text, sizeof(text)) && !strcmp(text, value);
}

static void print_text(const struct status *s, bool all)
{
	char value[64];
	int zeros = 0;

	if (knob_is(s, "enabled", "0"))
		puts("tbtf is switched off (enabled is 0): nobody is protected");
	else if (knob_is(s, "dry_run", "1"))
		puts("tbtf only counts and logs (dry_run is 1): nobody is protected");
	else
		puts("tbtf is on");
	printf("stage     %s\n", s->stage);
	printf("marked    %s\n", s->marked);
	if (!tbtf_knob_get(s->sysfs, "lent_kb", value, sizeof(value)) && strcmp(value, "0"))
		printf("lent      %s kB of other nodes: no panic while they are here\n", value);
	if (knob_is(s, "guard", "1"))
		puts("guard     no panic");
	printf("features  %s\n", s->features);
	printf("abi       %s\n", s->abi);
	if (*s->version)
		printf("version   %s\n", s->version);
	borrower_print(s->borrower, s->borrower_err);
	puts("\nknobs:");
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (!tbtf_knob_get(s->sysfs, knobs[i], value, sizeof(value)))
			printf("  %-20s %s\n", knobs[i], value);
	puts("\ncounters:");
	for (size_t i = 0; i < s->nr_stats; i++) {
		if (!s->stats[i].value && !all) {
			zeros++;
			continue;
		}
		printf("  %-20s %llu\n", s->stats[i].name, (unsigned long long)s->stats[i].value);
	}
	if (zeros)
		printf("  (%d more are 0)\n", zeros);
}

static void print_json(struct status *s)
{
	struct json json = JSON_INIT(stdout);
	char value[64], *word, *rest = NULL;

	json_open(&json, NULL, '{');
	json_word(&json, "abi", s->abi);
	if (*s->version)
		json_string(&json, "version", s->version);
	else
		json_null(&json, "version");
	json_string(&json, "stage", s->stage);
	json_word(&json, "marked", s->marked);
	if (!tbtf_knob_get(s->sysfs, "lent_kb", value, sizeof(value)))
		json_word(&json, "lent_kb", value);
	borrower_print_json(&json, s->borrower);
	json_open(&json, "features", '{');
	for (word = strtok_r(s->features, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		json_bool(&json, word + (*word == '-'), *word != '-');
	json_close(&json, '}');
	json_open(&json, "knobs", '{');
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (!tbtf_knob_get(s->sysfs, knobs[i], value, sizeof(value)))
			json_word(&json, knobs[i], value);
	json_close(&json, '}');
	json_open(&json, "stats", '{');
	for (size_t i = 0; i < s->nr_stats; i++)
		json_unsigned(&json, s->stats[i].name, s->stats[i].value);
	json_close(&json, '}');
	json_close(&json, '}');
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "all",	no_argument,	NULL, 'a' },
		{ "json",	no_argument,	NULL, 'j' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	bool all = false, as_json = false;
	struct status s = { 0 };
	int opt, code, err;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":ajh", names, &code)) != -1) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	s.sysfs = tbtf_open_sysfs();
	if (s.sysfs < 0)
		return tbtf_failed(s.sysfs, "/sys/kernel/mm/tbtf");
	err = get(&s);
	if (err) {
		close(s.sysfs);
		return tbtf_failed(err, "reading /sys/kernel/mm/tbtf");
	}
	if (as_json)
		print_json(&s);
	else
		print_text(&s, all);
	free(s.borrower);
	free(s.stats);
	close(s.sysfs);
	return EXIT_OK;
}

const struct cmd cmd_status = {
	.name = "status",
	.synopsis = "[--all] [--json]",
	.summary = "stage, rungs two and three, knobs and counters",
	.help = "Options:\n"
		"  -a, --all               the counters that are 0 as well\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 69 the module is not loaded.\n",
	.run = run,
};
