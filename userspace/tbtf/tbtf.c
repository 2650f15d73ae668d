// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the command: a table of subcommands
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct cmd * const cmds[] = {
	&cmd_run,
	&cmd_set,
	&cmd_clear,
	&cmd_spare,
	&cmd_expendable,
	&cmd_ordinary,
	&cmd_list,
	&cmd_victims,
	&cmd_tree,
	&cmd_status,
	&cmd_peers,
	&cmd_lend,
	&cmd_top,
	&cmd_report,
	&cmd_why,
	&cmd_last,
	&cmd_guard,
	&cmd_stats,
	&cmd_watch,
	&cmd_record,
	&cmd_doctor,
	&cmd_drill,
	&cmd_off,
	&cmd_on,
};

static const struct cmd *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		if (!strcmp(cmds[i]->name, name))
			return cmds[i];
	return NULL;
}

static void usage(FILE *out)
{
	fputs("Usage: tbtf COMMAND [ARGUMENT...]\n"
	      "Give processes a right to memory: too big to fail.\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		fprintf(out, "  %-10s  %s\n", cmds[i]->name, cmds[i]->summary);
	fputs("\n'tbtf COMMAND --help' says more, and so does tbtf(8).\n", out);
}

static int no_command(const char *name)
{
	tbtf_error("there is no command '%s'; 'tbtf --help' lists them", name);
	return EXIT_BAD_USAGE;
}

int main(int argc, char **argv)
{
	const struct cmd *cmd;
	const char *word;

	/* Not in the help: for tests, see sys.c. */
	if (argc > 2 && !strcmp(argv[1], "--root")) {
		tbtf_root = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2) {
		usage(stderr);
		return EXIT_BAD_USAGE;
	}
	word = argv[1];
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		printf("tbtf %s\n", TBTF_VERSION);
		return tbtf_close_stdout(EXIT_OK);
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		if (argc > 2) {
			cmd = find(argv[2]);
			if (!cmd)
				return no_command(argv[2]);
			tbtf_print_help(cmd, stdout);
		} else {
			usage(stdout);
		}
		return tbtf_close_stdout(EXIT_OK);
	}
	cmd = find(word);
	if (!cmd)
		return no_command(word);
	return tbtf_close_stdout(cmd->run(cmd, argc - 1, argv + 1));
}
