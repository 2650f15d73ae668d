// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - whom to ask for memory, for this node or on behalf of a lender of it
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What back.c has found to be right is leased here, with the whole path of the request,
 * of nodes that are not in it. Runs in the thread of lenders.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lender.h"
#include "log.h"

/**
 * tbtf_lenders_choose() - whom to ask for memory
 * @all: the lenders; not those in the path of @behalf
 * @but: not the lender of this leg; NULL: any
 *
 * Return: the lender; NULL: none has any.
 */
struct tbtf_lender *tbtf_lenders_choose(struct tbtf_lenders *all, const struct tbtf_leg *but)
{
	struct tbtf_offer offer[TBTF_PEERS_MAX];
	int64_t now = tbtf_now_ms();
	char why[TBTF_PEER_MESSAGE];
	int i;

	for (size_t j = 0; j < all->n; j++) {
		const struct tbtf_lender *lender = &all->lender[j];

		offer[j].there = lender->stream.fd >= 0 && lender->refused_ms <= now &&
				 !(but && but->peer == j) &&
				 !(all->behalf && tbtf_peer_ring(&all->behalf->path, lender->peer->name, why));
		offer[j].may_swap = lender->may_swap;
		offer[j].offer_kb = lender->offer_kb;
	}
	i = tbtf_extent_lender(offer, all->n, tbtf_lenders_random());
	return i < 0 ? NULL : &all->lender[i];
}

/* Of whom a lease could be had for the lender of this node, at most. */
static void look_behind(struct tbtf_lenders *all)
{
	int64_t now = tbtf_now_ms();
	uint64_t most = 0, far = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct tbtf_lender *lender = &all->lender[i];

		/* This node, who asks it, and those behind the lender. */
		if (lender->stream.fd < 0 || lender->refused_ms > now || lender->offer_kb <= most ||
		    lender->far + 2 > all->line->conf->borrow.hops)
			continue;
		most = lender->offer_kb;
		far = lender->far + 1;
	}
	all->line->back.far = far;
	all->line->back.offer_kb = most >= TBTF_EXTENT_MIN_KB && !all->line->stopping ? most : 0;
}

/**
 * tbtf_behalf() - see what could be had, and to what the lender of this node wants
 * @all: the lenders
 *
 * Context: waits for lenders, a bounded time each.
 */
void tbtf_behalf(struct tbtf_lenders *all)
{
	struct tbtf_back *back = &all->line->back;
	char why[TBTF_PEER_MESSAGE];

	look_behind(all);
	if (tbtf_back_state(back) != TBTF_BACK_ASKED)
		return;
	back->error = TBTF_PEER_NO_MEMORY;
	(void)snprintf(back->why, sizeof(back->why), "no node behind it has as much");
	/* Of those that are not asked, the one that the request came by first is named. */
	for (unsigned int i = 0; i < back->path.n && back->error != TBTF_PEER_CYCLE; i++) {
		if (!tbtf_conf_peer(all->line->conf, back->path.node[i]) ||
		    !tbtf_peer_ring(&back->path, back->path.node[i], why))
			continue;
		back->error = TBTF_PEER_CYCLE;
		strcpy(back->why, why);
	}
	all->behalf = back;
	back->slot = all->line->stopping ? -1 : tbtf_lenders_get(all, back->kb);
	all->behalf = NULL;
	if (back->slot >= 0) {
		back->error = TBTF_PEER_OK;
	} else {
		back->slot = 0;
		tbtf_notice("nothing is stolen for %s: %s", back->path.node[0], back->why);
	}
	tbtf_back_set(back, TBTF_BACK_DONE);
	tbtf_line_kick(all->line->to_main);
}
