/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - an episode: what is known of it, and how it goes on
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Pure (see pure.h): slots.c has the table of episodes, ladder.c the states of
 * one, futile.c what its kills have brought. The tags of the fields are those of
 * tbtf.h.
 */
#ifndef _TBTF_EPISODE_H
#define _TBTF_EPISODE_H

#include "pure.h"

/* A cgroup that gave victims to an episode, and how often it put others in their place. */
struct tbtf_generation {
	u64 cgroup;			/* O: id */
	u64 killed_at;			/* O: ns of boot time: first kill of the last generation */
	u32 generations;		/* O */
};

/* What has become of the one request that an episode has for a rung. */
enum tbtf_ask_state {
	TBTF_ASK_NONE,			/* nothing was asked for */
	TBTF_ASK_UNREAD,		/* the helper has not seen it */
	TBTF_ASK_PENDING,		/* it is at it */
	TBTF_ASK_GRANTED,
	TBTF_ASK_REFUSED,
	TBTF_ASK_LATE,			/* the deadline has passed */
	TBTF_ASK_ORPHANED,		/* the helper has died */
	TBTF_ASK_SKIPPED,		/* nothing was asked for, with a reason */
};

/* What a round with nobody to kill is to do about it. */
enum tbtf_ask_next {
	TBTF_ASK_NEXT_ASK,		/* ask, or ask again; or skip it */
	TBTF_ASK_NEXT_WAIT,		/* memory is on its way, or there */
	TBTF_ASK_NEXT_LATE,		/* give it up, then: */
	TBTF_ASK_NEXT_OVER,		/* none comes: the next rung */
};

struct tbtf_ask {
	enum tbtf_ask_state state;	/* H */
	enum tbtf_rung rung;		/* H, as all the others but these: */
	enum tbtf_skip skip;		/* O */
	u32 flags;			/* TBTF_REQUEST_* */
	u64 id;
	u64 asked_ns;
	u64 deadline_ns;
	u64 wanted_kb;
	u64 granted_kb;			/* at last; 0: nothing yet, in this episode */
	u64 brought_kb;			/* by all grants of it */
	unsigned long since;		/* jiffies: asked, or over */
	unsigned long capacity;		/* O: pages that the scope could have, when asked */
	struct tbtf_event_who whom;	/* protected then */
	struct tbtf_episode *episode;
	struct list_head list;		/* unread and pending ones */
};

/**
 * struct tbtf_episode - one OOM situation of one scope
 *
 * Lives in a table allocated at load; flows down the ladder as struct
 * oom_control does in mm/oom_kill.c.
 */
struct tbtf_episode {
	u64 id;				/* E: 0 while the slot is free */
	u64 key;			/* E: cgroup id, or a hash of the nodes */
	enum tbtf_scope scope;		/* E */
	unsigned int users;		/* E: rounds in progress, naps included */
	unsigned long last;		/* E: jiffies at the end of the last round */
	u64 began;			/* E: ns */
	enum tbtf_outcome outcome;	/* O: what it would be, did it end now */

	unsigned int rounds;		/* O */
	u64 round_began;		/* O: ns, if it is told */
	struct tbtf_event_who whom;	/* O: protected in the last round, if it is told */
	unsigned int kills;		/* O */
	u64 freed_kb;			/* O: expected of these */
	unsigned long printed;		/* O: pages */
	u64 burn_kb, print_kb;		/* O: rates when most was consumed */
	char victims[TBTF_VICTIMS_TOLD][16];	/* O: names of the last, by number of the kill */
	unsigned int looks;		/* O: rounds since the last that found memory there */
	bool waiting;			/* O: past rung one, since: */
	unsigned long waiting_since;	/* O: jiffies */
	unsigned long decided;		/* O: jiffies of the last decision past rung one */
	int decided_seq;		/* O: wake_seq at that time */
	unsigned long decided_avail;	/* O: pages available at that time */
	enum tbtf_rung rung;		/* O: on which it waits, since: */
	unsigned long rung_since;	/* O: jiffies */
	bool helped;			/* O: for the helper; the reserve is the bridge */
	enum tbtf_rung given;		/* A: which has brought memory last, and for all it knows
					 * there still is some of it
					 */
	struct tbtf_ask steal, print;
	atomic_t naps;
	struct task_struct *prober;	/* A: who tries next, of who nap in a fault; compared */

