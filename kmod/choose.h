/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the arithmetic of a choice
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Sizes, bands, and fair draws: pure (see pure.h). Inline, because a choice goes
 * through most of it once for each process of the machine.
 */
#ifndef _TBTF_CHOOSE_H
#define _TBTF_CHOOSE_H

#include "pure.h"

/* --- sizes ------------------------------------------------------------------- */

struct tbtf_size {
	unsigned long size;		/* pages: what the kernel calls badness, without adj */
	unsigned long worth;		/* pages: what dies with it */
};

/* All in pages, but page tables. */
static inline void tbtf_size_reckon(struct tbtf_size *ret, unsigned long anon, unsigned long swap,
				    unsigned long pgtables_bytes, unsigned long file,
				    unsigned long shmem)
{
	ret->worth = anon + swap + pgtables_bytes / PAGE_SIZE;
	ret->size = ret->worth + file + shmem;
}

/*
 * P's size; @usage is that of the cgroup that made the mark, or 0. A sum that
 * wrapped would make P small, and leave nobody who is smaller.
 */
static inline unsigned long tbtf_size_protected(const struct tbtf_size *size,
						unsigned long hugetlb, unsigned long usage)
{
	unsigned long own = size->size + hugetlb;

	return own < hugetlb ? ULONG_MAX : max(own, usage);
}

static inline bool tbtf_size_smaller(const struct tbtf_size *size, unsigned long p_pages)
{
	return size->size < p_pages;
}

/* Is it worth a kill? */
static inline bool tbtf_size_pays(const struct tbtf_size *size, unsigned long min_pages)
{
	return size->worth >= min_pages;
}

/* The default of min_victim_kb on a machine with so much memory; limits.h has the reasons. */
static inline unsigned int tbtf_size_min_victim_kb(u64 total_kb)
{
	u64 min_kb = max_t(u64, TBTF_MIN_VICTIM_KB, total_kb / TBTF_MIN_VICTIM_FRACTION);

	if (total_kb < TBTF_MIN_VICTIM_FULL_KB)
		min_kb = max_t(u64, TBTF_MIN_VICTIM_FLOOR_KB,
			       TBTF_MIN_VICTIM_KB * total_kb / TBTF_MIN_VICTIM_FULL_KB);
	/* All ones is the knob that nobody has set. */
	return min_t(u64, min_kb, UINT_MAX - 1);
}

/* --- bands ------------------------------------------------------------------- */

/* A candidate, as far as its band depends on it. */
struct tbtf_standing {
	u32 role;
	short adj;
	bool big;			/* not smaller than P */
	bool own;			/* of P's own cgroup, where that counts */
	bool raised;			/* descends from P, with a higher oom_score_adj */
};

/* Does it make a difference whether it descends from P? To find out is not for nothing. */
static inline bool tbtf_band_asks_descent(const struct tbtf_standing *s, short p_adj)
{
	return s->adj > p_adj && (s->big || s->own || s->adj <= 0);
}

static inline u32 tbtf_band_of(const struct tbtf_standing *s)
{
	/* A copy of P that is meant to go first is as big as P. */
	if (s->big && !s->raised)
		return TBTF_BAND_BIGGER;
	if (s->role == TBTF_ROLE_EXPENDABLE)
		return TBTF_BAND_EXPENDABLE;
	if (s->raised)
		return TBTF_BAND_RAISED;
	if (s->own)
		return TBTF_BAND_OWN;
	if (s->adj > 0)
		return TBTF_BAND_RAISED;
	return s->adj < 0 ? TBTF_BAND_LOWERED : TBTF_BAND_ORDINARY;
}

/* The last band does as the kernel would, whatever the policy. */
static inline unsigned int tbtf_band_policy(u32 band, unsigned int policy)
{
	return band == TBTF_BAND_BIGGER ? TBTF_POLICY_LARGEST : policy;
}

/* --- random numbers ---------------------------------------------------------- */

/*
 * splitmix64, seeded once at load. The choice must be fair, not secret: who
 * could foresee it has nothing to gain that a larger victim would not give him.
 */
struct tbtf_rng {
	u64 state;
};

#define TBTF_RNG_STEP	0x9e3779b97f4a7c15ULL

