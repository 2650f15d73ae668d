// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the press: which mint prints for a request, and what is taken back when
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * All here is the main thread's, but for the mints' own doing (mint.c). From a request to
 * its answer nothing is allocated, no lock is taken, and nobody is waited for: a mint is
 * given the request, and what it has made is seen when it says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "press.h"
#include "price.h"
#include "proc.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
/* As many scopes as borrow.c has steals for. */
#define WANTS		64
#define NOBODY		(-1)
/* After what could not be taken back; each time twice as long, until less is in it. */
#define RETRY_MS	30000
#define RETRY_MAX_MS	3600000
/* Quiet: for less than one percent of the time somebody waited for memory. */
#define LOW_PRESSURE	100
#define BURN_FILE	"/sys/kernel/mm/tbtf/economy/burn_kb"
#define TELL_MS		10000

static const struct tbtf_mint_ops * const kinds[TBTF_MINTS] = {
	[TBTF_MINT_ZRAM] = &tbtf_mint_zram,
	[TBTF_MINT_FILE] = &tbtf_mint_file,
	[TBTF_MINT_LIMIT] = &tbtf_mint_limit,
	[TBTF_MINT_HOTPLUG] = &tbtf_mint_hotplug,
};

/* A request that is not answered yet. */
struct want {
	struct tbtf_request request;
	int64_t arrived_us;
	size_t next;		/* the mint to ask, or at work */
	bool used;
	bool at_work;
};

/* What is known of a mint here. */
struct desk {
	struct tbtf_mint mint;
	enum tbtf_mint_job job;	/* the last that was given */
	int want;		/* for whom it prints, or NOBODY */
	int64_t since_ms;	/* of the job */
	int64_t retry_ms;	/* nothing is taken back before */
	int64_t patience_ms;	/* and then for so long */
	uint64_t tried_kb;	/* what was in use when it failed */
	uint64_t back_kb;	/* what was in use when taking back began */
	struct tbtf_rate rate;
	int64_t price_milli;	/* thousandths of a price: an average */
	int64_t price_ms;
};

static struct {
	const struct tbtf_conf *conf;
	struct desk desk[TBTF_MINTS];
	size_t n;
	struct want want[WANTS];
	tbtf_press_answer answer;
	uint64_t requests, granted, refused, granted_kb;
	uint64_t burn_kb_s;
	int64_t quiet_since_ms;	/* 0: it is not quiet */
	uint64_t waited_us;	/* at the last look, by all, for memory */
	int64_t looked_us;	/* when that was */
	int64_t told_ms;
} the;

static const char *name_of(const struct desk *desk)
{
	return desk->mint.ops->name;
}

/* -- Printing -------------------------------------------------------------------- */

/* Could it be of use for who is out of memory there? */
static bool is_for(const struct desk *desk, const struct tbtf_request *request)
{
	const struct tbtf_mint_ops *ops = desk->mint.ops;

	if (ops->swap && (request->flags & TBTF_REQUEST_NO_SWAP))
		return false;
	return !ops->serves || ops->serves(&desk->mint, request);
}

static bool is_taking_back(const struct desk *desk)
{
	return desk->job == TBTF_JOB_TAKE_BACK &&
	       atomic_load_explicit(&desk->mint.job, memory_order_acquire) != TBTF_JOB_NONE;
}

static void done_with(struct want *want, enum tbtf_answer_result result, uint64_t kb)
{
	the.answer(&want->request, result, kb);
	want->used = false;
	if (result != TBTF_ANSWER_REFUSED)
		return;
	the.refused++;
	tbtf_warning("episode %" PRIu64 ": nothing to print for %d (%s): all mints are dry",
		     (uint64_t)want->request.episode, want->request.pid, want->request.comm);
}

