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
#include <fcntl.h>
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
#include "tls-kernel.h"

/* Before a lender that had nothing is asked again, unless it says something itself. */
#define REFUSED_MS	5000
/* A lender backs what it leases with memory before it answers: some seconds a GiB. */
#define LEASE_MS_PER_GIB 4000
/* Between attempts to connect a device again that lost its connection. */
#define AGAIN_MS	500
/* If nothing happens. */
#define IDLE_MS		1000
/* All of the thread is on a stack that is locked in memory. */
#define STACK		(256 * 1024)

/* What else this thread knows of an extent. */
struct more {
	int64_t renew_ms;
	int64_t again_ms;
	bool told_dead;
};

struct lenders {
	struct tbtf_line *line;
	struct tbtf_nbd *nbd;
	struct tbtf_tls *tls;	/* NULL: encryption = none */
	struct tbtf_lender *lender;
	size_t n;
	struct more more[TBTF_EXTENTS];
	struct tbtf_peer_reply reply;	/* large */
	pthread_t thread;
};

static struct lenders the;

static uint32_t some_random(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = tbtf_now_us();
	return value;
}

static struct tbtf_extent *extent_of(const struct tbtf_lender *lender, uint64_t lease)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		struct tbtf_extent *extent = &the.line->extent[i];

		if (tbtf_extent_state(extent) != TBTF_EXTENT_NONE &&
		    extent->peer == (size_t)(lender - the.lender) && extent->lease == lease)
			return extent;
	}
	return NULL;
}

static void on_notice(struct tbtf_lender *lender, const struct tbtf_peer_reply *reply)
{
	struct tbtf_extent *extent;

	if (reply->kind == TBTF_PEER_NOTICE_OFFER) {
		lender->offer_kb = reply->offer_kb;
		lender->refused_ms = 0;
		tbtf_lender_show(lender, "%s", "");
		return;
	}
	extent = extent_of(lender, reply->lease.lease);
	if (!extent) {
		tbtf_warning("%s wants lease %" PRIu64 " back, which is not known here",
			     lender->peer->name, reply->lease.lease);
		return;
	}
	tbtf_notice("%s wants %" PRIu64 " kB back within %" PRIu64 " s", lender->peer->name,
		    extent->kb, reply->deadline_s);
	extent->revoked = true;
	tbtf_line_kick(the.line->to_main);
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

static void renewed(struct tbtf_extent *extent, uint64_t expires_s)
{
	extent->lease_ms = expires_s * 1000;
	/* At a third of its time: two attempts are left if the first fails. */
	the.more[extent - the.line->extent].renew_ms = tbtf_now_ms() + expires_s * 1000 / 3;
}

static void lose(struct tbtf_extent *extent)
{
	if (extent->lost)
		return;
	extent->lost = true;
	tbtf_line_kick(the.line->to_main);
}

static void renew(struct tbtf_lender *lender, struct tbtf_extent *extent)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_RENEW, .lease = extent->lease };

	if (tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS))
		return;
	if (the.reply.error == TBTF_PEER_UNKNOWN_LEASE)
		lose(extent);
	else if (!the.reply.error)
		renewed(extent, the.reply.lease.expires_s);
	else
		the.more[extent - the.line->extent].renew_ms = tbtf_now_ms() + 1000;
}

