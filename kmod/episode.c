// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the ladder
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: an OOM, at one of two doors. tbtf_episode_front() is asked before the
 * kernel looks for somebody to kill, tbtf_episode_kill() when it has found
 * him. Out: the kernel goes on, with the same victim or another; or the round
 * ends here, and the allocation is tried again or fails.
 *
 * This is the only file that knows the order of the rungs:
 *
 *	sacrifice	somebody smaller dies instead
 *	steal		(rung two: goes into wait_or_fail())
 *	print		(rung three: likewise)
 *	exhausted	nobody is left, and ladder_deadline_ms has passed
 *
 * All of it runs under oom_lock, which is dropped for every wait, so that an
 * OOM of another scope is not held up.
 */
#include <linux/cgroup.h>
#include <linux/cpuset.h>
#include <linux/jhash.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/panic.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "tbtf.h"
#include "trace.h"

/* Why there is no candidate, beside there being none. */
enum futile {
	FUTILE_NOT,
	FUTILE_MAX_KILLS,
	FUTILE_REGAIN,
	FUTILE_FRAGMENTED,
	FUTILE_RESPAWN,
};

static const char *const futile_names[] = {
	[FUTILE_NOT]		= "nobody to kill",
	[FUTILE_MAX_KILLS]	= "max_kills reached",
	[FUTILE_REGAIN]		= "the last kills regained less than a twentieth of what was consumed",
	[FUTILE_FRAGMENTED]	= "memory is in pieces, not gone",
	[FUTILE_RESPAWN]	= "only services left that respawn",
};

static const char *const band_names[] = {
	"expendable", "raised", "ordinary", "lowered", "own", "bigger",
};

static const char *const policy_names[] = { "", "uniform", "weighted", "largest" };

static DEFINE_SPINLOCK(episode_lock);
static struct tbtf_episode *episodes;	/* I: TBTF_MAX_EPISODES of them, and the shared one */
static unsigned int nr_open;		/* E */
static u64 last_id;			/* E */

/* O: the kill under way is the ladder's end: memory.oom.group does as it likes. */
static bool final_kill;

static void close_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(close_work, close_idle);

static struct tbtf_episode *shared_episode(void)
{
	return &episodes[TBTF_MAX_EPISODES];
}

/* For the log; one buffer, under oom_lock. */
static const char *scope_name(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	static char path[160];
	int n;

	if (!oc->memcg)
		return ep->scope == TBTF_SCOPE_CONSTRAINED ? "constrained" : "global";
	n = scnprintf(path, sizeof(path), "memcg ");
	cgroup_path(oc->memcg->css.cgroup, path + n, sizeof(path) - n);
	return path;
}

static enum tbtf_scope scope_of(const struct oom_control *oc, u64 *ret_key)
{
	const nodemask_t *nodes = NULL;

	*ret_key = 0;
	if (oc->memcg) {
		*ret_key = cgroup_id(oc->memcg->css.cgroup);
		return TBTF_SCOPE_MEMCG;
	}
	/* What the kernel calls a constraint, told from the nodes alone. */
	if (nr_online_nodes == 1 || !oc->zonelist || (oc->gfp_mask & __GFP_THISNODE))
		return TBTF_SCOPE_GLOBAL;
	if (oc->nodemask && !nodes_subset(node_states[N_MEMORY], *oc->nodemask))
		nodes = oc->nodemask;
	else if (!nodes_subset(node_states[N_MEMORY], current->mems_allowed))
		nodes = &current->mems_allowed;
	if (!nodes)
		return TBTF_SCOPE_GLOBAL;
	*ret_key = jhash(nodes, sizeof(*nodes), 0);
	return TBTF_SCOPE_CONSTRAINED;
}

