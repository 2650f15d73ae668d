// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the counters, one file each below stats/
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <linux/sysfs.h>

#include "tbtf.h"

atomic64_t tbtf_stats[TBTF_STAT_NR];

struct stat_attribute {
	struct kobj_attribute attr;
	enum tbtf_stat stat;
};

static ssize_t stat_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct stat_attribute *stat = container_of(attr, struct stat_attribute, attr);

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(&tbtf_stats[stat->stat]));
}

static ssize_t open_episodes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", tbtf_episode_open());
}

static struct kobj_attribute open_episodes_attr = __ATTR_RO(open_episodes);

#define STAT_ATTRIBUTE(_name, when)						\
	[TBTF_STAT_##_name] = {							\
		.attr = __ATTR(_name, 0444, stat_show, NULL),			\
		.stat = TBTF_STAT_##_name,					\
	},
static struct stat_attribute attributes[] = { TBTF_STATS(STAT_ATTRIBUTE) };

#define STAT_POINTER(_name, when)	&attributes[TBTF_STAT_##_name].attr.attr,
static struct attribute *pointers[] = {
	&open_episodes_attr.attr,
	TBTF_STATS(STAT_POINTER)
	NULL
};

const struct attribute_group tbtf_stats_group = {
	.name = "stats",
	.attrs = pointers,
};
