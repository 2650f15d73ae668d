// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: a live patch of a function that tbtf hooks
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * It replaces security_task_prctl with one that asks no security module, which
 * is what the original comes to in the test VM.
 */
#include <linux/errno.h>
#include <linux/livepatch.h>
#include <linux/module.h>

static int patched(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
		   unsigned long arg5)
{
	return -ENOSYS;
}

static struct klp_func funcs[] = {
	{ .old_name = "security_task_prctl", .new_func = patched },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init live_patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit live_patch_exit(void)
{
}

module_init(live_patch_init);
module_exit(live_patch_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a live patch");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
