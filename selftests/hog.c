// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the standard workload: a process that holds memory and does as told
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: hog [OPTION]...
 *
 *	-n NAME		its comm, and the name of its control directory
 *	-s SIZE		memory to begin with (K, M, G; plain numbers are kB)
 *	-g SIZE		then grow by so much
 *	-S SIZE		in steps of this (1M)
 *	-p MS		pausing so long between two
 *	-w		then check all of it, byte for byte, and exit: 0, 3 if it is
 *			not what was written, 4 if memory was refused
 *	-m		marked: prctl(PR_SET_TBTF, TBTF_ON)
 *	-l		marked, and local: TBTF_ON | TBTF_LOCAL
 *	-a ADJ		oom_score_adj (0, whatever the parent's)
 *	-c CGROUP	move to this cgroup first, a path below /sys/fs/cgroup
 *	-b NODE		memory policy: bind to this node
 *	-L		locked in memory
 *	-z		huge pages of hugetlbfs
 *	-k		memory that can be compressed to a quarter; otherwise hardly any can
 *	-t N		N idle threads besides the first
 *	-q		print nothing
 *
 * Without -w it stays until it is killed or told to exit.
 *
 * The control directory, $HOG_DIR/NAME (/tmp/hog/NAME), has
 *	ctl	a fifo; orders, one a line, done one after the other:
 *		grow SIZE [STEP [PAUSE_MS]]
 *		free		give all memory back
 *		verify		check byte for byte
 *		mark FLAGS	prctl(PR_SET_TBTF, FLAGS)
 *		fork NAME [ADJ]	a child with a copy-on-write image of it all, and
 *				a control directory of its own
 *		share NAME [FILE]	a process that shares its memory (CLONE_VM), and
 *				writes "1" to FILE
 *		vfork NAME	a vfork child that stays: the parent hangs in vfork
 *		touch		write to each page (a copy, in a forked child)
 *		open FILE	for writing; the one opened before is closed
 *		write TEXT	to the file opened last, in one piece
 *		swapoff FILE	swapoff(2)
 *		create DIR N	N files in it, going on where that fails
 *		exit [CODE]
 *	stat	pid=N state=S kb=N done=N err=N bad=OFFSET
 *		state: starting, busy, idle; done: how many orders it has done;
 *		err: errno of the last; bad: the first wrong byte a verify found,
 *		-1 if all was right, -2 before the first verify
 *
 * stat is rewritten in place, in a page that is there from the start: it tells
 * how things stand also when there is no memory for anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <linux/tbtf.h>
#include "tbtf_util.h"

#define EXIT_CORRUPT	3
#define EXIT_REFUSED	4

static struct {
	char name[16];
	char ctl[160];
	int ctl_fd;
	int stat_fd;
	const char *state;
	int done, err;
	long long bad;
} me = { .ctl_fd = -1, .stat_fd = -1, .state = "starting", .bad = -2 };

static struct tu_region region;
static bool quiet;

static void report(const char *state)
{
	char buf[160];
	int n;

	if (state)
		me.state = state;
	if (me.stat_fd < 0)
		return;
	n = snprintf(buf, sizeof(buf), "pid=%d state=%s kb=%zu done=%d err=%d bad=%lld",
		     getpid(), me.state, region.size >> 10, me.done, me.err, me.bad);
	/* Always the same length, so that nothing of an old line is left. */
	memset(buf + n, ' ', sizeof(buf) - n);
	buf[sizeof(buf) - 1] = '\n';
	if (pwrite(me.stat_fd, buf, sizeof(buf), 0) < 0)
		perror("hog: stat");
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "hog %s: %s: %s\n", me.name, what, strerror(-err));
	me.err = -err;
	report("failed");
	exit(1);
}

/* SIZE: a number with K, M or G; without, kB. */
static bool parse_size(const char *s, size_t *bytes)
{
	char *end;
	unsigned long long n = strtoull(s, &end, 10);

	if (end == s)
		return false;
	switch (*end) {
	case 'G':
		n <<= 10;
		/* fall through */
	case 'M':
		n <<= 10;
		/* fall through */
	case 'K':
		end++;
	}
	*bytes = n << 10;
	return !*end;
}

static size_t size_arg(const char *s)
{
	size_t bytes;

	if (!parse_size(s, &bytes)) {
		fprintf(stderr, "hog: \"%s\" is no size: a number, with K, M or G\n", s);
		exit(2);
	}
	return bytes;
}

