// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - /dev/tbtf: who may use it, and every errno of every ioctl
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * ENOMEM is not provoked: the kernel does not refuse so small an allocation to
 * anybody but a process that it has killed already.
 *
 * vm: mem=256
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define DEVICE	"/dev/tbtf"

static int dev(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static const struct {
	const char *name;
	unsigned long cmd;
	size_t size;
} ioctls[] = {
	{ "VERSION",	TBTF_IOC_VERSION,	sizeof(struct tbtf_version) },
	{ "MARK",	TBTF_IOC_MARK,		sizeof(struct tbtf_mark_args) },
	{ "QUERY",	TBTF_IOC_QUERY,		sizeof(struct tbtf_query) },
	{ "LIST",	TBTF_IOC_LIST,		sizeof(struct tbtf_list) },
	{ "PREVIEW",	TBTF_IOC_PREVIEW,	sizeof(struct tbtf_preview) },
};
#define IOCTLS	(sizeof(ioctls) / sizeof(ioctls[0]))

FIXTURE(device) {
	int fd, self, null;
};

FIXTURE_SETUP(device)
{
	self->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->self = tu_pidfd(getpid());
	ASSERT_LE(0, self->self);
	self->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->null);
}

FIXTURE_TEARDOWN(device)
{
	close(self->fd);
	close(self->self);
	close(self->null);
}

