/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what tbtfd tells on its control sockets, an object of JSON a line
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_DAEMON_H
#define _TBTF_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd.h"
#include "json_read.h"

/* struct daemon - which of the two, for dialling and for people */
struct daemon {
	const char *socket, *role, *unit;
};

extern const struct daemon daemon_borrow, daemon_lend;

/* struct daemon_kind - an object of an answer. @first: the last one was of another kind */
struct daemon_kind {
	const char *name;
	void (*print)(const struct json_line *line, bool first);
};

/*
 * A command that asks a daemon for its status, and has each object printed, or, with
 * --json, the lines as they come. @kinds ends with one without a name. Says what is wrong.
 * Returns the exit code.
 */
int daemon_cmd(const struct cmd *cmd, int argc, char **argv, const struct daemon *daemon,
	       const struct daemon_kind *kinds);

/*
 * Ask, and have @each called with each line of the answer. 0; or an errno: -ENOENT,
 * -ECONNREFUSED: it does not run; -EPROTO: it says nothing.
 */
int daemon_ask(const struct daemon *daemon, int (*each)(const char *text, size_t len, void *arg),
	       void *arg);

/* Of a line: a number or 0; as a size; how long since that; text of a width. */
uint64_t daemon_number(const struct json_line *line, const char *key);
const char *daemon_size(const struct json_line *line, const char *key, char buf[16]);
const char *daemon_ago(uint64_t since, char buf[16]);
void daemon_put(const struct json_line *line, const char *key, int width);

#endif /* _TBTF_DAEMON_H */
