// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - doctor: one process or cgroup, and what works against it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

static const char *target_name(const struct doctor *d, char buf[320])
{
	char comm[256];

	if (d->pid)
		snprintf(buf, 320, "process %d (%.280s)", d->pid, doctor_comm(d->pid, comm));
	else
		tbtf_text(buf, 300, d->cgroup);
	return buf;
}

/* The role that counts for the target. 0 or -errno. */
static int effective(struct doctor *d, uint32_t *ret_role)
{
	int fd, err;

	if (d->has_info) {
		*ret_role = d->info.effective;
		return 0;
	}
	/* What its cgroup says holds unless the process has a role of its own. */
	if (!*d->cgroup || (d->pid && !*tbtf_root))
		return -ENODATA;
	fd = tbtf_cgfs_open(d->cgroup);
	if (fd < 0)
		return fd;
	err = tbtf_cgroup_get_role(fd, NULL, ret_role);
	close(fd);
	return err;
}

void check_role(struct doctor *d)
{
	char name[320];
	uint32_t role;
	int err;

	if (d->sysfs < 0)
		return;
	err = effective(d, &role);
	if (err == -EOPNOTSUPP)
		doctor_found(d, FAIL, "%s has no memory controller, and so no role",
			     target_name(d, name));
	else if (err)
		doctor_found(d, NOTE, "cannot tell the role of %s: it takes root and /dev/tbtf",
			     target_name(d, name));
	else if (role != TBTF_ROLE_TBTF)
		doctor_found(d, FAIL, "%s is %s: nobody is sacrificed for it", target_name(d, name),
			     tbtf_role_name(role));
	else
		doctor_found(d, OK, "%s is too big to fail%s%s", target_name(d, name),
			     d->has_info ? ", by its " : "",
			     d->has_info ? tbtf_source_name(d->info.source) : "");
}

void check_adj(struct doctor *d)
{
	char text[32];
	long adj;

	if (tbtf_readf(text, sizeof(text), "/proc/%d/oom_score_adj", d->pid) < 0)
		return;
	adj = strtol(text, NULL, 10);
	if (adj == -1000)
		doctor_found(d, WARN, "oom_score_adj is -1000: the kernel never chooses it, and so nobody is sacrificed in its place");
	else if (adj < 0)
		doctor_found(d, NOTE, "oom_score_adj is %ld: the kernel kills bigger ones first, and tbtf is asked later",
			     adj);
	else if (adj > 0)
		doctor_found(d, NOTE, "oom_score_adj is %ld: the kernel chooses it sooner than others, and more are sacrificed",
			     adj);
	else
		doctor_found(d, OK, "oom_score_adj is 0");
}

static void visit_oom_group(struct doctor *d, int cgroup, const char *path)
{
	bool feature = d->sysfs < 0 || tbtf_feature_get(d->sysfs, "group") != 0;
	char shown[300];
	uint64_t value;

	if (tbtf_cgfs_number(cgroup, "memory.oom.group", &value) || !value)
		return;
	tbtf_text(shown, sizeof(shown), path);
	if (feature)
		doctor_found(d, WARN, "memory.oom.group of %s is 1", shown);
	else
		doctor_found(d, FAIL, "memory.oom.group of %s is 1, and the feature 'group' is missing: a kill there takes the protected along",
			     shown);
}

void check_oom_group(struct doctor *d)
{
	size_t before = d->nr_findings;

	doctor_each_above(d, visit_oom_group);
	if (d->nr_findings == before && *d->cgroup)
		doctor_found(d, OK, "memory.oom.group is 0 here and above");
}

/* How many candidates an OOM of this cgroup (-1: of the machine) has. -errno if unknown. */
static int preview(struct doctor *d, int cgroup, struct tbtf_preview *ret_preview,
		   uint32_t *ret_bigger)
{
	struct tbtf_candidate *list = NULL;
	int pidfd, err;

	if (d->dev < 0 || !d->sample)
		return -ENODATA;
	pidfd = tbtf_pidfd_open(d->sample);
	if (pidfd < 0)
		return pidfd;
	err = tbtf_preview_candidates(d->dev, pidfd, cgroup, TBTF_POLICY_SET, TBTF_PREVIEW_ALL,
				      ret_preview, &list);
	close(pidfd);
	if (err)
		return err;
	*ret_bigger = 0;
	for (uint32_t i = 0; i < ret_preview->count; i++)
		*ret_bigger += list[i].reason == TBTF_REASON_TOO_BIG;
	free(list);
	return 0;
}

static void visit_limit(struct doctor *d, int cgroup, const char *path)
{
	char shown[300], size[16], used[16], knob[64];
	uint64_t max, current = 0;
	struct tbtf_preview p;
	uint32_t bigger;

	if (tbtf_cgfs_number(cgroup, "memory.max", &max) || max == UINT64_MAX)
		return;
	tbtf_cgfs_number(cgroup, "memory.current", &current);
	tbtf_text(shown, sizeof(shown), path);
	tbtf_size(max / 1024, size);
	tbtf_size(current / 1024, used);
	if (preview(d, cgroup, &p, &bigger))
		doctor_found(d, NOTE, "memory.max of %s is %s, of which %s are used", shown, size,
			     used);
	else if (p.nr_candidates || bigger)
		doctor_found(d, NOTE, "memory.max of %s is %s, of which %s are used; %u process%s there could go",
			     shown, size, used, p.nr_candidates + bigger,
			     p.nr_candidates + bigger == 1 ? "" : "es");
	else
		doctor_found(d, WARN, "memory.max of %s is %s, of which %s are used, and nobody there could go instead: on_exhausted_memcg (%s) decides",
			     shown, size, used, doctor_knob(d, "on_exhausted_memcg", knob));
}

