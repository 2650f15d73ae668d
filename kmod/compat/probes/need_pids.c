// SPDX-License-Identifier: GPL-2.0
/* the table of processes by number (find_ge_pid, init_pid_ns.idr) */
#include <linux/pid_namespace.h>
#include <linux/sched.h>

struct task_struct *probe(int nr)
{
	nr += idr_get_cursor(&init_pid_ns.idr);
	return pid_task(find_ge_pid(nr, &init_pid_ns), PIDTYPE_TGID);
}
