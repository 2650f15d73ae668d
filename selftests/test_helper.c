// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the helper's channel: who is the helper, what it reads, every errno
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The test itself is the helper. What it gets is asked for in earnest, by a process
 * at the limit of its cgroup; what it gives is a higher limit.
 */
/* vm: mem=256 smp=2 timeout=240 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include <linux/tbtf_event.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define DEVICE	"/dev/tbtf"
#define BOTH	(TBTF_RUNG_STEAL | TBTF_RUNG_PRINT)
#define MIB	1024

static int open_device(void)
{
	return open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

static int be_helper(int fd, uint32_t rungs)
{
	struct tbtf_helper helper = { .rungs = rungs };

	return ioctl(fd, TBTF_IOC_HELPER, &helper) ? -errno : 0;
}

static int answer(int fd, uint64_t id, uint32_t result, uint64_t kb)
{
	struct tbtf_answer a = { .id = id, .result = result, .granted_kb = kb };

	return ioctl(fd, TBTF_IOC_ANSWER, &a) ? -errno : 0;
}

static int take(int fd, struct tbtf_request *req)
{
	ssize_t n = syscall(SYS_read, fd, req, sizeof(*req));

	return n < 0 ? -errno : (int)n;
}

static int polled(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) < 0 ? -errno : p.revents;
}

static pid_t helper_pid(void)
{
	return tu_read_ll(TU_SYSFS "/helper");
}

static uint32_t role_of(pid_t pid, uint32_t *ret_own)
{
	struct tbtf_info info;

	if (tu_query(pid, &info))
		return 99;
	if (ret_own)
		*ret_own = info.role;
	return info.effective;
}

FIXTURE(helper) {
	int fd, other;
};

FIXTURE_SETUP(helper)
{
	self->fd = open_device();
	self->other = open_device();
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, helper_pid());
}

FIXTURE_TEARDOWN(helper)
{
	close(self->fd);
	close(self->other);
}

TEST_F(helper, einval_changes_nothing)
{
	struct tbtf_helper helper = { .rungs = BOTH };
	unsigned int i;

	EXPECT_EQ(-EINVAL, be_helper(self->fd, 0));
	EXPECT_EQ(-EINVAL, be_helper(self->fd, 4));
	EXPECT_EQ(-EINVAL, be_helper(self->fd, BOTH | 1U << 31));
	for (i = 0; i < 3; i++) {
		helper.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(self->fd, TBTF_IOC_HELPER, &helper));
		EXPECT_EQ(EINVAL, errno);
		helper.reserved[i] = 0;
	}
	EXPECT_EQ(-1, ioctl(self->fd, TBTF_IOC_HELPER, (void *)1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, helper_pid());
	EXPECT_EQ(TBTF_ROLE_ORDINARY, role_of(getpid(), NULL));
}

static long long lent_kb(void)
{
	char text[32];

	return tu_read(text, sizeof(text), TU_SYSFS "/lent_kb") > 0 ? atoll(text) : -1;
}

/* Who lends is no helper, and need not be one. */
TEST_F(helper, lending)
{
	struct tbtf_lending lending = { .held_kb = 100 };

	EXPECT_EQ(0, ioctl(self->fd, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(100, lent_kb());
	lending.held_kb = TBTF_GRANT_MAX_KB;
	EXPECT_EQ(0, ioctl(self->other, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(100 + TBTF_GRANT_MAX_KB, lent_kb());
	lending.held_kb++;
	EXPECT_EQ(-1, ioctl(self->other, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(EINVAL, errno);
	lending.held_kb = 7;
	lending.reserved = 1;
	EXPECT_EQ(-1, ioctl(self->other, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->other, TBTF_IOC_LENDING, (void *)1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(100 + TBTF_GRANT_MAX_KB, lent_kb());
	lending = (struct tbtf_lending){ .held_kb = 7 };
	EXPECT_EQ(0, ioctl(self->other, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(107, lent_kb());
	close(self->other);
	EXPECT_EQ(100, lent_kb());
	lending.held_kb = 0;
	EXPECT_EQ(0, ioctl(self->fd, TBTF_IOC_LENDING, &lending));
	EXPECT_EQ(0, lent_kb());
	EXPECT_EQ(0, helper_pid());
	self->other = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
}

static int shared_fd;

static int powerless_registers(int unused)
{
	(void)unused;
	return tu_drop_cap(CAP_SYS_RESOURCE) ? 200 : -be_helper(shared_fd, BOTH);
}

static int powerless_answers(int unused)
{
	(void)unused;
	return tu_drop_cap(CAP_SYS_RESOURCE) ? 200 : -answer(shared_fd, 1, TBTF_ANSWER_REFUSED, 0);
}

static int powerless_reads(int unused)
{
	struct tbtf_request req;

	(void)unused;
	return tu_drop_cap(CAP_SYS_RESOURCE) ? 200 : -take(shared_fd, &req);
}

TEST_F(helper, eperm)
{
	shared_fd = self->fd;
	EXPECT_EQ(EPERM, tu_in_child(powerless_registers, 0));
	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(EPERM, tu_in_child(powerless_registers, 0));
	EXPECT_EQ(EPERM, tu_in_child(powerless_answers, 0));
	EXPECT_EQ(EPERM, tu_in_child(powerless_reads, 0));
}

static int child_registers(int fresh)
{
	return -be_helper(fresh ? open_device() : shared_fd, TBTF_RUNG_STEAL);
}

TEST_F(helper, there_is_one)
{
	char rungs[32];

	shared_fd = self->fd;
	ASSERT_LT(0, tu_read(rungs, sizeof(rungs), TU_SYSFS "/helper_rungs"));
	EXPECT_STREQ("-steal -print", rungs);
	ASSERT_EQ(0, be_helper(self->fd, TBTF_RUNG_PRINT));
	EXPECT_EQ(getpid(), helper_pid());
	EXPECT_EQ(-EBUSY, be_helper(self->other, BOTH));
	EXPECT_EQ(EBUSY, tu_in_child(child_registers, true));
	EXPECT_EQ(EBUSY, tu_in_child(child_registers, false));
	ASSERT_LT(0, tu_read(rungs, sizeof(rungs), TU_SYSFS "/helper_rungs"));
	EXPECT_STREQ("-steal print", rungs);
	/* The same again: for other rungs. What is wrong changes nothing. */
	EXPECT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(-EINVAL, be_helper(self->fd, 8));
	ASSERT_LT(0, tu_read(rungs, sizeof(rungs), TU_SYSFS "/helper_rungs"));
	EXPECT_STREQ("steal print", rungs);
	/* The end of the other file is nothing to it. */
	close(self->other);
	EXPECT_EQ(getpid(), helper_pid());
	close(self->fd);
	EXPECT_EQ(0, helper_pid());
	self->fd = open_device();
	EXPECT_EQ(0, be_helper(self->fd, BOTH));
}

TEST_F(helper, enospc)
{
	long long marked = tu_read_ll(TU_SYSFS "/marked");
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	ASSERT_LT(0, child);
	ASSERT_EQ(0, marked);
	ASSERT_EQ(0, tu_role_set(child, TBTF_ROLE_EXPENDABLE, 0));
	ASSERT_LE(0, tu_knob_set_ll("max_marks", 1));
	EXPECT_EQ(-ENOSPC, be_helper(self->fd, BOTH));
	EXPECT_EQ(0, helper_pid());
	ASSERT_LE(0, tu_knob_set_ll("max_marks", 2));
	EXPECT_EQ(0, be_helper(self->fd, BOTH));
	ASSERT_LE(0, tu_knob_set_ll("max_marks", 1024));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_F(helper, strangers)
{
	struct tbtf_request req;

	EXPECT_EQ(-ENOTCONN, take(self->fd, &req));
	EXPECT_EQ(-ENOTCONN, answer(self->fd, 1, TBTF_ANSWER_REFUSED, 0));
	EXPECT_EQ(POLLERR | POLLHUP, polled(self->fd, 0));
	ASSERT_EQ(0, be_helper(self->other, BOTH));
	EXPECT_EQ(-ENOTCONN, take(self->fd, &req));
	EXPECT_EQ(-ENOTCONN, answer(self->fd, 1, TBTF_ANSWER_REFUSED, 0));
	EXPECT_EQ(POLLERR | POLLHUP, polled(self->fd, 0));
}

TEST_F(helper, nothing_asked)
{
	struct tbtf_answer a = { .id = 1, .result = TBTF_ANSWER_REFUSED, .reserved = 1 };
	struct tbtf_request req;

	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(-EAGAIN, take(self->fd, &req));
	EXPECT_EQ(-1, read(self->fd, &req, sizeof(req) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &req, sizeof(req)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, polled(self->fd, 50));
	EXPECT_EQ(-ESRCH, answer(self->fd, 1, TBTF_ANSWER_PENDING, 0));
	EXPECT_EQ(-ESRCH, answer(self->fd, 0, TBTF_ANSWER_REFUSED, 0));
	EXPECT_EQ(-ESRCH, answer(self->fd, -1, TBTF_ANSWER_GRANTED, 1));
	EXPECT_EQ(-ESRCH, answer(self->fd, 1, TBTF_ANSWER_GRANTED, TBTF_GRANT_MAX_KB));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, TBTF_ANSWER_GRANTED, TBTF_GRANT_MAX_KB + 1));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, TBTF_ANSWER_GRANTED, -1));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, TBTF_ANSWER_GRANTED, 0));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, TBTF_ANSWER_REFUSED, 1));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, TBTF_ANSWER_PENDING, 1));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, 0, 0));
	EXPECT_EQ(-EINVAL, answer(self->fd, 1, 4, 0));
	EXPECT_EQ(-1, ioctl(self->fd, TBTF_IOC_ANSWER, &a));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, TBTF_IOC_ANSWER, (void *)1));
	EXPECT_EQ(EFAULT, errno);
}

