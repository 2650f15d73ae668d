// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a line of JSON from somebody who is believed nothing
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <stdio.h>

#include "json-line.h"

/**
 * tbtf_json_line() - read an object
 * @line: with a 0 after it
 * @len: of it, without that
 * @max: a line is shorter than this
 * @depth: of objects and lists in each other, at the most
 * @why: what is wrong with it
 * @size: of @why
 *
 * Nothing may stand around the object, and no 0 within the line.
 *
 * Return: the object, for json_object_put(); NULL: it is none, see @why.
 */
struct json_object *tbtf_json_line(const char *line, size_t len, size_t max, int depth, char *why,
				   size_t size)
{
	struct json_tokener *tokener;
	struct json_object *object;
	enum json_tokener_error error;

	if (len >= max) {
		(void)snprintf(why, size, "a line of %zu bytes: %zu are allowed", len, max);
		return NULL;
	}
	tokener = json_tokener_new_ex(depth);
	if (!tokener) {
		(void)snprintf(why, size, "no memory");
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* With its 0: a number at the end would be waited on for more digits. */
	object = json_tokener_parse_ex(tokener, line, len + 1);
	error = json_tokener_get_error(tokener);
	if (error != json_tokener_success)
		(void)snprintf(why, size, "no JSON: %s", json_tokener_error_desc(error));
	else if (json_tokener_get_parse_end(tokener) < len)
		(void)snprintf(why, size, "a zero on the line");
	else if (!json_object_is_type(object, json_type_object))
		(void)snprintf(why, size, "not a JSON object");
	else
		goto out;
	json_object_put(object);
	object = NULL;
out:
	json_tokener_free(tokener);
	return object;
}
