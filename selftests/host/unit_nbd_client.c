// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - unit tests of the NBD client: what it asks, and what it believes (host)
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The other end of a pair of sockets has said all before it is asked: what counts is
 * what the client makes of it.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"
#include "../../userspace/tbtfd/attach.h"
#include "../../userspace/tbtfd/nbd-proto.h"

static int end[2];
static struct tbtf_stream stream;

static void begin(void)
{
	struct timeval wait = { .tv_usec = 100000 };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, end) ||
	    setsockopt(end[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		exit(2);
	stream = (struct tbtf_stream){ .fd = end[0] };
}

static void over(void)
{
	close(end[0]);
	close(end[1]);
}

static void say(const void *data, size_t len)
{
	if (write(end[1], data, len) != (ssize_t)len)
		exit(2);
}

static void greet(uint64_t magic, uint16_t flags)
{
	struct nbd_greeting greeting = {
		.magic = htobe64(magic), .option_magic = htobe64(NBD_OPTION_MAGIC), .flags = htobe16(flags),
	};

	say(&greeting, sizeof(greeting));
}

static void reply(uint32_t type, const void *data, uint32_t len)
{
	struct nbd_option_reply_head head = {
		.magic = htobe64(NBD_OPTION_REPLY_MAGIC), .option = htobe32(NBD_OPT_GO),
		.type = htobe32(type), .length = htobe32(len),
	};

	say(&head, sizeof(head));
	if (data)
		say(data, len);
}

static void info(uint64_t size, uint16_t flags)
{
	struct nbd_info_export export = {
		.type = htobe16(NBD_INFO_EXPORT), .size = htobe64(size), .flags = htobe16(flags),
	};

	reply(NBD_REP_INFO, &export, sizeof(export));
}

static void blocks(uint32_t minimum)
{
	struct nbd_info_block_size size = {
		.type = htobe16(NBD_INFO_BLOCK_SIZE), .minimum = htobe32(minimum),
		.preferred = htobe32(4096), .maximum = htobe32(1 << 25),
	};

	reply(NBD_REP_INFO, &size, sizeof(size));
}

static int go(struct tbtf_export *export)
{
	int err = tbtf_nbd_greet(&stream);

	return err ? err : tbtf_nbd_go(&stream, "secret", export);
}

static void go_is(const char *what, int wanted)
{
	struct tbtf_export export = { .size = 7 };

	is(what, go(&export), wanted);
	if (wanted)
		is("... and nothing is returned", export.size, 7);
	over();
}

#define FLAGS	(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_TRIM)
#define GREET	(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES)

static void test_go(void)
{
	struct tbtf_export export;
	char asked[256];
	ssize_t len;

	begin();
	greet(NBD_MAGIC, GREET);
	blocks(1);
	info(1 << 20, FLAGS);
	reply(NBD_REP_ACK, NULL, 0);
	is("go", go(&export), 0);
	result(export.size == 1 << 20 && export.flags == FLAGS, "go: size and flags");
	len = read(end[1], asked, sizeof(asked));
	is("go: what is asked has the length it says", len, 4 + 16 + 4 + 6 + 2 + 2);
	result(!memcmp(asked + 24, "secret\0\1\0\3", 10), "go: name, and one info: block sizes");
	over();

	begin();
	go_is("a server that says nothing", -ETIMEDOUT);
	begin();
	shutdown(end[1], SHUT_WR);
	go_is("a server that hangs up", -ECONNRESET);
	begin();
	greet(NBD_MAGIC + 1, GREET);
	go_is("no NBD", -EPROTO);
	begin();
	greet(NBD_MAGIC, 0);
	go_is("not of the fixed newstyle", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_ERR_UNKNOWN, "no such export", 14);
	go_is("no such export", -ENOENT);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_ERR_POLICY, NULL, 0);
	go_is("not for us", -EACCES);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_ERR_TLS_REQD, NULL, 0);
	go_is("only with TLS", -ENOKEY);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_ERR_UNSUP, NULL, 0);
	go_is("too old for NBD_OPT_GO", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_ACK, NULL, 0);
	go_is("no size", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	info(1 << 20, FLAGS | 1 << 1);
	reply(NBD_REP_ACK, NULL, 0);
	go_is("read only", -EROFS);
	begin();
	greet(NBD_MAGIC, GREET);
	info(UINT64_MAX, FLAGS);
	reply(NBD_REP_ACK, NULL, 0);
	go_is("a size that is none", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	blocks(8192);
	go_is("blocks larger than a page", -EOPNOTSUPP);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_INFO, "\0\0\0", 3);
	go_is("an info cut short", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_INFO, "\0", 1);
	go_is("an info of one byte", -EPROTO);
	begin();
	greet(NBD_MAGIC, GREET);
	reply(NBD_REP_INFO, NULL, UINT32_MAX);
	go_is("an answer too large", -EPROTO);
}

