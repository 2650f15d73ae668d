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
 *	steal		memory of other nodes
 *	print		memory that was not there: the helper's, or held in reserve
 *	crash		nobody is left, and ladder_deadline_ms has passed
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
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "event.h"
#include "tbtf.h"

static const char *const futile_names[] = {
	[TBTF_FUTILE_NOT]		= "nobody to kill",
	[TBTF_FUTILE_MAX_KILLS]		= "max_kills reached",
	[TBTF_FUTILE_REGAIN]		= "the last kills regained less than a twentieth of what was consumed",
	[TBTF_FUTILE_FRAGMENTED]	= "memory is in pieces, not gone",
	[TBTF_FUTILE_RESPAWN]		= "only services left that respawn",
};

static const char *const band_names[] = {
	"expendable", "raised", "ordinary", "lowered", "own", "bigger",
};

static const char *const policy_names[] = { "", "uniform", "weighted", "largest" };

static DEFINE_SPINLOCK(episode_lock);
static struct tbtf_slots slots;		/* E, once the table is there */

/* O: jiffies of the last decision past rung one, of whatever episode */
static unsigned long last_decided;

/* O: the kill under way is the ladder's end: memory.oom.group does as it likes. */
static bool final_kill;
/* O: of the kill under way, the cgroup that hit its limit, or NULL. */
static struct mem_cgroup *kill_scope;

static void close_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(close_work, close_idle);

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

/**
 * tbtf_episode_begun() - slots.c has begun one
 * @ep: the episode
 *
 * Context: under episode_lock.
 */
void tbtf_episode_begun(struct tbtf_episode *ep)
{
	lockdep_assert_held(&episode_lock);
	ep->began = ktime_get_ns();
	tbtf_stat_inc(episodes);
	tbtf_tell(episode_begin, ep);
	schedule_delayed_work(&close_work, msecs_to_jiffies(tbtf_knob(episode_idle_ms)) + 1);
}

/**
 * tbtf_episode_ended() - slots.c is about to end one
 * @ep: the episode
 *
 * Context: under episode_lock.
 */
void tbtf_episode_ended(struct tbtf_episode *ep)
{
	static const enum tbtf_stat stats[TBTF_OUTCOME_NR] = {
		[TBTF_OUTCOME_SACRIFICED]	= TBTF_STAT_outcome_sacrificed,
		[TBTF_OUTCOME_WAITED]		= TBTF_STAT_outcome_waited,
		[TBTF_OUTCOME_KILLED]		= TBTF_STAT_outcome_killed,
		[TBTF_OUTCOME_PANICKED]		= TBTF_STAT_outcome_panicked,
		[TBTF_OUTCOME_FAILED]		= TBTF_STAT_outcome_failed,
		[TBTF_OUTCOME_SWITCHED]		= TBTF_STAT_outcome_switched,
		[TBTF_OUTCOME_STOLEN]		= TBTF_STAT_outcome_stolen,
		[TBTF_OUTCOME_PRINTED]		= TBTF_STAT_outcome_printed,
	};

	lockdep_assert_held(&episode_lock);
	tbtf_helper_withdraw(&ep->steal);
	tbtf_helper_withdraw(&ep->print);
	if (ep->waiting)
		tbtf_tell(rung_end, ep, ep->rung, ep->last - ep->rung_since, ep->outcome);
	tbtf_tell(episode_end, ep);
	tbtf_stat_add(stats[ep->outcome], 1);
}

/* See tbtf_slots_enter(). */
static struct tbtf_episode *enter_scope(enum tbtf_scope scope, u64 key, bool begin)
{
	struct tbtf_episode *ep;

	spin_lock(&episode_lock);
	ep = tbtf_slots_enter(&slots, scope, key, begin);
	spin_unlock(&episode_lock);
	if (ep && ep->scope == TBTF_SCOPE_SHARED)
		tbtf_stat_inc(no_episode_slot);
	return ep;
}

static struct tbtf_episode *enter(const struct oom_control *oc, bool begin)
{
	enum tbtf_scope scope;
	u64 key;

	scope = scope_of(oc, &key);
	return enter_scope(scope, key, begin);
}

static void leave(struct tbtf_episode *ep, bool round)
{
	spin_lock(&episode_lock);
	tbtf_slots_leave(&slots, ep, round);
	spin_unlock(&episode_lock);
}

