// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the arithmetic of a choice: sizes, bands, fair draws, likelihoods
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The module's own choose.h and likelihood.c. Whether draws are fair is asked by
 * chi-square with fixed seeds, so a result never changes from run to run: a failure
 * is a fault. The bound is five sigma, and it has two sides, because draws
 * that are too even are not random either.
 */
#include <math.h>
#include <stdlib.h>

#include "../../kmod/choose.h"
#include "unit.h"

unsigned long jiffies;
struct tbtf_knobs tbtf_knobs;

#define MOST	128	/* cells of a chi-square */

/* Of a chi-square of @df degrees, in sigmas (Wilson and Hilferty). */
static double sigmas(double x, unsigned int df)
{
	double v = 2.0 / (9.0 * df);

	return (cbrt(x / df) - (1 - v)) / sqrt(v);
}

/* Do @seen[n] follow @weights? NULL: are all the same. */
static void fair(const char *what, const unsigned int *seen, const double *weights,
		 unsigned int n)
{
	double x = 0, total = 0, sum = 0, expected;
	unsigned int i;

	for (i = 0; i < n; i++) {
		total += seen[i];
		sum += weights ? weights[i] : 1;
	}
	for (i = 0; i < n; i++) {
		expected = total * (weights ? weights[i] : 1) / sum;
		x += (seen[i] - expected) * (seen[i] - expected) / expected;
	}
	result(fabs(sigmas(x, n - 1)) < 5, "%s", what);
	if (fabs(sigmas(x, n - 1)) >= 5)
		printf("# chi-square %.1f of %u degrees: %.1f sigmas\n", x, n - 1,
		       sigmas(x, n - 1));
}

static struct tbtf_rng rng_from(u64 seed)
{
	struct tbtf_rng rng;

	tbtf_rng_begin(&rng, seed);
	return rng;
}

/* The test's own numbers: xorshift, not the generator under test. */
static u64 noise(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* -- sizes ---------------------------------------------------------------------- */

static void test_size(void)
{
	/* No process has more: 2^57 bytes of address space, of 4 KiB each. */
	const unsigned long most = 1UL << 45;
	struct tbtf_size size;

	tbtf_size_reckon(&size, 1, 20, 300 * PAGE_SIZE, 4000, 50000);
	is("size: anonymous pages, swap and page tables die with it", size.worth, 321);
	is("size: file pages and shmem count for how large it is", size.size, 54321);
	tbtf_size_reckon(&size, 0, 0, PAGE_SIZE - 1, 0, 0);
	is("size: half a page of tables is none", size.worth, 0);
	tbtf_size_reckon(&size, most, most, most * 8, most, most);
	is("size: the largest process there can be is the sum of its parts", size.size,
	   4 * most + most * 8 / PAGE_SIZE);

	size.size = 1000;
	is("size: P's hugetlb pages count", tbtf_size_protected(&size, 24, 0), 1024);
	is("size: its cgroup's usage counts where that is more",
	   tbtf_size_protected(&size, 24, 1025), 1025);
	is("size: and does not where it is less", tbtf_size_protected(&size, 24, 1023), 1024);
	size.size = ULONG_MAX - 1;
	result(tbtf_size_protected(&size, 1, 0) == ULONG_MAX, "size: P may have 2^64 - 1 pages");
	result(tbtf_size_protected(&size, 2, 0) == ULONG_MAX &&
	       tbtf_size_protected(&size, ULONG_MAX, 7) == ULONG_MAX,
	       "size: and does not become small beyond");
}

static void test_smaller(void)
{
	static const unsigned long pages[] = {
		1, 2, 1UL << 31, 1UL << 32, 1UL << 45, 1UL << 52, LONG_MAX, LONG_MAX + 1UL,
		ULONG_MAX - 1, ULONG_MAX,
	};
	struct tbtf_size size = { };
	bool good = true;
	unsigned int i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		size.size = pages[i] - 1;
		good &= tbtf_size_smaller(&size, pages[i]);
		size.size = pages[i];
		good &= !tbtf_size_smaller(&size, pages[i]);
		size.size = ULONG_MAX;
		good &= !tbtf_size_smaller(&size, pages[i]);
		size.size = 0;
		good &= tbtf_size_smaller(&size, pages[i]);
	}
	result(good, "smaller: by a page, and as large is not, up to 2^64 pages");
	result(!tbtf_size_smaller(&size, 0), "smaller: nobody is smaller than nothing");

	size = (struct tbtf_size){ .size = ULONG_MAX, .worth = 2048 };
	result(tbtf_size_pays(&size, 2048) && !tbtf_size_pays(&size, 2049) &&
	       tbtf_size_pays(&size, 0),
	       "pays: what it is worth counts, not its size, and the minimum is enough");
	result(pages_to_kb(ULONG_MAX >> 2) == (u64)ULONG_MAX - 3 && kb_to_pages(UINT_MAX) == 0x3fffffff &&
	       kb_to_pages(7) == 1, "pages and kB");
}

