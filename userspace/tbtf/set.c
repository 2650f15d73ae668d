// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - set, clear, spare, expendable, ordinary: roles of processes and cgroups
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * All targets are looked up and opened before the first is changed: a mistyped
 * one changes nothing. What is open cannot be replaced by another of the same
 * pid or name in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "contain.h"

/* The first so many options are of set only. */
#define ONLY_SET	4

struct target {
	pid_t pid;		/* of a process; 0: a cgroup */
	int fd;			/* its pidfd, or the cgroup's directory */
	char *path;		/* the cgroup's path in the tree */
};

struct targets {
	struct target *list;
	size_t nr;
	size_t nr_pids;
	struct contain contain;
};

static int add(struct targets *targets, pid_t pid, int fd, const char *path)
{
	struct target *more;

	more = realloc(targets->list, (targets->nr + 1) * sizeof(*more));
	if (!more)
		return -tbtf_failed(ENOMEM, "arguments");
	targets->list = more;
	more += targets->nr++;
	more->pid = pid;
	more->fd = fd;
	more->path = path ? strdup(path) : NULL;
	targets->nr_pids += pid != 0;
	return 0;
}

static int add_pid(const struct cmd *cmd, struct targets *targets, const char *text)
{
	long long leader = 0;
	pid_t pid;
	int fd;

	if (tbtf_parse_pid(text, &pid))
		return -tbtf_bad_usage(cmd, "'%s' is not a pid (a decimal number above 0)", text);
	fd = tbtf_pidfd_open(pid);
	if (fd >= 0)
		return add(targets, pid, fd, NULL);
	/* EINVAL up to 6.8, ENOENT after it: it is there, but leads no process. */
	if ((fd == -EINVAL || fd == -ENOENT) &&
	    !tbtf_proc_status(pid, "Tgid", &leader) && leader != pid) {
		tbtf_error("%d is a thread of process %lld: give the process", pid, leader);
		return -EXIT_FAILED;
	}
	return -tbtf_failed(fd, "process %d", pid);
}

static int add_cgroup(struct targets *targets, const char *name, bool unit)
{
	char path[PATH_LEN];
	int fd;

	fd = unit ? tbtf_unit_open(name, path) : tbtf_cgfs_open_named(name, path);
	return fd < 0 ? fd : add(targets, 0, fd, path);
}

static int check_contain(const struct cmd *cmd, const struct targets *targets)
{
	if (!targets->contain.wanted && (targets->contain.dry_run || targets->contain.brake_kb))
		return tbtf_bad_usage(cmd, "--brake and --dry-run go with --contain");
	if (targets->contain.wanted && (targets->nr != 1 || targets->nr_pids))
		return tbtf_bad_usage(cmd, "--contain is of one cgroup: give --cgroup or --unit, once, and no pid");
	return 0;
}

