// SPDX-License-Identifier: GPL-2.0
/* ftrace that redirects a function: FTRACE_OPS_FL_IPMODIFY and PERMANENT, ftrace_set_filter_ip() */
#include <linux/ftrace.h>

static void redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ops = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static int attach(unsigned long ip)
{
	return ftrace_set_filter_ip(&ops, ip + MCOUNT_INSN_SIZE, 0, 0) +
	       register_ftrace_function(&ops) + unregister_ftrace_function(&ops);
}
