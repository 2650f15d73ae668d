// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lender's ledger: what there is to lend, to whom, and what is called back
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd's own ledger.c, fed with made-up nodes.
 */
#include "../../userspace/tbtfd/ledger.h"
#include "unit.h"

#define ONE	0
#define THREE	1

static struct tbtf_conf conf;
static struct tbtf_ledger ledger;
static struct tbtf_memory memory;
static char why[TBTF_PEER_MESSAGE];
static bool behind, may_swap;
static uint64_t far;

/* A node with 1000 MB to lend, of 2000 that it has, with a headroom of 100. */
static void fresh(void)
{
	memset(&conf, 0, sizeof(conf));
	strcpy(conf.node, "two");
	strcpy(conf.peer[ONE].name, "one");
	strcpy(conf.peer[THREE].name, "three");
	conf.peers = 2;
	conf.lend.memory_kb = 1000000;
	conf.lend.headroom_kb = 100000;
	conf.lend.per_borrower_kb = 600000;
	conf.lend.lease_s = 600;
	memory = (struct tbtf_memory){ .total_kb = 4000000, .available_kb = 2000000 };
	tbtf_ledger_setup(&ledger, &conf, &memory, 7);
}

static uint64_t offer(void)
{
	return tbtf_ledger_offer(&ledger, &memory, why);
}

static struct tbtf_peer_request asks(const char *a, const char *b, const char *c, uint64_t kb)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_LEASE, .kb = kb, .hops = 4 };
	const char *names[] = { a, b, c };

	for (int i = 0; i < 3 && names[i]; i++)
		strcpy(request.path.node[request.path.n++], names[i]);
	return request;
}

/* What is judged to be right is written down. */
static enum tbtf_peer_error lease(size_t borrower, uint64_t kb)
{
	struct tbtf_peer_request request = asks(conf.peer[borrower].name, NULL, NULL, kb);
	enum tbtf_peer_error error = tbtf_ledger_judge(&ledger, &memory, borrower, &request, &behind, why);

	if (!error)
		(void)tbtf_ledger_add(&ledger, borrower, &request, 1000);
	return error;
}

static enum tbtf_peer_error judge(size_t borrower, struct tbtf_peer_request request)
{
	return tbtf_ledger_judge(&ledger, &memory, borrower, &request, &behind, why);
}

static void has(const char *what, const char *words)
{
	result(strstr(why, words), "%s: \"%s\"", what, why);
}

static void test_offer(void)
{
	fresh();
	is("offer: memory_kb", offer(), 1000000);
	has("offer: why not more", "memory_kb = 1000000");
	is("offer: to one of them, its quota", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), 600000);
	memory.available_kb = 300001;
	is("offer: what is available, without the headroom, in pages", offer(), 200000);
	has("offer: why not more", "headroom_kb = 100000");
	memory.available_kb = 99999;
	is("offer: nothing of the headroom", offer(), 0);
	memory.available_kb = 2000000;
	memory.pressure = TBTF_PRESSURE_MAX - 1;
	is("offer: a little pressure", offer(), 1000000);
	memory.pressure = TBTF_PRESSURE_MAX;
	is("offer: under pressure nothing", offer(), 0);
	has("offer: why not", "10.00 %");

	fresh();
	is("offer: a lease", lease(ONE, 400000), TBTF_PEER_OK);
	is("offer: it is promised", tbtf_ledger_promised(&ledger), 400000);
	is("offer: the rest", offer(), 600000);
	is("offer: and of the quota", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), 200000);
	is("offer: another's quota is as it was", tbtf_ledger_offer_to(&ledger, &memory, THREE, &may_swap, &far), 600000);
	memory.available_kb = 700000;
	is("offer: what is promised and not there is taken off", offer(), 200000);
	ledger.lease[0].held_kb = 300000;
	memory.available_kb = 400000;
	is("offer: but not what is there", offer(), 200000);
	ledger.lease[0].held_kb = 500000;
	is("offer: more than was promised is no gain", tbtf_ledger_unbacked(&ledger), 0);
	ledger.lease[0].held_kb = 300000;
	is("offer: a second lease", lease(THREE, 100000), TBTF_PEER_OK);
	is("offer: and a third", lease(ONE, 40000), TBTF_PEER_OK);
	is("offer: all of them are promised", tbtf_ledger_promised(&ledger), 540000);
	is("offer: what of them is not there", tbtf_ledger_unbacked(&ledger), 240000);
	memory.available_kb = 2000000;
	is("offer: two are of one quota", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), 160000);
	is("offer: one is of another", tbtf_ledger_offer_to(&ledger, &memory, THREE, &may_swap, &far), 460000);
	ledger.lease[0].deadline = 50;
	is("offer: nothing while one is called back", offer(), 0);
	has("offer: why not", "calling back");
	ledger.lease[0].deadline = 0;
	ledger.stopping = true;
	is("offer: nothing when it stops", offer(), 0);
	has("offer: why not", "being stopped");

	fresh();
	conf.lend.headroom_kb = 0;
	tbtf_ledger_setup(&ledger, &conf, &memory, 1);
	is("headroom: an eighth", ledger.headroom_kb, 500000);
	memory.total_kb = 100000;
	tbtf_ledger_setup(&ledger, &conf, &memory, 1);
	is("headroom: of a small node", ledger.headroom_kb, 32768);
	memory.total_kb = 400000000;
	tbtf_ledger_setup(&ledger, &conf, &memory, 1);
	is("headroom: of a large one", ledger.headroom_kb, 4194304);
}

