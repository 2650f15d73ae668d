// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - may this process be killed?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: an OOM, the protected process P, and any other process. Out: whether it
 * may die for P, in which band it stands, or why not. Changes nothing.
 *
 * Runs under oom_lock in an OOM and without any lock in a preview; takes
 * task_lock of one task at a time, allocates nothing, never sleeps.
 */
#include <linux/cpuset.h>
#include <linux/mempolicy.h>
#include <linux/nodemask.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "tbtf.h"

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
 * tbtf_judge_dying() - will this process give its memory back by itself?
 * @task: one of its threads
 *
 * What task_will_free_mem() of the kernel means: it and all who share its
 * memory are killed or exiting, and none of them dumps core.
 *
 * Context: any; takes task_lock.
 * Return: true if it will, or if it has none any more.
 */
bool tbtf_judge_dying(struct task_struct *task)
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
	tbtf_size_reckon(ret, tbtf_mm_counter(mm, MM_ANONPAGES), tbtf_mm_counter(mm, MM_SWAPENTS),
			 mm_pgtables_bytes(mm), tbtf_mm_counter(mm, MM_FILEPAGES),
			 tbtf_mm_counter(mm, MM_SHMEMPAGES));
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
	struct mem_cgroup *memcg, *from;
	struct tbtf_role_info info;
	unsigned long usage = 0;
	struct sizes sizes;

	sizes_locked(t, &sizes);
	choice->p_mm = t->mm;
	memcg = tbtf_task_memcg(t);
	if (memcg && memcg->css.parent && css_tryget(&memcg->css))
		choice->own = memcg;
	/* Its cgroup's mark counts, also where it has one of its own on top. */
	if (READ_ONCE(tbtf_nr_role_protecting) &&
	    tbtf_role_cgroup(memcg, &from) == TBTF_ROLE_TBTF) {
		tbtf_role_of(t, t->mm, &info);
		if (info.role == TBTF_ROLE_TBTF)
			usage = page_counter_read(&from->memory) + page_counter_read(&from->swap);
	}
	choice->p_pages = tbtf_size_protected(&sizes.size, sizes.hugetlb, usage);
}

/**
 * tbtf_choice_init() - begin a choice for a protected process
 * @choice: to be filled, and ended with tbtf_choice_done(); all fields that are
 * not P's are zeroed
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
	choice->nodes = nr_online_nodes > 1;
	rcu_read_lock();
	tbtf_with_mm(p, init_locked, choice);
	rcu_read_unlock();
}

/**
 * tbtf_choice_done() - end a choice
 * @choice: the choice; a victim stays, with its reference
 *
 * Context: any.
 */
void tbtf_choice_done(struct tbtf_choice *choice)
{
	if (choice->own)
		css_put(&choice->own->css);
	choice->own = NULL;
}

