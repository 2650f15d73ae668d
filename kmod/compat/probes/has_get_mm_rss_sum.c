// SPDX-License-Identifier: GPL-2.0
/* In 7.2, not in 6.12: oom_badness() sums the per-CPU counters of an mm, to the page */
#include <linux/mm.h>

unsigned long probe(struct mm_struct *mm)
{
	return get_mm_rss_sum(mm) + get_mm_counter_sum(mm, MM_SWAPENTS);
}
