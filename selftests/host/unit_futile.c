// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - when further kills would be for nothing
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The module's own futile.c, fed with made-up kills.
 */
#include "../../kmod/episode.h"
#include "unit.h"

unsigned long jiffies;
struct tbtf_knobs tbtf_knobs;

static struct tbtf_episode *fresh(void)
{
	static struct tbtf_episode ep;

	tbtf_knobs.max_kills = TBTF_MAX_KILLS;
	memset(&ep, 0, sizeof(ep));
	ep.id = 1;
	return &ep;
}

/* So many kills, of none of whose cgroups anything is known. */
static void kills(struct tbtf_episode *ep, unsigned int n, unsigned long regained,
		  unsigned long avail)
{
	while (n--)
		tbtf_futile_note_kill(ep, 0, 0, 0, regained, avail);
}

static void test_max_kills(void)
{
	struct tbtf_episode *ep = fresh();

	is("max_kills: an episode without a kill goes on", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);
	kills(ep, TBTF_MAX_KILLS - 1, 1000, 0);
	is("max_kills: one less goes on", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);
	kills(ep, 1, 1000, 0);
	is("max_kills: that many do not", tbtf_futile(ep, 0), TBTF_FUTILE_MAX_KILLS);
	tbtf_knobs.max_kills = TBTF_MAX_KILLS + 1;
	is("max_kills: the knob counts as it is now", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);
	tbtf_knobs.max_kills = 1;
	is("max_kills: also when it was lowered", tbtf_futile(ep, 0), TBTF_FUTILE_MAX_KILLS);
	ep->scope = TBTF_SCOPE_SHARED;
	is("max_kills: not in the shared episode", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);
	is("max_kills: no kill is lost", ep->kills, TBTF_MAX_KILLS);
}

static void test_regain(void)
{
	struct tbtf_episode *ep = fresh();
	bool good = true;
	unsigned long n;

	/* 8 kills of 100 pages gave 800. A twentieth: 16,000, of which 15,200 were there. */
	kills(ep, TBTF_REGAIN_KILLS - 1, 100, 1000000);
	is("regain: not before eight kills", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);
	kills(ep, 1, 100, 1000000);
	is("regain: a twentieth of what was consumed is enough",
	   tbtf_futile(ep, 1000000 - 15200), TBTF_FUTILE_NOT);
	is("regain: up to the next twenty pages", tbtf_futile(ep, 1000000 - 15219),
	   TBTF_FUTILE_NOT);
	is("regain: and less is not", tbtf_futile(ep, 1000000 - 15220), TBTF_FUTILE_REGAIN);
	is("regain: all of it consumed", tbtf_futile(ep, 0), TBTF_FUTILE_REGAIN);
	is("regain: nothing consumed but what they gave", tbtf_futile(ep, 1000000),
	   TBTF_FUTILE_NOT);
	is("regain: more there than before", tbtf_futile(ep, 1000400), TBTF_FUTILE_NOT);
	is("regain: far more", tbtf_futile(ep, ULONG_MAX), TBTF_FUTILE_NOT);
	ep->scope = TBTF_SCOPE_SHARED;
	is("regain: not in the shared episode", tbtf_futile(ep, 0), TBTF_FUTILE_NOT);

	/* The eight that count are the last: what was there before the first of them. */
	ep = fresh();
	tbtf_knobs.max_kills = 1000;
	kills(ep, 8, 1, 1000000);
	is("regain: kills of nothing", tbtf_futile(ep, 500000), TBTF_FUTILE_REGAIN);
	for (n = 1; n < 8; n++) {
		kills(ep, 1, 0, 500000);
		good &= tbtf_futile(ep, 500000) == TBTF_FUTILE_REGAIN;
	}
	result(good, "regain: as long as one of the eight was before the loss");
	kills(ep, 1, 0, 500000);
	is("regain: not after that", tbtf_futile(ep, 500000), TBTF_FUTILE_NOT);
	kills(ep, 1, 100, 500000);
	is("regain: a kill that gives something counts", tbtf_futile(ep, 500000 - 1900),
	   TBTF_FUTILE_NOT);
	is("regain: as much as it gives", tbtf_futile(ep, 500000 - 1920), TBTF_FUTILE_REGAIN);
	good = true;
	for (n = 0; n < 100; n++) {
		kills(ep, 1, 100, 500000);
		good &= tbtf_futile(ep, 500000) == TBTF_FUTILE_NOT;
	}
	result(good, "regain: it forgets what is older");
}

