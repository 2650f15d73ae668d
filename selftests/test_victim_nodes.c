// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - an OOM of some nodes takes nobody whose memory is on others
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Two nodes, and P confined to the first. The largest process is confined to
 * the second: killing it would free nothing that P could have. With the policy
 * `largest` it would be the first to go, were its nodes not looked at.
 *
 * vm: mem=512 numa=2 smp=2 timeout=120
 * vm-reject: Killed process [0-9]+ \((away|p)\)
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/mempolicy.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS		60000

static volatile struct {
	unsigned int go;
	size_t held_kb;
} *shared;

struct person {
	const char *name;
	const char *cgroup;
	int mode, node;		/* memory policy; MPOL_DEFAULT: none */
	size_t kb;
	pid_t pid;
};

static void set_policy(int mode, int node)
{
	unsigned long mask = 1UL << node;

	if (mode != MPOL_DEFAULT && syscall(SYS_set_mempolicy, mode, &mask, 8 * sizeof(mask)))
		_exit(1);
}

/* P grows when told, until it is killed by the test. */
static void start(struct person *who, bool is_p)
{
	who->pid = fork();
	if (who->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, who->name);
	if (tu_adj_set(0, 0) || (who->cgroup && tu_cg_enter(who->cgroup, 0)))
		_exit(1);
	set_policy(who->mode, who->node);
	tu_fill(who->kb, MAP_PRIVATE);
	if (is_p && tu_mark(TBTF_ON))
		_exit(1);
	__sync_fetch_and_add(tu_ready, 1);
	while (!is_p)
		pause();
	while (!shared->go)
		tu_nap_ms(5);
	for (;;) {
		tu_fill(512, MAP_PRIVATE);
		shared->held_kb += 512;
		tu_nap_ms(5);
	}
}

FIXTURE(nodes) {
	int log;
};

FIXTURE_SETUP(nodes)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_ready_reset());
	ASSERT_EQ(0, tu_knob_set("policy", "largest"));
	ASSERT_EQ(0, tu_cg_make("node0"));
	ASSERT_EQ(0, tu_cg_make("beside"));
	ASSERT_EQ(0, tu_cg_make("node1"));
	ASSERT_EQ(0, tu_cg_set("beside", "cpuset.mems", "0"));
	ASSERT_EQ(0, tu_cg_set("node0", "cpuset.mems", "0"));
	ASSERT_EQ(0, tu_cg_set("node1", "cpuset.mems", "1"));
	self->log = tu_log_open();
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(nodes)
{
	EXPECT_EQ(0, tu_cg_remove("node0"));
	EXPECT_EQ(0, tu_cg_remove("beside"));
	EXPECT_EQ(0, tu_cg_remove("node1"));
}

/* kB free on a node. */
static long long node_free(int node)
{
	char buf[4096], *p;

	if (tu_read(buf, sizeof(buf), "/sys/devices/system/node/node%d/meminfo", node) < 0)
		return -1;
	p = strstr(buf, "MemFree:");
	return p ? strtoll(p + 8, NULL, 10) : -1;
}

/*
 * Those that can help P go, the larger first, and `away` never. What P holds
 * when it has taken all of its node, the other is hardly touched.
 */
static void run_out(struct __test_metadata *const _metadata, int log, struct person *people,
		    unsigned int nr, const char *constraint)
{
	char line[512], want[64];
	unsigned int i;

	for (i = 0; i < nr; i++)
		start(&people[i], i == 0);
	ASSERT_TRUE(tu_wait_ready(nr, WAIT_MS));
	shared->go = 1;
	for (i = 2; i < nr; i++) {
		ASSERT_EQ(0, tu_log_find(log, constraint, WAIT_MS, line, sizeof(line)));
		ASSERT_EQ(0, tu_log_find(log, "Killed process", WAIT_MS, line, sizeof(line)));
		snprintf(want, sizeof(want), "Killed process %d (%s)", people[i].pid,
			 people[i].name);
		EXPECT_NE(NULL, strstr(line, want)) {
			TH_LOG("wanted \"%s\", got \"%s\"", want, line);
		}
	}
	EXPECT_TRUE(tu_alive(people[0].pid));
	EXPECT_TRUE(tu_alive(people[1].pid));
	EXPECT_LT(65536, node_free(1));
	for (i = 0; i < nr; i++) {
		kill(people[i].pid, SIGKILL);
		EXPECT_LE(0, tu_wait(people[i].pid, WAIT_MS));
	}
}

TEST_F_TIMEOUT(nodes, cpuset, 60)
{
	/* P, then who stays, then who goes, in order. */
	struct person people[] = {
		{ "p",		"node0", MPOL_DEFAULT, 0, 65536, 0 },
		{ "away",	"node1", MPOL_DEFAULT, 0, 40960, 0 },
		{ "near",	"beside", MPOL_DEFAULT, 0, 20480, 0 },
		{ "anywhere",	NULL, MPOL_PREFERRED, 0, 10240, 0 },
	};
	struct tbtf_candidate c;
	unsigned int i;

	/* The same people, previewed. */
	for (i = 0; i < 4; i++)
		start(&people[i], i == 0);
	ASSERT_TRUE(tu_wait_ready(4, WAIT_MS));
	ASSERT_EQ(0, tu_judge(people[0].pid, NULL, people[1].pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_CPUSET, c.reason);
	ASSERT_EQ(0, tu_judge(people[0].pid, NULL, people[2].pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, c.reason);
	ASSERT_EQ(0, tu_judge(people[0].pid, NULL, people[3].pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, c.reason);
	/* A P that may use all nodes could use that memory, too. */
	ASSERT_EQ(0, tu_judge(people[3].pid, NULL, people[1].pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_TOO_BIG, c.reason);
	/* A memory cgroup's limit knows no nodes. */
	ASSERT_EQ(0, tu_judge(people[0].pid, "node1", people[1].pid, &c, NULL));
	EXPECT_EQ(TBTF_REASON_CANDIDATE, c.reason);
	for (i = 0; i < 4; i++) {
		kill(people[i].pid, SIGKILL);
		EXPECT_LE(0, tu_wait(people[i].pid, WAIT_MS));
	}

	*tu_ready = 0;
	run_out(_metadata, self->log, people, 4, "constraint=CONSTRAINT_CPUSET");
}

TEST_F_TIMEOUT(nodes, mempolicy, 60)
{
	struct person people[] = {
		{ "p",		NULL, MPOL_BIND, 0, 65536, 0 },
		{ "away",	NULL, MPOL_BIND, 1, 40960, 0 },
		{ "near",	NULL, MPOL_BIND, 0, 20480, 0 },
		{ "preferred",	NULL, MPOL_PREFERRED, 0, 15360, 0 },
		{ "inside",	"node0", MPOL_DEFAULT, 0, 10240, 0 },
	};

	run_out(_metadata, self->log, people, 5, "constraint=CONSTRAINT_MEMORY_POLICY");
}

TEST_HARNESS_MAIN
