// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory.tbtf.events: who was sacrificed, who was spared, and who is told
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=256 timeout=120
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS	60000
#define VICTIMS	4
#define CGROUPS	6

/* Where P is, where victims are, and one beside all of it. */
static const char *const cgroups[CGROUPS] = {
	"ev", "ev/p", "ev/v", "ev/v/deep", "ev/empty", "beside",
};

FIXTURE(events) {
	struct tu_hog big, victims[VICTIMS], bystander;
};

FIXTURE_SETUP(events)
{
	unsigned int i;

	for (i = 0; i < CGROUPS; i++) {
		ASSERT_EQ(0, tu_cg_make(cgroups[i]));
	}
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "1024"));
	ASSERT_EQ(0, tu_cg_set("ev", "memory.max", "64M"));
	self->big = (struct tu_hog){
		.name = "big", .size_kb = 16384, .cgroup = "ev/p", .mark = TBTF_ON,
	};
	ASSERT_EQ(0, tu_hog_start(&self->big));
	for (i = 0; i < VICTIMS; i++) {
		self->victims[i] = (struct tu_hog){
			.name = "victim", .size_kb = 8192, .cgroup = "ev/v/deep",
		};
		ASSERT_EQ(0, tu_hog_start(&self->victims[i]));
	}
	self->bystander = (struct tu_hog){
		.name = "bystander", .size_kb = 8192, .cgroup = "beside",
	};
	ASSERT_EQ(0, tu_hog_start(&self->bystander));
}

FIXTURE_TEARDOWN(events)
{
	unsigned int i;

	tu_hog_stop(&self->big);
	tu_hog_stop(&self->bystander);
	for (i = 0; i < VICTIMS; i++)
		tu_hog_stop(&self->victims[i]);
	for (i = CGROUPS; i-- > 0;) {
		EXPECT_EQ(0, tu_cg_remove(cgroups[i]));
	}
	/* With counts or without: nothing of tbtf keeps a removed cgroup. */
	EXPECT_TRUE(TU_WAIT_FOR(!tu_cg_get("", "cgroup.stat", "nr_dying_descendants"), WAIT_MS));
}

static unsigned int alive(const struct tu_hog *hogs)
{
	unsigned int i, n = 0;

	for (i = 0; i < VICTIMS; i++)
		n += tu_hog_alive(&hogs[i]);
	return n;
}

static void expect_events(struct __test_metadata *const _metadata, const char *cg,
			  long long sacrificed, long long spared)
{
	EXPECT_EQ(sacrificed, tu_cg_get(cg, "memory.tbtf.events", "sacrificed")) {
		TH_LOG("in %s", cg);
	}
	EXPECT_EQ(spared, tu_cg_get(cg, "memory.tbtf.events", "spared")) {
		TH_LOG("in %s", cg);
	}
}

/* P grows until so many are left; a bit more than one victim's memory each. */
static void grow_until_left(struct __test_metadata *const _metadata, struct tu_hog *big,
			    const struct tu_hog *victims, unsigned int left)
{
	while (alive(victims) > left) {
		ASSERT_EQ(0, tu_hog_grow(big, 1024, 0, 0));
		ASSERT_EQ(0, tu_hog_done(big, WAIT_MS));
	}
	ASSERT_EQ(left, alive(victims));
}

TEST_F_TIMEOUT(events, counted_in_every_level, 60)
{
	unsigned int i, dead;

	for (i = 0; i < CGROUPS; i++)
		expect_events(_metadata, cgroups[i], 0, 0);
	for (dead = 1; dead < VICTIMS; dead++) {
		grow_until_left(_metadata, &self->big, self->victims, VICTIMS - dead);
		expect_events(_metadata, "ev", dead, dead);
		expect_events(_metadata, "ev/p", 0, dead);
		expect_events(_metadata, "ev/v", dead, 0);
		expect_events(_metadata, "ev/v/deep", dead, 0);
		expect_events(_metadata, "ev/empty", 0, 0);
		expect_events(_metadata, "beside", 0, 0);
		EXPECT_EQ(dead, tu_cg_get("ev/v/deep", "memory.events", "oom_kill"));
		EXPECT_EQ(0, tu_cg_get("ev/p", "memory.events", "oom_kill"));
	}
	EXPECT_EQ(0, tu_hog_verify(&self->big, WAIT_MS));

	/* They are counts of the cgroup, and no matter of its role. */
	ASSERT_EQ(0, tu_cg_set("ev/v", "memory.tbtf", "spare"));
	expect_events(_metadata, "ev/v", VICTIMS - 1, 0);
	ASSERT_EQ(0, tu_cg_set("ev/v", "memory.tbtf", "inherit"));
	expect_events(_metadata, "ev/v", VICTIMS - 1, 0);
	/* Made again, it is another. */
	tu_hog_stop(&self->big);
	EXPECT_EQ(0, tu_cg_remove("ev/p"));
	ASSERT_EQ(0, tu_cg_make("ev/p"));
	expect_events(_metadata, "ev/p", 0, 0);
	expect_events(_metadata, "ev", VICTIMS - 1, VICTIMS - 1);
}

