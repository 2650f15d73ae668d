/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - reading a recording: the only place that knows how its lines look
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_RECORDING_H
#define _TBTF_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where `tbtf record` writes unless told otherwise. */
#define RECORDING_DEFAULT	"/var/log/tbtf/events.jsonl"

enum rec_kind {
	REC_OTHER,		/* what this program does not know: nothing is lost by that */
	REC_SAMPLE,		/* how memory stands */
	REC_MARK,
	REC_PASS,
	REC_EPISODE_BEGIN,
	REC_SACRIFICE,
	REC_KILLLESS,
	REC_NAP,
	REC_RUNG_END,
	REC_REQUEST,
	REC_ANSWER,
	REC_EXHAUSTED,
	REC_RELIEF,
	REC_DIED,
	REC_EPISODE_END,
	REC_OOM_VICTIM,		/* the kernel kills, whoever chose */
	REC_LOST,		/* events that were overwritten before they were read */
};

#define REC_COMM	64	/* 16 bytes, each of which may have become a U+FFFD */
#define REC_PATH	256
#define REC_WORD	24

struct rec_process {
	pid_t pid;		/* 0: nobody */
	char comm[REC_COMM];
	char cgroup[REC_PATH];	/* a path, or "" */
	uint64_t cgroup_id;
	uint64_t start_ns;	/* of boot time: with the pid it is this one alone */
	uint64_t kb;
	int adj;
};

struct rec_event {
	enum rec_kind kind;
	uint64_t ns;		/* CLOCK_MONOTONIC */
	double time;		/* of day, seconds since 1970; 0: not known */
	uint64_t episode;	/* 0: none */
	char scope[REC_WORD];	/* global, constrained, memcg, shared */
	char scope_cgroup[REC_PATH];
	struct rec_process task, protected, caller;
	uint64_t worth_kb;
	uint64_t duration_ns;
	char what[REC_WORD];	/* by kind: outcome, futile, death, pass, role, answer */
	char rung[REC_WORD];	/* steal, print; "": none, or it is not said */
	char band[REC_WORD], policy[REC_WORD];
	uint64_t candidates, tries;
	bool dry_run;
	uint64_t rounds, kills, naps;
	uint64_t lost;
	/* REC_SAMPLE */
	uint64_t total_kb, available_kb, swap_total_kb, swap_free_kb;
	uint64_t some_us, full_us;
	bool has_psi;
	uint64_t protected_kb, crowd_kb, crowd;
	bool has_sizes;		/* of those two */
};

struct recording {
	const char *name;	/* for messages */
	uint64_t lines;		/* read so far */
	uint64_t events;	/* of these understood */
	uint64_t bad;		/* of these not understood, blank ones aside */
	uint64_t first_bad;	/* number of the first, or 0 */
};

/*
 * Call visit for each line, in their order, until it returns other than 0; the
 * event is valid until visit returns. "-" is stdin. What is no line of a
 * recording is counted and passed over: a machine that went down may have left
 * half a line. Returns what visit did, 0, or -errno (of opening or reading).
 */
int recording_each(const char *path, struct recording *ret,
		   int (*visit)(const struct rec_event *event, void *data), void *data);

#endif /* _TBTF_RECORDING_H */
