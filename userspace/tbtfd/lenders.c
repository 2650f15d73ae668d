// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lenders: whom to ask, what was given, and what becomes a device
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: extents that are to be emptied or given back, and a line that is not
 * whole. Goes out: extents that are ready, and word of those that are lost or
 * wanted back. It runs in a thread of its own, that waits for lenders, always for a
 * bounded time, and never for the main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "lender.h"
#include "log.h"
#include "memory.h"
#include "mirror.h"
#include "tls-kernel.h"

/* Before a lender that had nothing is asked again, unless it says something itself. */
#define REFUSED_MS	5000
/* And one whose memory would be had of ourselves. */
#define RING_MS		60000
/* A lender backs what it leases with memory before it answers: some seconds a GiB. */
#define LEASE_MS_PER_GIB 4000
/* Between attempts to connect a device again that lost its connection. */
#define AGAIN_MS	500
/* If nothing happens. */
#define IDLE_MS		1000
/* All of the thread is on a stack that is locked in memory. */
#define STACK		(256 * 1024)

static struct tbtf_lenders the;
static pthread_t thread;

/**
 * tbtf_lenders_random() - a number that nobody else draws
 *
 * Return: any.
 */
uint32_t tbtf_lenders_random(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = tbtf_now_us();
	return value;
}

static struct tbtf_extent *extent_of(const struct tbtf_leg *leg)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++)
		for (size_t j = 0; j < TBTF_LEGS; j++)
			if (leg == &the.line->extent[i].leg[j])
				return &the.line->extent[i];
	return NULL;
}

/**
 * tbtf_leg_more() - what else is known of a leg
 * @all: the lenders
 * @leg: of the line
 *
 * Return: where it is.
 */
struct tbtf_leg_more *tbtf_leg_more(struct tbtf_lenders *all, const struct tbtf_leg *leg)
{
	const struct tbtf_extent *extent = extent_of(leg);

	return &all->more[extent - all->line->extent][leg - extent->leg];
}

/**
 * tbtf_leg_lender() - whose a leg is
 * @all: the lenders
 * @leg: of the line
 *
 * Return: the lender; NULL: it is not in the configuration any more.
 */
struct tbtf_lender *tbtf_leg_lender(struct tbtf_lenders *all, const struct tbtf_leg *leg)
{
	return leg->peer < all->n ? &all->lender[leg->peer] : NULL;
}

/* Every leg of the line, those that are not used as well. */
#define for_each_leg(leg) \
	for (size_t nr_ = 0; nr_ < TBTF_EXTENTS * TBTF_LEGS && \
	     (leg = &the.line->extent[nr_ / TBTF_LEGS].leg[nr_ % TBTF_LEGS]); nr_++)

static bool is_of(const struct tbtf_leg *leg, const struct tbtf_lender *lender)
{
	return leg->used && leg->peer == (size_t)(lender - the.lender);
}

static struct tbtf_leg *leg_of(const struct tbtf_lender *lender, uint64_t lease)
{
	struct tbtf_leg *leg;

	for_each_leg(leg)
		if (is_of(leg, lender) && leg->lease == lease)
			return leg;
	return NULL;
}

/* What a leg means for its extent, and word of it to the main thread. */
static void sum(struct tbtf_extent *extent)
{
	struct tbtf_mirror mirror = { .percent = -1 };

	if (*extent->mirror)
		(void)tbtf_mirror_look(extent->mirror, &mirror);
	extent->percent = mirror.percent;
	if (tbtf_extent_sum(extent, mirror.broken))
		tbtf_line_kick(the.line->to_main);
}

static void on_notice(struct tbtf_lender *lender, const struct tbtf_peer_reply *reply)
{
	struct tbtf_leg *leg;

	if (reply->kind == TBTF_PEER_NOTICE_OFFER) {
		lender->offer_kb = reply->offer_kb;
		lender->may_swap = reply->may_swap;
		lender->far = reply->far;
		lender->refused_ms = 0;
		tbtf_lender_show(lender, "%s", "");
		return;
	}
	leg = leg_of(lender, reply->lease.lease);
	if (!leg) {
		tbtf_warning("%s wants lease %" PRIu64 " back, which is not known here",
			     lender->peer->name, reply->lease.lease);
		return;
	}
	tbtf_notice("%s wants %" PRIu64 " kB back within %" PRIu64 " s", lender->peer->name,
		    extent_of(leg)->kb, reply->deadline_s);
	leg->revoked = true;
	sum(extent_of(leg));
}

