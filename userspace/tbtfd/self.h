/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what a daemon that memory depends on does with itself, and how the node is
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_SELF_H
#define _TBTFD_SELF_H

#include <stdint.h>

#include "ledger.h"

struct tbtf_self_error {
	char text[256];
};

void tbtf_self_trial(void);
int tbtf_self_lock(struct tbtf_self_error *error);
int tbtf_self_last_to_die(struct tbtf_self_error *error);
int tbtf_self_memory(struct tbtf_memory *ret);

#endif /* _TBTFD_SELF_H */
