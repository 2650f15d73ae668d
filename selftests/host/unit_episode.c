// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - episodes: which is whose, their states, and the clock
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The module's own slots.c and ladder.c, with a clock that the test moves: every
 * test is run twice, the second time across the wrap of jiffies.
 */
#include <stdlib.h>

#include "../../kmod/episode.h"
#include "unit.h"

unsigned long jiffies;
struct tbtf_knobs tbtf_knobs;

#define MEMCG		TBTF_SCOPE_MEMCG
#define GLOBAL		TBTF_SCOPE_GLOBAL

static struct tbtf_episode *table;
static struct tbtf_slots slots;
static unsigned int begun, ended, outcomes[TBTF_OUTCOME_NR];
static u64 ended_last;		/* id */
static const char *clock_name;
static unsigned long start;

void tbtf_episode_begun(struct tbtf_episode *ep)
{
	begun++;
	if (ep->users || ep->rounds || ep->kills || ep->waiting || ep->nr_cgroups)
		result(false, "%s: a new episode knows nothing of the one before", clock_name);
}

void tbtf_episode_ended(struct tbtf_episode *ep)
{
	ended++;
	ended_last = ep->id;
	outcomes[ep->outcome]++;
	if (ep->users || !ep->id || ep->outcome == TBTF_OUTCOME_OPEN)
		result(false, "%s: an episode ends when nobody is inside, once", clock_name);
}

static void fresh(void)
{
	free(table);
	/* Of the exact size: what is beyond the shared one, ASan knows. */
	table = calloc(TBTF_MAX_EPISODES + 1, sizeof(*table));
	slots = (struct tbtf_slots){ .episodes = table };
	begun = ended = 0;
	memset(outcomes, 0, sizeof(outcomes));
	jiffies = start;
	tbtf_ladder_off();
	tbtf_knobs = (struct tbtf_knobs){
		.nap_ms = TBTF_NAP_MS,
		.episode_idle_ms = TBTF_EPISODE_IDLE_MS,
		.ladder_deadline_ms = TBTF_LADDER_DEADLINE_MS,
	};
}

static void pass(unsigned int ms)
{
	jiffies += msecs_to_jiffies(ms);
}

static struct tbtf_episode *enter(enum tbtf_scope scope, u64 key)
{
	return tbtf_slots_enter(&slots, scope, key, true);
}

static struct tbtf_episode *look(enum tbtf_scope scope, u64 key)
{
	return tbtf_slots_enter(&slots, scope, key, false);
}

static void leave(struct tbtf_episode *ep)
{
	tbtf_slots_leave(&slots, ep, true);
}

/* A round in which a victim is found, and one in which nobody is. */
static struct tbtf_episode *round_killing(enum tbtf_scope scope, u64 key)
{
	struct tbtf_episode *ep = enter(scope, key);

	tbtf_ladder_sacrificed(ep);
	leave(ep);
	return ep;
}

static struct tbtf_episode *round_killless(enum tbtf_scope scope, u64 key)
{
	struct tbtf_episode *ep = enter(scope, key);

	tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	leave(ep);
	return ep;
}

__attribute__((format(printf, 2, 3)))
static void check(bool good, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	result(good, "%s: %s", clock_name, text);
}

/* -- the table -------------------------------------------------------------------- */

