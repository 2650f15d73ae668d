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
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "proc.h"
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
	char text[TBTF_PROC_TEXT];
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
	err = tbtf_proc_text("/proc/self/status", text, sizeof(text));
	if (!err)
		err = tbtf_proc_field(text, "VmLck", &locked);
	if (!err)
		err = tbtf_proc_field(text, "VmExe", &libraries);
	if (err < 0 || locked < libraries || !locked) {
		snprintf(error->text, sizeof(error->text),
			 "is not locked in memory though mlockall(2) says so: VmLck is %" PRIu64 " kB", locked);
		return failed(err < 0 ? err : -ENOLCK, error);
	}
#else
	(void)locked;
	(void)libraries;
	(void)text;
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
	int err = tbtf_proc_last_to_die();

	if (err)
		snprintf(error->text, sizeof(error->text),
			 "cannot set oom_score_adj to -1000: %s: it needs CAP_SYS_RESOURCE", strerror(-err));
	return failed(err, error);
}

/**
 * tbtf_self_memory() - how this node is
 * @ret: what it has, but for @behind_kb and @far, which stay; untouched if that cannot be said
 *
 * Return: 0 or a negative errno: /proc/meminfo is not as it should be.
 */
int tbtf_self_memory(struct tbtf_memory *ret)
{
	char text[TBTF_PROC_TEXT];
	struct tbtf_memory memory;
	int err, pressure;

	err = tbtf_proc_text("/proc/meminfo", text, sizeof(text));
	if (!err)
		err = tbtf_proc_field(text, "MemTotal", &memory.total_kb);
	if (!err)
		err = tbtf_proc_field(text, "MemAvailable", &memory.available_kb);
	if (!err)
		err = tbtf_proc_field(text, "SwapTotal", &memory.swap_kb);
	if (!err)
		err = tbtf_proc_field(text, "SwapFree", &memory.swap_free_kb);
	if (err < 0)
		return err;
	pressure = tbtf_proc_pressure();
	memory.pressure = pressure < 0 ? 0 : pressure;
	memory.behind_kb = ret->behind_kb;
	memory.far = ret->far;
	*ret = memory;
	return 0;
}
