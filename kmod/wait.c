// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who waits for memory, where, and for how long
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: a round with nobody to kill. A thread that is stuck in it for its own
 * sake naps, all others sleep for a jiffy at the most, and never with oom_lock.
 *
 * The retry of an allocation is deep inside, so whatever the caller holds is
 * held through all its naps. In an OOM of the machine that is so for everybody,
 * and the deadline bounds it. In a memory cgroup the machine is well, and nobody
 * outside may be kept waiting for long:
 *
 *	a fault from user mode	is refused, unwinds, and naps in
 *				pagefault_out_of_memory(), where nothing is held
 *	a system call		naps for TBTF_SYSCALL_WAIT_MS, then is refused: an
 *				errno, which a program can handle
 *	the kernel's access to	naps: refused, it would be a SIGSEGV or lost data.
 *	user memory		Past the deadline, below a system call: refused
 */
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/psi.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/wait.h>

#include "event.h"
#include "tbtf.h"

static DECLARE_WAIT_QUEUE_HEAD(nap_queue);
static atomic_t wake_seq;

/**
 * tbtf_wait_available() - pages that a scope could still have without a kill
 * @oc: the OOM
 *
 * Context: any.
 * Return: their number.
 */
unsigned long tbtf_wait_available(const struct oom_control *oc)
{
	unsigned long max, usage;

	if (oc->memcg) {
		max = READ_ONCE(oc->memcg->memory.max);
		usage = page_counter_read(&oc->memcg->memory);
		return max > usage ? max - usage : 0;
	}
	return global_zone_page_state(NR_FREE_PAGES) + global_node_page_state(NR_ACTIVE_FILE) +
	       global_node_page_state(NR_INACTIVE_FILE) + get_nr_swap_pages();
}

/**
 * tbtf_wait_for_ever() - does this OOM wait for as long as it takes?
 * @oc: the OOM
 *
 * Context: any.
 * Return: true if no deadline applies.
 */
bool tbtf_wait_for_ever(const struct oom_control *oc)
{
	return oc->memcg && tbtf_knob(on_exhausted_memcg) == TBTF_EXHAUSTED_MEMCG_WAIT;
}

/**
 * tbtf_wait_gained() - is there so much more memory that it pays to try?
 * @oc: the OOM
 * @avail: what tbtf_wait_available() said then
 *
 * Context: any.
 * Return: true if there is.
 */
bool tbtf_wait_gained(const struct oom_control *oc, unsigned long avail)
{
	unsigned long more = 1UL << max(oc->order, 0);

	if (!oc->memcg)
		more = max(more, TBTF_GAIN_PAGES);
	return tbtf_wait_available(oc) >= avail + more;
}

/**
 * tbtf_wait_seq() - a number that changes when all who wait are to look again
 *
 * Context: any.
 * Return: the number.
 */
int tbtf_wait_seq(void)
{
	return atomic_read(&wake_seq);
}

/**
 * tbtf_wait_wake() - let all who wait look again: a knob, or the end of the module
 *
 * Context: any.
 */
void tbtf_wait_wake(void)
{
	atomic_inc(&wake_seq);
	wake_up_all(&nap_queue);
}

/* A thread of a program, on its way through the kernel on its own account. */
static bool on_own_account(void)
{
	return current->mm && !(current->flags & (PF_KTHREAD | PF_WQ_WORKER | PF_EXITING |
						  TBTF_PF_USER_WORKER));
}

/**
 * tbtf_wait_progress() - a number that stays the same while the task is in one allocation
 *
 * Counters that only grow, in a sum: it is the same if all of them are. A fault is counted
 * when it is done, and not if it was refused; so to a fault this is exact. To a system call
 * it is not: at its end one that reads or writes is counted, and programs compute between
 * the calls; but one may be taken for the one before that was made with the same.
 *
 * Context: process context.
 * Return: the number; 0 if the task is none of a program.
 */
u64 tbtf_wait_progress(void)
{
	u64 progress = current->start_time + current->min_flt + current->maj_flt;

	if (!on_own_account())
		return 0;
	return tbtf_in_syscall() ? progress + current->utime + tbtf_task_calls(current) : progress;
}

/* The helper, for whom the others may be waiting, never naps; nor who may be one's. */
static bool is_spare(void)
{
	return tbtf_helper_is(task_tgid(current)) ||
	       tbtf_mark_role(task_tgid(current)) == TBTF_ROLE_SPARE;
}

/* Would tbtf_episode_fault() find this episode from where the task is? */
static bool fault_finds(const struct tbtf_episode *ep)
{
	return ep->scope == TBTF_SCOPE_MEMCG && (tbtf_hook_features() & TBTF_FEATURE_FAULT) &&
	       cgroup_subsys_on_dfl(memory_cgrp_subsys);
}

/* In a memory cgroup, for a task inside it. */
static enum tbtf_wait kind_in_memcg(const struct tbtf_episode *ep)
{
	switch (tbtf_allocates_from()) {
	case TBTF_FROM_USER_FAULT:
		return fault_finds(ep) ? TBTF_WAIT_FAULT : TBTF_WAIT_NAP;
	case TBTF_FROM_SYSCALL:
		return jiffies_to_msecs(jiffies - ep->waiting_since) < TBTF_SYSCALL_WAIT_MS ?
		       TBTF_WAIT_NAP : TBTF_WAIT_JIFFY;
	case TBTF_FROM_KERNEL_FAULT:
		break;
	}
	return tbtf_in_syscall() && tbtf_ladder_past_deadline(ep) ? TBTF_WAIT_JIFFY : TBTF_WAIT_NAP;
}

