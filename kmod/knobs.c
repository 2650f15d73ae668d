// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the knobs: one table for sysfs and for the module parameters
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A knob is a number within bounds, or one of a few words. What is not taken
 * is refused with EINVAL and changes nothing.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "tbtf.h"

#define UNSET	UINT_MAX	/* to be reckoned at load from the size of the machine */

struct tbtf_knobs tbtf_knobs = {
	.enabled		= 1,
	.dry_run		= 0,
	.substitute		= TBTF_SUBSTITUTE_CHOSEN,
	.policy			= TBTF_POLICY_UNIFORM,
	.min_victim_kb		= UNSET,
	.max_kills		= TBTF_MAX_KILLS,
	.max_marks		= TBTF_MAX_MARKS,
	.nap_ms			= TBTF_NAP_MS,
	.episode_idle_ms	= TBTF_EPISODE_IDLE_MS,
	.ladder_deadline_ms	= TBTF_LADDER_DEADLINE_MS,
	.on_exhausted		= TBTF_EXHAUSTED_KILL,
	.on_exhausted_memcg	= TBTF_EXHAUSTED_MEMCG_KILL,
	.panic_reboot_s		= TBTF_PANIC_REBOOT_S,
	.guard			= 0,
	.reserve_kb		= TBTF_RESERVE_KB,
	.print_rate_kb		= TBTF_PRINT_RATE_KB,
};

struct knob {
	struct kobj_attribute attr;
	unsigned int *value;
	const char *const *words;	/* NULL: a number */
	unsigned int first;		/* value of the first word */
	unsigned int min, max;
	int (*set)(unsigned int value);	/* NULL: the value is all */
};

static int parse(const struct knob *knob, const char *text, unsigned int *ret_value)
{
	unsigned int value;
	int i;

	if (knob->words) {
		i = __sysfs_match_string(knob->words, -1, text);
		if (i < 0)
			return -EINVAL;
		value = i + knob->first;
	} else {
		/* A number too large for its type is bad input as well. */
		if (kstrtouint(text, 10, &value) || value < knob->min || value > knob->max)
			return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

static int print(const struct knob *knob, char *buf)
{
	unsigned int value = READ_ONCE(*knob->value), i;
	int n = 0;

	if (!knob->words)
		return sysfs_emit(buf, "%u\n", value);
	for (i = 0; knob->words[i]; i++)
		n += sysfs_emit_at(buf, n, i + knob->first == value ? "%s[%s]" : "%s%s",
				   i ? " " : "", knob->words[i]);
	return n + sysfs_emit_at(buf, n, "\n");
}

static ssize_t knob_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return print(container_of(attr, struct knob, attr), buf);
}

/* What is meant to bring the machine back may leave it standing there. */
static void warn_of_panic(void)
{
	if (tbtf_knob(on_exhausted) != TBTF_EXHAUSTED_PANIC)
		return;
	if (tbtf_knob(guard))
		pr_warn("on_exhausted=panic, but guard is 1: until it is 0 the kernel kills the protected process instead\n");
	if (panic_timeout)
		return;
	if (tbtf_knob(panic_reboot_s))
		pr_warn("on_exhausted=panic, and kernel.panic is 0: the machine reboots after a panic of tbtf's (panic_reboot_s=%u), and stays down after any other\n",
			tbtf_knob(panic_reboot_s));
	else
		pr_warn("on_exhausted=panic, but kernel.panic and panic_reboot_s are 0: the machine will stay down\n");
}

static ssize_t knob_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			  size_t count)
{
	struct knob *knob = container_of(attr, struct knob, attr);
	unsigned int value;
	int err = parse(knob, buf, &value);

	if (!err && knob->set)
		err = knob->set(value);
	if (err)
		return err;
	if (!knob->set)
		WRITE_ONCE(*knob->value, value);
	if (knob->value == &tbtf_knobs.on_exhausted || knob->value == &tbtf_knobs.guard)
		warn_of_panic();
	/* Who waits is to see it at once: enabled, but also a shorter deadline. */
	tbtf_episode_knob_set();
	return count;
}

static int param_set(const char *text, const struct kernel_param *kp)
{
	const struct knob *knob = kp->arg;
	unsigned int value;
	int err = parse(knob, text, &value);
	char words[64];
	unsigned int i;
	int n = 0;

	if (!err) {
		*knob->value = value;
		return 0;
	}
	if (!knob->words) {
		pr_err("%s=%s: a number from %u to %u is wanted\n", kp->name, text, knob->min,
		       knob->max);
		return err;
	}
	for (i = 0; knob->words[i]; i++)
		n += scnprintf(words + n, sizeof(words) - n, "%s%s", i ? " or " : "",
			       knob->words[i]);
	pr_err("%s=%s: %s is wanted\n", kp->name, text, words);
	return err;
}

static int param_get(char *buf, const struct kernel_param *kp)
{
	return print(kp->arg, buf);
}

static const struct kernel_param_ops param_ops = {
	.set = param_set,
	.get = param_get,
};