TEST_F(device, node)
{
	struct stat st;

	ASSERT_EQ(0, stat(DEVICE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
}

static int open_errno(void)
{
	int fd = open(DEVICE, O_RDWR);

	return fd < 0 ? errno : 0;
}

static int nobody_opens(int unused)
{
	(void)unused;
	return tu_become_nobody() ? 200 : open_errno();
}

static int powerless_root_opens(int unused)
{
	(void)unused;
	return tu_drop_cap(CAP_SYS_RESOURCE) ? 200 : open_errno();
}

static int namespace_root_opens(int unused)
{
	(void)unused;
	if (unshare(CLONE_NEWUSER) || tu_write("0 0 1", "/proc/self/uid_map") || getuid())
		return 200;
	return open_errno();
}

TEST_F(device, open_eperm)
{
	/* The mode alone keeps others out; and if somebody changes the mode, it does not matter. */
	EXPECT_EQ(EACCES, tu_in_child(nobody_opens, 0));
	EXPECT_EQ(EPERM, tu_in_child(powerless_root_opens, 0));
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	EXPECT_EQ(EPERM, tu_in_child(nobody_opens, 0));
	EXPECT_EQ(EPERM, tu_in_child(powerless_root_opens, 0));
	EXPECT_EQ(EPERM, tu_in_child(namespace_root_opens, 0));
	ASSERT_EQ(0, chmod(DEVICE, 0600));
}

/* Arguments that would be right for somebody with the right to it. */
static int all_give_eperm(int fd)
{
	char arg[256];
	unsigned int i;

	for (i = 0; i < IOCTLS; i++) {
		memset(arg, 0, sizeof(arg));
		if (dev(fd, ioctls[i].cmd, arg) != -EPERM)
			return 10 + i;
	}
	return 0;
}

static int as_nobody(int fd)
{
	return tu_become_nobody() ? 200 : all_give_eperm(fd);
}

static int as_powerless_root(int fd)
{
	return tu_drop_cap(CAP_SYS_RESOURCE) ? 200 : all_give_eperm(fd);
}

static int as_namespace_root(int fd)
{
	return unshare(CLONE_NEWUSER) ? 200 : all_give_eperm(fd);
}

/* By a socket, from root to somebody who was never root's child with it open. */
static int from_a_socket(int sock)
{
	int fd;

	if (tu_become_nobody())
		return 200;
	fd = tu_receive_fd(sock);
	return fd < 0 ? 200 : all_give_eperm(fd);
}

TEST_F(device, eperm_for_an_fd_handed_on)
{
	int pair[2];

	EXPECT_EQ(0, tu_in_child(as_nobody, self->fd));
	EXPECT_EQ(0, tu_in_child(as_powerless_root, self->fd));
	EXPECT_EQ(0, tu_in_child(as_namespace_root, self->fd));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, tu_send_fd(pair[0], self->fd));
	EXPECT_EQ(0, tu_in_child(from_a_socket, pair[1]));
	/* And it still works for its owner. */
	struct tbtf_version v;

	EXPECT_EQ(0, dev(self->fd, TBTF_IOC_VERSION, &v));
}

TEST_F(device, enotty)
{
	unsigned long cmd;
	unsigned int nr;
	char arg[256] = "";

	for (nr = 5; nr < 256; nr++) {
		EXPECT_EQ(-ENOTTY, dev(self->fd, _IOWR(TBTF_IOC_MAGIC, nr, int), arg));
	}
	/* The size and the direction are part of the number. */
	for (nr = 0; nr < IOCTLS; nr++) {
		cmd = _IOC(_IOC_DIR(ioctls[nr].cmd), TBTF_IOC_MAGIC, nr, ioctls[nr].size + 8);
		EXPECT_EQ(-ENOTTY, dev(self->fd, cmd, arg));
		cmd = _IOC(_IOC_NONE, TBTF_IOC_MAGIC, nr, ioctls[nr].size);
		EXPECT_EQ(-ENOTTY, dev(self->fd, cmd, arg));
		cmd = ioctls[nr].cmd ^ (1 << _IOC_TYPESHIFT);
		EXPECT_EQ(-ENOTTY, dev(self->fd, cmd, arg));
	}
	EXPECT_EQ(-ENOTTY, dev(self->fd, TIOCGWINSZ, arg));
	/* It has no other use. */
	EXPECT_EQ(-1, write(self->fd, arg, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, arg, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(device, efault)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tbtf_query *query = (void *)page;
	struct tbtf_list list = { .entries = 8, .count = 1 };
	struct tbtf_preview pv = { .pidfd = self->self, .cgroup = -1 };
	unsigned int i;

	ASSERT_NE(MAP_FAILED, page);
	munmap(page + 4096, 4096);
	for (i = 0; i < IOCTLS; i++) {
		EXPECT_EQ(-EFAULT, dev(self->fd, ioctls[i].cmd, NULL));
		EXPECT_EQ(-EFAULT, dev(self->fd, ioctls[i].cmd, (void *)-4096UL));
		/* It begins in a page, and ends in none. */
		EXPECT_EQ(-EFAULT, dev(self->fd, ioctls[i].cmd, page + 4096 - ioctls[i].size + 4)) {
			TH_LOG("%s", ioctls[i].name);
		}
	}
	/* The answer cannot be written. */
	query->pidfd = self->self;
	mprotect(page, 4096, PROT_READ);
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_QUERY, page));
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_VERSION, page));
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_LIST, page + 1024));
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	memcpy(page, &pv, sizeof(pv));
	mprotect(page, 4096, PROT_READ);
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_PREVIEW, page));
	/* The arrays behind it. */
	ASSERT_EQ(0, tu_mark(TBTF_ON));
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_LIST, &list));
	ASSERT_EQ(0, tu_mark(0));
	pv.flags = TBTF_PREVIEW_ALL;
	pv.entries = 8;
	pv.count = 1;
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_PREVIEW, &pv));
	pv.entries = pv.count = 0;
	pv.draws = 8;
	pv.nr_draws = 1;
	EXPECT_EQ(-EFAULT, dev(self->fd, TBTF_IOC_PREVIEW, &pv));
}

#define FIELD(type, name)	offsetof(struct type, name), sizeof(((struct type *)0)->name)