static int parse(const struct cmd *cmd, int argc, char **argv, struct targets *targets,
		 uint32_t *ret_flags)
{
	static const struct option with_local[] = {
		{ "local",	no_argument,		NULL, 'l' },
		{ "contain",	no_argument,		NULL, 'C' },
		{ "brake",	required_argument,	NULL, 'B' },
		{ "dry-run",	no_argument,		NULL, 'n' },
		{ "cgroup",	required_argument,	NULL, 'c' },
		{ "unit",	required_argument,	NULL, 'u' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	bool local = cmd == &cmd_set;
	int opt, code = 0;

	while ((opt = tbtf_getopt(cmd, argc, argv, local ? ":lCB:nc:u:h" : ":c:u:h",
				  with_local + (local ? 0 : ONLY_SET), &code)) != -1) {
		switch (opt) {
		case 'l':
			*ret_flags |= TBTF_LOCAL;
			break;
		case 'C':
			targets->contain.wanted = true;
			break;
		case 'B':
			if (tbtf_contain_brake(optarg, &targets->contain.brake_kb))
				return tbtf_bad_usage(cmd, "'%s': a number of KiB, 4096 at least", optarg);
			break;
		case 'n':
			targets->contain.dry_run = true;
			break;
		case 'c':
		case 'u':
			code = add_cgroup(targets, optarg, opt == 'u');
			if (code < 0)
				return -code;
			break;
		case OPT_STOP:
			return code ? code : -1;
		}
	}
	for (; optind < argc; optind++) {
		code = add_pid(cmd, targets, argv[optind]);
		if (code < 0)
			return -code;
	}
	if (!targets->nr)
		return tbtf_bad_usage(cmd, "no process, cgroup or unit is given");
	if ((*ret_flags & TBTF_LOCAL) && targets->nr_pids != targets->nr)
		return tbtf_bad_usage(cmd,
				      "--local is of a process's own mark: a cgroup's has none");
	return check_contain(cmd, targets);
}

/* Whoever clears a mark should know that the cgroup's still holds. */
static void note_source(int dev, const struct target *target)
{
	char path[PATH_LEN], shown[256];
	struct tbtf_info info;

	if (tbtf_get_info(dev, target->fd, &info) || info.effective == TBTF_ROLE_ORDINARY)
		return;
	if (info.source == TBTF_SOURCE_CGROUP && !tbtf_cgfs_path_of_id(info.cgroup, path))
		tbtf_error("note: process %d stays %s by its cgroup %s", target->pid,
			   tbtf_role_name(info.effective), tbtf_text(shown, sizeof(shown), path));
	else if (info.source != TBTF_SOURCE_PROCESS)
		tbtf_error("note: process %d stays %s, by its %s", target->pid,
			   tbtf_role_name(info.effective), tbtf_source_name(info.source));
}

static int apply(int dev, const struct target *target, uint32_t role, uint32_t flags)
{
	int err;

	if (target->pid) {
		err = tbtf_set_role(dev, target->fd, role, flags);
		if (err == -EINVAL && role == TBTF_ROLE_EXPENDABLE && target->pid == 1) {
			tbtf_error("process 1 is init: it cannot be expendable");
			return EXIT_FAILED;
		}
		if (err == -EINVAL) {
			tbtf_error("process %d is a kernel thread: it can have no role",
				   target->pid);
			return EXIT_FAILED;
		}
		if (err)
			return tbtf_failed(err, "process %d", target->pid);
		if (role == TBTF_ROLE_INHERIT)
			note_source(dev, target);
		return 0;
	}
	err = tbtf_cgroup_set_role(target->fd, role);
	if (err)
		return tbtf_failed(err, "cgroup %s", target->path);
	return role == TBTF_ROLE_TBTF ? 0 : tbtf_contain_undo(target->fd);
}

static int set_role(const struct cmd *cmd, int argc, char **argv, uint32_t role)
{
	struct targets targets = { 0 };
	int dev = -1, code, ret;
	uint32_t flags = 0;

	code = parse(cmd, argc, argv, &targets, &flags);
	if (code)
		goto out_targets;
	if (targets.contain.wanted) {
		code = tbtf_contain(targets.list[0].fd, targets.list[0].path, &targets.contain);
		if (code || targets.contain.dry_run)
			goto out_targets;
	}
	if (targets.nr_pids) {
		dev = tbtf_open_device();
		if (dev < 0) {
			code = tbtf_failed(dev, "/dev/tbtf");
			goto out_targets;
		}
	}
	for (size_t i = 0; i < targets.nr; i++) {
		ret = apply(dev, &targets.list[i], role, flags);
		if (ret && targets.contain.wanted)
			(void)tbtf_contain_undo(targets.list[i].fd);
		if (!code)
			code = ret;
	}
	if (dev >= 0)
		close(dev);

out_targets:
	for (size_t i = 0; i < targets.nr; i++) {
		close(targets.list[i].fd);
		free(targets.list[i].path);
	}
	free(targets.list);
	return code < 0 ? EXIT_OK : code;
}

static int run_set(const struct cmd *cmd, int argc, char **argv)
{
	return set_role(cmd, argc, argv, TBTF_ROLE_TBTF);
}

static int run_clear(const struct cmd *cmd, int argc, char **argv)
{
	return set_role(cmd, argc, argv, TBTF_ROLE_INHERIT);
}

static int run_spare(const struct cmd *cmd, int argc, char **argv)
{
	return set_role(cmd, argc, argv, TBTF_ROLE_SPARE);
}

static int run_expendable(const struct cmd *cmd, int argc, char **argv)
{
	return set_role(cmd, argc, argv, TBTF_ROLE_EXPENDABLE);
}

static int run_ordinary(const struct cmd *cmd, int argc, char **argv)
{
	return set_role(cmd, argc, argv, TBTF_ROLE_ORDINARY);
}

#define TARGETS_SYNOPSIS	"PID...|--cgroup PATH|--unit NAME"

#define TARGETS_HELP							\
	"  -c, --cgroup PATH       of this cgroup (v2) and those below it;\n"	\
	"                          PATH as in /proc/PID/cgroup, may be repeated\n" \
	"  -u, --unit NAME         of the cgroup of this systemd unit,\n"	\
	"                          as long as the unit runs; may be repeated\n"

#define TARGETS_CODES							\
	"\nExit status: 0 done; 1 one of them failed; 64 wrong arguments, and\n" \
	"nothing was changed; 69 the module is not loaded; 77 not permitted.\n"

const struct cmd cmd_set = {
	.name = "set",
	.synopsis = "[--local] [--contain] " TARGETS_SYNOPSIS,
	.summary = "mark processes or cgroups as too big to fail",
	.help = "Options:\n"
		"  -l, --local             the memory of these processes never leaves\n"
		"                          this machine\n"
		CONTAIN_HELP
		"  -n, --dry-run           print what --contain would write, change nothing\n"
		TARGETS_HELP HELP_OPTION TARGETS_CODES,
	.run = run_set,
};

const struct cmd cmd_clear = {
	.name = "clear",
	.synopsis = TARGETS_SYNOPSIS,
	.summary = "take a role away: the cgroups above decide again",
	.help = "Options:\n" TARGETS_HELP HELP_OPTION TARGETS_CODES,
	.run = run_clear,
};

const struct cmd cmd_spare = {
	.name = "spare",
	.synopsis = TARGETS_SYNOPSIS,
	.summary = "never kill these in another's place",
	.help = "Options:\n" TARGETS_HELP HELP_OPTION TARGETS_CODES,
	.run = run_spare,
};

const struct cmd cmd_expendable = {
	.name = "expendable",
	.synopsis = TARGETS_SYNOPSIS,
	.summary = "kill these first in another's place",
	.help = "Options:\n" TARGETS_HELP HELP_OPTION TARGETS_CODES,
	.run = run_expendable,
};

const struct cmd cmd_ordinary = {
	.name = "ordinary",
	.synopsis = TARGETS_SYNOPSIS,
	.summary = "no role, whatever the cgroups above say",
	.help = "Options:\n" TARGETS_HELP HELP_OPTION TARGETS_CODES,
	.run = run_ordinary,
};
