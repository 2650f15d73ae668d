// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - two devices that hold the same: md's raid1, without a superblock
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: nbd devices of two lenders. Goes out: one device, that is there as long as
 * one of them is. All that has to happen when one fails happens in the kernel; this
 * file is for before and after. By ioctls and sysfs, as mdadm does it, for that a
 * program is not started while swap is short of a lender.
 *
 * There is no superblock: nothing of the mirror shall be found by anyone when this
 * machine has been restarted, for its key and its pages are gone. There is a bitmap, at
 * the end of each member, behind what is mirrored: a member that was away for seconds
 * gets what was written meanwhile, and not everything.
 *
 * Kernels from 6.18 on have no place where to say what kind of bitmap it shall be: they
 * read that from its first page, which so has to be there, and take the place of it
 * for arrays of version 1 only, once they run. To such arrays members are added by sysfs.
 *
 * Runs in the thread of lenders.c.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/major.h>
#include <linux/raid/md_p.h>
#include <linux/raid/md_u.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "mirror.h"
#include "proc.h"

#define NEW_ARRAY	"/sys/module/md_mod/parameters/new_array"
#define SECTORS_KB	2
/* A page of bits is enough, and what one bit stands for is 4 MiB at least. */
#define BITMAP_BITS	(8 * 4096)
#define BITMAP_CHUNK	(4U << 20)
/* Seconds after which a bit is cleared when nothing is written there any more. */
#define BITMAP_DELAY	5
#define BITMAP_MAGIC	0x6d746962
#define BITMAP_VERSION	4
/*
 * How fast a new member is filled, KiB a second: at least, while pages come and go, so
 * that there are two copies again within minutes; and at most, so that a page that is
 * waited for does not stand behind a copy in a queue of a second and more.
 */
#define SYNC_MIN	"16384"
#define SYNC_MAX	"131072"
/* Somebody looks at a device, as udev does, and is gone in a moment. */
#define BUSY_TRIES	40
#define BUSY_NAP_MS	50

static int sysfs_path(const char *device, const char *name, char *ret, size_t size)
{
	int len;

	if (strncmp(device, "/dev/", 5))
		return -ENODEV;
	len = snprintf(ret, size, "/sys/block/%s/md/%s", device + 5, name);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int get(const char *device, const char *name, char *ret, size_t size)
{
	char path[160];
	int err = sysfs_path(device, name, path, sizeof(path));

	if (!err)
		err = tbtf_proc_text(path, ret, size);
	if (!err)
		ret[strcspn(ret, "\n")] = 0;
	return err;
}

static int put(const char *device, const char *name, const char *text)
{
	char path[160];
	int err = sysfs_path(device, name, path, sizeof(path));

	return err ? err : tbtf_proc_write(path, text, 0);
}

static int put_number(const char *device, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return put(device, name, text);
}

/* Of a member. */
static int put_member(const char *device, int index, const char *name, const char *text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "dev-nbd%d/%s", index, name);
	return put(device, path, text);
}

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = BUSY_NAP_MS * 1000000L };

	(void)nanosleep(&ts, NULL);
}

