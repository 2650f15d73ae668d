/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - system calls without a C library
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * For tbtf-off, which must start with as few pages as can be. Architectures
 * without a few lines here use syscall(2) of the C library, and tbtf-off is
 * linked with it.
 */
#ifndef _TBTF_RAW_SYSCALL_H
#define _TBTF_RAW_SYSCALL_H

#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)

#define RAW_SYSCALL	1

static inline long raw_syscall(long number, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;
	long ret;

	asm volatile("syscall"
		     : "=a" (ret)
		     : "a" (number), "D" (a), "S" (b), "d" (c), "r" (r10)
		     : "rcx", "r11", "memory");
	return ret;
}

#elif defined(__aarch64__)

#define RAW_SYSCALL	1

static inline long raw_syscall(long number, long a, long b, long c, long d)
{
	register long x8 asm("x8") = number;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;

	asm volatile("svc #0"
		     : "+r" (x0)
		     : "r" (x8), "r" (x1), "r" (x2), "r" (x3)
		     : "memory");
	return x0;
}

#else

#include <errno.h>
#include <unistd.h>

static inline long raw_syscall(long number, long a, long b, long c, long d)
{
	long ret = syscall(number, a, b, c, d);

	return ret < 0 ? -errno : ret;
}

#endif

#endif /* _TBTF_RAW_SYSCALL_H */
