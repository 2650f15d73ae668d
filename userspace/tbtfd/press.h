/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the press: which mint prints for a request, and what is taken back when
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_PRESS_H
#define _TBTFD_PRESS_H

#include "extent.h"
#include "mint.h"

/* struct tbtf_press_view - a mint for people */
struct tbtf_press_view {
	const struct tbtf_mint *mint;
	const char *state;	/* preparing, ready, out, no-gain, dry */
	uint64_t rate_kb_s;	/* what it makes: what is in use, less what that costs */
	unsigned int price;	/* memory for a thousand, an average */
	char why[TBTF_MINT_WHY];
};

/* struct tbtf_press_totals - all of them */
struct tbtf_press_totals {
	uint64_t requests, granted, refused;
	uint64_t granted_kb;
	uint64_t burn_kb_s;	/* what the machine consumes, as the module says */
	uint64_t print_kb_s;	/* of all mints */
	unsigned int inflation;	/* memory for a thousand, an average over all that is in use */
	bool withdrawing;
};

/* How an answer goes to the module. */
typedef void (*tbtf_press_answer)(const struct tbtf_request *request,
				  enum tbtf_answer_result result, uint64_t kb);

int tbtf_press_start(const struct tbtf_conf *conf, int to_main, tbtf_press_answer answer);
void tbtf_press_request(const struct tbtf_request *request);
void tbtf_press_collect(void);
void tbtf_press_refuse(void);
bool tbtf_press_look(const struct tbtf_room *room, uint64_t extents_kb, bool stopping);
bool tbtf_press_busy(void);
void tbtf_press_hurry(void);
void tbtf_press_stop(void);
void tbtf_press_plan(const struct tbtf_conf *conf);
size_t tbtf_press_mints(void);
void tbtf_press_view(size_t i, struct tbtf_press_view *ret);
void tbtf_press_totals(struct tbtf_press_totals *ret);

#endif /* _TBTFD_PRESS_H */