static inline u64 tbtf_rng_mix(u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Mixed twice, or the draws of one choice would be those of the last, moved by one. */
static inline void tbtf_rng_begin(struct tbtf_rng *rng, u64 seed)
{
	rng->state = tbtf_rng_mix(seed);
}

static inline u32 tbtf_rng_below(struct tbtf_rng *rng, u32 bound)
{
	rng->state += TBTF_RNG_STEP;
	/* The upper half, scaled: off by bound / 2^32 at the most. */
	return ((tbtf_rng_mix(rng->state) >> 32) * bound) >> 32;
}

/* --- one reservoir a band: whoever goes through all ---------------------------- */

struct tbtf_reservoir {
	struct task_struct *task;	/* held, or NULL */
	struct tbtf_size size;
	u64 rank;			/* where the largest is taken */
	u64 weight;			/* of all seen, by the policy */
};

/* Where the largest goes. The last band has no order of its own by oom_score_adj. */
static inline u64 tbtf_reservoir_rank(u32 band, short adj, unsigned long size)
{
	return band == TBTF_BAND_BIGGER && adj >= 0 ? size | BIT_ULL(63) : size;
}

/*
 * The one just seen takes the place of the one held with the probability of its
 * weight among all so far: in the end each is as likely as its weight.
 *
 * True: it is held now, and *ret_ousted is who was before, or NULL.
 */
static __always_inline bool tbtf_reservoir_offer(struct tbtf_reservoir *bands, u32 band,
						 struct task_struct *task, short adj,
						 const struct tbtf_size *size,
						 unsigned int policy, struct tbtf_rng *rng,
						 struct task_struct **ret_ousted)
{
	struct tbtf_reservoir *r = &bands[band];
	u64 weight = policy == TBTF_POLICY_WEIGHTED ? max(size->size, 1UL) : 1;
	u64 rank = tbtf_reservoir_rank(band, adj, size->size);
	bool wins;

	r->weight += weight;
	if (policy == TBTF_POLICY_LARGEST)
		wins = !r->task || rank > r->rank;
	else if (r->weight <= U32_MAX)
		wins = tbtf_rng_below(rng, r->weight) < weight;
	else
		wins = mul_u64_u32_shr(r->weight, tbtf_rng_below(rng, U32_MAX), 32) < weight;
	if (!wins)
		return false;
	*ret_ousted = r->task;
	r->task = task;
	r->size = *size;
	r->rank = rank;
	return true;
}

/* The first band in which somebody is held is open; TBTF_BAND_NR: none is. */
static inline u32 tbtf_reservoir_open(const struct tbtf_reservoir *bands)
{
	u32 band;

	for (band = 0; band < TBTF_BAND_NR && !bands[band].task; band++)
		;
	return band;
}

/* --- random pids: where one band only can be open ------------------------------ */

/*
 * Numbers below the cursor, each as likely as the other, until one is taken.
 * False: none was, in TBTF_TRIES.
 */
static __always_inline bool tbtf_sample(struct tbtf_rng *rng, u32 cursor, unsigned int *tries,
					bool (*take)(u32 nr, void *arg), void *arg)
{
	unsigned int i;

	if (cursor < 2)
		return false;
	for (i = 0; i < TBTF_TRIES; i++) {
		(*tries)++;
		if (take(1 + tbtf_rng_below(rng, cursor - 1), arg))
			return true;
	}
	return false;
}

/*
 * Is no pid beyond the cursor, from which the kernel takes the next? None is,
 * until pids wrap or one is made to order (clone3). Finding out takes a walk in
 * the tree, so the answer is kept: as long as the cursor has gone forward by as
 * much as there were forks, it has done nothing else.
 */
struct tbtf_dense {
	unsigned long forks;
	unsigned long cursor;
	bool dense;
};

static __always_inline bool tbtf_dense(struct tbtf_dense *d, unsigned long cursor,
				       unsigned long forks, bool (*look)(unsigned long cursor))
{
	if (!d->dense || cursor - d->cursor != forks - d->forks) {
		d->dense = look(cursor);
		d->cursor = cursor;
		d->forks = forks;
	}
	return d->dense;
}

/* likelihood.c: what a preview says of a choice */
void tbtf_likelihood(struct tbtf_candidate *entries, u32 count, u32 band, unsigned int policy);

#endif /* _TBTF_CHOOSE_H */
