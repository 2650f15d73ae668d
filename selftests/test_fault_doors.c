// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - every door, with each allocation behind it refused once
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * prctl, /dev/tbtf, the files of cgroups, the knobs. What fails changes nothing
 * and gives an errno that is documented; what succeeds in spite of a fault has
 * done all of it. slab_nomerge, so that a mark left behind is seen when the
 * module goes; kmemleak sees the rest.
 *
 * vm: mem=256 smp=1 timeout=240 append=slab_nomerge
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "fault.h"

#define DEVICE	"/dev/tbtf"
#define ROLE	TU_CGROUP "/role/memory.tbtf"
#define LIMIT	2000		/* faults of one operation: more are a loop of ours */

static int nth_fd, dev_fd, self_fd, other_fd, cg_fd;
static pid_t other;

/*
 * An operation: run() gives -errno; is() says whether what it is to do has been
 * done, at any time; undo() makes it undone. sure: it cannot fail.
 */
struct op {
	const char *name;
	int (*run)(void);
	bool (*is)(void);
	void (*undo)(void);
	bool nomem;		/* one allocation refused gives ENOMEM */
	bool all_nomem;		/* all of them refused give ENOMEM */
	bool copies;		/* nothing but a copy from or to user space can fail */
	bool sure;
};

/* --- prctl ------------------------------------------------------------------ */

static int mark(void)
{
	return tu_mark(TBTF_ON);
}

static bool marked(void)
{
	return tu_mark_get() == TBTF_ON;
}

static void unmark(void)
{
	tu_mark(0);
}

static int unmark_self(void)
{
	return tu_mark(0);
}

static bool not_marked(void)
{
	return tu_mark_get() == 0;
}

static void mark_self(void)
{
	tu_mark(TBTF_ON);
}

static int get_mark(void)
{
	return tu_mark_get();
}

/* --- /dev/tbtf -------------------------------------------------------------- */

static int opened = -1;

static int open_device(void)
{
	opened = open(DEVICE, O_RDWR | O_CLOEXEC);
	return opened < 0 ? -errno : 0;
}

static bool is_open(void)
{
	return opened >= 0;
}

static void close_device(void)
{
	if (opened >= 0)
		close(opened);
	opened = -1;
}

static int dev(unsigned long cmd, void *arg)
{
	return ioctl(dev_fd, cmd, arg) ? -errno : 0;
}

static struct tbtf_version version;

static int get_version(void)
{
	return dev(TBTF_IOC_VERSION, &version);
}

static bool version_right(void)
{
	return version.abi == TBTF_ABI_VERSION;
}

static void forget_version(void)
{
	version.abi = 0;
}

static int mark_other(void)
{
	struct tbtf_mark_args args = { .pidfd = other_fd, .role = TBTF_ROLE_SPARE };

	return dev(TBTF_IOC_MARK, &args);
}

static uint32_t role_of_other(void)
{
	struct tbtf_query q = { .pidfd = other_fd };

	return dev(TBTF_IOC_QUERY, &q) ? ~0U : q.info.role;
}

static bool other_marked(void)
{
	return role_of_other() == TBTF_ROLE_SPARE;
}

static void unmark_other(void)
{
	struct tbtf_mark_args args = { .pidfd = other_fd, .role = TBTF_ROLE_INHERIT };

	dev(TBTF_IOC_MARK, &args);
}

static struct tbtf_query query;

static int query_other(void)
{
	return dev(TBTF_IOC_QUERY, &query);
}

static bool query_right(void)
{
	return query.info.pid == other;
}

static void forget_query(void)
{
	memset(&query, 0, sizeof(query));
	query.pidfd = other_fd;
}

static struct tbtf_info infos[4];
static struct tbtf_list list;

static int get_list(void)
{
	return dev(TBTF_IOC_LIST, &list);
}

static bool list_right(void)
{
	return list.total == 1 && list.count == 1 && infos[0].pid == other;
}

static void forget_list(void)
{
	mark_other();
	memset(infos, 0, sizeof(infos));
	memset(&list, 0, sizeof(list));
	list.count = 4;
	list.entries = (uintptr_t)infos;
}

