// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the states of an episode
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What a round makes of its episode, and what the clock does. Pure (see pure.h);
 * the drawing stands in Documentation/design/episode.rst.
 */
#include "episode.h"

/*
 * Threads in an allocation in which they have found nobody to kill. When one comes again
 * and has got no further, it is out of memory since the first time, whatever has become
 * of the episode meanwhile.
 */
static struct stuck {
	const struct task_struct *who;	/* O: compared; NULL: free */
	u64 progress;			/* O: see tbtf_wait_progress() */
	u64 key;			/* O: of the episode, as the scope */
	enum tbtf_scope scope;		/* O */
	unsigned long since;		/* O: jiffies: it came first, */
	unsigned long last;		/* O: and last */
} stuck[TBTF_STUCK_NR];
static bool anyone_stuck;		/* O */

/* Since when has the thread wanted what it wants? */
static unsigned long stuck_since(const struct tbtf_episode *ep, const struct task_struct *who,
				 u64 progress)
{
	struct stuck *s, *place = stuck;

	/* In its own place, in an empty one, or in that of who has not come for longest. */
	for (s = stuck; s < stuck + TBTF_STUCK_NR && place->who != who; s++)
		if (s->who == who || !s->who ||
		    (place->who && time_before(s->last, place->last)))
			place = s;
	if (place->who != who || place->progress != progress || place->key != ep->key ||
	    place->scope != ep->scope ||
	    time_after(jiffies, place->last + msecs_to_jiffies(TBTF_STUCK_MS)))
		*place = (struct stuck) {
			.who = who,
			.progress = progress,
			.key = ep->key,
			.scope = ep->scope,
			.since = jiffies,
		};
	place->last = jiffies;
	anyone_stuck = true;
	return place->since;
}

/* Whoever is still there in this scope begins anew. */
static void begin_anew(const struct tbtf_episode *ep)
{
	struct stuck *s;

	if (!anyone_stuck)
		return;
	for (s = stuck; s < stuck + TBTF_STUCK_NR; s++)
		if (s->key == ep->key && s->scope == ep->scope)
			s->who = NULL;
}

/**
 * tbtf_ladder_fails() - an allocation is over, and has got nothing
 * @who: the thread
 *
 * What it wants next is another.
 *
 * Context: under oom_lock.
 */
void tbtf_ladder_fails(const struct task_struct *who)
{
	struct stuck *s;

	for (s = stuck; s < stuck + TBTF_STUCK_NR; s++)
		if (s->who == who)
			s->who = NULL;
}

/**
 * tbtf_ladder_off() - tbtf is switched off, and nobody waits
 *
 * Context: under oom_lock.
 */
void tbtf_ladder_off(void)
{
	if (anyone_stuck)
		memset(stuck, 0, sizeof(stuck));
	anyone_stuck = false;
}

/**
 * tbtf_ladder_sacrificed() - somebody was found who goes instead
 * @ep: the episode
 *
 * Context: under oom_lock.
 */
void tbtf_ladder_sacrificed(struct tbtf_episode *ep)
{
	ep->waiting = false;
	ep->given = TBTF_RUNG_NONE;
	ep->outcome = TBTF_OUTCOME_SACRIFICED;
	begin_anew(ep);
}

/**
 * tbtf_ladder_waits() - nobody was found: past rung one
 * @ep: the episode
 * @seq: wake_seq now
 * @avail: pages available now
 * @who: the thread that came; NULL: not one of a program
 * @progress: of it, see tbtf_wait_progress()
 *
 * Context: under oom_lock.
 * Return: true if a wait begins with this round. Its clock does, too, unless the thread
 * has been waiting for longer.
 */
bool tbtf_ladder_waits(struct tbtf_episode *ep, int seq, unsigned long avail,
		       const struct task_struct *who, u64 progress)
{
	unsigned long now = jiffies, since = who ? stuck_since(ep, who, progress) : now;
	bool anew = !ep->waiting;

	/* The last wait got what it was for, if not for this one: what comes now is another. */
	if (ep->waiting && !time_before(since, now) &&
	    time_after(jiffies, ep->decided + msecs_to_jiffies(tbtf_knob(nap_ms)) +
		       msecs_to_jiffies(TBTF_RELIEF_MS)))
		anew = true;
	if (anew || time_before(since, ep->waiting_since))
		ep->waiting_since = since;
	if (anew) {
		ep->waiting = true;
		ep->rung = TBTF_RUNG_NONE;
		ep->rung_since = jiffies;
		ep->helped = false;
		tbtf_ask_anew(&ep->steal);
		tbtf_ask_anew(&ep->print);
	}
	if (ep->outcome != TBTF_OUTCOME_FAILED)
		ep->outcome = TBTF_OUTCOME_WAITED;
	ep->decided = jiffies;
	ep->decided_seq = seq;
	ep->decided_avail = avail;
	return anew;
}

/**
 * tbtf_ladder_sysrq() - an operator's round found nobody
 * @ep: the episode
 *
 * Nobody waits for that, and it does not speak for an episode of others.
 *
 * Context: under oom_lock.
 */
void tbtf_ladder_sysrq(struct tbtf_episode *ep)
{
	if (!ep->kills && !ep->waiting)
		ep->outcome = TBTF_OUTCOME_FAILED;
}

