// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - options and arguments of the subcommands
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

void tbtf_print_help(const struct cmd *cmd, FILE *out)
{
	fprintf(out, "Usage: tbtf %s%s%s\n%s\n\n%s", cmd->name, *cmd->synopsis ? " " : "",
		cmd->synopsis, cmd->summary, cmd->help);
}

int tbtf_bad_usage(const struct cmd *cmd, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "tbtf %s: ", cmd->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see 'tbtf %s --help'\n", cmd->name);
	return EXIT_BAD_USAGE;
}

int tbtf_getopt(const struct cmd *cmd, int argc, char **argv, const char *letters,
		const struct option *names, int *ret_code)
{
	int opt;

	opterr = 0;
	opt = getopt_long(argc, argv, letters, names, NULL);
	switch (opt) {
	case 'h':
		tbtf_print_help(cmd, stdout);
		*ret_code = EXIT_OK;
		return OPT_STOP;
	case ':':
		*ret_code = tbtf_bad_usage(cmd, "the option '%s' needs an argument",
					   argv[optind - 1]);
		return OPT_STOP;
	case '?':
		/* Of a bunch of letters (-xyz) only optopt says which one it was. */
		if (optopt > 0 && optopt < 128 && strncmp(argv[optind - 1], "--", 2))
			*ret_code = tbtf_bad_usage(cmd, "there is no option '-%c'", optopt);
		else
			*ret_code = tbtf_bad_usage(cmd,
						   "the option '%s' is not known, not unique, or takes no argument",
						   argv[optind - 1]);
		return OPT_STOP;
	}
	return opt;
}

int tbtf_parse_pid(const char *text, pid_t *ret_pid)
{
	char *end;
	long pid;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || *end || pid <= 0 || pid > INT_MAX)
		return -EINVAL;
	*ret_pid = pid;
	return 0;
}