static void close_idle(struct work_struct *work)
{
	bool off = !tbtf_knob(enabled) || READ_ONCE(tbtf_stopping);
	unsigned long idle = msecs_to_jiffies(tbtf_knob(episode_idle_ms));

	spin_lock(&episode_lock);
	tbtf_slots_close(&slots, off);
	if (slots.nr_open && !READ_ONCE(tbtf_stopping))
		schedule_delayed_work(&close_work, off ? 1 : idle / 2 + 1);
	spin_unlock(&episode_lock);
}

/* Is there more than the kernel wants to see before it kills? */
static bool has_memory(const struct oom_control *oc)
{
	unsigned long more = 1UL << oc->order;
	bool nodes = nr_online_nodes > 1;
	struct zoneref *ref;
	struct zone *zone;
	enum zone_type most;

	if (oc->memcg)
		return tbtf_wait_available(oc) >= more;
	if (!oc->zonelist)
		return false;
	most = gfp_zone(oc->gfp_mask);
	for (ref = oc->zonelist->_zonerefs; ref->zone; ref++) {
		zone = ref->zone;
		if (zonelist_zone_idx(ref) > most ||
		    (nodes && ((oc->nodemask && !node_isset(zone_to_nid(zone), *oc->nodemask)) ||
			       !node_isset(zone_to_nid(zone), current->mems_allowed))))
			continue;
		if (zone_page_state(zone, NR_FREE_PAGES) >
		    high_wmark_pages(zone) + zone->lowmem_reserve[most] + more)
			return true;
	}
	return false;
}

static bool is_sysrq(const struct oom_control *oc)
{
	return oc->order == -1;
}

/* An order > 0, while single pages are there: compaction has failed, not the machine. */
static bool fragmented(const struct oom_control *oc)
{
	return !oc->memcg && oc->order > 0 && has_memory(oc);
}

/*
 * Has the last kill been enough after all? The kernel has looked for pages before
 * it came here, but one that is preempted since may have slept through the end of
 * the victim. That pages are free does not always mean that this allocation may
 * have them, so it is believed a few times after each kill only.
 */
static bool has_come(struct tbtf_episode *ep, const struct oom_control *oc)
{
	if (ep->looks >= TBTF_LOOKS || (!oc->memcg && oc->order > 0) || is_sysrq(oc) ||
	    !has_memory(oc))
		return false;
	ep->looks++;
	return true;
}

/* Nobody is killed; is to be tried again? False: let the allocation fail. */
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
	tbtf_ladder_fails(current);
	return false;
}

/*
 * The end of the ladder. True: the round ends here, with *ret_progress; false:
 * the kernel is to do what it wanted.
 */
static bool exhausted(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		      bool *ret_progress)
{
	if (tbtf_crash(ep, oc, p, fragmented(oc), scope_name(ep, oc)) != TBTF_OUTCOME_FAILED) {
		final_kill = true;
		return false;
	}
	/* A page fault comes back at once, whatever it is told. */
	wait_or_fail(ep, oc);
	*ret_progress = oc->gfp_mask & __GFP_NOFAIL;
	if (!*ret_progress)
		tbtf_ladder_fails(current);
	return true;
}

/*
 * Out of the reserve, where the rung has a claim on it: as the bridge while the helper
 * is at it, or all. True: there is memory, to be tried again.
 */
static bool print(struct tbtf_episode *ep, const struct oom_control *oc)
{
	bool first = !ep->printed;
	unsigned long pages;

	if (ep->rung == TBTF_RUNG_NONE)
		return false;
	pages = tbtf_lastresort_give(ep, oc, ep->helped ? TBTF_GIVE_BRIDGE : TBTF_GIVE_ALL);
	if (pages && !ep->helped) {
		WRITE_ONCE(ep->given, TBTF_RUNG_PRINT);
		if (first)
			pr_info("episode %llu: %s: memory is printed: %llukB are left in reserve\n",
				ep->id, scope_name(ep, oc), tbtf_lastresort_held_kb());
	}
	return pages;
}

/* What there is to be had beyond rung one. */
enum climbed { CLIMBED_NOTHING, CLIMBED_WAITS, CLIMBED_THERE };

/*
 * The rungs between sacrifice and crash, in their order. Of each is asked whether
 * memory is on its way, or there; if not, the next one follows. @anew: the wait begins;
 * @past: the deadline is past.
 */
static enum climbed climb(struct tbtf_episode *ep, const struct oom_control *oc,
			  struct task_struct *p, bool for_ever, bool anew, bool past)
{
	enum tbtf_rung was = ep->rung;
	bool pieces = fragmented(oc), there;

