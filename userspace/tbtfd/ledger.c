// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who has how much of the lender's memory, and who may have more
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The one rule behind all of them: what is promised is there. Of a lease some pages
 * exist already (it is prepaid, but what the borrower trims is the node's again), and
 * the rest, the unbacked part, has to be to be had at any moment. So what is to spare
 * is MemAvailable, without what is unbacked, without the headroom that the node keeps
 * for itself.
 *
 * A lease that the node cannot back itself may be backed by others: behind it there is
 * memory that this node has borrowed, as swap, before it was promised. Such a lease is
 * not prepaid. Its pages begin in this node's memory as any other, and go on to the
 * other node when memory gets short; so as much free swap as there can be pages of
 * such leases counts as if it were available.
 *
 * When the node's own needs grow until half of its headroom is gone, leases are
 * called back, the youngest first, until there is headroom again. Half, so that a
 * small wave does not cost a borrower its memory, and the node does not swap yet.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger.h"

/* Of a node that does not say: an eighth of it, within reason. */
#define HEADROOM_MIN_KB	(32U << 10)
#define HEADROOM_MAX_KB	(4U << 20)
#define PAGE_KB		4U

/**
 * tbtf_ledger_setup() - an empty ledger
 * @ledger: the ledger
 * @conf: the rules; has to stay
 * @memory: how the node is
 * @first: number of the first lease: more than any that was given before
 */
void tbtf_ledger_setup(struct tbtf_ledger *ledger, const struct tbtf_conf *conf,
		       const struct tbtf_memory *memory, uint64_t first)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->conf = conf;
	ledger->next = first;
	ledger->headroom_kb = conf->lend.headroom_kb;
	if (ledger->headroom_kb)
		return;
	ledger->headroom_kb = memory->total_kb / 8;
	if (ledger->headroom_kb < HEADROOM_MIN_KB)
		ledger->headroom_kb = HEADROOM_MIN_KB;
	if (ledger->headroom_kb > HEADROOM_MAX_KB)
		ledger->headroom_kb = HEADROOM_MAX_KB;
}

/**
 * tbtf_ledger_promised() - how much all leases have
 * @ledger: the ledger
 *
 * Return: KiB.
 */
uint64_t tbtf_ledger_promised(const struct tbtf_ledger *ledger)
{
	uint64_t kb = 0;

	for (unsigned int i = 0; i < ledger->leases; i++)
		kb += ledger->lease[i].kb;
	return kb;
}

static uint64_t promised_to(const struct tbtf_ledger *ledger, size_t borrower)
{
	uint64_t kb = 0;

	for (unsigned int i = 0; i < ledger->leases; i++) {
		if (ledger->lease[i].borrower == borrower)
			kb += ledger->lease[i].kb;
	}
	return kb;
}

/**
 * tbtf_ledger_unbacked() - how much is promised and not there yet
 * @ledger: the ledger
 *
 * Return: KiB.
 */
uint64_t tbtf_ledger_unbacked(const struct tbtf_ledger *ledger)
{
	uint64_t kb = 0;

	for (unsigned int i = 0; i < ledger->leases; i++) {
		if (ledger->lease[i].kb > ledger->lease[i].held_kb && !ledger->lease[i].coming)
			kb += ledger->lease[i].kb - ledger->lease[i].held_kb;
	}
	return kb;
}

/**
 * tbtf_ledger_behind() - how much is promised that others back
 * @ledger: the ledger
 *
 * Return: KiB.
 */
uint64_t tbtf_ledger_behind(const struct tbtf_ledger *ledger)
{
	uint64_t kb = 0;

	for (unsigned int i = 0; i < ledger->leases; i++)
		kb += ledger->lease[i].behind && !ledger->lease[i].coming ? ledger->lease[i].kb : 0;
	return kb;
}

