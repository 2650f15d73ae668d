/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the files of the module share
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Legend of the field tags, and the locks:
 *
 * I: set before anyone else sees it, then constant
 * M: mark_lock (mark.c); read under RCU
 * C: role_lock (role.c); read under RCU
 * E: episode_lock (episode.c)
 * L: leaving_lock (leaving.c)
 * H: helper_lock (helper.c)
 * S: reserve_lock (lastresort.c)
 * O: oom_lock of the kernel
 * A: atomic, or a single word written with WRITE_ONCE
 *
 * Order, outermost first:
 *   cgroup_mutex, mmap_lock, inode locks: whatever the one who allocates holds
 *   oom_lock (the kernel's; held in every round, dropped for every wait)
 *     css_set_lock (inside mem_cgroup_scan_tasks, not while it calls back)
 *     task_lock of a candidate
 *     episode_lock
 *       helper_lock (also by itself)
 *     mark_lock (task_lock of the one marked inside it)
 *     leaving_lock
 *     role_lock (taken under cgroup_mutex with interrupts off, too: cgroup_rmdir)
 *     reserve_lock
 * No two others of tbtf's own are ever held together, and no two task_locks; nothing of
 * tbtf's is held while it takes oom_lock again after a wait.
 */
#ifndef _TBTF_H
#define _TBTF_H

#undef pr_fmt
#define pr_fmt(fmt) "tbtf: " fmt

#include <linux/hash.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/types.h>
#include <linux/tbtf.h>

#include "compat/compat.h"
#include "choose.h"
#include "episode.h"
#include "limits.h"
#include "stats.h"

struct file;
struct kobject;
struct poll_table_struct;
struct task_struct;

/*
 * Call @fn for a thread of the process that has its memory still, under that
 * thread's task_lock: the leader may have left it behind. False if none has.
 * Under RCU.
 */
static __always_inline bool tbtf_with_mm(struct task_struct *task,
					 void (*fn)(struct task_struct *t, void *arg), void *arg)
{
	struct task_struct *t;
	bool found = false;

	for_each_thread(task, t) {
		task_lock(t);
		if (likely(t->mm)) {
			fn(t, arg);
			found = true;
		}
		task_unlock(t);
		if (found)
			break;
	}
	return found;
}

/* knobs.c: struct tbtf_knobs stands in pure.h */
extern const struct attribute_group tbtf_knob_group;
void tbtf_knobs_setup(void);

/* mark.c: processes with a role of their own */
extern unsigned int tbtf_nr_marks;		/* A */
extern unsigned int tbtf_nr_mark_expendable;	/* A */
extern struct hlist_head tbtf_mark_pids[];	/* M, R */
extern struct hlist_head tbtf_mark_mms[];	/* M, R */

/* Can neither the process nor who shares its memory have a role? A candidate's first question. */
static __always_inline bool tbtf_mark_none(struct pid *tgid, struct mm_struct *mm)
{
	return !READ_ONCE(tbtf_nr_marks) ||
	       (hlist_empty(&tbtf_mark_pids[hash_ptr(tgid, TBTF_MARK_HASH_BITS)]) &&
		hlist_empty(&tbtf_mark_mms[hash_ptr(mm, TBTF_MARK_HASH_BITS)]));
}

int tbtf_mark_set(struct task_struct *task, u32 role, u32 flags);
void tbtf_mark_get(struct pid *tgid, u32 *ret_role, u32 *ret_flags);
u32 tbtf_mark_role(struct pid *tgid);
u32 tbtf_mark_mm_role(struct mm_struct *mm);
enum tbtf_skip tbtf_mark_local(struct pid *tgid, struct mm_struct *mm);
bool tbtf_mark_in_memcg(struct mem_cgroup *memcg, bool spare);
int tbtf_mark_list(struct pid ***ret_pids, u32 *ret_count);
void tbtf_mark_exit(struct task_struct *task);
void tbtf_mark_exec(struct task_struct *task, bool secure);
int tbtf_mark_setup(void);
void tbtf_mark_teardown(void);

/* role.c: what a process is, all doors together */
struct tbtf_role_info {
	u32 role;			/* never TBTF_ROLE_INHERIT */
	u32 source;			/* enum tbtf_source */
	struct mem_cgroup *memcg;	/* whose memory.tbtf made it, or NULL; valid under RCU */
};

extern unsigned int tbtf_nr_role_cgroups;	/* A */
extern unsigned int tbtf_nr_role_protecting;	/* A: of these, tbtf or spare */
extern unsigned int tbtf_nr_role_expendable;	/* A */

/* Is there anything to do at all? Not if no process and no cgroup has a role that protects. */
static inline bool tbtf_role_anyone_protected(void)
{
	return READ_ONCE(tbtf_nr_marks) || READ_ONCE(tbtf_nr_role_protecting);
}

struct mem_cgroup *tbtf_task_memcg(struct task_struct *task);
u32 tbtf_role_cgroup(struct mem_cgroup *memcg, struct mem_cgroup **ret_from);
u32 tbtf_role_cgroup_own(struct mem_cgroup *memcg);
int tbtf_role_cgroup_set(struct mem_cgroup *memcg, u32 role);
bool tbtf_role_shielded_below(struct mem_cgroup *memcg);
void tbtf_role_of(struct task_struct *task, struct mm_struct *mm, struct tbtf_role_info *ret);
bool tbtf_role_protects(struct task_struct *task);
void tbtf_role_count(struct mem_cgroup *memcg, bool spared);
void tbtf_role_events(struct mem_cgroup *memcg, u64 *ret_sacrificed, u64 *ret_spared);
void tbtf_role_rmdir(struct cgroup *cgrp);
int tbtf_role_setup(void);
void tbtf_role_teardown(void);

/* the doors: prctl.c, cgroup.c, device.c */
int tbtf_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
	       unsigned long arg5);
