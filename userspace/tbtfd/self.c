// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what a daemon that memory depends on does with itself, and how the node is
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What is done is looked at afterwards in /proc: a daemon that believes to be locked
 * and is not deadlocks the first time it matters.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "self.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif

static bool trial;

/**
 * tbtf_self_trial() - from now on do without what takes rights
 *
 * For tests and for trying things out: what fails then is said, and no error.
 */
void tbtf_self_trial(void)
{
	trial = true;
}

/* What failed: an error, or in a trial a warning. */
static int failed(int err, const struct tbtf_self_error *error)
{
	if (!err || !trial)
		return err;
	tbtf_warning("%s; this is a trial, not for memory that anybody needs", error->text);
	return 0;
}

/* The number behind "@key:" in a file of /proc. */
static int read_number(const char *path, const char *key, uint64_t *ret)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int err = -ENOENT;
	size_t len = strlen(key);

	if (!file)
		return -errno;
	while (err && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, len) && line[len] == ':')
			err = sscanf(line + len + 1, "%" SCNu64, ret) == 1 ? 0 : -EBADMSG;
	}
	(void)fclose(file);
	return err;
}

/**
 * tbtf_self_lock() - stay in memory, whatever happens, with all that comes later
 * @error: why not, and what would help
 *
 * Context: before any thread and before lent memory is mapped.
 * Return: 0 or a negative errno.
 */
int tbtf_self_lock(struct tbtf_self_error *error)
{
	uint64_t locked = 0, libraries = 0;
	int err;

	/* One heap for all threads: each further one would be locked, 64 MiB of it. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		err = -errno;
		snprintf(error->text, sizeof(error->text),
			 "cannot be locked in memory: %s: it needs CAP_IPC_LOCK, or ulimit -l unlimited",
			 strerror(-err));
		return failed(err, error);
	}
#ifndef SANITIZED	/* they make mlockall() do nothing: their shadow has terabytes */
	err = read_number("/proc/self/status", "VmLck", &locked);
	if (!err)
		err = read_number("/proc/self/status", "VmExe", &libraries);
	if (err < 0 || locked < libraries || !locked) {
		snprintf(error->text, sizeof(error->text),
			 "is not locked in memory though mlockall(2) says so: VmLck is %" PRIu64 " kB", locked);
		return failed(err < 0 ? err : -ENOLCK, error);
	}
#else
	(void)locked;
	(void)libraries;
#endif
	return 0;
}

/**
 * tbtf_self_last_to_die() - be nobody's victim
 * @error: why not, and what would help
 *
 * Return: 0 or a negative errno.
 */
int tbtf_self_last_to_die(struct tbtf_self_error *error)
{
	static const char wanted[] = "-1000\n";
	char got[16] = "";
	int fd, err = 0;

	fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, wanted, strlen(wanted)) < 0)
		err = -errno;
	if (!err && (pread(fd, got, sizeof(got) - 1, 0) < 0 || strcmp(got, wanted)))
		err = -EPERM;
	if (fd >= 0)
		(void)close(fd);
	if (err)
		snprintf(error->text, sizeof(error->text),
			 "cannot set oom_score_adj to -1000: %s: it needs CAP_SYS_RESOURCE", strerror(-err));
	return failed(err, error);
}

/* "some avg10=1.23 ..." of /proc/pressure/memory; without PSI nothing is known. */
static unsigned int read_pressure(void)
{
	FILE *file = fopen("/proc/pressure/memory", "re");
	unsigned int whole = 0, part = 0;

	if (!file)
		return 0;
	if (fscanf(file, "some avg10=%u.%2u", &whole, &part) != 2)
		whole = 0;
	(void)fclose(file);
	return whole * 100 + part;
}

/**
 * tbtf_self_memory() - how this node is
 * @ret: what it has; untouched if that cannot be said
 *
 * Return: 0 or a negative errno: /proc/meminfo is not as it should be.
 */
int tbtf_self_memory(struct tbtf_memory *ret)
{
	static const char path[] = "/proc/meminfo";
	struct tbtf_memory memory;
	int err;

	err = read_number(path, "MemTotal", &memory.total_kb);
	if (!err)
		err = read_number(path, "MemAvailable", &memory.available_kb);
	if (!err)
		err = read_number(path, "SwapTotal", &memory.swap_kb);
	if (err < 0)
		return err;
	memory.pressure = read_pressure();
	*ret = memory;
	return 0;
}
