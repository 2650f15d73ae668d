// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a fork bomb of processes that are all too big to fail
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each member marks itself and forks, and so does its child. max_marks bounds
 * how many of them are marked; the cgroup's pids.max, or its memory.max, how many
 * there are. A shell with the role spare has to answer all the while. Killing
 * the cgroup leaves nothing behind.
 */
/* vm: mem=384 smp=2 timeout=240 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define MAX_MARKS	300
#define MEMBERS		800
#define PIDS_MAX	"800"
#define FEW_MARKS	60
#define HELD		(384 << 10)	/* where memory is to run out */
#define MEMORY_MAX	"96M"		/* for more than FEW_MARKS, and less than MEMBERS */
#define ANSWER_MS	60000
#define WAIT_MS		120000

static struct {
	volatile int born, gone;
	volatile int marked, full, wrong;
	volatile bool hungry;		/* take memory, and die now and then */
} *shared;

static void add(volatile int *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

/* Marks itself, and if that is refused the reason has to be max_marks. */
static void mark_or_not(void)
{
	int err = tu_mark(TBTF_ON);

	if (!err)
		add(&shared->marked);
	else if (err == -ENOSPC)
		add(&shared->full);
	else
		add(&shared->wrong);
	if (tu_mark_get() != (err ? 0 : (int)TBTF_ON))
		add(&shared->wrong);
}

static void be_member(void)
{
	struct tu_region r = { };
	unsigned int chance;
	pid_t pid;

	for (;;) {
		add(&shared->born);
		mark_or_not();
		r = (struct tu_region){ .seed = (uint64_t)getpid() << 32 };
		if (shared->hungry && tu_region_grow(&r, HELD))
			add(&shared->wrong);
		chance = getpid();
		for (;;) {
			pid = fork();
			if (!pid)
				break;		/* a member of its own */
			if (pid > 0)
				continue;
			/* As many as there may be, for now. */
			tu_nap_ms(300 + chance % 300);
			chance = chance * 1103515245 + 12345;
			if (shared->hungry && (chance >> 16) % 4 == 0) {
				if (tu_region_check(&r) >= 0)
					add(&shared->wrong);
				add(&shared->gone);
				_exit(0);
			}
		}
		tu_region_free(&r);
	}
}

struct shell {
	pid_t pid;
	int to, from;
	int asked;
};

static int shell_start(struct shell *shell)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -errno;
	shell->pid = fork();
	if (!shell->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		tu_adj_set(0, 0);
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl("/bin/sh", "sh", (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	shell->to = to[1];
	shell->from = from[0];
	return tu_role_set(shell->pid, TBTF_ROLE_SPARE, 0);
}

/* Let the shell run a command whose output is one line: how long it took, ms. */
static long long shell_ask(struct shell *shell, const char *command, char *buf, size_t size)
{
	struct pollfd p = { .fd = shell->from, .events = POLLIN };
	long long began = tu_now_ms();
	char line[128];
	ssize_t n;
	int len;

	len = snprintf(line, sizeof(line), "%s\n", command);
	if (write(shell->to, line, len) != len)
		return -EIO;
	if (poll(&p, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	n = read(shell->from, buf, size - 1);
	if (n <= 0)
		return -EPIPE;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return tu_now_ms() - began;
}

static long long marked(void)
{
	return tu_read_ll(TU_SYSFS "/marked");
}

static struct shell sh;
static pid_t first;
static long long set, exited, full;	/* before */

FIXTURE(bomb) {
};

FIXTURE_SETUP(bomb)
{
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	ASSERT_EQ(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_EQ(0, tu_write("4", "/proc/sys/kernel/printk"));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_knob_set_ll("max_marks", MAX_MARKS));
	set = tu_stat("marks_set");
	exited = tu_stat("marks_exited");
	full = tu_stat("marks_full");
	ASSERT_EQ(0, marked());
	ASSERT_EQ(0, tu_cg_make("bomb"));
	ASSERT_EQ(0, shell_start(&sh));
}

static int light(void)
{
	pid_t pid = fork();

	if (!pid) {
		tu_adj_set(0, 0);
		if (tu_cg_enter("bomb", 0))
			_exit(1);
		be_member();
	}
	return pid;
}

FIXTURE_TEARDOWN(bomb)
{
	kill(sh.pid, SIGKILL);
	waitpid(sh.pid, NULL, 0);
	close(sh.to);
	close(sh.from);
	if (first > 0) {
		kill(first, SIGKILL);
		waitpid(first, NULL, 0);
	}
	EXPECT_EQ(0, tu_cg_remove("bomb"));
	tu_knob_set("max_marks", "1024");
}

/* Nothing of the bomb is left, and there is room for marks again. */
static void put_out(struct __test_metadata *_metadata)
{
	struct tu_hog h = { .name = "after", .mark = TBTF_ON, .size_kb = 1024 };
	long long began = tu_now_ms();

	ASSERT_EQ(0, tu_cg_set("bomb", "cgroup.kill", "1"));
	waitpid(first, NULL, 0);
	first = 0;
	ASSERT_TRUE(TU_WAIT_FOR(!tu_cg_get("bomb", "cgroup.events", "populated"), WAIT_MS));
	TH_LOG("%d born, %d of them marked; gone %lld ms after cgroup.kill", shared->born,
	       shared->marked, tu_now_ms() - began);
	EXPECT_EQ(0, shared->wrong);
	/* The shell's own role. */
	EXPECT_EQ(1, marked());
	EXPECT_EQ(1 + tu_stat("marks_exited") - exited, tu_stat("marks_set") - set);
	ASSERT_EQ(0, tu_hog_start(&h));
	EXPECT_EQ(2, marked());
	tu_hog_stop(&h);
	EXPECT_EQ(1, marked());
}

static void ask(struct __test_metadata *_metadata, int times)
{
	long long ms, longest = 0;
	char want[16], got[64];
	char command[64];
	int i;

	for (i = 0; i < times; i++) {
		snprintf(command, sizeof(command), "read n < " TU_SYSFS "/marked; echo $((n * 0 + %d))",
			 i);
		snprintf(want, sizeof(want), "%d", i);
		ms = shell_ask(&sh, command, got, sizeof(got));
		ASSERT_LE(0, ms);
		EXPECT_STREQ(want, got);
		if (ms > longest)
			longest = ms;
		EXPECT_GE(MAX_MARKS, marked());
	}
	TH_LOG("the shell answered %d times, at the latest after %lld ms", times, longest);
}

/* As many as pids.max allows: every one counted. The shell can start programs. */
TEST_F_TIMEOUT(bomb, of_processes, 240)
{
	char got[64];

	ASSERT_EQ(0, tu_cg_set("bomb", "pids.max", PIDS_MAX));
	first = light();
	ASSERT_LT(0, first);
	ASSERT_TRUE(TU_WAIT_FOR(shared->marked + shared->full == MEMBERS, WAIT_MS));
	EXPECT_EQ(MEMBERS, shared->born);
	/* One place is the shell's. */
	EXPECT_EQ(MAX_MARKS - 1, shared->marked);
	EXPECT_EQ(MAX_MARKS, marked());
	EXPECT_EQ(MAX_MARKS, tu_stat("marks_set") - set);
	EXPECT_EQ(MEMBERS - (MAX_MARKS - 1), tu_stat("marks_full") - full);
	ask(_metadata, 5);
	ASSERT_LE(0, shell_ask(&sh, "cat " TU_SYSFS "/marked", got, sizeof(got)));
	EXPECT_EQ(MAX_MARKS, atoi(got));
	put_out(_metadata);
}

/*
 * As many as their memory allows, and more: those without a mark die for those with
 * one, and when only these are left one of them after the other. All the while
 * some exit, and their places are taken, and their marks.
 */
TEST_F_TIMEOUT(bomb, of_memory, 240)
{
	long long died = tu_stat("sacrifices");

	shared->hungry = true;
	ASSERT_EQ(0, tu_knob_set("min_victim_kb", "64"));
	ASSERT_EQ(0, tu_knob_set("ladder_deadline_ms", "500"));
	ASSERT_EQ(0, tu_knob_set_ll("max_marks", FEW_MARKS));
	ASSERT_EQ(0, tu_cg_set("bomb", "pids.max", PIDS_MAX));
	ASSERT_EQ(0, tu_cg_set("bomb", "memory.max", MEMORY_MAX));
	first = light();
	ASSERT_LT(0, first);
	ASSERT_TRUE(TU_WAIT_FOR(shared->full && tu_stat("sacrifices") > died &&
				tu_stat("died_exhausted"), WAIT_MS));
	ask(_metadata, 10);
	EXPECT_LE(FEW_MARKS - 1, shared->marked);
	EXPECT_GE(FEW_MARKS, marked());
	EXPECT_LT(full, tu_stat("marks_full"));
	EXPECT_TRUE(tu_alive(sh.pid));
	put_out(_metadata);
	TH_LOG("%lld died for marked ones, %d left by themselves, %lld marked ones were given up",
	       tu_stat("sacrifices") - died, shared->gone, tu_stat("died_exhausted"));
}

TEST_HARNESS_MAIN