int tbtf_cgroup_setup(void);
void tbtf_cgroup_teardown(void);
int tbtf_device_setup(void);
void tbtf_device_teardown(void);
extern const char *const tbtf_role_names[];
long tbtf_preview(struct tbtf_preview __user *uarg);
int tbtf_device_get_task(int pidfd, struct task_struct **ret_task);

/* a choice: judge.c and victim.c, with choose.h */
struct tbtf_choice {
	/* the OOM */
	struct mem_cgroup *memcg;	/* that hit its limit, or NULL */
	const nodemask_t *nodemask;	/* of a mempolicy OOM, or NULL */
	struct task_struct *cpuset_of;	/* whose nodes are out of memory */
	const struct tbtf_episode *episode;	/* or NULL */

	/* the protected process */
	struct task_struct *p;
	struct mm_struct *p_mm;		/* compared, not followed */
	short p_adj;
	unsigned long p_pages;		/* candidates are smaller */
	struct mem_cgroup *own;		/* its own cgroup, with a reference; NULL: the root */

	/* how to choose */
	unsigned int policy;
	unsigned long min_pages;
	unsigned int walks;		/* of sharers, left */
	struct mem_cgroup *last_memcg;	/* of the last candidate, and */
	bool last_takes;		/* its memory.oom.group takes one who must not die */
	bool nodes;			/* memory is on more than one */
	bool first_look;		/* at many: see judge_sharers() in judge.c */

	/* the choice: victim holds a reference */
	struct task_struct *victim;
	struct tbtf_size victim_size;
	unsigned int band;
	unsigned int candidates;	/* of all bands, when scanned */
	unsigned int tries;		/* when sampled */
	unsigned int respawning;	/* left alone as TBTF_REASON_RESPAWN */
	bool scanned;
};

/* One process, judged. */
struct tbtf_verdict {
	u32 reason;			/* enum tbtf_reason */
	u32 band;
	u32 role;
	struct tbtf_size size;
};

