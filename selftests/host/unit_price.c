// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - unit tests of what printing costs, how fast it is, and what goes back (host)
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"
#include "../../userspace/tbtfd/price.h"

#define MIB	1024ULL
#define GIB	(1024 * MIB)

static void within(const char *what, uint64_t got, uint64_t wanted, unsigned int percent)
{
	result(got * 100 >= wanted * (100 - percent) && got * 100 <= wanted * (100 + percent), "%s", what);
	printf("# %s: got %llu, wanted about %llu\n", what, (unsigned long long)got,
	       (unsigned long long)wanted);
}

static void test_rate(void)
{
	struct tbtf_rate rate = { .at_ms = 0 };
	int64_t ms = 5000;
	uint64_t kb = 123;

	tbtf_rate_look(&rate, ms, kb);
	is("rate: one look says nothing", tbtf_rate_kb_s(&rate), 0);
	for (int i = 0; i < 60; i++)
		tbtf_rate_look(&rate, ms += 500, kb += 1000);
	within("rate: 2000 kB a second for half a minute", tbtf_rate_kb_s(&rate), 2000, 3);
	tbtf_rate_look(&rate, ms, kb + 1000000);
	within("rate: two looks at one time are one", tbtf_rate_kb_s(&rate), 2000, 3);
	tbtf_rate_look(&rate, ms += TBTF_RATE_MS, kb);
	within("rate: nothing for as long as it remembers halves it", tbtf_rate_kb_s(&rate), 1000, 5);
	tbtf_rate_look(&rate, ms += 1000, 0);
	within("rate: what goes back counts as nothing", tbtf_rate_kb_s(&rate), 800, 5);
	for (int i = 0; i < 60; i++)
		tbtf_rate_look(&rate, ms += 1000, 0);
	is("rate: in the end it is nothing", tbtf_rate_kb_s(&rate), 0);
}

static void test_price(void)
{
	is("price: nothing in use", tbtf_price(0, 1000), 0);
	is("price: three pages in one", tbtf_price(3000, 1000), 333);
	is("price: of a file", tbtf_price(3000, 0), 0);
	is("price: more than it holds", tbtf_price(1000, 1100), 1100);
	is("price: far more than it holds", tbtf_price(4, 1ULL << 60), 1000000);
	result(tbtf_price_pays(TBTF_PRICE_LEAST_KB - 1, 100000), "pays: too early to know");
	result(!tbtf_price_pays(TBTF_PRICE_LEAST_KB, TBTF_PRICE_LEAST_KB), "pays: as much as it holds: no");
	result(tbtf_price_pays(100000, 79999), "pays: just below");
	result(!tbtf_price_pays(100000, 80000), "pays: no gain");
}

static void test_size(void)
{
	is("limit: half of memory", tbtf_zram_limit(4 * GIB, 0), 2 * GIB);
	is("limit: what is said", tbtf_zram_limit(4 * GIB, GIB), GIB);
	is("limit: never more than three quarters", tbtf_zram_limit(4 * GIB, 8 * GIB), 3 * GIB);
	is("size: of the first", tbtf_zram_size(GIB, 0), GIB);
	is("size: of the next", tbtf_zram_size(GIB, GIB / 4), GIB / 4 * 3);
	is("size: whole MiB", tbtf_zram_size(GIB, 1), GIB - MIB);
	is("size: nothing is left", tbtf_zram_size(GIB, GIB), 0);
	is("size: less than nothing", tbtf_zram_size(GIB, GIB + 4), 0);
	result(!tbtf_zram_resize(GIB, GIB + GIB / 4), "resize: a quarter more is not worth it");
	result(tbtf_zram_resize(GIB, GIB + GIB / 4 + 1), "resize: above that it is");
	result(tbtf_zram_resize(4 * GIB, 2 * GIB), "resize: half");
}

