/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the NBD server: which exports there are, and who serves them
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_NBD_SERVER_H
#define _TBTFD_NBD_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "nbd-proto.h"
#include "store.h"
#include "stream.h"

#define NBD_NAME_LEN	32	/* of an export: as many digits as peer.h says */
/* A borrower has one or two connections a lease; more is for tools. */
#define NBD_LEASE_CONNS	16
/* Each has a thread and NBD_IN of locked memory. */
#define NBD_CONNS	256
/* As long as a stranger may hold one of them. */
#define NBD_HELLO_NS	UINT64_C(10000000000)

struct tbtf_conf;
struct tbtf_peer;
struct tbtf_tls;

/* struct tbtf_nbd_export - a name, and what it is the name of */
struct tbtf_nbd_export {
	struct tbtf_nbd_export *next;
	char name[NBD_NAME_LEN + 1];
	const struct tbtf_peer *owner;
	struct tbtf_store *store;
	unsigned int conns;
};

/* struct tbtf_nbd_use - what goes on at an export */
struct tbtf_nbd_use {
	unsigned int conns;
	uint64_t requests;	/* of these connections */
	uint64_t rtt_us;	/* to the borrower and back, the longest; 0: not known */
};

struct tbtf_nbd_conn;

struct tbtf_nbd_server {
	pthread_mutex_t lock;
	pthread_cond_t idle;		/* conns has become 0 */
	const struct tbtf_conf *conf;
	struct tbtf_tls *tls;		/* NULL: in the clear */
	struct tbtf_nbd_export *exports;
	struct tbtf_nbd_conn *list;
	unsigned int conns;
	bool stopping;
};

int tbtf_nbd_server_setup(struct tbtf_nbd_server *server, const struct tbtf_conf *conf,
			  struct tbtf_tls *tls);
int tbtf_nbd_server_add(struct tbtf_nbd_server *server, const char *name,
			const struct tbtf_peer *owner, struct tbtf_store *store);
void tbtf_nbd_server_remove(struct tbtf_nbd_server *server, const char *name);
unsigned int tbtf_nbd_server_conns(struct tbtf_nbd_server *server, const char *name);
void tbtf_nbd_server_use(struct tbtf_nbd_server *server, const char *name,
			 struct tbtf_nbd_use *ret);
int tbtf_nbd_server_take(struct tbtf_nbd_server *server, int fd);
void tbtf_nbd_server_tick(struct tbtf_nbd_server *server);
void tbtf_nbd_server_stop(struct tbtf_nbd_server *server);

#endif /* _TBTFD_NBD_SERVER_H */
