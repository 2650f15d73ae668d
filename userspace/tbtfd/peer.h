/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what borrower and lender say to each other: the protocol and its manual
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * TCP, port 10810. One JSON object a line, at most 16 KiB with the newline, nested
 * at most four deep. The borrower asks, the lender answers each request in order.
 * At any time the lender may send a notice, which has no id. Amounts are KiB,
 * times seconds. Members that are not known are ignored: version 1 can grow.
 *
 *   {"id":1,"type":"hello","version":1,"node":"one"}
 *      First of all. Answer: "version", "node" (the lender's name), "nbd_port",
 *      "offer_kb", "may_swap", "far". Errors: version, not-allowed, bad-request.
 *   {"id":2,"type":"offer"}
 *      What could be had now. Answer: "offer_kb", "may_swap", "far".
 *   {"id":3,"type":"lease","kb":65536,"path":["one"],"hops":4}
 *      "path" is the nodes that the request came by, the asking node last; a path
 *      of more than "hops" nodes is refused. Answer: "lease" (its number, as a
 *      string), "export" (the name for NBD: 32 hex digits and a secret), "kb",
 *      "expires_s". Errors: cycle, hops, quota, no-memory, bad-request.
 *   {"id":4,"type":"renew","lease":"7"}
 *      Answer: "expires_s". Error: unknown-lease.
 *   {"id":5,"type":"release","lease":"7"}
 *      The memory is freed before the answer comes. Error: unknown-lease.
 *   {"id":6,"type":"leases"}
 *      All that the asking node has: "leases", an array of objects with "lease",
 *      "export", "kb", "expires_s".
 *
 * An answer is {"id":N,"ok":true,...} or
 * {"id":N,"ok":false,"error":"...","message":"..."}, the message being for people.
 * After bad-request without an id that could be read, "id" is 0 and the lender
 * closes the connection. Notices:
 *
 *   {"notice":"revoke","lease":"7","deadline_s":60}
 *      The lender wants it back. Past the deadline it still keeps the pages.
 *   {"notice":"offer","offer_kb":0,"may_swap":false,"far":0}
 *      The offer has changed by much.
 *
 * "may_swap" says that pages lent may leave the lender's memory, for its own swap or,
 * where the lender has to borrow itself, for the nodes behind it: a borrower takes the
 * others first. A lender that borrows for a lease asks with the path that the request
 * had, and itself behind it; so a path is whole at every node. "far" is how many nodes
 * are behind the lender for what it offers, 0 for its own memory, and 0 if it is not
 * said: two that offer each other's offers stop doing so when that is too many.
 */
#ifndef _TBTFD_PEER_H
#define _TBTFD_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

#define TBTF_PEER_VERSION	1
#define TBTF_PEER_LINE		16384	/* with the newline */
#define TBTF_PEER_DEPTH		4	/* a reply to "leases" needs three */
/* Both a ring's length and what a chain of lenders could ever be worth. */
#define TBTF_PEER_PATH		16
#define TBTF_PEER_EXPORT	32	/* hex digits */
#define TBTF_PEER_MESSAGE	256
/* As many as go into one line, and more than the swap devices of a kernel. */
#define TBTF_PEER_LEASES	64
/* 4 PiB: sums of a few thousand of them do not overflow. */
#define TBTF_PEER_KB_MAX	(UINT64_C(1) << 42)

enum tbtf_peer_type {
	TBTF_PEER_HELLO,
	TBTF_PEER_OFFER,
	TBTF_PEER_LEASE,
	TBTF_PEER_RENEW,
	TBTF_PEER_RELEASE,
	TBTF_PEER_LEASES_OF,
	TBTF_PEER_TYPE_NR
};

enum tbtf_peer_error {
	TBTF_PEER_OK,
	TBTF_PEER_CYCLE,	/* the lender is itself in the path */
	TBTF_PEER_HOPS,		/* the path is longer than hops */
	TBTF_PEER_QUOTA,	/* this borrower has as much as it may have */
	TBTF_PEER_NO_MEMORY,	/* the lender has no more to give */
	TBTF_PEER_NOT_ALLOWED,	/* not one of the lender's [peers] */
	TBTF_PEER_BAD_REQUEST,
	TBTF_PEER_BAD_VERSION,
	TBTF_PEER_UNKNOWN_LEASE,
	TBTF_PEER_ERROR_NR
};

/* struct tbtf_peer_path - names of nodes, the asking one last */
struct tbtf_peer_path {
	unsigned int n;
	char node[TBTF_PEER_PATH][TBTF_NAME_LEN];
};

/**
 * struct tbtf_peer_request - what a borrower asks
 * @id: any, and the answer has it again
 * @type: which of the following count
 * @version: hello
 * @node: hello
 * @kb: lease
 * @path: lease
 * @hops: lease
 * @lease: renew, release
 */
struct tbtf_peer_request {
	uint64_t id;
	enum tbtf_peer_type type;
	uint64_t version;
	char node[TBTF_NAME_LEN];
	uint64_t kb;
	struct tbtf_peer_path path;
	uint64_t hops;
	uint64_t lease;
};

/* struct tbtf_peer_lease - one lease, as its borrower sees it */
struct tbtf_peer_lease {
	uint64_t lease;
	char export[TBTF_PEER_EXPORT + 1];
	uint64_t kb;
	uint64_t expires_s;
};

enum tbtf_peer_kind {
	TBTF_PEER_ANSWER,
	TBTF_PEER_NOTICE_REVOKE,
	TBTF_PEER_NOTICE_OFFER,
};

/**
 * struct tbtf_peer_reply - what a lender says
 * @kind: an answer, or which notice
 * @id: answer: of which request
 * @type: answer: to what kind of request
 * @error: answer: TBTF_PEER_OK or why not
 * @message: answer, not OK: for people
 * @version: hello
 * @node: hello
 * @nbd_port: hello
 * @offer_kb: hello, offer, and its notice
 * @may_swap: hello, offer, and its notice
 * @far: hello, offer, and its notice
 * @lease: lease, renew (without export and kb), and in the notice revoke
 * @deadline_s: the notice revoke
 * @leases: leases: how many of @list count
 * @list: leases
 */
struct tbtf_peer_reply {
	enum tbtf_peer_kind kind;
	uint64_t id;
	enum tbtf_peer_type type;
	enum tbtf_peer_error error;
	char message[TBTF_PEER_MESSAGE];
	uint64_t version;
	char node[TBTF_NAME_LEN];
	uint64_t nbd_port;
	uint64_t offer_kb;
	bool may_swap;
	uint64_t far;
	struct tbtf_peer_lease lease;
	uint64_t deadline_s;
	unsigned int leases;
	struct tbtf_peer_lease list[TBTF_PEER_LEASES];
};

/* struct tbtf_peer_in - bytes that arrived, until they are lines */
struct tbtf_peer_in {
	size_t fill, taken;
	char text[TBTF_PEER_LINE + 1];
};

char *tbtf_peer_room(struct tbtf_peer_in *in, size_t *ret_size);
int tbtf_peer_line(struct tbtf_peer_in *in, const char **ret_line, size_t *ret_len);

int tbtf_peer_parse_request(const char *line, size_t len, struct tbtf_peer_request *ret,
			    char why[TBTF_PEER_MESSAGE]);
int tbtf_peer_parse_reply(const char *line, size_t len, enum tbtf_peer_type type,
			  struct tbtf_peer_reply *ret, char why[TBTF_PEER_MESSAGE]);
int tbtf_peer_format_request(const struct tbtf_peer_request *request, char *buf, size_t size);
int tbtf_peer_format_reply(const struct tbtf_peer_reply *reply, char *buf, size_t size);
bool tbtf_peer_ring(const struct tbtf_peer_path *path, const char *node, char why[TBTF_PEER_MESSAGE]);
const char *tbtf_peer_error_name(enum tbtf_peer_error error);

#endif /* _TBTFD_PEER_H */
