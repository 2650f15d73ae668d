// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - victims whose memory is on its way
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * exit_mmap() sets MMF_OOM_SKIP when it has unmapped all of a victim's memory, and
 * from then on the kernel looks for the next one. But the pages, and all page
 * tables, are given back a little later only. In between the task may lose the
 * CPU: seldom without kernel preemption, most of the time with it. Who looks just
 * then would kill one more for nothing.
 *
 * So the mm of those about to be killed is remembered, and whether it is in that
 * last part of its life is asked before another is chosen. It is there from when
 * nobody uses it until its tree of mappings is destroyed, which is the last thing
 * that exit_mmap() does.
 */
#include <linux/bitops.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "tbtf.h"

struct leaving {
	struct mm_struct *mm;		/* with a reference to the struct, or NULL */
	u64 memcg;			/* whose limit it died for; 0: the machine's */
	unsigned long noted;		/* jiffies */
	unsigned long waited;		/* jiffies since when, or 0 */
};

static DEFINE_SPINLOCK(leaving_lock);	/* L */
static struct leaving leaving[TBTF_LEAVING_NR];	/* L */
/* L: of these, bit by bit, who is not known to be gone: as a rule one, and the rest is history. */
static unsigned long undecided;
static_assert(TBTF_LEAVING_NR < BITS_PER_LONG);

static void forget_gone(struct work_struct *work);
static DECLARE_DELAYED_WORK(forget_work, forget_gone);

static u64 scope_id(const struct mem_cgroup *memcg)
{
	return memcg ? cgroup_id(memcg->css.cgroup) : 0;
}

/* In exit_mmap(), or past it? */
static bool in_exit(const struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users);
}

static bool gone(const struct mm_struct *mm)
{
	return in_exit(mm) && tbtf_mm_torn_down(mm);
}

static void note_locked(struct task_struct *t, void *arg)
{
	struct leaving *new = arg;

	new->mm = t->mm;
	mmgrab(new->mm);
}

/**
 * tbtf_leaving_note() - this process is about to be killed
 * @victim: the process
 * @memcg: whose limit it dies for; NULL: the machine's
 *
 * Context: under oom_lock; takes task_lock.
 */
void tbtf_leaving_note(struct task_struct *victim, struct mem_cgroup *memcg)
{
	struct leaving new = {
		.memcg = scope_id(memcg),
		.noted = jiffies,
	};
	unsigned int i, place;
	struct mm_struct *drop;

	rcu_read_lock();
	tbtf_with_mm(victim, note_locked, &new);
	rcu_read_unlock();
	if (!new.mm)
		return;

	spin_lock(&leaving_lock);
	/* In its own place, if it was noted before; in a free one; in the oldest. */
	place = ffz(undecided);
	for_each_set_bit(i, &undecided, TBTF_LEAVING_NR) {
		if (leaving[i].mm == new.mm) {
			place = i;
			break;
		}
		if (place >= TBTF_LEAVING_NR ||
		    (undecided & BIT(place) && time_before(leaving[i].noted, leaving[place].noted)))
			place = i;
	}
	drop = leaving[place].mm;
	leaving[place] = new;
	undecided |= BIT(place);
	spin_unlock(&leaving_lock);
	if (drop)
		mmdrop(drop);
	schedule_delayed_work(&forget_work, msecs_to_jiffies(TBTF_LEAVING_SWEEP_MS));
}

/**
 * tbtf_leaving() - is memory about to come that is nobody's already?
 * @memcg: that is out of memory; NULL: the machine
 *
 * Context: under oom_lock.
 * Return: true if it is. For one victim no longer than TBTF_LEAVING_MS.
 */
bool tbtf_leaving(const struct mem_cgroup *memcg)
{
	unsigned long most = msecs_to_jiffies(TBTF_LEAVING_MS);
	u64 scope = scope_id(memcg);
	bool pending = false;
	struct leaving *g;
	unsigned int i;

	spin_lock(&leaving_lock);
	for_each_set_bit(i, &undecided, TBTF_LEAVING_NR) {
		g = &leaving[i];
		if ((scope && scope != g->memcg) || !in_exit(g->mm))
			continue;
		if (gone(g->mm)) {
			undecided &= ~BIT(i);
			continue;
		}
		if (!g->waited)
			g->waited = jiffies ?: 1;
		pending |= time_before(jiffies, g->waited + most);
	}
	spin_unlock(&leaving_lock);
	return pending;
}

/* Those that are gone, and those that take so long that nobody waits any more. */
static void forget(bool all)
{
	struct mm_struct *drop[TBTF_LEAVING_NR];
	unsigned int n = 0;
	bool left = false;
	struct leaving *g;

	spin_lock(&leaving_lock);
	for (g = leaving; g < leaving + TBTF_LEAVING_NR; g++) {
		if (!g->mm)
			continue;
		if (all || gone(g->mm) ||
		    time_after(jiffies, g->noted + msecs_to_jiffies(TBTF_LEAVING_KEEP_MS))) {
			drop[n++] = g->mm;
			g->mm = NULL;
			undecided &= ~BIT(g - leaving);
		} else {
			left = true;
		}
	}
	spin_unlock(&leaving_lock);
	while (n)
		mmdrop(drop[--n]);
	if (left)
		schedule_delayed_work(&forget_work, msecs_to_jiffies(TBTF_LEAVING_SWEEP_MS));
}

static void forget_gone(struct work_struct *work)
{
	forget(false);
}

/**
 * tbtf_leaving_teardown() - forget all
 *
 * Context: may sleep; no round is in progress, and none can begin.
 */
void tbtf_leaving_teardown(void)
{
	cancel_delayed_work_sync(&forget_work);
	forget(true);
}