/* A field of an otherwise right argument, and a value that is wrong in it. */
static const struct {
	unsigned int nr;
	size_t offset, size;
	uint64_t value;
	int err;
} wrong[] = {
	{ 1, FIELD(tbtf_mark_args, reserved),	1,		EINVAL },
	{ 1, FIELD(tbtf_mark_args, reserved),	0x80000000,	EINVAL },
	{ 1, FIELD(tbtf_mark_args, role),	5,		EINVAL },
	{ 1, FIELD(tbtf_mark_args, role),	0x80000001,	EINVAL },
	{ 1, FIELD(tbtf_mark_args, role),	-1U,		EINVAL },
	{ 1, FIELD(tbtf_mark_args, flags),	TBTF_ON,	EINVAL },
	{ 1, FIELD(tbtf_mark_args, flags),	TBTF_ON | TBTF_LOCAL, EINVAL },
	{ 1, FIELD(tbtf_mark_args, flags),	4,		EINVAL },
	{ 1, FIELD(tbtf_mark_args, flags),	0x80000000,	EINVAL },
	{ 2, FIELD(tbtf_query, reserved),	1,		EINVAL },
	{ 2, FIELD(tbtf_query, reserved),	0x80000000,	EINVAL },
	{ 3, FIELD(tbtf_list, reserved),	1,		EINVAL },
	{ 3, FIELD(tbtf_list, reserved),	1ULL << 63,	EINVAL },
	{ 3, FIELD(tbtf_list, count),		1,		EINVAL },
	{ 4, FIELD(tbtf_preview, reserved),	1,		EINVAL },
	{ 4, FIELD(tbtf_preview, reserved),	0x80000000,	EINVAL },
	{ 4, FIELD(tbtf_preview, flags),	2,		EINVAL },
	{ 4, FIELD(tbtf_preview, flags),	0x80000001,	EINVAL },
	{ 4, FIELD(tbtf_preview, policy),	4,		EINVAL },
	{ 4, FIELD(tbtf_preview, policy),	-1U,		EINVAL },
	{ 4, FIELD(tbtf_preview, count),	1,		EINVAL },
	{ 4, FIELD(tbtf_preview, nr_draws),	1,		EINVAL },
	{ 4, FIELD(tbtf_preview, cgroup),	-2,		EBADF },
	{ 4, FIELD(tbtf_preview, cgroup),	9999,		EBADF },
	/* Of whom is it spoken at all. */
	{ 1, FIELD(tbtf_mark_args, pidfd),	-1,		EBADF },
	{ 1, FIELD(tbtf_mark_args, pidfd),	9999,		EBADF },
	{ 2, FIELD(tbtf_query, pidfd),		-1,		EBADF },
	{ 2, FIELD(tbtf_query, pidfd),		9999,		EBADF },
	{ 4, FIELD(tbtf_preview, pidfd),	-1,		EBADF },
	{ 4, FIELD(tbtf_preview, pidfd),	9999,		EBADF },
};

union argument {
	struct tbtf_mark_args mark;
	struct tbtf_query query;
	struct tbtf_list list;
	struct tbtf_preview preview;
	char bytes[256];
};

/* All right: nothing is changed by it, and it succeeds. */
static void make_right(unsigned int nr, int pidfd, union argument *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (nr == 1)
		ret->mark.pidfd = pidfd;
	if (nr == 2)
		ret->query.pidfd = pidfd;
	if (nr == 4) {
		ret->preview.pidfd = pidfd;
		ret->preview.cgroup = -1;
	}
}

