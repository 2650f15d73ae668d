/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - pages that only this node can read: dm-crypt, and the key's short life
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_CRYPT_H
#define _TBTFD_CRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "swap.h"

/* AES-256 in XTS mode: two keys of 256 bits. */
#define TBTF_CRYPT_KEY		64
/* "tbtf-" and eight hex digits. */
#define TBTF_CRYPT_NAME		16

/* struct tbtf_crypt_key - a key, for as long as a device is made: then it is the kernel's */
struct tbtf_crypt_key {
	unsigned char bytes[TBTF_CRYPT_KEY];
};

int tbtf_crypt_new_key(struct tbtf_crypt_key *ret);
void tbtf_crypt_wipe(struct tbtf_crypt_key *key);
int tbtf_crypt_header(const struct tbtf_crypt_key *key, unsigned char header[TBTF_SWAP_HEADER]);
int tbtf_crypt_open(uint32_t id, const char *below, uint64_t kb, const struct tbtf_crypt_key *key,
		    char ret_device[TBTF_DEVICE_LEN]);
int tbtf_crypt_close(const char *device);

#endif /* _TBTFD_CRYPT_H */
