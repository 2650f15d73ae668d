// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - watch and record: events as they come
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf.h"
#include "cmd.h"

#define RECORD_FILE	"/var/log/tbtf/events.jsonl"

/* Decimal, above 0. */
static bool parse_count(const char *text, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return !errno && end != text && !*end && *ret > 0;
}

static int run_watch(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "json",	no_argument,		NULL, 'j' },
		{ "past",	no_argument,		NULL, 'p' },
		{ "number",	required_argument,	NULL, 'n' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	struct tbtf_follow how = { .out = stdout };
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":jpn:h", names, &code)) != -1) {
		switch (opt) {
		case 'j':
			how.json = true;
			break;
		case 'p':
			how.past = true;
			break;
		case 'n':
			if (!parse_count(optarg, &how.count))
				return tbtf_bad_usage(cmd, "'%s' is no number above 0", optarg);
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	return tbtf_follow(&how);
}

const struct cmd cmd_watch = {
	.name = "watch",
	.synopsis = "[--json] [--past] [--number N]",
	.summary = "events as they come, one a line",
	.help = "Options:\n"
		"  -j, --json              one JSON object a line, see tbtf-json(5)\n"
		"  -p, --past              begin with the last events that are still there\n"
		"  -n, --number N          stop after so many\n"
		HELP_OPTION
		"\nExit status: 0 stopped by SIGINT, SIGTERM or --number; 1 failed, or the eBPF\n"
		"part is not attached; 69 the module is not loaded; 77 not permitted.\n",
	.run = run_watch,
};

static int run_record(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "output",	required_argument,	NULL, 'o' },
		{ "past",	no_argument,		NULL, 'p' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	struct tbtf_follow how = { .json = true, .samples = true };
	const char *file = RECORD_FILE;
	int opt, code, fd;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":o:ph", names, &code)) != -1) {
		switch (opt) {
		case 'o':
			file = optarg;
			break;
		case 'p':
			how.past = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	if (!strcmp(file, RECORD_FILE))
		mkdir("/var/log/tbtf", 0750);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	how.out = fd < 0 ? NULL : fdopen(fd, "a");
	if (!how.out)
		return tbtf_failed(errno, "%s", file);
	code = tbtf_follow(&how);
	if (fclose(how.out) && !code)
		code = tbtf_failed(errno, "%s", file);
	return code;
}

const struct cmd cmd_record = {
	.name = "record",
	.synopsis = "[--output FILE] [--past]",
	.summary = "write events and the state of memory to a file",
	.help = "Appends one JSON object a line, see tbtf-json(5): the events as tbtf\n"
		"watch --json has them, and once a second a sample of the machine's memory.\n\n"
		"Options:\n"
		"  -o, --output FILE       instead of " RECORD_FILE "\n"
		"  -p, --past              begin with the last events that are still there\n"
		HELP_OPTION
		"\nExit status: 0 stopped by SIGINT or SIGTERM; 1 failed, or the eBPF part is not\n"
		"attached; 69 the module is not loaded; 77 not permitted.\n",
	.run = run_record,
};
