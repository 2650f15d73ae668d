// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint zram: memory by packing pages, as long as there is a gain in it
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * No more is ever promised than memory may be taken for: a device has as many pages as
 * would fit if none of them could be compressed. So none ever refuses a page that the
 * kernel believes it has room for, which is no way out of memory but a standstill. What
 * has been gained when one is full is the next one's size.
 *
 * The first is made, with a header, before it is needed, the next ones while the last is
 * about to be full, so that printing is one swapon(2). Whether there is any sense in it a
 * sample of the protected processes' pages says beforehand; once they are swap they say
 * so themselves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "log.h"
#include "memory.h"
#include "mint.h"
#include "sample.h"
#include "zram.h"

#define DEVICES		6
/* It was no gain: what comes next is hardly better. */
#define NO_GAIN_S	300
/* A device is about to be full with so many parts of its pages free. */
#define NEARLY		8
/* One that is smaller than this part of all memory that may be taken is not worth it. */
#define LEAST		16

/* A device of ours. */
struct device {
	int index;
	uint64_t kb;		/* its size */
};

/* What all devices that are swap have in them, and what they may still get. */
struct sum {
	uint64_t pages_kb, packed_kb, memory_kb, hard_kb;
	uint64_t free_kb;	/* what is promised and not there */
	uint64_t slots_kb;	/* that the kernel has not given to a page */
};

static struct {
	struct device out[DEVICES];	/* swap, in the order of printing */
	size_t n;
	struct device ready;	/* or its kb is 0 */
	struct tbtf_sample sample;
	size_t tried;		/* n, when one was made beforehand */
	unsigned int told;	/* the price, when it was said last */
	time_t not_before;	/* CLOCK_MONOTONIC */
} the;

static time_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Memory for a thousand of what would be printed now. */
static unsigned int price(void)
{
	return the.sample.pages ? the.sample.price : TBTF_PRICE_GUESS;
}

static uint64_t limit(const struct tbtf_conf *conf)
{
	struct tbtf_room room = { .total_kb = 0 };

	(void)tbtf_memory_room(&room);
	return tbtf_zram_limit(room.total_kb, conf->print.zram_kb);
}

/* What has been gained when @kb are full. */
static uint64_t gain(uint64_t kb)
{
	return kb - kb * (price() < 1000 ? price() : 1000) / 1000;
}

/* Forgets what is swap no more: somebody else's swapoff. */
static void add_up(struct sum *ret)
{
	size_t left = 0;

	*ret = (struct sum){ .pages_kb = 0 };
	for (size_t i = 0; i < the.n; i++) {
		char device[TBTF_DEVICE_LEN];
		struct tbtf_zram_stat stat;
		struct tbtf_swap swap;
		int err;

		tbtf_zram_device(the.out[i].index, device);
		err = tbtf_swap_find(device, &swap);
		if (err == -ENOENT) {
			tbtf_notice("%s is swap no more: somebody else's swapoff", device);
			(void)tbtf_zram_remove(the.out[i].index);
			continue;
		}
		the.out[left++] = the.out[i];
		if (err || tbtf_zram_stat(the.out[i].index, &stat))
			continue;
		ret->pages_kb += stat.pages_kb;
		ret->packed_kb += stat.packed_kb;
		ret->memory_kb += stat.memory_kb;
		ret->hard_kb += stat.hard_kb;
		if (swap.size_kb > stat.pages_kb)
			ret->free_kb += swap.size_kb - stat.pages_kb;
		ret->slots_kb += swap.size_kb - swap.used_kb;
	}
	the.n = left;
}

/* Nearly, or there is none. */
static bool are_full(const struct sum *sum)
{
	return !the.n || sum->slots_kb * NEARLY <= the.out[the.n - 1].kb;
}

