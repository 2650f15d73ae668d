// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the borrower's ladder: a request, an extent that is ready, swap, the answer
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: requests of the module. Goes out: answers. Between the two there is one
 * swapon(2), for everything else was done before by the thread of lenders.c. On that
 * path (serve() and what it calls) nothing is allocated, no lock is taken and nobody
 * is waited for, but the kernel in swapon(2) itself.
 *
 * What is to be printed goes to press.c, which knows the mints.
 *
 * Afterwards, when there is time, and once a second: what is not needed any more goes
 * back, what is wanted back is made free, and what was lost is told.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "borrow.h"
#include "clock.h"
#include "daemon.h"
#include "early.h"
#include "kernel.h"
#include "log.h"
#include "memory.h"
#include "press.h"
#include "proc.h"
#include "swap.h"

#define TICK_US		1000000
/* Episodes at a time: one global, and memory cgroups at their limits. */
#define PENDING_MAX	64
/* Low: for less than one percent of ten seconds somebody waited. */
#define LOW_PRESSURE	100
/* After a swapoff that failed. */
#define RETRY_MS	30000
/* After a request for which there was nothing: as long as who asked may live on. */
#define SHORT_MS	30000
/* What the module takes for a grant at least. */
#define GRANT_MIN_KB	4096
#define SWAPS_MAX	40

/* A request that waits for an extent. */
struct pending {
	struct tbtf_request request;
	int64_t arrived_us;
	bool used;
};

static struct tbtf_borrower borrower;
static struct pending pending[PENDING_MAX];
static sd_event *event;
static int device = -1;
static int press_done = -1;	/* an eventfd: a mint has done something */
static bool stopping, impatient;

/* The swapoff at work: one at a time, each moves all that it can. */
static struct {
	pid_t pid;
	int slot;
	int64_t since_ms;
	bool ended;		/* by us, for a request */
} leaving = { .slot = -1 };

/* Room in the swap that was leaving, until a request came. */
static uint64_t reopened_kb;
/* When a request was last seen for which there was nothing. */
static int64_t short_ms = -SHORT_MS;
/* For whom something was stolen last that is at the limit of a cgroup; 0: nobody. */
static pid_t limited;

static struct tbtf_extent *slot(int i)
{
	return &borrower.line.extent[i];
}

/* Of whom it is. */
static const char *peer(int i)
{
	static char names[TBTF_NAMES_LEN];

	return tbtf_line_names(&borrower.line, slot(i), names);
}

/* -- A steal ------------------------------------------------------------------ */

/* Make an extent swap. Returns its KiB, or 0. */
static uint64_t attach(int i)
{
	struct tbtf_extent *extent = slot(i);
	int err;

	err = tbtf_swap_on(slot(i)->device, borrower.line.conf->borrow.priority);
	if (err) {
		tbtf_err("cannot make %s of %s swap: %s", slot(i)->device, peer(i), strerror(-err));
		tbtf_extent_set(extent, TBTF_EXTENT_DROP);
		return 0;
	}
	extent->attached_s = time(NULL);
	extent->retry_ms = 0;
	borrower.used_kb[i] = 0;
	/* Swap holds it open now. */
	(void)close(extent->fd);
	extent->fd = -1;
	tbtf_extent_set(extent, TBTF_EXTENT_ATTACHED);
	return extent->kb;
}

/* Extents until @wanted_kb are there, one at least if there is one. Returns their KiB. */
static uint64_t attach_some(uint64_t wanted_kb)
{
	uint64_t kb = 0;
	int i;

	tbtf_back_bar(&borrower.line);
	while (!kb || kb < wanted_kb) {
		i = tbtf_extent_pick(borrower.line.extent, TBTF_EXTENTS);
		if (i < 0)
			break;
		tbtf_memory_ballast_free();
		kb += attach(i);
	}
	if (kb) {
		borrower.line.asked++;
		tbtf_line_kick(borrower.line.to_lenders);
	}
	return kb;
}

