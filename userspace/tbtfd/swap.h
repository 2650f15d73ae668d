/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - swap devices: header, swapon, swapoff, what is in use
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_SWAP_H
#define _TBTFD_SWAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TBTF_SWAP_HEADER	4096	/* bytes: one page of every machine that this runs on */
#define TBTF_DEVICE_LEN		32

/* struct tbtf_swap - a line of /proc/swaps */
struct tbtf_swap {
	char device[TBTF_DEVICE_LEN];	/* cut off if it is longer, and then none of ours */
	uint64_t size_kb;
	uint64_t used_kb;
};

int tbtf_swap_header(unsigned char header[TBTF_SWAP_HEADER], uint64_t kb);
int tbtf_swap_on(const char *device, unsigned int priority);
pid_t tbtf_swap_off(const char *device);
int tbtf_swap_parse(char *text, struct tbtf_swap *ret, size_t max);
int tbtf_swap_list(struct tbtf_swap *ret, size_t max);

#endif /* _TBTFD_SWAP_H */