/* judge.c: may this process be killed? */
void tbtf_size_of(struct task_struct *task, struct tbtf_size *ret);
void tbtf_choice_init(struct tbtf_choice *choice, struct task_struct *p);
void tbtf_choice_done(struct tbtf_choice *choice);
void tbtf_judge(struct tbtf_choice *choice, struct task_struct *task, struct tbtf_verdict *ret);
bool tbtf_judge_again(struct tbtf_choice *choice, struct task_struct *task, u32 band);
bool tbtf_judge_dying(struct task_struct *task);
bool tbtf_judge_protected(struct task_struct *task);
bool tbtf_judge_shielded(struct task_struct *task);
bool tbtf_judge_in_flight(struct task_struct *cpuset_of);
bool tbtf_judge_at_hand(struct task_struct *cpuset_of, const nodemask_t *nodemask);
bool tbtf_judge_anyone(struct task_struct *cpuset_of, const nodemask_t *nodemask,
		       struct task_struct **ret_protected);
void tbtf_judge_teardown(void);

/* victim.c: who goes instead; decides, and changes nothing */
bool tbtf_victim_pick(struct tbtf_choice *choice);
void tbtf_victim_adj_changed(struct task_struct *task);
void tbtf_victim_adj_tracked(void);
void tbtf_victim_setup(void);

/* episode.c: the ladder; struct tbtf_episode stands in episode.h */
bool tbtf_episode_front(struct oom_control *oc, bool *ret_progress);
bool tbtf_episode_kill(struct oom_control *oc);
bool tbtf_episode_fault(void);
bool tbtf_episode_spares_member(struct task_struct *task);
enum tbtf_stage tbtf_episode_stage(void);
unsigned int tbtf_episode_open(void);
void tbtf_episode_knob_set(void);
int tbtf_episode_setup(void);
void tbtf_episode_teardown(void);

/* helper.c: who gets memory from elsewhere, and what it is asked */
extern struct pid *tbtf_helper_pid;	/* H: compared without it */
extern u32 tbtf_helper_rungs;		/* H: read without it */

static inline bool tbtf_helper_is(const struct pid *tgid)
{
	return READ_ONCE(tbtf_helper_pid) == tgid;
}

enum tbtf_ask_next tbtf_helper_next(struct tbtf_ask *ask, bool for_ever, bool past);
bool tbtf_helper_ask(struct tbtf_ask *ask, unsigned long capacity);
void tbtf_helper_withdraw(struct tbtf_ask *ask);
u32 tbtf_helper_keeps(struct pid *pid, u32 role);
pid_t tbtf_helper_nr(void);
void tbtf_helper_exit(struct task_struct *task);
void tbtf_helper_release(const struct file *file);
long tbtf_helper_register(const struct file *file, struct tbtf_helper __user *uarg);
ssize_t tbtf_helper_read(const struct file *file, char __user *buf, size_t count);
__poll_t tbtf_helper_poll(struct file *file, struct poll_table_struct *wait);
long tbtf_helper_answer(const struct file *file, struct tbtf_answer __user *uarg);

/* ask.c: rungs two and three, as far as they are the helper's */
extern long *tbtf_swap_total;		/* I */
bool tbtf_ask(struct tbtf_episode *ep, enum tbtf_rung rung, const struct oom_control *oc,
	      struct task_struct *p, bool fragmented, bool for_ever);
enum tbtf_rung tbtf_ask_used_up_of(struct tbtf_episode *ep, const struct oom_control *oc);
bool tbtf_ask_never_swaps(struct mem_cgroup *memcg);
void tbtf_ask_setup(void);

/* crash.c: rung four */
enum tbtf_outcome tbtf_crash(struct tbtf_episode *ep, const struct oom_control *oc,
			     struct task_struct *p, bool fragmented, const char *scope);

