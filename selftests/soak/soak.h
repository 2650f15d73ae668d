/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - soak: what the conductor and the workers share
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A worker is a process that takes one step after the other of a seeded random
 * walk. After each it beats, so that the conductor sees who is stuck, and
 * rests while the conductor does the books. What must hold is said with MUST();
 * the first that did not is kept, with the line.
 */
#ifndef _SOAK_H
#define _SOAK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tbtf_util.h"

#define SOAK_CG		"soak"		/* everybody who may die is below it */
#define SOAK_PARAMS	"min_victim_kb=64 max_kills=512 episode_idle_ms=500 ladder_deadline_ms=800 nap_ms=50"

enum phase { SOAK_WORK, SOAK_REST, SOAK_END };

struct seat {
	char name[16];
	pid_t pid;
	volatile long steps;
	volatile long long beat;	/* when the last step ended, ms */
	volatile bool resting;
	char at[96];			/* what it is doing */
	volatile int broken;		/* how many MUST() did not hold */
	char first[256];		/* the first of them */
};

/* What has been seen, so that a walk in which nothing happened is no success. */
struct seen {
	volatile long families, gave_up;
	volatile long calm;		/* of the families: nothing from outside came in between */
	volatile long killed;		/* members of families that an OOM took */
	volatile long survived;		/* protected ones that got all they wanted */
	volatile long exhausted;	/* and those that did not */
	volatile long waited;		/* and were saved by a higher limit */
	volatile long globals, global_survived;
	volatile long forks, execs, marks, cgroups, knobs, switches, reloads, reads, previews;
	volatile long helpers, requests;
};

struct soak {
	volatile enum phase phase;
	bool still;			/* the module is not to be loaded under load */
	volatile bool wild;		/* this cycle: switch off, dry run, reload */
	/*
	 * Sequence counts, odd while it is so: tbtf is off, in a dry run, or not
	 * loaded; the machine is, or may soon be, out of memory.
	 */
	volatile unsigned int off;
	volatile unsigned int global;
	struct seen seen;
	struct seat seats[];
};

extern struct soak *soak;
extern struct seat *seat;		/* the worker's own */
extern uint64_t soak_rng;

/* --- what a worker uses -------------------------------------------------- */

uint32_t below(uint32_t bound);		/* uniform in 0 ... bound - 1 */
static inline bool one_in(uint32_t n)
{
	return !below(n);
}

/* For the dump of one who is stuck. */
#define AT(fmt, ...)	snprintf(seat->at, sizeof(seat->at), fmt, ##__VA_ARGS__)

void broken(int line, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define MUST(cond, fmt, ...) ({						\
	bool __ok = !!(cond);						\
									\
	if (!__ok)							\
		broken(__LINE__, __FILE_NAME__, "%s: " fmt, #cond, ##__VA_ARGS__);	\
	__ok;								\
})

static inline void count(volatile long *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

/* Has tbtf been on, and was there memory, from one look to the other? */
struct calm {
	unsigned int off, global;
};

static inline struct calm calm_begin(void)
{
	return (struct calm){ soak->off, soak->global };
}

static inline bool was_on(struct calm since)
{
	return !(since.off & 1) && soak->off == since.off;
}

static inline bool was_calm(struct calm since)
{
	return was_on(since) && !(since.global & 1) && soak->global == since.global;
}

/* A child that may die, in a cgroup below SOAK_CG, of adj 0. In it: 0, or it has exited. */
pid_t soak_fork(const char *cg);

/* --- the workers --------------------------------------------------------- */

void family_step(void);			/* family.c */
void global_step(void);
void fork_step(void);			/* churn.c */
void mark_step(void);
void cgroup_step(void);
void knob_step(void);
void read_step(void);
void helper_step(void);
void switch_step(void);			/* and reload */

int soak_load(const char *params);	/* churn.c: insert the module */
int soak_unload(int ms);		/* remove it; those who have it open leave soon */
int soak_is_marked(void);		/* the program after an exec */

#endif /* _SOAK_H */
