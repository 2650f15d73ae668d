/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - memory that is stolen for a lender of this node: one lease at a time
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The main thread takes the wish from the control socket, the lenders' thread sees to
 * it. Who owns the struct says its state: ASKED is the lenders' thread's, all else the
 * main thread's.
 */
#ifndef _TBTFD_BACK_H
#define _TBTFD_BACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "extent.h"
#include "peer.h"

/* Of the slots so many at most: the others are for this node's own need. */
#define TBTF_BACK_EXTENTS	4

struct tbtf_line;

enum tbtf_back_state {
	TBTF_BACK_IDLE,
	TBTF_BACK_ASKED,	/* lenders.c looks for somebody who has it */
	TBTF_BACK_DONE,		/* an extent is ready or attached, or @error says why not */
};

/**
 * struct tbtf_back - what a lender of this node wants
 * @state: enum tbtf_back_state: release by the owner, acquire by the other
 * @kb: how much, with the page that a swap device needs for itself
 * @hops: as many nodes may be in the path
 * @path: by which the request came, this node last
 * @slot: the extent that was built
 * @error: why there is none
 * @why: the same, for people
 * @promised_kb: main: what the lender has promised that is not of this node
 * @promised_ms: main: when it said so
 * @far: any: over how many nodes the next is
 * @offer_kb: any: the largest extent that could be had, when last looked at
 */
struct tbtf_back {
	_Atomic int state;
	uint64_t kb;
	uint64_t hops;
	struct tbtf_peer_path path;
	int slot;
	enum tbtf_peer_error error;
	char why[TBTF_PEER_MESSAGE];
	uint64_t promised_kb;
	int64_t promised_ms;
	_Atomic uint64_t far;
	_Atomic uint64_t offer_kb;
};

static inline int tbtf_back_state(const struct tbtf_back *back)
{
	return atomic_load_explicit(&back->state, memory_order_acquire);
}

static inline void tbtf_back_set(struct tbtf_back *back, enum tbtf_back_state state)
{
	atomic_store_explicit(&back->state, state, memory_order_release);
}

enum tbtf_peer_error tbtf_back_judge(const struct tbtf_line *line,
				     const struct tbtf_peer_request *request,
				     struct tbtf_peer_path *ret_path, char why[TBTF_PEER_MESSAGE]);
bool tbtf_back_may_go(const struct tbtf_line *line, int slot, int64_t now_ms);
void tbtf_back_bar(struct tbtf_line *line);

#endif /* _TBTFD_BACK_H */
