/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the conversation with one lender, over its control connection
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_LENDER_H
#define _TBTFD_LENDER_H

#include <stdint.h>

#include "clock.h"
#include "lenders.h"
#include "stream.h"
#include "tls.h"

/* To connect: a lender on the same network answers in a millisecond, or is not there. */
#define TBTF_DIAL_MS	2000

/**
 * struct tbtf_lender - one that is in the configuration
 * @line: whose it is
 * @peer: of the configuration
 * @index: there, and in the line's view
 * @reply: where its answers go; one for all, it is large
 * @on_notice: called for what it says unasked
 * @tls: of this node; NULL: encryption = none
 * @stream: the control connection; its fd is -1 if there is none
 * @nbd_port: of its exports
 * @next_id: of questions
 * @offer_kb: what it has, as of its last word
 * @may_swap: it may swap what it lends
 * @far: how many nodes are behind it for that
 * @retry_ms: no connection: when to try again
 * @backoff_ms: how long was waited for that
 * @refused_ms: it gives nothing until then
 * @unreachable: the last attempt to connect to it failed
 * @in: what has arrived of its next line
 */
struct tbtf_lender {
	struct tbtf_line *line;
	const struct tbtf_peer *peer;
	size_t index;
	struct tbtf_peer_reply *reply;
	void (*on_notice)(struct tbtf_lender *lender, const struct tbtf_peer_reply *reply);
	struct tbtf_tls *tls;
	struct tbtf_stream stream;
	uint16_t nbd_port;
	uint64_t next_id;
	uint64_t offer_kb;
	bool may_swap;
	uint64_t far;
	int64_t retry_ms;
	int64_t backoff_ms;
	int64_t refused_ms;
	bool unreachable;
	struct tbtf_peer_in in;
};

/* struct tbtf_leg_more - what else the lenders' thread knows of a leg */
struct tbtf_leg_more {
	int64_t renew_ms;	/* the lease has to be renewed then */
	int64_t again_ms;	/* not connected again before */
	int64_t dead_ms;	/* not connected since; 0: it is */
	bool told_dead;
	bool told_stale;
	uint64_t patience_s;	/* that its requests wait for a new one; 0: not known */
};

/**
 * struct tbtf_lenders - all of them, and what extents are made with
 * @line: shared with the main thread
 * @nbd: the kernel's
 * @tls: NULL: encryption = none
 * @lender: by the index of the peer
 * @n: how many
 * @more: of each leg
 * @mend_ms: of each extent: nothing was to be had for it, not again before
 * @behalf: of whom it is asked just now; NULL: for this node itself
 * @reply: of whoever was asked last; large
 */
struct tbtf_lenders {
	struct tbtf_line *line;
	struct tbtf_nbd *nbd;
	struct tbtf_tls *tls;
	struct tbtf_lender *lender;
	size_t n;
	struct tbtf_leg_more more[TBTF_EXTENTS][TBTF_LEGS];
	int64_t mend_ms[TBTF_EXTENTS];
	struct tbtf_back *behalf;
	struct tbtf_peer_reply reply;
};

struct tbtf_leg_more *tbtf_leg_more(struct tbtf_lenders *all, const struct tbtf_leg *leg);
struct tbtf_lender *tbtf_leg_lender(struct tbtf_lenders *all, const struct tbtf_leg *leg);
int tbtf_lenders_get(struct tbtf_lenders *all, uint64_t kb);
void tbtf_behalf(struct tbtf_lenders *all);
int tbtf_leg_lease(struct tbtf_lenders *all, struct tbtf_lender *lender, uint64_t kb,
		   struct tbtf_leg *leg, uint64_t *ret_kb);
void tbtf_leg_release(struct tbtf_lenders *all, struct tbtf_leg *leg);
struct tbtf_lender *tbtf_lenders_choose(struct tbtf_lenders *all, const struct tbtf_leg *but);
uint32_t tbtf_lenders_random(void);

/* -- stack.c ---------------------------------------------------------------- */

int tbtf_stack_up(struct tbtf_lenders *all, struct tbtf_extent *extent, bool wash);
int tbtf_stack_down(struct tbtf_lenders *all, struct tbtf_extent *extent);
int tbtf_leg_up(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg,
		const unsigned char *header, bool wash);
void tbtf_leg_down(struct tbtf_lenders *all, struct tbtf_leg *leg);
int tbtf_leg_again(struct tbtf_lenders *all, const struct tbtf_extent *extent,
		   struct tbtf_leg *leg);

/* -- mend.c ------------------------------------------------------------------- */

void tbtf_mend_patience(struct tbtf_lenders *all, struct tbtf_extent *extent);
void tbtf_mend(struct tbtf_lenders *all, struct tbtf_extent *extent);

int tbtf_lender_dial(struct tbtf_lender *lender);
int tbtf_lender_ask(struct tbtf_lender *lender, struct tbtf_peer_request *request, int64_t ms);
void tbtf_lender_listen(struct tbtf_lender *lender);
void tbtf_lender_hang_up(struct tbtf_lender *lender, const char *why);
void tbtf_lender_show(struct tbtf_lender *lender, const char *why, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* _TBTFD_LENDER_H */
