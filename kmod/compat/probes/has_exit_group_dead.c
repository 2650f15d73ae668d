// SPDX-License-Identifier: GPL-2.0
/* v6.16: the tracepoint sched_process_exit says whether the whole group dies */
#include <linux/module.h>
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *p, bool group_dead)
{
}

int attach(void);
int attach(void)
{
	return register_trace_sched_process_exit(probe, NULL);
}
