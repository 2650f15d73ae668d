// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what borrower and lender say to each other: lines, read and written
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Both ends use this file, so they cannot disagree. Nothing here waits, logs or
 * decides: bytes become lines, lines become structs, and the other way round. What
 * comes in is a stranger's: its length, depth, types, names and numbers are checked
 * here, and nowhere else has to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json-line.h"
#include "peer.h"

/* Lines are built in one object each; a piece that cannot be had fails the whole. */
#define FORMAT_FLAGS	(JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static const char * const type_names[] = {
	[TBTF_PEER_HELLO] = "hello",
	[TBTF_PEER_OFFER] = "offer",
	[TBTF_PEER_LEASE] = "lease",
	[TBTF_PEER_RENEW] = "renew",
	[TBTF_PEER_RELEASE] = "release",
	[TBTF_PEER_LEASES_OF] = "leases",
};

static const char * const error_names[] = {
	[TBTF_PEER_OK] = "",
	[TBTF_PEER_CYCLE] = "cycle",
	[TBTF_PEER_HOPS] = "hops",
	[TBTF_PEER_QUOTA] = "quota",
	[TBTF_PEER_NO_MEMORY] = "no-memory",
	[TBTF_PEER_NOT_ALLOWED] = "not-allowed",
	[TBTF_PEER_BAD_REQUEST] = "bad-request",
	[TBTF_PEER_BAD_VERSION] = "version",
	[TBTF_PEER_UNKNOWN_LEASE] = "unknown-lease",
};

/**
 * tbtf_peer_error_name - the word that the protocol has for an error
 * @error: one of enum tbtf_peer_error
 *
 * Return: the word; "" for TBTF_PEER_OK, and for what is none of them.
 */
const char *tbtf_peer_error_name(enum tbtf_peer_error error)
{
	return error < TBTF_PEER_ERROR_NR ? error_names[error] : "";
}

/* -- lines --------------------------------------------------------------------- */

/**
 * tbtf_peer_room - where the next bytes of a connection go
 * @in: zeroed before its first use
 * @ret_size: how many bytes have room: never 0 after tbtf_peer_line() returned 0
 *
 * The caller adds to @in->fill how many came. Lines got before are gone.
 *
 * Return: the room.
 */
char *tbtf_peer_room(struct tbtf_peer_in *in, size_t *ret_size)
{
	memmove(in->text, in->text + in->taken, in->fill - in->taken);
	in->fill -= in->taken;
	in->taken = 0;
	*ret_size = TBTF_PEER_LINE - in->fill;
	return in->text + in->fill;
}

/**
 * tbtf_peer_line - the next whole line of what has arrived
 * @in: what has arrived
 * @ret_line: the line, without its newline, until the next tbtf_peer_room()
 * @ret_len: its length
 *
 * Return: 1, or 0 if there is none yet, or -EMSGSIZE: there will be none, it is too
 * long, and the connection is to be closed.
 */
int tbtf_peer_line(struct tbtf_peer_in *in, const char **ret_line, size_t *ret_len)
{
	char *start = in->text + in->taken, *end;

	end = memchr(start, '\n', in->fill - in->taken);
	if (!end)
		return in->fill - in->taken >= TBTF_PEER_LINE ? -EMSGSIZE : 0;
	*end = '\0';
	*ret_line = start;
	*ret_len = end - start;
	in->taken += end - start + 1;
	return 1;
}

/**
 * tbtf_peer_ring - would a request come back to where it has been?
 * @path: the nodes that it came by
 * @node: the next one
 * @why: if so: "one-two-one is a ring"; as much of it as has room
 *
 * Return: whether.
 */
bool tbtf_peer_ring(const struct tbtf_peer_path *path, const char *node, char why[TBTF_PEER_MESSAGE])
{
	bool ring = false;
	size_t len = 0;

	for (unsigned int i = 0; i < path->n; i++)
		ring |= !strcmp(path->node[i], node);
	if (!ring)
		return false;
	for (unsigned int i = 0; i < path->n && len < TBTF_PEER_MESSAGE; i++)
		len += snprintf(why + len, TBTF_PEER_MESSAGE - len, "%s-", path->node[i]);
	if (len < TBTF_PEER_MESSAGE)
		snprintf(why + len, TBTF_PEER_MESSAGE - len, "%s is a ring", node);
	return true;
}

