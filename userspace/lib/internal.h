/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the files of the library share
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _LIBTBTF_INTERNAL_H
#define _LIBTBTF_INTERNAL_H

#include <stddef.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Read the file dir/name into buf, with a final '\0' and without the final
 * newline. Returns the length, -ERANGE if it does not fit, or -errno.
 */
ssize_t tbtf_read_at(int dir, const char *name, char *buf, size_t size);

/* Write value to the file dir/name in one write. 0 or -errno. */
int tbtf_write_at(int dir, const char *name, const char *value);

/* A decimal number and nothing else. 0 or -EPROTO. */
int tbtf_parse_u64(const char *text, unsigned long long *ret_value);

#endif /* _LIBTBTF_INTERNAL_H */
