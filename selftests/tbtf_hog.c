// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - for the tests: memory whose content is known, and children that hold it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tbtf_util.h"

#define HUGE_SIZE	(2UL << 20)

/* --- memory with a pattern --------------------------------------------- */

/* All regions begin here, so that growing at the end meets nobody. */
#define REGION_BASE	((char *)0x200000000000UL)

/* No compressor makes anything of that, unless a page is to pack: then it packs by 4. */
static uint64_t pattern(const struct tu_region *r, size_t offset)
{
	uint64_t x;

	if (r->packs && offset % 4096 >= 1024)
		offset = offset / 4096 * 4096;
	x = (offset / 8 + 1) * 0x9e3779b97f4a7c15ULL ^ r->seed;
	return x ^ x >> 29;
}

int tu_region_grow(struct tu_region *r, size_t bytes)
{
	size_t unit = r->hugetlb ? HUGE_SIZE : (size_t)sysconf(_SC_PAGESIZE);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	size_t off;
	char *p;

	bytes = (bytes + unit - 1) / unit * unit;
	if (!bytes)
		return 0;
	if (!r->base)
		r->base = REGION_BASE;
	if (r->hugetlb)
		flags |= MAP_HUGETLB;
	p = mmap(r->base + r->size, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (r->mlocked && mlock(p, bytes)) {
		int err = errno;

		munmap(p, bytes);
		return -err;
	}
	for (off = 0; off < bytes; off += 8)
		*(uint64_t *)(p + off) = pattern(r, r->size + off);
	r->size += bytes;
	return 0;
}

long long tu_region_check(const struct tu_region *r)
{
	size_t off;

	for (off = 0; off < r->size; off += 8) {
		uint64_t want = pattern(r, off);
		const char *p = r->base + off;
		int i;

		if (*(const uint64_t *)p == want)
			continue;
		for (i = 0; p[i] == ((char *)&want)[i]; i++)
			;
		return off + i;
	}
	return -1;
}

void tu_region_free(struct tu_region *r)
{
	if (r->size)
		munmap(r->base, r->size);
	r->size = 0;
}

/* --- hogs -------------------------------------------------------------- */

enum hog_order { HOG_NONE, HOG_GROW, HOG_VERIFY };

/*
 * A page that parent and child share. The parent writes an order and raises
 * `asked`; the child does it and sets `answered` to the same number.
 */
struct tu_hog_shared {
	volatile unsigned int asked;
	volatile unsigned int answered;
	volatile enum hog_order order;
	volatile int result;
	volatile size_t bytes;
	volatile size_t step;
	volatile int pause_ms;
	volatile size_t held;
};

static void *idle_thread(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static int hog_grow(struct tu_region *r, struct tu_hog_shared *s)
{
	size_t left = s->bytes, step = s->step ? s->step : s->bytes;
	int err;

	while (left) {
		size_t now = left < step ? left : step;

		err = tu_region_grow(r, now);
		if (err)
			return err;
		s->held = r->size;
		left -= now;
		if (left && s->pause_ms)
			tu_nap_ms(s->pause_ms);
	}
	return 0;
}

static int hog_setup(const struct tu_hog *h)
{
	pthread_t thread;
	int i, err;

	err = tu_adj_set(0, h->adj);
	if (!err && h->cgroup)
		err = tu_cg_enter(h->cgroup, 0);
	if (!err && h->mark)
		err = tu_mark(h->mark);
	for (i = 0; !err && i < h->threads; i++)
		err = -pthread_create(&thread, NULL, idle_thread, NULL);
	return err;
}

static void hog_main(const struct tu_hog *h)
{
	struct tu_hog_shared *s = h->shared;
	struct tu_region r = {
		.seed = (uint64_t)getpid() << 32,
		.hugetlb = h->hugetlb,
		.mlocked = h->mlock,
	};
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (h->name)
		prctl(PR_SET_NAME, h->name);
	err = hog_setup(h);
	if (!err && h->size_kb) {
		s->bytes = h->size_kb << 10;
		err = hog_grow(&r, s);
	}
	s->result = err;
	s->answered = 1;
	for (;;) {
		if (s->asked == s->answered) {
			tu_nap_ms(5);
			continue;
		}
		if (s->order == HOG_GROW)
			s->result = hog_grow(&r, s);
		else
			s->result = tu_region_check(&r) < 0 ? 0 : -EILSEQ;
		s->answered = s->asked;
	}
}

int tu_hog_start(struct tu_hog *h)
{
	int err;

	h->shared = mmap(NULL, sizeof(*h->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->shared == MAP_FAILED)
		return -errno;
	memset(h->shared, 0, sizeof(*h->shared));
	h->shared->asked = 1;
	h->pidfd = -1;
	h->pid = fork();
	if (h->pid < 0) {
		err = -errno;
		munmap(h->shared, sizeof(*h->shared));
		h->shared = NULL;
		return err;
	}
	if (!h->pid) {
		hog_main(h);
		_exit(0);
	}
	h->pidfd = tu_pidfd(h->pid);
	err = tu_hog_done(h, 60000);
	if (err)
		tu_hog_stop(h);
	return err;
}

static int hog_order(struct tu_hog *h, enum hog_order order)
{
	if (!tu_hog_alive(h))
		return -ESRCH;
	if (h->shared->asked != h->shared->answered)
		return -EBUSY;
	h->shared->order = order;
	h->shared->asked++;
	return 0;
}

int tu_hog_grow(struct tu_hog *h, size_t kb, size_t step_kb, int pause_ms)
{
	if (h->shared->asked != h->shared->answered)
		return -EBUSY;
	h->shared->bytes = kb << 10;
	h->shared->step = step_kb << 10;
	h->shared->pause_ms = pause_ms;
	return hog_order(h, HOG_GROW);
}

size_t tu_hog_kb(const struct tu_hog *h)
{
	return h->shared->held >> 10;
}

int tu_hog_done(struct tu_hog *h, int ms)
{
	long long end = tu_end_ms(ms);

	while (h->shared->asked != h->shared->answered) {
		if (!tu_hog_alive(h))
			return -ESRCH;
		if (tu_now_ms() >= end)
			return -ETIMEDOUT;
		tu_nap_ms(10);
	}
	return h->shared->result;
}

int tu_hog_verify(struct tu_hog *h, int ms)
{
	int err = hog_order(h, HOG_VERIFY);

	return err ? err : tu_hog_done(h, ms);
}

bool tu_hog_alive(const struct tu_hog *h)
{
	return h->pid > 0 && tu_alive(h->pid);
}

int tu_hog_stop(struct tu_hog *h)
{
	int status = 0;

	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
			;
		h->pid = 0;
	}
	if (h->pidfd >= 0)
		close(h->pidfd);
	h->pidfd = -1;
	if (h->shared)
		munmap(h->shared, sizeof(*h->shared));
	h->shared = NULL;
	return status;
}
