/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * tbtf - what the tracepoints hand over
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Every tracepoint of the system "tbtf" has one argument, the address of a
 * struct tbtf_event. It is flat and has fixed-size integers only, so that an
 * eBPF program on a raw tracepoint can read it without type information of the
 * module: with bpf_probe_read_kernel(), and only if version is the one it was
 * built for. What an event does not speak of is 0.
 *
 * Pids are those of the thread group in the initial namespace. Sizes are in kB
 * (1024 bytes), times in ns. Cgroups are ids of memory cgroups, which are the
 * inode numbers of their directories; 1 is the root.
 */
#ifndef _UAPI_LINUX_TBTF_EVENT_H
#define _UAPI_LINUX_TBTF_EVENT_H

#include <linux/types.h>

/* Raised with every change of the struct or of a meaning. */
#define TBTF_EVENT_VERSION	3

enum tbtf_event_kind {
	TBTF_EVENT_MARK		= 1,	/* task got, changed or lost a role; what: enum tbtf_role */
	TBTF_EVENT_PASS		= 2,	/* an OOM was none of tbtf's: the kernel kills task;
					 * what: enum tbtf_pass
					 */
	TBTF_EVENT_ROUND	= 3,	/* a round begins in which somebody is looked for */
	TBTF_EVENT_ROUND_END	= 4,	/* a round is decided in which nobody is killed instead
					 * (that is SACRIFICE); ns: it took so long, without
					 * what is waited then; what: enum tbtf_round
					 */
	TBTF_EVENT_EPISODE_BEGIN = 5,	/* the first round of its scope */
	TBTF_EVENT_SACRIFICE	= 6,	/* task is about to be killed in protected's place, or
					 * would be (TBTF_EVENT_DRY, and a ROUND_END follows);
					 * ns: of the round so far, 0 where nobody listens to
					 * ROUND_END
					 */
	TBTF_EVENT_KILLLESS	= 7,	/* there is nobody: on to the next rung; ns: on it since;
					 * what: enum tbtf_futile
					 */
	TBTF_EVENT_NAP		= 8,	/* task has waited, for ns; TBTF_EVENT_JIFFY: for a
					 * jiffy, because it must not nap
					 */
	TBTF_EVENT_RUNG_END	= 9,	/* the episode leaves rung, on which it was for ns, and
					 * which is past sacrifice; what: enum tbtf_outcome, the
					 * reason; TBTF_OUTCOME_OPEN: for another rung, also past
					 * sacrifice. rung 0: nothing was left but to wait
					 */
	TBTF_EVENT_EXHAUSTED	= 10,	/* the end of the ladder; ns: of waiting; what: enum
					 * tbtf_outcome, what on_exhausted does now
					 */
	TBTF_EVENT_RELIEF	= 11,	/* an allocation of a fault of caller's succeeded, ns
					 * after the first of the kills that were for it
					 */
	TBTF_EVENT_DIED		= 12,	/* a protected process is gone all the same;
					 * what: enum tbtf_death
					 */
	TBTF_EVENT_EPISODE_END	= 13,	/* ns: it lasted; what: enum tbtf_outcome */
	TBTF_EVENT_REQUEST	= 14,	/* the helper is asked for worth_kb of memory, of rung */
	TBTF_EVENT_ANSWER	= 15,	/* what has come of it, ns later; what: enum
					 * tbtf_answered
					 */
	TBTF_EVENT_PRINT	= 16,	/* worth_kb of memory were handed out of the reserve to
					 * caller; what: enum tbtf_print
					 */
	TBTF_EVENT_FORETOLD	= 17,	/* if it goes on like this all memory is gone in ns;
					 * worth_kb is left now
					 */
	TBTF_EVENT_NR		= 18,
};

/* Why an OOM was left alone. */
enum tbtf_pass {
	TBTF_PASS_UNPROTECTED	= 1,	/* nobody protected was about to be killed */
	TBTF_PASS_ORIGIN	= 2,	/* the kernel chose a swapoff or KSM writer */
	TBTF_PASS_DYING		= 3,	/* who is protected is dying already */
};

/* What a round came to, if not to a sacrifice. */
enum tbtf_round {
	TBTF_ROUND_DRY		= 2,	/* dry_run: nothing is done */
	TBTF_ROUND_WAITS	= 3,	/* nobody is killed: tried again, after a while */
	TBTF_ROUND_FAILS	= 4,	/* the allocation is made to fail */
	TBTF_ROUND_EXHAUSTED	= 5,	/* the kernel kills the protected process */
	TBTF_ROUND_PASSED	= 6,	/* substitute=always, nobody found: left alone */
	TBTF_ROUND_LEAVING	= 7,	/* memory is on its way, or there: again */
	TBTF_ROUND_PRINTED	= 8,	/* there is some of the reserve: again */
};

/* Why there is nobody to kill. */
enum tbtf_futile {
	TBTF_FUTILE_NOT		= 0,	/* there is no candidate */
	TBTF_FUTILE_MAX_KILLS	= 1,	/* max_kills is reached */
	TBTF_FUTILE_REGAIN	= 2,	/* the last kills regained too little */
	TBTF_FUTILE_FRAGMENTED	= 3,	/* memory is in pieces, not gone */
	TBTF_FUTILE_RESPAWN	= 4,	/* only services are left that respawn */
};