TEST_F(device, einval_and_ebadf)
{
	union argument arg, before;
	unsigned int i, nr;

	for (nr = 0; nr < IOCTLS; nr++) {
		make_right(nr, self->self, &arg);
		ASSERT_EQ(0, dev(self->fd, ioctls[nr].cmd, &arg)) {
			TH_LOG("%s", ioctls[nr].name);
		}
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		nr = wrong[i].nr;
		make_right(nr, self->self, &arg);
		memcpy(arg.bytes + wrong[i].offset, &wrong[i].value, wrong[i].size);
		before = arg;
		EXPECT_EQ(-wrong[i].err, dev(self->fd, ioctls[nr].cmd, &arg)) {
			TH_LOG("%s, %llx at %zu", ioctls[nr].name, (long long)wrong[i].value,
			       wrong[i].offset);
		}
		EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg))) {
			TH_LOG("%s, %llx at %zu: changed", ioctls[nr].name,
			       (long long)wrong[i].value, wrong[i].offset);
		}
	}
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	/* Flags need the role they belong to. */
	make_right(1, self->self, &arg);
	for (i = 0; i <= TBTF_ROLE_ORDINARY; i++) {
		arg.mark.role = i;
		arg.mark.flags = TBTF_LOCAL;
		EXPECT_EQ(i == TBTF_ROLE_TBTF ? 0 : -EINVAL,
			  dev(self->fd, TBTF_IOC_MARK, &arg));
		if (i == TBTF_ROLE_TBTF) {
			EXPECT_EQ(TBTF_ON | TBTF_LOCAL, tu_mark_get());
			EXPECT_EQ(0, tu_mark(0));
		}
	}
}

