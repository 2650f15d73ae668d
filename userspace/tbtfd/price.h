/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what printing costs, how fast it is, and what goes back: only arithmetic
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_PRICE_H
#define _TBTFD_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent.h"

/* Averages forget half of what they know in some two thirds of this. */
#define TBTF_RATE_MS		4000
/* Memory for so many of a thousand, or more: that is no gain. */
#define TBTF_PRICE_NO_GAIN	800
/* With fewer pages out nothing can be said about the rest. */
#define TBTF_PRICE_LEAST_KB	4096
/* What memory of a zram holds where nobody knows better: twice as much. */
#define TBTF_PRICE_GUESS	500

/**
 * struct tbtf_rate - how fast something grows, as a decaying average
 * @at_ms: of the last look; 0: there was none
 * @last_kb: then
 * @milli_kb_s: thousandths of KiB a second
 */
struct tbtf_rate {
	int64_t at_ms;
	int64_t last_kb;
	int64_t milli_kb_s;
};

/* struct tbtf_zram_stat - of mm_stat, in KiB */
struct tbtf_zram_stat {
	uint64_t pages_kb;	/* what is stored */
	uint64_t packed_kb;	/* compressed */
	uint64_t memory_kb;	/* what it takes */
	uint64_t hard_kb;	/* of pages_kb: incompressible, stored as they are */
};

/* struct tbtf_printed - what a mint has out, for taking back */
struct tbtf_printed {
	bool out;		/* something, and it may be tried now */
	bool pays;
	uint64_t back_kb;	/* what has to be available for the next step */
	uint64_t elsewhere_kb;	/* what other swap has room for */
};

/* struct tbtf_quiet - how it is said that burn has stayed below print */
struct tbtf_quiet {
	uint64_t burn_kb_s;	/* what the machine consumes */
	uint64_t after_s;	/* for how long that has to be no danger */
	bool long_enough;	/* and it has not been one for so long */
	unsigned int share;	/* of memory, to spare: TBTF_SPARE_* */
};

void tbtf_rate_look(struct tbtf_rate *rate, int64_t now_ms, uint64_t kb);
uint64_t tbtf_rate_kb_s(const struct tbtf_rate *rate);
unsigned int tbtf_price(uint64_t used_kb, uint64_t cost_kb);
bool tbtf_price_pays(uint64_t used_kb, uint64_t cost_kb);
uint64_t tbtf_zram_limit(uint64_t total_kb, uint64_t said_kb);
uint64_t tbtf_zram_size(uint64_t limit_kb, uint64_t spoken_for_kb);
bool tbtf_zram_resize(uint64_t have_kb, uint64_t want_kb);
int tbtf_zram_parse(const char *text, struct tbtf_zram_stat *ret);
int tbtf_zram_compressor(const char *text, char *ret, size_t size);
bool tbtf_quiet(const struct tbtf_quiet *quiet, const struct tbtf_room *room, uint64_t back_kb);
int tbtf_printed_next(const struct tbtf_printed *printed, size_t n, const struct tbtf_room *room,
		      const struct tbtf_quiet *quiet);

#endif /* _TBTFD_PRICE_H */
