// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lender's end of the peer protocol
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * All connections are served by the daemon's loop, without waiting for any of them:
 * what cannot be sent yet is kept, to a limit, and a request is not taken before the
 * one before it was answered. The only one that takes time is a lease: its memory is
 * paid for piece by piece, and between two pieces everybody else has a turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lend.h"
#include "log.h"
#include "who.h"

#define CLIENTS		64	/* in all */
#define CLIENTS_OF_ONE	4	/* of one peer: one is enough, until a dead one is noticed */
#define HELLO_S		10	/* as long as a stranger may keep a place */
/* Answers and notices that a client does not fetch, until it is sent away. */
#define OUT		(4 * TBTF_PEER_LINE)
/* Receptions of one client before others have their turn; one is the rule. */
#define TURNS		4
/* Between two looks at what else there is to do: some milliseconds. */
#define PREPAY		(16U << 20)

enum state {
	SHAKING,	/* TLS is being agreed upon */
	STRANGER,	/* it has not said hello */
	KNOWN,
	LEAVING,	/* when all is sent, it is closed */
};

/**
 * struct tbtf_lend_client - one control connection
 * @next: of the lender's list
 * @lender: whose
 * @stream: the socket, which does not block
 * @source: its place in the loop
 * @paying: also there while @lease is being paid for
 * @state: how far it is
 * @peer: who it is; before KNOWN: who the certificate says, or NULL
 * @address: where it came from
 * @from: the same, for messages
 * @since: when it came
 * @id: of the request for @lease
 * @lease: number of the lease that is being paid for; 0: none
 * @paid: how much of it, in bytes
 * @more: there is more to be received, whatever the socket says
 * @in: what was received
 * @fill: how much of @out is to be sent
 * @out: what is to be sent
 */
struct tbtf_lend_client {
	struct tbtf_lend_client *next;
	struct tbtf_lender *lender;
	struct tbtf_stream stream;
	sd_event_source *source, *paying;
	enum state state;
	const struct tbtf_peer *peer;
	struct sockaddr_storage address;
	char from[80];
	uint64_t since;
	uint64_t id, lease, paid;
	bool more;
	struct tbtf_peer_in in;
	size_t fill;
	char out[OUT];
};

static size_t index_of(const struct tbtf_lend_client *client)
{
	return client->peer - client->lender->conf->peer;
}

static const char *who(const struct tbtf_lend_client *client)
{
	return client->state == KNOWN ? client->peer->name : client->from;
}

/* -- an end ------------------------------------------------------------------------ */

/* A lease that nobody has heard of yet ends with who asked for it. */
static void drop(struct tbtf_lend_client *client, const char *why)
{
	struct tbtf_lender *lender = client->lender;
	struct tbtf_lend_client **p = &lender->clients;
	struct tbtf_lease *lease = NULL;

	while (*p != client)
		p = &(*p)->next;
	*p = client->next;
	lender->client_count--;
	tbtf_lend_behind_forget(lender, client);
	if (client->lease)
		lease = tbtf_ledger_find(&lender->ledger, index_of(client), client->lease);
	if (lease)
		tbtf_lend_end(lender, lease, "who asked for it is gone");
	if (client->state == KNOWN)
		tbtf_info("%s: %s", who(client), why);
	sd_event_source_disable_unref(client->paying);
	sd_event_source_disable_unref(client->source);
	tbtf_stream_close(&client->stream);
	free(client);
}

/* -- what is sent -------------------------------------------------------------------- */