static void test_parse(void)
{
	struct tbtf_zram_stat stat = { .pages_kb = 1 };

	is("mm_stat: of 6.1", tbtf_zram_parse(" 8192000  2000896  2420736        0  2420736       10        0       25       25\n",
					      &stat), 0);
	result(stat.pages_kb == 8000 && stat.packed_kb == 1954 && stat.memory_kb == 2364 && stat.hard_kb == 100,
	       "mm_stat: its numbers");
	is("mm_stat: with more at its end", tbtf_zram_parse("1024 2 3 4 5 6 7 8 9 10 11\n", &stat), 0);
	is("mm_stat: cut off", tbtf_zram_parse("1024 2 3 4 5 6 7\n", &stat), -EPROTO);
	is("mm_stat: nothing", tbtf_zram_parse("", &stat), -EPROTO);
	result(stat.pages_kb == 1, "mm_stat: what was wrong changed nothing");
}

static const char *compressor(const char *text)
{
	static char name[16];

	return tbtf_zram_compressor(text, name, sizeof(name)) ? "" : name;
}

static void test_compressor(void)
{
	char four[4];

	result(!strcmp(compressor("lzo [lzo-rle] lz4 zstd \n"), "lz4"), "compressor: lz4 if it is there");
	result(!strcmp(compressor("[lzo] lzo-rle lz4hc zstd\n"), "lzo-rle"), "compressor: not what begins like it");
	result(!strcmp(compressor("[lz4] zstd"), "lz4"), "compressor: in brackets already");
	result(!strcmp(compressor("deflate [zstd] 842\n"), "zstd"), "compressor: what is set, if none is known");
	result(!*compressor("deflate 842\n"), "compressor: none is set");
	result(!*compressor(""), "compressor: none at all");
	result(!*compressor("deflate [zstd"), "compressor: cut off");
	is("compressor: no room", tbtf_zram_compressor("lzo-rle", four, sizeof(four)), -ENAMETOOLONG);
	is("compressor: no room for what is set", tbtf_zram_compressor("[zstd]", four, sizeof(four)), -ENAMETOOLONG);
}

static void test_back(void)
{
	struct tbtf_room room = { .total_kb = 16 * GIB, .available_kb = 4 * GIB };
	struct tbtf_quiet quiet = { .after_s = 60, .long_enough = true, .share = TBTF_SPARE_MUCH };
	struct tbtf_printed printed[3] = {
		{ .out = true, .pays = true, .back_kb = GIB },
		{ .out = true, .pays = true, .back_kb = 2 * GIB },
		{ .out = true, .pays = true, .back_kb = GIB },
	};

	is("back: what was printed last goes first", tbtf_printed_next(printed, 3, &room, &quiet), 2);
	printed[2].out = false;
	is("back: then the one before", tbtf_printed_next(printed, 3, &room, &quiet), 1);
	quiet.burn_kb_s = GIB / 60;
	is("back: not at a rate that would use it up", tbtf_printed_next(printed, 3, &room, &quiet), 1);
	quiet.burn_kb_s = GIB / 60 + 1000;
	is("back: and no other before it", tbtf_printed_next(printed, 3, &room, &quiet), -1);
	quiet.burn_kb_s = 0;
	quiet.long_enough = false;
	is("back: not before it has been quiet", tbtf_printed_next(printed, 3, &room, &quiet), -1);
	printed[0].pays = false;
	is("back: what is no gain at once", tbtf_printed_next(printed, 3, &room, &quiet), 0);
	room.available_kb = GIB;
	is("back: if it fits", tbtf_printed_next(printed, 3, &room, &quiet), -1);
	printed[0].elsewhere_kb = GIB;
	is("back: or other swap has room", tbtf_printed_next(printed, 3, &room, &quiet), 0);
	printed[0].out = printed[1].out = false;
	is("back: nothing is out", tbtf_printed_next(printed, 3, &room, &quiet), -1);
}

int main(void)
{
	test_rate();
	test_price();
	test_size();
	test_parse();
	test_compressor();
	test_back();
	return failed > 0;
}
