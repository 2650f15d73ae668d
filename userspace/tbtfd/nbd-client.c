// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the little of an NBD client that is in user space: up to the first request
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Comes in: an address and the name of an export. Goes out: a socket of which the
 * next byte is the kernel's. Before that it writes the header of the swap, so that
 * nobody has to write to the block device, where a lender that does not answer
 * could hold whoever does for as long as the kernel waits for it.
 *
 * Runs in the thread of lenders.c. Every wait is bounded by the timeouts of the
 * socket, which go when the kernel takes it.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "nbd-proto.h"
#include "tls-kernel.h"

/* Of an option's answer: what is longer is none of those that we know. */
#define REPLY_MAX	4096
/* A trim of this many bytes at a time: the length of a request has 32 bits. */
#define TRIM_MAX	(1U << 30)

/* Without TLS the timeouts of the socket say how long; with it the socket does not wait. */
static ssize_t send_some(struct tbtf_stream *stream, const void *data, size_t len)
{
	ssize_t sent;

	if (stream->ssl) {
		sent = tbtf_tls_try_send(stream, data, len);
		if (sent == -EAGAIN)
			sent = tbtf_tls_wait_ms(stream, TBTF_ANSWER_MS);
		return sent;
	}
	sent = send(stream->fd, data, len, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	if (errno == EINTR)
		return 0;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int send_all(struct tbtf_stream *stream, const void *data, size_t len)
{
	const char *at = data;
	ssize_t sent;

	while (len) {
		sent = send_some(stream, at, len);
		if (sent < 0)
			return sent;
		at += sent;
		len -= sent;
	}
	return 0;
}

static ssize_t receive_some(struct tbtf_stream *stream, void *data, size_t len)
{
	ssize_t got;
	int err;

	do {
		if (stream->ssl)
			got = tbtf_tls_try_recv(stream, data, len);
		else
			got = recv(stream->fd, data, len, 0);
		if (stream->ssl && got == -EAGAIN) {
			err = tbtf_tls_wait_ms(stream, TBTF_ANSWER_MS);
			if (err)
				return err;
		}
	} while (stream->ssl ? got == -EAGAIN : got < 0 && errno == EINTR);
	if (!got)
		return -ECONNRESET;
	if (stream->ssl || got > 0)
		return got;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int receive_all(struct tbtf_stream *stream, void *data, size_t len)
{
	char *at = data;
	ssize_t got;

	while (len) {
		got = receive_some(stream, at, len);
		if (got < 0)
			return got;
		at += got;
		len -= got;
	}
	return 0;
}

static void set_port(struct sockaddr_storage *sa, uint16_t port)
{
	if (sa->ss_family == AF_INET6)
		((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)sa)->sin_port = htons(port);
}

static int finish_connect(int fd, unsigned int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int n, err = 0;

	do {
		n = poll(&wait, 1, ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}

/*
 * A lender that loses its power says nothing. An extent that is only ready sends
 * nothing either, and would be found dead by the steal that wants it.
 */
static int keep_alive(int fd)
{
	int on = 1, idle_s = 10, every_s = 5, times = 4;

	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times)))
		return -errno;
	return 0;
}

/**
 * tbtf_dial() - connect to another node
 * @address: where
 * @port: which port instead of the one in @address, or 0
 * @ms: how long that may take, and then each wait for the socket
 *
 * Context: waits, up to @ms.
 * Return: the socket; -ETIMEDOUT: no answer; or the errno of connect(2).
 */
int tbtf_dial(const struct tbtf_address *address, uint16_t port, unsigned int ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct sockaddr_storage sa = address->sa;
	int fd, err, on = 1, off = 0;

	if (port)
		set_port(&sa, port);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (struct sockaddr *)&sa, address->len) ? -errno : 0;
	if (err == -EINPROGRESS)
		err = finish_connect(fd, ms);
	if (err)
		goto out_close;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait))) {
		err = -errno;
		goto out_close;
	}
	err = keep_alive(fd);
	/* From here on the timeouts of the socket say how long anything waits. */
	if (!err && ioctl(fd, FIONBIO, &off))
		err = -errno;
	if (err)
		goto out_close;
	return fd;

out_close:
	(void)close(fd);
	return err;
}

