// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - soak: those who keep everything else changing
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

#define SELF	"/proc/self/exe"

/* --- the module ---------------------------------------------------------- */

int soak_load(const char *params)
{
	struct utsname u;
	char path[160];
	int fd, err = 0;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/tbtf.ko", u.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		err = -errno;
	close(fd);
	return err;
}

int soak_unload(int ms)
{
	int err = 0;

	/* EAGAIN: somebody has the device open just now. */
	TU_WAIT_FOR(!(err = syscall(SYS_delete_module, "tbtf", O_NONBLOCK) ? errno : 0) ||
		    err != EAGAIN, ms);
	return -err;
}

/* Off, dry, or out and in again: at most so often that the rest is calm as well. */
void switch_step(void)
{
	static const char *const params[] = {
		"", " policy=largest", " policy=weighted", " substitute=always", " nap_ms=500",
		" on_exhausted_memcg=wait",
	};
	const char *knob = NULL;
	char line[256];
	int err, words;

	AT("switch: rests");
	tu_nap_ms(500 + below(2000));
	if (!soak->wild || soak->phase != SOAK_WORK)
		return;
	__atomic_add_fetch(&soak->off, 1, __ATOMIC_SEQ_CST);
	if (soak->still || one_in(2))
		knob = one_in(2) ? "enabled" : "dry_run";
	if (knob) {
		AT("switch: %s", knob);
		err = tu_knob_set(knob, knob[0] == 'e' ? "0" : "1");
		MUST(!err, "%s: %d", knob, err);
		tu_nap_ms(below(400));
		err = tu_knob_set(knob, knob[0] == 'e' ? "1" : "0");
		MUST(!err, "%s: %d", knob, err);
		count(&soak->seen.switches);
	} else {
		AT("switch: unloads");
		err = soak_unload(60000);
		MUST(!err, "unload: %d", err);
		tu_nap_ms(below(300));
		AT("switch: loads");
		words = snprintf(line, sizeof(line), SOAK_PARAMS "%s", params[below(6)]);
		if (one_in(2)) {
			/* A reserve that is not to be had keeps it from loading. */
			snprintf(line + words, sizeof(line) - words, " reserve_kb=4096");
			if (soak_load(line))
				line[words] = '\0';
			else
				words = 0;
		}
		/* There may be no memory for it just now. */
		err = 0;
		if (words)
			TU_WAIT_FOR((err = soak_load(line)) != -ENOMEM, 60000);
		MUST(!err, "load: %d", err);
		count(&soak->seen.reloads);
	}
	__atomic_add_fetch(&soak->off, 1, __ATOMIC_SEQ_CST);
}

/* What a module that goes, a process that goes, and no memory answer. */
static bool gone(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ESRCH || err == -ENXIO ||
	       err == -ENOMEM;
}

/* --- knobs ---------------------------------------------------------------- */

void knob_step(void)
{
	static const struct {
		const char *name;
		const char *values[5];
	} knobs[] = {
		{ "policy", { "uniform", "weighted", "largest" } },
		{ "substitute", { "chosen", "always" } },
		{ "min_victim_kb", { "0", "64", "512" } },
		{ "max_kills", { "512", "1024" } },
		{ "max_marks", { "200", "1024", "65536" } },
		{ "nap_ms", { "1", "20", "200", "1000" } },
		{ "episode_idle_ms", { "100", "500", "3000" } },
		{ "ladder_deadline_ms", { "0", "100", "800", "3000" } },
		{ "on_exhausted_memcg", { "kill", "wait" } },
		{ "panic_reboot_s", { "0", "10" } },
		/* ENOMEM: so much is not to be had just now, and all is as it was. */
		{ "reserve_kb", { "0", "1024", "4096", "16384" } },
		{ "print_rate_kb", { "0", "4096", "1000000" } },
		{ "guard", { "0", "1" } },
	};
	static const char *const bad[] = { " ", "-1", "x", "99999999999", "uniform weighted" };
	char was[64], is[64];
	struct calm calm = calm_begin();
	int k = below(sizeof(knobs) / sizeof(knobs[0])), n = 0, err;
	const char *value;

	AT("knob: %s", knobs[k].name);
	tu_nap_ms(below(300));
	if (one_in(4)) {
		err = tu_knob_get(knobs[k].name, was, sizeof(was));
		n = tu_knob_set(knobs[k].name, bad[below(5)]);
		MUST(n < 0 || !was_on(calm), "%s took what is bad", knobs[k].name);
		if (err >= 0 && tu_knob_get(knobs[k].name, is, sizeof(is)) >= 0 && was_on(calm))
			MUST(!strcmp(was, is), "%s: %s, then %s", knobs[k].name, was, is);
		count(&soak->seen.knobs);
		return;
	}
	while (n < 5 && knobs[k].values[n])
		n++;
	value = knobs[k].values[below(n)];
	err = tu_knob_set(knobs[k].name, value);
	MUST(!err || gone(err), "%s=%s: %d", knobs[k].name, value, err);
	if (!err && tu_knob_get(knobs[k].name, is, sizeof(is)) >= 0 && was_on(calm))
		MUST(!strcmp(is, value), "%s: %s set, %s read", knobs[k].name, value, is);
	count(&soak->seen.knobs);
}

