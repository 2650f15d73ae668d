/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - NBD on the wire: numbers and packed structs, all of them big endian
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What is here and how it is to be used stands in doc/proto.md of the NBD project.
 */
#ifndef _TBTFD_NBD_PROTO_H
#define _TBTFD_NBD_PROTO_H

#include <assert.h>
#include <stdint.h>

#define NBD_MAGIC		UINT64_C(0x4e42444d41474943)	/* NBDMAGIC */
#define NBD_OPTION_MAGIC	UINT64_C(0x49484156454f5054)	/* IHAVEOPT */
#define NBD_OPTION_REPLY_MAGIC	UINT64_C(0x0003e889045565a9)

/* Of the server's greeting, and back from the client. */
#define NBD_FLAG_FIXED_NEWSTYLE	(1U << 0)
#define NBD_FLAG_NO_ZEROES	(1U << 1)

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
};

#define NBD_REP_ERR(n)		((1U << 31) | (n))
enum nbd_option_reply {
	NBD_REP_ACK = 1,
	NBD_REP_SERVER = 2,
	NBD_REP_INFO = 3,
	NBD_REP_META_CONTEXT = 4,
};

#define NBD_REP_ERR_UNSUP	NBD_REP_ERR(1)
#define NBD_REP_ERR_POLICY	NBD_REP_ERR(2)
#define NBD_REP_ERR_INVALID	NBD_REP_ERR(3)
#define NBD_REP_ERR_TLS_REQD	NBD_REP_ERR(5)
#define NBD_REP_ERR_UNKNOWN	NBD_REP_ERR(6)
#define NBD_REP_ERR_TOO_BIG	NBD_REP_ERR(9)

enum nbd_info {
	NBD_INFO_EXPORT = 0,
	NBD_INFO_BLOCK_SIZE = 3,
};

/* Of an export. */
#define NBD_FLAG_HAS_FLAGS		(1U << 0)
#define NBD_FLAG_SEND_FLUSH		(1U << 2)
#define NBD_FLAG_SEND_FUA		(1U << 3)
#define NBD_FLAG_SEND_TRIM		(1U << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES	(1U << 6)
#define NBD_FLAG_SEND_DF		(1U << 7)
#define NBD_FLAG_CAN_MULTI_CONN		(1U << 8)
#define NBD_FLAG_SEND_CACHE		(1U << 10)
#define NBD_FLAG_SEND_FAST_ZERO		(1U << 11)

#define NBD_REQUEST_MAGIC		0x25609513U
#define NBD_SIMPLE_REPLY_MAGIC		0x67446698U
#define NBD_STRUCTURED_REPLY_MAGIC	0x668e33efU

enum nbd_command {
	NBD_CMD_READ = 0,
	NBD_CMD_WRITE = 1,
	NBD_CMD_DISC = 2,
	NBD_CMD_FLUSH = 3,
	NBD_CMD_TRIM = 4,
	NBD_CMD_CACHE = 5,
	NBD_CMD_WRITE_ZEROES = 6,
	NBD_CMD_BLOCK_STATUS = 7,
};

#define NBD_CMD_FLAG_FUA		(1U << 0)
#define NBD_CMD_FLAG_NO_HOLE		(1U << 1)
#define NBD_CMD_FLAG_DF			(1U << 2)
#define NBD_CMD_FLAG_REQ_ONE		(1U << 3)
#define NBD_CMD_FLAG_FAST_ZERO		(1U << 4)

#define NBD_REPLY_FLAG_DONE		(1U << 0)

#define NBD_REPLY_ERR(n)		((1U << 15) | (n))
enum nbd_reply_type {
	NBD_REPLY_TYPE_NONE = 0,
	NBD_REPLY_TYPE_OFFSET_DATA = 1,
	NBD_REPLY_TYPE_OFFSET_HOLE = 2,
	NBD_REPLY_TYPE_BLOCK_STATUS = 5,
	NBD_REPLY_TYPE_ERROR = NBD_REPLY_ERR(1),
};