/* --- its role ------------------------------------------------------------------ */

TEST_F(helper, is_spare)
{
	struct tbtf_candidate c;
	uint32_t own;

	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), &own));
	EXPECT_EQ(TBTF_ROLE_SPARE, own);
	ASSERT_EQ(0, tu_adj_set(0, 0));
	ASSERT_EQ(0, tu_judge(1, NULL, getpid(), &c, NULL));
	EXPECT_EQ(TBTF_REASON_SPARE, c.reason);
	/* Another role waits, and what is spare already stays so. */
	EXPECT_EQ(0, tu_role_set(getpid(), TBTF_ROLE_EXPENDABLE, 0));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), NULL));
	EXPECT_EQ(0, tu_role_set(getpid(), TBTF_ROLE_ORDINARY, 0));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), NULL));
	EXPECT_EQ(0, tu_role_set(getpid(), TBTF_ROLE_INHERIT, 0));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), NULL));
	close(self->fd);
	EXPECT_EQ(TBTF_ROLE_ORDINARY, role_of(getpid(), &own));
	EXPECT_EQ(TBTF_ROLE_INHERIT, own);
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));

	ASSERT_EQ(0, tu_role_set(getpid(), TBTF_ROLE_EXPENDABLE, 0));
	self->fd = open_device();
	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), NULL));
	close(self->fd);
	EXPECT_EQ(TBTF_ROLE_EXPENDABLE, role_of(getpid(), NULL));

	self->fd = open_device();
	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(0, tu_role_set(getpid(), TBTF_ROLE_ORDINARY, 0));
	close(self->fd);
	EXPECT_EQ(TBTF_ROLE_ORDINARY, role_of(getpid(), &own));
	EXPECT_EQ(TBTF_ROLE_ORDINARY, own);
	self->fd = open_device();
}

