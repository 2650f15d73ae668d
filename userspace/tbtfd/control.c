// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the borrower's control socket: who lent what, since when, how fast
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A line of JSON is asked, {"type":"status"}. The answer is an object a line, each with
 * its "kind": one "line", then a "lender" for each peer and an "extent" for each slot in
 * use, then, with mints, one "print", and a "mint" for each; then the connection is
 * closed. Only root may ask. Nothing here waits: an answer is smaller than what a socket
 * holds, and who does not read it does not get it.
 *
 * A lender of this node asks besides, in the words of peer.h, what the nodes behind this
 * one would lend, {"id":1,"type":"behind","promised_kb":0}, where it says how much it has
 * promised of that already; and for memory behind a lease: as the borrower asked it,
 * {"id":2,"type":"lease",...}. That answer comes when the memory is swap.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "borrow.h"
#include "lender.h"
#include "log.h"
#include "memory.h"
#include "press.h"

/* Those who have connected and not asked yet. More wait in the queue of the socket. */
#define CLIENTS		8
/* A path of 16 nodes. */
#define QUESTION_MAX	2048

static struct tbtf_borrower *borrower;
static sd_event *event;
static sd_event_source *clients[CLIENTS];
static int listener = -1;
/* The lender of this node, while memory is stolen for it: its place in clients, its id. */
static int waiting = -1;
static uint64_t waiting_id;

static void put(struct json_object *to, const char *key, struct json_object *value)
{
	(void)json_object_object_add(to, key, value);
}

static void put_number(struct json_object *to, const char *key, uint64_t value)
{
	put(to, key, json_object_new_uint64(value));
}

/* One object of the answer becomes a line of it. */
static void say(int fd, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

	if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
	    send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		tbtf_debug("control socket: an answer was not taken");
	(void)json_object_put(object);
}

static struct json_object *object(const char *kind)
{
	struct json_object *new = json_object_new_object();

	put(new, "kind", json_object_new_string(kind));
	return new;
}

/* For whom: this node alone, or who asked its lender. */
static void put_path(struct json_object *to, const struct tbtf_extent *extent)
{
	struct json_object *path = json_object_new_array();

	for (unsigned int i = 0; i < extent->path.n; i++)
		(void)json_object_array_add(path, json_object_new_string(extent->path.node[i]));
	put(to, "path", path);
}

static void say_extents(int fd)
{
	for (int i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &borrower->line.extent[i];
		int state = tbtf_extent_state(extent);
		struct json_object *one;
		char names[TBTF_NAMES_LEN];
		int percent = extent->percent;

		if (state == TBTF_EXTENT_NONE)
			continue;
		one = object("extent");
		put(one, "device", json_object_new_string(extent->device));
		put(one, "lender", json_object_new_string(tbtf_line_names(&borrower->line, extent, names)));
		put(one, "state", json_object_new_string(tbtf_extent_word(state)));
		put_number(one, "kb", extent->kb);
		put_number(one, "used_kb", borrower->used_kb[i]);
		put_number(one, "leased", extent->leased_s);
		put_number(one, "attached", extent->attached_s);
		put(one, "connected", json_object_new_boolean(!extent->dead));
		put(one, "revoked", json_object_new_boolean(extent->revoked));
		put(one, "lost", json_object_new_boolean(extent->lost));
		put_path(one, extent);
		put_number(one, "copies", extent->copies);
		put_number(one, "copies_wanted", extent->legs);
		put(one, "copied_percent", percent < 0 ? NULL : json_object_new_int(percent));
		put(one, "secret", json_object_new_boolean(*extent->crypt));
		say(fd, one);
	}
}

static uint64_t lent_kb(size_t peer, bool in_use)
{
	uint64_t kb = 0;

	for (int i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &borrower->line.extent[i];

		if (tbtf_extent_state(extent) == TBTF_EXTENT_NONE)
			continue;
		for (size_t j = 0; j < TBTF_LEGS; j++)
			if (extent->leg[j].used && extent->leg[j].peer == peer)
				kb += in_use ? borrower->used_kb[i] : extent->kb;
	}
	return kb;
}

static void say_lenders(int fd)
{
	struct tbtf_line *line = &borrower->line;

	for (size_t i = 0; i < line->conf->peers; i++) {
		struct json_object *one = object("lender");
		struct tbtf_lender_view view;

		(void)pthread_mutex_lock(&line->view_lock);
		view = line->view[i];
		(void)pthread_mutex_unlock(&line->view_lock);
		put(one, "name", json_object_new_string(line->conf->peer[i].name));
		put(one, "address", json_object_new_string(line->conf->peer[i].address.text));
		put(one, "connected", json_object_new_boolean(view.connected));
		put_number(one, "since", view.since_s);
		put_number(one, "latency_us", view.latency_us);
		put_number(one, "offer_kb", view.offer_kb);
		put(one, "may_swap", json_object_new_boolean(view.may_swap));
		put_number(one, "lent_kb", lent_kb(i, false));
		put_number(one, "used_kb", lent_kb(i, true));
		put(one, "why", json_object_new_string(view.why));
		say(fd, one);
	}
}

