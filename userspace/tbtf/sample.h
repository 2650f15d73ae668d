/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a sample of the machine's memory, of the protected and of the crowd
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_SAMPLE_H
#define _TBTF_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

struct tbtf_sample {
	uint64_t total_kb, free_kb, available_kb, swap_total_kb, swap_free_kb;
	bool has_psi;			/* of these two: */
	uint64_t some_us, full_us;	/* time stalled since boot */
	bool has_marked;		/* of these three; it takes root */
	uint64_t protected_kb;		/* all marked processes and cgroups */
	uint64_t crowd_kb;		/* what those would free who could die for the largest */
	uint32_t crowd;			/* how many they were when that was asked last */
};

/*
 * Take one. From the second time on it needs no memory; who could die is asked
 * anew while no episode is open, and what has died since is taken off.
 */
void tbtf_sample(struct tbtf_sample *ret);

#endif /* _TBTF_SAMPLE_H */