TEST_F(helper, can_be_tbtf)
{
	uint32_t own;

	ASSERT_EQ(0, tu_mark(TBTF_ON | TBTF_LOCAL));
	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, tu_mark_get());
	/* Not tbtf any more: spare it is. */
	EXPECT_EQ(0, tu_mark(0));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(getpid(), NULL));
	EXPECT_EQ(0, tu_mark(TBTF_ON));
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	close(self->fd);
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	EXPECT_EQ(0, tu_mark(0));
	EXPECT_EQ(TBTF_ROLE_ORDINARY, role_of(getpid(), &own));
	EXPECT_EQ(TBTF_ROLE_INHERIT, own);
	self->fd = open_device();
}

/* --- its death ------------------------------------------------------------------ */

static void *thread(void *arg)
{
	return (void *)(long)be_helper(*(int *)arg, BOTH);
}

TEST_F(helper, is_a_process)
{
	pthread_t t;
	void *ret;

	/* The thread that has registered ends; the process is the helper still. */
	ASSERT_EQ(0, pthread_create(&t, NULL, thread, &self->fd));
	ASSERT_EQ(0, pthread_join(t, &ret));
	ASSERT_EQ(NULL, ret);
	EXPECT_EQ(getpid(), helper_pid());
	EXPECT_EQ(0, be_helper(self->fd, TBTF_RUNG_STEAL));
}

