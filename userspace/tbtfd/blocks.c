// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory blocks: what the kernel was given while it runs, and whether it uses it
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * /sys/devices/system/memory has a directory for each block. One that has been added is
 * offline until somebody says otherwise, or at once where the kernel was told so
 * (auto_online_blocks). Blocks that were offline before are somebody else's, unless it
 * is known that they lie in what was asked for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "blocks.h"
#include "log.h"
#include "proc.h"

#define DIRECTORY	"/sys/devices/system/memory"
/* Blocks that are told apart: 8 TiB of those of 128 MiB. */
#define BLOCKS		65536
#define PATH		64

static struct {
	DIR *dir;		/* kept open: looked at when there is no memory */
	uint64_t bytes;		/* of a block */
	bool theirs[BLOCKS];
} the;

/* The next block of the directory. Return: its number, or -1. */
static int64_t next_block(void)
{
	struct dirent *entry;
	unsigned long n;
	char *end;

	while ((entry = readdir(the.dir))) {
		if (strncmp(entry->d_name, "memory", 6) || entry->d_name[6] < '0' ||
		    entry->d_name[6] > '9')
			continue;
		n = strtoul(entry->d_name + 6, &end, 10);
		if (!*end)
			return n;
	}
	return -1;
}

static int read_file(int64_t block, const char *name, char *ret, size_t size)
{
	char path[PATH];
	int err;

	(void)snprintf(path, sizeof(path), "memory%" PRId64 "/%s", block, name);
	err = tbtf_proc_text_at(dirfd(the.dir), path, ret, size);
	if (!err)
		ret[strcspn(ret, "\n")] = 0;
	return err;
}

static bool is_offline(int64_t block)
{
	char state[32];

	return !read_file(block, "state", state, sizeof(state)) && !strcmp(state, "offline");
}

static bool is_ours(int64_t block)
{
	return block >= BLOCKS || !the.theirs[block];
}

/**
 * tbtf_blocks_open() - look at what blocks there are
 *
 * Those that are offline now are taken to be somebody else's.
 *
 * Return: 0; -EOPNOTSUPP: this kernel cannot be given memory; or the errno of reading.
 */
int tbtf_blocks_open(void)
{
	char text[32];
	int err;

	err = tbtf_proc_text(DIRECTORY "/block_size_bytes", text, sizeof(text));
	if (err == -ENOENT)
		return -EOPNOTSUPP;
	if (!err && (sscanf(text, "%" SCNx64, &the.bytes) != 1 || the.bytes < 4096))
		err = -EPROTO;
	if (err)
		return err;
	the.dir = opendir(DIRECTORY);
	if (!the.dir)
		return -errno;
	for (int64_t block; (block = next_block()) >= 0;)
		if (block < BLOCKS)
			the.theirs[block] = is_offline(block);
	return 0;
}

/**
 * tbtf_blocks_kb() - how large a block is
 *
 * Return: KiB.
 */
uint64_t tbtf_blocks_kb(void)
{
	return the.bytes / 1024;
}

/**
 * tbtf_blocks_automatic() - does the kernel use what it is given without being told?
 *
 * Return: whether.
 */
bool tbtf_blocks_automatic(void)
{
	char text[32];

	return !tbtf_proc_text_at(dirfd(the.dir), "auto_online_blocks", text, sizeof(text)) &&
	       strncmp(text, "offline", 7);
}

/**
 * tbtf_blocks_ours() - what is there is what was asked for
 * @at: the first byte of it in the machine's memory
 * @size: bytes
 */
void tbtf_blocks_ours(uint64_t at, uint64_t size)
{
	uint64_t end = (at + size) / the.bytes;

	for (uint64_t i = (at + the.bytes - 1) / the.bytes; i < end && i < BLOCKS; i++)
		the.theirs[i] = false;
}

/**
 * tbtf_blocks_offline_kb() - how much of ours is there and not in use
 *
 * Return: KiB.
 */
uint64_t tbtf_blocks_offline_kb(void)
{
	uint64_t n = 0;

	rewinddir(the.dir);
	for (int64_t block; (block = next_block()) >= 0;)
		n += is_ours(block) && is_offline(block);
	return n * tbtf_blocks_kb();
}