static void test_life(void)
{
	struct tbtf_episode *ep, *other;
	u64 id;

	fresh();
	check(!look(GLOBAL, 0) && !begun, "to look begins nothing");
	ep = enter(GLOBAL, 0);
	id = ep->id;
	check(ep && id && begun == 1 && slots.nr_open == 1 && ep->users == 1, "the first round begins one");
	check(enter(GLOBAL, 0) == ep && ep->users == 2 && begun == 1, "the next is of the same");
	other = enter(MEMCG, 5);
	check(other != ep && other->id == id + 1 && begun == 2, "a cgroup has its own");
	check(enter(MEMCG, 6) != other && begun == 3, "another cgroup another");
	check(enter(TBTF_SCOPE_CONSTRAINED, 5) != other && begun == 4, "nodes are no cgroup");
	leave(ep);
	pass(TBTF_EPISODE_IDLE_MS + 1000);
	check(enter(GLOBAL, 0) == ep && ep->id == id, "while somebody is inside, it is not over");
	leave(ep);
	leave(ep);
	pass(TBTF_EPISODE_IDLE_MS);
	check(look(GLOBAL, 0) == ep, "at episode_idle_ms it is not");
	tbtf_slots_leave(&slots, ep, false);
	pass(4);
	check(!look(GLOBAL, 0) && ended == 1 && ended_last == id,
	      "a jiffy later it is, and to look does not put that off");
	check(enter(GLOBAL, 0)->id > id && begun == 5, "the next round begins another");
	check(outcomes[TBTF_OUTCOME_SACRIFICED] == 1, "it ended as sacrificed");
	ep = enter(MEMCG, 77);
	tbtf_slots_leave(&slots, ep, false);
	check(look(MEMCG, 77) == ep, "without a round it lasts as long, from its beginning");
}

static void test_idle(void)
{
	struct tbtf_episode *ep;
	unsigned int i;
	u64 id;

	fresh();
	ep = round_killing(GLOBAL, 0);
	id = ep->id;
	for (i = 0; i < 100; i++) {
		pass(TBTF_EPISODE_IDLE_MS);
		round_killing(GLOBAL, 0);
	}
	check(begun == 1 && ep->id == id, "rounds that follow soon are all of one episode");
	pass(TBTF_EPISODE_IDLE_MS / 2);
	tbtf_slots_close(&slots, false);
	check(!ended, "the work item leaves it alone before its time");
	tbtf_knobs.episode_idle_ms = TBTF_EPISODE_IDLE_MS_MIN;
	tbtf_slots_close(&slots, false);
	check(ended == 1 && !slots.nr_open, "a shorter episode_idle_ms counts at once");
	tbtf_slots_close(&slots, false);
	check(ended == 1, "it ends once");

	ep = enter(MEMCG, 5);
	pass(3600 * 1000);
	tbtf_slots_close(&slots, false);
	tbtf_slots_close(&slots, true);
	check(ended == 1, "not while somebody is inside, not even when switched off");
	leave(ep);
	tbtf_slots_close(&slots, true);
	check(ended == 2 && outcomes[TBTF_OUTCOME_SWITCHED] == 1, "switched off, it ends as switched");
	check(enter(MEMCG, 5) && begun == 3, "and another can begin");
}

static void test_killed(void)
{
	struct tbtf_episode *ep;

	fresh();
	ep = enter(GLOBAL, 0);
	enter(GLOBAL, 0);
	tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	tbtf_ladder_end(ep, false, false, false);
	leave(ep);
	check(!ended, "P is killed: it stays while somebody is inside");
	leave(ep);
	check(ended == 1 && outcomes[TBTF_OUTCOME_KILLED] == 1 && !slots.nr_open,
	      "P is killed: it is over when the last one leaves");
}

