// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what /proc says, and files below the root
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

const char *tbtf_root = "";

static bool path_v(char buf[PATH_LEN], const char *format, va_list args)
{
	int len = snprintf(buf, PATH_LEN, "%s", tbtf_root);
	int more;

	if (len < 0 || len >= PATH_LEN)
		return false;
	more = vsnprintf(buf + len, PATH_LEN - len, format, args);
	return more >= 0 && more < PATH_LEN - len;
}

bool tbtf_path(char buf[PATH_LEN], const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = path_v(buf, format, args);
	va_end(args);
	return fits;
}

static ssize_t read_path(char *buf, size_t size, const char *path)
{
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	/* What does not fit is cut off: of long files the beginning is wanted. */
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (!n)
			break;
		len += n;
	}
	close(fd);
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

ssize_t tbtf_readf(char *buf, size_t size, const char *format, ...)
{
	char path[PATH_LEN];
	va_list args;
	bool fits;

	va_start(args, format);
	fits = path_v(path, format, args);
	va_end(args);
	return fits ? read_path(buf, size, path) : -ENAMETOOLONG;
}

ssize_t tbtf_read(char *buf, size_t size, const char *path)
{
	return tbtf_readf(buf, size, "%s", path);
}

int tbtf_read_number(const char *path, long long *ret_value)
{
	long long value;
	char text[32], *end;
	ssize_t len;

	len = tbtf_read(text, sizeof(text), path);
	if (len < 0)
		return len;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EPROTO;
	*ret_value = value;
	return 0;
}

int tbtf_open_device(void)
{
	/* There is no device below another root, and the real one must not answer for it. */
	return *tbtf_root ? -ENODEV : tbtf_open();
}

int tbtf_open_sysfs(void)
{
	char path[PATH_LEN];
	int fd;

	if (!*tbtf_root)
		return tbtf_sysfs_open();
	if (!tbtf_path(path, "/sys/kernel/mm/tbtf"))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENODEV : -errno;
}

static int pid_order(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int tbtf_proc_pids(pid_t **ret_pids, size_t *ret_nr)
{
	pid_t *pids = NULL, *more, pid;
	size_t nr = 0, room = 0;
	char path[PATH_LEN];
	struct dirent *entry;
	DIR *dir;

	if (!tbtf_path(path, "/proc"))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (tbtf_parse_pid(entry->d_name, &pid))
			continue;
		if (nr == room) {
			room = room ? room * 2 : 256;
			more = realloc(pids, room * sizeof(*pids));
			if (!more) {
				free(pids);
				closedir(dir);
				return -ENOMEM;
			}
			pids = more;
		}
		pids[nr++] = pid;
	}
	closedir(dir);
	if (nr)
		qsort(pids, nr, sizeof(*pids), pid_order);
	*ret_pids = pids;
	*ret_nr = nr;
	return 0;
}

int tbtf_proc_comm(pid_t pid, char ret_comm[64])
{
	ssize_t len = tbtf_readf(ret_comm, 64, "/proc/%d/comm", pid);

	return len < 0 ? len : 0;
}

int tbtf_proc_status(pid_t pid, const char *field, long long *ret_value)
{
	char text[8192], *line, *rest = NULL, *end;
	size_t name = strlen(field);
	long long value;
	ssize_t len;

	len = tbtf_readf(text, sizeof(text), "/proc/%d/status", pid);
	if (len < 0)
		return len;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, field, name) || line[name] != ':')
			continue;
		errno = 0;
		value = strtoll(line + name + 1, &end, 10);
		if (errno || end == line + name + 1)
			return -EPROTO;
		*ret_value = value;
		return 0;
	}
	/* Kernel threads and zombies have no Vm... lines. */
	return -ENODATA;
}

int tbtf_proc_cgroup(const char *pid, char ret_path[PATH_LEN])
{
	char text[2 * PATH_LEN], *line, *rest = NULL;
	ssize_t len;

	len = tbtf_readf(text, sizeof(text), "/proc/%s/cgroup", pid);
	if (len < 0)
		return len;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "0::/", 4))
			continue;
		if (strlen(line + 3) >= PATH_LEN)
			return -ENAMETOOLONG;
		strcpy(ret_path, line + 3);
		return 0;
	}
	return -ENOENT;
}
