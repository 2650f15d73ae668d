// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the borrower's own memory, and how the machine's stands
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Whoever fetches memory must not need any. So the daemon is locked in memory whole,
 * the kernel keeps enough free for the network, and there is a ballast that is given
 * up just before swapon(2), which wants a map of the device. Each of these is
 * read back before it is believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "proc.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN_FREE_FILE	"/proc/sys/vm/min_free_kbytes"
#define BOOST_FILE	"/proc/sys/vm/watermark_boost_factor"

/* What is changed while extents are swap, and where its value before is kept. */
static const struct sysctl {
	const char *file;
	const char *before;	/* a daemon that is killed finds it again when it is back */
} sysctls[] = {
	{ MIN_FREE_FILE, TBTF_RUN_DIR "/min_free_kbytes" },
	{ BOOST_FILE, TBTF_RUN_DIR "/watermark_boost_factor" },
};

/* Pages of the kernel's own in every process (vdso, vvar) that are not locked. */
#define UNLOCKED_KB	64
/* Of the stack: deeper than any path here. */
#define STACK_TOUCHED	(256 * 1024)

static void *ballast;
static size_t ballast_len;
static size_t ballast_wanted;

/* Locked it says it is: is nothing of it out, or able to go? */
static int prove_locked(void)
{
	static char text[TBTF_PROC_TEXT];
	uint64_t locked, rss, swap;
	int err = tbtf_proc_text("/proc/self/status", text, sizeof(text));

	if (err) {
		tbtf_err("cannot read /proc/self/status: %s", strerror(-err));
		return err;
	}
	if (tbtf_proc_field(text, "VmLck", &locked) || tbtf_proc_field(text, "VmRSS", &rss) || tbtf_proc_field(text, "VmSwap", &swap)) {
		tbtf_err("/proc/self/status has no VmLck, VmRSS or VmSwap");
		return -EPROTO;
	}
	if (swap || locked + UNLOCKED_KB < rss) {
		tbtf_err("not locked in memory: of %" PRIu64 " kB %" PRIu64 " kB are, and %" PRIu64 " kB are in swap",
			 rss, locked, swap);
		return -EPERM;
	}
	tbtf_debug("locked in memory: VmLck %" PRIu64 " kB, VmRSS %" PRIu64 " kB", locked, rss);
	return 0;
}

/**
 * tbtf_memory_lock() - be where nothing of this process ever has to be fetched
 *
 * Also its heap: one arena for all threads, never given back to the kernel, grown in
 * large steps. And what may be killed first it is not.
 *
 * Context: once, before there is a thread.
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_memory_lock(void)
{
	volatile char *stack;
	int err;

	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_MAX, 0);
	(void)mallopt(M_TRIM_THRESHOLD, -1);
	(void)mallopt(M_TOP_PAD, 1 << 20);
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		err = -errno;
		tbtf_err("cannot lock its memory: %s (LimitMEMLOCK=infinity, CAP_IPC_LOCK)", strerror(-err));
		return err;
	}
	stack = alloca(STACK_TOUCHED);
	for (size_t i = 0; i < STACK_TOUCHED; i += 4096)
		stack[i] = 0;
	err = prove_locked();
	if (err)
		return err;
	err = tbtf_proc_last_to_die();
	if (err)
		tbtf_err("cannot make its oom_score_adj -1000: %s", strerror(-err));
	return err;
}

/**
 * tbtf_memory_first() - be served before others when memory is short
 *
 * The kernel lets a real-time thread take a part of what is below the minimum that
 * all others have to leave (min_free_kbytes): this is what swapon(2) lives on when
 * whoever wants memory takes all that is given up. And it runs at once. Neither
 * threads nor children inherit it.
 *
 * Context: each thread that needs it.
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_memory_first(void)
{
	struct sched_param param = { .sched_priority = sched_get_priority_min(SCHED_FIFO) };
	int err = 0;

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		err = -errno;
	if (!err && sched_getscheduler(0) != (SCHED_FIFO | SCHED_RESET_ON_FORK))
		err = -EPERM;
	if (err)
		tbtf_err("cannot be a real-time process: %s (CAP_SYS_NICE)", strerror(-err));
	return err;
}

/* Keep what a setting was, if no daemon before us has. */
static int keep_before(const struct sysctl *sysctl)
{
	char text[32];
	int err;

	if (!access(sysctl->before, F_OK))
		return 0;
	err = tbtf_proc_text(sysctl->file, text, sizeof(text));
	if (!err)
		err = tbtf_proc_write(sysctl->before, text, O_CREAT | O_TRUNC);
	if (err)
		tbtf_err("cannot keep what %s was in %s: %s", sysctl->file, sysctl->before,
			 strerror(-err));
	return err;
}

