// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what a preview says of a choice: how likely is each?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Pure (see pure.h): what the reservoirs of choose.h do, foretold.
 */
#include "choose.h"

/* Which of two goes first where the largest does? */
static bool before(const struct tbtf_candidate *a, const struct tbtf_candidate *b)
{
	return tbtf_reservoir_rank(a->band, a->oom_score_adj, a->size_kb) >
	       tbtf_reservoir_rank(b->band, b->oom_score_adj, b->size_kb);
}

/**
 * tbtf_likelihood() - who of the open band will it be?
 * @entries: all who were judged
 * @count: how many
 * @band: that is open; TBTF_BAND_NR: none is
 * @policy: by which is chosen
 *
 * Context: any.
 */
void tbtf_likelihood(struct tbtf_candidate *entries, u32 count, u32 band, unsigned int policy)
{
	struct tbtf_candidate *c, *first = NULL;
	u64 total = 0, n = 0;
	u32 i;

	if (band == TBTF_BAND_NR)
		return;
	policy = tbtf_band_policy(band, policy);
	for (i = 0; i < count; i++) {
		c = &entries[i];
		if (c->band != band)
			continue;
		n++;
		total += c->size_kb;
		if (!first || before(c, first))
			first = c;
	}
	for (i = 0; i < count && n; i++) {
		c = &entries[i];
		if (c->band != band)
			continue;
		if (policy == TBTF_POLICY_LARGEST)
			c->likelihood = c == first ? 1000000 : 0;
		else if (policy == TBTF_POLICY_WEIGHTED && total)
			c->likelihood = mul_u64_u64_div_u64(c->size_kb, 1000000, total);
		else
			c->likelihood = div64_u64(1000000, n);
	}
}
