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
	unsigned int looks;		/* O: rounds since the last that found memory there */
	bool waiting;			/* O: past rung one, since: */
	unsigned long waiting_since;	/* O: jiffies */
	unsigned long decided;		/* O: jiffies of the last decision past rung one */
	int decided_seq;		/* O: wake_seq at that time */
	unsigned long decided_avail;	/* O: pages available at that time */
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
unsigned int tbtf_slots_stage(const struct tbtf_slots *slots);

/* What slots.c tells of: in episode.c, and in the unit test. Under episode_lock. */
void tbtf_episode_begun(struct tbtf_episode *ep);
void tbtf_episode_ended(const struct tbtf_episode *ep);

/* ladder.c: the states of one episode */
void tbtf_ladder_sacrificed(struct tbtf_episode *ep);
bool tbtf_ladder_waits(struct tbtf_episode *ep, int seq, unsigned long avail);
void tbtf_ladder_sysrq(struct tbtf_episode *ep);
enum tbtf_outcome tbtf_ladder_end(struct tbtf_episode *ep, bool fragmented, bool unkillable);
bool tbtf_ladder_past_deadline(const struct tbtf_episode *ep);
bool tbtf_ladder_decided(const struct tbtf_episode *ep, int seq, bool for_ever);
unsigned int tbtf_ladder_waited_ms(const struct tbtf_episode *ep);
unsigned long tbtf_ladder_nap(const struct tbtf_episode *ep, bool for_ever);

/* futile.c: do the kills help? */
enum tbtf_futile tbtf_futile(const struct tbtf_episode *ep, unsigned long avail_now);
bool tbtf_futile_in_pieces(const struct tbtf_episode *ep);
bool tbtf_futile_respawns(const struct tbtf_episode *ep, u64 cgroup, u64 started);
void tbtf_futile_note_kill(struct tbtf_episode *ep, u64 cgroup, u64 started, u64 now,
			   unsigned long regained, unsigned long avail);

#endif /* _TBTF_EPISODE_H */
