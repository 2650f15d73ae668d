// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - making a cgroup where the kernel's rules allow one
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A cgroup other than the root cannot hold processes and pass controllers down
 * at the same time. The caller's own cgroup holds the caller, so a new one can
 * mostly not be made below it: it is made beside it, below the nearest cgroup
 * above that passes the memory controller down already. Only where none does
 * (a machine nobody has set up) the controller is switched on, in the lowest
 * cgroup that takes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; *text; text += strcspn(text, " "), text += strspn(text, " "))
		if (!strncmp(text, word, len) && (text[len] == ' ' || !text[len]))
			return true;
	return false;
}

static bool file_has(const char *path, const char *file, const char *word)
{
	char text[512];
	int fd = tbtf_cgfs_open(path);
	ssize_t len;

	if (fd < 0)
		return false;
	len = tbtf_cgfs_read(fd, file, text, sizeof(text));
	close(fd);
	return len >= 0 && has_word(text, word);
}

/* "/a/b" to "/a", "/a" to "/"; false at the root. */
static bool up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Find, or make, a cgroup that passes the memory controller down. 0 or an exit code below 0. */
static int find_parent(bool at_root, char ret_parent[PATH_LEN], char ret_enabled[PATH_LEN])
{
	char own[PATH_LEN] = "/", path[PATH_LEN];
	int err, fd;

	err = at_root ? 0 : tbtf_proc_cgroup("self", own);
	if (err == -ENOENT) {
		tbtf_error("this process is in no cgroup of v2: this machine uses cgroup v1 only");
		return -EXIT_FAILED;
	}
	if (err)
		return -tbtf_failed(err, "/proc/self/cgroup");
	*ret_enabled = '\0';
	strcpy(path, own);
	do {
		if (file_has(path, "cgroup.subtree_control", "memory")) {
			strcpy(ret_parent, path);
			return 0;
		}
	} while (up(path));
	if (!file_has("/", "cgroup.controllers", "memory")) {
		tbtf_error("cgroup v2 has no memory controller here: it is switched off, or belongs to cgroup v1");
		return -EXIT_FAILED;
	}
	strcpy(path, own);
	do {
		fd = tbtf_cgfs_open(path);
		if (fd < 0)
			continue;
		err = tbtf_cgfs_write(fd, "cgroup.subtree_control", "+memory");
		close(fd);
		if (!err) {
			strcpy(ret_parent, path);
			strcpy(ret_enabled, path);
			return 0;
		}
	} while (up(path));
	return -tbtf_failed(err, "no cgroup takes '+memory' in cgroup.subtree_control, the last one tried was %s",
			    path);
}

static int open_new(const char *path, bool reuse)
{
	uint64_t populated;
	char mount[PATH_LEN], full[2 * PATH_LEN];
	int fd, err, tries;

	err = tbtf_cgfs_mount(mount);
	if (err)
		return -tbtf_failed(err, "the cgroup tree");
	snprintf(full, sizeof(full), "%s%s", mount, path);
	/* It can go away between mkdir and open: its last user's rmdir. */
	for (tries = 0; tries < 8; tries++) {
		err = mkdir(full, 0755) ? -errno : 0;
		if (err && (err != -EEXIST || !reuse))
			break;
		fd = tbtf_cgfs_open(path);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return -tbtf_failed(fd, "cgroup %s", path);
		if (err && !tbtf_cgfs_key(fd, "cgroup.events", "populated", &populated) &&
		    populated) {
			close(fd);
			tbtf_error("cgroup %s has processes already: choose another --name", path);
			return -EXIT_FAILED;
		}
		return fd;
	}
	return -tbtf_failed(err ? err : -EBUSY, "cannot make the cgroup %s", path);
}

int tbtf_place_cgroup(const char *name, enum tbtf_place place, char ret_path[PATH_LEN],
		      char ret_enabled[PATH_LEN])
{
	char parent[PATH_LEN], path[PATH_LEN], enabled[PATH_LEN];
	char mount[PATH_LEN];
	int fd, err;

	err = tbtf_cgfs_mount(mount);
	if (err == -ENOENT) {
		tbtf_error("cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup");
		return -EXIT_FAILED;
	}
	if (err)
		return -tbtf_failed(err, "/proc/self/mountinfo");
	err = find_parent(place == PLACE_AT_ROOT, parent, enabled);
	if (err)
		return err;
	if (snprintf(path, sizeof(path), "%s/%s", parent[1] ? parent : "", name) >= PATH_LEN)
		return -tbtf_failed(ENAMETOOLONG, "cgroup %s", name);
	fd = open_new(path, place == PLACE_BESIDE);
	if (fd < 0)
		return fd;
	strcpy(ret_path, path);
	strcpy(ret_enabled, enabled);
	return fd;
}

int tbtf_place_wait_empty(int cgroup, int timeout_ms)
{
	struct pollfd wait;
	char text[256];
	ssize_t n;
	int ready;

	wait.fd = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (wait.fd < 0)
		return -errno;
	wait.events = POLLPRI;
	for (;;) {
		n = pread(wait.fd, text, sizeof(text) - 1, 0);
		if (n < 0) {
			n = -errno;
			break;
		}
		text[n] = '\0';
		if (strstr(text, "populated 0")) {
			n = 0;
			break;
		}
		/* A change after the read above ends the wait at once. */
		ready = poll(&wait, 1, timeout_ms);
		if (!ready) {
			n = -ETIMEDOUT;
			break;
		}
		if (ready < 0 && errno != EINTR) {
			n = -errno;
			break;
		}
	}
	close(wait.fd);
	return n;
}

static int is_child(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

/* The cgroups below go first: whoever was in it may have made some. */
static void remove_below(int cgroup)
{
	struct dirent **names = NULL;
	int nr, fd;

	nr = scandirat(cgroup, ".", &names, is_child, alphasort);
	for (int i = 0; i < nr; i++) {
		fd = openat(cgroup, names[i]->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			remove_below(fd);
			close(fd);
		}
		unlinkat(cgroup, names[i]->d_name, AT_REMOVEDIR);
		free(names[i]);
	}
	free(names);
}

int tbtf_place_remove(int cgroup, const char *path)
{
	char mount[PATH_LEN], full[2 * PATH_LEN];
	int err;

	err = tbtf_cgfs_mount(mount);
	if (err)
		return err;
	remove_below(cgroup);
	snprintf(full, sizeof(full), "%s%s", mount, path);
	return rmdir(full) ? -errno : 0;
}
