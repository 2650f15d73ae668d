// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - doctor: is tbtf in order, and what works against a protected process?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * This file is the table of checks, and the printing. The checks look and do
 * not change anything.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "json.h"

#define EXIT_WARNINGS		1
#define EXIT_NOT_PROTECTED	2

static const struct check checks[] = {
	{ "module", MACHINE, check_module,
	  "Without the module the kernel kills as it always did.",
	  "modprobe tbtf; if it refuses, the kernel log says which function is missing or taken." },
	{ "features", MACHINE, check_features,
	  "A part that is missing on this kernel protects nobody, or less.",
	  "See 'dmesg | grep tbtf' for the symbol that was missing or taken, and tbtf(4) for what the feature does." },
	{ "enabled", MACHINE, check_enabled,
	  "With enabled=0 everything is as if the module were not loaded.",
	  "tbtf on" },
	{ "dry-run", MACHINE, check_dry_run,
	  "With dry_run=1 tbtf counts and logs what it would do, and the kernel kills as always.",
	  "echo 0 > /sys/kernel/mm/tbtf/dry_run" },
	{ "device", MACHINE, check_device,
	  "Without /dev/tbtf no other process can be marked, listed or previewed.",
	  "Mount a devtmpfs on /dev, or let udev make the node." },
	{ "marked", MACHINE, check_marked,
	  "tbtf protects only what is marked.",
	  "tbtf run -- COMMAND, tbtf set PID, or tbtf set --unit NAME" },
	{ "history", MACHINE, check_history,
	  "The counters tell of protection that did not hold since the module was loaded.",
	  "Read the kernel log of that time (dmesg | grep tbtf:), then min_victim_kb, max_kills and on_exhausted in tbtf(4)." },
	{ "panic-on-oom", MACHINE, check_panic_on_oom,
	  "The kernel panics before it chooses anybody, so nobody is sacrificed.",
	  "sysctl vm.panic_on_oom=0; to crash when there is nobody left, set on_exhausted to panic instead." },
	{ "overcommit", MACHINE, check_overcommit,
	  "At the commit limit malloc and fork fail while memory is still free: no OOM, and nothing tbtf could do.",
	  "sysctl vm.overcommit_memory=0, or a vm.overcommit_ratio that leaves room for the protected process." },
	{ "allocating-task", MACHINE, check_allocating_task,
	  "The process that asked for memory is killed, whatever its size: big unmarked ones stay, small ones die at random.",
	  "sysctl vm.oom_kill_allocating_task=0" },
	{ "dump-tasks", MACHINE, check_dump_tasks,
	  "Every OOM prints a line per process while all other OOMs wait; with a serial console this takes minutes.",
	  "sysctl vm.oom_dump_tasks=0" },
	{ "panic-timeout", MACHINE, check_panic_timeout,
	  "After a panic the machine stays down until somebody comes.",
	  "sysctl kernel.panic=10, or panic_reboot_s above 0, which counts for tbtf's own panics." },
	{ "swappiness", MACHINE, check_swappiness,
	  "With 0 the kernel kills processes while there is swap left.",
	  "sysctl vm.swappiness=1, or more" },
	{ "cgroup-v1", MACHINE, check_cgroup_v1,
	  "The memory.tbtf files are of cgroup v2: without its memory controller only single processes can be marked.",
	  "Boot with cgroup_no_v1=memory, and without cgroup_disable=memory." },
	{ "livepatch", MACHINE, check_livepatch,
	  "A function can be redirected by one only: the live patch or tbtf.",
	  "Load tbtf before the patch to see which of them refuses, or ask for a patch without this function." },
	{ "killers", MACHINE, check_killers,
	  "A user space killer acts before the kernel is out of memory, by its own rules, and can kill a protected process.",
	  "Tell it to leave the protected process alone (ManagedOOMPreference=omit, earlyoom --avoid), or stop it." },
	{ "watchdog", MACHINE, check_watchdog,
	  "When the process that feeds the watchdog is sacrificed the machine resets.",
	  "tbtf spare PID" },
	{ "statistics", MACHINE, check_statistics,
	  "eBPF programs on its tracepoints hold the module: rmmod says that it is in use.",
	  "To unload it: tbtf stats --detach, which forgets what was counted." },
	{ "role", TARGET, check_role,
	  "Only what is too big to fail is protected.",
	  "tbtf set PID, tbtf set --cgroup PATH, or tbtf run" },
	{ "adj", PROCESS, check_adj,
	  "The kernel goes by oom_score_adj before tbtf is asked: at -1000 it never chooses the process and kills others by size, without a random choice.",
	  "Set oom_score_adj to 0 (OOMScoreAdjust=0 in a unit): the mark protects, and better." },
	{ "oom-group", TARGET, check_oom_group,
	  "A kill in this cgroup takes all its processes along. The protected are kept, and for their sake none of the others can be sacrificed.",
	  "echo 0 > memory.oom.group of this cgroup, or keep small processes elsewhere." },
	{ "limits", TARGET, check_limits,
	  "An OOM at memory.max can only take processes of that cgroup.",
	  "Raise or remove the limit, give it processes that can go, or set on_exhausted_memcg to wait." },
	{ "swap-max", TARGET, check_swap_max,
	  "Memory that cannot be swapped out can neither be relieved nor stolen for.",
	  "echo max > memory.swap.max (MemorySwapMax=infinity in a unit)" },
	{ "locked", PROCESS, check_locked,
	  "Locked memory cannot be swapped out: the process counts in full, and nothing can be relieved.",
	  "Lock less, or make sure of enough smaller processes." },
	{ "hugetlb", PROCESS, check_hugetlb,
	  "hugetlb pages come from a pool of their own: its end is SIGBUS and not an OOM, and no kill fills it.",
	  "Reserve enough of them (vm.nr_hugepages), or use transparent huge pages." },
	{ "oom-policy", TARGET, check_oom_policy,
	  "With OOMPolicy=stop or kill, systemd ends the whole unit as soon as one of its processes was killed by an OOM.",
	  "OOMPolicy=continue in the unit" },
	{ "children", PROCESS, check_children,
	  "The mark is of one process. Its children can be sacrificed, and programs such as PostgreSQL reset everything when one is.",
	  "Mark the cgroup: tbtf run --cgroup, or tbtf set --unit NAME" },
	{ "candidates", TARGET, check_candidates,
	  "Somebody smaller must be there to go instead.",
	  "'tbtf victims --all PID' says why the others are none; see min_victim_kb in tbtf(4)." },
};