static ssize_t send_some(struct tbtf_lend_client *client)
{
	ssize_t n;

	if (client->stream.ssl)
		return tbtf_tls_try_send(&client->stream, client->out, client->fill);
	n = send(client->stream.fd, client->out, client->fill, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

/* Return: false: the client is to be dropped. */
static bool flush(struct tbtf_lend_client *client)
{
	ssize_t n;

	while (client->fill) {
		n = send_some(client);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0)
			return false;
		memmove(client->out, client->out + n, client->fill - n);
		client->fill -= n;
	}
	return client->fill || client->state != LEAVING;
}

/* What wakes us: never both nothing to send and "may be sent". */
static void watch(struct tbtf_lend_client *client)
{
	uint32_t events = 0;

	if (client->state == SHAKING)
		events = client->stream.wait_for & POLLOUT ? EPOLLOUT : EPOLLIN;
	else if (client->state != LEAVING && !client->lease)
		events = EPOLLIN;
	/* "May be sent" is true at once: it is our turn again after all others. */
	if (client->fill || (client->more && !client->lease))
		events |= EPOLLOUT;
	(void)sd_event_source_set_io_events(client->source, events);
}

static void say(struct tbtf_lend_client *client, const struct tbtf_peer_reply *reply)
{
	int len = tbtf_peer_format_reply(reply, client->out + client->fill, OUT - client->fill);

	if (len < 0) {
		/* It asks, and does not listen. */
		client->fill = 0;
		client->state = LEAVING;
		return;
	}
	client->fill += len;
}

static void refuse(struct tbtf_lend_client *client, struct tbtf_peer_reply *reply,
		   enum tbtf_peer_error error, const char *why)
{
	reply->error = error;
	snprintf(reply->message, sizeof(reply->message), "%s", why);
	if (client->state == KNOWN)
		tbtf_notice("%s: refused (%s): %s", who(client), tbtf_peer_error_name(error), why);
	else
		tbtf_stranger("%s: refused (%s): %s", client->from, tbtf_peer_error_name(error), why);
}

/* -- requests ------------------------------------------------------------------------ */

static void fill_offer(struct tbtf_lend_client *client, struct tbtf_peer_reply *reply)
{
	struct tbtf_lender *lender = client->lender;

	(void)tbtf_lend_look(lender);
	reply->offer_kb = tbtf_ledger_offer_to(&lender->ledger, &lender->memory, index_of(client),
					       &reply->may_swap, &reply->far);
}

static unsigned int count(const struct tbtf_lender *lender, const struct tbtf_peer *peer)
{
	unsigned int n = 0;

	for (struct tbtf_lend_client *client = lender->clients; client; client = client->next)
		n += client->state == KNOWN && client->peer == peer;
	return n;
}

static void tell_revoked(struct tbtf_lend_client *client, const struct tbtf_lease *lease)
{
	struct tbtf_peer_reply reply = { .kind = TBTF_PEER_NOTICE_REVOKE };
	uint64_t now = tbtf_lend_now();

	reply.lease.lease = lease->number;
	reply.deadline_s = lease->deadline > now ? lease->deadline - now : 0;
	say(client, &reply);
}

static void hello(struct tbtf_lend_client *client, const struct tbtf_peer_request *request,
		  struct tbtf_peer_reply *reply)
{
	struct tbtf_lender *lender = client->lender;
	const struct tbtf_peer *peer = tbtf_conf_peer(lender->conf, request->node);
	char why[TBTF_PEER_MESSAGE];

	if (request->version != TBTF_PEER_VERSION) {
		snprintf(why, sizeof(why), "version %d is spoken here", TBTF_PEER_VERSION);
		refuse(client, reply, TBTF_PEER_BAD_VERSION, why);
	} else if (!peer || (client->stream.ssl ? client->peer != peer :
			     !tbtf_who_at(peer, &client->address))) {
		/* Whether there is such a peer is not for strangers to know. */
		snprintf(why, sizeof(why), "this is not %s, or %s is not in [peers] of %s", request->node,
			 request->node, lender->conf->node);
		refuse(client, reply, TBTF_PEER_NOT_ALLOWED, why);
	} else if (count(lender, peer) >= CLIENTS_OF_ONE) {
		refuse(client, reply, TBTF_PEER_NOT_ALLOWED, "too many connections");
	}
	if (reply->error) {
		client->state = LEAVING;
		return;
	}
	client->peer = peer;
	client->state = KNOWN;
	tbtf_info("%s: is here, from %s", who(client), client->from);
	reply->version = TBTF_PEER_VERSION;
	snprintf(reply->node, sizeof(reply->node), "%s", lender->conf->node);
	reply->nbd_port = lender->conf->lend.nbd_port;
	fill_offer(client, reply);
}

static void new_secret(char *ret)
{
	unsigned char bytes[TBTF_PEER_EXPORT / 2];

	/* Of this length it never returns less, and at boot it waits. */
	while (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
}

static int on_paying(sd_event_source *source, void *data);

/* From now on it is paid for, piece by piece, after all that others want. */
static int begin_paying(struct tbtf_lend_client *client)
{
	int err = sd_event_add_defer(client->lender->event, &client->paying, on_paying, client);

	if (err >= 0)
		err = sd_event_source_set_enabled(client->paying, SD_EVENT_ON);
	if (err >= 0)
		err = sd_event_source_set_priority(client->paying, SD_EVENT_PRIORITY_IDLE);
	if (err < 0)
		client->paying = sd_event_source_disable_unref(client->paying);
	return err;
}

/* Begin a lease that is right. The answer comes when it is paid for, or backed. */
static bool begin_lease(struct tbtf_lend_client *client, const struct tbtf_peer_request *request,
			bool behind, char *why)
{
	struct tbtf_lender *lender = client->lender;
	struct tbtf_store *store;
	struct tbtf_lease *lease;
	int err;

	err = tbtf_store_new(&store, request->kb << 10);
	if (err < 0) {
		snprintf(why, TBTF_PEER_MESSAGE, "no memory can be had: %s", strerror(-err));
		return false;
	}
	err = behind ? tbtf_lend_behind_lease(lender, client, request) : begin_paying(client);
	if (err < 0) {
		if (err == -EBUSY)
			snprintf(why, TBTF_PEER_MESSAGE, "%s borrows for another lease at the moment",
				 lender->conf->node);
		else
			snprintf(why, TBTF_PEER_MESSAGE, "%s: %s", behind ? "the borrower of this node" :
				 "the loop has no place", strerror(-err));
		tbtf_store_put(store);
		return false;
	}
	lease = tbtf_ledger_add(&lender->ledger, index_of(client), request, tbtf_lend_now());
	lease->behind = lease->coming = behind;
	lease->store = store;
	lease->since = time(NULL);
	new_secret(lease->export);
	client->id = request->id;
	client->lease = lease->number;
	client->paid = 0;
	return true;
}

/* Return: whether the answer can be sent now. */
static bool ask_lease(struct tbtf_lend_client *client, const struct tbtf_peer_request *request,
		      struct tbtf_peer_reply *reply)
{
	struct tbtf_lender *lender = client->lender;
	enum tbtf_peer_error error = TBTF_PEER_NO_MEMORY;
	char why[TBTF_PEER_MESSAGE];
	bool behind;

	if (!tbtf_lend_look(lender))
		snprintf(why, sizeof(why), "how much memory there is cannot be said");
	else
		error = tbtf_ledger_judge(&lender->ledger, &lender->memory, index_of(client), request,
					  &behind, why);
	if (!error && begin_lease(client, request, behind, why))
		return false;
	refuse(client, reply, error ? error : TBTF_PEER_NO_MEMORY, why);
	return true;
}

static void finish_lease(struct tbtf_lend_client *client, struct tbtf_lease *lease,
			 enum tbtf_peer_error error, const char *why)
{
	struct tbtf_peer_reply reply = { .id = client->id, .type = TBTF_PEER_LEASE };
	struct tbtf_lender *lender = client->lender;

	client->paying = sd_event_source_disable_unref(client->paying);
	client->lease = 0;
	lease->coming = false;
	if (!why && tbtf_nbd_server_add(&lender->nbd, lease->export, client->peer, lease->store) < 0)
		why = "no memory for the export";
	if (why) {
		refuse(client, &reply, error, why);
		tbtf_lend_end(lender, lease, why);
	} else {
		/* From the moment on in which its borrower may use it. */
		tbtf_keep_add(lender, lease);
		reply.lease.lease = lease->number;
		memcpy(reply.lease.export, lease->export, sizeof(reply.lease.export));
		reply.lease.kb = lease->kb;
		reply.lease.expires_s = tbtf_ledger_renew(&lender->ledger, lease, tbtf_lend_now());
		tbtf_notice("%s: has lease %" PRIu64 ", %" PRIu64 " KiB%s", who(client), lease->number,
			    lease->kb, lease->behind ? ", borrowed for it" : "");
	}
	say(client, &reply);
	/* Called back before it was even there: now there is somebody to be told. */
	if (!why && lease->deadline)
		tell_revoked(client, lease);
}

static void renew(struct tbtf_lend_client *client, const struct tbtf_peer_request *request,
		  struct tbtf_peer_reply *reply)
{
	struct tbtf_ledger *ledger = &client->lender->ledger;
	struct tbtf_lease *lease = tbtf_ledger_find(ledger, index_of(client), request->lease);

	if (!lease) {
		refuse(client, reply, TBTF_PEER_UNKNOWN_LEASE, "there is no such lease, or it has expired");
		return;
	}
	reply->lease.expires_s = tbtf_ledger_renew(ledger, lease, tbtf_lend_now());
}

static void release(struct tbtf_lend_client *client, const struct tbtf_peer_request *request,
		    struct tbtf_peer_reply *reply)
{
	struct tbtf_lender *lender = client->lender;
	struct tbtf_lease *lease = tbtf_ledger_find(&lender->ledger, index_of(client), request->lease);

	if (lease)
		tbtf_lend_end(lender, lease, "released");
	else
		refuse(client, reply, TBTF_PEER_UNKNOWN_LEASE, "there is no such lease, or it has expired");
}

static void list(struct tbtf_lend_client *client, struct tbtf_peer_reply *reply)
{
	struct tbtf_ledger *ledger = &client->lender->ledger;
	uint64_t now = tbtf_lend_now();

	for (unsigned int i = 0; i < ledger->leases; i++) {
		const struct tbtf_lease *lease = &ledger->lease[i];
		struct tbtf_peer_lease *to = &reply->list[reply->leases];

		if (lease->borrower != index_of(client))
			continue;
		to->lease = lease->number;
		memcpy(to->export, lease->export, sizeof(to->export));
		to->kb = lease->kb;
		to->expires_s = lease->expires > now ? lease->expires - now : 0;
		reply->leases++;
	}
}

static void do_request(struct tbtf_lend_client *client, const struct tbtf_peer_request *request)
{
	static struct tbtf_peer_reply reply;	/* its list has some KiB */
	bool greeted = false, is_hello = request->type == TBTF_PEER_HELLO;
	bool is_stranger = client->state == STRANGER;

	memset(&reply, 0, sizeof(reply));
	reply.id = request->id;
	reply.type = request->type;
	if (is_hello != is_stranger) {
		refuse(client, &reply, TBTF_PEER_BAD_REQUEST, "hello comes first, and once");
		client->state = LEAVING;
		say(client, &reply);
		return;
	}
	switch (request->type) {
	case TBTF_PEER_HELLO:
		hello(client, request, &reply);
		greeted = client->state == KNOWN;
		break;
	case TBTF_PEER_OFFER:
		fill_offer(client, &reply);
		break;
	case TBTF_PEER_LEASE:
		if (!ask_lease(client, request, &reply))
			return;
		break;
	case TBTF_PEER_RENEW:
		renew(client, request, &reply);
		break;
	case TBTF_PEER_RELEASE:
		release(client, request, &reply);
		break;
	default:
		list(client, &reply);
	}
	say(client, &reply);
	/* What was called back while it was away. */
	for (unsigned int i = 0; greeted && i < client->lender->ledger.leases; i++) {
		const struct tbtf_lease *lease = &client->lender->ledger.lease[i];

		if (lease->deadline && lease->borrower == index_of(client))
			tell_revoked(client, lease);
	}
}

static void bad_line(struct tbtf_lend_client *client, uint64_t id, const char *why)
{
	struct tbtf_peer_reply reply = { .id = id };

	refuse(client, &reply, TBTF_PEER_BAD_REQUEST, why);
	say(client, &reply);
	if (!id || client->state == STRANGER)
		client->state = LEAVING;
}

/* All the lines that have arrived, unless one of them takes time. */
static void do_lines(struct tbtf_lend_client *client)
{
	struct tbtf_peer_request request;
	char why[TBTF_PEER_MESSAGE];
	const char *line;
	size_t len;
	int ret;

	while (client->state != LEAVING && !client->lease) {
		ret = tbtf_peer_line(&client->in, &line, &len);
		if (ret < 0)
			bad_line(client, 0, "the line is too long");
		if (ret <= 0)
			return;
		if (tbtf_peer_parse_request(line, len, &request, why) < 0)
			bad_line(client, request.id, why);
		else
			do_request(client, &request);
	}
}

/* -- the loop ------------------------------------------------------------------------ */

/* The answer to who waits for a lease; and what it has said meanwhile is done. */
static void answer_lease(struct tbtf_lend_client *client, struct tbtf_lease *lease,
			 enum tbtf_peer_error error, const char *why)
{
	finish_lease(client, lease, error, why);
	do_lines(client);
	client->more = client->stream.ssl;
	if (flush(client))
		watch(client);
	else
		drop(client, "is gone");
}

static int on_paying(sd_event_source *source, void *data)
{
	struct tbtf_lend_client *client = data;
	struct tbtf_lender *lender = client->lender;
	struct tbtf_lease *lease = tbtf_ledger_find(&lender->ledger, index_of(client), client->lease);
	uint64_t size = lease->kb << 10, to = client->paid + PREPAY;
	const char *why = NULL;

	(void)source;
	if (to > size)
		to = size;
	/* It was there when it was promised; others may have been faster. */
	if (!tbtf_lend_look(lender) || lender->memory.available_kb < (to - client->paid) >> 10 ||
	    tbtf_store_prepay(lease->store, client->paid, to) < 0)
		why = "the memory was gone before it could be lent";
	client->paid = to;
	if (why || to == size)
		answer_lease(client, lease, TBTF_PEER_NO_MEMORY, why);
	return 0;
}

/**
 * tbtf_lend_backed() - what is behind a lease is there, or will not be
 * @client: whose lease is waiting for it
 * @error: TBTF_PEER_OK: it is there
 * @why: if not, why
 */
void tbtf_lend_backed(struct tbtf_lend_client *client, enum tbtf_peer_error error, const char *why)
{
	struct tbtf_ledger *ledger = &client->lender->ledger;

	answer_lease(client, tbtf_ledger_find(ledger, index_of(client), client->lease), error,
		     error ? why : NULL);
}

/* Return: false: the client is to be dropped. */
static bool shake(struct tbtf_lend_client *client)
{
	struct tbtf_tls_error error;
	int err = tbtf_tls_handshake(&client->stream, &error);

	if (err == -EAGAIN)
		return true;
	if (!err)
		client->peer = tbtf_tls_peer(&client->stream, client->lender->conf, &error);
	if (err < 0 || !client->peer) {
		tbtf_stranger("%s: refused: %s", client->from, error.text);
		return false;
	}
	client->state = STRANGER;
	return true;
}

/* Return: 1, 0: nothing there yet, or -1: the client is to be dropped. */
static int receive(struct tbtf_lend_client *client)
{
	size_t room;
	char *to = tbtf_peer_room(&client->in, &room);
	ssize_t n;

	if (client->stream.ssl) {
		n = tbtf_tls_try_recv(&client->stream, to, room);
	} else {
		n = recv(client->stream.fd, to, room, MSG_DONTWAIT);
		n = n < 0 ? -errno : n;
	}
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return -1;
	client->in.fill += n;
	return 1;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct tbtf_lend_client *client = data;
	bool alive = true;
	int ret = 1, turns = 0;

	(void)source;
	(void)fd;
	if (client->state == SHAKING)
		alive = shake(client);
	/* With TLS there may be more than the socket knows of. */
	while (alive && ret > 0 && turns++ < TURNS && client->state != SHAKING &&
	       client->state != LEAVING && !client->lease) {
		ret = receive(client);
		if (ret > 0)
			do_lines(client);
		alive = ret >= 0;
	}
	client->more = ret > 0 && turns > TURNS;
	/* While a lease is paid for nothing is received, but an end is noticed. */
	if (revents & (EPOLLHUP | EPOLLERR))
		alive = false;
	/* Who has said its last word still gets the answers. */
	if (flush(client) && alive)
		watch(client);
	else
		drop(client, "is gone");
	return 0;
}

/**
 * tbtf_lend_take() - somebody has connected to the control port
 * @lender: the lender
 * @fd: the socket, which does not block; its from now on
 */
void tbtf_lend_take(struct tbtf_lender *lender, int fd)
{
	struct tbtf_lend_client *client = calloc(1, sizeof(*client));
	socklen_t len = sizeof(client->address);
	struct tbtf_tls_error error;
	const char *why = "no memory";

	if (!client) {
		(void)close(fd);
		return;
	}
	client->lender = lender;
	client->stream.fd = fd;
	client->since = tbtf_lend_now();
	client->state = lender->tls ? SHAKING : STRANGER;
	if (getpeername(fd, (void *)&client->address, &len) < 0)
		goto refused;
	tbtf_who_text(&client->address, client->from, sizeof(client->from));
	why = "its address is none of [peers]";
	if (!lender->tls && !tbtf_who_known(lender->conf, &client->address))
		goto refused;
	why = "too many connections";
	if (lender->client_count >= CLIENTS)
		goto refused;
	why = "the loop has no place";
	tbtf_stream_keep(fd);
	if (lender->tls && tbtf_tls_begin(&client->stream, lender->tls, &error) < 0)
		goto refused;
	if (sd_event_add_io(lender->event, &client->source, fd, EPOLLIN, on_client, client) < 0)
		goto refused;
	client->next = lender->clients;
	lender->clients = client;
	lender->client_count++;
	return;

refused:
	tbtf_stranger("%s: refused: %s", client->from, why);
	tbtf_stream_close(&client->stream);
	free(client);
}

/**
 * tbtf_lend_here() - is a borrower connected?
 * @lender: the lender
 * @peer: the borrower: index in [peers]
 *
 * Return: since when, CLOCK_REALTIME; 0: it is not.
 */
uint64_t tbtf_lend_here(const struct tbtf_lender *lender, size_t peer)
{
	uint64_t first = UINT64_MAX;

	for (struct tbtf_lend_client *client = lender->clients; client; client = client->next)
		if (client->state == KNOWN && index_of(client) == peer && client->since < first)
			first = client->since;
	return first == UINT64_MAX ? 0 : time(NULL) - (tbtf_lend_now() - first);
}

/**
 * tbtf_lend_tick() - send those away who do not come to the point
 * @lender: the lender
 *
 * Context: every second.
 */
void tbtf_lend_tick(struct tbtf_lender *lender)
{
	uint64_t now = tbtf_lend_now();
	struct tbtf_lend_client *client, *next;

	for (client = lender->clients; client; client = next) {
		next = client->next;
		if (client->state != KNOWN && now - client->since > HELLO_S)
			drop(client, "said nothing");
	}
}

/* Send what was said to a client of its own accord. */
static void after_notice(struct tbtf_lend_client *client)
{
	/* One that has failed is found by the loop. */
	if (!flush(client))
		(void)shutdown(client->stream.fd, SHUT_RDWR);
	watch(client);
}

/**
 * tbtf_lend_tell_revoked() - tell a borrower that a lease is called back
 * @lender: the lender
 * @lease: the lease; a borrower that is away is told when it comes
 */
void tbtf_lend_tell_revoked(struct tbtf_lender *lender, const struct tbtf_lease *lease)
{
	for (struct tbtf_lend_client *client = lender->clients; client; client = client->next) {
		if (client->state != KNOWN || index_of(client) != lease->borrower ||
		    client->lease == lease->number)
			continue;
		tell_revoked(client, lease);
		after_notice(client);
	}
}

/**
 * tbtf_lend_tell_offer() - tell all borrowers what there is to lend now
 * @lender: the lender
 */
void tbtf_lend_tell_offer(struct tbtf_lender *lender)
{
	struct tbtf_peer_reply reply = { .kind = TBTF_PEER_NOTICE_OFFER };

	for (struct tbtf_lend_client *client = lender->clients; client; client = client->next) {
		if (client->state != KNOWN)
			continue;
		reply.offer_kb = tbtf_ledger_offer_to(&lender->ledger, &lender->memory,
						      index_of(client), &reply.may_swap, &reply.far);
		say(client, &reply);
		after_notice(client);
	}
}

/**
 * tbtf_lend_close() - end all control connections
 * @lender: the lender
 */
void tbtf_lend_close(struct tbtf_lender *lender)
{
	while (lender->clients)
		drop(lender->clients, "goodbye");
}
