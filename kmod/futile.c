// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - do the kills help?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Arithmetic on the memory of an episode, without side effects elsewhere.
 */
#include "tbtf.h"

/**
 * tbtf_futile_regain() - have the last kills regained too little?
 * @ep: the episode
 * @avail_now: pages available to its scope now
 *
 * What was consumed meanwhile is what the kills gave plus what has become less
 * of the rest. A twentieth is the least that kills must contribute to it.
 *
 * Context: under oom_lock.
 * Return: true if they have.
 */
bool tbtf_futile_regain(const struct tbtf_episode *ep, unsigned long avail_now)
{
	unsigned long regained = 0, consumed, before;
	unsigned int i;

	if (ep->kills < TBTF_REGAIN_KILLS)
		return false;
	for (i = 0; i < TBTF_REGAIN_KILLS; i++)
		regained += ep->last_kills[i].regained;
	/* The oldest of the ring: the slot that the next kill will take. */
	before = ep->last_kills[ep->kills % TBTF_REGAIN_KILLS].avail;
	consumed = regained;
	if (before >= avail_now)
		consumed += before - avail_now;
	else
		consumed -= min(consumed, avail_now - before);
	return regained < consumed / TBTF_REGAIN_FRACTION;
}

/**
 * tbtf_futile_respawns() - does a cgroup put new processes in the place of killed ones?
 * @gens: what the episode knows of cgroups
 * @nr: how many entries
 * @cgroup: id of the cgroup
 * @started: when the process in question was started, ns of boot time
 *
 * Siblings that were there at the first kill are one generation, however many
 * of them die.
 *
 * Context: under oom_lock.
 * Return: true if @started belongs to a generation past TBTF_GENERATIONS.
 */
bool tbtf_futile_respawns(const struct tbtf_generation *gens, unsigned int nr, u64 cgroup,
			  u64 started)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (gens[i].cgroup == cgroup)
			return gens[i].generations >= TBTF_GENERATIONS &&
			       started > gens[i].killed_at;
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
