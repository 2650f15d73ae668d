// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - mutual TLS between nodes, both ends
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A node is who its certificate says, by a name of type DNS in subjectAltName that
 * is the node's name letter by letter; the certificate has to be signed by the CA of
 * the configuration, and the name to be in [peers]. There are no wildcards, and the
 * address is not asked.
 *
 * TLS 1.3 or 1.2 with AES-GCM: what the kernel can take over. It never has to follow
 * a change of keys: there are no session tickets and no renegotiation, and OpenSSL
 * updates keys only when told to. Where the kernel does TLS (the module tls), what a
 * lender sends is encrypted there, out of the lent pages, without a copy of ours.
 *
 * Sockets with TLS do not block; who may wait does so in tbtf_tls_wait().
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

#define RECORD		16384		/* the most that TLS has in one */
#define READ_AHEAD	65536		/* taken from the socket at once */
#define WRITE_BEHIND	131072		/* given to it at once, where the kernel does no TLS */
#define CIPHERS_12	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
			"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define CIPHERS_13	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"

struct tbtf_tls {
	SSL_CTX *ctx;
	bool lender;
};

/* What was attempted, and what OpenSSL says about it. */
__attribute__((format(printf, 2, 3)))
static int failed(struct tbtf_tls_error *error, const char *format, ...)
{
	/* The first of a chain is the cause, and the others say where it was met. */
	unsigned long code = ERR_peek_error();
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	if (code && len >= 0 && (size_t)len < sizeof(error->text))
		snprintf(error->text + len, sizeof(error->text) - len, ": %s",
			 ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) :
			 ERR_reason_error_string(code) ?: "of OpenSSL, without words");
	ERR_clear_error();
	return -EACCES;
}

static int set_up(SSL_CTX *ctx, const struct tbtf_conf *conf, struct tbtf_tls_error *error)
{
	SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
			    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	if (SSL_CTX_set_num_tickets(ctx, 0) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) != 1)
		return failed(error, "this OpenSSL cannot do what is needed");
	if (SSL_CTX_load_verify_locations(ctx, conf->security.ca, NULL) != 1)
		return failed(error, "security.ca = %s", conf->security.ca);
	if (SSL_CTX_use_certificate_chain_file(ctx, conf->security.cert) != 1)
		return failed(error, "security.cert = %s", conf->security.cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->security.key, SSL_FILETYPE_PEM) != 1)
		return failed(error, "security.key = %s", conf->security.key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return failed(error, "security.key = %s is not the key of security.cert",
			      conf->security.key);
	return 0;
}

/**
 * tbtf_tls_setup - read keys and certificates
 * @ret: what connections are begun with
 * @conf: where they are
 * @lender: answer connections, rather than make them
 * @error: what is wrong, naming the key of the configuration
 *
 * Return: 0, or -EACCES and @error, or -ENOMEM and @error.
 */
int tbtf_tls_setup(struct tbtf_tls **ret, const struct tbtf_conf *conf, bool lender,
		   struct tbtf_tls_error *error)
{
	struct tbtf_tls *tls = calloc(1, sizeof(*tls));
	int err;

	if (!tls) {
		snprintf(error->text, sizeof(error->text), "no memory");
		return -ENOMEM;
	}
	tls->lender = lender;
	ERR_clear_error();
	tls->ctx = SSL_CTX_new(lender ? TLS_server_method() : TLS_client_method());
	err = tls->ctx ? set_up(tls->ctx, conf, error) : failed(error, "TLS cannot be set up");
	if (err < 0) {
		tbtf_tls_free(tls);
		return err;
	}
	*ret = tls;
	return 0;
}

/**
 * tbtf_tls_free - forget keys and certificates
 * @tls: of tbtf_tls_setup(), or NULL; connections go on
 */