static void test_min_victim(void)
{
	static const struct {
		u64 total_kb;
		unsigned int kb;
	} table[] = {
		{ 0, 1024 },			/* the floor */
		{ 131072, 1024 },		/* 128 MiB: just on it */
		{ 131072 + 128, 1025 },
		{ 524288, 4096 },		/* 512 MiB: half */
		{ 1048575, 8191 },
		{ 1048576, 8192 },		/* 1 GiB: the whole */
		{ 33554432, 8192 },		/* 32 GiB */
		{ 33554432 + 4096, 8193 },	/* from here on a 4096th */
		{ 1ULL << 30, 1 << 18 },	/* 1 TiB: 256 MiB */
		{ 4096ULL * (UINT_MAX - 1ULL), UINT_MAX - 1 },
		{ 4096ULL * UINT_MAX, UINT_MAX - 1 },	/* all ones would be "not set" */
		{ UINT64_MAX, UINT_MAX - 1 },
	};
	unsigned int i, last = 0, kb;
	bool good = true;
	u64 total;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		kb = tbtf_size_min_victim_kb(table[i].total_kb);
		result(kb == table[i].kb, "min_victim_kb of %llu kB",
		       (unsigned long long)table[i].total_kb);
		if (kb != table[i].kb)
			printf("# got %u, wanted %u\n", kb, table[i].kb);
	}
	for (total = 1; total < UINT64_MAX / 2; total += total / 64 + 1) {
		kb = tbtf_size_min_victim_kb(total);
		good &= kb >= last;
		last = kb;
	}
	result(good, "min_victim_kb never falls where there is more memory");
}

/* -- bands ---------------------------------------------------------------------- */

