// SPDX-License-Identifier: GPL-2.0
/* "mm: fix the inaccurate memory statistics issue for users", v6.17; 6.12 stable has it as well */
#include <linux/mm.h>

unsigned long probe(struct mm_struct *mm)
{
	return get_mm_counter_sum(mm, MM_ANONPAGES);
}
