// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - list: the processes that have a role
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

static void print_text(const struct tbtf_info *infos, size_t nr)
{
	char size[16], worth[16];

	printf("%8s %-10s %-10s %-7s %6s %6s %5s  %s\n", "PID", "ROLE", "EFFECTIVE", "SOURCE",
	       "SIZE", "WORTH", "ADJ", "COMMAND");
	for (size_t i = 0; i < nr; i++) {
		const struct tbtf_info *info = &infos[i];

		printf("%8d %-10s %-10s %-7s %6s %6s %5d  ", info->pid,
		       info->flags & TBTF_LOCAL ? "tbtf,local" : tbtf_role_name(info->role),
		       tbtf_role_name(info->effective), tbtf_source_name(info->source),
		       tbtf_size(info->size_kb, size), tbtf_size(info->worth_kb, worth),
		       info->oom_score_adj);
		tbtf_put_text(stdout, info->comm, sizeof(info->comm));
		putchar('\n');
	}
}

static void print_json(const struct tbtf_info *infos, size_t nr)
{
	struct json json = JSON_INIT(stdout);
	char path[PATH_LEN];

	json_open(&json, NULL, '{');
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < nr; i++) {
		const struct tbtf_info *info = &infos[i];

		json_open(&json, NULL, '{');
		json_signed(&json, "pid", info->pid);
		json_string_n(&json, "comm", info->comm, sizeof(info->comm));
		json_string(&json, "role", tbtf_role_name(info->role));
		json_bool(&json, "local", info->flags & TBTF_LOCAL);
		json_string(&json, "effective", tbtf_role_name(info->effective));
		json_string(&json, "source", tbtf_source_name(info->source));
		if (info->cgroup && !tbtf_cgfs_path_of_id(info->cgroup, path))
			json_string(&json, "source_cgroup", path);
		else
			json_null(&json, "source_cgroup");
		json_signed(&json, "oom_score_adj", info->oom_score_adj);
		json_unsigned(&json, "size_kb", info->size_kb);
		json_unsigned(&json, "worth_kb", info->worth_kb);
		json_unsigned(&json, "protected_kb", info->protected_kb);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* Every process whose role is other than ordinary, by whatever makes it so. */
static int get_all(int dev, struct tbtf_info **ret_infos, size_t *ret_nr)
{
	struct tbtf_info *infos;
	size_t nr_pids, nr = 0;
	int err, pidfd;
	pid_t *pids;

	err = tbtf_proc_pids(&pids, &nr_pids);
	if (err)
		return err;
	infos = calloc(nr_pids + 1, sizeof(*infos));
	if (!infos) {
		free(pids);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr_pids; i++) {
		pidfd = tbtf_pidfd_open(pids[i]);
		if (pidfd < 0)
			continue;	/* gone since */
		err = tbtf_get_info(dev, pidfd, &infos[nr]);
		close(pidfd);
		if (!err && (infos[nr].effective != TBTF_ROLE_ORDINARY ||
			     infos[nr].role != TBTF_ROLE_INHERIT))
			nr++;
	}
	free(pids);
	*ret_infos = infos;
	*ret_nr = nr;
	return 0;
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
	struct tbtf_info *infos;
	int opt, code, dev, err;
	size_t nr;

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
	dev = tbtf_open_device();
	if (dev < 0)
		return tbtf_failed(dev, "/dev/tbtf");
	err = all ? get_all(dev, &infos, &nr) : tbtf_get_list(dev, &infos, &nr);
	close(dev);
	if (err)
		return tbtf_failed(err, "the list of processes");
	if (as_json)
		print_json(infos, nr);
	else
		print_text(infos, nr);
	free(infos);
	return EXIT_OK;
}

const struct cmd cmd_list = {
	.name = "list",
	.synopsis = "[--all] [--json]",
	.summary = "the processes that have a role",
	.help = "Options:\n"
		"  -a, --all               those too whose role comes from their cgroup\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 69 the module is not loaded; 77 not permitted.\n",
	.run = run,
};
