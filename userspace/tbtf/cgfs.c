// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the cgroup v2 tree
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A cgroup is named by its path in the tree ("/system.slice/db.service"), as
 * the kernel does in /proc/PID/cgroup and in its log, and reached by the
 * descriptor of its directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cmd.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC	0x63677270
#endif
#define FILEID_KERNFS		0xfe	/* linux/exportfs.h */

/* In place: "\040" and the like, which mountinfo has for blanks. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

int tbtf_cgfs_mount(char ret_mount[PATH_LEN])
{
	char path[PATH_LEN], best[PATH_LEN] = "", *line = NULL;
	size_t room = 0;
	FILE *file;

	if (!tbtf_path(path, "/proc/self/mountinfo"))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (getline(&line, &room, file) > 0) {
		char *type = strstr(line, " - "), mount[PATH_LEN];

		if (!type || strncmp(type, " - cgroup2 ", 11))
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %4095s", mount) != 1)
			continue;
		unescape(mount);
		/* The usual place goes before copies of it, which containers have. */
		if (!*best || !strcmp(mount, "/sys/fs/cgroup"))
			strcpy(best, mount);
	}
	free(line);
	fclose(file);
	if (!*best)
		return -ENOENT;
	return tbtf_path(ret_mount, "%s", best) ? 0 : -ENAMETOOLONG;
}

/* Open a directory of cgroupfs; below a root of a test, any directory. */
static int open_dir(const char *path)
{
	struct statfs fs;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!*tbtf_root && (fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)) {
		close(fd);
		return -EXDEV;
	}
	return fd;
}

int tbtf_cgfs_open(const char *path)
{
	char full[2 * PATH_LEN], mount[PATH_LEN];
	int err;

	err = tbtf_cgfs_mount(mount);
	if (err)
		return err;
	snprintf(full, sizeof(full), "%s%s", mount, path);
	return open_dir(full);
}

/*
 * The path in the tree for what the user wrote: "//a/b/" is "/a/b", and the
 * mount point in front goes away. 0, -EINVAL for a ".." or ".", or -ENAMETOOLONG.
 */
static int tree_path(const char *name, const char *mount, char ret_path[PATH_LEN])
{
	size_t len = strlen(mount), at = 0, part;

	if (!strncmp(name, mount, len) && (name[len] == '/' || !name[len]))
		name += len;
	for (; *name; name += part) {
		name += strspn(name, "/");
		part = strcspn(name, "/");
		if (!part)
			break;
		if ((part == 1 && name[0] == '.') || (part == 2 && name[0] == '.' && name[1] == '.'))
			return -EINVAL;
		if (at + part + 2 > PATH_LEN)
			return -ENAMETOOLONG;
		ret_path[at++] = '/';
		memcpy(ret_path + at, name, part);
		at += part;
	}
	if (!at)
		ret_path[at++] = '/';
	ret_path[at] = '\0';
	return 0;
}

int tbtf_cgfs_open_named(const char *name, char ret_path[PATH_LEN])
{
	char mount[PATH_LEN], path[PATH_LEN];
	int fd, err;

	err = tbtf_cgfs_mount(mount);
	if (err == -ENOENT) {
		tbtf_error("cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup");
		return -EXIT_FAILED;
	}
	if (err)
		return -tbtf_failed(err, "/proc/self/mountinfo");
	if (!*name) {
		tbtf_error("the cgroup has an empty name: give a path such as /system.slice/db.service");
		return -EXIT_FAILED;
	}
	err = tree_path(name, mount, path);
	if (err == -EINVAL) {
		tbtf_error("cgroup %s: give its path without '.' and '..', as in /proc/PID/cgroup",
			   name);
		return -EXIT_FAILED;
	}
	if (err)
		return -tbtf_failed(err, "cgroup %s", name);
	fd = tbtf_cgfs_open(path);
	if (fd == -ENOENT || fd == -ENOTDIR) {
		tbtf_error("there is no cgroup %s below %s", path, mount);
		return -EXIT_FAILED;
	}
	if (fd == -EXDEV) {
		tbtf_error("cgroup %s: %s is not of cgroup v2", path, mount);
		return -EXIT_FAILED;
	}
	if (fd < 0)
		return -tbtf_failed(fd, "cgroup %s", path);
	strcpy(ret_path, path);
	return fd;
}