/* NBD_OPT_GO: the name, and that we want to know of block sizes. */
static int ask_go(struct tbtf_stream *stream, const char *name)
{
	uint32_t len = strlen(name);
	struct {
		struct nbd_option_head head;
		uint32_t name_len;
		char rest[TBTF_NAME_LEN + sizeof(uint16_t) * 2];
	} __attribute__((packed)) ask = {
		.head.magic = htobe64(NBD_OPTION_MAGIC),
		.head.option = htobe32(NBD_OPT_GO),
		.head.length = htobe32(sizeof(len) + len + 2 * sizeof(uint16_t)),
		.name_len = htobe32(len),
	};
	uint16_t infos[2] = { htobe16(1), htobe16(NBD_INFO_BLOCK_SIZE) };

	if (len > TBTF_NAME_LEN)
		return -EINVAL;
	memcpy(ask.rest, name, len);
	memcpy(ask.rest + len, infos, sizeof(infos));
	return send_all(stream, &ask, sizeof(ask) - sizeof(ask.rest) + len + sizeof(infos));
}

static int error_of_reply(uint32_t type)
{
	switch (type) {
	case NBD_REP_ERR_UNKNOWN:
		return -ENOENT;
	case NBD_REP_ERR_POLICY:
		return -EACCES;
	case NBD_REP_ERR_TLS_REQD:
		return -ENOKEY;
	default:
		return -EPROTO;
	}
}

/* One info of the server: the size and the flags, or the sizes of blocks. */
static int take_info(const unsigned char *data, uint32_t len, struct tbtf_export *export)
{
	struct nbd_info_block_size sizes;
	struct nbd_info_export info;
	uint16_t type;

	if (len < sizeof(type))
		return -EPROTO;
	memcpy(&type, data, sizeof(type));
	switch (be16toh(type)) {
	case NBD_INFO_EXPORT:
		if (len != sizeof(info))
			return -EPROTO;
		memcpy(&info, data, sizeof(info));
		export->size = be64toh(info.size);
		export->flags = be16toh(info.flags);
		break;
	case NBD_INFO_BLOCK_SIZE:
		if (len != sizeof(sizes))
			return -EPROTO;
		memcpy(&sizes, data, sizeof(sizes));
		/* Pages are what is sent. */
		if (be32toh(sizes.minimum) > 4096)
			return -EOPNOTSUPP;
		break;
	default:
		break;
	}
	return 0;
}

static int receive_go(struct tbtf_stream *stream, struct tbtf_export *export)
{
	struct nbd_option_reply_head head;
	unsigned char data[REPLY_MAX];
	uint32_t len, type;
	int err;

	for (;;) {
		err = receive_all(stream, &head, sizeof(head));
		if (err)
			return err;
		len = be32toh(head.length);
		type = be32toh(head.type);
		if (be64toh(head.magic) != NBD_OPTION_REPLY_MAGIC ||
		    be32toh(head.option) != NBD_OPT_GO || len > sizeof(data))
			return -EPROTO;
		err = receive_all(stream, data, len);
		if (err)
			return err;
		if (type == NBD_REP_ACK)
			return 0;
		if (type & NBD_REP_ERR(0))
			return error_of_reply(type);
		if (type == NBD_REP_INFO)
			err = take_info(data, len, export);
		if (err)
			return err;
	}
}

/**
 * tbtf_nbd_greet() - the first words
 * @stream: a new connection
 *
 * Context: waits for the server, as all that follow.
 * Return: 0; -EPROTO: not NBD as it should be; -ETIMEDOUT, -ECONNRESET and others of
 * the socket.
 */
