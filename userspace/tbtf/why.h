/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - why: what its files share
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_WHY_H
#define _TBTF_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recording.h"

enum why_cause {
	WHY_SACRIFICED,		/* in a protected one's place */
	WHY_EXHAUSTED,		/* too big to fail itself, and nobody else was left */
	WHY_DIED,		/* too big to fail itself, of something else: what says of what */
	WHY_KERNEL,		/* the kernel's choice; what: why tbtf left it alone, if known */
};

/* Somebody died. */
struct why_death {
	enum why_cause cause;
	double time;			/* of day, seconds since 1970; 0: not known */
	uint64_t ns;			/* of the source's clock: the order */
	uint64_t episode;		/* 0: none */
	char scope[REC_PATH];		/* "global", "constrained", or the path of a cgroup */
	struct rec_process victim, protected;
	uint64_t worth_kb;
	char band[REC_WORD], policy[REC_WORD], what[REC_WORD];
	uint64_t candidates, tries;	/* that were looked at; 0: not known */
	uint64_t nth, of;		/* of how many kills in the episode */
	char outcome[REC_WORD];		/* of the episode; "": not known */
	uint64_t waited_ns;		/* of WHY_EXHAUSTED */
};

struct why {
	struct why_death *deaths;
	size_t nr, room;
	double first, last;		/* times that the source speaks of; 0: not known */
	uint64_t lines;
};

/* -- why_sources.c -------------------------------------------------------------- */

/* All who died, in their order. 0 or -errno. */
int why_read_recording(const char *path, struct why *why);

/*
 * The same from the kernel log: the journal where systemd runs (all boots that it
 * has), else /dev/kmsg. ret_source: what it was. 0 or -errno.
 */
int why_read_log(struct why *why, const char **ret_source);

void why_free(struct why *why);

#endif /* _TBTF_WHY_H */