static void tls_is(const char *what, uint32_t option, uint32_t type, const char *text, int wanted)
{
	struct nbd_option_reply_head head = {
		.magic = htobe64(NBD_OPTION_REPLY_MAGIC), .option = htobe32(option),
		.type = htobe32(type), .length = htobe32(strlen(text)),
	};

	begin();
	say(&head, sizeof(head));
	say(text, strlen(text));
	is(what, tbtf_nbd_starttls(&stream), wanted);
	over();
}

static void test_starttls(void)
{
	tls_is("starttls", NBD_OPT_STARTTLS, NBD_REP_ACK, "", 0);
	tls_is("starttls: there is none", NBD_OPT_STARTTLS, NBD_REP_ERR_UNSUP, "no", -EACCES);
	tls_is("starttls: the answer to something else", NBD_OPT_GO, NBD_REP_ACK, "", -EPROTO);
	tls_is("starttls: neither yes nor no", NBD_OPT_STARTTLS, NBD_REP_INFO, "", -EPROTO);
	tls_is("starttls: with something in the clear behind it", NBD_OPT_STARTTLS, NBD_REP_ACK, "x", -EPROTO);
}

static void simple(uint32_t magic, uint32_t error, uint64_t cookie)
{
	struct nbd_simple_reply answer = {
		.magic = htobe32(magic), .error = htobe32(error), .cookie = cookie,
	};

	say(&answer, sizeof(answer));
}

static void test_requests(void)
{
	struct nbd_request asked;
	char data[8] = "12345678", got[8];

	begin();
	simple(NBD_SIMPLE_REPLY_MAGIC, 0, 1);
	is("write", tbtf_nbd_write(&stream, 4096, data, sizeof(data)), 0);
	result(read(end[1], &asked, sizeof(asked)) == sizeof(asked) &&
	       be64toh(asked.offset) == 4096 && be32toh(asked.length) == 8 &&
	       be16toh(asked.type) == NBD_CMD_WRITE, "write: where and how much");
	result(read(end[1], got, sizeof(got)) == sizeof(got) && !memcmp(got, data, 8), "write: what");
	over();
	begin();
	simple(NBD_SIMPLE_REPLY_MAGIC, 28, 1);
	is("write: refused", tbtf_nbd_write(&stream, 0, data, sizeof(data)), -EIO);
	over();
	begin();
	simple(NBD_SIMPLE_REPLY_MAGIC, 0, 2);
	is("write: an answer to something else", tbtf_nbd_write(&stream, 0, data, sizeof(data)), -EPROTO);
	over();
	begin();
	simple(NBD_STRUCTURED_REPLY_MAGIC, 0, 1);
	is("write: an answer of another kind", tbtf_nbd_write(&stream, 0, data, sizeof(data)), -EPROTO);
	over();
	begin();
	for (int i = 0; i < 5; i++)
		simple(NBD_SIMPLE_REPLY_MAGIC, 0, 1);
	is("trim: 4 GiB and a bit", tbtf_nbd_trim(&stream, (4ULL << 30) + 4096), 0);
	for (uint64_t i = 0; i < 5; i++)
		result(read(end[1], &asked, sizeof(asked)) == sizeof(asked) &&
		       be64toh(asked.offset) == i << 30 && be32toh(asked.length) == (i < 4 ? 1U << 30 : 4096) &&
		       be16toh(asked.type) == NBD_CMD_TRIM, "trim: part %d", (int)i);
	over();
}

int main(void)
{
	test_go();
	test_starttls();
	test_requests();
	return failed > 0;
}
