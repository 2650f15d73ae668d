// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: a CPU that is kept for too long
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Loading it takes the CPU for so many seconds without a chance for anybody
 * else: what a walk over too many processes would look like.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/processor.h>

static unsigned int seconds = 15;
module_param(seconds, uint, 0);
MODULE_PARM_DESC(seconds, "how long");

static int __init spin_init(void)
{
	unsigned long end = jiffies + seconds * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
	return 0;
}

static void __exit spin_exit(void)
{
}

module_init(spin_init);
module_exit(spin_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a soft lockup");
MODULE_LICENSE("GPL");
