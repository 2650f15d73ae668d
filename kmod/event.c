// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - telling the tracepoints
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: what has just happened. Out: one struct tbtf_event, filled on the stack
 * and handed to whoever listens. Nothing here is reached while nobody does (see
 * tbtf_tell()), nothing decides, allocates or sleeps.
 */
#include <linux/cgroup.h>
#include <linux/delay.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>

#include "event.h"

static_assert(sizeof(struct tbtf_event_who) == 48);
static_assert(sizeof(struct tbtf_event) == 96 + 3 * 48);

static u64 cgroup_of(struct task_struct *task)
{
	struct mem_cgroup *memcg;
	u64 id;

	rcu_read_lock();
	memcg = tbtf_task_memcg(task);
	id = memcg ? cgroup_id(memcg->css.cgroup) : 0;
	rcu_read_unlock();
	return id;
}

/**
 * tbtf_event_who() - who somebody is, as events say it
 * @who: to be filled
 * @task: one of the threads
 * @kb: its size; 0: not asked
 *
 * Context: any.
 */
void tbtf_event_who(struct tbtf_event_who *who, struct task_struct *task, u64 kb)
{
	/* One by one: a literal would be zeroed first, up to three times an event. */
	who->start = task->group_leader->start_boottime;
	who->cgroup = cgroup_of(task);
	who->size_kb = kb;
	who->pid = task_tgid_nr(task);
	who->adj = task->signal->oom_score_adj;
	/* As the kernel's own tracepoints do: a name that changes meanwhile is no matter. */
	memcpy(who->comm, task->comm, sizeof(who->comm));
}

static u64 scope_cgroup(const struct oom_control *oc)
{
	return oc->memcg ? cgroup_id(oc->memcg->css.cgroup) : 0;
}

static void fill_allocation(struct tbtf_event *e, const struct oom_control *oc)
{
	e->scope_cgroup = scope_cgroup(oc);
	e->order = oc->order;
	e->gfp = (__force u32)oc->gfp_mask;
}

/* An event begins with all it does not speak of 0: once, where the compiler would do so, too. */
#define EVENT(_kind) {					\
	.version = TBTF_EVENT_VERSION,			\
	.size = sizeof(struct tbtf_event),		\
	.kind = (_kind),				\
}

static noinline void fill(struct tbtf_event *e, const struct tbtf_episode *ep,
			  const struct oom_control *oc)
{
	if (ep) {
		e->episode = ep->id;
		e->scope = ep->scope;
		e->protected = ep->whom;
		if (ep->scope == TBTF_SCOPE_MEMCG)
			e->scope_cgroup = ep->key;
	}
	if (oc) {
		fill_allocation(e, oc);
		tbtf_event_who(&e->caller, current, 0);
	}
}

void tbtf_tell_mark(struct pid *pid, u32 role, u32 flags)
{
	struct task_struct *task;
	struct tbtf_event e = EVENT(TBTF_EVENT_MARK);

	e.what = role;
	e.flags = flags;
	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task)
		tbtf_event_who(&e.task, task, 0);
	rcu_read_unlock();
	e.task.pid = pid_nr(pid);
	trace_tbtf_mark(&e);
}

void tbtf_tell_pass(const struct oom_control *oc, enum tbtf_pass why)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_PASS);

	fill(&e, NULL, oc);
	e.what = why;
	e.scope = oc->memcg ? TBTF_SCOPE_MEMCG : TBTF_SCOPE_GLOBAL;
	tbtf_event_who(&e.task, oc->chosen, 0);
	trace_tbtf_pass(&e);
}

void tbtf_tell_round(struct tbtf_episode *ep, const struct oom_control *oc)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_ROUND);

	fill(&e, ep, oc);
	trace_tbtf_round(&e);
}

void tbtf_tell_round_end(struct tbtf_episode *ep, const struct oom_control *oc,
			 enum tbtf_round what)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_ROUND_END);

	/* What is told by another event of the round is not told again. */
	fill(&e, ep, NULL);
	fill_allocation(&e, oc);
	e.what = what;
	if (ep->round_began)
		e.ns = ktime_get_ns() - ep->round_began;
	ep->round_began = 0;
	trace_tbtf_round_end(&e);
}

static void fill_episode(struct tbtf_event *e, const struct tbtf_episode *ep)
{
	fill(e, ep, NULL);
	e->what = ep->outcome;
	e->ns = ktime_get_ns() - ep->began;
	e->worth_kb = ep->freed_kb;
	e->rounds = ep->rounds;
	e->kills = ep->kills;
	e->naps = atomic_read(&ep->naps);
}