static void fill_trace(const struct tbtf_episode *ep, struct tbtf_trace_episode *rec)
{
	*rec = (struct tbtf_trace_episode) {
		.episode = ep->id,
		.key = ep->key,
		.freed_kb = ep->freed_kb,
		.ns = ktime_get_ns() - ep->began,
		.scope = ep->scope,
		.outcome = ep->outcome,
		.rounds = ep->rounds,
		.kills = ep->kills,
		.naps = atomic_read(&ep->naps),
	};
}

static void end_episode(struct tbtf_episode *ep)
{
	static const enum tbtf_stat stats[TBTF_OUTCOME_NR] = {
		[TBTF_OUTCOME_SACRIFICED]	= TBTF_STAT_outcome_sacrificed,
		[TBTF_OUTCOME_WAITED]		= TBTF_STAT_outcome_waited,
		[TBTF_OUTCOME_KILLED]		= TBTF_STAT_outcome_killed,
		[TBTF_OUTCOME_PANICKED]		= TBTF_STAT_outcome_panicked,
		[TBTF_OUTCOME_FAILED]		= TBTF_STAT_outcome_failed,
		[TBTF_OUTCOME_SWITCHED]		= TBTF_STAT_outcome_switched,
	};
	struct tbtf_trace_episode rec;

	lockdep_assert_held(&episode_lock);
	fill_trace(ep, &rec);
	trace_tbtf_episode_end(&rec);
	tbtf_stat_add(stats[ep->outcome], 1);
	ep->id = 0;
	nr_open--;
}

static bool idle(const struct tbtf_episode *ep)
{
	return !ep->users &&
	       time_after(jiffies, ep->last + msecs_to_jiffies(tbtf_knob(episode_idle_ms)));
}

static void begin_episode(struct tbtf_episode *ep, enum tbtf_scope scope, u64 key)
{
	struct tbtf_trace_episode rec;

	lockdep_assert_held(&episode_lock);
	memset(ep, 0, sizeof(*ep));
	ep->id = ++last_id;
	ep->scope = scope;
	ep->key = key;
	ep->began = ktime_get_ns();
	ep->last = jiffies;
	ep->outcome = TBTF_OUTCOME_SACRIFICED;
	nr_open++;
	tbtf_stat_inc(episodes);
	fill_trace(ep, &rec);
	trace_tbtf_episode_begin(&rec);
	schedule_delayed_work(&close_work, msecs_to_jiffies(tbtf_knob(episode_idle_ms)) + 1);
}

/*
 * A slot for a new episode. The machine's own is always free for it; among the
 * others the one that has been quiet for longest makes room, unless somebody
 * waits in it. NULL if there is none.
 */
static struct tbtf_episode *find_slot(enum tbtf_scope scope)
{
	struct tbtf_episode *ep, *oldest = NULL;
	unsigned int i;

	lockdep_assert_held(&episode_lock);
	if (scope == TBTF_SCOPE_GLOBAL)
		return &episodes[0];
	for (i = 1; i < TBTF_MAX_EPISODES; i++) {
		ep = &episodes[i];
		if (!ep->id)
			return ep;
		if (!ep->users && !ep->waiting &&
		    (!oldest || time_before(ep->last, oldest->last)))
			oldest = ep;
	}
	if (oldest)
		end_episode(oldest);
	return oldest;
}

/*
 * The episode of a scope, to be left with leave(). Without @begin NULL if there
 * is none; with it never NULL.
 */
static struct tbtf_episode *enter_scope(enum tbtf_scope scope, u64 key, bool begin)
{
	struct tbtf_episode *ep = NULL;
	unsigned int i, open = 0;

	spin_lock(&episode_lock);
	for (i = 0; i < TBTF_MAX_EPISODES && open < nr_open && !ep; i++) {
		if (!episodes[i].id)
			continue;
		open++;
		if (episodes[i].scope == scope && episodes[i].key == key)
			ep = &episodes[i];
	}
	if (ep && idle(ep)) {
		end_episode(ep);
		ep = NULL;
	}
	if (!ep && begin) {
		ep = find_slot(scope);
		if (!ep) {
			tbtf_stat_inc(no_episode_slot);
			ep = shared_episode();
			scope = TBTF_SCOPE_SHARED;
			key = 0;
			if (ep->id && idle(ep))
				end_episode(ep);
		}
		if (!ep->id)
			begin_episode(ep, scope, key);
	}
	if (ep)
		ep->users++;
	spin_unlock(&episode_lock);
	return ep;
}

