// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - pages that only this node can read: dm-crypt, and the key's short life
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: a block device that others hold. Goes out: a block device on top of it,
 * whose contents are noise to them. The key is random, different for each device, and
 * is never in a file, in an argument, or in a table that can be read back: it is put
 * into this thread's keyring as a "logon" key, which no program can read, dm-crypt
 * takes it from there, and it is gone from the keyring and from here when the device
 * is there. The kernel wipes its own copy when the device goes. So a daemon that is
 * killed loses nothing, and one that is back can use the device, but not read the key.
 *
 * By the ioctls of device-mapper, five of them, and not by libdevmapper: that waits
 * for udev, at a semaphore and without a bound, and all that it is linked with would be
 * locked in memory with the rest of the daemon. Runs in the thread of lenders.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <linux/keyctl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "crypt.h"
#include "proc.h"

#define CONTROL		"/dev/mapper/control"
#define SECTOR		512
/*
 * Not through the work queues that dm-crypt has for spinning disks: a page would wait
 * there for a worker, and a worker may wait for memory. And in whole pages, as swap is.
 */
#define OPTIONS		"4 allow_discards no_read_workqueue no_write_workqueue sector_size:4096"
/* Somebody looks at a new device, as udev does, and is gone in a moment. */
#define CLOSE_TRIES	40
#define CLOSE_NAP_MS	50

/* A request to device-mapper and its answer. Of one thread. */
static union {
	struct dm_ioctl head;
	char room[2048];
} dm;

/**
 * tbtf_crypt_new_key() - draw a key
 * @ret: where it goes
 *
 * Context: waits for the kernel's random numbers, early after it has started.
 * Return: 0; or the errno of getrandom(2).
 */
int tbtf_crypt_new_key(struct tbtf_crypt_key *ret)
{
	size_t fill = 0;
	ssize_t got;

	while (fill < sizeof(ret->bytes)) {
		got = getrandom(ret->bytes + fill, sizeof(ret->bytes) - fill, 0);
		if (got < 0 && errno != EINTR)
			return -errno;
		fill += got > 0 ? got : 0;
	}
	return 0;
}

/**
 * tbtf_crypt_wipe() - leave nothing of a key
 * @key: which
 */
void tbtf_crypt_wipe(struct tbtf_crypt_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

/**
 * tbtf_crypt_header() - what a device's first page has to be below, to be that above
 * @key: the device's
 * @header: the page; changed
 *
 * The swap header is written before there is a device: see lenders.c.
 *
 * Return: 0; -ENOMEM; -EIO: the library refuses.
 */
int tbtf_crypt_header(const struct tbtf_crypt_key *key, unsigned char header[TBTF_SWAP_HEADER])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char out[TBTF_SWAP_HEADER];
	/* plain64: the number of the sector, which is 0. */
	unsigned char iv[16] = { 0 };
	int len = 0, err = -EIO;

	if (!ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_xts(), NULL, key->bytes, iv) == 1 &&
	    EVP_EncryptUpdate(ctx, out, &len, header, TBTF_SWAP_HEADER) == 1 &&
	    len == TBTF_SWAP_HEADER) {
		memcpy(header, out, sizeof(out));
		err = 0;
	}
	EVP_CIPHER_CTX_free(ctx);
	return err;
}

/* -- The keyring ------------------------------------------------------------- */

static long keyring_add(const char *name, const struct tbtf_crypt_key *key)
{
	long id = syscall(SYS_add_key, "logon", name, key->bytes, sizeof(key->bytes),
			  KEY_SPEC_THREAD_KEYRING);

	return id < 0 ? -errno : id;
}

/* Out of the keyring, and as nothing else holds it, out of memory. */
static void keyring_forget(long id)
{
	(void)syscall(SYS_keyctl, KEYCTL_REVOKE, id);
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_THREAD_KEYRING);
}

/* -- device-mapper -------------------------------------------------------------- */

static void dm_begin(const char *name)
{
	memset(&dm, 0, sizeof(dm));
	dm.head.version[0] = DM_VERSION_MAJOR;
	dm.head.data_size = sizeof(dm);
	dm.head.data_start = sizeof(dm.head);
	(void)snprintf(dm.head.name, sizeof(dm.head.name), "%s", name);
}

static int dm_ask(unsigned long command)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, command, &dm))
		err = -errno;
	(void)close(fd);
	return err;
}