/* The next mint that has something; or it waits; or all are dry. */
static void go_on(struct want *want)
{
	bool may_come = false;

	for (; want->next < the.n; want->next++) {
		struct desk *desk = &the.desk[want->next];

		if (!is_for(desk, &want->request))
			continue;
		if (!desk->mint.ready_kb) {
			may_come = may_come || desk->mint.preparing || is_taking_back(desk);
			continue;
		}
		/* For swapon(2), and whatever else this takes. */
		tbtf_memory_ballast_free();
		if (!tbtf_mint_give(&desk->mint, TBTF_JOB_PRINT, &want->request))
			return;		/* it prints for somebody else: then for this one */
		desk->job = TBTF_JOB_PRINT;
		desk->want = want - the.want;
		want->at_work = true;
		return;
	}
	want->next = 0;
	if (!may_come)
		done_with(want, TBTF_ANSWER_REFUSED, 0);
}

/**
 * tbtf_press_request() - the module wants something printed
 * @request: of rung print
 *
 * What is being taken back is left where it is: it is needed.
 */
void tbtf_press_request(const struct tbtf_request *request)
{
	struct want *want = NULL;

	the.requests++;
	the.quiet_since_ms = 0;
	for (size_t i = 0; i < the.n; i++) {
		pid_t child = the.desk[i].mint.child;

		the.desk[i].mint.hurry = true;
		if (child > 0)
			(void)kill(child, SIGKILL);
	}
	for (size_t i = 0; i < WANTS && !want; i++)
		if (!the.want[i].used)
			want = &the.want[i];
	if (!want) {
		the.answer(request, TBTF_ANSWER_REFUSED, 0);
		the.refused++;
		return;
	}
	*want = (struct want){ .request = *request, .arrived_us = tbtf_now_us(), .used = true };
	go_on(want);
	if (want->used)
		the.answer(request, TBTF_ANSWER_PENDING, 0);
}

static void printed(struct desk *desk)
{
	struct want *want = &the.want[desk->want];
	uint64_t kb = desk->mint.kb;

	desk->want = NOBODY;
	want->at_work = false;
	if (!kb) {
		want->next++;
		go_on(want);
		return;
	}
	the.granted++;
	the.granted_kb += kb;
	tbtf_notice("episode %" PRIu64 ": %" PRIu64 " kB printed by %s for %d (%s), which wants %" PRIu64 " kB: %" PRIu64 " us",
		    (uint64_t)want->request.episode, kb, name_of(desk), want->request.pid,
		    want->request.comm, (uint64_t)want->request.wanted_kb,
		    (uint64_t)(tbtf_now_us() - want->arrived_us));
	done_with(want, TBTF_ANSWER_GRANTED, kb);
}

/* What was about to go is there again: as good as printed anew. */
static void there_again(struct desk *desk)
{
	uint64_t out = desk->mint.out_kb, used = desk->mint.used_kb;

	if (!desk->mint.pays || out <= used)
		return;
	for (size_t i = 0; i < WANTS; i++) {
		struct want *want = &the.want[i];

		if (!want->used || want->at_work || !is_for(desk, &want->request))
			continue;
		the.granted++;
		tbtf_notice("episode %" PRIu64 ": %" PRIu64 " kB of %s stay for %d (%s)",
			    (uint64_t)want->request.episode, out - used, name_of(desk),
			    want->request.pid, want->request.comm);
		done_with(want, TBTF_ANSWER_GRANTED, out - used);
	}
}

static void taken_back(struct desk *desk)
{
	uint64_t used_kb = desk->mint.used_kb;
	int err = desk->mint.err;

	if (!err) {
		uint64_t back_kb = desk->back_kb > used_kb ? desk->back_kb - used_kb : 0;

		desk->patience_ms = 0;
		desk->tried_kb = 0;
		tbtf_notice("what %s has printed is withdrawn: %" PRIu64 " kB came back in %" PRId64 " ms",
			    name_of(desk), back_kb, tbtf_now_ms() - desk->since_ms);
		return;
	}
	desk->patience_ms = desk->patience_ms ? desk->patience_ms * 2 : RETRY_MS;
	if (desk->patience_ms > RETRY_MAX_MS)
		desk->patience_ms = RETRY_MAX_MS;
	desk->retry_ms = tbtf_now_ms() + desk->patience_ms;
	desk->tried_kb = used_kb;
	there_again(desk);
	tbtf_warning("what %s has printed stays: %s", name_of(desk),
		     err == -EINTR ? "its swapoff was killed" : strerror(-err));
}

