/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the lenders, as the borrower sees them: who is there, what they have given
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A thread of its own does all that can take time: it dials, leases, connects,
 * empties and gives back extents. What it shares with the main thread is the line;
 * the extents have owners (extent.h), and the rest of the line is atomic.
 */
#ifndef _TBTFD_LENDERS_H
#define _TBTFD_LENDERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "back.h"
#include "conf.h"
#include "extent.h"
#include "swap.h"

/* The peer of an extent whose lender is no longer in the configuration. */
#define TBTF_NO_PEER	TBTF_PEERS_MAX

/* "two and three" */
#define TBTF_NAMES_LEN	(TBTF_LEGS * (TBTF_NAME_LEN + 5))

/* struct tbtf_lender_view - a lender for people; under the line's view_lock */
struct tbtf_lender_view {
	bool connected;
	bool may_swap;
	uint64_t offer_kb;
	uint64_t latency_us;	/* of the last question to its control port */
	int64_t since_s;	/* connected or not; CLOCK_REALTIME */
	char why[160];		/* not, or why it gives nothing; "" */
};

/**
 * struct tbtf_line - what both threads know
 * @conf: does not change
 * @extent_kb: does not change
 * @copies: of each page; does not change
 * @slots: how many of @extent may be used; does not change
 * @extent: see extent.h
 * @to_main: an eventfd: the lenders' thread has changed something
 * @to_lenders: an eventfd: the main thread has
 * @asked: counts what the main thread wanted more for
 * @settled: the last @asked after which there was nothing more to be had
 * @back: what a lender of this node wants
 * @stopping: nothing new any more
 * @quit: and when all is given back, end
 * @view_lock: of @view; never taken on the path of a steal
 * @view: by the index of the peer
 */
struct tbtf_line {
	const struct tbtf_conf *conf;
	uint64_t extent_kb;
	unsigned int copies;
	size_t slots;
	struct tbtf_extent extent[TBTF_EXTENTS];
	int to_main, to_lenders;
	atomic_uint asked, settled;
	struct tbtf_back back;
	atomic_bool stopping, quit;
	pthread_mutex_t view_lock;
	struct tbtf_lender_view view[TBTF_PEERS_MAX];
};

const char *tbtf_line_peer(const struct tbtf_line *line, const struct tbtf_leg *leg);
const char *tbtf_line_names(const struct tbtf_line *line, const struct tbtf_extent *extent,
			    char ret[TBTF_NAMES_LEN]);
void tbtf_line_kick(int eventfd);
int tbtf_line_find(struct tbtf_line *line);
int tbtf_lenders_start(struct tbtf_line *line);
void tbtf_lenders_stop(struct tbtf_line *line);

#endif /* _TBTFD_LENDERS_H */