/*
 * One extent before the module asks. The ballast stays: there is memory still, and the
 * steal that may follow needs it.
 */
static bool attach_early(const char *why)
{
	int i = stopping ? -1 : tbtf_extent_pick(borrower.line.extent, TBTF_EXTENTS);
	uint64_t kb = i < 0 ? 0 : attach(i);

	if (kb) {
		tbtf_notice("%" PRIu64 " kB of %s stolen before they are asked for: %s", kb, peer(i), why);
		borrower.line.asked++;
	}
	tbtf_line_kick(borrower.line.to_lenders);
	return kb;
}

static bool anybody_local(void)
{
	return device >= 0 && tbtf_kernel_local(device);
}

static const struct tbtf_early_ops early_ops = {
	.attach = attach_early,
	.local = anybody_local,
};

/* What was stolen for a lender of this node is swap before it is promised to anybody. */
static void attach_behind(void)
{
	for (int i = 0; i < TBTF_EXTENTS; i++)
		if (tbtf_extent_state(slot(i)) == TBTF_EXTENT_READY && slot(i)->path.n > 1 &&
		    !slot(i)->revoked && !slot(i)->lost)
			(void)attach(i);
	tbtf_control_backed();
}

static void answer(const struct tbtf_request *request, enum tbtf_answer_result result,
		   uint64_t kb)
{
	int err = tbtf_kernel_answer(device, request->id, result, kb);

	/* What came too late for this episode is there for the next. */
	if (err && err != -ESRCH)
		tbtf_err("cannot answer the module: %s", strerror(-err));
}

/* Returns whether the request is done with. */
static bool serve(const struct tbtf_request *request, int64_t arrived_us)
{
	uint64_t kb = attach_some(1);

	if (kb) {
		/*
		 * As soon as there is something: while those who wait use it, the others
		 * become swap, for which there is memory again then.
		 */
		answer(request, TBTF_ANSWER_GRANTED, kb);
		borrower.last_us = tbtf_now_us() - arrived_us;
		if (kb < request->wanted_kb)
			kb += attach_some(request->wanted_kb - kb);
		borrower.granted++;
		borrower.granted_kb += kb;
		if (request->scope_cgroup)
			limited = request->pid;
		tbtf_notice("episode %" PRIu64 ": %" PRIu64 " kB stolen for %d (%s), which wants %" PRIu64 " kB: %" PRIu64 " us",
			    (uint64_t)request->episode, kb, request->pid, request->comm,
			    (uint64_t)request->wanted_kb, borrower.last_us);
		return true;
	}
	if (reopened_kb >= GRANT_MIN_KB) {
		answer(request, TBTF_ANSWER_GRANTED, reopened_kb);
		borrower.granted++;
		tbtf_notice("episode %" PRIu64 ": %" PRIu64 " kB of room for %d (%s), in swap that was to be given back",
			    (uint64_t)request->episode, reopened_kb, request->pid, request->comm);
		reopened_kb = 0;
		return true;
	}
	short_ms = tbtf_now_ms();
	if (leaving.slot >= 0 && leaving.ended)
		return false;
	if (borrower.line.settled == borrower.line.asked || stopping) {
		answer(request, TBTF_ANSWER_REFUSED, 0);
		borrower.refused++;
		tbtf_warning("episode %" PRIu64 ": nothing to steal for %d (%s): no lender has memory",
			     (uint64_t)request->episode, request->pid, request->comm);
		return true;
	}
	return false;
}

/* Those who wait, again. */
static void serve_pending(void)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &pending[i];

		if (!p->used)
			continue;
		if (p->request.deadline_ns && (uint64_t)tbtf_now_us() * 1000 > p->request.deadline_ns)
			p->used = false;
		else
			p->used = !serve(&p->request, p->arrived_us);
	}
}

