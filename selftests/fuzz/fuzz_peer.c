// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - whatever bytes, as the peer protocol: lines, requests, replies
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The first byte says how the rest is cut into pieces. What is accepted is written
 * again and read again, and has to be the same.
 */
#include <stdlib.h>
#include <string.h>

#include "../../userspace/tbtfd/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(const char *line, size_t len)
{
	static char text[TBTF_PEER_LINE + 1], why[TBTF_PEER_MESSAGE];
	static struct tbtf_peer_request first, again;
	int n;

	if (tbtf_peer_parse_request(line, len, &first, why) < 0)
		return;
	n = tbtf_peer_format_request(&first, text, sizeof(text));
	if (n < 2 || text[n - 1] != '\n' || memchr(text, '\n', n - 1))
		abort();
	text[n - 1] = '\0';
	if (tbtf_peer_parse_request(text, n - 1, &again, why) < 0 || memcmp(&first, &again, sizeof(first)))
		abort();
}

static void try_reply(const char *line, size_t len, int type)
{
	static char text[TBTF_PEER_LINE + 1], why[TBTF_PEER_MESSAGE];
	static struct tbtf_peer_reply first, again;
	int n;

	if (tbtf_peer_parse_reply(line, len, type, &first, why) < 0)
		return;
	n = tbtf_peer_format_reply(&first, text, sizeof(text));
	if (n < 2 || text[n - 1] != '\n' || memchr(text, '\n', n - 1))
		abort();
	text[n - 1] = '\0';
	if (tbtf_peer_parse_reply(text, n - 1, type, &again, why) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tbtf_peer_in in;
	const char *line;
	size_t len, n, piece;
	char *to;
	int ret;

	if (!size)
		return 0;
	piece = data[0] ? data[0] * 7 : TBTF_PEER_LINE;
	data++;
	size--;
	in.fill = 0;
	in.taken = 0;
	while (size) {
		to = tbtf_peer_room(&in, &n);
		n = n < piece ? n : piece;
		n = n < size ? n : size;
		memcpy(to, data, n);
		in.fill += n;
		data += n;
		size -= n;
		while ((ret = tbtf_peer_line(&in, &line, &len)) > 0) {
			try_request(line, len);
			for (int type = 0; type < TBTF_PEER_TYPE_NR; type++)
				try_reply(line, len, type);
		}
		if (ret < 0)
			return 0;
	}
	return 0;
}