/* --- reading --------------------------------------------------------------- */

static void read_all(const char *dir)
{
	static char buf[65536];
	struct dirent *entry;
	DIR *d = opendir(dir);

	if (!d)
		return;
	while ((entry = readdir(d)))
		if (entry->d_type == DT_REG)
			tu_read(buf, sizeof(buf), "%s/%s", dir, entry->d_name);
	closedir(d);
}

/* Any process that may die; 0 if there is none. */
static pid_t anyone(void)
{
	char buf[4096], path[300];
	struct dirent *entry;
	pid_t pid = 0;
	DIR *d = opendir(TU_CGROUP "/" SOAK_CG);
	int n = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || !one_in(++n))
			continue;
		snprintf(path, sizeof(path), TU_CGROUP "/" SOAK_CG "/%s/cgroup.procs", entry->d_name);
		if (tu_read(buf, sizeof(buf), "%s", path) > 0)
			pid = atoi(buf);
	}
	closedir(d);
	return pid;
}

void read_step(void)
{
	static const uint32_t policies[] = {
		TBTF_POLICY_SET, TBTF_POLICY_UNIFORM, TBTF_POLICY_WEIGHTED, TBTF_POLICY_LARGEST,
	};
	struct tbtf_preview pv;
	struct tbtf_info info;
	int32_t pids[8];
	pid_t pid;
	int err;

	AT("read: sysfs");
	read_all(TU_SYSFS);
	read_all(TU_SYSFS "/stats");
	read_all(TU_SYSFS "/economy");
	count(&soak->seen.reads);
	AT("read: somebody");
	pid = anyone();
	if (!pid)
		return;
	err = tu_query(pid, &info);
	MUST(!err || gone(err), "query: %d", err);
	AT("read: preview for %d", pid);
	err = tu_draw(pid, NULL, policies[below(4)], pids, 8, &pv);
	MUST(!err || gone(err), "preview: %d", err);
	if (!err) {
		MUST(pv.nr_candidates || pv.band >= TBTF_BAND_BIGGER, "preview: band %u of nobody",
		     pv.band);
		count(&soak->seen.previews);
	}
	AT("read: rests");
	tu_nap_ms(below(200));
}

/* --- a helper ------------------------------------------------------------------ */

/* Be the helper for so long, and answer as it comes: also what is no answer, or a lie. */
static void be_helper(int fd, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	long long until = tu_now_ms() + ms;
	struct tbtf_request req;
	struct tbtf_answer a;
	int what, n;

	while (tu_now_ms() < until && poll(&poll_fd, 1, 100) >= 0) {
		if (!(poll_fd.revents & POLLIN))
			continue;
		n = read(fd, &req, sizeof(req)) < 0 ? -errno : 0;
		/* EAGAIN: that episode is over. */
		MUST(!n || n == -EAGAIN, "request: %d", n);
		if (n)
			continue;
		count(&soak->seen.requests);
		MUST(req.id && req.wanted_kb && req.rung == TBTF_RUNG_STEAL, "request of rung %u",
		     req.rung);
		what = below(5);
		if (what == 4)
			continue;	/* not a word */
		a = (struct tbtf_answer){
			.id = req.id, .granted_kb = what == 1 ? req.wanted_kb : 0,
			.result = what == 1 ? TBTF_ANSWER_GRANTED :
				  what == 2 ? TBTF_ANSWER_PENDING : TBTF_ANSWER_REFUSED,
		};
		if (what == 3)
			tu_nap_ms(below(300));
		n = ioctl(fd, TBTF_IOC_ANSWER, &a) ? -errno : 0;
		MUST(!n || n == -ESRCH, "answer %u: %d", a.result, n);
	}
}

