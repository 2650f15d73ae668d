// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint file: a swap file on a local disk, the debt of last resort
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * All of it is allocated before it is needed, and the kernel has taken it for swap once
 * before it counts as ready. Its priority is the lowest that there is. When it has been
 * used it is unlinked, with what processes have left in it, and made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "mint.h"
#include "swap.h"

/* How fast the disk is: so much is written to it, past all caches. */
#define TRIAL		(1UL << 20)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static struct {
	char path[PATH_MAX];	/* as the kernel has it: without links */
	bool there;		/* made, and tried */
} the;

/* Where no swap file can be, or none that is on a disk of this machine. */
static const struct {
	unsigned long magic;
	const char *what;
} no_disk[] = {
	{ TMPFS_MAGIC, "tmpfs, which is memory" },
	{ RAMFS_MAGIC, "ramfs, which is memory" },
	{ OVERLAYFS_SUPER_MAGIC, "overlayfs, which has no swap files" },
	{ BTRFS_SUPER_MAGIC, "btrfs, which moves what is written: this version makes no swap file there" },
	{ NFS_SUPER_MAGIC, "NFS, which is another machine's" },
	{ 0xff534d42, "CIFS, which is another machine's" },
	{ 0xfe534d42, "SMB, which is another machine's" },
	{ V9FS_MAGIC, "9p, which is another machine's" },
	{ CEPH_SUPER_MAGIC, "Ceph, which is other machines'" },
	{ FUSE_SUPER_MAGIC, "FUSE, which is a program, and needs memory itself" },
};

/* The directory's name without links, as /proc/swaps will have it. */
static int resolve(const char *name)
{
	char directory[PATH_MAX];
	const char *last = strrchr(name, '/');
	size_t len;

	(void)snprintf(directory, sizeof(directory), "%.*s", last == name ? 1 : (int)(last - name), name);
	if (!realpath(directory, the.path)) {
		tbtf_err("[print] file = %s: no directory %s: %s", name, directory, strerror(errno));
		return -errno;
	}
	len = strlen(the.path);
	if (len + strlen(last) >= TBTF_SWAP_FILE_LEN || strpbrk(the.path, " \t\\")) {
		tbtf_err("[print] file = %s is in %s: a name too long, or with blanks or backslashes",
			 name, the.path);
		return -EINVAL;
	}
	strcpy(the.path + (strcmp(the.path, "/") ? len : 0), last);
	return 0;
}

/* What is there under that name: nothing, ours (and gone now), or an error. */
static int remove_old(void)
{
	unsigned char header[TBTF_SWAP_HEADER] = { 0 };
	int fd = open(the.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool ours = false;
	struct stat st;

	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		tbtf_err("[print] file = %s: %s", the.path, strerror(errno));
		return -errno;
	}
	/* One that has been begun has nothing in it. */
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		ours = !st.st_size || (pread(fd, header, sizeof(header), 0) == sizeof(header) &&
				       tbtf_swap_labelled(header, TBTF_SWAP_PRINTED));
	(void)close(fd);
	if (!ours) {
		tbtf_err("[print] file = %s is there already, and was not made by tbtfd: another name, or remove it",
			 the.path);
		return -EEXIST;
	}
	return unlink(the.path) ? -errno : 0;
}

static int find(struct tbtf_mint *mint)
{
	struct tbtf_swap swap;
	struct statfs fs;
	char *slash;
	int err;

	err = resolve(mint->conf->print.file);
	if (err)
		return err;
	if (!tbtf_swap_find(the.path, &swap)) {
		the.there = true;
		mint->out_kb = swap.size_kb;
		mint->used_kb = mint->back_kb = swap.used_kb;
		tbtf_info("%s is still here: it is swap, with %" PRIu64 " kB", the.path, swap.used_kb);
		return 0;
	}
	slash = strrchr(the.path, '/');
	*slash = 0;
	err = statfs(*the.path ? the.path : "/", &fs) ? -errno : 0;
	*slash = '/';
	if (err) {
		tbtf_err("[print] file = %s: %s", the.path, strerror(-err));
		return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(no_disk); i++) {
		if ((unsigned long)fs.f_type != no_disk[i].magic)
			continue;
		tbtf_err("[print] file = %s is on %s: it has to be on a disk of this machine",
			 the.path, no_disk[i].what);
		return -EINVAL;
	}
	return remove_old();
}

/* Blocks for all of it; where the file system has no fallocate(2), by writing. */
static int allocate(int fd, uint64_t bytes)
{
	static const char zeros[64 * 1024];
	struct stat st;

	if (fallocate(fd, 0, 0, bytes)) {
		if (errno != EOPNOTSUPP)
			return -errno;
		for (uint64_t at = TBTF_SWAP_HEADER; at < bytes;) {
			size_t len = bytes - at < sizeof(zeros) ? bytes - at : sizeof(zeros);
			ssize_t done = pwrite(fd, zeros, len, at);

			if (done < 0)
				return -errno;
			at += done;
		}
	}
	if (fsync(fd) || fstat(fd, &st))
		return -errno;
	return (uint64_t)st.st_blocks * 512 < bytes ? -ENOSPC : 0;
}

