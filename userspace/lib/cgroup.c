// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - roles and events of cgroups, by their memory.tbtf files
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tbtf.h"

/* Why there is no memory.tbtf: is it tbtf that is missing, or the controller? */
static int missing(int cgroup)
{
	return faccessat(cgroup, "memory.max", F_OK, 0) ? -EOPNOTSUPP : -ENODEV;
}

static int read_role(int cgroup, const char *name, uint32_t *ret_role)
{
	char text[32];
	ssize_t len = tbtf_read_at(cgroup, name, text, sizeof(text));

	if (len == -ENOENT)
		return missing(cgroup);
	if (len == -ERANGE)
		return -EPROTO;
	if (len < 0)
		return len;
	return tbtf_role_parse(text, ret_role) ? -EPROTO : 0;
}

int tbtf_cgroup_set_role(int cgroup, uint32_t role)
{
	const char *name = tbtf_role_name(role);
	int err;

	if (*name == '?')
		return -EINVAL;
	err = tbtf_write_at(cgroup, "memory.tbtf", name);
	return err == -ENOENT ? missing(cgroup) : err;
}

int tbtf_cgroup_get_role(int cgroup, uint32_t *ret_role, uint32_t *ret_effective)
{
	uint32_t role = 0, effective = 0;
	int err = 0;

	if (ret_role)
		err = read_role(cgroup, "memory.tbtf", &role);
	if (!err && ret_effective)
		err = read_role(cgroup, "memory.tbtf.effective", &effective);
	if (err)
		return err;
	if (ret_role)
		*ret_role = role;
	if (ret_effective)
		*ret_effective = effective;
	return 0;
}

int tbtf_cgroup_get_events(int cgroup, uint64_t *ret_sacrificed, uint64_t *ret_spared)
{
	unsigned long long sacrificed = 0, spared = 0, value;
	char text[256], *line, *rest = NULL;
	unsigned int seen = 0;
	ssize_t len;

	len = tbtf_read_at(cgroup, "memory.tbtf.events", text, sizeof(text));
	if (len == -ENOENT)
		return missing(cgroup);
	if (len < 0)
		return len == -ERANGE ? -EPROTO : len;
	/* Flat keyed: later modules may add keys, in any order. */
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *space = strchr(line, ' ');

		if (!space || tbtf_parse_u64(space + 1, &value))
			return -EPROTO;
		*space = '\0';
		if (!strcmp(line, "sacrificed")) {
			sacrificed = value;
			seen |= 1;
		} else if (!strcmp(line, "spared")) {
			spared = value;
			seen |= 2;
		}
	}
	if (seen != 3)
		return -EPROTO;
	*ret_sacrificed = sacrificed;
	*ret_spared = spared;
	return 0;
}