	/* futility */
	struct {
		unsigned long regained;	/* O: pages */
		unsigned long avail;	/* O: pages available before the kill */
	} last_kills[TBTF_REGAIN_KILLS];
	struct tbtf_generation cgroups[TBTF_CGROUPS_REMEMBERED];
	unsigned int nr_cgroups;	/* O */
};

/* How far the ladder has been climbed. */
enum tbtf_stage {
	TBTF_STAGE_IDLE,		/* there is no episode */
	TBTF_STAGE_SACRIFICE,
	TBTF_STAGE_STEAL,		/* nobody is left to be killed; the helper is asked */
	TBTF_STAGE_PRINT,
	TBTF_STAGE_EXHAUSTED,		/* nothing is left but to wait for the deadline */
};

/* slots.c: which episode is whose, from the first round to the end */
struct tbtf_slots {
	struct tbtf_episode *episodes;	/* I: TBTF_MAX_EPISODES of them, and the shared one */
	unsigned int nr_open;		/* E */
	u64 last_id;			/* E */
};

struct tbtf_episode *tbtf_slots_enter(struct tbtf_slots *slots, enum tbtf_scope scope, u64 key,
				      bool begin);
void tbtf_slots_leave(struct tbtf_slots *slots, struct tbtf_episode *ep, bool round);
void tbtf_slots_close(struct tbtf_slots *slots, bool off);
enum tbtf_stage tbtf_slots_stage(const struct tbtf_slots *slots);

/* What slots.c tells of: in episode.c, and in the unit test. Under episode_lock. */
void tbtf_episode_begun(struct tbtf_episode *ep);
void tbtf_episode_ended(struct tbtf_episode *ep);

/* ladder.c: the states of one episode */
void tbtf_ladder_sacrificed(struct tbtf_episode *ep);
bool tbtf_ladder_waits(struct tbtf_episode *ep, int seq, unsigned long avail,
		       const struct task_struct *who, u64 progress);
void tbtf_ladder_fails(const struct task_struct *who);
void tbtf_ladder_off(void);
void tbtf_ladder_sysrq(struct tbtf_episode *ep);
enum tbtf_outcome tbtf_ladder_end(struct tbtf_episode *ep, bool fragmented, bool unkillable,
				  bool held);
bool tbtf_ladder_past_deadline(const struct tbtf_episode *ep);
bool tbtf_ladder_decided(const struct tbtf_episode *ep, int seq, bool for_ever);
unsigned int tbtf_ladder_waited_ms(const struct tbtf_episode *ep);
unsigned long tbtf_ladder_left(const struct tbtf_episode *ep, bool for_ever, bool more);
unsigned long tbtf_ladder_nap(const struct tbtf_episode *ep, bool for_ever);

void tbtf_ladder_used_up(struct tbtf_episode *ep);
enum tbtf_outcome tbtf_ladder_outcome(const struct tbtf_episode *ep);

/* request.c: the life of a request */
unsigned int tbtf_ask_patience_ms(void);
bool tbtf_ask_open(const struct tbtf_ask *ask);
enum tbtf_ask_next tbtf_ask_next(const struct tbtf_ask *ask, bool for_ever, bool past);
void tbtf_ask_begin(struct tbtf_ask *ask, unsigned long capacity);
void tbtf_ask_end(struct tbtf_ask *ask, enum tbtf_ask_state state);
bool tbtf_ask_skip(struct tbtf_ask *ask, enum tbtf_skip why);
void tbtf_ask_anew(struct tbtf_ask *ask);
void tbtf_ask_consumed(struct tbtf_ask *ask);
bool tbtf_ask_used_up(const struct tbtf_ask *ask, unsigned long capacity);
u64 tbtf_ask_wanted(u64 consumed_kb, unsigned int ms, u64 protected_kb);

/* futile.c: do the kills help? */
enum tbtf_futile tbtf_futile(const struct tbtf_episode *ep, unsigned long avail_now);
bool tbtf_futile_in_pieces(const struct tbtf_episode *ep);
bool tbtf_futile_respawns(const struct tbtf_episode *ep, u64 cgroup, u64 started);
void tbtf_futile_note_kill(struct tbtf_episode *ep, u64 cgroup, u64 started, u64 now,
			   unsigned long regained, unsigned long avail);

#endif /* _TBTF_EPISODE_H */
