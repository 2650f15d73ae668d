// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the calling process's own mark, by prctl(2)
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <sys/prctl.h>

#include "tbtf.h"

int tbtf_self_get(uint32_t *ret_flags)
{
	int flags = prctl(PR_GET_TBTF, 0, 0, 0, 0);

	/* Asked like this, a kernel that has tbtf never says EINVAL. */
	if (flags < 0)
		return errno == EINVAL ? -ENODEV : -errno;
	*ret_flags = flags;
	return 0;
}

int tbtf_self_set(uint32_t flags)
{
	uint32_t now;
	int err;

	if (!prctl(PR_SET_TBTF, (unsigned long)flags, 0, 0, 0))
		return 0;
	err = errno;
	/* EINVAL is said of bad flags, and by every kernel without tbtf. */
	if (err == EINVAL && tbtf_self_get(&now) == -ENODEV)
		return -ENODEV;
	return -err;
}
