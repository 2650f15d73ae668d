// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what an operator does while a marked process waits for memory and there is none
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: atend PID MS ACTION...
 *
 * Locked in memory, and without taking any: once the stage has been "exhausted" for MS
 * it does what it is told, each at once after the other,
 *
 *	f	sysrq-f
 *	b	sysrq-b
 *	term	SIGTERM to the process, and waits until it is gone
 *	reboot	reboot(2)
 *
 * and says then, in one line, how long each took in ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "tbtf_util.h"

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "atend: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void nap(void)
{
	struct timespec ts = { .tv_nsec = 20 * 1000 * 1000 };

	nanosleep(&ts, NULL);
}

int main(int argc, char **argv)
{
	int stage, sysrq, i, n = 0;
	long long since = 0, took[8], began;
	char text[32];
	pid_t pid;

	if (argc < 4 || argc > 11)
		return 2;
	pid = atoi(argv[1]);
	stage = open("/sys/kernel/mm/tbtf/stage", O_RDONLY | O_CLOEXEC);
	sysrq = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (stage < 0 || sysrq < 0)
		die("open");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	/* The buffer of the file is there from here on. */
	puts("ready");
	fflush(stdout);
	do {
		nap();
		i = pread(stage, text, sizeof(text) - 1, 0);
		text[i > 0 ? i : 0] = '\0';
		if (strcmp(text, "exhausted\n"))
			since = now_ms();
	} while (now_ms() - since < atoi(argv[2]));
	for (i = 3; i < argc; i++) {
		began = now_ms();
		if (!strcmp(argv[i], "term")) {
			kill(pid, SIGTERM);
			while (!kill(pid, 0))
				nap();
		} else if (!strcmp(argv[i], "reboot")) {
			reboot(RB_AUTOBOOT);
		} else if (write(sysrq, argv[i], 1) != 1) {
			die(argv[i]);
		}
		took[n++] = now_ms() - began;
	}
	for (i = 0; i < n; i++)
		printf("%s %lld ", argv[3 + i], took[i]);
	putchar('\n');
	return 0;
}
