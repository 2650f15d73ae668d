/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the credit line: extents, who owns each at what time, and what to do next
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Two threads share the line without a lock: a steal must not wait for whoever
 * talks to a lender. The state of an extent says who owns the rest of it:
 *
 *	main:		READY ATTACHED LEAVING	borrow.c: swapon, swapoff
 *	lenders:	NONE BUILDING WASH DROP	lenders.c: leases, connections, headers
 *
 * and only the owner writes it, with the state last; the legs are the lenders' thread's
 * in all states. From one to the next:
 *
 *	NONE > BUILDING > READY > ATTACHED > LEAVING > WASH > READY or NONE
 *	       BUILDING > NONE    READY > DROP > NONE  LEAVING > ATTACHED
 *
 * The fields marked "any" are set by lenders.c whoever owns the extent.
 */
#ifndef _TBTFD_EXTENT_H
#define _TBTFD_EXTENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"

/*
 * A kernel has 23 to 28 swap devices, by its configuration; other swap wants some. And
 * as each has a map and a connection of its own, more would only cost.
 */
#define TBTF_EXTENTS		16
/* Of those: so many hold a whole credit line, and the others what is in use. */
#define TBTF_EXTENTS_READY	8
/* What an extent may be at least: a header, and some sense. */
#define TBTF_EXTENT_MIN_KB	16384
/* Copies of a page, at most. */
#define TBTF_LEGS		2
/* The file of a device; longer ones are none of ours. */
#define TBTF_DEVICE_LEN		32
/* What every supported kernel has for swap devices at least. */
#define TBTF_SWAP_TYPES		23
/* How long a lease lasts, as long as the lender has not said it: its default. */
#define TBTF_LEASE_MS		600000

enum tbtf_extent_state {
	TBTF_EXTENT_NONE,	/* a free slot */
	TBTF_EXTENT_BUILDING,	/* leased, and becoming a device */
	TBTF_EXTENT_READY,	/* one swapon(2) away */
	TBTF_EXTENT_ATTACHED,	/* swap */
	TBTF_EXTENT_LEAVING,	/* a child is at swapoff(2) */
	TBTF_EXTENT_WASH,	/* was swap: to be emptied at the lender, then READY */
	TBTF_EXTENT_DROP,	/* to be given back to the lender */
};

/**
 * struct tbtf_leg - a lender's part of an extent: a lease, a connection, an nbd device
 * @used: there is one
 * @stale: it does not hold all that it should; its lender is of no help
 * @peer: whose it is: index in conf->peer
 * @lease: its number at the lender
 * @export: its secret name there
 * @index: N of /dev/nbdN, or -1
 * @lease_ms: how long the lender keeps the pages when it does not hear of us
 * @revoked: the lender wants it back
 * @dead: no connection at the moment
 * @lost: its pages are gone
 *
 * Written by lenders.c whoever owns the extent; what is atomic may be read by all.
 */
struct tbtf_leg {
	_Atomic bool used;
	_Atomic bool stale;
	_Atomic size_t peer;
	uint64_t lease;
	char export[TBTF_PEER_EXPORT + 1];
	_Atomic int index;
	_Atomic int64_t lease_ms;
	_Atomic bool revoked;
	_Atomic bool dead;
	_Atomic bool lost;
};

/**
 * struct tbtf_extent - a slot of the line
 * @state: enum tbtf_extent_state; release by the owner, acquire by the other
 * @legs: how many of @leg there shall be: copies
 * @leg: one a copy
 * @kb: size
 * @id: a random number, in the names of @mirror and @crypt
 * @mirror: the file of the device that joins two legs, or ""
 * @crypt: the file of the device that encrypts, or ""
 * @device: the topmost of these, or /dev/nbdN: what becomes swap
 * @fd: of the device while it is READY, or -1: the first open(2) reads partitions, and
 *	a steal has no memory for that
 * @leased_s: since when; CLOCK_REALTIME
 * @attached_s: since when it is swap; CLOCK_REALTIME
 * @path: by which the request for it came: this node alone, or, if it is for a lender of
 *	this node, whoever asked that, and this node last (back.c)
 * @barred: main: not to be attached, it would close a ring
 * @retry_ms: LEAVING failed: not again before; CLOCK_MONOTONIC
 * @failed_kb: what it held when the last swapoff failed; 0: none has
 * @lease_ms: any: of the leg that lasts longest
 * @revoked: any: a lender wants a leg back, or @broken
 * @broken: any: the mirror takes no more writes, for all its legs have failed at once
 * @dead: any: no leg that holds the pages can be reached at the moment
 * @lost: any: no leg holds the pages any more
 * @copies: any: how many legs hold the pages
 * @percent: any: of what is missing in a leg that has been copied, or -1
 */
