// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory.tbtf is written by nobody but the owner of the machine
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Whoever owns a delegated cgroup owns its files, and may not decide with them
 * who else has to die.
 *
 * vm: mem=256
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define FILE_OF(cg)	TU_CGROUP "/" cg "/memory.tbtf"

#define CANNOT	200

static int write_errno(int fd, const char *value)
{
	if (write(fd, value, strlen(value)) == (ssize_t)strlen(value))
		return 0;
	return errno;
}

/* Opens and writes, all in one: what came of it. */
static int open_and_write(const char *path)
{
	static const char *const values[] = {
		"tbtf", "spare", "expendable", "ordinary", "inherit",
	};
	int fd, err = 0;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return errno;
		err = write_errno(fd, values[i]);
		close(fd);
		if (err != EPERM)
			return err;
	}
	return err;
}

FIXTURE(rights) {
};

/* A cgroup delegated to nobody, as a service manager does it, with one below. */
FIXTURE_SETUP(rights)
{
	(void)self;
	ASSERT_EQ(0, tu_cg_make("user"));
	ASSERT_EQ(0, tu_cg_make("user/below"));
	ASSERT_EQ(0, chown(TU_CGROUP "/user", TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(TU_CGROUP "/user/cgroup.procs", TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(TU_CGROUP "/user/cgroup.subtree_control", TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(FILE_OF("user"), TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(TU_CGROUP "/user/below", TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(TU_CGROUP "/user/below/cgroup.procs", TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, chown(FILE_OF("user/below"), TU_NOBODY, TU_NOBODY));
	ASSERT_EQ(0, tu_cg_set("user", "memory.tbtf", "expendable"));
	ASSERT_EQ(0, tu_cg_set("user/below", "memory.tbtf", "ordinary"));
}

/* Whatever was tried, it is as root has written it. */
FIXTURE_TEARDOWN(rights)
{
	char buf[64];

	(void)self;
	EXPECT_LT(0, tu_read(buf, sizeof(buf), FILE_OF("user")));
	EXPECT_STREQ("expendable", buf);
	EXPECT_LT(0, tu_read(buf, sizeof(buf), FILE_OF("user/below")));
	EXPECT_STREQ("ordinary", buf);
	EXPECT_EQ(0, tu_cg_remove("user/below"));
	EXPECT_EQ(0, tu_cg_remove("user"));
}

static int owner(int unused)
{
	(void)unused;
	if (tu_become_nobody())
		return CANNOT;
	if (open_and_write(FILE_OF("user")) != EPERM)
		return 1;
	if (open_and_write(FILE_OF("user/below")) != EPERM)
		return 2;
	/* What is his right, is: he may make cgroups, and read. */
	if (mkdir(TU_CGROUP "/user/own", 0755))
		return 3;
	if (open_and_write(FILE_OF("user/own")) != EPERM)
		return 4;
	if (open(FILE_OF("user/own"), O_RDONLY) < 0)
		return 5;
	return rmdir(TU_CGROUP "/user/own") ? 6 : 0;
}

TEST_F(rights, owner_of_a_delegated_cgroup)
{
	EXPECT_EQ(0, tu_in_child(owner, 0));
}

static int anybody(int unused)
{
	(void)unused;
	return tu_become_nobody() ? CANNOT : open_and_write(FILE_OF("open"));
}

TEST_F(rights, mode_0666)
{
	ASSERT_EQ(0, tu_cg_make("open"));
	EXPECT_EQ(EACCES, tu_in_child(anybody, 0));
	ASSERT_EQ(0, chmod(FILE_OF("open"), 0666));
	EXPECT_EQ(EPERM, tu_in_child(anybody, 0));
	EXPECT_EQ(0, tu_cg_remove("open"));
}

static int powerless_root(int unused)
{
	(void)unused;
	if (tu_drop_cap(CAP_SYS_RESOURCE))
		return CANNOT;
	return open_and_write(FILE_OF("user"));
}

TEST_F(rights, root_without_the_capability)
{
	EXPECT_EQ(EPERM, tu_in_child(powerless_root, 0));
}

/* Root of a user namespace of his own, with all capabilities there. */
static int namespace_root(int unused)
{
	char map[32];

	(void)unused;
	if (tu_become_nobody() || prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER))
		return CANNOT;
	snprintf(map, sizeof(map), "0 %d 1", TU_NOBODY);
	if (tu_write(map, "/proc/self/uid_map") || getuid())
		return CANNOT + 1;
	return open_and_write(FILE_OF("user"));
}

/* The container's root, in a cgroup namespace as well. */
static int container_root(int unused)
{
	char map[32];

	(void)unused;
	if (tu_cg_enter("user/below", 0) || tu_become_nobody() || prctl(PR_SET_DUMPABLE, 1) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWCGROUP))
		return CANNOT;
	snprintf(map, sizeof(map), "0 %d 1", TU_NOBODY);
	if (tu_write(map, "/proc/self/uid_map") || getuid())
		return CANNOT + 1;
	if (open_and_write(FILE_OF("user")) != EPERM)
		return 1;
	return open_and_write(FILE_OF("user/below"));
}

TEST_F(rights, user_namespace)
{
	EXPECT_EQ(EPERM, tu_in_child(namespace_root, 0));
	EXPECT_EQ(EPERM, tu_in_child(container_root, 0));
}

/* All capabilities there are, but from within a cgroup namespace. */
static int cgroup_namespace(int fd)
{
	if (tu_cg_enter("cgns/in", 0) || unshare(CLONE_NEWCGROUP))
		return CANNOT;
	if (open_and_write(FILE_OF("cgns/in")) != EPERM)
		return 1;
	if (open_and_write(FILE_OF("cgns")) != EPERM)
		return 2;
	/* With a descriptor from outside, too. */
	if (write_errno(fd, "tbtf") != EPERM)
		return 3;
	return open(FILE_OF("cgns/in"), O_RDONLY) < 0 ? 4 : 0;
}

TEST_F(rights, cgroup_namespace)
{
	char buf[64];
	int fd;

	ASSERT_EQ(0, tu_cg_make("cgns"));
	ASSERT_EQ(0, tu_cg_make("cgns/in"));
	fd = open(FILE_OF("cgns"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tu_in_child(cgroup_namespace, fd));
	EXPECT_LT(0, tu_read(buf, sizeof(buf), FILE_OF("cgns")));
	EXPECT_STREQ("inherit", buf);
	EXPECT_LT(0, tu_read(buf, sizeof(buf), FILE_OF("cgns/in")));
	EXPECT_STREQ("inherit", buf);
	close(fd);
	EXPECT_EQ(0, tu_cg_remove("cgns/in"));
	EXPECT_EQ(0, tu_cg_remove("cgns"));
}

static int write_as_nobody(int fd)
{
	return tu_become_nobody() ? CANNOT : write_errno(fd, "tbtf");
}

static int write_without_the_capability(int fd)
{
	return tu_drop_cap(CAP_SYS_RESOURCE) ? CANNOT : write_errno(fd, "tbtf");
}

static int write_from_a_user_namespace(int fd)
{
	return unshare(CLONE_NEWUSER) ? CANNOT : write_errno(fd, "tbtf");
}

/* Opened by root, and left open for others. */
TEST_F(rights, opened_by_root_written_by_others)
{
	int fd = open(FILE_OF("user"), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(EPERM, tu_in_child(write_as_nobody, fd));
	EXPECT_EQ(EPERM, tu_in_child(write_without_the_capability, fd));
	EXPECT_EQ(EPERM, tu_in_child(write_from_a_user_namespace, fd));
	/* It was no fault of the descriptor. */
	EXPECT_EQ(0, write_errno(fd, "expendable"));
	close(fd);
}

/* Opened by its owner, for a root program that is made to write to what it was given. */
static int opens_and_sends(int sock)
{
	int fd;

	if (tu_become_nobody())
		return CANNOT;
	fd = open(FILE_OF("user"), O_RDWR | O_CLOEXEC);
	return fd < 0 || tu_send_fd(sock, fd) ? CANNOT : 0;
}

TEST_F(rights, opened_by_others_written_by_root)
{
	int pair[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, tu_in_child(opens_and_sends, pair[1]));
	fd = tu_receive_fd(pair[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(EPERM, write_errno(fd, "tbtf"));
	EXPECT_EQ(EPERM, write_errno(fd, "spare"));
	close(fd);
}

TEST_HARNESS_MAIN
