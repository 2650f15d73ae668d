// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - whose turn is it, and who is too big for it
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=384
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS		20000
#define SMALL_KB	4096
#define BIG_KB		20480
#define DRAWS		300

static volatile struct {
	pid_t pids[8];
} *shared;

/* A child of whoever calls this, with a copy of all its memory, and more. */
static void start_child(int slot, int adj)
{
	if (!tu_fork(0, &shared->pids[slot]))
		return;
	if (tu_adj_set(0, adj))
		_exit(1);
	tu_fill(1024, MAP_PRIVATE);
	tu_stay();
}

FIXTURE(bands) {
	struct tu_hog big;
};

FIXTURE_SETUP(bands)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_ready_reset());
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "1024"));
	ASSERT_EQ(0, tu_cg_make("home"));
	self->big = (struct tu_hog){
		.name = "big", .size_kb = BIG_KB, .mark = TBTF_ON, .cgroup = "home",
	};
	ASSERT_EQ(0, tu_hog_start(&self->big));
}

FIXTURE_TEARDOWN(bands)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (shared->pids[i] > 0)
			kill(shared->pids[i], SIGKILL);
	}
	tu_hog_stop(&self->big);
	EXPECT_EQ(0, tu_cg_remove("home"));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int band_of(pid_t p, pid_t of, const char *cgroup)
{
	struct tbtf_candidate c;
	int err = tu_judge(p, cgroup, of, &c, NULL);

	if (err)
		return err;
	return c.reason == TBTF_REASON_CANDIDATE ? (int)c.band : -1000 - (int)c.reason;
}

/* In place of a band: why it is in none. */
#define NONE(reason)	(-1000 - TBTF_REASON_##reason)

/*
 * Who is in which band; two in each, so that a choice is one. In the last, the
 * largest with oom_score_adj >= 0, if there is one.
 */
static const struct {
	enum tbtf_band band;
	enum tbtf_role role;
	int adj;
	const char *cgroup;
	size_t kb;
} people[] = {
#define BAND(band)	TBTF_BAND_##band
#define ROLE(role)	TBTF_ROLE_##role
	{ BAND(EXPENDABLE),	ROLE(EXPENDABLE),	0,	NULL,	SMALL_KB },
	{ BAND(EXPENDABLE),	ROLE(EXPENDABLE),	-800,	NULL,	SMALL_KB },
	{ BAND(EXPENDABLE),	ROLE(INHERIT),		0,	"cheap",	SMALL_KB },
	{ BAND(EXPENDABLE),	ROLE(EXPENDABLE),	0,	"home",	SMALL_KB },
	{ BAND(RAISED),		ROLE(INHERIT),		1,	NULL,	SMALL_KB },
	{ BAND(RAISED),		ROLE(ORDINARY),		1000,	"cheap",	2 * SMALL_KB },
	{ BAND(ORDINARY),	ROLE(INHERIT),		0,	NULL,	SMALL_KB },
	{ BAND(ORDINARY),	ROLE(ORDINARY),		0,	NULL,	3 * SMALL_KB },
	{ BAND(LOWERED),	ROLE(INHERIT),		-1,	NULL,	SMALL_KB },
	{ BAND(LOWERED),	ROLE(INHERIT),		-999,	NULL,	SMALL_KB },
	{ BAND(OWN),		ROLE(INHERIT),		0,	"home",	SMALL_KB },
	{ BAND(OWN),		ROLE(INHERIT),		500,	"home",	SMALL_KB },
	{ BAND(BIGGER),		ROLE(INHERIT),		0,	NULL,	BIG_KB + 1024 },
	{ BAND(BIGGER),		ROLE(EXPENDABLE),	700,	"home",	BIG_KB + 2048 },
	{ BAND(BIGGER),		ROLE(INHERIT),		-900,	NULL,	BIG_KB + 4096 },
#undef BAND
#undef ROLE
};
#define PEOPLE	(sizeof(people) / sizeof(people[0]))

