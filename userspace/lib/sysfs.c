// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - knobs, features and counters, from /sys/kernel/mm/tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tbtf.h"

/* Longer than any line a knob has: the words of the longest choice, or of features. */
#define LINE_MAX_LEN	256

int tbtf_sysfs_open(void)
{
	int fd = open("/sys/kernel/mm/tbtf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENODEV : -errno;
}

/* A name from outside must not lead out of the directory. */
static int check_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	return *name && name[strspn(name, letters)] == '\0' ? 0 : -EINVAL;
}

int tbtf_knob_get(int sysfs, const char *name, char *ret_value, size_t size)
{
	char text[LINE_MAX_LEN], *value = text, *first, *last;
	ssize_t len;
	int err;

	err = check_name(name);
	if (err)
		return err;
	len = tbtf_read_at(sysfs, name, text, sizeof(text));
	if (len < 0)
		return len;
	first = strchr(text, '[');
	last = first ? strchr(first, ']') : NULL;
	if (last) {
		value = first + 1;
		*last = '\0';
		len = last - value;
	}
	if ((size_t)len >= size)
		return -ERANGE;
	memcpy(ret_value, value, len + 1);
	return 0;
}

int tbtf_knob_set(int sysfs, const char *name, const char *value)
{
	int err = check_name(name);

	return err ? err : tbtf_write_at(sysfs, name, value);
}

int tbtf_feature_get(int sysfs, const char *feature)
{
	char text[LINE_MAX_LEN], *word, *rest = NULL;
	int err;

	err = check_name(feature);
	if (err)
		return err;
	err = tbtf_knob_get(sysfs, "features", text, sizeof(text));
	if (err)
		return err;
	for (word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		if (!strcmp(word, feature))
			return 1;
		if (*word == '-' && !strcmp(word + 1, feature))
			return 0;
	}
	return -ENOENT;
}

static int read_stat(int stats, const char *name, uint64_t *ret_value)
{
	unsigned long long value;
	char text[32];
	ssize_t len;
	int err;

	len = tbtf_read_at(stats, name, text, sizeof(text));
	if (len < 0)
		return len == -ERANGE ? -EPROTO : len;
	err = tbtf_parse_u64(text, &value);
	if (!err)
		*ret_value = value;
	return err;
}

static int open_stats(int sysfs)
{
	int fd = openat(sysfs, "stats", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int tbtf_stat_get(int sysfs, const char *name, uint64_t *ret_value)
{
	int stats, err;

	err = check_name(name);
	if (err)
		return err;
	stats = open_stats(sysfs);
	if (stats < 0)
		return stats;
	err = read_stat(stats, name, ret_value);
	close(stats);
	return err;
}

static int stat_order(const void *a, const void *b)
{
	const struct tbtf_stat *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int tbtf_stat_list(int sysfs, struct tbtf_stat **ret_stats, size_t *ret_nr)
{
	struct tbtf_stat *stats = NULL, *more;
	size_t nr = 0, room = 0;
	struct dirent *entry;
	int fd, err = 0;
	DIR *dir;

	fd = open_stats(sysfs);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	while (errno = 0, (entry = readdir(dir))) {
		if (check_name(entry->d_name) || strlen(entry->d_name) >= sizeof(stats->name))
			continue;
		if (nr == room) {
			room = room ? room * 2 : 64;
			more = realloc(stats, room * sizeof(*stats));
			if (!more) {
				err = -ENOMEM;
				goto out_dir;
			}
			stats = more;
		}
		memset(&stats[nr], 0, sizeof(stats[nr]));
		strcpy(stats[nr].name, entry->d_name);
		err = read_stat(dirfd(dir), entry->d_name, &stats[nr].value);
		if (err)
			goto out_dir;
		nr++;
	}
	err = -errno;
	if (err)
		goto out_dir;
	closedir(dir);
	if (nr)
		qsort(stats, nr, sizeof(*stats), stat_order);
	*ret_stats = stats;
	*ret_nr = nr;
	return 0;

out_dir:
	closedir(dir);
	free(stats);
	return err;
}