static void test_judge(void)
{
	struct tbtf_peer_request request;

	fresh();
	is("judge: through others", judge(THREE, asks("x", "one", "three", 4)), TBTF_PEER_OK);
	is("judge: a ring", judge(THREE, asks("two", "one", "three", 4)), TBTF_PEER_CYCLE);
	has("judge: which", "two-one-three-two is a ring");
	is("judge: not by who asks", judge(ONE, asks("one", "three", NULL, 4)), TBTF_PEER_BAD_REQUEST);
	is("judge: no path", judge(ONE, asks(NULL, NULL, NULL, 4)), TBTF_PEER_BAD_REQUEST);
	request = asks("x", "y", "one", 4);
	request.hops = 3;
	is("judge: as many hops as there may be", judge(ONE, request), TBTF_PEER_OK);
	request.hops = 2;
	is("judge: one more", judge(ONE, request), TBTF_PEER_HOPS);
	is("judge: nothing", judge(ONE, asks("one", NULL, NULL, 0)), TBTF_PEER_BAD_REQUEST);
	is("judge: no pages", judge(ONE, asks("one", NULL, NULL, 1022)), TBTF_PEER_BAD_REQUEST);
	is("judge: all of a quota", judge(ONE, asks("one", NULL, NULL, 600000)), TBTF_PEER_OK);
	is("judge: more than it", judge(ONE, asks("one", NULL, NULL, 600004)), TBTF_PEER_QUOTA);
	is("judge: more than anybody can have", judge(ONE, asks("one", NULL, NULL, TBTF_PEER_KB_MAX)),
	   TBTF_PEER_QUOTA);
	conf.lend.per_borrower_kb = 0;
	is("judge: without a quota there is all", judge(ONE, asks("one", NULL, NULL, 1000000)), TBTF_PEER_OK);
	is("judge: and not more", judge(ONE, asks("one", NULL, NULL, 1000004)), TBTF_PEER_QUOTA);
	memory.available_kb = 500000;
	is("judge: more than there is", judge(ONE, asks("one", NULL, NULL, 400004)), TBTF_PEER_NO_MEMORY);
	has("judge: how much that is", "two can lend 400000 KiB");
	is("judge: what there is", judge(ONE, asks("one", NULL, NULL, 400000)), TBTF_PEER_OK);
	/* The longest names that there are: the message is cut off, and nothing else. */
	request = asks("one", NULL, NULL, 4);
	request.path.n = TBTF_PEER_PATH;
	request.hops = TBTF_PEER_PATH;
	for (int i = 0; i < TBTF_PEER_PATH; i++)
		memset(request.path.node[i], 'a', TBTF_NAME_LEN - 1);
	strcpy(request.path.node[TBTF_PEER_PATH - 1], "one");
	is("judge: long names", judge(ONE, request), TBTF_PEER_OK);
}

