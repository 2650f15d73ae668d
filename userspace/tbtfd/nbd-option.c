// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the NBD server before there is data: greeting and options
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Fixed newstyle. Whoever is here may be a stranger: an option has a length that is
 * small or the connection ends, there is an end to their number, and the server's
 * clock (NBD_HELLO_NS) ends what takes too long. Names of exports are secrets: none is
 * listed, and one that does not exist, is another borrower's, or has expired gets
 * the same answer.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "nbd-conn.h"
#include "tls.h"
#include "who.h"

#define OPTIONS_MAX	64	/* of one connection; a client needs five */
#define OPTION_LEN	8192	/* what is looked at; a name may have 4096 */
#define OPTION_DRAIN	65536	/* what is at least answered */

#define META_CONTEXT	"base:allocation"

/* struct option - one option as it came */
struct option {
	uint32_t number;
	uint32_t len;
	const char *data;
};

static int reply(struct tbtf_nbd_conn *conn, uint32_t option, uint32_t type, const void *data,
		 size_t len)
{
	struct nbd_option_reply_head head = {
		htobe64(NBD_OPTION_REPLY_MAGIC), htobe32(option), htobe32(type), htobe32(len)
	};
	struct iovec iov[] = { { &head, sizeof(head) }, { (void *)data, len } };

	return tbtf_stream_send(&conn->stream, iov, len ? 2 : 1);
}

static int refuse(struct tbtf_nbd_conn *conn, uint32_t option, uint32_t type, const char *why)
{
	return reply(conn, option, type, why, strlen(why));
}

static uint32_t get32(const char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return be32toh(n);
}

static uint16_t get16(const char *p)
{
	uint16_t n;

	memcpy(&n, p, sizeof(n));
	return be16toh(n);
}

/* The name that an option begins with: its length, and the name itself. */
static bool take_name(const struct option *option, const char **ret_name, uint32_t *ret_len)
{
	if (option->len < 4 || get32(option->data) > option->len - 4)
		return false;
	*ret_len = get32(option->data);
	*ret_name = option->data + 4;
	return true;
}

static int send_info(struct tbtf_nbd_conn *conn, uint32_t option, uint64_t size)
{
	struct nbd_info_export export = {
		htobe16(NBD_INFO_EXPORT), htobe64(size), htobe16(tbtf_nbd_flags())
	};
	struct nbd_info_block_size block = {
		htobe16(NBD_INFO_BLOCK_SIZE), htobe32(1), htobe32(TBTF_STORE_PAGE), htobe32(NBD_LEN_MAX)
	};
	int err;

	err = reply(conn, option, NBD_REP_INFO, &export, sizeof(export));
	if (!err)
		err = reply(conn, option, NBD_REP_INFO, &block, sizeof(block));
	return err ? err : reply(conn, option, NBD_REP_ACK, NULL, 0);
}

/* NBD_OPT_INFO and NBD_OPT_GO. Return: 1: data follows. */
static int info_or_go(struct tbtf_nbd_conn *conn, const struct option *option)
{
	bool go = option->number == NBD_OPT_GO;
	const char *name, *why;
	uint32_t len, rest;
	uint64_t size;
	int err;

	if (!take_name(option, &name, &len))
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "the name is cut off");
	rest = option->len - 4 - len;
	if (rest < 2 || rest != 2 + 2U * get16(name + len))
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "the list is cut off");
	size = tbtf_nbd_find(conn, name, len, go, &why);
	if (!size)
		return refuse(conn, option->number, NBD_REP_ERR_UNKNOWN, why);
	if (go && conn->meta && (strlen(conn->meta_name) != len || memcmp(conn->meta_name, name, len)))
		conn->meta = false;
	err = send_info(conn, option->number, size);
	return err < 0 ? err : go;
}

