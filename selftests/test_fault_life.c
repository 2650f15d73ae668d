// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what happens to marks when allocations of the kernel are refused
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * fork, exec, the tracepoints, and an OOM among processes whose own allocations
 * fail now and then.
 *
 * vm: mem=256 smp=2 timeout=240 append=slab_nomerge
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "fault.h"

#define LIMIT	3000
#define TELL	"tell"
#define EVENT	"/sys/kernel/tracing/events/tbtf/tbtf_mark"

/* What an exec has come to; its exit code, but for 0, which nobody gives on purpose. */
enum { UNTOUCHED = 1, FAULT, FAILED, WRONG };

/* The program executes itself: here is the new image. */
__attribute__((constructor))
static void tell(int argc, char **argv)
{
	bool fired, marked;
	int fd;

	if (argc != 2 || strcmp(argv[1], TELL))
		return;
	/* The count goes on: what is left of it may hit this very open. */
	do {
		fd = fault_open();
	} while (fd < 0);
	fired = fault_fired(fd);
	marked = tu_mark_get() == TBTF_ON;
	_exit(!marked ? WRONG : fired ? FAULT : UNTOUCHED);
}

FIXTURE(life) {
	int nth;
};

FIXTURE_SETUP(life)
{
	if (!fault_there())
		return;		/* as each test says */
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, fault_setup());
	self->nth = fault_open();
	ASSERT_LE(0, self->nth);
	ASSERT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
}

FIXTURE_TEARDOWN(life)
{
	if (!fault_there())
		return;
	fault_arm(self->nth, 0);
	tu_mark(0);
	EXPECT_TRUE(TU_WAIT_FOR(!tu_read_ll(TU_SYSFS "/marked"), 10000))
		TH_LOG("%lld marks are left", tu_read_ll(TU_SYSFS "/marked"));
}

TEST_F_TIMEOUT(life, fork_with_each_allocation_refused_once, 600)
{
	int n, status, failed = 0;
	bool fired = true;
	pid_t pid;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	ASSERT_EQ(0, tu_mark(TBTF_ON));
	for (n = 1; n < LIMIT && fired; n++) {
		fault_arm(self->nth, n);
		pid = fork();
		if (!pid)
			_exit(tu_mark_get() ? 2 : 1);
		fired = fault_fired(self->nth);
		if (pid < 0) {
			failed++;
			EXPECT_TRUE(errno == ENOMEM || errno == EAGAIN)
				TH_LOG("fault %d: %s", n, strerror(errno));
		} else {
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
			EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1)
				TH_LOG("fault %d: status 0x%x", n, status);
		}
		EXPECT_EQ(TBTF_ON, tu_mark_get()) TH_LOG("fault %d", n);
		EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked")) TH_LOG("fault %d", n);
	}
	EXPECT_FALSE(fired);
	EXPECT_LT(0, failed);
	TH_LOG("%d faults, %d of them let fork fail", n - 2, failed);
}

