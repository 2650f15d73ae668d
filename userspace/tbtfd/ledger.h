/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - who has how much of the lender's memory, and who may have more
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Decisions without side effects: what comes in is numbers, a request and the time,
 * what goes out is a verdict. Amounts are KiB, times seconds of CLOCK_MONOTONIC.
 */
#ifndef _TBTFD_LEDGER_H
#define _TBTFD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"

/* In all: a lender of many small extents; each has a memfd and a mapping. */
#define TBTF_LEASES_MAX		512
/* A borrower's time to move its pages: 2 GiB at a slow disk's speed. */
#define TBTF_REVOKE_S		60
/* Of less nobody makes a device: TBTF_EXTENT_MIN_KB of the borrower. */
#define TBTF_LEDGER_WORTH_KB	16384
/* In hundredths of per cent of the time that some task waits for memory. */
#define TBTF_PRESSURE_MAX	1000

struct tbtf_store;

/* struct tbtf_memory - how the lender's node is */
struct tbtf_memory {
	uint64_t total_kb;
	uint64_t available_kb;	/* MemAvailable: what could be had without swapping */
	uint64_t swap_kb;	/* SwapTotal */
	uint64_t swap_free_kb;	/* SwapFree */
	uint64_t behind_kb;	/* what other nodes would lend to this one, for a lease */
	uint64_t far;		/* over how many nodes that is */
	unsigned int pressure;	/* of 10 s, in hundredths of per cent; 0 also: not known */
};

/**
 * struct tbtf_lease - an amount of memory that is promised
 * @number: never used again
 * @export: the secret
 * @borrower: index in [peers]
 * @kb: how much is promised
 * @held_kb: how much of it there is, resident or swapped, when last looked at
 * @expires: when it ends, if it is neither renewed nor in use
 * @deadline: when it was to be back; 0: it was not called back
 * @late: that was, and it was said
 * @behind: it is backed by memory that this node has borrowed for it, not by its own
 * @coming: and that is not there yet: nothing is promised
 * @path: how the request came
 * @since: when it was given, CLOCK_REALTIME
 * @store: the memory; nothing to the ledger
 */
struct tbtf_lease {
	uint64_t number;
	char export[TBTF_PEER_EXPORT + 1];
	size_t borrower;
	uint64_t kb;
	uint64_t held_kb;
	uint64_t expires;
	uint64_t deadline;
	bool late;
	bool behind;
	bool coming;
	struct tbtf_peer_path path;
	uint64_t since;
	struct tbtf_store *store;
};

/**
 * struct tbtf_ledger - all leases, and the rules
 * @conf: memory_kb, headroom_kb, per_borrower_kb, lease_s, names
 * @headroom_kb: of the configuration, or by the size of the node
 * @stopping: nothing is given any more
 * @next: number of the next lease
 * @leases: how many of @lease count, oldest first
 * @lease: they
 */
struct tbtf_ledger {
	const struct tbtf_conf *conf;
	uint64_t headroom_kb;
	bool stopping;
	uint64_t next;
	unsigned int leases;
	struct tbtf_lease lease[TBTF_LEASES_MAX];
};

void tbtf_ledger_setup(struct tbtf_ledger *ledger, const struct tbtf_conf *conf,
		       const struct tbtf_memory *memory, uint64_t first);
uint64_t tbtf_ledger_promised(const struct tbtf_ledger *ledger);
uint64_t tbtf_ledger_unbacked(const struct tbtf_ledger *ledger);
uint64_t tbtf_ledger_offer(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory,
			   char why[TBTF_PEER_MESSAGE]);
uint64_t tbtf_ledger_offer_to(const struct tbtf_ledger *ledger, const struct tbtf_memory *memory,
			      size_t borrower, bool *ret_may_swap, uint64_t *ret_far);
uint64_t tbtf_ledger_behind(const struct tbtf_ledger *ledger);
enum tbtf_peer_error tbtf_ledger_judge(const struct tbtf_ledger *ledger,
				       const struct tbtf_memory *memory, size_t borrower,
				       const struct tbtf_peer_request *request, bool *ret_behind,
				       char why[TBTF_PEER_MESSAGE]);
struct tbtf_lease *tbtf_ledger_add(struct tbtf_ledger *ledger, size_t borrower,
				   const struct tbtf_peer_request *request, uint64_t now);
struct tbtf_lease *tbtf_ledger_resume(struct tbtf_ledger *ledger, uint64_t number, uint64_t now);
struct tbtf_lease *tbtf_ledger_find(struct tbtf_ledger *ledger, size_t borrower, uint64_t number);
void tbtf_ledger_remove(struct tbtf_ledger *ledger, struct tbtf_lease *lease);
uint64_t tbtf_ledger_renew(const struct tbtf_ledger *ledger, struct tbtf_lease *lease, uint64_t now);
struct tbtf_lease *tbtf_ledger_call_back(struct tbtf_ledger *ledger,
					 const struct tbtf_memory *memory, uint64_t now);

#endif /* _TBTFD_LEDGER_H */
