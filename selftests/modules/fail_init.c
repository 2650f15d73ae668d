// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: memory is refused to the init function of tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * insmod fail_init.ko, then for each load of tbtf write to its parameters first:
 * nth=N: the Nth thing that fault injection may refuse to tbtf's init is refused.
 * all=1: everything that /sys/kernel/debug/fail* is set to refuse to a task.
 * What the kernel allocates for the module before init is left alone. Afterwards
 * "left" is what was left of N: 0 says that a fault was injected; -1 that init
 * was not reached.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/string.h>

#ifdef CONFIG_FAULT_INJECTION
static unsigned int nth;
module_param(nth, uint, 0644);
MODULE_PARM_DESC(nth, "which one fails; 0: none");

static bool all;
module_param(all, bool, 0644);
MODULE_PARM_DESC(all, "the task of init counts as one that is made to fail");

static int left = -1;
module_param(left, int, 0644);
MODULE_PARM_DESC(left, "of nth, after init; 0: it has failed");

static struct task_struct *loads;	/* compared only */

static int tell(struct notifier_block *nb, unsigned long state, void *arg)
{
	struct module *mod = arg;

	if (strcmp(mod->name, "tbtf"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING) {
		loads = current;
		left = -1;
		current->make_it_fail = all;
		current->fail_nth = nth;
	} else if (loads == current) {
		/* LIVE or GOING: init is through, or failed. */
		left = current->fail_nth;
		current->fail_nth = 0;
		current->make_it_fail = 0;
		loads = NULL;
	}
	return NOTIFY_DONE;
}

/* The last to hear of it: what the others do then is not tbtf's. */
static struct notifier_block notifier = {
	.notifier_call = tell,
	.priority = INT_MIN,
};

static int __init fail_init_init(void)
{
	return register_module_notifier(&notifier);
}

static void __exit fail_init_exit(void)
{
	unregister_module_notifier(&notifier);
}
#else
static int __init fail_init_init(void)
{
	return -EOPNOTSUPP;
}

static void __exit fail_init_exit(void)
{
}
#endif

module_init(fail_init_init);
module_exit(fail_init_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: no memory for an init function");
MODULE_LICENSE("GPL");
