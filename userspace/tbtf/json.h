/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a writer of JSON
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Valid JSON whatever the kernel's strings hold: control characters are
 * escaped, and a byte that is no UTF-8 becomes U+FFFD. In an array the key is
 * NULL.
 */
#ifndef _TBTF_JSON_H
#define _TBTF_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	int depth;
	bool line;		/* all in one line */
	bool comma;		/* something stands before, at this depth */
};

#define JSON_INIT(file)	{ .out = (file) }

void json_open(struct json *json, const char *key, char bracket);	/* '{' or '[' */
void json_close(struct json *json, char bracket);			/* '}' or ']' */
void json_string(struct json *json, const char *key, const char *value);
void json_string_n(struct json *json, const char *key, const char *value, size_t max);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* A decimal number as such, anything else as a string. */
void json_word(struct json *json, const char *key, const char *value);

#endif /* _TBTF_JSON_H */
