/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a reader of JSON, for lines that hold an object each
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_JSON_READ_H
#define _TBTF_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_LINE_MAX	16384	/* longer lines are refused */
#define JSON_FIELDS	160
#define JSON_DEPTH	8

struct json_field {
	char path[80];		/* "task.pid", "list.0" */
	const char *text;	/* of a string what it means; otherwise as it stands there */
	bool is_string;
};

/* One line, taken apart: every number, string and word with the keys that lead to it. */
struct json_line {
	struct json_field fields[JSON_FIELDS];
	unsigned int nr;
	char text[JSON_LINE_MAX];
};

/*
 * Take a line apart. False if it is no object, if it is too long, or if there is
 * more in it than there is room for. A NUL in a string becomes U+FFFD, as does
 * half of a surrogate pair.
 */
bool json_read_line(struct json_line *line, const char *text, size_t len);

/* What stands there as text, or NULL; null is NULL too. */
const char *json_text(const struct json_line *line, const char *path);

/* A number. What is below 0 or no integer is no u64. False: there is none. */
bool json_u64(const struct json_line *line, const char *path, uint64_t *ret);
bool json_s64(const struct json_line *line, const char *path, int64_t *ret);
bool json_double(const struct json_line *line, const char *path, double *ret);
bool json_is_true(const struct json_line *line, const char *path);

#endif /* _TBTF_JSON_READ_H */
