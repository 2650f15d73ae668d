// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint limit: how far up, how far down, and what is written down of it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdint.h>

#include "../../userspace/tbtfd/limit.h"
#include "unit.h"

#define MIB	(1ULL << 20)

static void test_room(void)
{
	static const struct {
		struct tbtf_room room;
		uint64_t promised_kb, kb;
	} table[] = {
		{ { 1 << 20, 1 << 19, 0 }, 0, (1 << 19) - 65536 },		/* a 16th stays */
		{ { 1 << 20, 1 << 19, 4096 }, 0, (1 << 19) - 65536 - 4096 },
		{ { 1 << 20, 1 << 19, 0 }, 100000, (1 << 19) - 65536 - 100000 },
		{ { 65536, 40000, 0 }, 0, 40000 - 16384 },			/* or 16 MiB */
		{ { 65536, 16384, 0 }, 0, 0 },
		{ { 65536, 16385, 0 }, 0, 1 },
		{ { 65536, 40000, 0 }, UINT64_MAX / 2, 0 },
		{ { 0, 0, 0 }, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		result(tbtf_limit_room(&table[i].room, table[i].promised_kb) == table[i].kb, "room, row %zu", i);
}

static void test_up(void)
{
	static const struct {
		uint64_t now, wanted, most, room, above, to;
	} table[] = {
		{ 30 * MIB, 64 * MIB, 200 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 94 * MIB },
		{ 30 * MIB, 64 * MIB, 60 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 60 * MIB },	/* limit_max */
		{ 30 * MIB, 64 * MIB, 200 * MIB, 40 * MIB, TBTF_LIMIT_NONE, 70 * MIB },	/* the machine */
		{ 30 * MIB, 64 * MIB, 200 * MIB, 500 * MIB, 10 * MIB, 40 * MIB },	/* the one above */
		{ 30 * MIB, 64 * MIB, 200 * MIB, 4 * MIB - 1, TBTF_LIMIT_NONE, 30 * MIB }, /* too little */
		{ 30 * MIB, 64 * MIB, 200 * MIB, 4 * MIB, TBTF_LIMIT_NONE, 34 * MIB },
		{ 30 * MIB, 64 * MIB, 30 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 30 * MIB },
		{ 30 * MIB, 64 * MIB, 20 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 30 * MIB },
		{ 30 * MIB, 64 * MIB, 33 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 30 * MIB },
		{ 30 * MIB, 64 * MIB + 4095, 200 * MIB, 500 * MIB, 0, 30 * MIB },
		{ 30 * MIB, 64 * MIB + 4095, 200 * MIB, 500 * MIB, TBTF_LIMIT_NONE, 94 * MIB },	/* pages */
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		result(tbtf_limit_up(table[i].now, table[i].wanted, table[i].most, table[i].room,
				     table[i].above) == table[i].to, "up, row %zu", i);
}

static void test_down(void)
{
	struct tbtf_limit limit = { .max = 30 * MIB, .high = TBTF_LIMIT_NONE, .set = 110 * MIB };
	unsigned int steps = 0;
	uint64_t to;

	for (; limit.set > limit.max && steps < 100; steps++) {
		to = tbtf_limit_down(&limit);
		if (to >= limit.set || to < limit.max || (limit.set - to < TBTF_LIMIT_LEAST && to != limit.max))
			break;
		limit.set = to;
	}
	is("down: to where it was, to the byte", limit.set, 30 * MIB);
	result(steps > 8 && steps < 20, "down: in steps: %u", steps);
	is("down: there it stays", tbtf_limit_down(&limit), 30 * MIB);
	limit.set = 31 * MIB;
	is("down: the last one", tbtf_limit_down(&limit), 30 * MIB);
	limit.max = 12345678;
	limit.set = 12345678 + 5 * MIB;
	limit.set = tbtf_limit_down(&limit);
	limit.set = tbtf_limit_down(&limit);
	is("down: a limit that is no whole page", limit.set, 12345678);
}

static void test_can(void)
{
	static const struct {
		uint64_t usage, cache, max;
		bool can;
	} table[] = {
		{ 29 * MIB, 0, 30 * MIB, true },
		{ 29 * MIB + 1, 0, 30 * MIB, false },
		{ 100 * MIB, 0, 30 * MIB, false },
		{ 31 * MIB, 4 * MIB, 30 * MIB, true },		/* two of cache go */
		{ 31 * MIB, 4 * MIB - 4096, 30 * MIB, false },
		{ 100 * MIB, 100 * MIB, 30 * MIB, false },
		{ 10 * MIB, 100 * MIB, 30 * MIB, true },
		{ 127 * MIB, 0, 128 * MIB, false },		/* a 64th: two */
		{ 126 * MIB, 0, 128 * MIB, true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		result(tbtf_limit_can(table[i].usage, table[i].cache, table[i].max) == table[i].can,
		       "can, row %zu", i);
	result(tbtf_limit_push(30 * MIB) < 30 * MIB && tbtf_limit_push(0) == 0, "memory.high stands below memory.max");
	is("by half of that", tbtf_limit_push(128 * MIB), 127 * MIB);
}

static void test_high(void)
{
	struct tbtf_limit limit = { .max = 30 * MIB, .high = 20 * MIB, .set = 60 * MIB, .from = 64 * MIB };

	is("high: as far away as it was", tbtf_limit_high(&limit, 60 * MIB), 50 * MIB);
	is("high: where it was", tbtf_limit_high(&limit, 30 * MIB), 20 * MIB);
	is("high: not lower", tbtf_limit_high(&limit, 20 * MIB), 20 * MIB);
	result(tbtf_limit_ours(&limit, 50 * MIB) && tbtf_limit_ours(&limit, 54 * MIB) &&
	       tbtf_limit_ours(&limit, tbtf_limit_push(60 * MIB)), "ours: what is written on the way");
	result(!tbtf_limit_ours(&limit, 51 * MIB) && !tbtf_limit_ours(&limit, TBTF_LIMIT_NONE),
	       "not ours: anything else");
	limit.high = TBTF_LIMIT_NONE;
	result(tbtf_limit_high(&limit, 60 * MIB) == TBTF_LIMIT_NONE, "high: none, none");
}

static void test_lines(void)
{
	static const char * const bad[] = {
		"", "1", "1 2 3 4 5", "1 2 3 4 5 ", "1 2 3 4 5 x", "0 1 1 2 2 /x", "1 5 1 4 9 /x", "1 5 1 9 4 /x",
		"x 2 3 4 5 /x", "1 1 1 18446744073709551615 5 /x", "1 2 3 4 5 /a/../b",
	};
	struct tbtf_limit limit = { .id = 77, .max = 1, .high = TBTF_LIMIT_NONE, .set = 9, .from = 8,
				    .path = "/a slice/b" }, got = { .id = 0 }, before;
	char line[TBTF_LIMIT_LINE];

	result(!tbtf_limit_format(line, sizeof(line), &limit) && !tbtf_limit_parse(line, &got) &&
	       !memcmp(&got, &limit, sizeof(got)), "a line comes back as it was: %s", line);
	before = got;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		result(tbtf_limit_parse(bad[i], &got) == -EPROTO && !memcmp(&got, &before, sizeof(got)),
		       "no line: '%s'", bad[i]);
	result(!tbtf_limit_parse("1 5 9 5 7 /x", &got) && !tbtf_limit_parse("1 5 9 7 5 /x", &got),
	       "a line: just raised, or all but lowered");
	memset(line, 'x', sizeof(line));
	memcpy(line, "1 2 3 4 5 /", 11);
	line[sizeof(line) - 1] = 0;
	result(tbtf_limit_parse(line, &got) == -EPROTO, "no line: a path too long");
	line[10 + TBTF_LIMIT_PATH] = 0;
	result(tbtf_limit_parse(line, &got) == -EPROTO, "no line: by one");
	line[10 + TBTF_LIMIT_PATH - 1] = 0;
	result(!tbtf_limit_parse(line, &got) && strlen(got.path) == TBTF_LIMIT_PATH - 1,
	       "a line: as long as a path may be");
	result(tbtf_limit_format(line, 20, &limit) == -ENOSPC, "no room for a line");
	result(!tbtf_limit_format(line, sizeof(line), &limit) &&
	       tbtf_limit_format(line, strlen(line), &limit) == -ENOSPC, "nor for all but its end");
}

int main(void)
{
	test_room();
	test_up();
	test_down();
	test_can();
	test_high();
	test_lines();
	return failed ? 1 : 0;
}