void tbtf_tls_free(struct tbtf_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/* -- the beginning ------------------------------------------------------------------ */

/**
 * tbtf_tls_begin - TLS from here on
 * @stream: in the clear so far; its socket does not block any more
 * @tls: this node's keys
 * @error: what is wrong
 *
 * tbtf_tls_handshake() has to follow.
 *
 * Return: 0 or -ENOMEM and @error.
 */
int tbtf_tls_begin(struct tbtf_stream *stream, struct tbtf_tls *tls, struct tbtf_tls_error *error)
{
	int flags = fcntl(stream->fd, F_GETFL);

	stream->bounce = malloc(RECORD);
	stream->ssl = SSL_new(tls->ctx);
	if (!stream->bounce || !stream->ssl || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
	    flags < 0 || fcntl(stream->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		tbtf_tls_end(stream);
		snprintf(error->text, sizeof(error->text), "no memory for TLS");
		return -ENOMEM;
	}
	if (tls->lender)
		SSL_set_accept_state(stream->ssl);
	else
		SSL_set_connect_state(stream->ssl);
	return 0;
}

/* What to do after OpenSSL returned @ret: wait, or give up. */
static int trouble(struct tbtf_stream *stream, int ret)
{
	switch (SSL_get_error(stream->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		stream->wait_for = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		stream->wait_for = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return errno ? -errno : -ECONNRESET;
	default:
		return -EPROTO;
	}
}

/*
 * Records are collected, and go with one call: a call each costs as much as the cipher.
 * Only for tbtf_tls_send(), at whose end there is none left.
 */
static int write_behind(struct tbtf_stream *stream)
{
	BIO *socket = SSL_get_wbio(stream->ssl), *buffer;

	if (tbtf_tls_in_kernel(stream))
		return 0;
	buffer = BIO_new(BIO_f_buffer());
	if (!buffer || BIO_set_write_buffer_size(buffer, WRITE_BEHIND) != 1 || !BIO_up_ref(socket)) {
		BIO_free(buffer);
		return -ENOMEM;
	}
	SSL_set0_wbio(stream->ssl, BIO_push(buffer, socket));
	return 0;
}

/**
 * tbtf_tls_handshake - get on with it
 * @stream: after tbtf_tls_begin()
 * @error: why not
 *
 * Return: 0: who is at the other end has a certificate of the CA; -EAGAIN: call it
 * again after tbtf_tls_wait(); -EACCES and @error.
 */
int tbtf_tls_handshake(struct tbtf_stream *stream, struct tbtf_tls_error *error)
{
	long verified;
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(stream->ssl);
	if (ret == 1)
		return 0;
	if (trouble(stream, ret) == -EAGAIN)
		return -EAGAIN;
	verified = SSL_get_verify_result(stream->ssl);
	if (verified != X509_V_OK)
		return failed(error, "its certificate is not good: %s",
			      X509_verify_cert_error_string(verified));
	return failed(error, "TLS handshake failed");
}

/**
 * tbtf_tls_accept - do the whole handshake
 * @stream: in the clear so far
 * @tls: this node's keys
 * @error: why not
 *
 * Context: may wait for any time.
 * Return: 0, or a negative errno and @error.
 */
int tbtf_tls_accept(struct tbtf_stream *stream, struct tbtf_tls *tls, struct tbtf_tls_error *error)
{
	int err = tbtf_tls_begin(stream, tls, error);

	while (!err) {
		err = tbtf_tls_handshake(stream, error);
		if (!err)
			return write_behind(stream) < 0 ? failed(error, "no memory for TLS") : 0;
		if (err == -EAGAIN)
			err = tbtf_tls_wait(stream);
	}
	return err;
}

/* Whether a certificate is of a node of this name. */
static bool has_name(X509 *cert, const char *name)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *entry = sk_GENERAL_NAME_value(names, i);

		if (entry->type == GEN_DNS &&
		    (size_t)ASN1_STRING_length(entry->d.dNSName) == strlen(name) &&
		    !memcmp(ASN1_STRING_get0_data(entry->d.dNSName), name, strlen(name)))
			found = true;
	}
	GENERAL_NAMES_free(names);
	return found;
}

/**
 * tbtf_tls_peer - who is at the other end
 * @stream: after the handshake
 * @conf: which peers there are
 * @error: why it is none of them
 *
 * Return: one of [peers], or NULL and @error.
 */
const struct tbtf_peer *tbtf_tls_peer(const struct tbtf_stream *stream,
				      const struct tbtf_conf *conf, struct tbtf_tls_error *error)
{
	X509 *cert = SSL_get0_peer_certificate(stream->ssl);
	char subject[128] = "without a certificate";

	for (size_t i = 0; cert && i < conf->peers; i++) {
		if (has_name(cert, conf->peer[i].name))
			return &conf->peer[i];
	}
	if (cert)
		X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof(subject));
	snprintf(error->text, sizeof(error->text),
		 "its certificate (%s) has no name that is in [peers]", subject);
	return NULL;
}

/**
 * tbtf_tls_in_kernel - whether what is sent is encrypted by the kernel
 * @stream: after the handshake
 *
 * Return: whether bytes may be given to the socket as they are.
 */
bool tbtf_tls_in_kernel(const struct tbtf_stream *stream)
{
	return BIO_get_ktls_send(SSL_get_wbio(stream->ssl));
}

