/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - mutual TLS between nodes, both ends
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_TLS_H
#define _TBTFD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "conf.h"
#include "stream.h"

struct tbtf_tls;	/* keys and certificates of this node, for one of its roles */

struct tbtf_tls_error {
	char text[384];
};

int tbtf_tls_setup(struct tbtf_tls **ret, const struct tbtf_conf *conf, bool lender,
		   struct tbtf_tls_error *error);
void tbtf_tls_free(struct tbtf_tls *tls);

int tbtf_tls_begin(struct tbtf_stream *stream, struct tbtf_tls *tls, struct tbtf_tls_error *error);
int tbtf_tls_handshake(struct tbtf_stream *stream, struct tbtf_tls_error *error);
int tbtf_tls_accept(struct tbtf_stream *stream, struct tbtf_tls *tls, struct tbtf_tls_error *error);
const struct tbtf_peer *tbtf_tls_peer(const struct tbtf_stream *stream,
				      const struct tbtf_conf *conf, struct tbtf_tls_error *error);
bool tbtf_tls_in_kernel(const struct tbtf_stream *stream);
void tbtf_tls_end(struct tbtf_stream *stream);

ssize_t tbtf_tls_try_recv(struct tbtf_stream *stream, void *buf, size_t size);
ssize_t tbtf_tls_try_send(struct tbtf_stream *stream, const void *buf, size_t size);
ssize_t tbtf_tls_recv(struct tbtf_stream *stream, void *buf, size_t size);
int tbtf_tls_send(struct tbtf_stream *stream, const struct iovec *iov, size_t n);
int tbtf_tls_wait(const struct tbtf_stream *stream);

#endif /* _TBTFD_TLS_H */
