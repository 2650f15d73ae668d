// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who must never be killed in another's place, and is it said why
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each kind is shown twice: a process that is a candidate, and the same one, or
 * one just like it, that is none for this one reason. What a real OOM does with
 * it is the same code; test_victim_oom.c shows that the two agree.
 *
 * vm: mem=384
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS		20000
#define SMALL_KB	6144
#define BIG_KB		20480

static volatile struct {
	pid_t pids[8];
	unsigned int give_back;		/* kB */
} *shared;

/* What is said of a process, with P protected. */
static int reason_of(pid_t p, pid_t of, const char *cgroup)
{
	struct tbtf_candidate c;
	int err = tu_judge(p, cgroup, of, &c, NULL);

	return err ? err : (int)c.reason;
}

FIXTURE(reasons) {
	struct tu_hog big, small;
};

FIXTURE_SETUP(reasons)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_ready_reset());
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "1024"));
	self->big = (struct tu_hog){ .name = "big", .size_kb = BIG_KB, .mark = TBTF_ON };
	ASSERT_EQ(0, tu_hog_start(&self->big));
	self->small = (struct tu_hog){ .name = "small", .size_kb = SMALL_KB };
	ASSERT_EQ(0, tu_hog_start(&self->small));
	ASSERT_EQ(TBTF_REASON_CANDIDATE, reason_of(self->big.pid, self->small.pid, NULL));
}

FIXTURE_TEARDOWN(reasons)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (shared->pids[i] > 0)
			kill(shared->pids[i], SIGKILL);
	}
	tu_hog_stop(&self->small);
	tu_hog_stop(&self->big);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

#define BIG	(self->big.pid)
#define SMALL	(self->small.pid)
#define EXPECT_REASON(reason, pid) EXPECT_EQ(TBTF_REASON_##reason, reason_of(BIG, pid, NULL))

TEST_F(reasons, init)
{
	EXPECT_REASON(INIT, 1);
}

TEST_F(reasons, kernel_thread)
{
	EXPECT_REASON(KTHREAD, 2);
}

TEST_F(reasons, self)
{
	EXPECT_REASON(SELF, BIG);
}

TEST_F(reasons, zombie)
{
	kill(SMALL, SIGKILL);
	ASSERT_TRUE(TU_WAIT_FOR(!tu_hog_alive(&self->small), WAIT_MS));
	EXPECT_REASON(NO_MM, SMALL);
}

TEST_F(reasons, marked_by_prctl)
{
	struct tu_hog other = { .name = "other", .size_kb = SMALL_KB, .mark = TBTF_ON };

	ASSERT_EQ(0, tu_hog_start(&other));
	EXPECT_REASON(PROTECTED, other.pid);
	tu_hog_stop(&other);
	other = (struct tu_hog){
		.name = "local", .size_kb = SMALL_KB, .mark = TBTF_ON | TBTF_LOCAL,
	};
	ASSERT_EQ(0, tu_hog_start(&other));
	EXPECT_REASON(PROTECTED, other.pid);
	tu_hog_stop(&other);
}

TEST_F(reasons, marked_by_ioctl)
{
	ASSERT_EQ(0, tu_role_set(SMALL, TBTF_ROLE_TBTF, 0));
	EXPECT_REASON(PROTECTED, SMALL);
	ASSERT_EQ(0, tu_role_set(SMALL, TBTF_ROLE_INHERIT, 0));
	EXPECT_REASON(CANDIDATE, SMALL);
}

TEST_F(reasons, marked_by_cgroup)
{
	ASSERT_EQ(0, tu_cg_make("marked"));
	ASSERT_EQ(0, tu_cg_make("marked/below"));
	ASSERT_EQ(0, tu_cg_enter("marked/below", SMALL));
	EXPECT_REASON(CANDIDATE, SMALL);
	ASSERT_EQ(0, tu_cg_set("marked", "memory.tbtf", "tbtf"));
	EXPECT_REASON(PROTECTED, SMALL);
	/* Its own role goes before that of its cgroup. */
	ASSERT_EQ(0, tu_role_set(SMALL, TBTF_ROLE_ORDINARY, 0));
	EXPECT_REASON(CANDIDATE, SMALL);
	EXPECT_EQ(0, tu_cg_remove("marked/below"));
	EXPECT_EQ(0, tu_cg_remove("marked"));
}

