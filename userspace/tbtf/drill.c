// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - drill: a real OOM in a throwaway cgroup, to see that the hook works
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Two children in a new cgroup with a small memory.max and no swap: a marked
 * one that grows, and a smaller bystander worth being a victim. Together they
 * do not fit, the big one alone does. So there is one OOM, of this cgroup only:
 * without tbtf the big one dies, with it the bystander, and the big one
 * finishes and finds its data intact.
 *
 * Nothing else is touched: the cgroup is made below the root, where no limit
 * above can be hit, and only with plenty of memory free; the children die with
 * this process; and everything is removed on every way out. The root belongs
 * to systemd where that runs, which leaves cgroups alone that it has not made;
 * for a few seconds this is simpler, and fails less, than asking it for a scope.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

#define EXIT_NOT_DONE	2	/* the drill could not be done */
#define EXIT_NO_EFFECT	3	/* it was done, or not even that: enabled is 0, or dry_run 1 */

#define MIB		(1024ULL * 1024)
#define LEAST_MAX	(48 * MIB)
#define LEAST_SMALL	(14 * MIB)
/* An OOM takes milliseconds; an emulated machine with a serial console takes seconds. */
#define DRILL_MS	60000
#define CLEAN_MS	5000

/* How the big child ends. */
enum { BIG_INTACT = 0, BIG_NOT_MARKED = 100, BIG_NO_MEMORY, BIG_DAMAGED, CHILD_NO_CGROUP };

struct counters {
	uint64_t sacrifices;
	uint64_t dry_run;
};

struct drill {
	int sysfs;
	int cgroup;
	int signals;
	bool dry_run;
	char path[PATH_LEN];
	char enabled[PATH_LEN];	/* whose subtree_control was changed, or "" */
	uint64_t max;		/* memory.max */
	uint64_t small_size;
	uint64_t big_size;
	pid_t small;
	pid_t big;
	int small_status;	/* valid when the pid is 0 again */
	int big_status;
	struct counters before;
};

static void read_counters(int sysfs, struct counters *ret)
{
	*ret = (struct counters) { 0 };
	tbtf_stat_get(sysfs, "sacrifices", &ret->sacrifices);
	tbtf_stat_get(sysfs, "dry_run", &ret->dry_run);
}

/* -- the children --------------------------------------------------------- */

static void enter(const struct drill *d, pid_t parent)
{
	sigset_t none;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CHILD_NO_CGROUP);
	/* ^C is for the parent, which cleans up. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (tbtf_cgfs_write(d->cgroup, "cgroup.procs", "0"))
		_exit(CHILD_NO_CGROUP);
	/* What is inherited would change the outcome: -1000 of a shell of sshd, say. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(CHILD_NO_CGROUP);
	close(fd);
}

static uint64_t *get_memory(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void fill(uint64_t *memory, uint64_t size)
{
	for (uint64_t i = 0; i < size / sizeof(*memory); i++)
		memory[i] = (i + 1) * 0x9e3779b97f4a7c15ULL;
}

static bool intact(const uint64_t *memory, uint64_t size)
{
	for (uint64_t i = 0; i < size / sizeof(*memory); i++)
		if (memory[i] != (i + 1) * 0x9e3779b97f4a7c15ULL)
			return false;
	return true;
}

__attribute__((noreturn))
static void be_small(const struct drill *d, pid_t parent, int ready)
{
	uint64_t *memory;

	enter(d, parent);
	memory = get_memory(d->small_size);
	if (!memory)
		_exit(BIG_NO_MEMORY);
	fill(memory, d->small_size);
	if (write(ready, "", 1) != 1)
		_exit(BIG_NO_MEMORY);
	for (;;)
		pause();
}

__attribute__((noreturn))
static void be_big(const struct drill *d, pid_t parent)
{
	uint64_t *memory;

	enter(d, parent);
	if (tbtf_self_set(TBTF_ON))
		_exit(BIG_NOT_MARKED);
	memory = get_memory(d->big_size);
	if (!memory)
		_exit(BIG_NO_MEMORY);
	fill(memory, d->big_size);
	_exit(intact(memory, d->big_size) ? BIG_INTACT : BIG_DAMAGED);
}

/* -- the parent ----------------------------------------------------------- */

