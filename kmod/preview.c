// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what would be chosen now, and why
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Asks victim.c, and does nothing else: no lock of the OOM path, no count.
 */
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "tbtf.h"

struct judged {
	struct tbtf_candidate *entries;
	u32 space;			/* of entries */
	u32 seen;			/* that belong into them */
	u32 candidates;
	u32 band;			/* that is open */
};

static void judge(struct tbtf_choice *choice, struct task_struct *task, u32 flags,
		  struct judged *all)
{
	struct tbtf_verdict verdict;
	struct tbtf_candidate *to;
	struct mem_cgroup *memcg;

	tbtf_judge(choice, task, &verdict);
	if (verdict.reason == TBTF_REASON_CANDIDATE)
		all->candidates++;
	if (verdict.band != TBTF_BAND_NR)
		all->band = min(all->band, verdict.band);
	else if (!(flags & TBTF_PREVIEW_ALL))
		return;
	if (all->seen++ >= all->space)
		return;

	to = &all->entries[all->seen - 1];
	to->pid = task_tgid_vnr(task);
	to->oom_score_adj = task->signal->oom_score_adj;
	to->reason = verdict.reason;
	to->band = verdict.band;
	to->size_kb = pages_to_kb(verdict.size.size);
	to->worth_kb = pages_to_kb(verdict.size.worth);
	to->effective = verdict.role;
	memcg = tbtf_task_memcg(task);
	to->cgroup = memcg ? cgroup_id(memcg->css.cgroup) : 0;
	/* Racy as in every other place that prints it, but always terminated. */
	strscpy(to->comm, task->comm, sizeof(to->comm));
}

/* All processes, judged; the table has room for whoever is born meanwhile, or grows. */
static int judge_all(struct tbtf_choice *choice, u32 flags, struct judged *all)
{
	struct task_struct *p;
	u32 space = 1024;

	for (;;) {
		memset(all, 0, sizeof(*all));
		all->band = TBTF_BAND_NR;
		all->space = space;
		all->entries = kvcalloc(space, sizeof(*all->entries), GFP_KERNEL);
		if (!all->entries)
			return -ENOMEM;
		/* Nobody waits for this: every sharer is looked up, not only the first few. */
		choice->walks = TBTF_PREVIEW_WALKS;
		rcu_read_lock();
		for_each_process(p)
			judge(choice, p, flags, all);
		rcu_read_unlock();
		if (all->seen <= all->space)
			break;
		space = all->seen + all->seen / 8;
		kvfree(all->entries);
	}
	tbtf_likelihood(all->entries, all->seen, all->band, choice->policy);
	return 0;
}

static int draw(const struct tbtf_choice *begun, struct tbtf_preview *pv)
{
	s32 __user *to = u64_to_user_ptr(pv->draws);
	struct tbtf_choice choice;
	s32 pid;
	u64 t0;
	u32 i;

	for (i = 0; i < pv->nr_draws; i++) {
		if (!pid_alive(begun->p))
			return -ESRCH;
		choice = *begun;
		t0 = ktime_get_ns();
		tbtf_victim_pick(&choice);
		pv->draws_ns += ktime_get_ns() - t0;
		pv->nr_scanned += choice.scanned;
		pid = choice.victim ? task_tgid_vnr(choice.victim) : 0;
		if (choice.victim)
			put_task_struct(choice.victim);
		if (put_user(pid, &to[i]))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int get_memcg(int fd, struct cgroup **ret_cgrp, struct mem_cgroup **ret_memcg)
{
	struct cgroup_subsys_state *css;
	struct cgroup *cgrp;

	cgrp = cgroup_get_from_fd(fd);
	if (IS_ERR(cgrp))
		return -EBADF;
	rcu_read_lock();
	css = rcu_dereference(cgrp->subsys[memory_cgrp_id]);
	if (!css || !css->parent || mem_cgroup_disabled() || !css_tryget_online(css))
		css = NULL;
	rcu_read_unlock();
	if (!css) {
		cgroup_put(cgrp);
		return -EINVAL;
	}
	*ret_cgrp = cgrp;
	*ret_memcg = mem_cgroup_from_css(css);
	return 0;
}

/**
 * tbtf_preview() - TBTF_IOC_PREVIEW
 * @uarg: the caller's struct
 *
 * Context: may sleep.
 * Return: see the uapi header; -EINTR if killed on the way.
 */
long tbtf_preview(struct tbtf_preview __user *uarg)
{
	struct mem_cgroup *memcg = NULL;
	struct cgroup *cgrp = NULL;
	struct tbtf_choice choice;
	struct task_struct *task;
	struct tbtf_preview pv;
	struct judged all;
	u32 count;
	long err;

	if (copy_from_user(&pv, uarg, sizeof(pv)))
		return -EFAULT;
	if (pv.reserved || (pv.flags & ~TBTF_PREVIEW_ALL) || pv.policy > TBTF_POLICY_LARGEST ||
	    (pv.count && !pv.entries) || (pv.nr_draws && !pv.draws))
		return -EINVAL;
	if (pv.count > TBTF_PREVIEW_MAX || pv.nr_draws > TBTF_PREVIEW_MAX)
		return -E2BIG;
	err = tbtf_device_get_task(pv.pidfd, &task);
	if (err)
		return err;
	if (pv.cgroup != -1) {
		err = get_memcg(pv.cgroup, &cgrp, &memcg);
		if (err)
			goto put_task;
	}

	tbtf_choice_init(&choice, task);
	err = task->flags & PF_KTHREAD ? -EINVAL : -ESRCH;
	if (err == -EINVAL || !choice.p_mm)
		goto put_cgroup;
	choice.memcg = memcg;
	if (pv.policy)
		choice.policy = pv.policy;

	err = judge_all(&choice, pv.flags, &all);
	if (err)
		goto put_cgroup;
	count = min(pv.count, all.seen);
	if (copy_to_user(u64_to_user_ptr(pv.entries), all.entries, count * sizeof(*all.entries)))
		err = -EFAULT;
	kvfree(all.entries);

	pv.count = count;
	pv.total = all.seen;
	pv.nr_scanned = 0;
	pv.draws_ns = 0;
	pv.protected_kb = pages_to_kb(choice.p_pages);
	pv.min_victim_kb = tbtf_knob(min_victim_kb);
	pv.nr_candidates = all.candidates;
	pv.band = all.band;
	pv.used_policy = choice.policy;
	choice.walks = TBTF_SHARER_WALKS;
	if (!err)
		err = draw(&choice, &pv);
	if (!err && copy_to_user(uarg, &pv, sizeof(pv)))
		err = -EFAULT;
put_cgroup:
	tbtf_choice_done(&choice);
	if (memcg) {
		css_put(&memcg->css);
		cgroup_put(cgrp);
	}
put_task:
	put_task_struct(task);
	return err;
}
