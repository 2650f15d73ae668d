/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the borrower: what its control socket tells of it
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_BORROW_H
#define _TBTFD_BORROW_H

#include <systemd/sd-event.h>

#include "lenders.h"

#define TBTF_BORROW_SOCKET	"/run/tbtf/borrow.sock"

/**
 * struct tbtf_borrower - the main thread's
 * @line: shared with the lenders' thread
 * @ballast_kb: with what the CPUs keep of it
 * @used_kb: of each extent that is swap, as of the last look
 * @requests, @granted, @refused: of the kernel, since the start
 * @granted_kb: by all that were granted
 * @last_us: from the last request that was granted to its answer
 * @low_since_ms: pressure has been low since; 0: it is not
 */
struct tbtf_borrower {
	struct tbtf_line line;
	uint64_t ballast_kb;
	uint64_t used_kb[TBTF_EXTENTS];
	uint64_t requests, granted, refused;
	uint64_t granted_kb;
	uint64_t last_us;
	int64_t low_since_ms;
};

int tbtf_borrow_prepare(const struct tbtf_conf *conf, uint64_t *ret_ballast_kb);
int tbtf_borrow_plan(const struct tbtf_conf *conf);
int tbtf_control_open(sd_event *event, struct tbtf_borrower *borrower);
void tbtf_control_backed(void);
void tbtf_control_close(void);

#endif /* _TBTFD_BORROW_H */