void tbtf_tell_episode_begin(const struct tbtf_episode *ep)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_EPISODE_BEGIN);

	fill_episode(&e, ep);
	e.what = TBTF_OUTCOME_OPEN;
	e.ns = 0;
	trace_tbtf_episode_begin(&e);
}

void tbtf_tell_episode_end(const struct tbtf_episode *ep)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_EPISODE_END);

	fill_episode(&e, ep);
	trace_tbtf_episode_end(&e);
}

void tbtf_tell_sacrifice(const struct tbtf_episode *ep, const struct oom_control *oc,
			 const struct tbtf_choice *choice, bool dry)
{
	struct tbtf_event e;

	/* It is told in most rounds: all three of them are filled, so they are not zeroed. */
	memset(&e, 0, offsetof(struct tbtf_event, task));
	e.version = TBTF_EVENT_VERSION;
	e.size = sizeof(e);
	e.kind = TBTF_EVENT_SACRIFICE;
	fill(&e, ep, oc);
	tbtf_event_who(&e.task, choice->victim, pages_to_kb(choice->victim_size.size));
	e.worth_kb = pages_to_kb(choice->victim_size.worth);
	e.band = choice->band;
	e.policy = choice->policy;
	e.candidates = choice->candidates;
	e.tries = choice->tries;
	if (ep->round_began)
		e.ns = ktime_get_ns() - ep->round_began;
	e.flags = (dry ? TBTF_EVENT_DRY : 0) | (choice->scanned ? TBTF_EVENT_SCANNED : 0);
	trace_tbtf_sacrifice(&e);
}

void tbtf_tell_killless(const struct tbtf_episode *ep, const struct oom_control *oc,
			enum tbtf_futile futile)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_KILLLESS);

	fill(&e, ep, oc);
	e.what = futile;
	e.ns = (u64)tbtf_ladder_waited_ms(ep) * NSEC_PER_MSEC;
	trace_tbtf_killless(&e);
}

void tbtf_tell_nap(const struct tbtf_episode *ep, u64 ns, bool jiffy)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_NAP);

	fill(&e, ep, NULL);
	tbtf_event_who(&e.task, current, 0);
	e.ns = ns;
	e.flags = jiffy ? TBTF_EVENT_JIFFY : 0;
	trace_tbtf_nap(&e);
}

void tbtf_tell_rung_end(const struct tbtf_episode *ep, enum tbtf_rung rung,
			unsigned long spent, enum tbtf_outcome why)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_RUNG_END);

	fill(&e, ep, NULL);
	e.what = why;
	e.rung = rung;
	e.ns = jiffies_to_nsecs(spent);
	trace_tbtf_rung_end(&e);
}

void tbtf_tell_exhausted(const struct tbtf_episode *ep, const struct oom_control *oc,
			 enum tbtf_outcome outcome, unsigned int waited_ms)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_EXHAUSTED);

	fill(&e, ep, oc);
	e.what = outcome;
	e.ns = (u64)waited_ms * NSEC_PER_MSEC;
	trace_tbtf_exhausted(&e);
}

/* Of the episode only what does not change: a request is told of in any context. */
static noinline void fill_ask(struct tbtf_event *e, const struct tbtf_ask *ask)
{
	const struct tbtf_episode *ep = ask->episode;

	e->episode = ep->id;
	e->scope = ep->scope;
	if (ep->scope == TBTF_SCOPE_MEMCG)
		e->scope_cgroup = ep->key;
	e->rung = ask->rung;
	e->protected = ask->whom;
}

void tbtf_tell_request(const struct tbtf_ask *ask)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_REQUEST);

	fill_ask(&e, ask);
	e.worth_kb = ask->wanted_kb;
	trace_tbtf_request(&e);
}

void tbtf_tell_answer(const struct tbtf_ask *ask, enum tbtf_answered what)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_ANSWER);

	fill_ask(&e, ask);
	e.what = what;
	if (what == TBTF_ANSWERED_SKIPPED)
		e.reason = ask->skip;
	else
		e.ns = ktime_get_ns() - ask->asked_ns;
	if (what == TBTF_ANSWERED_GRANTED)
		e.worth_kb = ask->granted_kb;
	trace_tbtf_answer(&e);
}