/* -- reading ------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static int wrong(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, TBTF_PEER_MESSAGE, format, args);
	va_end(args);
	return -EBADMSG;
}

/* The object that the line is; NULL and why not. */
static struct json_object *parse(const char *line, size_t len, char *why)
{
	return tbtf_json_line(line, len, TBTF_PEER_LINE, TBTF_PEER_DEPTH, why, TBTF_PEER_MESSAGE);
}

static int get_number(struct json_object *object, const char *key, uint64_t max,
		      uint64_t *ret, char *why)
{
	struct json_object *value;
	uint64_t n;

	if (!json_object_object_get_ex(object, key, &value))
		return wrong(why, "\"%s\" is missing", key);
	if (!json_object_is_type(value, json_type_int))
		return wrong(why, "\"%s\" is not a whole number", key);
	n = json_object_get_uint64(value);
	/* A negative one is 0 to json-c as an unsigned one. */
	if (n > max || json_object_get_int64(value) < 0)
		return wrong(why, "\"%s\" is not a number from 0 to %" PRIu64, key, max);
	*ret = n;
	return 0;
}

/* A string without zeroes of less than @size bytes. */
static int get_string(struct json_object *object, const char *key, char *ret, size_t size,
		      char *why)
{
	struct json_object *value;
	const char *text;
	size_t len;

	if (!json_object_object_get_ex(object, key, &value))
		return wrong(why, "\"%s\" is missing", key);
	if (!json_object_is_type(value, json_type_string))
		return wrong(why, "\"%s\" is not a string", key);
	text = json_object_get_string(value);
	len = json_object_get_string_len(value);
	if (len >= size || strlen(text) != len)
		return wrong(why, "\"%s\" is not a text of 0 to %zu bytes", key, size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

static int get_node(struct json_object *object, const char *key, char *ret, char *why)
{
	if (get_string(object, key, ret, TBTF_NAME_LEN, why) < 0)
		return -EBADMSG;
	if (!tbtf_conf_name_ok(ret))
		return wrong(why, "\"%s\" is not a node's name", key);
	return 0;
}

static int get_bool(struct json_object *object, const char *key, bool *ret, char *why)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_boolean))
		return wrong(why, "\"%s\" is missing, or neither true nor false", key);
	*ret = json_object_get_boolean(value);
	return 0;
}

/* The number of a lease: a string, as other languages have no 64 bits. */
static int get_lease(struct json_object *object, uint64_t *ret, char *why)
{
	char text[24], *end;

	if (get_string(object, "lease", text, sizeof(text), why) < 0)
		return -EBADMSG;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end || errno)
		return wrong(why, "\"lease\" is not the number of a lease, as a string");
	return 0;
}

static int get_export(struct json_object *object, char *ret, char *why)
{
	if (get_string(object, "export", ret, TBTF_PEER_EXPORT + 1, why) < 0)
		return -EBADMSG;
	if (strspn(ret, "0123456789abcdef") != TBTF_PEER_EXPORT)
		return wrong(why, "\"export\" is not 32 hex digits");
	return 0;
}

static int get_path(struct json_object *object, struct tbtf_peer_path *ret, char *why)
{
	struct json_object *array, *value;
	const char *name;

	if (!json_object_object_get_ex(object, "path", &array) ||
	    !json_object_is_type(array, json_type_array))
		return wrong(why, "\"path\" is missing, or not an array");
	ret->n = 0;
	if (json_object_array_length(array) < 1 ||
	    json_object_array_length(array) > TBTF_PEER_PATH)
		return wrong(why, "\"path\" is not of 1 to %d nodes", TBTF_PEER_PATH);
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		value = json_object_array_get_idx(array, i);
		name = json_object_is_type(value, json_type_string) ?
			json_object_get_string(value) : "";
		if (strlen(name) != (size_t)json_object_get_string_len(value) ||
		    !tbtf_conf_name_ok(name))
			return wrong(why, "\"path\" has something that is not a node's name");
		snprintf(ret->node[ret->n++], TBTF_NAME_LEN, "%s", name);
	}
	return 0;
}