/*
 * A swapoff takes room away from who asks for some, and drives pages into a memory that
 * is full. To kill the child is to end it: the kernel opens the swap again at once.
 */
static void end_leaving(void)
{
	if (leaving.slot < 0 || leaving.ended || slot(leaving.slot)->lost)
		return;
	leaving.ended = true;
	(void)kill(leaving.pid, SIGKILL);
}

static void receive(const struct tbtf_request *request)
{
	int64_t arrived_us = tbtf_now_us();

	borrower.requests++;
	end_leaving();
	/* What others said before this was asked may be old. */
	if (serve(request, arrived_us))
		return;
	answer(request, TBTF_ANSWER_PENDING, 0);
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (pending[i].used)
			continue;
		pending[i].request = *request;
		pending[i].arrived_us = arrived_us;
		pending[i].used = true;
		return;
	}
	answer(request, TBTF_ANSWER_REFUSED, 0);
}

static int on_kernel(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct tbtf_request request;
	int err;

	(void)source;
	(void)data;
	while (!(err = tbtf_kernel_read(fd, &request))) {
		if (request.rung == TBTF_RUNG_PRINT)
			tbtf_press_request(&request);
		else
			receive(&request);
	}
	if (err == -EAGAIN && !(revents & (EPOLLERR | EPOLLHUP)))
		return 0;
	tbtf_err("the module talks to us no more: %s",
		 err == -EAGAIN ? "it is not the helper any longer" : strerror(-err));
	return sd_event_exit(event, EXIT_FAILED);
}

/* -- Giving back --------------------------------------------------------------- */

static void read_swaps(void);

static void left(int i, int status)
{
	struct tbtf_extent *extent = slot(i);

	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		tbtf_notice("%s of %s is swap no more: %" PRIu64 " kB came back in %" PRId64 " ms", slot(i)->device, peer(i),
			    borrower.used_kb[i], tbtf_now_ms() - leaving.since_ms);
		borrower.used_kb[i] = 0;
		extent->failed_kb = 0;
		tbtf_extent_set(extent, TBTF_EXTENT_WASH);
		tbtf_line_kick(borrower.line.to_lenders);
		return;
	}
	if (leaving.ended)
		tbtf_notice("%s of %s stays swap: memory is asked for", slot(i)->device, peer(i));
	else if (WIFSIGNALED(status))
		tbtf_warning("%s of %s stays swap: the swapoff was killed (signal %d)", slot(i)->device, peer(i),
			     WTERMSIG(status));
	else
		tbtf_warning("%s of %s stays swap: %s", slot(i)->device, peer(i), strerror(WEXITSTATUS(status)));
	extent->retry_ms = tbtf_now_ms() + RETRY_MS;
	tbtf_extent_set(extent, TBTF_EXTENT_ATTACHED);
	/* Some of its pages came back before it failed. */
	read_swaps();
	extent->failed_kb = borrower.used_kb[i];
	if (leaving.ended && extent->kb > borrower.used_kb[i])
		reopened_kb = extent->kb - borrower.used_kb[i];
}

static void look(void);

static int on_child(sd_event_source *source, const siginfo_t *info, void *data)
{
	int i = leaving.slot, status;

	(void)source;
	(void)data;
	leaving.slot = -1;
	if (info->si_code == CLD_EXITED)
		status = (info->si_status & 0xff) << 8;
	else
		status = info->si_status & 0x7f;
	left(i, status);
	serve_pending();
	reopened_kb = 0;
	look();
	return 0;
}