/* How large another device may be. */
static uint64_t cover(const struct tbtf_conf *conf, const struct sum *sum)
{
	uint64_t most = limit(conf), kb = tbtf_zram_size(most, sum->memory_kb + sum->free_kb);

	return the.n < DEVICES && kb >= most / LEAST ? kb : 0;
}

static uint64_t out_kb(void)
{
	uint64_t kb = 0;

	for (size_t i = 0; i < the.n; i++)
		kb += the.out[i].kb;
	return kb;
}

/* Is there any sense in it? If not, the next mint is asked. */
static void judge(struct tbtf_mint *mint, const struct sum *sum)
{
	/* What will have been gained when all is full is there for the next one. */
	struct sum then = *sum;
	uint64_t kb;

	then.free_kb -= gain(then.free_kb);
	kb = cover(mint->conf, &then);
	if (!the.n && !the.ready.kb) {
		mint->ready_kb = 0;
	} else if (!mint->pays || now_s() < the.not_before) {
		mint->ready_kb = 0;
		if (!the.n)
			tbtf_mint_why(mint, "it was no gain the last time");
	} else if (price() >= TBTF_PRICE_NO_GAIN) {
		mint->ready_kb = 0;
		tbtf_mint_why(mint, "pages of who is protected can hardly be compressed");
	} else {
		mint->ready_kb = gain(the.ready.kb ? the.ready.kb : kb);
		tbtf_mint_well(mint);
	}
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int find(struct tbtf_mint *mint)
{
	/* All that are swap, and the next one, which was only ready. */
	int index[DEVICES + 1], n = tbtf_zram_find(TBTF_SWAP_PRINTED, index, DEVICES + 1);
	char device[TBTF_DEVICE_LEN];
	struct tbtf_swap swap;

	qsort(index, n, sizeof(index[0]), by_number);
	for (int i = 0; i < n; i++) {
		tbtf_zram_device(index[i], device);
		if (the.n == DEVICES || tbtf_swap_find(device, &swap)) {
			(void)tbtf_zram_remove(index[i]);
			continue;
		}
		the.out[the.n++] = (struct device){ .index = index[i], .kb = swap.size_kb };
		mint->used_kb += swap.used_kb;
		tbtf_info("%s is still here: it is swap, with %" PRIu64 " kB", device, swap.used_kb);
	}
	mint->out_kb = out_kb();
	return tbtf_sample_start(&the.sample);
}

/* Make one, of that size, if there is none. */
static int make(uint64_t kb)
{
	char device[TBTF_DEVICE_LEN];
	int index;

	if (the.ready.kb)
		return 0;
	index = tbtf_zram_add(kb, TBTF_SWAP_PRINTED);
	if (index < 0)
		return index;
	the.ready = (struct device){ .index = index, .kb = kb };
	tbtf_zram_device(index, device);
	tbtf_info("%s is ready: %" PRIu64 " kB", device, kb);
	return 0;
}

static void drop_ready(void)
{
	if (the.ready.kb && !tbtf_zram_remove(the.ready.index))
		the.ready.kb = 0;
}

static void prepare(struct tbtf_mint *mint)
{
	struct sum sum;
	uint64_t kb;
	int err;

	add_up(&sum);
	kb = cover(mint->conf, &sum);
	if (the.ready.kb && tbtf_zram_resize(the.ready.kb, kb))
		drop_ready();
	err = kb ? make(kb) : 0;
	if (err)
		tbtf_mint_why(mint, "cannot make a zram: %s",
			      err == -ENOENT ? "modprobe zram" : strerror(-err));
	else
		judge(mint, &sum);
}

static uint64_t print(struct tbtf_mint *mint, const struct tbtf_request *request)
{
	char device[TBTF_DEVICE_LEN];
	struct sum sum;
	uint64_t kb;
	int err;

	(void)request;
	add_up(&sum);
	kb = cover(mint->conf, &sum);
	/* There are free pages, and yet no memory: more of them would not help. */
	if (!are_full(&sum) || (!kb && !the.ready.kb))
		return 0;
	err = make(kb);
	if (err) {
		tbtf_mint_why(mint, "cannot make a zram: %s", strerror(-err));
		mint->ready_kb = 0;
		return 0;
	}
	tbtf_zram_device(the.ready.index, device);
	err = tbtf_swap_on(device, mint->conf->print.zram_priority);
	if (err) {
		tbtf_mint_why(mint, "cannot make %s swap: %s", device, strerror(-err));
		mint->ready_kb = 0;
		return 0;
	}
	kb = the.ready.kb;
	the.out[the.n++] = the.ready;
	the.ready.kb = 0;
	mint->pays = true;
	mint->out_kb = out_kb();
	tbtf_mint_well(mint);
	return gain(kb);
}

static void tell_price(void)
{
	if (!the.sample.pages || (the.told && !tbtf_zram_resize(the.told, price())))
		return;
	the.told = price();
	tbtf_info("zram: 1000 kB would take %u kB, by a sample of %u pages", price(),
		  (unsigned int)the.sample.pages);
}

static void look(struct tbtf_mint *mint)
{
	struct sum sum;
	bool pays;

	mint->ns_per_kb = the.sample.pages ? (uint64_t)the.sample.ns_per_kb : 0;
	tell_price();
	add_up(&sum);
	mint->out_kb = out_kb();
	mint->used_kb = sum.pages_kb;
	mint->cost_kb = sum.memory_kb;
	/* What comes back has to fit, less the memory that is freed by its coming back. */
	mint->back_kb = sum.pages_kb > sum.memory_kb ? sum.pages_kb - sum.memory_kb : 0;
	/* Not by memory: that has holes when most of the pages have gone. */
	pays = tbtf_price_pays(sum.pages_kb, sum.packed_kb);
	if (mint->pays && !pays)
		tbtf_warning("zram is no gain: %" PRIu64 " kB of memory for %" PRIu64 " kB, of which %" PRIu64 " kB cannot be compressed",
			     sum.memory_kb, sum.pages_kb, sum.hard_kb);
	mint->pays = pays;
	judge(mint, &sum);
	if (mint->stopping || !mint->ready_kb)
		return;
	if (!the.n) {
		/* Memory has been added since, or taken away. */
		mint->preparing = tbtf_zram_resize(the.ready.kb, cover(mint->conf, &sum));
		if (mint->preparing)
			mint->ready_kb = 0;
	} else if (are_full(&sum) && the.tried < the.n) {
		/* The next one is made while there is still some room in the last. */
		the.tried = the.n;
		(void)make(cover(mint->conf, &sum));
	}
}

static int take_back(struct tbtf_mint *mint)
{
	const struct device *last = &the.out[the.n - 1];
	char device[TBTF_DEVICE_LEN];
	int err;

	tbtf_zram_device(last->index, device);
	err = tbtf_mint_swapoff(mint, device);
	if (err)
		return err;
	if (!mint->pays)
		the.not_before = now_s() + NO_GAIN_S;
	(void)tbtf_zram_remove(last->index);
	the.n--;
	the.tried = 0;
	mint->preparing = !the.n;
	return 0;
}

static void end(struct tbtf_mint *mint)
{
	(void)mint;
	tbtf_sample_stop(&the.sample);
	drop_ready();
}

static void plan(const struct tbtf_conf *conf, char *ret, size_t size)
{
	(void)snprintf(ret, size, "a zram of %" PRIu64 " kB, of priority %" PRIu64 ", and more of them as far as they pay",
		       tbtf_zram_size(limit(conf), 0), conf->print.zram_priority);
}

const struct tbtf_mint_ops tbtf_mint_zram = {
	.name = "zram",
	.swap = true,
	.grows = true,
	.open = find,
	.prepare = prepare,
	.print = print,
	.look = look,
	.take_back = take_back,
	.close = end,
	.plan = plan,
};