static void say_print(int fd)
{
	struct json_object *all = object("print");
	struct tbtf_press_totals totals;

	tbtf_press_totals(&totals);
	put_number(all, "requests", totals.requests);
	put_number(all, "granted", totals.granted);
	put_number(all, "refused", totals.refused);
	put_number(all, "granted_kb", totals.granted_kb);
	put_number(all, "burn_kb_s", totals.burn_kb_s);
	put_number(all, "print_kb_s", totals.print_kb_s);
	put_number(all, "inflation_permille", totals.inflation);
	put(all, "withdrawing", json_object_new_boolean(totals.withdrawing));
	say(fd, all);
}

static void say_mints(int fd)
{
	for (size_t i = 0; i < tbtf_press_mints(); i++) {
		struct json_object *one = object("mint");
		struct tbtf_press_view view;

		tbtf_press_view(i, &view);
		put(one, "name", json_object_new_string(view.mint->ops->name));
		put(one, "state", json_object_new_string(view.state));
		put_number(one, "ready_kb", view.mint->ready_kb);
		put_number(one, "out_kb", view.mint->out_kb);
		put_number(one, "used_kb", view.mint->used_kb);
		put_number(one, "cost_kb", view.mint->cost_kb);
		put_number(one, "printed_kb", view.mint->printed_kb);
		put_number(one, "prints", view.mint->prints);
		put_number(one, "rate_kb_s", view.rate_kb_s);
		put_number(one, "price_permille", view.price);
		put_number(one, "ns_per_kb", view.mint->ns_per_kb);
		put(one, "why", json_object_new_string(view.why));
		say(fd, one);
	}
}

static void say_line(int fd)
{
	struct json_object *all = object("line");
	uint64_t ready = 0, attached = 0, used = 0;

	for (int i = 0; i < TBTF_EXTENTS; i++) {
		const struct tbtf_extent *extent = &borrower->line.extent[i];
		int state = tbtf_extent_state(extent);

		if (state == TBTF_EXTENT_READY)
			ready += extent->kb;
		if (state == TBTF_EXTENT_ATTACHED || state == TBTF_EXTENT_LEAVING) {
			attached += extent->kb;
			used += borrower->used_kb[i];
		}
	}
	put(all, "node", json_object_new_string(borrower->line.conf->node));
	put_number(all, "credit_kb", borrower->line.conf->borrow.credit_kb);
	put_number(all, "ready_kb", ready);
	put_number(all, "attached_kb", attached);
	put_number(all, "used_kb", used);
	put(all, "ballast", json_object_new_boolean(tbtf_memory_ballast_held()));
	put_number(all, "requests", borrower->requests);
	put_number(all, "granted", borrower->granted);
	put_number(all, "refused", borrower->refused);
	put_number(all, "granted_kb", borrower->granted_kb);
	put_number(all, "last_grant_us", borrower->last_us);
	say(fd, all);
}

