// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - files that are open while the module goes, and comes back
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=256 module=no thread=single
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS	20000

static int load(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/modprobe", "modprobe", "tbtf", NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "tbtf", O_NONBLOCK) ? -errno : 0;
}

static const char *const paths[] = {
	TU_CGROUP "/open/memory.tbtf",
	TU_CGROUP "/open/memory.tbtf.effective",
	TU_CGROUP "/open/memory.tbtf.events",
	TU_SYSFS "/enabled",
	TU_SYSFS "/stats/rounds",
};
#define PATHS	5

TEST(open_over_unload)
{
	int fds[2][PATHS], flags[PATHS] = { O_RDWR, O_RDONLY, O_RDONLY, O_RDWR, O_RDONLY };
	int round, i, last, status;
	char buf[64];
	struct stat st;
	pid_t poller;

	ASSERT_EQ(0, tu_cg_make("open"));
	ASSERT_EQ(-1, stat(paths[0], &st));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, load());
		/* It starts anew: no role has survived. */
		EXPECT_LT(0, tu_read(buf, sizeof(buf), "%s", paths[0]));
		EXPECT_STREQ("inherit", buf);
		EXPECT_EQ(0, tu_mark_get());
		EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
		ASSERT_EQ(0, tu_cg_set("open", "memory.tbtf", "tbtf"));
		ASSERT_EQ(0, tu_mark(TBTF_ON));
		for (i = 0; i < PATHS; i++) {
			fds[round][i] = open(paths[i], flags[i] | O_CLOEXEC);
			ASSERT_LE(0, fds[round][i]);
			ASSERT_LT(0, read(fds[round][i], buf, sizeof(buf)));
		}
		/* One waits for an event that cannot come any more. */
		poller = fork();
		if (!poller) {
			struct pollfd p = { .fd = fds[round][2], .events = POLLPRI };

			poll(&p, 1, -1);
			_exit(0);
		}
		ASSERT_TRUE(TU_WAIT_FOR(tu_read(buf, sizeof(buf), "/proc/%d/wchan", poller) > 0 &&
					strstr(buf, "poll"), WAIT_MS));
		ASSERT_EQ(0, unload());

		for (last = 0; last <= round; last++) {
			for (i = 0; i < PATHS; i++) {
				EXPECT_EQ(-1, pread(fds[last][i], buf, sizeof(buf), 0));
				EXPECT_EQ(ENODEV, errno) {
					TH_LOG("%s", paths[i]);
				}
				if (flags[i] != O_RDWR)
					continue;
				EXPECT_EQ(-1, write(fds[last][i], "1", 1));
				EXPECT_EQ(ENODEV, errno) {
					TH_LOG("%s", paths[i]);
				}
			}
		}
		for (i = 0; i < PATHS; i++) {
			EXPECT_EQ(-1, stat(paths[i], &st));
		}
		EXPECT_EQ(-EINVAL, tu_mark_get());
		EXPECT_EQ(0, tu_wait(poller, 0) == -ETIMEDOUT ? kill(poller, SIGKILL) : 0);
		EXPECT_LE(0, (status = tu_wait(poller, WAIT_MS)));
	}
	/* A third time: the old descriptors do not come to life again. */
	ASSERT_EQ(0, load());
	for (round = 0; round < 2; round++) {
		for (i = 0; i < PATHS; i++) {
			EXPECT_EQ(-1, pread(fds[round][i], buf, sizeof(buf), 0));
			EXPECT_EQ(ENODEV, errno);
			close(fds[round][i]);
		}
	}
	EXPECT_EQ(0, tu_cg_set("open", "memory.tbtf", "spare"));
	ASSERT_EQ(0, unload());
	EXPECT_EQ(0, tu_cg_remove("open"));
	EXPECT_TRUE(TU_WAIT_FOR(!tu_cg_get("", "cgroup.stat", "nr_dying_descendants"), WAIT_MS));
}

/* An open device is in use: the module stays, and works on. */
TEST(device_keeps_the_module)
{
	int fd;

	ASSERT_EQ(0, load());
	fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, unload());
	EXPECT_EQ(0, tu_mark(TBTF_ON));
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	close(fd);
	EXPECT_TRUE(TU_WAIT_FOR(!unload(), WAIT_MS));
}

/* Cgroups made while it is not loaded have the files when it is. */
TEST(cgroups_older_than_the_module)
{
	char buf[64];

	ASSERT_EQ(0, tu_cg_make("old"));
	ASSERT_EQ(0, tu_cg_make("old/below"));
	ASSERT_EQ(0, load());
	EXPECT_EQ(0, tu_cg_set("old", "memory.tbtf", "spare"));
	EXPECT_LT(0, tu_read(buf, sizeof(buf), TU_CGROUP "/old/below/memory.tbtf.effective"));
	EXPECT_STREQ("spare", buf);
	ASSERT_EQ(0, unload());
	EXPECT_EQ(0, tu_cg_remove("old/below"));
	EXPECT_EQ(0, tu_cg_remove("old"));
	EXPECT_TRUE(TU_WAIT_FOR(!tu_cg_get("", "cgroup.stat", "nr_dying_descendants"), WAIT_MS));
}

TEST_HARNESS_MAIN
