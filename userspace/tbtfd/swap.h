/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - swap devices: header, swapon, swapoff, what is in use
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_SWAP_H
#define _TBTFD_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "extent.h"

#define TBTF_SWAP_HEADER	4096	/* bytes: one page of every machine that this runs on */
#define TBTF_SWAP_FILE_LEN	256	/* of a swap file's name, or a device's */
#define TBTF_SWAPS_MAX		40	/* more swap devices than any kernel has */
/* The label of what is made for a steal, and of what is printed. */
#define TBTF_SWAP_LABEL		"tbtf"
#define TBTF_SWAP_PRINTED	"tbtf-print"

/* struct tbtf_swap - a line of /proc/swaps */
struct tbtf_swap {
	char device[TBTF_SWAP_FILE_LEN]; /* cut off if it is longer, and then none of ours */
	uint64_t size_kb;
	uint64_t used_kb;
};

int tbtf_swap_header(unsigned char header[TBTF_SWAP_HEADER], uint64_t kb,
		     const char *label);
bool tbtf_swap_labelled(const unsigned char header[TBTF_SWAP_HEADER], const char *label);
int tbtf_swap_on(const char *device, unsigned int priority);
int tbtf_swap_on_last(const char *file);
pid_t tbtf_swap_off(const char *device);
int tbtf_swap_parse(char *text, struct tbtf_swap *ret, size_t max);
int tbtf_swap_list(struct tbtf_swap *ret, size_t max);
int tbtf_swap_find(const char *file, struct tbtf_swap *ret);

#endif /* _TBTFD_SWAP_H */