ssize_t tbtf_cgfs_read(int cgroup, const char *file, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = openat(cgroup, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* cgroup.procs comes in pieces of a page. */
	do {
		n = read(fd, buf + len, size - 1 - len);
		if (n > 0)
			len += n;
	} while (n > 0);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int tbtf_cgfs_write(int cgroup, const char *file, const char *value)
{
	ssize_t n;
	int fd;

	fd = openat(cgroup, file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : 0;
}

static int number(const char *text, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!strcmp(text, "max")) {
		*ret_value = UINT64_MAX;
		return 0;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		return -EPROTO;
	*ret_value = value;
	return 0;
}

int tbtf_cgfs_number(int cgroup, const char *file, uint64_t *ret_value)
{
	char text[64];
	ssize_t len;

	len = tbtf_cgfs_read(cgroup, file, text, sizeof(text));
	return len < 0 ? len : number(text, ret_value);
}

int tbtf_cgfs_key(int cgroup, const char *file, const char *key, uint64_t *ret_value)
{
	char text[4096], *line, *rest = NULL;
	size_t len = strlen(key);
	ssize_t n;

	n = tbtf_cgfs_read(cgroup, file, text, sizeof(text));
	if (n < 0)
		return n;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strncmp(line, key, len) && line[len] == ' ')
			return number(line + len + 1, ret_value);
	return -ENODATA;
}

int tbtf_cgfs_path_of_id(uint64_t id, char ret_path[PATH_LEN])
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = { 0 };
	char mount[PATH_LEN], link[32], full[PATH_LEN];
	int fd, dir, err;
	ssize_t n;

	if (*tbtf_root)
		return -ENOENT;
	err = tbtf_cgfs_mount(mount);
	if (err)
		return err;
	dir = open_dir(mount);
	if (dir < 0)
		return dir;
	u.handle.handle_bytes = sizeof(id);
	u.handle.handle_type = FILEID_KERNFS;
	memcpy(u.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(dir, &u.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = -errno;
	close(dir);
	if (fd < 0)
		return err;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, full, sizeof(full) - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	full[n] = '\0';
	return tree_path(full, mount, ret_path);
}

bool tbtf_cgfs_below(const char *path, const char *base)
{
	size_t len = strlen(base);

	if (!strcmp(base, "/"))
		return true;
	return !strncmp(path, base, len) && (path[len] == '/' || !path[len]);
}

struct walk {
	int (*visit)(int cgroup, const char *path, int depth, void *data);
	void *data;
	char path[PATH_LEN];
};

static int is_directory(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
		(entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
}

static int byte_order(const struct dirent **a, const struct dirent **b)
{
	/* Not alphasort(): the order must not depend on the locale. */
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk(struct walk *w, int dir, int depth)
{
	struct dirent **names = NULL;
	size_t len = strlen(w->path);
	int nr, ret, fd;

	ret = w->visit(dir, len ? w->path : "/", depth, w->data);
	nr = scandirat(dir, ".", &names, is_directory, byte_order);
	for (int i = 0; i < nr; i++) {
		/* A cgroup may be gone by now: no error, it has no children either. */
		if (!ret && len + strlen(names[i]->d_name) + 2 <= PATH_LEN) {
			fd = openat(dir, names[i]->d_name,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd >= 0) {
				sprintf(w->path + len, "/%s", names[i]->d_name);
				ret = walk(w, fd, depth + 1);
				w->path[len] = '\0';
				close(fd);
			}
		}
		free(names[i]);
	}
	free(names);
	return ret;
}

int tbtf_cgfs_walk(int (*visit)(int cgroup, const char *path, int depth, void *data), void *data)
{
	struct walk w = { .visit = visit, .data = data };
	int dir, ret;

	dir = tbtf_cgfs_open("/");
	if (dir < 0)
		return dir;
	ret = walk(&w, dir, 0);
	close(dir);
	return ret;
}
