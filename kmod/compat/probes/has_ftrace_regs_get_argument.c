// SPDX-License-Identifier: GPL-2.0
/* v6.2, "ftrace: abstract DYNAMIC_FTRACE_WITH_ARGS accesses" */
#include <linux/ftrace.h>

unsigned long probe(struct ftrace_regs *fregs)
{
	ftrace_regs_set_instruction_pointer(fregs, 0);
	return ftrace_regs_get_argument(fregs, 0);
}
