// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the kill switch: write 0 to /sys/kernel/mm/tbtf/enabled
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * It runs when the machine has no memory left, and a protected process may be
 * napping in every allocation. So it allocates nothing, calls nothing of the C
 * library (whose pages may have to be read in), and first makes itself a
 * realtime task: those may go below the min watermark for the few pages it
 * still has to fault in. Locking comes with MCL_ONFAULT: what is touched stays,
 * and what is not (the 128 kB of stack that exec reserves, in tbtf(8) all of the
 * C library) is not fetched for nothing.
 *
 * Every step before the write is best effort: a switch that gives up because it
 * could not lock itself is none.
 */
#include <fcntl.h>
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "kill_switch.h"
#include "raw_syscall.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT	4
#endif

#define FILE_NAME	"/sys/kernel/mm/tbtf/enabled"

/* The values of cmd.h, which wants a C library. */
enum { DONE = 0, FAILED = 1, NO_MODULE = 69, NOT_PERMITTED = 77 };

#define say(text)	raw_syscall(SYS_write, 2, (long)(text), sizeof(text) - 1, 0)

static long open_enabled(void)
{
	return raw_syscall(SYS_openat, AT_FDCWD, (long)FILE_NAME, O_WRONLY | O_CLOEXEC, 0);
}

static int complain(long err)
{
	char number[] = "tbtf: errno 000\n";

	switch (err) {
	case -ENOENT:
		say("tbtf: the module is not loaded (no " FILE_NAME "): it cannot be what holds the machine\n");
		return NO_MODULE;
	case -EACCES:
	case -EPERM:
		say("tbtf: " FILE_NAME ": not permitted: it needs root\n");
		return NOT_PERMITTED;
	}
	say("tbtf: " FILE_NAME ": cannot write 0\n");
	number[12] = '0' + -err / 100 % 10;
	number[13] = '0' + -err / 10 % 10;
	number[14] = '0' + -err % 10;
	say(number);
	return FAILED;
}

/* A line on stdin; its end (a terminal that went away) is no order. */
static int wait_for_line(void)
{
	char c = 0;
	long n;

	say("tbtf: ready: Enter switches tbtf off, the end of the input does nothing\n");
	do {
		n = raw_syscall(SYS_read, 0, (long)&c, 1, 0);
	} while (n == -EINTR || (n == 1 && c != '\n'));
	return n == 1;
}

int tbtf_kill_switch(int standby)
{
	struct sched_param realtime = { .sched_priority = 1 };
	long fd, ret;

	raw_syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, (long)&realtime, 0);
	ret = raw_syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT, 0, 0, 0);
	if (ret == -EINVAL)	/* before 4.4 */
		raw_syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0, 0);
	fd = open_enabled();
	if (standby) {
		if (fd < 0)
			return complain(fd);
		if (!wait_for_line()) {
			say("tbtf: the input has ended: nothing was changed\n");
			return FAILED;
		}
	}
	ret = fd;
	if (fd >= 0)
		ret = raw_syscall(SYS_write, fd, (long)"0", 1, 0);
	if (ret == -ENODEV) {
		/* The module was loaded anew while this stood by. */
		fd = open_enabled();
		ret = fd < 0 ? fd : raw_syscall(SYS_write, fd, (long)"0", 1, 0);
	}
	if (ret < 0)
		return complain(ret);
	say("tbtf: off (enabled is 0): the kernel's own choice holds again\n");
	return DONE;
}
