/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - to and from the kernel's functions, by jump and return
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * An entry has a function in C decide with the caller's two arguments. It
 * answers in two registers: an address to go on at, or 0, and what to return
 * in that case. Going on is a jump with everything as the caller left it: the
 * original finds the stack that it would have found without the module, and so
 * does whoever prints a backtrace of an OOM.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/frame.h>
#include <asm/ibt.h>

/*
 * Go on at %rax. By a return, which indirect branch tracking does not look at:
 * behind a patched entry there is no ENDBR.
 */
SYM_FUNC_START_LOCAL(go_on)
	push	%rax
	RET
SYM_FUNC_END(go_on)
STACK_FRAME_NON_STANDARD go_on

/* tbtf_call(fn, a, b, c, d, e), see compat.h: fn comes back to whoever called this. */
SYM_FUNC_START(tbtf_call)
	push	%rdi
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %rcx
	mov	%r9, %r8
	RET
SYM_FUNC_END(tbtf_call)
STACK_FRAME_NON_STANDARD tbtf_call

/* ENDBR is for objtool: ftrace comes here by a return. */
.macro ENTRY_DECIDED_BY entry:req decide:req
SYM_FUNC_START(\entry)
	ENDBR
	FRAME_BEGIN
	push	%rdi
	push	%rsi
	call	\decide
	pop	%rsi
	pop	%rdi
	FRAME_END
	test	%rax, %rax
	jnz	go_on
	mov	%rdx, %rax
	RET
SYM_FUNC_END(\entry)
.endm

ENTRY_DECIDED_BY tbtf_entry_kill, tbtf_decide_kill
ENTRY_DECIDED_BY tbtf_entry_group, tbtf_decide_group
ENTRY_DECIDED_BY tbtf_entry_front, tbtf_decide_front
ENTRY_DECIDED_BY tbtf_entry_fault, tbtf_decide_fault