/**
 * tbtf_press_collect() - see what the mints have done, and go on
 *
 * Context: when a mint has told so, and once a second.
 */
void tbtf_press_collect(void)
{
	for (size_t i = 0; i < the.n; i++) {
		struct desk *desk = &the.desk[i];

		if (atomic_load_explicit(&desk->mint.job, memory_order_acquire) != TBTF_JOB_DONE)
			continue;
		atomic_store_explicit(&desk->mint.job, TBTF_JOB_NONE, memory_order_release);
		if (desk->job == TBTF_JOB_PRINT)
			printed(desk);
		else
			taken_back(desk);
	}
	for (size_t i = 0; i < WANTS; i++) {
		struct want *want = &the.want[i];

		if (!want->used || want->at_work)
			continue;
		if (want->request.deadline_ns && (uint64_t)tbtf_now_us() * 1000 > want->request.deadline_ns)
			want->used = false;
		else
			go_on(want);
	}
}

/**
 * tbtf_press_refuse() - print for nobody any more
 */
void tbtf_press_refuse(void)
{
	for (size_t i = 0; i < WANTS; i++)
		if (the.want[i].used && !the.want[i].at_work)
			done_with(&the.want[i], TBTF_ANSWER_REFUSED, 0);
}

/* -- The economy ------------------------------------------------------------------ */

static void look_at(struct desk *desk, int64_t now)
{
	uint64_t used = desk->mint.used_kb, cost = desk->mint.cost_kb;
	int64_t ms = now - desk->price_ms, price;

	tbtf_rate_look(&desk->rate, now, used > cost ? used - cost : 0);
	/* What a mint needs for itself is no price of the first few pages. */
	if (used < TBTF_PRICE_LEAST_KB) {
		desk->price_ms = 0;
		desk->price_milli = 0;
		return;
	}
	price = tbtf_price(used, cost) * 1000LL;
	if (!desk->price_ms)
		desk->price_milli = price;
	else if (ms > 0)
		desk->price_milli += (price - desk->price_milli) * ms / (ms + TBTF_RATE_MS);
	desk->price_ms = now;
}

static unsigned int price_of(const struct desk *desk)
{
	return (desk->price_milli + 500) / 1000;
}

/* While something is out: how it stands, now and then. */
static void tell(int64_t now)
{
	struct tbtf_press_totals totals;
	char text[256] = "";

	if (now < the.told_ms)
		return;
	for (size_t i = 0; i < the.n; i++) {
		const struct desk *desk = &the.desk[i];
		size_t len = strlen(text);

		if (desk->mint.out_kb)
			(void)snprintf(text + len, sizeof(text) - len,
				       "; %s %" PRIu64 " of %" PRIu64 " kB, at %u of 1000", name_of(desk),
				       (uint64_t)desk->mint.used_kb, (uint64_t)desk->mint.out_kb,
				       price_of(desk));
	}
	if (!*text)
		return;
	the.told_ms = now + TELL_MS;
	tbtf_press_totals(&totals);
	tbtf_info("burns %" PRIu64 " kB/s, prints %" PRIu64 " kB/s%s", totals.burn_kb_s,
		  totals.print_kb_s, text);
}

/* Has somebody waited since the last look for more than next to nothing of the time? */
static bool is_pressed(void)
{
	uint64_t waited = tbtf_proc_waited_us();
	int64_t now = tbtf_now_us();
	bool pressed = waited > the.waited_us &&
		       (waited - the.waited_us) * LOW_PRESSURE > (uint64_t)(now - the.looked_us);

	the.waited_us = waited;
	the.looked_us = now;
	return pressed;
}

static bool is_wanted(void)
{
	for (size_t i = 0; i < WANTS; i++)
		if (the.want[i].used)
			return true;
	return false;
}

