// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - processes between life and death: who of them is a candidate
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A debugger that has asked for PTRACE_O_TRACEEXIT holds a killed process at
 * the beginning of its exit for as long as the test looks: killed, with all its
 * memory, and not gone.
 *
 * vm: mem=384 load="zram"
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS		20000
#define SMALL_KB	8192

FIXTURE(states) {
	struct tu_hog big;
	pid_t pid;
};

FIXTURE_SETUP(states)
{
	ASSERT_EQ(0, tu_ready_reset());
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "1024"));
	self->big = (struct tu_hog){ .name = "big", .size_kb = 40960, .mark = TBTF_ON };
	ASSERT_EQ(0, tu_hog_start(&self->big));
	self->pid = 0;
}

FIXTURE_TEARDOWN(states)
{
	if (self->pid > 0)
		kill(self->pid, SIGKILL);
	tu_hog_stop(&self->big);
}

static int reason(pid_t p, pid_t of)
{
	struct tbtf_candidate c;
	int err = tu_judge(p, NULL, of, &c, NULL);

	return err ? err : (int)c.reason;
}

/* Be its debugger, and wait until it stands at the beginning of its exit. */
static bool hold_at_exit(pid_t pid)
{
	return !ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT);
}

static bool held_at_exit(pid_t pid)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
	       status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

static void let_go(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, NULL, 0);
	waitpid(pid, NULL, __WALL);
}

TEST_F(states, dying)
{
	if (tu_fork(SMALL_KB, &self->pid))
		tu_stay();
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	ASSERT_TRUE(hold_at_exit(self->pid));
	kill(self->pid, SIGKILL);
	ASSERT_TRUE(held_at_exit(self->pid));
	EXPECT_LT(SMALL_KB / 2, tu_status_kb(self->pid, "VmRSS"));
	EXPECT_EQ(TBTF_REASON_DYING, reason(self->big.pid, self->pid));
	let_go(self->pid);
	self->pid = 0;
}

/* One thread of several is held; the process as a whole is as good as gone. */
TEST_F(states, dying_with_threads)
{
	struct tu_hog hog = { .name = "threads", .size_kb = SMALL_KB, .threads = 3 };

	ASSERT_EQ(0, tu_hog_start(&hog));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, hog.pid));
	ASSERT_TRUE(hold_at_exit(hog.pid));
	kill(hog.pid, SIGKILL);
	ASSERT_TRUE(held_at_exit(hog.pid));
	EXPECT_EQ(TBTF_REASON_DYING, reason(self->big.pid, hog.pid));
	ptrace(PTRACE_DETACH, hog.pid, NULL, 0);
	tu_hog_stop(&hog);
}

/* A victim of the OOM killer on its way out: it gets no company, and is not killed twice. */
TEST_F(states, in_flight)
{
	volatile char *p;
	size_t i;

	ASSERT_EQ(0, tu_cg_make("flight"));
	ASSERT_EQ(0, tu_cg_set("flight", "memory.max", "16M"));
	if (tu_fork(SMALL_KB, &self->pid)) {
		__sync_fetch_and_add(tu_ready, 1);
		while (*tu_ready != 2)
			tu_nap_ms(5);
		p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		for (i = 0; i < 64 << 20; i += 4096)
			p[i] = 1;
		_exit(0);
	}
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	ASSERT_EQ(0, tu_cg_enter("flight", self->pid));
	ASSERT_TRUE(hold_at_exit(self->pid));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	*tu_ready = 2;
	ASSERT_TRUE(held_at_exit(self->pid));
	EXPECT_EQ(1, tu_cg_get("flight", "memory.events", "oom_kill"));
	EXPECT_EQ(TBTF_REASON_IN_FLIGHT, reason(self->big.pid, self->pid));
	let_go(self->pid);
	self->pid = 0;
	EXPECT_EQ(0, tu_cg_remove("flight"));
}