/* Free swap, as far as it was borrowed for leases. */
static uint64_t swap_for_leases(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory)
{
	uint64_t behind = tbtf_ledger_behind(ledger);

	return memory->swap_free_kb < behind ? memory->swap_free_kb : behind;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t quota(const struct tbtf_ledger *ledger)
{
	return ledger->conf->lend.per_borrower_kb ?: ledger->conf->lend.memory_kb;
}

/* Is there a reason to lend nothing at all? */
static bool trouble(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory, char *why)
{
	const char *what = NULL;

	if (ledger->stopping)
		what = "it is being stopped";
	else if (ledger->leases == TBTF_LEASES_MAX)
		what = "it has as many leases as there can be";
	for (unsigned int i = 0; i < ledger->leases && !what; i++) {
		if (ledger->lease[i].deadline)
			what = "it is calling back what it has lent";
	}
	if (what)
		snprintf(why, TBTF_PEER_MESSAGE, "%s", what);
	else if (memory->pressure >= TBTF_PRESSURE_MAX)
		snprintf(why, TBTF_PEER_MESSAGE, "its own tasks wait for memory, %u.%02u %% of the time",
			 memory->pressure / 100, memory->pressure % 100);
	return what || memory->pressure >= TBTF_PRESSURE_MAX;
}

/**
 * tbtf_ledger_offer() - how much there is to lend of the node's own
 * @ledger: the ledger
 * @memory: how the node is
 * @why: what it is that there is no more
 *
 * Return: KiB, whole pages.
 */
uint64_t tbtf_ledger_offer(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory,
			   char why[TBTF_PEER_MESSAGE])
{
	uint64_t unbacked = tbtf_ledger_unbacked(ledger);
	uint64_t have = memory->available_kb + swap_for_leases(ledger, memory);
	uint64_t spare = less(have, unbacked + ledger->headroom_kb);
	uint64_t rest = less(ledger->conf->lend.memory_kb, tbtf_ledger_promised(ledger));

	if (trouble(ledger, memory, why))
		return 0;
	/* Swap is for what was borrowed for; what is prepaid has to be memory. */
	if (spare > less(memory->available_kb, ledger->headroom_kb))
		spare = less(memory->available_kb, ledger->headroom_kb);
	if (rest <= spare) {
		snprintf(why, TBTF_PEER_MESSAGE, "memory_kb = %" PRIu64 " allows no more",
			 ledger->conf->lend.memory_kb);
		return rest / PAGE_KB * PAGE_KB;
	}
	snprintf(why, TBTF_PEER_MESSAGE,
		 "%" PRIu64 " KiB are available, of which %" PRIu64 " are promised and headroom_kb = %" PRIu64 " stays",
		 have, unbacked, ledger->headroom_kb);
	return spare / PAGE_KB * PAGE_KB;
}

/* What could be lent of what others have. */
static uint64_t offer_behind(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory)
{
	uint64_t rest = less(ledger->conf->lend.memory_kb, tbtf_ledger_promised(ledger));
	char why[TBTF_PEER_MESSAGE];

	/* What would be called back at once is no offer. */
	if (trouble(ledger, memory, why) ||
	    memory->available_kb + swap_for_leases(ledger, memory) <
	    tbtf_ledger_unbacked(ledger) + ledger->headroom_kb / 2)
		return 0;
	return (memory->behind_kb < rest ? memory->behind_kb : rest) / PAGE_KB * PAGE_KB;
}

/**
 * tbtf_ledger_offer_to() - how much there is to lend to somebody
 * @ledger: the ledger
 * @memory: how the node is
 * @borrower: index in [peers]
 * @ret_may_swap: pages may leave this node's memory
 * @ret_far: how many nodes are behind this one for it
 *
 * What the node has itself, first of all; when that is less than a borrower would
 * take, what it could borrow for it.
 *
 * Return: KiB, whole pages.
 */
uint64_t tbtf_ledger_offer_to(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory,
			      size_t borrower, bool *ret_may_swap, uint64_t *ret_far)
{
	uint64_t rest = less(quota(ledger), promised_to(ledger, borrower)) / PAGE_KB * PAGE_KB;
	char why[TBTF_PEER_MESSAGE];
	uint64_t own = tbtf_ledger_offer(ledger, memory, why), behind = offer_behind(ledger, memory);
	bool from_behind = own < TBTF_LEDGER_WORTH_KB && behind > own;
	uint64_t offer = from_behind ? behind : own;

	/* What is lent is not locked: with any swap here it may go there. */
	*ret_may_swap = from_behind || memory->swap_kb > 0;
	*ret_far = from_behind ? memory->far : 0;
	return offer < rest ? offer : rest;
}

/* Why not, in words. */
__attribute__((format(printf, 3, 4)))
static enum tbtf_peer_error no(enum tbtf_peer_error error, char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, TBTF_PEER_MESSAGE, format, args);
	va_end(args);
	return error;
}

