// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the life of a request: what a round does about it, and how much is asked for
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The module's own request.c and ladder.c, with a clock that the test moves: all is
 * run three times, also across the wrap of jiffies.
 */
#include "../../kmod/episode.h"
#include "unit.h"

unsigned long jiffies;
struct tbtf_knobs tbtf_knobs;

static const char *clock_name;
static unsigned long start;

#define DEADLINE_MS	10000
#define MIB		256UL		/* pages */

static void fresh(void)
{
	jiffies = start;
	tbtf_knobs = (struct tbtf_knobs){ .nap_ms = 5000, .ladder_deadline_ms = DEADLINE_MS };
}

static void pass(unsigned int ms)
{
	jiffies += msecs_to_jiffies(ms);
}

__attribute__((format(printf, 2, 3)))
static void check(bool good, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	result(good, "%s: %s", clock_name, text);
}

/* -- what a round does ------------------------------------------------------------ */

#define ASK	TBTF_ASK_NEXT_ASK
#define WAIT	TBTF_ASK_NEXT_WAIT
#define LATE	TBTF_ASK_NEXT_LATE
#define OVER	TBTF_ASK_NEXT_OVER

/* Of each state: just now and long ago; with a deadline that is not past, past, and none. */
static const struct {
	enum tbtf_ask_state state;
	const char *name;
	enum tbtf_ask_next now[3], later[3];
} states[] = {
	{ TBTF_ASK_NONE,	"nothing asked", { ASK, OVER, ASK }, { ASK, OVER, ASK } },
	{ TBTF_ASK_UNREAD,	"unread",	 { WAIT, LATE, WAIT }, { WAIT, LATE, LATE } },
	{ TBTF_ASK_PENDING,	"pending",	 { WAIT, LATE, WAIT }, { WAIT, LATE, LATE } },
	{ TBTF_ASK_GRANTED,	"granted",	 { WAIT, WAIT, WAIT }, { ASK, OVER, ASK } },
	{ TBTF_ASK_REFUSED,	"refused",	 { OVER, OVER, OVER }, { OVER, OVER, ASK } },
	{ TBTF_ASK_LATE,	"late",		 { OVER, OVER, OVER }, { OVER, OVER, ASK } },
	{ TBTF_ASK_ORPHANED,	"orphaned",	 { ASK, OVER, ASK }, { ASK, OVER, ASK } },
	{ TBTF_ASK_SKIPPED,	"skipped",	 { ASK, OVER, ASK }, { ASK, OVER, ASK } },
};

static void test_next(void)
{
	struct tbtf_ask ask;
	unsigned int i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		fresh();
		ask = (struct tbtf_ask){ .state = states[i].state, .since = jiffies };
		check(tbtf_ask_next(&ask, false, false) == states[i].now[0] &&
		      tbtf_ask_next(&ask, false, true) == states[i].now[1] &&
		      tbtf_ask_next(&ask, true, false) == states[i].now[2],
		      "%s just now", states[i].name);
		pass(DEADLINE_MS);
		check(tbtf_ask_next(&ask, false, false) == states[i].later[0] &&
		      tbtf_ask_next(&ask, false, true) == states[i].later[1] &&
		      tbtf_ask_next(&ask, true, false) == states[i].later[2],
		      "%s long ago", states[i].name);
		check(tbtf_ask_open(&ask) == (states[i].now[0] == WAIT && states[i].later[0] == WAIT),
		      "%s: can it be answered?", states[i].name);
	}
}

static void test_times(void)
{
	struct tbtf_ask ask = { };

	fresh();
	tbtf_ask_begin(&ask, 77);
	check(ask.state == TBTF_ASK_UNREAD && ask.capacity == 77, "asked");
	is("it is known since when", ask.since - jiffies, 0);
	pass(DEADLINE_MS - 4);
	check(tbtf_ask_next(&ask, true, false) == WAIT, "for ever: up to its own deadline it waits");
	pass(4);
	check(tbtf_ask_next(&ask, true, false) == LATE, "and no longer");
	tbtf_ask_end(&ask, TBTF_ASK_LATE);
	check(ask.state == TBTF_ASK_LATE, "that is its end");
	is("and that is known, too", ask.since - jiffies, 0);
	pass(DEADLINE_MS - 4);
	check(tbtf_ask_next(&ask, true, false) == OVER, "then it leaves the helper alone as long");
	pass(4);
	check(tbtf_ask_next(&ask, true, false) == ASK, "and asks again");

	fresh();
	tbtf_ask_begin(&ask, 0);
	pass(1000);
	tbtf_ask_end(&ask, TBTF_ASK_GRANTED);
	pass(196);
	check(tbtf_ask_next(&ask, false, false) == WAIT, "a grant has 200 ms to show");
	pass(4);
	check(tbtf_ask_next(&ask, false, false) == ASK, "and no more");

	/* A deadline of nothing: past at once; for ever, a request has time all the same. */
	fresh();
	tbtf_knobs.ladder_deadline_ms = 0;
	tbtf_ask_begin(&ask, 0);
	check(tbtf_ask_next(&ask, true, false) == WAIT, "deadline 0, for ever: it waits");
	pass(TBTF_RELIEF_MS);
	check(tbtf_ask_next(&ask, true, false) == LATE, "deadline 0, for ever: for two seconds");
	is("patience: two seconds at least", tbtf_ask_patience_ms(), TBTF_RELIEF_MS);
	tbtf_knobs.ladder_deadline_ms = 2004;
	is("patience: or the ladder's deadline", tbtf_ask_patience_ms(), 2004);
}

