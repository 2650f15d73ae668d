// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who waits in a memory cgroup holds up nobody outside
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * An OOM of the machine that has nothing to do with tbtf, and a load on a
 * filesystem, are timed twice in the same VM: alone, and beside three memory
 * cgroups whose protected processes wait for memory. Were the kernel's oom_lock
 * held while they wait, the first would take fifty times as long. Time is the
 * guest's (icount).
 */
/* vm: mem=192 smp=1 load=brd icount="shift=1,sleep=off" timeout=180 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAITERS		3
#define RUNS		3
#define FILES		150
#define DIR		"/tmp/fs"

static pid_t waiters[WAITERS];

/*
 * A fault from user mode waits where the kernel holds nothing; the kernel's own
 * access to user memory, here by read(2), waits in the middle of the OOM.
 */
static void be_waiter(const char *cg, bool in_kernel)
{
	struct tu_region r = { .seed = 3 };
	int zero = open("/dev/zero", O_RDONLY);
	char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tu_adj_set(0, 0);
	if (tu_cg_enter(cg, 0) || tu_mark(TBTF_ON))
		_exit(1);
	p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in_kernel && (p == MAP_FAILED || read(zero, p, 8 << 20) != 8 << 20))
		_exit(2);
	if (!in_kernel && tu_region_grow(&r, 8 << 20))
		_exit(3);
	for (;;)
		pause();
}

/* Unmarked, and the largest: from its start to its death, in ms. */
static long long time_oom(void)
{
	long long from = tu_now_ms();
	struct tu_region r = { .seed = 5 };
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		tu_adj_set(0, 0);
		for (;;)
			if (tu_region_grow(&r, 1 << 20))
				_exit(1);
	}
	status = tu_wait(pid, 600000);
	if (status < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return -1;
	return tu_now_ms() - from;
}

/* Files written, made durable, and removed, in ms. */
static long long time_fs(void)
{
	static char buf[16384];
	long long from = tu_now_ms();
	char path[64];
	int i, fd;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), DIR "/f%d", i % 20);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || write(fd, buf, sizeof(buf)) != sizeof(buf) || fsync(fd) ||
		    close(fd) || (i % 3 && unlink(path)))
			return -1;
	}
	return tu_now_ms() - from;
}

/* The quickest of a few: what it takes, without chance. */
static long long best(long long (*run)(void))
{
	long long min = -1, ms;
	int i;

	for (i = 0; i < RUNS; i++) {
		ms = run();
		if (ms < 0)
			return -1;
		if (min < 0 || ms < min)
			min = ms;
	}
	return min;
}

FIXTURE(neighbours) {
};

FIXTURE_SETUP(neighbours)
{
	int status;
	pid_t pid;

	ASSERT_LE(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_LE(0, tu_write("4", "/proc/sys/kernel/printk"));
	ASSERT_LE(0, tu_knob_set("on_exhausted_memcg", "wait"));
	/* Often awake, so that they are often in the way. */
	ASSERT_LE(0, tu_knob_set_ll("nap_ms", 50));
	pid = fork();
	if (!pid) {
		execl("/bin/mke2fs", "mke2fs", "-F", "/dev/ram0", "8192", (char *)NULL);
		_exit(127);
	}
	status = tu_wait(pid, 60000);
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, mkdir(DIR, 0700));
	ASSERT_EQ(0, mount("/dev/ram0", DIR, "ext4", 0, NULL));
}

FIXTURE_TEARDOWN(neighbours)
{
	int i;

	for (i = 0; i < WAITERS; i++) {
		kill(waiters[i], SIGKILL);
		waitpid(waiters[i], NULL, 0);
	}
	umount(DIR);
}

TEST_F_TIMEOUT(neighbours, three_that_wait, 3600)
{
	long long oom, fs, oom_beside, fs_beside, naps;
	char cg[16];
	int i;

	fs = best(time_fs);
	oom = best(time_oom);
	ASSERT_LT(0, fs);
	ASSERT_LT(0, oom);

	for (i = 0; i < WAITERS; i++) {
		snprintf(cg, sizeof(cg), "wait%d", i);
		ASSERT_EQ(0, tu_cg_make(cg));
		ASSERT_LE(0, tu_cg_set(cg, "memory.max", "4M"));
		ASSERT_LE(0, tu_cg_set(cg, "memory.swap.max", "0"));
		waiters[i] = fork();
		if (!waiters[i])
			be_waiter(cg, i > 0);
	}
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == WAITERS && tu_stat("naps") > 10, 60000));
	naps = tu_stat("naps");

	fs_beside = best(time_fs);
	oom_beside = best(time_oom);
	TH_LOG("filesystem %lld ms alone, %lld ms beside three; OOM %lld ms alone, %lld ms beside three; naps %lld",
	       fs, fs_beside, oom, oom_beside, (long long)tu_stat("naps") - naps);
	ASSERT_LT(0, fs_beside);
	ASSERT_LT(0, oom_beside);
	/* They did wait meanwhile, all three. */
	EXPECT_LT(naps + 10, tu_stat("naps"));
	for (i = 0; i < WAITERS; i++)
		EXPECT_TRUE(tu_alive(waiters[i]));
	EXPECT_EQ(WAITERS, tu_stat("open_episodes"));

	/* About the time that it takes without them: half as much again is not. */
	EXPECT_GE(fs + fs / 2 + 20, fs_beside);
	EXPECT_GE(oom + oom / 2 + 20, oom_beside);
}

TEST_HARNESS_MAIN