static struct {
	volatile pid_t child, grandchild;
	volatile int reads;		/* what the grandchild's read has come to */
} *shared;

/* Registers, leaves a child behind that reads from the same file, and dies. */
static int registers_and_dies(int fd)
{
	struct tbtf_request req;
	pid_t pid;

	shared->child = getpid();
	if (be_helper(fd, BOTH))
		return 1;
	fcntl(fd, F_SETFL, 0);
	pid = fork();
	if (!pid) {
		shared->grandchild = getpid();
		shared->reads = take(fd, &req);
		for (;;)
			pause();
	}
	while (!shared->grandchild || helper_pid() != getpid())
		tu_nap_ms(5);
	tu_nap_ms(50);
	kill(getpid(), SIGKILL);
	return 2;
}

TEST_F(helper, dies_with_its_process)
{
	long long deaths = tu_stat("helper_deaths");
	struct tbtf_request req;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	EXPECT_EQ(-1, tu_in_child(registers_and_dies, self->fd));
	/* Its child has the file still; and here it is open as well. */
	EXPECT_TRUE(tu_alive(shared->grandchild));
	EXPECT_EQ(0, helper_pid());
	EXPECT_EQ(deaths + 1, tu_stat("helper_deaths"));
	EXPECT_TRUE(TU_WAIT_FOR(shared->reads == -ENOTCONN, 2000)) TH_LOG("%d", shared->reads);
	EXPECT_EQ(-ENOTCONN, take(self->fd, &req));
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	/* On the same file or another: there can be a new one. */
	EXPECT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(getpid(), helper_pid());
	close(self->fd);
	EXPECT_EQ(deaths + 1, tu_stat("helper_deaths"));
	/* The last who has it open. */
	kill(shared->grandchild, SIGKILL);
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("helper_deaths") == deaths + 2, 2000));
	self->fd = open_device();
	EXPECT_EQ(0, be_helper(self->fd, BOTH));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST_F(helper, eintr)
{
	struct sigaction act = { .sa_handler = nothing };
	struct tbtf_request req;

	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	ASSERT_EQ(0, sigaction(SIGUSR1, &act, NULL));
	if (!fork()) {
		tu_nap_ms(100);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	EXPECT_EQ(-EINTR, take(self->fd, &req));
	wait(NULL);
}

TEST_F(helper, holds_the_module)
{
	ASSERT_EQ(0, be_helper(self->fd, BOTH));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "tbtf", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_EQ(getpid(), helper_pid());
}

/* --- requests in earnest --------------------------------------------------------- */

FIXTURE(asked) {
	int fd;
	struct tu_hog p;
	struct tbtf_request req;
	long long episodes, ended, kb;
};

FIXTURE_VARIANT(asked) {
	bool for_ever;
	enum tbtf_rung rung;
};

FIXTURE_VARIANT_ADD(asked, until_the_deadline) {
	.for_ever = false,
	.rung = TBTF_RUNG_STEAL,
};

FIXTURE_VARIANT_ADD(asked, for_ever) {
	.for_ever = true,
	.rung = TBTF_RUNG_STEAL,
};

/* Who only prints is asked as soon as there is nobody to kill. */
FIXTURE_VARIANT_ADD(asked, to_print) {
	.for_ever = false,
	.rung = TBTF_RUNG_PRINT,
};

FIXTURE_VARIANT_ADD(asked, to_print_for_ever) {
	.for_ever = true,
	.rung = TBTF_RUNG_PRINT,
};

static const char *skipped(enum tbtf_rung rung)
{
	return rung == TBTF_RUNG_STEAL ? "skipped_no_helper" : "print_skipped";
}

static const char *ended_as(enum tbtf_rung rung)
{
	return rung == TBTF_RUNG_STEAL ? "outcome_stolen" : "outcome_printed";
}

static const char *granted_by(enum tbtf_rung rung)
{
	return rung == TBTF_RUNG_STEAL ? "granted_kb" : "minted_kb";
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A marked process of 20 MiB wants 20 more, in a cgroup of 30: its request is read. */
FIXTURE_SETUP(asked)
{
	ASSERT_LE(0, tu_knob_set_ll("nap_ms", 50));
	/* Of one who is slow, such as the debug kernel, the rounds are to stay one episode. */
	ASSERT_LE(0, tu_knob_set_ll("episode_idle_ms", 1500));
	ASSERT_LE(0, tu_knob_set_ll("ladder_deadline_ms", 3000));
	ASSERT_LE(0, tu_knob_set("on_exhausted_memcg", variant->for_ever ? "wait" : "kill"));
	ASSERT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == 0, 5000));
	self->episodes = tu_stat("episodes");
	self->ended = tu_stat(ended_as(variant->rung));
	self->kb = tu_stat(granted_by(variant->rung));
	ASSERT_EQ(0, tu_cg_make("asked"));
	ASSERT_LE(0, tu_cg_set("asked", "memory.max", "30M"));
	self->p = (struct tu_hog){ .name = "p", .cgroup = "asked", .size_kb = 20 * MIB,
				   .mark = TBTF_ON };
	ASSERT_EQ(0, tu_hog_start(&self->p));
	/* Now, so that the child does not have it too. */
	self->fd = open_device();
	ASSERT_EQ(0, be_helper(self->fd, variant->rung));
	ASSERT_EQ(0, tu_hog_grow(&self->p, 20 * MIB, MIB, 0));
	ASSERT_EQ(POLLIN, polled(self->fd, 10000));
	/* Into nowhere: it is there still. */
	EXPECT_EQ(-EFAULT, take(self->fd, (void *)1));
	EXPECT_EQ(POLLIN, polled(self->fd, 0));
	ASSERT_EQ(sizeof(self->req), take(self->fd, &self->req));
	EXPECT_EQ(-EAGAIN, take(self->fd, &self->req));
	EXPECT_EQ(0, polled(self->fd, 0));
}