/* -- Leases ----------------------------------------------------------------- */

static void release(struct tbtf_lender *lender, uint64_t lease)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_RELEASE, .lease = lease };

	if (lender->stream.fd < 0)
		return;		/* it is found, and released, when it is back: reconcile() */
	if (tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS))
		return;
	if (the.reply.error && the.reply.error != TBTF_PEER_UNKNOWN_LEASE)
		tbtf_warning("%s does not take lease %" PRIu64 " back: %s", lender->peer->name,
			     lease, the.reply.message);
	lender->refused_ms = 0;
}

static void renewed(struct tbtf_leg *leg, uint64_t expires_s)
{
	leg->lease_ms = expires_s * 1000;
	/* At a third of its time: two attempts are left if the first fails. */
	tbtf_leg_more(&the, leg)->renew_ms = tbtf_now_ms() + expires_s * 1000 / 3;
}

static void lose(struct tbtf_leg *leg)
{
	leg->lost = true;
	sum(extent_of(leg));
}

static void renew(struct tbtf_lender *lender, struct tbtf_leg *leg)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_RENEW, .lease = leg->lease };

	if (tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS))
		return;
	if (the.reply.error == TBTF_PEER_UNKNOWN_LEASE)
		lose(leg);
	else if (!the.reply.error)
		renewed(leg, the.reply.lease.expires_s);
	else
		tbtf_leg_more(&the, leg)->renew_ms = tbtf_now_ms() + 1000;
}

/* What the lender has of ours, against what we know. */
static void reconcile(struct tbtf_lender *lender)
{
	static struct tbtf_peer_lease list[TBTF_PEER_LEASES];
	unsigned int n = the.reply.leases;
	struct tbtf_leg *leg;
	unsigned int i;

	memcpy(list, the.reply.list, n * sizeof(list[0]));
	for (i = 0; i < n && lender->stream.fd >= 0; i++) {
		leg = leg_of(lender, list[i].lease);
		if (!leg) {
			tbtf_info("%s still has lease %" PRIu64 " of ours, which nobody uses: given back",
				  lender->peer->name, list[i].lease);
			release(lender, list[i].lease);
			continue;
		}
		/* Only after a restart is it not known; the main thread never looks at it. */
		memcpy(leg->export, list[i].export, sizeof(leg->export));
		/* It says how much of its time is left; how long that is a renewal tells. */
		tbtf_leg_more(&the, leg)->renew_ms = 0;
	}
	for_each_leg(leg) {
		if (!is_of(leg, lender))
			continue;
		for (i = 0; i < n && list[i].lease != leg->lease; i++)
			;
		if (i == n) {
			lose(leg);
			continue;
		}
		/* A control connection that was lost is seldom alone. */
		leg->dead = true;
		tbtf_leg_more(&the, leg)->again_ms = 0;
	}
}

static void greet(struct tbtf_lender *lender)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_LEASES_OF };

	if (tbtf_lender_dial(lender) || tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS))
		return;
	if (!the.reply.error)
		reconcile(lender);
	if (lender->stream.fd < 0)
		return;
	lender->backoff_ms = 0;
	tbtf_lender_show(lender, "%s", "");
	tbtf_info("%s is there, and offers %" PRIu64 " kB%s", lender->peer->name, lender->offer_kb,
		  lender->may_swap ? ", some of which it may swap" : "");
}

/* -- An extent's way -------------------------------------------------------------- */

static const char *names(const struct tbtf_extent *extent)
{
	static char text[TBTF_NAMES_LEN];	/* of this thread */

	return tbtf_line_names(the.line, extent, text);
}

static void forget(struct tbtf_extent *extent)
{
	memset(extent->leg, 0, sizeof(extent->leg));
	for (size_t i = 0; i < TBTF_LEGS; i++)
		extent->leg[i].index = -1;
	extent->retry_ms = 0;
	extent->failed_kb = 0;
	extent->barred = false;
	extent->path.n = 0;
	extent->percent = -1;
	(void)tbtf_extent_sum(extent, false);
	tbtf_extent_set(extent, TBTF_EXTENT_NONE);
}

/**
 * tbtf_leg_release() - give a lease back
 * @all: the lenders
 * @leg: that is no device any more
 */
