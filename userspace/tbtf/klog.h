/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the module says in the kernel log
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_KLOG_H
#define _TBTF_KLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum klog_kind {
	KLOG_SACRIFICE,		/* somebody is killed instead, or would be (dry_run) */
	KLOG_WAITS,		/* nobody is left to be killed */
	KLOG_FAILS,		/* the end of the ladder: allocations fail */
	KLOG_EXHAUSTED,		/* the end of the ladder: on_exhausted */
	KLOG_KILLED,		/* the kernel has killed somebody, for whatever reason */
	KLOG_VICTIM,		/* just before that: victim, and its cgroup in scope */
};

#define KLOG_COMM	64	/* 15 bytes, each of which the kernel may write as \xNN */

struct klog_process {
	pid_t pid;
	char comm[KLOG_COMM];
	uint64_t kb;
};

struct klog_event {
	enum klog_kind kind;
	uint64_t usec;		/* since boot, where the log says it */
	uint64_t episode;	/* 0: none */
	char scope[192];	/* "global", "constrained", "memcg /path" */
	bool dry_run;
	struct klog_process protected;
	struct klog_process victim;	/* of KLOG_SACRIFICE, KLOG_KILLED, KLOG_VICTIM */
	uint64_t worth_kb;
	int adj;
	char band[16];
	char policy[16];
	uint64_t tried;		/* random tries, or candidates looked at */
	bool scanned;		/* the latter */
	uint64_t kills;		/* before KLOG_WAITS and KLOG_EXHAUSTED */
	uint64_t waited_ms;
	char reason[96];	/* why nobody is killed; or what on_exhausted does */
};

/*
 * One line of the log, with or without a time ("[   12.345678] ") or what a
 * journal puts in front. Whether it says one of these things.
 */
bool klog_parse(const char *line, struct klog_event *ret_event);

/* The panic of tbtf's: all that led to it. */
struct klog_panic {
	uint64_t usec;		/* since boot */
	uint64_t episode;
	struct klog_process protected;
	uint64_t kills;
	uint64_t freed_kb;
	char last[5 * KLOG_COMM];	/* who was killed last, by name */
	uint64_t stolen_kb, printed_kb;
	uint64_t consumed_kb, brought_kb, needed_kb;	/* a second */
	bool reboots;
	bool partial;		/* only the first three are known */
};

/* Whether this line is it. */
bool klog_panic(const char *line, struct klog_panic *ret);

/*
 * A record of /dev/kmsg, "6,1234,567890,-;text": time and text. NULL if it is
 * none: a line that continues a record, say. The text is in place.
 */
const char *klog_record(const char *line, uint64_t *ret_usec);

/* The event for people, without its time, cut where buf is full. */
void klog_describe(const struct klog_event *event, char *buf, size_t size);

#endif /* _TBTF_KLOG_H */
