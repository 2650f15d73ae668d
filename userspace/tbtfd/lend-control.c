// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lender's control socket: who has borrowed what, since when, how full it is
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A line of JSON is asked, {"type":"status"}, and the answer is an object a line, each
 * with its "kind": one "lend", a "borrower" for each peer, a "lease" for each lease; then
 * the connection is closed. Only root may ask. The loop never waits: what a socket does
 * not hold is left out, and who asked sees that there were more.
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
#include <time.h>
#include <unistd.h>

#include "lend.h"
#include "log.h"

#define QUESTION_MAX	256
/* An answer with all leases that there can be is smaller. */
#define ROOM		(1 << 20)

static struct sockaddr_un address;

static void put(struct json_object *to, const char *key, struct json_object *value)
{
	(void)json_object_object_add(to, key, value);
}

static void put_number(struct json_object *to, const char *key, uint64_t value)
{
	put(to, key, json_object_new_uint64(value));
}

static struct json_object *object(const char *kind)
{
	struct json_object *new = json_object_new_object();

	put(new, "kind", json_object_new_string(kind));
	return new;
}

static void say(int fd, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

	if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
	    send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		tbtf_debug("control socket: an answer was not taken");
	(void)json_object_put(object);
}

static void say_lend(int fd, const struct tbtf_lender *lender)
{
	const struct tbtf_ledger *ledger = &lender->ledger;
	struct json_object *all = object("lend");
	char why[TBTF_PEER_MESSAGE];
	uint64_t held = 0;

	for (unsigned int i = 0; i < ledger->leases; i++)
		held += ledger->lease[i].held_kb;
	put(all, "node", json_object_new_string(lender->conf->node));
	put_number(all, "memory_kb", lender->conf->lend.memory_kb);
	put_number(all, "headroom_kb", ledger->headroom_kb);
	put_number(all, "lent_kb", tbtf_ledger_promised(ledger));
	put_number(all, "held_kb", held);
	put_number(all, "behind_kb", tbtf_ledger_behind(ledger));
	put_number(all, "offer_kb", tbtf_ledger_offer(ledger, &lender->memory, why));
	put_number(all, "offer_behind_kb", lender->memory.behind_kb);
	put(all, "why", json_object_new_string(why));
	put(all, "kept", json_object_new_boolean(tbtf_keep_works()));
	put(all, "stopping", json_object_new_boolean(ledger->stopping));
	say(fd, all);
}

static void say_borrowers(int fd, const struct tbtf_lender *lender)
{
	const struct tbtf_ledger *ledger = &lender->ledger;

	for (size_t i = 0; i < lender->conf->peers; i++) {
		struct json_object *one = object("borrower");
		uint64_t since = tbtf_lend_here(lender, i), leases = 0, lent = 0, far;
		bool may_swap;

		for (unsigned int j = 0; j < ledger->leases; j++) {
			if (ledger->lease[j].borrower != i)
				continue;
			leases++;
			lent += ledger->lease[j].kb;
		}
		put(one, "name", json_object_new_string(lender->conf->peer[i].name));
		put(one, "connected", json_object_new_boolean(since));
		put_number(one, "since", since);
		put_number(one, "leases", leases);
		put_number(one, "lent_kb", lent);
		put_number(one, "offer_kb", tbtf_ledger_offer_to(ledger, &lender->memory, i, &may_swap, &far));
		put(one, "may_swap", json_object_new_boolean(may_swap));
		say(fd, one);
	}
}

