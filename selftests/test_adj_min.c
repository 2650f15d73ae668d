// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a marked process at oom_score_adj -1000, alone: it reaches the ladder
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The kernel by itself panics when it finds nobody to kill ("System is
 * deadlocked on memory"). Here it has to wait instead, and go on when memory
 * comes. Memory comes from this test, which therefore must not need any: all
 * files are open before, and it is locked in memory.
 *
 * vm: mem=256 smp=1 load="oom_provoke" timeout=120
 * vm-reject: deadlocked on memory
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define PROVOKE		"/sys/kernel/debug/oom_provoke"

static char stage[64];

/* A small file that was open before memory was short. */
static const char *reread(int fd)
{
	ssize_t n = pread(fd, stage, sizeof(stage) - 1, 0);

	stage[n > 0 ? n : 0] = '\0';
	stage[strcspn(stage, "\n")] = '\0';
	return stage;
}

static void need_no_memory(void)
{
	static const size_t room = 1 << 20;
	char *volatile p;	/* else the compiler does without all this */

	mlockall(MCL_CURRENT | MCL_FUTURE);
	/* regcomp() and stdio take theirs from here. */
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_MMAP_MAX, 0);
	p = malloc(room);
	if (p)
		memset(p, 1, room);
	free(p);
}

FIXTURE(adj_min) {};

FIXTURE_SETUP(adj_min) {}

FIXTURE_TEARDOWN(adj_min) {}

TEST_F_TIMEOUT(adj_min, waits_and_goes_on, 100)
{
	struct tu_hog small = { .name = "small", .size_kb = 16 << 10 };
	struct tu_hog big = { .name = "big", .size_kb = 50 << 10, .mark = 1, .adj = -1000 };
	int log, more, naps, stages;
	char regex[128], line[256];

	/* What is to come later: some 60 MiB. */
	ASSERT_EQ(0, tu_write("0 15000 kernel", PROVOKE "/alloc"));
	more = open(PROVOKE "/free", O_WRONLY);
	ASSERT_LE(0, more);
	stages = open(TU_SYSFS "/stage", O_RDONLY);
	ASSERT_LE(0, stages);
	naps = open(TU_SYSFS "/stats/naps", O_RDONLY);
	ASSERT_LE(0, naps);
	/* The first read allocates what the later ones use. */
	ASSERT_STREQ("idle", reread(stages));
	ASSERT_STREQ("0", reread(naps));
	ASSERT_EQ(0, tu_knob_set("ladder_deadline_ms", "90000"));
	ASSERT_EQ(0, tu_hog_start(&small));
	ASSERT_EQ(0, tu_hog_start(&big));
	log = tu_log_open();
	ASSERT_LE(0, log);
	need_no_memory();
	snprintf(regex, sizeof(regex),
		 "^tbtf: episode [0-9]+: global: nobody to kill for %d \\(big\\)", big.pid);

	/* 66 of some 130 are in use; it asks for 100 more, of which it gets what small has. */
	ASSERT_EQ(0, tu_hog_grow(&big, 100 << 10, 1 << 10, 0));
	EXPECT_EQ(0, tu_log_find(log, "Killed process [0-9]+ \\(small\\)", 30000, NULL, 0));
	ASSERT_EQ(0, tu_log_find(log, regex, 30000, line, sizeof(line)));
	TH_LOG("%s", line);
	EXPECT_EQ(-ETIMEDOUT, tu_hog_done(&big, 100));

	/* It naps, again and again, and nobody dies of it. */
	ASSERT_TRUE(TU_WAIT_FOR(atoi(reread(naps)) >= 8, 30000));
	EXPECT_STREQ("exhausted", reread(stages));
	EXPECT_TRUE(tu_hog_alive(&big));
	EXPECT_EQ(-ETIMEDOUT, tu_log_find(log, "Killed process|exhausted", 0, NULL, 0));

	/* Memory comes, and it goes on as if nothing had been. */
	ASSERT_EQ(1, write(more, "1", 1));
	EXPECT_EQ(0, tu_hog_done(&big, 60000));
	EXPECT_EQ(150 << 10, tu_hog_kb(&big));
	EXPECT_EQ(0, tu_hog_verify(&big, 60000));

	/* The episode ends, and says how. */
	ASSERT_EQ(0, tu_knob_set("episode_idle_ms", "100"));
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == 0, 30000));
	EXPECT_STREQ("idle", reread(stages));
	EXPECT_EQ(1, tu_stat("outcome_waited"));
	EXPECT_EQ(1, tu_stat("episodes"));
	EXPECT_EQ(0, tu_stat("sacrifices"));
	EXPECT_LE(1, tu_stat("unkillable"));
	tu_hog_stop(&big);
	tu_hog_stop(&small);
}

TEST_HARNESS_MAIN
