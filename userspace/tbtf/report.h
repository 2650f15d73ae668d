/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - report: what its files share
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_REPORT_H
#define _TBTF_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "recording.h"

/* What is kept at most: a page with more can be read by nobody. */
#define REPORT_KILLS	20000
#define REPORT_EPISODES	5000
#define REPORT_SAMPLES	400000

struct report_kill {
	uint64_t ns, episode;
	struct rec_process victim, protected;
	uint64_t worth_kb;
	char band[REC_WORD], policy[REC_WORD];
	bool dry_run;
};

struct report_episode {
	uint64_t id;
	uint64_t begin, end;		/* ns; the first and the last that is known of it */
	bool begun, ended;		/* whether the recording has its begin, its end */
	char scope[REC_WORD], scope_cgroup[REC_PATH];
	char outcome[REC_WORD];		/* "" while it is open */
	struct rec_process protected;	/* of the last round */
	uint64_t rounds, kills, freed_kb, naps;
	uint64_t seen_kills, seen_kb;	/* in the recording */
	uint64_t waiting_since;		/* 0: it does not */
	char why[REC_WORD];		/* nobody was there to be killed, at last */
};

/* A time past the rung of sacrifice. */
struct report_wait {
	uint64_t begin, end, episode;
	char why[REC_WORD];
	char rung[REC_WORD];		/* on which it was; "": nothing was left but to wait */
};

/* The end of the ladder, or of a protected process. */
struct report_end {
	uint64_t ns, episode;
	bool died;			/* else: the ladder's */
	struct rec_process who;
	char what[REC_WORD];
	uint64_t waited_ns;
};

struct report_sample {
	uint64_t ns;
	uint64_t total_kb, available_kb, swap_total_kb, swap_free_kb;
	uint64_t some_us, full_us, protected_kb, crowd_kb, crowd;
	bool has_psi, has_sizes;
};

/* The size of the protected process, as it was when somebody died for it. */
struct report_size {
	uint64_t ns, kb;
};

struct report {
	uint64_t wanted;		/* this episode, 0: all */
	double from_time, to_time;	/* time of day, seconds since 1970; 0: all */
	uint64_t from, to;		/* the same in ns of CLOCK_MONOTONIC */
	double offset;			/* time of day less CLOCK_MONOTONIC, in seconds */
	bool has_offset;
	uint64_t first, last;		/* ns of what is shown */
	struct report_kill *kills;
	struct report_episode *episodes;
	struct report_wait *waits;
	struct report_end *ends;
	struct report_sample *samples;
	struct report_size *sizes;
	size_t nr_kills, nr_episodes, nr_waits, nr_ends, nr_samples, nr_sizes;
	uint64_t lost;			/* events */
	uint64_t cut;			/* that were too many for a page */
	struct recording recording;
};

/* -- report_data.c ---------------------------------------------------------- */

/* Read what is wanted. 0 or -errno; -ENODATA: the recording has nothing of it. */
int report_read(struct report *report, const char *path);
void report_free(struct report *report);

/* -- report_html.c ---------------------------------------------------------- */

/* Text that came from elsewhere, for an element or a quoted attribute. */
void html_text(FILE *out, const char *text);

/* How wide that will be, roughly; what is not ASCII counts twice. */
int html_columns(const char *text);

/* When: time of day where that is known, else seconds since the first event. */
void html_when(FILE *out, const struct report *report, uint64_t ns, bool with_ms);

/* "12.3 ms", "4.56 s", "3 min 20 s" */
const char *html_duration(uint64_t ns, char buf[32]);

void report_html(const struct report *report, FILE *out);

/* -- report_svg.c ------------------------------------------------------------- */

void report_svg(const struct report *report, FILE *out);

#endif /* _TBTF_REPORT_H */
