// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - tbtf-off: the kill switch as a program of its own
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Static, without a C library where raw_syscall.h has the architecture: a few
 * pages in all, which is what an exec on a machine without memory costs.
 */
#include <errno.h>

#include "kill_switch.h"
#include "raw_syscall.h"

enum { BAD_USAGE = 64 };

#define say(fd, text)	raw_syscall(SYS_write, fd, (long)(text), sizeof(text) - 1, 0)

static int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static int start(int argc, char **argv)
{
	if (argc < 2)
		return tbtf_kill_switch(0);
	if (argc == 2 && (same(argv[1], "--standby") || same(argv[1], "-s")))
		return tbtf_kill_switch(1);
	if (argc == 2 && (same(argv[1], "--help") || same(argv[1], "-h"))) {
		say(1, "Usage: tbtf-off [--standby]\n"
		    "Switch tbtf off at once: the kernel's own choice holds again.\n"
		    "\n"
		    "Options:\n"
		    "  -s, --standby           lock everything needed now, and do it at Enter\n"
		    "  -h, --help              print this help\n"
		    "\n"
		    "Exit status: 0 done; 1 failed; 69 the module is not loaded; 77 not permitted.\n");
		return 0;
	}
	say(2, "tbtf-off: it takes no argument but --standby; see 'tbtf-off --help'\n");
	return BAD_USAGE;
}

#ifdef RAW_SYSCALL

/* What the kernel has put on the stack: argc, then argv. */
__attribute__((used, noreturn))
static void off_start(long *stack)
{
	int code = start(*stack, (char **)(stack + 1));

	for (;;)
		raw_syscall(SYS_exit_group, code, 0, 0, 0);
}

#if defined(__x86_64__)
asm(".globl _start\n_start:\n"
	"\txor %ebp, %ebp\n"
	"\tmov %rsp, %rdi\n"
	"\tand $-16, %rsp\n"
	"\tcall off_start\n");
#elif defined(__aarch64__)
asm(".globl _start\n_start:\n"
	"\tmov x29, #0\n"
	"\tmov x30, #0\n"
	"\tmov x0, sp\n"
	"\tb off_start\n");
#endif

#else

int main(int argc, char **argv)
{
	return start(argc, argv);
}

#endif
