// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - /sys/kernel/mm/tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "tbtf.h"

static struct kobject *tbtf_kobj;

static ssize_t features_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	u32 features = tbtf_hook_features();
	unsigned int i;
	int n = 0;

	for (i = 0; tbtf_feature_names[i]; i++)
		n += sysfs_emit_at(buf, n, "%s%s%s", i ? " " : "", features & BIT(i) ? "" : "-",
				   tbtf_feature_names[i]);
	return n + sysfs_emit_at(buf, n, "\n");
}

static ssize_t marked_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(tbtf_nr_marks));
}

static ssize_t stage_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	static const char *const names[] = {
		[TBTF_STAGE_IDLE]	= "idle",
		[TBTF_STAGE_SACRIFICE]	= "sacrifice",
		[TBTF_STAGE_STEAL]	= "steal",
		[TBTF_STAGE_PRINT]	= "print",
		[TBTF_STAGE_EXHAUSTED]	= "exhausted",
	};

	return sysfs_emit(buf, "%s\n", names[tbtf_episode_stage()]);
}

static ssize_t abi_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", TBTF_ABI_VERSION);
}

static ssize_t helper_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", tbtf_helper_nr());
}

static ssize_t helper_rungs_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	u32 rungs = READ_ONCE(tbtf_helper_rungs);

	return sysfs_emit(buf, "%ssteal %sprint\n", rungs & TBTF_RUNG_STEAL ? "" : "-",
			  rungs & TBTF_RUNG_PRINT ? "" : "-");
}

static ssize_t reserve_held_kb_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tbtf_lastresort_held_kb());
}

static ssize_t lent_kb_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tbtf_hold_lent_kb());
}

static struct kobj_attribute features_attr = __ATTR_RO(features);
static struct kobj_attribute marked_attr = __ATTR_RO(marked);
static struct kobj_attribute stage_attr = __ATTR_RO(stage);
static struct kobj_attribute abi_attr = __ATTR_RO(abi);
static struct kobj_attribute helper_attr = __ATTR_RO(helper);
static struct kobj_attribute helper_rungs_attr = __ATTR_RO(helper_rungs);
static struct kobj_attribute reserve_held_kb_attr = __ATTR_RO(reserve_held_kb);
static struct kobj_attribute lent_kb_attr = __ATTR_RO(lent_kb);

static struct attribute *info_attrs[] = {
	&features_attr.attr,
	&marked_attr.attr,
	&stage_attr.attr,
	&abi_attr.attr,
	&helper_attr.attr,
	&helper_rungs_attr.attr,
	&reserve_held_kb_attr.attr,
	&lent_kb_attr.attr,
	NULL
};

static const struct attribute_group info_group = {
	.attrs = info_attrs,
};

static const struct attribute_group *groups[] = {
	&tbtf_knob_group,
	&info_group,
	&tbtf_stats_group,
	&tbtf_economy_group,
	NULL
};

static void free_kobj(struct kobject *kobj)
{
	kfree(kobj);
}

static const struct kobj_type tbtf_ktype = {
	.release = free_kobj,
	.sysfs_ops = &kobj_sysfs_ops,
};

/**
 * tbtf_sysfs_setup() - make the directory and its files
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EEXIST; -ENOENT if /sys/kernel/mm is not found.
 */
int __init tbtf_sysfs_setup(void)
{
	/* Exported by some kernels only. */
	struct kobject **mm = (struct kobject **)tbtf_ksym_data("mm_kobj");
	struct kobject *kobj;
	int err;

	if (!mm) {
		pr_err("this kernel has no mm_kobj; not loading\n");
		return -ENOENT;
	}
	kobj = kzalloc(sizeof(*kobj), GFP_KERNEL);
	if (!kobj)
		return -ENOMEM;
	err = kobject_init_and_add(kobj, &tbtf_ktype, *mm, "tbtf");
	if (!err)
		err = sysfs_create_groups(kobj, groups);
	if (err) {
		pr_err("cannot make /sys/kernel/mm/tbtf: %d; not loading\n", err);
		kobject_put(kobj);
		return err;
	}
	WRITE_ONCE(tbtf_kobj, kobj);
	return 0;
}

/**
 * tbtf_sysfs_foretold() - wake who polls economy/left_ms
 *
 * Context: may sleep; not once tbtf_sysfs_teardown() has begun.
 */
void tbtf_sysfs_foretold(void)
{
	struct kobject *kobj = READ_ONCE(tbtf_kobj);

	if (kobj)
		sysfs_notify(kobj, "economy", "left_ms");
}

/**
 * tbtf_sysfs_teardown() - remove them
 *
 * Context: may sleep; when it returns, no reader or writer is in them.
 */
void tbtf_sysfs_teardown(void)
{
	sysfs_remove_groups(tbtf_kobj, groups);
	kobject_put(tbtf_kobj);
}
