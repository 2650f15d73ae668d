// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a reader of JSON, for lines that hold an object each
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The line is copied and taken apart in place: a string never gets longer by
 * what its escapes mean.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"

/* What a number, or true, false and null are made of. */
#define WORD	"+-.0123456789abcdefghijklmnopqrstuvwxyzE"

struct reader {
	struct json_line *line;
	char *at;
	char path[80];
	size_t path_len;
	unsigned int depth;
};

static bool value(struct reader *r);

static void blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

static int hex4(const char *s)
{
	int n = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			n = n << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return n;
}

static char *put_utf8(char *to, unsigned int c)
{
	if (!c || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		*to++ = c;
	} else if (c < 0x800) {
		*to++ = 0xc0 | c >> 6;
		*to++ = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*to++ = 0xe0 | c >> 12;
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	} else {
		*to++ = 0xf0 | c >> 18;
		*to++ = 0x80 | (c >> 12 & 0x3f);
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	}
	return to;
}

/* \uXXXX, of which two may make one character. NULL: there is none. */
static char *unicode(struct reader *r, char *to)
{
	int high = hex4(r->at), low;

	if (high < 0)
		return NULL;
	r->at += 4;
	if (high >= 0xd800 && high < 0xdc00 && r->at[0] == '\\' && r->at[1] == 'u') {
		low = hex4(r->at + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			r->at += 6;
			return put_utf8(to, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		}
	}
	return put_utf8(to, high);
}

/* Behind the first quote. NULL: it does not end. */
static char *string(struct reader *r)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	char *begin = r->at, *to = begin;
	const char *escape;

	for (;;) {
		if (!*r->at)
			return NULL;
		if (*r->at == '"')
			break;
		if (*r->at != '\\') {
			*to++ = *r->at++;
			continue;
		}
		r->at++;
		if (*r->at == 'u') {
			r->at++;
			to = unicode(r, to);
			if (!to)
				return NULL;
			continue;
		}
		escape = *r->at ? strchr(escapes, *r->at) : NULL;
		if (!escape)
			return NULL;
		*to++ = meanings[escape - escapes];
		r->at++;
	}
	r->at++;
	*to = '\0';
	return begin;
}

static bool add(struct reader *r, const char *text, bool is_string)
{
	struct json_field *field;

	if (r->line->nr == JSON_FIELDS)
		return false;
	field = &r->line->fields[r->line->nr++];
	memcpy(field->path, r->path, r->path_len);
	field->path[r->path_len] = '\0';
	field->text = text;
	field->is_string = is_string;
	return true;
}

/* The value behind a key; the path is afterwards as it was. */
static bool member(struct reader *r, const char *key)
{
	size_t len = r->path_len, more = strlen(key);
	bool ok;

	if (len + more + 2 > sizeof(r->path))
		return false;
	if (len)
		r->path[r->path_len++] = '.';
	memcpy(r->path + r->path_len, key, more);
	r->path_len += more;
	ok = value(r);
	r->path_len = len;
	return ok;
}

/* Behind the bracket: members up to the closing one. */
static bool members(struct reader *r, char close)
{
	unsigned int n = 0;
	char number[16];
	char *key;

	if (++r->depth > JSON_DEPTH)
		return false;
	blanks(r);
	if (*r->at == close) {
		r->at++;
		r->depth--;
		return true;
	}
	for (;;) {
		blanks(r);
		if (close == '}') {
			if (*r->at++ != '"')
				return false;
			key = string(r);
			blanks(r);
			if (!key || *r->at++ != ':')
				return false;
		} else {
			snprintf(number, sizeof(number), "%u", n++);
			key = number;
		}
		if (!member(r, key))
			return false;
		blanks(r);
		if (*r->at == close)
			break;
		if (*r->at++ != ',')
			return false;
	}
	r->at++;
	r->depth--;
	return true;
}

/* A number, true, false or null: kept apart by what follows, which stays. */
static bool word(struct reader *r)
{
	size_t len = strspn(r->at, WORD);

	if (!len || !add(r, r->at, false))
		return false;
	r->at += len;
	return true;
}

static bool value(struct reader *r)
{
	char *text;

	blanks(r);
	switch (*r->at) {
	case '{':
		r->at++;
		return members(r, '}');
	case '[':
		r->at++;
		return members(r, ']');
	case '"':
		r->at++;
		text = string(r);
		return text && add(r, text, true);
	}
	return word(r);
}

bool json_read_line(struct json_line *line, const char *text, size_t len)
{
	struct reader r = { .line = line, .at = line->text };

	line->nr = 0;
	if (len >= sizeof(line->text) || memchr(text, '\0', len))
		return false;
	memcpy(line->text, text, len);
	line->text[len] = '\0';
	blanks(&r);
	if (*r.at != '{' || !value(&r))
		return false;
	blanks(&r);
	if (*r.at)
		return false;
	/* Words end where they end only now: until here the comma behind was needed. */
	for (unsigned int i = 0; i < line->nr; i++) {
		struct json_field *field = &line->fields[i];
		char *word_text = line->text + (field->text - line->text);

		if (!field->is_string)
			word_text[strspn(word_text, WORD)] = '\0';
	}
	return true;
}

static const struct json_field *find(const struct json_line *line, const char *path)
{
	for (unsigned int i = 0; i < line->nr; i++)
		if (!strcmp(line->fields[i].path, path))
			return &line->fields[i];
	return NULL;
}

const char *json_text(const struct json_line *line, const char *path)
{
	const struct json_field *field = find(line, path);

	if (!field || (!field->is_string && !strcmp(field->text, "null")))
		return NULL;
	return field->text;
}

bool json_u64(const struct json_line *line, const char *path, uint64_t *ret)
{
	const struct json_field *field = find(line, path);
	unsigned long long number;
	char *end;

	if (!field || *field->text < '0' || *field->text > '9')
		return false;
	errno = 0;
	number = strtoull(field->text, &end, 10);
	if (errno || *end)
		return false;
	*ret = number;
	return true;
}

bool json_s64(const struct json_line *line, const char *path, int64_t *ret)
{
	const struct json_field *field = find(line, path);
	long long number;
	char *end;

	if (!field || field->is_string)
		return false;
	errno = 0;
	number = strtoll(field->text, &end, 10);
	if (errno || end == field->text || *end)
		return false;
	*ret = number;
	return true;
}

bool json_double(const struct json_line *line, const char *path, double *ret)
{
	const struct json_field *field = find(line, path);
	double number;
	char *end;

	if (!field || field->is_string)
		return false;
	number = strtod(field->text, &end);
	/* JSON has no infinities, and strtod() has words for them. */
	if (end == field->text || *end || !(number > -1e300 && number < 1e300))
		return false;
	*ret = number;
	return true;
}

bool json_is_true(const struct json_line *line, const char *path)
{
	const struct json_field *field = find(line, path);

	return field && !field->is_string && !strcmp(field->text, "true");
}
