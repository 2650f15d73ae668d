// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what a process is, all doors together
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: a task. Out: the role that counts for it, and who gave it. The order: tbtf,
 * then spare, of its own or of a process that shares its memory; another role of
 * its own; the nearest cgroup above that has one. Lookups take no lock and
 * allocate nothing: they run under oom_lock for every candidate.
 *
 * A record belongs to each cgroup that was given a role or that has lost or
 * spared a process. It holds a reference of the css, so that the pointer is its
 * name, and goes when the cgroup is removed.
 */
#include <linux/hash.h>
#include <linux/kernfs.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "tbtf.h"

struct tbtf_cgroup {
	struct hlist_node node;		/* C */
	struct mem_cgroup *memcg;	/* I: holds a reference of its css */
	u8 role;			/* A: TBTF_ROLE_INHERIT: here for its counts */
	bool changed;			/* A: whoever polls its events is to be told */
	atomic64_t sacrificed;
	atomic64_t spared;
	struct rcu_head rcu;
};

#define HASH_SIZE	(1U << TBTF_CGROUP_HASH_BITS)

static DEFINE_SPINLOCK(role_lock);
static struct hlist_head cgroup_hash[HASH_SIZE];
static unsigned int nr_cgroups;				/* C: records in the hash */
static struct tbtf_cgroup *pool[TBTF_CGROUP_POOL];	/* C: to be taken under oom_lock */
static unsigned int pool_fill;				/* C */
static bool stopped;					/* C: no record is added any more */

unsigned int tbtf_nr_role_cgroups;
unsigned int tbtf_nr_role_protecting;
unsigned int tbtf_nr_role_expendable;

const char *const tbtf_role_names[] = {
	[TBTF_ROLE_INHERIT]	= "inherit",
	[TBTF_ROLE_TBTF]	= "tbtf",
	[TBTF_ROLE_SPARE]	= "spare",
	[TBTF_ROLE_EXPENDABLE]	= "expendable",
	[TBTF_ROLE_ORDINARY]	= "ordinary",
	NULL
};

static void refill(struct work_struct *work);
static DECLARE_DELAYED_WORK(refill_work, refill);

static struct mem_cgroup *parent_of(struct mem_cgroup *memcg)
{
	return memcg->css.parent ? mem_cgroup_from_css(memcg->css.parent) : NULL;
}

static struct hlist_head *chain(struct mem_cgroup *memcg)
{
	return &cgroup_hash[hash_ptr(memcg, TBTF_CGROUP_HASH_BITS)];
}

/* Under RCU or role_lock. */
static struct tbtf_cgroup *find(struct mem_cgroup *memcg)
{
	struct tbtf_cgroup *rec;

	hlist_for_each_entry_rcu(rec, chain(memcg), node, lockdep_is_held(&role_lock))
		if (rec->memcg == memcg)
			return rec;
	return NULL;
}

static bool protecting(u32 role)
{
	return role == TBTF_ROLE_TBTF || role == TBTF_ROLE_SPARE;
}

static void set_role(struct tbtf_cgroup *rec, u32 role)
{
	u32 old = rec->role;

	lockdep_assert_held(&role_lock);
	WRITE_ONCE(tbtf_nr_role_cgroups, tbtf_nr_role_cgroups - !!old + !!role);
	WRITE_ONCE(tbtf_nr_role_protecting,
		   tbtf_nr_role_protecting - protecting(old) + protecting(role));
	WRITE_ONCE(tbtf_nr_role_expendable, tbtf_nr_role_expendable -
		   (old == TBTF_ROLE_EXPENDABLE) + (role == TBTF_ROLE_EXPENDABLE));
	WRITE_ONCE(rec->role, role);
}

/* Takes over a reference of the css. */
static void insert(struct tbtf_cgroup *rec, struct mem_cgroup *memcg)
{
	lockdep_assert_held(&role_lock);
	rec->memcg = memcg;
	hlist_add_head_rcu(&rec->node, chain(memcg));
	nr_cgroups++;
}

/* The caller puts the css and frees the record, without the lock. */
static void unlink(struct tbtf_cgroup *rec)
{
	lockdep_assert_held(&role_lock);
	set_role(rec, TBTF_ROLE_INHERIT);
	hlist_del_rcu(&rec->node);
	nr_cgroups--;
}