static void test_leases(void)
{
	struct tbtf_lease *found;
	int n = 0;

	fresh();
	while (n < TBTF_PEER_LEASES && lease(ONE, 4) == TBTF_PEER_OK)
		n++;
	is("leases: as many as go into a list", n, TBTF_PEER_LEASES);
	is("leases: and no more", lease(ONE, 4), TBTF_PEER_QUOTA);
	is("leases: another has its own", lease(THREE, 4), TBTF_PEER_OK);
	found = tbtf_ledger_find(&ledger, ONE, 7);
	result(found && found->kb == 4, "leases: the first has the first number");
	result(!tbtf_ledger_find(&ledger, THREE, 7), "leases: and is not another's");
	is("leases: it ends", found ? found->expires : 0, 1600);
	is("leases: it is renewed", tbtf_ledger_renew(&ledger, found, 1500), 600);
	is("leases: and ends later", found->expires, 2100);
	tbtf_ledger_remove(&ledger, found);
	result(!tbtf_ledger_find(&ledger, ONE, 7), "leases: removed");
	result(tbtf_ledger_find(&ledger, ONE, 8), "leases: the next is still there");
	result(tbtf_ledger_find(&ledger, THREE, 7 + TBTF_PEER_LEASES), "leases: and the last");
	is("leases: one less", ledger.leases, TBTF_PEER_LEASES);
	ledger.lease[ledger.leases - 1].held_kb = 4;
	tbtf_ledger_remove(&ledger, &ledger.lease[ledger.leases - 1]);
	is("leases: room again", lease(ONE, 4), TBTF_PEER_OK);
	result(!tbtf_ledger_find(&ledger, ONE, 7), "leases: with a number of its own");
	found = &ledger.lease[ledger.leases - 1];
	is("leases: nothing of it is there, whatever was at its place", found->held_kb, 0);
	result(found->path.n == 1 && !strcmp(found->path.node[0], "one"), "leases: it is known whose it is");

	/* Whose place is free is not counted. */
	fresh();
	lease(ONE, 100000);
	lease(THREE, 200000);
	ledger.lease[1].behind = true;
	ledger.lease[1].deadline = 50;
	is("leases: nothing to lend while the second is called back", offer(), 0);
	tbtf_ledger_remove(&ledger, &ledger.lease[1]);
	result(!tbtf_ledger_find(&ledger, THREE, 8), "leases: the last is removed");
	is("leases: it is not promised", tbtf_ledger_promised(&ledger), 100000);
	is("leases: nor has to be there", tbtf_ledger_unbacked(&ledger), 100000);
	is("leases: nor is there anything behind it", tbtf_ledger_behind(&ledger), 0);
	is("leases: nor is it called back", offer(), 900000);
	is("leases: nor in a quota", tbtf_ledger_offer_to(&ledger, &memory, THREE, &may_swap, &far), 600000);

	/* As many as there can be, of however many. */
	fresh();
	conf.peers = TBTF_LEASES_MAX / TBTF_PEER_LEASES + 1;
	for (size_t i = 0; i < conf.peers; i++)
		(void)snprintf(conf.peer[i].name, sizeof(conf.peer[i].name), "n%zu", i);
	for (n = 0; n < TBTF_LEASES_MAX; n++)
		if (lease(n / TBTF_PEER_LEASES, 4) != TBTF_PEER_OK)
			break;
	is("leases: of all as many as go into the ledger", n, TBTF_LEASES_MAX);
	is("leases: and no more of anybody", lease(conf.peers - 1, 4), TBTF_PEER_NO_MEMORY);
	has("leases: why not", "as many leases as there can be");
	result(!tbtf_ledger_resume(&ledger, 1, 1000), "leases: nor of an older one");
	tbtf_ledger_remove(&ledger, &ledger.lease[0]);
	is("leases: one less", lease(conf.peers - 1, 4), TBTF_PEER_OK);
}

