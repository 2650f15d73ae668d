/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what differs between kernels, and what a module may not link against
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The code above this directory is written for the newest kernel. What an
 * older one spells otherwise is mended here, and only here; TBTF_HAS_* come
 * from the probes, which are compiled against the kernel that is built for.
 */
#ifndef _TBTF_COMPAT_H
#define _TBTF_COMPAT_H

#include <linux/ftrace.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/workqueue.h>

#include "probed.h"

#if !IS_ENABLED(CONFIG_X86_64)
#error "tbtf: only x86-64: the call past a patched function entry is written for it"
#endif
#if !IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_ARGS) || !IS_ENABLED(CONFIG_KPROBES) || \
	!IS_ENABLED(CONFIG_MEMCG) || !IS_ENABLED(CONFIG_KALLSYMS_ALL) || \
	!IS_ENABLED(CONFIG_TRACEPOINTS)
#error "tbtf: needs CONFIG_DYNAMIC_FTRACE_WITH_ARGS, KPROBES, MEMCG, KALLSYMS_ALL and TRACEPOINTS"
#endif

/* v6.2 gave the accessors of struct ftrace_regs their names; goes with 6.1. */
#if !TBTF_HAS_FTRACE_REGS_GET_ARGUMENT
#define ftrace_regs_get_argument(fregs, n)	regs_get_kernel_argument(&(fregs)->regs, n)
#define ftrace_regs_set_instruction_pointer(fregs, ip) \
	ftrace_instruction_pointer_set(fregs, ip)
#endif

/* v6.18 made mm->flags a bitmap with accessors; goes with 6.12. */
#if !TBTF_HAS_MM_FLAGS_TEST
#define mm_flags_test(flag, mm)			test_bit(flag, &(mm)->flags)
#endif

/* v6.17 says in the name of the common workqueue which one it is; goes with 6.1. */
#if !TBTF_HAS_SYSTEM_PERCPU_WQ
#define system_percpu_wq	system_wq
#endif

/*
 * From v6.2 on the counters of an mm are per CPU, and what get_mm_counter() reads
 * is wrong by up to a batch of pages on each: too much to say who is smaller. The
 * OOM killer of 7.x sums them up, that of 6.12 does not. Goes with 6.1.
 */
#if TBTF_HAS_GET_MM_COUNTER_SUM
#define tbtf_mm_counter(mm, member)		get_mm_counter_sum(mm, member)
#else
#define tbtf_mm_counter(mm, member)		get_mm_counter(mm, member)
#endif

/* An io_uring or vhost worker: it runs on behalf of a process, and returns to no user space. */
#ifdef PF_USER_WORKER
#define TBTF_PF_USER_WORKER	(PF_USER_WORKER | PF_IO_WORKER)
#else
#define TBTF_PF_USER_WORKER	PF_IO_WORKER
#endif

static inline unsigned long tbtf_mm_hugetlb_pages(struct mm_struct *mm)
{
#ifdef CONFIG_HUGETLB_PAGE
	return atomic_long_read(&mm->hugetlb_usage);
#else
	return 0;
#endif
}

/* Calls of read(2), write(2) and their kin that a thread has come back from; 0: not counted. */
static inline u64 tbtf_task_calls(const struct task_struct *task)
{
#ifdef CONFIG_TASK_XACCT
	return task->ioac.syscr + task->ioac.syscw;
#else
	return 0;
#endif
}

/* Its last user gone: is all that was mapped given back? Of an mm held by mmgrab(). */
static inline bool tbtf_mm_torn_down(const struct mm_struct *mm)
{
	/* exit_mmap() destroys the tree of mappings when their pages are free. */
	return mtree_empty(&mm->mm_mt);
}

/* The probe of sched_process_exit; v6.16 told it whether the whole group dies. */
#if TBTF_HAS_EXIT_GROUP_DEAD
#define TBTF_EXIT_PROBE(name, task)	\
	void name(void *unused, struct task_struct *task, bool group_dead)
#else
#define TBTF_EXIT_PROBE(name, task)	void name(void *unused, struct task_struct *task)
#endif

/* entry.S: where a hooked function's callers are sent; see tbtf_decide_*() */
struct oom_control;
void tbtf_entry_kill(struct oom_control *oc, const char *message);
int tbtf_entry_group(struct task_struct *task, void *message);
bool tbtf_entry_front(struct oom_control *oc);
void tbtf_entry_fault(void);

/* from.c */
enum tbtf_from {
	TBTF_FROM_USER_FAULT,	/* may be refused: unwinds, and is taken again */
	TBTF_FROM_KERNEL_FAULT,	/* refused, a signal frame is a SIGSEGV, a read(2) EFAULT */
	TBTF_FROM_SYSCALL,	/* refused, it is an errno */
};

enum tbtf_from tbtf_allocates_from(void);
bool tbtf_in_syscall(void);

/* ksyms.c */
unsigned long tbtf_ksym_text(const char *name);
unsigned long tbtf_ksym_data(const char *name);

/**
 * tbtf_call() - call a kernel function by address
 * @fn: its address, or that of its fentry site
 * @a: first argument, and so on
 *
 * By push and return, not by an indirect call: with indirect branch tracking
 * an indirect call of a function that is not exported raises #CP.
 *
 * Context: that of the function called.
 * Return: what the function left in the return register.
 */
unsigned long tbtf_call(unsigned long fn, unsigned long a, unsigned long b,
			unsigned long c, unsigned long d, unsigned long e);

#endif /* _TBTF_COMPAT_H */