static void test_skip(void)
{
	struct tbtf_ask ask = { };

	fresh();
	check(tbtf_ask_skip(&ask, TBTF_SKIP_NO_HELPER), "skipped: that is news");
	check(!tbtf_ask_skip(&ask, TBTF_SKIP_NO_HELPER), "skipped for the same reason: it is not");
	check(tbtf_ask_skip(&ask, TBTF_SKIP_LOCAL) && ask.skip == TBTF_SKIP_LOCAL,
	      "for another reason: it is");
	tbtf_ask_begin(&ask, 0);
	tbtf_ask_end(&ask, TBTF_ASK_ORPHANED);
	check(tbtf_ask_skip(&ask, TBTF_SKIP_LOCAL), "after a request: it is");
}

static void test_anew(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct tbtf_ask ask = { .state = states[i].state };
		bool forgotten = ask.state == TBTF_ASK_REFUSED || ask.state == TBTF_ASK_LATE ||
				 ask.state == TBTF_ASK_SKIPPED;

		tbtf_ask_anew(&ask);
		check(ask.state == (forgotten ? TBTF_ASK_NONE : states[i].state),
		      "another wait begins: %s", states[i].name);
	}
	{
		struct tbtf_episode ep = { .outcome = TBTF_OUTCOME_SACRIFICED };

		fresh();
		tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
		ep.steal.state = TBTF_ASK_REFUSED;
		ep.print.state = TBTF_ASK_REFUSED;
		tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
		check(ep.steal.state == TBTF_ASK_REFUSED && ep.print.state == TBTF_ASK_REFUSED,
		      "a refusal holds while it waits, on either rung");
		tbtf_ladder_sacrificed(&ep);
		tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
		check(ep.steal.state == TBTF_ASK_NONE && ep.print.state == TBTF_ASK_NONE,
		      "not in the next wait");
	}
}

/* -- what was granted -------------------------------------------------------------- */

static void test_used_up(void)
{
	static const struct {
		u64 granted_kb;
		unsigned long before, now;
		bool real;
	} table[] = {
		{ 64 << 10, 100 * MIB, 164 * MIB, true },
		{ 64 << 10, 100 * MIB, 132 * MIB, true },		/* half */
		{ 64 << 10, 100 * MIB, 132 * MIB - 1, false },
		{ 64 << 10, 100 * MIB, 100 * MIB, false },		/* a lie */
		{ 64 << 10, 100 * MIB, 36 * MIB, false },		/* somebody's swapoff */
		{ 1, 100 * MIB, 104 * MIB, true },
		{ 1, 100 * MIB, 104 * MIB - 1, false },			/* a trickle */
		{ TBTF_GRANT_MAX_KB, 0, ~0UL >> 20, true },
		{ TBTF_GRANT_MAX_KB, 1, 0, false },
	};
	struct tbtf_ask ask = { };
	unsigned int i;
	bool good = true;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fresh();
		tbtf_ask_begin(&ask, table[i].before);
		ask.granted_kb = table[i].granted_kb;
		tbtf_ask_end(&ask, TBTF_ASK_GRANTED);
		if (tbtf_ask_used_up(&ask, table[i].now))
			good = false;
		pass(200);
		if (tbtf_ask_used_up(&ask, table[i].now) != table[i].real) {
			printf("# row %u\n", i);
			good = false;
		}
	}
	check(good, "granted and used up, or never there");
	tbtf_ask_begin(&ask, 0);
	ask.granted_kb = 64 << 10;
	tbtf_ask_end(&ask, TBTF_ASK_GRANTED);
	pass(200);
	check(tbtf_ask_used_up(&ask, 64 * MIB), "used up: once");
	tbtf_ask_consumed(&ask);
	check(!tbtf_ask_used_up(&ask, 64 * MIB) && tbtf_ask_next(&ask, false, false) == ASK &&
	      jiffies - ask.since == msecs_to_jiffies(200), "and not again: it can be asked for anew");
	tbtf_ask_end(&ask, TBTF_ASK_REFUSED);
	pass(200);
	check(!tbtf_ask_used_up(&ask, ~0UL), "what was refused is not used up");
}

