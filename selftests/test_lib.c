// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the library, with the module there
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What it does without the module, and on files that are made up, is tested in
 * selftests/host/.
 *
 * vm: mem=256 timeout=120
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tbtf.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define CG	"lib"

FIXTURE(lib)
{
	int dev;
	int pidfd;		/* of big */
	int cgroup;
	struct tu_hog big;
	struct tu_hog small;
};

FIXTURE_SETUP(lib)
{
	self->big = (struct tu_hog) { .name = "big", .size_kb = 30 << 10, .cgroup = CG };
	self->small = (struct tu_hog) { .name = "small", .size_kb = 8 << 10, .cgroup = CG };
	ASSERT_EQ(0, tu_cg_make(CG));
	self->cgroup = open(TU_CGROUP "/" CG, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->cgroup);
	ASSERT_EQ(0, tu_hog_start(&self->big));
	ASSERT_EQ(0, tu_hog_start(&self->small));
	self->dev = tbtf_open();
	ASSERT_LE(0, self->dev);
	self->pidfd = tbtf_pidfd_open(self->big.pid);
	ASSERT_LE(0, self->pidfd);
}

FIXTURE_TEARDOWN(lib)
{
	close(self->dev);
	close(self->pidfd);
	close(self->cgroup);
	tu_hog_stop(&self->big);
	tu_hog_stop(&self->small);
	tu_cg_remove(CG);
}

TEST_F(lib, self)
{
	uint32_t flags = 77;

	EXPECT_EQ(0, tbtf_self_get(&flags));
	EXPECT_EQ(0, flags);
	EXPECT_EQ(0, tbtf_self_set(TBTF_ON | TBTF_LOCAL));
	EXPECT_EQ(0, tbtf_self_get(&flags));
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, flags);
	/* Bad flags are told from a kernel without tbtf. */
	EXPECT_EQ(-EINVAL, tbtf_self_set(TBTF_LOCAL));
	EXPECT_EQ(-EINVAL, tbtf_self_set(1u << 31));
	EXPECT_EQ(0, tbtf_self_get(&flags));
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, flags);
	EXPECT_EQ(0, tbtf_self_set(0));
}

TEST_F(lib, roles)
{
	struct tbtf_info info = { .pid = -7 }, *infos = NULL;
	struct tbtf_version version;
	size_t nr = 77;

	EXPECT_EQ(0, tbtf_get_version(self->dev, &version));
	EXPECT_EQ(TBTF_ABI_VERSION, version.abi);
	EXPECT_TRUE(version.features & TBTF_FEATURE_KILL);

	EXPECT_EQ(-EBADF, tbtf_get_info(self->dev, self->cgroup, &info));
	EXPECT_EQ(-EINVAL, tbtf_set_role(self->dev, self->pidfd, 99, 0));
	EXPECT_EQ(-EINVAL, tbtf_set_role(self->dev, self->pidfd, TBTF_ROLE_SPARE, TBTF_LOCAL));
	EXPECT_EQ(-7, info.pid);

	EXPECT_EQ(0, tbtf_get_list(self->dev, &infos, &nr));
	EXPECT_EQ(0, nr);
	free(infos);
	EXPECT_EQ(0, tbtf_set_role(self->dev, self->pidfd, TBTF_ROLE_TBTF, TBTF_LOCAL));
	EXPECT_EQ(0, tbtf_get_list(self->dev, &infos, &nr));
	ASSERT_EQ(1, nr);
	EXPECT_EQ(self->big.pid, infos[0].pid);
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, infos[0].flags);
	free(infos);
	EXPECT_EQ(0, tbtf_get_info(self->dev, self->pidfd, &info));
	EXPECT_EQ(TBTF_ROLE_TBTF, info.effective);
	EXPECT_EQ(TBTF_SOURCE_PROCESS, info.source);
	EXPECT_LE(30 << 10, info.size_kb);
	EXPECT_STREQ("big", info.comm);
	EXPECT_EQ(0, tbtf_set_role(self->dev, self->pidfd, TBTF_ROLE_INHERIT, 0));
	EXPECT_EQ(0, tbtf_get_info(self->dev, self->pidfd, &info));
	EXPECT_EQ(TBTF_ROLE_ORDINARY, info.effective);
}

