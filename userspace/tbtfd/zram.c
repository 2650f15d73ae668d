// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - zram devices of our own: made, known again, taken away
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A zram has no name. The label in its first page says that it is ours, so nothing has
 * to be kept for a daemon that comes after one that was killed, and a device that
 * somebody else has made is never touched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "zram.h"

#define CONTROL		"/sys/class/zram-control"
/* Somebody has just opened it to see what it is (udev). */
#define BUSY_TRIES	20
#define BUSY_NS		100000000

/**
 * tbtf_zram_device() - the file of a device
 * @index: N of /dev/zramN
 * @ret: where it goes
 */
void tbtf_zram_device(int index, char ret[TBTF_DEVICE_LEN])
{
	(void)snprintf(ret, TBTF_DEVICE_LEN, "/dev/zram%d", index);
}

static void path_of(int index, const char *name, char ret[64])
{
	(void)snprintf(ret, 64, "/sys/block/zram%d/%s", index, name);
}

static int set(int index, const char *name, const char *text)
{
	char path[64];

	path_of(index, name, path);
	return tbtf_proc_write(path, text, 0);
}

static int set_kb(int index, const char *name, uint64_t kb)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, kb * 1024);
	return set(index, name, text);
}

static int choose_compressor(int index)
{
	char path[64], text[256], name[32];
	int err;

	path_of(index, "comp_algorithm", path);
	err = tbtf_proc_text(path, text, sizeof(text));
	if (!err)
		err = tbtf_zram_compressor(text, name, sizeof(name));
	return err ? err : set(index, "comp_algorithm", name);
}

static int write_header(int index, uint64_t kb, const char *label)
{
	unsigned char header[TBTF_SWAP_HEADER];
	char device[TBTF_DEVICE_LEN];
	int fd, err;

	err = tbtf_swap_header(header, kb, label);
	if (err)
		return err;
	tbtf_zram_device(index, device);
	fd = open(device, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, header, sizeof(header), 0) != sizeof(header) || fsync(fd))
		err = errno ? -errno : -EIO;
	(void)close(fd);
	return err;
}

/**
 * tbtf_zram_add() - make a device
 * @kb: its size
 * @label: whose it is
 *
 * Return: N of /dev/zramN; -ENOENT: the module zram is not loaded; -ENOMEM; or
 * what else sysfs or the device said. Nothing is left then.
 */
int tbtf_zram_add(uint64_t kb, const char *label)
{
	uint64_t index;
	int err;

	/* Each time it is read there is another device: it is read once. */
	err = tbtf_proc_number(CONTROL "/hot_add", &index);
	if (err)
		return err;
	err = choose_compressor(index);
	if (!err)
		err = set_kb(index, "disksize", kb);
	if (!err)
		err = write_header(index, kb, label);
	if (!err)
		return index;
	(void)tbtf_zram_remove(index);
	return err;
}

/**
 * tbtf_zram_remove() - take a device away, with all that is in it
 * @index: of the device
 *
 * Return: 0; -EBUSY: it is in use; or the errno of sysfs.
 */
int tbtf_zram_remove(int index)
{
	const struct timespec wait = { .tv_nsec = BUSY_NS };
	char text[16];
	int err;

	(void)snprintf(text, sizeof(text), "%d", index);
	for (int i = 0; i < BUSY_TRIES; i++) {
		err = tbtf_proc_write(CONTROL "/hot_remove", text, 0);
		if (err != -EBUSY)
			return err;
		(void)nanosleep(&wait, NULL);
	}
	return -EBUSY;
}

static bool is_ours(int index, const char *label)
{
	unsigned char header[TBTF_SWAP_HEADER];
	char device[TBTF_DEVICE_LEN];
	bool ours;
	int fd;

	tbtf_zram_device(index, device);
	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ours = pread(fd, header, sizeof(header), 0) == sizeof(header) &&
	       tbtf_swap_labelled(header, label);
	(void)close(fd);
	return ours;
}

/**
 * tbtf_zram_find() - the devices with a label
 * @label: whose
 * @ret: their numbers
 * @max: so many at most
 *
 * Return: how many.
 */
int tbtf_zram_find(const char *label, int *ret, size_t max)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/block");
	size_t n = 0;

	while (dir && n < max && (entry = readdir(dir))) {
		int index;
		char rest;

		if (sscanf(entry->d_name, "zram%d%c", &index, &rest) == 1 && is_ours(index, label))
			ret[n++] = index;
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

/**
 * tbtf_zram_stat() - what is in a device
 * @index: of the device
 * @ret: where it goes
 *
 * Return: 0; -ENOENT: there is no such device; -EPROTO.
 */
int tbtf_zram_stat(int index, struct tbtf_zram_stat *ret)
{
	char path[64], text[256];
	int err;

	path_of(index, "mm_stat", path);
	err = tbtf_proc_text(path, text, sizeof(text));
	return err ? err : tbtf_zram_parse(text, ret);
}
