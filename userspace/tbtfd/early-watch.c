// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - stealing before the module asks: the machine is watched
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Two things wake this up: a timer, set for as long as what is left would last, and the
 * kernel's pressure trigger. Both then do the same: read /proc/meminfo, and have an
 * extent attached if it is time. Runs in the borrower's main thread; allocates nothing
 * once it is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "early.h"
#include "lender.h"
#include "log.h"
#include "memory.h"
#include "proc.h"

#define PRESSURE	"/proc/pressure/memory"
/* Somebody has waited for a tenth of a second, in one second. */
#define TRIGGER		"some 100000 1000000"
/* For so long after it has fired, tasks count as waiting. */
#define STALLED_MS	2000
/* From an extent to the next: reclaim has to find the one before. */
#define PAUSE_MS	100

static struct {
	const struct tbtf_early_ops *ops;
	sd_event_source *timer;
	int64_t stalled_until_ms;
	int64_t not_before_ms;
	bool told_local;
	bool told_none;
} watch;

static int swap_free(uint64_t *ret_kb)
{
	static char text[TBTF_PROC_TEXT];
	int err = tbtf_proc_text("/proc/meminfo", text, sizeof(text));

	return err ? err : tbtf_proc_field(text, "SwapFree", ret_kb);
}

/* Their pages must not leave the machine, and what becomes swap is swap for all. */
static bool forbidden(void)
{
	bool local = watch.ops->local();

	if (local && !watch.told_local)
		tbtf_notice("memory is short, and nothing is stolen before the module asks: a process has the mark TBTF_LOCAL");
	watch.told_local = local;
	return local;
}

static void steal(const struct tbtf_room *room, uint64_t free_kb, bool stalled)
{
	char why[128];

	if (forbidden())
		return;
	(void)snprintf(why, sizeof(why), "%" PRIu64 " kB of %" PRIu64 " kB available%s, %" PRIu64 " kB of swap free",
		       room->available_kb, room->total_kb, stalled ? ", and tasks wait" : "", free_kb);
	watch.not_before_ms = tbtf_now_ms() + PAUSE_MS;
	if (watch.ops->attach(why)) {
		watch.told_none = false;
	} else if (!watch.told_none) {
		watch.told_none = true;
		tbtf_warning("nothing is ready to be stolen: %s", why);
	}
}

/* Look, and set the timer for the next time. */
static int look(void)
{
	int64_t now = tbtf_now_ms();
	bool stalled = now < watch.stalled_until_ms;
	unsigned int next_ms = TBTF_EARLY_MAX_MS;
	struct tbtf_room room;
	uint64_t free_kb, us;

	if (!tbtf_memory_room(&room) && !swap_free(&free_kb)) {
		if (now >= watch.not_before_ms && tbtf_early_short(&room, free_kb, stalled))
			steal(&room, free_kb, stalled);
		next_ms = tbtf_early_next_ms(&room, free_kb);
	}
	(void)sd_event_now(sd_event_source_get_event(watch.timer), CLOCK_MONOTONIC, &us);
	return sd_event_source_set_time(watch.timer, us + next_ms * 1000ULL);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	return look();
}

static int on_pressure(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)source;
	(void)fd;
	(void)data;
	if (revents & (EPOLLERR | EPOLLHUP))
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	watch.stalled_until_ms = tbtf_now_ms() + STALLED_MS;
	return look();
}

/* The trigger lives as long as the descriptor. */
static int open_pressure(void)
{
	int fd = open(PRESSURE, O_RDWR | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	/* With the 0 at its end, as the kernel's manual has it. */
	if (write(fd, TRIGGER, sizeof(TRIGGER)) >= 0)
		return fd;
	err = -errno;
	(void)close(fd);
	return err;
}

/**
 * tbtf_early_start() - watch the machine from now on
 * @event: the loop of the main thread
 * @ops: what to do
 *
 * A kernel without pressure information is watched by what is available alone.
 *
 * Return: 0; or the errno of sd_event, which has been said.
 */
int tbtf_early_start(sd_event *event, const struct tbtf_early_ops *ops)
{
	int fd = open_pressure(), err;

	watch.ops = ops;
	if (fd < 0)
		tbtf_warning("no trigger at %s (%s): memory is stolen early by what is available alone",
			     PRESSURE, strerror(-fd));
	err = sd_event_add_time_relative(event, &watch.timer, CLOCK_MONOTONIC, 0, 1000, on_timer, NULL);
	if (err >= 0)
		err = sd_event_source_set_enabled(watch.timer, SD_EVENT_ON);
	if (err >= 0 && fd >= 0)
		err = sd_event_add_io(event, NULL, fd, EPOLLPRI, on_pressure, NULL);
	if (err < 0)
		tbtf_err("cannot wait for pressure: %s", strerror(-err));
	return err < 0 ? err : 0;
}
