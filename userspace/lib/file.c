// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - reading and writing the small files of sysfs and cgroupfs
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

ssize_t tbtf_read_at(int dir, const char *name, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n = 0;
	int fd, err = 0;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	if (n < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	if (len == size)
		return -ERANGE;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int tbtf_write_at(int dir, const char *name, const char *value)
{
	size_t len = strlen(value);
	int fd, err = 0;
	ssize_t n;

	/* O_TRUNC means nothing to the kernel's files, and all to ordinary ones. */
	fd = openat(dir, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = write(fd, value, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

int tbtf_parse_u64(const char *text, unsigned long long *ret_value)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EPROTO;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return -EPROTO;
	*ret_value = value;
	return 0;
}
