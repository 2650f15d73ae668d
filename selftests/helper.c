// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a helper for the tests: gets memory by swapon(2), or does as helpers should not
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: helper [OPTION]... [DEVICE]...
 *
 *	-o ORDER	what it does with a request:
 *		steal	swapon(2) of the next DEVICE, on which there is a swap area;
 *			granted by its size, refused when none is left (this is the
 *			default)
 *		refuse	refuse it
 *		silent	read it, and never answer
 *		deaf	never even read it
 *		lie	grant what is wanted, and do nothing
 *		pending	say that it is at it, every 20 ms, for ever
 *		limit	raise memory.max of the cgroup of -l by -k kB, -x times at most
 *			(8), then refuse
 *	-p ORDER	the same for requests to print; without it, as -o
 *	-l CGROUP, -k KB, -x N	see limit
 *	-d MS		after so long
 *	-b SIZE		ballast in kB, given back before the swapon
 *	-r RUNGS	offers these (1: steal, 2: print)
 *	-f FILE		where its stat goes (/tmp/helper)
 *	-c CGROUP	move to this cgroup first, a path below /sys/fs/cgroup
 *	-s KB		has so much memory besides
 *	-e KB		is no helper: says that it holds so much of other nodes, and stays
 *
 * It runs at oom_score_adj 0 (with -e -1000) and is locked in memory. FILE has one
 * line, rewritten in place: state=S requests=N prints=N granted=N refused=N gone=N again=N wanted=KB
 * rung=N scope=N scope_cgroup=N no_swap=N deadline=MS pid=N (from wanted on, but for
 * them all: of the last request; prints: requests to print; gone: an answer was too
 * late; deadline: in so many ms, when it was read).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#include <linux/tbtf.h>
#include "tbtf_util.h"

static struct tbtf_request req;
static unsigned int requests, prints, granted, refused, gone, again;
static const char *limited;
static size_t limit_kb = 16384;
static unsigned int limits = 8;
static long long deadline_ms;
static int stat_fd, fd;

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void report(const char *state)
{
	char buf[256];
	int n;

	n = snprintf(buf, sizeof(buf),
		     "state=%s requests=%u prints=%u granted=%u refused=%u gone=%u again=%u wanted=%llu rung=%u scope=%u scope_cgroup=%llu no_swap=%d deadline=%lld pid=%d",
		     state, requests, prints, granted, refused, gone, again,
		     (unsigned long long)req.wanted_kb, req.rung, req.scope,
		     (unsigned long long)req.scope_cgroup, !!(req.flags & TBTF_REQUEST_NO_SWAP),
		     deadline_ms, req.pid);
	memset(buf + n, ' ', sizeof(buf) - n);
	buf[sizeof(buf) - 1] = '\n';
	if (pwrite(stat_fd, buf, sizeof(buf), 0) < 0)
		perror("helper: stat");
}

