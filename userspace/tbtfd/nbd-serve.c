// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the NBD server at work: requests in, replies out, many at a time
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A thread a connection. It receives as much as there is, does all the requests that
 * are whole, and sends their replies with one call. What is read is sent from where
 * it lies; what is written and has not arrived yet is received where it shall lie.
 * There is no lock and no allocation per request, and one function decides whether a
 * request is a good one, before anything is done.
 *
 * The replies of a batch are sent in the order of their requests, after all of them
 * were done. Requests for the same bytes that are under way at once have no order in
 * NBD, so that a read may be answered with what a later write of its batch left.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "nbd-conn.h"

/* So much that is to be sent, and the rest of the batch has to wait. */
#define SEND_NOW	(512U << 10)
/*
 * Data of writes from this size on is better received where it belongs than copied
 * there; for smaller ones a system call each costs more.
 */
#define BULK		(32U << 10)
/* A read of nothing but holes, by pieces of this. */
#define ZEROES		(64U << 10)

static const char zeroes[ZEROES];

/* struct request - struct nbd_request in the order of bytes of this machine */
struct request {
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;		/* as it came */
	uint64_t offset;
	uint32_t len;
};

/**
 * tbtf_nbd_flags - what an export can do
 *
 * Return: NBD_FLAG_ bits.
 */
uint16_t tbtf_nbd_flags(void)
{
	/* Any connection sees what was written by any other as soon as it was answered. */
	return NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM |
	       NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_DF | NBD_FLAG_CAN_MULTI_CONN |
	       NBD_FLAG_SEND_CACHE;
}

