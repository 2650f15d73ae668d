// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the door for a process itself: PR_SET_TBTF, PR_GET_TBTF
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <linux/capability.h>

#include "tbtf.h"

/**
 * tbtf_prctl() - prctl(2), for tbtf's two options only
 * @option: PR_SET_TBTF or PR_GET_TBTF
 * @arg2: flags for PR_SET_TBTF, else 0
 * @arg3: 0
 * @arg4: 0
 * @arg5: 0
 *
 * Context: may sleep; before any security module has seen the call.
 * Return: see the uapi header, where each errno has its cause.
 */
int tbtf_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
	       unsigned long arg5)
{
	u32 role, flags;

	if (arg3 || arg4 || arg5)
		return -EINVAL;

	tbtf_mark_get(task_tgid(current), &role, &flags);
	if (option == PR_GET_TBTF)
		return arg2 ? -EINVAL : flags;

	if (arg2 & ~(unsigned long)(TBTF_ON | TBTF_LOCAL))
		return -EINVAL;
	if ((arg2 & TBTF_LOCAL) && !(arg2 & TBTF_ON))
		return -EINVAL;
	if (!arg2) {
		/* Its own mark only: spare and expendable were somebody else's word. */
		return role == TBTF_ROLE_TBTF ?
		       tbtf_mark_set(current, TBTF_ROLE_INHERIT, 0) : 0;
	}
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return tbtf_mark_set(current, TBTF_ROLE_TBTF, arg2);
}
