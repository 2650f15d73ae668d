// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - is the choice as random as the policy says?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Crowds of processes, thousands of choices by TBTF_IOC_PREVIEW, and Pearson's
 * chi-square test at the 1 % level against what the policy promises, over the
 * candidates one by one and, with more power against a bias by position, over
 * twenty groups of neighbours by pid. A sound choice misses such a test once in
 * a hundred; so after a miss it is made again with fresh draws, and only two
 * misses in a row, one in ten thousand, are a failure. A bias that the first
 * test sees, the second sees as well.
 *
 * Not only too uneven is wrong: what is more even than chance would have it
 * comes from a counter, not from a random generator.
 *
 * vm: mem=1024 timeout=240
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define DRAWS		10000
#define CROWD_MAX	5000
#define GROUPS		20

enum kind { CANDIDATE, SPARE, MARKED, LOWERED, UNKILLABLE, OUTSIDE };

struct member {
	pid_t pid;
	enum kind kind;
	double weight;		/* how likely it is, compared to the others */
	unsigned int drawn;
};

static struct member crowd[CROWD_MAX];
static unsigned int crowd_size;
static int32_t draws[DRAWS];
static unsigned int nr_draws;
static volatile unsigned int *ready;	/* how many have their memory; shared */
static pid_t protected;

static double root(double x)
{
	double r = x > 1 ? x : 1;
	int i;

	for (i = 0; i < 60; i++)
		r = (r + x / r) / 2;
	return r;
}

/* A quantile of chi-square, z that of the normal distribution (Wilson and Hilferty). */
static double chi2_quantile(unsigned int df, double z)
{
	double t = 1 - 2.0 / (9.0 * df) + z * root(2.0 / (9.0 * df));

	return df * t * t * t;
}

static bool fits(const double *expected, const unsigned int *seen, unsigned int cells,
		 const char *what)
{
	double high = chi2_quantile(cells - 1, 2.3263);
	double low = chi2_quantile(cells - 1, -4);
	double chi2 = 0;
	unsigned int i;

	for (i = 0; i < cells; i++)
		chi2 += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
	printf("# %s: %u cells, chi-square %.1f (%.1f to %.1f)\n", what, cells, chi2, low, high);
	return chi2 >= low && chi2 <= high;
}

/* Whoever was drawn last says nothing of who is next. */
static bool pairs_fit(const struct member *m, unsigned int n)
{
	static double expected[400];
	static unsigned int seen[400];
	unsigned int i, at, last = n;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < n * n; i++)
		expected[i] = (nr_draws - 1.0) / (n * n);
	for (i = 0; i < nr_draws; i++) {
		for (at = 0; at < n - 1 && m[at].pid != draws[i]; at++)
			;
		if (last < n)
			seen[last * n + at]++;
		last = at;
	}
	return fits(expected, seen, n * n, "one after the other");
}

static int compare_pids(const void *a, const void *b)
{
	return ((const struct member *)a)->pid - ((const struct member *)b)->pid;
}

/* Draws that fell on candidates, in order of pid: is each as likely as its weight says? */
static bool judge_draws(const struct member *m, unsigned int n)
{
	static double expected[CROWD_MAX];
	static unsigned int seen[CROWD_MAX];
	double total = 0;
	unsigned int i, groups = n >= 5 * GROUPS ? GROUPS : 0;
	bool ok;

	for (i = 0; i < n; i++)
		total += m[i].weight;
	for (i = 0; i < n; i++) {
		expected[i] = nr_draws * m[i].weight / total;
		seen[i] = m[i].drawn;
	}
	/* With fewer draws than cells the statistic says little. */
	ok = nr_draws < n || fits(expected, seen, n, "one by one");
	if (n <= 20 && m[0].weight == 1)
		ok = pairs_fit(m, n) && ok;
	if (!groups)
		return ok;
	memset(expected, 0, sizeof(expected));
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < n; i++) {
		expected[i * groups / n] += nr_draws * m[i].weight / total;
		seen[i * groups / n] += m[i].drawn;
	}
	return fits(expected, seen, groups, "by neighbourhood") && ok;
}