static void say_leases(int fd, struct tbtf_lender *lender)
{
	uint64_t now = tbtf_lend_now();

	for (unsigned int i = 0; i < lender->ledger.leases; i++) {
		const struct tbtf_lease *lease = &lender->ledger.lease[i];
		struct json_object *one = object("lease"), *path = json_object_new_array();
		struct tbtf_nbd_use use;
		char number[24];

		tbtf_nbd_server_use(&lender->nbd, lease->export, &use);
		(void)snprintf(number, sizeof(number), "%" PRIu64, lease->number);
		put(one, "borrower", json_object_new_string(lender->conf->peer[lease->borrower].name));
		put(one, "lease", json_object_new_string(number));
		put_number(one, "kb", lease->kb);
		put_number(one, "held_kb", lease->held_kb);
		put_number(one, "written_kb", tbtf_store_written(lease->store) >> 10);
		put_number(one, "since", lease->since);
		put_number(one, "expires_s", lease->expires > now ? lease->expires - now : 0);
		put_number(one, "connections", use.conns);
		put_number(one, "requests", use.requests);
		put_number(one, "rtt_us", use.rtt_us);
		put(one, "behind", json_object_new_boolean(lease->behind));
		put(one, "revoked", json_object_new_boolean(lease->deadline));
		put(one, "late", json_object_new_boolean(lease->late));
		for (unsigned int j = 0; j < lease->path.n; j++)
			(void)json_object_array_add(path, json_object_new_string(lease->path.node[j]));
		put(one, "path", path);
		say(fd, one);
	}
}

static void reply(int fd, struct tbtf_lender *lender, const char *line)
{
	struct json_object *question = json_tokener_parse(line), *type, *wrong;

	if (question && json_object_is_type(question, json_type_object) &&
	    json_object_object_get_ex(question, "type", &type) &&
	    json_object_is_type(type, json_type_string) &&
	    !strcmp(json_object_get_string(type), "status")) {
		(void)tbtf_lend_look(lender);
		say_lend(fd, lender);
		say_borrowers(fd, lender);
		say_leases(fd, lender);
	} else {
		wrong = object("error");
		put(wrong, "message", json_object_new_string("the question is {\"type\":\"status\"}"));
		say(fd, wrong);
	}
	(void)json_object_put(question);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	char line[QUESTION_MAX];
	ssize_t len = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	(void)revents;
	if (len > 0) {
		line[len] = 0;
		line[strcspn(line, "\n")] = 0;
		reply(fd, data, line);
	}
	sd_event_source_disable_unref(source);
	return 0;
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), room = ROOM;
	struct tbtf_lender *lender = data;
	sd_event_source *new = NULL;

	(void)source;
	(void)revents;
	if (client < 0)
		return 0;
	(void)setsockopt(client, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	/* It belongs to root, who will not fill the loop with connections that say nothing. */
	if (sd_event_add_io(lender->event, &new, client, EPOLLIN, on_client, lender) < 0) {
		(void)close(client);
		return 0;
	}
	(void)sd_event_source_set_io_fd_own(new, true);
	(void)sd_event_source_set_priority(new, SD_EVENT_PRIORITY_IDLE);
	return 0;
}

/**
 * tbtf_lend_control_open() - listen
 * @lender: what is told
 *
 * Without the socket a lender lends as well: what is not possible is said, and no error.
 */
void tbtf_lend_control_open(struct tbtf_lender *lender)
{
	int fd = -1, err = tbtf_lend_run_path("lend.sock", &address);
	mode_t before = umask(0177);

	if (!err) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		err = fd < 0 ? -errno : 0;
	}
	(void)unlink(address.sun_path);
	if (!err && (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)))
		err = -errno;
	(void)umask(before);
	if (!err)
		err = sd_event_add_io(lender->event, &lender->control, fd, EPOLLIN, on_listener, lender);
	if (err >= 0) {
		(void)sd_event_source_set_io_fd_own(lender->control, true);
		return;
	}
	tbtf_warning("cannot listen at %s: %s; \"tbtf lend\" will know nothing", address.sun_path,
		     strerror(-err));
	if (fd >= 0)
		(void)close(fd);
}

/**
 * tbtf_lend_control_close() - listen no more
 * @lender: the lender
 */
void tbtf_lend_control_close(struct tbtf_lender *lender)
{
	if (!lender->control)
		return;
	lender->control = sd_event_source_disable_unref(lender->control);
	(void)unlink(address.sun_path);
}
