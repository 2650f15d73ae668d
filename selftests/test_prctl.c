// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - PR_SET_TBTF and PR_GET_TBTF: every answer that the manual names
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=256
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"


/* The system call itself: the C library's prctl() has its own idea of types. */
static long call(unsigned long option, unsigned long a, unsigned long b, unsigned long c,
		 unsigned long d)
{
	long ret = syscall(SYS_prctl, option, a, b, c, d);

	return ret < 0 ? -errno : ret;
}

/* The same by the door for 32-bit programs. */
static int call_32(unsigned int option, unsigned int a, unsigned int b, unsigned int c,
		   unsigned int d)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (172), "b" (option), "c" (a), "d" (b), "S" (c), "D" (d)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST(set_and_get)
{
	EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(TBTF_ON, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON | TBTF_LOCAL, 0, 0, 0));
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(TBTF_ON, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
}

/* What is refused, with the mark set and not: it is as it was. */
TEST(einval)
{
	static const unsigned long before[] = { 0, TBTF_ON, TBTF_ON | TBTF_LOCAL };
	unsigned int i, bit;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, call(PR_SET_TBTF, before[i], 0, 0, 0));
		for (bit = 2; bit < 64; bit++) {
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, TBTF_ON | 1UL << bit, 0, 0, 0)) {
				TH_LOG("bit %u", bit);
			}
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, 1UL << bit, 0, 0, 0));
		}
		EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, -1UL, 0, 0, 0));
		EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, TBTF_LOCAL, 0, 0, 0));
		/* Every bit of every spare argument, for setting and for clearing. */
		for (bit = 0; bit < 64; bit++) {
			unsigned long x = 1UL << bit;

			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, TBTF_ON, x, 0, 0));
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, TBTF_ON, 0, x, 0));
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, TBTF_ON, 0, 0, x));
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, 0, x, 0, 0));
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, 0, 0, x, 0));
			EXPECT_EQ(-EINVAL, call(PR_SET_TBTF, 0, 0, 0, x));
			EXPECT_EQ(-EINVAL, call(PR_GET_TBTF, x, 0, 0, 0));
			EXPECT_EQ(-EINVAL, call(PR_GET_TBTF, 0, x, 0, 0));
			EXPECT_EQ(-EINVAL, call(PR_GET_TBTF, 0, 0, x, 0));
			EXPECT_EQ(-EINVAL, call(PR_GET_TBTF, 0, 0, 0, x));
		}
		EXPECT_EQ((long)before[i], call(PR_GET_TBTF, 0, 0, 0, 0));
	}
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
}

/* The numbers beside the two are nobody's. */
TEST(neighbours)
{
	EXPECT_EQ(-EINVAL, call(PR_SET_TBTF - 1, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call(PR_SET_TBTF - 1, 0, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call(PR_GET_TBTF + 1, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call(PR_GET_TBTF + 1, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
}

static int as_unprivileged(void)
{
	if (call(PR_GET_TBTF, 0, 0, 0, 0) != 0)
		return 1;
	if (call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) != -EPERM)
		return 2;
	if (call(PR_SET_TBTF, TBTF_ON | TBTF_LOCAL, 0, 0, 0) != -EPERM)
		return 3;
	if (call(PR_GET_TBTF, 0, 0, 0, 0) != 0)
		return 4;
	/* What is wrong in itself is wrong for everybody. */
	if (call(PR_SET_TBTF, 4, 0, 0, 0) != -EINVAL)
		return 5;
	if (call(PR_SET_TBTF, TBTF_ON, 1, 0, 0) != -EINVAL)
		return 6;
	/* There is nothing to clear, and that is allowed. */
	if (call(PR_SET_TBTF, 0, 0, 0, 0) != 0)
		return 7;
	return 0;
}

static int as_nobody(int unused)
{
	if (tu_become_nobody())
		return 20;
	return as_unprivileged();
}

static int as_root_without_the_capability(int unused)
{
	if (tu_drop_cap(CAP_SYS_RESOURCE))
		return 20;
	return as_unprivileged();
}

/* Root of a user namespace, with all capabilities: there. */
static int in_user_namespace(int unused)
{
	char map[32];

	if (tu_become_nobody() || prctl(PR_SET_DUMPABLE, 1) ||
	    unshare(CLONE_NEWUSER))
		return 20;
	snprintf(map, sizeof(map), "0 %d 1", TU_NOBODY);
	if (tu_write(map, "/proc/self/uid_map") || getuid())
		return 21;
	return as_unprivileged();
}

static int in_user_namespace_of_root(int unused)
{
	if (unshare(CLONE_NEWUSER) || tu_write("0 0 1", "/proc/self/uid_map") || getuid())
		return 20;
	return as_unprivileged();
}

TEST(eperm)
{
	EXPECT_EQ(0, tu_in_child(as_nobody, 0));
	EXPECT_EQ(0, tu_in_child(as_root_without_the_capability, 0));
	EXPECT_EQ(0, tu_in_child(in_user_namespace, 0));
	EXPECT_EQ(0, tu_in_child(in_user_namespace_of_root, 0));
}

/* Marked, and then without the right to it: it may only go back. */
static int fallen(int unused)
{
	if (call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) || tu_become_nobody())
		return 20;
	if (call(PR_GET_TBTF, 0, 0, 0, 0) != TBTF_ON)
		return 1;
	if (call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) != -EPERM)
		return 2;
	if (call(PR_SET_TBTF, TBTF_ON | TBTF_LOCAL, 0, 0, 0) != -EPERM)
		return 3;
	if (call(PR_GET_TBTF, 0, 0, 0, 0) != TBTF_ON)
		return 4;
	if (call(PR_SET_TBTF, 0, 0, 0, 0))
		return 5;
	if (call(PR_GET_TBTF, 0, 0, 0, 0) != 0)
		return 6;
	if (call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) != -EPERM)
		return 7;
	return 0;
}

TEST(clearing_is_always_allowed)
{
	EXPECT_EQ(0, tu_in_child(fallen, 0));
}

static int one_too_many(int unused)
{
	if (call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) != -ENOSPC)
		return 1;
	if (call(PR_GET_TBTF, 0, 0, 0, 0))
		return 2;
	return call(PR_SET_TBTF, 0, 0, 0, 0) ? 3 : 0;
}