static void open_control(const char *name)
{
	const char *top = getenv("HOG_DIR");
	char path[128];

	if (!top)
		top = "/tmp/hog";
	snprintf(me.name, sizeof(me.name), "%s", name);
	prctl(PR_SET_NAME, me.name);
	mkdir(top, 0777);
	snprintf(path, sizeof(path), "%s/%s", top, name);
	if (mkdir(path, 0777) && errno != EEXIST)
		fail(path, -errno);
	snprintf(me.ctl, sizeof(me.ctl), "%s/ctl", path);
	unlink(me.ctl);
	if (mkfifo(me.ctl, 0666))
		fail(me.ctl, -errno);
	/* Also for writing: else each writer that closes it would be an end of file. */
	me.ctl_fd = open(me.ctl, O_RDWR | O_CLOEXEC);
	if (me.ctl_fd < 0)
		fail(me.ctl, -errno);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/stat");
	unlink(path);
	me.stat_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (me.stat_fd < 0)
		fail(path, -errno);
	report("starting");
}

static int grow(size_t bytes, size_t step, int pause_ms)
{
	while (bytes) {
		size_t now = step && step < bytes ? step : bytes;
		int err = tu_region_grow(&region, now);

		if (err)
			return err;
		bytes -= now;
		report(NULL);
		if (bytes && pause_ms)
			tu_nap_ms(pause_ms);
	}
	return 0;
}

static int verify(void)
{
	me.bad = tu_region_check(&region);
	if (me.bad < 0)
		return 0;
	fprintf(stderr, "hog %s: byte %lld of %zu is not what was written\n", me.name, me.bad,
		region.size);
	return -EILSEQ;
}

static int touch(void)
{
	size_t off;

	for (off = 0; off < region.size; off += 4096)
		*(volatile char *)(region.base + off) = region.base[off];
	return 0;
}

static void be_child(const char *name, const char *adj)
{
	close(me.ctl_fd);
	close(me.stat_fd);
	me.done = 0;
	me.err = 0;
	me.bad = -2;
	if (adj)
		tu_adj_set(0, atoi(adj));
	open_control(name);
	report("idle");
}

/*
 * For processes that share our memory: me, stdio and malloc are the parent's,
 * so no more than system calls.
 */
struct sharer {
	char name[16];
	char file[64];		/* "1" is written to it; empty: to none */
};