static void leave(int i, const char *why)
{
	int err;

	tbtf_info("%s of %s, %" PRIu64 " kB in use, is to be swap no more: %s", slot(i)->device, peer(i),
		  borrower.used_kb[i], why);
	leaving.since_ms = tbtf_now_ms();
	leaving.ended = false;
	leaving.pid = tbtf_swap_off(slot(i)->device);
	if (leaving.pid < 0) {
		tbtf_warning("cannot fork for a swapoff: %s", strerror(-leaving.pid));
		slot(i)->retry_ms = tbtf_now_ms() + RETRY_MS;
		return;
	}
	leaving.slot = i;
	tbtf_extent_set(slot(i), TBTF_EXTENT_LEAVING);
	err = sd_event_add_child(event, NULL, leaving.pid, WEXITED, on_child, NULL);
	if (err < 0) {
		tbtf_err("cannot wait for a child: %s", strerror(-err));
		(void)sd_event_exit(event, EXIT_FAILED);
	}
}

/* Nobody waits for memory, or has lately gone without. */
static bool calm(void)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (pending[i].used)
			return false;
	return tbtf_now_ms() - short_ms >= SHORT_MS;
}

/* Another extent is ready: what had to stay for want of room need not wait any longer. */
static void try_again(void)
{
	static unsigned int before;
	unsigned int n = 0;

	for (int i = 0; i < TBTF_EXTENTS; i++)
		n += tbtf_extent_state(slot(i)) == TBTF_EXTENT_READY && !slot(i)->revoked &&
		     !slot(i)->lost;
	for (int i = 0; n > before && i < TBTF_EXTENTS; i++)
		if (slot(i)->revoked)
			slot(i)->retry_ms = 0;
	before = n;
}

/* What has been said of an extent already. */
static struct {
	bool lost, away, given_up, stays;
	int64_t dead_since_ms;
} told[TBTF_EXTENTS];

/*
 * Whose pages nobody waits for any more, so that nothing speaks against a swapoff. What
 * is away is as good as lost when it holds nothing, and the kernel would go on to write
 * pages to it, in vain; what it holds may come back for as long as the lease lasts.
 */
static bool hopeless(int i)
{
	return slot(i)->lost || told[i].given_up || (told[i].away && !borrower.used_kb[i]);
}

/* An extent that must go: its lender wants it, has lost it, or is away for good. */
static int find_unwanted(void)
{
	int64_t now = tbtf_now_ms();
	int best = -1;

	for (int i = 0; i < TBTF_EXTENTS; i++) {
		if (tbtf_extent_state(slot(i)) != TBTF_EXTENT_ATTACHED || slot(i)->retry_ms > now)
			continue;
		if (hopeless(i))
			return i;
		if (slot(i)->revoked && (best < 0 || borrower.used_kb[i] < borrower.used_kb[best]))
			best = i;
	}
	return best;
}

/* What other swap has room for, of what is connected and may stay. */
static uint64_t elsewhere_kb(int but)
{
	uint64_t kb = 0;

	for (int i = 0; i < TBTF_EXTENTS; i++)
		if (i != but && tbtf_extent_state(slot(i)) == TBTF_EXTENT_ATTACHED &&
		    !slot(i)->dead && !slot(i)->revoked && !slot(i)->lost &&
		    slot(i)->kb > borrower.used_kb[i])
			kb += slot(i)->kb - borrower.used_kb[i];
	return kb;
}

/* Room for the pages of an extent: in memory, in other extents, or in one more. */
static bool make_room(int i, const struct tbtf_room *room)
{
	uint64_t used = borrower.used_kb[i];
	/*
	 * Memory is not all the same: a cgroup may be at its limit, which nobody sees from
	 * here, but that a swapoff failed for it. Again only when there is less to move.
	 */
	bool fits = tbtf_extent_fits(used, room, TBTF_SPARE_LITTLE) && calm() &&
		    tbtf_extent_worth(slot(i), used), crowded;
	uint64_t size_kb = limited ? tbtf_proc_size_kb(limited) : 0;

	do {
		crowded = tbtf_extent_crowded(slot(0), TBTF_EXTENTS, i, size_kb);
		if (!crowded && (fits || elsewhere_kb(i) >= used))
			return true;
	} while (attach_some(1));
	if (crowded && !told[i].stays)
		tbtf_notice("%s of %s stays swap: the rest would be too small", slot(i)->device, peer(i));
	told[i].stays = crowded;
	return false;
}

