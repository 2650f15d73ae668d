// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - load for an NBD server, and the TCP ping-pong that it is compared with
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: load PORT EXPORT randread|randwrite|seqread|seqwrite DEPTH BLOCK SECONDS
 *	  load PORT EXPORT fill 1 131072 0		(all of it, once)
 *	  load 0 - pingpong 1 BLOCK SECONDS		(both ends are ours)
 *
 * One connection to 127.0.0.1, simple replies, so many requests under way at once.
 * Whatever has been answered is asked again with one call, so that it is the server
 * that is measured. Prints requests and bytes per second. Built with -DWITH_TLS and
 * OpenSSL it begins with STARTTLS, with the certificate in the directory TLS_DIR.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/tbtfd/nbd-proto.h"

#ifdef WITH_TLS
#include <openssl/ssl.h>
static struct ssl_st *ssl;
#endif

#define DEPTH_MAX	256
#define BUFFER		(1U << 20)

static const char zeroes[BUFFER];
static char buffer[BUFFER];

/* What is to be done, and how far it is. */
static struct {
	int fd;
	bool write, random, once;
	unsigned int depth;
	uint32_t block;
	uint64_t size, at, seed, done;
	unsigned int pending;
} load;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int dial(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (void *)&sa, sizeof(sa)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static ssize_t some(int fd, void *to, size_t len)
{
#ifdef WITH_TLS
	if (ssl)
		return SSL_read(ssl, to, len);
#endif
	return recv(fd, to, len, 0);
}

static void get(int fd, void *to, size_t len)
{
	while (len) {
		ssize_t n = some(fd, to, len);

		if (n <= 0)
			die("recv");
		to = (char *)to + n;
		len -= n;
	}
}

#ifdef WITH_TLS
/* All in as few records as there can be. */
static void put_tls(struct iovec *iov, int n)
{
	static char text[DEPTH_MAX * 4200 + BUFFER];
	size_t fill = 0;

	for (int i = 0; i < n; i++) {
		if (fill + iov[i].iov_len > sizeof(text)) {
			if (SSL_write(ssl, text, fill) <= 0)
				die("SSL_write");
			fill = 0;
		}
		memcpy(text + fill, iov[i].iov_base, iov[i].iov_len);
		fill += iov[i].iov_len;
	}
	if (SSL_write(ssl, text, fill) <= 0)
		die("SSL_write");
}
#endif

static void put(int fd, struct iovec *iov, int n)
{
#ifdef WITH_TLS
	if (ssl) {
		put_tls(iov, n);
		return;
	}
#endif
	while (n) {
		ssize_t sent = writev(fd, iov, n);

		if (sent < 0)
			die("writev");
		while (n && (size_t)sent >= iov->iov_len) {
			sent -= iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= sent;
		}
	}
}

#ifdef WITH_TLS
static void start_tls(int fd)
{
	struct nbd_option_head head = { htobe64(NBD_OPTION_MAGIC), htobe32(NBD_OPT_STARTTLS), 0 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct iovec iov = { &head, sizeof(head) };
	struct nbd_option_reply_head reply;
	const char *dir = getenv("TLS_DIR");
	char cert[4096], key[4096];

	snprintf(cert, sizeof(cert), "%s/client-cert.pem", dir);
	snprintf(key, sizeof(key), "%s/client-key.pem", dir);
	put(fd, &iov, 1);
	get(fd, &reply, sizeof(reply));
	if (be32toh(reply.type) != NBD_REP_ACK)
		die("STARTTLS");
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("TLS_DIR");
	SSL_CTX_set_read_ahead(ctx, 1);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("SSL_connect");
}
#endif

static uint64_t negotiate(int fd, const char *name)
{
	uint32_t len = strlen(name), flags = htobe32(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	struct nbd_option_head head = { htobe64(NBD_OPTION_MAGIC), htobe32(NBD_OPT_GO), htobe32(len + 6) };
	struct nbd_option_reply_head reply;
	struct nbd_greeting greeting;
	uint32_t name_len = htobe32(len);
	uint16_t none = 0;
	struct iovec iov[] = {
		{ &flags, 4 }, { &head, sizeof(head) }, { &name_len, 4 }, { (void *)name, len }, { &none, 2 },
	};
	struct nbd_info_export info;
	uint64_t size = 0;

	get(fd, &greeting, sizeof(greeting));
	put(fd, iov, 1);
#ifdef WITH_TLS
	start_tls(fd);
#endif
	put(fd, iov + 1, 4);
	do {
		get(fd, &reply, sizeof(reply));
		len = be32toh(reply.length);
		if (len > BUFFER)
			die("negotiation");
		get(fd, buffer, len);
		memcpy(&info, buffer, sizeof(info));
		if (be32toh(reply.type) == NBD_REP_INFO && be16toh(info.type) == NBD_INFO_EXPORT)
			size = be64toh(info.size);
		if (be32toh(reply.type) & NBD_REP_ERR(0)) {
			errno = ENOENT;
			die("export");
		}
	} while (be32toh(reply.type) != NBD_REP_ACK);
	return size;
}

static uint64_t next_offset(void)
{
	uint64_t offset;

	if (load.random) {
		load.seed = load.seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
		return (load.seed >> 20) % (load.size / load.block) * load.block;
	}
	offset = load.at;
	load.at += load.block;
	if (load.at + load.block > load.size)
		load.at = 0;
	return offset;
}

/* Ask so many times, with one call if it can be. */
static void ask(unsigned int n)
{
	static struct nbd_request req[DEPTH_MAX];
	struct iovec iov[2 * DEPTH_MAX];
	int pieces = 0;

	for (unsigned int i = 0; i < n; i++) {
		req[i].magic = htobe32(NBD_REQUEST_MAGIC);
		req[i].type = htobe16(load.write ? NBD_CMD_WRITE : NBD_CMD_READ);
		req[i].offset = htobe64(next_offset());
		req[i].length = htobe32(load.block);
		iov[pieces++] = (struct iovec){ &req[i], sizeof(req[i]) };
		if (load.write)
			iov[pieces++] = (struct iovec){ (void *)zeroes, load.block };
	}
	put(load.fd, iov, pieces);
	load.pending += n;
}

/* What has come, as far as it is whole. Return: how many replies that was. */
static unsigned int take(void)
{
	static size_t fill, skip;	/* what of a read's data is still to come */
	struct nbd_simple_reply reply;
	size_t pos = 0, part;
	unsigned int n = 0;
	ssize_t got = some(load.fd, buffer + fill, BUFFER - fill);

	if (got <= 0)
		die("recv");
	fill += got;
	for (;;) {
		part = skip < fill - pos ? skip : fill - pos;
		skip -= part;
		pos += part;
		if (part && !skip)
			n++;
		if (skip || fill - pos < sizeof(reply))
			break;
		memcpy(&reply, buffer + pos, sizeof(reply));
		if (be32toh(reply.magic) != NBD_SIMPLE_REPLY_MAGIC || reply.error) {
			errno = EPROTO;
			die("reply");
		}
		pos += sizeof(reply);
		if (load.write)
			n++;
		else
			skip = load.block;
	}
	memmove(buffer, buffer + pos, fill - pos);
	fill -= pos;
	load.pending -= n;
	return n;
}

static void run(double seconds)
{
	uint64_t most = load.once ? load.size / load.block : UINT64_MAX, asked;
	double start = now(), end = start + seconds, t = start;
	unsigned int n;

	asked = load.depth;
	ask(load.depth);
	while (load.pending) {
		n = take();
		load.done += n;
		t = now();
		if (n && asked < most && (load.once || t < end)) {
			ask(n);
			asked += n;
		}
	}
	printf("%.0f %.0f\n", load.done / (t - start), load.done * (double)load.block / (t - start));
}

/* -- the ping-pong ----------------------------------------------------------------------- */

static uint32_t answer_len;

static void *pong(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL), one = 1;
	char request[sizeof(struct nbd_request)];
	struct iovec iov;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (recv(fd, request, sizeof(request), MSG_WAITALL) == sizeof(request)) {
		iov = (struct iovec){ (void *)zeroes, answer_len };
		put(fd, &iov, 1);
	}
	return NULL;
}

static void pingpong(uint32_t block, double seconds)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct nbd_request req = { 0 };
	uint64_t rounds = 0;
	pthread_t thread;
	double start;

	answer_len = block + sizeof(struct nbd_simple_reply);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (void *)&sa, sizeof(sa)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (void *)&sa, &len) < 0)
		die("listen");
	pthread_create(&thread, NULL, pong, &listener);
	fd = dial(ntohs(sa.sin_port));
	start = now();
	while (now() - start < seconds) {
		struct iovec iov = { &req, sizeof(req) };

		put(fd, &iov, 1);
		get(fd, buffer, answer_len);
		rounds++;
	}
	printf("%.0f %.0f\n", rounds / (now() - start), rounds * (double)block / (now() - start));
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: load PORT EXPORT WHAT DEPTH BLOCK SECONDS\n");
		return 2;
	}
	load.depth = atoi(argv[4]);
	load.block = atoi(argv[5]);
	load.write = strstr(argv[3], "write") || !strcmp(argv[3], "fill");
	load.random = strstr(argv[3], "rand");
	load.once = !strcmp(argv[3], "fill");
	load.seed = getpid();
	if (load.depth < 1 || load.depth > DEPTH_MAX || load.block < 1 || load.block > BUFFER)
		return 2;
	if (!strcmp(argv[3], "pingpong")) {
		pingpong(load.block, atof(argv[6]));
		return 0;
	}
	load.fd = dial(atoi(argv[1]));
	load.size = negotiate(load.fd, argv[2]);
	run(atof(argv[6]));
	return 0;
}