/* Only he is said to be likely. */
static void check_likely(struct __test_metadata *const _metadata, pid_t p, uint32_t policy,
			 pid_t who)
{
	int device = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	struct tbtf_candidate all[64];
	struct tbtf_preview pv = {
		.pidfd = tu_pidfd(p), .cgroup = -1, .policy = policy,
		.entries = (uintptr_t)all, .count = 64,
	};
	unsigned int i;

	ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
	for (i = 0; i < pv.count; i++) {
		EXPECT_EQ(all[i].pid == who ? 1000000 : 0, all[i].likelihood) {
			TH_LOG("%d, of %d", all[i].pid, who);
		}
	}
	close(pv.pidfd);
	close(device);
}

/*
 * Draw, with each policy: the band is open, and exactly those in it come up, or
 * the one largest.
 */
static void check_open_band(struct __test_metadata *const _metadata, pid_t p,
			    struct tu_hog *hogs, enum tbtf_band open)
{
	static int32_t draws[DRAWS];
	unsigned int i, j, policy, in_band = 0, others = 0;
	unsigned int drawn[PEOPLE];
	struct tbtf_preview pv;

	for (i = 0; i < PEOPLE; i++) {
		if (!hogs[i].pid || people[i].band == TBTF_BAND_BIGGER)
			continue;
		others++;
	}
	for (policy = TBTF_POLICY_UNIFORM; policy <= TBTF_POLICY_LARGEST; policy++) {
		ASSERT_EQ(0, tu_draw(p, NULL, policy, draws, DRAWS, &pv));
		EXPECT_EQ(open, pv.band);
		EXPECT_EQ(others, pv.nr_candidates);
		EXPECT_EQ(policy, pv.used_policy);
		memset(drawn, 0, sizeof(drawn));
		for (i = 0; i < DRAWS; i++) {
			for (j = 0; j < PEOPLE && hogs[j].pid != draws[i]; j++)
				;
			ASSERT_LT(j, PEOPLE) {
				TH_LOG("drew %d, who is nobody", draws[i]);
			}
			drawn[j]++;
		}
		for (j = in_band = 0; j < PEOPLE; j++) {
			if (people[j].band != open) {
				EXPECT_EQ(0, drawn[j]) {
					TH_LOG("%d drawn in band %d", j, open);
				}
			} else if (drawn[j]) {
				in_band++;
			}
		}
		/* The last band takes the largest, as the kernel would. */
		if (policy == TBTF_POLICY_LARGEST || open == TBTF_BAND_BIGGER) {
			EXPECT_EQ(1, in_band);
			for (j = 0; j < PEOPLE && !drawn[j]; j++)
				;
			check_likely(_metadata, p, policy, hogs[j].pid);
			for (i = 0; i < PEOPLE; i++) {
				if (people[i].band != open || people[i].kb <= people[j].kb)
					continue;
				EXPECT_EQ(TBTF_BAND_BIGGER, open);
				EXPECT_TRUE(people[i].adj < 0 && people[j].adj >= 0);
			}
		} else {
			/* One in two, or in four: 300 draws miss it never. */
			EXPECT_EQ(open == TBTF_BAND_EXPENDABLE ? 4 : 2, in_band);
		}
	}
}

TEST_F_TIMEOUT(bands, open_in_order, 60)
{
	struct tu_hog hogs[PEOPLE] = { 0 };
	unsigned int i, band;
	struct tbtf_preview pv;
	int32_t drawn;

	ASSERT_EQ(0, tu_cg_make("cheap"));
	ASSERT_EQ(0, tu_cg_set("cheap", "memory.tbtf", "expendable"));
	for (i = 0; i < PEOPLE; i++) {
		hogs[i].name = "people";
		hogs[i].size_kb = people[i].kb;
		hogs[i].adj = people[i].adj;
		hogs[i].cgroup = people[i].cgroup;
		ASSERT_EQ(0, tu_hog_start(&hogs[i]));
		ASSERT_EQ(0, tu_role_set(hogs[i].pid, people[i].role, 0));
	}
	for (band = 0; band < TBTF_BAND_NR; band++) {
		check_open_band(_metadata, self->big.pid, hogs, band);
		for (i = 0; i < PEOPLE; i++) {
			if (people[i].band == band)
				tu_hog_stop(&hogs[i]);
		}
	}
	/* Nobody is left. */
	ASSERT_EQ(0, tu_draw(self->big.pid, NULL, TBTF_POLICY_SET, &drawn, 1, &pv));
	EXPECT_EQ(TBTF_BAND_NR, pv.band);
	EXPECT_EQ(0, pv.nr_candidates);
	EXPECT_EQ(0, drawn);
	EXPECT_EQ(0, tu_cg_remove("cheap"));
}