static uint64_t called(uint64_t now)
{
	struct tbtf_lease *found = tbtf_ledger_call_back(&ledger, &memory, now);

	return found ? found->number : 0;
}

static void test_call_back(void)
{
	fresh();
	lease(ONE, 300000);	/* 7 */
	lease(THREE, 300000);	/* 8 */
	lease(ONE, 300000);	/* 9 */
	memory.available_kb = 950000;
	is("call back: half of the headroom is left", called(50), 0);
	memory.available_kb = 949999;
	is("call back: less: the youngest", called(50), 9);
	is("call back: it has time", ledger.lease[2].deadline, 50 + TBTF_REVOKE_S);
	is("call back: no more than needed", called(51), 0);
	is("call back: nothing new meanwhile", lease(THREE, 4), TBTF_PEER_NO_MEMORY);
	memory.available_kb = 699999;
	is("call back: then until the headroom is whole", called(52), 8);
	is("call back: and no further", called(52), 0);
	is("call back: each has its own time", ledger.lease[1].deadline, 52 + TBTF_REVOKE_S);
	memory.available_kb = 0;
	is("call back: all of them", called(53), 7);
	is("call back: and none twice", called(53), 0);

	fresh();
	lease(ONE, 300000);
	ledger.lease[0].held_kb = 300000;
	memory.available_kb = 50000;
	is("call back: what is there needs no room", called(50), 0);
	ledger.stopping = true;
	is("call back: everything when it stops", called(50), 7);
	is("call back: once", called(50), 0);
}

/* A lease that other nodes back: ledger.lease[] gets it as the lender does. */
static enum tbtf_peer_error lease_behind(size_t borrower, uint64_t kb)
{
	enum tbtf_peer_error error = lease(borrower, kb);

	if (!error)
		ledger.lease[ledger.leases - 1].behind = behind;
	return error;
}