/* Set it, and see whether it is that now. */
static int set_number(const char *file, uint64_t value)
{
	char text[32];
	uint64_t now;
	int err;

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	err = tbtf_proc_write(file, text, 0);
	if (!err)
		err = tbtf_proc_number(file, &now);
	if (!err && now != value)
		err = -EPERM;
	if (err)
		tbtf_err("cannot make %s %" PRIu64 ": %s", file, value, strerror(-err));
	return err;
}

/**
 * tbtf_memory_raise() - let the kernel keep enough free for the network
 * @said_kb: what the configuration says, or 0
 *
 * A vm.min_free_kbytes that is larger already stays. And vm.watermark_boost_factor
 * becomes 0: after memory has been mixed up the kernel would add to the minimum what may
 * be many times of it, for a while, and refuse even those it serves first.
 *
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_memory_raise(uint64_t said_kb)
{
	struct tbtf_room room;
	uint64_t wanted;
	int err;

	err = tbtf_memory_room(&room);
	if (err) {
		tbtf_err("cannot read /proc/meminfo or %s: %s", MIN_FREE_FILE, strerror(-err));
		return err;
	}
	for (size_t i = 0; !err && i < ARRAY_SIZE(sysctls); i++)
		err = keep_before(&sysctls[i]);
	if (!err)
		err = set_number(BOOST_FILE, 0);
	wanted = tbtf_extent_min_free(room.total_kb, said_kb);
	if (err || room.min_free_kb >= wanted)
		return err;
	err = set_number(MIN_FREE_FILE, wanted);
	if (!err)
		tbtf_info("vm.min_free_kbytes raised from %" PRIu64 " to %" PRIu64, room.min_free_kb,
			  wanted);
	return err;
}

/**
 * tbtf_memory_restore() - make what tbtf_memory_raise() changed what it was
 *
 * Return: 0; or an errno, which has been said.
 */
int tbtf_memory_restore(void)
{
	int ret = 0, err;
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		err = tbtf_proc_text(sysctls[i].before, text, sizeof(text));
		if (err == -ENOENT)
			continue;
		if (!err)
			err = tbtf_proc_write(sysctls[i].file, text, 0);
		if (!err) {
			(void)unlink(sysctls[i].before);
			continue;
		}
		tbtf_warning("cannot make %s what it was: %s", sysctls[i].file, strerror(-err));
		ret = err;
	}
	return ret;
}

/**
 * tbtf_memory_ballast() - take memory in order to have some to give up
 * @kb: how much, 0: none
 *
 * Return: 0; -ENOMEM or another errno of mmap(2): nothing has been taken.
 */
int tbtf_memory_ballast(uint64_t kb)
{
	size_t len = kb * 1024;
	void *at;

	ballast_wanted = len;
	if (!len || ballast)
		return 0;
	/* Populated, so that it is memory; and no child copies it. */
	at = mmap(NULL, len, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	(void)madvise(at, len, MADV_DONTFORK);
	ballast = at;
	ballast_len = len;
	return 0;
}

/**
 * tbtf_memory_ballast_free() - give it up
 *
 * Context: the path of a steal; allocates nothing.
 */
void tbtf_memory_ballast_free(void)
{
	if (!ballast)
		return;
	(void)munmap(ballast, ballast_len);
	ballast = NULL;
}

/**
 * tbtf_memory_ballast_held() - is it there?
 *
 * Return: whether there is as much as was last asked for.
 */
bool tbtf_memory_ballast_held(void)
{
	return ballast || !ballast_wanted;
}

/**
 * tbtf_memory_room() - how much memory there is, and how much of it is to be had
 * @ret: where it goes
 *
 * Context: thread main; allocates nothing.
 * Return: 0; or the errno of reading.
 */
int tbtf_memory_room(struct tbtf_room *ret)
{
	static char text[TBTF_PROC_TEXT];
	struct tbtf_room room;
	int err = tbtf_proc_text("/proc/meminfo", text, sizeof(text));

	if (!err)
		err = tbtf_proc_field(text, "MemTotal", &room.total_kb);
	if (!err)
		err = tbtf_proc_field(text, "MemAvailable", &room.available_kb);
	if (!err)
		err = tbtf_proc_number(MIN_FREE_FILE, &room.min_free_kb);
	if (!err)
		*ret = room;
	return err;
}
