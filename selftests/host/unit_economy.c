// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what is consumed, what is printed, and how long it lasts
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The module's own economy.c, on machines that are made up: their memory is eaten
 * and brought at rates the test knows, so that it knows the end as well.
 */
#include <stdlib.h>

#include "../../kmod/economy.h"
#include "unit.h"

unsigned long jiffies;
struct tbtf_knobs tbtf_knobs;

static struct tbtf_economy eco;
static struct tbtf_holdings has;
static u64 now;

#define GIB	(1024 * 1024ULL)
#define TICK	TBTF_ECONOMY_TICK_MS
#define NEVER	((long long)TBTF_ECONOMY_NEVER)

static void fresh(u64 stock_kb, u64 capacity_kb)
{
	memset(&eco, 0, sizeof(eco));
	has = (struct tbtf_holdings){ .stock_kb = stock_kb, .capacity_kb = capacity_kb };
	now = 12345;
	tbtf_economy_look(&eco, now, &has);
}

/* For @ms, looked at each @tick: consumed and brought at these rates in kB a second. */
static void live(u64 ms, u64 tick, long long burn, long long grow)
{
	long long dt;

	for (; ms; ms -= dt) {
		dt = ms < tick ? ms : tick;
		now += dt;
		has.capacity_kb += grow * dt / 1000;
		has.stock_kb += (grow - burn) * dt / 1000;
		tbtf_economy_look(&eco, now, &has);
	}
}

/* Another stock, and no time in which it would be a rate. */
static void jump(u64 stock_kb)
{
	has.stock_kb = eco.last.stock_kb = stock_kb;
}

static bool near(u64 got, u64 wanted, unsigned int percent)
{
	u64 off = got > wanted ? got - wanted : wanted - got;

	return off * 100 <= wanted * percent;
}

static void test_nothing(void)
{
	memset(&eco, 0, sizeof(eco));
	is("nothing seen: never", tbtf_economy_left_ms(&eco), NEVER);
	result(!tbtf_economy_foretells(&eco), "nothing seen: nothing said");
	fresh(GIB, 2 * GIB);
	is("one look: never", tbtf_economy_left_ms(&eco), NEVER);
	is("one look: nothing consumed", tbtf_economy_burn_kb(&eco), 0);
	live(60000, TICK, 0, 0);
	is("quiet: never", tbtf_economy_left_ms(&eco), NEVER);
	is("quiet: nothing printed", tbtf_economy_print_kb(&eco), 0);
	has.stock_kb = 0;
	live(1000, TICK, 0, 0);
	has.stock_kb = GIB;
	live(1000, TICK, 0, 0);
	is("given back at once: nothing consumed", tbtf_economy_burn_kb(&eco), 0);
	is("given back at once: never", tbtf_economy_left_ms(&eco), NEVER);
	/* A clock that stands, or goes back, is no look. */
	fresh(GIB, 2 * GIB);
	has.stock_kb = 0;
	tbtf_economy_look(&eco, now, &has);
	tbtf_economy_look(&eco, now - 1000, &has);
	is("no time: nothing consumed", tbtf_economy_burn_kb(&eco), 0);
}

/*
 * Constant rates, the first of it after a quiet time: from half-way on the moment
 * that is foretold is within 20 % of the real one, counted from the beginning;
 * and it is foretold more exactly the later it is.
 */
static void constant(const char *what, u64 stock, long long burn, long long grow, u64 tick)
{
	u64 end = stock * 1000 / (burn - grow), begin, at, left;
	bool good = true, exact = true;

	fresh(stock, 4 * stock);
	live(60000, tick, 0, 0);
	begin = now;
	while (has.stock_kb > stock / 50) {
		live(tick, tick, burn, grow);
		at = now - begin;
		if (at * 2 < end)
			continue;
		left = tbtf_economy_left_ms(&eco);
		good &= left != TBTF_ECONOMY_NEVER && near(at + left, end, 20);
		if (at * 4 >= end * 3)
			exact &= left != TBTF_ECONOMY_NEVER && near(at + left, end, 5);
		if (!good || !exact) {
			printf("# at %llu of %llu ms: %llu left\n", (unsigned long long)at,
			       (unsigned long long)end, (unsigned long long)left);
			break;
		}
	}
	result(good, "%s: foretold within 20 %% from half-way on", what);
	result(exact, "%s: within 5 %% in the last quarter", what);
}