/* Is @of a child, or grandchild, of the process of @ancestor? Under RCU. */
static bool descends(struct task_struct *of, struct task_struct *ancestor)
{
	struct task_struct *t = of;
	unsigned int steps;

	/* Nobody looks after the parent pointer of one who has been reaped. */
	if (!pid_alive(of))
		return false;
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

/* Does somebody hold this memory who is no thread of it? A sharer, or a reader of /proc. */
static bool has_other_users(struct task_struct *task, struct mm_struct *mm)
{
	int users = atomic_read(&mm->mm_users);
	struct task_struct *t;

	if (users <= 1)
		return false;
	for_each_thread(task, t)
		if (READ_ONCE(t->mm) == mm)
			users--;
	return users > 0;
}

/*
 * The kernel kills everyone who shares the victim's memory. Is there one among
 * them who must not die, or who is in vfork and will soon be somebody else?
 */
static u32 judge_sharers(struct tbtf_choice *choice, struct task_struct *task,
			 struct mm_struct *mm)
{
	u32 reason = TBTF_REASON_CANDIDATE;
	struct tbtf_role_info info;
	struct task_struct *p;

	/*
	 * At the first look the count of threads is believed, in which one that
	 * has left the memory is still counted for a moment.
	 */
	if (choice->first_look && task->mm == mm &&
	    atomic_read(&mm->mm_users) <= get_nr_threads(task))
		return TBTF_REASON_CANDIDATE;
	if (!has_other_users(task, mm))
		return TBTF_REASON_CANDIDATE;
	if (!choice->walks)
		return TBTF_REASON_SHARED_MM;
	choice->walks--;
	for_each_process(p) {
		if (same_thread_group(p, task) || !has_mm(p, mm) || (p->flags & PF_KTHREAD))
			continue;
		if (is_global_init(p) || same_thread_group(p, choice->p) ||
		    descends(choice->p, p))
			return TBTF_REASON_SHARED_MM;
		tbtf_role_of(p, mm, &info);
		if (info.role == TBTF_ROLE_TBTF || info.role == TBTF_ROLE_SPARE)
			return TBTF_REASON_SHARED_MM;
		if (READ_ONCE(p->vfork_done))
			reason = TBTF_REASON_VFORK;
	}
	return reason;
}

struct shared {
	struct task_struct *task;
	u32 role;			/* the best of those who share the memory */
};

static void better_role(struct shared *shared, u32 role)
{
	if (role == TBTF_ROLE_TBTF ||
	    (role == TBTF_ROLE_SPARE && shared->role != TBTF_ROLE_TBTF))
		shared->role = role;
}

static void shared_locked(struct task_struct *t, void *arg)
{
	struct shared *shared = arg;
	struct mm_struct *mm = t->mm;
	struct tbtf_role_info info;
	struct task_struct *p;

	tbtf_role_of(t, mm, &info);
	better_role(shared, info.role);
	/* Marks are found by the mm; for the cgroups of sharers one has to look. */
	if (shared->role == TBTF_ROLE_TBTF || !READ_ONCE(tbtf_nr_role_protecting) ||
	    !has_other_users(shared->task, mm))
		return;
	for_each_process(p) {
		if (same_thread_group(p, shared->task) || !has_mm(p, mm))
			continue;
		tbtf_role_of(p, mm, &info);
		better_role(shared, info.role);
	}
}

static u32 shared_role(struct task_struct *task)
{
	struct shared shared = { .task = task, .role = TBTF_ROLE_ORDINARY };
	struct tbtf_role_info info;

	if (!tbtf_role_anyone_protected())
		return TBTF_ROLE_ORDINARY;
	rcu_read_lock();
	if (!tbtf_with_mm(task, shared_locked, &shared)) {
		tbtf_role_of(task, NULL, &info);
		better_role(&shared, info.role);
	}
	rcu_read_unlock();
	return shared.role;
}

/**
 * tbtf_judge_protected() - would its death be that of a protected process?
 * @task: one of its threads
 *
 * Context: any; takes task_lock; may go through all processes.
 * Return: true if it, or one that shares its memory, is too big to fail.
 */
bool tbtf_judge_protected(struct task_struct *task)
{
	return shared_role(task) == TBTF_ROLE_TBTF;
}

/**
 * tbtf_judge_shielded() - likewise of one that must never die for another
 * @task: one of its threads
 *
 * Context: any; takes task_lock; may go through all processes.
 * Return: true if it, or one that shares its memory, has the role tbtf or spare.
 */
bool tbtf_judge_shielded(struct task_struct *task)
{
	return shared_role(task) != TBTF_ROLE_ORDINARY;
}

/* Would memory.oom.group of a cgroup between @memcg and the OOM take along who must not die? */
static bool group_takes_shielded(struct tbtf_choice *choice, struct mem_cgroup *memcg)
{
	struct mem_cgroup *group = NULL, *m;

	/* Neighbours in the walk are often of one cgroup. Compared, not followed. */
	if (memcg == choice->last_memcg)
		return choice->last_takes;
	for (m = memcg; m && m->css.parent; m = mem_cgroup_from_css(m->css.parent)) {
		if (READ_ONCE(m->oom_group))
			group = m;
		if (m == choice->memcg)
			break;
	}
	choice->last_memcg = memcg;
	choice->last_takes = group &&
		(tbtf_mark_in_memcg(group, true) || tbtf_role_shielded_below(group) ||
		 (choice->own && mem_cgroup_is_descendant(choice->own, group)));
	return choice->last_takes;
}

static u32 band_of(struct tbtf_choice *choice, struct task_struct *task, u32 role,
		   struct mem_cgroup *memcg, const struct tbtf_size *size)
{
	struct tbtf_standing standing = {
		.role = role,
		.adj = task->signal->oom_score_adj,
		.big = !tbtf_size_smaller(size, choice->p_pages),
		.own = choice->own && !choice->memcg && memcg &&
		       mem_cgroup_is_descendant(memcg, choice->own),
	};

	if (tbtf_band_asks_descent(&standing, choice->p_adj))
		standing.raised = descends(task, choice->p);
	return tbtf_band_of(&standing);
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
	bool out_of_nodes;
	u32 reason, vfork;

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
	if (t->vfork_done && in_vfork(t))
		return TBTF_REASON_VFORK;
	memcg = tbtf_task_memcg(t);
	if (choice->memcg && (!memcg || !mem_cgroup_is_descendant(memcg, choice->memcg)))
		return TBTF_REASON_MEMCG;
	/* shares_nodes() takes task_lock of the threads, of which we hold one. */
	if (choice->nodes && !choice->memcg) {
		task_unlock(t);
		out_of_nodes = !shares_nodes(choice, task, &reason);
		task_lock(t);
		if (out_of_nodes)
			return reason;
		if (t->mm != mm)
			return TBTF_REASON_NO_MM;
	}
	if (!tbtf_size_pays(&ret->size, choice->min_pages))
		return TBTF_REASON_TOO_SMALL;
	if (mm == choice->p_mm)
		return TBTF_REASON_SHARED_MM;
	/* Nobody is younger than his child. */
	if (task->start_time <= choice->p->start_time && descends(choice->p, task))
		return TBTF_REASON_ANCESTOR;
	/* Who hangs in vfork may be his child's name only; last, but the kernel could. */
	vfork = judge_sharers(choice, task, mm);
	if (vfork && vfork != TBTF_REASON_VFORK)
		return vfork;
	if (group_takes_shielded(choice, memcg))
		return TBTF_REASON_OOM_GROUP;
	if (choice->episode && memcg && memcg->css.parent &&
	    tbtf_futile_respawns(choice->episode, cgroup_id(memcg->css.cgroup),
				 task->group_leader->start_boottime))
		return TBTF_REASON_RESPAWN;
	ret->band = TBTF_BAND_BIGGER;
	if (vfork)
		return vfork;
	ret->band = band_of(choice, task, info.role, memcg, &ret->size);
	return ret->band == TBTF_BAND_BIGGER ? TBTF_REASON_TOO_BIG : TBTF_REASON_CANDIDATE;
}

static void judge_locked(struct task_struct *t, void *arg)
{
	struct judging *j = arg;

	j->ret->reason = judge_mm(j->choice, j->task, t, j->ret);
}

/**
 * tbtf_judge() - may this process be killed for P, and in which band?
 * @choice: the OOM and P
 * @task: a thread group leader
 * @ret: the reason why not, or TBTF_REASON_CANDIDATE; the band is set for it,
 * and is TBTF_BAND_BIGGER for who goes when no candidate is left
 *
 * Context: under RCU; takes task_lock.
 */
void tbtf_judge(struct tbtf_choice *choice, struct task_struct *task, struct tbtf_verdict *ret)
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

static void again_locked(struct task_struct *t, void *arg)
{
	struct judging *j = arg;

	j->ret->reason = judge_sharers(j->choice, j->task, t->mm);
}

/**
 * tbtf_judge_again() - the second look, at one about to be taken
 * @choice: the OOM and P, not at the first look any more
 * @task: a thread group leader
 * @band: in which it was found to be
 *
 * Context: takes task_lock.
 * Return: true if it may be taken.
 */
bool tbtf_judge_again(struct tbtf_choice *choice, struct task_struct *task, u32 band)
{
	struct tbtf_verdict verdict;
	struct judging j = { .choice = choice, .task = task, .ret = &verdict };
	bool alive;

	rcu_read_lock();
	alive = tbtf_with_mm(task, again_locked, &j);
	rcu_read_unlock();
	return alive && (verdict.reason == TBTF_REASON_CANDIDATE ||
			 (verdict.reason == TBTF_REASON_VFORK && band == TBTF_BAND_BIGGER));
}

/**
 * tbtf_judge_in_flight() - is a victim of the OOM killer on its way out?
 * @cpuset_of: whose nodes are out of memory
 *
 * As oom_evaluate_task() of the kernel finds it.
 *
 * Context: any.
 * Return: true if one is, and may still give back memory.
 */
bool tbtf_judge_in_flight(struct task_struct *cpuset_of)
{
	struct tbtf_choice choice = { .cpuset_of = cpuset_of };
	struct task_struct *p;
	bool found = false;
	u32 reason;

	rcu_read_lock();
	for_each_process(p) {
		found = tsk_is_oom_victim(p) &&
			!mm_flags_test(MMF_OOM_SKIP, p->signal->oom_mm) &&
			shares_nodes(&choice, p, &reason);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

struct anyone {
	struct task_struct *largest;	/* of the protected */
	unsigned long largest_size;
	bool at_hand;			/* nobody asks for the largest */
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
	if (anyone->found || anyone->at_hand)
		return;
	tbtf_role_of(t, t->mm, &info);
	if (info.role != TBTF_ROLE_TBTF)
		return;
	size_of_mm(t->mm, &size);
	if (!anyone->largest || size.size > anyone->largest_size) {
		anyone->largest = t;
		anyone->largest_size = size.size;
	}
}

/* One process of those that the kernel would look at, or has chosen before. */
static void look_at(struct task_struct *p, struct tbtf_choice *choice, struct anyone *anyone)
{
	u32 reason;

	if (is_global_init(p) || (p->flags & PF_KTHREAD) ||
	    (nr_online_nodes > 1 && !shares_nodes(choice, p, &reason)))
		return;
	if (tsk_is_oom_victim(p))
		anyone->found = !mm_flags_test(MMF_OOM_SKIP, p->signal->oom_mm);
	else
		tbtf_with_mm(p, anyone_locked, anyone);
}

/* O: whom the last walk has found, behind all the threads of the kernel; with a reference */
static struct pid *last_found;

/**
 * tbtf_judge_at_hand() - is there somebody whom the kernel could kill?
 * @cpuset_of: whose nodes are out of memory
 * @nodemask: of a mempolicy OOM, or NULL
 *
 * Two are looked at, of whom as a rule one is: who allocates, and whom
 * tbtf_judge_anyone() has found before.
 *
 * Context: under oom_lock; takes task_lock.
 * Return: true if there is; false says nothing.
 */
bool tbtf_judge_at_hand(struct task_struct *cpuset_of, const nodemask_t *nodemask)
{
	struct tbtf_choice choice = { .cpuset_of = cpuset_of, .nodemask = nodemask };
	struct anyone anyone = { .at_hand = true };
	struct task_struct *p;

	rcu_read_lock();
	look_at(cpuset_of, &choice, &anyone);
	if (!anyone.found) {
		p = pid_task(last_found, PIDTYPE_TGID);
		if (p)
			look_at(p, &choice, &anyone);
	}
	rcu_read_unlock();
	return anyone.found;
}

/**
 * tbtf_judge_anyone() - would the kernel find anyone to kill?
 * @cpuset_of: whose nodes are out of memory
 * @nodemask: of a mempolicy OOM, or NULL
 * @ret_protected: if nobody, a protected process, the largest, with a
 * reference; NULL if there is none either
 *
 * As select_bad_process() of the kernel does it for an OOM that is not a
 * memcg's, but it stops at the first, as a rule soon.
 *
 * Context: under oom_lock; takes task_lock.
 * Return: true if it would, or if a victim is on its way out already.
 */
bool tbtf_judge_anyone(struct task_struct *cpuset_of, const nodemask_t *nodemask,
		       struct task_struct **ret_protected)
{
	struct tbtf_choice choice = { .cpuset_of = cpuset_of, .nodemask = nodemask };
	struct anyone anyone = { };
	struct task_struct *p;

	*ret_protected = NULL;
	rcu_read_lock();
	for_each_process(p) {
		look_at(p, &choice, &anyone);
		if (anyone.found) {
			put_pid(last_found);
			last_found = get_pid(task_tgid(p));
			break;
		}
	}
	if (!anyone.found && anyone.largest)
		*ret_protected = get_task_struct(anyone.largest);
	rcu_read_unlock();
	return anyone.found;
}

/**
 * tbtf_judge_teardown() - forget who was found
 *
 * Context: no round is in progress, and none can begin.
 */
void tbtf_judge_teardown(void)
{
	put_pid(last_found);
}
