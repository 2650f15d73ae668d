// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who goes instead
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: an OOM and the protected process P. Out: a victim, or nobody. Nothing is
 * killed, counted or changed here, so that a preview is the decision itself.
 * Allocates nothing, and sleeps in mem_cgroup_scan_tasks() only.
 *
 * Two ways to choose, both uniform over the candidates of the open band:
 * random pids are tried where it is known that only the ordinary band can be
 * open and pids are dense enough; otherwise all processes are gone through once
 * with one reservoir a band.
 */
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "tbtf.h"

/*
 * Could a process have oom_score_adj > 0? The kernel keeps no count, and a hook
 * in fork for one would cost every fork. So: yes from the moment that anyone
 * sets one (children inherit it from a parent for whom it was yes), until a walk
 * over all processes has met none, and nobody has set any meanwhile.
 */
static bool adj_raised = true;
static bool adj_tracked;
static atomic_t adj_seq;

static unsigned long *total_forks;	/* of the kernel, or NULL */

static atomic64_t rng_seed;

struct scan {
	struct tbtf_choice *choice;
	struct tbtf_rng *rng;
	struct tbtf_reservoir bands[TBTF_BAND_NR];
	bool raised;			/* somebody has oom_score_adj > 0 */
};

static int scan_one(struct task_struct *task, void *arg)
{
	struct scan *scan = arg;
	struct tbtf_choice *choice = scan->choice;
	struct tbtf_verdict verdict;
	struct task_struct *ousted;

	rcu_read_lock();
	if (task->signal->oom_score_adj > 0)
		scan->raised = true;
	tbtf_judge(choice, task, &verdict);
	if (verdict.reason == TBTF_REASON_RESPAWN)
		choice->respawning++;
	if (verdict.band == TBTF_BAND_NR)
		goto out;
	if (verdict.band != TBTF_BAND_BIGGER)
		choice->candidates++;
	if (tbtf_reservoir_offer(scan->bands, verdict.band, task, task->signal->oom_score_adj,
				 &verdict.size, tbtf_band_policy(verdict.band, choice->policy),
				 scan->rng, &ousted)) {
		get_task_struct(task);
		/* Even were it the last reference: that may be put under RCU. */
		if (ousted)
			put_task_struct(ousted);
	}
out:
	rcu_read_unlock();
	return 0;
}

/* Nobody on the machine has oom_score_adj > 0, as a walk that began at @seq has found. */
static void adj_none_raised(int seq)
{
	WRITE_ONCE(adj_raised, false);
	/* Pairs with the barrier in tbtf_victim_adj_changed(). */
	smp_mb();
	if (atomic_read(&adj_seq) != seq)
		WRITE_ONCE(adj_raised, true);
}

static void scan(struct tbtf_choice *choice, struct tbtf_rng *rng)
{
	struct scan scan = { .choice = choice, .rng = rng };
	int seq = atomic_read_acquire(&adj_seq);
	struct task_struct *p;
	u32 band;

	if (choice->memcg) {
		tbtf_hook_scan_tasks(choice->memcg, scan_one, &scan);
	} else {
		rcu_read_lock();
		for_each_process(p)
			scan_one(p, &scan);
		rcu_read_unlock();
		if (adj_tracked && !scan.raised)
			adj_none_raised(seq);
	}

	choice->band = tbtf_reservoir_open(scan.bands);
	if (choice->band == TBTF_BAND_NR)
		return;
	choice->victim = scan.bands[choice->band].task;
	choice->victim_size = scan.bands[choice->band].size;
	for (band = choice->band + 1; band < TBTF_BAND_NR; band++)
		if (scan.bands[band].task)
			put_task_struct(scan.bands[band].task);
}

/*
 * All are judged by a first look, and the one that is chosen by a second. If he
 * does not stand it, all are gone through again, with a close look at each: one
 * that merely dropped out would have made others less likely than their
 * neighbours.
 */