static bool is_quiet(int64_t now)
{
	if (is_pressed() || is_wanted()) {
		the.quiet_since_ms = 0;
		return false;
	}
	if (!the.quiet_since_ms)
		the.quiet_since_ms = now;
	return now - the.quiet_since_ms >= (int64_t)the.conf->print.withdraw_after_s * 1000;
}

/* What the others, and @extents_kb, have room for. */
static uint64_t elsewhere_kb(size_t but, uint64_t extents_kb)
{
	uint64_t kb = extents_kb;

	for (size_t i = 0; i < the.n; i++) {
		const struct tbtf_mint *mint = &the.desk[i].mint;
		uint64_t out = mint->out_kb, used = mint->used_kb;

		if (i != but && mint->ops->swap && mint->pays && out > used)
			kb += out - used;
	}
	return kb;
}

/**
 * tbtf_press_look() - measure, and take back what is not needed any more
 * @room: the machine's memory
 * @extents_kb: what is free in swap of other nodes
 * @stopping: all shall go back that can, as soon as it can
 *
 * Context: once a second, and when something has changed.
 * Return: whether something is printed that may still go back: then what was stolen
 * stays for now.
 */
bool tbtf_press_look(const struct tbtf_room *room, uint64_t extents_kb, bool stopping)
{
	struct tbtf_printed printed[TBTF_MINTS] = { 0 };
	struct tbtf_quiet quiet = { .after_s = the.conf->print.withdraw_after_s };
	int64_t now = tbtf_now_ms();
	struct desk *desk;
	bool out = false;
	int i;

	if (!the.n)
		return false;
	if (tbtf_proc_number(BURN_FILE, &the.burn_kb_s))
		the.burn_kb_s = 0;
	quiet.burn_kb_s = stopping ? 0 : the.burn_kb_s;
	quiet.long_enough = is_quiet(now) || stopping;
	quiet.share = stopping ? TBTF_SPARE_LITTLE : TBTF_SPARE_MUCH;
	for (size_t j = 0; j < the.n; j++) {
		desk = &the.desk[j];
		look_at(desk, now);
		desk->mint.stopping = stopping;
		if (desk->mint.used_kb < desk->tried_kb / 4 * 3) {
			desk->patience_ms = 0;
			desk->tried_kb = 0;
			if (desk->retry_ms > now + RETRY_MS)
				desk->retry_ms = now + RETRY_MS;
		}
		printed[j].out = desk->mint.out_kb && desk->retry_ms <= now;
		printed[j].pays = desk->mint.pays;
		printed[j].back_kb = desk->mint.back_kb;
		printed[j].elsewhere_kb = elsewhere_kb(j, extents_kb);
		out = out || printed[j].out;
	}
	tell(now);
	/* Who waits for memory is not to wait for what comes back as well. */
	if (tbtf_press_busy() || is_wanted())
		return true;
	i = tbtf_printed_next(printed, the.n, room, &quiet);
	if (i < 0)
		return out && !stopping;
	desk = &the.desk[i];
	desk->back_kb = desk->mint.used_kb;
	desk->since_ms = now;
	desk->mint.hurry = false;
	if (!tbtf_mint_give(&desk->mint, TBTF_JOB_TAKE_BACK, NULL))
		return true;
	desk->job = TBTF_JOB_TAKE_BACK;
	tbtf_info("what %s has printed, %" PRIu64 " kB in use, is withdrawn: %s", name_of(desk),
		  desk->back_kb, stopping ? "tbtfd stops" : desk->mint.pays ? "there is room for it" :
		  "it is no gain");
	return true;
}

/**
 * tbtf_press_busy() - is a mint at work?
 *
 * Return: whether.
 */
bool tbtf_press_busy(void)
{
	for (size_t i = 0; i < the.n; i++)
		if (atomic_load_explicit(&the.desk[i].mint.job, memory_order_acquire) != TBTF_JOB_NONE)
			return true;
	return false;
}

/**
 * tbtf_press_hurry() - take nothing back any more
 */
