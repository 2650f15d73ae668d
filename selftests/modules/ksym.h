/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - for test modules: calling and hooking what the kernel does not export
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * To be included by one source of a module. The module under test has its own
 * (kmod/compat/entry.S); a test that used it would be wrong where it is wrong.
 */
#ifndef _TBTF_TEST_KSYM_H
#define _TBTF_TEST_KSYM_H

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/objtool.h>

unsigned long test_call(unsigned long fn, unsigned long a, unsigned long b, unsigned long c);

/* By push and return: see tbtf_call() in kmod/compat/entry.S. */
asm(".pushsection .text\n"
	".globl test_call\n"
	".type test_call,@function\n"
	"test_call:\n\t"
	"push %rdi\n\t"
	"mov %rsi,%rdi\n\t"
	"mov %rdx,%rsi\n\t"
	"mov %rcx,%rdx\n\t"
	ASM_RET "\n"
	".size test_call,.-test_call\n"
	".popsection\n");
STACK_FRAME_NON_STANDARD(test_call);

/* The address of a kernel function, at its fentry site; 0 if there is none. */
static unsigned long test_text(const char *name)
{
	struct kprobe kp = {
		.symbol_name = name,
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long addr;

	if (register_kprobe(&kp))
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

/* The address of a kernel variable; 0 if there is none. */
static inline unsigned long test_data(const char *name)
{
	unsigned long lookup = test_text("kallsyms_lookup_name");

	return lookup ? test_call(lookup, (unsigned long)name, 0, 0) : 0;
}

/* Switch @ops on for the function @name, which is the module's parameter func=. */
static inline int test_hook(struct ftrace_ops *ops, const char *name, unsigned long *ret_addr)
{
	unsigned long addr = name ? test_text(name) : 0;
	int err;

	if (!addr) {
		pr_err("%s: func=%s: no such function\n", KBUILD_MODNAME, name ?: "");
		return -ENOENT;
	}
	err = ftrace_set_filter_ip(ops, addr, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(ops);
	if (err)
		ftrace_set_filter_ip(ops, addr, 1, 0);
	else
		*ret_addr = addr;
	return err;
}

static inline void test_unhook(struct ftrace_ops *ops, unsigned long addr)
{
	unregister_ftrace_function(ops);
	ftrace_set_filter_ip(ops, addr, 1, 0);
}

#endif /* _TBTF_TEST_KSYM_H */
