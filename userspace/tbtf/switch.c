// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - off and on
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * "off" is the kill switch itself and not an exec of tbtf-off: this program is
 * in memory already, and an exec would have to fetch more.
 */
#include <errno.h>
#include <unistd.h>

#include "cmd.h"
#include "kill_switch.h"

static int run_off(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "standby",	no_argument,	NULL, 's' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	int opt, code, standby = 0;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":sh", names, &code)) != -1) {
		switch (opt) {
		case 's':
			standby = 1;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	return tbtf_kill_switch(standby);
}

static int run_on(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	int opt, code, sysfs, err;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":h", names, &code)) != -1)
		if (opt == OPT_STOP)
			return code;
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	sysfs = tbtf_open_sysfs();
	if (sysfs < 0)
		return tbtf_failed(sysfs, "/sys/kernel/mm/tbtf");
	err = tbtf_knob_set(sysfs, "enabled", "1");
	close(sysfs);
	return err ? tbtf_failed(err, "/sys/kernel/mm/tbtf/enabled") : EXIT_OK;
}

const struct cmd cmd_off = {
	.name = "off",
	.synopsis = "[--standby]",
	.summary = "switch tbtf off at once: the kill switch",
	.help = "Marks and roles stay, and 'tbtf on' makes them count again. tbtf-off is the\n"
		"same as a program of a few pages, for machines that hardly run any more.\n\n"
		"Options:\n"
		"  -s, --standby           lock everything needed now, and do it at Enter\n"
		HELP_OPTION
		"\nExit status: 0 done; 1 failed; 69 the module is not loaded; 77 not permitted.\n",
	.run = run_off,
};

const struct cmd cmd_on = {
	.name = "on",
	.synopsis = "",
	.summary = "switch tbtf on again",
	.help = "Options:\n"
		HELP_OPTION
		"\nExit status: 0 done; 1 failed; 69 the module is not loaded; 77 not permitted.\n",
	.run = run_on,
};