void tbtf_leg_release(struct tbtf_lenders *all, struct tbtf_leg *leg)
{
	struct tbtf_lender *lender = tbtf_leg_lender(all, leg);

	if (leg->used && lender && !leg->lost)
		release(lender, leg->lease);
	memset(leg, 0, sizeof(*leg));
	leg->index = -1;
}

static void drop(struct tbtf_extent *extent)
{
	if (tbtf_stack_down(&the, extent) && !the.line->quit)
		return;			/* later */
	tbtf_info("%" PRIu64 " kB given back to %s", extent->kb, names(extent));
	for (size_t i = 0; i < TBTF_LEGS; i++)
		tbtf_leg_release(&the, &extent->leg[i]);
	forget(extent);
}

/* What is ready, and, if @soon, what will be as soon as it is emptied. */
static uint64_t ready_kb(size_t *ret_n, bool soon)
{
	uint64_t kb = 0;

	*ret_n = 0;
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &the.line->extent[i];
		int state = tbtf_extent_state(extent);

		if (extent->revoked || extent->lost || extent->path.n > 1 ||
		    !(state == TBTF_EXTENT_READY || (soon && state == TBTF_EXTENT_WASH)))
			continue;
		kb += extent->kb;
		++*ret_n;
	}
	return kb;
}

static void now_ready(struct tbtf_extent *extent)
{
	size_t n;
	uint64_t kb;

	sum(extent);
	tbtf_extent_set(extent, TBTF_EXTENT_READY);
	tbtf_line_kick(the.line->to_main);
	kb = ready_kb(&n, false);
	tbtf_info("%" PRIu64 " kB of %s ready as %s; credit line: %" PRIu64 " of %" PRIu64 " kB",
		  extent->kb, names(extent), extent->device, kb,
		  the.line->conf->borrow.credit_kb);
}

/* Can all its lenders be talked to? */
static bool all_there(const struct tbtf_extent *extent)
{
	for (unsigned int i = 0; i < extent->legs; i++) {
		const struct tbtf_lender *lender = tbtf_leg_lender(&the, &extent->leg[i]);

		if (lender->stream.fd < 0 || !*extent->leg[i].export)
			return false;
	}
	return true;
}

/* Is each leg one that could be used anew, as the configuration now has it? */
static bool all_usable(const struct tbtf_extent *extent)
{
	if (extent->legs != the.line->copies)
		return false;
	for (unsigned int i = 0; i < extent->legs; i++) {
		const struct tbtf_leg *leg = &extent->leg[i];

		if (!leg->used || !tbtf_leg_lender(&the, leg) || leg->lost || leg->revoked)
			return false;
	}
	return true;
}

/* It was swap, or was left ready by a daemon before: from the beginning. */
static void wash(struct tbtf_extent *extent)
{
	size_t n;
	int err;

	if (tbtf_stack_down(&the, extent) && !the.line->quit)
		return;			/* later */
	if (!all_usable(extent) || extent->path.n > 1 || the.line->stopping ||
	    ready_kb(&n, false) >= the.line->conf->borrow.credit_kb || n >= TBTF_EXTENTS_READY) {
		drop(extent);
		return;
	}
	if (!all_there(extent))
		return;			/* later */
	err = tbtf_stack_up(&the, extent, true);
	if (!err) {
		now_ready(extent);
		return;
	}
	tbtf_warning("%s: cannot use %" PRIu64 " kB again: %s", names(extent), extent->kb, strerror(-err));
	drop(extent);
}

/* -- Growing the line -------------------------------------------------------- */

/* A ring is one tomorrow as well; memory comes and goes. */
static void refused(struct tbtf_lenders *all, struct tbtf_lender *lender)
{
	enum tbtf_peer_error error = all->reply.error;
	bool far = error == TBTF_PEER_CYCLE || error == TBTF_PEER_HOPS;

	tbtf_info("%s gives nothing: %s", lender->peer->name, all->reply.message);
	lender->refused_ms = tbtf_now_ms() + (far && !all->behalf ? RING_MS : REFUSED_MS);
	tbtf_lender_show(lender, "%s", all->reply.message);
	if (!all->behalf)
		return;
	all->behalf->error = error;
	strcpy(all->behalf->why, all->reply.message);
}

/**
 * tbtf_leg_lease() - lease memory for a leg
 * @all: the lenders
 * @lender: of whom
 * @kb: how much
 * @leg: that is not used yet
 * @ret_kb: what was given
 *
 * Context: waits for the lender's answer.
 * Return: 0; -EAGAIN: it gives nothing, or is gone; it is not asked again at once.
 */