FIXTURE_TEARDOWN(asked)
{
	close(self->fd);
	tu_hog_stop(&self->p);
	tu_cg_remove("asked");
	/* Every request has come to one end. */
	EXPECT_EQ(tu_stat("requests"),
		  tu_stat("requests_granted") + tu_stat("requests_refused") + tu_stat("requests_late") +
		  tu_stat("requests_orphaned") + tu_stat("requests_withdrawn"));
}

TEST_F(asked, request_and_grant)
{
	const struct tbtf_request *req = &self->req;
	long long left_ms = ((long long)req->deadline_ns - now_ns()) / 1000000;
	char stage[32];

	EXPECT_EQ(TBTF_REQUEST_VERSION, req->version);
	EXPECT_EQ(sizeof(*req), req->size);
	EXPECT_LT(0, req->id);
	EXPECT_EQ((__u64)self->episodes + 1, req->episode);
	EXPECT_EQ(variant->rung, req->rung);
	EXPECT_EQ(TBTF_SCOPE_MEMCG, req->scope);
	EXPECT_EQ(tu_cg_id("asked"), req->scope_cgroup);
	EXPECT_EQ(64 * MIB, req->wanted_kb);
	EXPECT_LE(28 * MIB, req->protected_kb);
	EXPECT_GE(32 * MIB, req->protected_kb);
	EXPECT_LT(0, left_ms);
	EXPECT_GE(3000, left_ms);
	EXPECT_EQ(self->p.pid, req->pid);
	EXPECT_EQ(0, req->flags);
	EXPECT_EQ(tu_cg_id("asked"), req->cgroup);
	EXPECT_STREQ("p", req->comm);
	ASSERT_LT(0, tu_knob_get("stage", stage, sizeof(stage)));
	EXPECT_STREQ(variant->rung == TBTF_RUNG_STEAL ? "steal" : "print", stage);

	EXPECT_EQ(-ESRCH, answer(self->fd, req->id + 1, TBTF_ANSWER_REFUSED, 0));
	EXPECT_EQ(-EINVAL, answer(self->fd, req->id, TBTF_ANSWER_GRANTED, 0));
	EXPECT_EQ(0, answer(self->fd, req->id, TBTF_ANSWER_PENDING, 0));
	EXPECT_EQ(0, answer(self->fd, req->id, TBTF_ANSWER_PENDING, 0));
	EXPECT_TRUE(tu_hog_alive(&self->p));
	ASSERT_LE(0, tu_cg_set("asked", "memory.max", "50M"));
	EXPECT_EQ(0, answer(self->fd, req->id, TBTF_ANSWER_GRANTED, 20 * MIB));
	EXPECT_EQ(-ESRCH, answer(self->fd, req->id, TBTF_ANSWER_GRANTED, 20 * MIB));
	EXPECT_EQ(0, tu_hog_done(&self->p, 10000));
	EXPECT_EQ(0, tu_hog_verify(&self->p, 10000));

	/* A second time in the same episode, if it is the same: what there was is used up. */
	ASSERT_EQ(0, tu_hog_grow(&self->p, 20 * MIB, MIB, 0));
	ASSERT_EQ(POLLIN, polled(self->fd, 10000));
	ASSERT_EQ(sizeof(self->req), take(self->fd, &self->req));
	EXPECT_LT(0, req->id);
	EXPECT_EQ(req->episode == (__u64)self->episodes + 1 ? TBTF_REQUEST_AGAIN : 0, req->flags);
	ASSERT_LE(0, tu_cg_set("asked", "memory.max", "100M"));
	EXPECT_EQ(0, answer(self->fd, req->id, TBTF_ANSWER_GRANTED, 50 * MIB));
	EXPECT_EQ(0, tu_hog_done(&self->p, 10000));
	EXPECT_EQ(0, tu_hog_verify(&self->p, 10000));
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("open_episodes") == 0, 5000));
	EXPECT_EQ(tu_stat("episodes") - self->episodes,
		  tu_stat(ended_as(variant->rung)) - self->ended);
	EXPECT_EQ(self->kb + 70 * MIB, tu_stat(granted_by(variant->rung)));
}

