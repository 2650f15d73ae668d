/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the borrower's own memory, and how the machine's stands
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_MEMORY_H
#define _TBTFD_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "extent.h"

#define TBTF_RUN_DIR		"/run/tbtf"

int tbtf_memory_lock(void);
int tbtf_memory_first(void);
int tbtf_memory_raise(uint64_t said_kb);
int tbtf_memory_restore(void);
int tbtf_memory_ballast(uint64_t kb);
void tbtf_memory_ballast_free(void);
bool tbtf_memory_ballast_held(void);
int tbtf_memory_room(struct tbtf_room *ret);

#endif /* _TBTFD_MEMORY_H */
