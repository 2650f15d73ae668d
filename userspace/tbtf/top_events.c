// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: what has happened, from the kernel log
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "klog.h"
#include "top.h"

void top_events_init(struct top *top)
{
	char path[PATH_LEN];

	top->kmsg = -ENAMETOOLONG;
	if (!tbtf_path(path, "/dev/kmsg"))
		return;
	top->kmsg = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (top->kmsg < 0)
		top->kmsg = -errno;
}

/* The time of day of something that happened so long after boot. */
static void clock_of(uint64_t usec, struct tm *ret)
{
	struct timespec now, up;
	int64_t then;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &up);
	then = (now.tv_sec - up.tv_sec) * 1000000LL + (now.tv_nsec - up.tv_nsec) / 1000;
	seconds = (then + (int64_t)usec) / 1000000;
	localtime_r(&seconds, ret);
}

static void add(struct top *top, uint64_t usec, const struct klog_event *event)
{
	struct top_event *slot = &top->events[top->nr_events++ % TOP_EVENTS];
	struct tm tm;
	int n;

	clock_of(usec, &tm);
	n = snprintf(slot->text, sizeof(slot->text), "%02d:%02d:%02d ", tm.tm_hour, tm.tm_min,
		     tm.tm_sec);
	klog_describe(event, slot->text + n, sizeof(slot->text) - n);
}

static void line(struct top *top, const char *text)
{
	struct klog_event event;
	uint64_t usec = 0;

	text = klog_record(text, &usec);
	if (!text || !klog_parse(text, &event) || event.kind == KLOG_VICTIM)
		return;
	/* The kernel's line about one that ours has told of. */
	if (event.kind == KLOG_KILLED && event.victim.pid == top->last_victim)
		return;
	if (event.kind == KLOG_SACRIFICE && !event.dry_run)
		top->last_victim = event.victim.pid;
	add(top, usec, &event);
}

void top_events_look(struct top *top)
{
	char *begin, *end;
	ssize_t n;

	if (top->kmsg < 0)
		return;
	for (;;) {
		n = read(top->kmsg, top->log + top->log_len, sizeof(top->log) - 1 - top->log_len);
		/* EPIPE: records were overwritten before we came; the next is there. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		top->log_len += n;
		top->log[top->log_len] = '\0';
		begin = top->log;
		while ((end = strchr(begin, '\n'))) {
			*end = '\0';
			line(top, begin);
			begin = end + 1;
		}
		top->log_len = strlen(begin);
		/* Longer than any record: not what we look for. */
		if (top->log_len > sizeof(top->log) / 2)
			top->log_len = 0;
		memmove(top->log, begin, top->log_len);
	}
}