/* The policy knob is what a preview without a policy takes. */
TEST_F(bands, policy_knob)
{
	static const char *const names[] = { "", "uniform", "weighted", "largest" };
	struct tbtf_preview pv;
	unsigned int policy;
	int32_t drawn;

	for (policy = TBTF_POLICY_UNIFORM; policy <= TBTF_POLICY_LARGEST; policy++) {
		ASSERT_EQ(0, tu_knob_set("policy", names[policy]));
		ASSERT_EQ(0, tu_draw(self->big.pid, NULL, TBTF_POLICY_SET, &drawn, 1, &pv));
		EXPECT_EQ(policy, pv.used_policy);
	}
	ASSERT_EQ(0, tu_knob_set("policy", "uniform"));
}

/* In a memcg P's own cgroup is no band: nearly everybody may be in it. */
TEST_F(bands, own_cgroup_only_globally)
{
	struct tu_hog own = { .name = "own", .size_kb = SMALL_KB, .cgroup = "home" };

	ASSERT_EQ(0, tu_hog_start(&own));
	EXPECT_EQ(TBTF_BAND_OWN, band_of(self->big.pid, own.pid, NULL));
	EXPECT_EQ(TBTF_BAND_ORDINARY, band_of(self->big.pid, own.pid, "home"));
	tu_hog_stop(&own);
}

/*
 * A Redis in BGSAVE: the child has a copy of everything, and is as big as its
 * parent. It goes first, if it has a higher oom_score_adj, even below zero and
 * in P's own cgroup; it stays as long as it has the same one.
 */
TEST_F(bands, bgsave_child)
{
	struct tu_hog other = { .name = "other", .size_kb = SMALL_KB };
	pid_t p = fork();

	if (!p) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tu_adj_set(0, -500) || tu_mark(TBTF_ON) || tu_cg_enter("home", 0))
			_exit(1);
		tu_fill(BIG_KB, MAP_PRIVATE);
		start_child(1, -500);
		start_child(2, -499);
		start_child(3, -501);
		start_child(4, 300);
		tu_stay();
	}
	shared->pids[0] = p;
	ASSERT_TRUE(tu_wait_ready(5, WAIT_MS));
	/* Against P; the fixture's has no children, but has a higher adj. */
	EXPECT_EQ(NONE(TOO_BIG), band_of(p, shared->pids[1], NULL));
	EXPECT_EQ(TBTF_BAND_RAISED, band_of(p, shared->pids[2], NULL));
	EXPECT_EQ(NONE(TOO_BIG), band_of(p, shared->pids[3], NULL));
	EXPECT_EQ(TBTF_BAND_RAISED, band_of(p, shared->pids[4], NULL));
	EXPECT_EQ(TBTF_BAND_RAISED, band_of(p, shared->pids[2], "home"));
	/* Not a stranger's child. */
	EXPECT_EQ(NONE(TOO_BIG), band_of(self->big.pid, shared->pids[2], NULL));
	EXPECT_EQ(NONE(TOO_BIG), band_of(self->big.pid, shared->pids[4], NULL));
	/* A small stranger with an adj that is higher, but below zero, is no such child. */
	ASSERT_EQ(0, tu_hog_start(&other));
	ASSERT_EQ(0, tu_adj_set(other.pid, -499));
	EXPECT_EQ(TBTF_BAND_LOWERED, band_of(p, other.pid, NULL));
	tu_hog_stop(&other);
}

