// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - victims: who could be sacrificed for a process, and why not the others
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

#define EXIT_NOBODY	3

struct options {
	pid_t pid;
	const char *cgroup_name;
	uint32_t policy;
	uint32_t flags;
	bool json;
};

/* One that is not smaller is none of the candidates, and yet goes when they are all gone. */
static bool can_go(const struct tbtf_candidate *c)
{
	return c->reason == TBTF_REASON_CANDIDATE ||
		(c->reason == TBTF_REASON_TOO_BIG && c->band == TBTF_BAND_BIGGER);
}

/* Those who would go first come first; after them those who would not, by pid. */
static int order(const void *a, const void *b)
{
	const struct tbtf_candidate *x = a, *y = b;
	bool x_is = can_go(x), y_is = can_go(y);

	if (x_is != y_is)
		return x_is ? -1 : 1;
	if (x_is && x->band != y->band)
		return x->band < y->band ? -1 : 1;
	if (x_is && x->likelihood != y->likelihood)
		return x->likelihood > y->likelihood ? -1 : 1;
	if (x_is && x->worth_kb != y->worth_kb)
		return x->worth_kb > y->worth_kb ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void print_text(const struct options *o, const char *cgroup,
		       const struct tbtf_preview *preview, const struct tbtf_candidate *list)
{
	char size[16], worth[16], comm[256], name[64];
	unsigned int kthreads = 0;

	if (tbtf_proc_comm(o->pid, name))
		strcpy(name, "?");
	printf("for %d (%s), in an OOM of %s: smaller than %s, worth %s or more\n", o->pid,
	       tbtf_text(comm, sizeof(comm), name), cgroup ? cgroup : "the machine",
	       tbtf_size(preview->protected_kb, size), tbtf_size(preview->min_victim_kb, worth));
	printf("%u candidate%s, open band %s, policy %s\n", preview->nr_candidates,
	       preview->nr_candidates == 1 ? "" : "s", tbtf_band_name(preview->band),
	       tbtf_policy_name(preview->used_policy));
	if (!preview->count)
		return;
	printf("\n%8s %-11s %6s %6s %9s %5s  %s\n", "PID", "BAND", "SIZE", "WORTH", "LIKELY",
	       "ADJ", "COMMAND");
	for (uint32_t i = 0; i < preview->count; i++) {
		const struct tbtf_candidate *c = &list[i];
		bool is = can_go(c);

		/* Dozens of lines that say nothing. */
		if (c->reason == TBTF_REASON_KTHREAD) {
			kthreads++;
			continue;
		}
		printf("%8d %-11s %6s %6s ", c->pid, is ? tbtf_band_name(c->band) : "-",
		       tbtf_size(c->size_kb, size), tbtf_size(c->worth_kb, worth));
		if (is)
			printf("%8.4f%%", c->likelihood / 10000.0);
		else
			printf("%9s", "-");
		printf(" %5d  ", c->oom_score_adj);
		tbtf_put_text(stdout, c->comm, sizeof(c->comm));
		if (!is)
			printf(": %s", tbtf_reason_text(c->reason));
		putchar('\n');
	}
	if (kthreads)
		printf("and %u kernel threads\n", kthreads);
}

static void print_json(const struct options *o, const char *cgroup,
		       const struct tbtf_preview *preview, const struct tbtf_candidate *list)
{
	struct json json = JSON_INIT(stdout);
	char path[PATH_LEN];

	json_open(&json, NULL, '{');
	json_signed(&json, "pid", o->pid);
	if (cgroup)
		json_string(&json, "cgroup", cgroup);
	else
		json_null(&json, "cgroup");
	json_unsigned(&json, "protected_kb", preview->protected_kb);
	json_unsigned(&json, "min_victim_kb", preview->min_victim_kb);
	json_unsigned(&json, "candidates", preview->nr_candidates);
	json_string(&json, "band", tbtf_band_name(preview->band));
	json_string(&json, "policy", tbtf_policy_name(preview->used_policy));
	json_open(&json, "processes", '[');
	for (uint32_t i = 0; i < preview->count; i++) {
		const struct tbtf_candidate *c = &list[i];
		bool is = can_go(c);

		json_open(&json, NULL, '{');
		json_signed(&json, "pid", c->pid);
		json_string_n(&json, "comm", c->comm, sizeof(c->comm));
		json_string(&json, "reason", tbtf_reason_name(c->reason));
		if (is)
			json_string(&json, "band", tbtf_band_name(c->band));
		else
			json_null(&json, "band");
		json_unsigned(&json, "likelihood_ppm", is ? c->likelihood : 0);
		json_unsigned(&json, "size_kb", c->size_kb);
		json_unsigned(&json, "worth_kb", c->worth_kb);
		json_signed(&json, "oom_score_adj", c->oom_score_adj);
		json_string(&json, "effective", tbtf_role_name(c->effective));
		if (c->cgroup && !tbtf_cgfs_path_of_id(c->cgroup, path))
			json_string(&json, "cgroup", path);
		else
			json_null(&json, "cgroup");
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* An OOM of a cgroup that the process is not in never chooses it. */
static int check_inside(pid_t pid, const char *cgroup)
{
	char text[16], path[PATH_LEN];

	snprintf(text, sizeof(text), "%d", pid);
	if (tbtf_proc_cgroup(text, path) || tbtf_cgfs_below(path, cgroup))
		return 0;
	tbtf_error("process %d is in the cgroup %s: an OOM of %s never chooses it", pid, path,
		   cgroup);
	return EXIT_FAILED;
}

static int show(const struct options *o)
{
	struct tbtf_candidate *list = NULL;
	int dev, pidfd, cgroup = -1, code;
	struct tbtf_preview preview;
	char path[PATH_LEN];
	long long size;
	int err;

	if (o->cgroup_name) {
		cgroup = tbtf_cgfs_open_named(o->cgroup_name, path);
		if (cgroup < 0)
			return -cgroup;
	}
	pidfd = tbtf_pidfd_open(o->pid);
	if (pidfd < 0) {
		code = tbtf_failed(pidfd == -EINVAL || pidfd == -ENOENT ? ESRCH : pidfd,
				   "process %d", o->pid);
		goto out_cgroup;
	}
	dev = tbtf_open_device();
	if (dev < 0) {
		code = tbtf_failed(dev, "/dev/tbtf");
		goto out_pidfd;
	}
	code = o->cgroup_name ? check_inside(o->pid, path) : 0;
	if (code)
		goto out_dev;
	err = tbtf_preview_candidates(dev, pidfd, cgroup, o->policy, o->flags, &preview, &list);
	if ((err == -EINVAL || err == -ESRCH) &&
	    tbtf_proc_status(o->pid, "VmSize", &size)) {
		tbtf_error("process %d has no memory: it is gone, a zombie, or a kernel thread",
			   o->pid);
		code = EXIT_FAILED;
		goto out_dev;
	}
	if (err == -EINVAL && o->cgroup_name) {
		code = tbtf_failed(EOPNOTSUPP, "cgroup %s", path);
		goto out_dev;
	}
	if (err) {
		code = tbtf_failed(err, "process %d", o->pid);
		goto out_dev;
	}
	if (preview.count)
		qsort(list, preview.count, sizeof(*list), order);
	if (o->json)
		print_json(o, o->cgroup_name ? path : NULL, &preview, list);
	else
		print_text(o, o->cgroup_name ? path : NULL, &preview, list);
	free(list);
	code = preview.band < TBTF_BAND_NR ? EXIT_OK : EXIT_NOBODY;

out_dev:
	close(dev);
out_pidfd:
	close(pidfd);
out_cgroup:
	if (cgroup >= 0)
		close(cgroup);
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "all",	no_argument,		NULL, 'a' },
		{ "cgroup",	required_argument,	NULL, 'c' },
		{ "policy",	required_argument,	NULL, 'p' },
		{ "json",	no_argument,		NULL, 'j' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	struct options o = { .policy = TBTF_POLICY_SET };
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":ac:p:jh", names, &code)) != -1) {
		switch (opt) {
		case 'a':
			o.flags |= TBTF_PREVIEW_ALL;
			break;
		case 'c':
			o.cgroup_name = optarg;
			break;
		case 'p':
			if (tbtf_policy_parse(optarg, &o.policy) || o.policy == TBTF_POLICY_SET)
				return tbtf_bad_usage(cmd,
						      "'%s' is no policy: give uniform, weighted or largest",
						      optarg);
			break;
		case 'j':
			o.json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (argc - optind != 1)
		return tbtf_bad_usage(cmd, "give one pid");
	if (tbtf_parse_pid(argv[optind], &o.pid))
		return tbtf_bad_usage(cmd, "'%s' is not a pid (a decimal number above 0)",
				      argv[optind]);
	return show(&o);
}

const struct cmd cmd_victims = {
	.name = "victims",
	.synopsis = "[OPTION...] PID",
	.summary = "who could be sacrificed for this process, now",
	.help = "The process need not be marked. Nothing is killed.\n\n"
		"Options:\n"
		"  -a, --all               the others too, and why they are no candidates\n"
		"  -c, --cgroup PATH       in an OOM at the memory.max of this cgroup\n"
		"  -p, --policy POLICY     uniform, weighted or largest instead of the knob\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 3 nobody could go; 64 wrong arguments; 69 the module\n"
		"is not loaded; 77 not permitted.\n",
	.run = run,
};