static void test_full(void)
{
	struct tbtf_episode *ep, *shared, *first;
	unsigned int i;
	bool good = true;
	u64 id;

	fresh();
	jiffies -= 100;		/* the wrap is between two of them */
	first = round_killing(MEMCG, 1);
	for (i = 2; i < TBTF_MAX_EPISODES; i++) {
		pass(4);
		round_killing(MEMCG, i);
	}
	check(begun == 255 && slots.nr_open == 255, "full: 255 cgroups have one each");
	for (i = 1; i < TBTF_MAX_EPISODES; i++) {
		ep = look(MEMCG, i);
		good &= ep && ep->key == i;
		tbtf_slots_leave(&slots, ep, false);
	}
	check(good, "full: and it is found");
	ep = enter(GLOBAL, 0);
	check(ep == &table[0] && !ended, "full: the slot of the machine is free for it");
	leave(ep);

	/* The quietest makes room, but one that is busy or waits does not. */
	ep = enter(MEMCG, 2);
	round_killless(MEMCG, 3);
	leave(look(MEMCG, 1));
	id = look(MEMCG, 4)->id;
	tbtf_slots_leave(&slots, &table[4], false);
	shared = enter(MEMCG, 1000);
	check(ended == 1 && ended_last == id && shared->scope == MEMCG && shared->key == 1000,
	      "full: the quietest makes room, unless somebody is inside or waits");
	leave(shared);
	check(first->key == 1, "full: who was here just now stays");
	leave(ep);

	for (i = 1; i < TBTF_MAX_EPISODES; i++) {
		ep = &table[i];
		ep->users++;
		tbtf_ladder_waits(ep, 0, 0, NULL, 0);
		tbtf_slots_leave(&slots, ep, true);
	}
	ended = 0;
	id = slots.last_id;
	shared = enter(MEMCG, 2000);
	check(shared == &table[TBTF_MAX_EPISODES] && shared->scope == TBTF_SCOPE_SHARED &&
	      shared->id == id + 1 && !ended, "full: where all wait, the rest share one");
	check(enter(MEMCG, 2001) == shared && enter(TBTF_SCOPE_CONSTRAINED, 9) == shared &&
	      shared->users == 3 && slots.last_id == id + 1, "full: all of them");
	check(!look(MEMCG, 2000), "full: it is nobody's own");
	ep = enter(GLOBAL, 0);
	check(ep == &table[0], "full: but not that of the machine");
	leave(ep);
	for (i = 0; i < 3; i++)
		leave(shared);
	check(slots.nr_open == 257, "full: 257 in all");
	pass(TBTF_EPISODE_IDLE_MS + 4);
	table[7].users++;	/* so that one is left */
	tbtf_slots_close(&slots, false);
	check(slots.nr_open == 1 && table[7].id && !shared->id, "full: all are over but the one in use");
	leave(&table[7]);
	tbtf_slots_close(&slots, true);

	/* The shared one does not go on for ever either. */
	for (i = 1; i < TBTF_MAX_EPISODES; i++) {
		ep = enter(MEMCG, 3000 + i);
		tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	}
	leave(enter(MEMCG, 5000));
	id = shared->id;
	pass(TBTF_EPISODE_IDLE_MS + 4);
	check(enter(MEMCG, 5001) == shared && shared->id > id, "full: the shared one ends by idling, too");
}

/* -- the states -------------------------------------------------------------------- */

