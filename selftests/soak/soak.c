// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - soak: the conductor
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: soak; settings come from the kernel's command line: soak.seconds=,
 * soak.seed=, and soak.loads=often or once. Prints TAP.
 *
 * The time is divided into cycles. In each the workers walk at random; every
 * other cycle is wild, with tbtf switched, and unloaded and loaded, under load. At
 * its end they rest, all that they made is removed, the books must balance, and
 * memory must be what it was. Who makes no step for too long is stuck: what
 * everybody does is printed, and the machine is given up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define CYCLE_MS	20000
#define STUCK_MS	240000		/* longer than any wait of a worker */
#define MINUTE_MS	60000
#define MORE_MS		240000		/* for what chance has left out */
#define SETTLED		2		/* cycles after which nothing may grow any more */
#define LEAK_KB		6144		/* of the machine, however many cycles */

static const struct {
	const char *name;
	void (*step)(void);
} workers[] = {
	{ "family-1", family_step }, { "family-2", family_step }, { "family-3", family_step },
	{ "global", global_step }, { "fork-1", fork_step }, { "fork-2", fork_step },
	{ "mark", mark_step }, { "cgroup", cgroup_step }, { "knob", knob_step },
	{ "read", read_step }, { "switch", switch_step }, { "helper", helper_step },
};

#define HOME		SOAK_CG "/workers"
#define WORKERS		((int)(sizeof(workers) / sizeof(workers[0])))

struct soak *soak;
struct seat *seat;
uint64_t soak_rng;

static int seconds = 90;
static uint64_t seed;
static char preempt[32] = "voluntary";
static long long began;
static int failures, results;

uint32_t below(uint32_t bound)
{
	/* xorshift64*, which a state of 0 would end */
	soak_rng ^= soak_rng >> 12;
	soak_rng ^= soak_rng << 25;
	soak_rng ^= soak_rng >> 27;
	return bound ? (soak_rng * 0x2545f4914f6cdd1dULL >> 32) % bound : 0;
}

void broken(int line, const char *file, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (seat->broken++)
		return;
	n = snprintf(seat->first, sizeof(seat->first), "%s:%d: ", file, line);
	va_start(ap, fmt);
	vsnprintf(seat->first + n, sizeof(seat->first) - n, fmt, ap);
	va_end(ap);
	printf("# t=%lld %s, step %ld: %s\n", (tu_now_ms() - began) / 1000, seat->name, seat->steps,
	       seat->first);
}

static void result(bool ok, const char *name)
{
	printf("%s %d %s\n", ok ? "ok" : "not ok", ++results, name);
	failures += !ok;
}

/* --- workers ----------------------------------------------------------------- */

static void work(int i)
{
	seat = &soak->seats[i];
	soak_rng = (seed + 1) * 0x9e3779b97f4a7c15ULL + i * 0xbf58476d1ce4e5b9ULL;
	for (int n = 0; n < 16; n++)
		below(1);
	prctl(PR_SET_NAME, seat->name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A child that dies before it is where it belongs is to be counted as well. */
	if (tu_cg_enter(HOME, 0))
		_exit(1);
	for (;;) {
		while (soak->phase == SOAK_REST) {
			seat->resting = true;
			seat->beat = tu_now_ms();
			tu_nap_ms(50);
		}
		if (soak->phase == SOAK_END)
			_exit(0);
		seat->resting = false;
		workers[i].step();
		seat->steps++;
		seat->beat = tu_now_ms();
	}
}

static bool start_workers(void)
{
	pid_t pid;
	int i;

	for (i = 0; i < WORKERS; i++) {
		snprintf(soak->seats[i].name, sizeof(soak->seats[i].name), "%s", workers[i].name);
		soak->seats[i].beat = tu_now_ms();
		pid = fork();
		if (!pid)
			work(i);
		if (pid < 0)
			return false;
		soak->seats[i].pid = pid;
	}
	return true;
}

static struct seat *stuck(void)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (tu_now_ms() - soak->seats[i].beat > STUCK_MS)
			return &soak->seats[i];
	return NULL;
}

static bool all_rest(void)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (!soak->seats[i].resting)
			return false;
	return true;
}

/* --- what everybody does -------------------------------------------------------- */

static void print_file(const char *title, const char *fmt, int pid)
{
	char buf[2048], path[64], *line, *save;

	snprintf(path, sizeof(path), fmt, pid);
	if (tu_read(buf, sizeof(buf), "%s", path) <= 0)
		return;
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("# %s %d: %s\n", title, pid, line);
}