/**
 * tbtf_ledger_judge() - may somebody have a lease?
 * @ledger: the ledger
 * @memory: how the node is
 * @borrower: who asks: index in [peers]
 * @request: TBTF_PEER_LEASE
 * @ret_behind: right, if this node borrows as much first
 * @why: why not, for people
 *
 * Return: TBTF_PEER_OK, or why not.
 */
enum tbtf_peer_error tbtf_ledger_judge(const struct tbtf_ledger *ledger,
				       const struct tbtf_memory *memory, size_t borrower,
				       const struct tbtf_peer_request *request, bool *ret_behind,
				       char why[TBTF_PEER_MESSAGE])
{
	const struct tbtf_peer_path *path = &request->path;
	const char *name = ledger->conf->peer[borrower].name;
	uint64_t has = promised_to(ledger, borrower), offer;
	char reason[TBTF_PEER_MESSAGE];
	unsigned int leases = 0;

	if (!request->kb || request->kb % PAGE_KB)
		return no(TBTF_PEER_BAD_REQUEST, why, "\"kb\" is %" PRIu64 ": not a multiple of %u, or nothing",
			  request->kb, PAGE_KB);
	if (!path->n || strcmp(path->node[path->n - 1], name))
		return no(TBTF_PEER_BAD_REQUEST, why, "\"path\" does not end with %s, who asks", name);
	if (tbtf_peer_ring(path, ledger->conf->node, why))
		return TBTF_PEER_CYCLE;
	if (path->n > request->hops)
		return no(TBTF_PEER_HOPS, why, "it came by %u nodes, and \"hops\" is %" PRIu64, path->n,
			  request->hops);
	for (unsigned int i = 0; i < ledger->leases; i++)
		leases += ledger->lease[i].borrower == borrower;
	if (leases >= TBTF_PEER_LEASES)
		return no(TBTF_PEER_QUOTA, why, "%s has %u leases, and that is all one can have", name, leases);
	if (request->kb > less(quota(ledger), has))
		return no(TBTF_PEER_QUOTA, why, "%s may have %" PRIu64 " KiB in all, and has %" PRIu64, name,
			  quota(ledger), has);
	offer = tbtf_ledger_offer(ledger, memory, reason);
	*ret_behind = request->kb > offer;
	if (*ret_behind && request->kb > offer_behind(ledger, memory))
		return no(TBTF_PEER_NO_MEMORY, why, "%s can lend %" PRIu64 " KiB: %s", ledger->conf->node,
			  offer, reason);
	return TBTF_PEER_OK;
}

/**
 * tbtf_ledger_add() - write down a lease that was judged to be right
 * @ledger: the ledger
 * @borrower: whose
 * @request: what was asked
 * @now: the time
 *
 * Return: the lease, without @export, @since and @store, until another one is removed.
 */
struct tbtf_lease *tbtf_ledger_add(struct tbtf_ledger *ledger, size_t borrower,
				   const struct tbtf_peer_request *request, uint64_t now)
{
	struct tbtf_lease *lease = &ledger->lease[ledger->leases++];

	memset(lease, 0, sizeof(*lease));
	lease->number = ledger->next++;
	lease->borrower = borrower;
	lease->kb = request->kb;
	lease->path = request->path;
	lease->expires = now + ledger->conf->lend.lease_s;
	return lease;
}