static int read_request(struct json_object *object, struct tbtf_peer_request *ret, char *why)
{
	char type[16];

	if (get_number(object, "id", INT64_MAX, &ret->id, why) < 0 ||
	    get_string(object, "type", type, sizeof(type), why) < 0)
		return -EBADMSG;
	while (ret->type < TBTF_PEER_TYPE_NR && strcmp(type, type_names[ret->type]))
		ret->type++;
	switch (ret->type) {
	case TBTF_PEER_HELLO:
		if (get_number(object, "version", INT64_MAX, &ret->version, why) < 0)
			return -EBADMSG;
		return get_node(object, "node", ret->node, why);
	case TBTF_PEER_LEASE:
		if (get_number(object, "kb", TBTF_PEER_KB_MAX, &ret->kb, why) < 0 ||
		    get_number(object, "hops", TBTF_PEER_PATH, &ret->hops, why) < 0)
			return -EBADMSG;
		return get_path(object, &ret->path, why);
	case TBTF_PEER_RENEW:
	case TBTF_PEER_RELEASE:
		return get_lease(object, &ret->lease, why);
	case TBTF_PEER_OFFER:
	case TBTF_PEER_LEASES_OF:
		return 0;
	default:
		return wrong(why, "there is no request of this \"type\"");
	}
}

/**
 * tbtf_peer_parse_request - a line becomes a request
 * @line: text, with a 0 behind it
 * @len: of it, without the 0
 * @ret: the request; if it is none, nothing but its id counts (0: not known)
 * @why: what is wrong with it, for people
 *
 * Return: 0, or -EBADMSG and @why.
 */
int tbtf_peer_parse_request(const char *line, size_t len, struct tbtf_peer_request *ret,
			    char why[TBTF_PEER_MESSAGE])
{
	struct json_object *object = parse(line, len, why);
	int err;

	memset(ret, 0, sizeof(*ret));
	if (!object)
		return -EBADMSG;
	err = read_request(object, ret, why);
	json_object_put(object);
	return err;
}

static int read_list(struct json_object *object, struct tbtf_peer_reply *ret, char *why)
{
	struct tbtf_peer_lease *lease;
	struct json_object *array, *value;

	if (!json_object_object_get_ex(object, "leases", &array) ||
	    !json_object_is_type(array, json_type_array))
		return wrong(why, "\"leases\" is missing, or not an array");
	if (json_object_array_length(array) > TBTF_PEER_LEASES)
		return wrong(why, "more than %d leases", TBTF_PEER_LEASES);
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		value = json_object_array_get_idx(array, i);
		lease = &ret->list[i];
		if (!json_object_is_type(value, json_type_object))
			return wrong(why, "\"leases\" has something that is not an object");
		if (get_lease(value, &lease->lease, why) < 0 ||
		    get_export(value, lease->export, why) < 0 ||
		    get_number(value, "kb", TBTF_PEER_KB_MAX, &lease->kb, why) < 0 ||
		    get_number(value, "expires_s", INT32_MAX, &lease->expires_s, why) < 0)
			return -EBADMSG;
		ret->leases++;
	}
	return 0;
}

static int read_offer(struct json_object *object, struct tbtf_peer_reply *ret, char *why)
{
	if (get_number(object, "offer_kb", TBTF_PEER_KB_MAX, &ret->offer_kb, why) < 0)
		return -EBADMSG;
	if (json_object_object_get_ex(object, "far", NULL) &&
	    get_number(object, "far", TBTF_PEER_PATH, &ret->far, why) < 0)
		return -EBADMSG;
	return get_bool(object, "may_swap", &ret->may_swap, why);
}

static int read_ok(struct json_object *object, struct tbtf_peer_reply *ret, char *why)
{
	switch (ret->type) {
	case TBTF_PEER_HELLO:
		if (get_number(object, "version", INT64_MAX, &ret->version, why) < 0 ||
		    get_node(object, "node", ret->node, why) < 0 ||
		    get_number(object, "nbd_port", 65535, &ret->nbd_port, why) < 0)
			return -EBADMSG;
		return read_offer(object, ret, why);
	case TBTF_PEER_OFFER:
		return read_offer(object, ret, why);
	case TBTF_PEER_LEASE:
		if (get_lease(object, &ret->lease.lease, why) < 0 ||
		    get_export(object, ret->lease.export, why) < 0 ||
		    get_number(object, "kb", TBTF_PEER_KB_MAX, &ret->lease.kb, why) < 0)
			return -EBADMSG;
		/* fallthrough */
	case TBTF_PEER_RENEW:
		return get_number(object, "expires_s", INT32_MAX, &ret->lease.expires_s, why);
	case TBTF_PEER_LEASES_OF:
		return read_list(object, ret, why);
	default:
		return 0;
	}
}