static int sharer(void *arg)
{
	const struct sharer *s = arg;
	int fd;

	prctl(PR_SET_NAME, s->name);
	if (s->file[0]) {
		fd = open(s->file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			_exit(1);
	}
	for (;;)
		pause();
	return 0;
}

static int start_sharer(const char *name, const char *file, int flags)
{
	static struct sharer sharers[8];
	static int used;
	struct sharer *kept;
	char *stack;

	if (used == 8)
		return -ENOSPC;
	kept = &sharers[used++];
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	snprintf(kept->file, sizeof(kept->file), "%s", file ? file : "");
	stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	if (clone(sharer, stack + 65536, flags | SIGCHLD, kept) < 0)
		return -errno;
	return 0;
}

static int opened = -1;

static int open_file(const char *path)
{
	if (opened >= 0)
		close(opened);
	opened = open(path, O_WRONLY | O_CLOEXEC);
	return opened < 0 ? -errno : 0;
}

static int write_text(const char *text)
{
	size_t len = strlen(text);
	ssize_t n = write(opened, text, len);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int create_files(const char *dir, int n)
{
	char path[128];
	int fd, err = 0;

	while (n-- > 0) {
		snprintf(path, sizeof(path), "%s/%s.%d", dir, me.name, n);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			err = -errno;
		else
			close(fd);
	}
	return err;
}

/* One order. True if this is now another process than the one that got it. */
static bool obey(char *line)
{
	size_t bytes = 0, step = 1 << 20;
	char *word[4] = { NULL }, *save;
	pid_t pid;
	int n, err = -EINVAL;

	if (!strncmp(line, "write ", 6)) {
		report("busy");
		me.err = -write_text(line + 6);
		me.done++;
		report("idle");
		return false;
	}
	for (n = 0; n < 4; n++) {
		word[n] = strtok_r(n ? NULL : line, " \n", &save);
		if (!word[n])
			break;
	}
	if (!n)
		return false;
	report("busy");
	if (!strcmp(word[0], "grow") && n > 1 && parse_size(word[1], &bytes)) {
		if (n < 3 || parse_size(word[2], &step))
			err = grow(bytes, step, n > 3 ? atoi(word[3]) : 0);
	} else if (!strcmp(word[0], "free")) {
		tu_region_free(&region);
		err = 0;
	} else if (!strcmp(word[0], "verify")) {
		err = verify();
	} else if (!strcmp(word[0], "touch")) {
		err = touch();
	} else if (!strcmp(word[0], "mark") && n > 1) {
		err = tu_mark(strtoul(word[1], NULL, 0));
	} else if (!strcmp(word[0], "fork") && n > 1) {
		pid = fork();
		if (!pid) {
			be_child(word[1], word[2]);
			return true;
		}
		err = pid < 0 ? -errno : 0;
	} else if (!strcmp(word[0], "share") && n > 1) {
		err = start_sharer(word[1], word[2], CLONE_VM);
	} else if (!strcmp(word[0], "vfork") && n > 1) {
		err = start_sharer(word[1], NULL, CLONE_VM | CLONE_VFORK);
	} else if (!strcmp(word[0], "open") && n > 1) {
		err = open_file(word[1]);
	} else if (!strcmp(word[0], "swapoff") && n > 1) {
		err = swapoff(word[1]) ? -errno : 0;
	} else if (!strcmp(word[0], "create") && n > 2) {
		err = create_files(word[1], atoi(word[2]));
	} else if (!strcmp(word[0], "exit")) {
		exit(n > 1 ? atoi(word[1]) : 0);
	} else {
		fprintf(stderr, "hog %s: \"%s\" is no order\n", me.name, word[0]);
	}
	me.err = -err;
	me.done++;
	report("idle");
	return false;
}

static void serve(void)
{
	static char buf[512];
	size_t len = 0;
	char *end;

	for (;;) {
		ssize_t n = read(me.ctl_fd, buf + len, sizeof(buf) - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail(me.ctl, n ? -errno : -EPIPE);
		len += n;
		buf[len] = '\0';
		while ((end = strchr(buf, '\n'))) {
			*end = '\0';
			if (obey(buf)) {
				len = 0;	/* the rest is for the parent */
				break;
			}
			len -= end + 1 - buf;
			memmove(buf, end + 1, len + 1);
		}
		if (len == sizeof(buf) - 1)
			len = 0;
	}
}

static void *idle_thread(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void bind_node(int node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8))
		fail("set_mempolicy", -errno);
}

int main(int argc, char **argv)
{
	size_t size = 0, more = 0, step = 1 << 20;
	int adj = 0, threads = 0, node = -1, pause_ms = 0;
	const char *cgroup = NULL, *name = NULL;
	unsigned int mark = 0;
	bool work = false;
	pthread_t thread;
	int opt, err;

	while ((opt = getopt(argc, argv, "n:s:g:S:p:wmla:c:b:Lzkt:q")) != -1) {
		switch (opt) {
		case 'n':
			name = optarg;
			break;
		case 's':
			size = size_arg(optarg);
			break;
		case 'g':
			more = size_arg(optarg);
			break;
		case 'S':
			step = size_arg(optarg);
			break;
		case 'p':
			pause_ms = atoi(optarg);
			break;
		case 'w':
			work = true;
			break;
		case 'm':
			mark |= TBTF_ON;
			break;
		case 'l':
			mark |= TBTF_ON | TBTF_LOCAL;
			break;
		case 'a':
			adj = atoi(optarg);
			break;
		case 'c':
			cgroup = optarg;
			break;
		case 'b':
			node = atoi(optarg);
			break;
		case 'L':
			region.mlocked = true;
			break;
		case 'k':
			region.packs = true;
			break;
		case 'z':
			region.hugetlb = true;
			break;
		case 't':
			threads = atoi(optarg);
			break;
		case 'q':
			quiet = true;
			break;
		default:
			return 2;
		}
	}
	signal(SIGCHLD, SIG_IGN);	/* forked hogs leave no zombies */
	region.seed = (uint64_t)getpid() << 32;
	err = tu_adj_set(0, adj);
	if (err)
		fail("oom_score_adj", err);
	if (cgroup) {
		err = tu_cg_enter(cgroup, 0);
		if (err)
			fail(cgroup, err);
	}
	if (name)
		open_control(name);
	if (mark) {
		err = tu_mark(mark);
		if (err)
			fail("PR_SET_TBTF", err);
	}
	if (node >= 0)
		bind_node(node);
	while (threads-- > 0) {
		err = -pthread_create(&thread, NULL, idle_thread, NULL);
		if (err)
			fail("thread", err);
	}
	err = grow(size, 0, 0);
	if (!err && more) {
		report("busy");
		err = grow(more, step, pause_ms);
	}
	if (err && work) {
		fprintf(stderr, "hog %s: at %zu kB: %s\n", me.name, region.size >> 10,
			strerror(-err));
		return EXIT_REFUSED;
	}
	if (err)
		fail("grow", err);
	if (work) {
		err = verify();
		report("finished");
		if (!quiet)
			printf("hog %s: %zu kB, %s\n", me.name, region.size >> 10,
			       err ? "CORRUPT" : "every byte as written");
		return err ? EXIT_CORRUPT : 0;
	}
	report("idle");
	if (me.ctl_fd >= 0)
		serve();
	for (;;)
		pause();
}