static void test_bands(void)
{
	static const struct {
		const char *what;
		struct tbtf_standing s;
		u32 band;
	} table[] = {
		{ "0", { .adj = 0 }, TBTF_BAND_ORDINARY },
		{ "1", { .adj = 1 }, TBTF_BAND_RAISED },
		{ "1000", { .adj = 1000 }, TBTF_BAND_RAISED },
		{ "-1", { .adj = -1 }, TBTF_BAND_LOWERED },
		{ "-999", { .adj = -999 }, TBTF_BAND_LOWERED },
		{ "expendable", { .role = TBTF_ROLE_EXPENDABLE }, TBTF_BAND_EXPENDABLE },
		{ "expendable and lowered", { .role = TBTF_ROLE_EXPENDABLE, .adj = -500 },
		  TBTF_BAND_EXPENDABLE },
		{ "expendable, of P's cgroup", { .role = TBTF_ROLE_EXPENDABLE, .own = true },
		  TBTF_BAND_EXPENDABLE },
		{ "expendable, but not smaller", { .role = TBTF_ROLE_EXPENDABLE, .big = true },
		  TBTF_BAND_BIGGER },
		{ "of P's cgroup", { .own = true }, TBTF_BAND_OWN },
		{ "of P's cgroup, at 500", { .own = true, .adj = 500 }, TBTF_BAND_OWN },
		{ "of P's cgroup, not smaller", { .own = true, .big = true }, TBTF_BAND_BIGGER },
		{ "not smaller", { .big = true }, TBTF_BAND_BIGGER },
		{ "not smaller, at 1000", { .big = true, .adj = 1000 }, TBTF_BAND_BIGGER },
		{ "P's snapshot, as big as P", { .big = true, .raised = true, .adj = 100 },
		  TBTF_BAND_RAISED },
		{ "P's snapshot, in its cgroup", { .own = true, .raised = true, .adj = 100 },
		  TBTF_BAND_RAISED },
		{ "P's snapshot, expendable",
		  { .role = TBTF_ROLE_EXPENDABLE, .big = true, .raised = true }, TBTF_BAND_EXPENDABLE },
		{ "P's child at 0, P below", { .raised = true }, TBTF_BAND_RAISED },
		{ "P's child at -1, P below", { .raised = true, .adj = -1 }, TBTF_BAND_RAISED },
	};
	struct tbtf_standing s = { }, t;
	unsigned int i, flags;
	bool good = true;
	int adj, p_adj;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		result(tbtf_band_of(&table[i].s) == table[i].band, "band: %s", table[i].what);

	/* Not asked means: it would not matter, or its oom_score_adj is not above P's. */
	for (adj = -999; adj <= 1000; adj += 37)
		for (p_adj = -1000; p_adj <= 1000; p_adj += 50)
			for (flags = 0; flags < 8; flags++) {
				s.adj = adj;
				s.big = flags & 1;
				s.own = flags & 2;
				s.role = flags & 4 ? TBTF_ROLE_EXPENDABLE : TBTF_ROLE_ORDINARY;
				t = s;
				t.raised = true;
				if (adj <= p_adj)
					good &= !tbtf_band_asks_descent(&s, p_adj);
				else if (tbtf_band_of(&s) != tbtf_band_of(&t))
					good &= tbtf_band_asks_descent(&s, p_adj);
			}
	result(good, "band: descent is asked for where it makes a difference, and only above P");
	is("band: the last one goes by size",
	   tbtf_band_policy(TBTF_BAND_BIGGER, TBTF_POLICY_UNIFORM), TBTF_POLICY_LARGEST);
	is("band: the others by the policy",
	   tbtf_band_policy(TBTF_BAND_OWN, TBTF_POLICY_WEIGHTED), TBTF_POLICY_WEIGHTED);
}

/* -- random numbers -------------------------------------------------------------- */

static void test_rng(void)
{
	static const u32 bounds[] = { 1, 2, 3, 97, 128 };
	unsigned int seen[MOST], i, k, same = 0;
	struct tbtf_rng rng, next;
	bool good = true;
	char what[64];
	u32 nr, top = 0;

	for (k = 0; k < sizeof(bounds) / sizeof(bounds[0]); k++) {
		memset(seen, 0, sizeof(seen));
		rng = rng_from(k);
		for (i = 0; i < 50000; i++) {
			nr = tbtf_rng_below(&rng, bounds[k]);
			if (nr >= bounds[k])
				good = false;
			else
				seen[nr]++;
		}
		snprintf(what, sizeof(what), "rng: below %u, all equally often", bounds[k]);
		if (bounds[k] > 1)
			fair(what, seen, NULL, bounds[k]);
	}
	for (i = 0; i < 100000; i++) {
		nr = tbtf_rng_below(&rng, U32_MAX);
		good &= nr < U32_MAX;
		top = max(top, nr);
	}
	result(good, "rng: never the bound itself");
	result(top > U32_MAX - 1000000, "rng: up to the largest bound");

	/* Choices follow each other with seeds one step apart. */
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < 50000; i++) {
		rng = rng_from(12345 + i * TBTF_RNG_STEP);
		next = rng_from(12345 + (i + 1) * TBTF_RNG_STEP);
		seen[tbtf_rng_below(&rng, 100)]++;
		same += tbtf_rng_below(&rng, 1 << 20) == tbtf_rng_below(&next, 1 << 20);
	}
	fair("rng: the first draws of one choice after the other", seen, NULL, 100);
	result(same < 5, "rng: a choice does not repeat the draws of the one before");
}

