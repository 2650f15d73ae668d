// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - run: mark this process, or a cgroup for it, and become the command
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Always an exec, never a parent that waits: the command keeps the pid, the
 * parent, the terminal and the signals that whoever started it expects. What a
 * cgroup needs besides, to be removed at the end, is done by systemd where it
 * runs (the cgroup is a scope, asked for with systemd-run), and elsewhere by a
 * janitor: a detached process outside of the cgroup which sleeps until nobody
 * is in it any more. A waiting parent would be no replacement: it would leave
 * when the command exits, and a daemon's children would still be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "contain.h"

/* Also where the C library does not know it yet; before 5.9 it is ENOSYS. */
#ifndef SYS_close_range
#define SYS_close_range	436
#endif

#define NAME_MAX_LEN	128
/* One is enough but for somebody who starts and ends commands of one name in a row. */
#define ENTER_TRIES	32

struct options {
	bool local;
	bool cgroup;
	bool here;
	bool may_fail;		/* --try */
	struct contain contain;
	const char *name;
	char **command;
};

static int become(char **command)
{
	execvp(command[0], command);
	tbtf_error("cannot run '%s': %s", command[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* The command was not marked, and the reason has been said. */
static int give_up(const struct options *o)
{
	if (!o->may_fail)
		return EXIT_RUN_FAILED;
	tbtf_error("running '%s' without protection (--try)", o->command[0]);
	return become(o->command);
}

static int run_marked(const struct options *o)
{
	int err = tbtf_self_set(TBTF_ON | (o->local ? TBTF_LOCAL : 0));

	if (err) {
		tbtf_failed(err, "cannot mark this process");
		return give_up(o);
	}
	return become(o->command);
}

/* The janitor keeps nothing of what the command is to have. */
static void detach(int *cgroup, int *go)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Out of the way of 0 to 4 first: the descriptors can be any. */
	null = fcntl(null, F_DUPFD, 5);
	*cgroup = fcntl(*cgroup, F_DUPFD, 5);
	*go = fcntl(*go, F_DUPFD, 5);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	*cgroup = dup2(*cgroup, 3);
	*go = dup2(*go, 4);
	if (syscall(SYS_close_range, 5U, ~0U, 0U))
		for (int fd = sysconf(_SC_OPEN_MAX); fd > 4; fd--)
			close(fd);
	setsid();
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "tbtf-janitor");
	/* Not to hold a file system that somebody wants to unmount. */
	if (chdir("/"))
		_exit(EXIT_FAILED);
}

static void janitor(int cgroup, int go, const char *path)
{
	uint64_t populated;
	char c;

	detach(&cgroup, &go);
	/* Nothing is read if the caller failed and has removed the cgroup itself. */
	if (read(go, &c, 1) != 1)
		_exit(EXIT_OK);
	close(go);
	while (!tbtf_place_wait_empty(cgroup, -1)) {
		(void)tbtf_contain_undo(cgroup);
		/* Somebody may have moved in again: then wait for that one. */
		if (!tbtf_place_remove(cgroup, path) ||
		    tbtf_cgfs_key(cgroup, "cgroup.events", "populated", &populated) || !populated)
			break;
	}
	_exit(EXIT_OK);
}

/* Start the janitor; it begins when a byte is written to the descriptor returned. */
static int start_janitor(int cgroup, const char *path)
{
	int go[2], err;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	/* Twice: the command must not find a child it does not know. */
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		return err;
	}
	if (!pid) {
		pid = fork();
		if (pid)
			_exit(pid < 0 ? EXIT_FAILED : EXIT_OK);
		close(go[1]);
		janitor(cgroup, go[0], path);
	}
	while (waitpid(pid, &err, 0) < 0 && errno == EINTR)
		;
	close(go[0]);
	if (err) {
		close(go[1]);
		return -EAGAIN;
	}
	return go[1];
}

/* Whether the cgroup was removed under the caller: by the janitor of the one who had it before. */
static bool is_gone(int cgroup)
{
	uint64_t populated;
	int err = tbtf_cgfs_key(cgroup, "cgroup.events", "populated", &populated);

	return err == -ENOENT || err == -ENODEV;
}

/*
 * Into the cgroup, or a new one of this name if it is gone before that. 0, with
 * everything done but the exec; an exit code after having said why not; or
 * -EAGAIN: it is gone.
 */