static struct tbtf_episode *enter(const struct oom_control *oc, bool begin)
{
	enum tbtf_scope scope;
	u64 key;

	scope = scope_of(oc, &key);
	return enter_scope(scope, key, begin);
}

/* @round: it was one; otherwise the episode was only looked at. */
static void leave(struct tbtf_episode *ep, bool round)
{
	spin_lock(&episode_lock);
	ep->users--;
	if (round)
		ep->last = jiffies;
	if (ep->outcome == TBTF_OUTCOME_KILLED && !ep->users)
		end_episode(ep);
	spin_unlock(&episode_lock);
}

static void close_idle(struct work_struct *work)
{
	bool off = !tbtf_knob(enabled) || READ_ONCE(tbtf_stopping);
	struct tbtf_episode *ep;
	unsigned int i;

	spin_lock(&episode_lock);
	for (i = 0; i <= TBTF_MAX_EPISODES; i++) {
		ep = &episodes[i];
		if (!ep->id || ep->users || !(off || idle(ep)))
			continue;
		if (off)
			ep->outcome = TBTF_OUTCOME_SWITCHED;
		end_episode(ep);
	}
	if (nr_open && !READ_ONCE(tbtf_stopping))
		schedule_delayed_work(&close_work,
				      off ? 1 : msecs_to_jiffies(tbtf_knob(episode_idle_ms)) / 2 + 1);
	spin_unlock(&episode_lock);
}

/* An order > 0, while single pages are there: compaction has failed, not the machine. */
static bool fragmented(const struct oom_control *oc)
{
	struct zoneref *ref;
	struct zone *zone;

	if (oc->memcg || oc->order <= 0 || !oc->zonelist)
		return false;
	for (ref = oc->zonelist->_zonerefs; ref->zone; ref++) {
		zone = ref->zone;
		if (zonelist_zone_idx(ref) > gfp_zone(oc->gfp_mask) ||
		    (oc->nodemask && !node_isset(zone_to_nid(zone), *oc->nodemask)) ||
		    !node_isset(zone_to_nid(zone), current->mems_allowed))
			continue;
		if (zone_page_state(zone, NR_FREE_PAGES) >
		    high_wmark_pages(zone) + zone->lowmem_reserve[gfp_zone(oc->gfp_mask)] +
		    (1UL << oc->order))
			return true;
	}
	return false;
}

static bool is_sysrq(const struct oom_control *oc)
{
	return oc->order == -1;
}

static unsigned int waited_ms(const struct tbtf_episode *ep)
{
	return ep->waiting ? jiffies_to_msecs(jiffies - ep->waiting_since) : 0;
}

/*
 * The rungs between sacrifice and exhaustion. False: let the allocation fail.
 */
static bool wait_or_fail(struct tbtf_episode *ep, const struct oom_control *oc)
{
	enum tbtf_wait kind = tbtf_wait_kind(ep, oc);

	if (kind == TBTF_WAIT_FAULT)
		return false;
	if (kind != TBTF_WAIT_NOT)
		tbtf_wait_in_oom(ep, oc, kind);
	if (!oc->memcg || kind == TBTF_WAIT_NAP)
		return true;
	tbtf_stat_inc(failed_charges);
	return false;
}

/*
 * The end of the ladder. True: the round ends here, with *ret_progress; false:
 * the kernel is to do what it wanted.
 */