static void reap(pid_t *pid, int *status, int options)
{
	if (*pid <= 0)
		return;
	if (waitpid(*pid, status, options) == *pid)
		*pid = 0;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * Wait until *pid is reaped, or a byte comes from ready (-1: none). 0, or an
 * exit code after having said why.
 */
static int wait_for(struct drill *d, const pid_t *pid, int ready, int timeout_ms)
{
	struct pollfd waits[2] = {
		{ .fd = d->signals, .events = POLLIN },
		{ .fd = ready, .events = POLLIN },
	};
	long long deadline = now_ms() + timeout_ms, left;
	struct signalfd_siginfo info;

	while (*pid > 0) {
		left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(waits, ready < 0 ? 1 : 2, left) < 0 && errno != EINTR)
			return tbtf_failed(errno, "waiting for the drill");
		if (ready >= 0 && (waits[1].revents & POLLIN))
			return 0;
		if (!(waits[0].revents & POLLIN) ||
		    read(d->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD) {
			tbtf_error("drill: interrupted, everything is removed again");
			return 128 + info.ssi_signo;
		}
		reap(&d->small, &d->small_status, WNOHANG);
		reap(&d->big, &d->big_status, WNOHANG);
	}
	return 0;
}

static int child_failed(const char *who, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_CGROUP)
		tbtf_error("drill: the %s process could not enter the cgroup", who);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == BIG_NOT_MARKED)
		tbtf_error("drill: the big process could not be marked: see 'tbtf run -- true'");
	else
		tbtf_error("drill: the %s process ended too early (wait status 0x%x)", who, status);
	return EXIT_NOT_DONE;
}

static pid_t start(struct drill *d, int ready)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	if (ready >= 0)
		be_small(d, parent, ready);
	be_big(d, parent);
}

/* Both children through their lives. 0, or an exit code after having said why. */
static int perform(struct drill *d)
{
	int ready[2], code;

	if (pipe2(ready, O_CLOEXEC))
		return tbtf_failed(errno, "pipe");
	d->small = start(d, ready[1]);
	close(ready[1]);
	if (d->small < 0) {
		close(ready[0]);
		return tbtf_failed(errno, "fork");
	}
	code = wait_for(d, &d->small, ready[0], DRILL_MS);
	close(ready[0]);
	if (!code && !d->small)
		return child_failed("small", d->small_status);
	if (code == -ETIMEDOUT) {
		tbtf_error("drill: the small process was not ready in %d s", DRILL_MS / 1000);
		return EXIT_NOT_DONE;
	}
	if (code)
		return code;
	d->big = start(d, -1);
	if (d->big < 0)
		return tbtf_failed(errno, "fork");
	code = wait_for(d, &d->big, -1, DRILL_MS);
	if (code == -ETIMEDOUT) {
		tbtf_error("drill: FAILED: the marked process neither finished nor died in %d s",
			   DRILL_MS / 1000);
		return EXIT_FAILED;
	}
	if (code)
		return code;
	if (WIFEXITED(d->big_status) && WEXITSTATUS(d->big_status) != BIG_INTACT &&
	    WEXITSTATUS(d->big_status) != BIG_DAMAGED)
		return child_failed("big", d->big_status);
	/* A victim takes a moment to be gone. Was it the big one, the other stays. */
	if (WIFEXITED(d->big_status))
		code = wait_for(d, &d->small, -1, CLEAN_MS);
	return code > 0 ? code : 0;
}

static bool report(bool good, const char *text)
{
	printf("  %-4s  %s\n", good ? "ok" : "BAD", text);
	return good;
}