static void grow_process(unsigned int pages)
{
	char *p = mmap(NULL, pages * 4096UL, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
}

static void *idle(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static pid_t start_process(unsigned int pages, unsigned int threads)
{
	pthread_attr_t attr;
	pthread_t thread;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "crowd");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	if (pages)
		grow_process(pages);
	while (threads-- > 1)
		if (pthread_create(&thread, &attr, idle, NULL))
			_exit(1);
	__sync_fetch_and_add(ready, 1);
	for (;;)
		pause();
}

/* Three in four are candidates; the rest must never come up, and be no hole in the count either. */
static enum kind kind_of(unsigned int i)
{
	switch (i % 16) {
	case 3:
		return SPARE;
	case 6:
		return MARKED;
	case 10:
		return LOWERED;
	case 15:
		return UNKILLABLE;
	}
	return CANDIDATE;
}

/*
 * A crowd of n, of mixed sizes. gap: after each process so many pids are left
 * free, that many or fewer by turns; threads: of every other process.
 */
static bool gather(unsigned int n, unsigned int gap, unsigned int threads)
{
	unsigned int i, base = *ready;
	struct member *m;
	int err = 0;

	tu_adj_set(0, 0);	/* children inherit it; nothing here runs out of memory */
	for (i = 0; i < n && !err; i++) {
		m = &crowd[crowd_size++];
		memset(m, 0, sizeof(*m));
		m->kind = kind_of(i);
		m->weight = 1;
		m->pid = start_process(i * 7 % 13, i % 2 ? threads : 1);
		if (m->pid < 0)
			break;
		if (m->kind == SPARE)
			err = tu_role_set(m->pid, TBTF_ROLE_SPARE, 0);
		else if (m->kind == MARKED)
			err = tu_role_set(m->pid, TBTF_ROLE_TBTF, 0);
		else if (m->kind == LOWERED)
			err = tu_adj_set(m->pid, -100);
		else if (m->kind == UNKILLABLE)
			err = tu_adj_set(m->pid, -1000);
		if (gap) {
			char pid[16];

			snprintf(pid, sizeof(pid), "%u", m->pid + (i % 3 + 1) * gap / 3);
			err = err ?: tu_write(pid, "/proc/sys/kernel/ns_last_pid");
		}
	}
	tu_adj_set(0, -1000);
	qsort(crowd, crowd_size, sizeof(*crowd), compare_pids);
	return i == n && !err && TU_WAIT_FOR(*ready == base + n, 120000);
}

static void dismiss(void)
{
	unsigned int i;

	for (i = 0; i < crowd_size; i++)
		if (crowd[i].pid > 0)
			kill(crowd[i].pid, SIGKILL);
	for (i = 0; i < crowd_size; i++)
		if (crowd[i].pid > 0)
			waitpid(crowd[i].pid, NULL, 0);
	crowd_size = 0;
}

enum branch { SAMPLED, SCANNED, MIXED };

/*
 * Draw, and look: only candidates come up, each as often as it should, and the
 * branch that is meant made the choice. SAMPLED means nearly all: a series of
 * tries may always miss.
 */
static bool draw_once(struct __test_metadata *const _metadata, const char *cgroup,
		      uint32_t policy, enum branch branch)
{
	static struct member chosen[CROWD_MAX];
	unsigned int i, n = 0, lowered = 0;
	struct tbtf_preview pv;
	struct member *m, key;

	ASSERT_EQ(0, tu_draw(protected, cgroup, policy, draws, nr_draws, &pv));
	printf("# %u candidates, %u of %u draws scanned, %llu ns a draw\n", pv.nr_candidates,
	       pv.nr_scanned, nr_draws, pv.draws_ns / nr_draws);
	switch (branch) {
	case SAMPLED:
		EXPECT_GT(nr_draws / 20, pv.nr_scanned);
		break;
	case SCANNED:
		EXPECT_EQ(nr_draws, pv.nr_scanned);
		break;
	case MIXED:
		EXPECT_LT(nr_draws / 10, pv.nr_scanned);
		EXPECT_GT(nr_draws * 9 / 10, pv.nr_scanned);
		break;
	}

	for (i = 0; i < crowd_size; i++)
		crowd[i].drawn = 0;
	for (i = 0; i < nr_draws; i++) {
		key.pid = draws[i];
		m = bsearch(&key, crowd, crowd_size, sizeof(*crowd), compare_pids);
		ASSERT_NE(NULL, m)
			TH_LOG("drew %d, which is none of the crowd", draws[i]);
		ASSERT_EQ(CANDIDATE, m->kind)
			TH_LOG("drew %d, which is no candidate", draws[i]);
		m->drawn++;
	}
	for (i = 0; i < crowd_size; i++) {
		if (crowd[i].kind == CANDIDATE)
			chosen[n++] = crowd[i];
		lowered += crowd[i].kind == LOWERED;
	}
	/* The band of those with a lowered oom_score_adj is not open, but counts. */
	EXPECT_EQ(n + lowered, pv.nr_candidates);
	EXPECT_EQ(TBTF_BAND_ORDINARY, pv.band);
	return judge_draws(chosen, n);
}

static void check_draws(struct __test_metadata *const _metadata, const char *cgroup,
			uint32_t policy, enum branch branch)
{
	if (draw_once(_metadata, cgroup, policy, branch))
		return;
	printf("# once more\n");
	EXPECT_TRUE(draw_once(_metadata, cgroup, policy, branch));
}

FIXTURE(draws) {
	struct tu_hog big;
};

FIXTURE_SETUP(draws)
{
	ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ready);
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "0"));
	ASSERT_EQ(0, tu_knob_set("max_marks", "2000"));
	nr_draws = tu_effort(DRAWS);
	self->big = (struct tu_hog){ .name = "big", .size_kb = 8192, .mark = TBTF_ON };
	ASSERT_EQ(0, tu_hog_start(&self->big));
	protected = self->big.pid;
}

