// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lender tells the module what is here and would be lost with the machine
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * On an open /dev/tbtf, which the kernel closes if this process dies: then what it held
 * is gone, and holds up nothing any more. It is open only while something is lent, for it
 * keeps the module from being unloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/tbtf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lend.h"
#include "log.h"

static int dev = -1;
static uint64_t told_kb;
static int failed;		/* what was said already */

static void fails(int err)
{
	if (failed == err)
		return;
	failed = err;
	/* Without the module nobody takes this machine down for want of memory. */
	if (err == ENOENT || err == ENXIO || err == ENODEV)
		return;
	tbtf_warning("the module cannot be told what is lent, and may panic for want of memory: /dev/tbtf: %s%s",
		     strerror(err), err == ENOTTY ? " (it is too old)" : "");
}

/**
 * tbtf_lend_hold() - as long as memory is lent, this machine is not to panic by tbtf
 * @lender: the lender: its ledger, and what the configuration says
 *
 * Context: each time that something was promised, or has come back, and each second: the
 * module may be loaded at any time.
 */
void tbtf_lend_hold(struct tbtf_lender *lender)
{
	struct tbtf_lending lending = { .held_kb = tbtf_ledger_promised(&lender->ledger) };

	if (lender->conf->lend.panic_while_lending)
		return;
	if (lending.held_kb > TBTF_GRANT_MAX_KB)
		lending.held_kb = TBTF_GRANT_MAX_KB;
	if (lending.held_kb == (dev < 0 ? 0 : told_kb))
		return;
	if (!lending.held_kb) {
		(void)close(dev);
		dev = -1;
		return;
	}
	if (dev < 0)
		dev = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		fails(errno);
		return;
	}
	if (ioctl(dev, TBTF_IOC_LENDING, &lending)) {
		fails(errno);
		(void)close(dev);
		dev = -1;
		return;
	}
	tbtf_debug("the module knows of %" PRIu64 " kB that are lent", (uint64_t)lending.held_kb);
	told_kb = lending.held_kb;
	failed = 0;
}
