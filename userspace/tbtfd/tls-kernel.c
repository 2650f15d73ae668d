// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - TLS that the kernel goes on with: a borrower's connections
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A program in user space between swap and the network would need memory in order to
 * free memory. So the keys of a connection go to the kernel, both directions, before
 * the block device gets the socket. OpenSSL does that for TLS 1.2; for what it receives
 * with 1.3 only from 3.2 on, and until then these connections are 1.2 (ECDHE, AES-GCM).
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls-kernel.h"

/* OpenSSL 3.2 */
#define KTLS_RX_13	0x30200000L

/**
 * tbtf_tls_wait_ms() - wait for what an -EAGAIN was about
 * @stream: the stream
 * @ms: how long
 *
 * Return: 0; -ETIMEDOUT; or the errno of poll(2).
 */
int tbtf_tls_wait_ms(const struct tbtf_stream *stream, unsigned int ms)
{
	struct pollfd wait = { .fd = stream->fd, .events = stream->wait_for };
	int n;

	do {
		n = poll(&wait, 1, ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/**
 * tbtf_tls_connect() - TLS with a lender, from here on
 * @stream: a connection in the clear
 * @tls: of this node
 * @conf: with the peers
 * @peer: who has to be at the other end
 * @for_kernel: the kernel shall have it afterwards
 * @ms: how long each wait may take
 * @error: why not
 *
 * Return: 0; -EACCES: it is not @peer, or not with a certificate of the CA; or another
 * errno; and @error.
 */
int tbtf_tls_connect(struct tbtf_stream *stream, struct tbtf_tls *tls, const struct tbtf_conf *conf,
		     const struct tbtf_peer *peer, bool for_kernel, unsigned int ms,
		     struct tbtf_tls_error *error)
{
	const struct tbtf_peer *who;
	int err;

	err = tbtf_tls_begin(stream, tls, error);
	if (err)
		return err;
	if (for_kernel) {
		/* What OpenSSL has read ahead the kernel would miss. */
		SSL_set_read_ahead(stream->ssl, 0);
		if (OpenSSL_version_num() < KTLS_RX_13)
			(void)SSL_set_max_proto_version(stream->ssl, TLS1_2_VERSION);
	}
	while ((err = tbtf_tls_handshake(stream, error)) == -EAGAIN) {
		err = tbtf_tls_wait_ms(stream, ms);
		if (err) {
			(void)snprintf(error->text, sizeof(error->text), "TLS handshake: %s", strerror(-err));
			return err;
		}
	}
	if (err)
		return err;
	who = tbtf_tls_peer(stream, conf, error);
	if (!who)
		return -EACCES;
	if (who != peer) {
		(void)snprintf(error->text, sizeof(error->text), "its certificate is that of %s", who->name);
		return -EACCES;
	}
	return 0;
}

/**
 * tbtf_tls_let_go() - leave a connection to the kernel
 * @stream: after tbtf_tls_connect() with for_kernel; has no TLS any more, as it seems
 * @error: why not
 *
 * The other end is told nothing: for it the connection goes on.
 *
 * Return: 0; -EOPNOTSUPP: the kernel does not have the keys, -EPROTO: more has arrived
 * than was asked for; and @error.
 */
int tbtf_tls_let_go(struct tbtf_stream *stream, struct tbtf_tls_error *error)
{
	if (!BIO_get_ktls_send(SSL_get_wbio(stream->ssl)) ||
	    !BIO_get_ktls_recv(SSL_get_rbio(stream->ssl))) {
		(void)snprintf(error->text, sizeof(error->text),
			       "the kernel does not take %s with %s (modprobe tls)",
			       SSL_get_version(stream->ssl), SSL_get_cipher_name(stream->ssl));
		return -EOPNOTSUPP;
	}
	if (SSL_has_pending(stream->ssl)) {
		(void)snprintf(error->text, sizeof(error->text), "it says what was not asked");
		return -EPROTO;
	}
	SSL_set_quiet_shutdown(stream->ssl, 1);
	SSL_free(stream->ssl);
	stream->ssl = NULL;
	free(stream->bounce);
	stream->bounce = NULL;
	return 0;
}