static void test_waiting(void)
{
	struct tbtf_episode *ep, *other;
	const unsigned int relief = TBTF_NAP_MS + TBTF_RELIEF_MS;
	unsigned long since;

	fresh();
	ep = enter(GLOBAL, 0);
	check(!tbtf_ladder_waited_ms(ep) && tbtf_slots_stage(&slots) == TBTF_STAGE_SACRIFICE,
	      "a round: the stage is sacrifice");
	check(tbtf_ladder_waits(ep, 3, 777, NULL, 0) && ep->waiting && ep->outcome == TBTF_OUTCOME_WAITED,
	      "nobody to kill: it waits, and the clock starts");
	check(ep->decided_seq == 3 && ep->decided_avail == 777 && ep->decided == jiffies,
	      "what the decision rests on is kept");
	check(tbtf_slots_stage(&slots) == TBTF_STAGE_EXHAUSTED, "the stage is exhausted");
	ep->rung = TBTF_RUNG_STEAL;
	check(tbtf_slots_stage(&slots) == TBTF_STAGE_STEAL, "while the helper is asked it is steal");
	ep->rung = TBTF_RUNG_PRINT;
	check(tbtf_slots_stage(&slots) == TBTF_STAGE_PRINT, "or print");
	ep->helped = true;
	other = enter(MEMCG, 1);
	tbtf_ladder_waits(other, 0, 0, NULL, 0);
	check(tbtf_slots_stage(&slots) == TBTF_STAGE_EXHAUSTED, "the furthest of all episodes counts");
	tbtf_ladder_sacrificed(other);
	leave(other);
	since = jiffies;
	pass(1000);
	check(!tbtf_ladder_waits(ep, 4, 778, NULL, 0) && ep->waiting_since == since &&
	      tbtf_ladder_waited_ms(ep) == 1000 && ep->decided == jiffies && ep->decided_seq == 4,
	      "again nobody: the clock goes on");
	tbtf_ladder_sacrificed(ep);
	check(!ep->waiting && ep->outcome == TBTF_OUTCOME_SACRIFICED && !tbtf_ladder_waited_ms(ep) &&
	      tbtf_slots_stage(&slots) == TBTF_STAGE_SACRIFICE, "a victim is found: it waits no more");
	pass(1000);
	check(tbtf_ladder_waits(ep, 0, 0, NULL, 0) && ep->waiting_since == jiffies && !ep->rung &&
	      ep->rung_since == jiffies && !ep->helped,
	      "the next wait has a clock of its own, and begins with the first rung");
	since = jiffies;
	pass(relief - 100);
	tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	pass(relief);
	check(!tbtf_ladder_waits(ep, 0, 0, NULL, 0) && ep->waiting_since == since,
	      "a trickle of memory does not put off the end");
	pass(relief + 4);
	check(tbtf_ladder_waits(ep, 0, 0, NULL, 0) && ep->waiting_since == jiffies,
	      "memory that lasted does");
	leave(ep);
	pass(TBTF_EPISODE_IDLE_MS + 4);
	tbtf_slots_close(&slots, false);
	check(outcomes[TBTF_OUTCOME_WAITED] == 1 && tbtf_slots_stage(&slots) == TBTF_STAGE_IDLE,
	      "it ends as waited; the stage is idle");
}

/* -- who is still in the same allocation ------------------------------------------------ */

static const struct task_struct *thread(unsigned long nr)
{
	return (const struct task_struct *)(nr << 6);
}

/* A round of a thread that has found nobody; how long the wait has lasted by its clock, in ms. */
static unsigned int comes(enum tbtf_scope scope, u64 key, unsigned long nr, u64 progress)
{
	struct tbtf_episode *ep = enter(scope, key);
	unsigned int ms;

	tbtf_ladder_waits(ep, 0, 0, thread(nr), progress);
	ms = tbtf_ladder_waited_ms(ep);
	leave(ep);
	return ms;
}