/* What the lender has of ours, against what we know. */
static void reconcile(struct tbtf_lender *lender)
{
	static struct tbtf_peer_lease list[TBTF_PEER_LEASES];
	unsigned int n = the.reply.leases;
	bool seen[TBTF_EXTENTS] = { false };

	memcpy(list, the.reply.list, n * sizeof(list[0]));
	for (unsigned int i = 0; i < n && lender->stream.fd >= 0; i++) {
		struct tbtf_extent *extent = extent_of(lender, list[i].lease);

		if (!extent) {
			tbtf_info("%s still has lease %" PRIu64 " of ours, which nobody uses: given back",
				  lender->peer->name, list[i].lease);
			release(lender, list[i].lease);
			continue;
		}
		/* Only after a restart is it not known; the main thread never looks at it. */
		memcpy(extent->export, list[i].export, sizeof(extent->export));
		/* It says how much of its time is left; how long that is a renewal tells. */
		the.more[extent - the.line->extent].renew_ms = 0;
		seen[extent - the.line->extent] = true;
	}
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		struct tbtf_extent *extent = &the.line->extent[i];

		if (tbtf_extent_state(extent) == TBTF_EXTENT_NONE ||
		    extent->peer != (size_t)(lender - the.lender))
			continue;
		if (!seen[i]) {
			lose(extent);
			continue;
		}
		/* A control connection that was lost is seldom alone. */
		extent->dead = true;
		the.more[i].again_ms = 0;
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

/* -- From a lease to a device ------------------------------------------------ */

/* A connection to an export, in the clear or not. */
static int open_export(const struct tbtf_lender *lender, const struct tbtf_extent *extent,
		       struct tbtf_stream *ret, struct tbtf_export *ret_export)
{
	struct tbtf_tls_error error;
	int err;

	*ret = (struct tbtf_stream){ .fd = -1 };
	err = tbtf_dial(&lender->peer->address, lender->nbd_port, TBTF_DIAL_MS);
	if (err < 0)
		return err;
	ret->fd = err;
	err = tbtf_nbd_greet(ret);
	if (!err && the.tls) {
		err = tbtf_nbd_starttls(ret);
		if (!err) {
			err = tbtf_tls_connect(ret, the.tls, the.line->conf, lender->peer, true,
					       TBTF_ANSWER_MS, &error);
			if (err)
				tbtf_warning("%s: %s", lender->peer->name, error.text);
		}
	}
	if (!err)
		err = tbtf_nbd_go(ret, extent->export, ret_export);
	if (!err && ret_export->size < extent->kb * 1024)
		err = -EPROTO;
	if (err)
		tbtf_stream_close(ret);
	return err;
}

/* Its next byte is the kernel's. */
static int let_go(const struct tbtf_lender *lender, struct tbtf_stream *stream)
{
	struct tbtf_tls_error error;
	int err = stream->ssl ? tbtf_tls_let_go(stream, &error) : 0;

	if (err)
		tbtf_warning("%s: %s", lender->peer->name, error.text);
	return err;
}

/* What the first to open a device has to do is done now: see struct tbtf_extent. */
static int open_device(struct tbtf_extent *extent)
{
	char name[TBTF_DEVICE_LEN];

	tbtf_line_device(extent, name);
	extent->fd = open(name, O_RDONLY | O_CLOEXEC);
	return extent->fd < 0 ? -errno : 0;
}

static int build(const struct tbtf_lender *lender, struct tbtf_extent *extent, bool wash)
{
	struct tbtf_nbd_times times = {
		.request_s = the.line->conf->borrow.timeout_s,
		.dead_s = the.line->conf->borrow.dead_timeout_s,
	};
	unsigned char header[TBTF_SWAP_HEADER];
	char backend[TBTF_NAME_LEN + 32];
	struct tbtf_stream stream;
	struct tbtf_export export;
	int err;

	err = tbtf_swap_header(header, extent->kb, TBTF_SWAP_LABEL);
	if (!err)
		err = tbtf_extent_backend(backend, sizeof(backend), lender->peer->name, extent->lease);
	if (err)
		return err;
	err = open_export(lender, extent, &stream, &export);
	if (err)
		return err;
	export.size = extent->kb * 1024;
	if (wash)
		err = tbtf_nbd_trim(&stream, export.size);
	if (!err)
		err = tbtf_nbd_write(&stream, 0, header, sizeof(header));
	if (!err)
		err = let_go(lender, &stream);
	if (!err)
		err = tbtf_nbd_connect(the.nbd, stream.fd, &export, &times, backend, &extent->index);
	tbtf_stream_close(&stream);
	return err ? err : open_device(extent);
}

static void forget(struct tbtf_extent *extent)
{
	extent->index = -1;
	extent->lost = false;
	extent->revoked = false;
	extent->dead = false;
	extent->retry_ms = 0;
	memset(extent->export, 0, sizeof(extent->export));
	tbtf_extent_set(extent, TBTF_EXTENT_NONE);
}

static void disconnect(struct tbtf_extent *extent)
{
	int err;

	if (extent->fd >= 0)
		(void)close(extent->fd);
	extent->fd = -1;
	if (extent->index < 0)
		return;
	err = tbtf_nbd_disconnect(the.nbd, extent->index);
	if (err && tbtf_nbd_connected(extent->index))
		tbtf_warning("cannot disconnect /dev/nbd%d: %s", extent->index, strerror(-err));
	extent->index = -1;
}

static struct tbtf_lender *lender_of(const struct tbtf_extent *extent)
{
	return extent->peer < the.n ? &the.lender[extent->peer] : NULL;
}

static void drop(struct tbtf_extent *extent)
{
	struct tbtf_lender *lender = lender_of(extent);

	disconnect(extent);
	if (lender && !extent->lost)
		release(lender, extent->lease);
	tbtf_info("%" PRIu64 " kB given back to %s", extent->kb, tbtf_line_peer(the.line, extent));
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

		if (extent->revoked || extent->lost ||
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

	extent->dead = false;
	the.more[extent - the.line->extent].told_dead = false;
	tbtf_extent_set(extent, TBTF_EXTENT_READY);
	tbtf_line_kick(the.line->to_main);
	kb = ready_kb(&n, false);
	tbtf_info("%" PRIu64 " kB of %s ready as /dev/nbd%d; credit line: %" PRIu64 " of %" PRIu64 " kB",
		  extent->kb, tbtf_line_peer(the.line, extent), extent->index, kb,
		  the.line->conf->borrow.credit_kb);
}

/* It was swap, or was left ready by a daemon before: from the beginning. */
static void wash(struct tbtf_extent *extent)
{
	struct tbtf_lender *lender = lender_of(extent);
	size_t n;
	int err;

	disconnect(extent);
	if (!lender || extent->lost || extent->revoked || the.line->stopping ||
	    ready_kb(&n, false) >= the.line->conf->borrow.credit_kb || n >= TBTF_EXTENTS_READY) {
		drop(extent);
		return;
	}
	if (lender->stream.fd < 0 || !*extent->export)
		return;			/* later */
	err = build(lender, extent, true);
	if (!err) {
		now_ready(extent);
		return;
	}
	tbtf_warning("%s: cannot use lease %" PRIu64 " again: %s", lender->peer->name, extent->lease,
		     strerror(-err));
	drop(extent);
}

/* -- Growing the line -------------------------------------------------------- */

static int lease(struct tbtf_lender *lender, uint64_t kb)
{
	struct tbtf_peer_request request = {
		.type = TBTF_PEER_LEASE,
		.kb = kb,
		.hops = the.line->conf->borrow.hops,
		.path.n = 1,
	};

	strcpy(request.path.node[0], the.line->conf->node);
	return tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS + kb * LEASE_MS_PER_GIB / 1048576);
}

static void refused(struct tbtf_lender *lender, const char *why)
{
	tbtf_info("%s gives nothing: %s", lender->peer->name, why);
	lender->refused_ms = tbtf_now_ms() + REFUSED_MS;
	tbtf_lender_show(lender, "%s", why);
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

static void take(struct tbtf_lender *lender, struct tbtf_extent *extent)
{
	int err;

	extent->peer = lender - the.lender;
	extent->lease = the.reply.lease.lease;
	extent->kb = the.reply.lease.kb / 4 * 4;
	extent->leased_s = time(NULL);
	extent->attached_s = 0;
	extent->index = extent->fd = -1;
	memcpy(extent->export, the.reply.lease.export, sizeof(extent->export));
	renewed(extent, the.reply.lease.expires_s);
	if (lender->offer_kb >= extent->kb)
		lender->offer_kb -= extent->kb;
	tbtf_extent_set(extent, TBTF_EXTENT_BUILDING);
	err = build(lender, extent, false);
	if (!err) {
		tbtf_lender_show(lender, "%s", "");
		now_ready(extent);
		return;
	}
	tbtf_warning("%s: its lease %" PRIu64 " does not become a device: %s", lender->peer->name,
		     extent->lease, strerror(-err));
	lender->refused_ms = tbtf_now_ms() + REFUSED_MS;
	drop(extent);
}

/* One extent more. False: there is nothing to be had, or to be done. */
static bool grow(void)
{
	struct tbtf_offer offer[TBTF_PEERS_MAX];
	unsigned int slots;
	struct tbtf_extent *slot = free_slot(&slots);
	struct tbtf_lender *lender;
	int64_t now = tbtf_now_ms();
	uint64_t ready, kb;
	size_t n;
	int i;

	if (the.line->stopping || !slot)
		return false;
	ready = ready_kb(&n, true);
	if (n >= TBTF_EXTENTS_READY)
		return false;
	for (size_t j = 0; j < the.n; j++) {
		lender = &the.lender[j];
		offer[j].there = lender->stream.fd >= 0 && lender->refused_ms <= now;
		offer[j].may_swap = lender->may_swap;
		offer[j].offer_kb = lender->offer_kb;
	}
	i = tbtf_extent_lender(offer, the.n, some_random());
	if (i < 0)
		return false;
	lender = &the.lender[i];
	/* Not more of them may be ready than half: what is in use needs slots, too. */
	if (slots > TBTF_EXTENTS_READY - n)
		slots = TBTF_EXTENTS_READY - n;
	kb = tbtf_extent_next(the.line->conf->borrow.credit_kb, the.line->extent_kb, ready,
			      lender->offer_kb, slots);
	if (!kb)
		return false;
	if (lease(lender, kb))
		return true;		/* it is gone: the others may do */
	if (the.reply.error) {
		refused(lender, the.reply.message);
		return true;
	}
	take(lender, slot);
	return true;
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
		if (lender->offer_kb < TBTF_EXTENT_MIN_KB)
			lender->refused_ms = now + REFUSED_MS;
		tbtf_lender_show(lender, "%s", lender->offer_kb < TBTF_EXTENT_MIN_KB ? "has no memory to give" : "");
	}
}

/* -- Lost connections --------------------------------------------------------- */

static void find_dead(void)
{
	int index[TBTF_EXTENTS], n = tbtf_nbd_dead(the.nbd, index, TBTF_EXTENTS);

	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		struct tbtf_extent *extent = &the.line->extent[i];
		int state = tbtf_extent_state(extent);
		bool dead = n < 0;

		for (int j = 0; j < n; j++)
			dead = dead || index[j] == extent->index;
		if (!dead || extent->index < 0 || state == TBTF_EXTENT_NONE ||
		    state == TBTF_EXTENT_BUILDING)
			continue;
		extent->dead = true;
		the.more[i].again_ms = 0;
		if (the.more[i].told_dead)
			continue;
		the.more[i].told_dead = true;
		tbtf_warning("/dev/nbd%d: the connection to %s is lost", extent->index,
			     tbtf_line_peer(the.line, extent));
	}
}