struct tbtf_extent {
	_Atomic int state;
	unsigned int legs;
	struct tbtf_leg leg[TBTF_LEGS];
	uint64_t kb;
	uint32_t id;
	char mirror[TBTF_DEVICE_LEN];
	char crypt[TBTF_DEVICE_LEN];
	char device[TBTF_DEVICE_LEN];
	int fd;
	int64_t leased_s;
	int64_t attached_s;
	struct tbtf_peer_path path;
	bool barred;
	int64_t retry_ms;
	uint64_t failed_kb;
	_Atomic int64_t lease_ms;
	_Atomic bool revoked;
	_Atomic bool dead;
	_Atomic bool lost;
	_Atomic bool broken;
	_Atomic unsigned int copies;
	_Atomic int percent;
};

static inline int tbtf_extent_state(const struct tbtf_extent *extent)
{
	return atomic_load_explicit(&extent->state, memory_order_acquire);
}

static inline void tbtf_extent_set(struct tbtf_extent *extent, enum tbtf_extent_state state)
{
	atomic_store_explicit(&extent->state, state, memory_order_release);
}

/*
 * What has to stay available when pages come back. What is given back for no other
 * reason than that there is room must not be the reason for the next steal; when the
 * daemon stops, or a lender waits, it is enough that the machine can go on: a swapoff
 * for which there is no room after all is ended by the kernel, and costs nothing.
 */
#define TBTF_SPARE_MUCH		16
#define TBTF_SPARE_LITTLE	64

/* struct tbtf_offer - what a lender has, for the choice among them */
struct tbtf_offer {
	bool there;		/* connected, and has not just refused */
	bool may_swap;
	uint64_t offer_kb;
};

/* struct tbtf_use - what an attached extent holds, for giving back */
struct tbtf_use {
	bool attached;
	uint64_t used_kb;
	int64_t attached_s;
};

/* struct tbtf_room - the machine's memory, for giving back */
struct tbtf_room {
	uint64_t total_kb;
	uint64_t available_kb;
	uint64_t min_free_kb;
};

bool tbtf_extent_sum(struct tbtf_extent *extent, bool broken);
const char *tbtf_extent_word(enum tbtf_extent_state state);
uint64_t tbtf_extent_size(uint64_t credit_kb, uint64_t extent_kb);
uint64_t tbtf_extent_next(uint64_t credit_kb, uint64_t extent_kb, uint64_t ready_kb,
			  uint64_t offer_kb, unsigned int slots);
int tbtf_extent_lender(const struct tbtf_offer *offer, size_t n, uint32_t random);
int tbtf_extent_pick(const struct tbtf_extent *extent, size_t n);
bool tbtf_extent_worth(const struct tbtf_extent *extent, uint64_t used_kb);
bool tbtf_extent_crowded(const struct tbtf_extent *extent, size_t n, int but, uint64_t size_kb);
int tbtf_extent_emptiest(const struct tbtf_use *use, size_t n);
bool tbtf_extent_fits(uint64_t used_kb, const struct tbtf_room *room, unsigned int share);
uint64_t tbtf_extent_min_free(uint64_t total_kb, uint64_t said_kb);
uint64_t tbtf_extent_ballast(uint64_t total_kb, uint64_t min_free_kb, unsigned int cpus,
			     uint64_t said_kb);
int tbtf_extent_backend(char *ret, size_t size, const char *peer, uint64_t lease);
int tbtf_extent_backend_parse(const char *text, char ret_peer[TBTF_NAME_LEN], uint64_t *ret_lease);

#endif /* _TBTFD_EXTENT_H */