static void test_stuck(void)
{
	const unsigned int apart = TBTF_EPISODE_IDLE_MS + 1000;
	struct tbtf_episode *ep;
	unsigned long i;
	bool good = true;

	fresh();
	good = comes(MEMCG, 1, 1, 77) == 0;
	for (i = 1; i < 10; i++) {
		pass(apart);
		good &= comes(MEMCG, 1, 1, 77) == i * apart;
	}
	check(good && begun == 10, "stuck: an episode each, and one clock");
	pass(apart);
	check(comes(MEMCG, 1, 1, 78) == 0, "stuck: not if it got further");
	pass(apart);
	check(comes(MEMCG, 2, 1, 78) == 0, "stuck: nor in another scope");
	pass(apart);
	check(comes(MEMCG, 0, 2, 78) == 0, "stuck: whatever that is");
	pass(apart);
	check(comes(GLOBAL, 0, 2, 78) == 0, "stuck: a cgroup or the machine");
	pass(TBTF_STUCK_MS);
	check(comes(GLOBAL, 0, 2, 78) == TBTF_STUCK_MS, "stuck: for so long");
	pass(TBTF_STUCK_MS + 4);
	check(comes(GLOBAL, 0, 2, 78) == 0, "stuck: not for longer");

	/* One that comes later does not make it shorter for the one before. */
	fresh();
	comes(GLOBAL, 0, 1, 5);
	pass(apart);
	check(comes(GLOBAL, 0, 2, 5) == 0, "stuck: another thread has a clock of its own");
	pass(100);
	check(comes(GLOBAL, 0, 1, 5) == apart + 100, "stuck: the first brings its clock with it");
	check(comes(GLOBAL, 0, 2, 5) == apart + 100, "stuck: and that is the episode's");

	/* In one episode. */
	fresh();
	tbtf_knobs.episode_idle_ms = 100000;
	comes(GLOBAL, 0, 1, 5);
	pass(20000);
	ep = enter(GLOBAL, 0);
	check(!tbtf_ladder_waits(ep, 0, 0, thread(1), 5) && tbtf_ladder_waited_ms(ep) == 20000,
	      "stuck: no relief for it, so none at all: the wait goes on");
	leave(ep);
	pass(20000);
	check(comes(GLOBAL, 0, 1, 6) == 0 && begun == 1, "stuck: relief, where it got further");
	pass(20000);
	ep = enter(GLOBAL, 0);
	check(tbtf_ladder_waits(ep, 0, 0, NULL, 0) && !tbtf_ladder_waited_ms(ep),
	      "stuck: of one that is no program's nothing is known");
	leave(ep);

	/* What puts the end off for all of a scope. */
	for (i = 0; i < 5; i++) {
		fresh();
		comes(MEMCG, 1, 1, 5);
		comes(MEMCG, 2, 2, 5);
		pass(1000);
		ep = enter(MEMCG, 1);
		if (i == 0)
			tbtf_ladder_sacrificed(ep);
		else if (i == 1)
			tbtf_ladder_used_up(ep);
		else if (i == 2)
			tbtf_ladder_end(ep, false, false, false);
		else if (i == 3)
			tbtf_ladder_fails(thread(1));
		else
			tbtf_ladder_off();
		leave(ep);
		pass(apart);
		check(comes(MEMCG, 1, 1, 5) == 0, "stuck: it begins anew, %lu", i);
		check(comes(MEMCG, 2, 2, 5) == (i == 4 ? 0 : apart + 1000),
		      "stuck: but not in another scope, unless all is switched off, %lu", i);
	}

	/* More than are known. */
	fresh();
	for (i = 1; i <= TBTF_STUCK_NR + 1; i++) {
		pass(4);
		comes(MEMCG, 1, i, 5);
	}
	pass(apart);
	check(comes(MEMCG, 1, 2, 5) && comes(MEMCG, 1, TBTF_STUCK_NR + 1, 5),
	      "stuck: so many are known");
	pass(TBTF_EPISODE_IDLE_MS + 4);
	check(comes(MEMCG, 1, 1, 5) == 0, "stuck: the one that was away for longest is not");
}

/* Whose memory it was that came: told at the end, if there was nobody killed after. */
static void test_given(void)
{
	static const struct {
		enum tbtf_rung given;
		enum tbtf_outcome outcome;
	} table[] = {
		{ TBTF_RUNG_NONE, TBTF_OUTCOME_WAITED },
		{ TBTF_RUNG_STEAL, TBTF_OUTCOME_STOLEN },
		{ TBTF_RUNG_PRINT, TBTF_OUTCOME_PRINTED },
	};
	struct tbtf_episode *ep;
	unsigned int i;
	unsigned long since;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fresh();
		ep = enter(GLOBAL, 0);
		tbtf_ladder_waits(ep, 0, 0, NULL, 0);
		ep->given = table[i].given;
		leave(ep);
		pass(TBTF_EPISODE_IDLE_MS + 4);
		tbtf_slots_close(&slots, false);
		check(ended == 1 && outcomes[table[i].outcome] == 1, "memory of rung %d came: outcome %d",
		      table[i].given, table[i].outcome);
	}

	fresh();
	ep = enter(GLOBAL, 0);
	tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	ep->given = TBTF_RUNG_STEAL;
	tbtf_ladder_sacrificed(ep);
	check(tbtf_ladder_outcome(ep) == TBTF_OUTCOME_SACRIFICED, "somebody was killed after all: sacrificed");
	tbtf_ladder_waits(ep, 0, 0, NULL, 0);
	check(tbtf_ladder_outcome(ep) == TBTF_OUTCOME_WAITED, "what came before that is forgotten");
	since = jiffies;
	pass(1000);
	tbtf_ladder_used_up(ep);
	check(tbtf_ladder_waits(ep, 0, 0, NULL, 0) && ep->waiting_since == jiffies && jiffies != since,
	      "what came was used up: the clock starts anew");
	ep->given = TBTF_RUNG_STEAL;
	tbtf_ladder_end(ep, true, false, false);
	check(tbtf_ladder_outcome(ep) == TBTF_OUTCOME_FAILED, "an allocation was made to fail: failed");
	leave(ep);
	tbtf_slots_close(&slots, true);
	check(outcomes[TBTF_OUTCOME_SWITCHED] == 1, "switched off: switched");
}