#define KNOB(_name, ...)							\
	static struct knob knob_##_name = {					\
		.attr = __ATTR(_name, 0644, knob_show, knob_store),		\
		.value = &tbtf_knobs._name,					\
		__VA_ARGS__							\
	};									\
	module_param_cb(_name, &param_ops, &knob_##_name, 0444)
#define NUMBER(_name, _min, _max, ...)						\
	KNOB(_name, .min = _min, .max = _max, ##__VA_ARGS__)
#define WORDS(_name, _first, ...)						\
	static const char *const words_##_name[] = { __VA_ARGS__, NULL };	\
	KNOB(_name, .words = words_##_name, .first = _first)

NUMBER(enabled, 0, 1);
MODULE_PARM_DESC(enabled, "0: as if the module were not loaded");
NUMBER(dry_run, 0, 1);
MODULE_PARM_DESC(dry_run, "1: decide, trace, count and log, but leave the kernel's choice alone");
WORDS(substitute, TBTF_SUBSTITUTE_CHOSEN, "chosen", "always");
MODULE_PARM_DESC(substitute, "chosen: when the kernel has chosen a protected process; always: also when a protected process allocates");
WORDS(policy, TBTF_POLICY_UNIFORM, "uniform", "weighted", "largest");
MODULE_PARM_DESC(policy, "how to choose within a band");
NUMBER(min_victim_kb, 0, UNSET - 1);
MODULE_PARM_DESC(min_victim_kb, "what a victim must be worth at least");
NUMBER(max_kills, 1, TBTF_MAX_KILLS_LIMIT);
MODULE_PARM_DESC(max_kills, "sacrifices in one episode");
NUMBER(max_marks, 1, TBTF_MAX_MARKS_LIMIT);
MODULE_PARM_DESC(max_marks, "processes with a role of their own");
NUMBER(nap_ms, 1, TBTF_NAP_MS_LIMIT);
MODULE_PARM_DESC(nap_ms, "wait between two rounds with nobody to kill");
NUMBER(episode_idle_ms, TBTF_EPISODE_IDLE_MS_MIN, TBTF_EPISODE_IDLE_MS_LIMIT);
MODULE_PARM_DESC(episode_idle_ms, "after so long without a round an episode is over");
NUMBER(ladder_deadline_ms, 0, TBTF_LADDER_DEADLINE_MS_LIMIT);
MODULE_PARM_DESC(ladder_deadline_ms, "from the first round with nobody to kill to on_exhausted");
WORDS(on_exhausted, TBTF_EXHAUSTED_KILL, "kill", "panic");
MODULE_PARM_DESC(on_exhausted, "what to do when the machine is out of memory and of victims");
WORDS(on_exhausted_memcg, TBTF_EXHAUSTED_MEMCG_KILL, "kill", "wait");
MODULE_PARM_DESC(on_exhausted_memcg, "likewise for a memory cgroup");
NUMBER(panic_reboot_s, 0, TBTF_PANIC_REBOOT_S_LIMIT);
MODULE_PARM_DESC(panic_reboot_s, "reboot so long after a panic where kernel.panic is 0");
NUMBER(guard, 0, 1);
MODULE_PARM_DESC(guard, "1: on_exhausted=panic kills instead");
NUMBER(reserve_kb, 0, UNSET - 1, .set = tbtf_lastresort_set);
MODULE_PARM_DESC(reserve_kb, "memory to be held, for when there is none");
NUMBER(print_rate_kb, 0, TBTF_PRINT_RATE_KB_LIMIT);
MODULE_PARM_DESC(print_rate_kb, "what is refilled of it in a second, when memory is plentiful");

static struct attribute *pointers[] = {
	&knob_enabled.attr.attr,
	&knob_dry_run.attr.attr,
	&knob_substitute.attr.attr,
	&knob_policy.attr.attr,
	&knob_min_victim_kb.attr.attr,
	&knob_max_kills.attr.attr,
	&knob_max_marks.attr.attr,
	&knob_nap_ms.attr.attr,
	&knob_episode_idle_ms.attr.attr,
	&knob_ladder_deadline_ms.attr.attr,
	&knob_on_exhausted.attr.attr,
	&knob_on_exhausted_memcg.attr.attr,
	&knob_panic_reboot_s.attr.attr,
	&knob_guard.attr.attr,
	&knob_reserve_kb.attr.attr,
	&knob_print_rate_kb.attr.attr,
	NULL
};

const struct attribute_group tbtf_knob_group = {
	.attrs = pointers,
};

/**
 * tbtf_knobs_setup() - reckon the defaults that depend on the machine
 *
 * Context: at load, after the parameters were read.
 */
void __init tbtf_knobs_setup(void)
{
	if (tbtf_knobs.min_victim_kb == UNSET)
		tbtf_knobs.min_victim_kb =
			tbtf_size_min_victim_kb(pages_to_kb(totalram_pages()));
	warn_of_panic();
}
