// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what the nodes behind this one have: the lender asks its own node's borrower
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd borrow listens at a socket (back.c). Every second it is told how much this
 * lender has promised that is not of this node, and says what more could be had. When
 * a lease is asked for that the node cannot back itself, it is asked to steal as much
 * first. Both are one line there and one back, on a connection of its own, and the loop
 * waits for neither: the threads that serve pages know nothing of it. A borrower that
 * does not answer is hung up on; one that is not there has nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lend.h"
#include "log.h"

/* It has an event loop, and is real-time. */
#define ANSWER_S	10
/* It asks the nodes behind it, who may ask those behind them; each has its own limit. */
#define LEASE_S		300

/**
 * tbtf_lend_run_path() - where a socket of the daemons is
 * @name: of the socket
 * @ret: where the path goes
 *
 * systemd says where: RuntimeDirectory=.
 *
 * Return: 0; -ENAMETOOLONG.
 */
int tbtf_lend_run_path(const char *name, struct sockaddr_un *ret)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");
	int len;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", dir && *dir ? dir : "/run/tbtf", name);
	return len < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

static void hang_up(struct tbtf_lend_behind *behind)
{
	behind->source = sd_event_source_disable_unref(behind->source);
	if (behind->fd >= 0)
		(void)close(behind->fd);
	behind->fd = -1;
	behind->client = NULL;
	behind->fill = 0;
}

/* The end of a question. @reply: the answer; NULL: there is none, and @why. */
static void answered(struct tbtf_lender *lender, const struct tbtf_peer_reply *reply, const char *why)
{
	struct tbtf_lend_client *client = lender->behind.client;

	hang_up(&lender->behind);
	if (!client) {
		lender->memory.behind_kb = reply && !reply->error ? reply->offer_kb : 0;
		lender->memory.far = reply && !reply->error ? reply->far : 0;
		return;
	}
	/* What there is besides is asked anew. */
	lender->memory.behind_kb = 0;
	if (!reply)
		tbtf_lend_backed(client, TBTF_PEER_NO_MEMORY, why);
	else
		tbtf_lend_backed(client, reply->error, reply->message);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct tbtf_lender *lender = data;
	struct tbtf_lend_behind *behind = &lender->behind;
	static struct tbtf_peer_reply reply;	/* its list has some KiB */
	char why[TBTF_PEER_MESSAGE];
	ssize_t n;
	char *end;

	(void)source;
	(void)revents;
	n = recv(fd, behind->in + behind->fill, sizeof(behind->in) - 1 - behind->fill, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0)
		behind->fill += n;
	behind->in[behind->fill] = 0;
	end = strchr(behind->in, '\n');
	if (n > 0 && !end && behind->fill < sizeof(behind->in) - 1)
		return 0;
	if (!end) {
		answered(lender, NULL, "the borrower of this node has hung up");
		return 0;
	}
	*end = 0;
	if (tbtf_peer_parse_reply(behind->in, end - behind->in, behind->client ? TBTF_PEER_RELEASE :
				  TBTF_PEER_OFFER, &reply, why) < 0) {
		tbtf_warning("the borrower of this node says what is not understood: %s", why);
		answered(lender, NULL, "the borrower of this node says what is not understood");
	} else {
		answered(lender, &reply, NULL);
	}
	return 0;
}

static int ask(struct tbtf_lender *lender, const char *line, size_t len)
{
	struct tbtf_lend_behind *behind = &lender->behind;
	struct sockaddr_un address;
	int err = tbtf_lend_run_path("borrow.sock", &address);

	if (err < 0)
		return err;
	behind->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (behind->fd < 0)
		return -errno;
	if (connect(behind->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(behind->fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		err = -errno;
	if (!err)
		err = sd_event_add_io(lender->event, &behind->source, behind->fd, EPOLLIN, on_answer, lender);
	if (err < 0) {
		hang_up(behind);
		return err;
	}
	behind->since = tbtf_lend_now();
	return 0;
}

/**
 * tbtf_lend_behind_setup() - nothing is asked yet
 * @lender: the lender
 */
void tbtf_lend_behind_setup(struct tbtf_lender *lender)
{
	lender->behind.fd = -1;
}

/**
 * tbtf_lend_behind_end() - nothing is asked any more
 * @lender: the lender
 */
void tbtf_lend_behind_end(struct tbtf_lender *lender)
{
	hang_up(&lender->behind);
}

/**
 * tbtf_lend_behind_tick() - say what is promised, and ask what there is
 * @lender: the lender
 *
 * Context: every second.
 */
void tbtf_lend_behind_tick(struct tbtf_lender *lender)
{
	struct tbtf_lend_behind *behind = &lender->behind;
	char line[128];
	int len;

	if (!lender->conf->lend.pass_on)
		return;
	if (behind->fd >= 0) {
		if (tbtf_lend_now() - behind->since > (behind->client ? LEASE_S : ANSWER_S))
			answered(lender, NULL, "the borrower of this node does not answer");
		return;
	}
	len = snprintf(line, sizeof(line), "{\"id\":1,\"type\":\"behind\",\"promised_kb\":%" PRIu64 "}\n",
		       tbtf_ledger_behind(&lender->ledger));
	if (ask(lender, line, len) < 0)
		lender->memory.behind_kb = 0;
}

/**
 * tbtf_lend_behind_lease() - have memory stolen for a lease
 * @lender: the lender
 * @client: who wants it; tbtf_lend_backed() is called with the answer
 * @request: what was asked
 *
 * Return: 0; -EBUSY: for another one; or nobody is there to do it.
 */
int tbtf_lend_behind_lease(struct tbtf_lender *lender, struct tbtf_lend_client *client,
			   const struct tbtf_peer_request *request)
{
	static char line[TBTF_PEER_LINE + 1];
	int len, err;

	if (lender->behind.client)
		return -EBUSY;
	hang_up(&lender->behind);
	len = tbtf_peer_format_request(request, line, sizeof(line));
	err = len < 0 ? len : ask(lender, line, len);
	if (!err)
		lender->behind.client = client;
	return err;
}

/**
 * tbtf_lend_behind_forget() - who wanted a lease is gone
 * @lender: the lender
 * @client: who
 */
void tbtf_lend_behind_forget(struct tbtf_lender *lender, const struct tbtf_lend_client *client)
{
	if (lender->behind.client == client)
		hang_up(&lender->behind);
}
