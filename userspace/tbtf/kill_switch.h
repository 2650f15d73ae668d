/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the kill switch
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_KILL_SWITCH_H
#define _TBTF_KILL_SWITCH_H

/*
 * Switch tbtf off, or with standby wait for a line on stdin first. Prints what
 * happened and returns an exit code. Needs no memory but the caller's own: no
 * libc, no allocation, one file, a page of stack.
 */
int tbtf_kill_switch(int standby);

#endif /* _TBTF_KILL_SWITCH_H */
