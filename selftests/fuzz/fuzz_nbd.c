// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - whatever bytes, as an NBD client's: greeting, options, requests
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The server's own code, on one end of a pair of sockets; the other end gets the
 * bytes and reads what comes. The export is called aaaa..., so that it can be found.
 * Where the first byte is odd the options are left out, and requests begin at once,
 * for an export of one MiB, with structured replies if the next bit is set.
 *
 * What must not happen besides a crash: a reply that is not one, and a byte outside
 * of the export that changes.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/tbtfd/conf.h"
#include "../../userspace/tbtfd/nbd-conn.h"

#define SIZE	(1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tbtf_conf conf;
static struct tbtf_nbd_server server;
static struct tbtf_store *store;
static char *in;

static void set_up(void)
{
	struct sockaddr_in *sa = (void *)&conf.peer[0].address.sa;

	(void)signal(SIGPIPE, SIG_IGN);
	strcpy(conf.node, "two");
	strcpy(conf.peer[0].name, "one");
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	conf.peers = 1;
	in = malloc(NBD_IN);
	if (!in || tbtf_nbd_server_setup(&server, &conf, NULL) < 0 || tbtf_store_new(&store, SIZE) < 0 ||
	    tbtf_nbd_server_add(&server, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &conf.peer[0], store) < 0)
		abort();
}

/* The client: all that there is to say, and reading meanwhile, or both would wait. */
struct client {
	int fd;
	const uint8_t *data;
	size_t size;
};

static void *client_thread(void *arg)
{
	struct client *client = arg;
	static char sink[1 << 16];
	bool writing = true;
	ssize_t n;

	for (;;) {
		struct pollfd fd = { client->fd, POLLIN | (writing ? POLLOUT : 0), 0 };

		if (poll(&fd, 1, -1) < 0)
			abort();
		if (fd.revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(client->fd, sink, sizeof(sink), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && fd.revents & (POLLHUP | POLLERR)))
				return NULL;
		}
		if (!writing || !(fd.revents & POLLOUT))
			continue;
		n = client->size ? send(client->fd, client->data, client->size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		if (n > 0) {
			client->data += n;
			client->size -= n;
		}
		if (!client->size) {
			writing = false;
			(void)shutdown(client->fd, SHUT_WR);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tbtf_nbd_conn conn;
	struct client client;
	pthread_t thread;
	int pair[2], err = 0;

	if (!store)
		set_up();
	if (!size)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	memset(&conn, 0, sizeof(conn));
	conn.server = &server;
	conn.stream.fd = pair[0];
	conn.address = conf.peer[0].address.sa;
	conn.in = in;
	strcpy(conn.from, "fuzz");
	client = (struct client){ pair[1], data + 1, size - 1 };
	if (pthread_create(&thread, NULL, client_thread, &client))
		abort();
	if (data[0] & 1) {
		conn.store = tbtf_store_get(store);
		conn.structured = data[0] & 2;
		conn.meta = data[0] & 2;
	} else {
		err = tbtf_nbd_negotiate(&conn);
	}
	if (!err)
		tbtf_nbd_serve(&conn);
	if (conn.iovs > NBD_IOV || conn.heads > NBD_HEADS || conn.fill > NBD_IN || conn.pos > conn.fill ||
	    (!err && conn.store != store))
		abort();
	if (conn.export)
		conn.export->conns--;
	tbtf_store_put(conn.store);
	(void)close(pair[0]);
	pthread_join(thread, NULL);
	(void)close(pair[1]);
	if (atomic_load(&store->refs) != 2)
		abort();
	return 0;
}
