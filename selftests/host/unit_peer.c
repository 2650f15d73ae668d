// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the protocol between borrower and lender: lines, good and bad
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd's own peer.c. What is written is read back; each error is provoked once.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../userspace/tbtfd/peer.h"
#include "unit.h"

static char line[TBTF_PEER_LINE + 1], why[TBTF_PEER_MESSAGE];

#define SECRET	"0123456789abcdef0123456789abcdef"

/* -- there and back ---------------------------------------------------------------- */

static struct tbtf_peer_request request_back(const struct tbtf_peer_request *request)
{
	struct tbtf_peer_request back = { 0 };
	int len = tbtf_peer_format_request(request, line, sizeof(line));

	result(len > 1 && line[len - 1] == '\n' && !line[len], "request %d: it is one line", request->type);
	line[len - 1] = '\0';
	result(!tbtf_peer_parse_request(line, len - 1, &back, why), "request %d: it is read back", request->type);
	return back;
}

static void test_requests(void)
{
	struct tbtf_peer_request request = { .id = INT64_MAX }, back;

	for (int type = 0; type < TBTF_PEER_TYPE_NR; type++) {
		request.type = type;
		request.version = type == TBTF_PEER_HELLO;
		memset(request.node, 0, sizeof(request.node));
		if (type == TBTF_PEER_HELLO)
			strcpy(request.node, "one");
		request.kb = type == TBTF_PEER_LEASE ? TBTF_PEER_KB_MAX : 0;
		request.hops = type == TBTF_PEER_LEASE ? 4 : 0;
		request.lease = type == TBTF_PEER_RENEW || type == TBTF_PEER_RELEASE ? UINT64_MAX : 0;
		memset(&request.path, 0, sizeof(request.path));
		if (type == TBTF_PEER_LEASE) {
			request.path.n = TBTF_PEER_PATH;
			for (int i = 0; i < TBTF_PEER_PATH; i++)
				memset(request.path.node[i], 'a' + i, TBTF_NAME_LEN - 1);
		}
		back = request_back(&request);
		result(!memcmp(&request, &back, sizeof(back)), "request %d: and is the same", type);
	}
}

static void reply_back(const char *what, const struct tbtf_peer_reply *reply)
{
	static struct tbtf_peer_reply back;
	int len = tbtf_peer_format_reply(reply, line, sizeof(line));

	result(len > 1 && line[len - 1] == '\n' && !line[len], "%s: it is one line", what);
	if (len < 1)
		return;
	line[len - 1] = '\0';
	if (tbtf_peer_parse_reply(line, len - 1, reply->type, &back, why) < 0)
		result(false, "%s: it is read back: %s", what, why);
	else
		result(!memcmp(reply, &back, sizeof(back)), "%s: it is read back, the same", what);
}

static void test_replies(void)
{
	static struct tbtf_peer_reply reply;
	struct tbtf_peer_lease lease = { UINT64_MAX, SECRET, TBTF_PEER_KB_MAX, INT32_MAX };

	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_HELLO, .version = 1, .node = "two",
		.nbd_port = 10809, .offer_kb = 5, .may_swap = true, .far = 3 };
	reply_back("hello", &reply);
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_OFFER, .offer_kb = 5 };
	reply_back("offer", &reply);
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_LEASE, .lease = lease };
	reply_back("lease", &reply);
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_RENEW, .lease.expires_s = 7 };
	reply_back("renew", &reply);
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_RELEASE };
	reply_back("release", &reply);
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_LEASES_OF };
	reply_back("leases: none", &reply);
	reply.leases = TBTF_PEER_LEASES;
	for (int i = 0; i < TBTF_PEER_LEASES; i++)
		reply.list[i] = lease;
	reply_back("leases: as many as there can be", &reply);
	for (int error = TBTF_PEER_OK + 1; error < TBTF_PEER_ERROR_NR; error++) {
		reply = (struct tbtf_peer_reply){ .id = 1, .error = error, .message = "\"quoted\"\n\x01 ä" };
		reply_back(tbtf_peer_error_name(error), &reply);
	}
	reply = (struct tbtf_peer_reply){ .kind = TBTF_PEER_NOTICE_REVOKE, .lease.lease = 7, .deadline_s = 60 };
	reply_back("revoke", &reply);
	reply = (struct tbtf_peer_reply){ .kind = TBTF_PEER_NOTICE_OFFER, .offer_kb = 60,
		.may_swap = true, .far = TBTF_PEER_PATH };
	reply_back("notice of an offer", &reply);
	is("a buffer that is too small", tbtf_peer_format_reply(&reply, line, 8), -EMSGSIZE);
}

/* -- what is wrong ------------------------------------------------------------------- */