/* NBD_OPT_EXPORT_NAME: a refusal has no words. Return: 1, or an error that ends it. */
static int export_name(struct tbtf_nbd_conn *conn, const struct option *option)
{
	struct nbd_export_name_reply answer = { 0 };
	const char *why;
	uint64_t size;
	int err;

	size = tbtf_nbd_find(conn, option->data, option->len, true, &why);
	if (!size)
		return -ENOENT;
	answer.size = htobe64(size);
	answer.flags = htobe16(tbtf_nbd_flags());
	err = tbtf_stream_send_all(&conn->stream, &answer,
				   sizeof(answer) - (conn->no_zeroes ? sizeof(answer.zeroes) : 0));
	return err < 0 ? err : 1;
}

static int send_context(struct tbtf_nbd_conn *conn, uint32_t option, uint32_t id)
{
	struct {
		uint32_t id;
		char name[sizeof(META_CONTEXT) - 1];
	} __attribute__((packed)) context = { .id = htobe32(id) };

	memcpy(context.name, META_CONTEXT, sizeof(context.name));
	return reply(conn, option, NBD_REP_META_CONTEXT, &context, sizeof(context));
}

/* Whether a query asks for the one context that there is; "base:" lists a family. */
static bool asks(const char *query, uint32_t len, bool list)
{
	return (len == strlen(META_CONTEXT) && !memcmp(query, META_CONTEXT, len)) ||
	       (list && len == strlen("base:") && !memcmp(query, "base:", len));
}

/* NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
static int meta_context(struct tbtf_nbd_conn *conn, const struct option *option)
{
	bool list = option->number == NBD_OPT_LIST_META_CONTEXT, found = false;
	const char *name, *why, *p, *end = option->data + option->len;
	uint32_t len, queries;
	int err;

	conn->meta = conn->meta && list;
	if (!conn->structured)
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "structured replies come first");
	if (!take_name(option, &name, &len) || end - (name + len) < 4)
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "the name is cut off");
	p = name + len;
	queries = get32(p);
	found = list && !queries;
	for (p += 4; queries; queries--, p += len) {
		if (end - p < 4 || (size_t)(end - p - 4) < get32(p))
			return refuse(conn, option->number, NBD_REP_ERR_INVALID, "a query is cut off");
		len = get32(p);
		p += 4;
		found |= asks(p, len, list);
	}
	if (p != end)
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "too long");
	len = get32(option->data);
	if (!tbtf_nbd_find(conn, name, len, false, &why))
		return refuse(conn, option->number, NBD_REP_ERR_UNKNOWN, why);
	if (found) {
		err = send_context(conn, option->number, list ? 0 : NBD_META_ID);
		if (err < 0)
			return err;
		if (!list) {
			conn->meta = true;
			memcpy(conn->meta_name, name, len);
			conn->meta_name[len] = '\0';
		}
	}
	return reply(conn, option->number, NBD_REP_ACK, NULL, 0);
}

/*
 * From here on all is encrypted, and who it is, is known. Nothing was read ahead:
 * what somebody in between put behind the option is taken for TLS, and is none.
 */
static int starttls(struct tbtf_nbd_conn *conn, const struct option *option)
{
	struct tbtf_tls_error error;
	int err;

	if (!conn->server->tls)
		return refuse(conn, option->number, NBD_REP_ERR_POLICY, "encryption = none");
	if (conn->stream.ssl || option->len)
		return refuse(conn, option->number, NBD_REP_ERR_INVALID, "not now, and without data");
	err = reply(conn, option->number, NBD_REP_ACK, NULL, 0);
	if (err < 0)
		return err;
	err = tbtf_tls_accept(&conn->stream, conn->server->tls, &error);
	if (!err)
		conn->peer = tbtf_tls_peer(&conn->stream, conn->server->conf, &error);
	if (err < 0 || !conn->peer) {
		tbtf_stranger("%s: refused: %s", conn->from, error.text);
		return -EACCES;
	}
	conn->structured = false;
	conn->meta = false;
	return 0;
}

