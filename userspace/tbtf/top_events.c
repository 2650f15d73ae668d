// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: what has happened, from the eBPF part or the kernel log
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Both are read without taking anything from other readers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf.h"
#include "cmd.h"
#include "klog.h"
#include "top.h"

static struct tbtf_bpf ring;
static FILE *ring_text;
static char ring_line[TOP_EVENT_LEN];

/* Where the eBPF part is attached, it tells more, and has the past as well. */
static bool open_ring(struct top *top)
{
	struct tbtf_control control;

	/* Below another root there is none. */
	if (*tbtf_root || tbtf_bpf_stamp(&control) || tbtf_bpf_open(&ring))
		return false;
	ring_text = fmemopen(ring_line, sizeof(ring_line), "w");
	if (!ring_text) {
		tbtf_bpf_close(&ring);
		return false;
	}
	top->ring_seq = ring.live->head > TOP_EVENTS * 4 ? ring.live->head - TOP_EVENTS * 4 : 0;
	return true;
}

void top_events_init(struct top *top)
{
	char path[PATH_LEN];

	top->has_ring = open_ring(top);
	if (top->has_ring)
		return;
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

static void add(struct top *top, uint64_t usec, const char *text)
{
	struct top_event *slot = &top->events[top->nr_events++ % TOP_EVENTS];
	struct tm tm;

	clock_of(usec, &tm);
	snprintf(slot->text, sizeof(slot->text), "%02d:%02d:%02d %.*s", tm.tm_hour, tm.tm_min,
		 tm.tm_sec, (int)sizeof(slot->text) - 16, text);
}

/* --- the kernel log --------------------------------------------------------- */

static void line(struct top *top, const char *text)
{
	char what[TOP_EVENT_LEN];
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
	klog_describe(&event, what, sizeof(what));
	add(top, usec, what);
}

static void look_at_log(struct top *top)
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

/* --- the eBPF part ------------------------------------------------------------ */

/* What comes in numbers, or is said of a kill already. */
static bool is_small(uint32_t kind)
{
	return kind == TBTF_EVENT_NAP || kind == TBTF_EVENT_RELIEF || kind == TBTF_RECORD_VICTIM ||
	       kind == TBTF_RECORD_GONE;
}

static void look_at_ring(struct top *top)
{
	struct tbtf_record record;
	uint64_t lost;
	char *text;

	while (tbtf_bpf_next(&ring, &top->ring_seq, &record, &lost)) {
		if (is_small(record.event.kind))
			continue;
		rewind(ring_text);
		tbtf_event_text(ring_text, &record);
		/* Where it was cut there is no end. */
		fputc('\0', ring_text);
		fflush(ring_text);
		ring_line[sizeof(ring_line) - 1] = '\0';
		ring_line[strcspn(ring_line, "\n")] = '\0';
		/* Its time of day is UTC; the one beside it on the screen is not. */
		text = strchr(ring_line, ' ');
		add(top, record.ns / 1000, text ? text + 1 : ring_line);
	}
}

void top_events_look(struct top *top)
{
	if (top->has_ring)
		look_at_ring(top);
	else
		look_at_log(top);
}