/* One target over the whole of the device below. */
static int dm_load(const char *name, const char *below, uint64_t sectors, const char *key_name)
{
	struct dm_target_spec *target;
	size_t room = sizeof(dm) - sizeof(dm.head) - sizeof(*target);
	char *parameters;
	int len;

	dm_begin(name);
	dm.head.target_count = 1;
	target = (struct dm_target_spec *)(dm.room + sizeof(dm.head));
	target->length = sectors;
	strcpy(target->target_type, "crypt");
	parameters = (char *)(target + 1);
	len = snprintf(parameters, room, "aes-xts-plain64 :%d:logon:%s 0 %s 0 %s", TBTF_CRYPT_KEY,
		       key_name, below, OPTIONS);
	if (len < 0 || (size_t)len >= room)
		return -ENAMETOOLONG;
	target->next = sizeof(*target) + len + 1;
	return dm_ask(DM_TABLE_LOAD);
}

static int remove_device(const char *name)
{
	const struct timespec nap = { .tv_nsec = CLOSE_NAP_MS * 1000000L };
	int err;

	for (int i = 0; i < CLOSE_TRIES; i++) {
		dm_begin(name);
		err = dm_ask(DM_DEV_REMOVE);
		if (err != -EBUSY)
			break;
		(void)nanosleep(&nap, NULL);
	}
	return err;
}

/**
 * tbtf_crypt_open() - make a device of another, that encrypts
 * @id: a number that no other device has
 * @below: the file of the other
 * @kb: its size
 * @key: with which; to be wiped by the caller
 * @ret_device: the new device's file
 *
 * Return: 0; -ENOENT or -ENXIO: there is no device-mapper; -EINVAL: it has no crypt
 * target, or no aes-xts; or what the kernel says.
 */
int tbtf_crypt_open(uint32_t id, const char *below, uint64_t kb, const struct tbtf_crypt_key *key,
		    char ret_device[TBTF_DEVICE_LEN])
{
	char name[TBTF_CRYPT_NAME], key_name[TBTF_CRYPT_NAME];
	unsigned int minor;
	long in_ring;
	int err;

	(void)snprintf(name, sizeof(name), "tbtf-%08" PRIx32, id);
	/* A logon key has to say whose it is, before a colon. */
	(void)snprintf(key_name, sizeof(key_name), "tbtf:%08" PRIx32, id);
	dm_begin(name);
	(void)snprintf(dm.head.uuid, sizeof(dm.head.uuid), "TBTF-%08" PRIx32, id);
	err = dm_ask(DM_DEV_CREATE);
	if (err)
		return err;
	/* As the kernel packs it for 32 bits; the minor number is in two parts. */
	minor = (dm.head.dev & 0xff) | ((dm.head.dev >> 12) & 0xfff00);
	in_ring = keyring_add(key_name, key);
	err = in_ring < 0 ? in_ring : dm_load(name, below, kb * 1024 / SECTOR, key_name);
	if (in_ring >= 0)
		keyring_forget(in_ring);
	if (!err) {
		dm_begin(name);
		err = dm_ask(DM_DEV_SUSPEND);	/* without its flag: resume */
	}
	if (err) {
		(void)remove_device(name);
		return err;
	}
	(void)snprintf(ret_device, TBTF_DEVICE_LEN, "/dev/dm-%u", minor);
	return 0;
}

/**
 * tbtf_crypt_close() - take the device away, and the key with it
 * @device: the file of one that tbtf_crypt_open() made, now or in another life
 *
 * Context: waits up to two seconds for whoever has it open.
 * Return: 0; -ENODEV: it is none of ours; -EBUSY; or what the kernel says.
 */
int tbtf_crypt_close(const char *device)
{
	char path[64 + TBTF_DEVICE_LEN], name[TBTF_CRYPT_NAME + 1];
	int err;

	if (strncmp(device, "/dev/dm-", 8))
		return -ENODEV;
	(void)snprintf(path, sizeof(path), "/sys/block/%s/dm/name", device + 5);
	err = tbtf_proc_text(path, name, sizeof(name));
	if (err)
		return err;
	name[strcspn(name, "\n")] = 0;
	if (strncmp(name, "tbtf-", 5))
		return -ENODEV;
	return remove_device(name);
}
