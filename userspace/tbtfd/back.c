// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory that is stolen for a lender of this node: what is right, and what stays
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd lend is asked for more than this node has. Then it asks tbtfd borrow for as much
 * of other nodes' (lend-behind.c); that is leased on behalf of who asked, with the whole
 * path, and becomes swap at once. Only then is it promised.
 *
 * What must not be is a ring: a page that node one sends away, and that comes back to
 * node one, would need memory of node one to make memory free on node one. The path
 * keeps a lease from coming back. But swap is the machine's: a page that is held for
 * node one here may go to any device. So what node one has lent for this node's own use
 * is not attached while something is held for node one with swap behind it, nor the
 * other way round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "back.h"
#include "lenders.h"

/* Without a word of the lender's for so long, nothing is promised any more. */
#define PROMISE_MS	60000

static bool in_path(const struct tbtf_peer_path *path, const char *node)
{
	for (unsigned int i = 0; i < path->n; i++)
		if (!strcmp(path->node[i], node))
			return true;
	return false;
}

static bool any_in_path(const struct tbtf_line *line, const struct tbtf_extent *extent,
			const struct tbtf_peer_path *path)
{
	for (unsigned int i = 0; i < extent->legs; i++)
		if (in_path(path, tbtf_line_peer(line, &extent->leg[i])))
			return true;
	return false;
}

static bool is_swap(const struct tbtf_extent *extent)
{
	int state = tbtf_extent_state(extent);

	return state == TBTF_EXTENT_ATTACHED || state == TBTF_EXTENT_LEAVING;
}

/**
 * tbtf_back_judge() - may there be borrowed for a lease of this node's lender?
 * @line: the line
 * @request: TBTF_PEER_LEASE, as the lender got it
 * @ret_path: the path to ask others with: with this node
 * @why: why not, for people
 *
 * Context: the main thread.
 * Return: TBTF_PEER_OK, or why not.
 */
enum tbtf_peer_error tbtf_back_judge(const struct tbtf_line *line,
				     const struct tbtf_peer_request *request,
				     struct tbtf_peer_path *ret_path, char why[TBTF_PEER_MESSAGE])
{
	const char *node = line->conf->node;
	uint64_t hops = line->conf->borrow.hops;
	unsigned int n = 0;

	if (tbtf_peer_ring(&request->path, node, why))
		return TBTF_PEER_CYCLE;
	if (request->hops < hops)
		hops = request->hops;
	if (request->path.n >= hops || request->path.n >= TBTF_PEER_PATH) {
		snprintf(why, TBTF_PEER_MESSAGE, "with %s it came by %u nodes, and \"hops\" is %" PRIu64, node,
			 request->path.n + 1, hops);
		return TBTF_PEER_HOPS;
	}
	*ret_path = request->path;
	strcpy(ret_path->node[ret_path->n++], node);
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &line->extent[i];

		n += tbtf_extent_state(extent) != TBTF_EXTENT_NONE && extent->path.n > 1;
		if (!is_swap(extent) || extent->path.n > 1)
			continue;
		for (unsigned int j = 0; j < extent->legs; j++) {
			if (!tbtf_peer_ring(ret_path, tbtf_line_peer(line, &extent->leg[j]), why))
				continue;
			snprintf(why + strlen(why), TBTF_PEER_MESSAGE - strlen(why), ": %s has swap there itself",
				 node);
			return TBTF_PEER_CYCLE;
		}
	}
	if (n >= TBTF_BACK_EXTENTS) {
		snprintf(why, TBTF_PEER_MESSAGE, "%s has borrowed for %u leases, and that is all it does", node, n);
		return TBTF_PEER_NO_MEMORY;
	}
	return TBTF_PEER_OK;
}

/**
 * tbtf_back_may_go() - may an extent that is swap be given back for no other reason than room?
 * @line: the line
 * @slot: the extent
 * @now_ms: the time
 *
 * Context: the main thread.
 * Return: false: it is behind what the lender of this node has promised.
 */
bool tbtf_back_may_go(const struct tbtf_line *line, int slot, int64_t now_ms)
{
	const struct tbtf_back *back = &line->back;
	uint64_t kb = 0;

	if (line->extent[slot].path.n <= 1)
		return true;
	if (tbtf_back_state(back) != TBTF_BACK_IDLE)
		return false;
	if (now_ms - back->promised_ms > PROMISE_MS)
		return true;
	for (int i = 0; i < TBTF_EXTENTS; i++)
		if (i != slot && is_swap(&line->extent[i]) && line->extent[i].path.n > 1 &&
		    !line->extent[i].lost)
			kb += line->extent[i].kb;
	return kb >= back->promised_kb;
}

/**
 * tbtf_back_bar() - keep extents from being attached that would close a ring
 * @line: the line
 *
 * Context: the main thread, before it picks one, or when those behind leases change.
 */
void tbtf_back_bar(struct tbtf_line *line)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		struct tbtf_extent *extent = &line->extent[i];
		bool barred = false;

		for (size_t j = 0; j < TBTF_EXTENTS && !barred; j++)
			barred = is_swap(&line->extent[j]) && line->extent[j].path.n > 1 &&
				 any_in_path(line, extent, &line->extent[j].path);
		extent->barred = barred;
	}
}
