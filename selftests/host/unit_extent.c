// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - unit tests of the credit line's arithmetic, swap's header and list (host)
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "unit.h"
#include "../../userspace/tbtfd/extent.h"
#include "../../userspace/tbtfd/swap.h"

#define MIB	1024ULL
#define GIB	(1024 * MIB)

static void test_size(void)
{
	bool fits = true, whole = true;

	is("size: what is said", tbtf_extent_size(GIB, 256 * MIB), 256 * MIB);
	is("size: nothing said: an eighth", tbtf_extent_size(GIB, 0), 128 * MIB);
	is("size: too small for the line is made larger", tbtf_extent_size(GIB, 16 * MIB), 128 * MIB);
	is("size: never below the least", tbtf_extent_size(16 * MIB, 0), TBTF_EXTENT_MIN_KB);
	for (uint64_t credit = 16 * MIB; credit < 64 * GIB; credit += credit / 7 + 1) {
		uint64_t kb = tbtf_extent_size(credit, 0);

		fits = fits && kb * TBTF_EXTENTS_READY >= credit;
		whole = whole && !(kb % MIB);
	}
	result(fits, "size: the line fits into %d extents, whatever it is", TBTF_EXTENTS_READY);
	result(whole, "size: whole MiB");
}

static void test_next(void)
{
	is("next: a whole extent", tbtf_extent_next(GIB, 128 * MIB, 0, 4 * GIB, 8), 128 * MIB);
	is("next: the line is whole", tbtf_extent_next(GIB, 128 * MIB, GIB, 4 * GIB, 8), 0);
	is("next: more than whole", tbtf_extent_next(GIB, 128 * MIB, 2 * GIB, 4 * GIB, 8), 0);
	is("next: the rest", tbtf_extent_next(GIB, 128 * MIB, GIB - 40 * MIB, 4 * GIB, 8), 40 * MIB);
	is("next: the rest in whole MiB", tbtf_extent_next(GIB, 128 * MIB, GIB - 40 * MIB + 1, 4 * GIB, 8),
	   40 * MIB);
	is("next: a rest too small is made larger", tbtf_extent_next(GIB, 128 * MIB, GIB - 4, 4 * GIB, 8),
	   TBTF_EXTENT_MIN_KB);
	is("next: what the lender has", tbtf_extent_next(GIB, 128 * MIB, 0, 50 * MIB + 5, 8), 50 * MIB);
	is("next: into two slots", tbtf_extent_next(GIB, 128 * MIB, 0, 4 * GIB, 2), 512 * MIB);
	is("next: into the last", tbtf_extent_next(GIB, 128 * MIB, 100 * MIB, 4 * GIB, 1), 924 * MIB);
	is("next: into the last, of what there is", tbtf_extent_next(GIB, 128 * MIB, 0, 64 * MIB, 1), 64 * MIB);
	is("next: no slot", tbtf_extent_next(GIB, 128 * MIB, 0, 4 * GIB, 0), 0);
	is("next: a lender that has too little", tbtf_extent_next(GIB, 128 * MIB, 0, TBTF_EXTENT_MIN_KB - 1, 8), 0);
	is("next: too little, for a small rest too",
	   tbtf_extent_next(GIB, 128 * MIB, GIB - 4, TBTF_EXTENT_MIN_KB - 1, 8), 0);
}

static void test_lender(void)
{
	struct tbtf_offer offer[4] = {
		{ true, false, 1 * GIB }, { true, false, 4 * GIB }, { true, false, 2 * GIB }, { true, true, 9 * GIB },
	};
	unsigned int got[4] = { 0 };

	for (uint32_t random = 0; random < 60000; random++) {
		int i = tbtf_extent_lender(offer, 4, random * 2654435761u);

		if (i >= 0)
			got[i]++;
	}
	/* Of the three pairs the best is in two and wins both, the second wins one. */
	result(got[1] > 38000 && got[1] < 42000, "lender: the largest offer wins both of its pairs (%u)", got[1]);
	result(got[2] > 18000 && got[2] < 22000, "lender: the second wins one (%u)", got[2]);
	is("lender: the smallest none", got[0], 0);
	is("lender: who may swap is not asked", got[3], 0);
	offer[0].there = offer[1].there = offer[2].there = false;
	is("lender: unless there is no other", tbtf_extent_lender(offer, 4, 12345), 3);
	offer[2].there = true;
	offer[2].offer_kb = TBTF_EXTENT_MIN_KB - 1;
	is("lender: and too little is as nothing", tbtf_extent_lender(offer, 4, 12345), 3);
	offer[3].there = false;
	is("lender: nobody", tbtf_extent_lender(offer, 4, 12345), -1);
	is("lender: none at all", tbtf_extent_lender(offer, 0, 1), -1);
	offer[3] = (struct tbtf_offer){ true, false, GIB };
	is("lender: the only one", tbtf_extent_lender(offer, 4, UINT32_MAX), 3);
}

