// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: what an OOM costs
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each file in /sys/kernel/debug/oom_measure does something when it is read,
 * and gives the nanoseconds it took:
 *
 *	select		the kernel's own selection over all processes
 *	round		out_of_memory() from entry to return, as for an order-0
 *			allocation of the reader: somebody is killed
 *	select_memcg	as select, for the memory cgroup of the reader
 *	round_memcg	as round, for an OOM at the limit of that cgroup
 *
 * There is memory left all the while: for the rounds it is hidden, behind copies
 * of the zones of which no page is free, and a limit of the cgroup that is what
 * it uses. Whoever looks before he kills finds none.
 *
 * It knows nothing of tbtf: the same probe measures the kernel with it and
 * without.
 */
#include <linux/cgroup.h>
#include <linux/debugfs.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/page_counter.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "ksym.h"

static unsigned long evaluate_addr, out_of_memory_addr, scan_tasks_addr;
static struct mutex *oom_lock_ptr;
static struct dentry *dir;
static struct zonelist empty;	/* as that of this node, with zones that have nothing */

/* The reader stays where it is, and so does its cgroup. */
static struct mem_cgroup *scope(bool memcg)
{
	struct mem_cgroup *ret = NULL;

	rcu_read_lock();
	if (memcg)
		ret = mem_cgroup_from_task(current);
	rcu_read_unlock();
	return ret;
}

#define OOM_CONTROL(_memcg) {						\
	.zonelist = node_zonelist(numa_node_id(), GFP_KERNEL),		\
	.memcg = (_memcg),						\
	.gfp_mask = GFP_KERNEL,						\
	.totalpages = totalram_pages(),					\
	.chosen_points = LONG_MIN,					\
}

static u64 select(bool memcg)
{
	struct oom_control oc = OOM_CONTROL(scope(memcg));
	struct task_struct *p;
	u64 t0, t1;

	t0 = ktime_get_ns();
	if (memcg) {
		test_call(scan_tasks_addr, (unsigned long)oc.memcg, evaluate_addr,
			  (unsigned long)&oc);
	} else {
		rcu_read_lock();
		for_each_process(p)
			if (test_call(evaluate_addr, (unsigned long)p, (unsigned long)&oc, 0))
				break;
		rcu_read_unlock();
	}
	t1 = ktime_get_ns();
	if (oc.chosen && oc.chosen != (void *)-1UL)
		put_task_struct(oc.chosen);
	return t1 - t0;
}

static u64 kill_round(bool memcg)
{
	struct oom_control oc = OOM_CONTROL(scope(memcg));
	unsigned long max = 0;
	u64 t0, t1;

	oc.zonelist = &empty;
	mutex_lock(oom_lock_ptr);
	if (oc.memcg) {
		max = READ_ONCE(oc.memcg->memory.max);
		WRITE_ONCE(oc.memcg->memory.max, page_counter_read(&oc.memcg->memory));
	}
	t0 = ktime_get_ns();
	test_call(out_of_memory_addr, (unsigned long)&oc, 0, 0);
	t1 = ktime_get_ns();
	if (oc.memcg)
		WRITE_ONCE(oc.memcg->memory.max, max);
	mutex_unlock(oom_lock_ptr);
	return t1 - t0;
}

static int get_select(void *memcg, u64 *ret)
{
	*ret = select(memcg);
	return 0;
}

static int get_round(void *memcg, u64 *ret)
{
	*ret = kill_round(memcg);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(select_fops, get_select, NULL, "%llu\n");
DEFINE_DEBUGFS_ATTRIBUTE(round_fops, get_round, NULL, "%llu\n");

static void free_zones(void)
{
	struct zoneref *ref;

	for (ref = empty._zonerefs; ref->zone; ref++)
		kfree(ref->zone);
}

static int copy_zones(void)
{
	struct zoneref *from = node_zonelist(numa_node_id(), GFP_KERNEL)->_zonerefs;
	struct zoneref *to;

	for (to = empty._zonerefs; from->zone; from++, to++) {
		to->zone = kmemdup(from->zone, sizeof(*from->zone), GFP_KERNEL);
		if (!to->zone) {
			free_zones();
			return -ENOMEM;
		}
		to->zone_idx = from->zone_idx;
		atomic_long_set(&to->zone->vm_stat[NR_FREE_PAGES], 0);
	}
	return 0;
}

static int __init oom_measure_init(void)
{
	int err;

	evaluate_addr = test_text("oom_evaluate_task");
	out_of_memory_addr = test_text("out_of_memory");
	scan_tasks_addr = test_text("mem_cgroup_scan_tasks");
	oom_lock_ptr = (struct mutex *)test_data("oom_lock");
	if (!evaluate_addr || !out_of_memory_addr || !scan_tasks_addr || !oom_lock_ptr) {
		pr_err("oom_measure: this kernel lacks a function that is measured\n");
		return -ENOENT;
	}
	err = copy_zones();
	if (err)
		return err;
	dir = debugfs_create_dir("oom_measure", NULL);
	debugfs_create_file("select", 0400, dir, NULL, &select_fops);
	debugfs_create_file("round", 0400, dir, NULL, &round_fops);
	debugfs_create_file("select_memcg", 0400, dir, (void *)1, &select_fops);
	debugfs_create_file("round_memcg", 0400, dir, (void *)1, &round_fops);
	return 0;
}

static void __exit oom_measure_exit(void)
{
	debugfs_remove(dir);
	free_zones();
}

module_init(oom_measure_init);
module_exit(oom_measure_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: what an OOM costs");
MODULE_LICENSE("GPL");
