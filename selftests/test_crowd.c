// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - fifty thousand processes in the memory cgroup that is out of memory
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The kernel goes through all of them, tbtf goes through all of them, and with
 * preempt=none nobody else runs unless one of the two lets him. The kernel's
 * detector of soft lockups watches (test_crowd_detector.sh proves that it does),
 * at half its default time; the runner finds in the log what it says.
 *
 * A process is born into a frozen cgroup, and so never runs a line of its own: it
 * needs no memory but its page tables and what the kernel keeps.
 */
/* vm: mem=3840 smp=1 timeout=400 append="preempt=none" */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define CROWD		50000
#define WAIT_MS		300000
#define THRESH		"5"	/* half of what the detector waits, in s */
#define P_KB		32768	/* larger than any of them */
#define DRAWS		5

static char modes[256];

static struct {
	volatile int born;
	volatile int err;
	volatile bool done;
} *shared;

/* A child in a frozen cgroup: it stops before it has run. */
static pid_t start_frozen(int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = cgroup_fd,
	};
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		for (;;)
			pause();
	return pid;
}

/* Children get the stack only: half of the memory, a third of the time. */
static int leave_out_of_children(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[256], x;
	int err = 0;

	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*c%*c%c", &from, &to, &x) == 3 && x != 'x' &&
		    !strstr(line, "[stack]") && !strstr(line, "[v") &&
		    madvise((void *)from, to - from, MADV_DONTFORK))
			err = -errno;
	fclose(f);
	return err;
}

/* In the limited cgroup, which is charged for what the kernel keeps of its children. */
static void be_parent(void)
{
	int fd = open(TU_CGROUP "/crowd/all", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->err = fd < 0 ? -errno : tu_cg_enter("crowd/parent", 0);
	if (!shared->err)
		shared->err = leave_out_of_children();
	if (!shared->err)
		shared->err = tu_adj_set(0, 0);
	while (!shared->err && shared->born < CROWD) {
		if (start_frozen(fd) < 0)
			shared->err = -errno;
		else
			shared->born++;
	}
	if (!shared->err)
		shared->err = tu_adj_set(0, -1000);
	shared->done = true;
	for (;;)
		pause();
}

FIXTURE(crowd) {
	struct tu_hog p;
	pid_t parent;
	int born_ms;
};

FIXTURE_SETUP(crowd)
{
	long long began = tu_now_ms();

	/* A line a process on the console is the kernel's own affair, and takes minutes. */
	ASSERT_EQ(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_EQ(0, tu_write("200000", "/proc/sys/kernel/pid_max"));
	ASSERT_EQ(0, tu_write("200000", "/proc/sys/kernel/threads-max"));
	ASSERT_EQ(1, tu_read_ll("/proc/sys/kernel/soft_watchdog"));
	ASSERT_EQ(0, tu_write(THRESH, "/proc/sys/kernel/watchdog_thresh"));
	ASSERT_LT(0, tu_read(modes, sizeof(modes), "/sys/kernel/debug/sched/preempt"));
	/* Newer kernels (7.2 is one) have only full and lazy; then it is what they take. */
	ASSERT_TRUE(strstr(modes, "(none)") || !strstr(modes, "none")) {
		TH_LOG("preempt=none was not taken: %s", modes);
	}

	/* All of them are candidates, judged to the end, however little they have. */
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "0"));
	ASSERT_EQ(0, tu_knob_set("max_kills", "1024"));

	ASSERT_EQ(0, tu_cg_make("crowd"));
	ASSERT_EQ(0, tu_write("+pids", TU_CGROUP "/crowd/cgroup.subtree_control"));
	ASSERT_EQ(0, tu_cg_make("crowd/all"));
	ASSERT_EQ(0, tu_cg_make("crowd/p"));
	ASSERT_EQ(0, tu_cg_make("crowd/parent"));
	ASSERT_EQ(0, tu_cg_set("crowd/all", "cgroup.freeze", "1"));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	self->parent = fork();
	if (!self->parent)
		be_parent();
	ASSERT_TRUE(TU_WAIT_FOR(shared->done, WAIT_MS));
	ASSERT_EQ(0, shared->err) {
		TH_LOG("after %d processes", shared->born);
	}
	ASSERT_EQ(CROWD, tu_cg_get("crowd/all", "pids.current", NULL));
	self->born_ms = tu_now_ms() - began;

	self->p = (struct tu_hog){
		.name = "big", .cgroup = "crowd/p", .size_kb = P_KB, .mark = TBTF_ON,
	};
	ASSERT_EQ(0, tu_hog_start(&self->p));
}

