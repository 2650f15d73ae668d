// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the measuring program of `make bench`, in the VM
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: figures calls | choose | round
 *
 * Runs under -icount shift=0: a nanosecond is an instruction. Every line on
 * stdout is "figure NAME VALUE", the median of 50 unless it is a size; bench
 * makes the table of them.
 *
 * It is the first program of its VM and no shell script, because the pids of
 * the processes it makes have to be dense.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "tbtf_util.h"

#define SAMPLES		50
#define CALLS		2000		/* prctl calls of one sample */
#define MEASURE		"/sys/kernel/debug/oom_measure"
#define PIDS_MAX	20000

static double samples[SAMPLES];

static void die(const char *what)
{
	printf("figures: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(void)
{
	qsort(samples, SAMPLES, sizeof(samples[0]), by_value);
	return (samples[SAMPLES / 2 - 1] + samples[SAMPLES / 2]) / 2;
}

static void figure(const char *name, double value)
{
	printf("figure %s %.1f\n", name, value);
}

static void knob(const char *name, long long value)
{
	int err = tu_knob_set_ll(name, value);

	if (err) {
		errno = -err;
		die(name);
	}
}

static void run(const char *path, const char *a, const char *b)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl(path, path, a, b, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die(a);
}

static void load(const char *module)
{
	run("/bin/modprobe", module, NULL);
}

static void unload(const char *module)
{
	run("/bin/modprobe", "-r", module);
}

/* The eBPF programs count from now on; they hold the module until detach(). */
static void attach(void)
{
	run("/tests/tbtf", "stats", "--attach");
}

static void detach(void)
{
	run("/tests/tbtf", "stats", "--detach");
}

/* --- processes ----------------------------------------------------------- */

static pid_t children[PIDS_MAX];
static unsigned int nr_children;

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* A process that holds so many kB, with so many threads. */
static void child(unsigned int kb, unsigned int threads, bool marked)
{
	pthread_attr_t attr;
	pthread_t thread;
	char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tu_adj_set(0, 0);
	if (marked && tu_mark(TBTF_ON))
		_exit(1);
	p = mmap(NULL, kb << 10, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		_exit(2);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	while (threads-- > 1)
		if (pthread_create(&thread, &attr, idle, NULL))
			_exit(3);
}

static pid_t spawn(unsigned int kb, unsigned int threads, bool marked)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		child(kb, threads, marked);
		if (write(ready[1], "", 1) != 1)
			_exit(4);
		close(ready[0]);
		close(ready[1]);
		idle(NULL);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		errno = EIO;
		die("a child");
	}
	close(ready[0]);
	return pid;
}

static unsigned int nr_processes(void)
{
	DIR *dir = opendir("/proc");
	unsigned int n = 0;
	struct dirent *d;

	while ((d = readdir(dir)))
		n += d->d_name[0] >= '0' && d->d_name[0] <= '9';
	closedir(dir);
	return n;
}

/* Ordinary processes of differing size until there are so many in all. */
static void populate(unsigned int total)
{
	unsigned int n = nr_processes();

	while (n++ < total)
		children[nr_children++] = spawn(4 + 4 * (rand() % 8), 1, false);
}

static void depopulate(void)
{
	unsigned int i;

	for (i = 0; i < nr_children; i++)
		kill(children[i], SIGKILL);
	while (nr_children)
		waitpid(children[--nr_children], NULL, 0);
}

/* --- calls: what everybody pays ------------------------------------------ */

static double measure_prctl(void)
{
	unsigned int i, n;
	double t0;

	for (i = 0; i < SAMPLES; i++) {
		t0 = now_ns();
		for (n = 0; n < CALLS; n++)
			prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
		samples[i] = (now_ns() - t0) / CALLS;
	}
	return median();
}

static double measure_spawn(void)
{
	unsigned int i;
	double t0;

	for (i = 0; i < SAMPLES; i++) {
		t0 = now_ns();
		run("/tests/figures", "quit", NULL);
		samples[i] = now_ns() - t0;
	}
	return median();
}

static void calls(void)
{
	pid_t p;

	measure_spawn();	/* the first ones fill caches */
	figure("prctl.without", measure_prctl());
	figure("spawn.without", measure_spawn());
	load("tbtf");
	figure("prctl.loaded", measure_prctl());
	figure("spawn.loaded", measure_spawn());
	p = spawn(1024, 1, true);
	figure("prctl.marked", measure_prctl());
	figure("spawn.marked", measure_spawn());
	figure("module.bytes", tu_read_ll("/sys/module/tbtf/coresize"));
	figure("mark.bytes", tu_read_ll("/sys/kernel/slab/tbtf_mark/slab_size"));
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	attach();
	figure("prctl.bpf", measure_prctl());
	figure("spawn.bpf", measure_spawn());
	detach();
	unload("tbtf");
	figure("prctl.after", measure_prctl());
	figure("spawn.after", measure_spawn());
}

/* --- choose: a victim ----------------------------------------------------- */

static int device = -1;

static void measure_choice(const char *what, pid_t p, int cgroup)
{
	struct tbtf_preview pv = {
		.pidfd = tu_pidfd(p),
		.cgroup = cgroup,
		.nr_draws = 1,
	};
	unsigned int i, scanned = 0;
	char name[64], path[96];
	int32_t drawn;

	pv.draws = (uintptr_t)&drawn;
	for (i = 0; i < SAMPLES; i++) {
		if (ioctl(device, TBTF_IOC_PREVIEW, &pv))
			die("TBTF_IOC_PREVIEW");
		if (!drawn) {
			errno = ESRCH;
			die("no candidate");
		}
		samples[i] = pv.draws_ns;
		scanned += pv.nr_scanned;
	}
	snprintf(name, sizeof(name), "choose.%s", what);
	figure(name, median());
	snprintf(name, sizeof(name), "scanned.%s", what);
	figure(name, scanned);
	snprintf(path, sizeof(path), MEASURE "/select%s", cgroup < 0 ? "" : "_memcg");
	for (i = 0; i < SAMPLES; i++)
		samples[i] = tu_read_ll("%s", path);
	snprintf(name, sizeof(name), "select.%s", what);
	figure(name, median());
	close(pv.pidfd);
}

static void choose_in_memcg(unsigned int total)
{
	int fd;

	/* All of it in one cgroup, as a container would have it. */
	if (tu_cg_make("bench") || tu_cg_enter("bench", 0))
		die("bench");
	fd = open(TU_CGROUP "/bench", O_RDONLY | O_DIRECTORY);
	children[nr_children++] = spawn(4096, 1, true);
	populate(total);
	measure_choice("memcg", children[0], fd);
	close(fd);
	depopulate();
	tu_cg_enter("", 0);
	tu_cg_remove("bench");
}

static void choose(void)
{
	static const unsigned int sizes[] = { 150, 1000, 10000 };
	unsigned int i, n;
	char name[32];
	pid_t p;

	load("oom_measure");
	load("tbtf");
	knob("min_victim_kb", 0);
	device = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/tbtf");
	p = spawn(4096, 1, true);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		populate(sizes[i]);
		snprintf(name, sizeof(name), "dense%u", sizes[i]);
		measure_choice(name, p, -1);
	}
	depopulate();
	choose_in_memcg(150);

	/* The worst: pids far apart, and most of those there are, threads. */
	if (tu_write("4194304", "/proc/sys/kernel/pid_max"))
		die("pid_max");
	for (n = 0; n < 400; n++) {
		snprintf(name, sizeof(name), "%u", 1000 + n * 10000 + rand() % 8000);
		if (tu_write(name, "/proc/sys/kernel/ns_last_pid"))
			die("ns_last_pid");
		children[nr_children++] = spawn(16 + 4 * (rand() % 32), 16, false);
	}
	measure_choice("sparse", p, -1);
}