TEST_F(asked, late)
{
	long long late = tu_stat("requests_late");

	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("requests_late") == late + 1, 8000));
	EXPECT_LE((long long)self->req.deadline_ns - 20000000, now_ns());
	EXPECT_EQ(-ESRCH, answer(self->fd, self->req.id, TBTF_ANSWER_GRANTED, 1));
	if (!variant->for_ever) {
		EXPECT_EQ(-ESRCH, tu_hog_done(&self->p, 10000));
		return;
	}
	/* It waits for ever, and asks again some time. */
	ASSERT_EQ(POLLIN, polled(self->fd, 10000));
	ASSERT_EQ(sizeof(self->req), take(self->fd, &self->req));
	EXPECT_EQ(0, self->req.flags);
	EXPECT_EQ(0, answer(self->fd, self->req.id, TBTF_ANSWER_REFUSED, 0));
	EXPECT_EQ(0, polled(self->fd, 1000));
	EXPECT_TRUE(tu_hog_alive(&self->p));
}

TEST_F(asked, withdrawn)
{
	long long withdrawn = tu_stat("requests_withdrawn");

	ASSERT_LE(0, tu_knob_set_ll("enabled", 0));
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("requests_withdrawn") == withdrawn + 1, 5000));
	EXPECT_EQ(-ESRCH, answer(self->fd, self->req.id, TBTF_ANSWER_REFUSED, 0));
	/* It is the helper still, for when it is on again. */
	EXPECT_EQ(getpid(), helper_pid());
	ASSERT_LE(0, tu_knob_set_ll("enabled", 1));
}

