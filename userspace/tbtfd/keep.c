// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - leases that outlive the lender: their memory is kept by the service manager
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A lease is a memfd (store.c), and all there is to know of it stands in there. The
 * service manager is given each one's file descriptor (FDSTORE=1, sd_notify(3)), and
 * hands them to the next lender that it starts, whether this one ended or was killed.
 * Borrowers come back by the names of their exports.
 *
 * Nobody says whether a descriptor was taken: a manager without room for it closes it.
 * So that is tried out at first, with one end of a pipe: as long as the other end does
 * not see it closed, somebody has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lend.h"
#include "log.h"

/* A manager that is alive has read what it was told in this time. */
#define BARRIER_US	5000000
#define NAME_LEN	40
#define PROBE		"probe"

/* struct note - a lease, in its store; little of it, and no pointers */
struct note {
	uint64_t number, kb, since;
	char export[TBTF_PEER_EXPORT + 1];
	char borrower[TBTF_NAME_LEN];
	struct tbtf_peer_path path;
};

_Static_assert(sizeof(struct note) <= TBTF_STORE_NOTE, "it has room");

static bool keeps;

static void name_of(uint64_t number, char name[NAME_LEN])
{
	(void)snprintf(name, NAME_LEN, "lease-%" PRIu64, number);
}

static int give(const char *name, int fd)
{
	char text[NAME_LEN + 32];

	/* FDPOLL=0: no older manager minds, and one that knows it asks nothing of the file. */
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void take_away(const char *name)
{
	char text[NAME_LEN + 32];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	(void)sd_notify(0, text);
}

/* Does somebody keep what is given? */
static bool try_out(void)
{
	struct pollfd end = { .events = 0 };
	int fd[2], n;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return false;
	n = give(PROBE, fd[1]);
	(void)close(fd[1]);
	end.fd = fd[0];
	if (n > 0 && sd_notify_barrier(0, BARRIER_US) >= 0)
		n = poll(&end, 1, 0) == 0;
	else
		n = 0;
	if (n)
		take_away(PROBE);
	(void)close(fd[0]);
	return n;
}

/* A lease of an earlier life goes on. */
static int resume(struct tbtf_lender *lender, int fd)
{
	const struct tbtf_peer *peer;
	struct tbtf_store *store;
	struct tbtf_lease *lease;
	struct note note;
	int err = tbtf_store_again(&store, fd);

	if (err < 0)
		return err;
	memcpy(&note, store->note, sizeof(note));
	note.borrower[sizeof(note.borrower) - 1] = 0;
	peer = tbtf_conf_peer(lender->conf, note.borrower);
	err = -EINVAL;
	if (!note.number || note.kb << 10 != store->size || note.path.n > TBTF_PEER_PATH)
		goto put;
	err = -EACCES;
	if (!peer)
		goto put;
	err = -ENOSPC;
	lease = tbtf_ledger_resume(&lender->ledger, note.number, tbtf_lend_now());
	if (!lease)
		goto put;
	lease->borrower = peer - lender->conf->peer;
	lease->kb = note.kb;
	lease->since = note.since;
	lease->path = note.path;
	memcpy(lease->export, note.export, sizeof(note.export) - 1);
	lease->store = store;
	err = tbtf_nbd_server_add(&lender->nbd, lease->export, peer, store);
	if (!err) {
		tbtf_notice("%s: still has lease %" PRIu64 ", %" PRIu64 " KiB, of which %" PRIu64 " are in use",
			    peer->name, lease->number, lease->kb, tbtf_store_held(store) >> 10);
		return 0;
	}
	tbtf_ledger_remove(&lender->ledger, lease);
put:
	/* The caller closes the descriptor: it is not the store's after all. */
	store->fd = -1;
	tbtf_store_put(store);
	return err;
}

/**
 * tbtf_keep_find() - take up the leases of an earlier life
 * @lender: with a ledger and an NBD server that are empty
 *
 * Context: before anybody can connect.
 */
void tbtf_keep_find(struct tbtf_lender *lender)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names), err;

	keeps = try_out();
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		err = -EINVAL;
		if (!strncmp(names[i], "lease-", 6))
			err = resume(lender, fd);
		if (err < 0) {
			tbtf_warning("\"%s\" is given up, which was kept for this lender: %s", names[i],
				     err == -EACCES ? "it is of no node in [peers]" : strerror(-err));
			take_away(names[i]);
			(void)close(fd);
		}
		free(names[i]);
	}
	free(names);
	tbtf_info("leases %s", keeps ? "are kept by the service manager, and outlive this lender" :
		  "end with this lender: no service manager keeps them");
}

/**
 * tbtf_keep_add() - a lease is to outlive this lender
 * @lender: whose
 * @lease: which is complete
 */
void tbtf_keep_add(const struct tbtf_lender *lender, const struct tbtf_lease *lease)
{
	struct note note = {
		.number = lease->number,
		.kb = lease->kb,
		.since = lease->since,
		.path = lease->path,
	};
	char name[NAME_LEN];
	int err;

	memcpy(note.export, lease->export, sizeof(note.export));
	strcpy(note.borrower, lender->conf->peer[lease->borrower].name);
	memcpy(lease->store->note, &note, sizeof(note));
	if (!keeps)
		return;
	name_of(lease->number, name);
	err = give(name, lease->store->fd);
	if (err < 0)
		tbtf_warning("lease %" PRIu64 " is not kept by the service manager: %s", lease->number,
			     strerror(-err));
}

/**
 * tbtf_keep_remove() - a lease has ended
 * @lease: which
 */
void tbtf_keep_remove(const struct tbtf_lease *lease)
{
	char name[NAME_LEN];

	if (!keeps)
		return;
	name_of(lease->number, name);
	take_away(name);
}

/**
 * tbtf_keep_works() - do leases outlive this lender?
 *
 * Return: whether.
 */
bool tbtf_keep_works(void)
{
	return keeps;
}