/* One that leaves, or dies in the middle of it; also as a child that others outlive. */
void helper_step(void)
{
	struct tbtf_helper helper = { .rungs = TBTF_RUNG_STEAL };
	int fd, err, ms = below(2000);
	pid_t pid = -1;

	AT("helper: rests");
	tu_nap_ms(below(1000));
	if (soak->phase != SOAK_WORK)
		return;
	AT("helper: opens");
	fd = open("/dev/tbtf", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		MUST(gone(-errno), "/dev/tbtf: %d", -errno);
		return;
	}
	tu_cg_make(SOAK_CG "/helper");
	if (one_in(2)) {
		pid = soak_fork(SOAK_CG "/helper");
		if (pid < 0)
			goto out;
	}
	if (pid > 0) {
		AT("helper: has a child be it");
		tu_nap_ms(below(ms + 1));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		goto out;	/* the file is open still, and nobody's */
	}
	err = ioctl(fd, TBTF_IOC_HELPER, &helper) ? -errno : 0;
	/* EBUSY: the last one is not quite gone. ENOSPC: max_marks. */
	MUST(!err || err == -EBUSY || err == -ENOSPC || gone(err), "helper: %d", err);
	if (!err) {
		AT("helper: is it");
		count(&soak->seen.helpers);
		be_helper(fd, ms);
	}
	if (!pid)
		for (;;)
			pause();
out:
	close(fd);
}

/* --- processes ------------------------------------------------------------- */

pid_t soak_fork(const char *cg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tu_cg_enter(cg, 0) || tu_adj_set(0, 0))
			_exit(99);
	}
	return pid;
}

int soak_is_marked(void)
{
	int flags = tu_mark_get();

	return flags == TBTF_ON ? 0 : flags < 0 ? 98 : 97;
}

static void *exec_it(void *arg)
{
	execl(SELF, "soak", "is-marked", (char *)NULL);
	_exit(99);
	return arg;
}

/* Born, marked, executed, forked, gone: what follows a mark, and what does not. */
void fork_step(void)
{
	struct calm calm = calm_begin();
	int what = below(5), status, code;
	char *argv[] = { "soak", "nothing", NULL };
	pid_t pid;

	AT("fork: %d", what);
	tu_cg_make(SOAK_CG "/fork");
	if (what == 4) {
		/* As a shell does: vfork and exec. */
		if (!posix_spawn(&pid, SELF, NULL, NULL, argv, NULL))
			waitpid(pid, &status, 0);
		count(&soak->seen.forks);
		return;
	}
	pid = soak_fork(SOAK_CG "/fork");
	if (pid < 0) {
		tu_nap_ms(50);
		return;
	}
	if (!pid) {
		code = what ? -tu_mark(TBTF_ON) : 0;
		if (code)
			_exit(code == EINVAL ? 98 : 99);
		/* Its own word, taken back. */
		if (!what && !tu_mark(TBTF_ON) && (tu_mark(0) || tu_mark_get()))
			_exit(95);
		if (what == 1)
			exec_it(NULL);
		if (what == 2) {
			/* A child is not marked, whatever the parent is. */
			pid = fork();
			if (!pid)
				_exit(tu_mark_get() > 0 ? 96 : 0);
			if (pid > 0)
				waitpid(pid, &status, 0);
			_exit(pid < 0 || !WIFEXITED(status) ? 99 : WEXITSTATUS(status));
		}
		if (what == 3) {
			pthread_t thread;

			/* Another thread than the first executes. */
			if (pthread_create(&thread, NULL, exec_it, NULL))
				_exit(99);
			for (;;)
				pause();
		}
		_exit(0);
	}
	status = tu_wait(pid, 120000);
	MUST(status >= 0, "%d does not end: %d", what, status);
	if (status < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return;
	}
	count(what & 1 ? &soak->seen.execs : &soak->seen.forks);
	/* 98: not loaded, 99: something failed for want of memory, or of places. */
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	MUST(WIFEXITED(status) || WTERMSIG(status) == SIGKILL, "%d ended with 0x%x", what, status);
	if (was_on(calm))
		MUST(!code || code == 99, "%d: code %d", what, code);
	tu_nap_ms(below(20));
}

/* --- marks from outside ------------------------------------------------------ */

#define POOL	6

