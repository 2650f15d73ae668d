// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - processes with a role of their own
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A mark is keyed by the struct pid of the thread group, of which it holds a
 * reference: exit of the leader, exec by another thread and reuse of the
 * number all leave the pointer's meaning alone. It is keyed by the mm as well,
 * because the kernel kills by mm: whoever shares it shares the fate. The mm is
 * held by mmgrab(), so that its address is not somebody else's while it is
 * compared.
 *
 * fork() needs no hook: the child has another pid. exec and exit are told by
 * tracepoints, attached in hook.c.
 */
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "event.h"
#include "tbtf.h"

struct tbtf_mark {
	struct hlist_node by_pid;	/* M */
	struct hlist_node by_mm;	/* M, and mm_seq */
	struct pid *pid;		/* I: holds a reference */
	struct mm_struct *mm;		/* M: holds a reference; only compared by readers */
	u8 role;			/* A */
	u8 flags;			/* A */
	struct rcu_head rcu;
};

static_assert(sizeof(struct tbtf_mark) <= 128);

#define HASH_SIZE	(1U << TBTF_MARK_HASH_BITS)

static DEFINE_SPINLOCK(mark_lock);
struct hlist_head tbtf_mark_pids[HASH_SIZE];
struct hlist_head tbtf_mark_mms[HASH_SIZE];
/* A mark changes its chain of tbtf_mark_mms in an exec; readers look again. */
static seqcount_spinlock_t mm_seq = SEQCNT_SPINLOCK_ZERO(mm_seq, &mark_lock);
static struct kmem_cache *mark_cache;

unsigned int tbtf_nr_marks;
unsigned int tbtf_nr_mark_expendable;

static struct hlist_head *pid_chain(struct pid *pid)
{
	return &tbtf_mark_pids[hash_ptr(pid, TBTF_MARK_HASH_BITS)];
}

static struct hlist_head *mm_chain(struct mm_struct *mm)
{
	return &tbtf_mark_mms[hash_ptr(mm, TBTF_MARK_HASH_BITS)];
}

/* Under RCU or mark_lock. */
static struct tbtf_mark *find(struct pid *pid)
{
	struct tbtf_mark *mark;

	hlist_for_each_entry_rcu(mark, pid_chain(pid), by_pid, lockdep_is_held(&mark_lock))
		if (mark->pid == pid)
			return mark;
	return NULL;
}

static void free_rcu(struct rcu_head *rcu)
{
	struct tbtf_mark *mark = container_of(rcu, struct tbtf_mark, rcu);

	put_pid(mark->pid);
	kmem_cache_free(mark_cache, mark);
}

static void set_role(struct tbtf_mark *mark, u32 role, u32 flags)
{
	lockdep_assert_held(&mark_lock);
	if (mark->role == TBTF_ROLE_EXPENDABLE)
		WRITE_ONCE(tbtf_nr_mark_expendable, tbtf_nr_mark_expendable - 1);
	if (role == TBTF_ROLE_EXPENDABLE)
		WRITE_ONCE(tbtf_nr_mark_expendable, tbtf_nr_mark_expendable + 1);
	WRITE_ONCE(mark->role, role);
	WRITE_ONCE(mark->flags, flags);
}

static void insert(struct tbtf_mark *mark)
{
	lockdep_assert_held(&mark_lock);
	hlist_add_head_rcu(&mark->by_pid, pid_chain(mark->pid));
	write_seqcount_begin(&mm_seq);
	hlist_add_head_rcu(&mark->by_mm, mm_chain(mark->mm));
	write_seqcount_end(&mm_seq);
	WRITE_ONCE(tbtf_nr_marks, tbtf_nr_marks + 1);
}

/* The caller drops the mm and frees the mark, without the lock. */
static void unlink(struct tbtf_mark *mark)
{
	lockdep_assert_held(&mark_lock);
	set_role(mark, TBTF_ROLE_INHERIT, 0);
	hlist_del_rcu(&mark->by_pid);
	write_seqcount_begin(&mm_seq);
	hlist_del_rcu(&mark->by_mm);
	write_seqcount_end(&mm_seq);
	WRITE_ONCE(tbtf_nr_marks, tbtf_nr_marks - 1);
}

static void release(struct tbtf_mark *mark)
{
	mmdrop(mark->mm);
	call_rcu(&mark->rcu, free_rcu);
}

