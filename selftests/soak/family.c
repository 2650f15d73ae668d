// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - soak: those who run out of memory
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A family is a memory cgroup with a protected process, some who may be
 * killed for it, and one who must not. It is made afresh for each step, so
 * that no rule against kills that help nobody applies: then the protected one
 * may die only when no candidate is left alive.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

#define SMALLS		5
#define SMALL_KB	1024		/* and up to twice that */
#define SPARE_KB	512
#define P_KB		4096		/* larger than any other at the start */
#define GROW_MS		120000
#define DIE_MS		60000

struct family {
	char cg[32], inner[40], outer[40];	/* processes are in leaves only */
	struct tu_hog p, spare, smalls[SMALLS];
	int nr;
	struct calm calm;
	bool may_wait;
};

static int members_dead(struct family *f)
{
	int i, n = !tu_hog_alive(&f->p) + !tu_hog_alive(&f->spare);

	for (i = 0; i < f->nr; i++)
		n += !tu_hog_alive(&f->smalls[i]);
	return n;
}

static int smalls_alive(struct family *f)
{
	int i, n = 0;

	for (i = 0; i < f->nr; i++)
		n += tu_hog_alive(&f->smalls[i]);
	return n;
}

/* P by its own word, by its cgroup's, or by somebody else's. */
static int protect(struct family *f)
{
	int how = below(3), err = 0;

	if (how == 0)
		f->p.mark = TBTF_ON | (one_in(2) ? TBTF_LOCAL : 0);
	if (how == 1)
		err = tu_cg_set(f->inner, "memory.tbtf", "tbtf");
	if (how == 1 || one_in(2))
		f->p.cgroup = f->inner;
	if (!err)
		err = tu_hog_start(&f->p);
	if (!err && how == 2)
		err = tu_role_set(f->p.pid, TBTF_ROLE_TBTF, one_in(2) ? TBTF_LOCAL : 0);
	return err;
}

static bool start(struct family *f)
{
	static const int adjs[] = { 0, 0, 0, 100, -100 };
	struct tu_hog *h;
	int i;

	AT("family: %s", f->cg);
	if (tu_cg_make(f->cg) || tu_cg_make(f->inner) || tu_cg_make(f->outer))
		return false;
	if (one_in(4) && tu_cg_set(f->inner, "memory.oom.group", "1"))
		return false;
	f->p = (struct tu_hog){
		.name = "big", .cgroup = f->outer, .size_kb = P_KB, .threads = below(3),
	};
	AT("family: starts the protected one in %s", f->cg);
	if (protect(f))
		return false;
	f->spare = (struct tu_hog){ .name = "spare", .cgroup = f->outer, .size_kb = SPARE_KB };
	if (tu_hog_start(&f->spare) || tu_role_set(f->spare.pid, TBTF_ROLE_SPARE, 0))
		return false;
	f->nr = 1 + below(SMALLS);
	for (i = 0; i < f->nr; i++) {
		h = &f->smalls[i];
		*h = (struct tu_hog){
			.name = "small", .cgroup = f->outer,
			.size_kb = SMALL_KB + below(SMALL_KB), .adj = adjs[below(5)],
			.threads = one_in(3),
		};
		AT("family: starts small %d of %d in %s", i, f->nr, f->cg);
		if (tu_hog_start(h))
			return false;
		if (one_in(4) && tu_role_set(h->pid, TBTF_ROLE_EXPENDABLE, 0))
			return false;
	}
	return true;
}

static void stop(struct family *f)
{
	int i;

	AT("family: removes %s", f->cg);
	if (f->p.pid)
		tu_hog_stop(&f->p);
	if (f->spare.pid)
		tu_hog_stop(&f->spare);
	for (i = 0; i < f->nr; i++)
		if (f->smalls[i].pid)
			tu_hog_stop(&f->smalls[i]);
	if (tu_cg_id(f->outer))
		MUST(!tu_cg_remove(f->outer), "%s", f->outer);
	if (tu_cg_id(f->inner))
		MUST(!tu_cg_remove(f->inner), "%s", f->inner);
	if (tu_cg_id(f->cg))
		MUST(!tu_cg_remove(f->cg), "%s", f->cg);
}

/* P has all it wanted, is dead, or hangs: what may be and what not? */
static void look(struct family *f, int err)
{
	int alive = smalls_alive(f);
	bool calm = was_calm(f->calm);

	if (err == -ETIMEDOUT) {
		/* Memory that comes has to end any wait. */
		AT("family: raises the limit of %s", f->cg);
		tu_cg_set(f->cg, "memory.max", "max");
		err = tu_hog_done(&f->p, GROW_MS);
		MUST(err != -ETIMEDOUT, "%s: stuck though its limit was raised", f->cg);
		if (calm && was_calm(f->calm))
			MUST(f->may_wait, "%s: P waited, %d smalls alive", f->cg, alive);
		count(&soak->seen.waited);
	}
	if (!err) {
		AT("family: verifies in %s", f->cg);
		err = tu_hog_verify(&f->p, GROW_MS);
		/* A global OOM may have come for it in between. */
		MUST(!err || err == -ESRCH, "%s: verify: %d", f->cg, err);
		count(&soak->seen.survived);
	} else {
		MUST(err == -ESRCH, "%s: grow: %d", f->cg, err);
		count(&soak->seen.exhausted);
		if (calm && was_calm(f->calm)) {
			/* The last of them may have given its memory, and not be gone yet. */
			TU_WAIT_FOR(!(alive = smalls_alive(f)), DIE_MS);
			MUST(!alive, "%s: P died of OOM, and %d of %d candidates are alive",
			     f->cg, alive, f->nr);
		}
	}
	if (was_on(f->calm))
		MUST(tu_hog_alive(&f->spare), "%s: the spare one is dead", f->cg);
}

