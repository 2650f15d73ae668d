// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - mirrors are kept: who is out comes back, who is gone is replaced
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: an extent of two legs, as it is now. What is done about it:
 *
 *	a connection is lost		the other leg becomes patient: it is the last one
 *	a lender cannot be reached	its legs in all mirrors are given up at once
 *	the kernel has given a leg up	it is taken back as soon as it can be reached, and
 *					gets what was written meanwhile
 *	a leg is gone for good		another lender is taken in, and gets everything
 *
 * That a page is still there while a lender dies is the kernel's doing, not this
 * file's. It runs in the thread of lenders.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "attach.h"
#include "lender.h"
#include "log.h"
#include "mirror.h"

/* After nothing was to be had, or something went wrong. */
#define RETRY_MS	2000

static const char *peer(const struct tbtf_lenders *all, const struct tbtf_leg *leg)
{
	return tbtf_line_peer(all->line, leg);
}

static struct tbtf_leg *other(struct tbtf_extent *extent, const struct tbtf_leg *leg)
{
	return &extent->leg[leg == &extent->leg[0]];
}

/* Does it hold all the pages, and is it to be counted on? */
static bool good(const struct tbtf_leg *leg)
{
	return leg->used && !leg->stale && !leg->lost;
}

/*
 * The last leg waits for its lender as long as a single one would: if it failed as
 * well the mirror would take no more writes, even when the lender is back.
 */
static void be_patient(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg)
{
	const struct tbtf_leg *second = other(extent, leg);
	const struct tbtf_lender *lender = tbtf_leg_lender(all, second);
	bool last = !good(second) || second->dead || !lender || lender->unreachable;
	uint64_t said_s = all->line->conf->borrow.dead_timeout_s;
	uint64_t s = last && said_s > TBTF_MIRROR_DEAD_S ? said_s : TBTF_MIRROR_DEAD_S;
	struct tbtf_leg_more *more = tbtf_leg_more(all, leg);
	char backend[TBTF_NAME_LEN + 32];

	if (more->patience_s == s || leg->index < 0 || !good(leg))
		return;
	if (tbtf_extent_backend(backend, sizeof(backend), peer(all, leg), leg->lease) ||
	    tbtf_nbd_patience(all->nbd, leg->index, s, backend))
		return;
	more->patience_s = s;
}

/* What the kernel says of a leg, and what there is to be told of that. */
static enum tbtf_member look(struct tbtf_lenders *all, struct tbtf_extent *extent,
			     struct tbtf_leg *leg)
{
	struct tbtf_leg_more *more = tbtf_leg_more(all, leg);
	enum tbtf_member member = tbtf_mirror_member(extent->mirror, leg->index);

	leg->stale = member != TBTF_MEMBER_SYNC;
	if (leg->stale == more->told_stale)
		return member;
	more->told_stale = leg->stale;
	if (leg->stale)
		tbtf_warning("%s is out of the mirror %s: %s has the only copy of its pages", peer(all, leg),
			     extent->device, peer(all, other(extent, leg)));
	else
		tbtf_notice("%s has two copies again: %s has all of its pages, too", extent->device,
			    peer(all, leg));
	return member;
}

static void take_back(struct tbtf_extent *extent, struct tbtf_lenders *all, struct tbtf_leg *leg)
{
	int err = tbtf_mirror_add_again(extent->mirror, leg->index);

	if (!err)
		tbtf_info("%s is back in the mirror %s: what it has missed is copied",
			  peer(all, leg), extent->device);
	/* Busy: the kernel still waits for requests that it has there. */
	else if (err != -EBUSY)
		tbtf_warning("%s cannot be taken back into the mirror %s: %s", peer(all, leg),
			     extent->device, strerror(-err));
}

/* Can the lender of the leg that would be the last one be talked to? */
static bool safe(struct tbtf_lenders *all, struct tbtf_extent *extent, const struct tbtf_leg *has)
{
	const struct tbtf_lender *lender = tbtf_leg_lender(all, has);

	return good(has) && !has->dead && lender && lender->stream.fd >= 0 && !lender->unreachable &&
	       tbtf_mirror_member(extent->mirror, has->index) == TBTF_MEMBER_SYNC;
}

/*
 * A lender that is not there any more has legs in many mirrors, and of each the kernel
 * would find out by itself, by a request that waits for the timeouts. Whoever reads
 * from one after the other would wait each time.
 */
static void give_up(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg)
{
	const struct tbtf_lender *lender = tbtf_leg_lender(all, leg);

	if (!lender || !lender->unreachable || leg->stale || !safe(all, extent, other(extent, leg)))
		return;
	if (!tbtf_mirror_fail(extent->mirror, leg->index))
		(void)look(all, extent, leg);
}

