/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the clock that only goes forward
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_CLOCK_H
#define _TBTFD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds of CLOCK_MONOTONIC. */
static inline int64_t tbtf_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* Milliseconds of the same. */
static inline int64_t tbtf_now_ms(void)
{
	return tbtf_now_us() / 1000;
}

#endif /* _TBTFD_CLOCK_H */
