// SPDX-License-Identifier: GPL-2.0
/* the unwinder, which tells a fault from a system call (unwind_start, unwind_get_entry_regs) */
#include <linux/sched/task_stack.h>
#include <asm/syscall.h>
#include <asm/unwind.h>

bool probe(void)
{
	struct unwind_state state;

	for (unwind_start(&state, current, NULL, NULL); !unwind_done(&state);
	     unwind_next_frame(&state))
		if (unwind_get_entry_regs(&state, NULL))
			break;
	return unwind_error(&state) || syscall_get_nr(current, task_pt_regs(current)) == -1;
}