/* Descriptors that are open, but of something else. */
TEST_F(device, ebadf)
{
	int fds[] = { self->null, self->fd, open("/", O_RDONLY | O_CLOEXEC),
		      open("/proc/self", O_RDONLY | O_CLOEXEC) };
	union argument arg;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		make_right(1, fds[i], &arg);
		EXPECT_EQ(-EBADF, dev(self->fd, TBTF_IOC_MARK, &arg));
		make_right(2, fds[i], &arg);
		EXPECT_EQ(-EBADF, dev(self->fd, TBTF_IOC_QUERY, &arg));
		make_right(4, fds[i], &arg);
		EXPECT_EQ(-EBADF, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
		make_right(4, self->self, &arg);
		arg.preview.cgroup = fds[i];
		EXPECT_EQ(-EBADF, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
	}
	close(fds[2]);
	close(fds[3]);
}

static int preview_of(int device, int pidfd, const char *cgroup)
{
	union argument arg;
	int err, fd = open(cgroup, O_RDONLY | O_CLOEXEC);

	make_right(4, pidfd, &arg);
	arg.preview.cgroup = fd;
	err = dev(device, TBTF_IOC_PREVIEW, &arg);
	close(fd);
	return err;
}

TEST_F(device, cgroup_of_a_preview)
{
	union argument arg;
	int fd;

	EXPECT_EQ(-EINVAL, preview_of(self->fd, self->self, TU_CGROUP));
	ASSERT_EQ(0, tu_cg_make("with"));
	ASSERT_EQ(0, mkdir(TU_CGROUP "/with/without", 0755));
	EXPECT_EQ(0, preview_of(self->fd, self->self, TU_CGROUP "/with"));
	EXPECT_EQ(-EINVAL, preview_of(self->fd, self->self, TU_CGROUP "/with/without"));
	/* A file of a cgroup is no cgroup, nor is a directory that was one. */
	EXPECT_EQ(-EBADF, preview_of(self->fd, self->self, TU_CGROUP "/with/memory.max"));
	fd = open(TU_CGROUP "/with/without", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, rmdir(TU_CGROUP "/with/without"));
	make_right(4, self->self, &arg);
	arg.preview.cgroup = fd;
	EXPECT_EQ(-EBADF, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
	close(fd);
	EXPECT_EQ(0, tu_cg_remove("with"));
}

TEST_F(device, e2big)
{
	static int32_t draws[16];
	union argument arg;

	make_right(4, self->self, &arg);
	arg.preview.entries = 4096;
	arg.preview.count = TBTF_PREVIEW_MAX + 1;
	EXPECT_EQ(-E2BIG, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
	arg.preview.count = -1U;
	EXPECT_EQ(-E2BIG, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
	make_right(4, self->self, &arg);
	arg.preview.draws = (uintptr_t)draws;
	arg.preview.nr_draws = TBTF_PREVIEW_MAX + 1;
	EXPECT_EQ(-E2BIG, dev(self->fd, TBTF_IOC_PREVIEW, &arg));
	EXPECT_EQ(0, draws[0]);
}

/* A process that is gone, and one of which only the exit code is left. */
TEST_F(device, esrch)
{
	static const unsigned int takers[] = { 1, 2, 4 };
	union argument arg;
	unsigned int i, gone;
	pid_t pid = fork();
	int pidfd;

	if (!pid)
		_exit(0);
	pidfd = tu_pidfd(pid);
	ASSERT_LE(0, pidfd);
	for (gone = 0; gone < 2; gone++) {
		if (!gone) {
			siginfo_t info;

			ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
		} else {
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		}
		for (i = 0; i < 3; i++) {
			make_right(takers[i], pidfd, &arg);
			if (takers[i] == 1)
				arg.mark.role = TBTF_ROLE_TBTF;
			EXPECT_EQ(-ESRCH, dev(self->fd, ioctls[takers[i]].cmd, &arg)) {
				TH_LOG("%s, gone %u", ioctls[takers[i]].name, gone);
			}
		}
	}
	close(pidfd);
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
}

/* Those who cannot have a role, or not this one. */
TEST_F(device, einval_of_the_process)
{
	struct tbtf_info info;
	uint32_t role;

	for (role = TBTF_ROLE_TBTF; role <= TBTF_ROLE_ORDINARY; role++) {
		EXPECT_EQ(-EINVAL, tu_role_set(2, role, 0));
	}
	/* To ask about one is allowed, but it has no memory to protect. */
	EXPECT_EQ(0, tu_query(2, &info));
	EXPECT_EQ(-EINVAL, tu_draw(2, NULL, TBTF_POLICY_SET, NULL, 0, NULL));
	EXPECT_EQ(-EINVAL, tu_role_set(1, TBTF_ROLE_EXPENDABLE, 0));
	EXPECT_EQ(0, tu_role_set(1, TBTF_ROLE_SPARE, 0));
	ASSERT_EQ(0, tu_query(1, &info));
	EXPECT_EQ(TBTF_ROLE_SPARE, info.role);
	EXPECT_EQ(-EINVAL, tu_role_set(1, TBTF_ROLE_EXPENDABLE, 0));
	ASSERT_EQ(0, tu_query(1, &info));
	EXPECT_EQ(TBTF_ROLE_SPARE, info.role);
	EXPECT_EQ(0, tu_role_set(1, TBTF_ROLE_INHERIT, 0));
}

TEST_F(device, enospc)
{
	struct tu_hog one = { .name = "one" }, two = { .name = "two" };

	ASSERT_EQ(0, tu_knob_set("max_marks", "1"));
	ASSERT_EQ(0, tu_hog_start(&one));
	ASSERT_EQ(0, tu_hog_start(&two));
	EXPECT_EQ(0, tu_role_set(one.pid, TBTF_ROLE_SPARE, 0));
	EXPECT_EQ(-ENOSPC, tu_role_set(two.pid, TBTF_ROLE_TBTF, 0));
	EXPECT_EQ(-ENOSPC, tu_role_set(two.pid, TBTF_ROLE_EXPENDABLE, 0));
	/* To take away what is not there needs no room; to change what is there neither. */
	EXPECT_EQ(0, tu_role_set(two.pid, TBTF_ROLE_INHERIT, 0));
	EXPECT_EQ(0, tu_role_set(one.pid, TBTF_ROLE_TBTF, TBTF_LOCAL));
	tu_hog_stop(&one);
	EXPECT_EQ(0, tu_role_set(two.pid, TBTF_ROLE_TBTF, 0));
	tu_hog_stop(&two);
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	ASSERT_EQ(0, tu_knob_set("max_marks", "1024"));
}

TEST_HARNESS_MAIN
