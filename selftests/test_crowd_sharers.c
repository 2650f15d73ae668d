// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a preview of many who share their memory in pairs
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each of them takes a walk over all processes, of which a preview has 1024. They
 * are enough here, but not for twice, and there are more processes than a preview
 * makes room for at its first try.
 */
/* vm: mem=384 smp=1 timeout=120 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define PAIRS		400
#define OTHERS		400
#define WAIT_MS		60000

static volatile struct {
	int ready;
	pid_t pairs[2 * PAIRS];
} *shared;

/* No function of the C library is safe in it. */
static int wait_for_death(void *unused)
{
	(void)unused;
	for (;;)
		syscall(SYS_pause);
	return 0;
}

static void be_one(int i)
{
	static char stack[4096] __attribute__((aligned(16)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (i < PAIRS) {
		shared->pairs[2 * i] = getpid();
		shared->pairs[2 * i + 1] = clone(wait_for_death, stack + sizeof(stack),
						 CLONE_VM | SIGCHLD, NULL);
	}
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	wait_for_death(NULL);
}

static bool of_a_pair(pid_t pid)
{
	int i;

	for (i = 0; i < 2 * PAIRS; i++)
		if (shared->pairs[i] == pid)
			return true;
	return false;
}

FIXTURE(sharers) {
	struct tu_hog p;
};

FIXTURE_SETUP(sharers)
{
	pid_t pid;
	int i;

	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "0"));
	shared = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_cg_make("crowd"));
	self->p = (struct tu_hog){ .name = "big", .size_kb = 16384 };
	ASSERT_EQ(0, tu_hog_start(&self->p));
	ASSERT_EQ(0, tu_cg_enter("crowd", 0));
	/* What the children inherit. */
	ASSERT_EQ(0, tu_adj_set(0, 0));
	for (i = 0; i < PAIRS + OTHERS; i++) {
		pid = fork();
		if (!pid)
			be_one(i);
		ASSERT_LT(0, pid);
	}
	ASSERT_EQ(0, tu_adj_set(0, -1000));
	ASSERT_EQ(0, tu_write("0", TU_CGROUP "/cgroup.procs"));
	ASSERT_TRUE(TU_WAIT_FOR(shared->ready == PAIRS + OTHERS, WAIT_MS));
}

FIXTURE_TEARDOWN(sharers)
{
	tu_hog_stop(&self->p);
	EXPECT_EQ(0, tu_cg_remove("crowd"));
	while (wait(NULL) > 0)
		;
}

TEST_F_TIMEOUT(sharers, all_looked_up, 120)
{
	static struct tbtf_candidate all[2 * PAIRS + OTHERS + 256];
	struct tbtf_preview pv = {
		.cgroup = -1, .flags = TBTF_PREVIEW_ALL, .entries = (uintptr_t)all,
		.count = sizeof(all) / sizeof(all[0]),
	};
	unsigned int i, candidates = 0, unknown = 0;
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);

	pv.pidfd = tu_pidfd(self->p.pid);
	ASSERT_LE(0, pv.pidfd);
	ASSERT_EQ(0, ioctl(fd, TBTF_IOC_PREVIEW, &pv));
	ASSERT_EQ(pv.total, pv.count);
	for (i = 0; i < pv.count; i++) {
		if (!of_a_pair(all[i].pid))
			continue;
		candidates += all[i].reason == TBTF_REASON_CANDIDATE;
		unknown += all[i].reason == TBTF_REASON_SHARED_MM;
	}
	EXPECT_EQ(2 * PAIRS, candidates);
	EXPECT_EQ(0, unknown);
	close(pv.pidfd);
	close(fd);
}

TEST_HARNESS_MAIN