/**
 * tbtf_ledger_resume() - write down a lease that is older than this ledger
 * @ledger: the ledger
 * @number: of the lease
 * @now: the time
 *
 * Its borrower has as much time to come back as if it were new.
 *
 * Return: the lease, of which only its number and its time are known, at its place by
 * age; NULL: there are as many as there can be, or this one twice.
 */
struct tbtf_lease *tbtf_ledger_resume(struct tbtf_ledger *ledger, uint64_t number, uint64_t now)
{
	struct tbtf_lease *lease = ledger->lease, *end = lease + ledger->leases;

	while (lease < end && lease->number < number)
		lease++;
	if (ledger->leases == TBTF_LEASES_MAX || (lease < end && lease->number == number))
		return NULL;
	memmove(lease + 1, lease, (end - lease) * sizeof(*lease));
	memset(lease, 0, sizeof(*lease));
	ledger->leases++;
	lease->number = number;
	lease->expires = now + ledger->conf->lend.lease_s;
	if (ledger->next <= number)
		ledger->next = number + 1;
	return lease;
}

/**
 * tbtf_ledger_find() - look a lease up
 * @ledger: the ledger
 * @borrower: whose it has to be
 * @number: of the lease
 *
 * Return: the lease, or NULL; it is where it is until one is removed.
 */
struct tbtf_lease *tbtf_ledger_find(struct tbtf_ledger *ledger, size_t borrower, uint64_t number)
{
	for (unsigned int i = 0; i < ledger->leases; i++) {
		if (ledger->lease[i].number == number && ledger->lease[i].borrower == borrower)
			return &ledger->lease[i];
	}
	return NULL;
}

/**
 * tbtf_ledger_remove() - a lease has ended
 * @ledger: the ledger
 * @lease: one of its own; those behind it move up
 */
void tbtf_ledger_remove(struct tbtf_ledger *ledger, struct tbtf_lease *lease)
{
	struct tbtf_lease *end = &ledger->lease[ledger->leases--];

	memmove(lease, lease + 1, (end - lease - 1) * sizeof(*lease));
}

/**
 * tbtf_ledger_renew() - a lease shall go on
 * @ledger: the ledger
 * @lease: one of its own, also one that was called back: its pages stay
 * @now: the time
 *
 * Return: for how long, in seconds.
 */
uint64_t tbtf_ledger_renew(const struct tbtf_ledger *ledger, struct tbtf_lease *lease, uint64_t now)
{
	lease->expires = now + ledger->conf->lend.lease_s;
	return ledger->conf->lend.lease_s;
}

/**
 * tbtf_ledger_call_back() - does the node need a lease's memory for itself?
 * @ledger: the ledger; @held_kb of its leases is of now
 * @memory: how the node is
 * @now: the time
 *
 * To be called until it returns NULL: what has been called back already counts as if
 * it were back.
 *
 * Return: a lease that is called back now, or NULL.
 */
struct tbtf_lease *tbtf_ledger_call_back(struct tbtf_ledger *ledger,
					 const struct tbtf_memory *memory, uint64_t now)
{
	uint64_t have = memory->available_kb + swap_for_leases(ledger, memory);
	uint64_t unbacked = tbtf_ledger_unbacked(ledger);
	struct tbtf_lease *youngest = NULL;
	bool begun = false;

	for (unsigned int i = 0; i < ledger->leases; i++) {
		if (ledger->lease[i].deadline) {
			have += ledger->lease[i].kb;
			begun = true;
		} else {
			youngest = &ledger->lease[i];
		}
	}
	/* Once begun, until all of the headroom is there again. */
	if (!youngest || have >= unbacked + (begun ? ledger->headroom_kb : ledger->headroom_kb / 2))
		if (!youngest || !ledger->stopping)
			return NULL;
	youngest->deadline = now + TBTF_REVOKE_S;
	return youngest;
}
