// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a writer of JSON
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <string.h>

#include "cmd.h"
#include "json.h"

static void put_string(struct json *json, const char *value, size_t max)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t left = strnlen(value, max), len;

	fputc('"', json->out);
	for (; left; s += len, left -= len) {
		len = 1;
		if (*s == '"' || *s == '\\') {
			fprintf(json->out, "\\%c", *s);
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(json->out, "\\u%04x", *s);
		} else {
			len = tbtf_utf8_len(s, left);
			if (len)
				fwrite(s, 1, len, json->out);
			else
				fputs("\\ufffd", json->out);
			len += !len;
		}
	}
	fputc('"', json->out);
}

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		fputs(json->line ? ", " : ",", json->out);
	if (json->depth && !json->line)
		fprintf(json->out, "\n%*s", json->depth * 2, "");
	json->comma = true;
	if (key) {
		put_string(json, key, SIZE_MAX);
		fputs(": ", json->out);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->comma && !json->line)
		fprintf(json->out, "\n%*s", json->depth * 2, "");
	fputc(bracket, json->out);
	json->comma = true;
	if (!json->depth)
		fputc('\n', json->out);
}

void json_string_n(struct json *json, const char *key, const char *value, size_t max)
{
	begin(json, key);
	put_string(json, value, max);
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_string_n(json, key, value, SIZE_MAX);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%lld", (long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}

void json_word(struct json *json, const char *key, const char *value)
{
	size_t len = strspn(value, "0123456789");

	/* No leading zeros in JSON, and nothing longer than a u64 in ours. */
	if (!len || value[len] || len > 19 || (*value == '0' && len > 1)) {
		json_string(json, key, value);
		return;
	}
	begin(json, key);
	fputs(value, json->out);
}
