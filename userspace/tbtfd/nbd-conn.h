/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - one connection of the NBD server: shared by the files that serve it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_NBD_CONN_H
#define _TBTFD_NBD_CONN_H

#include <sys/socket.h>

#include "nbd-server.h"

/* Of one request: what NBD clients assume where a server says nothing. */
#define NBD_LEN_MAX	(32U << 20)
/*
 * Received at once: some sixty writes of a page, or thousands of other requests.
 * More would not fit into the processor's own cache, from which it is copied again.
 */
#define NBD_IN		(256U << 10)
#define NBD_IOV		1024U		/* IOV_MAX */
#define NBD_HEADS	512U
/* Of one answer about block status; the client asks again for the rest. */
#define NBD_EXTENTS	128U
#define NBD_META_ID	1U		/* of base:allocation, any */
#define NBD_FROM_LEN	80U

/* union tbtf_nbd_head - what a reply begins with */
union tbtf_nbd_head {
	struct nbd_simple_reply simple;
	struct nbd_structured_reply none;
	struct nbd_chunk_data data;
	struct nbd_chunk_hole hole;
	struct nbd_chunk_error error;
	struct nbd_chunk_status status;
};

/**
 * struct tbtf_nbd_conn - one connection; what is not marked is its thread's own
 * @next: L: of the server's list
 * @server: what it belongs to
 * @export: L: which of the exports; NULL until it has one, and when that is gone
 * @store: of the export, with a reference of ours; stays what it is once it is there
 * @stream: the socket; shutdown(2) of it may come from elsewhere, under L
 * @from: where it came from, for messages
 * @peer: who it is by its certificate; in the clear NULL, and @address says it
 * @address: where it came from
 * @since_ns: when it came, CLOCK_MONOTONIC
 * @no_zeroes: negotiated, as are the next three
 * @structured: replies to reads are chunks
 * @meta: base:allocation may be asked for
 * @meta_name: of this export
 * @requests: served so far
 * @bulk: the last request was a large write, and more of them are likely
 * @in: what was received, NBD_IN bytes
 * @pos: how many of these are done with
 * @fill: how many of these there are
 * @iovs: pieces in @iov that are to be sent
 * @heads: beginnings of replies in @head that are part of them
 * @pending: bytes in them
 * @extent: part of an answer to NBD_CMD_BLOCK_STATUS
 *
 * L: under the server's lock.
 */
struct tbtf_nbd_conn {
	struct tbtf_nbd_conn *next;
	struct tbtf_nbd_server *server;
	struct tbtf_nbd_export *export;
	struct tbtf_store *store;
	struct tbtf_stream stream;
	char from[NBD_FROM_LEN];
	const struct tbtf_peer *peer;
	struct sockaddr_storage address;
	uint64_t since_ns;
	bool no_zeroes, structured, meta;
	char meta_name[NBD_NAME_LEN + 1];
	uint64_t requests;
	bool bulk;

	char *in;
	size_t pos, fill;
	size_t iovs, heads, pending;
	struct iovec iov[NBD_IOV];
	union tbtf_nbd_head head[NBD_HEADS];
	struct nbd_extent extent[NBD_EXTENTS];
};

/* nbd-server.c */
uint64_t tbtf_nbd_find(struct tbtf_nbd_conn *conn, const char *name, size_t len, bool bind,
		       const char **ret_why);
/* nbd-option.c */
int tbtf_nbd_negotiate(struct tbtf_nbd_conn *conn);
/* nbd-serve.c */
void tbtf_nbd_serve(struct tbtf_nbd_conn *conn);
uint16_t tbtf_nbd_flags(void);

#endif /* _TBTFD_NBD_CONN_H */
