/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the lender: what its files share
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_LEND_H
#define _TBTFD_LEND_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "conf.h"
#include "ledger.h"
#include "nbd-server.h"
#include "peer.h"
#include "tls.h"

struct tbtf_lend_client;
struct sockaddr_un;

/**
 * struct tbtf_lend_behind - a question to this node's borrower; one at a time
 * @fd: the connection, or -1
 * @source: its place in the loop
 * @client: for whose lease; NULL: what there is
 * @since: when it was asked
 * @fill: how much of @in has come
 * @in: the answer
 */
struct tbtf_lend_behind {
	int fd;
	sd_event_source *source;
	struct tbtf_lend_client *client;
	uint64_t since;
	size_t fill;
	char in[1024];
};

/**
 * struct tbtf_lender - all of it; the loop's thread has it for itself
 * @conf: the configuration
 * @event: the loop
 * @ledger: who has what
 * @memory: how the node is, not older than a second
 * @nbd: who serves it
 * @tls: NULL: encryption = none
 * @control: the socket that "tbtf lend" asks
 * @behind: what this node's borrower is asked
 * @clients: control connections
 * @client_count: how many
 * @leaving: it ends, and its leases stay with the service manager
 * @told_kb: the offer that was last told to all
 */
struct tbtf_lender {
	const struct tbtf_conf *conf;
	sd_event *event;
	struct tbtf_ledger ledger;
	struct tbtf_memory memory;
	struct tbtf_nbd_server nbd;
	struct tbtf_tls *tls;
	sd_event_source *control;
	struct tbtf_lend_behind behind;
	struct tbtf_lend_client *clients;
	unsigned int client_count;
	bool leaving;
	uint64_t told_kb;
};

uint64_t tbtf_lend_now(void);
bool tbtf_lend_look(struct tbtf_lender *lender);
void tbtf_lend_end(struct tbtf_lender *lender, struct tbtf_lease *lease, const char *why);

/* lend-hold.c */
void tbtf_lend_hold(struct tbtf_lender *lender);

/* lend-client.c */
void tbtf_lend_take(struct tbtf_lender *lender, int fd);
uint64_t tbtf_lend_here(const struct tbtf_lender *lender, size_t peer);
void tbtf_lend_tick(struct tbtf_lender *lender);
void tbtf_lend_tell_revoked(struct tbtf_lender *lender, const struct tbtf_lease *lease);
void tbtf_lend_tell_offer(struct tbtf_lender *lender);
void tbtf_lend_backed(struct tbtf_lend_client *client, enum tbtf_peer_error error, const char *why);
void tbtf_lend_close(struct tbtf_lender *lender);

/* lend-control.c */
void tbtf_lend_control_open(struct tbtf_lender *lender);
void tbtf_lend_control_close(struct tbtf_lender *lender);

/* keep.c */
void tbtf_keep_find(struct tbtf_lender *lender);
void tbtf_keep_add(const struct tbtf_lender *lender, const struct tbtf_lease *lease);
void tbtf_keep_remove(const struct tbtf_lease *lease);
bool tbtf_keep_works(void);

/* lend-behind.c */
int tbtf_lend_run_path(const char *name, struct sockaddr_un *ret);
void tbtf_lend_behind_setup(struct tbtf_lender *lender);
void tbtf_lend_behind_end(struct tbtf_lender *lender);
void tbtf_lend_behind_tick(struct tbtf_lender *lender);
int tbtf_lend_behind_lease(struct tbtf_lender *lender, struct tbtf_lend_client *client,
			   const struct tbtf_peer_request *request);
void tbtf_lend_behind_forget(struct tbtf_lender *lender, const struct tbtf_lend_client *client);

#endif /* _TBTFD_LEND_H */