/* hold.c: what keeps the machine up */
void tbtf_hold_open(struct file *file);
void tbtf_hold_release(struct file *file);
long tbtf_hold_lending(struct file *file, struct tbtf_lending __user *uarg);
u64 tbtf_hold_lent_kb(void);
const char *tbtf_hold(void);

/* leaving.c: victims whose memory is on its way */
void tbtf_leaving_note(struct task_struct *victim, struct mem_cgroup *memcg);
bool tbtf_leaving(const struct mem_cgroup *memcg);
void tbtf_leaving_teardown(void);

/* wait.c: who waits for memory, where, and for how long */
enum tbtf_wait {
	TBTF_WAIT_NOT,
	TBTF_WAIT_JIFFY,
	TBTF_WAIT_NAP,
	TBTF_WAIT_FAULT,		/* let the fault fail: it waits when it has unwound */
};

unsigned long tbtf_wait_available(const struct oom_control *oc);
bool tbtf_wait_for_ever(const struct oom_control *oc);
bool tbtf_wait_gained(const struct oom_control *oc, unsigned long avail);
int tbtf_wait_seq(void);
void tbtf_wait_wake(void);
u64 tbtf_wait_progress(void);
enum tbtf_wait tbtf_wait_kind(const struct tbtf_episode *ep, const struct oom_control *oc);
void tbtf_wait_in_oom(struct tbtf_episode *ep, const struct oom_control *oc, enum tbtf_wait kind);
void tbtf_wait_in_fault(struct tbtf_episode *ep, struct mem_cgroup *memcg);

/* lastresort.c: the reserve, and what there is to be told of the economy */
enum tbtf_give {
	TBTF_GIVE_BRIDGE,		/* more is on its way: for those it needs */
	TBTF_GIVE_ALL,			/* nobody is left who would bring more */
};

unsigned long tbtf_lastresort_give(struct tbtf_episode *ep, const struct oom_control *oc,
				   enum tbtf_give part);
void tbtf_lastresort_note(struct tbtf_episode *ep);
bool tbtf_lastresort_yield(const struct oom_control *oc);
int tbtf_lastresort_set(unsigned int kb);
void tbtf_lastresort_wake(void);
u64 tbtf_lastresort_held_kb(void);
int tbtf_lastresort_setup(void);
void tbtf_lastresort_stop(void);
void tbtf_lastresort_teardown(void);
extern const struct attribute_group tbtf_economy_group;

/* hook.c */
/* What a decision leaves in the two return registers. */
struct tbtf_decision {
	unsigned long go_on;		/* address in the original, or 0 */
	unsigned long ret;		/* if 0: what the caller gets */
};

struct tbtf_decision tbtf_decide_kill(struct oom_control *oc, const char *message);
struct tbtf_decision tbtf_decide_group(struct task_struct *task, void *message);
struct tbtf_decision tbtf_decide_front(struct oom_control *oc);
struct tbtf_decision tbtf_decide_fault(void);
extern bool tbtf_stopping;		/* A: unloading */
extern struct mutex *tbtf_oom_lock;	/* I: or NULL */
extern struct blocking_notifier_head *tbtf_oom_notifiers;	/* I: or NULL */
u32 tbtf_hook_features(void);
void tbtf_hook_add_feature(u32 feature);
extern const char *const tbtf_feature_names[];
int tbtf_hook_setup(void);
void tbtf_hook_stop(void);
void tbtf_hook_teardown(void);
unsigned long tbtf_hook_scan_tasks(struct mem_cgroup *memcg,
				   int (*fn)(struct task_struct *task, void *arg), void *arg);
struct pid *tbtf_hook_pidfd_pid(const struct file *file);

/* sysfs.c, stats.c */
int tbtf_sysfs_setup(void);
void tbtf_sysfs_teardown(void);
void tbtf_sysfs_foretold(void);
extern const struct attribute_group tbtf_stats_group;

#endif /* _TBTF_H */