static void die(const char *what)
{
	fprintf(stderr, "helper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void answer(uint32_t result, uint64_t kb)
{
	struct tbtf_answer a = { .id = req.id, .result = result, .granted_kb = kb };

	if (!ioctl(fd, TBTF_IOC_ANSWER, &a)) {
		granted += result == TBTF_ANSWER_GRANTED;
		refused += result == TBTF_ANSWER_REFUSED;
	} else if (errno == ESRCH) {
		gone++;
	} else {
		die("TBTF_IOC_ANSWER");
	}
}

/* The size of a block device in kB. */
static uint64_t device_kb(const char *path)
{
	int dev = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = dev < 0 ? -1 : lseek(dev, 0, SEEK_END);

	if (end <= 0)
		die(path);
	close(dev);
	return end >> 10;
}

/* memory.max of the cgroup goes up; false: often enough. */
static int raise_limit(void)
{
	long long max = limits ? tu_cg_get(limited, "memory.max", NULL) : -1;
	char text[32];

	if (max < 0)
		return 0;
	limits--;
	snprintf(text, sizeof(text), "%lld", max + (long long)(limit_kb << 10));
	return tu_cg_set(limited, "memory.max", text) >= 0;
}

int main(int argc, char **argv)
{
	const char *file = "/tmp/helper", *cgroup = NULL;
	const char *steals = "steal", *mints = NULL, *order;
	struct tbtf_helper helper = { .rungs = TBTF_RUNG_STEAL };
	struct tbtf_lending lending = { 0 };
	size_t ballast_kb = 0, size_kb = 0;
	int opt, delay_ms = 0, next;
	uint64_t kb[16] = { 0 };
	char *ballast = NULL;
	struct pollfd poll_fd;

	while ((opt = getopt(argc, argv, "o:p:l:k:x:d:b:r:f:c:s:e:")) != -1) {
		switch (opt) {
		case 'o':
			steals = optarg;
			break;
		case 'p':
			mints = optarg;
			break;
		case 'l':
			limited = optarg;
			break;
		case 'k':
			limit_kb = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			limits = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			delay_ms = atoi(optarg);
			break;
		case 'b':
			ballast_kb = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			helper.rungs = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			file = optarg;
			break;
		case 'c':
			cgroup = optarg;
			break;
		case 's':
			size_kb = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			lending.held_kb = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (tu_adj_set(0, lending.held_kb ? -1000 : 0) || (cgroup && tu_cg_enter(cgroup, 0)))
		die(cgroup ?: "oom_score_adj");
	for (next = optind; next < argc && next - optind < 16; next++)
		kb[next - optind] = device_kb(argv[next]);
	next = optind;
	stat_fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (stat_fd < 0)
		die(file);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	if (ballast_kb)
		ballast = tu_fill(ballast_kb, MAP_PRIVATE);
	if (size_kb)
		tu_fill(size_kb, MAP_PRIVATE);
	fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/tbtf");
	if (lending.held_kb) {
		if (ioctl(fd, TBTF_IOC_LENDING, &lending))
			die("TBTF_IOC_LENDING");
		report("lends");
		for (;;)
			pause();
	}
	if (ioctl(fd, TBTF_IOC_HELPER, &helper))
		die("TBTF_IOC_HELPER");
	report("ready");

	for (;;) {
		poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN };
		if (poll(&poll_fd, 1, -1) < 0 || poll_fd.revents != POLLIN)
			die("poll");
		if (!strcmp(steals, "deaf"))
			for (;;)
				pause();
		if (read(fd, &req, sizeof(req)) != sizeof(req))
			die("read");
		deadline_ms = ((long long)req.deadline_ns - now_ns()) / 1000000;
		order = req.rung == TBTF_RUNG_PRINT && mints ? mints : steals;
		requests++;
		prints += req.rung == TBTF_RUNG_PRINT;
		again += !!(req.flags & TBTF_REQUEST_AGAIN);
		report("asked");
		if (delay_ms)
			usleep(delay_ms * 1000);
		if (!strcmp(order, "steal") && next < argc) {
			if (ballast)
				munmap(ballast, ballast_kb << 10);
			ballast = NULL;
			if (swapon(argv[next], 0))
				die(argv[next]);
			answer(TBTF_ANSWER_GRANTED, kb[next - optind]);
			next++;
		} else if (!strcmp(order, "limit") && raise_limit()) {
			answer(TBTF_ANSWER_GRANTED, limit_kb);
		} else if (!strcmp(order, "lie")) {
			answer(TBTF_ANSWER_GRANTED, req.wanted_kb);
		} else if (!strcmp(order, "pending")) {
			for (gone = 0; !gone; usleep(20000))
				answer(TBTF_ANSWER_PENDING, 0);
		} else if (strcmp(order, "silent")) {
			answer(TBTF_ANSWER_REFUSED, 0);
		}
		report("answered");
	}
}
