// SPDX-License-Identifier: GPL-2.0
/* struct oom_control that says who was chosen, for which allocation, within what */
#include <linux/oom.h>

unsigned long probe(struct oom_control *oc)
{
	struct task_struct *task = oc->chosen;
	struct mem_cgroup *memcg = oc->memcg;
	const nodemask_t *nodes = oc->nodemask;
	struct zonelist *zonelist = oc->zonelist;
	gfp_t gfp = oc->gfp_mask;
	int order = oc->order;

	return oc->chosen_points + order + !!task + !!memcg + !!nodes + !!zonelist +
	       (__force unsigned long)gfp;
}
