// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - /dev/tbtf: what it tells is so
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=256
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define NR	5

static int dev(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

FIXTURE(answers) {
	int fd;
	struct tu_hog hogs[NR];
};

static const struct {
	const char *name;
	size_t kb;
	int adj;
	uint32_t role, flags;
} people[NR] = {
	{ "marked",	4096,	0,	TBTF_ROLE_TBTF,		0 },
	{ "local",	8192,	-1000,	TBTF_ROLE_TBTF,		TBTF_LOCAL },
	{ "spare",	2048,	5,	TBTF_ROLE_SPARE,	0 },
	{ "cheap",	1024,	1000,	TBTF_ROLE_EXPENDABLE,	0 },
	{ "nobody",	6144,	-5,	TBTF_ROLE_ORDINARY,	0 },
};

FIXTURE_SETUP(answers)
{
	unsigned int i;

	self->fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	for (i = 0; i < NR; i++) {
		self->hogs[i] = (struct tu_hog){
			.name = people[i].name, .size_kb = people[i].kb, .adj = people[i].adj,
		};
		ASSERT_EQ(0, tu_hog_start(&self->hogs[i]));
		ASSERT_EQ(0, tu_role_set(self->hogs[i].pid, people[i].role, people[i].flags));
	}
}

FIXTURE_TEARDOWN(answers)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		tu_hog_stop(&self->hogs[i]);
	close(self->fd);
}

/* Bit by bit what sysfs says in words. */
TEST_F(answers, version)
{
	static const char *const words[] = {
		"prctl", "kill", "group", "cgroup", "front", "nap", "exec", "rmdir", "fault",
	};
	const unsigned int all = (1 << sizeof(words) / sizeof(words[0])) - 1;
	struct tbtf_version v = { .abi = 77, .features = 77 };
	char features[256], minus[32], *word, *save;
	unsigned int i, seen = 0;

	ASSERT_EQ(0, dev(self->fd, TBTF_IOC_VERSION, &v));
	EXPECT_EQ(TBTF_ABI_VERSION, v.abi);
	EXPECT_EQ(v.abi, tu_read_ll(TU_SYSFS "/abi"));
	ASSERT_LT(0, tu_read(features, sizeof(features), TU_SYSFS "/features"));
	for (word = strtok_r(features, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			snprintf(minus, sizeof(minus), "-%s", words[i]);
			if (!strcmp(word, words[i])) {
				EXPECT_TRUE(v.features & 1 << i);
				seen |= 1 << i;
			} else if (!strcmp(word, minus)) {
				EXPECT_FALSE(v.features & 1 << i);
				seen |= 1 << i;
			}
		}
	}
	EXPECT_EQ(all, seen);
	/* This kernel has all of them. */
	EXPECT_EQ(all, v.features & all);
}

static void check_info(struct __test_metadata *const _metadata, const struct tbtf_info *info,
		       unsigned int i, pid_t pid)
{
	long long kb;

	EXPECT_EQ(pid, info->pid);
	EXPECT_STREQ(people[i].name, info->comm);
	EXPECT_EQ(people[i].adj, info->oom_score_adj);
	EXPECT_EQ(people[i].role, info->role);
	EXPECT_EQ(people[i].role, info->effective);
	EXPECT_EQ(TBTF_SOURCE_PROCESS, info->source);
	EXPECT_EQ(0, info->cgroup);
	if (people[i].role == TBTF_ROLE_TBTF) {
		EXPECT_EQ(TBTF_ON | people[i].flags, info->flags);
	} else {
		EXPECT_EQ(0, info->flags);
	}
	/* The kernel's books of a thread are some pages late. */
	kb = tu_status_kb(pid, "VmRSS") + tu_status_kb(pid, "VmSwap") + tu_status_kb(pid, "VmPTE");
	EXPECT_LE(kb - 512, (long long)info->size_kb);
	EXPECT_GE(kb + 512, (long long)info->size_kb);
	kb = tu_status_kb(pid, "RssAnon") + tu_status_kb(pid, "VmSwap") + tu_status_kb(pid, "VmPTE");
	EXPECT_LE(kb - 512, (long long)info->worth_kb);
	EXPECT_GE(kb + 512, (long long)info->worth_kb);
	EXPECT_LE(info->worth_kb, info->size_kb);
	EXPECT_EQ(info->size_kb, info->protected_kb);
}

TEST_F(answers, query)
{
	struct tbtf_info info;
	unsigned int i;

	for (i = 0; i < NR; i++) {
		memset(&info, 0x5a, sizeof(info));
		ASSERT_EQ(0, tu_query(self->hogs[i].pid, &info));
		check_info(_metadata, &info, i, self->hogs[i].pid);
	}
	/* Somebody without any role. */
	ASSERT_EQ(0, tu_query(getpid(), &info));
	EXPECT_EQ(TBTF_ROLE_INHERIT, info.role);
	EXPECT_EQ(TBTF_ROLE_ORDINARY, info.effective);
	EXPECT_EQ(TBTF_SOURCE_NONE, info.source);
}