/* In a child that marks itself. */
static int exec_with_fault(int n)
{
	int fd, status;
	pid_t pid = fork();

	if (!pid) {
		fd = fault_open();
		if (fd < 0 || tu_mark(TBTF_ON))
			_exit(WRONG);
		fault_arm(fd, n);
		execl("/proc/self/exe", "exe", TELL, NULL);
		fault_arm(fd, 0);
		/* It came back: nothing has changed. */
		_exit(tu_mark_get() == TBTF_ON ? FAILED : WRONG);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	/* Killed: behind the point of no return. 127: the new image could not relocate itself. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return FAILED;
	return WEXITSTATUS(status);
}

TEST_F_TIMEOUT(life, exec_with_each_allocation_refused_once, 900)
{
	int n, how = FAULT, failed = 0;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	for (n = 1; n < LIMIT && how != UNTOUCHED; n++) {
		how = exec_with_fault(n);
		failed += how == FAILED;
		ASSERT_TRUE(how == UNTOUCHED || how == FAULT || how == FAILED)
			TH_LOG("fault %d: %d", n, how);
		EXPECT_TRUE(TU_WAIT_FOR(!tu_read_ll(TU_SYSFS "/marked"), 5000))
			TH_LOG("fault %d: a mark is left", n);
	}
	EXPECT_EQ(UNTOUCHED, how);
	EXPECT_LT(0, failed);
	TH_LOG("%d faults, %d of them let exec fail", n - 2, failed);
}

static bool event_on(void)
{
	return tu_read_ll(EVENT "/enable") == 1;
}

static int perf_open(int id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.sample_period = 1,
	};
	int fd;

	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int event_enable(int on)
{
	int ret = tu_write(on ? "1" : "0", EVENT "/enable");

	return ret < 0 ? ret : 0;
}

static int event_format(int unused)
{
	static char buf[8192];
	int ret = tu_read(buf, sizeof(buf), EVENT "/format");

	return ret < 0 ? ret : 0;
}

TEST_F_TIMEOUT(life, traces_with_each_allocation_refused_once, 600)
{
	const struct {
		const char *name;
		int (*run)(int arg);
		int arg;
	} ops[] = {
		{ "format", event_format, 0 },
		{ "enable", event_enable, 1 },
		{ "disable", event_enable, 0 },
		{ "perf_event_open", perf_open, tu_read_ll(EVENT "/id") },
	};
	int n, ret, failed;
	unsigned int i;
	bool fired;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	/* Which Linux 6.1 begins without a look at the error, and warns when it ends it. */
	ASSERT_LE(0, tu_write("0", "/sys/kernel/tracing/options/record-cmd"));
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		failed = 0;
		fired = true;
		for (n = 1; n < LIMIT && fired; n++) {
			if (ops[i].run == event_enable)
				event_enable(!ops[i].arg);
			fault_arm(self->nth, n);
			ret = ops[i].run(ops[i].arg);
			fired = fault_fired(self->nth);
			failed += ret < 0;
			EXPECT_TRUE(ret >= 0 || ret == -ENOMEM || ret == -EFAULT || ret == -ENOENT)
				TH_LOG("%s, fault %d: %s", ops[i].name, n, strerror(-ret));
			if (ops[i].run == event_enable && ret >= 0)
				EXPECT_EQ(ops[i].arg, event_on()) TH_LOG("%s, fault %d", ops[i].name, n);
			/* Whatever came of it: what is traced goes on working. */
			EXPECT_EQ(0, tu_mark(TBTF_ON));
			EXPECT_EQ(0, tu_mark(0));
		}
		EXPECT_FALSE(fired);
		EXPECT_EQ(0, ret);
		EXPECT_LT(0, failed);
		TH_LOG("%s: %d faults, %d of them let it fail", ops[i].name, n - 2, failed);
	}
	event_enable(0);
}

/*
 * Nothing on the way of an OOM is to need memory. Somebody is killed for a marked
 * one while one of twenty allocations of each of the three is refused.
 */
TEST_F_TIMEOUT(life, oom_while_allocations_are_refused, 600)
{
	struct tu_hog big = { .name = "big", .cgroup = "life", .size_kb = 8 << 10, .mark = TBTF_ON };
	struct tu_hog small[2] = {
		{ .name = "small0", .cgroup = "life", .size_kb = 6 << 10 },
		{ .name = "small1", .cgroup = "life", .size_kb = 6 << 10 },
	};
	long long kills = tu_stat("sacrifices");
	int err = -ENOMEM, tries;
	unsigned int i;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	ASSERT_EQ(0, tu_cg_make("life"));
	ASSERT_LE(0, tu_cg_set("life", "memory.max", "26M"));
	ASSERT_LE(0, tu_cg_set("life", "memory.swap.max", "0"));
	ASSERT_LE(0, tu_knob_set("min_victim_kb", "1000"));
	ASSERT_EQ(0, tu_hog_start(&big));
	ASSERT_EQ(0, tu_hog_start(&small[0]));
	ASSERT_EQ(0, tu_hog_start(&small[1]));
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, tu_write("1", "/proc/%d/make-it-fail", small[i].pid));
	ASSERT_LE(0, tu_write("1", "/proc/%d/make-it-fail", big.pid));
	ASSERT_LE(0, tu_write("5", FAULT_DEBUGFS "/failslab/probability"));
	ASSERT_LE(0, tu_write("5", FAULT_DEBUGFS "/fail_page_alloc/probability"));
	/* Its mmap may be what is refused; its page faults are taken again. */
	for (tries = 0; tries < 20 && err == -ENOMEM; tries++) {
		ASSERT_EQ(0, tu_hog_grow(&big, 12 << 10, 0, 0));
		err = tu_hog_done(&big, 60000);
	}
	EXPECT_EQ(0, err);
	ASSERT_LE(0, tu_write("0", FAULT_DEBUGFS "/failslab/probability"));
	ASSERT_LE(0, tu_write("0", FAULT_DEBUGFS "/fail_page_alloc/probability"));

	EXPECT_TRUE(tu_hog_alive(&big));
	EXPECT_EQ(0, tu_hog_verify(&big, 60000));
	EXPECT_LT(kills, tu_stat("sacrifices"));
	EXPECT_FALSE(tu_hog_alive(&small[0]) && tu_hog_alive(&small[1]));
	tu_hog_stop(&big);
	tu_hog_stop(&small[0]);
	tu_hog_stop(&small[1]);
	EXPECT_EQ(0, tu_cg_remove("life"));
}

TEST_HARNESS_MAIN