/* Kernels name it by itself; it is opened as a file because that is where an ioctl goes. */
static int open_array(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int node_of(int index, struct stat *ret)
{
	char path[TBTF_DEVICE_LEN];

	(void)snprintf(path, sizeof(path), "/dev/nbd%d", index);
	if (stat(path, ret))
		return -errno;
	return S_ISBLK(ret->st_mode) ? 0 : -ENOTBLK;
}

/* It is known to the array then, and no part of it yet. */
static int bring(const char *device, int index, uint64_t kb)
{
	struct stat node;
	int err = node_of(index, &node);
	char text[32];

	if (err)
		return err;
	(void)snprintf(text, sizeof(text), "%u:%u", major(node.st_rdev), minor(node.st_rdev));
	err = put(device, "new_dev", text);
	if (err)
		return err;
	(void)snprintf(text, sizeof(text), "%" PRIu64, kb);
	err = put_member(device, index, "size", text);
	return err ? err : put_member(device, index, "state", "failfast");
}

static int add_first(const char *device, int slot, int index, uint64_t kb, bool last)
{
	char text[16];
	int err = bring(device, index, kb);

	/* Both hold the same already, which this says: zeroes, and the same header. */
	(void)snprintf(text, sizeof(text), "%d", slot);
	if (!err)
		err = put_member(device, index, "slot", text);
	/* Read from only when there is no other. */
	if (!err && last)
		err = put_member(device, index, "state", "writemostly");
	return err;
}

/* Without it all works, but copies more. */
static void want_bitmap(const char *device, uint64_t kb)
{
	int err = 0;

	/* As long as the array looks whether there is something to be copied. */
	for (int i = 0; i < BUSY_TRIES; i++) {
		err = put_number(device, "bitmap/location", kb * SECTORS_KB);
		if (err != -EBUSY)
			break;
		nap();
	}
	if (err)
		tbtf_info("%s has no bitmap: %s; who comes back is copied whole", device,
			  strerror(-err));
}

static int start(const char *device, const int index[2], const bool last[2], uint64_t kb)
{
	/* All but this is said by sysfs, and this can only be said here. */
	mdu_array_info_t info = { .major_version = 1, .not_persistent = 1 };
	mdu_param_t parameters = { 0 };
	int array = open_array(device), err = 0;

	if (array < 0)
		return array;
	if (ioctl(array, SET_ARRAY_INFO, &info))
		err = -errno;
	if (!err)
		err = put(device, "level", "raid1");
	if (!err)
		err = put_number(device, "raid_disks", 2);
	if (!err)
		err = put_number(device, "component_size", kb);
	/* Nothing has to be copied. */
	if (!err)
		err = put(device, "resync_start", "none");
	for (int i = 0; !err && i < 2; i++)
		err = add_first(device, i, index[i], kb, last[i]);
	if (!err && ioctl(array, RUN_ARRAY, &parameters))
		err = -errno;
	if (!err)
		want_bitmap(device, kb);
	else
		(void)ioctl(array, STOP_ARRAY, NULL);
	(void)close(array);
	return err;
}

/**
 * tbtf_mirror_bitmap() - what has to stand behind what is mirrored, on each of the first
 * @page: where it goes; written to the member at @kb
 * @kb: the size of the mirror
 *
 * Return: none.
 */
void tbtf_mirror_bitmap(unsigned char page[TBTF_SWAP_HEADER], uint64_t kb)
{
	/* The kernel's struct bitmap_super_s, as far as it is not zero here. */
	struct {
		uint32_t magic, version;
		unsigned char uuid[16];
		uint64_t events, events_cleared, sync_size;
		uint32_t state, chunk, delay_s, write_behind, sectors;
	} super = {
		.magic = htole32(BITMAP_MAGIC),
		.version = htole32(BITMAP_VERSION),
		.sync_size = htole64(kb * SECTORS_KB),
		.delay_s = htole32(BITMAP_DELAY),
		.sectors = htole32(TBTF_MIRROR_EXTRA_KB * SECTORS_KB),
	};
	uint32_t chunk = BITMAP_CHUNK;

	/* A bit for 2 GiB is as far as this goes: for 64 TiB. */
	while (kb * 1024 / chunk >= BITMAP_BITS && chunk < 1U << 31)
		chunk *= 2;
	super.chunk = htole32(chunk);
	memset(page, 0, TBTF_SWAP_HEADER);
	memcpy(page, &super, sizeof(super));
}

/**
 * tbtf_mirror_make() - make one device of two
 * @id: a number that no other mirror has
 * @index: N of each /dev/nbdN, TBTF_MIRROR_EXTRA_KB larger than @kb
 * @last: which is read from only when there is no other
 * @kb: the size
 * @ret_device: the new device's file
 *
 * Both have to hold the same, and tbtf_mirror_bitmap() at @kb.
 *
 * Return: 0; -ENOENT: the module raid1 is not loaded; or what the kernel says.
 */
int tbtf_mirror_make(uint32_t id, const int index[2], const bool last[2], uint64_t kb,
		     char ret_device[TBTF_DEVICE_LEN])
{
	char device[TBTF_DEVICE_LEN];
	int err;

	(void)snprintf(device, sizeof(device), "/dev/md_tbtf_%08" PRIx32, id);
	err = tbtf_proc_write(NEW_ARRAY, device + strlen("/dev/"), 0);
	if (!err)
		err = start(device, index, last, kb);
	if (err)
		return err;
	(void)put(device, "sync_speed_min", SYNC_MIN);
	(void)put(device, "sync_speed_max", SYNC_MAX);
	memcpy(ret_device, device, sizeof(device));
	return 0;
}

/**
 * tbtf_mirror_stop() - take a mirror apart
 * @device: its file; not in use
 *
 * Context: waits up to two seconds for whoever has it open.
 * Return: 0; -ENODEV: none of ours; -EBUSY; or what the kernel says.
 */
int tbtf_mirror_stop(const char *device)
{
	int array, err = 0;

	if (strncmp(device, "/dev/md_tbtf_", 13))
		return -ENODEV;
	for (int i = 0; i < BUSY_TRIES; i++) {
		array = open_array(device);
		if (array < 0)
			return array;
		err = ioctl(array, STOP_ARRAY, NULL) ? -errno : 0;
		(void)close(array);
		if (err != -EBUSY)
			break;
		nap();
	}
	return err;
}

/**
 * tbtf_mirror_add() - take in a member that holds nothing yet
 * @device: the mirror's file
 * @index: N of /dev/nbdN
 *
 * Return: 0, and the kernel copies; or what it says.
 */
int tbtf_mirror_add(const char *device, int index)
{
	char text[24];
	int err = get(device, "component_size", text, sizeof(text));

	if (!err)
		err = bring(device, index, strtoull(text, NULL, 10));
	/* Nobody looks for it unasked. */
	return err ? err : put(device, "sync_action", "recover");
}

/**
 * tbtf_mirror_add_again() - take a member back that failed, and can be reached again
 * @device: the mirror's file
 * @index: N of /dev/nbdN
 *
 * What was written meanwhile is copied; without a bitmap everything. Never is a member
 * of a mirror without one added "again": md would copy nothing, and take it for whole.
 *
 * Return: 0; -EBUSY: the kernel is not through with its failure yet; or what it says.
 */
int tbtf_mirror_add_again(const char *device, int index)
{
	char where[64];
	int err;

	if (!get(device, "bitmap/location", where, sizeof(where)) && strcmp(where, "none"))
		return put_member(device, index, "state", "re-add");
	err = tbtf_mirror_remove(device, index);
	return err ? err : tbtf_mirror_add(device, index);
}

/**
 * tbtf_mirror_fail() - have the kernel give a member up
 * @device: the mirror's file
 * @index: N of /dev/nbdN; there has to be another one that holds all
 *
 * Return: 0; or what the kernel says.
 */
int tbtf_mirror_fail(const char *device, int index)
{
	return put_member(device, index, "state", "faulty");
}

/**
 * tbtf_mirror_remove() - take a member out
 * @device: the mirror's file
 * @index: N of /dev/nbdN
 *
 * Context: if it has not failed, it fails by this; waits for up to two seconds.
 * Return: 0; -EBUSY: it is the last one that holds all; or what the kernel says.
 */
int tbtf_mirror_remove(const char *device, int index)
{
	enum tbtf_member member = tbtf_mirror_member(device, index);
	int err = 0;

	if (member == TBTF_MEMBER_NONE)
		return 0;
	if (member != TBTF_MEMBER_FAULTY)
		err = tbtf_mirror_fail(device, index);
	for (int i = 0; !err && i < BUSY_TRIES; i++) {
		err = put_member(device, index, "state", "remove");
		if (err != -EBUSY)
			return err;
		err = 0;
		nap();
	}
	return err ? err : -EBUSY;
}

/**
 * tbtf_mirror_member() - how a device is in a mirror
 * @device: the mirror's file
 * @index: N of /dev/nbdN
 *
 * Return: enum tbtf_member.
 */
enum tbtf_member tbtf_mirror_member(const char *device, int index)
{
	char name[64], state[128];

	(void)snprintf(name, sizeof(name), "dev-nbd%d/state", index);
	if (get(device, name, state, sizeof(state)))
		return TBTF_MEMBER_NONE;
	if (strstr(state, "faulty"))
		return TBTF_MEMBER_FAULTY;
	return strstr(state, "in_sync") ? TBTF_MEMBER_SYNC : TBTF_MEMBER_COPYING;
}

/**
 * tbtf_mirror_look() - how a mirror is
 * @device: its file
 * @ret: where it goes
 *
 * Return: 0; -ENOENT: there is no such mirror.
 */
int tbtf_mirror_look(const char *device, struct tbtf_mirror *ret)
{
	unsigned long long done, all;
	char text[64];
	int err;

	err = get(device, "array_state", text, sizeof(text));
	if (err)
		return err;
	ret->broken = !strcmp(text, "broken");
	ret->percent = -1;
	/* "none" when nothing is copied, "delayed" when another mirror is first. */
	if (!get(device, "sync_completed", text, sizeof(text)) &&
	    sscanf(text, "%llu / %llu", &done, &all) == 2 && all)
		ret->percent = done * 100 / all;
	return 0;
}
