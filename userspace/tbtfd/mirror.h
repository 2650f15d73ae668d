/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - two devices that hold the same: md's raid1, without a superblock
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_MIRROR_H
#define _TBTFD_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "swap.h"

/* What a member has beyond what is mirrored: the bitmap of what may differ. */
#define TBTF_MIRROR_EXTRA_KB	64
/*
 * Seconds for which a leg of a mirror waits for a new connection: a lender that only
 * hung up is dialled again within that time. The other copy is there, and who waits
 * for a page does not have to wait for this one.
 */
#define TBTF_MIRROR_DEAD_S	1

enum tbtf_member {
	TBTF_MEMBER_NONE,	/* it is not in the mirror */
	TBTF_MEMBER_SYNC,	/* it holds all that the mirror holds */
	TBTF_MEMBER_COPYING,	/* it will */
	TBTF_MEMBER_FAULTY,	/* the kernel does not use it any more */
};

/* struct tbtf_mirror - one, as the kernel has it */
struct tbtf_mirror {
	bool broken;		/* the last member failed: the kernel takes no writes any more */
	int percent;		/* copied, or -1: nothing is being copied */
};

void tbtf_mirror_bitmap(unsigned char page[TBTF_SWAP_HEADER], uint64_t kb);
int tbtf_mirror_make(uint32_t id, const int index[2], const bool last[2], uint64_t kb,
		     char ret_device[TBTF_DEVICE_LEN]);
int tbtf_mirror_stop(const char *device);
int tbtf_mirror_add(const char *device, int index);
int tbtf_mirror_add_again(const char *device, int index);
int tbtf_mirror_fail(const char *device, int index);
int tbtf_mirror_remove(const char *device, int index);
int tbtf_mirror_look(const char *device, struct tbtf_mirror *ret);
enum tbtf_member tbtf_mirror_member(const char *device, int index);

#endif /* _TBTFD_MIRROR_H */
