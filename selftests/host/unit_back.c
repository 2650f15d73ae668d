// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory that is stolen for a lender of this node: what is right, and what stays
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd's own back.c, on a line that is made up.
 */
#include "../../userspace/tbtfd/lenders.h"
#include "unit.h"

#define ONE	0
#define THREE	1

static struct tbtf_conf conf;
static struct tbtf_line line;
static struct tbtf_peer_path path;
/* What is written behind it is seen. */
static struct {
	char text[TBTF_PEER_MESSAGE];
	char end[TBTF_PEER_MESSAGE];
} why;

/* That of line.c, which needs the kernel's nbd besides. */
const char *tbtf_line_peer(const struct tbtf_line *whose, const struct tbtf_leg *leg)
{
	return whose->conf->peer[leg->peer].name;
}

/* Node two, between one and three. */
static void fresh(void)
{
	memset(&conf, 0, sizeof(conf));
	memset(&line, 0, sizeof(line));
	strcpy(conf.node, "two");
	strcpy(conf.peer[ONE].name, "one");
	strcpy(conf.peer[THREE].name, "three");
	conf.peers = 2;
	conf.borrow.hops = 4;
	line.conf = &conf;
}

static void extent(int slot, size_t peer, int state, const char *from)
{
	line.extent[slot].legs = 1;
	line.extent[slot].leg[0].peer = peer;
	line.extent[slot].kb = 1000;
	line.extent[slot].path.n = 0;
	if (from)
		strcpy(line.extent[slot].path.node[line.extent[slot].path.n++], from);
	strcpy(line.extent[slot].path.node[line.extent[slot].path.n++], "two");
	tbtf_extent_set(&line.extent[slot], state);
}

static enum tbtf_peer_error judge(const char *a, const char *b, uint64_t hops)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_LEASE, .kb = 64, .hops = hops };

	strcpy(request.path.node[request.path.n++], a);
	if (b)
		strcpy(request.path.node[request.path.n++], b);
	return tbtf_back_judge(&line, &request, &path, why.text);
}

static void test_judge(void)
{
	fresh();
	is("judge: of node one", judge("one", NULL, 4), TBTF_PEER_OK);
	result(path.n == 2 && !strcmp(path.node[0], "one") && !strcmp(path.node[1], "two"),
	       "judge: the path goes on with this node");
	is("judge: it was here already", judge("two", "one", 4), TBTF_PEER_CYCLE);
	result(!strcmp(why.text, "two-one-two is a ring"), "judge: %s", why.text);
	is("judge: one node more than it may come by", judge("one", NULL, 1), TBTF_PEER_HOPS);
	result(!strcmp(why.text, "with two it came by 2 nodes, and \"hops\" is 1"), "judge: %s", why.text);
	is("judge: just as far", judge("four", "one", 3), TBTF_PEER_OK);
	conf.borrow.hops = 2;
	is("judge: farther than this node lets it", judge("four", "one", 3), TBTF_PEER_HOPS);

	fresh();
	extent(0, ONE, TBTF_EXTENT_READY, NULL);
	is("judge: memory of node one is only ready here", judge("one", NULL, 4), TBTF_PEER_OK);
	tbtf_extent_set(&line.extent[0], TBTF_EXTENT_ATTACHED);
	is("judge: pages of this node may be on node one", judge("one", NULL, 4), TBTF_PEER_CYCLE);
	result(!strcmp(why.text, "one-two-one is a ring: two has swap there itself"), "judge: %s", why.text);
	is("judge: which is no matter to node three", judge("three", NULL, 4), TBTF_PEER_OK);
	extent(0, THREE, TBTF_EXTENT_ATTACHED, NULL);
	line.extent[0].legs = 2;
	line.extent[0].leg[1].peer = ONE;
	is("judge: one of two copies is there", judge("one", NULL, 4), TBTF_PEER_CYCLE);

	fresh();
	for (int i = 0; i < TBTF_BACK_EXTENTS; i++)
		extent(TBTF_BACK_EXTENTS + i, THREE, TBTF_EXTENT_ATTACHED, NULL);
	for (int i = 0; i < TBTF_BACK_EXTENTS; i++) {
		is("judge: a slot for it", judge("one", NULL, 4), TBTF_PEER_OK);
		extent(i, THREE, TBTF_EXTENT_ATTACHED, "one");
	}
	is("judge: the others are this node's", judge("one", NULL, 4), TBTF_PEER_NO_MEMORY);
	result(!strcmp(why.text, "two has borrowed for 4 leases, and that is all it does"), "judge: %s", why.text);
}

