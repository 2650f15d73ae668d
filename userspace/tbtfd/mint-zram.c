// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint zram: memory by packing pages, as long as there is a gain in it
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One device, made and with a header before it is needed, so that printing is one
 * swapon(2). How large it is, and whether there is any sense in it, a sample of the
 * protected processes' pages says beforehand; once it is swap it says so itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "log.h"
#include "memory.h"
#include "mint.h"
#include "sample.h"
#include "zram.h"

#define FOUND_MAX	8
/* Of its size, or less, a device takes for its tables. */
#define TABLES		100
/* It was no gain: what comes next is hardly better. */
#define NO_GAIN_S	300

static struct {
	int index;		/* of the device, or -1 */
	uint64_t kb;		/* its size */
	struct tbtf_sample sample;
	time_t not_before;	/* CLOCK_MONOTONIC */
} the = { .index = -1 };

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

static uint64_t size_now(const struct tbtf_conf *conf, uint64_t *ret_limit)
{
	struct tbtf_room room = { .total_kb = 0 };

	(void)tbtf_memory_room(&room);
	*ret_limit = tbtf_zram_limit(room.total_kb, conf->print.zram_kb);
	return tbtf_zram_size(*ret_limit, price());
}

/* What has been gained when it is full. */
static uint64_t gain(void)
{
	return the.kb - the.kb * price() / 1000;
}

/* Is there any sense in it? If not, the next mint is asked. */
static void judge(struct tbtf_mint *mint)
{
	if (the.index < 0 || mint->out_kb) {
		mint->ready_kb = 0;
	} else if (now_s() < the.not_before) {
		mint->ready_kb = 0;
		tbtf_mint_why(mint, "it was no gain the last time");
	} else if (price() >= TBTF_PRICE_NO_GAIN) {
		mint->ready_kb = 0;
		tbtf_mint_why(mint, "pages of who is protected can hardly be compressed");
	} else {
		mint->ready_kb = gain();
		tbtf_mint_well(mint);
	}
}

static int find(struct tbtf_mint *mint)
{
	int index[FOUND_MAX], n = tbtf_zram_find(TBTF_SWAP_PRINTED, index, FOUND_MAX);
	char device[TBTF_DEVICE_LEN];
	struct tbtf_swap swap;

	for (int i = 0; i < n; i++) {
		tbtf_zram_device(index[i], device);
		if (tbtf_swap_find(device, &swap) || the.index >= 0) {
			(void)tbtf_zram_remove(index[i]);
			continue;
		}
		the.index = index[i];
		the.kb = swap.size_kb;
		mint->out_kb = swap.size_kb;
		mint->used_kb = swap.used_kb;
		tbtf_info("%s is still here: it is swap, with %" PRIu64 " kB", device, swap.used_kb);
	}
	return tbtf_sample_start(&the.sample);
}

static void prepare(struct tbtf_mint *mint)
{
	uint64_t limit_kb, kb = size_now(mint->conf, &limit_kb);
	char device[TBTF_DEVICE_LEN];
	int index;

	/* As the sample wants it now. */
	if (the.index >= 0 && tbtf_zram_resize(the.kb, kb) && !tbtf_zram_remove(the.index))
		the.index = -1;
	if (the.index < 0) {
		index = tbtf_zram_add(kb, limit_kb, TBTF_SWAP_PRINTED);
		if (index < 0) {
			tbtf_mint_why(mint, "cannot make a zram: %s",
				      index == -ENOENT ? "modprobe zram" : strerror(-index));
			return;
		}
		the.index = index;
		the.kb = kb;
		tbtf_zram_device(index, device);
		tbtf_info("%s is ready: %" PRIu64 " kB, in %" PRIu64 " kB of memory at most, %u of 1000 %s",
			  device, kb, limit_kb, price(), the.sample.pages ? "by sample" : "by guess");
	}
	judge(mint);
}

static uint64_t print(struct tbtf_mint *mint, const struct tbtf_request *request)
{
	char device[TBTF_DEVICE_LEN];
	int err;

	(void)request;
	if (the.index < 0 || mint->out_kb)
		return 0;
	tbtf_zram_device(the.index, device);
	err = tbtf_swap_on(device, mint->conf->print.zram_priority);
	if (err) {
		tbtf_mint_why(mint, "cannot make %s swap: %s", device, strerror(-err));
		mint->ready_kb = 0;
		return 0;
	}
	mint->ready_kb = 0;
	mint->used_kb = 0;
	mint->cost_kb = 0;
	mint->pays = true;
	mint->full = false;
	mint->out_kb = the.kb;
	tbtf_mint_well(mint);
	return gain();
}

