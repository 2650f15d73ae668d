// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the NBD server: which exports there are, and who serves them
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The daemon's loop adds and removes exports and hands connections over; each is
 * served by a thread of its own. What they share is under one lock, which is taken
 * when a connection begins, gets its export, and ends, and by no request.
 *
 * An export that is removed takes its connections along: their sockets are shut
 * down, their threads end as if the client had gone. A store lives as long as one of
 * them still has a reference, and holds no memory by then.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "nbd-conn.h"
#include "tls.h"
#include "who.h"

/*
 * All of it is locked in memory. The deepest are the options, with 8 KiB, and
 * OpenSSL, with some more; sanitizers need a multiple.
 */
#define STACK		(128U << 10)
#define STACK_CHECKED	(1U << 20)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/**
 * tbtf_nbd_server_setup - a server without exports and connections
 * @server: the server
 * @conf: who may come; has to stay
 * @tls: what to encrypt with; NULL: encryption = none
 *
 * Return: 0, or a negative errno.
 */
int tbtf_nbd_server_setup(struct tbtf_nbd_server *server, const struct tbtf_conf *conf,
			  struct tbtf_tls *tls)
{
	int err;

	memset(server, 0, sizeof(*server));
	server->conf = conf;
	server->tls = tls;
	err = pthread_mutex_init(&server->lock, NULL);
	if (err)
		return -err;
	err = pthread_cond_init(&server->idle, NULL);
	if (err)
		pthread_mutex_destroy(&server->lock);
	return -err;
}

/* -- exports --------------------------------------------------------------------- */

/* As long whatever the names have in common: how far it goes must not be measured. */
static bool same_name(const char *a, const char *b)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < NBD_NAME_LEN; i++)
		differs |= a[i] ^ b[i];
	return !differs;
}

/**
 * tbtf_nbd_server_add - serve a store
 * @server: the server
 * @name: its name: NBD_NAME_LEN characters, a secret
 * @owner: the only one who may have it
 * @store: the store; one more reference is taken
 *
 * Return: 0 or -ENOMEM.
 */
int tbtf_nbd_server_add(struct tbtf_nbd_server *server, const char *name,
			const struct tbtf_peer *owner, struct tbtf_store *store)
{
	struct tbtf_nbd_export *export;

	export = calloc(1, sizeof(*export));
	if (!export)
		return -ENOMEM;
	memcpy(export->name, name, NBD_NAME_LEN);
	export->owner = owner;
	export->store = tbtf_store_get(store);
	pthread_mutex_lock(&server->lock);
	export->next = server->exports;
	server->exports = export;
	pthread_mutex_unlock(&server->lock);
	return 0;
}

/**
 * tbtf_nbd_server_remove - serve a store no more
 * @server: the server
 * @name: its name; one that is not there is none
 *
 * Its connections end soon, on their own.
 */
void tbtf_nbd_server_remove(struct tbtf_nbd_server *server, const char *name)
{
	struct tbtf_nbd_export **p, *export;

	pthread_mutex_lock(&server->lock);
	for (p = &server->exports; *p && !same_name((*p)->name, name); p = &(*p)->next)
		;
	export = *p;
	if (export) {
		*p = export->next;
		for (struct tbtf_nbd_conn *conn = server->list; conn; conn = conn->next) {
			if (conn->export != export)
				continue;
			conn->export = NULL;
			(void)shutdown(conn->stream.fd, SHUT_RDWR);
		}
	}
	pthread_mutex_unlock(&server->lock);
	if (export)
		tbtf_store_put(export->store);
	free(export);
}

/**
 * tbtf_nbd_server_conns - how many connections an export has
 * @server: the server
 * @name: its name
 *
 * Return: the number; 0 also without such an export.
 */