/* As long as they can be: what is there has room for no more. */
static void test_long(void)
{
	struct tbtf_peer_request request = { .type = TBTF_PEER_LEASE, .kb = 64, .hops = 100 };

	fresh();
	conf.borrow.hops = 100;
	request.path.n = TBTF_PEER_PATH;
	for (int i = 0; i < TBTF_PEER_PATH; i++)
		memset(request.path.node[i], 'a' + i, TBTF_NAME_LEN - 1);
	is("long: as many nodes as go into a path", tbtf_back_judge(&line, &request, &path, why.text),
	   TBTF_PEER_HOPS);
	request.path.n--;
	is("long: with this one", tbtf_back_judge(&line, &request, &path, why.text), TBTF_PEER_OK);
	is("long: it is the last", path.n, TBTF_PEER_PATH);
	memset(conf.peer[ONE].name, 'a', TBTF_NAME_LEN - 1);
	extent(0, ONE, TBTF_EXTENT_ATTACHED, NULL);
	is("long: the first", tbtf_back_judge(&line, &request, &path, why.text), TBTF_PEER_CYCLE);
	result(strlen(why.text) < sizeof(why.text) && !*why.end, "long: the message ends where it has to");
}

static void test_bar(void)
{
	fresh();
	extent(0, ONE, TBTF_EXTENT_READY, NULL);
	extent(1, THREE, TBTF_EXTENT_READY, NULL);
	extent(2, THREE, TBTF_EXTENT_READY, "one");
	extent(3, THREE, TBTF_EXTENT_READY, NULL);
	line.extent[3].legs = 2;
	line.extent[3].leg[1].peer = ONE;
	tbtf_back_bar(&line);
	result(!line.extent[0].barred && !line.extent[3].barred, "bar: nothing is held for node one yet");
	is("bar: what is for a lease is nobody else's", tbtf_extent_pick(line.extent + 2, 1), -1);
	tbtf_extent_set(&line.extent[2], TBTF_EXTENT_ATTACHED);
	tbtf_back_bar(&line);
	result(line.extent[0].barred, "bar: it is: no page goes to node one");
	result(line.extent[3].barred, "bar: nor a copy");
	result(!line.extent[1].barred, "bar: but to node three");
	is("bar: which is taken", tbtf_extent_pick(line.extent, 3), 1);
	tbtf_extent_set(&line.extent[2], TBTF_EXTENT_NONE);
	tbtf_back_bar(&line);
	result(!line.extent[0].barred && !line.extent[3].barred, "bar: and when that is over, to node one again");
	extent(2, THREE, TBTF_EXTENT_LEAVING, "four");
	strcpy(line.extent[2].path.node[1], "one");
	strcpy(line.extent[2].path.node[line.extent[2].path.n++], "two");
	tbtf_back_bar(&line);
	result(line.extent[0].barred, "bar: it is held for a node behind node one");
}

static void test_may_go(void)
{
	fresh();
	for (int i = 0; i < 3; i++)
		extent(i, THREE, TBTF_EXTENT_ATTACHED, i ? "one" : NULL);
	line.back.promised_kb = 2001;
	line.back.promised_ms = 5000;
	result(tbtf_back_may_go(&line, 0, 6000), "may go: what is this node's own");
	result(!tbtf_back_may_go(&line, 1, 6000), "may go: not what is promised");
	extent(3, THREE, TBTF_EXTENT_ATTACHED, "one");
	line.back.promised_kb = 2000;
	result(tbtf_back_may_go(&line, 1, 6000), "may go: one of three, when two are enough");
	tbtf_extent_set(&line.extent[3], TBTF_EXTENT_READY);
	result(!tbtf_back_may_go(&line, 1, 6000), "may go: what is not swap does not count");
	line.back.promised_kb = 1000;
	result(tbtf_back_may_go(&line, 1, 6000), "may go: one of two, when one is enough");
	line.extent[2].lost = true;
	result(!tbtf_back_may_go(&line, 1, 6000), "may go: the other one is lost");
	result(!tbtf_back_may_go(&line, 1, 65000), "may go: the lender has been heard of a minute ago");
	result(tbtf_back_may_go(&line, 1, 65001), "may go: the lender has not been heard of for a minute");
	tbtf_back_set(&line.back, TBTF_BACK_ASKED);
	result(!tbtf_back_may_go(&line, 1, 66000), "may go: not while more is wanted");
}

int main(void)
{
	test_judge();
	test_long();
	test_bar();
	test_may_go();
	return !!failed;
}
