/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - bytes to and from another node, in the clear or through TLS
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_STREAM_H
#define _TBTFD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;

/**
 * struct tbtf_stream - a connected socket, and TLS on it
 * @fd: the socket
 * @ssl: NULL: in the clear
 * @bounce: with TLS: where small pieces become a record
 * @wait_for: with TLS: what an -EAGAIN was about, as poll(2) has it
 */
struct tbtf_stream {
	int fd;
	struct ssl_st *ssl;
	char *bounce;
	short wait_for;
};

void tbtf_stream_keep(int fd);
ssize_t tbtf_stream_recv(struct tbtf_stream *stream, void *buf, size_t size);
ssize_t tbtf_stream_recv_now(struct tbtf_stream *stream, void *buf, size_t size);
int tbtf_stream_recv_all(struct tbtf_stream *stream, void *buf, size_t size);
int tbtf_stream_send(struct tbtf_stream *stream, struct iovec *iov, size_t n);
int tbtf_stream_send_all(struct tbtf_stream *stream, const void *buf, size_t size);
void tbtf_stream_close(struct tbtf_stream *stream);

#endif /* _TBTFD_STREAM_H */