static void test_wanted(void)
{
	static const struct {
		u64 consumed_kb;
		unsigned int ms;
		u64 protected_kb, wanted_kb;
	} table[] = {
		{ 0, 0, 0, 64 << 10 },
		{ 0, 1000, 100 << 20, 64 << 10 },
		{ 10 << 10, 10000, 100 << 20, 64 << 10 },	/* the floor */
		{ 100 << 10, 1000, 100 << 20, 1000 << 10 },	/* 100 MiB a second, for ten */
		{ 100 << 10, 1, 100 << 20, 1000 << 10 },	/* a burst is taken for a second's */
		{ 100 << 10, 10000, 100 << 20, 100 << 10 },
		{ 100 << 10, 1000, 500 << 10, 500 << 10 },	/* not more than there is of it */
		{ 100 << 10, 1000, 1 << 10, 64 << 10 },
		{ TBTF_GRANT_MAX_KB, 4000000000U, 100ULL << 30, 2748779 },
		{ ~0ULL, 1000, ~0ULL, TBTF_GRANT_MAX_KB * 10 },	/* nothing overflows */
		{ ~0ULL, 0, 100 << 20, 100 << 20 },
	};
	unsigned int i;
	u64 kb;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		kb = tbtf_ask_wanted(table[i].consumed_kb, table[i].ms, table[i].protected_kb);
		check(kb == table[i].wanted_kb, "wanted, row %u: %llu", i, (unsigned long long)kb);
	}
}

static void test_left(void)
{
	struct tbtf_episode ep = { .outcome = TBTF_OUTCOME_SACRIFICED };

	fresh();
	tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
	is("left: all of it", tbtf_ladder_left(&ep, false, false), msecs_to_jiffies(DEADLINE_MS));
	is("left: half of it, where there is another rung", tbtf_ladder_left(&ep, false, true),
	   msecs_to_jiffies(DEADLINE_MS / 2));
	pass(4000);
	is("left: what is not past", tbtf_ladder_left(&ep, false, false),
	   msecs_to_jiffies(DEADLINE_MS - 4000));
	is("left: the same of half", tbtf_ladder_left(&ep, false, true),
	   msecs_to_jiffies(DEADLINE_MS / 2 - 4000));
	pass(DEADLINE_MS / 2);
	is("left: nothing of half", tbtf_ladder_left(&ep, false, true), 0);
	is("left: something of all", tbtf_ladder_left(&ep, false, false),
	   msecs_to_jiffies(DEADLINE_MS / 2 - 4000));
	pass(DEADLINE_MS);
	is("left: never less than nothing", tbtf_ladder_left(&ep, false, false), 0);
	is("left: for ever, what a request has", tbtf_ladder_left(&ep, true, false),
	   msecs_to_jiffies(DEADLINE_MS));
	is("left: for ever, on each rung", tbtf_ladder_left(&ep, true, true),
	   msecs_to_jiffies(DEADLINE_MS));
}

static void test_nap(void)
{
	struct tbtf_episode ep = { .outcome = TBTF_OUTCOME_SACRIFICED };

	fresh();
	tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
	is("nap: nap_ms", tbtf_ladder_nap(&ep, false), msecs_to_jiffies(5000));
	ep.given = TBTF_RUNG_STEAL;
	is("nap: what was granted shows soon", tbtf_ladder_nap(&ep, false), msecs_to_jiffies(200));
	ep.given = TBTF_RUNG_PRINT;
	is("nap: so does what was printed", tbtf_ladder_nap(&ep, false), msecs_to_jiffies(200));
	is("nap: for ever as well", tbtf_ladder_nap(&ep, true), msecs_to_jiffies(200));
	tbtf_knobs.nap_ms = 100;
	is("nap: or nap_ms, if that is less", tbtf_ladder_nap(&ep, true), msecs_to_jiffies(100));
}

static void test_all(const char *name, unsigned long from)
{
	clock_name = name;
	start = from;
	test_next();
	test_times();
	test_skip();
	test_anew();
	test_used_up();
	test_wanted();
	test_left();
	test_nap();
}

int main(void)
{
	test_all("request", 5000000);
	test_all("request across the wrap", -5UL * HZ);
	test_all("request from the wrap", -1UL);
	return failed ? 1 : 0;
}