static void test_deadline(void)
{
	static const unsigned int deadlines[] = { 0, 1, 4, 2000, TBTF_LADDER_DEADLINE_MS,
						  TBTF_LADDER_DEADLINE_MS_LIMIT };
	struct tbtf_episode *ep;
	unsigned int i;
	bool good = true;

	for (i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		fresh();
		tbtf_knobs.ladder_deadline_ms = deadlines[i];
		ep = enter(GLOBAL, 0);
		tbtf_ladder_waits(ep, 0, 0, NULL, 0);
		good &= tbtf_ladder_past_deadline(ep) == !deadlines[i];
		if (deadlines[i]) {
			jiffies += msecs_to_jiffies(deadlines[i]) - 1;
			good &= !tbtf_ladder_past_deadline(ep);
			jiffies++;
			good &= tbtf_ladder_past_deadline(ep);
		}
		pass(1000000);
		good &= tbtf_ladder_past_deadline(ep);
	}
	check(good, "the deadline: not a jiffy before, and from then on");
	tbtf_knobs.ladder_deadline_ms = 2 * TBTF_LADDER_DEADLINE_MS_LIMIT;
	check(!tbtf_ladder_past_deadline(ep), "a later one counts at once");
}

static void test_nap(void)
{
	struct tbtf_episode *ep;
	const unsigned long nap = msecs_to_jiffies(TBTF_NAP_MS);

	fresh();
	ep = enter(MEMCG, 1);
	check(tbtf_ladder_nap(ep, false) == nap, "a nap lasts for nap_ms");
	tbtf_ladder_waits(ep, 1, 0, NULL, 0);
	check(tbtf_ladder_nap(ep, false) == nap, "also with the clock running");
	pass(TBTF_LADDER_DEADLINE_MS - TBTF_NAP_MS);
	check(tbtf_ladder_nap(ep, false) == nap, "up to the deadline");
	pass(40);
	check(tbtf_ladder_nap(ep, false) == msecs_to_jiffies(TBTF_NAP_MS - 40), "not beyond it");
	check(tbtf_ladder_nap(ep, true) == nap, "but where there is none");
	pass(TBTF_NAP_MS - 40);
	check(!tbtf_ladder_nap(ep, false), "at the deadline: none");
	pass(100000);
	check(!tbtf_ladder_nap(ep, false), "past it: none");
	check(tbtf_ladder_nap(ep, true) == nap, "without one, as ever");
}

static void test_decided(void)
{
	struct tbtf_episode *ep;

	fresh();
	ep = enter(MEMCG, 1);
	check(!tbtf_ladder_decided(ep, 0, false), "nothing is decided in a new episode");
	tbtf_ladder_waits(ep, 7, 0, NULL, 0);
	check(tbtf_ladder_decided(ep, 7, false), "a decision holds");
	check(!tbtf_ladder_decided(ep, 8, false), "until all are woken");
	pass(TBTF_NAP_MS - 4);
	check(tbtf_ladder_decided(ep, 7, false), "for nap_ms");
	pass(4);
	check(!tbtf_ladder_decided(ep, 7, false), "and no longer");
	pass(TBTF_LADDER_DEADLINE_MS - TBTF_NAP_MS - 40);
	tbtf_ladder_waits(ep, 7, 0, NULL, 0);
	ep->waiting_since = jiffies - msecs_to_jiffies(TBTF_LADDER_DEADLINE_MS - 40);
	check(tbtf_ladder_decided(ep, 7, false), "near the deadline it holds");
	pass(20);
	check(!tbtf_ladder_decided(ep, 7, false), "for half of what is left");
	check(tbtf_ladder_decided(ep, 7, true), "or for nap_ms where there is no deadline");
	tbtf_ladder_sacrificed(ep);
	check(!tbtf_ladder_decided(ep, 7, true), "a victim undoes it");
}