int tbtf_leg_lease(struct tbtf_lenders *all, struct tbtf_lender *lender, uint64_t kb,
		   struct tbtf_leg *leg, uint64_t *ret_kb)
{
	struct tbtf_peer_request request = {
		.type = TBTF_PEER_LEASE,
		.kb = kb,
		.hops = all->line->conf->borrow.hops,
		.path.n = 1,
	};

	int64_t ms = TBTF_ANSWER_MS + kb * LEASE_MS_PER_GIB / 1048576;

	strcpy(request.path.node[0], all->line->conf->node);
	if (all->behalf) {
		request.path = all->behalf->path;
		request.hops = all->behalf->hops;
	}
	/*
	 * One who has to ask others first may take longer, by as much as each of those may:
	 * who is nearer to the end of the path gives up first, and says so.
	 */
	if (lender->may_swap && request.hops > request.path.n)
		ms *= 1 + 2 * (request.hops - request.path.n);
	if (tbtf_lender_ask(lender, &request, ms))
		return -EAGAIN;
	if (all->reply.error) {
		refused(all, lender);
		return -EAGAIN;
	}
	memset(leg, 0, sizeof(*leg));
	leg->index = -1;
	leg->peer = lender - all->lender;
	leg->lease = all->reply.lease.lease;
	memcpy(leg->export, all->reply.lease.export, sizeof(leg->export));
	renewed(leg, all->reply.lease.expires_s);
	leg->used = true;
	*ret_kb = all->reply.lease.kb / 4 * 4;
	if (lender->offer_kb >= *ret_kb)
		lender->offer_kb -= *ret_kb;
	return 0;
}

static struct tbtf_extent *free_slot(unsigned int *ret_n)
{
	struct tbtf_extent *first = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < the.line->slots; i++) {
		if (tbtf_extent_state(&the.line->extent[i]) != TBTF_EXTENT_NONE)
			continue;
		if (!first)
			first = &the.line->extent[i];
		++*ret_n;
	}
	return first;
}

/* The legs of a new extent, each of another lender. Its size is what the smallest has. */
static int lease_legs(struct tbtf_extent *extent, struct tbtf_lender *lender[], uint64_t kb)
{
	uint64_t extra_kb = extent->legs > 1 ? TBTF_MIRROR_EXTRA_KB : 0, got_kb;
	int err = 0;

	extent->kb = kb;
	for (unsigned int i = 0; !err && i < extent->legs; i++) {
		err = tbtf_leg_lease(&the, lender[i], kb + extra_kb, &extent->leg[i], &got_kb);
		if (!err && got_kb < extent->kb + extra_kb)
			extent->kb = got_kb > extra_kb ? got_kb - extra_kb : 0;
	}
	for (unsigned int i = 0; err && i < extent->legs; i++)
		if (extent->leg[i].used)
			tbtf_leg_release(&the, &extent->leg[i]);
	return err;
}

static void take(struct tbtf_extent *extent, struct tbtf_lender *lender[])
{
	int err;

	extent->leased_s = time(NULL);
	extent->attached_s = 0;
	extent->fd = -1;
	extent->percent = -1;
	tbtf_extent_set(extent, TBTF_EXTENT_BUILDING);
	err = tbtf_stack_up(&the, extent, false);
	for (unsigned int i = 0; i < extent->legs; i++) {
		if (err)
			lender[i]->refused_ms = tbtf_now_ms() + REFUSED_MS;
		else
			tbtf_lender_show(lender[i], "%s", "");
	}
	if (!err) {
		now_ready(extent);
		return;
	}
	tbtf_warning("%" PRIu64 " kB of %s do not become a device: %s", extent->kb, names(extent),
		     strerror(-err));
	extent->state = TBTF_EXTENT_DROP;
	drop(extent);
}

/* Whom to ask for each copy. False: there are not as many who have something. */
static bool choose(struct tbtf_lender *ret[TBTF_LEGS], uint64_t *ret_offer_kb)
{
	struct tbtf_leg first = { .used = true };

	ret[0] = tbtf_lenders_choose(&the, NULL);
	if (!ret[0])
		return false;
	*ret_offer_kb = ret[0]->offer_kb;
	if (the.line->copies == 1)
		return true;
	first.peer = ret[0] - the.lender;
	ret[1] = tbtf_lenders_choose(&the, &first);
	if (!ret[1]) {
		tbtf_lender_show(ret[0], "%s", "the only one that has memory to give, and copies = 2");
		return false;
	}
	if (ret[1]->offer_kb < *ret_offer_kb)
		*ret_offer_kb = ret[1]->offer_kb;
	*ret_offer_kb -= TBTF_MIRROR_EXTRA_KB;
	return true;
}