void mark_step(void)
{
	static struct { pid_t pid; uint32_t role; unsigned int off; } pool[POOL];
	static const uint32_t roles[] = {
		TBTF_ROLE_INHERIT, TBTF_ROLE_TBTF, TBTF_ROLE_SPARE, TBTF_ROLE_EXPENDABLE,
		TBTF_ROLE_ORDINARY,
	};
	struct calm calm = calm_begin();
	int i = below(POOL), err;
	struct tbtf_info info;

	tu_nap_ms(below(50));
	tu_cg_make(SOAK_CG "/marks");
	if (pool[i].pid && (one_in(6) || !tu_alive(pool[i].pid))) {
		AT("mark: kills %d", pool[i].pid);
		/* Sometimes while it is given a role. */
		kill(pool[i].pid, SIGKILL);
		if (one_in(2))
			tu_role_set(pool[i].pid, TBTF_ROLE_TBTF, 0);
		waitpid(pool[i].pid, NULL, 0);
		pool[i].pid = 0;
	}
	if (!pool[i].pid) {
		AT("mark: forks");
		pool[i].pid = soak_fork(SOAK_CG "/marks");
		if (!pool[i].pid)
			for (;;)
				pause();
		if (pool[i].pid < 0)
			pool[i].pid = 0;
		pool[i].role = TBTF_ROLE_INHERIT;
		pool[i].off = calm.off;
		return;
	}
	if (pool[i].off != soak->off) {
		pool[i].role = TBTF_ROLE_INHERIT;	/* as far as is known */
		pool[i].off = soak->off;
		if (tu_role_set(pool[i].pid, TBTF_ROLE_INHERIT, 0))
			return;
	}
	AT("mark: %d", pool[i].pid);
	err = tu_query(pool[i].pid, &info);
	if (!err && was_on(calm))
		MUST(info.role == pool[i].role, "%d: role %u, is %u", pool[i].pid, pool[i].role,
		     info.role);
	MUST(!err || gone(err), "query: %d", err);
	pool[i].role = roles[below(5)];
	err = tu_role_set(pool[i].pid, pool[i].role, 0);
	MUST(!err || gone(err), "role %u: %d", pool[i].role, err);
	if (err)
		pool[i].off--;		/* not known any more */
	count(&soak->seen.marks);
}

/* --- cgroups ------------------------------------------------------------------ */

static const char *const names[] = { "inherit", "tbtf", "spare", "expendable", "ordinary" };

static void expect_effective(const char *cg, int role, struct calm calm)
{
	char buf[64];
	int n = tu_read(buf, sizeof(buf), TU_CGROUP "/%s/memory.tbtf.effective", cg);

	if (n >= 0 && was_on(calm))
		MUST(!strcmp(buf, names[role ?: 4]), "%s: %s, wanted %s", cg, buf, names[role ?: 4]);
}

/* Made, given roles, moved into, removed; a file of it held open all the while. */
void cgroup_step(void)
{
	struct calm calm = calm_begin();
	char outer[40], inner[48], path[160];
	int a = below(5), b = below(5), ea, eb, fd;
	pid_t pid = 0;

	snprintf(outer, sizeof(outer), SOAK_CG "/c%d-%ld", (int)getpid(), seat->steps);
	snprintf(inner, sizeof(inner), "%s/in", outer);
	AT("cgroup: makes %s", outer);
	if (tu_cg_make(outer) || tu_cg_make(inner))
		goto out;
	ea = tu_cg_set(outer, "memory.tbtf", names[a]);
	eb = tu_cg_set(inner, "memory.tbtf", names[b]);
	MUST(!ea || gone(ea), "%s: %d", outer, ea);
	MUST(!eb || gone(eb), "%s: %d", inner, eb);
	if (one_in(3))
		tu_cg_set(outer, "memory.oom.group", "1");
	snprintf(path, sizeof(path), TU_CGROUP "/%s/memory.tbtf.events", inner);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!ea && !eb) {
		expect_effective(outer, a, calm);
		expect_effective(inner, b ?: a, calm);
	}
	if (one_in(2)) {
		AT("cgroup: forks into %s", inner);
		pid = soak_fork(inner);
		if (!pid)
			for (;;)
				pause();
		if (pid > 0 && one_in(2))
			tu_cg_enter(outer, pid);
	}
	tu_nap_ms(below(50));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* Of two the outer may lose the controller first. */
	if (one_in(4))
		tu_cg_set(outer, "cgroup.subtree_control", "-memory");
	if (fd >= 0) {
		pread(fd, path, sizeof(path), 0);
		close(fd);
	}
	count(&soak->seen.cgroups);
out:
	AT("cgroup: removes %s", outer);
	if (tu_cg_id(inner))
		MUST(!tu_cg_remove(inner), "%s", inner);
	if (tu_cg_id(outer))
		MUST(!tu_cg_remove(outer), "%s", outer);
}
