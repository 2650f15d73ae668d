/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what is consumed, what is printed, and how long it lasts
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Pure (see pure.h): lastresort.c looks at the machine, economy.c reckons.
 */
#ifndef _TBTF_ECONOMY_H
#define _TBTF_ECONOMY_H

#include "pure.h"

/* Longer than anybody would call a prediction. */
#define TBTF_ECONOMY_NEVER	U64_MAX

/* What there is of memory, at one moment. */
struct tbtf_holdings {
	u64 stock_kb;		/* still to be had: free, reclaimable, swap, the reserve */
	u64 capacity_kb;	/* there at all: memory and swap */
	u64 handed_out_kb;	/* out of the reserve, ever */
};

/**
 * struct tbtf_economy - rates, as decaying averages
 *
 * The rates are in kB a second, with TBTF_ECONOMY_SHIFT bits behind the point.
 */
struct tbtf_economy {
	u64 last_ms;			/* when that was; valid if: */
	bool seen;
	struct tbtf_holdings last;
	s64 burn;			/* what the machine consumes */
	s64 grown;			/* capacity that was brought: swap attached, memory added */
	s64 handed_out;			/* of the reserve: no gain, but a rate of printing */
	u64 told_ms;			/* what was left when that was last told; 0: not told */
};

void tbtf_economy_look(struct tbtf_economy *eco, u64 now_ms, const struct tbtf_holdings *now);
u64 tbtf_economy_left_ms(const struct tbtf_economy *eco);
u64 tbtf_economy_burn_kb(const struct tbtf_economy *eco);
u64 tbtf_economy_print_kb(const struct tbtf_economy *eco);
bool tbtf_economy_foretells(struct tbtf_economy *eco);

#endif /* _TBTF_ECONOMY_H */