static void look_out(struct tbtf_mint *mint)
{
	struct tbtf_zram_stat stat;
	char device[TBTF_DEVICE_LEN];
	struct tbtf_swap swap;
	bool pays;

	tbtf_zram_device(the.index, device);
	if (tbtf_zram_stat(the.index, &stat))
		return;
	mint->used_kb = stat.pages_kb;
	mint->cost_kb = stat.memory_kb;
	/* What comes back has to fit, less the memory that is freed by its coming back. */
	mint->back_kb = stat.pages_kb > stat.memory_kb ? stat.pages_kb - stat.memory_kb : 0;
	pays = tbtf_price_pays(stat.pages_kb, stat.memory_kb);
	if (mint->pays && !pays)
		tbtf_warning("zram is no gain: %" PRIu64 " kB of memory for %" PRIu64 " kB, of which %" PRIu64 " kB cannot be compressed",
			     stat.memory_kb, stat.pages_kb, stat.hard_kb);
	mint->pays = pays;
	/* Of what it may take an eighth is left: the other mints need time to print. */
	if (!mint->full && stat.limit_kb && stat.memory_kb >= stat.limit_kb - stat.limit_kb / 8) {
		tbtf_warning("%s is full: %" PRIu64 " kB of memory, of %" PRIu64 " kB that it may take",
			     device, stat.memory_kb, stat.limit_kb);
		mint->full = true;
		(void)eventfd_write(mint->to_main, 1);
	}
	if (tbtf_swap_find(device, &swap) != -ENOENT)
		return;
	tbtf_notice("%s is swap no more: somebody else's swapoff", device);
	mint->out_kb = mint->used_kb = mint->cost_kb = mint->back_kb = 0;
}

static void look(struct tbtf_mint *mint)
{
	uint64_t limit_kb, kb;
	struct tbtf_room room;

	mint->ns_per_kb = the.sample.pages ? (uint64_t)the.sample.ns_per_kb : 0;
	if (mint->out_kb) {
		look_out(mint);
		return;
	}
	judge(mint);
	if (!mint->ready_kb)
		return;
	/* Another size would suit better, and there is memory for its tables. */
	kb = size_now(mint->conf, &limit_kb);
	if (tbtf_zram_resize(the.kb, kb) && !tbtf_memory_room(&room) &&
	    tbtf_extent_fits(kb / TABLES, &room, TBTF_SPARE_MUCH)) {
		mint->preparing = true;
		mint->ready_kb = 0;
	}
}

static int take_back(struct tbtf_mint *mint)
{
	char device[TBTF_DEVICE_LEN];
	int err;

	tbtf_zram_device(the.index, device);
	err = tbtf_mint_swapoff(mint, device);
	if (err)
		return err;
	if (!mint->pays)
		the.not_before = now_s() + NO_GAIN_S;
	mint->preparing = true;
	mint->out_kb = mint->used_kb = mint->cost_kb = mint->back_kb = 0;
	mint->pays = true;
	mint->full = false;
	err = tbtf_zram_remove(the.index);
	if (!err)
		the.index = -1;
	return 0;
}

static void end(struct tbtf_mint *mint)
{
	tbtf_sample_stop(&the.sample);
	if (the.index >= 0 && !mint->out_kb)
		(void)tbtf_zram_remove(the.index);
}

static void plan(const struct tbtf_conf *conf, char *ret, size_t size)
{
	uint64_t limit_kb, kb = size_now(conf, &limit_kb);

	(void)snprintf(ret, size, "a zram of %" PRIu64 " kB, in %" PRIu64 " kB of memory at most, of priority %" PRIu64,
		       kb, limit_kb, conf->print.zram_priority);
}

const struct tbtf_mint_ops tbtf_mint_zram = {
	.name = "zram",
	.swap = true,
	.fills = true,
	.open = find,
	.prepare = prepare,
	.print = print,
	.look = look,
	.take_back = take_back,
	.close = end,
	.plan = plan,
};
