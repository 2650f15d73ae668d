// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - rung two: memory of other nodes
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: a round with nobody to kill. Out: memory is on its way, or it is not and why.
 * What comes is swap, so of use only where something of the protected process can
 * be swapped out. That is judged by counters: nobody's maps are read here.
 */
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "event.h"
#include "tbtf.h"

static const char *const skip_names[TBTF_SKIP_NR] = {
	[TBTF_SKIP_NO_SWAP]	= "this kernel has no swap",
	[TBTF_SKIP_SHARED]	= "too many scopes are out of memory",
	[TBTF_SKIP_NO_HELPER]	= "there is no helper",
	[TBTF_SKIP_FRAGMENTED]	= "memory is in pieces, not gone",
	[TBTF_SKIP_LOCAL]	= "it is marked local",
	[TBTF_SKIP_OTHER_LOCAL]	= "another is marked local, and may swap",
	[TBTF_SKIP_SWAP_MAX]	= "its memory.swap.max is 0",
	[TBTF_SKIP_LOCKED]	= "its memory is locked, or huge pages",
};

static const enum tbtf_stat skip_stats[TBTF_SKIP_NR] = {
	[TBTF_SKIP_NO_SWAP]	= TBTF_STAT_skipped_no_swap,
	[TBTF_SKIP_SHARED]	= TBTF_STAT_skipped_shared,
	[TBTF_SKIP_NO_HELPER]	= TBTF_STAT_skipped_no_helper,
	[TBTF_SKIP_FRAGMENTED]	= TBTF_STAT_skipped_fragmented,
	[TBTF_SKIP_LOCAL]	= TBTF_STAT_skipped_local,
	[TBTF_SKIP_OTHER_LOCAL]	= TBTF_STAT_skipped_other_local,
	[TBTF_SKIP_SWAP_MAX]	= TBTF_STAT_skipped_swap_max,
	[TBTF_SKIP_LOCKED]	= TBTF_STAT_skipped_locked,
};

long *tbtf_swap_total;		/* I: pages, of the kernel, or NULL */

/**
 * tbtf_steal_never_swaps() - are a cgroup's pages kept from swap?
 * @memcg: the cgroup; NULL: none
 *
 * Context: under RCU, or with a reference.
 * Return: true if memory.swap.max is 0 for it or above.
 */
bool tbtf_steal_never_swaps(struct mem_cgroup *memcg)
{
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return false;
	for (; memcg && memcg->css.parent; memcg = mem_cgroup_from_css(memcg->css.parent))
		if (!READ_ONCE(memcg->swap.max))
			return true;
	return false;
}

/* Pages that the scope could have, used or not. */
static unsigned long capacity(const struct oom_control *oc)
{
	unsigned long pages = oc->memcg ? READ_ONCE(oc->memcg->memory.max) : totalram_pages();

	return pages + (tbtf_swap_total ? READ_ONCE(*tbtf_swap_total) : 0);
}

static void locked_locked(struct task_struct *t, void *arg)
{
	bool *ret = arg;
	struct mm_struct *mm = t->mm;
	unsigned long all, files, locked, huge;

	all = tbtf_mm_counter(mm, MM_ANONPAGES) + tbtf_mm_counter(mm, MM_SHMEMPAGES);
	huge = tbtf_mm_hugetlb_pages(mm);
	/* What is locked may be files: all that are mapped, for all one knows. */
	files = mm->total_vm - min(mm->total_vm, mm->data_vm + mm->stack_vm);
	locked = READ_ONCE(mm->locked_vm);
	locked = min(all, locked - min(locked, files));
	*ret = (locked || huge) &&
	       all - locked < max(kb_to_pages(TBTF_STEAL_SWAPPABLE_KB),
				  (all + huge) / TBTF_STEAL_SWAPPABLE_FRACTION);
}

/* Is next to nothing of it left that could be swapped out? */
static bool is_locked(struct task_struct *p)
{
	bool ret = false;

	rcu_read_lock();
	tbtf_with_mm(p, locked_locked, &ret);
	rcu_read_unlock();
	return ret;
}

