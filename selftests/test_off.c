// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the kill switch, on a machine that has no memory left
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A marked process has everything, and waits for more, for an hour if nobody
 * does anything. Then the switch has to work: standing by, where it needs no
 * memory; and started anew by a realtime process, which may use what others
 * may not.
 *
 * vm: mem=256 timeout=120
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define SOON_MS		5000

FIXTURE(off)
{
	struct tu_hog big;
	int stage;
	int input[2];		/* of the switch that stands by */
};

FIXTURE_VARIANT(off)
{
	const char *program;
	const char *arguments[3];
	bool standby;
};

FIXTURE_VARIANT_ADD(off, standby) {
	.program = "/tests/tbtf-off",
	.arguments = { "tbtf-off", "--standby" },
	.standby = true,
};

FIXTURE_VARIANT_ADD(off, command_standby) {
	.program = "/tests/tbtf",
	.arguments = { "tbtf", "off", "--standby" },
	.standby = true,
};

FIXTURE_VARIANT_ADD(off, started_by_realtime) {
	.program = "/tests/tbtf-off",
	.arguments = { "tbtf-off" },
};

FIXTURE_VARIANT_ADD(off, command_started_by_realtime) {
	.program = "/tests/tbtf",
	.arguments = { "tbtf", "off" },
};

static bool exhausted(int stage)
{
	char text[32] = "";

	return pread(stage, text, sizeof(text) - 1, 0) > 0 && !strncmp(text, "exhausted", 9);
}

static pid_t start(const char *program, const char *const arguments[3], int input)
{
	char *argv[4] = { NULL };
	pid_t pid;

	for (int i = 0; i < 3; i++)
		argv[i] = (char *)arguments[i];
	/* vfork: there is no memory for page tables to be copied to. */
	pid = vfork();
	if (!pid) {
		if (input >= 0)
			dup2(input, STDIN_FILENO);
		execv(program, argv);
		_exit(99);
	}
	return pid;
}

FIXTURE_SETUP(off)
{
	self->big = (struct tu_hog) { .name = "big", .size_kb = 20 << 10, .mark = 1 };
	ASSERT_EQ(0, tu_knob_set("ladder_deadline_ms", "3600000"));
	/* A quarter of the default is 120 pages here: too little to be sure of an exec. */
	if (!variant->standby)
		ASSERT_EQ(0, tu_write("8192", "/proc/sys/vm/min_free_kbytes"));
	self->stage = open(TU_SYSFS "/stage", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->stage);
	ASSERT_FALSE(exhausted(self->stage));
	ASSERT_EQ(0, pipe2(self->input, O_CLOEXEC));
	ASSERT_EQ(0, tu_hog_start(&self->big));
}

FIXTURE_TEARDOWN(off)
{
	tu_knob_set("enabled", "0");
	tu_hog_stop(&self->big);
	tu_knob_set("enabled", "1");
}

TEST_F(off, works)
{
	struct sched_param realtime = { .sched_priority = 1 };
	long long began;
	pid_t pid = 0;
	int status;

	if (variant->standby) {
		pid = start(variant->program, variant->arguments, self->input[0]);
		ASSERT_LT(0, pid);
		/* A pipe keeps the page of what was read: the next write needs none. */
		ASSERT_EQ(1, write(self->input[1], " ", 1));
		tu_nap_ms(500);
		ASSERT_EQ(-ETIMEDOUT, tu_wait(pid, 0));
	} else {
		ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &realtime));
	}
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, tu_hog_grow(&self->big, 400 << 10, 1024, 0));
	ASSERT_TRUE(TU_WAIT_FOR(exhausted(self->stage), 30000));
	/* Whatever reserves the first moment has leave with it. */
	tu_nap_ms(1000);
	ASSERT_TRUE(exhausted(self->stage));
	ASSERT_TRUE(tu_hog_alive(&self->big));

	began = tu_now_ms();
	if (!variant->standby)
		pid = start(variant->program, variant->arguments, -1);
	else
		ASSERT_EQ(1, write(self->input[1], "\n", 1));
	ASSERT_LT(0, pid);
	status = tu_wait(pid, SOON_MS);
	TH_LOG("after %lld ms", tu_now_ms() - began);
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	/* The kernel's own choice holds again: there is nobody but the big one. */
	ASSERT_TRUE(TU_WAIT_FOR(!tu_hog_alive(&self->big), SOON_MS));
}

TEST_HARNESS_MAIN
