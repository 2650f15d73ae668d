/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - rungs two and three at one glance: what the borrower of this node tells
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_BORROWER_H
#define _TBTF_BORROWER_H

#include "json.h"

struct borrower;

/*
 * Ask tbtfd borrow. 0, and what it has told, to be freed; -ENOENT, -ECONNREFUSED: none is
 * running; -EACCES, -EPERM: not for this user; or another errno.
 */
int borrower_read(struct borrower **ret);

/* For people; @err: what borrower_read() said. */
void borrower_print(const struct borrower *b, int err);

/* An object "borrower", or null. */
void borrower_print_json(struct json *json, const struct borrower *b);

#endif /* _TBTF_BORROWER_H */