static int enter(const char *name, const struct contain *contain)
{
	char path[PATH_LEN], enabled[PATH_LEN];
	int cgroup, err, go, code;

	cgroup = tbtf_place_cgroup(name, PLACE_BESIDE, path, enabled);
	if (cgroup < 0)
		return -cgroup;
	/* The role first: there is no moment in which the command is unprotected. */
	err = tbtf_cgroup_set_role(cgroup, TBTF_ROLE_TBTF);
	if (err) {
		code = is_gone(cgroup) ? -EAGAIN : tbtf_failed(err, "cgroup %s", path);
		goto out_cgroup;
	}
	if (contain->wanted) {
		code = tbtf_contain(cgroup, path, contain);
		if (code)
			goto out_cgroup;
	}
	go = start_janitor(cgroup, path);
	if (go < 0) {
		code = tbtf_failed(go, "cannot start the process that removes the cgroup");
		goto out_contain;
	}
	err = tbtf_cgfs_write(cgroup, "cgroup.procs", "0");
	if (err) {
		close(go);
		code = is_gone(cgroup) ? -EAGAIN :
			tbtf_failed(err, "cannot move into the cgroup %s", path);
		goto out_contain;
	}
	if (write(go, "", 1) != 1)
		tbtf_error("note: the cgroup %s will not be removed at the end", path);
	return 0;

out_contain:
	(void)tbtf_contain_undo(cgroup);
out_cgroup:
	tbtf_place_remove(cgroup, path);
	close(cgroup);
	return code;
}

static int run_in_cgroup(const struct options *o)
{
	char name[NAME_MAX_LEN + 32];
	int code, tries = 0;

	if (o->name)
		snprintf(name, sizeof(name), "tbtf-%s", o->name);
	else
		snprintf(name, sizeof(name), "tbtf-run-%d", getpid());
	do {
		code = enter(name, &o->contain);
	} while (code == -EAGAIN && ++tries < ENTER_TRIES);
	if (code == -EAGAIN)
		tbtf_error("the cgroup %s is removed as often as it is made", name);
	return code ? give_up(o) : become(o->command);
}

/* Only this process may be in it: marking a whole session by mistake is easily done. */
static int check_alone(int cgroup, const char *path)
{
	char text[4096], *line, *rest = NULL;
	ssize_t len;

	len = tbtf_cgfs_read(cgroup, "cgroup.procs", text, sizeof(text));
	if (len < 0)
		return tbtf_failed(len, "cgroup %s", path);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (atoi(line) == getpid())
			continue;
		tbtf_error("cgroup %s has other processes, such as %s: use --cgroup", path, line);
		return EXIT_FAILED;
	}
	return 0;
}

static int run_here(const struct options *o)
{
	char path[PATH_LEN];
	int cgroup, err;

	err = tbtf_proc_cgroup("self", path);
	cgroup = err ? err : tbtf_cgfs_open(path);
	if (cgroup < 0) {
		tbtf_failed(cgroup, "the cgroup (v2) of this process");
		return give_up(o);
	}
	err = check_alone(cgroup, path);
	if (!err) {
		err = tbtf_cgroup_set_role(cgroup, TBTF_ROLE_TBTF);
		if (err)
			tbtf_failed(err, "cgroup %s", path);
	}
	close(cgroup);
	return err ? give_up(o) : become(o->command);
}

/*
 * Where systemd runs the tree is its own, and a scope is what it documents for
 * processes started by others. Delegate= brings the memory controller along
 * and keeps systemd from touching the inside.
 */
static int run_in_scope(const struct options *o)
{
	char self[PATH_LEN], unit[NAME_MAX_LEN + 64];
	const char **argv;
	size_t nr = 0, at = 0;
	ssize_t len;
	int err;

	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0) {
		tbtf_failed(errno, "/proc/self/exe");
		return give_up(o);
	}
	self[len] = '\0';
	if (o->name)
		snprintf(unit, sizeof(unit), "--unit=tbtf-%s.scope", o->name);
	else
		snprintf(unit, sizeof(unit), "--unit=tbtf-run-%d.scope", getpid());
	while (o->command[nr])
		nr++;
	argv = calloc(nr + 16, sizeof(*argv));
	if (!argv) {
		tbtf_failed(ENOMEM, "arguments");
		return give_up(o);
	}
	argv[at++] = "systemd-run";
	argv[at++] = "--scope";
	argv[at++] = "--quiet";
	argv[at++] = "--collect";
	argv[at++] = "--no-ask-password";
	argv[at++] = unit;
	argv[at++] = "--property=Delegate=memory";
	argv[at++] = "--property=MemoryAccounting=yes";
	argv[at++] = "--";
	argv[at++] = self;
	argv[at++] = "run";
	argv[at++] = "--here";
	if (o->may_fail)
		argv[at++] = "--try";
	argv[at++] = "--";
	memcpy(argv + at, o->command, nr * sizeof(*argv));
	execvp(argv[0], (char **)argv);
	err = errno;
	free(argv);
	if (err == ENOENT)
		tbtf_error("systemd is running, and systemd-run, which makes cgroups there, is not found");
	else
		tbtf_failed(err, "systemd-run");
	return give_up(o);
}