/* Take the mark of @pid away; false if it has none. */
static bool drop(struct pid *pid)
{
	struct tbtf_mark *mark;

	spin_lock(&mark_lock);
	mark = find(pid);
	if (mark)
		unlink(mark);
	spin_unlock(&mark_lock);
	if (!mark)
		return false;
	tbtf_tell(mark, pid, TBTF_ROLE_INHERIT, 0);
	release(mark);
	return true;
}

static void grab_mm(struct task_struct *t, void *arg)
{
	struct mm_struct **ret_mm = arg;

	/* A kernel thread that uses somebody's mm has none of its own. */
	if (t->flags & PF_KTHREAD)
		return;
	*ret_mm = t->mm;
	mmgrab(t->mm);
}

/*
 * Let the mark of a process be found by the memory it has now. Looked up under
 * mark_lock, so that of two who do this at a time the last one sees the last mm.
 */
static void follow_mm(struct task_struct *task)
{
	struct mm_struct *mm = NULL, *drop = NULL;
	struct tbtf_mark *mark;

	spin_lock(&mark_lock);
	mark = find(task_tgid(task));
	if (mark) {
		rcu_read_lock();
		tbtf_with_mm(task, grab_mm, &mm);
		rcu_read_unlock();
		drop = mm;
		if (mm && mm != mark->mm) {
			drop = mark->mm;
			write_seqcount_begin(&mm_seq);
			hlist_del_rcu(&mark->by_mm);
			WRITE_ONCE(mark->mm, mm);
			hlist_add_head_rcu(&mark->by_mm, mm_chain(mm));
			write_seqcount_end(&mm_seq);
		}
	}
	spin_unlock(&mark_lock);
	if (drop)
		mmdrop(drop);
}

/**
 * tbtf_mark_set() - give a process a role of its own
 * @task: one of its threads
 * @role: enum tbtf_role; TBTF_ROLE_INHERIT takes the role away
 * @flags: TBTF_ON and TBTF_LOCAL, as PR_GET_TBTF gives them
 *
 * Context: may sleep; takes mark_lock.
 * Return: 0; -ENOSPC when max_marks processes have a role; -ENOMEM; -ESRCH
 * when the process is exiting or has no memory.
 */
int tbtf_mark_set(struct task_struct *task, u32 role, u32 flags)
{
	struct pid *pid = get_task_pid(task, PIDTYPE_TGID);
	struct tbtf_mark *mark, *fresh = NULL;
	int err = 0;

	if (!pid)
		return -ESRCH;		/* reaped */
	role = tbtf_helper_keeps(pid, role);
	if (role == TBTF_ROLE_INHERIT) {
		if (drop(pid))
			tbtf_stat_inc(marks_cleared);
		goto out;
	}

	fresh = kmem_cache_zalloc(mark_cache, GFP_KERNEL);
	if (!fresh) {
		err = -ENOMEM;
		goto out;
	}
	rcu_read_lock();
	tbtf_with_mm(task, grab_mm, &fresh->mm);
	rcu_read_unlock();
	if (!fresh->mm) {
		kmem_cache_free(mark_cache, fresh);
		err = -ESRCH;
		goto out;
	}
	fresh->pid = get_pid(pid);

	spin_lock(&mark_lock);
	mark = find(pid);
	if (mark) {
		set_role(mark, role, flags);
	} else if (tbtf_nr_marks >= tbtf_knob(max_marks)) {
		err = -ENOSPC;
	} else {
		mark = fresh;
		fresh = NULL;
		set_role(mark, role, flags);
		insert(mark);
	}
	spin_unlock(&mark_lock);
	if (fresh)
		release(fresh);
	if (err) {
		tbtf_stat_inc(marks_full);
		goto out;
	}

	/*
	 * If the last thread went through tbtf_mark_exit() before the insert,
	 * nobody else will remove it. The counter is decremented before the
	 * tracepoint, so one of the two sees the other.
	 */
	smp_mb();
	if (!atomic_read(&task->signal->live)) {
		drop(pid);
		err = -ESRCH;
		goto out;
	}
	/*
	 * Likewise an exec that came between grab_mm() and the insert found no mark
	 * to move. A later one, or this, is the last, and sees the mm that stays.
	 */
	follow_mm(task);
	tbtf_stat_inc(marks_set);
	tbtf_lastresort_wake();
	tbtf_tell(mark, pid, role, flags);
out:
	put_pid(pid);
	return err;
}