FIXTURE_TEARDOWN(draws)
{
	dismiss();
	tu_hog_stop(&self->big);
}

/*
 * By both branches, at least 10,000 times together (or what VM_EFFORT leaves). Whoever has a raised
 * oom_score_adj, even if it is out of the question itself, makes every choice
 * a scan. Under emulation a scan takes a microsecond or three for each process.
 */
static void check_both(struct __test_metadata *const _metadata, unsigned int n,
		       unsigned int scans)
{
	struct tu_hog raised = { .name = "raised", .adj = 500 };
	struct tbtf_preview pv;

	ASSERT_TRUE(gather(n, 0, 1));
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, SAMPLED);
	ASSERT_EQ(0, tu_hog_start(&raised));
	ASSERT_EQ(0, tu_role_set(raised.pid, TBTF_ROLE_SPARE, 0));
	nr_draws = tu_effort(scans);
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, SCANNED);
	tu_hog_stop(&raised);
	/* With it gone, one scan finds out, and sampling is back. */
	nr_draws = 100;
	ASSERT_EQ(0, tu_draw(protected, NULL, TBTF_POLICY_UNIFORM, draws, nr_draws, &pv));
	EXPECT_GT(nr_draws / 10, pv.nr_scanned);
}

/*
 * The order matters: where pids are dense depends on how many there have been,
 * and kernel threads may keep high ones for good.
 */
TEST_F_TIMEOUT(draws, uniform_20, 60)
{
	check_both(_metadata, 20, DRAWS);
}

/* Who has sixteen pids is not sixteen times as likely. */
TEST_F_TIMEOUT(draws, threads, 60)
{
	ASSERT_TRUE(gather(100, 0, 16));
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, SAMPLED);
	nr_draws = tu_effort(3000);
	ASSERT_EQ(0, tu_adj_set(crowd[0].pid, 1));
	ASSERT_EQ(0, tu_role_set(crowd[0].pid, TBTF_ROLE_SPARE, 0));
	crowd[0].kind = SPARE;
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, SCANNED);
}