static void release(struct tbtf_cgroup *rec)
{
	struct mem_cgroup *memcg = rec->memcg;

	kfree_rcu(rec, rcu);
	/* A reader may still follow it: a css is freed a grace period after its last put. */
	css_put(&memcg->css);
}

/* One that is pending is left alone, but for a count: that is not to wait for a sweep. */
static void schedule_refill(unsigned int ms)
{
	lockdep_assert_held(&role_lock);
	if (stopped || !nr_cgroups)
		return;
	if (ms < TBTF_CGROUP_SWEEP_MS)
		mod_delayed_work(system_percpu_wq, &refill_work, msecs_to_jiffies(ms));
	else
		schedule_delayed_work(&refill_work, msecs_to_jiffies(ms));
}

/**
 * tbtf_task_memcg() - the memory cgroup of a task
 * @task: the task
 *
 * Context: under RCU.
 * Return: it, or NULL where the kernel was booted without memory cgroups.
 */
struct mem_cgroup *tbtf_task_memcg(struct task_struct *task)
{
	return mem_cgroup_disabled() ? NULL : mem_cgroup_from_task(task);
}

/**
 * tbtf_role_cgroup() - the role that a cgroup gives to its processes
 * @memcg: the cgroup, or NULL
 * @ret_from: the one that has the role, or NULL if none has; may be NULL itself
 *
 * Context: under RCU.
 * Return: enum tbtf_role; TBTF_ROLE_INHERIT if neither it nor one above has any.
 */
u32 tbtf_role_cgroup(struct mem_cgroup *memcg, struct mem_cgroup **ret_from)
{
	struct tbtf_cgroup *rec;
	u32 role = TBTF_ROLE_INHERIT;

	if (READ_ONCE(tbtf_nr_role_cgroups)) {
		for (; memcg; memcg = parent_of(memcg)) {
			rec = find(memcg);
			role = rec ? READ_ONCE(rec->role) : TBTF_ROLE_INHERIT;
			if (role)
				break;
		}
	}
	if (ret_from)
		*ret_from = role ? memcg : NULL;
	return role;
}

/**
 * tbtf_role_cgroup_own() - the role that was written to a cgroup
 * @memcg: the cgroup
 *
 * Context: any.
 * Return: enum tbtf_role.
 */
u32 tbtf_role_cgroup_own(struct mem_cgroup *memcg)
{
	struct tbtf_cgroup *rec;
	u32 role;

	rcu_read_lock();
	rec = find(memcg);
	role = rec ? READ_ONCE(rec->role) : TBTF_ROLE_INHERIT;
	rcu_read_unlock();
	return role;
}

/**
 * tbtf_role_cgroup_set() - write the role of a cgroup
 * @memcg: the cgroup, kept alive by the caller
 * @role: enum tbtf_role
 *
 * Context: may sleep; takes role_lock.
 * Return: 0; -ENOMEM; -ENOSPC when TBTF_MAX_CGROUPS have a record; -ENODEV
 * when the cgroup has been removed.
 */
int tbtf_role_cgroup_set(struct mem_cgroup *memcg, u32 role)
{
	struct tbtf_cgroup *rec, *fresh;
	int err = 0;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;

	spin_lock_irq(&role_lock);
	rec = find(memcg);
	if (rec) {
		set_role(rec, role);
	} else if (stopped || !(memcg->css.flags & CSS_ONLINE) ||
		   !css_tryget_online(&memcg->css)) {
		err = -ENODEV;
	} else if (nr_cgroups >= TBTF_MAX_CGROUPS) {
		css_put(&memcg->css);
		err = -ENOSPC;
	} else {
		insert(fresh, memcg);
		set_role(fresh, role);
		fresh = NULL;
	}
	schedule_refill(TBTF_CGROUP_SWEEP_MS);
	spin_unlock_irq(&role_lock);
	kfree(fresh);
	tbtf_lastresort_wake();
	return err;
}

/**
 * tbtf_role_shielded_below() - may a cgroup hold a process that must not die?
 * @memcg: looked for in it and below
 *
 * Speaks of the roles of cgroups; whether one with such a role has any process
 * is not asked: a wrong yes only leaves the group alone.
 *
 * Context: under RCU.
 * Return: true if it, or one below, makes its processes tbtf or spare.
 */