static bool exhausted(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		      bool *ret_progress)
{
	bool unkillable = !oc->chosen;
	bool panics = unkillable;

	/*
	 * In pieces, nobody's death would help, P's included. And a P at -1000
	 * alone in a cpuset or mempolicy would take down a machine that is well.
	 */
	if (fragmented(oc) || (unkillable && ep->scope == TBTF_SCOPE_CONSTRAINED)) {
		if (ep->outcome != TBTF_OUTCOME_FAILED) {
			trace_tbtf_exhausted(ep->id, p, TBTF_OUTCOME_FAILED, waited_ms(ep));
			pr_warn("episode %llu: exhausted: %s: order-%d allocation of %d (%s) fails after %ums, as others will\n",
				ep->id, scope_name(ep, oc), oc->order, task_tgid_nr(current),
				current->comm, waited_ms(ep));
		}
		ep->outcome = TBTF_OUTCOME_FAILED;
		tbtf_stat_inc(failed_allocations);
		/* A page fault comes back at once, whatever it is told. */
		wait_or_fail(ep, oc);
		*ret_progress = oc->gfp_mask & __GFP_NOFAIL;
		return true;
	}

	/* A constraint leaves the rest of the machine well: no reason to take it down. */
	if (!oc->memcg && ep->scope == TBTF_SCOPE_GLOBAL && !fragmented(oc) &&
	    tbtf_knob(on_exhausted) == TBTF_EXHAUSTED_PANIC)
		panics = true;

	ep->outcome = panics ? TBTF_OUTCOME_PANICKED : TBTF_OUTCOME_KILLED;
	trace_tbtf_exhausted(ep->id, p, ep->outcome, waited_ms(ep));
	pr_err("episode %llu: exhausted: %s: %d (%s) has outlived all: %u killed for it, %llukB, then %ums without anybody to kill; %s\n",
	       ep->id, scope_name(ep, oc), task_tgid_nr(p), p->comm, ep->kills, ep->freed_kb,
	       waited_ms(ep), oc->memcg ? "on_exhausted_memcg=kill: the kernel kills it" :
	       !panics ? "on_exhausted=kill: the kernel kills it" :
	       unkillable ? "it has oom_score_adj -1000: panic" : "on_exhausted=panic");
	if (panics) {
		/* 0 would be a machine that hangs there for good. */
		if (!panic_timeout)
			panic_timeout = tbtf_knob(panic_reboot_s);
		panic("tbtf: episode %llu: memory is exhausted, %d (%s) has outlived all others; reboot %s\n",
		      ep->id, task_tgid_nr(p), p->comm, panic_timeout ? "follows" : "by hand");
	}
	tbtf_stat_inc(died_exhausted);
	ep->waiting = false;
	final_kill = true;
	return false;
}

/*
 * Past rung one: nobody was found to be killed for @p. True: the round ends
 * here, with *ret_progress.
 */
static bool killless(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		     enum futile futile, bool *ret_progress)
{
	bool waits = tbtf_wait_for_ever(oc);

	tbtf_stat_inc(killless);
	if (is_sysrq(oc)) {
		/* An operator's whim: nobody is in want of memory, nobody waits. */
		pr_info_ratelimited("episode %llu: sysrq: %s for %d (%s)\n", ep->id,
				    futile_names[futile], task_tgid_nr(p), p->comm);
		if (!ep->kills && !ep->waiting)
			ep->outcome = TBTF_OUTCOME_FAILED;
		*ret_progress = false;
		return true;
	}
	/* So many scopes are stuck that there is no ladder for this one. */
	if (ep->scope == TBTF_SCOPE_SHARED && !waits)
		return exhausted(ep, oc, p, ret_progress);
	/* The last wait got what it was for: what comes now is another. */
	if (ep->waiting && time_after(jiffies, ep->decided + msecs_to_jiffies(tbtf_knob(nap_ms)) +
				      msecs_to_jiffies(TBTF_RELIEF_MS)))
		ep->waiting = false;
	if (!ep->waiting) {
		ep->waiting = true;
		ep->waiting_since = jiffies;
		pr_info_ratelimited("episode %llu: %s: %s for %d (%s) after %u kills: waits %s\n",
				    ep->id, scope_name(ep, oc), futile_names[futile],
				    task_tgid_nr(p), p->comm, ep->kills,
				    waits ? "until there is memory" :
				    "for ladder_deadline_ms at most");
	}
	if (ep->outcome != TBTF_OUTCOME_FAILED)
		ep->outcome = TBTF_OUTCOME_WAITED;
	ep->decided = jiffies;
	ep->decided_seq = tbtf_wait_seq();
	ep->decided_avail = tbtf_wait_available(oc);
	trace_tbtf_killless(ep->id, futile, waited_ms(ep));

	if (!waits && time_after_eq(jiffies, ep->waiting_since +
				    msecs_to_jiffies(tbtf_knob(ladder_deadline_ms))))
		return exhausted(ep, oc, p, ret_progress);
	*ret_progress = wait_or_fail(ep, oc);
	return true;
}

