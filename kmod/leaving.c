// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - victims whose memory is on its way
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The kernel kills nobody while a victim has not yet given back what it has. But
 * it looks away from a victim (MMF_OOM_SKIP) when the pages are unmapped, and
 * exit_mmap() frees them after that: whoever tries again in between would take
 * another life for nothing. So the address spaces of the last victims are held
 * on to, the kernel's own choices' as well, until nothing is mapped any more.
 */
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "tbtf.h"

struct leaving {
	struct mm_struct *mm;		/* L: with a reference; NULL if the entry is free */
	u64 cgroup;			/* L: id of that whose OOM it was; 0 for the machine */
	unsigned long since;		/* L: jiffies of the kill */
};

static DEFINE_SPINLOCK(leaving_lock);	/* L */
static struct leaving leaving[TBTF_LEAVING_NR];
static unsigned int next;		/* L: the oldest entry */

static void forget_old(struct work_struct *work);
static DECLARE_DELAYED_WORK(forget_work, forget_old);

static void forget(struct leaving *l)
{
	lockdep_assert_held(&leaving_lock);
	if (l->mm)
		mmdrop(l->mm);
	l->mm = NULL;
}

static bool is_old(const struct leaving *l)
{
	return time_after(jiffies, l->since + msecs_to_jiffies(TBTF_LEAVING_MS));
}

static void forget_old(struct work_struct *work)
{
	unsigned int i;
	bool again = false;

	spin_lock(&leaving_lock);
	for (i = 0; i < TBTF_LEAVING_NR; i++) {
		if (is_old(&leaving[i]))
			forget(&leaving[i]);
		again |= !!leaving[i].mm;
	}
	spin_unlock(&leaving_lock);
	if (again)
		schedule_delayed_work(&forget_work, msecs_to_jiffies(TBTF_LEAVING_MS));
}

static u64 scope_cgroup(const struct oom_control *oc)
{
	return oc->memcg ? cgroup_id(oc->memcg->css.cgroup) : 0;
}

static void hold_mm(struct task_struct *task, void *ret_mm)
{
	mmgrab(task->mm);
	*(struct mm_struct **)ret_mm = task->mm;
}

/**
 * tbtf_leaving_note() - somebody is about to be killed
 * @oc: the OOM
 * @victim: by the kernel, of its own choice or of ours
 *
 * Context: under oom_lock.
 */
void tbtf_leaving_note(const struct oom_control *oc, struct task_struct *victim)
{
	struct mm_struct *mm = NULL;
	struct leaving *l;

	rcu_read_lock();
	tbtf_with_mm(victim, hold_mm, &mm);
	rcu_read_unlock();
	if (!mm)
		return;
	spin_lock(&leaving_lock);
	l = &leaving[next++ % TBTF_LEAVING_NR];
	forget(l);
	l->mm = mm;
	l->cgroup = scope_cgroup(oc);
	l->since = jiffies;
	spin_unlock(&leaving_lock);
	schedule_delayed_work(&forget_work, msecs_to_jiffies(TBTF_LEAVING_MS) + 1);
}

/**
 * tbtf_leaving() - is memory on its way?
 * @oc: the OOM
 *
 * An address space that has users is the kernel's business, and its reaper's.
 *
 * Context: under oom_lock.
 * Return: true if the last victims' has not all come back, where this OOM would
 * get some of it.
 */
bool tbtf_leaving(const struct oom_control *oc)
{
	u64 cgroup = scope_cgroup(oc);
	struct leaving *l;
	bool ret = false;

	spin_lock(&leaving_lock);
	for (l = leaving; l < leaving + TBTF_LEAVING_NR && !ret; l++)
		ret = l->mm && (!cgroup || l->cgroup == cgroup) && !is_old(l) &&
			!atomic_read(&l->mm->mm_users) && !tbtf_mm_torn_down(l->mm);
	spin_unlock(&leaving_lock);
	return ret;
}

/**
 * tbtf_leaving_teardown() - let go of all
 *
 * Context: may sleep; no round is in progress, and none can begin.
 */
void tbtf_leaving_teardown(void)
{
	unsigned int i;

	cancel_delayed_work_sync(&forget_work);
	spin_lock(&leaving_lock);
	for (i = 0; i < TBTF_LEAVING_NR; i++)
		forget(&leaving[i]);
	spin_unlock(&leaving_lock);
}
