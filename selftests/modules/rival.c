// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: it has taken a name that tbtf wants
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * insmod rival.ko what=device: the misc device tbtf
 * insmod rival.ko what=sysfs: the directory /sys/kernel/mm/tbtf
 */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>

#include "ksym.h"

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "device or sysfs");

static struct kobject *kobj;
static bool registered;

static const struct file_operations fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tbtf",
	.fops = &fops,
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
	}
	return err;
}

static void __exit rival_exit(void)
{
	if (registered)
		misc_deregister(&device);
	kobject_put(kobj);
}

module_init(rival_init);
module_exit(rival_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: a name is taken");
MODULE_LICENSE("GPL");