static enum futile futile(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	/* Scopes that share an episode say nothing of each other; they are bounded by its end. */
	if (ep->scope == TBTF_SCOPE_SHARED)
		return FUTILE_NOT;
	if (ep->kills >= tbtf_knob(max_kills)) {
		tbtf_stat_inc(futile_max_kills);
		return FUTILE_MAX_KILLS;
	}
	if (tbtf_futile_regain(ep, tbtf_wait_available(oc))) {
		tbtf_stat_inc(futile_regain);
		return FUTILE_REGAIN;
	}
	if (ep->kills >= TBTF_FRAGMENTED_KILLS && fragmented(oc)) {
		tbtf_stat_inc(futile_fragmented);
		return FUTILE_FRAGMENTED;
	}
	return FUTILE_NOT;
}

/* One line for a substitution, and everybody's books. The victim is choice->victim. */
static void record(struct tbtf_episode *ep, const struct oom_control *oc,
		   const struct tbtf_choice *choice, bool dry)
{
	static DEFINE_RATELIMIT_STATE(rs, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	struct task_struct *victim = choice->victim, *p = choice->p;
	struct mem_cgroup *memcg;
	struct tbtf_trace_sacrifice rec = {
		.episode = ep->id,
		.scope_cgroup = oc->memcg ? cgroup_id(oc->memcg->css.cgroup) : 0,
		.victim_kb = pages_to_kb(choice->victim_size.size),
		.worth_kb = pages_to_kb(choice->victim_size.worth),
		.protected_kb = pages_to_kb(choice->p_pages),
		.victim = task_tgid_nr(victim),
		.protected = task_tgid_nr(p),
		.victim_adj = victim->signal->oom_score_adj,
		.band = choice->band,
		.policy = choice->policy,
		.candidates = choice->candidates,
		.tries = choice->tries,
		.dry_run = dry,
	};
	u64 in_cgroup = 0;

	rcu_read_lock();
	memcg = tbtf_task_memcg(victim);
	if (memcg) {
		rec.cgroup = cgroup_id(memcg->css.cgroup);
		if (memcg->css.parent)
			in_cgroup = rec.cgroup;
	}
	if (!dry) {
		tbtf_role_count(memcg, false);
		tbtf_role_count(tbtf_task_memcg(p), true);
	}
	rcu_read_unlock();

	tbtf_futile_note_kill(ep, in_cgroup, victim->group_leader->start_boottime,
			      ktime_get_boottime_ns(), choice->victim_size.worth,
			      tbtf_wait_available(oc));
	ep->freed_kb += rec.worth_kb;
	trace_tbtf_sacrifice(&rec);
	if (choice->scanned)
		tbtf_stat_inc(scanned);
	else
		tbtf_stat_inc(sampled);
	if (dry) {
		tbtf_stat_inc(dry_run);
	} else {
		tbtf_stat_inc(sacrifices);
		tbtf_stat_add(TBTF_STAT_sacrificed_kb, rec.worth_kb);
		if (choice->band == TBTF_BAND_BIGGER)
			tbtf_stat_inc(bigger);
	}

	if (!__ratelimit(&rs))
		return;
	pr_info("episode %llu: %s: %s %d (%s) %llukB; instead %d (%s) %llukB, frees %llukB, adj %d, band %s, policy %s, %u %s\n",
		ep->id, scope_name(ep, oc), dry ? "dry run: would have spared" : "spared",
		rec.protected, p->comm, rec.protected_kb, rec.victim, victim->comm,
		rec.victim_kb, rec.worth_kb, rec.victim_adj, band_names[rec.band],
		policy_names[rec.policy], choice->scanned ? rec.candidates : rec.tries,
		choice->scanned ? "candidates" : "tries");
}

/* Rung one. True: there is a victim, in choice->victim. */
static bool sacrifice(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		      struct tbtf_choice *choice, enum futile *ret_futile)
{
	tbtf_choice_init(choice, p);
	choice->memcg = oc->memcg;
	choice->nodemask = oc->nodemask;
	choice->cpuset_of = current;
	choice->episode = ep;
	trace_tbtf_round(ep->id, p, pages_to_kb(choice->p_pages), oc->order,
			 (__force u32)oc->gfp_mask);

	*ret_futile = futile(ep, oc);
	if (*ret_futile == FUTILE_NOT)
		tbtf_victim_pick(choice);
	tbtf_choice_done(choice);
	if (choice->victim)
		return true;
	if (choice->respawning) {
		tbtf_stat_inc(futile_respawn);
		*ret_futile = FUTILE_RESPAWN;
	}
	return false;
}

/* Whom is this OOM about to hurt that is too big to fail? */
static struct task_struct *find_protected(const struct oom_control *oc)
{
	if (!tbtf_role_anyone_protected())
		return NULL;
	if (tbtf_judge_protected(oc->chosen))
		return oc->chosen;
	if (tbtf_knob(substitute) == TBTF_SUBSTITUTE_ALWAYS && current->mm && !is_sysrq(oc) &&
	    tbtf_role_protects(current))
		return current;
	return NULL;
}

/**
 * tbtf_episode_kill() - the kernel is about to kill oc->chosen
 * @oc: the OOM; chosen has a reference, and may be exchanged for another
 *
 * Context: under oom_lock, before oom_kill_process(); may sleep, without
 * oom_lock.
 * Return: true if the round has ended: oc->chosen is then -1 (try again) or
 * NULL (fail); false if the kernel is to kill oc->chosen.
 */
bool tbtf_episode_kill(struct oom_control *oc)
{
	struct task_struct *p, *chosen = oc->chosen;
	struct tbtf_choice choice;
	struct tbtf_episode *ep;
	enum futile futile;
	bool ended = false, progress, dry;

	final_kill = false;
	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping))
		return false;
	tbtf_stat_inc(rounds);
	if (oom_task_origin(chosen)) {
		tbtf_stat_inc(passes_origin);
		return false;
	}
	p = find_protected(oc);
	if (!p) {
		tbtf_stat_inc(passes);
		return false;
	}
	/* The kernel kills nobody then: no need of another. */
	if (tbtf_judge_dying(chosen) || (p != chosen && tbtf_judge_dying(p))) {
		tbtf_stat_inc(passes_dying);
		return false;
	}

	dry = tbtf_knob(dry_run);
	/*
	 * oom_kill_allocating_task: nothing was selected, and so nobody has looked
	 * whether somebody is dying already; the victim would have been the caller.
	 */
	if (!oc->memcg && p == current && !oc->chosen_points && !is_sysrq(oc) && !dry &&
	    tbtf_judge_in_flight(current)) {
		put_task_struct(chosen);
		oc->chosen = (void *)-1UL;
		return true;
	}
	ep = enter(oc, true);
	ep->rounds++;
	if (sacrifice(ep, oc, p, &choice, &futile)) {
		record(ep, oc, &choice, dry);
		ep->waiting = false;
		ep->outcome = TBTF_OUTCOME_SACRIFICED;
		if (dry) {
			put_task_struct(choice.victim);
		} else {
			oc->chosen = choice.victim;
			put_task_struct(chosen);
		}
	} else if (dry) {
		tbtf_stat_inc(dry_run);
		pr_info_ratelimited("episode %llu: %s: dry run: would have waited for %d (%s): %s\n",
				    ep->id, scope_name(ep, oc), task_tgid_nr(p), p->comm,
				    futile_names[futile]);
	} else if (p == chosen) {
		ended = killless(ep, oc, p, futile, &progress);
		if (ended) {
			put_task_struct(chosen);
			oc->chosen = progress ? (void *)-1UL : NULL;
		}
	} else {
		/* substitute = always, but the kernel's choice is not protected: it stands. */
		tbtf_stat_inc(passes);
	}
	leave(ep, true);
	return ended;
}

