// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: a function of the kernel refuses to serve tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * insmod refuse.ko func=NAME ret=N: then, for each load of tbtf, write to nth:
 * the nth call of that function by tbtf itself does nothing and gives ret. All
 * other callers are left alone. "calls" is how often tbtf has called it since it
 * began to load.
 */
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include "ksym.h"

static char *func;
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "the function");

static long ret;
module_param(ret, long, 0444);
MODULE_PARM_DESC(ret, "what it gives");

static unsigned int nth;
module_param(nth, uint, 0644);
MODULE_PARM_DESC(nth, "which call of tbtf's; 0: none");

static unsigned int calls;
module_param(calls, uint, 0444);
MODULE_PARM_DESC(calls, "of tbtf's");

/* v6.2 gave it another name. */
#ifdef ftrace_instruction_pointer_set
#define set_ip ftrace_instruction_pointer_set
#else
#define set_ip ftrace_regs_set_instruction_pointer
#endif

static unsigned long addr;
static struct module *tbtf;	/* from the moment it loads until it is gone */

static noinline notrace unsigned long refused(void)
{
	return ret;
}

static void notrace redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	struct module *mod = READ_ONCE(tbtf);

	/* It loads on one CPU, and nothing of this is called by two of its tasks. */
	if (!mod || !within_module(parent_ip, mod) || ++calls != nth)
		return;
	set_ip(fregs, (unsigned long)refused);
}

static struct ftrace_ops ops = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};

static int tell(struct notifier_block *nb, unsigned long state, void *arg)
{
	struct module *mod = arg;

	if (strcmp(mod->name, "tbtf"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING) {
		calls = 0;
		WRITE_ONCE(tbtf, mod);
	} else if (state == MODULE_STATE_GOING) {
		WRITE_ONCE(tbtf, NULL);
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = {
	.notifier_call = tell,
};

static int __init refuse_init(void)
{
	int err = test_hook(&ops, func, &addr);

	if (err)
		return err;
	err = register_module_notifier(&notifier);
	if (err)
		test_unhook(&ops, addr);
	return err;
}

static void __exit refuse_exit(void)
{
	unregister_module_notifier(&notifier);
	test_unhook(&ops, addr);
}

module_init(refuse_init);
module_exit(refuse_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a function of the kernel refuses");
MODULE_LICENSE("GPL");