/*
 * Every death is one that the kernel has counted (where it kills a group, it counts
 * the first twice), and every sacrifice is one of them.
 */
static void books(struct family *f)
{
	long long kills = -1, groups = 0, sacrificed, lost;
	int dead = -1, others;
	bool same;

	AT("family: counts in %s", f->cg);
	same = TU_WAIT_FOR((kills = tu_cg_get(f->cg, "memory.events", "oom_kill"),
			    groups = tu_cg_get(f->cg, "memory.events", "oom_group_kill"),
			    dead = members_dead(f), dead <= kills && dead >= kills - groups),
			   DIE_MS);
	MUST(same, "%s: %d dead, %lld killed, %lld of them as a group", f->cg, dead, kills, groups);
	others = dead - !tu_hog_alive(&f->p);
	sacrificed = tu_cg_get(f->cg, "memory.tbtf.events", "sacrificed");
	lost = tu_stat("lost_events");
	/* The kernel's own choice was P every time: all others died for it. */
	if (was_calm(f->calm) && !lost)
		MUST(sacrificed == others, "%s: %lld sacrificed, %d of %d dead, P %s", f->cg,
		     sacrificed, others, f->nr, tu_hog_alive(&f->p) ? "lives" : "dead");
	if (was_calm(f->calm))
		count(&soak->seen.calm);
	__atomic_add_fetch(&soak->seen.killed, dead, __ATOMIC_RELAXED);
}

void family_step(void)
{
	struct family f = { };
	char max[32];
	size_t have, kb;
	bool too_much;
	int err;

	snprintf(f.cg, sizeof(f.cg), SOAK_CG "/f%d-%ld", (int)getpid(), seat->steps);
	snprintf(f.inner, sizeof(f.inner), "%s/in", f.cg);
	snprintf(f.outer, sizeof(f.outer), "%s/out", f.cg);
	f.calm = calm_begin();
	if (!start(&f)) {
		count(&soak->seen.gave_up);
		stop(&f);
		tu_nap_ms(100);
		return;
	}
	/* What it wants is there once some, or all, have gone; or it is not. */
	have = tu_cg_get(f.cg, "memory.current", NULL) >> 10;
	snprintf(max, sizeof(max), "%zuK", have + 512);
	MUST(!tu_cg_set(f.cg, "memory.max", max), "%s", max);
	too_much = one_in(4);
	kb = too_much ? have + 2048 : 768 + below(f.nr * SMALL_KB - 512);
	f.may_wait = too_much;
	AT("family: grows by %zu kB in %s", kb, f.cg);
	tu_hog_grow(&f.p, kb, one_in(2) ? 256 : 0, one_in(3));
	err = tu_hog_done(&f.p, too_much ? 5000 + below(5000) : GROW_MS);
	look(&f, err);
	books(&f);
	count(&soak->seen.families);
	stop(&f);
}

/* --- the machine --------------------------------------------------------- */

#define CHAFF		4
#define CHAFF_KB	4096

static long long available_kb(void)
{
	char buf[4096], *p;

	if (tu_read(buf, sizeof(buf), "/proc/meminfo") < 0)
		return 0;
	p = strstr(buf, "MemAvailable:");
	return p ? atoll(p + 13) : 0;
}

/* One that eats all there is; and then what others have, if it is protected. */
void global_step(void)
{
	struct tu_hog chaff[CHAFF] = { }, big = {
		.name = "eater", .cgroup = SOAK_CG "/global", .size_kb = 8192,
	};
	long long end, kb;
	int i, err = 0;

	tu_cg_make(SOAK_CG "/global");
	/* Most of the time the machine is well. */
	AT("global: rests");
	for (end = tu_now_ms() + 3000 + below(7000); tu_now_ms() < end && soak->phase == SOAK_WORK;)
		tu_nap_ms(50);
	if (soak->phase != SOAK_WORK)
		return;
	__atomic_add_fetch(&soak->global, 1, __ATOMIC_SEQ_CST);
	big.mark = one_in(2) ? TBTF_ON : 0;
	for (i = 0; !err && i < CHAFF; i++) {
		AT("global: chaff %d", i);
		chaff[i] = (struct tu_hog){
			.name = "chaff", .cgroup = SOAK_CG "/global",
			.size_kb = CHAFF_KB + below(CHAFF_KB),
		};
		err = tu_hog_start(&chaff[i]);
	}
	if (!err)
		err = tu_hog_start(&big);
	if (!err) {
		kb = available_kb() + below(CHAFF * CHAFF_KB);
		AT("global: %s eats %lld kB", big.mark ? "a marked one" : "an unmarked one", kb);
		tu_hog_grow(&big, kb, 512, 0);
		err = tu_hog_done(&big, GROW_MS);
		MUST(err != -ETIMEDOUT, "the eater neither got its memory nor died");
		if (!err) {
			AT("global: verifies");
			err = tu_hog_verify(&big, GROW_MS);
			MUST(!err || err == -ESRCH, "eater: verify: %d", err);
			count(&soak->seen.global_survived);
		}
		count(&soak->seen.globals);
	}
	AT("global: ends");
	if (big.pid)
		tu_hog_stop(&big);
	for (i = 0; i < CHAFF; i++)
		if (chaff[i].pid)
			tu_hog_stop(&chaff[i]);
	/* Nobody is out of memory any more; who was may still be trying. */
	tu_nap_ms(200);
	__atomic_add_fetch(&soak->global, 1, __ATOMIC_SEQ_CST);
}
