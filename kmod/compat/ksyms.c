// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - finding and calling what the kernel does not export
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Functions are found by preparing a kprobe on them that is never armed, data
 * through kallsyms_lookup_name, itself found in that way. On kernels with
 * indirect branch tracking the address of a function is that of its fentry
 * site, behind the ENDBR: the right one for ftrace and for tbtf_call().
 */
#include <linux/init.h>
#include <linux/kprobes.h>

#include "compat.h"

/**
 * tbtf_ksym_text() - the address of a kernel function
 * @name: its name
 *
 * Context: at load; may sleep.
 * Return: the address of its fentry site, or 0 if there is no such function.
 */
unsigned long __init tbtf_ksym_text(const char *name)
{
	struct kprobe kp = {
		.symbol_name = name,
		/* Without this flag the lookup would arm a live probe. */
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long addr;

	if (register_kprobe(&kp))
		return 0;
	addr = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

/**
 * tbtf_ksym_data() - the address of a kernel variable
 * @name: its name
 *
 * Context: at load; may sleep.
 * Return: its address, or 0 if there is no such variable.
 */
unsigned long __init tbtf_ksym_data(const char *name)
{
	unsigned long lookup = tbtf_ksym_text("kallsyms_lookup_name");

	return lookup ? tbtf_call(lookup, (unsigned long)name, 0, 0, 0, 0) : 0;
}