/* A grandchild is a descendant too; one whose father has died is no more. */
TEST_F(bands, bgsave_grandchild)
{
	pid_t pid, p = fork();

	if (!p) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tu_adj_set(0, 0) || tu_mark(TBTF_ON))
			_exit(1);
		tu_fill(BIG_KB, MAP_PRIVATE);
		signal(SIGCHLD, SIG_IGN);
		pid = fork();
		if (!pid) {
			pid = fork();
			if (!pid) {
				if (tu_adj_set(0, 1))
					_exit(1);
				tu_fill(1024, MAP_PRIVATE);
				tu_stay();
			}
			shared->pids[2] = pid;
			tu_stay();
		}
		shared->pids[1] = pid;
		tu_stay();
	}
	shared->pids[0] = p;
	ASSERT_TRUE(tu_wait_ready(3, WAIT_MS));
	EXPECT_EQ(TBTF_BAND_RAISED, band_of(p, shared->pids[2], NULL));
	kill(shared->pids[1], SIGKILL);
	ASSERT_TRUE(TU_WAIT_FOR(!tu_alive(shared->pids[1]), WAIT_MS));
	EXPECT_EQ(NONE(TOO_BIG), band_of(p, shared->pids[2], NULL));
	shared->pids[1] = 0;
}

/* Hugetlb memory is P's, and part of its size; the kernel does not count it. */
TEST_F(bands, hugetlb_counts_for_p)
{
	struct tu_hog huge = { .name = "huge", .size_kb = 32768, .hugetlb = true, .mark = TBTF_ON };
	struct tu_hog small = { .name = "small", .size_kb = 4 * SMALL_KB };
	struct tbtf_info info;

	ASSERT_EQ(0, tu_write("16", "/proc/sys/vm/nr_hugepages"));
	ASSERT_EQ(16, tu_read_ll("/proc/sys/vm/nr_hugepages"));
	ASSERT_EQ(0, tu_hog_start(&huge));
	ASSERT_EQ(0, tu_hog_start(&small));
	EXPECT_EQ(TBTF_BAND_ORDINARY, band_of(huge.pid, small.pid, NULL));
	ASSERT_EQ(0, tu_query(huge.pid, &info));
	EXPECT_GT(SMALL_KB, info.size_kb);
	EXPECT_EQ(32768 + info.size_kb, info.protected_kb);
	/* A candidate's is not counted: it would not become anybody's. */
	ASSERT_EQ(0, tu_role_set(huge.pid, TBTF_ROLE_INHERIT, 0));
	EXPECT_EQ(NONE(TOO_SMALL), band_of(small.pid, huge.pid, NULL));
	tu_hog_stop(&huge);
	tu_hog_stop(&small);
	EXPECT_EQ(0, tu_write("0", "/proc/sys/vm/nr_hugepages"));
}

/*
 * A database of many processes is marked by its cgroup: what counts is how big
 * it is as a whole, at the cgroup that made the mark.
 */
