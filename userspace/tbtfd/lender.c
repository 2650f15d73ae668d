// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the conversation with one lender, over its control connection
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A question, and its answer within a time; notices whenever they come. What a lender
 * says wrong, or not in time, ends the conversation, and it is dialled again later.
 * Runs in the thread of lenders.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "lender.h"
#include "log.h"
#include "tls-kernel.h"

/* Before a lender that was not there is tried again: doubled each time, up to the second. */
#define RETRY_MS	500
#define RETRY_MAX_MS	15000

/* -- What people see of a lender ------------------------------------------ */

/**
 * tbtf_lender_show() - what people are told of a lender
 * @lender: which
 * @why: why it is not there, or gives nothing; or ""
 */
void tbtf_lender_show(struct tbtf_lender *lender, const char *why, ...)
{
	struct tbtf_lender_view *view = &lender->line->view[lender->index];
	bool connected = lender->stream.fd >= 0;
	va_list args;

	(void)pthread_mutex_lock(&lender->line->view_lock);
	if (view->connected != connected || !view->since_s)
		view->since_s = time(NULL);
	view->connected = connected;
	view->may_swap = lender->may_swap;
	view->offer_kb = lender->offer_kb;
	va_start(args, why);
	(void)vsnprintf(view->why, sizeof(view->why), why, args);
	va_end(args);
	(void)pthread_mutex_unlock(&lender->line->view_lock);
}

static void show_latency(const struct tbtf_lender *lender, int64_t us)
{
	(void)pthread_mutex_lock(&lender->line->view_lock);
	lender->line->view[lender->index].latency_us = us;
	(void)pthread_mutex_unlock(&lender->line->view_lock);
}

/* -- The control connection ------------------------------------------------ */

/**
 * tbtf_lender_hang_up() - end the conversation, for some time
 * @lender: with whom
 * @why: for the log, and for people
 */
void tbtf_lender_hang_up(struct tbtf_lender *lender, const char *why)
{
	int64_t now = tbtf_now_ms();

	tbtf_stream_close(&lender->stream);
	/* Only this thread writes it: no lock to read it. */
	if (strncmp(why, lender->line->view[lender->index].why, sizeof(lender->line->view[0].why) - 1))
		tbtf_warning("%s: %s", lender->peer->name, why);
	lender->offer_kb = 0;
	lender->backoff_ms = lender->backoff_ms ? lender->backoff_ms * 2 : RETRY_MS;
	if (lender->backoff_ms > RETRY_MAX_MS)
		lender->backoff_ms = RETRY_MAX_MS;
	lender->retry_ms = now + lender->backoff_ms;
	tbtf_lender_show(lender, "%s", why);
}

/* The next line of a lender into lender->reply. 1: there is one; 0: not yet; or an errno. */
static int next_reply(struct tbtf_lender *lender, enum tbtf_peer_type type)
{
	char why[TBTF_PEER_MESSAGE];
	const char *line;
	size_t len;
	int n = tbtf_peer_line(&lender->in, &line, &len);

	if (n <= 0)
		return n;
	n = tbtf_peer_parse_reply(line, len, type, lender->reply, why);
	if (n) {
		tbtf_warning("%s says what is not understood: %s", lender->peer->name, why);
		return n;
	}
	return 1;
}

/* What has arrived. -EAGAIN: nothing yet. */
static int more_bytes(struct tbtf_lender *lender)
{
	size_t room;
	char *at = tbtf_peer_room(&lender->in, &room);
	ssize_t got;

	if (lender->stream.ssl) {
		got = tbtf_tls_try_recv(&lender->stream, at, room);
	} else {
		got = recv(lender->stream.fd, at, room, MSG_DONTWAIT);
		if (got < 0)
			got = errno == EINTR ? -EAGAIN : -errno;
	}
	if (got < 0)
		return got;
	if (!got)
		return -ECONNRESET;
	lender->in.fill += got;
	return 0;
}

static int wait_for_bytes(const struct tbtf_lender *lender, int64_t end_ms)
{
	struct pollfd wait = { .fd = lender->stream.fd, .events = POLLIN };
	int64_t left = end_ms - tbtf_now_ms();

	if (lender->stream.ssl)
		wait.events = lender->stream.wait_for;
	if (left <= 0)
		return -ETIMEDOUT;
	return poll(&wait, 1, left) < 0 && errno != EINTR ? -errno : 0;
}

/* Wait for the answer to the question @id of that @type, not longer than until @end_ms. */
static int await(struct tbtf_lender *lender, uint64_t id, enum tbtf_peer_type type, int64_t end_ms)
{
	int err;

	for (;;) {
		err = next_reply(lender, type);
		if (err < 0)
			return err;
		if (err && lender->reply->kind != TBTF_PEER_ANSWER) {
			lender->on_notice(lender, lender->reply);
			continue;
		}
		if (err)
			return lender->reply->id == id ? 0 : -EPROTO;
		err = more_bytes(lender);
		if (err == -EAGAIN)
			err = wait_for_bytes(lender, end_ms);
		if (err)
			return err;
	}
}