/* -- reservoirs ------------------------------------------------------------------- */

/* One who is offered; the reservoir only compares and keeps the address. */
struct one {
	u32 band;
	short adj;
	unsigned long size;
};

static struct task_struct *task_of(const struct one *one)
{
	return (struct task_struct *)one;
}

/* Offer all, in order; who is it? n: nobody. Also checks what is told of the ousted. */
static unsigned int choose(const struct one *all, unsigned int n, unsigned int policy,
			   struct tbtf_rng *rng)
{
	struct tbtf_reservoir bands[TBTF_BAND_NR] = { };
	struct task_struct *ousted, *before;
	struct tbtf_size size = { };
	unsigned int i;
	u32 open;

	for (i = 0; i < n; i++) {
		size.size = all[i].size;
		size.worth = i;
		before = bands[all[i].band].task;
		ousted = (void *)-1UL;
		if (tbtf_reservoir_offer(bands, all[i].band, task_of(&all[i]), all[i].adj, &size,
					 tbtf_band_policy(all[i].band, policy), rng, &ousted)) {
			if (ousted != before || bands[all[i].band].task != task_of(&all[i]))
				result(false, "reservoir: who is held and who was");
		} else if (bands[all[i].band].task != before) {
			result(false, "reservoir: changed without telling");
		}
	}
	open = tbtf_reservoir_open(bands);
	if (open == TBTF_BAND_NR)
		return n;
	i = (const struct one *)bands[open].task - all;
	if (bands[open].size.size != all[i].size || bands[open].size.worth != i)
		result(false, "reservoir: the size is that of the one held");
	return i;
}

static void draw(const char *what, const struct one *all, unsigned int n, unsigned int policy,
		 const double *weights, unsigned int draws)
{
	struct tbtf_rng rng = rng_from(n + policy);
	unsigned int seen[MOST] = { };

	while (draws--)
		seen[choose(all, n, policy, &rng)]++;
	fair(what, seen, weights, n);
}

static void test_uniform(void)
{
	struct one all[MOST] = { };
	struct tbtf_rng rng = rng_from(1);
	unsigned int i;

	for (i = 0; i < MOST; i++) {
		all[i].band = TBTF_BAND_ORDINARY;
		all[i].size = i * i * 1000;
	}
	is("uniform: of none, nobody", choose(all, 0, TBTF_POLICY_UNIFORM, &rng), 0);
	is("uniform: of one, that one", choose(all, 1, TBTF_POLICY_UNIFORM, &rng), 0);
	draw("uniform: of two", all, 2, TBTF_POLICY_UNIFORM, NULL, 20000);
	draw("uniform: of three", all, 3, TBTF_POLICY_UNIFORM, NULL, 20000);
	draw("uniform: of 128, whatever their size and place", all, 128, TBTF_POLICY_UNIFORM, NULL,
	     40000);
}

static void test_weighted(void)
{
	static const unsigned long few[] = { 0, 1, 2, 5, 10, 100, 3 };
	/* Together above 2^32 pages: 16 TiB. */
	static const unsigned long many[] = { 1UL << 33, 1UL << 31, 3UL << 33, 1UL << 34, 5UL << 30 };
	/* Where the sum passes 2^32 half-way. */
	static const unsigned long past[] = { 1UL << 31, 1UL << 31, 1UL << 31, 1UL << 31 };
	struct one all[8] = { };
	double weights[8];
	struct tbtf_rng rng = rng_from(2);
	unsigned int i;

	for (i = 0; i < 8; i++)
		all[i].band = TBTF_BAND_RAISED;
	for (i = 0; i < 7; i++) {
		all[i].size = few[i];
		weights[i] = few[i] ?: 1;
	}
	is("weighted: of one without a page, that one", choose(all, 1, TBTF_POLICY_WEIGHTED, &rng), 0);
	draw("weighted: by size, nothing counting as a page", all, 7, TBTF_POLICY_WEIGHTED, weights,
	     100000);
	for (i = 0; i < 5; i++) {
		all[i].size = many[i];
		weights[i] = many[i];
	}
	draw("weighted: above 16 TiB", all, 5, TBTF_POLICY_WEIGHTED, weights, 50000);
	for (i = 0; i < 4; i++)
		all[i].size = past[i];
	draw("weighted: across 16 TiB", all, 4, TBTF_POLICY_WEIGHTED, NULL, 50000);
}

