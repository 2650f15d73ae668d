// SPDX-License-Identifier: GPL-2.0
/* memory cgroups whose tree and limits can be read (mem_cgroup_is_descendant, page_counter) */
#include <linux/cgroup.h>
#include <linux/memcontrol.h>

unsigned long probe(struct task_struct *task, struct mem_cgroup *root)
{
	struct mem_cgroup *memcg = mem_cgroup_from_task(task);

	if (!mem_cgroup_is_descendant(memcg, root) || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return cgroup_id(memcg->css.cgroup);
	memcg = mem_cgroup_from_css(memcg->css.parent);
	return READ_ONCE(memcg->memory.max) - page_counter_read(&memcg->memory) -
	       page_counter_read(&memcg->swap);
}