/* One extent more. False: there is nothing to be had, or to be done. */
static bool grow(void)
{
	struct tbtf_lender *lender[TBTF_LEGS];
	unsigned int slots;
	struct tbtf_extent *slot = free_slot(&slots);
	uint64_t ready, offer_kb, kb;
	size_t n;

	if (the.line->stopping || !slot)
		return false;
	ready = ready_kb(&n, true);
	if (n >= TBTF_EXTENTS_READY || ready >= the.line->conf->borrow.credit_kb || !choose(lender, &offer_kb))
		return false;
	/* Not more of them may be ready than half: what is in use needs slots, too. */
	if (slots > TBTF_EXTENTS_READY - n)
		slots = TBTF_EXTENTS_READY - n;
	kb = tbtf_extent_next(the.line->conf->borrow.credit_kb, the.line->extent_kb, ready,
			      offer_kb, slots);
	if (!kb)
		return false;
	slot->legs = the.line->copies;
	if (!lease_legs(slot, lender, kb))
		take(slot, lender);
	return true;		/* if one is gone the others may do */
}

/**
 * tbtf_lenders_get() - an extent on somebody's behalf
 * @all: the lenders, with @behalf
 * @kb: how much
 *
 * Return: its slot; -1: there is none to be had.
 */
int tbtf_lenders_get(struct tbtf_lenders *all, uint64_t kb)
{
	struct tbtf_lender *lender[TBTF_LEGS];
	unsigned int slots;
	struct tbtf_extent *slot = free_slot(&slots);
	uint64_t offer_kb;

	/* Who refuses is not chosen again at once. */
	while (slots > 1 && choose(lender, &offer_kb) && offer_kb >= kb) {
		slot->legs = all->line->copies;
		if (lease_legs(slot, lender, kb))
			continue;
		slot->path = all->behalf->path;
		take(slot, lender);
		if (tbtf_extent_state(slot) != TBTF_EXTENT_NONE)
			return slot - all->line->extent;
	}
	return -1;
}

/* Offers age. Asked only of those who had too little, and while more is wanted. */
static void ask_offers(void)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_OFFER };
	int64_t now = tbtf_now_ms();
	unsigned int slots;
	size_t n;

	if (the.line->stopping || !free_slot(&slots) ||
	    ready_kb(&n, true) >= the.line->conf->borrow.credit_kb)
		return;
	for (size_t i = 0; i < the.n; i++) {
		struct tbtf_lender *lender = &the.lender[i];

		if (lender->stream.fd < 0 || lender->refused_ms > now || lender->offer_kb >= TBTF_EXTENT_MIN_KB)
			continue;
		if (tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS))
			continue;
		if (the.reply.error)
			continue;
		lender->offer_kb = the.reply.offer_kb;
		lender->may_swap = the.reply.may_swap;
		lender->far = the.reply.far;
		if (lender->offer_kb < TBTF_EXTENT_MIN_KB)
			lender->refused_ms = now + REFUSED_MS;
		tbtf_lender_show(lender, "%s", lender->offer_kb < TBTF_EXTENT_MIN_KB ? "has no memory to give" : "");
	}
}

/* -- Lost connections --------------------------------------------------------- */

static void find_dead(void)
{
	int index[TBTF_EXTENTS * TBTF_LEGS];
	int n = tbtf_nbd_dead(the.nbd, index, TBTF_EXTENTS * TBTF_LEGS);
	struct tbtf_leg *leg;

	for_each_leg(leg) {
		struct tbtf_leg_more *more;
		bool dead = n < 0;

		for (int j = 0; j < n; j++)
			dead = dead || index[j] == leg->index;
		if (!dead || !leg->used || leg->index < 0)
			continue;
		leg->dead = true;
		more = tbtf_leg_more(&the, leg);
		more->again_ms = 0;
		if (more->told_dead)
			continue;
		more->told_dead = true;
		tbtf_warning("/dev/nbd%d: the connection to %s is lost", leg->index,
			     tbtf_line_peer(the.line, leg));
	}
}

