// SPDX-License-Identifier: GPL-2.0
/* a kprobe that finds a function without being armed (KPROBE_FLAG_DISABLED) */
#include <linux/kprobes.h>

int probe(struct kprobe *kp)
{
	kp->symbol_name = "out_of_memory";
	kp->flags = KPROBE_FLAG_DISABLED;
	return register_kprobe(kp) ?: !kp->addr;
}