static void extent(struct tbtf_extent *e, enum tbtf_extent_state state, size_t peer, int64_t leased)
{
	memset(e, 0, sizeof(*e));
	e->legs = 1;
	e->leg[0].used = true;
	e->leg[0].peer = peer;
	e->leased_s = leased;
	tbtf_extent_set(e, state);
}

/* The second leg of an extent that shall have two. */
static void second(struct tbtf_extent *e, size_t peer)
{
	e->legs = 2;
	e->leg[1].used = true;
	e->leg[1].peer = peer;
}

static void test_pick(void)
{
	struct tbtf_extent e[5];

	extent(&e[0], TBTF_EXTENT_ATTACHED, 0, 1);
	extent(&e[1], TBTF_EXTENT_READY, 0, 2);
	extent(&e[2], TBTF_EXTENT_READY, 1, 4);
	extent(&e[3], TBTF_EXTENT_READY, 1, 3);
	extent(&e[4], TBTF_EXTENT_NONE, 1, 0);
	is("pick: of the lender with fewest attached, the oldest", tbtf_extent_pick(e, 5), 3);
	tbtf_extent_set(&e[3], TBTF_EXTENT_LEAVING);
	is("pick: one that leaves counts as attached", tbtf_extent_pick(e, 5), 1);
	e[1].dead = true;
	is("pick: none without a connection", tbtf_extent_pick(e, 5), 2);
	e[2].revoked = true;
	is("pick: none that is wanted back", tbtf_extent_pick(e, 5), -1);
	e[2].revoked = false;
	e[2].lost = true;
	is("pick: none that is lost", tbtf_extent_pick(e, 5), -1);

	extent(&e[0], TBTF_EXTENT_ATTACHED, 0, 1);
	second(&e[0], 1);
	extent(&e[1], TBTF_EXTENT_READY, 2, 2);
	second(&e[1], 1);
	extent(&e[2], TBTF_EXTENT_READY, 3, 3);
	second(&e[2], 2);
	extent(&e[3], TBTF_EXTENT_READY, 3, 1);
	second(&e[3], 2);
	e[3].leg[1].dead = true;
	is("pick: no lender in common with what is attached", tbtf_extent_pick(e, 4), 2);
	e[1].leg[0].stale = true;
	tbtf_extent_set(&e[2], TBTF_EXTENT_NONE);
	is("pick: half a mirror, if there is no other: with fewer attached", tbtf_extent_pick(e, 4), 3);
	e[1].leg[0].stale = false;
	is("pick: a whole one first", tbtf_extent_pick(e, 4), 1);
}

static void test_sum(void)
{
	struct tbtf_extent e;

	extent(&e, TBTF_EXTENT_ATTACHED, 0, 1);
	e.leg[0].lease_ms = 10;
	result(tbtf_extent_sum(&e, false) && e.copies == 1 && e.lease_ms == 10, "sum: one copy");
	result(!tbtf_extent_sum(&e, false), "sum: nothing new");
	e.leg[0].dead = true;
	result(tbtf_extent_sum(&e, false) && e.dead && !e.lost, "sum: its lender is away");
	second(&e, 1);
	e.leg[1].lease_ms = 20;
	result(tbtf_extent_sum(&e, false) && !e.dead && e.copies == 2 && e.lease_ms == 20,
	       "sum: but another one is there");
	e.leg[1].stale = true;
	result(tbtf_extent_sum(&e, false) && e.dead && e.copies == 1 && e.lease_ms == 10,
	       "sum: who has missed something is of no help");
	e.leg[1].stale = false;
	e.leg[1].dead = e.leg[0].lost = true;
	(void)tbtf_extent_sum(&e, false);
	result(e.dead && !e.lost && e.copies == 1 && e.lease_ms == 20, "sum: one lost, one away");
	e.leg[1].lost = true;
	result(tbtf_extent_sum(&e, false) && e.lost && !e.copies, "sum: both lost");
	e.leg[0].revoked = true;
	result(tbtf_extent_sum(&e, false) && e.revoked && !e.broken, "sum: one is wanted back");
	e.leg[0].revoked = false;
	result(tbtf_extent_sum(&e, true) == false && e.revoked && e.broken, "sum: a broken mirror has to go, too");
}

