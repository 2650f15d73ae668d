// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - rungs two and three: what the helper is asked for
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: a round with nobody to kill, and the rung. Out: memory is on its way, or it is
 * not and why. What other nodes have comes as swap, so that it is of use only where
 * something of the protected process can be swapped out. That is judged by
 * counters: nobody's maps are read here. What is printed need not be swap; but the
 * helper is told.
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
 * tbtf_ask_never_swaps() - are a cgroup's pages kept from swap?
 * @memcg: the cgroup; NULL: none
 *
 * Context: under RCU, or with a reference.
 * Return: true if memory.swap.max is 0 for it or above.
 */
bool tbtf_ask_never_swaps(struct mem_cgroup *memcg)
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

/* Can nothing of it be swapped out, and why? */
static enum tbtf_skip never_swaps(struct task_struct *p, const struct tbtf_choice *about)
{
	if (!IS_ENABLED(CONFIG_SWAP))
		return TBTF_SKIP_NO_SWAP;
	if (tbtf_ask_never_swaps(about->own))
		return TBTF_SKIP_SWAP_MAX;
	return is_locked(p) ? TBTF_SKIP_LOCKED : TBTF_SKIP_NOT;
}

/* The first that holds; those that hold for the machine come first. */
static enum tbtf_skip why_not(const struct tbtf_ask *ask, struct task_struct *p,
			      const struct tbtf_choice *about, bool fragmented, u32 *ret_flags)
{
	enum tbtf_skip local, swap;

	*ret_flags = 0;
	if (ask->rung == TBTF_RUNG_STEAL && !IS_ENABLED(CONFIG_SWAP))
		return TBTF_SKIP_NO_SWAP;
	if (ask->episode->scope == TBTF_SCOPE_SHARED)
		return TBTF_SKIP_SHARED;
	if (!(READ_ONCE(tbtf_helper_rungs) & ask->rung))
		return TBTF_SKIP_NO_HELPER;
	if (fragmented)
		return TBTF_SKIP_FRAGMENTED;
	if (ask->rung == TBTF_RUNG_PRINT) {
		/* It stays on the machine, and there are other mints than swap. */
		swap = never_swaps(p, about);
		*ret_flags = swap ? TBTF_REQUEST_NO_SWAP : 0;
		return TBTF_SKIP_NOT;
	}
	local = tbtf_mark_local(task_tgid(p), about->p_mm);
	return local ?: never_swaps(p, about);
}

static void skip(struct tbtf_ask *ask, enum tbtf_skip why)
{
	bool steals = ask->rung == TBTF_RUNG_STEAL;

	/* A round that has waited comes back with the same. */
	if (!tbtf_ask_skip(ask, why))
		return;
	tbtf_stat_add(steals ? skip_stats[why] : TBTF_STAT_print_skipped, 1);
	tbtf_tell(answer, ask, TBTF_ANSWERED_SKIPPED);
	pr_info_ratelimited("episode %llu: %s nothing for %d (%s): %s\n", ask->episode->id,
			    steals ? "steals" : "the helper prints", ask->whom.pid,
			    ask->whom.comm, skip_names[why]);
}

/* Ask, or say why not. */
static noinline bool ask_for(struct tbtf_ask *ask, const struct oom_control *oc,
			     struct task_struct *p, bool fragmented, unsigned long left)
{
	const struct tbtf_episode *ep = ask->episode;
	struct tbtf_choice about;
	u64 now = ktime_get_ns();
	enum tbtf_skip why;

	tbtf_choice_init(&about, p);
	why = why_not(ask, p, &about, fragmented, &ask->flags);
	tbtf_choice_done(&about);

	tbtf_event_who(&ask->whom, p, pages_to_kb(about.p_pages));
	if (ask->granted_kb) {
		ask->flags |= TBTF_REQUEST_AGAIN;
		ask->wanted_kb = tbtf_ask_wanted(ask->granted_kb,
						 jiffies_to_msecs(jiffies - ask->since),
						 ask->whom.size_kb);
	} else {
		/* Of a rung before, too: that is gone as well. */
		ask->wanted_kb = tbtf_ask_wanted(ep->freed_kb + ep->steal.brought_kb,
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

static struct tbtf_ask *ask_of(struct tbtf_episode *ep, enum tbtf_rung rung)
{
	struct tbtf_ask *ask = rung == TBTF_RUNG_STEAL ? &ep->steal : &ep->print;

	ask->episode = ep;
	ask->rung = rung;
	return ask;
}

/**
 * tbtf_ask() - does the helper bring something on this rung?
 * @ep: the episode, past rung one
 * @rung: TBTF_RUNG_STEAL or TBTF_RUNG_PRINT
 * @oc: the OOM
 * @p: the protected process
 * @fragmented: memory is in pieces, not gone
 * @for_ever: no deadline applies to the ladder
 *
 * Context: under oom_lock; takes task_lock, helper_lock.
 * Return: true if memory is on its way, or there; false: the next rung.
 */
bool tbtf_ask(struct tbtf_episode *ep, enum tbtf_rung rung, const struct oom_control *oc,
	      struct task_struct *p, bool fragmented, bool for_ever)
{
	struct tbtf_ask *ask = ask_of(ep, rung);
	/* Other nodes must not take all the time, if it can be had otherwise. */
	bool more = rung == TBTF_RUNG_STEAL && (READ_ONCE(tbtf_helper_rungs) & TBTF_RUNG_PRINT);
	unsigned long left = tbtf_ladder_left(ep, for_ever, more);

	switch (tbtf_helper_next(ask, for_ever, !left)) {
	case TBTF_ASK_NEXT_WAIT:
		return true;
	case TBTF_ASK_NEXT_ASK:
		return ask_for(ask, oc, p, fragmented, left);
	default:
		return false;
	}
}

/**
 * tbtf_ask_used_up_of() - of which rung has memory come that is used up?
 * @ep: the episode, past rung one, in a round with nobody to kill
 * @oc: the OOM
 *
 * Once for each grant.
 *
 * Context: under oom_lock.
 * Return: the rung: what is wanted now is wanted anew; or TBTF_RUNG_NONE.
 */
enum tbtf_rung tbtf_ask_used_up_of(struct tbtf_episode *ep, const struct oom_control *oc)
{
	enum tbtf_rung given = READ_ONCE(ep->given);
	struct tbtf_ask *ask = given == TBTF_RUNG_STEAL ? &ep->steal : &ep->print;

	if (!given || !tbtf_ask_used_up(ask, capacity(oc)))
		return TBTF_RUNG_NONE;
	/* Other nodes come first again, and meanwhile this is no grant any more. */
	tbtf_ask_consumed(ask);
	WRITE_ONCE(ep->given, TBTF_RUNG_NONE);
	return given;
}

/**
 * tbtf_ask_setup() - find out where the size of all swap stands
 *
 * Context: at load.
 */
void __init tbtf_ask_setup(void)
{
	if (!IS_ENABLED(CONFIG_SWAP))
		return;
	tbtf_swap_total = (long *)tbtf_ksym_data("total_swap_pages");
	if (!tbtf_swap_total)
		pr_warn("total_swap_pages not found: done without, a grant does not put off the deadline\n");
}