TEST_F(reasons, spare_by_pid)
{
	ASSERT_EQ(0, tu_role_set(SMALL, TBTF_ROLE_SPARE, 0));
	EXPECT_REASON(SPARE, SMALL);
	ASSERT_EQ(0, tu_role_set(SMALL, TBTF_ROLE_ORDINARY, 0));
	EXPECT_REASON(CANDIDATE, SMALL);
}

TEST_F(reasons, spare_by_cgroup)
{
	ASSERT_EQ(0, tu_cg_make("spare"));
	ASSERT_EQ(0, tu_cg_set("spare", "memory.tbtf", "spare"));
	ASSERT_EQ(0, tu_cg_enter("spare", SMALL));
	EXPECT_REASON(SPARE, SMALL);
	ASSERT_EQ(0, tu_cg_set("spare", "memory.tbtf", "ordinary"));
	EXPECT_REASON(CANDIDATE, SMALL);
	EXPECT_EQ(0, tu_cg_remove("spare"));
}

TEST_F(reasons, adj_minimum)
{
	ASSERT_EQ(0, tu_adj_set(SMALL, -999));
	EXPECT_REASON(CANDIDATE, SMALL);
	ASSERT_EQ(0, tu_adj_set(SMALL, -1000));
	EXPECT_REASON(ADJ_MIN, SMALL);
}

/* Killing a parent takes a service's supervisor, or the session, from P. */
TEST_F(reasons, ancestors)
{
	pid_t p;

	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		if (tu_fork(0, &shared->pids[1])) {
			if (tu_fork(BIG_KB, &shared->pids[2]))
				tu_stay();
			if (tu_fork(0, &shared->pids[3]))
				tu_stay();
			tu_stay();
		}
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(4, WAIT_MS));
	p = shared->pids[2];
	EXPECT_EQ(TBTF_REASON_ANCESTOR, reason_of(p, shared->pids[0], NULL));
	EXPECT_EQ(TBTF_REASON_ANCESTOR, reason_of(p, shared->pids[1], NULL));
	/* Only for its own descendant: not for a stranger, and its child may go. */
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason_of(p, shared->pids[3], NULL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason_of(p, SMALL, NULL));
	EXPECT_REASON(CANDIDATE, shared->pids[0]);
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
}

/* The kernel kills by memory: who shares it with a marked process is one itself. */
TEST_F(reasons, shares_memory_with_marked)
{
	struct tbtf_info info;

	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		shared->pids[1] = tu_clone(CLONE_VM);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(2, WAIT_MS));
	/* Neither is special: killing both is what the kernel does. */
	EXPECT_REASON(CANDIDATE, shared->pids[0]);
	EXPECT_REASON(CANDIDATE, shared->pids[1]);

	ASSERT_EQ(0, tu_role_set(shared->pids[0], TBTF_ROLE_TBTF, 0));
	EXPECT_REASON(PROTECTED, shared->pids[1]);
	ASSERT_EQ(0, tu_query(shared->pids[1], &info));
	EXPECT_EQ(TBTF_ROLE_TBTF, info.effective);
	EXPECT_EQ(TBTF_SOURCE_MM, info.source);
	EXPECT_EQ(TBTF_ROLE_INHERIT, info.role);
	/* Its own role changes nothing, for the other would die with it. */
	ASSERT_EQ(0, tu_role_set(shared->pids[1], TBTF_ROLE_EXPENDABLE, 0));
	EXPECT_REASON(PROTECTED, shared->pids[1]);
	ASSERT_EQ(0, tu_role_set(shared->pids[1], TBTF_ROLE_INHERIT, 0));

	ASSERT_EQ(0, tu_role_set(shared->pids[0], TBTF_ROLE_SPARE, 0));
	EXPECT_REASON(SPARE, shared->pids[1]);
	ASSERT_EQ(0, tu_role_set(shared->pids[0], TBTF_ROLE_INHERIT, 0));
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
}

