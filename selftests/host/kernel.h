/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - as much of the kernel as the pure parts of the module need (kmod/pure.h)
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The time is what the test says it is. HZ is Debian's.
 */
#ifndef _TBTF_HOST_KERNEL_H
#define _TBTF_HOST_KERNEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/cdefs.h>

typedef int64_t s64;
typedef uint32_t u32;
typedef uint64_t u64;
typedef struct { int counter; } atomic_t;
struct list_head { struct list_head *next, *prev; };

#define U32_MAX			UINT32_MAX
#define U64_MAX			UINT64_MAX
#define BIT_ULL(n)		(1ULL << (n))
#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))

/* Of one type, as the kernel insists on; each argument evaluated once. */
#define min(a, b)		({ __auto_type _a = (a); __typeof__(_a) _b = (b); \
				   _Static_assert(__builtin_types_compatible_p(__typeof__(a), \
									       __typeof__(b)), \
						  "min() of two types"); \
				   _a < _b ? _a : _b; })
#define max(a, b)		({ __auto_type _a = (a); __typeof__(_a) _b = (b); \
				   _Static_assert(__builtin_types_compatible_p(__typeof__(a), \
									       __typeof__(b)), \
						  "max() of two types"); \
				   _a > _b ? _a : _b; })
#define min_t(type, a, b)	({ type _ta = (a), _tb = (b); _ta < _tb ? _ta : _tb; })
#define max_t(type, a, b)	({ type _ta = (a), _tb = (b); _ta > _tb ? _ta : _tb; })
#define clamp(x, low, high)	max(min(x, high), low)

#define clamp_t(type, x, low, high) max_t(type, min_t(type, x, high), low)

static inline u64 mul_u64_u32_shr(u64 a, u32 b, unsigned int shift)
{
	return (unsigned __int128)a * b >> shift;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (unsigned __int128)a * b / c;
}

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

/* --- time -------------------------------------------------------------------- */

#define HZ			250
#define MAX_JIFFY_OFFSET	((LONG_MAX >> 1) - 1)

extern unsigned long jiffies;

#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	if ((int)ms < 0)
		return MAX_JIFFY_OFFSET;
	return ((unsigned long)ms + 1000 / HZ - 1) / (1000 / HZ);
}

static inline unsigned int jiffies_to_msecs(unsigned long n)
{
	return n * (1000 / HZ);
}

#endif /* _TBTF_HOST_KERNEL_H */