static void test_end(void)
{
	static const struct {
		enum tbtf_scope scope;
		unsigned int on_exhausted;
		bool fragmented, unkillable;
		enum tbtf_outcome outcome;
	} table[] = {
		{ GLOBAL, TBTF_EXHAUSTED_KILL, false, false, TBTF_OUTCOME_KILLED },
		{ GLOBAL, TBTF_EXHAUSTED_PANIC, false, false, TBTF_OUTCOME_PANICKED },
		{ GLOBAL, TBTF_EXHAUSTED_KILL, false, true, TBTF_OUTCOME_PANICKED },
		{ GLOBAL, TBTF_EXHAUSTED_PANIC, true, false, TBTF_OUTCOME_FAILED },
		{ GLOBAL, TBTF_EXHAUSTED_KILL, true, true, TBTF_OUTCOME_FAILED },
		{ TBTF_SCOPE_CONSTRAINED, TBTF_EXHAUSTED_KILL, false, false, TBTF_OUTCOME_KILLED },
		{ TBTF_SCOPE_CONSTRAINED, TBTF_EXHAUSTED_PANIC, false, false, TBTF_OUTCOME_KILLED },
		{ TBTF_SCOPE_CONSTRAINED, TBTF_EXHAUSTED_PANIC, false, true, TBTF_OUTCOME_FAILED },
		{ TBTF_SCOPE_CONSTRAINED, TBTF_EXHAUSTED_PANIC, true, false, TBTF_OUTCOME_FAILED },
		{ MEMCG, TBTF_EXHAUSTED_PANIC, false, false, TBTF_OUTCOME_KILLED },
		{ TBTF_SCOPE_SHARED, TBTF_EXHAUSTED_PANIC, false, false, TBTF_OUTCOME_KILLED },
		{ TBTF_SCOPE_SHARED, TBTF_EXHAUSTED_PANIC, true, false, TBTF_OUTCOME_FAILED },
	};
	struct tbtf_episode ep;
	bool good = true;
	unsigned int i;

	fresh();
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ep = (struct tbtf_episode){ .id = 1, .scope = table[i].scope };
		tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
		tbtf_knobs.on_exhausted = table[i].on_exhausted;
		good = tbtf_ladder_end(&ep, table[i].fragmented, table[i].unkillable,
				       false) == table[i].outcome;
		good &= ep.outcome == table[i].outcome;
		/* With P dead nobody is left to wait; an allocation that failed comes again. */
		good &= ep.waiting == (table[i].outcome != TBTF_OUTCOME_KILLED);
		check(good, "the end, %u", i + 1);
	}

	/* What holds the machine up turns a panic into a kill, but where nobody can be killed. */
	tbtf_knobs.on_exhausted = TBTF_EXHAUSTED_PANIC;
	for (i = 0; i < 4; i++) {
		ep = (struct tbtf_episode){ .id = 1, .scope = TBTF_SCOPE_GLOBAL };
		tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
		check(tbtf_ladder_end(&ep, false, i & 1, i & 2) ==
		      (i == 2 ? TBTF_OUTCOME_KILLED : TBTF_OUTCOME_PANICKED),
		      "held %d, unkillable %d", !!(i & 2), i & 1);
	}

	ep = (struct tbtf_episode){ .id = 1 };
	tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
	tbtf_ladder_end(&ep, true, false, false);
	tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
	check(ep.outcome == TBTF_OUTCOME_FAILED, "failed it stays, whoever waits");
	tbtf_ladder_sacrificed(&ep);
	check(ep.outcome == TBTF_OUTCOME_SACRIFICED, "until there is a victim");
}