static int run_protected(const struct options *o)
{
	int sysfs;

	if (!o->cgroup && !o->here)
		return run_marked(o);
	/* Before anything is made: without the module there is nothing to write to. */
	sysfs = tbtf_open_sysfs();
	if (sysfs < 0) {
		tbtf_failed(sysfs, "/sys/kernel/mm/tbtf");
		return give_up(o);
	}
	close(sysfs);
	if (o->here)
		return run_here(o);
	if (!tbtf_systemd_running())
		return run_in_cgroup(o);
	if (!o->contain.wanted)
		return run_in_scope(o);
	tbtf_error("--contain: of a scope of systemd nobody would undo it; use a unit, and tbtf set --contain --unit");
	return give_up(o);
}

static bool good_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return *name && strlen(name) <= NAME_MAX_LEN && !name[strspn(name, letters)];
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "local",	no_argument,		NULL, 'l' },
		{ "cgroup",	no_argument,		NULL, 'c' },
		{ "name",	required_argument,	NULL, 'n' },
		{ "here",	no_argument,		NULL, 'H' },
		{ "try",	no_argument,		NULL, 't' },
		{ "contain",	no_argument,		NULL, 'C' },
		{ "brake",	required_argument,	NULL, 'B' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	struct options o = { 0 };
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, "+:lcn:HtCB:h", names, &code)) != -1) {
		switch (opt) {
		case 'l':
			o.local = true;
			break;
		case 'c':
			o.cgroup = true;
			break;
		case 'n':
			o.name = optarg;
			break;
		case 'H':
			o.here = true;
			break;
		case 't':
			o.may_fail = true;
			break;
		case 'C':
			o.contain.wanted = true;
			break;
		case 'B':
			if (tbtf_contain_brake(optarg, &o.contain.brake_kb)) {
				tbtf_bad_usage(cmd, "'%s': a number of KiB, 4096 at least", optarg);
				return EXIT_RUN_FAILED;
			}
			break;
		case OPT_STOP:
			return code == EXIT_BAD_USAGE ? EXIT_RUN_FAILED : code;
		}
	}
	code = 0;
	if (optind == argc)
		code = tbtf_bad_usage(cmd, "no command is given");
	else if (o.cgroup && o.here)
		code = tbtf_bad_usage(cmd, "--cgroup and --here exclude each other");
	else if (o.local && (o.cgroup || o.here))
		code = tbtf_bad_usage(cmd, "--local is of a process's own mark: a cgroup's has none");
	else if (o.name && !o.cgroup)
		code = tbtf_bad_usage(cmd, "--name is the name of the cgroup: give --cgroup as well");
	else if (o.contain.wanted && !o.cgroup)
		code = tbtf_bad_usage(cmd, "--contain is of a cgroup: give --cgroup as well");
	else if (o.contain.brake_kb && !o.contain.wanted)
		code = tbtf_bad_usage(cmd, "--brake goes with --contain");
	else if (o.name && !good_name(o.name))
		code = tbtf_bad_usage(cmd,
				      "'%s' cannot be a name: 1 to %d of the letters a-z A-Z 0-9 _ . -",
				      o.name, NAME_MAX_LEN);
	if (code)
		return EXIT_RUN_FAILED;
	o.command = argv + optind;
	return run_protected(&o);
}

const struct cmd cmd_run = {
	.name = "run",
	.synopsis = "[OPTION...] [--] COMMAND [ARGUMENT...]",
	.summary = "run a command that is too big to fail",
	.help = "The mark is the process's own: children it forks do not have it. For programs\n"
		"of many processes use --cgroup.\n\n"
		"Options:\n"
		"  -l, --local             its memory never leaves this machine\n"
		"  -c, --cgroup            put it into a cgroup of its own, and mark that:\n"
		"                          it holds for all its children\n"
		"  -n, --name NAME         call the cgroup tbtf-NAME, not tbtf-run-PID\n"
		"  -H, --here              mark the cgroup it is in already, if it is alone\n"
		"                          there (ExecStart= of a systemd unit)\n"
		"  -t, --try               if it cannot be marked say so, and run it anyway\n"
		CONTAIN_HELP
		HELP_OPTION
		"\nExit status: that of the command; 125 if it was not run; 126 if it cannot be\n"
		"executed; 127 if it was not found.\n",
	.run = run,
};
