// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - all other options of prctl(2) give what they gave before
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A table of calls, each in a child of its own, is made before the module is
 * loaded, while it is, and after it was unloaded: every option there is and
 * many that are not, with arguments that are right, wrong or nonsense. What
 * came back, the errno, and what was written to the buffer must be the same.
 *
 * vm: mem=256 module=no thread=single timeout=120
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define ROUNDS	3

struct answer {
	long ret;
	unsigned int buffer;	/* a sum over it */
	int status;		/* how the child ended */
};

struct call {
	unsigned long arg[5];
};

static volatile struct answer *shared;
static unsigned long *buffer;

/* Known to be there in one kernel or another, beside 0 to 80. */
static const unsigned int far[] = {
	0x53564d41,		/* PR_SET_VMA */
	0x59616d61,		/* PR_SET_PTRACER */
	0x41555856,		/* PR_GET_AUXV */
	PR_SET_TBTF - 1, PR_GET_TBTF + 1, PR_SET_TBTF & 0xffff, PR_SET_TBTF ^ 0x80000000,
	0x7fffffff, 0x80000000, 0xffffffff,
};
#define NEAR	80
#define OPTIONS	(NEAR + sizeof(far) / sizeof(far[0]))
#define FORMS	9

static void make_call(unsigned int n, struct call *ret)
{
	unsigned int option = n / FORMS;
	unsigned long p = (unsigned long)buffer;
	const struct call forms[FORMS] = {
		{ { 0, 0, 0, 0, 0 } },
		{ { 0, 1, 0, 0, 0 } },
		{ { 0, 2, 1, 0, 0 } },
		{ { 0, p, 0, 0, 0 } },
		{ { 0, p, p, p, p } },
		{ { 0, 0, p, 64, 0 } },
		{ { 0, 1, p, 0, 0 } },
		{ { 0, -1UL, -1UL, -1UL, -1UL } },
		{ { 0, 3, 2, 0, p } },
	};

	*ret = forms[n % FORMS];
	ret->arg[0] = option < NEAR ? option : far[option - NEAR];
}

/* What is written goes to shared memory: some options forbid all system calls. */
static void ask(const struct call *c, struct answer *ret)
{
	unsigned int i;
	pid_t pid;

	memset(buffer, 0, 4096);
	strcpy((char *)buffer, "name");
	shared->ret = 1UL << 62;
	pid = fork();
	if (!pid) {
		long r;

		/* Not by way of the C library, whose errno says less. */
		asm volatile("movq %5, %%r10\n\tmovq %6, %%r8\n\tsyscall"
			     : "=a" (r)
			     : "a" (SYS_prctl), "D" (c->arg[0]), "S" (c->arg[1]), "d" (c->arg[2]),
			       "r" (c->arg[3]), "r" (c->arg[4])
			     : "rcx", "r11", "r10", "r8", "memory");
		shared->ret = r;
		syscall(SYS_exit, 0);
	}
	waitpid(pid, &ret->status, __WALL);
	ret->ret = shared->ret;
	for (i = ret->buffer = 0; i < 4096 / 8; i++)
		ret->buffer = ret->buffer * 31 + buffer[i] + (buffer[i] >> 32);
}

static int run(const char *path, const char *name, const char *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(path, name, arg, NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST(same_answers)
{
	static struct answer answers[ROUNDS][OPTIONS * FORMS];
	unsigned int n, round, known = 0;
	struct call c;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_NE(MAP_FAILED, (void *)buffer);
	for (round = 0; round < ROUNDS; round++) {
		if (round == 1) {
			ASSERT_EQ(0, run("/bin/modprobe", "modprobe", "tbtf"));
			ASSERT_EQ(0, tu_mark_get());
			/* Somebody is marked: whoever calls is looked for. */
			ASSERT_EQ(0, tu_mark(TBTF_ON));
		}
		if (round == 2) {
			ASSERT_EQ(0, run("/bin/rmmod", "rmmod", "tbtf"));
			ASSERT_EQ(-EINVAL, tu_mark_get());
			ASSERT_EQ(-EINVAL, tu_mark(TBTF_ON));
			ASSERT_EQ(-EINVAL, tu_mark(0));
		}
		for (n = 0; n < OPTIONS * FORMS; n++) {
			make_call(n, &c);
			ask(&c, &answers[round][n]);
		}
	}
	for (n = 0; n < OPTIONS * FORMS; n++) {
		make_call(n, &c);
		for (round = 1; round < ROUNDS; round++) {
			EXPECT_EQ(answers[0][n].ret, answers[round][n].ret) {
				TH_LOG("round %u: prctl(%#lx, %#lx, %#lx, %#lx, %#lx)", round,
				       c.arg[0], c.arg[1], c.arg[2], c.arg[3], c.arg[4]);
			}
			EXPECT_EQ(answers[0][n].buffer, answers[round][n].buffer) {
				TH_LOG("round %u: prctl(%#lx, %#lx...)", round, c.arg[0],
				       c.arg[1]);
			}
			EXPECT_EQ(answers[0][n].status, answers[round][n].status) {
				TH_LOG("round %u: prctl(%#lx, %#lx...)", round, c.arg[0],
				       c.arg[1]);
			}
		}
		known += answers[0][n].ret >= 0;
	}
	/* Enough of it is the real thing, not only EINVAL. */
	printf("# %u of %u calls did something\n", known, (unsigned int)(OPTIONS * FORMS));
	EXPECT_LT(80, known);
}

TEST_HARNESS_MAIN
