/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the tests have in common
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Functions that return int give 0 or a value >= 0, and -errno on failure; none
 * prints anything and none exits, so that a test can put each in an assertion.
 */
#ifndef _TBTF_UTIL_H
#define _TBTF_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/tbtf.h>

#define TU_SYSFS	"/sys/kernel/mm/tbtf"
#define TU_CGROUP	"/sys/fs/cgroup"

/* --- files ------------------------------------------------------------- */

/* Read a small file whole, without its last newline. Its length. */
int tu_read(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The number a file begins with; LLONG_MIN where there is none. */
long long tu_read_ll(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Write a string in one write(2). */
int tu_write(const char *value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- tbtf -------------------------------------------------------------- */

/* A knob; of a choice, the word in brackets. */
int tu_knob_get(const char *name, char *buf, size_t size);
int tu_knob_set(const char *name, const char *value);
int tu_knob_set_ll(const char *name, long long value);
/* A counter of stats/; LLONG_MIN where there is no such counter. */
long long tu_stat(const char *name);

int tu_mark(unsigned int flags);	/* prctl(PR_SET_TBTF), own process */
int tu_mark_get(void);			/* prctl(PR_GET_TBTF) */

/* --- /dev/tbtf --------------------------------------------------------- */

int tu_role_set(pid_t pid, uint32_t role, uint32_t flags);	/* TBTF_IOC_MARK */
int tu_query(pid_t pid, struct tbtf_info *ret);			/* TBTF_IOC_QUERY */
/*
 * How process `of` looks to an OOM that hits p: ret->reason, ret->band, ...
 * cgroup: out of memory; NULL: the machine is. -ESRCH: it is not in the answer.
 * ret_pv, with the answer as a whole, may be NULL.
 */
int tu_judge(pid_t p, const char *cgroup, pid_t of, struct tbtf_candidate *ret,
	     struct tbtf_preview *ret_pv);
/* As many choices as there is room for. ret_pv, as above. */
int tu_draw(pid_t p, const char *cgroup, uint32_t policy, int32_t *pids, uint32_t nr,
	    struct tbtf_preview *ret_pv);

/* --- processes --------------------------------------------------------- */

int tu_pidfd(pid_t pid);
int tu_adj_set(pid_t pid, int adj);	/* oom_score_adj; pid 0: own */
/* VmRSS, VmSwap, RssAnon, ... of /proc/PID/status in kB; -ESRCH. */
long long tu_status_kb(pid_t pid, const char *field);
/* Is it there, and no zombie? */
bool tu_alive(pid_t pid);
/* Wait for a child at most ms milliseconds: its wait status, or -ETIMEDOUT. */
int tu_wait(pid_t pid, int ms);

/* --- children ---------------------------------------------------------- */

#define TU_NOBODY	65534

/*
 * Run in a child what would spoil the test for the others: what fn returned, 0 to
 * 255; -1 if it did not get that far.
 */
int tu_in_child(int (*fn)(int arg), int arg);
int tu_drop_cap(int cap);	/* CAP_*, from the effective set */
int tu_become_nobody(void);	/* user and group, for good */
int tu_send_fd(int sock, int fd);
int tu_receive_fd(int sock);

/*
 * For children that only have to be there. They say on a page that is shared with
 * the test when they are: *tu_ready counts them. tu_ready_reset() first.
 */
extern volatile unsigned int *tu_ready;
int tu_ready_reset(void);
bool tu_wait_ready(unsigned int n, int ms);
/* A killable child with so much memory, that goes with its parent. True in the child. */
bool tu_fork(size_t kb, volatile pid_t *ret_pid);
/* Count as ready, and wait to be killed. */
__attribute__((noreturn)) void tu_stay(void);
/* tu_stay() in a process made by clone(2) with these flags: its pid. */
pid_t tu_clone(int flags);
/* Memory that is there at once; flags: MAP_PRIVATE or MAP_SHARED. Exits if there is none. */
char *tu_fill(size_t kb, int flags);

/* --- memory with a pattern --------------------------------------------- */

/*
 * Anonymous memory in one piece that grows at its end. Every eight bytes say
 * where they are and whose they are, so that a page lost, swapped wrongly or
 * mixed up with another is seen.
 */
struct tu_region {
	char *base;
	size_t size;		/* bytes mapped and filled */
	uint64_t seed;
	bool hugetlb;
	bool mlocked;
	bool packs;		/* three quarters of each page are all the same */
};

int tu_region_grow(struct tu_region *r, size_t bytes);
/* Offset of the first wrong byte, or -1 if all are right. */
long long tu_region_check(const struct tu_region *r);
void tu_region_free(struct tu_region *r);

/* --- hogs: processes that hold memory ---------------------------------- */

struct tu_hog {
	/* set by the caller; 0 and NULL are good defaults */
	const char *name;	/* comm */
	const char *cgroup;	/* to be moved to, below TU_CGROUP */
	size_t size_kb;		/* filled before tu_hog_start() returns */
	unsigned int mark;	/* flags of PR_SET_TBTF */
	int adj;		/* oom_score_adj */
	int threads;		/* besides the first */
	bool mlock;
	bool hugetlb;
	/* set by tu_hog_start() */
	pid_t pid;
	int pidfd;
	struct tu_hog_shared *shared;
};

/* Start one and wait until it has what it shall have. */
int tu_hog_start(struct tu_hog *h);
/*
 * Let it grow by kb in steps of step_kb (0: at once), pause_ms between two.
 * Does not wait: see tu_hog_done(), tu_hog_kb().
 */
int tu_hog_grow(struct tu_hog *h, size_t kb, size_t step_kb, int pause_ms);
/* How much it holds; what it held last if it is dead. */
size_t tu_hog_kb(const struct tu_hog *h);
/* Wait until it has done what it was told: 0, -errno of its own, -ESRCH if it died, -ETIMEDOUT. */
int tu_hog_done(struct tu_hog *h, int ms);
/* Let it check its memory byte for byte: 0, -EILSEQ, or as tu_hog_done(). */
int tu_hog_verify(struct tu_hog *h, int ms);
bool tu_hog_alive(const struct tu_hog *h);
/* Kill it if it still runs, reap it, free the handle: its wait status. */
int tu_hog_stop(struct tu_hog *h);

/* --- cgroups, by their path below TU_CGROUP ---------------------------- */

/* Make one, with the memory controller for its children. -EEXIST as mkdir. */
int tu_cg_make(const char *cg);
/* Kill all that is in it and below, and remove it. */
int tu_cg_remove(const char *cg);
int tu_cg_enter(const char *cg, pid_t pid);	/* pid 0: own */
int tu_cg_set(const char *cg, const char *file, const char *value);
/* The number behind key in a flat keyed file (memory.events, ...); with key NULL, the file's. */
long long tu_cg_get(const char *cg, const char *file, const char *key);
uint64_t tu_cg_id(const char *cg);

/* --- the kernel log ---------------------------------------------------- */

/* A descriptor that gives what is logged from now on. */
int tu_log_open(void);
/*
 * Wait at most ms for a line that matches the extended regular expression,
 * and put it into buf (may be NULL). Lines read are gone. 0, -ETIMEDOUT.
 */
int tu_log_find(int fd, const char *regex, int ms, char *buf, size_t size);

/* --- time -------------------------------------------------------------- */

long long tu_now_ms(void);
/*
 * How many times as long everything may take here (VM_PATIENCE): TU_WAIT_FOR and
 * all that waits at most so long know of it, and so does the harness's alarm().
 */
int tu_patience(void);
/* The time from which on "at most ms" is over. */
long long tu_end_ms(long long ms);
unsigned int tu_alarm(unsigned int seconds);
/* n times, or as many per cent of that as VM_EFFORT asks for, where n is large. */
int tu_effort(int n);
void tu_nap_ms(int ms);

/* Poll until cond holds, at most ms milliseconds (times VM_PATIENCE); whether it held. */
#define TU_WAIT_FOR(cond, ms) ({				\
	long long __end = tu_end_ms(ms);			\
	bool __held;						\
								\
	while (!(__held = !!(cond)) && tu_now_ms() < __end)	\
		tu_nap_ms(10);					\
	__held;							\
})

#endif /* _TBTF_UTIL_H */
