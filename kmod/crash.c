// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - rung four: the end of the ladder
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: nobody is left to be killed, nothing to be had, and the deadline has passed.
 * Out: what on_exhausted says. The kernel kills whom it had chosen, or the machine goes
 * down; where neither would help, the allocation fails.
 */
#include <linux/panic.h>
#include <linux/sched/signal.h>

#include "event.h"
#include "tbtf.h"

/*
 * All in one line, which is what is left of it: a console, or what pstore keeps.
 * What would have been needed is what was consumed beyond what was brought.
 */
static void crash(const struct tbtf_episode *ep, struct task_struct *p)
{
	unsigned int i, n = min_t(unsigned int, ep->kills, TBTF_VICTIMS_TOLD);
	u64 burn = ep->burn_kb, print = min(burn, ep->print_kb);
	struct tbtf_size size;
	char victims[TBTF_VICTIMS_TOLD * (TASK_COMM_LEN + 2) + 1] = "";
	int len = 0;

	for (i = ep->kills - n; i < ep->kills; i++)
		len += scnprintf(victims + len, sizeof(victims) - len, "%s%s", len ? ", " : "",
				 ep->victims[i % TBTF_VICTIMS_TOLD]);
	tbtf_size_of(p, &size);
	panic("tbtf: episode %llu: memory is exhausted, %d (%s) has outlived all others; it has %llukB; killed for it: %u, %llukB%s%s%s; stolen %llukB, printed %llukB; consumed up to %llukB/s, of it %llukB/s brought or printed: %llukB/s more were needed; reboot %s\n",
	      ep->id, task_tgid_nr(p), p->comm, pages_to_kb(size.size), ep->kills,
	      ep->freed_kb, n ? " (last: " : "", victims, n ? ")" : "",
	      ep->steal.brought_kb, pages_to_kb(ep->printed) + ep->print.brought_kb, burn, print,
	      burn - print,
	      panic_timeout ? "follows" : "by hand");
}

/**
 * tbtf_crash() - rung four
 * @ep: the episode, past its deadline
 * @oc: the OOM
 * @p: the protected process
 * @fragmented: memory is in pieces, not gone
 * @scope: its name, for the log
 *
 * Context: under oom_lock. Does not return from a panic.
 * Return: TBTF_OUTCOME_FAILED: the allocation is to fail; TBTF_OUTCOME_KILLED: the
 * kernel is to do what it wanted.
 */
enum tbtf_outcome tbtf_crash(struct tbtf_episode *ep, const struct oom_control *oc,
			     struct task_struct *p, bool fragmented, const char *scope)
{
	unsigned int waited_ms = tbtf_ladder_waited_ms(ep);
	enum tbtf_outcome before = ep->outcome, outcome;
	bool unkillable = !oc->chosen, waited = ep->waiting;
	const char *hold = tbtf_hold();
	bool panics;

	outcome = tbtf_ladder_end(ep, fragmented, unkillable, hold);
	if (outcome == TBTF_OUTCOME_FAILED) {
		if (before != TBTF_OUTCOME_FAILED) {
			tbtf_tell(exhausted, ep, oc, TBTF_OUTCOME_FAILED, waited_ms);
			pr_warn("episode %llu: exhausted: %s: order-%d allocation of %d (%s) fails after %ums, as others will\n",
				ep->id, scope, oc->order, task_tgid_nr(current), current->comm,
				waited_ms);
		}
		tbtf_stat_inc(failed_allocations);
		tbtf_tell(round_end, ep, oc, TBTF_ROUND_FAILS);
		return outcome;
	}

	panics = outcome == TBTF_OUTCOME_PANICKED;
	if (waited)
		tbtf_tell(rung_end, ep, ep->rung, jiffies - ep->rung_since, outcome);
	tbtf_tell(exhausted, ep, oc, outcome, waited_ms);
	pr_err("episode %llu: exhausted: %s: %d (%s) has outlived all: %u killed for it, %llukB, then %ums without anybody to kill; %s\n",
	       ep->id, scope, task_tgid_nr(p), p->comm, ep->kills, ep->freed_kb, waited_ms,
	       oc->memcg ? "on_exhausted_memcg=kill: the kernel kills it" :
	       !panics ? (hold && ep->scope == TBTF_SCOPE_GLOBAL &&
			  tbtf_knob(on_exhausted) == TBTF_EXHAUSTED_PANIC ? hold :
			  "on_exhausted=kill: the kernel kills it") :
	       unkillable ? "it has oom_score_adj -1000: panic" : "on_exhausted=panic");
	if (panics) {
		/* 0 would be a machine that hangs there for good. */
		if (!panic_timeout)
			panic_timeout = tbtf_knob(panic_reboot_s);
		crash(ep, p);
	}
	tbtf_stat_inc(died_exhausted);
	tbtf_tell(round_end, ep, oc, TBTF_ROUND_EXHAUSTED);
	tbtf_event_doomed(p, TBTF_DEATH_EXHAUSTED);
	return outcome;
}