/* It will not come back, or not in time. */
static bool is_gone(struct tbtf_lenders *all, const struct tbtf_leg *leg)
{
	const struct tbtf_leg_more *more = tbtf_leg_more(all, leg);
	int64_t patience_ms = (int64_t)all->line->conf->borrow.replace_after_s * 1000;

	return leg->lost || !tbtf_leg_lender(all, leg) ||
	       (leg->dead && more->dead_ms && tbtf_now_ms() - more->dead_ms >= patience_ms);
}

/* Another lender than that of the leg which has the pages, with room for them. */
static struct tbtf_lender *replacement(struct tbtf_lenders *all, const struct tbtf_extent *extent,
				       const struct tbtf_leg *leg, const struct tbtf_leg *has)
{
	struct tbtf_lender *lender = tbtf_lenders_choose(all, has);

	/* Nobody has told us yet that it cannot be talked to either. */
	if (leg->used && !leg->lost && lender == tbtf_leg_lender(all, leg))
		return NULL;
	return lender && lender->offer_kb >= extent->kb + TBTF_MIRROR_EXTRA_KB ? lender : NULL;
}

static void let_go(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg)
{
	int err = tbtf_mirror_remove(extent->mirror, leg->index);

	if (err) {
		tbtf_warning("%s cannot be taken out of the mirror %s: %s", peer(all, leg),
			     extent->device, strerror(-err));
		return;
	}
	tbtf_leg_down(all, leg);
	tbtf_leg_release(all, leg);
}

static void take_in(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg,
		    struct tbtf_lender *lender)
{
	uint64_t kb = extent->kb + TBTF_MIRROR_EXTRA_KB, got_kb = 0;
	int err;

	if (tbtf_leg_lease(all, lender, kb, leg, &got_kb))
		return;
	leg->stale = true;
	err = got_kb < kb ? -ENOSPC : tbtf_leg_up(all, extent, leg, NULL, false);
	if (!err)
		err = tbtf_mirror_add(extent->mirror, leg->index);
	if (!err) {
		tbtf_leg_more(all, leg)->told_stale = true;
		tbtf_notice("%s is taken into the mirror %s: %" PRIu64 " kB are copied to it",
			    peer(all, leg), extent->device, extent->kb);
		return;
	}
	tbtf_warning("%s cannot be taken into the mirror %s: %s", peer(all, leg), extent->device,
		     strerror(-err));
	lender->refused_ms = tbtf_now_ms() + RETRY_MS;
	tbtf_leg_down(all, leg);
	tbtf_leg_release(all, leg);
}

static void mend_leg(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg)
{
	int64_t *again_ms = &all->mend_ms[extent - all->line->extent];
	struct tbtf_leg *has = other(extent, leg);
	struct tbtf_lender *lender;

	if (leg->used && look(all, extent, leg) == TBTF_MEMBER_FAULTY && !leg->dead && !leg->lost) {
		take_back(extent, all, leg);
		return;
	}
	if (leg->used)
		give_up(all, extent, leg);
	if ((leg->used && !is_gone(all, leg)) || !good(has) || all->line->stopping ||
	    *again_ms > tbtf_now_ms())
		return;
	*again_ms = tbtf_now_ms() + RETRY_MS;
	lender = replacement(all, extent, leg, has);
	/* Who may still come back stays until there is somebody better. */
	if (!lender && !leg->lost)
		return;
	if (leg->used)
		let_go(all, extent, leg);
	if (lender && !leg->used)
		take_in(all, extent, leg, lender);
}

/**
 * tbtf_mend_patience() - see to it that the last leg of a mirror does not fail
 * @all: the lenders
 * @extent: with a mirror; ready, or swap
 *
 * Context: talks to the kernel only, and often: what it is about is over in seconds.
 */
void tbtf_mend_patience(struct tbtf_lenders *all, struct tbtf_extent *extent)
{
	for (size_t i = 0; i < TBTF_LEGS; i++)
		be_patient(all, extent, &extent->leg[i]);
}

/**
 * tbtf_mend() - do what is to be done about a mirror now
 * @all: the lenders
 * @extent: with a mirror; ready, or swap
 *
 * Context: waits for lenders, for a bounded time.
 */
void tbtf_mend(struct tbtf_lenders *all, struct tbtf_extent *extent)
{
	for (size_t i = 0; i < TBTF_LEGS; i++)
		mend_leg(all, extent, &extent->leg[i]);
}
