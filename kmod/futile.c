// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - do the kills help?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Arithmetic on the memory of an episode: pure (see pure.h).
 */
#include "episode.h"

/*
 * Have the last kills regained too little? What was consumed meanwhile is what
 * they gave plus what has become less of the rest. A twentieth is the least that
 * kills must contribute to it.
 */
static bool regained_little(const struct tbtf_episode *ep, unsigned long avail_now)
{
	unsigned long regained = 0, before;
	unsigned int i;

	if (ep->kills < TBTF_REGAIN_KILLS)
		return false;
	/* The oldest of the ring: the slot that the next kill will take. */
	before = ep->last_kills[ep->kills % TBTF_REGAIN_KILLS].avail;
	/* Then no more was consumed than they gave: as a rule. */
	if (before <= avail_now)
		return false;
	for (i = 0; i < TBTF_REGAIN_KILLS; i++)
		regained += ep->last_kills[i].regained;
	return regained < (regained + before - avail_now) / TBTF_REGAIN_FRACTION;
}

/**
 * tbtf_futile() - would another kill be for nothing?
 * @ep: the episode
 * @avail_now: pages available to its scope now
 *
 * Context: under oom_lock.
 * Return: why it would; TBTF_FUTILE_NOT: it is worth a try, unless memory is in
 * pieces (tbtf_futile_in_pieces()) or a candidate is one that respawns.
 */
enum tbtf_futile tbtf_futile(const struct tbtf_episode *ep, unsigned long avail_now)
{
	/* Scopes that share an episode say nothing of each other; they are bounded by its end. */
	if (ep->scope == TBTF_SCOPE_SHARED)
		return TBTF_FUTILE_NOT;
	if (ep->kills >= tbtf_knob(max_kills))
		return TBTF_FUTILE_MAX_KILLS;
	return regained_little(ep, avail_now) ? TBTF_FUTILE_REGAIN : TBTF_FUTILE_NOT;
}

/**
 * tbtf_futile_in_pieces() - were there kills enough, if memory is in pieces?
 * @ep: the episode
 *
 * Context: under oom_lock.
 * Return: true if there were.
 */
bool tbtf_futile_in_pieces(const struct tbtf_episode *ep)
{
	return ep->scope != TBTF_SCOPE_SHARED && ep->kills >= TBTF_FRAGMENTED_KILLS;
}

/**
 * tbtf_futile_respawns() - does a cgroup put new processes in the place of killed ones?
 * @ep: the episode
 * @cgroup: id of the cgroup
 * @started: when the process in question was started, ns of boot time
 *
 * Siblings that were there at the first kill are one generation, however many
 * of them die.
 *
 * Context: under oom_lock.
 * Return: true if @started belongs to a generation past TBTF_GENERATIONS.
 */
bool tbtf_futile_respawns(const struct tbtf_episode *ep, u64 cgroup, u64 started)
{
	const struct tbtf_generation *gen;

	for (gen = ep->cgroups; gen < ep->cgroups + ep->nr_cgroups; gen++)
		if (gen->cgroup == cgroup)
			return gen->generations >= TBTF_GENERATIONS && started > gen->killed_at;
	return false;
}

/**
 * tbtf_futile_note_kill() - remember a sacrifice
 * @ep: the episode; its count of kills is advanced
 * @cgroup: id of the victim's cgroup; 0: in none, which is not remembered
 * @started: when the victim was started, ns of boot time
 * @now: ns of boot time
 * @regained: pages expected from it
 * @avail: pages available before it
 *
 * Context: under oom_lock.
 */
void tbtf_futile_note_kill(struct tbtf_episode *ep, u64 cgroup, u64 started, u64 now,
			   unsigned long regained, unsigned long avail)
{
	unsigned int at = ep->kills++ % TBTF_REGAIN_KILLS;
	struct tbtf_generation *gen = NULL;
	unsigned int i;

	ep->last_kills[at].regained = regained;
	ep->last_kills[at].avail = avail;
	if (!cgroup)
		return;

	for (i = 0; i < ep->nr_cgroups && !gen; i++)
		if (ep->cgroups[i].cgroup == cgroup)
			gen = &ep->cgroups[i];
	if (!gen) {
		/* A full table forgets the cgroup that has been quiet for longest. */
		gen = &ep->cgroups[0];
		if (ep->nr_cgroups < TBTF_CGROUPS_REMEMBERED)
			gen = &ep->cgroups[ep->nr_cgroups++];
		else
			for (i = 1; i < ep->nr_cgroups; i++)
				if (ep->cgroups[i].killed_at < gen->killed_at)
					gen = &ep->cgroups[i];
		gen->cgroup = cgroup;
		gen->generations = 0;
		gen->killed_at = 0;
	}
	if (started > gen->killed_at || !gen->generations) {
		gen->generations++;
		gen->killed_at = now;
	}
}