/**
 * tbtf_wait_kind() - how may the current task wait in this OOM?
 * @ep: its episode, past rung one
 * @oc: the OOM
 *
 * Context: under oom_lock.
 * Return: TBTF_WAIT_NAP; TBTF_WAIT_FAULT: not here, the fault is to fail and naps
 * when it has unwound; TBTF_WAIT_JIFFY; TBTF_WAIT_NOT.
 */
enum tbtf_wait tbtf_wait_kind(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	struct mem_cgroup *memcg;
	bool inside;

	if (!tbtf_oom_lock || oc->order == -1)
		return TBTF_WAIT_NOT;
	if (!on_own_account())
		return oc->memcg ? TBTF_WAIT_NOT : TBTF_WAIT_JIFFY;
	if (fatal_signal_pending(current) || (oc->gfp_mask & __GFP_NOFAIL) ||
	    !gfpflags_allow_blocking(oc->gfp_mask) || is_spare())
		return TBTF_WAIT_JIFFY;

	rcu_read_lock();
	memcg = tbtf_task_memcg(current);
	if (oc->memcg)
		inside = memcg && mem_cgroup_is_descendant(memcg, oc->memcg);
	else
		inside = memcg && memcg->css.parent &&
			 (tbtf_role_cgroup(memcg, NULL) == TBTF_ROLE_TBTF ||
			  tbtf_mark_in_memcg(memcg, false));
	rcu_read_unlock();
	if (!inside && !oc->memcg)
		inside = tbtf_role_protects(current);
	if (!inside)
		return TBTF_WAIT_JIFFY;

	/* Below a file system: unless it is a fault that gives all that back. */
	if (!(oc->gfp_mask & __GFP_FS) ||
	    (current->flags & (PF_MEMALLOC_NOFS | PF_MEMALLOC_NOIO)))
		return oc->memcg && tbtf_allocates_from() == TBTF_FROM_USER_FAULT &&
		       fault_finds(ep) ? TBTF_WAIT_FAULT : TBTF_WAIT_JIFFY;
	return oc->memcg ? kind_in_memcg(ep) : TBTF_WAIT_NAP;
}

/*
 * Memory that comes is noticed by looking at a counter: no exit on the machine
 * pays for it. Of those who hold nothing, one at a time goes back after nap_ms to
 * try again, on behalf of all.
 */
static void nap(struct tbtf_episode *ep, const struct oom_control *oc, bool fault)
{
	unsigned long slice = msecs_to_jiffies(TBTF_SLICE_MS);
	unsigned long avail = tbtf_wait_available(oc), until, most;
	int state = fault ? TASK_INTERRUPTIBLE : TASK_KILLABLE;
	bool for_ever = tbtf_wait_for_ever(oc);
	/* Of the decision: what was written since is not in it. */
	int seq = READ_ONCE(ep->decided_seq);
	DEFINE_WAIT(wait);

	until = jiffies + max(tbtf_ladder_nap(ep, for_ever), 1UL);
	most = jiffies + TBTF_NAPS_IN_A_ROW * msecs_to_jiffies(tbtf_knob(nap_ms));
	while (!READ_ONCE(tbtf_stopping) && tbtf_wait_seq() == seq && READ_ONCE(ep->waiting) &&
	       !signal_pending_state(state, current) && !tbtf_wait_gained(oc, avail)) {
		if (fault && !READ_ONCE(ep->prober) && !cmpxchg(&ep->prober, NULL, current))
			until = jiffies + max(tbtf_ladder_nap(ep, for_ever), 1UL);
		if (!fault || READ_ONCE(ep->prober) == current ? time_after_eq(jiffies, until) :
								 time_after_eq(jiffies, most))
			break;
		prepare_to_wait(&nap_queue, &wait, state);
		if (!READ_ONCE(tbtf_stopping) && tbtf_wait_seq() == seq)
			schedule_timeout(min(slice, max(until - jiffies, 1UL)));
		finish_wait(&nap_queue, &wait);
	}
	if (fault)
		cmpxchg(&ep->prober, current, NULL);
}

static void rest(struct tbtf_episode *ep, const struct oom_control *oc, bool jiffy, bool fault)
{
	u64 began = tbtf_told_ns(nap);
	unsigned long pflags;

	if (jiffy)
		tbtf_stat_inc(jiffies);
	else
		tbtf_stat_inc(naps);
	atomic_inc(&ep->naps);
	psi_memstall_enter(&pflags);
	if (jiffy)
		schedule_timeout_uninterruptible(1);
	else
		nap(ep, oc, fault);
	psi_memstall_leave(&pflags);
	tbtf_tell(nap, ep, began ? ktime_get_ns() - began : 0, jiffy);
}

/**
 * tbtf_wait_in_oom() - wait in the middle of an OOM
 * @ep: its episode, which the caller has entered
 * @oc: the OOM
 * @kind: TBTF_WAIT_NAP or TBTF_WAIT_JIFFY
 *
 * Context: under oom_lock, which is dropped meanwhile; killable if a nap.
 */
void tbtf_wait_in_oom(struct tbtf_episode *ep, const struct oom_control *oc, enum tbtf_wait kind)
{
	mutex_unlock(tbtf_oom_lock);
	rest(ep, oc, kind == TBTF_WAIT_JIFFY, false);
	mutex_lock(tbtf_oom_lock);
}

/**
 * tbtf_wait_in_fault() - wait when a fault has failed and all is unwound
 * @ep: the episode, which the caller has entered
 * @memcg: that is out of memory
 *
 * Context: nothing is held; any signal ends it.
 */
void tbtf_wait_in_fault(struct tbtf_episode *ep, struct mem_cgroup *memcg)
{
	struct oom_control oc = { .memcg = memcg, .gfp_mask = GFP_KERNEL };

	rest(ep, &oc, is_spare(), true);
}
