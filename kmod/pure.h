/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the pure parts stand on
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * choose.h, slots.c, ladder.c, futile.c, likelihood.c and economy.c reckon and decide,
 * and know no process, no lock and no cgroup of the kernel. So they are built for the
 * host as well, where selftests/host/unit_*.c test them under sanitizers. They
 * include nothing beyond this file; what it takes from the kernel, kernel.h there
 * has in small.
 */
#ifndef _TBTF_PURE_H
#define _TBTF_PURE_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include "kernel.h"
#endif
#include <linux/tbtf.h>
#include <linux/tbtf_event.h>

#include "limits.h"

struct task_struct;

#define pages_to_kb(pages)	((u64)(pages) << (PAGE_SHIFT - 10))
#define kb_to_pages(kb)		((unsigned long)(kb) >> (PAGE_SHIFT - 10))

/* knobs.c: read anywhere with READ_ONCE through tbtf_knob() */
enum { TBTF_SUBSTITUTE_CHOSEN, TBTF_SUBSTITUTE_ALWAYS };
enum { TBTF_EXHAUSTED_KILL, TBTF_EXHAUSTED_PANIC };
enum { TBTF_EXHAUSTED_MEMCG_KILL, TBTF_EXHAUSTED_MEMCG_WAIT };

struct tbtf_knobs {
	unsigned int enabled;
	unsigned int dry_run;
	unsigned int substitute;
	unsigned int policy;		/* enum tbtf_policy, never TBTF_POLICY_SET */
	unsigned int min_victim_kb;
	unsigned int max_kills;
	unsigned int max_marks;
	unsigned int nap_ms;
	unsigned int episode_idle_ms;
	unsigned int ladder_deadline_ms;
	unsigned int on_exhausted;
	unsigned int on_exhausted_memcg;
	unsigned int panic_reboot_s;
	unsigned int guard;
	unsigned int reserve_kb;
	unsigned int print_rate_kb;
};

extern struct tbtf_knobs tbtf_knobs;
#define tbtf_knob(name)		READ_ONCE(tbtf_knobs.name)

#endif /* _TBTF_PURE_H */