static int one_option(struct tbtf_nbd_conn *conn, const struct option *option)
{
	if (conn->server->tls && !conn->stream.ssl && option->number != NBD_OPT_STARTTLS &&
	    option->number != NBD_OPT_ABORT) {
		if (option->number == NBD_OPT_EXPORT_NAME)
			return -EACCES;
		return refuse(conn, option->number, NBD_REP_ERR_TLS_REQD, "encryption = tls");
	}
	switch (option->number) {
	case NBD_OPT_EXPORT_NAME:
		return export_name(conn, option);
	case NBD_OPT_ABORT:
		(void)reply(conn, option->number, NBD_REP_ACK, NULL, 0);
		return -ECONNABORTED;
	case NBD_OPT_LIST:
		return refuse(conn, option->number, NBD_REP_ERR_POLICY, "names of exports are secrets");
	case NBD_OPT_STARTTLS:
		return starttls(conn, option);
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		return info_or_go(conn, option);
	case NBD_OPT_STRUCTURED_REPLY:
		if (option->len)
			return refuse(conn, option->number, NBD_REP_ERR_INVALID, "it has no data");
		conn->structured = true;
		return reply(conn, option->number, NBD_REP_ACK, NULL, 0);
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		return meta_context(conn, option);
	default:
		return refuse(conn, option->number, NBD_REP_ERR_UNSUP, "not known");
	}
}

/* Read, and answer, what is too long to be anything. */
static int drain(struct tbtf_nbd_conn *conn, const struct option *option, char *buf)
{
	uint32_t len = option->len, n;
	int err;

	if (len > OPTION_DRAIN)
		return -EMSGSIZE;
	for (; len; len -= n) {
		n = len < OPTION_LEN ? len : OPTION_LEN;
		err = tbtf_stream_recv_all(&conn->stream, buf, n);
		if (err < 0)
			return err;
	}
	return refuse(conn, option->number, NBD_REP_ERR_TOO_BIG, "too long");
}

static int greet(struct tbtf_nbd_conn *conn)
{
	struct nbd_greeting greeting = {
		htobe64(NBD_MAGIC), htobe64(NBD_OPTION_MAGIC),
		htobe16(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES)
	};
	uint32_t flags;
	int err;

	err = tbtf_stream_send_all(&conn->stream, &greeting, sizeof(greeting));
	if (!err)
		err = tbtf_stream_recv_all(&conn->stream, &flags, sizeof(flags));
	if (err < 0)
		return err;
	flags = be32toh(flags);
	if (flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
		return -EPROTO;
	conn->no_zeroes = flags & NBD_FLAG_NO_ZEROES;
	return 0;
}

/**
 * tbtf_nbd_negotiate - from the greeting to the first request
 * @conn: the connection, new
 *
 * Context: its own thread; waits for the client, until the server's clock ends it.
 * Return: 0: conn->store is there, and requests follow; or a negative errno: it is
 * to be closed.
 */
int tbtf_nbd_negotiate(struct tbtf_nbd_conn *conn)
{
	struct nbd_option_head head;
	char data[OPTION_LEN];
	struct option option = { .data = data };
	int ret;

	ret = greet(conn);
	for (int n = 0; !ret && n < OPTIONS_MAX; n++) {
		ret = tbtf_stream_recv_all(&conn->stream, &head, sizeof(head));
		if (ret < 0)
			return ret;
		if (be64toh(head.magic) != NBD_OPTION_MAGIC)
			return -EPROTO;
		option.number = be32toh(head.option);
		option.len = be32toh(head.length);
		if (option.len > sizeof(data)) {
			ret = drain(conn, &option, data);
			continue;
		}
		ret = tbtf_stream_recv_all(&conn->stream, data, option.len);
		if (!ret)
			ret = one_option(conn, &option);
	}
	if (ret > 0)
		return 0;
	return ret ? ret : -E2BIG;
}