TEST_F(answers, list)
{
	struct tbtf_info infos[NR + 2];
	struct tbtf_list list = { .entries = (uintptr_t)infos, .count = NR + 2 };
	unsigned int i, j, found = 0;

	EXPECT_EQ(NR, tu_read_ll(TU_SYSFS "/marked"));
	ASSERT_EQ(0, dev(self->fd, TBTF_IOC_LIST, &list));
	EXPECT_EQ(NR, list.count);
	EXPECT_EQ(NR, list.total);
	for (i = 0; i < list.count; i++) {
		for (j = 0; j < NR; j++) {
			if (infos[i].pid != self->hogs[j].pid)
				continue;
			check_info(_metadata, &infos[i], j, self->hogs[j].pid);
			found |= 1 << j;
		}
	}
	EXPECT_EQ((1 << NR) - 1, found);

	/* How many are there? */
	list = (struct tbtf_list){ 0 };
	ASSERT_EQ(0, dev(self->fd, TBTF_IOC_LIST, &list));
	EXPECT_EQ(0, list.count);
	EXPECT_EQ(NR, list.total);

	/* Room for some: not a byte more is written. */
	list = (struct tbtf_list){ .entries = (uintptr_t)infos, .count = 2 };
	memset(infos, 0x5a, sizeof(infos));
	ASSERT_EQ(0, dev(self->fd, TBTF_IOC_LIST, &list));
	EXPECT_EQ(2, list.count);
	EXPECT_EQ(NR, list.total);
	EXPECT_NE(0x5a5a5a5a, infos[1].pid);
	EXPECT_EQ(0x5a5a5a5a, infos[2].pid);

	/* Whoever has gone is in no list. */
	tu_hog_stop(&self->hogs[0]);
	list = (struct tbtf_list){ .entries = (uintptr_t)infos, .count = NR };
	ASSERT_EQ(0, dev(self->fd, TBTF_IOC_LIST, &list));
	EXPECT_EQ(NR - 1, list.count);
	EXPECT_EQ(NR - 1, list.total);
}

/* In another pid namespace, with an fd and a pidfd from outside: no pid is given away. */
TEST_F(answers, pid_namespace)
{
	struct tbtf_query query = { .pidfd = self->hogs[0].pidfd };
	struct tbtf_info infos[NR];
	struct tbtf_list list = { .entries = (uintptr_t)infos, .count = NR };
	struct tbtf_candidate all[256];
	struct tbtf_preview pv = {
		.pidfd = self->hogs[0].pidfd, .cgroup = -1, .flags = TBTF_PREVIEW_ALL,
		.entries = (uintptr_t)all, .count = 256,
	};
	unsigned int i, own = 0;
	int status, ret = 0;
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(100);
		pid = fork();
		if (pid) {
			waitpid(pid, &status, 0);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 101);
		}
		if (dev(self->fd, TBTF_IOC_QUERY, &query) || query.info.pid != 0 ||
		    query.info.role != TBTF_ROLE_TBTF)
			ret = 1;
		if (dev(self->fd, TBTF_IOC_LIST, &list) || list.count != NR)
			ret = 2;
		for (i = 0; i < NR; i++) {
			if (infos[i].pid)
				ret = 3;
		}
		if (dev(self->fd, TBTF_IOC_PREVIEW, &pv))
			ret = 4;
		for (i = 0; i < pv.count; i++) {
			if (all[i].pid == getpid())
				own++;
			else if (all[i].pid)
				ret = 5;
		}
		_exit(ret ?: own == 1 ? 0 : 6);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A 32-bit program has the same structs, and gets the same answers. */
TEST_F(answers, to_32_bit_programs)
{
	struct tbtf_info *infos = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct tbtf_query *query = (void *)(infos + NR);
	struct tbtf_list *list = (void *)(query + 1);
	struct { unsigned long cmd; void *arg; } calls[] = {
		{ TBTF_IOC_QUERY, query }, { TBTF_IOC_LIST, list },
	};
	unsigned int i;
	int ret;

	ASSERT_NE(MAP_FAILED, infos);
	query->pidfd = self->hogs[1].pidfd;
	list->entries = (uintptr_t)infos;
	list->count = NR;
	for (i = 0; i < 2; i++) {
		asm volatile("int $0x80" : "=a" (ret)
			     : "a" (54), "b" (self->fd), "c" ((uint32_t)calls[i].cmd),
			       "d" ((uint32_t)(uintptr_t)calls[i].arg)
			     : "memory", "r8", "r9", "r10", "r11");
		ASSERT_EQ(0, ret);
	}
	check_info(_metadata, &query->info, 1, self->hogs[1].pid);
	EXPECT_EQ(NR, list->count);
	EXPECT_EQ(NR, list->total);
}

/* One role takes the place of another; it is one mark all the time. */
TEST_F(answers, roles_change)
{
	struct tbtf_info info;
	long long set = tu_stat("marks_set"), cleared = tu_stat("marks_cleared");
	uint32_t role;

	for (role = TBTF_ROLE_TBTF; role <= TBTF_ROLE_ORDINARY; role++) {
		ASSERT_EQ(0, tu_role_set(self->hogs[0].pid, role, 0));
		ASSERT_EQ(0, tu_query(self->hogs[0].pid, &info));
		EXPECT_EQ(role, info.role);
		EXPECT_EQ(role, info.effective);
		EXPECT_EQ(role == TBTF_ROLE_TBTF ? TBTF_ON : 0, info.flags);
		EXPECT_EQ(NR, tu_read_ll(TU_SYSFS "/marked"));
	}
	ASSERT_EQ(0, tu_role_set(self->hogs[0].pid, TBTF_ROLE_INHERIT, 0));
	ASSERT_EQ(0, tu_role_set(self->hogs[0].pid, TBTF_ROLE_INHERIT, 0));
	ASSERT_EQ(0, tu_query(self->hogs[0].pid, &info));
	EXPECT_EQ(TBTF_ROLE_INHERIT, info.role);
	EXPECT_EQ(NR - 1, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_LE(set + 1, tu_stat("marks_set"));
	EXPECT_EQ(cleared + 1, tu_stat("marks_cleared"));
}

TEST_HARNESS_MAIN
