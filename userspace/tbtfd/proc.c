// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - small files of /proc and /sys, and what both daemons want of them
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing here allocates: the borrower looks at the machine when there is no memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

/**
 * tbtf_proc_text_at() - a small file as text
 * @dir: an open directory, or AT_FDCWD
 * @path: the file, from there
 * @ret: where it goes
 * @size: of @ret; what does not fit is left out
 *
 * Return: 0; or the errno of open(2) or read(2).
 */
int tbtf_proc_text_at(int dir, const char *path, char *ret, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, ret, size - 1);
	if (len < 0)
		len = -errno;
	(void)close(fd);
	if (len < 0)
		return len;
	ret[len] = 0;
	return 0;
}

/**
 * tbtf_proc_text() - tbtf_proc_text_at() of a whole path
 * @path: the file
 * @ret: where it goes
 * @size: of @ret; what does not fit is left out
 *
 * Return: 0; or the errno of open(2) or read(2).
 */
int tbtf_proc_text(const char *path, char *ret, size_t size)
{
	return tbtf_proc_text_at(AT_FDCWD, path, ret, size);
}

/**
 * tbtf_proc_write() - text into a small file
 * @path: the file
 * @text: what
 * @flags: of open(2), besides O_WRONLY
 *
 * Return: 0; or the errno of open(2) or write(2); -EIO: not all of it.
 */
int tbtf_proc_write(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno ? -errno : -EIO;
	(void)close(fd);
	return err;
}

/**
 * tbtf_proc_field() - "Name:   N kB" in a text of such lines
 * @text: the text
 * @name: of the line
 * @ret: its number
 *
 * Return: 0; -ENOENT: no such line; -EPROTO: no number in it.
 */
int tbtf_proc_field(const char *text, const char *name, uint64_t *ret)
{
	const char *line = text;
	size_t len = strlen(name);

	while (line) {
		if (!strncmp(line, name, len) && line[len] == ':')
			return sscanf(line + len + 1, "%" SCNu64, ret) == 1 ? 0 : -EPROTO;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return -ENOENT;
}

/**
 * tbtf_proc_size_kb() - what a process has, in memory and in swap
 * @pid: the process
 *
 * Return: KiB; 0: it is gone.
 */
uint64_t tbtf_proc_size_kb(pid_t pid)
{
	char path[32], text[4096];
	uint64_t rss = 0, swap = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (tbtf_proc_text(path, text, sizeof(text)) || tbtf_proc_field(text, "VmRSS", &rss) ||
	    tbtf_proc_field(text, "VmSwap", &swap))
		return 0;
	return rss + swap;
}

/**
 * tbtf_proc_number() - a file that is one number
 * @path: the file
 * @ret: the number
 *
 * Return: 0; the errno of reading; -EPROTO: it is none.
 */
int tbtf_proc_number(const char *path, uint64_t *ret)
{
	char text[32];
	int err = tbtf_proc_text(path, text, sizeof(text));

	if (err)
		return err;
	return sscanf(text, "%" SCNu64, ret) == 1 ? 0 : -EPROTO;
}

/**
 * tbtf_proc_last_to_die() - be nobody's victim: an oom_score_adj of -1000
 *
 * Return: 0; the errno of writing or reading it; -EPERM: it is not that afterwards.
 */
int tbtf_proc_last_to_die(void)
{
	static const char path[] = "/proc/self/oom_score_adj";
	char text[16];
	int err = tbtf_proc_write(path, "-1000", 0);

	if (!err)
		err = tbtf_proc_text(path, text, sizeof(text));
	return !err && strcmp(text, "-1000\n") ? -EPERM : err;
}

/**
 * tbtf_proc_pressure() - for how much of the last ten seconds somebody waited for memory
 *
 * Return: hundredths of a percent; -1: this kernel does not say (CONFIG_PSI, psi=1).
 */
int tbtf_proc_pressure(void)
{
	unsigned int whole, hundredths;
	char text[256];

	if (tbtf_proc_text("/proc/pressure/memory", text, sizeof(text)) ||
	    sscanf(text, "some avg10=%u.%2u", &whole, &hundredths) != 2)
		return -1;
	return whole * 100 + hundredths;
}

/**
 * tbtf_proc_waited_us() - for how long somebody has waited for memory
 *
 * Of two looks the difference says what tbtf_proc_pressure() forgets only slowly.
 *
 * Return: microseconds since boot; 0: this kernel does not say.
 */
uint64_t tbtf_proc_waited_us(void)
{
	char text[256], *total;
	uint64_t us;

	if (tbtf_proc_text("/proc/pressure/memory", text, sizeof(text)) ||
	    strncmp(text, "some ", 5))
		return 0;
	total = strstr(text, "total=");
	return total && sscanf(total, "total=%" SCNu64, &us) == 1 ? us : 0;
}