/* Whether an extent can go without having to be stolen again. */
static bool plenty(uint64_t used_kb, const struct tbtf_room *room)
{
	if (borrower.line.conf->borrow.steal_when == TBTF_STEAL_PRESSURE)
		return tbtf_early_calm(room, used_kb);
	return tbtf_extent_fits(used_kb, room, TBTF_SPARE_MUCH);
}

static void give_back(const struct tbtf_room *room)
{
	struct tbtf_use use[TBTF_EXTENTS];
	int pressure = tbtf_proc_pressure(), i;
	int64_t now = tbtf_now_ms();

	for (i = 0; i < TBTF_EXTENTS; i++) {
		use[i].attached = tbtf_extent_state(slot(i)) == TBTF_EXTENT_ATTACHED &&
				  slot(i)->retry_ms <= now &&
				  (stopping || tbtf_back_may_go(&borrower.line, i, now));
		use[i].used_kb = borrower.used_kb[i];
		use[i].attached_s = slot(i)->attached_s;
	}
	i = tbtf_extent_emptiest(use, TBTF_EXTENTS);
	if (i >= 0 && stopping && tbtf_extent_fits(use[i].used_kb, room, TBTF_SPARE_LITTLE)) {
		leave(i, "tbtfd stops");
		return;
	}
	if (i < 0 || pressure >= LOW_PRESSURE || !calm() ||
	    !tbtf_extent_worth(slot(i), use[i].used_kb) || !plenty(use[i].used_kb, room)) {
		borrower.low_since_ms = 0;
		return;
	}
	if (!borrower.low_since_ms)
		borrower.low_since_ms = now;
	if (now - borrower.low_since_ms >=
		 (int64_t)borrower.line.conf->borrow.give_back_after_s * 1000)
		leave(i, "there is room for its pages");
}

/* -- What else has to be looked at ---------------------------------------------- */

/* Say once of what is away that it cannot be reached, and when nothing will come back. */
static void tell_away(int i)
{
	const struct tbtf_conf *conf = borrower.line.conf;
	int64_t patience_ms = (int64_t)(conf->borrow.timeout_s + conf->borrow.dead_timeout_s) * 1000;
	int64_t away_ms, now = tbtf_now_ms();

	if (!told[i].dead_since_ms)
		told[i].dead_since_ms = now;
	away_ms = now - told[i].dead_since_ms;
	if (!told[i].away && away_ms >= patience_ms) {
		told[i].away = true;
		tbtf_err("%s has been away for %" PRId64 " s: %" PRIu64 " kB in %s cannot be read, and processes that touch them get SIGBUS",
			 peer(i), away_ms / 1000, borrower.used_kb[i], slot(i)->device);
	}
	if (!told[i].away || told[i].given_up || away_ms < slot(i)->lease_ms || !borrower.used_kb[i])
		return;
	told[i].given_up = true;
	tbtf_err("%s has been away for %" PRId64 " s, longer than its lease lasts: %" PRIu64 " kB in %s are gone",
		 peer(i), away_ms / 1000, borrower.used_kb[i], slot(i)->device);
}

/* Say once what is gone, and what cannot be reached any more. */
static void tell_trouble(int i)
{
	int state = tbtf_extent_state(slot(i));

	if (state != TBTF_EXTENT_ATTACHED && state != TBTF_EXTENT_LEAVING) {
		memset(&told[i], 0, sizeof(told[i]));
		return;
	}
	if (slot(i)->lost && !told[i].lost) {
		told[i].lost = true;
		tbtf_err("%s has lost what it held: %" PRIu64 " kB in %s are gone, and processes that touch them get SIGBUS",
			 peer(i), borrower.used_kb[i], slot(i)->device);
	}
	if (slot(i)->dead) {
		tell_away(i);
		return;
	}
	/* It is back. */
	told[i].away = told[i].given_up = false;
	told[i].dead_since_ms = 0;
}