static void test_behind(void)
{
	fresh();
	memory.available_kb = 150000;
	memory.behind_kb = 300000;
	memory.far = 2;
	is("behind: the node's own goes first", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), 50000);
	result(!may_swap && !far, "behind: which stays in memory");
	is("behind: a lease of that", lease(ONE, 40000), TBTF_PEER_OK);
	result(!behind, "behind: needs nobody else");
	ledger.lease[0].held_kb = 40000;
	memory.available_kb = 110000;
	is("behind: when it is not worth it any more", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far),
	   300000);
	result(may_swap && far == 2, "behind: it may swap, and is 2 nodes away");
	is("behind: more than that there is not", lease_behind(THREE, 300004), TBTF_PEER_NO_MEMORY);
	has("behind: why not", "two can lend 10000 KiB");
	is("behind: but that there is", lease_behind(THREE, 300000), TBTF_PEER_OK);
	result(behind, "behind: if it is borrowed first");
	is("behind: it is promised", tbtf_ledger_behind(&ledger), 300000);

	/* Before it is swap, it must not look as if the node were short. */
	ledger.lease[1].coming = true;
	is("behind: on its way it is nothing yet", tbtf_ledger_behind(&ledger), 0);
	result(!tbtf_ledger_call_back(&ledger, &memory, 1000), "behind: and is not called back for it");
	ledger.lease[1].coming = false;
	result(tbtf_ledger_call_back(&ledger, &memory, 1000), "behind: without its swap it would be");
	ledger.lease[0].deadline = ledger.lease[1].deadline = 0;
	memory.swap_free_kb = 300000;
	result(!tbtf_ledger_call_back(&ledger, &memory, 1000), "behind: with it, it is backed");
	is("behind: swap is not memory to be lent", offer(), 10000);

	/* Its pages fill memory, and then leave it: as long as there is swap, all is well. */
	ledger.lease[1].held_kb = 100000;
	memory.available_kb = 5000;
	result(!tbtf_ledger_call_back(&ledger, &memory, 1000), "behind: memory is full, and swap is free");
	ledger.lease[1].held_kb = 300000;
	memory.swap_free_kb = 30000;
	result(tbtf_ledger_call_back(&ledger, &memory, 1000), "behind: both are full: called back");
	memory.swap_free_kb = 4000000;
	is("behind: more swap than was borrowed for it does not count", offer(), 0);
	ledger.lease[0].deadline = ledger.lease[1].deadline = 0;
	ledger.lease[1].held_kb = 200000;
	memory.swap_free_kb = 300000;
	memory.available_kb = 110000;
	is("behind: nor is swap memory to be lent when some of it is there", offer(), 10000);
	ledger.lease[1].held_kb = 0;
	memory.available_kb = 500000;
	is("behind: but what it is for needs no memory", offer(), 400000);

	fresh();
	memory.available_kb = 110000;
	memory.behind_kb = 10000;
	is("behind: as much as its own", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), 10000);
	result(!may_swap, "behind: then that is taken");
	memory.available_kb = 100000 + TBTF_LEDGER_WORTH_KB;
	memory.behind_kb = 300000;
	is("behind: enough of its own", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far), TBTF_LEDGER_WORTH_KB);
	result(!may_swap, "behind: then nothing else");
	memory.swap_free_kb = 1000000;
	memory.available_kb = 60000;
	is("behind: one lease", lease_behind(ONE, 100000), TBTF_PEER_OK);
	is("behind: and one more", lease_behind(THREE, 150000), TBTF_PEER_OK);
	is("behind: both are promised", tbtf_ledger_behind(&ledger), 250000);

	fresh();
	memory.available_kb = 50000;
	memory.swap_free_kb = 1000000;
	memory.behind_kb = 2000000;
	is("behind: memory_kb holds for it as well", tbtf_ledger_offer_to(&ledger, &memory, ONE, &may_swap, &far),
	   600000);
	is("behind: in all", lease_behind(ONE, 600000), TBTF_PEER_OK);
	is("behind: for all", lease_behind(THREE, 400004), TBTF_PEER_NO_MEMORY);
	memory.available_kb = 49996;
	is("behind: nothing when the node is short itself",
	   tbtf_ledger_offer_to(&ledger, &memory, THREE, &may_swap, &far), 0);
	memory.available_kb = 50000;
	ledger.stopping = true;
	is("behind: nothing when it stops", lease_behind(THREE, 4), TBTF_PEER_NO_MEMORY);
}

static void test_resume(void)
{
	struct tbtf_lease *lease;

	fresh();
	for (uint64_t number = 5; number >= 3; number--) {
		lease = tbtf_ledger_resume(&ledger, number, 1000);
		result(lease && !lease->held_kb && !lease->kb, "resume: lease %d", (int)number);
		if (lease)
			lease->held_kb = number;
	}
	result(!tbtf_ledger_resume(&ledger, 4, 1000), "resume: none twice");
	is("resume: they are there", ledger.leases, 3);
	for (uint64_t i = 0; i < 3; i++)
		result(ledger.lease[i].number == 3 + i && ledger.lease[i].held_kb == 3 + i,
		       "resume: by age: %d", (int)i);
	is("resume: with all their time", ledger.lease[0].expires, 1600);
	is("resume: no number is given for a second time", ledger.next, 7);
	tbtf_ledger_remove(&ledger, &ledger.lease[2]);
	result(tbtf_ledger_resume(&ledger, 5, 1000), "resume: one that is gone");
	lease = tbtf_ledger_resume(&ledger, 7, 1000);
	result(lease && ledger.next == 8, "resume: the very next number");
	lease = tbtf_ledger_resume(&ledger, 99, 1000);
	result(lease && ledger.next == 100, "resume: no number is used again");
}

int main(void)
{
	test_offer();
	test_judge();
	test_leases();
	test_call_back();
	test_behind();
	test_resume();
	return !!failed;
}