static void dump(void)
{
	struct dirent *entry;
	char stat[512], *p;
	DIR *d;
	int i;

	for (i = 0; i < WORKERS; i++)
		printf("# %s (%d): %ld steps, the last %lld ms ago: %s\n", soak->seats[i].name,
		       soak->seats[i].pid, soak->seats[i].steps,
		       tu_now_ms() - soak->seats[i].beat, soak->seats[i].at);
	d = opendir("/proc");
	while (d && (entry = readdir(d))) {
		i = atoi(entry->d_name);
		if (i <= 0 || tu_read(stat, sizeof(stat), "/proc/%d/stat", i) < 0)
			continue;
		p = strrchr(stat, ')');
		/* Kernel threads sleep in plenty; those in D may be what all wait for. */
		if (!p || (p[2] != 'D' && tu_status_kb(i, "VmSize") < 0))
			continue;
		printf("# %.*s %c\n", (int)(p - stat) + 1, stat, p[2]);
		print_file("stack", "/proc/%d/stack", i);
	}
	if (d)
		closedir(d);
	tu_write("1", "/proc/sys/kernel/sysrq");
	tu_write("8", "/proc/sys/kernel/printk");
	tu_write("w", "/proc/sysrq-trigger");
	tu_write("m", "/proc/sysrq-trigger");
}

static void progress(void)
{
	struct seen *s = &soak->seen;

	printf("# t=%lld families %ld (%ld calm, %ld given up), killed %ld, survived %ld, exhausted %ld, waited %ld, global %ld (%ld survived), forks %ld, execs %ld, marks %ld, cgroups %ld, knobs %ld, reads %ld, previews %ld, switches %ld, reloads %ld, helpers %ld, requests %ld\n",
	       (tu_now_ms() - began) / 1000, s->families, s->calm, s->gave_up, s->killed,
	       s->survived, s->exhausted, s->waited, s->globals, s->global_survived, s->forks, s->execs,
	       s->marks, s->cgroups, s->knobs, s->reads, s->previews, s->switches, s->reloads,
	       s->helpers, s->requests);
	fflush(stdout);
}

/* Until cond holds: 0; or a worker is stuck: -1. */
#define WATCH_FOR(cond, ms) ({						\
	long long __until = tu_now_ms() + (ms);				\
	int __ret = 0;							\
									\
	while (!(cond) && tu_now_ms() < __until && !__ret) {		\
		tu_nap_ms(100);						\
		if (tu_now_ms() - said >= MINUTE_MS) {			\
			said += MINUTE_MS;				\
			progress();					\
		}							\
		if (stuck())						\
			__ret = -1;					\
	}								\
	__ret;								\
})

static long long said;

/* --- the books -------------------------------------------------------------------- */

static int wrong_books, leaks;

static void must(bool ok, int *count, const char *what, long long got, long long wanted)
{
	if (ok)
		return;
	++*count;
	printf("# t=%lld %s: %lld, wanted %lld\n", (tu_now_ms() - began) / 1000, what, got, wanted);
}

static long long outcomes(void)
{
	static const char *const names[] = {
		"outcome_sacrificed", "outcome_waited", "outcome_killed", "outcome_panicked",
		"outcome_failed", "outcome_switched", "outcome_stolen", "outcome_printed",
		"open_episodes",
	};
	long long sum = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sum += tu_stat(names[i]);
	return sum;
}

/* All rest, and nobody is out of memory any more. */
static void check_books(void)
{
	long long sacrifices = tu_stat("sacrifices"), lost = tu_stat("lost_events");
	long long n;

	n = tu_cg_get(SOAK_CG, "memory.tbtf.events", "sacrificed");
	must(n <= sacrifices && n >= sacrifices - lost, &wrong_books, "sacrificed in all cgroups",
	     n, sacrifices);
	n = tu_cg_get(SOAK_CG, "memory.tbtf.events", "spared");
	must(n <= sacrifices && n >= sacrifices - lost, &wrong_books, "spared in all cgroups", n,
	     sacrifices);
	must(TU_WAIT_FOR(outcomes() == tu_stat("episodes"), 20000), &wrong_books,
	     "outcomes and open ones", outcomes(), tu_stat("episodes"));
}

