/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a line of JSON from somebody who is believed nothing
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_JSON_LINE_H
#define _TBTFD_JSON_LINE_H

#include <json-c/json.h>
#include <stddef.h>

struct json_object *tbtf_json_line(const char *line, size_t len, size_t max, int depth, char *why,
				   size_t size);

#endif /* _TBTFD_JSON_LINE_H */