static void say_reply(int fd, struct tbtf_peer_reply *reply)
{
	char line[TBTF_PEER_MESSAGE + 512];
	int len = tbtf_peer_format_reply(reply, line, sizeof(line));

	if (len < 0 || send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		tbtf_debug("control socket: an answer was not taken");
}

/* What a lender of this node has promised of others' memory, and what there is more. */
static void say_behind(int fd, struct json_object *question)
{
	static struct tbtf_peer_reply reply;
	struct tbtf_back *back = &borrower->line.back;
	struct json_object *promised;
	uint64_t most = back->offer_kb;

	if (json_object_object_get_ex(question, "promised_kb", &promised)) {
		back->promised_kb = json_object_get_uint64(promised);
		back->promised_ms = tbtf_now_ms();
	}
	/* A page of a swap device is its header's. */
	reply = (struct tbtf_peer_reply){ .id = 1, .type = TBTF_PEER_OFFER, .may_swap = true,
		.offer_kb = most > 4 ? most - 4 : 0, .far = back->far };
	say_reply(fd, &reply);
}

/* Return: whether the answer is to be waited for. */
static bool begin_lease(int fd, const char *line)
{
	static struct tbtf_peer_reply reply;
	struct tbtf_back *back = &borrower->line.back;
	struct tbtf_peer_request request;

	memset(&reply, 0, sizeof(reply));
	if (tbtf_peer_parse_request(line, strlen(line), &request, reply.message) < 0 ||
	    request.type != TBTF_PEER_LEASE) {
		reply.error = TBTF_PEER_BAD_REQUEST;
		if (!*reply.message)
			strcpy(reply.message, "the question is one of \"status\", \"behind\", \"lease\"");
	} else if (tbtf_back_state(back) != TBTF_BACK_IDLE) {
		reply.error = TBTF_PEER_NO_MEMORY;
		strcpy(reply.message, "memory is being stolen for another lease");
	} else {
		reply.error = tbtf_back_judge(&borrower->line, &request, &back->path, reply.message);
	}
	reply.id = request.id;
	if (reply.error) {
		tbtf_notice("the lender of this node is refused: %s", reply.message);
		say_reply(fd, &reply);
		return false;
	}
	back->kb = request.kb + 4;
	back->hops = request.hops < borrower->line.conf->borrow.hops ? request.hops :
		borrower->line.conf->borrow.hops;
	waiting_id = request.id;
	tbtf_back_set(back, TBTF_BACK_ASKED);
	tbtf_line_kick(borrower->line.to_lenders);
	return true;
}

/* Return: whether the answer is to be waited for. */
static bool reply(int fd, const char *line)
{
	struct json_object *question = json_tokener_parse(line), *type;
	const char *word = "";
	bool wait = false;

	if (question && json_object_is_type(question, json_type_object) &&
	    json_object_object_get_ex(question, "type", &type) &&
	    json_object_is_type(type, json_type_string))
		word = json_object_get_string(type);
	if (!strcmp(word, "status")) {
		say_line(fd);
		say_lenders(fd);
		say_extents(fd);
		if (tbtf_press_mints()) {
			say_print(fd);
			say_mints(fd);
		}
	} else if (!strcmp(word, "behind")) {
		say_behind(fd, question);
	} else {
		wait = begin_lease(fd, line);
	}
	(void)json_object_put(question);
	return wait;
}

static void hang_up(size_t i)
{
	if (waiting == (int)i)
		waiting = -1;
	(void)close(sd_event_source_get_io_fd(clients[i]));
	clients[i] = sd_event_source_disable_unref(clients[i]);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	char line[QUESTION_MAX];
	ssize_t len = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	size_t i = (size_t)(uintptr_t)data;

	(void)source;
	(void)revents;
	if (len > 0 && waiting != (int)i) {
		line[len] = 0;
		line[strcspn(line, "\n")] = 0;
		if (reply(fd, line)) {
			waiting = i;
			return 0;
		}
	}
	hang_up(i);
	return 0;
}

/**
 * tbtf_control_backed() - tell the lender of this node whether memory was stolen for it
 *
 * Context: the main thread, when what became ready has been attached.
 */
void tbtf_control_backed(void)
{
	static struct tbtf_peer_reply reply;
	char names[TBTF_NAMES_LEN];
	struct tbtf_back *back = &borrower->line.back;
	const struct tbtf_extent *extent = &borrower->line.extent[back->slot];

	if (tbtf_back_state(back) != TBTF_BACK_DONE)
		return;
	reply = (struct tbtf_peer_reply){ .id = waiting_id, .type = TBTF_PEER_RELEASE, .error = back->error };
	strcpy(reply.message, back->why);
	if (!reply.error && tbtf_extent_state(extent) != TBTF_EXTENT_ATTACHED) {
		reply.error = TBTF_PEER_NO_MEMORY;
		strcpy(reply.message, "what was stolen for it could not be made swap");
	}
	if (!reply.error)
		tbtf_notice("%" PRIu64 " kB stolen of %s for %s", extent->kb,
			    tbtf_line_names(&borrower->line, extent, names), back->path.node[0]);
	/* The word about what is promised now is on its way, but not here yet. */
	back->promised_kb += reply.error ? 0 : back->kb;
	back->promised_ms = tbtf_now_ms();
	tbtf_back_set(back, TBTF_BACK_IDLE);
	/* Who is gone promises nothing: it goes back by and by. */
	if (waiting < 0)
		return;
	say_reply(sd_event_source_get_io_fd(clients[waiting]), &reply);
	hang_up(waiting);
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static size_t next;

	(void)source;
	(void)revents;
	(void)data;
	if (client < 0)
		return 0;
	/* The oldest who has asked nothing makes room. */
	next = (next + 1) % CLIENTS;
	if (waiting == (int)next)
		next = (next + 1) % CLIENTS;
	if (clients[next])
		hang_up(next);
	if (sd_event_add_io(event, &clients[next], client, EPOLLIN, on_client,
			    (void *)(uintptr_t)next) < 0)
		(void)close(client);
	else
		(void)sd_event_source_set_priority(clients[next], SD_EVENT_PRIORITY_IDLE);
	return 0;
}

/**
 * tbtf_control_open() - listen
 * @loop: the event loop
 * @whose: what is told
 *
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_control_open(sd_event *loop, struct tbtf_borrower *whose)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = TBTF_BORROW_SOCKET };
	mode_t before;
	int err = 0;

	borrower = whose;
	event = loop;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener < 0)
		err = -errno;
	(void)unlink(TBTF_BORROW_SOCKET);
	before = umask(0177);
	if (!err && (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16)))
		err = -errno;
	(void)umask(before);
	if (!err)
		err = sd_event_add_io(event, NULL, listener, EPOLLIN, on_listener, NULL);
	if (err < 0)
		tbtf_err("cannot listen at %s: %s", TBTF_BORROW_SOCKET, strerror(-err));
	return err < 0 ? err : 0;
}

/**
 * tbtf_control_close() - listen no more
 */
void tbtf_control_close(void)
{
	(void)close(listener);
	(void)unlink(TBTF_BORROW_SOCKET);
}
