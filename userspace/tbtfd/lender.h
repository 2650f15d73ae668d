/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the conversation with one lender, over its control connection
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_LENDER_H
#define _TBTFD_LENDER_H

#include <stdint.h>

#include "lenders.h"
#include "stream.h"
#include "tls.h"

/* To connect: a lender on the same network answers in a millisecond, or is not there. */
#define TBTF_DIAL_MS	2000

/**
 * struct tbtf_lender - one that is in the configuration
 * @line: whose it is
 * @peer: of the configuration
 * @index: there, and in the line's view
 * @reply: where its answers go; one for all, it is large
 * @on_notice: called for what it says unasked
 * @tls: of this node; NULL: encryption = none
 * @stream: the control connection; its fd is -1 if there is none
 * @nbd_port: of its exports
 * @next_id: of questions
 * @offer_kb: what it has, as of its last word
 * @may_swap: it may swap what it lends
 * @retry_ms: no connection: when to try again
 * @backoff_ms: how long was waited for that
 * @refused_ms: it gives nothing until then
 * @in: what has arrived of its next line
 */
struct tbtf_lender {
	struct tbtf_line *line;
	const struct tbtf_peer *peer;
	size_t index;
	struct tbtf_peer_reply *reply;
	void (*on_notice)(struct tbtf_lender *lender, const struct tbtf_peer_reply *reply);
	struct tbtf_tls *tls;
	struct tbtf_stream stream;
	uint16_t nbd_port;
	uint64_t next_id;
	uint64_t offer_kb;
	bool may_swap;
	int64_t retry_ms;
	int64_t backoff_ms;
	int64_t refused_ms;
	struct tbtf_peer_in in;
};

int64_t tbtf_now_us(void);
int64_t tbtf_now_ms(void);
int tbtf_lender_dial(struct tbtf_lender *lender);
int tbtf_lender_ask(struct tbtf_lender *lender, struct tbtf_peer_request *request, int64_t ms);
void tbtf_lender_listen(struct tbtf_lender *lender);
void tbtf_lender_hang_up(struct tbtf_lender *lender, const char *why);
void tbtf_lender_show(struct tbtf_lender *lender, const char *why, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* _TBTFD_LENDER_H */
