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

/*
 * splitmix64, seeded once at load. The choice must be fair, not secret: who
 * could foresee it has nothing to gain that a larger victim would not give him.
 */
struct rng {
	u64 state;
};

#define GOLDEN_GAMMA	0x9e3779b97f4a7c15ULL

static atomic64_t rng_seed;

static u64 mix(u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Mixed twice, or the draws of one choice would be those of the last, moved by one. */
static void rng_begin(struct rng *rng)
{
	rng->state = mix(atomic64_add_return(GOLDEN_GAMMA, &rng_seed));
}

static u32 rng_below(struct rng *rng, u32 bound)
{
	rng->state += GOLDEN_GAMMA;
	/* The upper half, scaled: off by bound / 2^32 at the most. */
	return ((mix(rng->state) >> 32) * bound) >> 32;
}

/* One reservoir a band. */
struct reservoir {
	struct task_struct *task;
	struct tbtf_size size;
	u64 rank;			/* where the largest is taken */
	u64 weight;			/* of all seen, by the policy */
};

struct scan {
	struct tbtf_choice *choice;
	struct rng rng;
	struct reservoir bands[TBTF_BAND_NR];
	bool raised;			/* somebody has oom_score_adj > 0 */
};

/*
 * The one just seen takes the place of the one held with the probability of its
 * weight among all so far: in the end each is as likely as its weight. One that
 * does not stand the second look was never there.
 */
static void offer(struct scan *scan, struct reservoir *r, struct task_struct *task,
		  const struct tbtf_size *size, unsigned int policy)
{
	u64 total, weight = policy == TBTF_POLICY_WEIGHTED ? max(size->size, 1UL) : 1;
	u64 rank = size->size;
	bool wins;

	/* The last band has no order of its own by oom_score_adj. */
	if (r == &scan->bands[TBTF_BAND_BIGGER] && task->signal->oom_score_adj >= 0)
		rank |= BIT_ULL(63);

	total = r->weight + weight;
	if (policy == TBTF_POLICY_LARGEST)
		wins = !r->task || rank > r->rank;
	else if (total <= U32_MAX)
		wins = rng_below(&scan->rng, total) < weight;
	else
		wins = mul_u64_u32_shr(total, rng_below(&scan->rng, U32_MAX), 32) < weight;
	if (wins) {
		if (!tbtf_judge_again(scan->choice, task, r - scan->bands))
			return;
		/* Even were it the last reference: that may be put under RCU. */
		if (r->task)
			put_task_struct(r->task);
		r->task = get_task_struct(task);
		r->size = *size;
		r->rank = rank;
	}
	r->weight = total;
}

static int scan_one(struct task_struct *task, void *arg)
{
	struct scan *scan = arg;
	struct tbtf_choice *choice = scan->choice;
	struct tbtf_verdict verdict;
	unsigned int policy;

	rcu_read_lock();
	if (task->signal->oom_score_adj > 0)
		scan->raised = true;
	tbtf_judge(choice, task, &verdict);
	if (verdict.reason == TBTF_REASON_RESPAWN)
		choice->respawning++;
	if (verdict.band == TBTF_BAND_NR)
		goto out;
	policy = choice->policy;
	if (verdict.band == TBTF_BAND_BIGGER)
		policy = TBTF_POLICY_LARGEST;	/* as the kernel would */
	else
		choice->candidates++;
	offer(scan, &scan->bands[verdict.band], task, &verdict.size, policy);
out:
	rcu_read_unlock();
	return 0;
}

static void scan_all(struct tbtf_choice *choice, struct rng rng)
{
	struct scan scan = { .choice = choice, .rng = rng };
	int seq = atomic_read_acquire(&adj_seq);
	struct reservoir *r;
	struct task_struct *p;
	unsigned int band;

	choice->scanned = true;
	choice->first_look = true;
	if (choice->memcg) {
		tbtf_hook_scan_tasks(choice->memcg, scan_one, &scan);
	} else {
		rcu_read_lock();
		for_each_process(p)
			scan_one(p, &scan);
		rcu_read_unlock();
		if (adj_tracked && !scan.raised) {
			WRITE_ONCE(adj_raised, false);
			/* Pairs with the barrier in tbtf_victim_adj_changed(). */
			smp_mb();
			if (atomic_read(&adj_seq) != seq)
				WRITE_ONCE(adj_raised, true);
		}
	}

	for (band = 0; band < TBTF_BAND_NR; band++) {
		r = &scan.bands[band];
		if (!r->task)
			continue;
		if (choice->victim) {
			put_task_struct(r->task);
			continue;
		}
		choice->victim = r->task;
		choice->victim_size = r->size;
		choice->band = band;
	}
}

/*
 * Is no pid beyond the cursor, from which the kernel takes the next? None is,
 * until pids wrap or one is made to order (clone3). Finding out takes a walk in
 * the tree, so the answer is kept: as long as the cursor has gone forward by as
 * much as there were forks, it has done nothing else.
 */
static bool dense(unsigned long cursor)
{
	static DEFINE_SPINLOCK(lock);
	static unsigned long forks_then;
	static unsigned long cursor_then;
	static bool dense_then;
	unsigned long forks;
	bool ret;

	if (!total_forks)
		return !find_ge_pid(cursor, &init_pid_ns);
	spin_lock(&lock);
	forks = READ_ONCE(*total_forks);
	if (!dense_then || cursor - cursor_then != forks - forks_then) {
		dense_then = !find_ge_pid(cursor, &init_pid_ns);
		cursor_then = cursor;
		forks_then = forks;
	}
	ret = dense_then;
	spin_unlock(&lock);
	return ret;
}

/*
 * Random pids, each as likely as the other, until one is a candidate: uniform,
 * if all bands before the ordinary one are empty.
 */
static bool sample(struct tbtf_choice *choice, struct rng *rng)
{
	struct tbtf_verdict verdict;
	struct task_struct *task;
	unsigned int cursor, i;
	struct pid *pid;

	if (choice->policy != TBTF_POLICY_UNIFORM || choice->memcg || choice->p_adj < 0 ||
	    READ_ONCE(adj_raised) || READ_ONCE(tbtf_nr_mark_expendable) ||
	    READ_ONCE(tbtf_nr_role_expendable))
		return false;

	rcu_read_lock();
	cursor = idr_get_cursor(&init_pid_ns.idr);
	if (cursor < 2 || !dense(cursor))
		goto none;
	for (i = 0; i < TBTF_TRIES; i++) {
		choice->tries++;
		pid = find_pid_ns(1 + rng_below(rng, cursor - 1), &init_pid_ns);
		task = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
		if (!task)
			continue;
		tbtf_judge(choice, task, &verdict);
		if (verdict.reason != TBTF_REASON_CANDIDATE ||
		    verdict.band != TBTF_BAND_ORDINARY)
			continue;
		choice->victim = get_task_struct(task);
		choice->victim_size = verdict.size;
		choice->band = verdict.band;
		rcu_read_unlock();
		return true;
	}
none:
	rcu_read_unlock();
	return false;
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
	struct rng rng;

	rng_begin(&rng);
	if (sample(choice, &rng))
		return true;
	scan_all(choice, rng);
	return choice->victim;
}

/**
 * tbtf_victim_setup() - seed the generator, find what sampling asks for
 *
 * Context: at load.
 */
void tbtf_victim_setup(void)
{
	atomic64_set(&rng_seed, get_random_u64());
	total_forks = (unsigned long *)tbtf_ksym_data("total_forks");
}

/**
 * tbtf_victim_adj_tracked() - changes of oom_score_adj will be told from now on
 *
 * Without it every choice goes through all processes.
 *
 * Context: at load.
 */
void tbtf_victim_adj_tracked(void)
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