static const char * const severities[] = {
	[OK] = "ok", [NOTE] = "note", [WARN] = "warning", [FAIL] = "failed",
};

void doctor_found(struct doctor *d, enum severity level, const char *format, ...)
{
	struct finding *more;
	char *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return;
	more = realloc(d->findings, (d->nr_findings + 1) * sizeof(*more));
	if (!more) {
		free(text);
		return;
	}
	d->findings = more;
	more[d->nr_findings++] = (struct finding) { d->check, level, text };
	d->count[level]++;
}

const char *doctor_knob(struct doctor *d, const char *name, char buf[64])
{
	if (d->sysfs < 0 || tbtf_knob_get(d->sysfs, name, buf, 64))
		buf[0] = '\0';
	return buf;
}

const char *doctor_comm(pid_t pid, char buf[256])
{
	char comm[64];

	if (tbtf_proc_comm(pid, comm))
		strcpy(comm, "?");
	return tbtf_text(buf, 256, comm);
}

void doctor_each_above(struct doctor *d,
		       void (*visit)(struct doctor *d, int cgroup, const char *path))
{
	char path[PATH_LEN], *slash;
	int fd;

	strcpy(path, d->cgroup);
	while (path[0] && path[1]) {
		fd = tbtf_cgfs_open(path);
		if (fd >= 0) {
			visit(d, fd, path);
			close(fd);
		}
		slash = strrchr(path, '/');
		slash[slash == path] = '\0';
	}
}

/* -- printing --------------------------------------------------------------- */

#define WIDTH	79