/* A cgroup protects one of two; the other, outside, would take it along. */
TEST_F(reasons, shares_memory_across_cgroups)
{
	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		shared->pids[1] = tu_clone(CLONE_VM);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(2, WAIT_MS));
	ASSERT_EQ(0, tu_cg_make("half"));
	ASSERT_EQ(0, tu_cg_enter("half", shared->pids[0]));
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
	ASSERT_EQ(0, tu_cg_set("half", "memory.tbtf", "spare"));
	EXPECT_REASON(SPARE, shared->pids[0]);
	EXPECT_REASON(SHARED_MM, shared->pids[1]);
	ASSERT_EQ(0, tu_cg_set("half", "memory.tbtf", "tbtf"));
	EXPECT_REASON(PROTECTED, shared->pids[0]);
	EXPECT_REASON(SHARED_MM, shared->pids[1]);
	ASSERT_EQ(0, tu_cg_set("half", "memory.tbtf", "expendable"));
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
	kill(shared->pids[0], SIGKILL);
	EXPECT_EQ(0, tu_cg_remove("half"));
}

/* P need not be marked itself: a preview takes any, and its sharer would take it along. */
TEST_F(reasons, shares_memory_with_p)
{
	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		shared->pids[1] = tu_clone(CLONE_VM);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(2, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_SHARED_MM, reason_of(shared->pids[0], shared->pids[1], NULL));
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
}

/* A shares with B, and B is the parent of P: killing A kills B. */
TEST_F(reasons, shares_memory_with_ancestor)
{
	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		if (tu_fork(BIG_KB, &shared->pids[2]))
			tu_stay();
		shared->pids[1] = tu_clone(CLONE_VM);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(3, WAIT_MS));
	EXPECT_EQ(TBTF_REASON_ANCESTOR, reason_of(shared->pids[2], shared->pids[0], NULL));
	EXPECT_EQ(TBTF_REASON_SHARED_MM, reason_of(shared->pids[2], shared->pids[1], NULL));
	EXPECT_REASON(CANDIDATE, shared->pids[1]);
}

/* More sharers than the choice has walks for: each still gets an answer of its own. */
TEST_F(reasons, shares_memory_in_many_pairs)
{
	unsigned int i;
	pid_t pids[24];

	for (i = 0; i < 24; i++) {
		if (tu_fork(1536, &pids[i])) {
			if (tu_clone(CLONE_VM) < 0)
				_exit(1);
			tu_stay();
		}
	}
	EXPECT_TRUE(tu_wait_ready(48, WAIT_MS));
	for (i = 0; i < 24; i++) {
		EXPECT_REASON(CANDIDATE, pids[i]);
	}
	for (i = 0; i < 24; i++)
		kill(pids[i], SIGKILL);
}

/* Between vfork() and exec() the child runs on its parent's memory, and the parent waits. */
TEST_F(reasons, vfork)
{
	struct tbtf_candidate c;
	struct tbtf_preview pv;
	int32_t drawn;

	if (tu_fork(SMALL_KB, &shared->pids[0])) {
		tu_clone(CLONE_VM | CLONE_VFORK);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	ASSERT_LT(0, tu_read_ll("/proc/%d/task/%d/children", shared->pids[0], shared->pids[0]));
	shared->pids[1] = tu_read_ll("/proc/%d/task/%d/children", shared->pids[0], shared->pids[0]);
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[1], &c, NULL));
	EXPECT_EQ(TBTF_REASON_VFORK, c.reason);
	EXPECT_EQ(TBTF_BAND_NR, c.band);
	/* The kernel could kill the parent: no candidate, but the last to be left. */
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, &pv));
	EXPECT_EQ(TBTF_REASON_VFORK, c.reason);
	EXPECT_EQ(TBTF_BAND_BIGGER, c.band);
	EXPECT_EQ(1, pv.nr_candidates);
	tu_hog_stop(&self->small);
	ASSERT_EQ(0, tu_draw(BIG, NULL, TBTF_POLICY_SET, &drawn, 1, &pv));
	EXPECT_EQ(TBTF_BAND_BIGGER, pv.band);
	EXPECT_EQ(shared->pids[0], drawn);
	kill(shared->pids[1], SIGKILL);
	ASSERT_TRUE(tu_wait_ready(2, WAIT_MS));
	EXPECT_REASON(CANDIDATE, shared->pids[0]);
}