bool tbtf_role_shielded_below(struct mem_cgroup *memcg)
{
	struct tbtf_cgroup *rec;
	unsigned int i;

	if (!READ_ONCE(tbtf_nr_role_protecting))
		return false;
	if (protecting(tbtf_role_cgroup(memcg, NULL)))
		return true;
	for (i = 0; i < HASH_SIZE; i++)
		hlist_for_each_entry_rcu(rec, &cgroup_hash[i], node)
			if (protecting(READ_ONCE(rec->role)) &&
			    mem_cgroup_is_descendant(rec->memcg, memcg))
				return true;
	return false;
}

/**
 * tbtf_role_of() - the role that counts for a process
 * @task: one of its threads, of whose cgroup is spoken
 * @mm: its memory; NULL if it has none
 * @ret: the role, and where it comes from
 *
 * Context: under RCU.
 */
void tbtf_role_of(struct task_struct *task, struct mm_struct *mm, struct tbtf_role_info *ret)
{
	u32 by_mm;

	ret->memcg = NULL;
	if (tbtf_mark_none(task_tgid(task), mm))
		goto cgroup;

	/* The kernel kills by mm: a role that saves one of its sharers saves them all. */
	ret->role = tbtf_mark_role(task_tgid(task));
	ret->source = TBTF_SOURCE_PROCESS;
	/* That is who is asked for in every round, and nothing goes above it. */
	if (ret->role == TBTF_ROLE_TBTF)
		return;
	by_mm = mm ? tbtf_mark_mm_role(mm) : TBTF_ROLE_INHERIT;
	if (ret->role && by_mm != TBTF_ROLE_TBTF && (!by_mm || ret->role == TBTF_ROLE_SPARE))
		return;
	ret->source = TBTF_SOURCE_MM;
	ret->role = by_mm;
	if (ret->role)
		return;

cgroup:
	if (READ_ONCE(tbtf_nr_role_cgroups)) {
		ret->source = TBTF_SOURCE_CGROUP;
		ret->role = tbtf_role_cgroup(tbtf_task_memcg(task), &ret->memcg);
		if (ret->role)
			return;
	}
	ret->source = TBTF_SOURCE_NONE;
	ret->role = TBTF_ROLE_ORDINARY;
}

static void role_locked(struct task_struct *t, void *arg)
{
	tbtf_role_of(t, t->mm, arg);
}

static u32 role_of_process(struct task_struct *task)
{
	struct tbtf_role_info info;

	rcu_read_lock();
	if (!tbtf_with_mm(task, role_locked, &info))
		tbtf_role_of(task, NULL, &info);
	rcu_read_unlock();
	return info.role;
}

/**
 * tbtf_role_protects() - is this process too big to fail?
 * @task: one of its threads
 *
 * Of those who share its memory the marks count, not the cgroups: see
 * tbtf_judge_protected().
 *
 * Context: any; takes task_lock.
 * Return: true if it is.
 */
bool tbtf_role_protects(struct task_struct *task)
{
	return tbtf_role_anyone_protected() && role_of_process(task) == TBTF_ROLE_TBTF;
}

/* A record for a cgroup that is to be counted. Under role_lock and RCU. */
static struct tbtf_cgroup *take_record(struct mem_cgroup *memcg)
{
	struct tbtf_cgroup *rec = find(memcg);

	if (rec || stopped)
		return rec;
	if (!pool_fill || nr_cgroups >= TBTF_MAX_CGROUPS || !css_tryget_online(&memcg->css))
		return NULL;
	rec = pool[--pool_fill];
	insert(rec, memcg);
	return rec;
}

/**
 * tbtf_role_count() - count a process of a cgroup as sacrificed or spared
 * @memcg: the cgroup, or NULL
 * @spared: spared; otherwise sacrificed
 *
 * Counts in every cgroup up to the root, as memory.events does.
 *
 * Context: under oom_lock and RCU: allocates nothing; takes role_lock.
 */
void tbtf_role_count(struct mem_cgroup *memcg, bool spared)
{
	struct tbtf_cgroup *rec;
	unsigned long flags;

	if (!memcg || !memcg->css.parent)
		return;
	spin_lock_irqsave(&role_lock, flags);
	for (; memcg && memcg->css.parent; memcg = parent_of(memcg)) {
		rec = take_record(memcg);
		if (!rec) {
			tbtf_stat_inc(lost_events);
			continue;
		}
		atomic64_inc(spared ? &rec->spared : &rec->sacrificed);
		WRITE_ONCE(rec->changed, true);
	}
	schedule_refill(TBTF_CGROUP_TELL_MS);
	spin_unlock_irqrestore(&role_lock, flags);
}