/* The first that holds; those that hold for the machine come first. */
static enum tbtf_skip why_not(const struct tbtf_episode *ep, struct task_struct *p,
			      const struct tbtf_choice *about, bool fragmented)
{
	enum tbtf_skip local;

	if (!IS_ENABLED(CONFIG_SWAP))
		return TBTF_SKIP_NO_SWAP;
	if (ep->scope == TBTF_SCOPE_SHARED)
		return TBTF_SKIP_SHARED;
	if (!(READ_ONCE(tbtf_helper_rungs) & TBTF_RUNG_STEAL))
		return TBTF_SKIP_NO_HELPER;
	if (fragmented)
		return TBTF_SKIP_FRAGMENTED;
	local = tbtf_mark_local(task_tgid(p), about->p_mm);
	if (local)
		return local;
	if (tbtf_steal_never_swaps(about->own))
		return TBTF_SKIP_SWAP_MAX;
	return is_locked(p) ? TBTF_SKIP_LOCKED : TBTF_SKIP_NOT;
}

static void skip(struct tbtf_ask *ask, enum tbtf_skip why)
{
	/* A round that has waited comes back with the same. */
	if (!tbtf_ask_skip(ask, why))
		return;
	tbtf_stat_add(skip_stats[why], 1);
	tbtf_tell(answer, ask, TBTF_ANSWERED_SKIPPED);
	pr_info_ratelimited("episode %llu: steals nothing for %d (%s): %s\n", ask->episode->id,
			    ask->whom.pid, ask->whom.comm, skip_names[why]);
}

/* Ask, or say why not. */
static noinline bool ask_for(struct tbtf_episode *ep, const struct oom_control *oc,
			     struct task_struct *p, bool fragmented, unsigned long left)
{
	struct tbtf_ask *ask = &ep->steal;
	struct tbtf_choice about;
	enum tbtf_skip why;
	u64 now = ktime_get_ns();

	tbtf_choice_init(&about, p);
	why = why_not(ep, p, &about, fragmented);
	tbtf_choice_done(&about);

	ask->episode = ep;
	ask->rung = TBTF_RUNG_STEAL;
	tbtf_event_who(&ask->whom, p, pages_to_kb(about.p_pages));
	if (ask->granted_kb) {
		ask->flags = TBTF_REQUEST_AGAIN;
		ask->wanted_kb = tbtf_ask_wanted(ask->granted_kb,
						 jiffies_to_msecs(jiffies - ask->since),
						 ask->whom.size_kb);
	} else {
		ask->wanted_kb = tbtf_ask_wanted(ep->freed_kb,
						 div_u64(now - ep->began, NSEC_PER_MSEC),
						 ask->whom.size_kb);
	}
	ask->asked_ns = now;
	ask->deadline_ns = now + jiffies_to_nsecs(left);
	if (!why && !tbtf_helper_ask(ask, capacity(oc)))
		why = TBTF_SKIP_NO_HELPER;
	if (why)
		skip(ask, why);
	return !why;
}

/**
 * tbtf_steal() - rung two
 * @ep: the episode, past rung one
 * @oc: the OOM
 * @p: the protected process
 * @fragmented: memory is in pieces, not gone
 * @for_ever: no deadline applies to the ladder
 * @past: its deadline has passed
 *
 * Context: under oom_lock; takes task_lock, helper_lock.
 * Return: true if memory is on its way, or there; false: the next rung.
 */
bool tbtf_steal(struct tbtf_episode *ep, const struct oom_control *oc, struct task_struct *p,
		bool fragmented, bool for_ever, bool past)
{
	enum tbtf_ask_next next = tbtf_helper_next(&ep->steal, for_ever, past);
	bool waits = next == TBTF_ASK_NEXT_WAIT;

	if (next == TBTF_ASK_NEXT_ASK)
		waits = ask_for(ep, oc, p, fragmented, tbtf_ladder_left(ep, for_ever));
	return waits;
}

/**
 * tbtf_steal_used_up() - has memory of other nodes come, and is it used up?
 * @ep: the episode, past rung one, in a round with nobody to kill
 * @oc: the OOM
 *
 * Context: under oom_lock.
 * Return: true if it has: what is wanted now is wanted anew.
 */
bool tbtf_steal_used_up(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	return tbtf_ask_used_up(&ep->steal, capacity(oc));
}

/**
 * tbtf_steal_setup() - find out where the size of all swap stands
 *
 * Context: at load.
 */
void tbtf_steal_setup(void)
{
	if (!IS_ENABLED(CONFIG_SWAP))
		return;
	tbtf_swap_total = (long *)tbtf_ksym_data("total_swap_pages");
	if (!tbtf_swap_total)
		pr_warn("total_swap_pages not found: done without, a grant does not put off the deadline\n");
}