static int just_fits(int unused)
{
	return call(PR_SET_TBTF, TBTF_ON, 0, 0, 0) ? 1 : 0;
}

TEST(enospc)
{
	long long full = tu_stat("marks_full");

	ASSERT_EQ(0, tu_knob_set("max_marks", "1"));
	ASSERT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(0, tu_in_child(one_too_many, 0));
	EXPECT_EQ(full + 1, tu_stat("marks_full"));
	/* Who has one may change it, and needs no room for it. */
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON | TBTF_LOCAL, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, tu_in_child(just_fits, 0));
	/* The child's went with it. */
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(0, tu_in_child(just_fits, 0));
	ASSERT_EQ(0, tu_knob_set("max_marks", "1024"));
}

/* Another role was somebody else's word: a process cannot lay it down by itself. */
TEST(other_roles_stay)
{
	static const uint32_t roles[] = {
		TBTF_ROLE_SPARE, TBTF_ROLE_EXPENDABLE, TBTF_ROLE_ORDINARY,
	};
	struct tbtf_info info;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, tu_role_set(getpid(), roles[i], 0));
		EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
		EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
		ASSERT_EQ(0, tu_query(getpid(), &info));
		EXPECT_EQ(roles[i], info.role);
	}
	/* With the right to it, it can have the mark instead. */
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	ASSERT_EQ(0, tu_query(getpid(), &info));
	EXPECT_EQ(TBTF_ROLE_TBTF, info.role);
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
	ASSERT_EQ(0, tu_query(getpid(), &info));
	EXPECT_EQ(TBTF_ROLE_INHERIT, info.role);
}

/* PR_GET_TBTF speaks of the process's own mark; its cgroup's is seen by a query. */
TEST(get_is_not_the_cgroups)
{
	struct tbtf_info info;

	ASSERT_EQ(0, tu_cg_make("marked"));
	ASSERT_EQ(0, tu_cg_set("marked", "memory.tbtf", "tbtf"));
	ASSERT_EQ(0, tu_cg_enter("marked", 0));
	EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
	ASSERT_EQ(0, tu_query(getpid(), &info));
	EXPECT_EQ(TBTF_ROLE_TBTF, info.effective);
	EXPECT_EQ(TBTF_SOURCE_CGROUP, info.source);
	EXPECT_EQ(0, info.flags);
	ASSERT_EQ(0, tu_write("0", TU_CGROUP "/cgroup.procs"));
	EXPECT_EQ(0, tu_cg_remove("marked"));
}

static void *set_in_thread(void *unused)
{
	(void)unused;
	return (void *)call(PR_SET_TBTF, TBTF_ON | TBTF_LOCAL, 0, 0, 0);
}

static void *get_in_thread(void *unused)
{
	(void)unused;
	return (void *)call(PR_GET_TBTF, 0, 0, 0, 0);
}

TEST(threads_share_it)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, set_in_thread, NULL));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, get_in_thread, NULL));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, (long)ret);
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, get_in_thread, NULL));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

TEST(from_32_bit_programs)
{
	EXPECT_EQ(0, call_32(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call_32(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(TBTF_ON, call_32(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call_32(PR_SET_TBTF, -1U, 0, 0, 0));
	EXPECT_EQ(-EINVAL, call_32(PR_SET_TBTF, 0, 0, 0, 1));
	EXPECT_EQ(TBTF_ON, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call_32(PR_SET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_GET_TBTF, 0, 0, 0, 0));
}

/* Switched off it does nothing in an OOM; marks are kept for when it is on again. */
TEST(enabled_or_not)
{
	ASSERT_EQ(0, tu_knob_set("enabled", "0"));
	EXPECT_EQ(0, call(PR_SET_TBTF, TBTF_ON, 0, 0, 0));
	EXPECT_EQ(TBTF_ON, call(PR_GET_TBTF, 0, 0, 0, 0));
	ASSERT_EQ(0, tu_knob_set("enabled", "1"));
	EXPECT_EQ(TBTF_ON, call(PR_GET_TBTF, 0, 0, 0, 0));
	EXPECT_EQ(0, call(PR_SET_TBTF, 0, 0, 0, 0));
}

TEST_HARNESS_MAIN