void tbtf_press_hurry(void)
{
	for (size_t i = 0; i < the.n; i++) {
		pid_t child = the.desk[i].mint.child;

		the.desk[i].mint.hurry = true;
		if (child > 0)
			(void)kill(child, SIGKILL);
	}
}

/* -- For people -------------------------------------------------------------------- */

/**
 * tbtf_press_mints() - how many mints there are
 *
 * Return: how many.
 */
size_t tbtf_press_mints(void)
{
	return the.n;
}

/**
 * tbtf_press_view() - one of them, for people
 * @i: which
 * @ret: where it goes
 */
void tbtf_press_view(size_t i, struct tbtf_press_view *ret)
{
	struct desk *desk = &the.desk[i];
	struct tbtf_mint *mint = &desk->mint;

	ret->mint = mint;
	if (mint->out_kb)
		ret->state = mint->pays ? "out" : "no-gain";
	else if (mint->ready_kb)
		ret->state = "ready";
	else
		ret->state = mint->preparing ? "preparing" : "dry";
	ret->rate_kb_s = tbtf_rate_kb_s(&desk->rate);
	ret->price = price_of(desk);
	(void)pthread_mutex_lock(&mint->why_lock);
	strcpy(ret->why, mint->why);
	(void)pthread_mutex_unlock(&mint->why_lock);
}

/**
 * tbtf_press_totals() - all of them together
 * @ret: where it goes
 */
void tbtf_press_totals(struct tbtf_press_totals *ret)
{
	uint64_t used = 0, cost = 0;

	*ret = (struct tbtf_press_totals){
		.requests = the.requests,
		.granted = the.granted,
		.refused = the.refused,
		.granted_kb = the.granted_kb,
		.burn_kb_s = the.burn_kb_s,
	};
	for (size_t i = 0; i < the.n; i++) {
		const struct desk *desk = &the.desk[i];

		ret->print_kb_s += tbtf_rate_kb_s(&desk->rate);
		used += desk->mint.used_kb;
		cost += desk->mint.used_kb * desk->price_milli / 1000000;
		ret->withdrawing = ret->withdrawing || is_taking_back(desk);
	}
	ret->inflation = tbtf_price(used, cost);
}

/* -- Beginning and end -------------------------------------------------------------- */

/**
 * tbtf_press_start() - open the mints
 * @conf: the configuration, checked
 * @to_main: an eventfd: tbtf_press_collect() is to be called
 * @answer: how an answer goes to the module
 *
 * Context: after the memory is locked.
 * Return: 0; or an errno, which has been said.
 */
int tbtf_press_start(const struct tbtf_conf *conf, int to_main, tbtf_press_answer answer)
{
	int err;

	the.conf = conf;
	the.answer = answer;
	for (size_t i = 0; i < conf->print.mints; i++) {
		struct desk *desk = &the.desk[i];

		desk->want = NOBODY;
		desk->mint.ops = kinds[conf->print.mint[i]];
		desk->mint.conf = conf;
		desk->mint.to_main = to_main;
		err = tbtf_mint_start(&desk->mint);
		if (err)
			return err;
		the.n++;
	}
	return 0;
}

/**
 * tbtf_press_stop() - close the mints; what is out stays
 */
void tbtf_press_stop(void)
{
	for (size_t i = 0; i < the.n; i++) {
		const struct tbtf_mint *mint = &the.desk[i].mint;

		tbtf_mint_stop(&the.desk[i].mint);
		if (mint->out_kb)
			tbtf_warning("what %s has printed stays, with %" PRIu64 " kB in use: it will be found again",
				     name_of(&the.desk[i]), (uint64_t)mint->used_kb);
	}
}

/**
 * tbtf_press_plan() - say what would be
 * @conf: the configuration, checked
 */
void tbtf_press_plan(const struct tbtf_conf *conf)
{
	char text[512];

	for (size_t i = 0; i < conf->print.mints; i++) {
		kinds[conf->print.mint[i]]->plan(conf, text, sizeof(text));
		tbtf_info("dry run: would print with %s", text);
	}
}
