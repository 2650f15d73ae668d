// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the life of a request to the helper
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What a round with nobody to kill does about the request of its episode, and
 * how much it asks for. Pure (see pure.h); the drawing stands in
 * Documentation/design/steal.rst.
 */
#include "episode.h"

/**
 * tbtf_ask_open() - can it still be answered?
 * @ask: the request
 *
 * Context: under helper_lock.
 * Return: true if it can.
 */
bool tbtf_ask_open(const struct tbtf_ask *ask)
{
	return ask->state == TBTF_ASK_UNREAD || ask->state == TBTF_ASK_PENDING;
}

/**
 * tbtf_ask_patience_ms() - how long a request may take where the ladder has no end
 *
 * Context: any.
 * Return: ladder_deadline_ms, or TBTF_RELIEF_MS if that is more.
 */
unsigned int tbtf_ask_patience_ms(void)
{
	return max_t(unsigned int, tbtf_knob(ladder_deadline_ms), TBTF_RELIEF_MS);
}

static bool since(const struct tbtf_ask *ask, unsigned int ms)
{
	return time_after_eq(jiffies, ask->since + msecs_to_jiffies(ms));
}

/**
 * tbtf_ask_next() - what is to be done about it now?
 * @ask: the request
 * @for_ever: no deadline applies to the ladder; one does to each request
 * @past: the ladder's deadline has passed
 *
 * What was granted is given time to show before more is asked for, past the
 * deadline as well. So a helper that grants what is not there is asked five times a
 * second.
 *
 * Context: under helper_lock.
 * Return: enum tbtf_ask_next.
 */
enum tbtf_ask_next tbtf_ask_next(const struct tbtf_ask *ask, bool for_ever, bool past)
{
	bool long_ago = since(ask, tbtf_ask_patience_ms());

	switch (ask->state) {
	case TBTF_ASK_UNREAD:
	case TBTF_ASK_PENDING:
		return (for_ever ? long_ago : past) ? TBTF_ASK_NEXT_LATE : TBTF_ASK_NEXT_WAIT;
	case TBTF_ASK_GRANTED:
		if (!since(ask, TBTF_STEAL_SHOWS_MS))
			return TBTF_ASK_NEXT_WAIT;
		break;
	case TBTF_ASK_REFUSED:
	case TBTF_ASK_LATE:
		/* Who waits for ever may ask again. */
		if (!for_ever || !long_ago)
			return TBTF_ASK_NEXT_OVER;
		break;
	case TBTF_ASK_NONE:
	case TBTF_ASK_ORPHANED:
	case TBTF_ASK_SKIPPED:
		break;
	}
	return past && !for_ever ? TBTF_ASK_NEXT_OVER : TBTF_ASK_NEXT_ASK;
}

/**
 * tbtf_ask_begin() - it is asked for
 * @ask: the request, which is not open
 * @capacity: pages that the scope could have now
 *
 * Context: under helper_lock.
 */
void tbtf_ask_begin(struct tbtf_ask *ask, unsigned long capacity)
{
	ask->state = TBTF_ASK_UNREAD;
	ask->since = jiffies;
	ask->capacity = capacity;
}

/**
 * tbtf_ask_end() - it is over
 * @ask: the request
 * @state: as what
 *
 * Context: under helper_lock.
 */
void tbtf_ask_end(struct tbtf_ask *ask, enum tbtf_ask_state state)
{
	ask->state = state;
	ask->since = jiffies;
}

/**
 * tbtf_ask_skip() - nothing is asked for
 * @ask: the request, which is not open
 * @why: the reason
 *
 * Context: under helper_lock.
 * Return: true if that is news.
 */
bool tbtf_ask_skip(struct tbtf_ask *ask, enum tbtf_skip why)
{
	bool news = ask->state != TBTF_ASK_SKIPPED || ask->skip != why;

	tbtf_ask_end(ask, TBTF_ASK_SKIPPED);
	ask->skip = why;
	return news;
}

/**
 * tbtf_ask_anew() - another wait begins
 * @ask: the request
 *
 * What the last one came to is no answer to this. One that is open stays, and its
 * answer is for this; memory that was granted just now may still be there.
 *
 * Context: under oom_lock: only an open one changes otherwise.
 */
void tbtf_ask_anew(struct tbtf_ask *ask)
{
	if (ask->state == TBTF_ASK_REFUSED || ask->state == TBTF_ASK_LATE ||
	    ask->state == TBTF_ASK_SKIPPED)
		ask->state = TBTF_ASK_NONE;
}

/**
 * tbtf_ask_used_up() - was memory granted, and has it been consumed?
 * @ask: the request
 * @capacity: pages that the scope could have now
 *
 * There is nobody to kill and nothing to be had, or it would not be asked; but
 * whether anything had come is not taken from the helper's word.
 *
 * Context: under oom_lock.
 * Return: true if it has.
 */
bool tbtf_ask_used_up(const struct tbtf_ask *ask, unsigned long capacity)
{
	u64 real_kb = max_t(u64, ask->granted_kb / 2, TBTF_STEAL_REAL_KB);

	return ask->state == TBTF_ASK_GRANTED && since(ask, TBTF_STEAL_SHOWS_MS) &&
	       capacity > ask->capacity &&
	       pages_to_kb(capacity - ask->capacity) >= real_kb;
}

/**
 * tbtf_ask_consumed() - what was granted is used up
 * @ask: the request
 *
 * Since when it was there stays known, for the next one to be measured by.
 *
 * Context: under oom_lock: only an open one changes otherwise.
 */
void tbtf_ask_consumed(struct tbtf_ask *ask)
{
	ask->state = TBTF_ASK_NONE;
}

/**
 * tbtf_ask_wanted() - how much to ask for
 * @consumed_kb: what the scope has consumed
 * @ms: in so long
 * @protected_kb: the size of the protected process: more cannot be swapped out of it
 *
 * Context: any.
 * Return: kB.
 */
u64 tbtf_ask_wanted(u64 consumed_kb, unsigned int ms, u64 protected_kb)
{
	u64 most = max_t(u64, protected_kb, TBTF_STEAL_FLOOR_KB);
	u64 kb = div64_u64(min_t(u64, consumed_kb, TBTF_GRANT_MAX_KB) * TBTF_STEAL_AHEAD_MS,
			   max_t(unsigned int, ms, TBTF_STEAL_OVER_MS));

	return clamp_t(u64, kb, TBTF_STEAL_FLOOR_KB, most);
}