/**
 * tbtf_ladder_end() - the deadline is past
 * @ep: the episode
 * @fragmented: memory is in pieces, not gone
 * @unkillable: the protected process is at oom_score_adj -1000
 * @held: the machine is not to be taken down, see tbtf_hold()
 *
 * Context: under oom_lock.
 * Return: the outcome: FAILED, KILLED, or PANICKED.
 */
enum tbtf_outcome tbtf_ladder_end(struct tbtf_episode *ep, bool fragmented, bool unkillable,
				  bool held)
{
	/*
	 * In pieces, nobody's death would help, P's included. And a P at -1000
	 * alone in a cpuset or mempolicy would take down a machine that is well.
	 */
	if (fragmented || (unkillable && ep->scope == TBTF_SCOPE_CONSTRAINED)) {
		ep->outcome = TBTF_OUTCOME_FAILED;
	/*
	 * A constraint leaves the rest of the machine well: no reason to take it down. With
	 * nobody that could be killed the kernel itself would: there nothing can be held up.
	 */
	} else if (unkillable || (ep->scope == TBTF_SCOPE_GLOBAL && !held &&
				  tbtf_knob(on_exhausted) == TBTF_EXHAUSTED_PANIC)) {
		ep->outcome = TBTF_OUTCOME_PANICKED;
	} else {
		ep->outcome = TBTF_OUTCOME_KILLED;
		ep->waiting = false;
		begin_anew(ep);
	}
	return ep->outcome;
}

/**
 * tbtf_ladder_past_deadline() - is it time for the end?
 * @ep: the episode, past rung one
 *
 * Context: any.
 * Return: true if it is.
 */
bool tbtf_ladder_past_deadline(const struct tbtf_episode *ep)
{
	return time_after_eq(jiffies, ep->waiting_since +
			     msecs_to_jiffies(tbtf_knob(ladder_deadline_ms)));
}

/**
 * tbtf_ladder_decided() - has somebody found out just now that there is nobody to kill?
 * @ep: the episode
 * @seq: wake_seq now
 * @for_ever: no deadline applies
 *
 * Context: under oom_lock.
 * Return: true, as long as that need not be asked again.
 */
bool tbtf_ladder_decided(const struct tbtf_episode *ep, int seq, bool for_ever)
{
	return ep->waiting && ep->decided_seq == seq &&
	       time_before(jiffies, ep->decided + tbtf_ladder_nap(ep, for_ever));
}

/**
 * tbtf_ladder_waited_ms() - for how long has there been nobody to kill?
 * @ep: the episode
 *
 * Context: any.
 * Return: milliseconds; 0 if there is somebody.
 */
unsigned int tbtf_ladder_waited_ms(const struct tbtf_episode *ep)
{
	return ep->waiting ? jiffies_to_msecs(jiffies - ep->waiting_since) : 0;
}

/**
 * tbtf_ladder_left() - how long may what is asked for take to come?
 * @ep: the episode, past rung one
 * @for_ever: no deadline applies
 * @more: there is another rung after this, which needs time as well
 *
 * Context: any.
 * Return: jiffies; 0 if the deadline is past.
 */
unsigned long tbtf_ladder_left(const struct tbtf_episode *ep, bool for_ever, bool more)
{
	unsigned int ms = tbtf_knob(ladder_deadline_ms);
	long left = ep->waiting_since - jiffies +
		    msecs_to_jiffies(more ? ms / TBTF_STEAL_SHARE : ms);

	if (for_ever)
		return msecs_to_jiffies(tbtf_ask_patience_ms());
	return max(left, 0L);
}

/**
 * tbtf_ladder_nap() - how long a nap may last, and a decision hold, from now
 * @ep: the episode
 * @for_ever: no deadline applies
 *
 * Context: any.
 * Return: nap_ms in jiffies, or what is left until the deadline, 0 if it is past; where
 * something was granted, no longer than that is given to show.
 */
unsigned long tbtf_ladder_nap(const struct tbtf_episode *ep, bool for_ever)
{
	unsigned long nap = msecs_to_jiffies(tbtf_knob(nap_ms));

	if (READ_ONCE(ep->given))
		nap = min(nap, msecs_to_jiffies(TBTF_STEAL_SHOWS_MS));
	if (!READ_ONCE(ep->waiting) || for_ever)
		return nap;
	return min(tbtf_ladder_left(ep, false, false), nap);
}

/**
 * tbtf_ladder_used_up() - what a rung had brought was consumed
 * @ep: the episode, past rung one
 *
 * The next round with nobody to kill starts the clock anew.
 *
 * Context: under oom_lock.
 */
void tbtf_ladder_used_up(struct tbtf_episode *ep)
{
	ep->waiting = false;
	begin_anew(ep);
}

/**
 * tbtf_ladder_outcome() - how the episode has ended
 * @ep: the episode, about to end
 *
 * Where nobody was killed at last, it matters whose memory it was that came.
 *
 * Context: under episode_lock; nobody is inside.
 * Return: the outcome.
 */
enum tbtf_outcome tbtf_ladder_outcome(const struct tbtf_episode *ep)
{
	if (ep->outcome != TBTF_OUTCOME_WAITED || !READ_ONCE(ep->given))
		return ep->outcome;
	return ep->given == TBTF_RUNG_STEAL ? TBTF_OUTCOME_STOLEN : TBTF_OUTCOME_PRINTED;
}
