// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the daemon: options, configuration, then one of the three: borrow, lend, watchdog
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "daemon.h"
#include "log.h"
#include "self.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* One thing that tbtfd can be. */
struct role {
	const char *name;
	const char *who;
	const char *summary;
	int (*check)(const struct tbtf_conf *conf, struct tbtf_conf_error *error);
	int (*run)(const struct tbtf_conf *conf, bool dry_run);	/* an exit code */
};

static const struct role roles[] = {
	{ "borrow", "tbtfd borrow", "keep memory of other nodes ready for a steal",
	  tbtf_conf_check_borrow, tbtf_borrow_run },
	{ "lend", "tbtfd lend", "lend memory of this node to others",
	  tbtf_conf_check_lend, tbtf_lend },
	{ "watchdog", "tbtfd watchdog", "reset the machine when its panic does not end",
	  tbtf_conf_check_watchdog, tbtf_watchdog_run },
};

static void usage(FILE *out)
{
	fputs("Usage: tbtfd borrow|lend|watchdog [OPTION...]\n"
	      "       tbtfd pki ca DIR [DAYS] | node DIR NAME [DAYS]\n"
	      "Take memory from other nodes for a process that is too big to fail.\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		fprintf(out, "  %-18s %s\n", roles[i].name, roles[i].summary);
	fputs("  pki                make certificates for encryption = tls\n", out);
	fprintf(out, "\n"
		"  --config FILE      read FILE instead of %s\n"
		"  --check-config     say whether it is right, and do nothing else\n"
		"  --dry-run          say what would be done, and change nothing\n"
		"  --trial            lend without the rights that keep a lender alive\n"
		"  --verbose          say more\n"
		"  --help             this\n"
		"  --version          the version\n"
		"\ntbtfd(8) says more, and tbtfd.conf(5) what stands in the file.\n", TBTF_CONF_FILE);
}

static int bad_usage(const char *format, const char *word)
{
	fputs("tbtfd: ", stderr);
	fprintf(stderr, format, word);
	fputs("; 'tbtfd --help' lists what there is\n", stderr);
	return EXIT_BAD_USAGE;
}

static int close_stdout(void)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "tbtfd: cannot write: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static const struct role *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (!strcmp(roles[i].name, name))
			return &roles[i];
	return NULL;
}

static int start(const struct role *role, const char *path, bool check_only, bool dry_run)
{
	static struct tbtf_conf conf;	/* some tens of KiB */
	struct tbtf_conf_error error;

	tbtf_log_open(role->who);
	if (tbtf_conf_read(&conf, path, &error) || role->check(&conf, &error)) {
		/* Where it has no line, at least the file. */
		if (!strncmp(error.text, path, strlen(path)) || strstr(error.text, path))
			tbtf_err("%s", error.text);
		else
			tbtf_err("%s: %s", path, error.text);
		return EXIT_BAD_CONFIG;
	}
	if (check_only) {
		printf("%s: good for '%s'\n", path, role->who);
		return close_stdout();
	}
	return role->run(&conf, dry_run);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'C' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "trial", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = TBTF_CONF_FILE;
	bool check_only = false, dry_run = false;
	const struct role *role;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:ntvhV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'C':
			check_only = true;
			break;
		case 'n':
			dry_run = true;
			break;
		case 't':
			tbtf_self_trial();
			break;
		case 'v':
			tbtf_log_verbose();
			break;
		case 'h':
			usage(stdout);
			return close_stdout();
		case 'V':
			printf("tbtfd %s\n", TBTF_VERSION);
			return close_stdout();
		case ':':
			return bad_usage("option '%s' needs a value", argv[optind - 1]);
		default:
			return bad_usage("there is no option '%s'", argv[optind - 1]);
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_BAD_USAGE;
	}
	if (!strcmp(argv[optind], "pki"))
		return tbtf_pki(argc - optind - 1, argv + optind + 1);
	role = find(argv[optind]);
	if (!role)
		return bad_usage("there is no '%s'", argv[optind]);
	if (argc - optind > 1)
		return bad_usage("'%s' is one word too many", argv[optind + 1]);
	return start(role, path, check_only, dry_run);
}