static void check_marks(void)
{
	long long n = tu_read_ll(TU_SYSFS "/marked");

	must(!n, &wrong_books, "marked, though all are gone", n, 0);
	n = tu_stat("marks_set") - tu_stat("marks_cleared") - tu_stat("marks_exited") -
	    tu_stat("marks_exec_dropped");
	must(n >= 0, &wrong_books, "marks gone that were not set", n, 0);
	/* The shortest that a knob may have set it to is a tenth of a second, the longest 3 s. */
	must(TU_WAIT_FOR(!tu_stat("open_episodes"), 20000), &wrong_books, "open episodes",
	     tu_stat("open_episodes"), 0);
}

static long long meminfo_kb(const char *field)
{
	char buf[4096], *p;

	if (tu_read(buf, sizeof(buf), "/proc/meminfo") < 0)
		return 0;
	p = strstr(buf, field);
	return p ? atoll(p + strlen(field) + 1) : 0;
}

/* What was set at the least that there ever was: caches and dying cgroups come and go. */
static void check_leak(int cycle)
{
	static long long available, slab;
	long long now, s;
	int i;

	for (i = 0; i < 3; i++) {
		tu_write("3", "/proc/sys/vm/drop_caches");
		tu_nap_ms(200);
	}
	now = meminfo_kb("MemAvailable");
	s = meminfo_kb("SUnreclaim");
	printf("# t=%lld cycle %d: available %lld kB, slab %lld kB, percpu %lld kB\n",
	       (tu_now_ms() - began) / 1000, cycle, now, s, meminfo_kb("Percpu"));
	if (cycle == SETTLED) {
		available = now;
		slab = s;
	}
	if (cycle <= SETTLED)
		return;
	must(now >= available - LEAK_KB, &leaks, "kB available, at the settled cycle", now, available);
	must(s <= slab + LEAK_KB, &leaks, "kB of slab", s, slab);
}

/* --- cycles -------------------------------------------------------------------------- */

static int rest(void)
{
	soak->phase = SOAK_REST;
	return WATCH_FOR(all_rest(), 2 * STUCK_MS) ? -1 : all_rest() ? 0 : -1;
}

/* The processes and cgroups of all workers, who rest. */
static int clear(void)
{
	struct dirent *entry;
	char cg[300];
	int err = 0;
	DIR *d;

	d = opendir(TU_CGROUP "/" SOAK_CG);
	while (d && (entry = readdir(d))) {
		snprintf(cg, sizeof(cg), SOAK_CG "/%s", entry->d_name);
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || !strcmp(cg, HOME))
			continue;
		/* What is killed is reaped by its parent, sooner or later. */
		err |= tu_cg_remove(cg);
	}
	if (d)
		closedir(d);
	return err;
}

static int one_cycle(int cycle)
{
	soak->wild = cycle & 1;
	soak->phase = SOAK_WORK;
	if (WATCH_FOR(0, CYCLE_MS) || rest())
		return -1;
	printf("# t=%lld cycle %d: %s, %lld sacrifices in %lld episodes since tbtf was loaded\n",
	       (tu_now_ms() - began) / 1000, cycle, soak->wild ? "wild" : "calm",
	       tu_stat("sacrifices"), tu_stat("episodes"));
	check_books();
	must(!clear(), &wrong_books, "what was made cannot be removed", 1, 0);
	check_marks();
	if (soak->still) {
		must(!tu_knob_set("reserve_kb", "0"), &wrong_books, "reserve_kb", 1, 0);
		check_leak(cycle);
		return 0;
	}
	must(!soak_unload(20000), &wrong_books, "unload", 1, 0);
	check_leak(cycle);
	must(!soak_load(SOAK_PARAMS), &wrong_books, "load", 1, 0);
	soak->off += 2;
	must(!tu_stat("rounds") && !tu_read_ll(TU_SYSFS "/marked"), &wrong_books,
	     "marked, in a new module", 1, 0);
	return 0;
}

/* A walk in which something never happened has shown nothing of it. */
static bool all_seen(void)
{
	struct seen *s = &soak->seen;

	return s->families && s->calm && s->killed && s->survived && s->globals && s->forks &&
	       s->execs && s->marks && s->cgroups && s->knobs && s->reads && s->previews &&
	       s->switches && (s->reloads || soak->still) && s->helpers;
}

/* On a slow host it goes on until all of it was seen. */
static bool time_is_up(void)
{
	long long ms = tu_now_ms() - began;

	return ms >= seconds * 1000LL && (all_seen() || ms >= seconds * 1000LL + MORE_MS);
}

