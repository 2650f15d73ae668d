/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - crashes of this machine that are on record
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_CRASHES_H
#define _TBTF_CRASHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "klog.h"

/* One crash: what the panic said, and the end of the log before it. */
struct crash {
	char source[4096];		/* where it stands */
	double time;			/* of day; 0: not known */
	char reason[640];		/* of the panic, as it was said */
	bool ours;
	struct klog_panic panic;	/* if it is ours */
	uint64_t waited_ms;		/* without anybody to kill, if the log has it */
	char scope[192];		/* likewise, or "" */
	struct klog_event *kills;	/* KLOG_SACRIFICE of its episode, oldest first */
	size_t nr_kills;
};

struct crashes {
	struct crash *crash;		/* newest first */
	size_t nr;
	char denied[4096];		/* a place that could not be looked into, or "" */
};

/*
 * What pstore has, what systemd-pstore and kdump have put away, and, if none of them has
 * anything, what the journal of the boot before ends with. 0 or -ENOMEM.
 */
int crashes_read(struct crashes *ret);

/* One file: a console's log, say. 0 or -errno; -ENODATA: no panic in it. */
int crashes_read_file(struct crashes *ret, const char *path);

void crashes_free(struct crashes *crashes);

/* Is there anything that keeps the kernel's last words? Its name in ret, or "". */
bool crashes_kept(char ret[64]);

#endif /* _TBTF_CRASHES_H */
