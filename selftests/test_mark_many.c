// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - many marks, and pids used again
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=768 timeout=180
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define MANY	10000
#define REUSES	1000
#define WAIT_MS	120000

static volatile struct {
	unsigned int ready, failed;
} *shared;

/* As TU_WAIT_FOR, for what is over in less than its nap, a thousand times. */
#define SPIN_FOR(cond) ({					\
	long long __end = tu_now_ms() + WAIT_MS;		\
								\
	while (!(cond) && tu_now_ms() < __end)			\
		sched_yield();					\
	(cond);							\
})

static long raw_prctl(long option, long arg)
{
	return syscall(SYS_prctl, option, arg, 0, 0, 0);
}

/*
 * A process as cheap as can be: it shares all memory with the test, but no
 * more than that. No function of the C library is safe in it.
 */
static int marked_clone(void *unused)
{
	(void)unused;
	raw_prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (raw_prctl(PR_SET_TBTF, TBTF_ON))
		__sync_fetch_and_add(&shared->failed, 1);
	__sync_fetch_and_add(&shared->ready, 1);
	for (;;)
		syscall(SYS_pause);
	return 0;
}

FIXTURE(many) {
	long long set, exited;
};

FIXTURE_SETUP(many)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	self->set = tu_stat("marks_set");
	self->exited = tu_stat("marks_exited");
}

FIXTURE_TEARDOWN(many)
{
	tu_knob_set("max_marks", "1024");
}

static unsigned int list(struct tbtf_info *infos, unsigned int nr, unsigned int *ret_total)
{
	struct tbtf_list list = { .entries = (uintptr_t)infos, .count = nr };
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TBTF_IOC_LIST, &list))
		return 0;
	close(fd);
	*ret_total = list.total;
	return list.count;
}

static int by_pid(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* All at once, each found, and the one above max_marks refused; then all gone at once. */
TEST_F_TIMEOUT(many, ten_thousand, 180)
{
	static struct tbtf_info infos[MANY + 1];
	static pid_t pids[MANY + 1];
	unsigned int i, total = 0;
	char *stacks;

	ASSERT_EQ(0, tu_knob_set_ll("max_marks", MANY));
	ASSERT_EQ(0, tu_write("20000", "/proc/sys/kernel/threads-max"));
	stacks = mmap(NULL, (MANY + 1) * 4096UL, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, stacks);
	for (i = 0; i <= MANY; i++) {
		pids[i] = clone(marked_clone, stacks + (i + 1) * 4096UL, CLONE_VM | SIGCHLD, NULL);
		ASSERT_LT(0, pids[i]);
	}
	ASSERT_TRUE(TU_WAIT_FOR(shared->ready == MANY + 1, WAIT_MS));
	EXPECT_EQ(1, shared->failed);
	EXPECT_EQ(MANY, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(self->set + MANY, tu_stat("marks_set"));
	EXPECT_EQ(MANY, list(infos, MANY + 1, &total));
	EXPECT_EQ(MANY, total);
	qsort(pids, MANY + 1, sizeof(*pids), by_pid);
	for (i = 0; i < MANY; i++) {
		ASSERT_NE(NULL, bsearch(&infos[i].pid, pids, MANY + 1, sizeof(*pids), by_pid));
		ASSERT_EQ(TBTF_ROLE_TBTF, infos[i].role);
	}

	for (i = 0; i <= MANY; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i <= MANY; i++)
		waitpid(pids[i], NULL, 0);
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(self->exited + MANY, tu_stat("marks_exited"));
	EXPECT_EQ(0, list(infos, MANY + 1, &total));
	EXPECT_EQ(0, total);
}

/* max_marks lowered below what there is: nobody loses one, and nobody gets one. */
TEST_F(many, max_marks_lowered)
{
	struct tu_hog hogs[3] = {
		{ .name = "a", .mark = TBTF_ON }, { .name = "b", .mark = TBTF_ON }, { .name = "c" },
	};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, tu_hog_start(&hogs[i]));
	}
	ASSERT_EQ(0, tu_knob_set("max_marks", "1"));
	EXPECT_EQ(2, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(-ENOSPC, tu_role_set(hogs[2].pid, TBTF_ROLE_TBTF, 0));
	tu_hog_stop(&hogs[0]);
	EXPECT_EQ(-ENOSPC, tu_role_set(hogs[2].pid, TBTF_ROLE_TBTF, 0));
	tu_hog_stop(&hogs[1]);
	EXPECT_EQ(0, tu_role_set(hogs[2].pid, TBTF_ROLE_TBTF, 0));
	tu_hog_stop(&hogs[2]);
}

/* A process with the pid of our choice. */
static pid_t start_with_pid(pid_t pid)
{
	pid_t tids[1] = { pid };
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)tids, .set_tid_size = 1,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/*
 * The same pid, again and again: marked by itself, by somebody else, by a
 * thread, killed or at its own end. The next one to have it has no mark.
 */
TEST_F_TIMEOUT(many, pid_used_again, 180)
{
	pid_t pid = 30000, got;
	int status, err = 0;
	unsigned int i;

	for (i = 0; i < REUSES; i++) {
		got = start_with_pid(pid);
		if (!got) {
			if (getpid() != pid)
				_exit(10);
			if (tu_mark_get())
				_exit(11);
			if (i % 2 && tu_mark(TBTF_ON | (i % 4 == 3 ? TBTF_LOCAL : 0)))
				_exit(12);
			if (i % 3) {
				shared->ready = i + 1;
				for (;;)
					pause();
			}
			_exit(0);
		}
		ASSERT_EQ(pid, got);
		if (i % 3) {
			ASSERT_TRUE(SPIN_FOR(shared->ready == i + 1));
			/* From outside too, whatever it has done itself. */
			if (i % 5 == 0)
				err = tu_role_set(pid, TBTF_ROLE_TBTF, 0);
			ASSERT_EQ(0, err);
			kill(pid, SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(i % 3 ? SIGKILL : 0, status);
		ASSERT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	}
	/* Half of them by themselves, and the others' share of those from outside. */
	EXPECT_LT(self->exited + REUSES / 2, tu_stat("marks_exited"));
	EXPECT_EQ(0, tu_stat("marks_cleared"));
}

static void *keep_marking(void *arg)
{
	int *pidfd = arg;
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	struct tbtf_mark_args args = { .pidfd = *pidfd, .role = TBTF_ROLE_TBTF };

	/* Until it is gone: the last call races with its exit. */
	while (!ioctl(fd, TBTF_IOC_MARK, &args))
		;
	close(fd);
	return (void *)(long)errno;
}

/* Marked from outside at the very moment of its exit: nothing stays behind. */
TEST_F_TIMEOUT(many, marked_while_it_exits, 120)
{
	pthread_t thread;
	siginfo_t info;
	unsigned int i;
	int pidfd;
	pid_t pid;
	void *ret;

	for (i = 0; i < 200; i++) {
		pid = fork();
		if (!pid) {
			for (;;)
				pause();
		}
		pidfd = tu_pidfd(pid);
		ASSERT_LE(0, pidfd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, keep_marking, &pidfd));
		ASSERT_TRUE(SPIN_FOR(tu_read_ll(TU_SYSFS "/marked") == 1));
		kill(pid, SIGKILL);
		ASSERT_EQ(0, pthread_join(thread, &ret));
		ASSERT_EQ(ESRCH, (long)ret);
		/* A zombie has none any more. */
		ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
		ASSERT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		close(pidfd);
	}
}

TEST_HARNESS_MAIN