static void test_emptiest(void)
{
	struct tbtf_use use[4] = {
		{ true, 100, 5 }, { true, 50, 9 }, { true, 50, 7 }, { false, 0, 1 },
	};

	is("emptiest: of equals the oldest", tbtf_extent_emptiest(use, 4), 2);
	use[2].attached = false;
	is("emptiest: the emptiest", tbtf_extent_emptiest(use, 4), 1);
	is("emptiest: none is attached", tbtf_extent_emptiest(use + 2, 2), -1);
}

static void test_fits(void)
{
	struct tbtf_room room = { 16 * GIB, 2 * GIB, 64 * MIB };

	is("fits: with a sixteenth to spare", tbtf_extent_fits(GIB, &room, TBTF_SPARE_MUCH), true);
	is("fits: not with a page less", tbtf_extent_fits(GIB + 1, &room, TBTF_SPARE_MUCH), false);
	is("fits: but with a sixty-fourth", tbtf_extent_fits(GIB + 1, &room, TBTF_SPARE_LITTLE), true);
	is("fits: that too ends", tbtf_extent_fits(2 * GIB - 256 * MIB + 1, &room, TBTF_SPARE_LITTLE), false);
	room.available_kb = 0;
	is("fits: nothing always does", tbtf_extent_fits(0, &room, TBTF_SPARE_MUCH), true);
	is("fits: a page does not", tbtf_extent_fits(4, &room, TBTF_SPARE_LITTLE), false);
}

static void test_crowded(void)
{
	struct tbtf_extent extent[3] = { { .kb = 400 }, { .kb = 500 }, { .kb = 800 } };

	for (size_t i = 0; i < 3; i++)
		tbtf_extent_set(&extent[i], TBTF_EXTENT_ATTACHED);
	is("crowded: all of it fits into the rest, with an eighth", tbtf_extent_crowded(extent, 3, 2, 800), false);
	is("crowded: with more it does not", tbtf_extent_crowded(extent, 3, 2, 808), true);
	is("crowded: nobody is in the way", tbtf_extent_crowded(extent, 3, 2, 0), false);
	extent[1].dead = true;
	is("crowded: not into one that is away", tbtf_extent_crowded(extent, 3, 0, 800), true);
	extent[1].dead = false;
	is("crowded: which is back", tbtf_extent_crowded(extent, 3, 0, 800), false);
	extent[1].lost = true;
	is("crowded: nor one that is lost", tbtf_extent_crowded(extent, 3, 0, 800), true);
	tbtf_extent_set(&extent[2], TBTF_EXTENT_READY);
	is("crowded: where there is no other it may go", tbtf_extent_crowded(extent, 3, 0, 800), false);
}

static void test_worth(void)
{
	struct tbtf_extent extent = { .failed_kb = 0 };

	result(tbtf_extent_worth(&extent, 1000), "worth: none has failed");
	extent.failed_kb = 800;
	result(!tbtf_extent_worth(&extent, 800), "worth: not as it was when one did");
	result(!tbtf_extent_worth(&extent, 701), "worth: nor with a little less");
	result(tbtf_extent_worth(&extent, 700), "worth: with an eighth less");
	result(tbtf_extent_worth(&extent, 0), "worth: nothing always comes back");
}

static void test_min_free(void)
{
	is("min_free: 64 MiB at least", tbtf_extent_min_free(GIB, 0), 64 * MIB);
	is("min_free: a hundredth", tbtf_extent_min_free(16 * GIB, 0), 16 * GIB / 100);
	is("min_free: 512 MiB at most", tbtf_extent_min_free(1024 * GIB, 0), 512 * MIB);
	is("min_free: what is said", tbtf_extent_min_free(GIB, 16 * MIB), 16 * MIB);
	is("ballast: none is none", tbtf_extent_ballast(16 * GIB, 64 * MIB, 4, 0), 0);
	is("ballast: with what a CPU keeps", tbtf_extent_ballast(16 * GIB, 64 * MIB, 4, 16 * MIB), 36 * MIB);
	is("ballast: a sixteenth at most", tbtf_extent_ballast(GIB, 512 * MIB, 1, 16 * MIB), 64 * MIB);
	is("ballast: unless more is said", tbtf_extent_ballast(GIB, 512 * MIB, 1, 128 * MIB), 128 * MIB);
}