/* More marks than the first answer has room for, and in order. */
TEST_F(lib, long_list)
{
	struct tbtf_info *infos = NULL;
	pid_t pids[200];
	size_t nr = 0;

	for (size_t i = 0; i < 200; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			pause();
			_exit(0);
		}
		ASSERT_LT(0, pids[i]);
		ASSERT_EQ(0, tu_role_set(pids[i], TBTF_ROLE_SPARE, 0));
	}
	EXPECT_EQ(0, tbtf_get_list(self->dev, &infos, &nr));
	EXPECT_EQ(200, nr);
	for (size_t i = 1; i < nr; i++)
		ASSERT_LT(infos[i - 1].pid, infos[i].pid);
	free(infos);
	for (size_t i = 0; i < 200; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

TEST_F(lib, preview)
{
	struct tbtf_preview preview = { .count = 77 };
	struct tbtf_candidate *list = NULL;
	int32_t pids[50];
	uint32_t i;

	EXPECT_EQ(-EBADF, tbtf_preview_candidates(self->dev, self->pidfd, self->pidfd,
						  TBTF_POLICY_SET, 0, &preview, &list));
	EXPECT_EQ(-EINVAL, tbtf_preview_candidates(self->dev, self->pidfd, -1, 99, 0, &preview,
						   &list));
	EXPECT_EQ(77, preview.count);
	EXPECT_EQ(NULL, list);

	ASSERT_EQ(0, tbtf_preview_candidates(self->dev, self->pidfd, self->cgroup,
					     TBTF_POLICY_LARGEST, 0, &preview, &list));
	ASSERT_EQ(1, preview.count);
	EXPECT_EQ(1, preview.nr_candidates);
	EXPECT_EQ(TBTF_POLICY_LARGEST, preview.used_policy);
	EXPECT_EQ(self->small.pid, list[0].pid);
	EXPECT_EQ(1000000, list[0].likelihood);
	free(list);

	list = NULL;
	ASSERT_EQ(0, tbtf_preview_candidates(self->dev, self->pidfd, -1, TBTF_POLICY_SET,
					     TBTF_PREVIEW_ALL, &preview, &list));
	/* Everybody: the kernel threads, too. */
	EXPECT_LT(20, preview.count);
	EXPECT_EQ(preview.total, preview.count);
	for (i = 0; i < preview.count && list[i].pid != 1; i++)
		;
	ASSERT_LT(i, preview.count);
	EXPECT_EQ(TBTF_REASON_INIT, list[i].reason);
	free(list);

	ASSERT_EQ(0, tbtf_preview_draws(self->dev, self->pidfd, self->cgroup, TBTF_POLICY_UNIFORM,
					pids, 50, &preview));
	for (i = 0; i < 50; i++)
		ASSERT_EQ(self->small.pid, pids[i]);
	EXPECT_EQ(0, tbtf_preview_draws(self->dev, self->pidfd, -1, TBTF_POLICY_SET, pids, 1, NULL));
	EXPECT_EQ(-E2BIG, tbtf_preview_draws(self->dev, self->pidfd, -1, TBTF_POLICY_SET, pids,
					     TBTF_PREVIEW_MAX + 1, NULL));
}

TEST_F(lib, cgroup)
{
	uint32_t role = 77, effective = 77;
	uint64_t sacrificed = 77, spared = 77;
	struct tbtf_info info;
	struct stat st;
	int root;

	EXPECT_EQ(0, tbtf_cgroup_get_role(self->cgroup, &role, &effective));
	EXPECT_EQ(TBTF_ROLE_INHERIT, role);
	EXPECT_EQ(TBTF_ROLE_ORDINARY, effective);
	EXPECT_EQ(0, tbtf_cgroup_set_role(self->cgroup, TBTF_ROLE_TBTF));
	EXPECT_EQ(0, tbtf_cgroup_get_role(self->cgroup, NULL, &effective));
	EXPECT_EQ(TBTF_ROLE_TBTF, effective);
	EXPECT_EQ(0, tbtf_cgroup_get_events(self->cgroup, &sacrificed, &spared));
	EXPECT_EQ(0, sacrificed + spared);
	EXPECT_EQ(0, tbtf_get_info(self->dev, self->pidfd, &info));
	EXPECT_EQ(TBTF_SOURCE_CGROUP, info.source);
	/* The id of a cgroup is the inode number of its directory. */
	ASSERT_EQ(0, fstat(self->cgroup, &st));
	EXPECT_EQ(st.st_ino, info.cgroup);
	EXPECT_EQ(0, tbtf_cgroup_set_role(self->cgroup, TBTF_ROLE_INHERIT));

	root = open(TU_CGROUP, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, root);
	EXPECT_EQ(-EOPNOTSUPP, tbtf_cgroup_set_role(root, TBTF_ROLE_TBTF));
	close(root);
}

TEST_F(lib, sysfs)
{
	struct tbtf_stat *stats = NULL;
	uint64_t rounds = 77;
	char value[64];
	size_t nr = 0;
	int sysfs;

	sysfs = tbtf_sysfs_open();
	ASSERT_LE(0, sysfs);
	EXPECT_EQ(0, tbtf_knob_get(sysfs, "policy", value, sizeof(value)));
	EXPECT_STREQ("uniform", value);
	EXPECT_EQ(0, tbtf_knob_set(sysfs, "policy", "weighted"));
	EXPECT_EQ(-EINVAL, tbtf_knob_set(sysfs, "policy", "best"));
	EXPECT_EQ(-ENOENT, tbtf_knob_set(sysfs, "nothing", "1"));
	EXPECT_EQ(0, tbtf_knob_get(sysfs, "policy", value, sizeof(value)));
	EXPECT_STREQ("weighted", value);
	EXPECT_EQ(0, tbtf_knob_set(sysfs, "policy", "uniform"));
	EXPECT_EQ(1, tbtf_feature_get(sysfs, "kill"));
	EXPECT_EQ(-ENOENT, tbtf_feature_get(sysfs, "levitation"));
	EXPECT_EQ(0, tbtf_stat_get(sysfs, "rounds", &rounds));
	EXPECT_EQ(0, rounds);
	ASSERT_EQ(0, tbtf_stat_list(sysfs, &stats, &nr));
	EXPECT_LT(20, nr);
	for (size_t i = 1; i < nr; i++)
		ASSERT_GT(0, strcmp(stats[i - 1].name, stats[i].name));
	free(stats);
	close(sysfs);
}

/* A descriptor that root has opened is no use to somebody else. */
TEST_F(lib, rights)
{
	struct tbtf_info info;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(1);
		_exit((tbtf_open() == -EACCES ? 0 : 2) |
		      (tbtf_get_info(self->dev, self->pidfd, &info) == -EPERM ? 0 : 4) |
		      (tbtf_self_set(TBTF_ON) == -EPERM ? 0 : 8) |
		      (tbtf_self_set(0) == 0 ? 0 : 16) |
		      (tbtf_cgroup_set_role(self->cgroup, TBTF_ROLE_TBTF) == -EACCES ? 0 : 32));
	}
	status = tu_wait(pid, 10000);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
