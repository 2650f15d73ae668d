// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the table of episodes
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Which episode is that of a scope, when one begins, and when it is over. Pure
 * (see pure.h): the caller has the lock.
 */
#include "episode.h"

static struct tbtf_episode *shared_episode(struct tbtf_slots *slots)
{
	return &slots->episodes[TBTF_MAX_EPISODES];
}

static void end_episode(struct tbtf_slots *slots, struct tbtf_episode *ep)
{
	ep->outcome = tbtf_ladder_outcome(ep);
	tbtf_episode_ended(ep);
	ep->id = 0;
	slots->nr_open--;
}

static bool idle(const struct tbtf_episode *ep)
{
	return !ep->users &&
	       time_after(jiffies, ep->last + msecs_to_jiffies(tbtf_knob(episode_idle_ms)));
}

static void begin_episode(struct tbtf_slots *slots, struct tbtf_episode *ep,
			  enum tbtf_scope scope, u64 key)
{
	memset(ep, 0, sizeof(*ep));
	ep->id = ++slots->last_id;
	ep->scope = scope;
	ep->key = key;
	ep->last = jiffies;
	ep->outcome = TBTF_OUTCOME_SACRIFICED;
	slots->nr_open++;
	tbtf_episode_begun(ep);
}

/*
 * A slot for a new episode. The machine's own is always free for it; among the
 * others the one that has been quiet for longest makes room, unless somebody
 * waits in it. NULL if there is none.
 */
static struct tbtf_episode *find_slot(struct tbtf_slots *slots, enum tbtf_scope scope)
{
	struct tbtf_episode *ep, *oldest = NULL;
	unsigned int i;

	if (scope == TBTF_SCOPE_GLOBAL)
		return &slots->episodes[0];
	for (i = 1; i < TBTF_MAX_EPISODES; i++) {
		ep = &slots->episodes[i];
		if (!ep->id)
			return ep;
		if (!ep->users && !ep->waiting &&
		    (!oldest || time_before(ep->last, oldest->last)))
			oldest = ep;
	}
	if (oldest)
		end_episode(slots, oldest);
	return oldest;
}

/**
 * tbtf_slots_enter() - the episode of a scope, to be left with tbtf_slots_leave()
 * @slots: the table
 * @scope: of the OOM
 * @key: which cgroup or nodes, for a scope of which there are many
 * @begin: if there is none, begin one
 *
 * Where all slots are taken it is the shared one, of the scope TBTF_SCOPE_SHARED.
 *
 * Context: under episode_lock.
 * Return: the episode; NULL if there is none, with @begin never.
 */
struct tbtf_episode *tbtf_slots_enter(struct tbtf_slots *slots, enum tbtf_scope scope, u64 key,
				      bool begin)
{
	struct tbtf_episode *ep = NULL, *slot;
	unsigned int i, open = 0;

	for (i = 0; i < TBTF_MAX_EPISODES && open < slots->nr_open && !ep; i++) {
		slot = &slots->episodes[i];
		if (!slot->id)
			continue;
		open++;
		if (slot->scope == scope && slot->key == key)
			ep = slot;
	}
	if (ep && idle(ep)) {
		end_episode(slots, ep);
		ep = NULL;
	}
	if (!ep && begin) {
		ep = find_slot(slots, scope);
		if (!ep) {
			ep = shared_episode(slots);
			scope = TBTF_SCOPE_SHARED;
			key = 0;
			if (ep->id && idle(ep))
				end_episode(slots, ep);
		}
		if (!ep->id)
			begin_episode(slots, ep, scope, key);
	}
	if (ep)
		ep->users++;
	return ep;
}

/**
 * tbtf_slots_leave() - the round is over, or the nap
 * @slots: the table
 * @ep: the episode
 * @round: it was a round; otherwise the episode was only looked at
 *
 * Context: under episode_lock.
 */
void tbtf_slots_leave(struct tbtf_slots *slots, struct tbtf_episode *ep, bool round)
{
	ep->users--;
	if (round)
		ep->last = jiffies;
	if (ep->outcome == TBTF_OUTCOME_KILLED && !ep->users)
		end_episode(slots, ep);
}

/**
 * tbtf_slots_close() - end the episodes that are over
 * @slots: the table
 * @off: all that nobody is inside of: tbtf has been switched off
 *
 * Context: under episode_lock.
 */
void tbtf_slots_close(struct tbtf_slots *slots, bool off)
{
	struct tbtf_episode *ep;
	unsigned int i;

	for (i = 0; i <= TBTF_MAX_EPISODES; i++) {
		ep = &slots->episodes[i];
		if (!ep->id || ep->users || !(off || idle(ep)))
			continue;
		if (off)
			ep->outcome = TBTF_OUTCOME_SWITCHED;
		end_episode(slots, ep);
	}
}

/**
 * tbtf_slots_stage() - the furthest rung that an open episode stands on
 * @slots: the table
 *
 * Context: under episode_lock.
 * Return: enum tbtf_stage.
 */
enum tbtf_stage tbtf_slots_stage(const struct tbtf_slots *slots)
{
	static const enum tbtf_stage of_rung[] = {
		[TBTF_RUNG_NONE]	= TBTF_STAGE_EXHAUSTED,
		[TBTF_RUNG_STEAL]	= TBTF_STAGE_STEAL,
		[TBTF_RUNG_PRINT]	= TBTF_STAGE_PRINT,
	};
	enum tbtf_stage stage = TBTF_STAGE_IDLE;
	const struct tbtf_episode *ep;
	unsigned int i;

	for (i = 0; i <= TBTF_MAX_EPISODES && slots->nr_open; i++) {
		ep = &slots->episodes[i];
		if (ep->id)
			stage = max(stage, ep->waiting ? of_rung[ep->rung] : TBTF_STAGE_SACRIFICE);
	}
	return stage;
}