static const struct {
	const char *line, *why;
} bad_requests[] = {
	{ "", "no JSON" },
	{ "{", "no JSON" },
	{ "{\"id\":1,}", "no JSON" },
	{ "{id:1}", "no JSON" },
	{ "7", "not a JSON object" },
	{ "null", "not a JSON object" },
	{ "[]", "not a JSON object" },
	{ "{} {}", "no JSON" },
	{ "[[[[[[]]]]]]", "no JSON: nesting too deep" },
	{ "{}", "\"id\" is missing" },
	{ "{\"id\":\"1\"}", "\"id\" is not a whole number" },
	{ "{\"id\":1.0}", "\"id\" is not a whole number" },
	{ "{\"id\":-1}", "\"id\" is not a number from 0" },
	{ "{\"id\":99999999999999999999}", "\"id\" is not a number from 0" },
	{ "{\"id\":1}", "\"type\" is missing" },
	{ "{\"id\":1,\"type\":7}", "\"type\" is not a string" },
	{ "{\"id\":1,\"type\":\"frobnicate\"}", "no request of this" },
	{ "{\"id\":1,\"type\":\"hello\\u0000\"}", "not a text" },
	{ "{\"id\":1,\"type\":\"0123456789012345\"}", "not a text of 0 to 15 bytes" },
	{ "{\"id\":1,\"type\":\"hello\"}", "\"version\" is missing" },
	{ "{\"id\":1,\"type\":\"hello\",\"version\":1}", "\"node\" is missing" },
	{ "{\"id\":1,\"type\":\"hello\",\"version\":1,\"node\":\"a b\"}", "\"node\" is not a node's name" },
	{ "{\"id\":1,\"type\":\"hello\",\"version\":1,\"node\":\"\"}", "\"node\" is not a node's name" },
	{ "{\"id\":1,\"type\":\"lease\"}", "\"kb\" is missing" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4398046511105}", "\"kb\" is not a number" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4}", "\"hops\" is missing" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":17}", "\"hops\" is not a number from 0 to 16" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4}", "\"path\" is missing" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":\"one\"}", "\"path\" is missing, or not" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":[]}", "not of 1 to 16 nodes" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
	  "not of 1 to 16 nodes" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":[1]}", "not a node's name" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":[null]}", "not a node's name" },
	{ "{\"id\":1,\"type\":\"lease\",\"kb\":4,\"hops\":4,\"path\":[\"a\\u0000\"]}", "not a node's name" },
	{ "{\"id\":1,\"type\":\"renew\"}", "\"lease\" is missing" },
	{ "{\"id\":1,\"type\":\"renew\",\"lease\":7}", "\"lease\" is not a string" },
	{ "{\"id\":1,\"type\":\"renew\",\"lease\":\"\"}", "\"lease\" is not the number" },
	{ "{\"id\":1,\"type\":\"renew\",\"lease\":\"-7\"}", "\"lease\" is not the number" },
	{ "{\"id\":1,\"type\":\"renew\",\"lease\":\"7x\"}", "\"lease\" is not the number" },
	{ "{\"id\":1,\"type\":\"renew\",\"lease\":\"18446744073709551616\"}", "\"lease\" is not the number" },
};

static const struct {
	enum tbtf_peer_type type;
	const char *line, *why;
} bad_replies[] = {
	{ TBTF_PEER_HELLO, "{\"ok\":true}", "\"id\" is missing" },
	{ TBTF_PEER_HELLO, "{\"id\":1}", "\"ok\" is missing" },
	{ TBTF_PEER_HELLO, "{\"id\":1,\"ok\":1}", "\"ok\" is missing, or neither" },
	{ TBTF_PEER_HELLO, "{\"id\":1,\"ok\":false}", "\"error\" is missing" },
	{ TBTF_PEER_HELLO, "{\"id\":1,\"ok\":false,\"error\":\"x\",\"message\":\"\"}", "no \"error\" of this name" },
	{ TBTF_PEER_HELLO, "{\"id\":1,\"ok\":false,\"error\":\"\",\"message\":\"\"}", "no \"error\" of this name" },
	{ TBTF_PEER_HELLO, "{\"id\":1,\"ok\":true,\"version\":1,\"node\":\"two\",\"nbd_port\":65536}", "from 0 to 65535" },
	{ TBTF_PEER_OFFER, "{\"id\":1,\"ok\":true,\"offer_kb\":1}", "\"may_swap\" is missing" },
	{ TBTF_PEER_LEASE, "{\"id\":1,\"ok\":true,\"lease\":\"7\",\"export\":\"x\"}", "not 32 hex digits" },
	{ TBTF_PEER_LEASE, "{\"id\":1,\"ok\":true,\"lease\":\"7\",\"export\":\"" SECRET "0\"}", "not a text of" },
	{ TBTF_PEER_RENEW, "{\"id\":1,\"ok\":true,\"expires_s\":-1}", "\"expires_s\" is not a number" },
	{ TBTF_PEER_LEASES_OF, "{\"id\":1,\"ok\":true}", "\"leases\" is missing" },
	{ TBTF_PEER_LEASES_OF, "{\"id\":1,\"ok\":true,\"leases\":[7]}", "something that is not an object" },
	{ TBTF_PEER_LEASES_OF, "{\"id\":1,\"ok\":true,\"leases\":[{}]}", "\"lease\" is missing" },
	{ TBTF_PEER_HELLO, "{\"notice\":\"x\"}", "no \"notice\" of this name" },
	{ TBTF_PEER_HELLO, "{\"notice\":\"revoke\",\"lease\":\"7\"}", "\"deadline_s\" is missing" },
	{ TBTF_PEER_HELLO, "{\"notice\":\"offer\"}", "\"offer_kb\" is missing" },
	{ TBTF_PEER_HELLO, "{\"notice\":\"offer\",\"offer_kb\":0,\"may_swap\":true,\"far\":17}", "\"far\" is not a number from 0 to 16" },
};