/* Flags that go with a command; FUA goes with all, there is no disk to wait for. */
static const uint16_t command_flags[] = {
	[NBD_CMD_READ] = NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_DF,
	[NBD_CMD_WRITE] = NBD_CMD_FLAG_FUA,
	[NBD_CMD_DISC] = NBD_CMD_FLAG_FUA,
	[NBD_CMD_FLUSH] = NBD_CMD_FLAG_FUA,
	[NBD_CMD_TRIM] = NBD_CMD_FLAG_FUA,
	[NBD_CMD_CACHE] = NBD_CMD_FLAG_FUA,
	[NBD_CMD_WRITE_ZEROES] = NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_NO_HOLE,
	[NBD_CMD_BLOCK_STATUS] = NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_REQ_ONE,
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * The one place where a request is judged.
 * Return: 0, or the error it is answered with; then nothing was done.
 */
static uint32_t check(const struct tbtf_nbd_conn *conn, const struct request *req)
{
	if (req->type >= ARRAY_SIZE(command_flags) || req->flags & ~command_flags[req->type])
		return NBD_EINVAL;
	if (req->type == NBD_CMD_DISC || req->type == NBD_CMD_FLUSH)
		return 0;
	if (!req->len)
		return NBD_EINVAL;
	if ((req->type == NBD_CMD_READ || req->type == NBD_CMD_WRITE) && req->len > NBD_LEN_MAX)
		return NBD_EINVAL;
	if (req->type == NBD_CMD_BLOCK_STATUS && !conn->meta)
		return NBD_EINVAL;
	if (req->offset > conn->store->size || req->len > conn->store->size - req->offset)
		return req->type == NBD_CMD_WRITE || req->type == NBD_CMD_WRITE_ZEROES ?
			NBD_ENOSPC : NBD_EINVAL;
	return 0;
}

/* -- replies --------------------------------------------------------------------- */

static int flush(struct tbtf_nbd_conn *conn)
{
	int err = conn->iovs ? tbtf_stream_send(&conn->stream, conn->iov, conn->iovs) : 0;

	conn->iovs = 0;
	conn->heads = 0;
	conn->pending = 0;
	return err;
}

/* One more piece; one that goes on where the last one ended is none. */
static int push(struct tbtf_nbd_conn *conn, const void *data, size_t len)
{
	struct iovec *last;
	int err = 0;

	if (conn->iovs == NBD_IOV)
		err = flush(conn);
	conn->pending += len;
	last = conn->iovs ? &conn->iov[conn->iovs - 1] : NULL;
	if (last && (const char *)last->iov_base + last->iov_len == data) {
		last->iov_len += len;
		return err;
	}
	conn->iov[conn->iovs++] = (struct iovec){ (void *)data, len };
	return err;
}

/* Room for the beginning of a reply; NULL: the connection has failed. */
static union tbtf_nbd_head *new_head(struct tbtf_nbd_conn *conn)
{
	if ((conn->heads == NBD_HEADS || conn->iovs == NBD_IOV) && flush(conn) < 0)
		return NULL;
	return &conn->head[conn->heads++];
}

static void fill_structured(struct nbd_structured_reply *head, const struct request *req,
			    uint16_t flags, uint16_t type, uint32_t len)
{
	head->magic = htobe32(NBD_STRUCTURED_REPLY_MAGIC);
	head->flags = htobe16(flags);
	head->type = htobe16(type);
	head->cookie = req->cookie;
	head->length = htobe32(len);
}

static int reply_simple(struct tbtf_nbd_conn *conn, const struct request *req, uint32_t error)
{
	union tbtf_nbd_head *head = new_head(conn);

	if (!head)
		return -EPIPE;
	head->simple.magic = htobe32(NBD_SIMPLE_REPLY_MAGIC);
	head->simple.error = htobe32(error);
	head->simple.cookie = req->cookie;
	return push(conn, head, sizeof(head->simple));
}

static int reply_error(struct tbtf_nbd_conn *conn, const struct request *req, uint32_t error)
{
	union tbtf_nbd_head *head;

	/* A read that is answered with chunks fails with one, too. */
	if (!conn->structured)
		return reply_simple(conn, req, error);
	head = new_head(conn);
	if (!head)
		return -EPIPE;
	fill_structured(&head->error.head, req, NBD_REPLY_FLAG_DONE, NBD_REPLY_TYPE_ERROR,
			sizeof(head->error) - sizeof(head->none));
	head->error.error = htobe32(error);
	head->error.message_length = 0;
	return push(conn, head, sizeof(head->error));
}

/* What is there from @offset on, piece by piece; a hole is not touched. */
static int push_data(struct tbtf_nbd_conn *conn, uint64_t offset, uint64_t end)
{
	bool written;
	uint64_t next, n;
	int err = 0;

	for (; !err && offset < end; offset = next) {
		next = tbtf_store_extent(conn->store, offset, end, &written);
		if (written) {
			err = push(conn, conn->store->base + offset, next - offset);
			continue;
		}
		for (; !err && offset < next; offset += n) {
			n = next - offset < ZEROES ? next - offset : ZEROES;
			err = push(conn, zeroes, n);
		}
	}
	return err;
}

static int reply_hole(struct tbtf_nbd_conn *conn, const struct request *req)
{
	union tbtf_nbd_head *head = new_head(conn);

	if (!head)
		return -EPIPE;
	fill_structured(&head->hole.head, req, NBD_REPLY_FLAG_DONE, NBD_REPLY_TYPE_OFFSET_HOLE,
			sizeof(head->hole) - sizeof(head->none));
	head->hole.offset = htobe64(req->offset);
	head->hole.length = htobe32(req->len);
	return push(conn, head, sizeof(head->hole));
}

static int do_read(struct tbtf_nbd_conn *conn, const struct request *req)
{
	uint64_t end = req->offset + req->len;
	union tbtf_nbd_head *head;
	bool written;
	int err;

	if (!conn->structured) {
		err = reply_simple(conn, req, 0);
		return err ? err : push_data(conn, req->offset, end);
	}
	if (tbtf_store_extent(conn->store, req->offset, end, &written) == end && !written)
		return reply_hole(conn, req);
	head = new_head(conn);
	if (!head)
		return -EPIPE;
	fill_structured(&head->data.head, req, NBD_REPLY_FLAG_DONE, NBD_REPLY_TYPE_OFFSET_DATA,
			sizeof(head->data) - sizeof(head->none) + req->len);
	head->data.offset = htobe64(req->offset);
	err = push(conn, head, sizeof(head->data));
	return err ? err : push_data(conn, req->offset, end);
}

static int do_status(struct tbtf_nbd_conn *conn, const struct request *req)
{
	uint64_t offset = req->offset, end = offset + req->len, next;
	unsigned int n = 0, most = req->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : NBD_EXTENTS;
	union tbtf_nbd_head *head;
	bool written;
	int err;

	/* @extent is one for all: what is in it goes before the next. */
	err = flush(conn);
	if (err < 0)
		return err;
	for (; offset < end && n < most; offset = next) {
		next = tbtf_store_extent(conn->store, offset, end, &written);
		conn->extent[n].length = htobe32(next - offset);
		conn->extent[n++].flags = htobe32(written ? 0 : NBD_STATE_HOLE | NBD_STATE_ZERO);
	}
	head = new_head(conn);
	if (!head)
		return -EPIPE;
	fill_structured(&head->status.head, req, NBD_REPLY_FLAG_DONE, NBD_REPLY_TYPE_BLOCK_STATUS,
			sizeof(head->status) - sizeof(head->none) + n * sizeof(conn->extent[0]));
	head->status.context = htobe32(NBD_META_ID);
	err = push(conn, head, sizeof(head->status));
	if (!err)
		err = push(conn, conn->extent, n * sizeof(conn->extent[0]));
	return err ? err : flush(conn);
}

/* -- requests -------------------------------------------------------------------- */

/* So many bytes. Nobody waits for us while we wait: what was done is answered before. */
static int receive_all(struct tbtf_nbd_conn *conn, char *to, size_t len)
{
	ssize_t n;
	int err;

	while (len) {
		n = tbtf_stream_recv_now(&conn->stream, to, len);
		if (n == -EAGAIN) {
			err = flush(conn);
			if (err < 0)
				return err;
			n = tbtf_stream_recv(&conn->stream, to, len);
		}
		if (n <= 0)
			return n < 0 ? n : -ECONNRESET;
		to += n;
		len -= n;
	}
	return 0;
}

/*
 * What comes behind a write: from what was received, and the rest from the socket to
 * where it belongs; or, if the write is refused (@to is NULL), to nowhere.
 */
static int take_payload(struct tbtf_nbd_conn *conn, uint32_t len, char *to)
{
	size_t have = conn->fill - conn->pos, n;
	int err = 0;

	if (have > len)
		have = len;
	if (to)
		memcpy(to, conn->in + conn->pos, have);
	conn->pos += have;
	len -= have;
	if (!len)
		return 0;
	/* All that was received is used up. */
	conn->pos = 0;
	conn->fill = 0;
	if (to)
		return receive_all(conn, to + have, len);
	for (; len && !err; len -= n) {
		n = len < NBD_IN ? len : NBD_IN;
		err = receive_all(conn, conn->in, n);
	}
	return err;
}

static int do_write(struct tbtf_nbd_conn *conn, const struct request *req)
{
	int err;

	tbtf_store_writing(conn->store, req->offset, req->len);
	err = take_payload(conn, req->len, conn->store->base + req->offset);
	return err ? err : reply_simple(conn, req, 0);
}

static int do_refuse(struct tbtf_nbd_conn *conn, const struct request *req, uint32_t error)
{
	int err = 0;

	if (req->type == NBD_CMD_WRITE) {
		/* What is too long to be skipped ends the connection. */
		if (req->len > NBD_LEN_MAX)
			return -EMSGSIZE;
		err = take_payload(conn, req->len, NULL);
	}
	return err ? err : reply_error(conn, req, error);
}

static int do_request(struct tbtf_nbd_conn *conn, const struct request *req)
{
	uint32_t error = check(conn, req);

	conn->requests++;
	conn->bulk = req->type == NBD_CMD_WRITE && req->len >= BULK;
	if (error)
		return do_refuse(conn, req, error);
	switch (req->type) {
	case NBD_CMD_READ:
		return do_read(conn, req);
	case NBD_CMD_WRITE:
		return do_write(conn, req);
	case NBD_CMD_DISC:
		return -ESHUTDOWN;
	case NBD_CMD_TRIM:
		tbtf_store_trim(conn->store, req->offset, req->len);
		break;
	case NBD_CMD_CACHE:
		tbtf_store_cache(conn->store, req->offset, req->len);
		break;
	case NBD_CMD_WRITE_ZEROES:
		tbtf_store_zero(conn->store, req->offset, req->len, req->flags & NBD_CMD_FLAG_NO_HOLE);
		break;
	case NBD_CMD_BLOCK_STATUS:
		return do_status(conn, req);
	default:
		break;
	}
	return reply_simple(conn, req, 0);
}

static int take_request(struct tbtf_nbd_conn *conn)
{
	struct nbd_request raw;
	struct request req;

	memcpy(&raw, conn->in + conn->pos, sizeof(raw));
	if (be32toh(raw.magic) != NBD_REQUEST_MAGIC)
		return -EPROTO;
	conn->pos += sizeof(raw);
	req.flags = be16toh(raw.flags);
	req.type = be16toh(raw.type);
	req.cookie = raw.cookie;
	req.offset = be64toh(raw.offset);
	req.len = be32toh(raw.length);
	return do_request(conn, &req);
}

/* More of what the client has to say, behind the part of a request that there is. */
static int receive(struct tbtf_nbd_conn *conn)
{
	ssize_t n;
	int err;

	memmove(conn->in, conn->in + conn->pos, conn->fill - conn->pos);
	conn->fill -= conn->pos;
	conn->pos = 0;
	if (conn->bulk) {
		/* Not what comes behind it: that has another place. */
		err = receive_all(conn, conn->in + conn->fill, sizeof(struct nbd_request) - conn->fill);
		if (!err)
			conn->fill = sizeof(struct nbd_request);
		return err;
	}
	n = tbtf_stream_recv(&conn->stream, conn->in + conn->fill, NBD_IN - conn->fill);
	if (n <= 0)
		return n < 0 ? n : -ECONNRESET;
	conn->fill += n;
	return 0;
}

/**
 * tbtf_nbd_serve - serve a connection until it ends
 * @conn: the connection, after tbtf_nbd_negotiate()
 *
 * Context: its own thread; waits for the client for any time.
 */
void tbtf_nbd_serve(struct tbtf_nbd_conn *conn)
{
	int err = 0;

	while (!err) {
		while (!err && conn->fill - conn->pos >= sizeof(struct nbd_request)) {
			err = take_request(conn);
			if (!err && conn->pending >= SEND_NOW)
				err = flush(conn);
		}
		/*
		 * Also before the end: what was asked before NBD_CMD_DISC is answered. In
		 * bulk receive() does it, when it has to wait.
		 */
		if (err == -ESHUTDOWN || (!err && !conn->bulk))
			err = flush(conn) ? -EPIPE : err;
		if (!err)
			err = receive(conn);
	}
}
