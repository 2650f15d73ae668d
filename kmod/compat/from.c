// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - where an allocation comes from
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What may be refused depends on it, and the gfp mask does not tell: a fault
 * charges with the same one as a system call does for itself. Kernels with
 * cgroup v1 memory note faults from user mode in the task; nobody notes the
 * kernel's own accesses to user memory. The innermost exception frame does.
 */
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/syscall.h>
#include <asm/unwind.h>

#include "compat.h"

/**
 * tbtf_allocates_from() - where does the current allocation come from?
 *
 * Walks the stack, so it is asked only where somebody may have to wait.
 *
 * Context: process context of a user task; allocates nothing.
 * Return: TBTF_FROM_USER_FAULT, TBTF_FROM_KERNEL_FAULT or TBTF_FROM_SYSCALL;
 * TBTF_FROM_KERNEL_FAULT, which must not be refused, where it cannot be told.
 */
enum tbtf_from tbtf_allocates_from(void)
{
	struct unwind_state state;
	struct pt_regs *regs;

	for (unwind_start(&state, current, NULL, NULL); !unwind_done(&state);
	     unwind_next_frame(&state)) {
		regs = unwind_get_entry_regs(&state, NULL);
		if (!regs)
			continue;
		/* No interrupt allocates with a mask that may sleep: it is a fault. */
		if (!user_mode(regs))
			return TBTF_FROM_KERNEL_FAULT;
		break;
	}
	if (unwind_error(&state))
		return TBTF_FROM_KERNEL_FAULT;
	return tbtf_in_syscall() ? TBTF_FROM_SYSCALL : TBTF_FROM_USER_FAULT;
}

/**
 * tbtf_in_syscall() - is the current task in a system call?
 *
 * Context: process context of a user task.
 * Return: false in a fault or an interrupt from user mode, and on the way back
 * from one.
 */
bool tbtf_in_syscall(void)
{
	return syscall_get_nr(current, task_pt_regs(current)) != -1;
}