/* Words of text, in lines that begin at column indent. */
static void print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text) {
		int len = strcspn(text, " ");

		if (column > indent && column + 1 + len > WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", len, text);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static const char *verdict(const struct doctor *d)
{
	if (d->count[FAIL])
		return "not protected";
	return d->count[WARN] ? "warnings" : "all well";
}

static void print_text(const struct doctor *d, bool verbose)
{
	for (size_t i = 0; i < d->nr_findings; i++) {
		const struct finding *f = &d->findings[i];

		if (f->severity == OK && !verbose)
			continue;
		printf("%-7s  %-15s  ", severities[f->severity], f->check->id);
		print_wrapped(f->text, 26);
		if (f->severity < WARN)
			continue;
		printf("%*swhy: ", 9, "");
		print_wrapped(f->check->why, 14);
		printf("%*sdo:  ", 9, "");
		print_wrapped(f->check->todo, 14);
	}
	printf("doctor: %u failed, %u warnings, %u notes, %u ok: %s\n", d->count[FAIL],
	       d->count[WARN], d->count[NOTE], d->count[OK], verdict(d));
}

static void print_json(const struct doctor *d, int code)
{
	struct json json = JSON_INIT(stdout);

	json_open(&json, NULL, '{');
	if (d->pid)
		json_signed(&json, "pid", d->pid);
	else
		json_null(&json, "pid");
	if (*d->cgroup)
		json_string(&json, "cgroup", d->cgroup);
	else
		json_null(&json, "cgroup");
	json_string(&json, "verdict", verdict(d));
	json_signed(&json, "exit_status", code);
	json_open(&json, "findings", '[');
	for (size_t i = 0; i < d->nr_findings; i++) {
		const struct finding *f = &d->findings[i];

		json_open(&json, NULL, '{');
		json_string(&json, "id", f->check->id);
		json_string(&json, "severity", severities[f->severity]);
		json_string(&json, "text", f->text);
		json_string(&json, "why", f->check->why);
		json_string(&json, "todo", f->check->todo);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* -- running ----------------------------------------------------------------- */

/* Of a cgroup and those below, the process with most memory stands for it. */
struct largest {
	const char *cgroup;
	long long rss;
	pid_t pid;
};

static int visit_largest(int cgroup, const char *path, int depth, void *data)
{
	struct largest *largest = data;
	char text[65536], *line, *rest = NULL;
	long long rss;
	pid_t pid;

	(void)depth;
	if (!tbtf_cgfs_below(path, largest->cgroup) ||
	    tbtf_cgfs_read(cgroup, "cgroup.procs", text, sizeof(text)) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (tbtf_parse_pid(line, &pid) || tbtf_proc_status(pid, "VmRSS", &rss) ||
		    rss <= largest->rss)
			continue;
		largest->rss = rss;
		largest->pid = pid;
	}
	return 0;
}

static int open_target(struct doctor *d, const char *pid, const char *cgroup, const char *unit)
{
	struct largest largest = { .cgroup = d->cgroup, .rss = -1 };
	char path[PATH_LEN];
	int fd;

	if (pid) {
		if (!tbtf_path(path, "/proc/%s", pid) || access(path, F_OK))
			return tbtf_failed(ESRCH, "process %s", pid);
		if (tbtf_proc_cgroup(pid, d->cgroup))
			d->cgroup[0] = '\0';
		d->sample = d->pid;
		return 0;
	}
	if (!cgroup && !unit)
		return 0;
	fd = cgroup ? tbtf_cgfs_open_named(cgroup, d->cgroup) : tbtf_unit_open(unit, d->cgroup);
	if (fd < 0)
		return -fd;
	d->target_is_cgroup = true;
	close(fd);
	tbtf_cgfs_walk(visit_largest, &largest);
	d->sample = largest.pid;
	return 0;
}

static void examine(struct doctor *d)
{
	pid_t *pids = NULL;
	size_t nr;
	int pidfd;

	d->sysfs = tbtf_open_sysfs();
	d->dev = tbtf_open_device();
	if (!tbtf_proc_pids(&pids, &nr))
		d->nr_processes = nr;
	free(pids);
	if (d->pid && d->dev >= 0) {
		pidfd = tbtf_pidfd_open(d->pid);
		if (pidfd >= 0) {
			d->has_info = !tbtf_get_info(d->dev, pidfd, &d->info);
			close(pidfd);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		d->check = &checks[i];
		if ((d->check->subject == PROCESS && !d->pid) ||
		    (d->check->subject == TARGET && !d->pid && !d->target_is_cgroup))
			continue;
		d->check->run(d);
	}
	if (d->sysfs >= 0)
		close(d->sysfs);
	if (d->dev >= 0)
		close(d->dev);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "cgroup",	required_argument,	NULL, 'c' },
		{ "unit",	required_argument,	NULL, 'u' },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "json",	no_argument,		NULL, 'j' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const char *cgroup = NULL, *unit = NULL, *pid;
	bool verbose = false, as_json = false;
	static struct doctor d;
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":c:u:vjh", names, &code)) != -1) {
		switch (opt) {
		case 'c':
			cgroup = optarg;
			break;
		case 'u':
			unit = optarg;
			break;
		case 'v':
			verbose = true;
			break;
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	pid = argv[optind];
	if (argc - optind > 1 || !!pid + !!cgroup + !!unit > 1)
		return tbtf_bad_usage(cmd, "give one pid, or --cgroup, or --unit, or nothing");
	if (pid && tbtf_parse_pid(pid, &d.pid))
		return tbtf_bad_usage(cmd, "'%s' is not a pid (a decimal number above 0)", pid);
	code = open_target(&d, pid, cgroup, unit);
	if (code)
		return code == EXIT_FAILED ? EXIT_BAD_USAGE : code;
	examine(&d);
	code = d.count[FAIL] ? EXIT_NOT_PROTECTED : d.count[WARN] ? EXIT_WARNINGS : EXIT_OK;
	if (as_json)
		print_json(&d, code);
	else
		print_text(&d, verbose);
	for (size_t i = 0; i < d.nr_findings; i++)
		free(d.findings[i].text);
	free(d.findings);
	return code;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.synopsis = "[OPTION...] [PID|--cgroup PATH|--unit NAME]",
	.summary = "is tbtf in order, and what works against this process?",
	.help = "Without a process or cgroup: the machine only. Nothing is changed.\n\n"
		"Options:\n"
		"  -c, --cgroup PATH       look at this cgroup (v2) as well\n"
		"  -u, --unit NAME         look at the cgroup of this systemd unit as well\n"
		"  -v, --verbose           what is in order, too\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0 all well; 1 warnings; 2 not protected; 64 wrong arguments, or\n"
		"no such process or cgroup; 77 not permitted.\n",
	.run = run,
};
