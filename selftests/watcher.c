// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - for the tests: a bystander who needs no memory, and how long it was kept waiting
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: watcher FILE
 *
 * Locked in memory it sleeps for 20 ms, over and over.
 * FILE has one line, rewritten in place when that grows: longest=MS since=UPTIME-MS, the
 * longest time from one turn to the next, and when that was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tbtf_util.h"

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void report(int fd, long long longest, long long since)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "longest=%lld since=%lld", longest, since);

	memset(line + n, ' ', sizeof(line) - n);
	line[sizeof(line) - 1] = '\n';
	if (pwrite(fd, line, sizeof(line), 0) < 0)
		perror("watcher");
}

int main(int argc, char **argv)
{
	long long last, now, longest = 0;
	int out;

	if (argc != 2)
		return 2;
	out = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("watcher");
		return 1;
	}
	report(out, 0, 0);
	for (last = now_ms();; last = now) {
		tu_nap_ms(20);
		now = now_ms();
		if (now - last > longest) {
			longest = now - last;
			report(out, longest, last);
		}
	}
}
