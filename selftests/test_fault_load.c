// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - loading the module, with each allocation of its init refused once
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * fail_init.ko begins to count where tbtf's init is called: what the kernel
 * allocates for any module before that is left alone. Either the load fails with
 * ENOMEM and nothing of tbtf is left, or it has done without and all is in place.
 * A reserve is asked for: where it is taken already, it has to be given back.
 * slab_nomerge, so that tbtf_mark has a slab of its own, and can be seen to go.
 */
/*
 * slub_debug=A says which slabs may refuse: nearly all, but not those of kmemleak
 * and of debugobjects, which do without and would take half of the time.
 */
/* vm: mem=256 smp=1 module=no timeout=800 */
/* vm: append="slab_nomerge slub_debug=A,a*,b*,c*,dent*,dma*,e*,f*,g*,h*,i*,j*,kmal*,kern*,l*,m*,n*,p*,r*,s*,t*,u*,v*" */
/* vm-allow: tbtf: .* not loading */
/* Which ones is looked at here: leaked(). */
/* vm-allow: kmemleak: [0-9]+ new suspected memory leaks */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "kselftest_harness.h"
#include "fault.h"

#define PARAM	"/sys/module/fail_init/parameters/"
#define LIMIT	3000
#define RESERVE	8192	/* kB, taken by each load */
#define SPARED	10	/* no load in a row meets its fault: they are not all of a length */

static char features[256];	/* of a load without a fault */
static int files;

static int load(const char *module)
{
	char path[512], params[32] = "";
	struct utsname u;
	int fd, ret;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/%s.ko", u.release, module);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!strcmp(module, "tbtf"))
		snprintf(params, sizeof(params), "reserve_kb=%d", RESERVE);
	ret = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(const char *module)
{
	if (!TU_WAIT_FOR(!syscall(SYS_delete_module, module, O_NONBLOCK) || errno != EAGAIN, 20000))
		return -EAGAIN;
	return access("/sys/module/tbtf", F_OK) ? 0 : -EBUSY;
}

static int count_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	char sub[512];
	int n = 0;

	if (!dir)
		return 0;
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		n++;
		if (d->d_type != DT_DIR)
			continue;
		snprintf(sub, sizeof(sub), "%s/%.200s", path, d->d_name);
		n += count_files(sub);
	}
	closedir(dir);
	return n;
}

/* Is there a task of this name? */
static bool task_there(const char *name)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	char comm[32];
	bool there = false;

	while (!there && dir && (d = readdir(dir)))
		there = d->d_name[0] >= '0' && d->d_name[0] <= '9' &&
			tu_read(comm, sizeof(comm), "/proc/%.16s/comm", d->d_name) > 0 &&
			!strcmp(comm, name);
	if (dir)
		closedir(dir);
	return there;
}

/* kB */
static long long free_memory(void)
{
	static char buf[4096];
	const char *line;

	if (tu_read(buf, sizeof(buf), "/proc/meminfo") < 0)
		return -1;
	line = strstr(buf, "MemFree:");
	return line ? atoll(line + 8) : -1;
}

/* What is there and should not be; NULL if nothing is. */
static const char *left_over(void)
{
	static const char *const paths[] = {
		TU_SYSFS, "/dev/tbtf", "/sys/class/misc/tbtf", "/sys/module/tbtf",
		"/sys/kernel/slab/tbtf_mark", "/sys/kernel/tracing/events/tbtf",
		TU_CGROUP "/load/memory.tbtf", TU_CGROUP "/load/memory.tbtf.effective",
		TU_CGROUP "/load/memory.tbtf.events",
	};
	static char hooked[16384];
	unsigned int i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!access(paths[i], F_OK))
			return paths[i];
	if (tu_mark_get() != -EINVAL)
		return "prctl";
	if (tu_read(hooked, sizeof(hooked), "/sys/kernel/tracing/enabled_functions") < 0)
		return "/sys/kernel/tracing/enabled_functions (not to be read)";
	if (strstr(hooked, "tbtf") || strstr(hooked, "redirect"))
		return "a hook";
	if (task_there("tbtf_reserve"))
		return "the rescuer of the reserve's workqueue";
	return NULL;
}

/* What is missing of a module that is loaded; NULL if nothing is. */
static const char *missing(void)
{
	static char now[256];

	if (tu_read(now, sizeof(now), TU_SYSFS "/features") < 0)
		return TU_SYSFS;
	if (strcmp(now, features))
		return now;
	if (count_files(TU_SYSFS) != files)
		return "some file in " TU_SYSFS;
	if (tu_read_ll(TU_SYSFS "/reserve_held_kb") != RESERVE)
		return "its reserve";
	if (access("/sys/class/misc/tbtf", F_OK))
		return "the device";
	if (access(TU_CGROUP "/load/memory.tbtf.events", F_OK))
		return "memory.tbtf.events";
	if (tu_mark(TBTF_ON) || tu_mark_get() != TBTF_ON || tu_mark(0))
		return "prctl";
	return NULL;
}

/*
 * Linux 6.1 itself leaks the name of a slab whose files cannot be made: known, and
 * so forgotten, if that is all. What is found afterwards is a failure as ever.
 */