static void test_constant(void)
{
	constant("12 s", 12 * 5000, 5000, 0, TICK);
	constant("a minute", 60 * 50000, 50000, 0, TICK);
	constant("half an hour", 1800 * 1000, 1000, 0, TICK);
	constant("half of it printed", 60 * 5000, 10000, 5000, TICK);
	constant("nearly all of it printed", 60 * 1000, 100000, 99000, TICK);
	constant("looked at each 1.7 s", 60 * 5000, 10000, 5000, 1700);
	constant("looked at each 100 ms", 60 * 5000, 10000, 5000, 100);
	constant("looked at each 10 s", 120 * 5000, 10000, 5000, 10000);
	constant("a slow leak", 3000 * 40, 40, 0, TICK);
}

static void test_rates(void)
{
	fresh(100 * GIB, 200 * GIB);
	live(40000, TICK, 100000, 0);
	result(near(tbtf_economy_burn_kb(&eco), 100000, 1), "what is consumed is seen");
	is("and nothing else", tbtf_economy_print_kb(&eco), 0);
	live(40000, TICK, 100000, 30000);
	result(near(tbtf_economy_print_kb(&eco), 30000, 1), "what is brought is seen");
	result(near(tbtf_economy_burn_kb(&eco), 100000, 1), "and does not hide what is consumed");
	live(TBTF_ECONOMY_TAU_MS, TICK, 0, 0);
	result(tbtf_economy_burn_kb(&eco) < 40000 && tbtf_economy_burn_kb(&eco) > 30000,
	       "after the time constant a third of it is left");
	live(40000, TICK, 0, 0);
	result(tbtf_economy_burn_kb(&eco) < 10, "later nothing");

	/* Brought as fast as consumed, or faster: for ever. */
	fresh(GIB, 200 * GIB);
	live(20000, TICK, 50000, 50000);
	is("burn at print: never", tbtf_economy_left_ms(&eco), NEVER);
	live(20000, TICK, 50000, 60000);
	is("burn below print: never", tbtf_economy_left_ms(&eco), NEVER);

	/* Out of the reserve: it prints, and there is no more for that. */
	fresh(GIB, 200 * GIB);
	for (int i = 0; i < 80; i++) {
		has.handed_out_kb += 1000;
		live(TICK, TICK, 2000, 0);
	}
	result(near(tbtf_economy_print_kb(&eco), 2000, 2), "the reserve's rate is printed");
	result(near(tbtf_economy_left_ms(&eco), has.stock_kb * 1000 / 2000, 2),
	       "and puts nothing off");

	/* What goes away unused (a swapoff) is not consumed. */
	fresh(10 * GIB, 20 * GIB);
	live(20000, TICK, 0, -10000);
	is("taken away unused: nothing consumed", tbtf_economy_burn_kb(&eco), 0);
	is("taken away: nothing is printed", tbtf_economy_print_kb(&eco), 0);

	/* A machine that empties for a moment begins anew. */
	fresh(10 * GIB, 20 * GIB);
	live(20000, TICK, 100000, 0);
	has.stock_kb += 5 * GIB;
	live(TICK, TICK, 0, 0);
	is("much given back: nothing consumed", tbtf_economy_burn_kb(&eco), 0);
	live(8000, TICK, 100000, 0);
	result(near(tbtf_economy_burn_kb(&eco), 100000, 20), "and seen again in two time constants");

	/* To and fro, as much as to: that is no consumption. */
	fresh(GIB, 2 * GIB);
	for (int i = 0; i < 100; i++) {
		live(1000, TICK, 20000, 0);
		live(1000, TICK, -20000, 0);
	}
	result(tbtf_economy_left_ms(&eco) > 100000, "to and fro: it lasts");
}

