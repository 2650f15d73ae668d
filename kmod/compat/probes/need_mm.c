// SPDX-License-Identifier: GPL-2.0
/* the counters of an mm, and its tree of mappings (get_mm_counter, mm_pgtables_bytes, mm_mt) */
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

unsigned long probe(struct mm_struct *mm)
{
	mmgrab(mm);
	mmdrop(mm);
	return get_mm_counter(mm, MM_ANONPAGES) + get_mm_counter(mm, MM_FILEPAGES) +
	       get_mm_counter(mm, MM_SHMEMPAGES) + get_mm_counter(mm, MM_SWAPENTS) +
	       mm_pgtables_bytes(mm) + atomic_read(&mm->mm_users) + mtree_empty(&mm->mm_mt);
}