/* --- round: an OOM from entry to return ------------------------------------ */

/*
 * What is compared: the kernel alone with tbtf, where the largest is always the
 * youngest and so the last of the kernel's walk; and tbtf without eBPF programs on
 * its tracepoints with the same, where one process is protected all the time, as in
 * earnest.
 */
enum stage { PLAIN, TBTF, ONE, BPF, STAGES };
static const char *const stage_names[] = { "plain", "tbtf", "one", "bpf" };
static enum stage stage;
static pid_t big;

/* Kill one, and put another in its place. */
static double one_round(const char *file)
{
	double ns = tu_read_ll(MEASURE "/%s", file);
	unsigned int i;
	pid_t dead;
	int status;

	/* Had nobody been killed, it would wait for good. */
	alarm(60);
	dead = waitpid(-1, &status, 0);
	alarm(0);
	if (dead < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		die("nobody was killed");
	if ((stage == PLAIN) != (dead == big)) {
		errno = ESRCH;
		die(stage == PLAIN ? "not the largest died" : "the protected one died");
	}
	if (stage == TBTF) {
		kill(big, SIGKILL);
		waitpid(big, NULL, 0);
	}
	if (stage == PLAIN || stage == TBTF)
		big = spawn(4096, 1, stage != PLAIN);
	for (i = 0; i < nr_children; i++)
		if (children[i] == dead)
			children[i] = spawn(4 + 4 * (rand() % 8), 1, false);
	return ns;
}

/*
 * A line costs more from when the log is full, and on a machine that has been up
 * for a while it is. What it costs then depends on the lines that go for it: each
 * measurement finds the same.
 */
static void fill_log(void)
{
	char line[80];		/* as long as those of an OOM: they go one by one */
	unsigned int i;

	memset(line, '.', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (i = 0; i < 8000; i++)
		if (tu_write(line, "/dev/kmsg"))
			die("/dev/kmsg");
}

/*
 * With a pause, so that each round prints its report (the kernel allows ten in
 * five seconds); and without, so that most do not.
 */
static void measure_round(const char *file, unsigned int total, bool printing)
{
	char name[64];
	unsigned int i;

	if (printing)
		fill_log();
	for (i = 0; i < SAMPLES; i++) {
		if (printing)
			tu_nap_ms(600);
		samples[i] = one_round(file);
	}
	snprintf(name, sizeof(name), "%s.%s.%u.%s", file, printing ? "printing" : "quiet", total,
		 stage_names[stage]);
	figure(name, median());
}

/*
 * The next pids begin behind the last that is in use. Otherwise each measurement
 * would find them sparser than the one before, and a choice takes more tries then.
 */
static void pack_pids(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	char text[16];
	int last = 0;

	while ((d = readdir(dir)))
		if (atoi(d->d_name) > last)
			last = atoi(d->d_name);
	closedir(dir);
	snprintf(text, sizeof(text), "%d", last);
	if (tu_write(text, "/proc/sys/kernel/ns_last_pid"))
		die("ns_last_pid");
}

static void rounds(unsigned int total)
{
	pack_pids();
	big = spawn(4096, 1, stage != PLAIN);
	populate(total);
	measure_round("round", total, true);
	measure_round("round", total, false);
	kill(big, SIGKILL);
	waitpid(big, NULL, 0);
	depopulate();
}

static void rounds_in_memcg(unsigned int total)
{
	if (tu_cg_make("bench") || tu_cg_enter("bench", 0))
		die("bench");
	pack_pids();
	big = spawn(4096, 1, stage != PLAIN);
	populate(total);
	measure_round("round_memcg", total, true);
	kill(big, SIGKILL);
	waitpid(big, NULL, 0);
	depopulate();
	tu_cg_enter("", 0);
	tu_cg_remove("bench");
}

static void round_all(void)
{
	tu_write("0", "/proc/sys/vm/oom_dump_tasks");
	tu_write("1", "/proc/sys/kernel/printk");
	if (tu_write("on\n", "/proc/sys/kernel/printk_devkmsg"))
		die("printk_devkmsg");
	load("oom_measure");
	for (stage = PLAIN; stage < STAGES; stage++) {
		if (stage == TBTF) {
			load("tbtf");
			knob("min_victim_kb", 0);
			/* Each round is to be an OOM that a death ends. */
			knob("episode_idle_ms", 100);
			knob("max_kills", 1024);
		}
		if (stage == BPF)
			attach();
		rounds(150);
		rounds(1000);
		if (stage == PLAIN || stage == TBTF)
			rounds_in_memcg(150);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "quit"))
		_exit(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand(1);
	if (!strcmp(what, "calls"))
		calls();
	else if (!strcmp(what, "choose"))
		choose();
	else if (!strcmp(what, "round"))
		round_all();
	else
		return 2;
	return 0;
}