/* An OOM of the machine counts as well, where the processes are. */
TEST_F_TIMEOUT(events, of_the_machine, 60)
{
	ASSERT_EQ(0, tu_cg_set("ev", "memory.max", "max"));
	ASSERT_EQ(0, tu_hog_grow(&self->big, 1 << 20, 512, 2));
	/* The first of the five: it may be the one beside. */
	EXPECT_TRUE(TU_WAIT_FOR(tu_cg_get("ev/p", "memory.tbtf.events", "spared") > 0, WAIT_MS));
	tu_hog_stop(&self->big);
	EXPECT_EQ(tu_cg_get("ev/p", "memory.tbtf.events", "spared"),
		  tu_cg_get("ev/v/deep", "memory.tbtf.events", "sacrificed") +
		  tu_cg_get("beside", "memory.tbtf.events", "sacrificed"));
	EXPECT_EQ(tu_cg_get("ev/v/deep", "memory.tbtf.events", "sacrificed"),
		  VICTIMS - alive(self->victims));
	EXPECT_EQ(tu_cg_get("beside", "memory.tbtf.events", "sacrificed"),
		  !tu_hog_alive(&self->bystander));
}

/* What has not happened is not counted. */
TEST_F_TIMEOUT(events, not_in_a_dry_run, 60)
{
	unsigned int i;

	ASSERT_EQ(0, tu_knob_set("dry_run", "1"));
	ASSERT_EQ(0, tu_hog_grow(&self->big, 65536, 512, 0));
	EXPECT_EQ(-ESRCH, tu_hog_done(&self->big, WAIT_MS));
	ASSERT_EQ(0, tu_knob_set("dry_run", "0"));
	EXPECT_EQ(VICTIMS, alive(self->victims));
	for (i = 0; i < CGROUPS; i++)
		expect_events(_metadata, cgroups[i], 0, 0);
}

/* A kill that spares nobody is no event, in a cgroup that has a record. */
TEST_F_TIMEOUT(events, not_without_a_protected_one, 60)
{
	ASSERT_EQ(0, tu_role_set(self->big.pid, TBTF_ROLE_INHERIT, 0));
	ASSERT_EQ(0, tu_cg_set("ev/v", "memory.tbtf", "spare"));
	ASSERT_EQ(0, tu_hog_grow(&self->big, 65536, 512, 0));
	EXPECT_EQ(-ESRCH, tu_hog_done(&self->big, WAIT_MS));
	EXPECT_EQ(1, tu_cg_get("ev/p", "memory.events", "oom_kill"));
	expect_events(_metadata, "ev", 0, 0);
	expect_events(_metadata, "ev/p", 0, 0);
	expect_events(_metadata, "ev/v", 0, 0);
}

/* Whoever polls or watches the file wakes, on each level; nobody wakes without a reason. */
TEST_F_TIMEOUT(events, poll_and_inotify, 60)
{
	struct pollfd polls[CGROUPS + 1];
	int watches[CGROUPS], notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	bool changes[CGROUPS] = { true, true, true, true, false, false };
	bool noticed[CGROUPS] = { false };
	struct inotify_event event[64];
	char path[256], buf[256];
	unsigned int i, j, round;
	ssize_t n;

	ASSERT_LE(0, notify);
	for (i = 0; i < CGROUPS; i++) {
		snprintf(path, sizeof(path), TU_CGROUP "/%s/memory.tbtf.events", cgroups[i]);
		polls[i].fd = open(path, O_RDONLY | O_CLOEXEC);
		polls[i].events = POLLPRI;
		ASSERT_LE(0, polls[i].fd);
		watches[i] = inotify_add_watch(notify, path, IN_MODIFY);
		ASSERT_LE(0, watches[i]);
	}
	for (round = 1; round < VICTIMS; round++) {
		/* Poll speaks of what is new since the last read. */
		for (i = 0; i < CGROUPS; i++) {
			ASSERT_LT(0, pread(polls[i].fd, buf, sizeof(buf), 0));
			polls[i].revents = noticed[i] = 0;
		}
		EXPECT_EQ(0, poll(polls, CGROUPS, 0));
		grow_until_left(_metadata, &self->big, self->victims, VICTIMS - round);
		for (i = 0; i < CGROUPS; i++) {
			if (!changes[i])
				continue;
			EXPECT_EQ(1, poll(&polls[i], 1, WAIT_MS)) {
				TH_LOG("nobody told of %s", cgroups[i]);
			}
			EXPECT_TRUE(polls[i].revents & POLLPRI);
		}
		EXPECT_EQ(4, poll(polls, CGROUPS, 0));
		/* The watches: notified by a work item of their own, a bit later. */
		ASSERT_TRUE(TU_WAIT_FOR(({
			n = read(notify, event, sizeof(event));
			for (j = 0; n > 0 && j < n / sizeof(event[0]); j++)
				for (i = 0; i < CGROUPS; i++)
					if (event[j].wd == watches[i])
						noticed[i] = true;
			noticed[0] && noticed[1] && noticed[2] && noticed[3];
		}), WAIT_MS));
		EXPECT_FALSE(noticed[4] || noticed[5]);
	}
	for (i = 0; i < CGROUPS; i++)
		close(polls[i].fd);
	close(notify);
}

TEST_HARNESS_MAIN