static void test_largest(void)
{
	struct one all[] = {
		{ TBTF_BAND_ORDINARY, 0, 7 }, { TBTF_BAND_ORDINARY, 0, 9 },
		{ TBTF_BAND_ORDINARY, 0, 9 }, { TBTF_BAND_ORDINARY, 0, 8 },
	};
	struct one bigger[] = {
		{ TBTF_BAND_BIGGER, -1, 900 }, { TBTF_BAND_BIGGER, 0, 5 },
		{ TBTF_BAND_BIGGER, 1000, 6 }, { TBTF_BAND_BIGGER, -999, ULONG_MAX >> 1 },
	};
	struct tbtf_rng rng = rng_from(3);

	is("largest: it is, and of two the first", choose(all, 4, TBTF_POLICY_LARGEST, &rng), 1);
	all[1].size = all[2].size = 0;
	is("largest: the last", choose(all, 4, TBTF_POLICY_LARGEST, &rng), 3);
	is("largest: of one without a page, that one",
	   choose(&all[1], 1, TBTF_POLICY_LARGEST, &rng), 0);
	is("bigger: the largest at 0 or above, before any below",
	   choose(bigger, 4, TBTF_POLICY_UNIFORM, &rng), 2);
	is("bigger: 0 is not below", choose(bigger, 2, TBTF_POLICY_UNIFORM, &rng), 1);
	is("bigger: the largest of those below", choose(bigger, 1, TBTF_POLICY_UNIFORM, &rng), 0);
	bigger[1].adj = bigger[2].adj = -5;
	is("bigger: also where one has 2^63 - 1 pages",
	   choose(bigger, 4, TBTF_POLICY_WEIGHTED, &rng), 3);
}

static void test_order(void)
{
	struct one all[TBTF_BAND_NR];
	struct tbtf_rng rng = rng_from(4);
	bool good = true;
	u32 first, i;

	/* From the last band to the first, so that the order offered is no help. */
	for (i = 0; i < TBTF_BAND_NR; i++)
		all[i] = (struct one){ .band = TBTF_BAND_NR - 1 - i, .size = 1000 >> i };
	for (first = 0; first < TBTF_BAND_NR; first++)
		good &= choose(all, TBTF_BAND_NR - first, TBTF_POLICY_UNIFORM, &rng) ==
			TBTF_BAND_NR - 1 - first;
	result(good, "order: a band opens when those before it are empty");
}

/* -- sampling ---------------------------------------------------------------------- */

struct pids {
	bool taken[1024];
	unsigned int asked;
	u32 least, most;
	u32 found;
};

static bool take(u32 nr, void *arg)
{
	struct pids *pids = arg;

	pids->asked++;
	pids->least = min(pids->least, nr);
	pids->most = max(pids->most, nr);
	pids->found = nr;
	return nr < 1024 && pids->taken[nr];
}