/* Has somebody found out just now that there is nobody to kill? */
static bool decided_just_now(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	return ep->waiting && ep->decided_seq == tbtf_wait_seq() &&
	       time_before(jiffies, ep->decided + tbtf_wait_jiffies(ep, oc)) &&
	       !tbtf_wait_gained(oc, ep->decided_avail);
}

/**
 * tbtf_episode_front() - an OOM, before the kernel looks for somebody to kill
 * @oc: the OOM
 * @ret_progress: what out_of_memory() is to return, if true is returned here
 *
 * Two cases end here. Past rung one, until something changes or nap_ms is
 * over, nobody need go through all processes again. And an OOM of the machine
 * in which the kernel would find nobody, and panic, though there is a
 * protected process: one at oom_score_adj -1000.
 *
 * Context: under oom_lock, before out_of_memory(); may sleep, without oom_lock.
 * Return: true if the round has ended.
 */
bool tbtf_episode_front(struct oom_control *oc, bool *ret_progress)
{
	struct task_struct *p = NULL;
	struct tbtf_episode *ep;
	unsigned long freed = 0;
	bool ended = false;
	u64 key;

	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping) || tbtf_knob(dry_run) ||
	    !tbtf_role_anyone_protected() || is_sysrq(oc))
		return false;
	/* The kernel gives the dying what they need, and kills nobody for GFP_NOFS. */
	if (fatal_signal_pending(current) || (current->flags & PF_EXITING) ||
	    (!oc->memcg && oc->gfp_mask && !(oc->gfp_mask & __GFP_FS)))
		return false;

	ep = enter(oc, false);
	if (ep) {
		if (decided_just_now(ep, oc)) {
			ep->rounds++;
			*ret_progress = wait_or_fail(ep, oc);
			leave(ep, true);
			return true;
		}
		leave(ep, false);
	}
	if (oc->memcg)
		return false;

	if (tbtf_judge_anyone(current, scope_of(oc, &key) == TBTF_SCOPE_CONSTRAINED ?
			       oc->nodemask : NULL, &p) || !p)
		return false;
	tbtf_stat_inc(unkillable);
	/* A balloon or a driver may have some yet: the kernel would ask before it panics. */
	if (tbtf_oom_notifiers)
		blocking_notifier_call_chain(tbtf_oom_notifiers, 0, &freed);
	if (freed) {
		*ret_progress = true;
		ended = true;
	} else if (!tbtf_judge_dying(p)) {
		ep = enter(oc, true);
		ep->rounds++;
		ended = killless(ep, oc, p, FUTILE_NOT, ret_progress);
		leave(ep, true);
	}
	put_task_struct(p);
	return ended;
}