TEST_F(reasons, outside_the_memcg)
{
	ASSERT_EQ(0, tu_cg_make("scope"));
	ASSERT_EQ(0, tu_cg_make("scope/below"));
	ASSERT_EQ(0, tu_cg_make("beside"));
	ASSERT_EQ(0, tu_cg_enter("scope/below", BIG));
	EXPECT_EQ(TBTF_REASON_MEMCG, reason_of(BIG, SMALL, "scope"));
	ASSERT_EQ(0, tu_cg_enter("beside", SMALL));
	EXPECT_EQ(TBTF_REASON_MEMCG, reason_of(BIG, SMALL, "scope"));
	ASSERT_EQ(0, tu_cg_enter("scope/below", SMALL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason_of(BIG, SMALL, "scope"));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason_of(BIG, SMALL, "scope/below"));
	EXPECT_EQ(TBTF_REASON_MEMCG, reason_of(BIG, SMALL, "beside"));
	EXPECT_REASON(CANDIDATE, SMALL);
	EXPECT_EQ(0, tu_cg_remove("scope/below"));
	EXPECT_EQ(0, tu_cg_remove("scope"));
	EXPECT_EQ(0, tu_cg_remove("beside"));
}

TEST_F(reasons, too_small)
{
	struct tbtf_candidate c;
	struct tbtf_preview pv;

	ASSERT_EQ(0, tu_judge(BIG, NULL, SMALL, &c, NULL));
	ASSERT_EQ(0, tu_knob_set_ll("min_victim_kb", c.worth_kb));
	EXPECT_REASON(CANDIDATE, SMALL);
	ASSERT_EQ(0, tu_knob_set_ll("min_victim_kb", c.worth_kb + 4));
	EXPECT_REASON(TOO_SMALL, SMALL);
	ASSERT_EQ(0, tu_judge(BIG, NULL, SMALL, &c, &pv));
	EXPECT_EQ(c.worth_kb + 4, pv.min_victim_kb);
}

/* Shared memory does not go with one process: big, and not worth it. */
TEST_F(reasons, too_small_but_large)
{
	struct tbtf_candidate c;

	if (tu_fork(0, &shared->pids[0])) {
		tu_fill(SMALL_KB, MAP_SHARED);
		tu_stay();
	}
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, NULL));
	EXPECT_EQ(TBTF_REASON_TOO_SMALL, c.reason);
	EXPECT_LE(SMALL_KB - 256, c.size_kb);
	EXPECT_GT(1024, c.worth_kb);
}

/* As big as P is too big; a page less is not. */
TEST_F(reasons, too_big)
{
	struct tbtf_candidate c;
	struct tbtf_preview pv;
	unsigned int n;

	if (tu_fork(0, &shared->pids[0])) {
		char *end = tu_fill(BIG_KB + 1024, MAP_PRIVATE) + ((BIG_KB + 1024) << 10);

		for (n = 0;; tu_nap_ms(5)) {
			while (n < shared->give_back) {
				end -= 4096;
				n += 4;
				munmap(end, 4096);
			}
			*tu_ready = n + 1;
		}
	}
	ASSERT_TRUE(tu_wait_ready(1, WAIT_MS));
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, &pv));
	EXPECT_EQ(TBTF_REASON_TOO_BIG, c.reason);
	EXPECT_EQ(TBTF_BAND_BIGGER, c.band);
	EXPECT_EQ(1, pv.nr_candidates);
	EXPECT_EQ(TBTF_BAND_ORDINARY, pv.band);

	/* More than once: the kernel counts some pages of a thread late. */
	for (n = 0; n < 10 && c.size_kb > pv.protected_kb; n++) {
		shared->give_back += c.size_kb - pv.protected_kb;
		ASSERT_TRUE(tu_wait_ready(shared->give_back + 1, WAIT_MS));
		ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, &pv));
	}
	ASSERT_EQ(pv.protected_kb, c.size_kb);
	EXPECT_EQ(TBTF_REASON_TOO_BIG, c.reason);
	/* With nobody else left, the last band has it. */
	tu_hog_stop(&self->small);
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, &pv));
	EXPECT_EQ(0, pv.nr_candidates);
	EXPECT_EQ(TBTF_BAND_BIGGER, pv.band);

	shared->give_back += 4;
	ASSERT_TRUE(tu_wait_ready(shared->give_back + 1, WAIT_MS));
	ASSERT_EQ(0, tu_judge(BIG, NULL, shared->pids[0], &c, &pv));
	EXPECT_EQ(pv.protected_kb, c.size_kb + 4);
	EXPECT_EQ(TBTF_REASON_CANDIDATE, c.reason);
	EXPECT_EQ(TBTF_BAND_ORDINARY, c.band);
}