static int read_notice(struct json_object *object, struct tbtf_peer_reply *ret, char *why)
{
	char name[16];

	if (get_string(object, "notice", name, sizeof(name), why) < 0)
		return -EBADMSG;
	if (!strcmp(name, "revoke")) {
		ret->kind = TBTF_PEER_NOTICE_REVOKE;
		if (get_lease(object, &ret->lease.lease, why) < 0)
			return -EBADMSG;
		return get_number(object, "deadline_s", INT32_MAX, &ret->deadline_s, why);
	}
	if (!strcmp(name, "offer")) {
		ret->kind = TBTF_PEER_NOTICE_OFFER;
		return read_offer(object, ret, why);
	}
	return wrong(why, "there is no \"notice\" of this name");
}

static int read_answer(struct json_object *object, struct tbtf_peer_reply *ret, char *why)
{
	char name[16];
	bool ok;

	ret->kind = TBTF_PEER_ANSWER;
	if (get_number(object, "id", INT64_MAX, &ret->id, why) < 0 ||
	    get_bool(object, "ok", &ok, why) < 0)
		return -EBADMSG;
	if (ok)
		return read_ok(object, ret, why);
	if (get_string(object, "error", name, sizeof(name), why) < 0 ||
	    get_string(object, "message", ret->message, sizeof(ret->message), why) < 0)
		return -EBADMSG;
	for (ret->error = TBTF_PEER_CYCLE; ret->error < TBTF_PEER_ERROR_NR; ret->error++) {
		if (!strcmp(name, error_names[ret->error]))
			return 0;
	}
	return wrong(why, "there is no \"error\" of this name");
}

/**
 * tbtf_peer_parse_reply - a line becomes an answer or a notice
 * @line: text, with a 0 behind it
 * @len: of it, without the 0
 * @type: what was asked, if it is an answer: they come in order
 * @ret: the reply; the id is for the caller to compare
 * @why: what is wrong with it, for people
 *
 * Return: 0, or -EBADMSG and @why: what the other end is, it is no lender.
 */
int tbtf_peer_parse_reply(const char *line, size_t len, enum tbtf_peer_type type,
			  struct tbtf_peer_reply *ret, char why[TBTF_PEER_MESSAGE])
{
	struct json_object *object = parse(line, len, why);
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->type = type;
	if (!object)
		return -EBADMSG;
	if (json_object_object_get_ex(object, "notice", NULL))
		err = read_notice(object, ret, why);
	else
		err = read_answer(object, ret, why);
	json_object_put(object);
	return err;
}

/* -- writing ------------------------------------------------------------------- */

/* struct out - an object in the making, and whether all of it could be had */
struct out {
	struct json_object *object;
	bool failed;
};

static void put(struct out *out, const char *key, struct json_object *value)
{
	if (!value || !out->object || json_object_object_add(out->object, key, value) < 0) {
		json_object_put(value);
		out->failed = true;
	}
}

static void put_number(struct out *out, const char *key, uint64_t n)
{
	put(out, key, json_object_new_uint64(n));
}

static void put_string(struct out *out, const char *key, const char *text)
{
	put(out, key, json_object_new_string(text));
}

static void put_bool(struct out *out, const char *key, bool value)
{
	put(out, key, json_object_new_boolean(value));
}

static void put_lease(struct out *out, uint64_t lease)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, lease);
	put_string(out, "lease", text);
}

static void put_path(struct out *out, const struct tbtf_peer_path *path)
{
	struct json_object *array = json_object_new_array(), *name;

	for (unsigned int i = 0; array && i < path->n; i++) {
		name = json_object_new_string(path->node[i]);
		if (!name || json_object_array_add(array, name) < 0) {
			json_object_put(name);
			out->failed = true;
		}
	}
	put(out, "path", array);
}

static void put_list(struct out *out, const struct tbtf_peer_reply *reply)
{
	struct json_object *array = json_object_new_array();
	struct out item;

	for (unsigned int i = 0; array && i < reply->leases; i++) {
		item = (struct out){ json_object_new_object(), false };
		put_lease(&item, reply->list[i].lease);
		put_string(&item, "export", reply->list[i].export);
		put_number(&item, "kb", reply->list[i].kb);
		put_number(&item, "expires_s", reply->list[i].expires_s);
		if (item.failed || json_object_array_add(array, item.object) < 0) {
			json_object_put(item.object);
			out->failed = true;
		}
	}
	put(out, "leases", array);
}