/**
 * tbtf_episode_fault() - a fault from user mode has failed for want of memory
 *
 * If that was because of an episode that waits, of the task's memory cgroup or
 * of one above, it waits here, and the fault is taken again.
 *
 * Context: before pagefault_out_of_memory(): nothing is held; may sleep.
 * Return: true if that is all there is to do.
 */
bool tbtf_episode_fault(void)
{
	struct tbtf_episode *ep = NULL;
	struct mem_cgroup *memcg;
	bool found = false;

	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping) || tbtf_knob(dry_run) ||
	    !tbtf_role_anyone_protected() || !cgroup_subsys_on_dfl(memory_cgrp_subsys) ||
	    fatal_signal_pending(current))
		return false;

	rcu_read_lock();
	memcg = tbtf_task_memcg(current);
	for (; memcg && memcg->css.parent; memcg = mem_cgroup_from_css(memcg->css.parent)) {
		ep = enter_scope(TBTF_SCOPE_MEMCG, cgroup_id(memcg->css.cgroup), false);
		/* It may be over by now; but then it was refused when it was not. */
		found |= !!ep;
		if (ep && READ_ONCE(ep->waiting) && css_tryget(&memcg->css))
			break;
		if (ep)
			leave(ep, false);
		ep = NULL;
	}
	rcu_read_unlock();
	if (ep) {
		tbtf_wait_in_fault(ep, memcg);
		leave(ep, true);
		css_put(&memcg->css);
	}
	return found;
}

