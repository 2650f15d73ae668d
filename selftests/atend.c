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
 *	f	sysrq-f, and waits until it is answered, in the kernel log: the OOM is done by a
 *		worker, and who has written the letter is back long before
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

/* The kernel has looked, and found nobody; or has killed somebody. */
static void sysrq_f(int sysrq, int kmsg)
{
	long long began = now_ms();
	char line[1024];
	ssize_t n;

	if (lseek(kmsg, 0, SEEK_END) < 0 || write(sysrq, "f", 1) != 1)
		die("f");
	while (now_ms() - began < 30000) {
		n = read(kmsg, line, sizeof(line) - 1);
		/* EPIPE: what was next has been written over. */
		if (n < 0 && errno == EAGAIN)
			nap();
		else if (n < 0 && errno != EPIPE)
			die("/dev/kmsg");
		line[n > 0 ? n : 0] = '\0';
		if (strstr(line, "OOM request ignored") || strstr(line, "Killed process"))
			return;
	}
}

int main(int argc, char **argv)
{
	int stage, sysrq, kmsg, i, n = 0;
	long long since = 0, took[8], began;
	char text[32];
	pid_t pid;

	if (argc < 4 || argc > 11)
		return 2;
	pid = atoi(argv[1]);
	stage = open("/sys/kernel/mm/tbtf/stage", O_RDONLY | O_CLOEXEC);
	sysrq = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (stage < 0 || sysrq < 0 || kmsg < 0)
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
		} else if (!strcmp(argv[i], "f")) {
			sysrq_f(sysrq, kmsg);
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