/* Extents that nobody uses and nobody shall. */
static void drop_unwanted(void)
{
	bool any = false;

	for (int i = 0; i < TBTF_EXTENTS; i++) {
		if (tbtf_extent_state(slot(i)) != TBTF_EXTENT_READY ||
		    !(slot(i)->revoked || slot(i)->lost || stopping))
			continue;
		tbtf_extent_set(slot(i), TBTF_EXTENT_DROP);
		any = true;
	}
	if (any)
		tbtf_line_kick(borrower.line.to_lenders);
}

/* What /proc/swaps says of ours. One that somebody else took away is swap no more. */
static void read_swaps(void)
{
	static struct tbtf_swap swap[SWAPS_MAX];
	int n = tbtf_swap_list(swap, SWAPS_MAX);

	if (n < 0)
		return;
	if (n > SWAPS_MAX)
		n = SWAPS_MAX;
	for (int i = 0; i < TBTF_EXTENTS; i++) {
		int state = tbtf_extent_state(slot(i)), j;

		if (state != TBTF_EXTENT_ATTACHED && state != TBTF_EXTENT_LEAVING)
			continue;
		for (j = 0; j < n && strcmp(swap[j].device, slot(i)->device); j++)
			;
		if (j < n) {
			/* While it leaves, what it had when it began is what is told. */
			if (state == TBTF_EXTENT_ATTACHED)
				borrower.used_kb[i] = swap[j].used_kb;
		} else if (state == TBTF_EXTENT_ATTACHED) {
			tbtf_notice("%s of %s is swap no more: somebody else's swapoff", slot(i)->device, peer(i));
			borrower.used_kb[i] = 0;
			tbtf_extent_set(slot(i), TBTF_EXTENT_WASH);
			tbtf_line_kick(borrower.line.to_lenders);
		}
	}
}

static void take_ballast(const struct tbtf_room *room)
{
	uint64_t kb = borrower.ballast_kb;

	if (!tbtf_memory_ballast_held() && !stopping && tbtf_extent_fits(2 * kb, room, TBTF_SPARE_MUCH))
		(void)tbtf_memory_ballast(kb);
}

static unsigned int attached(void)
{
	unsigned int n = 0;

	for (int i = 0; i < TBTF_EXTENTS; i++) {
		int state = tbtf_extent_state(slot(i));

		n += state == TBTF_EXTENT_ATTACHED || state == TBTF_EXTENT_LEAVING;
	}
	return n;
}

static void tell_status(void)
{
	static uint64_t told_kb = UINT64_MAX;
	static unsigned int told_n = UINT32_MAX;
	unsigned int n = attached();
	uint64_t ready = 0;
	char text[128];

	for (int i = 0; i < TBTF_EXTENTS; i++)
		if (tbtf_extent_state(slot(i)) == TBTF_EXTENT_READY)
			ready += slot(i)->kb;
	if (ready == told_kb && n == told_n)
		return;
	told_kb = ready;
	told_n = n;
	(void)snprintf(text, sizeof(text), "STATUS=%" PRIu64 " of %" PRIu64 " kB ready, %u extents in use",
		       ready, borrower.line.conf->borrow.credit_kb, n);
	(void)sd_notify(0, text);
}

static void stop_if_done(void)
{
	if (!stopping || leaving.slot >= 0 || tbtf_press_busy())
		return;
	/* What could be brought back was: leave() would be at it. */
	for (int i = 0; i < TBTF_EXTENTS; i++) {
		if (tbtf_extent_state(slot(i)) != TBTF_EXTENT_ATTACHED)
			continue;
		tbtf_warning("%s of %s stays swap, with %" PRIu64 " kB: %s; it will be found again",
			     slot(i)->device, peer(i), borrower.used_kb[i],
			     impatient ? "told twice to stop" : "they do not fit into memory");
	}
	(void)sd_event_exit(event, EXIT_OK);
}

