// SPDX-License-Identifier: GPL-2.0
/* v6.17, "workqueue: Add system_percpu_wq and system_dfl_wq"; 6.12 stable has it as well */
#include <linux/workqueue.h>

bool probe(struct delayed_work *work)
{
	return mod_delayed_work(system_percpu_wq, work, 0);
}
