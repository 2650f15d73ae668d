// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the door for cgroups: memory.tbtf and its two companions
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The files are of the memory controller, in every cgroup v2 but the root.
 * Delegating a cgroup delegates nothing of this: who may take memory from
 * everybody else is decided by the one who owns the machine.
 */
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/nsproxy.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "tbtf.h"

static unsigned long add_addr, rm_addr;
static bool added;

static int role_show(struct seq_file *seq, void *unused)
{
	struct mem_cgroup *memcg = mem_cgroup_from_css(seq_css(seq));

	seq_printf(seq, "%s\n", tbtf_role_names[tbtf_role_cgroup_own(memcg)]);
	return 0;
}

static int effective_show(struct seq_file *seq, void *unused)
{
	u32 role;

	rcu_read_lock();
	role = tbtf_role_cgroup(mem_cgroup_from_css(seq_css(seq)), NULL);
	rcu_read_unlock();
	seq_printf(seq, "%s\n", tbtf_role_names[role ?: TBTF_ROLE_ORDINARY]);
	return 0;
}

static int events_show(struct seq_file *seq, void *unused)
{
	u64 sacrificed, spared;

	tbtf_role_events(mem_cgroup_from_css(seq_css(seq)), &sacrificed, &spared);
	seq_printf(seq, "sacrificed %llu\nspared %llu\n", sacrificed, spared);
	return 0;
}

static ssize_t role_write(struct kernfs_open_file *of, char *buf, size_t nbytes, loff_t off)
{
	int role, err;

	/* Of the one who opened it, too: a descriptor passed on is no right. */
	if (!capable(CAP_SYS_RESOURCE) ||
	    !file_ns_capable(of->file, &init_user_ns, CAP_SYS_RESOURCE))
		return -EPERM;
	if (current->nsproxy->cgroup_ns != init_task.nsproxy->cgroup_ns)
		return -EPERM;
	role = match_string(tbtf_role_names, -1, strstrip(buf));
	if (role < 0)
		return -EINVAL;
	err = tbtf_role_cgroup_set(mem_cgroup_from_css(of_css(of)), role);
	return err ?: nbytes;
}

static struct cftype files[] = {
	{
		.name = "tbtf",
		.flags = CFTYPE_NOT_ON_ROOT,
		.seq_show = role_show,
		.write = role_write,
	},
	{
		.name = "tbtf.effective",
		.flags = CFTYPE_NOT_ON_ROOT,
		.seq_show = effective_show,
	},
	{
		.name = "tbtf.events",
		.flags = CFTYPE_NOT_ON_ROOT,
		.seq_show = events_show,
	},
	{ }
};

/**
 * tbtf_cgroup_setup() - add the files to all cgroups
 *
 * A kernel that lacks what it takes has no such files; the rest works.
 *
 * Context: may sleep; takes cgroup_mutex.
 * Return: 0, also where the files are missing; or -ENOMEM.
 */
int __init tbtf_cgroup_setup(void)
{
	const char *why = NULL;
	int err;

	add_addr = tbtf_ksym_text("cgroup_add_dfl_cftypes");
	rm_addr = tbtf_ksym_text("cgroup_rm_cftypes");
	if (mem_cgroup_disabled())
		why = "booted without memory cgroups";
	else if (!cgroup_subsys_on_dfl(memory_cgrp_subsys))
		why = "the memory controller is on cgroup v1";
	else if (!add_addr || !rm_addr)
		why = "this kernel has no cgroup_add_dfl_cftypes";
	if (why) {
		pr_warn("no memory.tbtf files: %s\n", why);
		return 0;
	}
	err = (int)tbtf_call(add_addr, (unsigned long)&memory_cgrp_subsys, (unsigned long)files,
			     0, 0, 0);
	if (err) {
		pr_err("cannot add the memory.tbtf files: %d; not loading\n", err);
		return err;
	}
	added = true;
	tbtf_hook_add_feature(TBTF_FEATURE_CGROUP);
	return 0;
}

/**
 * tbtf_cgroup_teardown() - remove the files
 *
 * When it returns, no reader or writer is in them; later ones get ENODEV.
 *
 * Context: may sleep; takes cgroup_mutex.
 */
void tbtf_cgroup_teardown(void)
{
	if (added)
		tbtf_call(rm_addr, (unsigned long)files, 0, 0, 0, 0);
	added = false;
}