static void test_sysrq(void)
{
	struct tbtf_episode ep = { .id = 1, .outcome = TBTF_OUTCOME_SACRIFICED };

	fresh();
	tbtf_ladder_sysrq(&ep);
	check(ep.outcome == TBTF_OUTCOME_FAILED && !ep.waiting, "sysrq alone: failed, and nobody waits");
	ep = (struct tbtf_episode){ .id = 1, .outcome = TBTF_OUTCOME_SACRIFICED, .kills = 1 };
	tbtf_ladder_sysrq(&ep);
	check(ep.outcome == TBTF_OUTCOME_SACRIFICED, "sysrq after kills: their outcome");
	ep = (struct tbtf_episode){ .id = 1 };
	tbtf_ladder_waits(&ep, 0, 0, NULL, 0);
	tbtf_ladder_sysrq(&ep);
	check(ep.outcome == TBTF_OUTCOME_WAITED && ep.waiting, "sysrq while others wait: theirs");
}

/* -- anything, in any order ---------------------------------------------------------- */

static void test_anything(void)
{
	struct tbtf_episode *inside[64], *ep;
	unsigned int n = 0, i, k, open, sum;
	bool good = true;
	enum tbtf_scope scope;
	u64 key;

	fresh();
	srand(1);
	for (i = 0; i < 20000; i++) {
		switch (rand() % 8) {
		case 0 ... 3:
			if (n == 64)
				break;
			scope = rand() % 50 ? MEMCG : GLOBAL;
			key = scope == MEMCG ? 1 + rand() % 600 : 0;
			ep = tbtf_slots_enter(&slots, scope, key, rand() % 8);
			if (!ep)
				break;
			good &= ep->id && ep->users && (ep->scope == TBTF_SCOPE_SHARED ||
							(ep->scope == scope && ep->key == key));
			ep->rounds++;
			ep->kills++;
			inside[n++] = ep;
			break;
		case 4:
			if (n && rand() % 4 == 0)
				tbtf_ladder_waits(inside[rand() % n], 0, 0, NULL, 0);
			else if (n && rand() % 4 == 0)
				tbtf_ladder_sacrificed(inside[rand() % n]);
			else if (n && rand() % 16 == 0)
				tbtf_ladder_end(inside[rand() % n], rand() % 2, false, false);
			break;
		case 5 ... 6:
			if (!n)
				break;
			k = rand() % n;
			tbtf_slots_leave(&slots, inside[k], rand() % 2);
			inside[k] = inside[--n];
			break;
		default:
			pass(rand() % 64 ? rand() % 40 : rand() % 4 * TBTF_EPISODE_IDLE_MS);
			if (rand() % 64 == 0)
				tbtf_slots_close(&slots, rand() % 4 == 0);
		}
		for (k = open = sum = 0; k <= TBTF_MAX_EPISODES; k++) {
			open += !!table[k].id;
			sum += table[k].users;
		}
		good &= open == slots.nr_open && open == begun - ended && sum == n;
	}
	for (k = sum = 0; k < TBTF_OUTCOME_NR; k++)
		sum += outcomes[k];
	good &= sum == ended;
	while (n)
		leave(inside[--n]);
	tbtf_slots_close(&slots, true);
	check(good, "in any order: each episode has one beginning, and one end when nobody is inside");
	check(!slots.nr_open && begun == ended && begun > 300, "in any order: all are over at last");
}

static void test_all(const char *name, unsigned long from)
{
	clock_name = name;
	start = from;
	test_life();
	test_idle();
	test_killed();
	test_full();
	test_waiting();
	test_stuck();
	test_given();
	test_deadline();
	test_nap();
	test_decided();
	test_end();
	test_sysrq();
	test_anything();
}

int main(void)
{
	test_all("episode", 5000000);
	/* Ten seconds before: all times are longer, or begin soon. */
	test_all("episode across the wrap", -10UL * HZ);
	test_all("episode from the wrap", -1UL);
	free(table);
	return failed ? 1 : 0;
}