/* While it dumps core it keeps its memory, maybe for long: killing it helps. */
TEST_F(states, dumping_core)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char pattern[128];

	ASSERT_LT(0, tu_read(pattern, sizeof(pattern), "/proc/sys/kernel/core_pattern"));
	/* It never reads: the dump fills the pipe, and waits. */
	ASSERT_EQ(0, tu_write("|/bin/sleep 1000", "/proc/sys/kernel/core_pattern"));
	if (tu_fork(SMALL_KB, &self->pid)) {
		setrlimit(RLIMIT_CORE, &limit);
		abort();
	}
	EXPECT_TRUE(TU_WAIT_FOR(tu_status_kb(self->pid, "CoreDumping") == 1, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	kill(self->pid, SIGKILL);
	EXPECT_LE(0, tu_wait(self->pid, WAIT_MS));
	self->pid = 0;
	tu_write(pattern, "/proc/sys/kernel/core_pattern");
}

static void *outlive(void *unused)
{
	(void)unused;
	tu_stay();
	return NULL;
}

/* Its first thread is a zombie, others run: alive, with memory, and found by its pid. */
TEST_F(states, zombie_leader)
{
	struct tbtf_candidate c;
	struct tbtf_preview pv;
	pthread_t thread;
	int32_t drawn;

	if (tu_fork(SMALL_KB, &self->pid)) {
		if (pthread_create(&thread, NULL, outlive, NULL))
			_exit(1);
		syscall(SYS_exit, 0);
	}
	ASSERT_TRUE(TU_WAIT_FOR(*tu_ready == 1 && !tu_alive(self->pid), WAIT_MS));
	ASSERT_EQ(0, tu_judge(self->big.pid, NULL, self->pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, c.reason);
	EXPECT_LT(SMALL_KB / 2, c.worth_kb);
	ASSERT_EQ(0, tu_draw(self->big.pid, NULL, TBTF_POLICY_UNIFORM, &drawn, 1, &pv));
	EXPECT_EQ(self->pid, drawn);
	/* As P it is as good as any. */
	EXPECT_EQ(TBTF_REASON_SELF, reason(self->pid, self->pid));
	kill(self->pid, SIGKILL);
	EXPECT_LE(0, tu_wait(self->pid, WAIT_MS));
	EXPECT_EQ(-ESRCH, reason(self->pid, self->big.pid));
	self->pid = 0;
}

/* Stopped by a signal, and frozen: killing works on both. */
TEST_F(states, stopped_and_frozen)
{
	if (tu_fork(SMALL_KB, &self->pid))
		tu_stay();
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	kill(self->pid, SIGSTOP);
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, WUNTRACED));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	kill(self->pid, SIGCONT);
	ASSERT_EQ(0, tu_cg_make("frozen"));
	ASSERT_EQ(0, tu_cg_enter("frozen", self->pid));
	ASSERT_EQ(0, tu_cg_set("frozen", "cgroup.freeze", "1"));
	ASSERT_TRUE(TU_WAIT_FOR(tu_cg_get("frozen", "cgroup.events", "frozen") == 1, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	EXPECT_EQ(0, tu_cg_remove("frozen"));
	EXPECT_LE(0, tu_wait(self->pid, WAIT_MS));
	self->pid = 0;
}

/* mkswap for a device of so many kB. */
static int make_swap(const char *path, unsigned int kb)
{
	static char page[4096];
	uint32_t *header = (uint32_t *)(page + 1024);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = 0;

	header[0] = 1;			/* version */
	header[1] = kb / 4 - 1;		/* last page */
	memcpy(page + 4096 - 10, "SWAPSPACE2", 10);
	if (fd < 0 || write(fd, page, sizeof(page)) != sizeof(page) || fsync(fd))
		err = -errno;
	close(fd);
	return err ?: swapon(path, 0) ? -errno : 0;
}

/*
 * The kernel makes whoever is in swapoff(2) its first choice. Killing it in
 * another's place would be no use: that memory is needed to take pages back.
 */
TEST_F(states, swapoff)
{
	struct tu_hog hog = { .name = "swapped", .cgroup = "swap", .size_kb = 98304 };
	int seen, status = -ETIMEDOUT;

	ASSERT_EQ(0, tu_write("134217728", "/sys/block/zram0/disksize"));
	ASSERT_EQ(0, make_swap("/dev/zram0", 131072));
	ASSERT_EQ(0, tu_cg_make("swap"));
	ASSERT_EQ(0, tu_cg_set("swap", "memory.max", "16M"));
	ASSERT_EQ(0, tu_hog_start(&hog));
	ASSERT_LT(65536, tu_status_kb(hog.pid, "VmSwap"));
	ASSERT_EQ(0, tu_cg_set("swap", "memory.max", "max"));

	if (tu_fork(SMALL_KB, &self->pid)) {
		__sync_fetch_and_add(tu_ready, 1);
		while (*tu_ready != 2)
			;
		_exit(swapoff("/dev/zram0") ? errno : 0);
	}
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason(self->big.pid, self->pid));
	*tu_ready = 2;
	do {
		seen = reason(self->big.pid, self->pid);
		if (seen != TBTF_REASON_ORIGIN)
			status = tu_wait(self->pid, 0);
	} while (seen != TBTF_REASON_ORIGIN && status == -ETIMEDOUT);
	EXPECT_EQ(TBTF_REASON_ORIGIN, seen);
	if (status == -ETIMEDOUT)
		status = tu_wait(self->pid, WAIT_MS);
	EXPECT_EQ(0, status);
	self->pid = 0;
	EXPECT_EQ(0, tu_hog_verify(&hog, WAIT_MS));
	tu_hog_stop(&hog);
	EXPECT_EQ(0, tu_cg_remove("swap"));
}

TEST_HARNESS_MAIN