static void test_in_pieces(void)
{
	struct tbtf_episode *ep = fresh();

	kills(ep, TBTF_FRAGMENTED_KILLS - 1, 1, 0);
	result(!tbtf_futile_in_pieces(ep), "in pieces: one kill is tried");
	kills(ep, 1, 1, 0);
	result(tbtf_futile_in_pieces(ep), "in pieces: two are");
	ep->scope = TBTF_SCOPE_SHARED;
	result(!tbtf_futile_in_pieces(ep), "in pieces: not in the shared episode");
}

/* A victim of @cgroup, started and killed at these times. */
static void kill_of(struct tbtf_episode *ep, u64 cgroup, u64 started, u64 now)
{
	tbtf_futile_note_kill(ep, cgroup, started, now, 1, 0);
}

static void test_generations(void)
{
	struct tbtf_episode *ep = fresh();
	unsigned int i;

	result(!tbtf_futile_respawns(ep, 7, 10), "respawn: of a cgroup never seen nothing is said");
	for (i = 0; i < 10; i++)
		kill_of(ep, 7, 10 + i, 100 + i);
	result(!tbtf_futile_respawns(ep, 7, 99) && !tbtf_futile_respawns(ep, 7, 1000),
	       "respawn: forty siblings of old are one generation, ten of them dead");
	kill_of(ep, 7, 150, 200);
	result(tbtf_futile_respawns(ep, 7, 201), "respawn: one started after a second is of the third");
	result(!tbtf_futile_respawns(ep, 7, 199), "respawn: one who was there is not");
	result(!tbtf_futile_respawns(ep, 7, 200), "respawn: nor one of the same moment");
	result(!tbtf_futile_respawns(ep, 8, 201), "respawn: another cgroup is another matter");
	kill_of(ep, 7, 12, 300);
	kill_of(ep, 7, 160, 310);
	result(tbtf_futile_respawns(ep, 7, 201) && !tbtf_futile_respawns(ep, 7, 199),
	       "respawn: later deaths of the first two change nothing");

	/* Who dies the moment that the first was killed is of the first. */
	ep = fresh();
	kill_of(ep, 7, 10, 100);
	kill_of(ep, 7, 100, 101);
	result(!tbtf_futile_respawns(ep, 7, 500), "respawn: started at the kill is not after it");
	kill_of(ep, 7, 101, 110);
	result(tbtf_futile_respawns(ep, 7, 111), "respawn: a tick later is");
	/* A process may be as old as the machine. */
	ep = fresh();
	kill_of(ep, 7, 0, 100);
	kill_of(ep, 7, 101, 200);
	result(tbtf_futile_respawns(ep, 7, 201), "respawn: from the first tick of the machine");

	ep = fresh();
	kill_of(ep, 0, 10, 100);
	kill_of(ep, 0, 101, 200);
	kill_of(ep, 0, 201, 300);
	result(!tbtf_futile_respawns(ep, 0, 301) && !ep->nr_cgroups && ep->kills == 3,
	       "respawn: the root cgroup is no service");
}

static void test_memory(void)
{
	struct tbtf_episode *ep = fresh();
	bool good = true;
	u64 i;

	/* Two generations of each, the cgroups in the order of their age. */
	for (i = 1; i <= TBTF_CGROUPS_REMEMBERED; i++) {
		kill_of(ep, i, 1, 1000 * i);
		kill_of(ep, i, 1000 * i + 1, 1000 * i + 2);
	}
	for (i = 1; i <= TBTF_CGROUPS_REMEMBERED; i++)
		good &= tbtf_futile_respawns(ep, i, 1000 * i + 3);
	result(good, "memory: 32 cgroups are remembered");
	kill_of(ep, 100, 1, 100000);
	result(!tbtf_futile_respawns(ep, 1, 1003), "memory: for one more the quietest is forgotten");
	good = true;
	for (i = 2; i <= TBTF_CGROUPS_REMEMBERED; i++)
		good &= tbtf_futile_respawns(ep, i, 1000 * i + 3);
	result(good, "memory: and no other");
	result(!tbtf_futile_respawns(ep, 100, 200000), "memory: the new one begins with its first");
	kill_of(ep, 100, 100001, 100002);
	result(tbtf_futile_respawns(ep, 100, 100003), "memory: and has a second");
	/* Not the oldest entry of the table, the one with the oldest kill. */
	kill_of(ep, 2, 2003, 200000);
	kill_of(ep, 101, 1, 200001);
	result(tbtf_futile_respawns(ep, 2, 200002) && !tbtf_futile_respawns(ep, 3, 3003),
	       "memory: who was killed of last is not the quietest");
	is("memory: the table is full, not more", ep->nr_cgroups, TBTF_CGROUPS_REMEMBERED);
}

int main(void)
{
	test_max_kills();
	test_regain();
	test_in_pieces();
	test_generations();
	test_memory();
	return failed ? 1 : 0;
}