/* All that is decided without being asked. */
static void look(void)
{
	struct tbtf_room room;
	int i;

	read_swaps();
	attach_behind();
	drop_unwanted();
	for (i = 0; i < TBTF_EXTENTS; i++)
		tell_trouble(i);
	try_again();
	if (!tbtf_memory_room(&room)) {
		take_ballast(&room);
		i = leaving.slot < 0 ? find_unwanted() : -1;
		if (i >= 0 && (hopeless(i) || make_room(i, &room)))
			leave(i, slot(i)->lost ? "it is lost" :
			      hopeless(i) ? "its lender is away for good" :
			      slot(i)->broken ? "its mirror takes no more writes" :
			      "its lender wants it back");
		/* In reverse order: first what was printed, then what was stolen. */
		if (leaving.slot < 0 && !impatient &&
		    !tbtf_press_look(&room, elsewhere_kb(-1), stopping))
			give_back(&room);
	}
	tell_status();
	stop_if_done();
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	uint64_t now;

	(void)usec;
	(void)data;
	serve_pending();
	tbtf_press_collect();
	look();
	(void)sd_event_now(event, CLOCK_MONOTONIC, &now);
	return sd_event_source_set_time(source, now + TICK_US);
}

static int on_line(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	uint64_t count;

	(void)source;
	(void)revents;
	(void)data;
	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	serve_pending();
	look();
	return 0;
}

static int on_press(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	uint64_t count;

	(void)source;
	(void)revents;
	(void)data;
	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	tbtf_press_collect();
	look();
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	(void)source;
	(void)data;
	if (stopping) {
		impatient = true;
		if (leaving.slot >= 0)
			(void)kill(leaving.pid, SIGKILL);
		tbtf_press_hurry();
	} else {
		tbtf_notice("told to stop (signal %u)", info->ssi_signo);
		(void)sd_notify(0, "STOPPING=1");
		stopping = true;
		borrower.line.stopping = true;
		/* From here on the module has no helper: its ladder skips this rung at once. */
		serve_pending();
		tbtf_press_refuse();
		(void)close(device);
		device = -1;
		tbtf_memory_ballast_free();
	}
	look();
	return 0;
}

/* -- Beginning and end ------------------------------------------------------------ */

static int open_module(const struct tbtf_conf *conf)
{
	device = tbtf_kernel_open((conf->peers ? TBTF_RUNG_STEAL : 0) |
				  (conf->print.mints ? TBTF_RUNG_PRINT : 0));
	switch (device) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		tbtf_err("there is no /dev/tbtf: modprobe tbtf");
		return EXIT_NO_MODULE;
	case -ENOTTY:
		tbtf_err("the module that is loaded is too old: it asks nobody for memory");
		return EXIT_NO_MODULE;
	case -EBUSY:
		tbtf_err("the module has a helper already: is another tbtfd running?");
		return EXIT_FAILED;
	case -EPERM:
	case -EACCES:
		tbtf_err("not permitted to use /dev/tbtf: %s", strerror(-device));
		return EXIT_NOT_PERMITTED;
	default:
		if (device >= 0)
			return EXIT_OK;
		tbtf_err("cannot be the module's helper: %s", strerror(-device));
		return EXIT_FAILED;
	}
}

