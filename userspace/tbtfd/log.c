// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the daemon's log: one line a message, on stderr
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A message is made on the stack and written with one write(2): nothing is
 * allocated, so that the path of a steal may say what it does. Under systemd
 * (JOURNAL_STREAM) a line begins with its level, as sd-daemon(3) has it; on a
 * terminal it begins with the program's name instead.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

static const char *name = "tbtfd";
static bool journal;
static enum tbtf_log_level least = TBTF_LOG_INFO;

/**
 * tbtf_log_open() - say who writes, and find out to whom
 * @who: the program and what it does ("tbtfd borrow"); stays where it is
 *
 * Context: once, before any thread.
 */
void tbtf_log_open(const char *who)
{
	name = who;
	journal = getenv("JOURNAL_STREAM");
}

/**
 * tbtf_log_verbose() - write messages of TBTF_LOG_DEBUG, too
 *
 * Context: once, before any thread.
 */
void tbtf_log_verbose(void)
{
	least = TBTF_LOG_DEBUG;
}

/**
 * tbtf_log() - write one line
 * @level: how grave it is
 * @format: as printf(3), without the newline; what is over a kilobyte is cut off
 *
 * Context: any thread; allocates nothing. errno stays as it was.
 */
void tbtf_log(enum tbtf_log_level level, const char *format, ...)
{
	int saved = errno, len, more;
	char line[1024];
	va_list args;

	if (level > least)
		return;
	if (journal)
		len = snprintf(line, sizeof(line), "<%d>", level);
	else
		len = snprintf(line, sizeof(line), "%s: ", name);
	va_start(args, format);
	more = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	if (more < 0)
		more = 0;
	len += more;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* What others sent may stand in it: one message stays one line. */
	for (int i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
	errno = saved;
}