#define DRAWS	4
static struct tbtf_candidate candidates[64];
static int32_t draws[DRAWS];
static struct tbtf_preview preview;

static int get_preview(void)
{
	return dev(TBTF_IOC_PREVIEW, &preview);
}

static bool preview_right(void)
{
	return preview.total > 0 && preview.count == preview.total && candidates[0].pid > 0;
}

static void forget_preview(void)
{
	memset(candidates, 0, sizeof(candidates));
	memset(&preview, 0, sizeof(preview));
	preview.pidfd = self_fd;
	preview.cgroup = -1;
	preview.flags = TBTF_PREVIEW_ALL;
	preview.count = 64;
	preview.entries = (uintptr_t)candidates;
	preview.nr_draws = DRAWS;
	preview.draws = (uintptr_t)draws;
}

static void forget_preview_cgroup(void)
{
	forget_preview();
	preview.cgroup = cg_fd;
}

static int helper_fd = -1;

static void helper_open(void)
{
	if (helper_fd >= 0)
		close(helper_fd);
	helper_fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	tu_mark(0);
}

static int be_helper(void)
{
	struct tbtf_helper args = { .rungs = TBTF_RUNG_STEAL };

	return ioctl(helper_fd, TBTF_IOC_HELPER, &args) ? -errno : 0;
}

/* And spare by that, which it is without only where something went wrong. */
static bool is_helper(void)
{
	struct tbtf_query q = { .pidfd = self_fd };
	bool is = tu_read_ll(TU_SYSFS "/helper") == getpid();
	bool spare = !dev(TBTF_IOC_QUERY, &q) && q.info.role == TBTF_ROLE_SPARE;

	return is == spare ? is : !is;
}

/* --- cgroups ---------------------------------------------------------------- */

static int set_role(void)
{
	int ret = tu_cg_set("role", "memory.tbtf", "expendable");

	return ret < 0 ? ret : 0;
}

static bool role_set(void)
{
	char buf[64];

	return tu_read(buf, sizeof(buf), ROLE) > 0 && !strcmp(buf, "expendable");
}

/* The record goes with the cgroup only, so a new one each time. */
static void new_cgroup(void)
{
	tu_cg_remove("role");
	tu_cg_make("role");
}

/* And to one that has a record already. */
static void set_tbtf(void)
{
	tu_cg_set("role", "memory.tbtf", "tbtf");
}

static char text[256];
static const char *file;

static int read_file(void)
{
	int ret = tu_read(text, sizeof(text), "%s", file);

	return ret < 0 ? ret : 0;
}

static bool read_it(void)
{
	return text[0];
}

static void forget_text(void)
{
	text[0] = '\0';
}

static int polled;

static int poll_events(void)
{
	struct epoll_event ev = { .events = EPOLLPRI };
	int fd, ep, ret = 0;

	polled = 0;
	fd = open(TU_CGROUP "/role/memory.tbtf.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		ret = -errno;
	else if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) || epoll_wait(ep, &ev, 1, 0) < 0)
		ret = -errno;
	else
		polled = 1;
	if (ep >= 0)
		close(ep);
	close(fd);
	return ret;
}

static bool was_polled(void)
{
	return polled;
}

static void nothing(void)
{
}

static int make_cgroup(void)
{
	return mkdir(TU_CGROUP "/doors/made", 0755) ? -errno : 0;
}

/* All of its files, or no cgroup. */
static bool cgroup_made(void)
{
	static const char *const names[] = { "", ".effective", ".events" };
	unsigned int i, n = 0;

	for (i = 0; i < 3; i++) {
		char path[128];

		snprintf(path, sizeof(path), TU_CGROUP "/doors/made/memory.tbtf%s", names[i]);
		n += !access(path, F_OK);
	}
	if (access(TU_CGROUP "/doors/made", F_OK))
		return n;	/* files of a cgroup that is not there: worse than wrong */
	return n == 3 && tu_cg_set("doors/made", "memory.tbtf", "spare") >= 0;
}

static void remove_cgroup(void)
{
	tu_cg_remove("doors/made");
}