static int send_line(struct tbtf_lender *lender, const char *line, size_t len)
{
	ssize_t sent = 0;

	if (!lender->stream.ssl)
		return send(lender->stream.fd, line, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
	while (len && sent >= 0) {
		sent = tbtf_tls_try_send(&lender->stream, line, len);
		if (sent == -EAGAIN)
			sent = tbtf_tls_wait_ms(&lender->stream, TBTF_ANSWER_MS);
		if (sent > 0) {
			line += sent;
			len -= sent;
		}
	}
	return sent < 0 ? (int)sent : 0;
}

/**
 * tbtf_lender_ask() - ask, and wait for the answer
 * @lender: whom
 * @request: what; its id is given here
 * @ms: how long to wait
 *
 * A lender that breaks off, is late, or talks nonsense is hung up on. What it refuses
 * is no error here.
 *
 * Return: 0, and the answer is in @lender->reply; or an errno, and it is hung up.
 */
int tbtf_lender_ask(struct tbtf_lender *lender, struct tbtf_peer_request *request, int64_t ms)
{
	char line[TBTF_PEER_LINE], why[128];
	int64_t start = tbtf_now_us();
	int len, err;

	request->id = ++lender->next_id;
	len = tbtf_peer_format_request(request, line, sizeof(line));
	if (len < 0)
		return len;
	err = send_line(lender, line, len);
	if (!err)
		err = await(lender, request->id, request->type, tbtf_now_ms() + ms);
	if (err) {
		(void)snprintf(why, sizeof(why), "the connection is lost: %s", strerror(-err));
		tbtf_lender_hang_up(lender, why);
		return err;
	}
	show_latency(lender, tbtf_now_us() - start);
	return 0;
}

/**
 * tbtf_lender_listen() - take what a lender says unasked
 * @lender: who has something to say
 */
void tbtf_lender_listen(struct tbtf_lender *lender)
{
	char why[128];
	int err;

	/* Until nothing is left: with TLS there may be more than the socket knows of. */
	while (!(err = more_bytes(lender))) {
		while ((err = next_reply(lender, TBTF_PEER_OFFER)) > 0) {
			if (lender->reply->kind == TBTF_PEER_ANSWER) {
				err = -EPROTO;
				break;
			}
			lender->on_notice(lender, lender->reply);
		}
		if (err)
			break;
	}
	if (err == -EAGAIN)
		return;
	(void)snprintf(why, sizeof(why), "the connection is lost: %s", strerror(-err));
	tbtf_lender_hang_up(lender, why);
}

static int introduce(struct tbtf_lender *lender)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_HELLO, .version = TBTF_PEER_VERSION };
	char why[TBTF_PEER_MESSAGE + 32];
	int err;

	strcpy(request.node, lender->line->conf->node);
	err = tbtf_lender_ask(lender, &request, TBTF_ANSWER_MS);
	if (err)
		return err;
	if (lender->reply->error)
		(void)snprintf(why, sizeof(why), "refuses: %s", lender->reply->message);
	else if (strcmp(lender->reply->node, lender->peer->name))
		(void)snprintf(why, sizeof(why), "calls itself %s", lender->reply->node);
	else
		return 0;
	tbtf_lender_hang_up(lender, why);
	return -EACCES;
}

/**
 * tbtf_lender_dial() - begin a conversation
 * @lender: with whom
 *
 * Context: waits for up to DIAL_MS, and for the answer.
 * Return: 0; or an errno, and it is tried again after @lender->retry_ms.
 */
int tbtf_lender_dial(struct tbtf_lender *lender)
{
	int fd = tbtf_dial(&lender->peer->address, 0, TBTF_DIAL_MS), err;
	struct tbtf_tls_error error;
	char why[256];

	lender->unreachable = fd < 0;
	if (fd < 0) {
		(void)snprintf(why, sizeof(why), "not reached at %s: %s",
			       lender->peer->address.text, strerror(-fd));
		tbtf_lender_hang_up(lender, why);
		return fd;
	}
	lender->stream.fd = fd;
	if (lender->tls) {
		err = tbtf_tls_connect(&lender->stream, lender->tls, lender->line->conf, lender->peer,
				       false, TBTF_ANSWER_MS, &error);
		if (err) {
			tbtf_lender_hang_up(lender, error.text);
			return err;
		}
	}
	lender->in.fill = lender->in.taken = 0;
	lender->refused_ms = 0;
	err = introduce(lender);
	if (err)
		return err;
	lender->nbd_port = lender->reply->nbd_port;
	lender->offer_kb = lender->reply->offer_kb;
	lender->may_swap = lender->reply->may_swap;
	lender->far = lender->reply->far;
	return 0;
}