static void scan_all(struct tbtf_choice *choice, struct tbtf_rng *rng)
{
	choice->scanned = true;
	choice->first_look = true;
	scan(choice, rng);
	choice->first_look = false;
	/* This one walk is his, however many there were. */
	choice->walks++;
	if (!choice->victim || tbtf_judge_again(choice, choice->victim, choice->band))
		return;
	put_task_struct(choice->victim);
	choice->victim = NULL;
	choice->candidates = 0;
	choice->respawning = 0;
	choice->walks = TBTF_SHARER_WALKS;
	scan(choice, rng);
}

static bool none_beyond(unsigned long cursor)
{
	return !find_ge_pid(cursor, &init_pid_ns);
}

static bool dense(unsigned long cursor)
{
	static DEFINE_SPINLOCK(lock);
	static struct tbtf_dense known;
	bool ret;

	if (!total_forks)
		return none_beyond(cursor);
	spin_lock(&lock);
	ret = tbtf_dense(&known, cursor, READ_ONCE(*total_forks), none_beyond);
	spin_unlock(&lock);
	return ret;
}

static bool take(u32 nr, void *arg)
{
	struct tbtf_choice *choice = arg;
	struct tbtf_verdict verdict;
	struct task_struct *task;
	struct pid *pid;

	pid = find_pid_ns(nr, &init_pid_ns);
	task = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
	if (!task)
		return false;
	tbtf_judge(choice, task, &verdict);
	if (verdict.reason != TBTF_REASON_CANDIDATE || verdict.band != TBTF_BAND_ORDINARY)
		return false;
	choice->victim = get_task_struct(task);
	choice->victim_size = verdict.size;
	choice->band = verdict.band;
	return true;
}

/*
 * Random pids, each as likely as the other, until one is a candidate: uniform,
 * if all bands before the ordinary one are empty.
 */
static bool sample(struct tbtf_choice *choice, struct tbtf_rng *rng)
{
	unsigned int cursor;
	bool taken;

	if (choice->policy != TBTF_POLICY_UNIFORM || choice->memcg || choice->p_adj < 0 ||
	    READ_ONCE(adj_raised) || READ_ONCE(tbtf_nr_mark_expendable) ||
	    READ_ONCE(tbtf_nr_role_expendable))
		return false;

	rcu_read_lock();
	cursor = idr_get_cursor(&init_pid_ns.idr);
	taken = dense(cursor) && tbtf_sample(rng, cursor, &choice->tries, take, choice);
	rcu_read_unlock();
	return taken;
}

/**
 * tbtf_victim_pick() - choose
 * @choice: begun with tbtf_choice_init(), and told of the OOM
 *
 * choice->victim has a reference, for which the caller answers.
 *
 * Context: may sleep where choice->memcg is set.
 * Return: true if there is a victim; its band may be TBTF_BAND_BIGGER.
 */
bool tbtf_victim_pick(struct tbtf_choice *choice)
{
	struct tbtf_rng rng;

	tbtf_rng_begin(&rng, atomic64_add_return(TBTF_RNG_STEP, &rng_seed));
	if (sample(choice, &rng))
		return true;
	scan_all(choice, &rng);
	return choice->victim;
}

/**
 * tbtf_victim_setup() - seed the generator, find what sampling asks for
 *
 * Context: at load.
 */
void __init tbtf_victim_setup(void)
{
	atomic64_set(&rng_seed, get_random_u64());
	total_forks = (unsigned long *)tbtf_ksym_data("total_forks");
	if (!total_forks)
		pr_warn("total_forks not found: done without, choices take longer\n");
}

/**
 * tbtf_victim_adj_tracked() - changes of oom_score_adj will be told from now on
 *
 * Without it every choice goes through all processes.
 *
 * Context: at load.
 */
void __init tbtf_victim_adj_tracked(void)
{
	adj_tracked = true;
}

/**
 * tbtf_victim_adj_changed() - somebody's oom_score_adj was set
 * @task: a thread of the process
 *
 * Those who share its memory get the same value, without being told of here.
 *
 * Context: oom_score_adj_update: under oom_adj_mutex.
 */
void tbtf_victim_adj_changed(struct task_struct *task)
{
	if (task->signal->oom_score_adj <= 0)
		return;
	atomic_inc(&adj_seq);
	/* Pairs with the barrier in scan_all(): one of the two sees the other. */
	smp_mb__after_atomic();
	WRITE_ONCE(adj_raised, true);
}