/* memory.oom.group kills all of a cgroup, if one of them goes. */
TEST_F(reasons, oom_group)
{
	struct tu_hog third = { .name = "third", .size_kb = SMALL_KB };

	ASSERT_EQ(0, tu_cg_make("group"));
	ASSERT_EQ(0, tu_cg_make("group/a"));
	ASSERT_EQ(0, tu_cg_make("group/b"));
	ASSERT_EQ(0, tu_hog_start(&third));
	ASSERT_EQ(0, tu_cg_enter("group/a", SMALL));
	ASSERT_EQ(0, tu_cg_enter("group/b", third.pid));
	ASSERT_EQ(0, tu_cg_set("group", "memory.oom.group", "1"));
	EXPECT_REASON(CANDIDATE, SMALL);

	ASSERT_EQ(0, tu_role_set(third.pid, TBTF_ROLE_TBTF, 0));
	EXPECT_REASON(OOM_GROUP, SMALL);
	ASSERT_EQ(0, tu_role_set(third.pid, TBTF_ROLE_SPARE, 0));
	EXPECT_REASON(OOM_GROUP, SMALL);
	ASSERT_EQ(0, tu_role_set(third.pid, TBTF_ROLE_EXPENDABLE, 0));
	EXPECT_REASON(CANDIDATE, SMALL);
	ASSERT_EQ(0, tu_role_set(third.pid, TBTF_ROLE_INHERIT, 0));
	ASSERT_EQ(0, tu_cg_set("group/b", "memory.tbtf", "spare"));
	EXPECT_REASON(OOM_GROUP, SMALL);

	/* Not the group above the cgroup that is out of memory, and none at all. */
	EXPECT_EQ(TBTF_REASON_OOM_GROUP, reason_of(BIG, SMALL, "group"));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, reason_of(BIG, SMALL, "group/a"));
	ASSERT_EQ(0, tu_cg_set("group", "memory.oom.group", "0"));
	EXPECT_REASON(CANDIDATE, SMALL);

	/* P itself is in the group, and not marked. */
	ASSERT_EQ(0, tu_cg_set("group/b", "memory.tbtf", "inherit"));
	ASSERT_EQ(0, tu_cg_set("group", "memory.oom.group", "1"));
	EXPECT_EQ(TBTF_REASON_OOM_GROUP, reason_of(third.pid, SMALL, NULL));
	tu_hog_stop(&third);
	EXPECT_EQ(0, tu_cg_remove("group/a"));
	EXPECT_EQ(0, tu_cg_remove("group/b"));
	EXPECT_EQ(0, tu_cg_remove("group"));
}

/* The preview as a whole: who is listed, and how many there are. */
TEST_F(reasons, listing)
{
	int device = open("/dev/tbtf", O_RDWR), n;
	struct tbtf_candidate all[512];
	struct tbtf_preview pv = {
		.pidfd = self->big.pidfd, .cgroup = -1,
		.entries = (uintptr_t)all, .count = 512,
	};

	ASSERT_LE(0, device);
	ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
	ASSERT_EQ(1, pv.count);
	EXPECT_EQ(1, pv.total);
	EXPECT_EQ(1, pv.nr_candidates);
	EXPECT_EQ(SMALL, all[0].pid);
	EXPECT_STREQ("small", all[0].comm);
	EXPECT_EQ(0, all[0].oom_score_adj);
	EXPECT_EQ(TBTF_ROLE_ORDINARY, all[0].effective);
	EXPECT_EQ(1000000, all[0].likelihood);
	EXPECT_LE(SMALL_KB, all[0].worth_kb + 256);
	EXPECT_LE(all[0].worth_kb, all[0].size_kb);

	pv.flags = TBTF_PREVIEW_ALL;
	pv.count = 512;
	ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
	EXPECT_EQ(pv.total, pv.count);
	EXPECT_LT(10, pv.count);
	EXPECT_EQ(1, pv.nr_candidates);
	/* Room for fewer: as many as fit, and how many there are. */
	n = pv.total;
	memset(&all[3], 0x5a, sizeof(all[3]));
	pv.count = 3;
	ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
	EXPECT_EQ(3, pv.count);
	EXPECT_LE(n - 4, (int)pv.total);
	EXPECT_EQ(0x5a5a5a5a, all[3].pid);
	close(device);
}

TEST_HARNESS_MAIN
