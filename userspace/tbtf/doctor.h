/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - doctor: what the files with the checks share
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A check is a function that looks at one thing and reports what it found, at
 * most a few times, with doctor_found(). A check that cannot look (a file is
 * missing because there is no such feature in this kernel) reports nothing.
 */
#ifndef _TBTF_DOCTOR_H
#define _TBTF_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd.h"

enum severity {
	OK,		/* looked, and it is as it should be */
	NOTE,		/* good to know, nothing to repair */
	WARN,		/* protection is weaker than it looks */
	FAIL,		/* not protected */
	NR_SEVERITIES,
};

struct finding {
	const struct check *check;
	enum severity severity;
	char *text;
};

struct doctor {
	/* What to look at. */
	pid_t pid;		/* 0: no process is given */
	char cgroup[PATH_LEN];	/* of the process, or the one given; "": none */
	bool target_is_cgroup;
	pid_t sample;		/* the process, or the largest one in the cgroup; or 0 */

	/* What to ask; -1 or false where it is not there. */
	int sysfs;
	int dev;
	bool has_info;
	struct tbtf_info info;	/* of pid */
	long nr_processes;

	/* What was found. */
	const struct check *check;
	struct finding *findings;
	size_t nr_findings;
	unsigned int count[NR_SEVERITIES];
};

enum subject { MACHINE, TARGET, PROCESS };	/* TARGET: a process or a cgroup */

struct check {
	const char *id;		/* stable: part of the JSON output */
	enum subject subject;
	void (*run)(struct doctor *d);
	const char *why;	/* it matters */
	const char *todo;
};

__attribute__((format(printf, 3, 4)))
void doctor_found(struct doctor *d, enum severity level, const char *format, ...);

/* The value of a knob, or "" without the module. */
const char *doctor_knob(struct doctor *d, const char *name, char buf[64]);

/* The comm of a process as it may be printed. */
const char *doctor_comm(pid_t pid, char buf[256]);

/*
 * Call visit with the directory and path of the target's cgroup and of every
 * one above it but the root, from the bottom up.
 */
void doctor_each_above(struct doctor *d,
		       void (*visit)(struct doctor *d, int cgroup, const char *path));

/* doctor_machine.c: what holds for everybody */
void check_module(struct doctor *d);
void check_features(struct doctor *d);
void check_enabled(struct doctor *d);
void check_dry_run(struct doctor *d);
void check_device(struct doctor *d);
void check_marked(struct doctor *d);
void check_history(struct doctor *d);
void check_panic_on_oom(struct doctor *d);
void check_overcommit(struct doctor *d);
void check_allocating_task(struct doctor *d);
void check_dump_tasks(struct doctor *d);
void check_panic_timeout(struct doctor *d);
void check_swappiness(struct doctor *d);
void check_cgroup_v1(struct doctor *d);

/* doctor_others.c: other programs that have a say */
void check_livepatch(struct doctor *d);
void check_killers(struct doctor *d);
void check_watchdog(struct doctor *d);
void check_statistics(struct doctor *d);
void check_oom_policy(struct doctor *d);

/* doctor_target.c: one process or cgroup */
void check_role(struct doctor *d);
void check_adj(struct doctor *d);
void check_oom_group(struct doctor *d);
void check_limits(struct doctor *d);
void check_swap_max(struct doctor *d);
void check_locked(struct doctor *d);
void check_hugetlb(struct doctor *d);
void check_children(struct doctor *d);
void check_candidates(struct doctor *d);

#endif /* _TBTF_DOCTOR_H */