/*
 * What cannot wait until a lender has answered, or not: a leg that is alone from now on
 * must not fail as well. Whoever has waited for seconds comes by here afterwards.
 */
static void attend(void)
{
	struct tbtf_leg *leg;

	find_dead();
	/* The kernel finds out about a connection when it uses it; nobody shall have to wait. */
	for_each_leg(leg)
		if (leg->used && tbtf_leg_lender(&the, leg) && tbtf_leg_lender(&the, leg)->unreachable)
			leg->dead = true;
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		struct tbtf_extent *extent = &the.line->extent[i];
		int state = tbtf_extent_state(extent);

		if ((state == TBTF_EXTENT_READY || state == TBTF_EXTENT_ATTACHED ||
		     state == TBTF_EXTENT_LEAVING) && *extent->mirror)
			tbtf_mend_patience(&the, extent);
	}
}

static void connect_again(struct tbtf_extent *extent, struct tbtf_leg *leg)
{
	struct tbtf_leg_more *more = tbtf_leg_more(&the, leg);
	struct tbtf_lender *lender = tbtf_leg_lender(&the, leg);
	int err;

	/* Without the lender's word there is no name to ask for. */
	if (!lender || lender->stream.fd < 0 || !*leg->export || leg->lost)
		return;
	more->again_ms = tbtf_now_ms() + AGAIN_MS;
	err = tbtf_leg_again(&the, extent, leg);
	if (err == -ENOENT)
		lose(leg);
	/* Not for each of its extents, one after the other: the next waits for a greeting. */
	if (err == -ETIMEDOUT || err == -EHOSTUNREACH || err == -ECONNREFUSED) {
		lender->unreachable = true;
		tbtf_lender_hang_up(lender, "not reached: it, its host, or the way to it is down");
		attend();
	}
	if (err)
		return;
	leg->dead = false;
	more->dead_ms = 0;
	if (more->told_dead)
		tbtf_notice("/dev/nbd%d is connected to %s again", leg->index, lender->peer->name);
	more->told_dead = false;
}

/* -- The loop ------------------------------------------------------------------ */

static void work_on_leg(struct tbtf_extent *extent, struct tbtf_leg *leg, int64_t now)
{
	struct tbtf_leg_more *more = tbtf_leg_more(&the, leg);
	struct tbtf_lender *lender = tbtf_leg_lender(&the, leg);

	if (leg->dead && !more->dead_ms)
		more->dead_ms = now;
	if (leg->dead && leg->index >= 0 && more->again_ms <= now)
		connect_again(extent, leg);
	if (lender && lender->stream.fd >= 0 && more->renew_ms <= now && !leg->lost)
		renew(lender, leg);
}

static void work_on(struct tbtf_extent *extent, int64_t now)
{
	int state = tbtf_extent_state(extent);

	switch (state) {
	case TBTF_EXTENT_NONE:
	case TBTF_EXTENT_BUILDING:
		return;
	case TBTF_EXTENT_DROP:
		drop(extent);
		return;
	case TBTF_EXTENT_WASH:
		wash(extent);
		return;
	default:
		break;
	}
	if (*extent->mirror)
		tbtf_mend(&the, extent);
	for (size_t i = 0; i < TBTF_LEGS; i++)
		if (extent->leg[i].used)
			work_on_leg(extent, &extent->leg[i], now);
	sum(extent);
}

/* Is something on its way to be ready? Then it is too early to say that nothing comes. */
static bool being_prepared(void)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &the.line->extent[i];
		int state = tbtf_extent_state(extent);

		/* From a lender that is away nothing comes. */
		if (state == TBTF_EXTENT_NONE || !all_usable(extent) || !all_there(extent))
			continue;
		if (state == TBTF_EXTENT_WASH || (state == TBTF_EXTENT_READY && extent->dead))
			return true;
	}
	return false;
}

/* All that is to be done now. True: there is more. */
static bool pass(void)
{
	uint32_t asked = the.line->asked;
	int64_t now = tbtf_now_ms();
	bool grew, met = false;

	attend();
	/* Those who wait for their pages first, then what makes room, then what is new. */
	for (size_t i = 0; i < TBTF_EXTENTS; i++)
		work_on(&the.line->extent[i], now);
	for (size_t i = 0; i < the.n; i++)
		if (the.lender[i].stream.fd < 0 && the.lender[i].retry_ms <= now) {
			greet(&the.lender[i]);
			attend();
			met = met || the.lender[i].stream.fd >= 0;
		}
	/* With one more lender, too: it may be all that pages with one copy have waited for. */
	if (met) {
		memset(the.mend_ms, 0, sizeof(the.mend_ms));
		return true;
	}
	tbtf_behalf(&the);
	grew = grow();
	if (!grew) {
		ask_offers();
		grew = grow();
	}
	if (!grew && !being_prepared() && the.line->settled != asked) {
		the.line->settled = asked;
		tbtf_line_kick(the.line->to_main);
	}
	return grew;
}