void tbtf_tell_print(const struct tbtf_episode *ep, const struct oom_control *oc,
		     enum tbtf_print what, unsigned long pages)
{
	/* Under oom_lock: of which episode the last was, for what, and when. */
	static enum tbtf_print last_what;
	static unsigned long last_told;
	static u64 last_id;
	struct tbtf_event e = EVENT(TBTF_EVENT_PRINT);

	fill(&e, ep, oc);
	e.what = what;
	if (last_what == what && last_id == e.episode &&
	    time_before(jiffies, last_told + msecs_to_jiffies(TBTF_TELL_PRINT_MS))) {
		e.flags = TBTF_EVENT_MORE;
	} else {
		last_what = what;
		last_id = e.episode;
		last_told = jiffies;
	}
	e.worth_kb = pages_to_kb(pages);
	trace_tbtf_print(&e);
}

void tbtf_tell_foretold(u64 left_ms, u64 left_kb)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_FORETOLD);

	e.ns = left_ms * NSEC_PER_MSEC;
	e.worth_kb = left_kb;
	trace_tbtf_foretold(&e);
}

/**
 * tbtf_event_protected() - whom the episode's events speak of
 * @ep: the episode
 * @p: the protected process of this round
 * @kb: its size; 0: not asked
 *
 * Context: under oom_lock.
 */
void tbtf_event_protected(struct tbtf_episode *ep, struct task_struct *p, u64 kb)
{
	if (!trace_tbtf_round_enabled() && !trace_tbtf_round_end_enabled() &&
	    !trace_tbtf_sacrifice_enabled() && !trace_tbtf_killless_enabled() &&
	    !trace_tbtf_nap_enabled() && !trace_tbtf_rung_end_enabled() &&
	    !trace_tbtf_exhausted_enabled() && !trace_tbtf_episode_end_enabled())
		return;
	tbtf_event_who(&ep->whom, p, kb);
}

/* --- deaths -------------------------------------------------------------- */

/*
 * Why somebody is about to die is known when it is decided; that he was
 * protected and did die, at his exit. The last few are remembered between.
 */
struct doomed {
	u64 start;
	pid_t pid;
	enum tbtf_death why;
	bool told;
};

static DEFINE_RAW_SPINLOCK(doomed_lock);
static struct doomed doomed[16];	/* doomed_lock, as the next: */
static unsigned int next_doomed;

static struct doomed *find_doomed(struct task_struct *task)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(doomed); i++)
		if (doomed[i].pid == task_tgid_nr(task) &&
		    doomed[i].start == task->group_leader->start_boottime)
			return &doomed[i];
	return NULL;
}

static struct doomed *add_doomed(struct task_struct *task, enum tbtf_death why)
{
	struct doomed *d = &doomed[next_doomed++ % ARRAY_SIZE(doomed)];

	*d = (struct doomed) {
		.start = task->group_leader->start_boottime,
		.pid = task_tgid_nr(task),
		.why = why,
	};
	return d;
}

/**
 * tbtf_event_doomed() - why a process is going to die
 * @task: the process
 * @why: for TBTF_EVENT_DIED, if it is protected; or TBTF_DEATH_OWN, which is no
 * event. What was said first holds.
 *
 * Context: any.
 */
void tbtf_event_doomed(struct task_struct *task, enum tbtf_death why)
{
	unsigned long flags;

	if (!trace_tbtf_died_enabled())
		return;
	raw_spin_lock_irqsave(&doomed_lock, flags);
	if (!find_doomed(task))
		add_doomed(task, why);
	raw_spin_unlock_irqrestore(&doomed_lock, flags);
}

static bool was_protected(struct task_struct *task)
{
	u32 role;

	rcu_read_lock();
	role = tbtf_mark_role(task_tgid(task));
	if (!role && task->signal->oom_mm)
		role = tbtf_mark_mm_role(task->signal->oom_mm);
	if (!role)
		role = tbtf_role_cgroup(tbtf_task_memcg(task), NULL);
	rcu_read_unlock();
	return role == TBTF_ROLE_TBTF;
}

static void tell_death(struct task_struct *task, enum tbtf_death why)
{
	struct tbtf_event e = EVENT(TBTF_EVENT_DIED);
	struct doomed *d;
	unsigned long flags;
	bool told;

	/* Two last threads may both come here. */
	raw_spin_lock_irqsave(&doomed_lock, flags);
	d = find_doomed(task) ?: add_doomed(task, why);
	told = d->told;
	d->told = true;
	e.what = d->why;
	raw_spin_unlock_irqrestore(&doomed_lock, flags);
	if (told || e.what == TBTF_DEATH_OWN)
		return;
	tbtf_event_who(&e.task, task, 0);
	e.protected = e.task;
	trace_tbtf_died(&e);
}