FIXTURE_TEARDOWN(crowd)
{
	long long began = tu_now_ms();

	tu_hog_stop(&self->p);
	tu_cg_set("crowd", "memory.max", "max");
	EXPECT_EQ(0, tu_cg_set("crowd", "cgroup.kill", "1"));
	waitpid(self->parent, NULL, 0);
	EXPECT_TRUE(TU_WAIT_FOR(!tu_cg_get("crowd", "cgroup.events", "populated"), WAIT_MS));
	EXPECT_EQ(0, tu_cg_remove("crowd/all"));
	EXPECT_EQ(0, tu_cg_remove("crowd/parent"));
	EXPECT_EQ(0, tu_cg_remove("crowd/p"));
	EXPECT_EQ(0, tu_cg_remove("crowd"));
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	TH_LOG("%d born in %d ms, gone in %lld ms", shared->born, self->born_ms,
	       tu_now_ms() - began);
}

/* From here on the cgroup has room for so much more than it has now. */
static int leave_room(size_t kb)
{
	char max[32];

	snprintf(max, sizeof(max), "%lld",
		 tu_cg_get("crowd", "memory.current", NULL) + ((long long)kb << 10));
	return tu_cg_set("crowd", "memory.max", max);
}

static int preview(pid_t p, struct tbtf_candidate *entries, int *draws, struct tbtf_preview *pv)
{
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC), pidfd = tu_pidfd(p), err;

	*pv = (struct tbtf_preview){
		.pidfd = pidfd, .cgroup = -1, .entries = (uintptr_t)entries, .count = CROWD,
		.draws = (uintptr_t)draws, .nr_draws = DRAWS,
		.policy = TBTF_POLICY_WEIGHTED,
	};
	err = ioctl(fd, TBTF_IOC_PREVIEW, pv) ? -errno : 0;
	close(pidfd);
	close(fd);
	return err;
}

TEST_F_TIMEOUT(crowd, fifty_thousand, 400)
{
	static struct tbtf_candidate entries[CROWD];
	long long kills, began, memcg_ms, global_ms, preview_ms;
	struct tbtf_preview pv;
	int draws[DRAWS], i;

	/* Of its memory cgroup: it grows by a page where others have to go for it. */
	kills = tu_stat("sacrifices");
	ASSERT_EQ(0, leave_room(512));
	began = tu_now_ms();
	ASSERT_EQ(0, tu_hog_grow(&self->p, 1024, 0, 0));
	ASSERT_EQ(0, tu_hog_done(&self->p, WAIT_MS));
	memcg_ms = tu_now_ms() - began;
	kills = tu_stat("sacrifices") - kills;
	EXPECT_LE(3, kills);
	EXPECT_EQ(kills, tu_cg_get("crowd/all", "memory.tbtf.events", "sacrificed"));
	EXPECT_EQ(kills, tu_cg_get("crowd/p", "memory.tbtf.events", "spared"));
	EXPECT_EQ(0, tu_hog_verify(&self->p, WAIT_MS));

	/* Of the machine: a policy for which tbtf has to see all. */
	ASSERT_EQ(0, tu_knob_set("policy", "weighted"));
	ASSERT_EQ(0, tu_write("1", "/proc/sys/kernel/sysrq"));
	began = tu_now_ms();
	ASSERT_EQ(0, tu_write("f", "/proc/sysrq-trigger"));
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("sacrifices") == kills + 1, WAIT_MS));
	global_ms = tu_now_ms() - began;
	EXPECT_TRUE(tu_hog_alive(&self->p));

	/* And in a preview, where nobody sleeps in between either. */
	began = tu_now_ms();
	ASSERT_EQ(0, preview(self->p.pid, entries, draws, &pv));
	preview_ms = tu_now_ms() - began;
	EXPECT_LT(CROWD - kills - 10, pv.nr_candidates);
	for (i = 0; i < DRAWS; i++)
		EXPECT_LT(0, draws[i]);

	TH_LOG("%lld kills of a memory cgroup in %lld ms, one of the machine in %lld ms, preview and %d draws in %lld ms",
	       kills, memcg_ms, global_ms, DRAWS, preview_ms);
}

TEST_HARNESS_MAIN
