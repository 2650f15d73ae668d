// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - more scopes out of memory at once than there are episodes
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * 270 memory cgroups, each with a protected process that waits for its limit
 * to be raised. The table has room for 255 of them; the rest share one episode, and
 * are protected as well.
 */
/* vm: mem=512 smp=1 icount="shift=1,sleep=off" timeout=240 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define SCOPES		270
#define EPISODES	255
#define WAIT_MS		30000

/* A page that the test and its children share. */
static struct {
	volatile unsigned char full[SCOPES];	/* has what it wanted */
	volatile unsigned char wrong[SCOPES];
	volatile unsigned char go[SCOPES];
} *shared;

static pid_t pids[SCOPES];

static void scope_name(char *buf, size_t size, int nr)
{
	snprintf(buf, size, "many/m%d", nr);
}

/* Wants 700 kB, of which its cgroup has not that much. */
static void be_protected(int nr)
{
	struct tu_region r = { .seed = nr };
	char cg[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scope_name(cg, sizeof(cg), nr);
	tu_adj_set(0, 0);
	if (tu_cg_enter(cg, 0))
		_exit(1);
	if (nr == SCOPES - 1 && tu_mark(TBTF_ON))
		_exit(2);
	while (!shared->go[nr])
		tu_nap_ms(20);
	if (tu_region_grow(&r, 700 << 10))
		shared->wrong[nr] = 1;
	if (tu_region_check(&r) >= 0)
		shared->wrong[nr] = 2;
	shared->full[nr] = 1;
	for (;;)
		pause();
}

static int how_many(const volatile unsigned char *flags)
{
	int i, n = 0;

	for (i = 0; i < SCOPES; i++)
		n += !!flags[i];
	return n;
}

static int alive(void)
{
	int i, n = 0;

	for (i = 0; i < SCOPES; i++)
		n += tu_alive(pids[i]);
	return n;
}

static long long outcomes(void)
{
	static const char *const names[] = { "outcome_sacrificed", "outcome_waited", "outcome_killed",
					     "outcome_panicked", "outcome_failed", "outcome_switched",
					     "outcome_stolen", "outcome_printed" };
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sum += tu_stat(names[i]);
	return sum;
}

FIXTURE(episodes) {
};

FIXTURE_SETUP(episodes)
{
	char cg[32];
	int i;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	/* Not the subject; and most of the time, on a serial port. */
	ASSERT_LE(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_LE(0, tu_write("5", "/proc/sys/kernel/printk"));
	ASSERT_LE(0, tu_knob_set("on_exhausted_memcg", "wait"));
	ASSERT_LE(0, tu_knob_set_ll("nap_ms", 10000));
	ASSERT_LE(0, tu_knob_set_ll("episode_idle_ms", 1000));
	ASSERT_LE(0, tu_knob_set_ll("min_victim_kb", 100));
	ASSERT_EQ(0, tu_cg_make("many"));
	ASSERT_LE(0, tu_cg_set("many", "memory.tbtf", "tbtf"));
	for (i = 0; i < SCOPES; i++) {
		scope_name(cg, sizeof(cg), i);
		ASSERT_EQ(0, tu_cg_make(cg));
		/* The last has another in it, who may be killed. */
		ASSERT_LE(0, tu_cg_set(cg, "memory.max", i < SCOPES - 1 ? "700K" : "1M"));
		if (i == SCOPES - 1)
			ASSERT_LE(0, tu_cg_set(cg, "memory.tbtf", "ordinary"));
		ASSERT_LE(0, tu_cg_set(cg, "memory.swap.max", "0"));
		pids[i] = fork();
		if (!pids[i])
			be_protected(i);
		ASSERT_LT(0, pids[i]);
	}
}

FIXTURE_TEARDOWN(episodes)
{
	int i;

	for (i = 0; i < SCOPES; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

TEST_F_TIMEOUT(episodes, more_than_there_is_room_for, 3600)
{
	struct tu_hog hog = { .name = "small", .size_kb = 400 };
	char cg[32], text[64];
	long long rounds;
	int i;

	for (i = 0; i < SCOPES - 1; i++)
		shared->go[i] = 1;
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == EPISODES + 1, WAIT_MS));
	/* All of them nap; those without an episode do not run in circles meanwhile. */
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("naps") >= SCOPES - 1, WAIT_MS));
	rounds = tu_stat("rounds");
	tu_nap_ms(2000);
	EXPECT_GT(rounds + SCOPES, tu_stat("rounds"));
	EXPECT_EQ(EPISODES + 1, tu_stat("open_episodes"));
	EXPECT_LE(SCOPES - 1 - EPISODES, tu_stat("no_episode_slot"));
	/* Nobody asks for what cannot be said whose it would be. */
	EXPECT_EQ(1, tu_stat("skipped_shared"));
	EXPECT_EQ(EPISODES, tu_stat("skipped_no_helper"));
	EXPECT_EQ(0, how_many(shared->full));
	EXPECT_EQ(SCOPES, alive());
	ASSERT_LT(0, tu_knob_get("stage", text, sizeof(text)));
	EXPECT_STREQ("exhausted", text);
	EXPECT_EQ(tu_stat("episodes"), outcomes() + tu_stat("open_episodes"));

	/* The last comes late, finds the table full, and gets its sacrifice all the same. */
	scope_name(cg, sizeof(cg), SCOPES - 1);
	hog.cgroup = cg;
	ASSERT_EQ(0, tu_hog_start(&hog));
	shared->go[SCOPES - 1] = 1;
	EXPECT_TRUE(TU_WAIT_FOR(shared->full[SCOPES - 1], WAIT_MS));
	EXPECT_EQ(1, tu_stat("sacrifices"));
	EXPECT_FALSE(tu_hog_alive(&hog));
	EXPECT_TRUE(tu_alive(pids[SCOPES - 1]));
	tu_hog_stop(&hog);

	/* Memory comes, for all of them. */
	for (i = 0; i < SCOPES; i++) {
		scope_name(cg, sizeof(cg), i);
		ASSERT_LE(0, tu_cg_set(cg, "memory.max", "4M"));
		shared->go[i] = 1;
	}
	ASSERT_TRUE(TU_WAIT_FOR(how_many(shared->full) == SCOPES, WAIT_MS));
	EXPECT_EQ(0, how_many(shared->wrong));
	EXPECT_EQ(SCOPES, alive());

	/* And all ends, in the books as well. */
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == 0, WAIT_MS));
	EXPECT_EQ(tu_stat("episodes"), outcomes());
	EXPECT_LE(EPISODES, tu_stat("outcome_waited"));
	EXPECT_EQ(0, tu_stat("outcome_killed"));
	ASSERT_LT(0, tu_knob_get("stage", text, sizeof(text)));
	EXPECT_STREQ("idle", text);
}

TEST_HARNESS_MAIN