/**
 * tbtf_episode_spares_member() - must memory.oom.group leave this process alone?
 * @task: a member of the victim's group
 *
 * Context: under oom_lock, before oom_kill_memcg_member().
 * Return: true if it must.
 */
bool tbtf_episode_spares_member(struct task_struct *task)
{
	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping) || final_kill)
		return false;
	if (!tbtf_judge_shielded(task) || tbtf_judge_dying(task))
		return false;
	tbtf_stat_inc(group_spared);
	return !tbtf_knob(dry_run);
}

/**
 * tbtf_episode_respawns() - see tbtf_futile_respawns()
 * @ep: the episode
 * @cgroup: id of the candidate's cgroup
 * @started: when it was started, ns of boot time
 *
 * Context: under oom_lock.
 * Return: true if it is of a third generation.
 */
bool tbtf_episode_respawns(const struct tbtf_episode *ep, u64 cgroup, u64 started)
{
	return tbtf_futile_respawns(ep->cgroups, ep->nr_cgroups, cgroup, started);
}

/**
 * tbtf_episode_stage() - the furthest rung that an open episode stands on
 *
 * Context: any.
 * Return: 0: there is no episode; 1: sacrifice; 2: nobody is left to be killed.
 */
unsigned int tbtf_episode_stage(void)
{
	unsigned int i, stage = 0;

	spin_lock(&episode_lock);
	for (i = 0; i <= TBTF_MAX_EPISODES && nr_open; i++)
		if (episodes[i].id)
			stage = max(stage, episodes[i].waiting ? 2U : 1U);
	spin_unlock(&episode_lock);
	return stage;
}

/**
 * tbtf_episode_open() - how many episodes are there?
 *
 * Context: any.
 * Return: their number.
 */
unsigned int tbtf_episode_open(void)
{
	return READ_ONCE(nr_open);
}

/**
 * tbtf_episode_knob_set() - who waits is to look again, and episodes may be over
 *
 * Context: may sleep.
 */
void tbtf_episode_knob_set(void)
{
	if (!episodes)
		return;		/* a module parameter, before the table is there */
	tbtf_wait_wake();
	mod_delayed_work(system_wq, &close_work, 0);
}

/**
 * tbtf_episode_setup() - allocate the table of episodes
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int tbtf_episode_setup(void)
{
	episodes = kvcalloc(TBTF_MAX_EPISODES + 1, sizeof(*episodes), GFP_KERNEL);
	return episodes ? 0 : -ENOMEM;
}

/**
 * tbtf_episode_teardown() - end all episodes and free the table
 *
 * Context: may sleep; no round is in progress, and none can begin.
 */
void tbtf_episode_teardown(void)
{
	cancel_delayed_work_sync(&close_work);
	close_idle(NULL);
	kvfree(episodes);
}