	/* Set before it is asked: the helper may look before this round is over. */
	ep->rung = TBTF_RUNG_STEAL;
	ep->helped = tbtf_ask(ep, TBTF_RUNG_STEAL, oc, p, pieces, for_ever);
	if (!ep->helped) {
		ep->rung = TBTF_RUNG_PRINT;
		ep->helped = tbtf_ask(ep, TBTF_RUNG_PRINT, oc, p, pieces, for_ever);
	}
	there = print(ep, oc);
	if (!ep->helped && !there) {
		/* What was printed is used up: if this ends well, it was not by that. */
		if (ep->given == TBTF_RUNG_PRINT)
			WRITE_ONCE(ep->given, TBTF_RUNG_NONE);
		/* Nothing but the end is next: that leaves the rung it stood on. */
		ep->rung = past ? was : TBTF_RUNG_NONE;
	}
	if (ep->rung != was && !anew)
		tbtf_tell(rung_end, ep, was, jiffies - ep->rung_since, TBTF_OUTCOME_OPEN);
	if (ep->rung != was)
		ep->rung_since = jiffies;
	return there ? CLIMBED_THERE : ep->helped ? CLIMBED_WAITS : CLIMBED_NOTHING;
}

/*
 * Past rung one: nobody was found to be killed for @p. True: the round ends
 * here, with *ret_progress.
 */
static bool killless(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		     enum tbtf_futile futile, bool *ret_progress)
{
	unsigned long since = ep->rung_since, last = ep->last;
	bool waits = tbtf_wait_for_ever(oc), waited, past, anew;
	enum climbed climbed;
	enum tbtf_rung used_up, was = ep->rung;
	u64 progress;

	tbtf_stat_inc(killless);
	if (is_sysrq(oc)) {
		/* An operator's whim: nobody is in want of memory, nobody waits. */
		pr_info_ratelimited("episode %llu: sysrq: %s for %d (%s)\n", ep->id,
				    futile_names[futile], task_tgid_nr(p), p->comm);
		tbtf_ladder_sysrq(ep);
		tbtf_tell(round_end, ep, oc, TBTF_ROUND_FAILS);
		*ret_progress = false;
		return true;
	}
	/* So many scopes are stuck that there is no ladder for this one. */
	if (ep->scope == TBTF_SCOPE_SHARED && !waits)
		return exhausted(ep, oc, p, ret_progress);
	used_up = ep->waiting ? tbtf_ask_used_up_of(ep, oc) : TBTF_RUNG_NONE;
	if (used_up) {
		tbtf_tell(rung_end, ep, ep->rung, jiffies - since, used_up == TBTF_RUNG_STEAL ?
			  TBTF_OUTCOME_STOLEN : TBTF_OUTCOME_PRINTED);
		tbtf_ladder_used_up(ep);
	}
	waited = ep->waiting;
	progress = tbtf_wait_progress();
	anew = tbtf_ladder_waits(ep, tbtf_wait_seq(), tbtf_wait_available(oc),
				 progress ? current : NULL, progress);
	if (anew) {
		if (waited)
			tbtf_tell(rung_end, ep, was, last - since, tbtf_ladder_outcome(ep));
		pr_info_ratelimited("episode %llu: %s: %s for %d (%s) after %u kills: waits %s\n",
				    ep->id, scope_name(ep, oc), futile_names[futile],
				    task_tgid_nr(p), p->comm, ep->kills,
				    waits ? "until there is memory" :
				    "for ladder_deadline_ms at most");
	}
	last_decided = jiffies;
	tbtf_lastresort_note(ep);
	tbtf_tell(killless, ep, oc, futile);

	past = !waits && tbtf_ladder_past_deadline(ep);
	climbed = climb(ep, oc, p, waits, anew, past);
	if (climbed == CLIMBED_NOTHING && past)
		return exhausted(ep, oc, p, ret_progress);
	tbtf_tell(round_end, ep, oc,
		  climbed == CLIMBED_THERE ? TBTF_ROUND_PRINTED : TBTF_ROUND_WAITS);
	*ret_progress = climbed == CLIMBED_THERE || wait_or_fail(ep, oc);
	return true;
}

