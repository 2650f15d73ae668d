// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what a preview says is what an OOM does
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One of each kind is there: candidates in several bands, and everybody who is
 * none. The preview, asked for all of them with the policy `largest`, gives the
 * order in which they would go; then memory runs out for real, until the last
 * candidate is gone. Who died, in which order, comes from the kernel's log.
 *
 * vm: mem=384 timeout=120
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS		60000
#define MAX		64

static volatile struct {
	pid_t outliving;		/* thread of the process whose leader is a zombie */
} *shared;

static void *outlive(void *unused)
{
	(void)unused;
	shared->outliving = gettid();
	tu_stay();
	return NULL;
}

enum special { ZOMBIE_LEADER, SHARER, VFORKER, SPECIALS };

/* Those that a plain hog cannot play. */
static pid_t start_special(enum special what, const char *cgroup, size_t kb)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tu_adj_set(0, 0) || tu_cg_enter(cgroup, 0))
		_exit(1);
	tu_fill(kb, MAP_PRIVATE);
	switch (what) {
	case ZOMBIE_LEADER:
		if (pthread_create(&thread, NULL, outlive, NULL))
			_exit(1);
		syscall(SYS_exit, 0);
		break;
	case SHARER:
		if (tu_clone(CLONE_VM) < 0)
			_exit(1);
		break;
	case VFORKER:
		tu_clone(CLONE_VM | CLONE_VFORK);
		break;
	default:
		break;
	}
	tu_stay();
}

/*
 * Candidates first, none of the size of another, and more than 64 pages apart.
 * None with an oom_score_adj so high that the kernel would choose it before P:
 * that choice stands, whatever a preview for P says.
 */
static const struct {
	const char *name;
	size_t kb;
	int adj;
	enum tbtf_role role;
	unsigned int mark;
	const char *cgroup;
	enum tbtf_reason reason;
} people[] = {
#define ROLE(role)	TBTF_ROLE_##role
#define IS(reason)	TBTF_REASON_##reason
	{ "cheap",	4096,	0,	ROLE(EXPENDABLE),	0,	"oom/a",	IS(CANDIDATE) },
	{ "raised",	5120,	10,	ROLE(INHERIT),		0,	"oom/a",	IS(CANDIDATE) },
	{ "plain1",	7168,	0,	ROLE(INHERIT),		0,	"oom/a",	IS(CANDIDATE) },
	{ "plain2",	9216,	0,	ROLE(ORDINARY),		0,	"oom/b",	IS(CANDIDATE) },
	{ "plain3",	6144,	0,	ROLE(INHERIT),		0,	"oom/b",	IS(CANDIDATE) },
	{ "lowered",	8192,	-500,	ROLE(INHERIT),		0,	"oom/a",	IS(CANDIDATE) },
	{ "frozen",	11264,	0,	ROLE(INHERIT),		0,	"oom/frozen",	IS(CANDIDATE) },
	{ "spare",	12288,	0,	ROLE(SPARE),		0,	"oom/a",	IS(SPARE) },
	{ "sparecg",	12288,	0,	ROLE(INHERIT),		0,	"oom/spare",	IS(SPARE) },
	{ "marked",	12288,	0,	ROLE(INHERIT),		TBTF_ON,	"oom/a",	IS(PROTECTED) },
	{ "markedcg",	12288,	0,	ROLE(INHERIT),		0,	"oom/marked",	IS(PROTECTED) },
	{ "adjmin",	12288,	-1000,	ROLE(INHERIT),		0,	"oom/a",	IS(ADJ_MIN) },
	{ "tiny",	512,	10,	ROLE(EXPENDABLE),	0,	"oom/b",	IS(TOO_SMALL) },
	{ "mate",	12288,	0,	ROLE(INHERIT),		0,	"oom/group",	IS(OOM_GROUP) },
	{ "captain",	12288,	0,	ROLE(SPARE),		0,	"oom/group",	IS(SPARE) },
#undef ROLE
#undef IS
};
#define PEOPLE	(sizeof(people) / sizeof(people[0]))