TEST_F(asked, orphaned)
{
	long long orphaned = tu_stat("requests_orphaned"), none = tu_stat(skipped(variant->rung));
	int fd;

	close(self->fd);
	EXPECT_EQ(orphaned + 1, tu_stat("requests_orphaned"));
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat(skipped(variant->rung)) == none + 1, 2000));
	EXPECT_TRUE(tu_hog_alive(&self->p));
	/* A new one is asked at once, with the time that is left. */
	fd = open_device();
	ASSERT_EQ(0, be_helper(fd, variant->rung));
	ASSERT_EQ(POLLIN, polled(fd, 2000));
	EXPECT_EQ(-ESRCH, answer(fd, self->req.id, TBTF_ANSWER_REFUSED, 0));
	ASSERT_EQ(sizeof(self->req), take(fd, &self->req));
	ASSERT_LE(0, tu_cg_set("asked", "memory.max", "50M"));
	EXPECT_EQ(0, answer(fd, self->req.id, TBTF_ANSWER_GRANTED, 20 * MIB));
	EXPECT_EQ(0, tu_hog_done(&self->p, 10000));
	self->fd = fd;
}

/* A candidate that comes up goes; the request stays open, and can be granted after it. */
TEST_F(asked, candidate_meanwhile)
{
	struct tu_hog small = { .name = "small", .size_kb = 10 * MIB };
	long long kills = tu_stat("sacrifices");

	ASSERT_EQ(0, tu_hog_start(&small));
	ASSERT_EQ(0, tu_cg_enter("asked", small.pid));
	EXPECT_TRUE(TU_WAIT_FOR(tu_stat("sacrifices") == kills + 1, 5000));
	EXPECT_EQ(SIGKILL, WTERMSIG(tu_hog_stop(&small)));
	EXPECT_EQ(0, answer(self->fd, self->req.id, TBTF_ANSWER_PENDING, 0));
	ASSERT_LE(0, tu_cg_set("asked", "memory.max", "50M"));
	EXPECT_EQ(0, answer(self->fd, self->req.id, TBTF_ANSWER_GRANTED, 20 * MIB));
	EXPECT_EQ(0, tu_hog_done(&self->p, 10000));
	EXPECT_EQ(0, tu_hog_verify(&self->p, 10000));
}

TEST_HARNESS_MAIN