unsigned int tbtf_nbd_server_conns(struct tbtf_nbd_server *server, const char *name)
{
	unsigned int n = 0;

	pthread_mutex_lock(&server->lock);
	for (struct tbtf_nbd_export *export = server->exports; export; export = export->next) {
		if (same_name(export->name, name))
			n = export->conns;
	}
	pthread_mutex_unlock(&server->lock);
	return n;
}

/**
 * tbtf_nbd_server_use - what goes on at an export
 * @server: the server
 * @name: its name
 * @ret: all 0 without such an export
 */
void tbtf_nbd_server_use(struct tbtf_nbd_server *server, const char *name,
			 struct tbtf_nbd_use *ret)
{
	struct tcp_info info;
	socklen_t len;

	*ret = (struct tbtf_nbd_use){ .conns = 0 };
	pthread_mutex_lock(&server->lock);
	for (struct tbtf_nbd_conn *conn = server->list; conn; conn = conn->next) {
		if (!conn->export || !same_name(conn->export->name, name))
			continue;
		ret->conns++;
		/* Another thread's, which counts on: a number of a moment ago will do. */
		ret->requests += __atomic_load_n(&conn->requests, __ATOMIC_RELAXED);
		len = sizeof(info);
		if (!getsockopt(conn->stream.fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
		    info.tcpi_rtt > ret->rtt_us)
			ret->rtt_us = info.tcpi_rtt;
	}
	pthread_mutex_unlock(&server->lock);
}

static bool may_have(const struct tbtf_nbd_conn *conn, const struct tbtf_peer *owner)
{
	return conn->peer ? conn->peer == owner : tbtf_who_at(owner, &conn->address);
}

/**
 * tbtf_nbd_find - look for the export that a client asked for
 * @conn: the client's connection
 * @name: what it asked for, of any length, without a 0
 * @len: of it
 * @bind: serve this from now on
 * @ret_why: if it gets none: what the client may know about it
 *
 * Context: the connection's thread, before it serves.
 * Return: the size of the export, or 0.
 */
uint64_t tbtf_nbd_find(struct tbtf_nbd_conn *conn, const char *name, size_t len, bool bind,
		       const char **ret_why)
{
	struct tbtf_nbd_server *server = conn->server;
	struct tbtf_nbd_export *found = NULL;
	const char *trouble = "there is no such export";
	uint64_t size = 0;

	*ret_why = "no such export";
	pthread_mutex_lock(&server->lock);
	for (struct tbtf_nbd_export *export = server->exports; export; export = export->next) {
		if (len == NBD_NAME_LEN && same_name(export->name, name))
			found = export;
	}
	if (found && !may_have(conn, found->owner)) {
		trouble = "the export is another's";
	} else if (found && bind && found->conns >= NBD_LEASE_CONNS) {
		*ret_why = "too many connections";
		trouble = "the export has too many connections";
	} else if (found) {
		size = found->store->size;
		if (bind) {
			conn->export = found;
			conn->store = tbtf_store_get(found->store);
			found->conns++;
		}
	}
	pthread_mutex_unlock(&server->lock);
	if (!size)
		tbtf_stranger("%s: refused: %s", conn->from, trouble);
	return size;
}

/* -- connections ----------------------------------------------------------------- */

static void unlink_conn(struct tbtf_nbd_conn *conn)
{
	struct tbtf_nbd_server *server = conn->server;
	struct tbtf_nbd_conn **p;

	tbtf_tls_end(&conn->stream);
	pthread_mutex_lock(&server->lock);
	for (p = &server->list; *p != conn; p = &(*p)->next)
		;
	*p = conn->next;
	if (conn->export)
		conn->export->conns--;
	/* Under the lock: until here others may shut it down by its number. */
	tbtf_stream_close(&conn->stream);
	if (!--server->conns)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

static void free_conn(struct tbtf_nbd_conn *conn)
{
	if (conn->in)
		(void)munmap(conn->in, NBD_IN);
	tbtf_store_put(conn->store);
	free(conn);
}

static void *conn_thread(void *arg)
{
	struct tbtf_nbd_conn *conn = arg;
	struct tbtf_store *store;

	if (!tbtf_nbd_negotiate(conn)) {
		conn->in = mmap(NULL, NBD_IN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (conn->in == MAP_FAILED)
			conn->in = NULL;
		else
			tbtf_nbd_serve(conn);
		tbtf_debug("%s: a connection has ended after %llu requests", conn->from,
			   (unsigned long long)conn->requests);
	}
	/* Before the count falls: who waits for it relies on the memory being free. */
	store = conn->store;
	conn->store = NULL;
	tbtf_store_put(store);
	unlink_conn(conn);
	free_conn(conn);
	return NULL;
}

static int start_thread(struct tbtf_nbd_conn *conn)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
#ifdef __SANITIZE_ADDRESS__
	(void)pthread_attr_setstacksize(&attr, STACK_CHECKED);
#else
	(void)pthread_attr_setstacksize(&attr, STACK);
#endif
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, conn_thread, conn);
	pthread_attr_destroy(&attr);
	return -err;
}

/**
 * tbtf_nbd_server_take - serve a connection
 * @server: the server
 * @fd: the socket, blocking; its from now on, whatever is returned
 *
 * Return: 0, or -EACCES: it comes from no peer; -EUSERS: there are too many; -ENOMEM,
 * -EAGAIN: there is no memory for it, no thread.
 */
int tbtf_nbd_server_take(struct tbtf_nbd_server *server, int fd)
{
	struct tbtf_nbd_conn *conn;
	socklen_t len = sizeof(conn->address);
	int err = -ENOMEM;

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		goto close_fd;
	conn->server = server;
	conn->stream.fd = fd;
	conn->since_ns = now_ns();
	err = getpeername(fd, (void *)&conn->address, &len) < 0 ? -errno : 0;
	if (err < 0)
		goto free_it;
	tbtf_who_text(&conn->address, conn->from, sizeof(conn->from));
	err = -EACCES;
	if (!server->tls && !tbtf_who_known(server->conf, &conn->address)) {
		tbtf_stranger("%s: refused: its address is none of [peers]", conn->from);
		goto free_it;
	}
	tbtf_stream_keep(fd);

	pthread_mutex_lock(&server->lock);
	err = server->stopping || server->conns >= NBD_CONNS ? -EUSERS : start_thread(conn);
	if (!err) {
		/* It may run already, but ends only after it got the lock. */
		conn->next = server->list;
		server->list = conn;
		server->conns++;
	}
	pthread_mutex_unlock(&server->lock);
	if (!err)
		return 0;
	tbtf_stranger("%s: refused: %s", conn->from,
		      err == -EUSERS ? "too many connections" : strerror(-err));
free_it:
	free_conn(conn);
close_fd:
	(void)close(fd);
	return err;
}

/**
 * tbtf_nbd_server_tick - end connections that do not come to the point
 * @server: the server
 *
 * Context: the daemon's loop, every second or so.
 */
void tbtf_nbd_server_tick(struct tbtf_nbd_server *server)
{
	uint64_t now = now_ns();

	pthread_mutex_lock(&server->lock);
	for (struct tbtf_nbd_conn *conn = server->list; conn; conn = conn->next) {
		if (!conn->export && now - conn->since_ns > NBD_HELLO_NS)
			(void)shutdown(conn->stream.fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
}

/**
 * tbtf_nbd_server_stop - end all connections and wait until they have ended
 * @server: the server; its exports stay
 */
void tbtf_nbd_server_stop(struct tbtf_nbd_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	for (struct tbtf_nbd_conn *conn = server->list; conn; conn = conn->next)
		(void)shutdown(conn->stream.fd, SHUT_RDWR);
	/* A thread whose socket is shut down waits for nothing any more. */
	while (server->conns)
		pthread_cond_wait(&server->idle, &server->lock);
	pthread_mutex_unlock(&server->lock);
}