/**
 * tbtf_role_events() - what was counted for a cgroup
 * @memcg: the cgroup
 * @ret_sacrificed: its processes, and those below, killed for another
 * @ret_spared: saved
 *
 * Context: any.
 */
void tbtf_role_events(struct mem_cgroup *memcg, u64 *ret_sacrificed, u64 *ret_spared)
{
	struct tbtf_cgroup *rec;

	rcu_read_lock();
	rec = find(memcg);
	*ret_sacrificed = rec ? atomic64_read(&rec->sacrificed) : 0;
	*ret_spared = rec ? atomic64_read(&rec->spared) : 0;
	rcu_read_unlock();
}

/* Wake those who poll memory.tbtf.events; drop the records of cgroups without the controller. */
static void tell(void)
{
	struct tbtf_cgroup *rec;
	struct mem_cgroup *memcg;
	struct kernfs_node *kn;
	bool gone;
	unsigned int i;

	for (i = 0; i < HASH_SIZE; i++) {
again:
		memcg = NULL;
		gone = false;
		spin_lock_irq(&role_lock);
		hlist_for_each_entry(rec, &cgroup_hash[i], node) {
			gone = !(rec->memcg->css.flags & CSS_ONLINE);
			if (!gone && !rec->changed)
				continue;
			memcg = rec->memcg;
			rec->changed = false;
			css_get(&memcg->css);
			if (gone)
				unlink(rec);
			break;
		}
		spin_unlock_irq(&role_lock);
		if (!memcg)
			continue;
		if (gone) {
			release(rec);
		} else {
			kn = kernfs_find_and_get(memcg->css.cgroup->kn, "memory.tbtf.events");
			if (kn) {
				kernfs_notify(kn);
				kernfs_put(kn);
			}
		}
		css_put(&memcg->css);
		goto again;
	}
}

static void refill(struct work_struct *work)
{
	struct tbtf_cgroup *rec;

	for (;;) {
		rec = kzalloc(sizeof(*rec), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!rec)
			break;
		spin_lock_irq(&role_lock);
		if (pool_fill < TBTF_CGROUP_POOL) {
			pool[pool_fill++] = rec;
			rec = NULL;
		}
		spin_unlock_irq(&role_lock);
		if (rec)
			break;
	}
	kfree(rec);
	tell();
	spin_lock_irq(&role_lock);
	schedule_refill(TBTF_CGROUP_SWEEP_MS);
	spin_unlock_irq(&role_lock);
}

/**
 * tbtf_role_rmdir() - a cgroup has been removed
 * @cgrp: the cgroup
 *
 * Context: cgroup_rmdir: under cgroup_mutex, interrupts off.
 */
void tbtf_role_rmdir(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css;
	struct tbtf_cgroup *rec = NULL;
	unsigned long flags;

	rcu_read_lock();
	css = rcu_dereference(cgrp->subsys[memory_cgrp_id]);
	if (css) {
		spin_lock_irqsave(&role_lock, flags);
		rec = find(mem_cgroup_from_css(css));
		if (rec)
			unlink(rec);
		spin_unlock_irqrestore(&role_lock, flags);
	}
	rcu_read_unlock();
	if (rec)
		release(rec);
}

/**
 * tbtf_role_setup() - fill the pool of records
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int __init tbtf_role_setup(void)
{
	refill(NULL);
	if (pool_fill == TBTF_CGROUP_POOL)
		return 0;
	tbtf_role_teardown();
	return -ENOMEM;
}

/**
 * tbtf_role_teardown() - forget all cgroups
 *
 * Context: may sleep; nobody can set a role or count any more.
 */
void tbtf_role_teardown(void)
{
	struct tbtf_cgroup *rec;
	struct hlist_node *next;
	unsigned int i;

	spin_lock_irq(&role_lock);
	stopped = true;
	spin_unlock_irq(&role_lock);
	cancel_delayed_work_sync(&refill_work);

	for (i = 0; i < HASH_SIZE; i++) {
		hlist_for_each_entry_safe(rec, next, &cgroup_hash[i], node) {
			spin_lock_irq(&role_lock);
			unlink(rec);
			spin_unlock_irq(&role_lock);
			release(rec);
		}
	}
	while (pool_fill)
		kfree(pool[--pool_fill]);
	/* kfree_rcu() needs no barrier: it calls nothing of the module. */
}