void check_limits(struct doctor *d)
{
	size_t before = d->nr_findings;

	doctor_each_above(d, visit_limit);
	if (d->nr_findings == before && *d->cgroup)
		doctor_found(d, OK, "there is no memory.max here or above");
}

static void visit_swap_max(struct doctor *d, int cgroup, const char *path)
{
	char shown[300], size[16];
	uint64_t max;

	if (tbtf_cgfs_number(cgroup, "memory.swap.max", &max) || max == UINT64_MAX)
		return;
	tbtf_text(shown, sizeof(shown), path);
	if (max)
		doctor_found(d, NOTE, "memory.swap.max of %s is %s", shown,
			     tbtf_size(max / 1024, size));
	else
		doctor_found(d, WARN, "memory.swap.max of %s is 0", shown);
}

void check_swap_max(struct doctor *d)
{
	size_t before = d->nr_findings;

	doctor_each_above(d, visit_swap_max);
	if (d->nr_findings == before && *d->cgroup)
		doctor_found(d, OK, "there is no memory.swap.max here or above");
}

/* Memory that a field of /proc/PID/status counts, against all of the process. */
static void check_share(struct doctor *d, const char *field, const char *what)
{
	long long part = 0, rss = 0, swap = 0, huge = 0, all;
	char size[16], whole[16];

	if (tbtf_proc_status(d->pid, field, &part))
		return;
	tbtf_proc_status(d->pid, "VmRSS", &rss);
	tbtf_proc_status(d->pid, "VmSwap", &swap);
	tbtf_proc_status(d->pid, "HugetlbPages", &huge);
	all = rss + swap + huge;
	if (!part) {
		doctor_found(d, OK, "it has no %s memory", what);
		return;
	}
	/* Locked address space need not be there yet: it can be more than all. */
	doctor_found(d, part * 2 >= all ? WARN : NOTE, "%s of its %s are %s", tbtf_size(part, size),
		     tbtf_size(all, whole), what);
}

void check_locked(struct doctor *d)
{
	check_share(d, "VmLck", "locked");
}

void check_hugetlb(struct doctor *d)
{
	check_share(d, "HugetlbPages", "hugetlb");
}

/* Whether pid is below the target in the tree of processes. */
static bool is_descendant(struct doctor *d, pid_t pid)
{
	long long parent;

	/* Bounded: a tree that changes meanwhile must not make this a circle. */
	for (int depth = 0; depth < 64; depth++) {
		if (tbtf_proc_status(pid, "PPid", &parent) || parent <= 1)
			return false;
		if (parent == d->pid)
			return true;
		pid = parent;
	}
	return false;
}

void check_children(struct doctor *d)
{
	int below = 0, bare = 0, pidfd, err;
	struct tbtf_info info;
	pid_t *pids = NULL;
	size_t nr;

	if (!d->has_info || d->info.effective != TBTF_ROLE_TBTF || tbtf_proc_pids(&pids, &nr))
		return;
	for (size_t i = 0; i < nr; i++) {
		if (!is_descendant(d, pids[i]))
			continue;
		below++;
		pidfd = tbtf_pidfd_open(pids[i]);
		if (pidfd < 0)
			continue;
		err = tbtf_get_info(d->dev, pidfd, &info);
		close(pidfd);
		bare += !err && info.effective != TBTF_ROLE_TBTF;
	}
	free(pids);
	if (bare)
		doctor_found(d, WARN, "%d of its %d child processes are not protected", bare, below);
	else if (below)
		doctor_found(d, OK, "its %d child processes are protected as well", below);
	else
		doctor_found(d, OK, "it has no child processes");
}

void check_candidates(struct doctor *d)
{
	char least[16], size[16];
	struct tbtf_preview p;
	uint32_t bigger;

	if (preview(d, -1, &p, &bigger)) {
		if (d->dev >= 0 && !d->sample)
			doctor_found(d, NOTE, "no process is in it yet");
		return;
	}
	tbtf_size(p.protected_kb, size);
	tbtf_size(p.min_victim_kb, least);
	if (p.nr_candidates)
		doctor_found(d, OK, "%u candidate%s in an OOM of the machine (smaller than %s, worth %s or more)",
			     p.nr_candidates, p.nr_candidates == 1 ? "" : "s", size, least);
	else if (bigger)
		doctor_found(d, WARN, "nobody smaller could go in its place (worth %s or more)", least);
	else
		doctor_found(d, FAIL, "nobody could go in its place (smaller than %s, worth %s or more)",
			     size, least);
	if (bigger)
		doctor_found(d, NOTE, "%u unprotected process%s not smaller: the kernel chooses such first",
			     bigger, bigger == 1 ? " is" : "es are");
}