static int write_state(int64_t block, const char *state)
{
	char path[PATH];
	int fd, err = 0;

	(void)snprintf(path, sizeof(path), "memory%" PRId64 "/state", block);
	fd = openat(dirfd(the.dir), path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, state, strlen(state)) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/*
 * Into ZONE_MOVABLE, if it may be there: what the kernel puts elsewhere it never moves,
 * and the block could not go back. Where the administrator has the kernel choose by
 * itself (memory_hotplug.online_policy=auto-movable), it knows how much of memory may be
 * movable.
 */
static const char *online_how(int64_t block)
{
	char zones[64], policy[32];

	if (!tbtf_proc_text("/sys/module/memory_hotplug/parameters/online_policy", policy,
			    sizeof(policy)) && !strncmp(policy, "auto-movable", 12))
		return "online";
	if (read_file(block, "valid_zones", zones, sizeof(zones)))
		return "online";
	return strstr(zones, "Movable") ? "online_movable" : "online";
}

/**
 * tbtf_blocks_online() - let the kernel use what is there
 * @most_kb: no more than that, but whole blocks
 *
 * Return: KiB that are in use now.
 */
uint64_t tbtf_blocks_online(uint64_t most_kb)
{
	uint64_t kb = 0;

	rewinddir(the.dir);
	for (int64_t block; kb < most_kb && (block = next_block()) >= 0;) {
		const char *how;
		int err;

		if (!is_ours(block) || !is_offline(block))
			continue;
		how = online_how(block);
		err = write_state(block, how);
		if (err) {
			tbtf_warning("memory block %" PRId64 " stays offline: %s", block, strerror(-err));
			continue;
		}
		tbtf_debug("memory block %" PRId64 ": %s", block, how);
		kb += tbtf_blocks_kb();
	}
	return kb;
}

/**
 * tbtf_blocks_take_off() - take blocks out of use, in a child
 * @at: the first byte of them in the machine's memory
 * @size: bytes
 *
 * The kernel moves what is in them elsewhere, and tries that for as long as nobody kills
 * who has asked for it.
 *
 * Context: forks. The child dies with this process.
 * Return: its pid, whose exit code is the errno (0: done); or -errno of fork(2).
 */
pid_t tbtf_blocks_take_off(uint64_t at, uint64_t size)
{
	pid_t parent = getpid(), pid = fork();
	int err = 0;

	if (pid)
		return pid < 0 ? -errno : pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(ECANCELED);
	(void)tbtf_proc_write("/proc/self/oom_score_adj", "1000", 0);
	(void)prctl(PR_SET_NAME, "tbtfd-offline");
	for (uint64_t i = at / the.bytes; !err && i < (at + size) / the.bytes; i++)
		if (!is_offline(i))
			err = write_state(i, "offline");
	_exit(-err & 0xff);
}

/**
 * tbtf_blocks_parse_zones() - how much is free where the kernel may put tables of its own
 * @text: /proc/zoneinfo
 *
 * ZONE_MOVABLE is for pages that can be moved: no table can be there, and what is free in
 * it says nothing.
 *
 * Return: KiB above the low watermarks.
 */
uint64_t tbtf_blocks_parse_zones(const char *text)
{
	uint64_t kb = 0, pages = 0, page_kb = sysconf(_SC_PAGESIZE) / 1024, low;
	bool counts = false;
	char name[32];

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "Node %*u, zone %31s", name) == 1) {
			counts = strcmp(name, "Movable") && strcmp(name, "Device");
			pages = 0;
		} else if (sscanf(line, " pages free %" SCNu64, &pages) != 1 && counts &&
			   sscanf(line, " low %" SCNu64, &low) == 1) {
			kb += pages > low ? (pages - low) * page_kb : 0;
			counts = false;
		}
	}
	return kb;
}

/**
 * tbtf_blocks_kernel_kb() - the same, now
 *
 * Return: KiB; 0 also if that is not known.
 */
uint64_t tbtf_blocks_kernel_kb(void)
{
	/* The thread's alone. A node has some 10 KiB of it, more with many CPUs. */
	static char text[256 * 1024];
	int fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	size_t fill = 0;
	ssize_t n = 0;

	while (fd >= 0 && fill < sizeof(text) - 1) {
		n = read(fd, text + fill, sizeof(text) - 1 - fill);
		if (n <= 0)
			break;
		fill += n;
	}
	text[fill] = 0;
	if (fd >= 0)
		(void)close(fd);
	return tbtf_blocks_parse_zones(text);
}
