// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the machine has nobody left to kill: what can still be done on it?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * While the protected process waits for memory, whoever is locked in memory
 * goes on undisturbed, and tbtf can be switched off. Time is the guest's
 * (icount): the bounds do not depend on how fast the host is.
 *
 * The test itself is locked in memory and runs under SCHED_FIFO, which may take
 * from the reserves that others may not touch.
 */
/* vm: mem=192 smp=1 icount="shift=1,sleep=off" timeout=180 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define NAP_MS		200
#define LOOK_MS		100
#define OFF		"/tests/tbtf-off"

static struct {
	volatile int watch;		/* count from now on */
	volatile long looks;
	volatile long long longest;	/* ms between two looks */
} *shared;

static void be_protected(void)
{
	struct tu_region r = { .seed = 7 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tu_adj_set(0, 0);
	if (tu_mark(TBTF_ON))
		_exit(1);
	for (;;)
		if (tu_region_grow(&r, 1 << 20))
			_exit(2);
}

static void be_watcher(void)
{
	static volatile char memory[256 << 10];
	long long last = tu_now_ms(), now;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		_exit(1);
	for (;;) {
		for (i = 0; i < sizeof(memory); i += 4096)
			memory[i]++;
		now = tu_now_ms();
		if (shared->watch) {
			shared->looks++;
			if (now - last > shared->longest)
				shared->longest = now - last;
		}
		last = now;
		tu_nap_ms(LOOK_MS);
	}
}

static int be_real_time(void)
{
	struct sched_param param = { .sched_priority = 10 };

	return sched_setscheduler(0, SCHED_FIFO, &param);
}

static int start_standby(int *ret_enter, pid_t *ret_pid)
{
	int fds[2], status;

	*ret_pid = 0;
	if (access(OFF, X_OK))
		return 0;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	*ret_pid = fork();
	if (!*ret_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[0], 0);
		execl(OFF, OFF, "--standby", (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	*ret_enter = fds[1];
	/* Ready when it sleeps with its memory locked. */
	if (!TU_WAIT_FOR(tu_status_kb(*ret_pid, "VmLck") > 0, 10000))
		return waitpid(*ret_pid, &status, WNOHANG) ? -ECHILD : -ETIMEDOUT;
	return 0;
}

FIXTURE(watch) {
	pid_t p;
	pid_t watcher;
	int knob;		/* enabled, open for writing */
	pid_t standby;		/* tbtf-off --standby, or 0 */
	int enter;		/* its stdin */
	long long died;		/* died_exhausted before */
};

FIXTURE_SETUP(watch)
{
	long long naps;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_LE(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_LE(0, tu_knob_set_ll("nap_ms", NAP_MS));
	ASSERT_LE(0, tu_knob_set_ll("ladder_deadline_ms", 30000));
	ASSERT_LE(0, tu_knob_set_ll("episode_idle_ms", 300));
	ASSERT_LE(0, tu_knob_set_ll("enabled", 1));
	self->knob = open(TU_SYSFS "/enabled", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->knob);
	self->watcher = fork();
	if (!self->watcher)
		be_watcher();
	ASSERT_EQ(0, start_standby(&self->enter, &self->standby));
	self->died = tu_stat("died_exhausted");
	naps = tu_stat("naps");
	ASSERT_EQ(0, be_real_time());
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	self->p = fork();
	if (!self->p) {
		sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
		be_protected();
	}
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("naps") > naps + 5, 120000));
	shared->watch = 1;
}

FIXTURE_TEARDOWN(watch)
{
	kill(self->p, SIGKILL);
	waitpid(self->p, NULL, 0);
	if (self->standby) {
		kill(self->standby, SIGKILL);
		waitpid(self->standby, NULL, 0);
	}
	kill(self->watcher, SIGKILL);
	waitpid(self->watcher, NULL, 0);
	TU_WAIT_FOR(tu_stat("open_episodes") == 0, 60000);
	close(self->knob);
}

/* Is P, which waits, killed by the kernel once nobody holds it back? */
#define EXPECT_SWITCHED_OFF(from, limit) do {						\
	EXPECT_TRUE(TU_WAIT_FOR(!tu_alive(self->p), 10000));				\
	TH_LOG("it took %lld ms", tu_now_ms() - (from));				\
	EXPECT_GT((from) + (limit) * tu_patience(), tu_now_ms());			\
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/enabled"));					\
	EXPECT_EQ(self->died, tu_stat("died_exhausted"));					\
	EXPECT_TRUE(tu_alive(self->watcher));						\
} while (0)

TEST_F_TIMEOUT(watch, a_watcher_is_not_held, 600)
{
	long long from = tu_now_ms();

	tu_nap_ms(10000);
	EXPECT_TRUE(tu_alive(self->p));
	TH_LOG("in %lld ms: %ld looks, the longest time between two %lld ms", tu_now_ms() - from,
	       shared->looks, shared->longest);
	EXPECT_LT(50, shared->looks);
	EXPECT_GE(LOOK_MS + NAP_MS + 1000, shared->longest);
	/* The deadline holds also with others waiting: P is dead when it has passed. */
	EXPECT_TRUE(TU_WAIT_FOR(!tu_alive(self->p), 30000));
	EXPECT_EQ(self->died + 1, tu_stat("died_exhausted"));
}

/* What is locked in memory and has the file open: a watchdog of the operator's. */
TEST_F_TIMEOUT(watch, an_open_file_switches_off, 600)
{
	long long from = tu_now_ms();

	ASSERT_EQ(1, write(self->knob, "0", 1));
	EXPECT_SWITCHED_OFF(from, 2000);
}

/* Started in time, with all that it needs locked: it waits for Enter. */
TEST_F_TIMEOUT(watch, the_kill_switch_on_standby, 600)
{
	long long from = tu_now_ms();

	if (!self->standby)
		SKIP(return, "no tbtf-off (make userspace)");
	ASSERT_EQ(1, write(self->enter, "\n", 1));
	EXPECT_EQ(0, tu_wait(self->standby, 25000));
	self->standby = 0;
	EXPECT_SWITCHED_OFF(from, 5000);
}

/* A real-time shell of the operator's starts the kill switch. */
TEST_F_TIMEOUT(watch, the_kill_switch_from_a_real_time_shell, 600)
{
	long long from = tu_now_ms();
	pid_t pid;

	if (access(OFF, X_OK))
		SKIP(return, "no tbtf-off (make userspace)");
	pid = fork();
	if (!pid) {
		execl(OFF, OFF, (char *)NULL);
		_exit(127);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, tu_wait(pid, 25000));
	EXPECT_SWITCHED_OFF(from, 5000);
}

/*
 * From an ordinary shell it needs pages that nobody gives it: what comes of
 * that is told, and no promise. The deadline ends it in any case.
 */
TEST_F_TIMEOUT(watch, the_kill_switch_from_an_ordinary_shell, 600)
{
	long long from = tu_now_ms();
	pid_t pid;

	if (access(OFF, X_OK))
		SKIP(return, "no tbtf-off (make userspace)");
	pid = fork();
	if (!pid) {
		sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
		execl(OFF, OFF, (char *)NULL);
		_exit(127);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, tu_wait(pid, 60000));
	TH_LOG("it took %lld ms; died at the deadline: %lld", tu_now_ms() - from,
	       tu_stat("died_exhausted") - self->died);
	EXPECT_TRUE(TU_WAIT_FOR(!tu_alive(self->p), 10000));
	EXPECT_GT(from + 40000, tu_now_ms());
}

TEST_HARNESS_MAIN
