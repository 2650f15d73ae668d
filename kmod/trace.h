/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - tracepoints, one for every arrow of the ladder
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The source of truth for all statistics outside the module. The episode's id
 * comes first where there is one. Pids are thread group ids
 * of the initial namespace; sizes are in kB; cgroups are ids of memory cgroups.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tbtf

#if !defined(_TBTF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TBTF_TRACE_H

#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#ifndef _TBTF_TRACE_RECORDS
#define _TBTF_TRACE_RECORDS

/* Flat, so that a reader without type information can follow. */
struct tbtf_trace_sacrifice {
	u64 episode;
	u64 cgroup;		/* of the victim */
	u64 scope_cgroup;	/* that hit its limit; 0: the machine */
	u64 victim_kb;
	u64 worth_kb;
	u64 protected_kb;
	s32 victim;
	s32 protected;
	s32 victim_adj;
	u32 band;
	u32 policy;
	u32 candidates;
	u32 tries;
	u32 dry_run;
};

struct tbtf_trace_episode {
	u64 episode;
	u64 key;
	u64 freed_kb;
	u64 ns;
	u32 scope;
	u32 outcome;
	u32 rounds;
	u32 kills;
	u32 naps;
	u32 reserved;
};
#endif

TRACE_EVENT(tbtf_mark,
	TP_PROTO(struct pid *pid, u32 role, u32 flags),
	TP_ARGS(pid, role, flags),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, role)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(pid);
		__entry->role = role;
		__entry->flags = flags;
	),
	TP_printk("pid=%d role=%u flags=%#x", __entry->pid, __entry->role, __entry->flags)
);

/* A round with a protected process begins. */
TRACE_EVENT(tbtf_round,
	TP_PROTO(u64 episode, struct task_struct *p, u64 protected_kb, int order, u32 gfp),
	TP_ARGS(episode, p, protected_kb, order, gfp),
	TP_STRUCT__entry(
		__field(u64, episode)
		__field(u64, protected_kb)
		__field(pid_t, protected)
		__field(pid_t, caller)
		__field(int, order)
		__field(u32, gfp)
	),
	TP_fast_assign(
		__entry->episode = episode;
		__entry->protected_kb = protected_kb;
		__entry->protected = p->tgid;
		__entry->caller = current->tgid;
		__entry->order = order;
		__entry->gfp = gfp;
	),
	TP_printk("episode=%llu protected=%d protected_kb=%llu caller=%d order=%d gfp=%#x",
		  __entry->episode, __entry->protected, __entry->protected_kb, __entry->caller,
		  __entry->order, __entry->gfp)
);

/* Somebody is about to be killed in the protected one's place. */
TRACE_EVENT(tbtf_sacrifice,
	TP_PROTO(const struct tbtf_trace_sacrifice *rec),
	TP_ARGS(rec),
	TP_STRUCT__entry(
		__field_struct(struct tbtf_trace_sacrifice, rec)
	),
	TP_fast_assign(
		__entry->rec = *rec;
	),
	TP_printk("episode=%llu victim=%d victim_kb=%llu worth_kb=%llu adj=%d cgroup=%llu protected=%d protected_kb=%llu scope_cgroup=%llu band=%u policy=%u candidates=%u tries=%u dry_run=%u",
		  __entry->rec.episode, __entry->rec.victim, __entry->rec.victim_kb,
		  __entry->rec.worth_kb, __entry->rec.victim_adj, __entry->rec.cgroup,
		  __entry->rec.protected, __entry->rec.protected_kb, __entry->rec.scope_cgroup,
		  __entry->rec.band, __entry->rec.policy, __entry->rec.candidates,
		  __entry->rec.tries, __entry->rec.dry_run)
);

/* A round found nobody: on to the next rung. @futile: why, if not for want of candidates. */
TRACE_EVENT(tbtf_killless,
	TP_PROTO(u64 episode, u32 futile, u32 waited_ms),
	TP_ARGS(episode, futile, waited_ms),
	TP_STRUCT__entry(
		__field(u64, episode)
		__field(u32, futile)
		__field(u32, waited_ms)
	),
	TP_fast_assign(
		__entry->episode = episode;
		__entry->futile = futile;
		__entry->waited_ms = waited_ms;
	),
	TP_printk("episode=%llu futile=%u waited_ms=%u", __entry->episode, __entry->futile,
		  __entry->waited_ms)
);

/* A thread has waited in such a round; @jiffy: for a jiffy, because it must not nap. */
TRACE_EVENT(tbtf_nap,
	TP_PROTO(u64 episode, u64 ns, bool jiffy),
	TP_ARGS(episode, ns, jiffy),
	TP_STRUCT__entry(
		__field(u64, episode)
		__field(u64, ns)
		__field(pid_t, pid)
		__field(bool, jiffy)
	),
	TP_fast_assign(
		__entry->episode = episode;
		__entry->ns = ns;
		__entry->pid = current->pid;
		__entry->jiffy = jiffy;
	),
	TP_printk("episode=%llu pid=%d ns=%llu jiffy=%d", __entry->episode, __entry->pid,
		  __entry->ns, __entry->jiffy)
);

/* The end of the ladder: what on_exhausted does now, an enum tbtf_outcome. */
TRACE_EVENT(tbtf_exhausted,
	TP_PROTO(u64 episode, struct task_struct *p, u32 outcome, u32 waited_ms),
	TP_ARGS(episode, p, outcome, waited_ms),
	TP_STRUCT__entry(
		__field(u64, episode)
		__field(pid_t, protected)
		__field(u32, outcome)
		__field(u32, waited_ms)
	),
	TP_fast_assign(
		__entry->episode = episode;
		__entry->protected = p->tgid;
		__entry->outcome = outcome;
		__entry->waited_ms = waited_ms;
	),
	TP_printk("episode=%llu protected=%d outcome=%u waited_ms=%u", __entry->episode,
		  __entry->protected, __entry->outcome, __entry->waited_ms)
);

DECLARE_EVENT_CLASS(tbtf_episode,
	TP_PROTO(const struct tbtf_trace_episode *rec),
	TP_ARGS(rec),
	TP_STRUCT__entry(
		__field_struct(struct tbtf_trace_episode, rec)
	),
	TP_fast_assign(
		__entry->rec = *rec;
	),
	TP_printk("episode=%llu scope=%u key=%llu outcome=%u rounds=%u kills=%u freed_kb=%llu naps=%u ns=%llu",
		  __entry->rec.episode, __entry->rec.scope, __entry->rec.key,
		  __entry->rec.outcome, __entry->rec.rounds, __entry->rec.kills,
		  __entry->rec.freed_kb, __entry->rec.naps, __entry->rec.ns)
);

DEFINE_EVENT(tbtf_episode, tbtf_episode_begin,
	TP_PROTO(const struct tbtf_trace_episode *rec), TP_ARGS(rec));
DEFINE_EVENT(tbtf_episode, tbtf_episode_end,
	TP_PROTO(const struct tbtf_trace_episode *rec), TP_ARGS(rec));

#endif /* _TBTF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
