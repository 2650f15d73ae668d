/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - telling the tracepoints
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * As long as nobody listens to a tracepoint, telling it is a branch that is
 * patched out: no event is filled, no clock is read.
 */
#ifndef _TBTF_EVENT_H
#define _TBTF_EVENT_H

#include <linux/tbtf_event.h>

#include "tbtf.h"
#include "trace.h"

/* tbtf_tell(NAME, ARGUMENT...): calls tbtf_tell_NAME() if somebody listens. */
#define tbtf_tell(name, ...)				\
do {							\
	if (trace_tbtf_##name##_enabled())		\
		tbtf_tell_##name(__VA_ARGS__);		\
} while (0)

/* The time, if it will be told. */
#define tbtf_told_ns(name)	(trace_tbtf_##name##_enabled() ? ktime_get_ns() : 0)

void tbtf_tell_mark(struct pid *pid, u32 role, u32 flags);
void tbtf_tell_pass(const struct oom_control *oc, enum tbtf_pass why);
void tbtf_tell_round(struct tbtf_episode *ep, const struct oom_control *oc);
void tbtf_tell_round_end(struct tbtf_episode *ep, const struct oom_control *oc,
			 enum tbtf_round what);
void tbtf_tell_episode_begin(const struct tbtf_episode *ep);
void tbtf_tell_episode_end(const struct tbtf_episode *ep);
void tbtf_tell_sacrifice(const struct tbtf_episode *ep, const struct oom_control *oc,
			 const struct tbtf_choice *choice, bool dry);
void tbtf_tell_killless(const struct tbtf_episode *ep, const struct oom_control *oc,
			enum tbtf_futile futile);
void tbtf_tell_nap(const struct tbtf_episode *ep, u64 ns, bool jiffy);
void tbtf_tell_rung_end(const struct tbtf_episode *ep, enum tbtf_rung rung,
			unsigned long spent, enum tbtf_outcome why);
void tbtf_tell_exhausted(const struct tbtf_episode *ep, const struct oom_control *oc,
			 enum tbtf_outcome outcome, unsigned int waited_ms);
void tbtf_tell_died(struct task_struct *task);
void tbtf_tell_print(const struct tbtf_episode *ep, const struct oom_control *oc,
		     enum tbtf_print what, unsigned long pages);
void tbtf_tell_foretold(u64 left_ms, u64 left_kb);
void tbtf_tell_request(const struct tbtf_ask *ask);
void tbtf_tell_answer(const struct tbtf_ask *ask, enum tbtf_answered what);

/* Who somebody is, as events say it. */
void tbtf_event_who(struct tbtf_event_who *who, struct task_struct *task, u64 kb);

/* Whom the episode's events speak of, until the next round says otherwise. */
void tbtf_event_protected(struct tbtf_episode *ep, struct task_struct *p, u64 kb);

/* What tbtf_tell_died() is to make of a death. */
void tbtf_event_doomed(struct task_struct *task, enum tbtf_death why);
#define TBTF_DEATH_OWN	0	/* it was dying already */

/* From the kill to the allocation that succeeds. */
void tbtf_event_relief(const struct tbtf_episode *ep, const struct oom_control *oc);
void tbtf_event_teardown(void);

#endif /* _TBTF_EVENT_H */
