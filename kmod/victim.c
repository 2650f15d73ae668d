// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who goes instead
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: an OOM and the protected process P. Out: a victim, or nobody. Nothing is
 * killed, counted or changed here, so that a preview is the decision itself.
 *
 * Runs under oom_lock in an OOM and without any lock in a preview; takes
 * task_lock of one task at a time, allocates nothing, never sleeps but in
 * mem_cgroup_scan_tasks().
 *
 * Two ways to choose, both uniform over the candidates of the open band:
 * random pids are tried where it is known that only the ordinary band can be
 * open and pids are dense enough; otherwise all processes are gone through once
 * with one reservoir a band.
 */
#include <linux/cpuset.h>
#include <linux/mempolicy.h>
#include <linux/nodemask.h>
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
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

/* splitmix64: one draw of the kernel's generator seeds a whole choice. */
struct rng {
	u64 state;
};

static u32 rng_below(struct rng *rng, u32 bound)
{
	u64 z = (rng->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	/* The upper half, scaled: off by bound / 2^32 at the most. */
	return ((z >> 32) * bound) >> 32;
}

static bool exiting(struct task_struct *task)
{
	struct signal_struct *sig = task->signal;

	/* Who dumps core may take his time over it. */
	if (sig->core_state)
		return false;
	return (sig->flags & SIGNAL_GROUP_EXIT) ||
	       (thread_group_empty(task) && (task->flags & PF_EXITING));
}

static bool has_mm(struct task_struct *task, struct mm_struct *mm)
{
	struct task_struct *t;

	for_each_thread(task, t)
		if (READ_ONCE(t->mm) == mm)
			return true;
	return false;
}

struct dying {
	struct task_struct *task;
	bool ret;
};

static void dying_locked(struct task_struct *t, void *arg)
{
	struct dying *dying = arg;
	struct mm_struct *mm = t->mm;
	struct task_struct *p;

	dying->ret = exiting(dying->task) && !mm_flags_test(MMF_OOM_SKIP, mm);
	if (!dying->ret || atomic_read(&mm->mm_users) <= 1)
		return;
	for_each_process(p) {
		if (same_thread_group(p, dying->task) || !has_mm(p, mm))
			continue;
		dying->ret = exiting(p);
		if (!dying->ret)
			break;
	}
}

/**
 * tbtf_task_dying() - will this process give its memory back by itself?
 * @task: one of its threads
 *
 * What task_will_free_mem() of the kernel means: it and all who share its
 * memory are killed or exiting, and none of them dumps core.
 *
 * Context: any; takes task_lock.
 * Return: true if it will, or if it has none any more.
 */
bool tbtf_task_dying(struct task_struct *task)
{
	struct dying dying = { .task = task };

	rcu_read_lock();
	if (!tbtf_with_mm(task, dying_locked, &dying))
		dying.ret = true;
	rcu_read_unlock();
	return dying.ret;
}

static void size_of_mm(struct mm_struct *mm, struct tbtf_size *ret)
{
	unsigned long anon = get_mm_counter(mm, MM_ANONPAGES);
	unsigned long rest = get_mm_counter(mm, MM_SWAPENTS) + mm_pgtables_bytes(mm) / PAGE_SIZE;

	ret->worth = anon + rest;
	ret->size = ret->worth + get_mm_counter(mm, MM_FILEPAGES) +
		    get_mm_counter(mm, MM_SHMEMPAGES);
}

struct sizes {
	struct tbtf_size size;
	unsigned long hugetlb;
};

static void sizes_locked(struct task_struct *t, void *arg)
{
	struct sizes *sizes = arg;

	size_of_mm(t->mm, &sizes->size);
	sizes->hugetlb = tbtf_mm_hugetlb_pages(t->mm);
}

/**
 * tbtf_size_of() - how big is a process?
 * @task: one of its threads
 * @ret: in pages; all 0 for one without memory
 *
 * Context: any; takes task_lock.
 */
void tbtf_size_of(struct task_struct *task, struct tbtf_size *ret)
{
	struct sizes sizes = { };

	rcu_read_lock();
	tbtf_with_mm(task, sizes_locked, &sizes);
	rcu_read_unlock();
	*ret = sizes.size;
}

static void init_locked(struct task_struct *t, void *arg)
{
	struct tbtf_choice *choice = arg;
	struct tbtf_role_info info;
	struct mem_cgroup *memcg;
	struct sizes sizes;
	unsigned long usage;

	sizes_locked(t, &sizes);
	choice->p_mm = t->mm;
	choice->p_pages = sizes.size.size + sizes.hugetlb;
	memcg = tbtf_task_memcg(t);
	if (memcg && memcg->css.parent)
		choice->own = memcg;
	tbtf_role_of(t, t->mm, &info);
	if (info.role == TBTF_ROLE_TBTF && info.memcg) {
		usage = page_counter_read(&info.memcg->memory) +
			page_counter_read(&info.memcg->swap);
		choice->p_pages = max(choice->p_pages, usage);
	}
}

/**
 * tbtf_choice_init() - begin a choice for a protected process
 * @choice: to be filled; all fields that are not P's are zeroed
 * @p: the process; a reference is the caller's business
 *
 * P's size is the larger of its own, with swap and hugetlb, and, where its
 * cgroup made the mark, of that cgroup's usage.
 *
 * Context: any; takes task_lock.
 */
void tbtf_choice_init(struct tbtf_choice *choice, struct task_struct *p)
{
	memset(choice, 0, sizeof(*choice));
	choice->p = p;
	choice->cpuset_of = p;
	choice->p_adj = p->signal->oom_score_adj;
	choice->policy = tbtf_knob(policy);
	choice->min_pages = kb_to_pages(tbtf_knob(min_victim_kb));
	choice->walks = TBTF_SHARER_WALKS;
	choice->band = TBTF_BAND_NR;
	rcu_read_lock();
	tbtf_with_mm(p, init_locked, choice);
	rcu_read_unlock();
}

/* Is @of a child, or grandchild, of the process of @ancestor? Under RCU. */
static bool descends(struct task_struct *of, struct task_struct *ancestor)
{
	struct task_struct *t = of;
	unsigned int steps;

	for (steps = 0; steps < TBTF_ANCESTORS; steps++) {
		t = rcu_dereference(t->real_parent);
		if (same_thread_group(t, ancestor))
			return true;
		if (t == &init_task || is_global_init(t))
			return false;
	}
	return false;
}

static bool shares_nodes(struct tbtf_choice *choice, struct task_struct *task, u32 *ret_reason)
{
	struct mempolicy *pol;
	struct task_struct *t;
	bool ok = false;

	*ret_reason = choice->nodemask ? TBTF_REASON_MEMPOLICY : TBTF_REASON_CPUSET;
	if (num_node_state(N_MEMORY) == 1)
		return true;
	for_each_thread(task, t) {
		if (choice->nodemask) {
			task_lock(t);
			pol = t->mempolicy;
			ok = !pol || pol->mode != MPOL_BIND ||
			     nodes_intersects(pol->nodes, *choice->nodemask);
			task_unlock(t);
		} else {
			ok = nodes_intersects(choice->cpuset_of->mems_allowed, t->mems_allowed);
		}
		if (ok)
			break;
	}
	return ok;
}

/*
 * The kernel kills everyone who shares the victim's memory. Is there one among
 * them who must not die, or who is in vfork and will soon be somebody else?
 */
static u32 judge_sharers(struct tbtf_choice *choice, struct task_struct *task,
			 struct mm_struct *mm)
{
	int users = atomic_read(&mm->mm_users);
	struct tbtf_role_info info;
	struct task_struct *p, *t;

	if (users <= 1)
		return TBTF_REASON_CANDIDATE;
	for_each_thread(task, t)
		if (READ_ONCE(t->mm) == mm)
			users--;
	if (users <= 0)
		return TBTF_REASON_CANDIDATE;
	/* Somebody else holds it: a sharer, or only a reader of /proc. */
	if (!choice->walks)
		return TBTF_REASON_SHARED_MM;
	choice->walks--;
	for_each_process(p) {
		if (same_thread_group(p, task) || !has_mm(p, mm) || (p->flags & PF_KTHREAD))
			continue;
		if (READ_ONCE(p->vfork_done))
			return TBTF_REASON_VFORK;
		if (is_global_init(p) || same_thread_group(p, choice->p) ||
		    descends(choice->p, p))
			return TBTF_REASON_SHARED_MM;
		tbtf_role_of(p, NULL, &info);
		if (info.role == TBTF_ROLE_TBTF || info.role == TBTF_ROLE_SPARE)
			return TBTF_REASON_SHARED_MM;
	}
	return TBTF_REASON_CANDIDATE;
}

/* Would memory.oom.group of a cgroup between @memcg and the OOM take along who must not die? */
static bool group_takes_shielded(struct tbtf_choice *choice, struct mem_cgroup *memcg)
{
	struct mem_cgroup *group = NULL;

	for (; memcg && memcg->css.parent; memcg = mem_cgroup_from_css(memcg->css.parent)) {
		if (READ_ONCE(memcg->oom_group))
			group = memcg;
		if (memcg == choice->memcg)
			break;
	}
	return group && (tbtf_mark_in_memcg(group) || tbtf_role_shielded_below(group) ||
			 (choice->own && mem_cgroup_is_descendant(choice->own, group)));
}

static u32 band_of(struct tbtf_choice *choice, struct task_struct *task, u32 role,
		   struct mem_cgroup *memcg, unsigned long size, bool *ret_big)
{
	short adj = task->signal->oom_score_adj;
	bool own = choice->own && !choice->memcg && memcg &&
		   mem_cgroup_is_descendant(memcg, choice->own);
	bool raised = false;

	*ret_big = size >= choice->p_pages;
	if (adj > choice->p_adj && (*ret_big || own || adj <= 0))
		raised = descends(task, choice->p);
	if (raised)
		*ret_big = false;

	if (role == TBTF_ROLE_EXPENDABLE)
		return TBTF_BAND_EXPENDABLE;
	if (raised)
		return TBTF_BAND_RAISED;
	if (own)
		return TBTF_BAND_OWN;
	if (adj > 0)
		return TBTF_BAND_RAISED;
	return adj < 0 ? TBTF_BAND_LOWERED : TBTF_BAND_ORDINARY;
}

struct judging {
	struct tbtf_choice *choice;
	struct task_struct *task;
	struct tbtf_verdict *ret;
};

static u32 judge_mm(struct tbtf_choice *choice, struct task_struct *task, struct task_struct *t,
		    struct tbtf_verdict *ret)
{
	struct mm_struct *mm = t->mm;
	struct tbtf_role_info info;
	struct mem_cgroup *memcg;
	bool big, out_of_nodes;
	u32 reason;

	size_of_mm(mm, &ret->size);
	tbtf_role_of(t, mm, &info);
	ret->role = info.role;
	if (is_global_init(task))
		return TBTF_REASON_INIT;
	if (same_thread_group(task, choice->p))
		return TBTF_REASON_SELF;
	if (info.role == TBTF_ROLE_TBTF)
		return TBTF_REASON_PROTECTED;
	if (info.role == TBTF_ROLE_SPARE)
		return TBTF_REASON_SPARE;
	if (task->signal->oom_score_adj == OOM_SCORE_ADJ_MIN)
		return TBTF_REASON_ADJ_MIN;
	if (tsk_is_oom_victim(task) || mm_flags_test(MMF_OOM_SKIP, mm))
		return TBTF_REASON_IN_FLIGHT;
	if (exiting(task))
		return TBTF_REASON_DYING;
	if (oom_task_origin(task))
		return TBTF_REASON_ORIGIN;
	if (in_vfork(t))
		return TBTF_REASON_VFORK;
	memcg = tbtf_task_memcg(t);
	if (choice->memcg && (!memcg || !mem_cgroup_is_descendant(memcg, choice->memcg)))
		return TBTF_REASON_MEMCG;
	/* shares_nodes() takes task_lock of the threads, of which we hold one. */
	if (!choice->memcg && num_node_state(N_MEMORY) > 1) {
		task_unlock(t);
		out_of_nodes = !shares_nodes(choice, task, &reason);
		task_lock(t);
		if (out_of_nodes)
			return reason;
		if (t->mm != mm)
			return TBTF_REASON_NO_MM;
	}
	if (ret->size.worth < choice->min_pages)
		return TBTF_REASON_TOO_SMALL;
	if (mm == choice->p_mm)
		return TBTF_REASON_SHARED_MM;
	if (descends(choice->p, task))
		return TBTF_REASON_ANCESTOR;
	reason = judge_sharers(choice, task, mm);
	if (reason)
		return reason;
	if (group_takes_shielded(choice, memcg))
		return TBTF_REASON_OOM_GROUP;
	if (choice->episode && memcg && memcg->css.parent &&
	    tbtf_episode_respawns(choice->episode, cgroup_id(memcg->css.cgroup),
				  task->group_leader->start_boottime))
		return TBTF_REASON_RESPAWN;
	ret->band = band_of(choice, task, info.role, memcg, ret->size.size, &big);
	if (big) {
		ret->band = TBTF_BAND_BIGGER;
		return TBTF_REASON_TOO_BIG;
	}
	return TBTF_REASON_CANDIDATE;
}

static void judge_locked(struct task_struct *t, void *arg)
{
	struct judging *j = arg;

	j->ret->reason = judge_mm(j->choice, j->task, t, j->ret);
}

/**
 * tbtf_victim_judge() - may this process be killed for P, and in which band?
 * @choice: the OOM and P
 * @task: a thread group leader
 * @ret: the reason why not, or TBTF_REASON_CANDIDATE; the band is set for it
 * and for TBTF_REASON_TOO_BIG
 *
 * Context: under RCU; takes task_lock.
 */
void tbtf_victim_judge(struct tbtf_choice *choice, struct task_struct *task,
		       struct tbtf_verdict *ret)
{
	struct judging j = { .choice = choice, .task = task, .ret = ret };

	memset(ret, 0, sizeof(*ret));
	ret->band = TBTF_BAND_NR;
	ret->role = TBTF_ROLE_ORDINARY;
	if (task->flags & PF_KTHREAD)
		ret->reason = TBTF_REASON_KTHREAD;
	else if (!tbtf_with_mm(task, judge_locked, &j))
		ret->reason = TBTF_REASON_NO_MM;
}

/* One reservoir a band. */
struct reservoir {
	struct task_struct *task;
	struct tbtf_size size;
	u64 weight;			/* of all seen, by the policy */
};

struct scan {
	struct tbtf_choice *choice;
	struct rng rng;
	struct reservoir bands[TBTF_BAND_NR];
	bool raised;			/* somebody has oom_score_adj > 0 */
};

/* Shall the one just seen take the place of the one held? */
static bool replaces(struct scan *scan, struct reservoir *r, const struct tbtf_size *size,
		     unsigned int policy)
{
	u64 weight = 1, at;

	switch (policy) {
	case TBTF_POLICY_LARGEST:
		return !r->task || size->size > r->size.size;
	case TBTF_POLICY_WEIGHTED:
		weight = max(size->size, 1UL);
		break;
	}
	/* Kept with probability weight / all weights so far: each is as likely in the end. */
	r->weight += weight;
	if (r->weight <= U32_MAX)
		return rng_below(&scan->rng, r->weight) < weight;
	at = mul_u64_u32_shr(r->weight, rng_below(&scan->rng, U32_MAX), 32);
	return at < weight;
}

static int scan_one(struct task_struct *task, void *arg)
{
	struct scan *scan = arg;
	struct tbtf_choice *choice = scan->choice;
	struct tbtf_verdict verdict;
	struct reservoir *r;
	unsigned int policy;

	rcu_read_lock();
	if (task->signal->oom_score_adj > 0)
		scan->raised = true;
	tbtf_victim_judge(choice, task, &verdict);
	if (verdict.reason == TBTF_REASON_RESPAWN)
		choice->respawning++;
	if (verdict.reason != TBTF_REASON_CANDIDATE && verdict.reason != TBTF_REASON_TOO_BIG)
		goto out;
	policy = choice->policy;
	if (verdict.band == TBTF_BAND_BIGGER)
		policy = TBTF_POLICY_LARGEST;	/* as the kernel would */
	else
		choice->candidates++;
	r = &scan->bands[verdict.band];
	if (!replaces(scan, r, &verdict.size, policy))
		goto out;
	/* No last reference: the caller's walk keeps the tasks in place. */
	if (r->task)
		put_task_struct(r->task);
	r->task = get_task_struct(task);
	r->size = verdict.size;
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
 * Random pids, each as likely as the other, until one is a candidate: uniform,
 * if all bands before the ordinary one are empty and no pid is beyond the
 * cursor, from which the kernel takes the next.
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
	if (cursor < 2 || find_ge_pid(cursor, &init_pid_ns))
		goto none;
	for (i = 0; i < TBTF_TRIES; i++) {
		choice->tries++;
		pid = find_pid_ns(1 + rng_below(rng, cursor - 1), &init_pid_ns);
		task = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
		if (!task)
			continue;
		tbtf_victim_judge(choice, task, &verdict);
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
	struct rng rng = { .state = get_random_u64() };

	if (sample(choice, &rng))
		return true;
	scan_all(choice, rng);
	return choice->victim;
}

struct anyone {
	struct task_struct *largest;	/* of the protected */
	unsigned long largest_size;
	bool found;
};

static void anyone_locked(struct task_struct *t, void *arg)
{
	struct anyone *anyone = arg;
	struct tbtf_role_info info;
	struct tbtf_size size;

	anyone->found = oom_task_origin(t) ||
			(t->signal->oom_score_adj != OOM_SCORE_ADJ_MIN &&
			 !mm_flags_test(MMF_OOM_SKIP, t->mm) && !in_vfork(t));
	if (anyone->found)
		return;
	tbtf_role_of(t, t->mm, &info);
	size_of_mm(t->mm, &size);
	if (info.role == TBTF_ROLE_TBTF && (!anyone->largest || size.size > anyone->largest_size)) {
		anyone->largest = t;
		anyone->largest_size = size.size;
	}
}

/**
 * tbtf_victim_anyone() - would the kernel find anyone to kill?
 * @cpuset_of: whose nodes are out of memory
 * @nodemask: of a mempolicy OOM, or NULL
 * @ret_protected: if nobody, a protected process, the largest, with a
 * reference; NULL if there is none either
 *
 * As select_bad_process() of the kernel does it for an OOM that is not a
 * memcg's, but it stops at the first, as a rule soon.
 *
 * Context: takes task_lock.
 * Return: true if it would, or if a victim is on its way out already.
 */
bool tbtf_victim_anyone(struct task_struct *cpuset_of, const nodemask_t *nodemask,
			struct task_struct **ret_protected)
{
	struct tbtf_choice choice = { .cpuset_of = cpuset_of, .nodemask = nodemask };
	struct anyone anyone = { };
	struct task_struct *p;
	u32 reason;

	rcu_read_lock();
	for_each_process(p) {
		if (is_global_init(p) || (p->flags & PF_KTHREAD) ||
		    !shares_nodes(&choice, p, &reason))
			continue;
		if (tsk_is_oom_victim(p))
			anyone.found = !mm_flags_test(MMF_OOM_SKIP, p->signal->oom_mm);
		else
			tbtf_with_mm(p, anyone_locked, &anyone);
		if (anyone.found)
			break;
	}
	*ret_protected = NULL;
	if (!anyone.found && anyone.largest)
		*ret_protected = get_task_struct(anyone.largest);
	rcu_read_unlock();
	return anyone.found;
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