#define NBD_STATE_HOLE		(1U << 0)
#define NBD_STATE_ZERO		(1U << 1)

/* Errors of commands: the protocol's own numbers, whatever errno.h says. */
#define NBD_EPERM		1
#define NBD_EINVAL		22
#define NBD_ENOSPC		28

struct nbd_greeting {
	uint64_t magic;			/* NBD_MAGIC */
	uint64_t option_magic;		/* NBD_OPTION_MAGIC */
	uint16_t flags;
} __attribute__((packed));
static_assert(sizeof(struct nbd_greeting) == 18, "NBD greeting");

struct nbd_option_head {
	uint64_t magic;			/* NBD_OPTION_MAGIC */
	uint32_t option;
	uint32_t length;
} __attribute__((packed));
static_assert(sizeof(struct nbd_option_head) == 16, "NBD option");

struct nbd_option_reply_head {
	uint64_t magic;			/* NBD_OPTION_REPLY_MAGIC */
	uint32_t option;
	uint32_t type;
	uint32_t length;
} __attribute__((packed));
static_assert(sizeof(struct nbd_option_reply_head) == 20, "NBD option reply");

struct nbd_info_export {
	uint16_t type;			/* NBD_INFO_EXPORT */
	uint64_t size;
	uint16_t flags;
} __attribute__((packed));
static_assert(sizeof(struct nbd_info_export) == 12, "NBD info export");

struct nbd_info_block_size {
	uint16_t type;			/* NBD_INFO_BLOCK_SIZE */
	uint32_t minimum;
	uint32_t preferred;
	uint32_t maximum;
} __attribute__((packed));
static_assert(sizeof(struct nbd_info_block_size) == 14, "NBD info block size");

/* What answers NBD_OPT_EXPORT_NAME; the zeroes only without NBD_FLAG_NO_ZEROES. */
struct nbd_export_name_reply {
	uint64_t size;
	uint16_t flags;
	char zeroes[124];
} __attribute__((packed));
static_assert(sizeof(struct nbd_export_name_reply) == 134, "NBD export name reply");

struct nbd_request {
	uint32_t magic;			/* NBD_REQUEST_MAGIC */
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;		/* goes back as it came */
	uint64_t offset;
	uint32_t length;
} __attribute__((packed));
static_assert(sizeof(struct nbd_request) == 28, "NBD request");

struct nbd_simple_reply {
	uint32_t magic;			/* NBD_SIMPLE_REPLY_MAGIC */
	uint32_t error;
	uint64_t cookie;
} __attribute__((packed));
static_assert(sizeof(struct nbd_simple_reply) == 16, "NBD simple reply");

struct nbd_structured_reply {
	uint32_t magic;			/* NBD_STRUCTURED_REPLY_MAGIC */
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;
	uint32_t length;
} __attribute__((packed));
static_assert(sizeof(struct nbd_structured_reply) == 20, "NBD structured reply");

/* The head of a chunk with what follows it at once, by type. */
struct nbd_chunk_data {
	struct nbd_structured_reply head;
	uint64_t offset;
} __attribute__((packed));

struct nbd_chunk_hole {
	struct nbd_structured_reply head;
	uint64_t offset;
	uint32_t length;
} __attribute__((packed));

struct nbd_chunk_error {
	struct nbd_structured_reply head;
	uint32_t error;
	uint16_t message_length;
} __attribute__((packed));

struct nbd_chunk_status {
	struct nbd_structured_reply head;
	uint32_t context;
} __attribute__((packed));

struct nbd_extent {
	uint32_t length;
	uint32_t flags;			/* NBD_STATE_ */
} __attribute__((packed));
static_assert(sizeof(struct nbd_extent) == 8, "NBD extent");

#endif /* _TBTFD_NBD_PROTO_H */