/**
 * tbtf_tls_end - no TLS any more; the socket stays
 * @stream: the stream, with TLS or without
 */
void tbtf_tls_end(struct tbtf_stream *stream)
{
	if (stream->ssl) {
		/* Best effort, and it does not wait: the other end sees that it was no accident. */
		if (SSL_is_init_finished(stream->ssl)) {
			(void)SSL_shutdown(stream->ssl);
			(void)BIO_flush(SSL_get_wbio(stream->ssl));
		}
		SSL_free(stream->ssl);
		ERR_clear_error();
	}
	stream->ssl = NULL;
	free(stream->bounce);
	stream->bounce = NULL;
}

/* -- data ---------------------------------------------------------------------------- */

/**
 * tbtf_tls_wait - wait for what an -EAGAIN was about
 * @stream: the stream
 *
 * Return: 0, or a negative errno of poll(2).
 */
int tbtf_tls_wait(const struct tbtf_stream *stream)
{
	struct pollfd fd = { .fd = stream->fd, .events = stream->wait_for };

	while (poll(&fd, 1, -1) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/**
 * tbtf_tls_try_recv - what has arrived
 * @stream: after the handshake
 * @buf: where it goes
 * @size: how much at most, not 0
 *
 * Return: how much, 0 at the end, -EAGAIN: nothing yet; or what has failed.
 */
ssize_t tbtf_tls_try_recv(struct tbtf_stream *stream, void *buf, size_t size)
{
	size_t got = 0, n;
	int err;

	/* A record at a time, and all that were received: they make one batch. */
	while (got < size && (!got || SSL_has_pending(stream->ssl))) {
		ERR_clear_error();
		errno = 0;
		if (SSL_read_ex(stream->ssl, (char *)buf + got, size - got, &n) == 1) {
			got += n;
			continue;
		}
		err = trouble(stream, 0);
		return got ? (ssize_t)got : err;
	}
	return got;
}

/**
 * tbtf_tls_try_send - send what there is room for
 * @stream: after the handshake
 * @buf: the bytes; after -EAGAIN the same ones again
 * @size: how many, not 0
 *
 * Return: how many were taken, -EAGAIN: none now; or what has failed.
 */
ssize_t tbtf_tls_try_send(struct tbtf_stream *stream, const void *buf, size_t size)
{
	size_t n;
	int err;

	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(stream->ssl, buf, size, &n) == 1)
		return n;
	err = trouble(stream, 0);
	return err ? err : -EPIPE;
}

/* As tbtf_stream_recv(). */
ssize_t tbtf_tls_recv(struct tbtf_stream *stream, void *buf, size_t size)
{
	ssize_t n;
	int err;

	for (;;) {
		n = tbtf_tls_try_recv(stream, buf, size);
		if (n != -EAGAIN)
			return n;
		err = tbtf_tls_wait(stream);
		if (err < 0)
			return err;
	}
}

/* What is left in the buffer. */
static int flush(struct tbtf_stream *stream)
{
	BIO *buffer = SSL_get_wbio(stream->ssl);
	int err = 0;

	while (!err && BIO_flush(buffer) != 1) {
		if (!BIO_should_retry(buffer))
			return -EPIPE;
		stream->wait_for = POLLOUT;
		err = tbtf_tls_wait(stream);
	}
	return err;
}

static int send_all(struct tbtf_stream *stream, const char *data, size_t len)
{
	ssize_t n;
	int err;

	while (len) {
		n = tbtf_tls_try_send(stream, data, len);
		if (n > 0) {
			data += n;
			len -= n;
			continue;
		}
		err = n == -EAGAIN ? tbtf_tls_wait(stream) : (int)n;
		if (err < 0)
			return err;
	}
	return 0;
}

/* As tbtf_stream_send(): small pieces share a record, large ones have their own. */
int tbtf_tls_send(struct tbtf_stream *stream, const struct iovec *iov, size_t n)
{
	size_t fill = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const char *data = iov[i].iov_base;
		size_t len = iov[i].iov_len, part;

		while (len && !err) {
			if (!fill && len >= RECORD) {
				err = send_all(stream, data, len);
				break;
			}
			part = RECORD - fill < len ? RECORD - fill : len;
			memcpy(stream->bounce + fill, data, part);
			fill += part;
			data += part;
			len -= part;
			if (fill == RECORD) {
				err = send_all(stream, stream->bounce, fill);
				fill = 0;
			}
		}
	}
	if (!err && fill)
		err = send_all(stream, stream->bounce, fill);
	return err ? err : flush(stream);
}
