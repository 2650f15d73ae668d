/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - memory blocks: what the kernel was given while it runs, and whether it uses it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_BLOCKS_H
#define _TBTFD_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A struct page has 64 bytes, for 4096: a 64th of memory. */
#define TBTF_BLOCKS_TABLES	64

int tbtf_blocks_open(void);
uint64_t tbtf_blocks_kb(void);
bool tbtf_blocks_automatic(void);
void tbtf_blocks_ours(uint64_t at, uint64_t size);
uint64_t tbtf_blocks_offline_kb(void);
uint64_t tbtf_blocks_online(uint64_t most_kb);
pid_t tbtf_blocks_take_off(uint64_t at, uint64_t size);
uint64_t tbtf_blocks_parse_zones(const char *text);
uint64_t tbtf_blocks_kernel_kb(void);

#endif /* _TBTFD_BLOCKS_H */