static bool all_given_back(void)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		int state = tbtf_extent_state(&the.line->extent[i]);

		/* Became ready while the main thread ended: it wants none any more. */
		if (state == TBTF_EXTENT_READY)
			tbtf_extent_set(&the.line->extent[i], TBTF_EXTENT_DROP);
		if (state == TBTF_EXTENT_READY || state == TBTF_EXTENT_DROP || state == TBTF_EXTENT_WASH)
			return false;
	}
	return true;
}

static void wait_for_news(int ms)
{
	struct pollfd wait[TBTF_PEERS_MAX + 2];
	uint64_t count;

	wait[0] = (struct pollfd){ .fd = the.line->to_lenders, .events = POLLIN };
	wait[1] = (struct pollfd){ .fd = tbtf_nbd_fd(the.nbd), .events = POLLIN };
	for (size_t i = 0; i < the.n; i++)
		wait[2 + i] = (struct pollfd){ .fd = the.lender[i].stream.fd, .events = POLLIN };
	if (poll(wait, 2 + the.n, ms) <= 0)
		return;
	if (wait[0].revents && read(the.line->to_lenders, &count, sizeof(count)) < 0)
		return;
	for (size_t i = 0; i < the.n; i++)
		if (wait[2 + i].revents && the.lender[i].stream.fd >= 0)
			tbtf_lender_listen(&the.lender[i]);
}

static void *run(void *arg)
{
	(void)arg;
	/* A steal may be waiting for this thread. */
	(void)tbtf_memory_first();
	while (!the.line->quit || !all_given_back())
		wait_for_news(pass() ? 0 : IDLE_MS);
	return NULL;
}

/**
 * tbtf_lenders_start() - begin to fill the line
 * @line: with what tbtf_line_find() found
 *
 * Context: after the memory is locked: what it allocates stays.
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_lenders_start(struct tbtf_line *line)
{
	pthread_attr_t attr;
	struct tbtf_tls_error error;
	sigset_t all, before;
	int err;

	the.line = line;
	the.n = line->conf->peers;
	the.lender = calloc(the.n, sizeof(*the.lender));
	if (!the.lender)
		return -ENOMEM;
	for (size_t i = 0; i < the.n; i++) {
		the.lender[i].line = line;
		the.lender[i].peer = &line->conf->peer[i];
		the.lender[i].index = i;
		the.lender[i].reply = &the.reply;
		the.lender[i].on_notice = on_notice;
		the.lender[i].stream.fd = -1;
		tbtf_lender_show(&the.lender[i], "%s", "not asked yet");
	}
	if (line->conf->security.encryption == TBTF_ENCRYPTION_TLS) {
		err = tbtf_tls_setup(&the.tls, line->conf, false, &error);
		if (err) {
			tbtf_err("%s", error.text);
			return err;
		}
	}
	for (size_t i = 0; i < the.n; i++)
		the.lender[i].tls = the.tls;
	err = tbtf_nbd_open(&the.nbd);
	if (err) {
		tbtf_err("%s", err == -ENOENT ? "the kernel's module nbd is not loaded: modprobe nbd" :
			 "cannot talk to the kernel's nbd");
		return err;
	}
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&thread, &attr, run, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (err)
		tbtf_err("cannot start a thread: %s", strerror(-err));
	return err;
}

/**
 * tbtf_lenders_stop() - give back what is to be given back, and end
 * @line: whose main thread has given up all that can be
 *
 * Context: waits for the lenders' thread.
 */
void tbtf_lenders_stop(struct tbtf_line *line)
{
	line->stopping = true;
	line->quit = true;
	tbtf_line_kick(line->to_lenders);
	(void)pthread_join(thread, NULL);
	for (size_t i = 0; i < the.n; i++)
		tbtf_stream_close(&the.lender[i].stream);
	tbtf_nbd_close(the.nbd);
	tbtf_tls_free(the.tls);
	free(the.lender);
}
