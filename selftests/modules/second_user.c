// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: somebody else who redirects a function
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * insmod second_user.ko func=NAME: with FTRACE_OPS_FL_IPMODIFY, of which a
 * function can have one user only. It does not change where the call goes.
 */
#include <linux/ftrace.h>
#include <linux/module.h>

#include "ksym.h"

static char *func;
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "the function");

static unsigned long addr;

static void notrace leave_it(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ops = {
	.func = leave_it,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};

static int __init second_user_init(void)
{
	return test_hook(&ops, func, &addr);
}

static void __exit second_user_exit(void)
{
	test_unhook(&ops, addr);
}

module_init(second_user_init);
module_exit(second_user_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a second user of a hooked function");
MODULE_LICENSE("GPL");
