// SPDX-License-Identifier: GPL-2.0
/* the chain that is asked before the OOM killer (register_oom_notifier, blocking_notifier_head) */
#include <linux/notifier.h>
#include <linux/oom.h>

int probe(struct blocking_notifier_head *chain, struct notifier_block *nb, unsigned long *freed)
{
	return register_oom_notifier(nb) + blocking_notifier_call_chain(chain, 0, freed);
}