static void read_settings(void)
{
	char line[2048], *p;

	if (tu_read(line, sizeof(line), "/proc/cmdline") < 0)
		line[0] = '\0';
	p = strstr(line, "soak.seconds=");
	if (p)
		seconds = atoi(p + 13);
	p = strstr(line, "soak.seed=");
	if (p)
		seed = strtoull(p + 10, NULL, 0);
	soak->still = strstr(line, "soak.loads=once");
	p = strstr(line, "preempt=");
	if (p)
		sscanf(p, "preempt=%31s", preempt);
	if (!seed)
		seed = (uint64_t)time(NULL) << 16 ^ tu_now_ms();
}

/*
 * Where each CPU has a host thread of its own, code is patched (that is what loading
 * is) while one CPU is there: QEMU's TCG is wrong otherwise. The kernel begins with one.
 */
static void set_cpus(bool all)
{
	int i;

	for (i = 1; soak->still && i < sysconf(_SC_NPROCESSORS_CONF); i++)
		tu_write(all ? "1" : "0", "/sys/devices/system/cpu/cpu%d/online", i);
}

static void set_up(void)
{
	char modes[128], wanted[40];

	mlockall(MCL_CURRENT);
	tu_write("0", "/proc/sys/vm/oom_dump_tasks");
	tu_write("1", "/proc/sys/kernel/sysrq");
	/*
	 * Without CONFIG_PREEMPT_DYNAMIC there is no such file, and no choice. Newer
	 * kernels (7.2 is one) have lost none and voluntary.
	 */
	if (tu_read(modes, sizeof(modes), "/sys/kernel/debug/sched/preempt") < 0)
		snprintf(modes, sizeof(modes), "no CONFIG_PREEMPT_DYNAMIC");
	snprintf(wanted, sizeof(wanted), "(%s)", preempt);
	if (!strstr(modes, wanted))
		printf("# preempt=%s is not to be had on this kernel: %s\n", preempt, modes);
	printf("# soak for %d s, SOAK_SEED=%llu, %ld CPUs, preempt=%s\n", seconds,
	       (unsigned long long)seed, sysconf(_SC_NPROCESSORS_CONF), preempt);
}

int main(int argc, char **argv)
{
	int i, cycle = 0, died = 0, status, walked = 0;
	bool hung = false;

	if (argc > 1 && !strcmp(argv[1], "is-marked"))
		return soak_is_marked();
	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..6\n");
	soak = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
		    -1, 0);
	if (soak == MAP_FAILED)
		return 1;
	read_settings();
	set_up();
	began = said = tu_now_ms();
	seat = &soak->seats[WORKERS];
	if (tu_cg_make(SOAK_CG) || tu_cg_make(HOME) || soak_load(SOAK_PARAMS)) {
		printf("Bail out! cannot set up\n");
		return 1;
	}
	set_cpus(true);
	soak->phase = SOAK_REST;
	if (!start_workers()) {
		printf("Bail out! cannot start the workers\n");
		return 1;
	}
	while (!hung && !time_is_up())
		hung = one_cycle(++cycle);
	progress();

	result(!hung, "everybody made steps");
	if (hung) {
		dump();
		fflush(stdout);
	}
	soak->phase = SOAK_END;
	for (i = 0; i < WORKERS; i++) {
		printf("# %s: %ld steps\n", soak->seats[i].name, soak->seats[i].steps);
		walked += soak->seats[i].broken;
		status = tu_wait(soak->seats[i].pid, hung ? 1000 : STUCK_MS);
		if (status) {
			died++;
			printf("# %s ended with %d\n", soak->seats[i].name, status);
		}
	}
	for (i = 0; i < WORKERS; i++)
		if (soak->seats[i].broken)
			printf("# %s: %d times; the first: %s\n", soak->seats[i].name,
			       soak->seats[i].broken, soak->seats[i].first);
	result(!walked && !died, "what must hold did");
	result(!wrong_books && cycle, "the books balance");
	result(!leaks, "no memory is missing");
	result(all_seen(), "all of it took place");
	set_cpus(false);
	result(!soak_unload(20000) && !tu_cg_remove(HOME) && !tu_cg_remove(SOAK_CG), "everything can be removed");
	if (failures)
		printf("# to repeat: SOAK_HOURS=0 SOAK_SECONDS=%d SOAK_SMP=%ld SOAK_PREEMPT=%s SOAK_LOADS=%s SOAK_SEED=%llu make soak\n",
		       seconds, sysconf(_SC_NPROCESSORS_CONF), preempt, soak->still ? "once" : "often",
		       (unsigned long long)seed);
	return !!failures;
}
