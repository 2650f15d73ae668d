// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - load and unload two hundred times (VM_EFFORT: fewer), while it is in use
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Under icount one thread of the host runs all (patching code under QEMU's
 * multi-threaded TCG crashes sound kernels), and waiting takes no time.
 * slab_nomerge: tbtf_mark has a slab of its own, and the kernel says so if an
 * object remains in it; the runner then finds that in the log.
 */
/* vm: mem=256 smp=1 module=no icount="shift=1,sleep=off" timeout=600 append=slab_nomerge */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "kselftest_harness.h"
#include "tbtf_util.h"

#define CYCLES		200
#define SETTLED(n)	((n) / 5) /* cycles after which nothing may grow any more */
#define LEAK_KB		512

enum { CALLER, OOM, CGROUPS, FILES, FORKER, WORKERS };

/* What the workers have seen; pages that all share. */
static struct seen {
	volatile int rest;		/* stop between two rounds of work */
	volatile int resting[WORKERS];
	volatile long wrong[WORKERS];	/* line of what was not as it must be */
	volatile long with, without;	/* prctl calls that found the module, or not */
	volatile long ooms, spared;
	volatile long roles, opens, forks;
} *seen;

static void check(int who, bool ok, int line)
{
	if (!ok && !seen->wrong[who])
		seen->wrong[who] = line;
}
#define CHECK(cond)	check(who, cond, __LINE__)

/* Every option gives what it gave before; tbtf's own, that or EINVAL. */
static void call_prctl(int who)
{
	int i, ret;

	for (i = 0; i < 50; i++) {
		CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
		CHECK(prctl(-1, 0, 0, 0, 0) == -1 && errno == EINVAL);
		ret = tu_mark(TBTF_ON);
		CHECK(!ret || ret == -EINVAL);
		if (ret)
			seen->without++;
		else
			seen->with++;
		ret = tu_mark_get();
		CHECK(ret == TBTF_ON || ret == 0 || ret == -EINVAL);
		ret = tu_mark(0);
		CHECK(!ret || ret == -EINVAL);
	}
	tu_nap_ms(20);
}

static void eat(const char *cg, size_t kb, bool marked)
{
	struct tu_region r = { .seed = 1 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tu_adj_set(0, 0);
	if (tu_cg_enter(cg, 0))
		_exit(1);
	if (marked)
		tu_mark(TBTF_ON);
	if (tu_region_grow(&r, kb << 10))
		_exit(2);
	if (!marked)
		for (;;)
			pause();
	_exit(tu_region_check(&r) < 0 ? 0 : 3);
}

/* Two in a cgroup too small for both: one dies, whichever it has to be. */
static void cause_oom(int who)
{
	long long before = tu_cg_get("load", "memory.events", "oom_kill");
	pid_t small, big;
	int status;

	small = fork();
	if (!small)
		eat("load", 2500, false);
	tu_nap_ms(30);
	big = fork();
	if (!big)
		eat("load", 4500, true);
	CHECK(small > 0 && big > 0);
	waitpid(big, &status, 0);
	if (WIFEXITED(status)) {
		CHECK(!WEXITSTATUS(status));
		seen->spared++;
	} else {
		CHECK(WTERMSIG(status) == SIGKILL);
	}
	kill(small, SIGKILL);
	waitpid(small, &status, 0);
	seen->ooms += tu_cg_get("load", "memory.events", "oom_kill") - before;
	tu_nap_ms(1100);
}

static void make_cgroups(int who)
{
	int ret;

	CHECK(!tu_cg_make("load-x"));
	ret = tu_cg_set("load-x", "memory.tbtf", "expendable");
	/* Gone, going (ENODEV), or there. */
	CHECK(ret >= 0 || ret == -ENOENT || ret == -ENODEV);
	seen->roles += ret >= 0;
	tu_cg_get("load-x", "memory.tbtf.events", "spared");
	CHECK(!tu_cg_remove("load-x"));
	tu_nap_ms(250);
}

static void use_files(int who)
{
	struct tbtf_version version;
	int fd, ret;

	ret = tu_knob_set("policy", "largest");
	CHECK(ret >= 0 || ret == -ENOENT || ret == -ENODEV);
	tu_stat("rounds");
	fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		CHECK(!ioctl(fd, TBTF_IOC_VERSION, &version));
		CHECK(version.abi == TBTF_ABI_VERSION);
		close(fd);
		seen->opens++;
	} else {
		CHECK(errno == ENOENT || errno == ENODEV || errno == ENXIO);
	}
	tu_nap_ms(250);
}

/* Marks that go by exit, and by exec. */
static void fork_marked(int who)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (!tu_mark(TBTF_ON) && seen->forks & 1)
			execl("/bin/true", "true", (char *)NULL);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	seen->forks++;
	tu_nap_ms(500);
}

static pid_t workers[WORKERS];

static void be_worker(int who, void (*work)(int))
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		work(who);
		while (seen->rest) {
			seen->resting[who] = 1;
			tu_nap_ms(5);
		}
		seen->resting[who] = 0;
	}
}

