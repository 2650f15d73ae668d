/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the configuration of tbtfd, read and checked
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd.conf(5) is its manual. A new key is a line in the table of conf.c, a
 * field here, and an entry there.
 */
#ifndef _TBTFD_CONF_H
#define _TBTFD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TBTF_CONF_FILE		"/etc/tbtf/tbtfd.conf"
#define TBTF_CONTROL_PORT	10810
#define TBTF_NBD_PORT		10809
/* A node's name: letters, digits, '.', '_' and '-'. With the 0 at the end. */
#define TBTF_NAME_LEN		64
/* Lists are walked one by one; this is a static list of neighbours, no cluster. */
#define TBTF_PEERS_MAX		64

enum tbtf_encryption {
	TBTF_ENCRYPTION_UNSAID,		/* not in the configuration: refused */
	TBTF_ENCRYPTION_TLS,
	TBTF_ENCRYPTION_NONE,
};

enum tbtf_secrecy {
	TBTF_SECRECY_LENDER,		/* the lender shall not read what it holds */
	TBTF_SECRECY_NONE,
};

enum tbtf_steal_when {
	TBTF_STEAL_LAST,		/* when the kernel asks */
	TBTF_STEAL_PRESSURE,		/* before it has to */
};

/* The means of making memory: [print] mints. Each is a file mint-NAME.c. */
enum tbtf_mint_kind {
	TBTF_MINT_ZRAM,
	TBTF_MINT_FILE,
	TBTF_MINT_LIMIT,
	TBTF_MINT_HOTPLUG,
	TBTF_MINTS,
};

/**
 * struct tbtf_address - a socket address, and how it was written
 * @sa: resolved when the file was read
 * @len: of @sa
 * @port_given: false: @sa has the default port
 * @text: as in the file, for messages
 */
struct tbtf_address {
	struct sockaddr_storage sa;
	socklen_t len;
	bool port_given;
	char text[128];
};

/* struct tbtf_peer - another node: who it is and where */
struct tbtf_peer {
	char name[TBTF_NAME_LEN];
	struct tbtf_address address;
};

/**
 * struct tbtf_conf - all that the file says, or its defaults
 *
 * Amounts of memory are in KiB, times in seconds. No pointers: it can be copied.
 */
struct tbtf_conf {
	char node[TBTF_NAME_LEN];	/* default: the host's name up to the first dot */

	struct tbtf_peer peer[TBTF_PEERS_MAX];
	size_t peers;

	struct {
		uint64_t credit_kb;	/* the line that is kept ready; needed */
		uint64_t extent_kb;	/* 0: the line in eight parts */
		uint64_t copies;	/* 2 where there are two lenders */
		uint64_t min_free_kb;	/* 0: by the size of the machine */
		uint64_t ballast_kb;
		uint64_t timeout_s;	/* of one request of the block device; by @copies */
		uint64_t dead_timeout_s; /* how long requests wait for a new connection */
		uint64_t replace_after_s; /* a lender of two has been away */
		uint64_t give_back_after_s; /* of low pressure */
		uint64_t hops;
		uint64_t priority;	/* of the swap devices */
		int secrecy;		/* enum tbtf_secrecy */
		int steal_when;		/* enum tbtf_steal_when */
	} borrow;

	struct {
		struct tbtf_address listen;
		uint64_t nbd_port;
		uint64_t memory_kb;	/* lent at most; needed */
		uint64_t headroom_kb;	/* what has to stay available; 0: by size */
		uint64_t per_borrower_kb; /* 0: memory_kb */
		uint64_t lease_s;
		bool panic_while_lending;
		bool pass_on;		/* the node may borrow for what it lends */
		bool too_big_to_fail;
	} lend;

	struct {
		int mint[TBTF_MINTS];	/* enum tbtf_mint_kind, in the operator's order */
		size_t mints;		/* so many; 0: nothing is printed */
		uint64_t withdraw_after_s; /* of burning less than is printed */
		uint64_t zram_kb;	/* memory that it takes at most; 0: half of all */
		uint64_t zram_priority;	/* above borrow.priority */
		char file[256];		/* the swap file; needed for its mint */
		uint64_t file_kb;	/* its size; likewise */
		uint64_t limit_max_kb;	/* no memory.max is raised above it; likewise */
		char qmp[256];		/* a port that ends in the hypervisor's monitor */
		char hotplug_command[256]; /* or what is run in its place */
		char hotplug_device[TBTF_NAME_LEN]; /* virtio-mem; "": DIMMs */
		uint64_t hotplug_base_kb; /* what that gives in ordinary times */
		uint64_t hotplug_max_kb; /* more is never asked for; needed for its mint */
		uint64_t hotplug_step_kb;
		bool hotplug_ahead;	/* the next step is there before it is needed */
	} print;

	struct {
		char watchdog[256];	/* a device */
		uint64_t watchdog_timeout_s;
	} exhausted;

	struct {
		int encryption;		/* enum tbtf_encryption */
		char ca[256];
		char cert[256];
		char key[256];
	} security;
};

/* What is wrong, for people: file, line, key, and what would be right. */
struct tbtf_conf_error {
	char text[768];
};

int tbtf_conf_read(struct tbtf_conf *ret_conf, const char *path, struct tbtf_conf_error *error);
int tbtf_conf_check_borrow(const struct tbtf_conf *conf, struct tbtf_conf_error *error);
int tbtf_conf_check_lend(const struct tbtf_conf *conf, struct tbtf_conf_error *error);
int tbtf_conf_check_watchdog(const struct tbtf_conf *conf, struct tbtf_conf_error *error);
const struct tbtf_peer *tbtf_conf_peer(const struct tbtf_conf *conf, const char *name);
bool tbtf_conf_name_ok(const char *name);
int tbtf_address_parse(struct tbtf_address *ret, const char *text, uint16_t default_port);

#endif /* _TBTFD_CONF_H */