static void test_bad(void)
{
	static struct tbtf_peer_reply reply;
	struct tbtf_peer_request request;
	const char *text;
	int err;

	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(*bad_requests); i++) {
		text = bad_requests[i].line;
		why[0] = '\0';
		err = tbtf_peer_parse_request(text, strlen(text), &request, why);
		result(err == -EBADMSG && strstr(why, bad_requests[i].why), "bad request: %s: %s", text, why);
	}
	for (size_t i = 0; i < sizeof(bad_replies) / sizeof(*bad_replies); i++) {
		text = bad_replies[i].line;
		why[0] = '\0';
		err = tbtf_peer_parse_reply(text, strlen(text), bad_replies[i].type, &reply, why);
		result(err == -EBADMSG && strstr(why, bad_replies[i].why), "bad reply: %s: %s", text, why);
	}
	memset(line, ' ', sizeof(line));
	line[TBTF_PEER_LINE] = '\0';
	is("bad request: too long", tbtf_peer_parse_request(line, TBTF_PEER_LINE, &request, why), -EBADMSG);
	is("bad request: a zero in it", tbtf_peer_parse_request("{}\0{}", 5, &request, why), -EBADMSG);
	text = "{\"id\":5,\"type\":\"renew\"}";
	(void)tbtf_peer_parse_request(text, strlen(text), &request, why);
	is("bad request: its id is known", request.id, 5);
	text = "{\"id\":5,\"type\":\"offer\",\"colour\":{\"red\":[1]}}";
	is("what is not known is ignored", tbtf_peer_parse_request(text, strlen(text), &request, why), 0);
}

/* -- lines ------------------------------------------------------------------------- */

/* As read(2) would: in pieces of @piece. */
static unsigned int feed(struct tbtf_peer_in *in, const char *data, size_t len, size_t piece, int *ret_err)
{
	unsigned int lines = 0;
	const char *text;
	size_t room, n;
	char *to;

	while (len) {
		to = tbtf_peer_room(in, &room);
		n = len < piece ? len : piece;
		n = n < room ? n : room;
		memcpy(to, data, n);
		in->fill += n;
		data += n;
		len -= n;
		while ((*ret_err = tbtf_peer_line(in, &text, &n)) > 0)
			lines += n == strlen(text) && (!n || *text == 'x');
		if (*ret_err < 0)
			break;
	}
	return lines;
}

static void test_lines(void)
{
	static char text[3 * TBTF_PEER_LINE];
	static struct tbtf_peer_in in;
	size_t pieces[] = { 1, 2, 3, 7, 4096, sizeof(text) };
	int err;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		memset(&in, 0, sizeof(in));
		is("lines: in pieces", feed(&in, "x\n\nxyz\nx", 8, pieces[i], &err), 3);
		is("lines: and the rest of the last", feed(&in, "x\n", 2, pieces[i], &err), 1);
	}
	memset(text, 'x', sizeof(text));
	text[TBTF_PEER_LINE - 1] = '\n';
	text[2 * TBTF_PEER_LINE - 1] = '\n';
	memset(&in, 0, sizeof(in));
	is("lines: as long as they may be", feed(&in, text, 2 * TBTF_PEER_LINE, 1000, &err), 2);
	is("lines: nothing is wrong with them", err, 0);
	is("lines: one byte more", feed(&in, text + 2 * TBTF_PEER_LINE, TBTF_PEER_LINE, 1000, &err), 0);
	is("lines: is one too many", err, -EMSGSIZE);
}

int main(void)
{
	test_requests();
	test_replies();
	test_bad();
	test_lines();
	return !!failed;
}