static void start_workers(void)
{
	static void (*const work[WORKERS])(int) = {
		call_prctl, cause_oom, make_cgroups, use_files, fork_marked
	};
	int i;

	for (i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		if (!workers[i])
			be_worker(i, work[i]);
	}
}

static bool all_rest(void)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (!seen->resting[i])
			return false;
	return true;
}

static int load(void)
{
	char path[512];
	struct utsname u;
	int fd, ret;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/tbtf.ko", u.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd,
		      "min_victim_kb=500 nap_ms=50 ladder_deadline_ms=200 episode_idle_ms=100", 0);
	ret = ret ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(void)
{
	/* Busy only while a file of it is open. */
	if (!TU_WAIT_FOR(!syscall(SYS_delete_module, "tbtf", O_NONBLOCK) ||
			 (errno != EAGAIN && errno != EBUSY), 20000))
		return -ETIMEDOUT;
	return access("/sys/module/tbtf", F_OK) ? 0 : -EBUSY;
}

/* What a leak would make grow, in kB. */
static long long held_kb(void)
{
	static const char *const fields[] = { "SUnreclaim:", "VmallocUsed:", "Percpu:",
					      "KernelStack:", "PageTables:" };
	char buf[4096], *p;
	long long sum = 0;
	unsigned int i;

	tu_write("3", "/proc/sys/vm/drop_caches");
	if (tu_read(buf, sizeof(buf), "/proc/meminfo") < 0)
		return -1;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		p = strstr(buf, fields[i]);
		if (p)
			sum += atoll(p + strlen(fields[i]));
	}
	return sum;
}

/* With the workers at rest, and what was freed under RCU freed. */
static long long held_at_rest(void)
{
	long long held;

	seen->rest = 1;
	if (!TU_WAIT_FOR(all_rest(), 30000))
		return -1;
	tu_nap_ms(1000);
	held = held_kb();
	seen->rest = 0;
	return held;
}

FIXTURE(load) {
};

FIXTURE_SETUP(load)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, seen);
	ASSERT_EQ(0, mkdir(TU_CGROUP "/load", 0755));
	ASSERT_LE(0, tu_cg_set("load", "memory.max", "6M"));
	ASSERT_LE(0, tu_cg_set("load", "memory.swap.max", "0"));
	/* The report of each OOM goes to a serial port otherwise: most of the time it takes. */
	ASSERT_LE(0, tu_write("0", "/proc/sys/vm/oom_dump_tasks"));
	ASSERT_LE(0, tu_write("4", "/proc/sys/kernel/printk"));
	start_workers();
}

FIXTURE_TEARDOWN(load)
{
	int i;

	for (i = 0; i < WORKERS; i++) {
		kill(workers[i], SIGKILL);
		waitpid(workers[i], NULL, 0);
	}
}

TEST_F_TIMEOUT(load, two_hundred_times, 7200)
{
	long long settled = 0, held;
	int i, cycles = tu_effort(CYCLES);

	for (i = 1; i <= cycles; i++) {
		ASSERT_EQ(0, load()) TH_LOG("cycle %d", i);
		/* Each time at another point of what the others do. */
		tu_nap_ms(i * 37 % 100);
		ASSERT_EQ(0, unload()) TH_LOG("cycle %d", i);
		tu_nap_ms(i * 11 % 40);
		if (i == SETTLED(cycles))
			settled = held_at_rest();
	}
	held = held_at_rest();

	for (i = 0; i < WORKERS; i++) {
		long line = seen->wrong[i];

		EXPECT_EQ(0, line) TH_LOG("worker %d: line %ld", i, line);
	}
	/* It was in use, and it was away. */
	EXPECT_LT(500 * cycles / CYCLES, seen->with);
	EXPECT_LT(500 * cycles / CYCLES, seen->without);
	EXPECT_LT(50 * cycles / CYCLES, seen->ooms);
	EXPECT_LT(5 * cycles / CYCLES, seen->spared);
	EXPECT_LT(20 * cycles / CYCLES, seen->roles);
	EXPECT_LT(20 * cycles / CYCLES, seen->opens);
	EXPECT_LT(100 * cycles / CYCLES, seen->forks);
	TH_LOG("prctl with %ld, without %ld; OOM kills %ld, spared %ld; roles %ld, opens %ld, forks %ld; held %lld, then %lld kB",
	       seen->with, seen->without, seen->ooms, seen->spared, seen->roles, seen->opens,
	       seen->forks, settled, held);

	ASSERT_LT(0, settled);
	EXPECT_LT(held, settled + LEAK_KB);
	EXPECT_NE(0, access("/sys/kernel/slab/tbtf_mark", F_OK));
	EXPECT_NE(0, access(TU_SYSFS, F_OK));
	EXPECT_NE(0, access("/dev/tbtf", F_OK));
	EXPECT_NE(0, access("/sys/module/tbtf", F_OK));
	EXPECT_NE(0, access(TU_CGROUP "/load/memory.tbtf", F_OK));
}

TEST_HARNESS_MAIN
