// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - units of systemd
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * By running systemctl, so that no library of systemd is needed: where there
 * is none, the functions say so and nothing else is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

/* A manager that is short of memory itself answers late, or never. */
#define SYSTEMCTL_MS	5000

bool tbtf_systemd_running(void)
{
	char path[PATH_LEN];

	/* What sd_booted(3) documents. */
	return tbtf_path(path, "/run/systemd/system") && !access(path, F_OK);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Read until the end of the file or the deadline. 0, -ETIMEDOUT or -errno. */
static int read_until(int fd, long long deadline, char *out, size_t size, size_t *ret_len)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char waste[512];
	size_t len = 0;
	ssize_t n;
	int ready;

	for (;;) {
		long long left = deadline - now_ms();

		ready = left > 0 ? poll(&wait, 1, left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return -errno;
		if (!ready)
			return -ETIMEDOUT;
		if (len < size - 1)
			n = read(fd, out + len, size - 1 - len);
		else
			n = read(fd, waste, sizeof(waste));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) {
			*ret_len = len;
			return 0;
		}
		if (len < size - 1)
			len += n;
	}
}

int tbtf_capture(const char *const argv[], int timeout_ms, char *ret_out, size_t size)
{
	long long deadline = now_ms() + timeout_ms;
	int ends[2], null, status, err;
	size_t len = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(EXIT_NOT_FOUND);
	}
	close(ends[1]);
	err = read_until(ends[0], deadline, ret_out, size, &len);
	close(ends[0]);
	if (err)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (err)
		return err;
	if (len && ret_out[len - 1] == '\n')
		len--;
	ret_out[len] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

int tbtf_unit_property(const char *unit, const char *property, char *ret_value, size_t size)
{
	const char *argv[] = { "systemctl", "show", "--value", "-p", property, "--", unit, NULL };
	int ret = tbtf_capture(argv, SYSTEMCTL_MS, ret_value, size);

	if (ret == EXIT_NOT_FOUND)
		return -ENOENT;
	if (ret > 0)
		return -EIO;
	return ret;
}

struct search {
	const char *name;
	char path[PATH_LEN];
	int found;
};

static int search_visit(int cgroup, const char *path, int depth, void *data)
{
	const char *base = strrchr(path, '/') + 1;
	struct search *search = data;
	size_t len = strlen(search->name);

	(void)cgroup;
	(void)depth;
	if (strncmp(base, search->name, len) || (base[len] && strcmp(base + len, ".service")))
		return 0;
	if (!search->found++)
		strcpy(search->path, path);
	return 0;
}

int tbtf_unit_open(const char *unit, char ret_path[PATH_LEN])
{
	struct search search = { .name = unit };
	char path[PATH_LEN];
	int err;

	if (!*unit || *unit == '-' || strchr(unit, '/')) {
		tbtf_error("'%s' is not the name of a unit: give one such as postgresql.service",
			   unit);
		return -EXIT_FAILED;
	}
	if (tbtf_systemd_running()) {
		err = tbtf_unit_property(unit, "ControlGroup", path, sizeof(path));
		if (err == -ENOENT)
			tbtf_error("unit %s: there is no systemctl to ask; use --cgroup PATH", unit);
		else if (err == -ETIMEDOUT)
			tbtf_error("unit %s: systemctl does not answer; use --cgroup PATH", unit);
		else if (err)
			return -tbtf_failed(err, "unit %s: systemctl", unit);
		else if (!*path)
			tbtf_error("unit %s has no cgroup: it does not run, or does not exist", unit);
		else
			return tbtf_cgfs_open_named(path, ret_path);
		return -EXIT_FAILED;
	}
	/* No systemd: others name cgroups after services too. */
	err = tbtf_cgfs_walk(search_visit, &search);
	if (err == -ENOENT) {
		tbtf_error("unit %s: systemd is not running, and cgroup v2 is not mounted", unit);
		return -EXIT_FAILED;
	}
	if (err < 0)
		return -tbtf_failed(err, "unit %s", unit);
	if (search.found == 1)
		return tbtf_cgfs_open_named(search.path, ret_path);
	if (!search.found)
		tbtf_error("unit %s: systemd is not running, and no cgroup has this name", unit);
	else
		tbtf_error("unit %s: %d cgroups have this name; use --cgroup PATH", unit,
			   search.found);
	return -EXIT_FAILED;
}

bool tbtf_unit_of_cgroup(const char *path, char ret_unit[256])
{
	bool found = false;
	size_t part, suffix;

	for (; *path; path += part) {
		path += strspn(path, "/");
		part = strcspn(path, "/");
		if (part >= 256)
			continue;
		for (int i = 0; i < 2; i++) {
			const char *end = i ? ".scope" : ".service";

			suffix = strlen(end);
			if (part > suffix && !strncmp(path + part - suffix, end, suffix)) {
				memcpy(ret_unit, path, part);
				ret_unit[part] = '\0';
				found = true;
			}
		}
	}
	return found;
}