static void connect_again(struct tbtf_extent *extent)
{
	struct more *more = &the.more[extent - the.line->extent];
	const struct tbtf_lender *lender = lender_of(extent);
	char backend[TBTF_NAME_LEN + 32];
	struct tbtf_stream stream;
	struct tbtf_export export;
	int err;

	/* Without the lender's word there is no name to ask for. */
	if (!lender || lender->stream.fd < 0 || !*extent->export || extent->lost)
		return;
	more->again_ms = tbtf_now_ms() + AGAIN_MS;
	err = open_export(lender, extent, &stream, &export);
	if (err == -ENOENT)
		lose(extent);
	if (err)
		return;
	err = tbtf_extent_backend(backend, sizeof(backend), lender->peer->name, extent->lease);
	if (!err)
		err = let_go(lender, &stream);
	if (!err)
		err = tbtf_nbd_again(the.nbd, extent->index, stream.fd, backend);
	tbtf_stream_close(&stream);
	if (err) {
		tbtf_warning("/dev/nbd%d takes no new connection: %s", extent->index, strerror(-err));
		return;
	}
	extent->dead = false;
	if (more->told_dead)
		tbtf_notice("/dev/nbd%d is connected to %s again", extent->index, lender->peer->name);
	more->told_dead = false;
	tbtf_line_kick(the.line->to_main);
}

