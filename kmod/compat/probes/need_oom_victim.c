// SPDX-License-Identifier: GPL-2.0
/* what a victim of the OOM killer is known by: signal->oom_mm, MMF_OOM_SKIP, oom_score_adj */
#include <linux/oom.h>
#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>

int probe(struct task_struct *task)
{
	return tsk_is_oom_victim(task) + oom_task_origin(task) + !!task->signal->oom_mm +
	       MMF_OOM_SKIP + task->signal->oom_score_adj + OOM_SCORE_ADJ_MIN;
}