static int rmdir_cgroup(void)
{
	return rmdir(TU_CGROUP "/doors/made") ? -errno : 0;
}

static bool cgroup_gone(void)
{
	return access(TU_CGROUP "/doors/made", F_OK);
}

static void make_with_role(void)
{
	mkdir(TU_CGROUP "/doors/made", 0755);
	tu_cg_set("doors/made", "memory.tbtf", "tbtf");
}

/* --- sysfs ------------------------------------------------------------------ */

static int set_knob(void)
{
	int ret = tu_knob_set("nap_ms", "77");

	return ret < 0 ? ret : 0;
}

static bool knob_set(void)
{
	return tu_read_ll(TU_SYSFS "/nap_ms") == 77;
}

static void reset_knob(void)
{
	tu_knob_set("nap_ms", "200");
}

/* The pages are taken by a work item; this is about who waits for it. */
static int set_reserve(void)
{
	int ret = tu_knob_set("reserve_kb", "2048");

	return ret < 0 ? ret : 0;
}

static bool reserve_set(void)
{
	return tu_read_ll(TU_SYSFS "/reserve_kb") == 2048 &&
	       tu_read_ll(TU_SYSFS "/reserve_held_kb") == 2048;
}

static void no_reserve(void)
{
	tu_knob_set("reserve_kb", "0");
}

static const struct op ops[] = {
	{ "PR_SET_TBTF", mark, marked, unmark, .nomem = true, .all_nomem = true },
	{ "PR_SET_TBTF 0", unmark_self, not_marked, mark_self, .sure = true },
	{ "PR_GET_TBTF", get_mark, not_marked, unmark, .sure = true },
	{ "open", open_device, is_open, close_device, .nomem = true, .all_nomem = true },
	{ "VERSION", get_version, version_right, forget_version, .copies = true },
	{ "MARK", mark_other, other_marked, unmark_other, .nomem = true, .all_nomem = true },
	{ "QUERY", query_other, query_right, forget_query, .copies = true },
	{ "LIST", get_list, list_right, forget_list, .nomem = true, .all_nomem = true },
	/* Its table comes from vmalloc when the first try fails, so one fault is no harm. */
	{ "PREVIEW", get_preview, preview_right, forget_preview, .all_nomem = true },
	{ "PREVIEW of a cgroup", get_preview, preview_right, forget_preview_cgroup,
	  .all_nomem = true },
	{ "HELPER", be_helper, is_helper, helper_open, .nomem = true, .all_nomem = true },
	{ "memory.tbtf", set_role, role_set, new_cgroup, .nomem = true },
	{ "memory.tbtf again", set_role, role_set, set_tbtf, .nomem = true },
	{ "epoll of memory.tbtf.events", poll_events, was_polled, nothing, .nomem = true },
	{ "mkdir", make_cgroup, cgroup_made, remove_cgroup, .nomem = true, .all_nomem = true },
	{ "rmdir", rmdir_cgroup, cgroup_gone, make_with_role, .nomem = true },
	{ "nap_ms", set_knob, knob_set, reset_knob, .nomem = true },
	{ "reserve_kb", set_reserve, reserve_set, no_reserve, .nomem = true },
};

static const char *const files[] = {
	ROLE, TU_CGROUP "/role/memory.tbtf.effective", TU_CGROUP "/role/memory.tbtf.events",
	TU_SYSFS "/policy", TU_SYSFS "/features", TU_SYSFS "/marked", TU_SYSFS "/stats/rounds",
	TU_SYSFS "/reserve_held_kb", TU_SYSFS "/economy/left_ms",
	"/sys/module/tbtf/parameters/policy",
};

FIXTURE(doors) {
	int unused;
};

FIXTURE_SETUP(doors)
{
	if (!fault_there())
		return;		/* as each test says */
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, fault_setup());
	nth_fd = fault_open();
	ASSERT_LE(0, nth_fd);
	dev_fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev_fd);
	self_fd = tu_pidfd(getpid());
	ASSERT_LE(0, self_fd);
	other = fork();
	if (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	other_fd = tu_pidfd(other);
	ASSERT_LE(0, other_fd);
	ASSERT_EQ(0, tu_cg_make("role"));
	ASSERT_EQ(0, tu_cg_make("doors"));
	/* Its child is to have the files. */
	ASSERT_LE(0, tu_cg_set("doors", "cgroup.subtree_control", "+memory"));
	cg_fd = open(TU_CGROUP "/doors", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, cg_fd);
}

