/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - an export becomes a block device: NBD's first words, then the kernel's nbd
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_ATTACH_H
#define _TBTFD_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "stream.h"
#include "tls.h"

/* What connecting, and each answer of a lender, may take. */
#define TBTF_ANSWER_MS		5000

/* struct tbtf_export - what a server said of an export */
struct tbtf_export {
	uint64_t size;		/* bytes */
	uint16_t flags;		/* NBD_FLAG_ of nbd-proto.h */
};

/* -- nbd-client.c: a socket, up to the first request ---------------------- */

int tbtf_dial(const struct tbtf_address *address, uint16_t port, unsigned int ms);
int tbtf_nbd_greet(struct tbtf_stream *stream);
int tbtf_nbd_starttls(struct tbtf_stream *stream);
int tbtf_nbd_go(struct tbtf_stream *stream, const char *name, struct tbtf_export *ret);
int tbtf_nbd_write(struct tbtf_stream *stream, uint64_t offset, const void *data, uint32_t len);
int tbtf_nbd_trim(struct tbtf_stream *stream, uint64_t size);

/* -- attach.c: the kernel's nbd ------------------------------------------- */

struct tbtf_nbd;

/* struct tbtf_nbd_times - how long the kernel waits */
struct tbtf_nbd_times {
	uint64_t request_s;
	uint64_t dead_s;
};

int tbtf_nbd_open(struct tbtf_nbd **ret);
void tbtf_nbd_close(struct tbtf_nbd *nbd);
int tbtf_nbd_fd(const struct tbtf_nbd *nbd);
int tbtf_nbd_connect(struct tbtf_nbd *nbd, int socket, const struct tbtf_export *export,
		     const struct tbtf_nbd_times *times, const char *backend, int *ret_index);
int tbtf_nbd_again(struct tbtf_nbd *nbd, int index, int socket, const char *backend);
int tbtf_nbd_patience(struct tbtf_nbd *nbd, int index, uint64_t dead_s, const char *backend);
int tbtf_nbd_disconnect(struct tbtf_nbd *nbd, int index);
int tbtf_nbd_dead(struct tbtf_nbd *nbd, int *ret_index, size_t max);
int tbtf_nbd_backend(int index, char *ret, size_t size);
bool tbtf_nbd_connected(int index);

#endif /* _TBTFD_ATTACH_H */
