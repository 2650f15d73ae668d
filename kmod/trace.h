/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - tracepoints, one for every arrow of the ladder
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The source of truth for all statistics outside the module. All have the same
 * argument, a struct tbtf_event; <linux/tbtf_event.h> says what it means, and
 * event.c fills it. As text each shows what it speaks of, the episode's id first
 * where there is one.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tbtf

#if !defined(_TBTF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TBTF_TRACE_H

#include <linux/tracepoint.h>
#include <linux/tbtf_event.h>

/* The words are those of the first and the last event of an episode. */
DECLARE_EVENT_CLASS(tbtf_event,
	TP_PROTO(const struct tbtf_event *event),
	TP_ARGS(event),
	TP_STRUCT__entry(
		__field_struct(struct tbtf_event, e)
	),
	TP_fast_assign(
		__entry->e = *event;
	),
	TP_printk("episode=%llu scope=%u key=%llu outcome=%u rounds=%u kills=%u freed_kb=%llu naps=%u ns=%llu",
		  __entry->e.episode, __entry->e.scope, __entry->e.scope_cgroup,
		  __entry->e.what, __entry->e.rounds, __entry->e.kills,
		  __entry->e.worth_kb, __entry->e.naps, __entry->e.ns)
);

#define TBTF_EVENT(name, format, ...)					\
DEFINE_EVENT_PRINT(tbtf_event, tbtf_##name,				\
	TP_PROTO(const struct tbtf_event *event), TP_ARGS(event),	\
	TP_printk(format, ##__VA_ARGS__))

TBTF_EVENT(mark,
	   "pid=%d role=%u flags=%#x",
	   __entry->e.task.pid, __entry->e.what, __entry->e.flags);

/* An OOM that is none of ours. */
TBTF_EVENT(pass,
	   "episode=%llu pid=%d comm=%.16s what=%u scope_cgroup=%llu",
	   __entry->e.episode, __entry->e.task.pid, __entry->e.task.comm,
	   __entry->e.what, __entry->e.scope_cgroup);

/* A round begins in which somebody is looked for. */
TBTF_EVENT(round,
	   "episode=%llu protected=%d protected_kb=%llu caller=%d order=%d gfp=%#x",
	   __entry->e.episode, __entry->e.protected.pid,
	   __entry->e.protected.size_kb, __entry->e.caller.pid, __entry->e.order,
	   __entry->e.gfp);

/* It is decided, and nobody is killed instead: that is a sacrifice. */
TBTF_EVENT(round_end,
	   "episode=%llu protected=%d what=%u ns=%llu",
	   __entry->e.episode, __entry->e.protected.pid, __entry->e.what,
	   __entry->e.ns);

/* Somebody is about to be killed in the protected one's place. */
TBTF_EVENT(sacrifice,
	   "episode=%llu victim=%d comm=%.16s victim_kb=%llu worth_kb=%llu adj=%d cgroup=%llu protected=%d protected_comm=%.16s protected_kb=%llu scope_cgroup=%llu band=%u policy=%u candidates=%u tries=%u ns=%llu dry_run=%u",
	   __entry->e.episode, __entry->e.task.pid, __entry->e.task.comm,
	   __entry->e.task.size_kb, __entry->e.worth_kb, __entry->e.task.adj,
	   __entry->e.task.cgroup, __entry->e.protected.pid,
	   __entry->e.protected.comm, __entry->e.protected.size_kb,
	   __entry->e.scope_cgroup, __entry->e.band, __entry->e.policy,
	   __entry->e.candidates, __entry->e.tries, __entry->e.ns,
	   !!(__entry->e.flags & TBTF_EVENT_DRY));

/* A round found nobody: on to the next rung. */
TBTF_EVENT(killless,
	   "episode=%llu futile=%u waited_ms=%llu",
	   __entry->e.episode, __entry->e.what,
	   div_u64(__entry->e.ns, NSEC_PER_MSEC));

/* A thread has waited in such a round; jiffy: for a jiffy, because it must not nap. */
TBTF_EVENT(nap,
	   "episode=%llu pid=%d ns=%llu jiffy=%u",
	   __entry->e.episode, __entry->e.task.pid, __entry->e.ns,
	   !!(__entry->e.flags & TBTF_EVENT_JIFFY));

/* The episode leaves the rung past sacrifice. */
TBTF_EVENT(rung_end,
	   "episode=%llu outcome=%u ns=%llu rung=%u",
	   __entry->e.episode, __entry->e.what, __entry->e.ns, __entry->e.rung);

/* The helper is asked for memory. */
TBTF_EVENT(request,
	   "episode=%llu rung=%u protected=%d wanted_kb=%llu",
	   __entry->e.episode, __entry->e.rung, __entry->e.protected.pid,
	   __entry->e.worth_kb);

/* What has come of that, or why it is not asked. */
TBTF_EVENT(answer,
	   "episode=%llu rung=%u protected=%d what=%u reason=%u granted_kb=%llu ns=%llu",
	   __entry->e.episode, __entry->e.rung, __entry->e.protected.pid,
	   __entry->e.what, __entry->e.reason, __entry->e.worth_kb, __entry->e.ns);

/* Memory is handed out of the reserve. */
TBTF_EVENT(print,
	   "episode=%llu caller=%d what=%u kb=%llu",
	   __entry->e.episode, __entry->e.caller.pid, __entry->e.what,
	   __entry->e.worth_kb);

/* How long memory lasts, if it goes on like this. */
TBTF_EVENT(foretold,
	   "left_ms=%llu left_kb=%llu",
	   div_u64(__entry->e.ns, NSEC_PER_MSEC), __entry->e.worth_kb);

/* The end of the ladder: what on_exhausted does now. */
TBTF_EVENT(exhausted,
	   "episode=%llu protected=%d outcome=%u waited_ms=%llu",
	   __entry->e.episode, __entry->e.protected.pid, __entry->e.what,
	   div_u64(__entry->e.ns, NSEC_PER_MSEC));

/* The allocation that somebody was killed for has succeeded. */
TBTF_EVENT(relief,
	   "episode=%llu caller=%d kills=%u ns=%llu",
	   __entry->e.episode, __entry->e.caller.pid, __entry->e.kills,
	   __entry->e.ns);

/* A protected process is gone all the same. */
TBTF_EVENT(died,
	   "episode=%llu pid=%d comm=%.16s what=%u",
	   __entry->e.episode, __entry->e.task.pid, __entry->e.task.comm,
	   __entry->e.what);

DEFINE_EVENT(tbtf_event, tbtf_episode_begin,
	TP_PROTO(const struct tbtf_event *event), TP_ARGS(event));
DEFINE_EVENT(tbtf_event, tbtf_episode_end,
	TP_PROTO(const struct tbtf_event *event), TP_ARGS(event));

#endif /* _TBTF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