static enum tbtf_futile futile(const struct tbtf_episode *ep, const struct oom_control *oc,
			       unsigned long avail)
{
	enum tbtf_futile futile = tbtf_futile(ep, avail);

	if (futile == TBTF_FUTILE_MAX_KILLS)
		tbtf_stat_inc(futile_max_kills);
	if (futile == TBTF_FUTILE_REGAIN)
		tbtf_stat_inc(futile_regain);
	if (futile == TBTF_FUTILE_NOT && tbtf_futile_in_pieces(ep) && fragmented(oc)) {
		tbtf_stat_inc(futile_fragmented);
		return TBTF_FUTILE_FRAGMENTED;
	}
	return futile;
}

/* One line for a substitution, and everybody's books. The victim is choice->victim. */
static void record(struct tbtf_episode *ep, const struct oom_control *oc,
		   const struct tbtf_choice *choice, unsigned long avail, bool dry)
{
	static DEFINE_RATELIMIT_STATE(rs, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	struct task_struct *victim = choice->victim, *p = choice->p;
	struct mem_cgroup *memcg;
	u64 worth_kb = pages_to_kb(choice->victim_size.worth);
	u64 in_cgroup = 0;

	rcu_read_lock();
	memcg = tbtf_task_memcg(victim);
	if (memcg && memcg->css.parent)
		in_cgroup = cgroup_id(memcg->css.cgroup);
	if (!dry) {
		tbtf_role_count(memcg, false);
		tbtf_role_count(tbtf_task_memcg(p), true);
	}
	rcu_read_unlock();

	/* The clock is read for a cgroup only. */
	tbtf_futile_note_kill(ep, in_cgroup, victim->group_leader->start_boottime,
			      in_cgroup ? ktime_get_boottime_ns() : 0,
			      choice->victim_size.worth, avail);
	ep->freed_kb += worth_kb;
	memcpy(ep->victims[(ep->kills - 1) % TBTF_VICTIMS_TOLD], victim->comm, TASK_COMM_LEN - 1);
	ep->looks = 0;
	tbtf_tell(sacrifice, ep, oc, choice, dry);
	if (choice->scanned)
		tbtf_stat_inc(scanned);
	else
		tbtf_stat_inc(sampled);
	if (dry) {
		tbtf_stat_inc(dry_run);
	} else {
		tbtf_stat_inc(sacrifices);
		tbtf_stat_add(TBTF_STAT_sacrificed_kb, worth_kb);
		if (choice->band == TBTF_BAND_BIGGER)
			tbtf_stat_inc(bigger);
	}

	if (!__ratelimit(&rs))
		return;
	pr_info("episode %llu: %s: %s %d (%s) %llukB; instead %d (%s) %llukB, frees %llukB, adj %d, band %s, policy %s, %u %s\n",
		ep->id, scope_name(ep, oc), dry ? "dry run: would have spared" : "spared",
		task_tgid_nr(p), p->comm, pages_to_kb(choice->p_pages), task_tgid_nr(victim),
		victim->comm, pages_to_kb(choice->victim_size.size), worth_kb,
		victim->signal->oom_score_adj, band_names[choice->band],
		policy_names[choice->policy], choice->scanned ? choice->candidates : choice->tries,
		choice->scanned ? "candidates" : "tries");
}

/* Rung one. True: there is a victim, in choice->victim. */
static bool sacrifice(struct tbtf_episode *ep, struct oom_control *oc, struct task_struct *p,
		      struct tbtf_choice *choice, unsigned long avail,
		      enum tbtf_futile *ret_futile)
{
	tbtf_choice_init(choice, p);
	choice->memcg = oc->memcg;
	choice->nodemask = oc->nodemask;
	choice->cpuset_of = current;
	choice->episode = ep;
	tbtf_event_protected(ep, p, pages_to_kb(choice->p_pages));
	tbtf_tell(round, ep, oc);

	*ret_futile = futile(ep, oc, avail);
	if (*ret_futile == TBTF_FUTILE_NOT)
		tbtf_victim_pick(choice);
	tbtf_choice_done(choice);
	if (choice->victim)
		return true;
	if (choice->respawning) {
		tbtf_stat_inc(futile_respawn);
		*ret_futile = TBTF_FUTILE_RESPAWN;
	}
	return false;
}

/* Pages are on their way: all that is wanted is that their owner gets the CPU. */
static void wait_for_leaving(struct oom_control *oc)
{
	struct tbtf_episode *ep = enter(oc, false);

	tbtf_stat_inc(leaving);
	if (!ep)
		return;
	ep->rounds++;
	ep->round_began = tbtf_told_ns(round_end);
	tbtf_tell(round_end, ep, oc, TBTF_ROUND_LEAVING);
	if (tbtf_wait_kind(ep, oc) != TBTF_WAIT_NOT)
		tbtf_wait_in_oom(ep, oc, TBTF_WAIT_JIFFY);
	leave(ep, true);
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

/*
 * A kill that is none of ours, and that might not be but for what the reserve holds:
 * it goes first, unless somebody protected waits for it.
 */
static bool yields(struct oom_control *oc)
{
	struct tbtf_episode *ep = enter(oc, false);
	bool waits = ep && ep->waiting;

	if (ep)
		leave(ep, false);
	if (waits || !tbtf_lastresort_yield(oc))
		return false;
	put_task_struct(oc->chosen);
	oc->chosen = (void *)-1UL;
	return true;
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
	u64 began = tbtf_told_ns(round_end);
	enum tbtf_futile futile;
	unsigned long avail;
	bool found, ended = false, progress, dry;

	final_kill = false;
	kill_scope = oc->memcg;
	if (READ_ONCE(tbtf_stopping))
		return false;
	if (!tbtf_knob(enabled)) {
		tbtf_ladder_off();
		return yields(oc);
	}
	tbtf_stat_inc(rounds);
	if (oom_task_origin(chosen)) {
		tbtf_stat_inc(passes_origin);
		tbtf_tell(pass, oc, TBTF_PASS_ORIGIN);
		return false;
	}
	p = find_protected(oc);
	if (!p && yields(oc))
		return true;
	if (!p) {
		tbtf_stat_inc(passes);
		tbtf_tell(pass, oc, TBTF_PASS_UNPROTECTED);
		/* Whoever is asked for next does not die in its place as well. */
		if (tbtf_role_anyone_protected())
			tbtf_leaving_note(chosen, oc->memcg);
		return false;
	}
	/* The kernel kills nobody then: no need of another. */
	if (tbtf_judge_dying(chosen) || (p != chosen && tbtf_judge_dying(p))) {
		tbtf_stat_inc(passes_dying);
		tbtf_tell(pass, oc, TBTF_PASS_DYING);
		tbtf_event_doomed(p, TBTF_DEATH_OWN);
		return false;
	}

	dry = tbtf_knob(dry_run);
	if (!dry && !is_sysrq(oc) && tbtf_leaving(oc->memcg)) {
		wait_for_leaving(oc);
		put_task_struct(chosen);
		oc->chosen = (void *)-1UL;
		return true;
	}
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
	ep->round_began = began;
	avail = tbtf_wait_available(oc);
	found = sacrifice(ep, oc, p, &choice, avail, &futile);
	if (found && !dry && has_come(ep, oc)) {
		tbtf_stat_inc(leaving);
		tbtf_tell(round_end, ep, oc, TBTF_ROUND_LEAVING);
		put_task_struct(choice.victim);
		put_task_struct(chosen);
		oc->chosen = (void *)-1UL;
		ended = true;
	} else if (found) {
		record(ep, oc, &choice, avail, dry);
		if (ep->waiting)
			tbtf_tell(rung_end, ep, ep->rung, jiffies - ep->rung_since,
				  TBTF_OUTCOME_SACRIFICED);
		tbtf_ladder_sacrificed(ep);
		if (dry) {
			tbtf_tell(round_end, ep, oc, TBTF_ROUND_DRY);
			put_task_struct(choice.victim);
		} else {
			tbtf_event_relief(ep, oc);
			oc->chosen = choice.victim;
			put_task_struct(chosen);
		}
	} else if (dry) {
		tbtf_stat_inc(dry_run);
		pr_info_ratelimited("episode %llu: %s: dry run: would have waited for %d (%s): %s\n",
				    ep->id, scope_name(ep, oc), task_tgid_nr(p), p->comm,
				    futile_names[futile]);
		tbtf_tell(round_end, ep, oc, TBTF_ROUND_DRY);
	} else if (p == chosen) {
		ended = killless(ep, oc, p, futile, &progress);
		if (ended) {
			put_task_struct(chosen);
			oc->chosen = progress ? (void *)-1UL : NULL;
		}
	} else {
		/* substitute = always, but the kernel's choice is not protected: it stands. */
		tbtf_stat_inc(passes);
		tbtf_tell(round_end, ep, oc, TBTF_ROUND_PASSED);
	}
	if (!ended && !dry)
		tbtf_leaving_note(oc->chosen, oc->memcg);
	leave(ep, true);
	return ended;
}

/* Has somebody found out just now that there is nobody to kill? */
static bool decided_just_now(const struct tbtf_episode *ep, const struct oom_control *oc)
{
	return tbtf_ladder_decided(ep, tbtf_wait_seq(), tbtf_wait_for_ever(oc)) &&
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
	struct tbtf_episode *ep = NULL;
	const nodemask_t *nodes = NULL;
	struct task_struct *p = NULL;
	unsigned long freed = 0;
	bool ended = false, printed;
	u64 key, began = 0;

	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping) || tbtf_knob(dry_run) || is_sysrq(oc))
		return false;
	/* The kernel gives the dying what they need, and kills nobody for GFP_NOFS. */
	if (fatal_signal_pending(current) || (current->flags & PF_EXITING)) {
		if (!tsk_is_oom_victim(current))
			tbtf_event_doomed(current, TBTF_DEATH_OWN);
		return false;
	}
	if (!oc->memcg && oc->gfp_mask && !(oc->gfp_mask & __GFP_FS))
		return false;
	/* Nobody has a claim on the reserve: before anyone is killed, or the kernel panics. */
	if (!tbtf_role_anyone_protected()) {
		*ret_progress = tbtf_lastresort_yield(oc);
		return *ret_progress;
	}

	/* None holds for longer: as a rule there is none, and nothing to be looked up. */
	if (time_before(jiffies, last_decided + msecs_to_jiffies(tbtf_knob(nap_ms))))
		ep = enter(oc, false);
	if (ep) {
		began = tbtf_told_ns(round_end);
		if (decided_just_now(ep, oc)) {
			ep->rounds++;
			ep->round_began = began;
			printed = print(ep, oc);
			tbtf_tell(round_end, ep, oc,
				  printed ? TBTF_ROUND_PRINTED : TBTF_ROUND_WAITS);
			*ret_progress = printed || wait_or_fail(ep, oc);
			leave(ep, true);
			return true;
		}
		leave(ep, false);
	}
	if (oc->memcg)
		return false;

	if (scope_of(oc, &key) == TBTF_SCOPE_CONSTRAINED)
		nodes = oc->nodemask;
	/* As a rule there is somebody, and no round of ours: its clock is not read yet. */
	if (tbtf_judge_at_hand(current, nodes))
		return false;
	began = tbtf_told_ns(round_end);
	if (tbtf_judge_anyone(current, nodes, &p) || !p)
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
		ep->round_began = began;
		tbtf_event_protected(ep, p, 0);
		ended = killless(ep, oc, p, TBTF_FUTILE_NOT, ret_progress);
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
	if (!tbtf_knob(enabled) || READ_ONCE(tbtf_stopping))
		return false;
	if (final_kill) {
		tbtf_event_doomed(task, TBTF_DEATH_EXHAUSTED);
		return false;
	}
	if (!tbtf_judge_shielded(task) || tbtf_judge_dying(task)) {
		if (tbtf_role_anyone_protected())
			tbtf_leaving_note(task, kill_scope);
		return false;
	}
	tbtf_stat_inc(group_spared);
	return !tbtf_knob(dry_run);
}