static void test_sample(void)
{
	unsigned int seen[MOST] = { }, tries, i, most = 0, hits = 0;
	struct pids pids = { .least = U32_MAX };
	struct tbtf_rng rng = rng_from(5);
	bool good = true;
	double chance;
	u32 cursor;

	for (cursor = 0; cursor < 2; cursor++) {
		tries = 0;
		good &= !tbtf_sample(&rng, cursor, &tries, take, &pids) && !tries && !pids.asked;
	}
	result(good, "sample: without a pid below the cursor nothing is tried");
	tries = 0;
	good = !tbtf_sample(&rng, 1000, &tries, take, &pids);
	result(good && tries == TBTF_TRIES && pids.asked == TBTF_TRIES,
	       "sample: without a candidate it gives up after TBTF_TRIES");
	pids.taken[1] = true;
	tries = 0;
	good = tbtf_sample(&rng, 2, &tries, take, &pids);
	result(good && tries == 1 && pids.found == 1, "sample: of one pid, that one, at once");

	pids = (struct pids){ .least = U32_MAX };
	for (i = 0; i < 20000; i++)
		tbtf_sample(&rng, 100, &tries, take, &pids);
	result(pids.least == 1 && pids.most == 99, "sample: from 1 to below the cursor");

	/* One of 999: found as often as 64 tries find it. */
	pids.taken[777] = true;
	for (i = 0; i < 20000; i++) {
		tries = 0;
		hits += tbtf_sample(&rng, 1000, &tries, take, &pids);
		most = max(most, tries);
	}
	chance = 1 - pow(998.0 / 999, TBTF_TRIES);
	result(fabs(hits - 20000 * chance) < 5 * sqrt(20000 * chance * (1 - chance)),
	       "sample: one of 999 is found as often as 64 tries should");
	is("sample: never more than TBTF_TRIES", most, TBTF_TRIES);

	/* Candidates in clusters, after gaps of any length: all equally likely. */
	memset(&pids, 0, sizeof(pids));
	for (i = 0; i < 100; i++)
		pids.taken[i < 50 ? 1 + i : i < 90 ? 400 + 10 * i / 4 : 900 + i] = true;
	for (i = 0; i < 60000; i++) {
		tries = 0;
		if (!tbtf_sample(&rng, 1000, &tries, take, &pids))
			continue;
		for (u32 nr = 0, at = 0; nr < 1000; nr++) {
			if (nr == pids.found)
				seen[at]++;
			at += pids.taken[nr];
		}
	}
	fair("sample: whatever gaps are before them", seen, NULL, 100);
}

/* -- dense pids --------------------------------------------------------------------- */

#define PID_MAX		300
#define RESERVED	30	/* after a wrap the kernel begins behind these */

static bool in_use[PID_MAX];
static unsigned int looks;

static bool none_beyond(unsigned long cursor)
{
	unsigned long nr;

	looks++;
	for (nr = cursor; nr < PID_MAX; nr++)
		if (in_use[nr])
			return false;
	return true;
}

static unsigned long allocate(unsigned long cursor)
{
	unsigned long nr, n;

	for (n = 0, nr = cursor; n < 2 * PID_MAX; n++, nr++) {
		if (nr >= PID_MAX)
			nr = RESERVED;
		if (!in_use[nr]) {
			in_use[nr] = true;
			return nr + 1;
		}
	}
	return cursor;
}

static void test_dense(void)
{
	unsigned long cursor = 1, forks = ULONG_MAX - 500, nr;
	struct tbtf_dense known = { };
	unsigned int i, wraps = 0, yes = 0, no = 0, made = 0;
	bool good = true;

	memset(in_use, 0, sizeof(in_use));
	for (i = 0; i < 200; i++) {
		cursor = allocate(cursor);
		forks++;
		good &= tbtf_dense(&known, cursor, forks, none_beyond);
	}
	result(good && looks == 1, "dense: before pids wrap, one look is enough for all forks");
	memset(in_use, 0, sizeof(in_use));

	/* Any order of forks, exits and pids made to order; the count of forks wraps, too. */
	good = true;
	for (i = 0; i < 200000; i++) {
		switch (noise() % 8) {
		case 0 ... 2:
			nr = cursor;
			cursor = allocate(cursor);
			wraps += cursor < nr;
			forks++;
			break;
		case 3:
			nr = 1 + noise() % (PID_MAX - 1);
			if (noise() % 64 || in_use[nr])
				break;
			in_use[nr] = true;	/* clone3(set_tid): the cursor stays */
			forks++;
			made++;
			break;
		case 4 ... 6:
			in_use[1 + noise() % (PID_MAX - 1)] = false;
			break;
		default:
			if (noise() % 512 == 0)
				memset(in_use, 0, sizeof(in_use));
		}
		/* Not asked every time: many things happen between two OOMs. */
		if (noise() % 4)
			continue;
		if (tbtf_dense(&known, cursor, forks, none_beyond)) {
			good &= none_beyond(cursor);
			yes++;
		} else {
			no++;
		}
	}
	result(good, "dense: it never says so while there is a pid beyond the cursor");
	result(wraps > 10 && made > 10 && yes > 100 && no > 100,
	       "dense: with wraps, pids made to order, and both answers");
}