/* The line of the object, which is gone then. */
static int finish(struct out *out, char *buf, size_t size)
{
	const char *text;
	size_t len = 0;
	int ret = -ENOMEM;

	text = out->failed ? NULL :
		json_object_to_json_string_length(out->object, FORMAT_FLAGS, &len);
	if (text && (len + 1 > TBTF_PEER_LINE || len + 2 > size)) {
		ret = -EMSGSIZE;
	} else if (text) {
		memcpy(buf, text, len);
		memcpy(buf + len, "\n", 2);
		ret = len + 1;
	}
	json_object_put(out->object);
	return ret;
}

/**
 * tbtf_peer_format_request - a request becomes a line
 * @request: the request
 * @buf: gets the line, its newline and a 0
 * @size: of @buf; TBTF_PEER_LINE + 1 is always enough
 *
 * Return: the length without the 0, -ENOMEM, or -EMSGSIZE: @buf is too small.
 */
int tbtf_peer_format_request(const struct tbtf_peer_request *request, char *buf, size_t size)
{
	struct out out = { json_object_new_object(), false };

	put_number(&out, "id", request->id);
	put_string(&out, "type", type_names[request->type]);
	switch (request->type) {
	case TBTF_PEER_HELLO:
		put_number(&out, "version", request->version);
		put_string(&out, "node", request->node);
		break;
	case TBTF_PEER_LEASE:
		put_number(&out, "kb", request->kb);
		put_path(&out, &request->path);
		put_number(&out, "hops", request->hops);
		break;
	case TBTF_PEER_RENEW:
	case TBTF_PEER_RELEASE:
		put_lease(&out, request->lease);
		break;
	default:
		break;
	}
	return finish(&out, buf, size);
}

static void put_offer(struct out *out, const struct tbtf_peer_reply *reply)
{
	put_number(out, "offer_kb", reply->offer_kb);
	put_bool(out, "may_swap", reply->may_swap);
	put_number(out, "far", reply->far);
}

static void put_answer(struct out *out, const struct tbtf_peer_reply *reply)
{
	put_number(out, "id", reply->id);
	put_bool(out, "ok", !reply->error);
	if (reply->error) {
		put_string(out, "error", error_names[reply->error]);
		put_string(out, "message", reply->message);
		return;
	}
	switch (reply->type) {
	case TBTF_PEER_HELLO:
		put_number(out, "version", reply->version);
		put_string(out, "node", reply->node);
		put_number(out, "nbd_port", reply->nbd_port);
		/* fallthrough */
	case TBTF_PEER_OFFER:
		put_offer(out, reply);
		break;
	case TBTF_PEER_LEASE:
		put_lease(out, reply->lease.lease);
		put_string(out, "export", reply->lease.export);
		put_number(out, "kb", reply->lease.kb);
		/* fallthrough */
	case TBTF_PEER_RENEW:
		put_number(out, "expires_s", reply->lease.expires_s);
		break;
	case TBTF_PEER_LEASES_OF:
		put_list(out, reply);
		break;
	default:
		break;
	}
}

/**
 * tbtf_peer_format_reply - an answer or a notice becomes a line
 * @reply: the reply
 * @buf: gets the line, its newline and a 0
 * @size: of @buf; TBTF_PEER_LINE + 1 is always enough
 *
 * Return: the length without the 0, -ENOMEM, or -EMSGSIZE: @buf is too small.
 */
int tbtf_peer_format_reply(const struct tbtf_peer_reply *reply, char *buf, size_t size)
{
	struct out out = { json_object_new_object(), false };

	switch (reply->kind) {
	case TBTF_PEER_NOTICE_REVOKE:
		put_string(&out, "notice", "revoke");
		put_lease(&out, reply->lease.lease);
		put_number(&out, "deadline_s", reply->deadline_s);
		break;
	case TBTF_PEER_NOTICE_OFFER:
		put_string(&out, "notice", "offer");
		put_offer(&out, reply);
		break;
	default:
		put_answer(&out, reply);
	}
	return finish(&out, buf, size);
}
