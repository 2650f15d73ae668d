// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: it has taken what tbtf wants
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * insmod rival.ko what=device: the misc device tbtf
 * insmod rival.ko what=sysfs: the directory /sys/kernel/mm/tbtf
 * insmod rival.ko what=cgroup: the files memory.tbtf
 * insmod rival.ko what=prctl: security_task_prctl, in a way that ftrace does not
 * know of: a kprobe that lets every call go on behind the patched entry
 */
#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/kobject.h>
#include <linux/kprobes.h>
#include <linux/memcontrol.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>

#include "ksym.h"

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "device, sysfs, cgroup or prctl");

static struct kobject *kobj;
static bool registered, probed, added;

static const struct file_operations fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tbtf",
	.fops = &fops,
};

static int shown(struct seq_file *seq, void *unused)
{
	return 0;
}

static struct cftype files[] = {
	{ .name = "tbtf", .flags = CFTYPE_NOT_ON_ROOT, .seq_show = shown },
	{ }
};

/* As another user of kprobes does that replaces a function: the last one wins. */
static int go_on(struct kprobe *kp, struct pt_regs *regs)
{
	regs->ip = (unsigned long)kp->addr + MCOUNT_INSN_SIZE;
	return 1;
}

static struct kprobe kp = {
	.symbol_name = "security_task_prctl",
	.pre_handler = go_on,
};

static int __init rival_init(void)
{
	struct kobject **mm = (struct kobject **)test_data("mm_kobj");
	int err = -EINVAL;

	if (!mm)
		return -ENOENT;
	if (!strcmp(what, "device")) {
		err = misc_register(&device);
		registered = !err;
	} else if (!strcmp(what, "sysfs")) {
		kobj = kobject_create_and_add("tbtf", *mm);
		err = kobj ? 0 : -EEXIST;
	} else if (!strcmp(what, "cgroup")) {
		err = test_call(test_text("cgroup_add_dfl_cftypes"),
				(unsigned long)&memory_cgrp_subsys, (unsigned long)files, 0);
		added = !err;
	} else if (!strcmp(what, "prctl")) {
		err = register_kprobe(&kp);
		probed = !err;
	}
	return err;
}

static void __exit rival_exit(void)
{
	if (registered)
		misc_deregister(&device);
	if (probed)
		unregister_kprobe(&kp);
	if (added)
		test_call(test_text("cgroup_rm_cftypes"), (unsigned long)files, 0, 0);
	kobject_put(kobj);
}

module_init(rival_init);
module_exit(rival_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: what tbtf wants is taken");
MODULE_LICENSE("GPL");