static const char *const cgroups[] = {
	"oom", "oom/p", "oom/a", "oom/b", "oom/frozen", "oom/spare", "oom/marked", "oom/group",
};
#define CGROUPS	(sizeof(cgroups) / sizeof(cgroups[0]))

FIXTURE(oom) {
	struct tu_hog hogs[PEOPLE], big;
	pid_t special[SPECIALS];
	int log;
};

FIXTURE_SETUP(oom)
{
	unsigned int i;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_ready_reset());
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "1024"));
	ASSERT_EQ(0, tu_knob_set("policy", "largest"));
	for (i = 0; i < CGROUPS; i++) {
		ASSERT_EQ(0, tu_cg_make(cgroups[i]));
	}
	ASSERT_EQ(0, tu_cg_set("oom/spare", "memory.tbtf", "spare"));
	ASSERT_EQ(0, tu_cg_set("oom/marked", "memory.tbtf", "tbtf"));
	ASSERT_EQ(0, tu_cg_set("oom/group", "memory.oom.group", "1"));
	for (i = 0; i < PEOPLE; i++) {
		self->hogs[i] = (struct tu_hog){
			.name = people[i].name, .size_kb = people[i].kb, .adj = people[i].adj,
			.mark = people[i].mark, .cgroup = people[i].cgroup,
		};
		ASSERT_EQ(0, tu_hog_start(&self->hogs[i]));
		if (people[i].role) {
			ASSERT_EQ(0, tu_role_set(self->hogs[i].pid, people[i].role, 0));
		}
	}
	self->special[ZOMBIE_LEADER] = start_special(ZOMBIE_LEADER, "oom/a", 10240);
	self->special[SHARER] = start_special(SHARER, "oom/a", 12288);
	self->special[VFORKER] = start_special(VFORKER, "oom/a", 12288);
	ASSERT_TRUE(tu_wait_ready(4, WAIT_MS));
	/* Spare is what shares memory with a spare one. */
	ASSERT_EQ(0, tu_role_set(self->special[SHARER], TBTF_ROLE_SPARE, 0));
	ASSERT_EQ(0, tu_cg_set("oom/frozen", "cgroup.freeze", "1"));

	self->big = (struct tu_hog){
		.name = "big", .size_kb = 20480, .mark = TBTF_ON, .cgroup = "oom/p",
	};
	ASSERT_EQ(0, tu_hog_start(&self->big));
	self->log = tu_log_open();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(oom)
{
	unsigned int i;

	tu_hog_stop(&self->big);
	for (i = 0; i < PEOPLE; i++)
		tu_hog_stop(&self->hogs[i]);
	for (i = 0; i < SPECIALS; i++)
		kill(self->special[i], SIGKILL);
	for (i = CGROUPS; i-- > 0;) {
		EXPECT_EQ(0, tu_cg_remove(cgroups[i]));
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	tu_knob_set("policy", "uniform");
}

static int by_turn(const void *a, const void *b)
{
	const struct tbtf_candidate *x = a, *y = b;

	if (x->band != y->band)
		return x->band < y->band ? -1 : 1;
	return x->size_kb > y->size_kb ? -1 : x->size_kb < y->size_kb;
}

/* Candidates, and the last band, in the order in which the policy takes them. */
static void foresee(struct __test_metadata *const _metadata, struct tu_hog *big,
		    const char *cgroup, struct tbtf_candidate *order, unsigned int *ret_nr)
{
	struct tbtf_preview pv = { .pidfd = big->pidfd, .cgroup = -1 };
	int device = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	char path[128];
	int32_t first;

	pv.entries = (uintptr_t)order;
	pv.count = MAX;
	if (cgroup) {
		snprintf(path, sizeof(path), TU_CGROUP "/%s", cgroup);
		pv.cgroup = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, pv.cgroup);
	}
	pv.draws = (uintptr_t)&first;
	pv.nr_draws = 1;
	ASSERT_EQ(0, ioctl(device, TBTF_IOC_PREVIEW, &pv));
	ASSERT_EQ(pv.total, pv.count);
	EXPECT_EQ(TBTF_POLICY_LARGEST, pv.used_policy);
	qsort(order, pv.count, sizeof(*order), by_turn);
	EXPECT_EQ(first, order[0].pid);
	*ret_nr = pv.count;
	close(device);
	if (cgroup)
		close(pv.cgroup);
}