/* How long a KiB takes on this disk, or 0. */
static uint64_t time_disk(const char *path)
{
	int fd = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
	struct timespec from, to;
	uint64_t ns = 0;
	void *page;

	if (fd < 0)
		return 0;
	page = mmap(NULL, TRIAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	if (page != MAP_FAILED && pwrite(fd, page, TRIAL, TBTF_SWAP_HEADER) == (ssize_t)TRIAL) {
		(void)clock_gettime(CLOCK_MONOTONIC, &to);
		ns = (to.tv_sec - from.tv_sec) * 1000000000ULL + to.tv_nsec - from.tv_nsec;
	}
	if (page != MAP_FAILED)
		(void)munmap(page, TRIAL);
	(void)close(fd);
	return ns / (TRIAL / 1024);
}

static int make(uint64_t kb)
{
	int fd = open(the.path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600), err;
	unsigned char header[TBTF_SWAP_HEADER];

	if (fd < 0)
		return -errno;
	/* The label first: by it a daemon that comes after this one knows what it is. */
	err = tbtf_swap_header(header, kb, TBTF_SWAP_PRINTED);
	if (!err && pwrite(fd, header, sizeof(header), 0) != sizeof(header))
		err = errno ? -errno : -EIO;
	if (!err)
		err = allocate(fd, kb * 1024);
	(void)close(fd);
	if (err)
		(void)unlink(the.path);
	return err;
}

static void prepare(struct tbtf_mint *mint)
{
	uint64_t kb = mint->conf->print.file_kb / 4 * 4;
	int err;

	if (!the.there) {
		err = make(kb);
		if (err) {
			tbtf_mint_why(mint, "cannot make %s with %" PRIu64 " kB: %s", the.path, kb, strerror(-err));
			return;
		}
		mint->ns_per_kb = time_disk(the.path);
		/* Whether it can be swap the kernel knows best. */
		err = tbtf_swap_on_last(the.path);
		if (err) {
			tbtf_mint_why(mint, "the kernel takes no swap file at %s: %s", the.path, strerror(-err));
			(void)unlink(the.path);
			return;
		}
		the.there = true;
		err = tbtf_mint_swapoff(mint, the.path);
		if (err) {
			/* Pages have found it already. It goes back as if it had been asked for. */
			mint->out_kb = kb;
			return;
		}
		tbtf_info("%s is ready: %" PRIu64 " kB, %" PRIu64 " ns a kB", the.path, kb,
			  (uint64_t)mint->ns_per_kb);
	}
	tbtf_mint_well(mint);
	mint->ready_kb = kb;
}

static uint64_t print(struct tbtf_mint *mint, const struct tbtf_request *request)
{
	uint64_t kb = mint->ready_kb;
	int err;

	(void)request;
	if (!kb)
		return 0;
	err = tbtf_swap_on_last(the.path);
	mint->ready_kb = 0;
	if (err) {
		tbtf_mint_why(mint, "cannot make %s swap: %s", the.path, strerror(-err));
		return 0;
	}
	mint->out_kb = kb;
	return kb;
}

static void gone(struct tbtf_mint *mint)
{
	mint->out_kb = mint->used_kb = mint->back_kb = 0;
	/* What processes had in their memory is in it. */
	if (unlink(the.path))
		tbtf_warning("cannot remove %s: %s", the.path, strerror(errno));
	the.there = false;
	mint->preparing = true;
}

static void look(struct tbtf_mint *mint)
{
	struct tbtf_swap swap;
	int err;

	if (!mint->out_kb)
		return;
	err = tbtf_swap_find(the.path, &swap);
	if (!err) {
		mint->used_kb = mint->back_kb = swap.used_kb;
	} else if (err == -ENOENT) {
		tbtf_notice("%s is swap no more: somebody else's swapoff", the.path);
		gone(mint);
	}
}

static int take_back(struct tbtf_mint *mint)
{
	int err = tbtf_mint_swapoff(mint, the.path);

	if (!err)
		gone(mint);
	return err;
}

static void end(struct tbtf_mint *mint)
{
	if (the.there && !mint->out_kb)
		(void)unlink(the.path);
}

static void plan(const struct tbtf_conf *conf, char *ret, size_t size)
{
	(void)snprintf(ret, size, "a swap file %s of %" PRIu64 " kB", conf->print.file, conf->print.file_kb);
}

const struct tbtf_mint_ops tbtf_mint_file = {
	.name = "file",
	.swap = true,
	.open = find,
	.prepare = prepare,
	.print = print,
	.look = look,
	.take_back = take_back,
	.close = end,
	.plan = plan,
};