/* In a memory cgroup and one below it; half of the crowd is outside. */
TEST_F_TIMEOUT(draws, memcg, 60)
{
	unsigned int i;

	ASSERT_EQ(0, tu_cg_make("draws"));
	ASSERT_EQ(0, tu_cg_make("draws/in"));
	ASSERT_EQ(0, tu_cg_make("draws/below"));
	ASSERT_EQ(0, tu_cg_make("draws/below/in"));
	ASSERT_TRUE(gather(120, 0, 1));
	for (i = 0; i < crowd_size; i++) {
		if (i % 16 >= 8) {
			crowd[i].kind = OUTSIDE;
			continue;
		}
		ASSERT_EQ(0, tu_cg_enter(i % 2 ? "draws/below/in" : "draws/in", crowd[i].pid));
	}
	check_draws(_metadata, "draws", TBTF_POLICY_UNIFORM, SCANNED);
	dismiss();
	EXPECT_EQ(0, tu_cg_remove("draws/below/in"));
	EXPECT_EQ(0, tu_cg_remove("draws/below"));
	EXPECT_EQ(0, tu_cg_remove("draws/in"));
	EXPECT_EQ(0, tu_cg_remove("draws"));
}

/* A dozen from 64 kB to 3 MB: as likely as they are big. */
TEST_F_TIMEOUT(draws, weighted, 60)
{
	struct tbtf_candidate c;
	struct member *m;
	unsigned int i;

	for (i = 0; i < 12; i++) {
		m = &crowd[crowd_size++];
		*m = (struct member){ .pid = start_process(16 + i * i * 6, 1) };
		ASSERT_EQ(0, tu_adj_set(m->pid, 0));
	}
	ASSERT_TRUE(TU_WAIT_FOR(*ready == 12, 60000));
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, tu_judge(protected, NULL, crowd[i].pid, &c, NULL));
		crowd[i].weight = c.size_kb;
	}
	check_draws(_metadata, NULL, TBTF_POLICY_WEIGHTED, SCANNED);
	/* The same crowd, the same test: it can fail. */
	for (i = 0; i < 12; i++)
		crowd[i].weight = 1;
	EXPECT_FALSE(draw_once(_metadata, NULL, TBTF_POLICY_WEIGHTED, SCANNED));
}

/* Always the same one, also where it is neither the first nor the last. */
TEST_F(draws, largest)
{
	struct tbtf_preview pv;
	unsigned int i;

	for (i = 0; i < 12; i++) {
		/* The kernel counts up to 64 pages of a thread late. */
		crowd[crowd_size++].pid = start_process(i * 7 % 12 * 80, 1);
		ASSERT_EQ(0, tu_adj_set(crowd[i].pid, 0));
	}
	ASSERT_TRUE(TU_WAIT_FOR(*ready == 12, 60000));
	ASSERT_EQ(0, tu_draw(protected, NULL, TBTF_POLICY_LARGEST, draws, DRAWS, &pv));
	EXPECT_EQ(TBTF_POLICY_LARGEST, pv.used_policy);
	for (i = 0; i < DRAWS && draws[i] == crowd[5].pid; i++)
		;
	EXPECT_EQ(DRAWS, i);
}

TEST_F_TIMEOUT(draws, uniform_1000, 120)
{
	check_both(_metadata, 1000, 1500);
}

TEST_F_TIMEOUT(draws, uniform_5000, 240)
{
	check_both(_metadata, 5000, 300);
}

/*
 * One half dense, one half with hundreds of free pids between two: a try often
 * meets nobody. Whoever looks for the next process from there prefers those
 * behind a gap.
 */
TEST_F_TIMEOUT(draws, sparse_pids, 60)
{
	ASSERT_TRUE(gather(100, 0, 1));
	ASSERT_TRUE(gather(100, 300, 1));
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, MIXED);
}

/* Pids have wrapped round: there are some beyond the next one, where no try goes. */
TEST_F_TIMEOUT(draws, wrapped_pids, 60)
{
	char low[16];

	ASSERT_TRUE(gather(50, 0, 1));
	snprintf(low, sizeof(low), "%d", crowd[0].pid);
	ASSERT_TRUE(gather(20, 100, 1));
	ASSERT_EQ(0, tu_write(low, "/proc/sys/kernel/ns_last_pid"));
	check_draws(_metadata, NULL, TBTF_POLICY_UNIFORM, SCANNED);
}

TEST_HARNESS_MAIN