/**
 * tbtf_episode_stage() - the furthest rung that an open episode stands on
 *
 * Context: any.
 * Return: enum tbtf_stage.
 */
enum tbtf_stage tbtf_episode_stage(void)
{
	enum tbtf_stage stage;

	spin_lock(&episode_lock);
	stage = tbtf_slots_stage(&slots);
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
	return READ_ONCE(slots.nr_open);
}

/**
 * tbtf_episode_knob_set() - who waits is to look again, and episodes may be over
 *
 * Context: may sleep.
 */
void tbtf_episode_knob_set(void)
{
	if (!slots.episodes)
		return;		/* a module parameter, before the table is there */
	tbtf_wait_wake();
	mod_delayed_work(system_percpu_wq, &close_work, 0);
}

/**
 * tbtf_episode_setup() - allocate the table of episodes
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int __init tbtf_episode_setup(void)
{
	slots.episodes = kvcalloc(TBTF_MAX_EPISODES + 1, sizeof(*slots.episodes), GFP_KERNEL);
	return slots.episodes ? 0 : -ENOMEM;
}

/**
 * tbtf_episode_teardown() - end all episodes and free the table
 *
 * Context: may sleep; no round is in progress, and none can begin.
 */
void tbtf_episode_teardown(void)
{
	tbtf_leaving_teardown();
	tbtf_judge_teardown();
	cancel_delayed_work_sync(&close_work);
	close_idle(NULL);
	tbtf_event_teardown();
	kvfree(slots.episodes);
}