static const char *leaked(void)
{
	static const char path[] = FAULT_DEBUGFS "/kmemleak";
	static char report[1 << 20];
	char *object, *next;
	ssize_t n, len = 0;
	int fd;

	if (access(path, F_OK))
		return NULL;
	/* An object is reported when two scans five seconds apart miss it. */
	tu_write("scan", path);
	sleep(6);
	tu_write("scan", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "kmemleak: cannot be read";
	while (len < (ssize_t)sizeof(report) - 1 &&
	       (n = read(fd, report + len, sizeof(report) - 1 - len)) > 0)
		len += n;
	close(fd);
	/* So that each test has its own only. */
	tu_write("clear", path);
	for (object = strstr(report, "unreferenced object"); object; object = next) {
		next = strstr(object + 1, "unreferenced object");
		if (next)
			next[-1] = '\0';
		if (!strstr(object, "sysfs_slab_add"))
			return object;
	}
	return NULL;
}

FIXTURE(load) {
	long long free;		/* kB */
};

FIXTURE_SETUP(load)
{
	if (!fault_there())
		return;		/* as each test says */
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, fault_setup());
	ASSERT_EQ(1, tu_read_ll("/sys/kernel/slab/kmalloc-64/failslab"));
	ASSERT_EQ(0, tu_read_ll("/sys/kernel/slab/kmemleak_object/failslab"));
	ASSERT_LE(0, tu_write("Y", FAULT_DEBUGFS "/failslab/cache-filter"));
	ASSERT_EQ(0, mkdir(TU_CGROUP "/load", 0755));
	ASSERT_EQ(0, load("fail_init"));
	ASSERT_EQ(NULL, left_over()) TH_LOG("%s", left_over());

	ASSERT_EQ(0, load("tbtf"));
	ASSERT_LT(0, tu_read(features, sizeof(features), TU_SYSFS "/features"));
	ASSERT_EQ(NULL, strchr(features, '-')) TH_LOG("%s", features);
	files = count_files(TU_SYSFS);
	ASSERT_EQ(NULL, missing()) TH_LOG("%s", missing());
	ASSERT_EQ(0, access("/dev/tbtf", F_OK));
	ASSERT_EQ(0, unload("tbtf"));
	ASSERT_EQ(NULL, left_over()) TH_LOG("%s", left_over());
	self->free = free_memory();
}

FIXTURE_TEARDOWN(load)
{
	const char *leak;

	if (!fault_there())
		return;
	EXPECT_LE(0, tu_write("0", PARAM "nth"));
	EXPECT_EQ(0, load("tbtf"));
	EXPECT_EQ(NULL, missing()) TH_LOG("%s", missing());
	EXPECT_EQ(0, unload("tbtf"));
	EXPECT_EQ(0, unload("fail_init"));
	/* Pages are nothing that kmemleak looks for. Some are kept by KASAN. */
	EXPECT_LT(self->free - 2 * RESERVE, free_memory())
		TH_LOG("%lld kB were free, now %lld", self->free, free_memory());
	rmdir(TU_CGROUP "/load");
	leak = leaked();
	EXPECT_EQ(NULL, leak) TH_LOG("%s", leak);
}

TEST_F_TIMEOUT(load, each_allocation_of_init_refused_once, 3600)
{
	int n, ret, left, failed = 0, spared = 0;
	char nth[16];

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	for (n = 1; n < LIMIT; n++) {
		snprintf(nth, sizeof(nth), "%d", n);
		ASSERT_LE(0, tu_write(nth, PARAM "nth"));
		ret = load("tbtf");
		left = tu_read_ll(PARAM "left");
		ASSERT_LE(0, left) TH_LOG("fault %d: init was not reached: %s", n, strerror(-ret));
		if (ret) {
			failed++;
			EXPECT_EQ(-ENOMEM, ret) TH_LOG("fault %d: %s", n, strerror(-ret));
		} else {
			EXPECT_EQ(NULL, missing())
				TH_LOG("fault %d: it loads without %s", n, missing());
			ASSERT_EQ(0, unload("tbtf")) TH_LOG("fault %d", n);
		}
		EXPECT_TRUE(TU_WAIT_FOR(!left_over(), 5000))
			TH_LOG("fault %d: still there: %s", n, left_over());
		spared = left ? spared + 1 : 0;
		if (spared == SPARED)
			break;
	}
	EXPECT_EQ(0, ret) TH_LOG("%s without a fault", strerror(-ret));
	EXPECT_LT(50, failed);
	TH_LOG("%d faults, %d of them let the load fail", n - SPARED, failed);
}

TEST_F_TIMEOUT(load, all_allocations_of_init_refused, 120)
{
	int ret;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	fault_all(false);
	ASSERT_LE(0, tu_write("0", PARAM "nth"));
	ASSERT_LE(0, tu_write("Y", PARAM "all"));
	ret = load("tbtf");
	ASSERT_LE(0, tu_write("N", PARAM "all"));
	EXPECT_EQ(-ENOMEM, ret) TH_LOG("%s", strerror(-ret));
	EXPECT_EQ(0, tu_read_ll(PARAM "left"));
	EXPECT_EQ(NULL, left_over()) TH_LOG("%s", left_over());
}

TEST_HARNESS_MAIN
