/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - contain: swap for a marked cgroup, and for nobody else
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_CONTAIN_H
#define _TBTF_CONTAIN_H

#include <stdbool.h>
#include <stdint.h>

#define CONTAIN_HELP							\
	"  -C, --contain           keep all other cgroups from swapping, until it is\n" \
	"                          cleared: only these pages leave memory\n"	\
	"  -B, --brake KB          with --contain: memory.high of this cgroup\n"

/**
 * struct contain - what is asked for
 * @wanted: whether it is
 * @dry_run: say what would be written, and write nothing
 * @brake_kb: memory.high of the marked cgroup; 0: as it is
 */
struct contain {
	bool wanted;
	bool dry_run;
	uint64_t brake_kb;
};

/* An amount in KiB: digits. 0 or -EINVAL. */
int tbtf_contain_brake(const char *text, uint64_t *ret_kb);

/*
 * Keep all cgroups from swapping but this one, whose directory is open, and those that
 * are too big to fail themselves. All or nothing. 0 or an exit code, which has been
 * explained.
 */
int tbtf_contain(int cgroup, const char *path, const struct contain *contain);

/* The opposite, if it was done; and of cgroups that are gone. 0 or an exit code. */
int tbtf_contain_undo(int cgroup);

#endif /* _TBTF_CONTAIN_H */
