/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - results of the unit tests on the host; run.sh numbers them
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_HOST_UNIT_H
#define _TBTF_HOST_UNIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int failed;

__attribute__((format(printf, 2, 3)))
static void result(bool good, const char *format, ...)
{
	va_list args;

	printf("%s ", good ? "ok" : "not ok");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failed += !good;
}

__attribute__((unused))
static void is(const char *what, long long got, long long wanted)
{
	result(got == wanted, "%s", what);
	if (got != wanted)
		printf("# got %lld, wanted %lld\n", got, wanted);
}

#endif /* _TBTF_HOST_UNIT_H */