static void test_horizon(void)
{
	fresh(3000 * 1000, GIB * 100);
	live(40000, TICK, 1000, 0);
	result(tbtf_economy_left_ms(&eco) < TBTF_ECONOMY_HORIZON_MS, "within the hour it is said");
	fresh(3700 * 1000, GIB * 100);
	live(40000, TICK, 1000, 0);
	is("beyond it is never", tbtf_economy_left_ms(&eco), NEVER);
}

static void test_foretell(void)
{
	u64 said[32], n = 0;
	bool halved = true;

	fresh(200 * 5000, GIB * 10);
	live(20000, TICK, 0, 0);
	while (has.stock_kb > 2500) {
		live(TICK, TICK, 5000, 0);
		if (tbtf_economy_foretells(&eco) && n < 32)
			said[n++] = tbtf_economy_left_ms(&eco);
	}
	result(n >= 5 && n <= 8, "it is said some times");
	result(n && said[0] < 60000 && said[0] >= 58000, "first when a minute is left");
	for (u64 i = 1; i < n; i++)
		halved &= said[i] * 2 <= said[i - 1];
	result(halved, "then each time half of it has gone");
	result(n && said[n - 1] < 2000, "to the end");

	/* At the end there is no line for each look. */
	has.stock_kb = 1;
	n = 0;
	for (int i = 0; i < 100; i++) {
		has.capacity_kb += 2500;
		live(TICK, TICK, 0, 0);
		n += tbtf_economy_foretells(&eco);
	}
	result(n <= 1, "at nothing it is said once");

	/* Twice the time between, and it is worth saying anew. */
	fresh(50 * 5000, GIB * 10);
	live(10000, TICK, 5000, 0);
	result(tbtf_economy_foretells(&eco), "short at once: said at once");
	result(!tbtf_economy_foretells(&eco), "once");
	jump(100 * 5000);
	live(TICK, TICK, 5000, 0);
	result(!tbtf_economy_foretells(&eco), "better, not good: nothing to say");
	jump(40 * 5000);
	live(TICK, TICK, 5000, 0);
	result(!tbtf_economy_foretells(&eco), "and as short as before: nothing new");
	jump(130 * 5000);
	live(TICK, TICK, 5000, 0);
	result(!tbtf_economy_foretells(&eco), "good: nothing to say");
	jump(40 * 5000);
	live(TICK, TICK, 5000, 0);
	result(tbtf_economy_foretells(&eco), "good between: said anew");
}

/* As large as numbers go: no overflow (the sanitizer looks), and sense. */
static void test_extremes(void)
{
	static const u64 sizes[] = { 0, 1, 1ULL << 20, 1ULL << 40, 1ULL << 52, 1ULL << 63, U64_MAX };
	bool good = true;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++)
			for (u64 dt = 1; dt < (1ULL << 40); dt <<= 13) {
				fresh(sizes[i], sizes[j]);
				has.stock_kb = sizes[j];
				has.capacity_kb = sizes[i];
				has.handed_out_kb = sizes[i];
				tbtf_economy_look(&eco, now + dt, &has);
				good &= eco.burn >= 0 && eco.grown >= 0 && eco.handed_out >= 0;
				tbtf_economy_left_ms(&eco);
				tbtf_economy_foretells(&eco);
			}
	result(good, "whatever the numbers, no rate is negative");
	/* 4 PB of memory, eaten at 1 TB a second. */
	fresh(1ULL << 42, 1ULL << 43);
	live(20000, TICK, 1LL << 30, 0);
	result(tbtf_economy_left_ms(&eco) > 900000, "a machine beyond all measure lasts");
}

int main(void)
{
	test_nothing();
	test_constant();
	test_rates();
	test_horizon();
	test_foretell();
	test_extremes();
	return failed ? 1 : 0;
}