/* P grows until all candidates are gone; each as foreseen, and nobody else. */
static void run_out(struct __test_metadata *const _metadata, struct tu_hog *big,
		    struct tu_hog *hogs, const pid_t *special, int log, const char *cgroup)
{
	struct tbtf_candidate order[MAX], c;
	unsigned int i, nr;
	char line[512], want[64];
	pid_t pid;
	unsigned int n = 2;	/* the one whose leader is a zombie, and the vfork parent */

	/* The judgement of each is what the table says. */
	for (i = 0; i < PEOPLE; i++) {
		ASSERT_EQ(0, tu_judge(big->pid, cgroup, hogs[i].pid, &c, NULL));
		EXPECT_EQ(people[i].reason, c.reason) {
			TH_LOG("of %s", people[i].name);
		}
		n += people[i].reason == TBTF_REASON_CANDIDATE;
	}
	foresee(_metadata, big, cgroup, order, &nr);
	ASSERT_EQ(n, nr);

	ASSERT_EQ(0, tu_hog_grow(big, 1 << 20, 512, 10));
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, tu_log_find(log, "Killed process [0-9]+", WAIT_MS, line,
					 sizeof(line)));
		/* The kernel names a thread that has the memory. */
		pid = order[i].pid;
		if (pid == special[ZOMBIE_LEADER])
			pid = shared->outliving;
		snprintf(want, sizeof(want), "Killed process %d (%s)", pid, order[i].comm);
		EXPECT_NE(NULL, strstr(line, want)) {
			TH_LOG("wanted \"%s\", got \"%s\"", want, line);
		}
	}
	EXPECT_TRUE(tu_hog_alive(big));
	tu_hog_stop(big);
	/* Nobody else died while it was so. */
	EXPECT_EQ(-ETIMEDOUT, tu_log_find(log, "Killed process", 0, line, sizeof(line)));
	for (i = 0; i < PEOPLE; i++) {
		EXPECT_EQ(people[i].reason != TBTF_REASON_CANDIDATE,
			  tu_hog_alive(&hogs[i])) {
			TH_LOG("%s", people[i].name);
		}
		if (tu_hog_alive(&hogs[i])) {
			EXPECT_EQ(0, tu_hog_verify(&hogs[i], WAIT_MS));
		}
	}
	EXPECT_TRUE(tu_alive(special[SHARER]));
	EXPECT_FALSE(tu_alive(special[VFORKER]));
}

TEST_F_TIMEOUT(oom, of_a_memcg, 90)
{
	char max[32];

	/* Somebody outside who would be first, if he counted. */
	struct tu_hog outside = { .name = "outside", .size_kb = 16384, .adj = 1000 };

	ASSERT_EQ(0, tu_hog_start(&outside));
	ASSERT_EQ(0, tu_role_set(outside.pid, TBTF_ROLE_EXPENDABLE, 0));
	snprintf(max, sizeof(max), "%lld", tu_cg_get("oom", "memory.current", NULL) + (4 << 20));
	ASSERT_EQ(0, tu_cg_set("oom", "memory.max", max));
	run_out(_metadata, &self->big, self->hogs, self->special, self->log, "oom");
	EXPECT_TRUE(tu_hog_alive(&outside));
	tu_hog_stop(&outside);
}

TEST_F_TIMEOUT(oom, of_the_machine, 90)
{
	run_out(_metadata, &self->big, self->hogs, self->special, self->log, NULL);
}

TEST_HARNESS_MAIN
