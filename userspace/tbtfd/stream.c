// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - bytes to and from another node, in the clear or through TLS
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * For threads that may wait: the sockets block. What ends a wait that is too long is
 * somebody else's shutdown(2) of the socket.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"
#include "tls.h"

/**
 * tbtf_stream_keep - as a lender wants the sockets of its borrowers
 * @fd: a connected socket
 *
 * One that is gone without a word must not keep its place for ever; and no answer
 * waits for more to be said.
 */
void tbtf_stream_keep(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 30 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 6 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof(options[i].value));
}

/**
 * tbtf_stream_recv - wait for some bytes
 * @stream: the stream
 * @buf: where they go
 * @size: how many at most, not 0
 *
 * Return: how many came, 0 at the end, or a negative errno: -EPROTO for what was
 * not TLS.
 */
ssize_t tbtf_stream_recv(struct tbtf_stream *stream, void *buf, size_t size)
{
	ssize_t n;

	if (stream->ssl)
		return tbtf_tls_recv(stream, buf, size);
	do
		n = recv(stream->fd, buf, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/**
 * tbtf_stream_recv_now - some bytes, if there are any
 * @stream: the stream
 * @buf: where they go
 * @size: how many at most, not 0
 *
 * Return: as tbtf_stream_recv(), or -EAGAIN: it would have to wait.
 */
ssize_t tbtf_stream_recv_now(struct tbtf_stream *stream, void *buf, size_t size)
{
	ssize_t n;

	if (stream->ssl)
		return tbtf_tls_try_recv(stream, buf, size);
	n = recv(stream->fd, buf, size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/**
 * tbtf_stream_recv_all - wait for so many bytes
 * @stream: the stream
 * @buf: where they go
 * @size: how many
 *
 * Return: 0, -ECONNRESET if the stream ended before, or as tbtf_stream_recv().
 */
int tbtf_stream_recv_all(struct tbtf_stream *stream, void *buf, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = tbtf_stream_recv(stream, (char *)buf + got, size - got);
		if (n <= 0)
			return n < 0 ? n : -ECONNRESET;
		got += n;
	}
	return 0;
}

/* Take @sent bytes off the front; pieces that are all gone are skipped. */
static void advance(struct iovec **iov, size_t *n, size_t sent)
{
	while (*n && sent >= (*iov)->iov_len) {
		sent -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + sent;
		(*iov)->iov_len -= sent;
	}
}

/**
 * tbtf_stream_send - send all of these pieces
 * @stream: the stream
 * @iov: the pieces; used up
 * @n: how many, IOV_MAX at most
 *
 * Return: 0, or a negative errno.
 */
int tbtf_stream_send(struct tbtf_stream *stream, struct iovec *iov, size_t n)
{
	struct msghdr message = { 0 };
	ssize_t sent;

	if (stream->ssl && !tbtf_tls_in_kernel(stream))
		return tbtf_tls_send(stream, iov, n);
	while (n) {
		message.msg_iov = iov;
		message.msg_iovlen = n;
		sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			/* Of TLS in the kernel: such sockets do not block. */
			stream->wait_for = POLLOUT;
			if (tbtf_tls_wait(stream) < 0)
				return -EPIPE;
			continue;
		}
		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0)
			advance(&iov, &n, sent);
	}
	return 0;
}

/**
 * tbtf_stream_send_all - send so many bytes
 * @stream: the stream
 * @buf: the bytes
 * @size: how many
 *
 * Return: as tbtf_stream_send().
 */
int tbtf_stream_send_all(struct tbtf_stream *stream, const void *buf, size_t size)
{
	struct iovec iov = { (void *)buf, size };

	return tbtf_stream_send(stream, &iov, size ? 1 : 0);
}

/**
 * tbtf_stream_close - end it
 * @stream: the stream, which is empty then
 */
void tbtf_stream_close(struct tbtf_stream *stream)
{
	tbtf_tls_end(stream);
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
}
