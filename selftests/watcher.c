// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a process that looks at the clock: how long is it held up?
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: watcher [-i MS] [-k KB] [-r PRIORITY] FILE
 *
 *	-i MS		sleep so long between two looks (100)
 *	-k KB		memory to touch each time, beside its own (256)
 *	-r PRIORITY	under SCHED_FIFO
 *
 * Locked in memory, as what watches over a machine is. FILE is rewritten in
 * place, in a page that is there from the start:
 *	looks=N longest=MS
 * where longest is the longest time between two looks so far. With the signal
 * USR1 it begins anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tbtf_util.h"

static volatile sig_atomic_t anew;

static void on_usr1(int sig)
{
	(void)sig;
	anew = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "watcher: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	struct sched_param param = { };
	int interval = 100, priority = 0, opt, fd, n;
	long long last, now, longest = 0;
	unsigned long looks = 0;
	size_t size = 256 << 10, i;
	volatile char *p;
	char buf[64];

	while ((opt = getopt(argc, argv, "i:k:r:")) != -1) {
		switch (opt) {
		case 'i':
			interval = atoi(optarg);
			break;
		case 'k':
			size = (size_t)atoi(optarg) << 10;
			break;
		case 'r':
			priority = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1)
		return 2;
	signal(SIGUSR1, on_usr1);
	fd = open(argv[optind], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		die(argv[optind]);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	param.sched_priority = priority;
	if (priority && sched_setscheduler(0, SCHED_FIFO, &param))
		die("SCHED_FIFO");

	last = tu_now_ms();
	for (;;) {
		for (i = 0; i < size; i += 4096)
			p[i]++;
		now = tu_now_ms();
		if (anew) {
			anew = 0;
			looks = 0;
			longest = 0;
		}
		if (looks++ && now - last > longest)
			longest = now - last;
		last = now;
		n = snprintf(buf, sizeof(buf), "looks=%lu longest=%lld", looks, longest);
		memset(buf + n, ' ', sizeof(buf) - n);
		buf[sizeof(buf) - 1] = '\n';
		if (pwrite(fd, buf, sizeof(buf), 0) < 0)
			die(argv[optind]);
		tu_nap_ms(interval);
	}
}