TEST_F(bands, cgroup_usage_counts_for_p)
{
	struct tu_hog worker = { .name = "worker", .size_kb = SMALL_KB, .cgroup = "db/a" };
	struct tu_hog cache = { .name = "cache", .size_kb = BIG_KB, .cgroup = "db/b" };
	struct tu_hog outside = { .name = "outside", .size_kb = 3 * SMALL_KB };
	struct tbtf_info info;
	long long usage;

	ASSERT_EQ(0, tu_cg_make("db"));
	ASSERT_EQ(0, tu_cg_make("db/a"));
	ASSERT_EQ(0, tu_cg_make("db/b"));
	ASSERT_EQ(0, tu_hog_start(&worker));
	ASSERT_EQ(0, tu_hog_start(&cache));
	ASSERT_EQ(0, tu_hog_start(&outside));
	EXPECT_EQ(NONE(TOO_BIG), band_of(worker.pid, outside.pid, NULL));
	ASSERT_EQ(0, tu_cg_set("db", "memory.tbtf", "tbtf"));
	EXPECT_EQ(TBTF_BAND_ORDINARY, band_of(worker.pid, outside.pid, NULL));
	ASSERT_EQ(0, tu_query(worker.pid, &info));
	usage = tu_cg_get("db", "memory.current", NULL) >> 10;
	/* The kernel charges in batches, a few of which may come or go meanwhile. */
	EXPECT_LT(usage - 1024, (long long)info.protected_kb);
	EXPECT_GT(usage + 1024, (long long)info.protected_kb);
	EXPECT_EQ(TBTF_SOURCE_CGROUP, info.source);
	EXPECT_EQ(tu_cg_id("db"), info.cgroup);
	/* The nearest one made the mark, and is smaller. */
	ASSERT_EQ(0, tu_cg_set("db/a", "memory.tbtf", "tbtf"));
	EXPECT_EQ(NONE(TOO_BIG), band_of(worker.pid, outside.pid, NULL));
	ASSERT_EQ(0, tu_cg_set("db/a", "memory.tbtf", "inherit"));
	/* A mark of its own on top takes nothing away. */
	ASSERT_EQ(0, tu_role_set(worker.pid, TBTF_ROLE_TBTF, TBTF_LOCAL));
	EXPECT_EQ(TBTF_BAND_ORDINARY, band_of(worker.pid, outside.pid, NULL));
	ASSERT_EQ(0, tu_role_set(worker.pid, TBTF_ROLE_INHERIT, 0));
	/* Marked as a process only, it is as big as it is. */
	ASSERT_EQ(0, tu_cg_set("db", "memory.tbtf", "inherit"));
	ASSERT_EQ(0, tu_role_set(worker.pid, TBTF_ROLE_TBTF, 0));
	EXPECT_EQ(NONE(TOO_BIG), band_of(worker.pid, outside.pid, NULL));
	tu_hog_stop(&worker);
	tu_hog_stop(&cache);
	tu_hog_stop(&outside);
	EXPECT_EQ(0, tu_cg_remove("db/a"));
	EXPECT_EQ(0, tu_cg_remove("db/b"));
	EXPECT_EQ(0, tu_cg_remove("db"));
}

/* Of each in the band it says how likely it is: as much as the draws will show. */
TEST_F(bands, likelihood)
{
	static const size_t kb[] = { 2048, 4096, 6144 };
	int device = open("/dev/tbtf", O_RDWR);
	struct tbtf_candidate all[64];
	struct tu_hog hogs[4] = { 0 };
	struct tbtf_preview pv;
	unsigned int i, policy;
	uint64_t size[3], sum;

	ASSERT_LE(0, device);
	for (i = 0; i < 4; i++) {
		hogs[i].name = "hog";
		hogs[i].size_kb = kb[i % 3];
		hogs[i].adj = i == 3 ? -100 : 0;
		ASSERT_EQ(0, tu_hog_start(&hogs[i]));
	}
	for (policy = TBTF_POLICY_UNIFORM; policy <= TBTF_POLICY_LARGEST; policy++) {
		pv = (struct tbtf_preview){
			.pidfd = self->big.pidfd, .cgroup = -1, .policy = policy,
			.entries = (uintptr_t)all, .count = 64,
		};
		ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
		ASSERT_EQ(4, pv.count);
		for (i = sum = 0; i < 3; i++) {
			ASSERT_EQ(hogs[i].pid, all[i].pid);
			size[i] = all[i].size_kb;
			sum += size[i];
		}
		for (i = 0; i < 3; i++) {
			uint32_t want = 333333;

			if (policy == TBTF_POLICY_WEIGHTED)
				want = size[i] * 1000000 / sum;
			else if (policy == TBTF_POLICY_LARGEST)
				want = i == 2 ? 1000000 : 0;
			EXPECT_EQ(want, all[i].likelihood);
		}
		/* Its band is not open. */
		EXPECT_EQ(TBTF_BAND_LOWERED, all[3].band);
		EXPECT_EQ(0, all[3].likelihood);
	}
	for (i = 0; i < 4; i++)
		tu_hog_stop(&hogs[i]);
	close(device);
}

TEST_HARNESS_MAIN
