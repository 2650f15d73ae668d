// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - from leases to a device: connections, a mirror, encryption, one on the other
 *
 * Copyright (C) 2026 The tbtf authors
 *
 *	swap
 *	dm-crypt	secrecy = lender: once, above the copies
 *	md raid1	copies = 2
 *	nbd  nbd	a leg each: a lease of a lender, a connection
 *
 * All of it is made before the extent is ready, and nothing of it while somebody waits
 * for memory. It runs in the thread of lenders.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "crypt.h"
#include "lender.h"
#include "log.h"
#include "mirror.h"
#include "tls-kernel.h"

/* A connection to an export, in the clear or not. */
static int open_export(struct tbtf_lenders *all, const struct tbtf_leg *leg, uint64_t kb,
		       struct tbtf_stream *ret, struct tbtf_export *ret_export)
{
	const struct tbtf_lender *lender = tbtf_leg_lender(all, leg);
	struct tbtf_tls_error error;
	int err;

	*ret = (struct tbtf_stream){ .fd = -1 };
	err = tbtf_dial(&lender->peer->address, lender->nbd_port, TBTF_DIAL_MS);
	if (err < 0)
		return err;
	ret->fd = err;
	err = tbtf_nbd_greet(ret);
	if (!err && all->tls) {
		err = tbtf_nbd_starttls(ret);
		if (!err) {
			err = tbtf_tls_connect(ret, all->tls, all->line->conf, lender->peer, true,
					       TBTF_ANSWER_MS, &error);
			if (err)
				tbtf_warning("%s: %s", lender->peer->name, error.text);
		}
	}
	if (!err)
		err = tbtf_nbd_go(ret, leg->export, ret_export);
	if (!err && ret_export->size < kb * 1024)
		err = -EPROTO;
	if (err)
		tbtf_stream_close(ret);
	return err;
}

/* Its next byte is the kernel's. */
static int let_go(const struct tbtf_lender *lender, struct tbtf_stream *stream)
{
	struct tbtf_tls_error error;
	int err = stream->ssl ? tbtf_tls_let_go(stream, &error) : 0;

	if (err)
		tbtf_warning("%s: %s", lender->peer->name, error.text);
	return err;
}

static uint64_t leg_kb(const struct tbtf_extent *extent)
{
	return extent->kb + (extent->legs > 1 ? TBTF_MIRROR_EXTRA_KB : 0);
}

/*
 * Both legs of a mirror must not give up at the same time, as they would if it is this
 * node that is cut off: a mirror whose last leg has failed takes no more writes. So the
 * second takes twice as long to notice, and meanwhile mend.c makes it patient.
 */
static struct tbtf_nbd_times times_of(const struct tbtf_lenders *all,
				      const struct tbtf_extent *extent, const struct tbtf_leg *leg)
{
	const struct tbtf_conf *conf = all->line->conf;
	bool second = leg != &extent->leg[0];

	if (extent->legs == 1)
		return (struct tbtf_nbd_times){ conf->borrow.timeout_s, conf->borrow.dead_timeout_s };
	return (struct tbtf_nbd_times){ conf->borrow.timeout_s << second, TBTF_MIRROR_DEAD_S };
}

/**
 * tbtf_leg_up() - make an nbd device of a lease
 * @all: the lenders
 * @extent: whose leg it is
 * @leg: leased
 * @header: its first page, or NULL: it is to be filled by the mirror
 * @wash: it may hold something: empty it first
 *
 * The header is written through the connection before that is the kernel's: whoever
 * writes to a device whose lender has died waits for as long as the kernel does.
 *
 * Return: 0; or an errno.
 */
int tbtf_leg_up(struct tbtf_lenders *all, struct tbtf_extent *extent, struct tbtf_leg *leg,
		const unsigned char *header, bool wash)
{
	const struct tbtf_lender *lender = tbtf_leg_lender(all, leg);
	struct tbtf_nbd_times times = times_of(all, extent, leg);
	char backend[TBTF_NAME_LEN + 32];
	unsigned char page[TBTF_SWAP_HEADER];
	struct tbtf_stream stream;
	struct tbtf_export export;
	int err, index;

	err = tbtf_extent_backend(backend, sizeof(backend), lender->peer->name, leg->lease);
	if (err)
		return err;
	err = open_export(all, leg, leg_kb(extent), &stream, &export);
	if (err)
		return err;
	export.size = leg_kb(extent) * 1024;
	if (wash)
		err = tbtf_nbd_trim(&stream, export.size);
	if (!err && header)
		err = tbtf_nbd_write(&stream, 0, header, TBTF_SWAP_HEADER);
	if (!err && header && extent->legs > 1) {
		tbtf_mirror_bitmap(page, extent->kb);
		err = tbtf_nbd_write(&stream, extent->kb * 1024, page, sizeof(page));
	}
	if (!err)
		err = let_go(lender, &stream);
	if (!err)
		err = tbtf_nbd_connect(all->nbd, stream.fd, &export, &times, backend, &index);
	tbtf_stream_close(&stream);
	if (err)
		return err;
	leg->index = index;
	leg->dead = false;
	*tbtf_leg_more(all, leg) = (struct tbtf_leg_more) {
		.renew_ms = tbtf_leg_more(all, leg)->renew_ms,
		.patience_s = times.dead_s,
	};
	return 0;
}

/**
 * tbtf_leg_down() - take the nbd device away; the lease stays
 * @all: the lenders
 * @leg: whose device is not in use
 */
void tbtf_leg_down(struct tbtf_lenders *all, struct tbtf_leg *leg)
{
	int err, index = leg->index;

	if (index < 0)
		return;
	err = tbtf_nbd_disconnect(all->nbd, index);
	if (err && tbtf_nbd_connected(index))
		tbtf_warning("cannot disconnect /dev/nbd%d: %s", index, strerror(-err));
	leg->index = -1;
}

