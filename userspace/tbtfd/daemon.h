/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what main.c calls, and how tbtfd ends
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_DAEMON_H
#define _TBTFD_DAEMON_H

#include <stdbool.h>

/* Those of the command where they mean the same, see tbtf(8); listed in tbtfd(8). */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_BAD_USAGE = 64,	/* the values of sysexits.h */
	EXIT_NO_MODULE = 69,
	EXIT_NOT_PERMITTED = 77,
	EXIT_BAD_CONFIG = 78,
};

struct tbtf_conf;

int tbtf_borrow_run(const struct tbtf_conf *conf, bool dry_run);
int tbtf_lend(const struct tbtf_conf *conf, bool dry_run);
int tbtf_watchdog_run(const struct tbtf_conf *conf, bool dry_run);
int tbtf_pki(int argc, char **argv);

#endif /* _TBTFD_DAEMON_H */
