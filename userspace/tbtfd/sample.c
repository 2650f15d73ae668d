// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - how well the memory of protected processes can be compressed
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Some of their pages, drawn at random, are written to a zram of a megabyte that is never
 * swap, and what it makes of them is looked at: the same compressor, the same rounding
 * up. Pages that are not in memory are left alone, so nothing is fetched.
 *
 * In a thread of its own that nobody waits for: to read another process's memory takes a
 * lock that the process may hold while it waits for what a mint prints.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "sample.h"
#include "tbtf.h"
#include "zram.h"

#define PAGE		4096
#define PAGES		256	/* of all together */
#define PAGES_LEAST	16	/* fewer say nothing */
#define DRAWS		1024	/* of one process: most may turn out not to be in memory */
#define MARKED_MAX	8	/* the largest of them */
#define TRIAL_KB	2048	/* the device: its header, PAGES, and room */
#define TRIALS_MAX	8
#define STACK		(256 * 1024)

#define SELDOM_MS	60000
#define OFTEN_MS	2000	/* while less than a quarter of memory is available */
#define PAGEMAP_PRESENT	(1ULL << 63)

struct marked {
	pid_t pid;
	uint64_t kb;
};

/* The thread's own. */
static struct {
	struct tbtf_sample *sample;
	int dev;			/* /dev/tbtf, for queries */
	int trial;			/* N of its zram, or -1 */
	unsigned char *page;		/* PAGES of them */
	struct marked marked[MARKED_MAX];
	size_t n;
	uint64_t draw[DRAWS];		/* numbers of pages, then their addresses */
	char maps[64 * 1024];
	uint64_t seed;
} the = { .dev = -1, .trial = -1 };

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* xorshift64*: nobody has anything of guessing it. */
static uint64_t draw_number(void)
{
	the.seed ^= the.seed >> 12;
	the.seed ^= the.seed << 25;
	the.seed ^= the.seed >> 27;
	return the.seed * 0x2545F4914F6CDD1DULL;
}

/* -- Whose ---------------------------------------------------------------------- */

/* The largest are kept, in no order. */
static void keep(pid_t pid, uint64_t kb)
{
	size_t least = 0;

	if (the.n < MARKED_MAX) {
		the.marked[the.n++] = (struct marked){ pid, kb };
		return;
	}
	for (size_t i = 1; i < MARKED_MAX; i++)
		if (the.marked[i].kb < the.marked[least].kb)
			least = i;
	if (the.marked[least].kb < kb)
		the.marked[least] = (struct marked){ pid, kb };
}

/* Everybody is asked: a mark may come from a cgroup. */
static void find_marked(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	the.n = 0;
	while (dir && (entry = readdir(dir))) {
		struct tbtf_info info;
		pid_t pid = atoi(entry->d_name);
		int fd;

		if (pid <= 0 || pid == getpid())
			continue;
		fd = tbtf_pidfd_open(pid);
		if (fd < 0)
			continue;
		if (!tbtf_get_info(the.dev, fd, &info) && info.effective == TBTF_ROLE_TBTF)
			keep(pid, info.size_kb);
		(void)close(fd);
	}
	if (dir)
		(void)closedir(dir);
}

/* -- Which pages ---------------------------------------------------------------- */

/* What is done with a mapping that has nothing but the process's own pages. */
typedef void (*mapping_fn)(uint64_t begin, uint64_t pages, void *arg);

/* One line of maps: "begin-end rw-p offset dev inode name". */
static void read_line(const char *line, mapping_fn fn, void *arg)
{
	uint64_t begin, end, inode;
	char perms[8], name[8] = "";

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %" SCNu64 " %7s",
		   &begin, &end, perms, &inode, name) < 4)
		return;
	if (!inode && !strncmp(perms, "rw-p", 4) && strncmp(name, "[stack", 6))
		fn(begin, (end - begin) / PAGE, arg);
}