static bool was_killed(pid_t pid, int status)
{
	return !pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int judge_dry_run(const struct drill *d, const struct counters *now)
{
	bool good;

	good = report(was_killed(d->big, d->big_status), "the kernel's own choice, the big one, was killed");
	good &= report(now->dry_run > d->before.dry_run,
		       "the hook was reached, and counted that it would have spared it");
	puts(good ? "drill: dry run: the hook works, and protects nobody while dry_run is 1"
		  : "drill: FAILED: the hook does not work; see 'tbtf doctor'");
	return good ? EXIT_NO_EFFECT : EXIT_FAILED;
}

static int judge(const struct drill *d)
{
	uint64_t kills = 0, sacrificed = 0, spared = 0;
	struct counters now;
	char line[160];
	bool good;

	read_counters(d->sysfs, &now);
	if (d->dry_run)
		return judge_dry_run(d, &now);
	if (was_killed(d->big, d->big_status))
		good = report(false, "the marked process was killed");
	else
		good = report(WIFEXITED(d->big_status) && !WEXITSTATUS(d->big_status),
			      "the marked process lived to its end, and its data are intact");
	good &= report(was_killed(d->small, d->small_status), "the smaller one was killed in its place");
	tbtf_cgfs_key(d->cgroup, "memory.events", "oom_kill", &kills);
	snprintf(line, sizeof(line), "memory.events: oom_kill %llu", (unsigned long long)kills);
	good &= report(kills == 1, line);
	if (!tbtf_cgroup_get_events(d->cgroup, &sacrificed, &spared)) {
		snprintf(line, sizeof(line), "memory.tbtf.events: sacrificed %llu, spared %llu",
			 (unsigned long long)sacrificed, (unsigned long long)spared);
		good &= report(sacrificed == 1 && spared == 1, line);
	}
	/* Others may be having an OOM of their own: at least one is ours. */
	snprintf(line, sizeof(line), "counters: sacrifices +%lld",
		 (long long)(now.sacrifices - d->before.sacrifices));
	good &= report(now.sacrifices > d->before.sacrifices, line);
	puts(good ? "drill: passed: a marked process outlived an OOM"
		  : "drill: FAILED: see above, the kernel log, and 'tbtf doctor'");
	return good ? EXIT_OK : EXIT_FAILED;
}

/* -- before and after ------------------------------------------------------ */

/* What must hold before anything is made. 0, or an exit code after having said why. */
static int check(struct drill *d)
{
	char text[4096], value[32], *line;
	unsigned long long least_kb, available_kb;
	long long panic = 0;

	if (geteuid()) {
		tbtf_error("drill: it needs root: it makes a cgroup and marks a process");
		return EXIT_NOT_PERMITTED;
	}
	d->sysfs = tbtf_open_sysfs();
	if (d->sysfs < 0)
		return tbtf_failed(d->sysfs, "/sys/kernel/mm/tbtf");
	if (!tbtf_knob_get(d->sysfs, "enabled", value, sizeof(value)) && !strcmp(value, "0")) {
		tbtf_error("drill: tbtf is switched off (enabled is 0) and protects nobody: 'tbtf on' first");
		return EXIT_NO_EFFECT;
	}
	d->dry_run = !tbtf_knob_get(d->sysfs, "dry_run", value, sizeof(value)) && !strcmp(value, "1");
	if (!tbtf_read_number("/proc/sys/vm/panic_on_oom", &panic) && panic == 2) {
		tbtf_error("drill: vm.panic_on_oom is 2: the OOM would crash the machine; set it to 0 first");
		return EXIT_NOT_DONE;
	}
	if (tbtf_knob_get(d->sysfs, "min_victim_kb", value, sizeof(value)))
		return tbtf_failed(EIO, "/sys/kernel/mm/tbtf/min_victim_kb");
	least_kb = strtoull(value, NULL, 10);
	d->small_size = (least_kb + least_kb / 4 + 2048) * 1024;
	if (d->small_size < LEAST_SMALL)
		d->small_size = LEAST_SMALL;
	d->max = d->small_size / 3 * 10;
	if (d->max < LEAST_MAX)
		d->max = LEAST_MAX;
	/* Alone it fits, with what its page tables and the kernel take; with the other not. */
	d->big_size = d->max / 6 * 5;
	if (tbtf_read(text, sizeof(text), "/proc/meminfo") < 0)
		return tbtf_failed(errno, "/proc/meminfo");
	line = strstr(text, "MemAvailable:");
	available_kb = line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) : 0;
	if (available_kb < d->max / 1024 * 2) {
		tbtf_error("drill: it wants twice %lluM of free memory (because of min_victim_kb %llu), and %lluM are available",
			   (unsigned long long)(d->max / MIB), least_kb, available_kb / 1024);
		return EXIT_NOT_DONE;
	}
	return 0;
}

/* What a drill that was killed itself has left: its cgroup, empty, and its pid is gone. */
static int remove_stale(int cgroup, const char *path, int depth, void *data)
{
	static const char prefix[] = "/tbtf-drill-";
	char proc[PATH_LEN];
	pid_t pid;

	(void)data;
	if (depth == 1 && !strncmp(path, prefix, sizeof(prefix) - 1) &&
	    !tbtf_parse_pid(path + sizeof(prefix) - 1, &pid) &&
	    tbtf_path(proc, "/proc/%d", pid) && access(proc, F_OK))
		tbtf_place_remove(cgroup, path);
	return 0;
}

