// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what keeps on_exhausted from taking the machine down
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Memory of other nodes that is held here goes with the machine: for as long as a lender
 * says so, on an open /dev/tbtf, on_exhausted=panic kills instead. A lender that dies
 * closes its file, and by then what it held is gone. The other thing is the guard: a
 * machine that tbtf has taken down twice in an hour does not help itself by a third time.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "tbtf.h"

static_assert(sizeof(struct tbtf_lending) == 16);
/* What a file holds is kept in its private_data. */
static_assert(TBTF_GRANT_MAX_KB <= ULONG_MAX);

static atomic_long_t lent_kb;

/* What a file holds from now on: nobody else writes its private_data. */
static void holds(struct file *file, unsigned long kb)
{
	unsigned long before = (unsigned long)xchg(&file->private_data, (void *)kb);

	atomic_long_add(kb - before, &lent_kb);
}

/**
 * tbtf_hold_open() - a file of /dev/tbtf is opened: it holds nothing
 * @file: the file
 *
 * Context: before anybody else has it.
 */
void tbtf_hold_open(struct file *file)
{
	file->private_data = NULL;
}

/**
 * tbtf_hold_release() - it is closed, or who had it open is dead
 * @file: the file
 *
 * Context: any.
 */
void tbtf_hold_release(struct file *file)
{
	holds(file, 0);
}

/**
 * tbtf_hold_lending() - TBTF_IOC_LENDING
 * @file: the open /dev/tbtf
 * @uarg: how much is held
 *
 * Context: may sleep.
 * Return: 0; -EFAULT; -EINVAL for more than TBTF_GRANT_MAX_KB, or a field that is not 0.
 */
long tbtf_hold_lending(struct file *file, struct tbtf_lending __user *uarg)
{
	struct tbtf_lending args;

	if (copy_from_user(&args, uarg, sizeof(args)))
		return -EFAULT;
	if (args.held_kb > TBTF_GRANT_MAX_KB || args.reserved)
		return -EINVAL;
	holds(file, args.held_kb);
	return 0;
}

/**
 * tbtf_hold_lent_kb() - memory of other nodes that is held here
 *
 * Context: any.
 * Return: kB, as the lenders say.
 */
u64 tbtf_hold_lent_kb(void)
{
	return atomic_long_read(&lent_kb);
}

/**
 * tbtf_hold() - is the machine to stay up, whatever on_exhausted says?
 *
 * Context: any; takes nothing.
 * Return: why, for the log; NULL if it is not.
 */
const char *tbtf_hold(void)
{
	static const char lent[] =
		"on_exhausted=panic, but memory of other nodes is held here: the kernel kills it";

	if (tbtf_hold_lent_kb())
		return lent;
	if (tbtf_knob(guard))
		return "on_exhausted=panic, but guard=1: the kernel kills it";
	return NULL;
}
