// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what printing costs, how fast it is, and what goes back: only arithmetic
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing here asks the machine anything, allocates, or has a clock:
 * selftests/host/unit_price.c tries it all.
 *
 * A price is how much memory is needed for a thousand of what is printed: 0 is a swap
 * file, 333 a zram that packs three pages into one, 1000 no gain at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "price.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB_KB		1024

/**
 * tbtf_rate_look() - how much it is now
 * @rate: all 0 before the first look
 * @now_ms: of a clock that only goes forward
 * @kb: how much
 *
 * What becomes less counts as nothing made: what went back was made before.
 */
void tbtf_rate_look(struct tbtf_rate *rate, int64_t now_ms, uint64_t kb)
{
	int64_t ms = now_ms - rate->at_ms, made = (int64_t)kb - rate->last_kb, now;

	if (rate->at_ms && ms <= 0)
		return;
	if (rate->at_ms) {
		now = made > 0 ? made * 1000 * 1000 / ms : 0;
		/* Weighted by the time that it stands for. */
		rate->milli_kb_s += (now - rate->milli_kb_s) * ms / (ms + TBTF_RATE_MS);
	}
	rate->at_ms = now_ms;
	rate->last_kb = kb;
}

/**
 * tbtf_rate_kb_s() - how fast it grows
 * @rate: after some looks
 *
 * Return: KiB a second.
 */
uint64_t tbtf_rate_kb_s(const struct tbtf_rate *rate)
{
	return rate->milli_kb_s > 0 ? (rate->milli_kb_s + 500) / 1000 : 0;
}

/**
 * tbtf_price() - what is paid for memory
 * @used_kb: what is printed and in use
 * @cost_kb: the memory that is in it
 *
 * Return: so many of a thousand; 0 with nothing in use.
 */
unsigned int tbtf_price(uint64_t used_kb, uint64_t cost_kb)
{
	if (!used_kb)
		return 0;
	return cost_kb >= used_kb * 1000 ? 1000000 : (unsigned int)(cost_kb * 1000 / used_kb);
}

/**
 * tbtf_price_pays() - is there anything to be gained?
 * @used_kb: see tbtf_price()
 * @cost_kb: likewise
 *
 * Return: false if there is not; true also if it is too early to know.
 */
bool tbtf_price_pays(uint64_t used_kb, uint64_t cost_kb)
{
	return used_kb < TBTF_PRICE_LEAST_KB || tbtf_price(used_kb, cost_kb) < TBTF_PRICE_NO_GAIN;
}

/**
 * tbtf_zram_limit() - how much memory compressed pages may take
 * @total_kb: the machine's memory
 * @said_kb: what the configuration says, or 0
 *
 * Return: KiB: at most three quarters of memory, whatever is said.
 */
uint64_t tbtf_zram_limit(uint64_t total_kb, uint64_t said_kb)
{
	uint64_t most = total_kb / 4 * 3, kb = said_kb ? said_kb : total_kb / 2;

	return kb > most ? most : kb;
}

/**
 * tbtf_zram_size() - how large a device may be
 * @limit_kb: the memory that all of them may take
 * @spoken_for_kb: what those that are there take, and what they may still come to take
 *
 * With a page of memory for each of its pages: then it never has to refuse one.
 *
 * Return: KiB, whole MiB.
 */
uint64_t tbtf_zram_size(uint64_t limit_kb, uint64_t spoken_for_kb)
{
	return spoken_for_kb < limit_kb ? (limit_kb - spoken_for_kb) / MIB_KB * MIB_KB : 0;
}

/**
 * tbtf_zram_resize() - is it worth to make a device anew?
 * @have_kb: its size
 * @want_kb: what it would be now
 *
 * Return: whether they differ by a quarter.
 */
bool tbtf_zram_resize(uint64_t have_kb, uint64_t want_kb)
{
	uint64_t by = have_kb > want_kb ? have_kb - want_kb : want_kb - have_kb;

	return by > have_kb / 4;
}

/**
 * tbtf_zram_parse() - read mm_stat
 * @text: a line of numbers; newer kernels have more at its end
 * @ret: what they are
 *
 * Return: 0; -EPROTO: it is something else.
 */
int tbtf_zram_parse(const char *text, struct tbtf_zram_stat *ret)
{
	uint64_t pages, packed, memory, hard;

	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64,
		   &pages, &packed, &memory, &hard) != 4)
		return -EPROTO;
	ret->pages_kb = pages / 1024;
	ret->packed_kb = (packed + 1023) / 1024;
	ret->memory_kb = memory / 1024;
	ret->hard_kb = hard * 4;
	return 0;
}

/**
 * tbtf_zram_compressor() - choose one
 * @text: comp_algorithm: names, the one that is set in brackets
 * @ret: where its name goes
 * @size: of @ret
 *
 * The fastest: a page is packed while somebody waits for it. What is set already will do
 * where none of them is there.
 *
 * Return: 0; -ENOENT: none is there at all; -ENAMETOOLONG.
 */
int tbtf_zram_compressor(const char *text, char *ret, size_t size)
{
	static const char * const fast[] = { "lz4", "lzo-rle", "lzo" };
	const char *at;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(fast); i++) {
		for (at = text; *at; at += len) {
			at += strspn(at, " []\n");
			len = strcspn(at, " []\n");
			if (len != strlen(fast[i]) || strncmp(at, fast[i], len))
				continue;
			if (len >= size)
				return -ENAMETOOLONG;
			strcpy(ret, fast[i]);
			return 0;
		}
	}
	at = strchr(text, '[');
	len = at ? strcspn(at + 1, "]") : 0;
	if (!len || at[1 + len] != ']')
		return -ENOENT;
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret, at + 1, len);
	ret[len] = 0;
	return 0;
}

/**
 * tbtf_quiet() - may printed memory go back?
 * @quiet: how the machine burns
 * @room: the machine's memory
 * @back_kb: what has to be available for it
 *
 * If it burned on like this for as long as it has been quiet now, it would still not
 * have to print again.
 *
 * Return: whether.
 */
bool tbtf_quiet(const struct tbtf_quiet *quiet, const struct tbtf_room *room, uint64_t back_kb)
{
	uint64_t burnt = quiet->burn_kb_s * quiet->after_s;

	return quiet->long_enough && tbtf_extent_fits(back_kb + burnt, room, quiet->share);
}

/**
 * tbtf_printed_next() - what goes back next
 * @printed: of each mint, in the order of printing
 * @n: how many
 * @room: the machine's memory
 * @quiet: how it burns
 *
 * What is no gain goes at once, as soon as it fits anywhere: it takes the memory that it
 * was to make. Otherwise what was printed last goes first, and nothing before it.
 *
 * Return: its index, or -1: none.
 */
int tbtf_printed_next(const struct tbtf_printed *printed, size_t n, const struct tbtf_room *room,
		      const struct tbtf_quiet *quiet)
{
	for (size_t i = 0; i < n; i++)
		if (printed[i].out && !printed[i].pays &&
		    (printed[i].elsewhere_kb >= printed[i].back_kb ||
		     tbtf_extent_fits(printed[i].back_kb, room, TBTF_SPARE_LITTLE)))
			return i;
	for (size_t i = n; i-- > 0;)
		if (printed[i].out)
			return tbtf_quiet(quiet, room, printed[i].back_kb) ? (int)i : -1;
	return -1;
}