/**
 * tbtf_mark_get() - the role a process has of its own
 * @tgid: its thread group id
 * @ret_role: enum tbtf_role; TBTF_ROLE_INHERIT if it has none
 * @ret_flags: TBTF_ON and TBTF_LOCAL
 *
 * Context: any.
 */
void tbtf_mark_get(struct pid *tgid, u32 *ret_role, u32 *ret_flags)
{
	struct tbtf_mark *mark;

	*ret_role = TBTF_ROLE_INHERIT;
	*ret_flags = 0;
	if (!READ_ONCE(tbtf_nr_marks))
		return;
	rcu_read_lock();
	mark = find(tgid);
	if (mark) {
		*ret_role = READ_ONCE(mark->role);
		*ret_flags = READ_ONCE(mark->flags);
	}
	rcu_read_unlock();
}

/**
 * tbtf_mark_role() - as tbtf_mark_get(), the role only
 * @tgid: its thread group id
 *
 * Context: any.
 * Return: enum tbtf_role.
 */
u32 tbtf_mark_role(struct pid *tgid)
{
	u32 role, flags;

	tbtf_mark_get(tgid, &role, &flags);
	return role;
}

/**
 * tbtf_mark_mm_role() - the role of those who share a memory
 * @mm: compared, not followed
 *
 * Where sharers have different roles, the one that saves it counts: tbtf, then
 * spare.
 *
 * Context: any.
 * Return: TBTF_ROLE_TBTF, TBTF_ROLE_SPARE, or TBTF_ROLE_INHERIT for all else.
 */
u32 tbtf_mark_mm_role(struct mm_struct *mm)
{
	struct tbtf_mark *mark;
	unsigned int seq;
	u32 role, r;

	if (!READ_ONCE(tbtf_nr_marks))
		return TBTF_ROLE_INHERIT;
	rcu_read_lock();
	do {
		role = TBTF_ROLE_INHERIT;
		seq = read_seqcount_begin(&mm_seq);
		hlist_for_each_entry_rcu(mark, mm_chain(mm), by_mm) {
			if (READ_ONCE(mark->mm) != mm)
				continue;
			r = READ_ONCE(mark->role);
			if (r == TBTF_ROLE_TBTF)
				role = r;
			else if (r == TBTF_ROLE_SPARE && role != TBTF_ROLE_TBTF)
				role = r;
		}
	} while (read_seqcount_retry(&mm_seq, seq));
	rcu_read_unlock();
	return role;
}

/**
 * tbtf_mark_in_memcg() - is a process with a role that protects in this cgroup?
 * @memcg: looked for in it and below
 * @spare: the role spare counts as well; otherwise tbtf only
 *
 * Speaks of roles of processes; for those of cgroups see
 * tbtf_role_shielded_below(). Costs a walk over all marks, so it is asked only
 * where memory.oom.group is set, and before a nap.
 *
 * Context: any; under RCU.
 * Return: true if one is.
 */
bool tbtf_mark_in_memcg(struct mem_cgroup *memcg, bool spare)
{
	struct task_struct *task;
	struct tbtf_mark *mark;
	struct mem_cgroup *in;
	unsigned int i;
	u32 role;

	if (!READ_ONCE(tbtf_nr_marks))
		return false;
	for (i = 0; i < HASH_SIZE; i++) {
		hlist_for_each_entry_rcu(mark, &tbtf_mark_pids[i], by_pid) {
			role = READ_ONCE(mark->role);
			if (role != TBTF_ROLE_TBTF && !(spare && role == TBTF_ROLE_SPARE))
				continue;
			task = pid_task(mark->pid, PIDTYPE_TGID);
			in = task ? tbtf_task_memcg(task) : NULL;
			if (in && mem_cgroup_is_descendant(in, memcg))
				return true;
		}
	}
	return false;
}

/**
 * tbtf_mark_local() - must the pages of somebody stay on this machine?
 * @tgid: the process that is to be given memory of other nodes
 * @mm: its memory; compared
 *
 * That memory is swap for all: the pages of any process may go there, unless its
 * cgroup keeps it from swapping.
 *
 * Context: any.
 * Return: TBTF_SKIP_LOCAL: of this one, by its own mark or that of one it shares
 * its memory with; TBTF_SKIP_OTHER_LOCAL: of another, who may swap; or TBTF_SKIP_NOT.
 */