int tbtf_nbd_greet(struct tbtf_stream *stream)
{
	uint32_t client = htobe32(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	struct nbd_greeting greeting;
	int err;

	err = receive_all(stream, &greeting, sizeof(greeting));
	if (err)
		return err;
	if (be64toh(greeting.magic) != NBD_MAGIC ||
	    be64toh(greeting.option_magic) != NBD_OPTION_MAGIC ||
	    !(be16toh(greeting.flags) & NBD_FLAG_FIXED_NEWSTYLE))
		return -EPROTO;
	if (!(be16toh(greeting.flags) & NBD_FLAG_NO_ZEROES))
		client = htobe32(NBD_FLAG_FIXED_NEWSTYLE);
	return send_all(stream, &client, sizeof(client));
}

/**
 * tbtf_nbd_starttls() - ask for TLS
 * @stream: after tbtf_nbd_greet()
 *
 * Return: 0, and the next byte is TLS; -EACCES: it has none, or not for us; -EPROTO; or
 * of the socket.
 */
int tbtf_nbd_starttls(struct tbtf_stream *stream)
{
	struct nbd_option_head ask = {
		.magic = htobe64(NBD_OPTION_MAGIC),
		.option = htobe32(NBD_OPT_STARTTLS),
	};
	struct nbd_option_reply_head head;
	int err;

	err = send_all(stream, &ask, sizeof(ask));
	if (!err)
		err = receive_all(stream, &head, sizeof(head));
	if (err)
		return err;
	if (be64toh(head.magic) != NBD_OPTION_REPLY_MAGIC ||
	    be32toh(head.option) != NBD_OPT_STARTTLS)
		return -EPROTO;
	if (be32toh(head.type) & NBD_REP_ERR(0))
		return -EACCES;
	return be32toh(head.type) == NBD_REP_ACK && !head.length ? 0 : -EPROTO;
}

/**
 * tbtf_nbd_go() - ask a server for an export
 * @stream: after tbtf_nbd_greet()
 * @name: of the export
 * @ret: what it is
 *
 * Context: waits for the server, each time as long as the socket has it.
 * Return: 0, and the next byte sent is that of a request; -ENOENT: no such export;
 * -EACCES: not for us; -ENOKEY: only with TLS; -EROFS, -EOPNOTSUPP: not to be written,
 * or with blocks larger than a page; -EPROTO: not NBD as it should be; -ETIMEDOUT,
 * -ECONNRESET and others of the socket.
 */
int tbtf_nbd_go(struct tbtf_stream *stream, const char *name, struct tbtf_export *ret)
{
	struct tbtf_export export = { .size = 0 };
	int err;

	err = ask_go(stream, name);
	if (!err)
		err = receive_go(stream, &export);
	if (err)
		return err;
	if (!(export.flags & NBD_FLAG_HAS_FLAGS) || !export.size || export.size > INT64_MAX)
		return -EPROTO;
	if (export.flags & (1U << 1))	/* NBD_FLAG_READ_ONLY */
		return -EROFS;
	*ret = export;
	return 0;
}

static int request(struct tbtf_stream *stream, uint16_t type, uint64_t offset, uint32_t len, const void *data)
{
	struct nbd_request ask = {
		.magic = htobe32(NBD_REQUEST_MAGIC),
		.type = htobe16(type),
		.cookie = 1,
		.offset = htobe64(offset),
		.length = htobe32(len),
	};
	struct nbd_simple_reply reply;
	int err;

	err = send_all(stream, &ask, sizeof(ask));
	if (!err && data)
		err = send_all(stream, data, len);
	if (!err)
		err = receive_all(stream, &reply, sizeof(reply));
	if (err)
		return err;
	if (be32toh(reply.magic) != NBD_SIMPLE_REPLY_MAGIC || reply.cookie != 1)
		return -EPROTO;
	return reply.error ? -EIO : 0;
}

/**
 * tbtf_nbd_write() - write before the kernel has the socket
 * @stream: after tbtf_nbd_go()
 * @offset: where, in bytes
 * @data: what
 * @len: how much
 *
 * Context: waits for the server.
 * Return: 0; -EIO: the server could not; -EPROTO; or of the socket.
 */
int tbtf_nbd_write(struct tbtf_stream *stream, uint64_t offset, const void *data, uint32_t len)
{
	return request(stream, NBD_CMD_WRITE, offset, len, data);
}

/**
 * tbtf_nbd_trim() - tell the server that nothing of an export is wanted any more
 * @stream: after tbtf_nbd_go()
 * @size: of the export
 *
 * Context: waits for the server.
 * Return: 0; -EIO: the server could not; -EPROTO; or of the socket.
 */
int tbtf_nbd_trim(struct tbtf_stream *stream, uint64_t size)
{
	int err = 0;

	for (uint64_t at = 0; at < size && !err; at += TRIM_MAX)
		err = request(stream, NBD_CMD_TRIM, at, size - at < TRIM_MAX ? size - at : TRIM_MAX, NULL);
	return err;
}
