// SPDX-License-Identifier: GPL-2.0
/* tracepoints that a module may find and attach to (for_each_kernel_tracepoint) */
#include <linux/tracepoint.h>

static void match(struct tracepoint *tp, void *arg)
{
	tracepoint_probe_register(tp, arg, NULL);
	tracepoint_probe_unregister(tp, arg, NULL);
}

void probe(void *func);
void probe(void *func)
{
	for_each_kernel_tracepoint(match, func);
	tracepoint_synchronize_unregister();
}