enum tbtf_skip tbtf_mark_local(struct pid *tgid, struct mm_struct *mm)
{
	enum tbtf_skip ret = TBTF_SKIP_NOT;
	struct task_struct *task;
	struct tbtf_mark *mark;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < HASH_SIZE && ret != TBTF_SKIP_LOCAL; i++) {
		hlist_for_each_entry_rcu(mark, &tbtf_mark_pids[i], by_pid) {
			if (!(READ_ONCE(mark->flags) & TBTF_LOCAL))
				continue;
			if (mark->pid == tgid || READ_ONCE(mark->mm) == mm) {
				ret = TBTF_SKIP_LOCAL;
				break;
			}
			task = pid_task(mark->pid, PIDTYPE_TGID);
			if (task && !tbtf_ask_never_swaps(tbtf_task_memcg(task)))
				ret = TBTF_SKIP_OTHER_LOCAL;
		}
	}
	rcu_read_unlock();
	return ret;
}

/**
 * tbtf_mark_list() - the processes with a role of their own
 * @ret_pids: an array, each with a reference; to be freed with kvfree()
 * @ret_count: how many
 *
 * Context: may sleep; takes mark_lock.
 * Return: 0, or -ENOMEM.
 */
int tbtf_mark_list(struct pid ***ret_pids, u32 *ret_count)
{
	struct tbtf_mark *mark;
	u32 n = 0, space;
	struct pid **pids;
	unsigned int i;

	for (;;) {
		space = READ_ONCE(tbtf_nr_marks) + 16;
		pids = kvcalloc(space, sizeof(*pids), GFP_KERNEL);
		if (!pids)
			return -ENOMEM;
		spin_lock(&mark_lock);
		if (tbtf_nr_marks <= space)
			break;
		spin_unlock(&mark_lock);
		kvfree(pids);
	}
	for (i = 0; i < HASH_SIZE; i++)
		hlist_for_each_entry(mark, &tbtf_mark_pids[i], by_pid)
			pids[n++] = get_pid(mark->pid);
	spin_unlock(&mark_lock);
	*ret_pids = pids;
	*ret_count = n;
	return 0;
}

/**
 * tbtf_mark_exit() - a thread exits; with the last one the mark goes
 * @task: the thread
 *
 * Two last threads may both come here: what is gone already is not found.
 *
 * Context: sched_process_exit: preemption off.
 */
void tbtf_mark_exit(struct task_struct *task)
{
	if (!READ_ONCE(tbtf_nr_marks) || atomic_read(&task->signal->live))
		return;
	if (!drop(task_tgid(task)))
		return;
	tbtf_stat_inc(marks_exited);
	if (tsk_is_oom_victim(task))
		tbtf_stat_inc(died_oom);
}

/**
 * tbtf_mark_exec() - a process has executed another program
 * @task: its only thread
 * @secure: with raised privileges: the role tbtf does not stay. The others are
 * somebody else's word on it, and no privilege.
 *
 * Context: sched_process_exec: preemption off.
 */
void tbtf_mark_exec(struct task_struct *task, bool secure)
{
	if (!READ_ONCE(tbtf_nr_marks))
		return;
	if (!secure || tbtf_mark_role(task_tgid(task)) != TBTF_ROLE_TBTF)
		follow_mm(task);
	else if (drop(task_tgid(task)))
		tbtf_stat_inc(marks_exec_dropped);
}

/**
 * tbtf_mark_setup() - prepare the table
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int __init tbtf_mark_setup(void)
{
	mark_cache = KMEM_CACHE(tbtf_mark, 0);
	return mark_cache ? 0 : -ENOMEM;
}

/**
 * tbtf_mark_teardown() - forget all marks
 *
 * Context: may sleep; nobody can set or look for a mark any more.
 */
void tbtf_mark_teardown(void)
{
	struct tbtf_mark *mark;
	struct hlist_node *next;
	unsigned int i;

	for (i = 0; i < HASH_SIZE; i++) {
		hlist_for_each_entry_safe(mark, next, &tbtf_mark_pids[i], by_pid) {
			spin_lock(&mark_lock);
			unlink(mark);
			spin_unlock(&mark_lock);
			release(mark);
		}
	}
	rcu_barrier();
	kmem_cache_destroy(mark_cache);
}