FIXTURE_TEARDOWN(doors)
{
	if (!fault_there())
		return;
	fault_arm(nth_fd, 0);
	close_device();
	if (helper_fd >= 0)
		close(helper_fd);
	helper_fd = -1;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(cg_fd);
	tu_cg_remove("doors/made");
	EXPECT_EQ(0, tu_cg_remove("role"));
	EXPECT_EQ(0, tu_cg_remove("doors"));
	unmark();
	EXPECT_TRUE(TU_WAIT_FOR(tu_read_ll(TU_SYSFS "/marked") == 0, 5000));
}

/* How often a fault gave ENOMEM; -1 on a failure. */
static int each_fault(struct __test_metadata *_metadata, const struct op *op, int *ret_faults)
{
	int n, ret, nomem = 0;
	bool fired;

	for (n = 1; n < LIMIT; n++) {
		op->undo();
		fault_arm(nth_fd, n);
		ret = op->run();
		fired = fault_fired(nth_fd);
		if (!fired)
			break;
		nomem += ret == -ENOMEM;
		EXPECT_TRUE(ret >= 0 || ret == -ENOMEM || ret == -EFAULT)
			TH_LOG("%s, fault %d: %s", op->name, n, strerror(-ret));
		EXPECT_EQ(ret >= 0, op->is())
			TH_LOG("%s, fault %d: it gave %d", op->name, n, ret);
	}
	*ret_faults = n - 1;
	EXPECT_EQ(false, fired) TH_LOG("%s: no end after %d faults", op->name, n);
	EXPECT_LE(0, ret) TH_LOG("%s: %s without a fault", op->name, strerror(-ret));
	EXPECT_TRUE(op->is()) TH_LOG("%s: not done", op->name);
	op->undo();
	return nomem;
}

TEST_F_TIMEOUT(doors, each_allocation_refused_once, 600)
{
	int nomem, faults;
	unsigned int i;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		nomem = each_fault(_metadata, &ops[i], &faults);
		TH_LOG("%s: %d faults, %d times ENOMEM", ops[i].name, faults, nomem);
		EXPECT_EQ(ops[i].nomem, nomem > 0) TH_LOG("%s", ops[i].name);
		if (!ops[i].copies || fault_copies_there())
			EXPECT_EQ(ops[i].sure, faults == 0) TH_LOG("%s", ops[i].name);
	}
}

TEST_F_TIMEOUT(doors, each_file_read_with_each_allocation_refused_once, 600)
{
	struct op op = { "", read_file, read_it, forget_text };
	int nomem, faults;
	unsigned int i;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		op.name = file = files[i];
		nomem = each_fault(_metadata, &op, &faults);
		TH_LOG("%s: %d faults, %d times ENOMEM", file, faults, nomem);
		EXPECT_LT(0, nomem) TH_LOG("%s", file);
	}
}

TEST_F(doors, all_allocations_refused)
{
	unsigned int i;
	int ret;

	if (!fault_there())
		SKIP(return, FAULT_NONE);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!ops[i].all_nomem && !ops[i].sure)
			continue;
		ops[i].undo();
		fault_all(true);
		ret = ops[i].run();
		fault_all(false);
		EXPECT_EQ(ops[i].sure ? 0 : -ENOMEM, ret) TH_LOG("%s", ops[i].name);
		EXPECT_EQ(ret >= 0, ops[i].is()) TH_LOG("%s", ops[i].name);
		EXPECT_EQ(0, ops[i].run()) TH_LOG("%s, afterwards", ops[i].name);
		EXPECT_TRUE(ops[i].is()) TH_LOG("%s, afterwards", ops[i].name);
		ops[i].undo();
	}
}

TEST_HARNESS_MAIN