/* How a protected process ended. */
enum tbtf_death {
	TBTF_DEATH_EXHAUSTED	= 1,	/* on_exhausted: all others were gone */
	TBTF_DEATH_OOM		= 2,	/* of an OOM, though the ladder was not at its end: a fault
					 * of tbtf's
					 */
	TBTF_DEATH_OFF		= 3,	/* of an OOM while tbtf was switched off, or in a dry run */
	TBTF_DEATH_SIGBUS	= 4,	/* of SIGBUS: a page of it was lost */
};

/* For what the reserve is handed out. */
enum tbtf_print {
	TBTF_PRINT_BRIDGE	= 1,	/* a helper is at work: for those it needs */
	TBTF_PRINT_LAST		= 2,	/* nobody is left who would bring more */
	TBTF_PRINT_YIELD	= 3,	/* before a kill that is none of tbtf's; of no episode */
};

/* What has come of a request. */
enum tbtf_answered {
	TBTF_ANSWERED_PENDING	= 1,	/* the helper is at it */
	TBTF_ANSWERED_GRANTED	= 2,	/* worth_kb of memory is there */
	TBTF_ANSWERED_REFUSED	= 3,	/* none will come */
	TBTF_ANSWERED_LATE	= 4,	/* nothing, until the deadline */
	TBTF_ANSWERED_ORPHANED	= 5,	/* the helper is gone */
	TBTF_ANSWERED_WITHDRAWN	= 6,	/* the episode has ended */
	TBTF_ANSWERED_SKIPPED	= 7,	/* there was no request: reason */
	TBTF_ANSWERED_NR	= 8,
};

/* Why nothing is asked for. The first that holds is told; of rung three SHARED to FRAGMENTED. */
enum tbtf_skip {
	TBTF_SKIP_NOT		= 0,
	TBTF_SKIP_NO_SWAP	= 1,	/* this kernel has no swap */
	TBTF_SKIP_SHARED	= 2,	/* more scopes are out of memory than have an episode */
	TBTF_SKIP_NO_HELPER	= 3,	/* there is no helper that would */
	TBTF_SKIP_FRAGMENTED	= 4,	/* memory is in pieces, not gone */
	TBTF_SKIP_LOCAL		= 5,	/* the protected process, or who shares its memory, is
					 * marked TBTF_LOCAL
					 */
	TBTF_SKIP_OTHER_LOCAL	= 6,	/* another is, in a cgroup that may swap: its pages might
					 * leave as well
					 */
	TBTF_SKIP_SWAP_MAX	= 7,	/* memory.swap.max is 0 for it */
	TBTF_SKIP_LOCKED	= 8,	/* what it has is locked in memory, or in huge pages */
	TBTF_SKIP_NR		= 9,
};

enum tbtf_scope {
	TBTF_SCOPE_GLOBAL	= 0,	/* the machine */
	TBTF_SCOPE_CONSTRAINED	= 1,	/* a cpuset or memory policy */
	TBTF_SCOPE_MEMCG	= 2,	/* a memory cgroup at its limit */
	TBTF_SCOPE_SHARED	= 3,	/* several, for which no episode was free */
};

#define TBTF_EVENT_DRY		(1U << 0)	/* dry_run: it did not happen */
#define TBTF_EVENT_JIFFY	(1U << 1)	/* for a jiffy, not a nap */
#define TBTF_EVENT_SCANNED	(1U << 2)	/* all processes were looked at, not a sample */
#define TBTF_EVENT_MORE		(1U << 3)	/* PRINT: less than 100 ms after another like it */

/* A process. pid and start together mean it alone, however long the machine runs. */
struct tbtf_event_who {
	__u64 start;		/* when it was started, ns of boot time */
	__u64 cgroup;		/* its memory cgroup */
	__u64 size_kb;		/* as the kernel counts in an OOM; 0: not asked */
	__s32 pid;
	__s32 adj;		/* oom_score_adj */
	char  comm[16];
};

struct tbtf_event {
	__u64 episode;		/* 0: of none */
	__u16 version;		/* TBTF_EVENT_VERSION */
	__u16 size;		/* of this struct */
	__u32 kind;		/* enum tbtf_event_kind */
	__u64 scope_cgroup;	/* that hit its limit; 0: the machine, or a constraint */
	__u64 ns;		/* how long what the event tells of took */
	__u64 worth_kb;		/* SACRIFICE: what the kill frees; EPISODE_END: of all kills;
				 * REQUEST: what is wanted; ANSWER: what was granted; PRINT:
				 * what was handed out; FORETOLD: what is left
				 */
	__u32 scope;		/* enum tbtf_scope */
	__u32 what;		/* by kind, see there */
	__u32 flags;		/* TBTF_EVENT_*; MARK: TBTF_ON, TBTF_LOCAL */
	__u32 band;		/* SACRIFICE: enum tbtf_band */
	__u32 policy;		/* SACRIFICE: enum tbtf_policy */
	__u32 candidates;	/* SACRIFICE: of all bands, if TBTF_EVENT_SCANNED */
	__u32 tries;		/* SACRIFICE: looked at, if not */
	__u32 rounds;		/* EPISODE_END */
	__u32 kills;		/* EPISODE_END, RELIEF */
	__u32 naps;		/* EPISODE_END */
	__s32 order;		/* of the allocation */
	__u32 gfp;		/* its mask */
	__u32 rung;		/* REQUEST, ANSWER, RUNG_END: enum tbtf_rung (<linux/tbtf.h>) */
	__u32 reason;		/* ANSWER: enum tbtf_skip */
	struct tbtf_event_who task;		/* whom the event is about */
	struct tbtf_event_who protected;	/* who is protected in this round */
	struct tbtf_event_who caller;		/* who wanted the memory */
};

#endif /* _UAPI_LINUX_TBTF_EVENT_H */
