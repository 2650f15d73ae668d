/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the one list of counters
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each line: the name in /sys/kernel/mm/tbtf/stats, and when it grows. The
 * counters are exact, but not read together: a reader may see the kill and not
 * yet the outcome.
 */
#ifndef _TBTF_STATS_H
#define _TBTF_STATS_H

#include <linux/atomic.h>

#define TBTF_STATS(X)								\
	X(rounds, "an OOM reached the hook")					\
	X(passes, "a round without a protected process: the kernel's choice stood") \
	X(passes_origin, "a round in which the kernel chose a swapoff or KSM writer") \
	X(passes_dying, "a round whose protected process was dying already")	\
	X(leaving, "a round killed nobody: what the last victim had was on its way, or there") \
	X(episodes, "an episode began")						\
	X(outcome_sacrificed, "an episode ended: others were killed")		\
	X(outcome_waited, "an episode ended: memory came while waiting")	\
	X(outcome_killed, "an episode ended: on_exhausted killed a protected process") \
	X(outcome_panicked, "an episode ended: on_exhausted took the machine down") \
	X(outcome_failed, "an episode ended: the allocation was made to fail")	\
	X(outcome_switched, "an episode ended: tbtf was switched off or unloaded") \
	X(outcome_stolen, "an episode ended: memory of other nodes came")	\
	X(outcome_printed, "an episode ended: memory was printed")		\
	X(sacrifices, "a process was killed in a protected one's place")	\
	X(sacrificed_kb, "by what that was expected to free, in kB")		\
	X(bigger, "such a process was not smaller than the protected one")	\
	X(killless, "a round found nobody to kill")				\
	X(naps, "a thread slept in such a round")				\
	X(jiffies, "a thread that must not nap waited for a jiffy")		\
	X(failed_charges, "a charge of a memory cgroup was left to fail")	\
	X(failed_allocations, "past the deadline an allocation was made to fail")	\
	X(unkillable, "an OOM found no killable process: the kernel would have panicked") \
	X(futile_respawn, "a round in which a respawning cgroup was left alone") \
	X(futile_regain, "a round given up because kills regained too little")	\
	X(futile_max_kills, "a round given up at max_kills")			\
	X(futile_fragmented, "a round given up because memory was in pieces")	\
	X(dry_run, "a round decided and not carried out")			\
	X(group_spared, "memory.oom.group would have killed a protected or spare process") \
	X(sampled, "a choice made by random tries")				\
	X(scanned, "a choice made by going through all processes")		\
	X(requests, "the helper was asked for memory")				\
	X(requests_granted, "such a request was granted")			\
	X(requests_refused, "it was refused")					\
	X(requests_late, "it was not answered until the deadline")		\
	X(requests_orphaned, "the helper died before it had answered")		\
	X(requests_withdrawn, "the episode ended before there was an answer")	\
	X(granted_kb, "by what the helper said it has got from other nodes, in kB") \
	X(minted_kb, "by what the helper said it has printed, in kB")		\
	X(helper_deaths, "a helper exited, or closed its file")			\
	X(skipped_no_swap, "nothing was asked for: this kernel has no swap")	\
	X(skipped_shared, "nothing was asked for: the scope has no episode of its own") \
	X(skipped_no_helper, "nothing was asked for: there is no helper")	\
	X(skipped_fragmented, "nothing was asked for: memory was in pieces")	\
	X(skipped_local, "nothing was asked for: the protected process is marked local") \
	X(skipped_other_local, "nothing was asked for: another is, and may swap") \
	X(skipped_swap_max, "nothing was asked for: its memory.swap.max is 0")	\
	X(skipped_locked, "nothing was asked for: its memory is locked, or huge pages") \
	X(print_skipped, "nobody was asked to print: no helper does, or it would be no use") \
	X(no_episode_slot, "a round of a scope for which no episode was free")	\
	X(died_exhausted, "a protected process was killed by on_exhausted")	\
	X(died_oom, "a marked process ended as the victim of an OOM, for whatever reason") \
	X(taken_kb, "memory was put into the reserve by a write to reserve_kb, in kB") \
	X(refilled_kb, "it was put back because memory was plentiful, in kB")	\
	X(bridged_kb, "it was handed out while a helper was at work, in kB")	\
	X(printed_kb, "it was handed out because nobody could bring more, in kB") \
	X(yielded_kb, "it was handed out before a kill that was none of tbtf's, in kB") \
	X(returned_kb, "it was given back because reserve_kb was lowered, in kB") \
	X(marks_set, "a process got a role of its own")				\
	X(marks_cleared, "its role was taken away")				\
	X(marks_exited, "it exited with it")					\
	X(marks_exec_dropped, "it lost it in an exec with raised privileges")	\
	X(marks_full, "a role was refused because of max_marks")		\
	X(lost_events, "an event of a cgroup was not counted: no record was free")

#define TBTF_STAT_ENUM(name, when)	TBTF_STAT_##name,
enum tbtf_stat {
	TBTF_STATS(TBTF_STAT_ENUM)
	TBTF_STAT_NR
};

extern atomic64_t tbtf_stats[TBTF_STAT_NR];

static inline void tbtf_stat_add(enum tbtf_stat stat, u64 n)
{
	atomic64_add(n, &tbtf_stats[stat]);
}

#define tbtf_stat_inc(name)	tbtf_stat_add(TBTF_STAT_##name, 1)

#endif /* _TBTF_STATS_H */