/* -- likelihoods ---------------------------------------------------------------------- */

static void likely(const char *what, const struct one *all, unsigned int n, u32 band,
		   unsigned int policy)
{
	struct tbtf_rng rng = rng_from(6 + policy);
	struct tbtf_candidate entries[8] = { };
	unsigned int seen[8] = { }, i, cells = 0;
	double weights[8];
	u64 sum = 0;

	for (i = 0; i < n; i++)
		entries[i] = (struct tbtf_candidate){ .band = all[i].band, .size_kb = all[i].size,
						      .oom_score_adj = all[i].adj };
	tbtf_likelihood(entries, n, band, policy);
	for (i = 0; i < 50000; i++)
		seen[choose(all, n, policy, &rng)]++;
	for (i = 0; i < n; i++) {
		sum += entries[i].likelihood;
		if (!entries[i].likelihood && seen[i])
			cells = MOST;	/* foretold to be impossible */
		if (!entries[i].likelihood)
			continue;
		seen[cells] = seen[i];
		weights[cells++] = entries[i].likelihood;
	}
	result(cells <= n && sum <= 1000000 && sum > 1000000 - 8,
	       "%s: together a million, and nobody else dies", what);
	if (cells > 1 && cells <= n)
		fair(what, seen, weights, cells);
}

static void test_likelihood(void)
{
	static const struct one all[] = {
		{ TBTF_BAND_ORDINARY, 0, 100 }, { TBTF_BAND_LOWERED, -5, 4000 },
		{ TBTF_BAND_ORDINARY, 0, 300 }, { TBTF_BAND_ORDINARY, 0, 50 },
		{ TBTF_BAND_BIGGER, 0, 9000 }, { TBTF_BAND_ORDINARY, 0, 300 },
	};
	static const struct one bigger[] = {
		{ TBTF_BAND_BIGGER, -5, 9000 }, { TBTF_BAND_BIGGER, 0, 100 },
		{ TBTF_BAND_BIGGER, 3, 200 }, { TBTF_BAND_BIGGER, 0, 200 },
	};
	/* kB of the largest process there can be: 2^57 bytes mapped once and again. */
	struct tbtf_candidate huge[2] = {
		{ .band = TBTF_BAND_ORDINARY, .size_kb = 3ULL << 47 },
		{ .band = TBTF_BAND_ORDINARY, .size_kb = 1ULL << 47 },
	};
	struct tbtf_candidate none = { .band = TBTF_BAND_NR };

	likely("likelihood: uniform", all, 6, TBTF_BAND_ORDINARY, TBTF_POLICY_UNIFORM);
	likely("likelihood: weighted", all, 6, TBTF_BAND_ORDINARY, TBTF_POLICY_WEIGHTED);
	likely("likelihood: largest", all, 6, TBTF_BAND_ORDINARY, TBTF_POLICY_LARGEST);
	likely("likelihood: bigger", bigger, 4, TBTF_BAND_BIGGER, TBTF_POLICY_WEIGHTED);
	tbtf_likelihood(huge, 2, TBTF_BAND_ORDINARY, TBTF_POLICY_WEIGHTED);
	result(huge[0].likelihood == 750000 && huge[1].likelihood == 250000,
	       "likelihood: of the largest there can be");
	tbtf_likelihood(&none, 1, TBTF_BAND_NR, TBTF_POLICY_UNIFORM);
	is("likelihood: where no band is open", none.likelihood, 0);
}

int main(void)
{
	test_size();
	test_smaller();
	test_min_victim();
	test_bands();
	test_rng();
	test_uniform();
	test_weighted();
	test_largest();
	test_order();
	test_sample();
	test_dense();
	test_likelihood();
	return failed ? 1 : 0;
}