/* -- The loop ------------------------------------------------------------------ */

static void work_on(struct tbtf_extent *extent, int64_t now)
{
	const struct more *more = &the.more[extent - the.line->extent];
	struct tbtf_lender *lender = lender_of(extent);
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
	if (extent->dead && more->again_ms <= now)
		connect_again(extent);
	if (lender && lender->stream.fd >= 0 && more->renew_ms <= now && !extent->lost)
		renew(lender, extent);
}

/* Is something on its way to be ready? Then it is too early to say that nothing comes. */
static bool being_prepared(void)
{
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &the.line->extent[i];
		const struct tbtf_lender *lender = lender_of(extent);
		int state = tbtf_extent_state(extent);

		/* From a lender that is away nothing comes. */
		if (!lender || lender->stream.fd < 0 || extent->lost || extent->revoked)
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
	bool grew;

	find_dead();
	/* Those who wait for their pages first, then what makes room, then what is new. */
	for (size_t i = 0; i < TBTF_EXTENTS; i++)
		work_on(&the.line->extent[i], now);
	for (size_t i = 0; i < the.n; i++)
		if (the.lender[i].stream.fd < 0 && the.lender[i].retry_ms <= now)
			greet(&the.lender[i]);
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
	err = -pthread_create(&the.thread, &attr, run, NULL);
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
	(void)pthread_join(the.thread, NULL);
	for (size_t i = 0; i < the.n; i++)
		tbtf_stream_close(&the.lender[i].stream);
	tbtf_nbd_close(the.nbd);
	tbtf_tls_free(the.tls);
	free(the.lender);
}
