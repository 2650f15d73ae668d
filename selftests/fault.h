/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - fault injection of the kernel, for tests
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Where the kernel has it (CONFIG_FAULT_INJECTION_DEBUG_FS: the debug kernel), a
 * task can have its Nth allocation or copy from or to user space refused, or all
 * of its allocations. N is counted up until an operation ends before it fires:
 * then each of its faults has been had.
 */
#ifndef _TBTF_FAULT_H
#define _TBTF_FAULT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tbtf_util.h"

#define FAULT_DEBUGFS	"/sys/kernel/debug"

/*
 * A test begins with: if (!fault_there()) SKIP(return, FAULT_NONE);
 * In the setup of a fixture SKIP skips nothing.
 */
#define FAULT_NONE	"kernel without fault injection"

static inline bool fault_there(void)
{
	return !access("/proc/self/fail-nth", W_OK) &&
	       !access(FAULT_DEBUGFS "/failslab/ignore-gfp-wait", W_OK) &&
	       !access(FAULT_DEBUGFS "/fail_page_alloc/ignore-gfp-wait", W_OK);
}

/* Whether copies from and to user space can be refused as well (FAULT_INJECTION_USERCOPY). */
static inline bool fault_copies_there(void)
{
	return !access(FAULT_DEBUGFS "/fail_usercopy", F_OK);
}

/* Let allocations fail that may wait, too, and say nothing of each. */
static inline int fault_setup(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (i == 2 && !fault_copies_there())
			continue;
		ret |= tu_write("Y", FAULT_DEBUGFS "/%s/task-filter", kinds[i]) < 0;
		ret |= tu_write("0", FAULT_DEBUGFS "/%s/verbose", kinds[i]) < 0;
		ret |= tu_write("-1", FAULT_DEBUGFS "/%s/times", kinds[i]) < 0;
	}
	ret |= tu_write("N", FAULT_DEBUGFS "/failslab/ignore-gfp-wait") < 0;
	ret |= tu_write("N", FAULT_DEBUGFS "/fail_page_alloc/ignore-gfp-wait") < 0;
	ret |= tu_write("N", FAULT_DEBUGFS "/fail_page_alloc/ignore-gfp-highmem") < 0;
	ret |= tu_write("0", FAULT_DEBUGFS "/fail_page_alloc/min-order") < 0;
	return ret ? -EIO : 0;
}

/* This task's; a child has to open its own. */
static inline int fault_open(void)
{
	return open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

static inline void fault_arm(int fd, unsigned int nth)
{
	char buf[16];
	int n = 0;

	/* Without stdio: nothing here is to allocate, or to fail. */
	do {
		buf[sizeof(buf) - ++n] = '0' + nth % 10;
		nth /= 10;
	} while (nth);
	/* EFAULT: this very write was the one to fail; the next is not. */
	while (pwrite(fd, buf + sizeof(buf) - n, n, 0) != n) {
		if (errno != EFAULT) {
			dprintf(2, "# fail-nth: cannot write: %s\n", strerror(errno));
			abort();
		}
	}
}

/* Disarm. Did it fire? */
static inline bool fault_fired(int fd)
{
	char c = '?';
	ssize_t n = pread(fd, &c, 1, 0);

	/* EFAULT: this very read was the Nth. */
	fault_arm(fd, 0);
	return n == 1 && c == '0';
}

/* Refuse all allocations to this task, from the next system call on; or no longer. */
static inline void fault_all(bool on)
{
	static int fd = -1;

	if (fd < 0) {
		fd = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);
		tu_write("100", FAULT_DEBUGFS "/failslab/probability");
		tu_write("100", FAULT_DEBUGFS "/fail_page_alloc/probability");
	}
	if (pwrite(fd, on ? "1" : "0", 1, 0) != 1)
		abort();
}

#endif /* _TBTF_FAULT_H */
