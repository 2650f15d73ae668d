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
	int err;

	addr = func ? test_text(func) : 0;
	if (!addr) {
		pr_err("second_user: func=%s: no such function\n", func ?: "");
		return -ENOENT;
	}
	err = ftrace_set_filter_ip(&ops, addr, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&ops);
	if (err)
		ftrace_set_filter_ip(&ops, addr, 1, 0);
	return err;
}

static void __exit second_user_exit(void)
{
	unregister_ftrace_function(&ops);
	ftrace_set_filter_ip(&ops, addr, 1, 0);
}

module_init(second_user_init);
module_exit(second_user_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a second user of a hooked function");
MODULE_LICENSE("GPL");
