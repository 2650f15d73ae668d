// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a preview while those it speaks of go away
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Draws go on for a long time; meanwhile P is killed and reaped, its parent
 * exits, or the cgroup is removed. The kernel's allocator is told to overwrite
 * what is freed, so that a pointer followed too late is no matter of luck.
 *
 * vm: mem=256 timeout=120 append="slub_debug=FZP,task_struct"
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS	60000

static struct tbtf_preview pv;
static volatile int32_t draws[TBTF_PREVIEW_MAX];

static volatile struct {
	pid_t p;
	bool go;
} *shared;

static void *draw_long(void *unused)
{
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	long err;

	(void)unused;
	err = ioctl(fd, TBTF_IOC_PREVIEW, &pv) ? -errno : 0;
	close(fd);
	return (void *)err;
}

/* Some thousand draws done, and many to come. */
static bool under_way(void)
{
	return TU_WAIT_FOR(draws[1000] != -1, WAIT_MS);
}

FIXTURE(gone) {
	struct tu_hog small;
	pthread_t thread;
};

FIXTURE_SETUP(gone)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	memset((void *)draws, -1, sizeof(draws));
	/* It makes each draw go through all processes. */
	self->small = (struct tu_hog){ .name = "small", .size_kb = 4096, .adj = 1 };
	ASSERT_EQ(0, tu_hog_start(&self->small));
	pv = (struct tbtf_preview){
		.pidfd = -1, .cgroup = -1, .draws = (uintptr_t)draws, .nr_draws = TBTF_PREVIEW_MAX,
	};
}

FIXTURE_TEARDOWN(gone)
{
	tu_hog_stop(&self->small);
}

/* P is reaped by its parent, who exits as well: nobody looks after P's pointers any more. */
TEST_F_TIMEOUT(gone, p_and_its_parent, 100)
{
	pid_t parent = fork(), p;
	void *err;
	int i;

	if (!parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		p = fork();
		if (!p) {
			struct tu_region r = { .seed = 1 };

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (tu_adj_set(0, 0) || tu_region_grow(&r, 16 << 20))
				_exit(1);
			shared->p = getpid();
			for (;;)
				pause();
		}
		while (!shared->go)
			tu_nap_ms(5);
		kill(p, SIGKILL);
		waitpid(p, NULL, 0);
		_exit(0);
	}
	ASSERT_TRUE(TU_WAIT_FOR(shared->p, WAIT_MS));
	pv.pidfd = tu_pidfd(shared->p);
	ASSERT_LE(0, pv.pidfd);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, draw_long, NULL));
	ASSERT_TRUE(under_way());
	EXPECT_EQ(self->small.pid, draws[0]);
	shared->go = true;
	EXPECT_EQ(0, tu_wait(parent, WAIT_MS));
	/* Others take the place of what was freed. */
	for (i = 0; i < 50; i++) {
		p = fork();
		if (!p)
			_exit(0);
		waitpid(p, NULL, 0);
	}
	ASSERT_EQ(0, pthread_join(self->thread, &err));
	EXPECT_EQ(-ESRCH, (long)err);
	EXPECT_EQ(-1, draws[TBTF_PREVIEW_MAX - 1]);
	close(pv.pidfd);
}

/* Its members die, and the cgroup is removed: there is nobody to draw any more. */
TEST_F_TIMEOUT(gone, the_cgroup, 100)
{
	struct tu_hog big = { .name = "big", .size_kb = 8192 };
	void *err;

	ASSERT_EQ(0, tu_cg_make("gone"));
	ASSERT_EQ(0, tu_cg_enter("gone", self->small.pid));
	ASSERT_EQ(0, tu_hog_start(&big));
	pv.pidfd = big.pidfd;
	pv.cgroup = open(TU_CGROUP "/gone", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, pv.cgroup);
	pv.nr_draws = 100000;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, draw_long, NULL));
	ASSERT_TRUE(under_way());
	EXPECT_EQ(self->small.pid, draws[0]);
	EXPECT_EQ(0, tu_cg_remove("gone"));
	close(pv.cgroup);
	ASSERT_EQ(0, pthread_join(self->thread, &err));
	EXPECT_EQ(NULL, err);
	EXPECT_EQ(0, draws[pv.nr_draws - 1]);
	/* A zombie keeps its cgroup: that one is reaped first. */
	tu_hog_stop(&self->small);
	EXPECT_TRUE(TU_WAIT_FOR(!tu_cg_get("", "cgroup.stat", "nr_dying_descendants"), WAIT_MS));
	tu_hog_stop(&big);
}

TEST_HARNESS_MAIN
