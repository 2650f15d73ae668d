// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - too big to fail: load and unload
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <linux/module.h>

#include "tbtf.h"

/*
 * The tables first, then the hooks that use them, then the doors: whoever finds
 * a door finds everything behind it working. Out in the reverse order.
 */
static int __init tbtf_init(void)
{
	int err;

	tbtf_knobs_setup();
	tbtf_victim_setup();
	tbtf_ask_setup();
	err = tbtf_episode_setup();
	if (err)
		return err;
	err = tbtf_lastresort_setup();
	if (err)
		goto teardown_episode;
	err = tbtf_mark_setup();
	if (err)
		goto teardown_lastresort;
	err = tbtf_role_setup();
	if (err)
		goto teardown_mark;
	err = tbtf_hook_setup();
	if (err)
		goto teardown_role;
	err = tbtf_cgroup_setup();
	if (err)
		goto teardown_hook;
	err = tbtf_device_setup();
	if (err)
		goto teardown_cgroup;
	err = tbtf_sysfs_setup();
	if (err)
		goto teardown_device;
	pr_info("loaded: a candidate is worth %u kB at least%s\n", tbtf_knob(min_victim_kb),
		!tbtf_knob(enabled) ? "; switched off" : tbtf_knob(dry_run) ? "; dry run" : "");
	return 0;

teardown_device:
	tbtf_hook_stop();
	tbtf_device_teardown();
teardown_cgroup:
	tbtf_hook_stop();
	tbtf_cgroup_teardown();
teardown_hook:
	tbtf_hook_teardown();
teardown_role:
	tbtf_role_teardown();
teardown_mark:
	tbtf_mark_teardown();
teardown_lastresort:
	tbtf_hook_stop();
	tbtf_lastresort_teardown();
teardown_episode:
	tbtf_episode_teardown();
	/* Of EEXIST modprobe thinks that the module is there already, and all is well. */
	return err == -EEXIST ? -EBUSY : err;
}

static void __exit tbtf_exit(void)
{
	/* From here on nobody waits: he might hold what is wanted below. */
	tbtf_hook_stop();
	tbtf_lastresort_stop();
	tbtf_sysfs_teardown();
	tbtf_device_teardown();
	tbtf_cgroup_teardown();
	tbtf_hook_teardown();
	tbtf_role_teardown();
	tbtf_mark_teardown();
	tbtf_lastresort_teardown();
	tbtf_episode_teardown();
	pr_info("unloaded\n");
}

module_init(tbtf_init);
module_exit(tbtf_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("Too big to fail: somebody smaller is killed when memory runs out");
MODULE_LICENSE("GPL");