static void test_backend(void)
{
	static const char * const wrong[] = {
		"", "tbtf", "tbtf:", "tbtf::7", "tbtf:two", "tbtf:two:", "tbtf:two:7x", "tbtf:two:7:", "tbtf:t o:7",
		"nbd:two:7", "tbtf:two:99999999999999999999", "tbtf:two:-7", "tbtf:two:7\n\n",
		"tbtf:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:7",
	};
	char text[64], name[TBTF_NAME_LEN] = "untouched";
	uint64_t lease = 1;

	is("backend: made", tbtf_extent_backend(text, sizeof(text), "two", 1795361455001), 0);
	result(!strcmp(text, "tbtf:two:1795361455001"), "backend: as it is read");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		result(tbtf_extent_backend_parse(wrong[i], name, &lease) == -EINVAL && lease == 1 &&
		       !strcmp(name, "untouched"), "backend: not of ours: %zu", i);
	is("backend: with a newline", tbtf_extent_backend_parse("tbtf:two-3.x:42\n", name, &lease), 0);
	result(!strcmp(name, "two-3.x") && lease == 42, "backend: name and lease");
	is("backend: no room", tbtf_extent_backend(text, 12, "two", 1795361455001), -ENAMETOOLONG);
}

static void test_header(void)
{
	unsigned char header[TBTF_SWAP_HEADER], other[TBTF_SWAP_HEADER];
	uint32_t version, last;

	is("header: of 32 MiB", tbtf_swap_header(header, 32 * MIB, "tbtf"), 0);
	memcpy(&version, header + 1024, sizeof(version));
	memcpy(&last, header + 1028, sizeof(last));
	is("header: version", version, 1);
	is("header: the last page", last, 32 * MIB / 4 - 1);
	result(!memcmp(header + 4086, "SWAPSPACE2", 10), "header: magic");
	is("header: of another", tbtf_swap_header(other, 32 * MIB, "tbtf"), 0);
	result(memcmp(header, other, sizeof(header)), "header: each with a uuid of its own");
	result(tbtf_swap_labelled(header, "tbtf") && !tbtf_swap_labelled(header, "tbt") &&
	       !tbtf_swap_labelled(header, "tbtf-print"), "header: whose it is");
	is("header: too small", tbtf_swap_header(header, 39, "tbtf"), -ERANGE);
	is("header: too large", tbtf_swap_header(header, 17 * 1024 * GIB, "tbtf"), -ERANGE);
}

static void test_swaps(void)
{
	char text[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		      "/dev/nbd0                               partition\t32764\t\t100\t\t10\n"
		      "/swap\\040file                           file\t\t1024\t\t0\t\t-2\n"
		      "/dev/a-name-that-is-much-too-long-for-a-device partition\t8\t\t0\t\t5\n";
	char none[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", no_title[] = "/dev/nbd0 partition 1 1 1\n";
	char cut[] = "Filename\n/dev/nbd0 partition\n", empty[] = "";
	struct tbtf_swap swap[2];

	is("swaps: how many", tbtf_swap_parse(text, swap, 2), 3);
	result(!strcmp(swap[0].device, "/dev/nbd0") && swap[0].size_kb == 32764 && swap[0].used_kb == 100,
	       "swaps: the first");
	result(!strcmp(swap[1].device, "/swap\\040file") && swap[1].size_kb == 1024, "swaps: a file");
	is("swaps: none", tbtf_swap_parse(none, swap, 2), 0);
	is("swaps: no title", tbtf_swap_parse(no_title, swap, 2), -EPROTO);
	is("swaps: a line cut short", tbtf_swap_parse(cut, swap, 2), -EPROTO);
	is("swaps: nothing", tbtf_swap_parse(empty, swap, 2), -EPROTO);
}

int main(void)
{
	test_size();
	test_next();
	test_lender();
	test_pick();
	test_sum();
	test_emptiest();
	test_fits();
	test_crowded();
	test_worth();
	test_min_free();
	test_backend();
	test_header();
	test_swaps();
	return failed > 0;
}