static int make_cgroup(struct drill *d)
{
	char name[64], max[32];
	int err;

	tbtf_cgfs_walk(remove_stale, NULL);
	snprintf(name, sizeof(name), "tbtf-drill-%d", getpid());
	d->cgroup = tbtf_place_cgroup(name, PLACE_AT_ROOT, d->path, d->enabled);
	if (d->cgroup < 0)
		return EXIT_NOT_DONE;
	snprintf(max, sizeof(max), "%llu", (unsigned long long)d->max);
	err = tbtf_cgfs_write(d->cgroup, "memory.max", max);
	/* There is no such file in a kernel without swap. */
	if (!err)
		err = tbtf_cgfs_write(d->cgroup, "memory.swap.max", "0");
	if (err == -ENOENT)
		err = 0;
	/* Whatever the root's role may become: the bystander is an ordinary one. */
	if (!err)
		err = tbtf_cgroup_set_role(d->cgroup, TBTF_ROLE_ORDINARY);
	if (!err || err == -ENODEV)
		return 0;
	tbtf_failed(err, "drill: cgroup %s", d->path);
	return EXIT_NOT_DONE;
}

static void clean_up(struct drill *d)
{
	pid_t *pids[] = { &d->small, &d->big };
	int *statuses[] = { &d->small_status, &d->big_status };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (*pids[i] <= 0)
			continue;
		kill(*pids[i], SIGKILL);
		reap(pids[i], statuses[i], 0);
	}
	if (d->cgroup >= 0) {
		tbtf_place_wait_empty(d->cgroup, CLEAN_MS);
		if (tbtf_place_remove(d->cgroup, d->path))
			tbtf_error("drill: cannot remove the cgroup %s: rmdir it", d->path);
		close(d->cgroup);
	}
	if (*d->enabled) {
		fd = tbtf_cgfs_open(d->enabled);
		if (fd >= 0) {
			tbtf_cgfs_write(fd, "cgroup.subtree_control", "-memory");
			close(fd);
		}
	}
	if (d->signals >= 0)
		close(d->signals);
	if (d->sysfs >= 0)
		close(d->sysfs);
}

/* From here on a signal is an event that wait_for() sees, and clean_up() comes in any case. */
static int take_signals(struct drill *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return tbtf_failed(errno, "signals");
	d->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return d->signals < 0 ? tbtf_failed(errno, "signals") : 0;
}

static int drill(struct drill *d)
{
	char max[16], big[16], small[16];
	int code;

	code = check(d);
	if (!code)
		code = take_signals(d);
	if (!code)
		code = make_cgroup(d);
	if (code)
		return code;
	read_counters(d->sysfs, &d->before);
	printf("drill: in the cgroup %s with memory.max %s a marked process grows to %s\n"
	       "       beside a smaller one of %s%s\n", d->path, tbtf_size(d->max / 1024, max),
	       tbtf_size(d->big_size / 1024, big), tbtf_size(d->small_size / 1024, small),
	       d->dry_run ? ", with dry_run" : "");
	code = perform(d);
	return code ? code : judge(d);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	struct drill d = { .sysfs = -1, .cgroup = -1, .signals = -1 };
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":h", names, &code)) != -1)
		if (opt == OPT_STOP)
			return code;
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	code = drill(&d);
	clean_up(&d);
	return code;
}

const struct cmd cmd_drill = {
	.name = "drill",
	.synopsis = "",
	.summary = "a real OOM in a throwaway cgroup: does the hook work?",
	.help = "A marked process grows in a cgroup of its own until memory runs out there, and\n"
		"a smaller one beside it has to die. Nothing else is touched, and the cgroup is\n"
		"removed again. It shows in the kernel log and in the counters.\n\n"
		"Options:\n"
		HELP_OPTION
		"\nExit status: 0 passed; 1 the hook does not work; 2 it could not be done; 3 tbtf\n"
		"is switched off, or only counts (dry_run); 69 the module is not loaded; 77 not\n"
		"permitted; 128 + N interrupted by signal N.\n",
	.run = run,
};
