// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - whatever bytes, as what the hypervisor's monitor says
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Line by line as a message is read, and what it returns as the list of memory devices:
 * what is accepted of that has to be a machine that there can be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/tbtfd/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_devices(struct json_object *value)
{
	static struct tbtf_qmp_device device[4];
	char why[TBTF_QMP_WHY];
	int n = tbtf_qmp_devices(value, device, 4, why);

	if (n > 4)
		abort();
	for (int i = 0; i < n; i++)
		if (device[i].size > device[i].max || device[i].requested > device[i].max ||
		    device[i].at + device[i].max < device[i].at || device[i].max > INT64_MAX ||
		    strlen(device[i].id) >= sizeof(device[i].id))
			abort();
}

static void try_line(const char *line, size_t len)
{
	struct tbtf_qmp_message message;
	char why[TBTF_QMP_WHY] = "";

	if (tbtf_qmp_parse(line, len, "id", &message, why)) {
		if (!*why || message.line)
			abort();
		return;
	}
	for (const char *at = message.text; *at; at++)
		if (*at < ' ' || *at > '~')
			abort();
	if (message.kind == TBTF_QMP_RETURN)
		try_devices(message.value);
	tbtf_qmp_done(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line, *end;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	for (line = text; (end = memchr(line, '\n', text + size - line)); line = end + 1) {
		*end = 0;
		try_line(line, end - line);
	}
	free(text);
	return 0;
}
