/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the daemon's log: one line a message, on stderr
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_LOG_H
#define _TBTFD_LOG_H

#include <stdbool.h>

/* The numbers of syslog, which are those of sd-daemon(3). */
enum tbtf_log_level {
	TBTF_LOG_ERR = 3,
	TBTF_LOG_WARNING = 4,
	TBTF_LOG_NOTICE = 5,
	TBTF_LOG_INFO = 6,
	TBTF_LOG_DEBUG = 7,
};

void tbtf_log_open(const char *who);
void tbtf_log_verbose(void);
void tbtf_log(enum tbtf_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define tbtf_err(...)		tbtf_log(TBTF_LOG_ERR, __VA_ARGS__)
#define tbtf_warning(...)	tbtf_log(TBTF_LOG_WARNING, __VA_ARGS__)
#define tbtf_notice(...)	tbtf_log(TBTF_LOG_NOTICE, __VA_ARGS__)
#define tbtf_info(...)		tbtf_log(TBTF_LOG_INFO, __VA_ARGS__)
#define tbtf_debug(...)		tbtf_log(TBTF_LOG_DEBUG, __VA_ARGS__)

#endif /* _TBTFD_LOG_H */
