// SPDX-License-Identifier: GPL-2.0
/* v6.18, "mm: add bitmap mm->flags field" */
#include <linux/mm.h>
#include <linux/sched/coredump.h>

bool probe(const struct mm_struct *mm)
{
	return mm_flags_test(MMF_OOM_SKIP, mm);
}