/**
 * tbtf_leg_again() - give the device of a leg a new connection
 * @all: the lenders
 * @extent: whose leg it is
 * @leg: that has lost its connection
 *
 * Return: 0; -ENOENT: the lender does not know the lease; or an errno.
 */
int tbtf_leg_again(struct tbtf_lenders *all, const struct tbtf_extent *extent,
		   struct tbtf_leg *leg)
{
	const struct tbtf_lender *lender = tbtf_leg_lender(all, leg);
	char backend[TBTF_NAME_LEN + 32];
	struct tbtf_stream stream;
	struct tbtf_export export;
	int err, index = leg->index;

	err = open_export(all, leg, leg_kb(extent), &stream, &export);
	if (err)
		return err;
	err = tbtf_extent_backend(backend, sizeof(backend), lender->peer->name, leg->lease);
	if (!err)
		err = let_go(lender, &stream);
	if (!err)
		err = tbtf_nbd_again(all->nbd, index, stream.fd, backend);
	tbtf_stream_close(&stream);
	/* It has one, of which it does not know that it is lost, if it is. */
	if (err == -ENOSPC)
		return 0;
	if (err)
		tbtf_warning("/dev/nbd%d takes no new connection: %s", index, strerror(-err));
	return err;
}

/* What the first to open a device has to do is done now: see struct tbtf_extent. */
static int open_device(struct tbtf_extent *extent)
{
	extent->fd = open(extent->device, O_RDONLY | O_CLOEXEC);
	return extent->fd < 0 ? -errno : 0;
}

static int join(struct tbtf_lenders *all, struct tbtf_extent *extent)
{
	int index[TBTF_LEGS], err;
	bool last[TBTF_LEGS];

	for (size_t i = 0; i < TBTF_LEGS; i++) {
		index[i] = extent->leg[i].index;
		last[i] = tbtf_leg_lender(all, &extent->leg[i])->may_swap;
	}
	/* Both slow: then neither is slower. */
	last[0] = last[0] && !last[1];
	err = tbtf_mirror_make(extent->id, index, last, extent->kb, extent->mirror);
	if (err)
		tbtf_err("cannot mirror /dev/nbd%d on /dev/nbd%d: %s", index[0], index[1],
			 err == -ENOENT ? "the module is not loaded: modprobe raid1" : strerror(-err));
	else
		strcpy(extent->device, extent->mirror);
	return err;
}

static int encrypt(struct tbtf_extent *extent, const struct tbtf_crypt_key *key)
{
	int err = tbtf_crypt_open(extent->id, extent->device, extent->kb, key, extent->crypt);

	if (err)
		tbtf_err("cannot encrypt %s: %s", extent->device,
			 err == -ENOENT || err == -ENXIO || err == -ENODEV ?
			 "there is no device-mapper: modprobe dm_crypt" : strerror(-err));
	else
		strcpy(extent->device, extent->crypt);
	return err;
}

static int stack_up(struct tbtf_lenders *all, struct tbtf_extent *extent, bool wash,
		    struct tbtf_crypt_key *key)
{
	bool secret = all->line->conf->borrow.secrecy == TBTF_SECRECY_LENDER;
	unsigned char header[TBTF_SWAP_HEADER];
	int err;

	err = tbtf_swap_header(header, extent->kb, TBTF_SWAP_LABEL);
	if (!err && secret)
		err = tbtf_crypt_new_key(key);
	if (!err && secret)
		err = tbtf_crypt_header(key, header);
	for (unsigned int i = 0; !err && i < extent->legs; i++)
		err = tbtf_leg_up(all, extent, &extent->leg[i], header, wash);
	if (err)
		return err;
	(void)snprintf(extent->device, sizeof(extent->device), "/dev/nbd%d", extent->leg[0].index);
	if (extent->legs > 1)
		err = join(all, extent);
	if (!err && secret)
		err = encrypt(extent, key);
	return err ? err : open_device(extent);
}

/**
 * tbtf_stack_up() - make a device of an extent's leases
 * @all: the lenders
 * @extent: with its legs leased
 * @wash: they may hold something: empty them first
 *
 * Return: 0; or an errno, and what has been made is for tbtf_stack_down().
 */
int tbtf_stack_up(struct tbtf_lenders *all, struct tbtf_extent *extent, bool wash)
{
	struct tbtf_crypt_key key;
	int err;

	extent->id = tbtf_lenders_random();
	err = stack_up(all, extent, wash, &key);
	tbtf_crypt_wipe(&key);
	return err;
}

/**
 * tbtf_stack_down() - take the devices away; the leases stay
 * @all: the lenders
 * @extent: that is no swap
 *
 * Return: 0; or an errno: somebody uses it, which has been said.
 */
int tbtf_stack_down(struct tbtf_lenders *all, struct tbtf_extent *extent)
{
	int err;

	if (extent->fd >= 0)
		(void)close(extent->fd);
	extent->fd = -1;
	if (*extent->crypt) {
		err = tbtf_crypt_close(extent->crypt);
		if (err) {
			tbtf_warning("cannot take %s away: %s", extent->crypt, strerror(-err));
			return err;
		}
		*extent->crypt = 0;
	}
	if (*extent->mirror) {
		err = tbtf_mirror_stop(extent->mirror);
		if (err) {
			tbtf_warning("cannot take %s apart: %s", extent->mirror, strerror(-err));
			return err;
		}
		*extent->mirror = 0;
	}
	for (size_t i = 0; i < TBTF_LEGS; i++)
		tbtf_leg_down(all, &extent->leg[i]);
	*extent->device = 0;
	return 0;
}