static int open_events(void)
{
	sd_event_source *kernel, *press, *tick;
	sigset_t mine;
	int err;

	(void)sigemptyset(&mine);
	(void)sigaddset(&mine, SIGTERM);
	(void)sigaddset(&mine, SIGINT);
	(void)sigaddset(&mine, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mine, NULL);
	/* OpenSSL writes to sockets as to files: who hung up is no reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	err = sd_event_new(&event);
	if (err >= 0)
		err = sd_event_add_io(event, &kernel, device, EPOLLIN, on_kernel, NULL);
	if (err >= 0)	/* before anything else that is waiting */
		err = sd_event_source_set_priority(kernel, SD_EVENT_PRIORITY_IMPORTANT);
	if (err >= 0)
		err = sd_event_add_io(event, NULL, borrower.line.to_main, EPOLLIN, on_line, NULL);
	if (err >= 0)
		err = sd_event_add_io(event, &press, press_done, EPOLLIN, on_press, NULL);
	if (err >= 0)	/* as what it is an answer to */
		err = sd_event_source_set_priority(press, SD_EVENT_PRIORITY_IMPORTANT);
	if (err >= 0)
		err = sd_event_add_signal(event, NULL, SIGTERM, on_signal, NULL);
	if (err >= 0)
		err = sd_event_add_signal(event, NULL, SIGINT, on_signal, NULL);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &tick, CLOCK_MONOTONIC, 0, 0, on_tick, NULL);
	if (err >= 0)
		err = sd_event_source_set_enabled(tick, SD_EVENT_ON);
	if (err < 0)
		tbtf_err("cannot wait for events: %s", strerror(-err));
	return err < 0 ? err : 0;
}

static int open_line(const struct tbtf_conf *conf)
{
	struct tbtf_line *line = &borrower.line;

	line->conf = conf;
	line->copies = conf->borrow.copies;
	line->extent_kb = tbtf_extent_size(conf->borrow.credit_kb, conf->borrow.extent_kb);
	line->to_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	line->to_lenders = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	press_done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (line->to_main < 0 || line->to_lenders < 0 || press_done < 0) {
		tbtf_err("cannot make an eventfd: %s", strerror(errno));
		return -errno;
	}
	(void)pthread_mutex_init(&line->view_lock, NULL);
	line->asked = 1;
	for (size_t i = 0; i < TBTF_EXTENTS; i++) {
		line->extent[i].fd = -1;
		line->extent[i].percent = -1;
		for (size_t j = 0; j < TBTF_LEGS; j++)
			line->extent[i].leg[j].index = -1;
	}
	return tbtf_line_find(line);
}

/**
 * tbtf_borrow_run() - be the borrower
 * @conf: the configuration, checked
 * @dry_run: only say what would be done
 *
 * Context: until a signal says to stop.
 * Return: an exit code.
 */
int tbtf_borrow_run(const struct tbtf_conf *conf, bool dry_run)
{
	int code, err;

	if (dry_run)
		return tbtf_borrow_plan(conf);
	code = open_module(conf);
	if (code)
		return code;
	if (tbtf_borrow_prepare(conf, &borrower.ballast_kb) || open_line(conf))
		return EXIT_FAILED;
	if (open_events() || tbtf_control_open(event, &borrower))
		return EXIT_FAILED;
	if (conf->peers && tbtf_lenders_start(&borrower.line))
		return EXIT_FAILED;
	if (conf->peers && conf->borrow.steal_when == TBTF_STEAL_PRESSURE &&
	    tbtf_early_start(event, &early_ops))
		return EXIT_FAILED;
	if (tbtf_press_start(conf, press_done, answer))
		return EXIT_FAILED;
	(void)sd_notify(0, "READY=1");
	tbtf_info("ready: %" PRIu64 " kB wanted, in extents of up to %" PRIu64 " kB, from %zu lenders; %zu mints",
		  conf->borrow.credit_kb, borrower.line.extent_kb, conf->peers, conf->print.mints);
	err = sd_event_loop(event);
	tbtf_press_stop();
	if (conf->peers)
		tbtf_lenders_stop(&borrower.line);
	tbtf_control_close();
	if (!attached())
		(void)tbtf_memory_restore();
	else
		tbtf_notice("vm.min_free_kbytes stays raised while extents are swap");
	return err < 0 ? EXIT_FAILED : err;
}