/* Called at every exit of a thread while somebody listens, before the mark goes. */
void tbtf_tell_died(struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	enum tbtf_death why;
	int code;

	if (atomic_read(&sig->live))
		return;
	code = (sig->flags & SIGNAL_GROUP_EXIT) ? sig->group_exit_code : task->exit_code;
	if (tsk_is_oom_victim(task))
		why = tbtf_knob(enabled) && !tbtf_knob(dry_run) ? TBTF_DEATH_OOM : TBTF_DEATH_OFF;
	else if ((code & 0x7f) == SIGBUS)
		why = TBTF_DEATH_SIGBUS;
	else
		return;
	if (was_protected(task))
		tell_death(task, why);
}

/* --- relief -------------------------------------------------------------- */

/*
 * The allocation that a kill was for succeeds out of our sight. But when it was
 * a fault from user mode, nothing lies between that and the way back, where
 * task work is done; nor in a fault of the kernel's on that way. Not so in a system
 * call, which may go on for long, and is left out.
 */
struct relief {
	struct callback_head work;
	struct task_struct *caller;	/* O: compared; NULL: free, made so by caller */
	u64 killed;			/* ns: the first kill */
	u64 episode;
	u64 scope_cgroup;
	struct tbtf_event_who protected;
	u32 scope;
	u32 kills;
	int order;
	gfp_t gfp;
};

static struct relief reliefs[16];
static atomic_t nr_reliefs;

static void relieved(struct callback_head *work)
{
	struct relief *r = container_of(work, struct relief, work);
	struct tbtf_event e = EVENT(TBTF_EVENT_RELIEF);

	e.ns = ktime_get_ns() - r->killed;
	e.episode = r->episode;
	e.scope_cgroup = r->scope_cgroup;
	e.protected = r->protected;
	e.scope = r->scope;
	e.kills = r->kills;
	e.order = r->order;
	e.gfp = (__force u32)r->gfp;
	/* The copy is made: whoever sees the slot free may fill it. */
	smp_store_release(&r->caller, NULL);
	/* Who is dying has not got what he wanted. */
	if (!fatal_signal_pending(current) && !(current->flags & PF_EXITING)) {
		tbtf_event_who(&e.caller, current, 0);
		trace_tbtf_relief(&e);
	}
	atomic_dec(&nr_reliefs);
}

/**
 * tbtf_event_relief() - somebody is about to be killed so that current has memory
 * @ep: the episode
 * @oc: the OOM
 *
 * Context: under oom_lock.
 */
void tbtf_event_relief(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	struct relief *r, *found = NULL;
	unsigned int i;

	if (!trace_tbtf_relief_enabled() || !current->mm || oc->order == -1 ||
	    (current->flags & (PF_KTHREAD | PF_EXITING | TBTF_PF_USER_WORKER)) ||
	    tbtf_in_syscall())
		return;
	for (i = 0; i < ARRAY_SIZE(reliefs); i++) {
		r = &reliefs[i];
		/* Pairs with relieved(); only current itself gives its own slot back. */
		if (smp_load_acquire(&r->caller) == current) {
			/* The kill before was not enough. */
			r->kills++;
			return;
		}
		if (!found && !r->caller)
			found = r;
	}
	if (!found)
		return;
	found->killed = ktime_get_ns();
	found->episode = ep->id;
	found->scope_cgroup = scope_cgroup(oc);
	found->protected = ep->whom;
	found->scope = ep->scope;
	found->kills = 1;
	found->order = oc->order;
	found->gfp = oc->gfp_mask;
	found->caller = current;
	init_task_work(&found->work, relieved);
	atomic_inc(&nr_reliefs);
	if (task_work_add(current, &found->work, TWA_RESUME)) {
		found->caller = NULL;
		atomic_dec(&nr_reliefs);
	}
}

/**
 * tbtf_event_teardown() - wait until nobody comes back to relieved()
 *
 * Context: may sleep; no round is in progress, and none can begin.
 */
void tbtf_event_teardown(void)
{
	while (atomic_read(&nr_reliefs))
		msleep(20);
	/* The last may still stand behind its count. */
	synchronize_rcu_tasks();
}