static int each_mapping(pid_t pid, mapping_fn fn, void *arg)
{
	size_t fill = 0;
	char path[32];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((len = read(fd, the.maps + fill, sizeof(the.maps) - 1 - fill)) > 0) {
		char *line = the.maps, *end;

		fill += len;
		the.maps[fill] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			read_line(line, fn, arg);
		}
		fill -= line - the.maps;
		memmove(the.maps, line, fill);
		if (fill == sizeof(the.maps) - 1)
			fill = 0;	/* no line is that long */
	}
	(void)close(fd);
	return len < 0 ? -errno : 0;
}

static void count_pages(uint64_t begin, uint64_t pages, void *arg)
{
	(void)begin;
	*(uint64_t *)arg += pages;
}

/* From numbers, in order, to addresses. */
struct walk {
	uint64_t before;	/* pages of the mappings that were passed */
	size_t next;
};

static void place_draws(uint64_t begin, uint64_t pages, void *arg)
{
	struct walk *walk = arg;

	for (; walk->next < DRAWS && the.draw[walk->next] < walk->before + pages; walk->next++)
		the.draw[walk->next] = begin + (the.draw[walk->next] - walk->before) * PAGE;
	walk->before += pages;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Addresses in the.draw of pages that are in memory. Returns how many. */
static size_t present(pid_t pid, size_t n)
{
	uint64_t entry;
	char path[32];
	size_t kept = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (pread(fd, &entry, sizeof(entry), the.draw[i] / PAGE * sizeof(entry)) ==
		    sizeof(entry) && (entry & PAGEMAP_PRESENT))
			the.draw[kept++] = the.draw[i];
	(void)close(fd);
	return kept;
}

/* Up to @max pages of a process into @to. Returns how many. */
static size_t take(pid_t pid, unsigned char *to, size_t max)
{
	struct walk walk = { .next = 0 };
	size_t taken = 0, there;
	uint64_t pages = 0;

	if (each_mapping(pid, count_pages, &pages) || !pages)
		return 0;
	for (size_t i = 0; i < DRAWS; i++)
		the.draw[i] = draw_number() % pages;
	qsort(the.draw, DRAWS, sizeof(the.draw[0]), compare);
	if (each_mapping(pid, place_draws, &walk))
		return 0;
	there = present(pid, walk.next);
	/* Evenly over all of them. */
	for (size_t i = 0; i < there && taken < max; i++) {
		struct iovec mine = { to + taken * PAGE, PAGE };
		struct iovec its;

		if (there > max && i * max / there == (i + 1) * max / there)
			continue;
		its = (struct iovec){ (void *)(uintptr_t)the.draw[i], PAGE };
		if (process_vm_readv(pid, &mine, 1, &its, 1, 0) == PAGE)
			taken++;
	}
	return taken;
}

static size_t take_all(void)
{
	uint64_t all = 0;
	size_t n = 0;

	for (size_t i = 0; i < the.n; i++)
		all += the.marked[i].kb;
	for (size_t i = 0; i < the.n && n < PAGES; i++) {
		size_t share = PAGES * the.marked[i].kb / (all ? all : 1) + 1;

		if (share > PAGES - n)
			share = PAGES - n;
		n += take(the.marked[i].pid, the.page + n * PAGE, share);
	}
	return n;
}

/* -- What they come to ----------------------------------------------------------- */

static int make_trial(void)
{
	if (the.trial >= 0)
		return 0;
	the.trial = tbtf_zram_add(TRIAL_KB, TBTF_ZRAM_TRIAL);
	return the.trial < 0 ? the.trial : 0;
}

/* Write them, see what has become of them, and empty the device again. */
static int pack(size_t n, struct tbtf_zram_stat *ret, uint64_t *ret_ns)
{
	uint64_t range[2] = { PAGE, TRIAL_KB * 1024 - PAGE }, from;
	struct tbtf_zram_stat before, after;
	char device[TBTF_DEVICE_LEN];
	int fd, err;

	tbtf_zram_device(the.trial, device);
	fd = open(device, O_WRONLY | O_CLOEXEC | O_DIRECT);
	if (fd < 0)
		return -errno;
	err = tbtf_zram_stat(the.trial, &before);
	from = now_ns();
	if (!err && pwrite(fd, the.page, n * PAGE, PAGE) != (ssize_t)(n * PAGE))
		err = errno ? -errno : -EIO;
	*ret_ns = now_ns() - from;
	if (!err)
		err = tbtf_zram_stat(the.trial, &after);
	(void)ioctl(fd, BLKDISCARD, range);
	(void)close(fd);
	/* They are somebody's memory. */
	memset(the.page, 0, n * PAGE);
	if (err)
		return err;
	ret->pages_kb = after.pages_kb - before.pages_kb;
	ret->packed_kb = after.packed_kb > before.packed_kb ? after.packed_kb - before.packed_kb : 0;
	return 0;
}

static void take_sample(void)
{
	struct tbtf_zram_stat stat = { .pages_kb = 0 };
	struct tbtf_sample *sample = the.sample;
	uint64_t ns = 0;
	size_t n;

	find_marked();
	n = take_all();
	if (n < PAGES_LEAST) {
		sample->pages = 0;
		return;
	}
	if (make_trial() || pack(n, &stat, &ns))
		return;
	sample->price = tbtf_price(stat.pages_kb, stat.packed_kb);
	/* It waits as others do: an average. */
	ns /= n * PAGE / 1024;
	sample->ns_per_kb = sample->ns_per_kb ? (3 * sample->ns_per_kb + ns) / 4 : ns;
	sample->pages = n;
	tbtf_debug("sample: %zu pages of %zu processes: memory for %u of 1000, %" PRIu64 " ns a kB",
		   n, the.n, (unsigned int)sample->price, (uint64_t)sample->ns_per_kb);
}

static bool short_of_memory(void)
{
	struct tbtf_room room;

	return !tbtf_memory_room(&room) && room.available_kb < room.total_kb / 4;
}

static void *run(void *data)
{
	struct tbtf_sample *sample = data;
	struct pollfd fd = { .fd = sample->wake, .events = POLLIN };
	uint64_t next = 0;

	while (!sample->quit) {
		if (now_ns() >= next || (!sample->pages || short_of_memory())) {
			take_sample();
			next = now_ns() + SELDOM_MS * 1000000ULL;
		}
		(void)poll(&fd, 1, OFTEN_MS);
	}
	if (the.trial >= 0)
		(void)tbtf_zram_remove(the.trial);
	return NULL;
}

/**
 * tbtf_sample_start() - begin to look
 * @sample: all 0
 *
 * Context: after the memory is locked; once.
 * Return: 0; or an errno, which has been said.
 */
int tbtf_sample_start(struct tbtf_sample *sample)
{
	sigset_t all, before;
	int left[TRIALS_MAX], n, err;
	pthread_attr_t attr;

	the.sample = sample;
	/* Of a daemon that was killed. */
	n = tbtf_zram_find(TBTF_ZRAM_TRIAL, left, TRIALS_MAX);
	for (int i = 0; i < n; i++)
		(void)tbtf_zram_remove(left[i]);
	if (getrandom(&the.seed, sizeof(the.seed), GRND_NONBLOCK) != sizeof(the.seed))
		the.seed = now_ns();
	the.seed |= 1;
	the.page = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (the.page == MAP_FAILED)
		err = -errno;
	else
		err = the.dev = tbtf_open();
	sample->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err >= 0 && sample->wake < 0)
		err = -errno;
	if (err < 0) {
		tbtf_err("cannot sample memory: %s", strerror(-err));
		return err;
	}
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&sample->thread, &attr, run, sample);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (err)
		tbtf_err("cannot start a thread: %s", strerror(-err));
	return err;
}

/**
 * tbtf_sample_stop() - look no more
 * @sample: which was started
 *
 * Context: waits for the thread.
 */
void tbtf_sample_stop(struct tbtf_sample *sample)
{
	uint64_t one = 1;

	sample->quit = true;
	if (write(sample->wake, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join(sample->thread, NULL);
}
