// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the hypervisor's monitor, by QMP: what is asked, and what it answers
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A command is a line, and so is its answer, which has the id of the command. In between
 * come events, and on a port that somebody had open before the rest of what he was
 * told. Whoever is at the other end is believed nothing: how long a line may be, how much
 * may come, and how long it may take is bounded, and what is not as it should be ends
 * the connection. It is used by one thread, which may wait for no longer than it says.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "json-line.h"
#include "qmp.h"

__attribute__((format(printf, 2, 3)))
static int wrong(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, TBTF_QMP_WHY, format, args);
	va_end(args);
	return -EBADMSG;
}

/* -- reading a line ---------------------------------------------------------------- */

static struct json_object *parse(const char *line, size_t len, char *why)
{
	return tbtf_json_line(line, len, TBTF_QMP_LINE, TBTF_QMP_DEPTH, why, TBTF_QMP_WHY);
}

/* The text of @key, or "": what of it has room, and can be shown. */
static void text_of(struct json_object *object, const char *key, char *ret, size_t size)
{
	struct json_object *value;
	size_t i = 0;

	if (json_object_object_get_ex(object, key, &value) &&
	    json_object_is_type(value, json_type_string))
		for (const char *at = json_object_get_string(value); *at && i < size - 1; at++)
			ret[i++] = *at >= ' ' && *at <= '~' ? *at : '?';
	ret[i] = 0;
}

static bool number_of(struct json_object *object, const char *key, uint64_t *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*ret = json_object_get_uint64(value);
	/* What does not fit is cut to the largest there is. */
	return *ret < INT64_MAX;
}

/**
 * tbtf_qmp_parse() - read a line
 * @line: without its newline, with a 0 after it
 * @len: of it, without that
 * @id: of the command whose answer is waited for
 * @ret: what it is; to be given to tbtf_qmp_done() if there is no error
 * @why: what is wrong with it
 *
 * Return: 0; -EBADMSG: the monitor says no such thing.
 */
int tbtf_qmp_parse(const char *line, size_t len, const char *id, struct tbtf_qmp_message *ret,
		   char why[TBTF_QMP_WHY])
{
	struct json_object *object, *value;
	char got[TBTF_QMP_ID];

	memset(ret, 0, sizeof(*ret));
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (line[len]) {
		/* The end is to be where the text is. */
		char copy[TBTF_QMP_LINE];

		if (len >= sizeof(copy))
			return wrong(why, "a line of %zu bytes", len);
		memcpy(copy, line, len);
		copy[len] = 0;
		object = parse(copy, len, why);
	} else {
		object = parse(line, len, why);
	}
	if (!object)
		return -EBADMSG;
	ret->line = object;
	text_of(object, "id", got, sizeof(got));
	if (json_object_object_get_ex(object, "QMP", &value)) {
		ret->kind = TBTF_QMP_GREETING;
	} else if (json_object_object_get_ex(object, "event", &value)) {
		ret->kind = TBTF_QMP_EVENT;
	} else if (json_object_object_get_ex(object, "return", &ret->value)) {
		ret->kind = strcmp(got, id) ? TBTF_QMP_FOREIGN : TBTF_QMP_RETURN;
	} else if (json_object_object_get_ex(object, "error", &value) &&
		   json_object_is_type(value, json_type_object)) {
		ret->kind = strcmp(got, id) ? TBTF_QMP_FOREIGN : TBTF_QMP_ERROR;
		text_of(value, "class", ret->class, sizeof(ret->class));
		text_of(value, "desc", ret->text, sizeof(ret->text));
	} else {
		tbtf_qmp_done(ret);
		return wrong(why, "neither an answer nor an event");
	}
	return 0;
}

/**
 * tbtf_qmp_done() - a message is not needed any more
 * @message: of tbtf_qmp_parse() or tbtf_qmp_ask()
 */
void tbtf_qmp_done(struct tbtf_qmp_message *message)
{
	json_object_put(message->line);
	message->line = NULL;
	message->value = NULL;
}

static int read_device(struct json_object *entry, struct tbtf_qmp_device *ret, char *why)
{
	struct json_object *data;
	char type[16];

	memset(ret, 0, sizeof(*ret));
	if (!json_object_is_type(entry, json_type_object))
		return wrong(why, "a memory device that is no object");
	text_of(entry, "type", type, sizeof(type));
	ret->virtio = !strcmp(type, "virtio-mem");
	/* Of NVDIMMs and others nothing is wanted. */
	if (!ret->virtio && strcmp(type, "dimm"))
		return 0;
	if (!json_object_object_get_ex(entry, "data", &data) ||
	    !json_object_is_type(data, json_type_object))
		return wrong(why, "a memory device without data");
	text_of(data, "id", ret->id, sizeof(ret->id));
	if (!number_of(data, "size", &ret->size) ||
	    !number_of(data, ret->virtio ? "memaddr" : "addr", &ret->at))
		return wrong(why, "a memory device without size or address");
	ret->requested = ret->max = ret->size;
	if (ret->virtio && (!number_of(data, "requested-size", &ret->requested) ||
			    !number_of(data, "max-size", &ret->max) || ret->max > INT64_MAX - ret->at))
		return wrong(why, "a virtio-mem device without requested-size or max-size");
	if (ret->size > ret->max || ret->requested > ret->max || ret->size > INT64_MAX - ret->at)
		return wrong(why, "a memory device larger than it can be");
	return 1;
}

/**
 * tbtf_qmp_devices() - what query-memory-devices has returned
 * @value: that
 * @ret: where the virtio-mem devices and DIMMs go
 * @max: so many at most
 * @why: what is wrong with it
 *
 * Return: how many; -EBADMSG: it is no such list, or longer.
 */
int tbtf_qmp_devices(struct json_object *value, struct tbtf_qmp_device *ret, size_t max,
		     char why[TBTF_QMP_WHY])
{
	size_t n = 0;

	if (!json_object_is_type(value, json_type_array))
		return wrong(why, "no list of memory devices");
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct tbtf_qmp_device device;
		int got = read_device(json_object_array_get_idx(value, i), &device, why);

		if (got < 0)
			return got;
		if (!got)
			continue;
		if (n == max)
			return wrong(why, "more than %zu memory devices", max);
		ret[n++] = device;
	}
	return n;
}

/* -- the connection ------------------------------------------------------------------ */

/* Whatever it is, nothing of this connection is believed any more. */
__attribute__((format(printf, 3, 4)))
static int give_up(struct tbtf_qmp *qmp, int err, const char *format, ...)
{
	char why[TBTF_QMP_WHY];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	strcpy(qmp->why, why);
	tbtf_qmp_close(qmp);
	return err;
}

/**
 * tbtf_qmp_close() - end it
 * @qmp: open or not
 */
void tbtf_qmp_close(struct tbtf_qmp *qmp)
{
	if (qmp->fd >= 0)
		(void)close(qmp->fd);
	qmp->fd = -1;
	qmp->fill = 0;
}

static int wait_for(struct tbtf_qmp *qmp, short events, int64_t until_ms)
{
	struct pollfd fd = { .fd = qmp->fd, .events = events };
	int64_t left = until_ms - tbtf_now_ms();
	int n;

	n = poll(&fd, 1, left < 0 ? 0 : (int)left);
	if (n < 0 && errno != EINTR)
		return give_up(qmp, -errno, "%s", strerror(errno));
	if (!n && left <= 0)
		return give_up(qmp, -ETIMEDOUT, "no answer");
	return 0;
}

static int send_line(struct tbtf_qmp *qmp, const char *line, int64_t until_ms)
{
	size_t len = strlen(line), done = 0;
	ssize_t n;
	int err;

	while (done < len) {
		n = write(qmp->fd, line + done, len - done);
		if (n >= 0) {
			done += n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return give_up(qmp, -EPIPE, "%s", strerror(errno));
		err = wait_for(qmp, POLLOUT, until_ms);
		if (err)
			return err;
	}
	return 0;
}

/* What there is. Return: bytes; 0: nothing now; or an errno. */
static ssize_t receive(struct tbtf_qmp *qmp)
{
	ssize_t n;

	if (qmp->fill >= sizeof(qmp->text) - 1)
		return give_up(qmp, -EPROTO, "a line of more than %zu bytes", sizeof(qmp->text) - 1);
	n = read(qmp->fd, qmp->text + qmp->fill, sizeof(qmp->text) - 1 - qmp->fill);
	if (!n)
		return give_up(qmp, -EPIPE, "the other end is closed");
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		return give_up(qmp, -EPIPE, "%s", strerror(errno));
	}
	qmp->fill += n;
	return n;
}

/*
 * The first whole line of what has come. Return: 1, and @ret is it, to be taken away by
 * take(); 0: there is none.
 */
static int first_line(struct tbtf_qmp *qmp, size_t *ret_len)
{
	char *end = memchr(qmp->text, '\n', qmp->fill);

	if (!end)
		return 0;
	*end = 0;
	*ret_len = end - qmp->text;
	return 1;
}

static void take(struct tbtf_qmp *qmp, size_t len)
{
	memmove(qmp->text, qmp->text + len + 1, qmp->fill - len - 1);
	qmp->fill -= len + 1;
}

/* @fresh: the port may have the rest of what was said to somebody before us. */
static int await_answer(struct tbtf_qmp *qmp, const char *id, int64_t until_ms, bool fresh,
			struct tbtf_qmp_message *ret)
{
	char why[TBTF_QMP_WHY];
	size_t bytes = 0, len;
	ssize_t n;
	int err;

	for (;;) {
		while (first_line(qmp, &len)) {
			err = tbtf_qmp_parse(qmp->text, len, id, ret, why);
			take(qmp, len);
			if (err && !fresh)
				return give_up(qmp, -EPROTO, "%s", why);
			if (err)
				continue;
			if (ret->kind == TBTF_QMP_RETURN || ret->kind == TBTF_QMP_ERROR)
				return 0;
			tbtf_qmp_done(ret);
		}
		n = receive(qmp);
		if (n < 0)
			return n;
		bytes += n;
		if (bytes > TBTF_QMP_BYTES)
			return give_up(qmp, -EPROTO, "%zu bytes, and no answer among them", bytes);
		/* Also where it does not stop to send. */
		if (n && tbtf_now_ms() < until_ms)
			continue;
		err = wait_for(qmp, POLLIN, until_ms);
		if (err)
			return err;
	}
}

static int ask(struct tbtf_qmp *qmp, const char *command, const char *arguments, int timeout_ms,
	       bool fresh, struct tbtf_qmp_message *ret)
{
	int64_t until_ms = tbtf_now_ms() + timeout_ms;
	char id[TBTF_QMP_ID], line[512];
	int err;

	memset(ret, 0, sizeof(*ret));
	if (qmp->fd < 0)
		return -ENOTCONN;
	(void)snprintf(id, sizeof(id), "tbtfd-%d-%u", getpid(), ++qmp->asked);
	if ((size_t)snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"id\":\"%s\"%s%s}\n", command, id,
			     arguments ? ",\"arguments\":" : "", arguments ? arguments : "") >= sizeof(line)) {
		(void)wrong(qmp->why, "a command too long");
		return -EMSGSIZE;
	}
	err = send_line(qmp, line, until_ms);
	if (!err)
		err = await_answer(qmp, id, until_ms, fresh, ret);
	if (err || ret->kind == TBTF_QMP_RETURN)
		return err;
	(void)wrong(qmp->why, "%s: %s", command, *ret->text ? ret->text : "refused");
	tbtf_qmp_done(ret);
	return -EREMOTEIO;
}

/**
 * tbtf_qmp_ask() - a command, and its answer
 * @qmp: an open connection
 * @command: which
 * @arguments: a JSON object, or NULL
 * @timeout_ms: for both
 * @ret: what it has returned, to be given to tbtf_qmp_done() after success; its class
 *	is there also after -EREMOTEIO
 *
 * All that goes wrong but -EREMOTEIO ends the connection; @qmp->why says it.
 *
 * Context: waits.
 * Return: 0; -EREMOTEIO: it is refused; -ETIMEDOUT: no answer; -EPIPE: closed; -EPROTO: not
 * what a monitor says, or more than one would; -ENOTCONN: there is no connection;
 * -EMSGSIZE: the command is too long.
 */
int tbtf_qmp_ask(struct tbtf_qmp *qmp, const char *command, const char *arguments, int timeout_ms,
		 struct tbtf_qmp_message *ret)
{
	return ask(qmp, command, arguments, timeout_ms, false, ret);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	(void)close(fd);
	return -errno;
}

static int open_port(const char *path)
{
	struct termios termios;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* A serial port is a terminal, unless it is told that it is none. */
	if (!tcgetattr(fd, &termios)) {
		cfmakeraw(&termios);
		(void)tcsetattr(fd, TCSANOW, &termios);
	}
	return fd;
}

/**
 * tbtf_qmp_open() - connect to a monitor, and make it take commands
 * @qmp: not open
 * @path: a character device, or a UNIX socket
 * @timeout_ms: for all of it
 *
 * The greeting is not waited for: where somebody had the port open before, there is none.
 *
 * Context: waits.
 * Return: 0; the errno of opening; -ENODEV: it is neither; or as tbtf_qmp_ask().
 */
int tbtf_qmp_open(struct tbtf_qmp *qmp, const char *path, int timeout_ms)
{
	struct tbtf_qmp_message message;
	struct stat st;
	int err, fd;

	qmp->fd = -1;
	qmp->fill = 0;
	if (stat(path, &st))
		fd = -errno;
	else if (S_ISSOCK(st.st_mode))
		fd = connect_to(path);
	else
		fd = S_ISCHR(st.st_mode) ? open_port(path) : -ENODEV;
	if (fd < 0) {
		(void)wrong(qmp->why, "%s", strerror(-fd));
		return fd;
	}
	qmp->fd = fd;
	err = ask(qmp, "qmp_capabilities", NULL, timeout_ms, true, &message);
	if (!err) {
		tbtf_qmp_done(&message);
		return 0;
	}
	/* Somebody has said it already. */
	if (err == -EREMOTEIO && !strcmp(message.class, "CommandNotFound"))
		return 0;
	if (qmp->fd >= 0)
		tbtf_qmp_close(qmp);
	return err;
}

/**
 * tbtf_qmp_drain() - read what has come unasked
 * @qmp: an open connection
 *
 * Return: 0; or as tbtf_qmp_ask(): the connection is no more.
 */
int tbtf_qmp_drain(struct tbtf_qmp *qmp)
{
	struct tbtf_qmp_message message;
	char why[TBTF_QMP_WHY];
	size_t bytes = 0, len;
	ssize_t n;

	while (qmp->fd >= 0) {
		n = receive(qmp);
		if (n <= 0)
			return n;
		bytes += n;
		while (first_line(qmp, &len)) {
			int err = tbtf_qmp_parse(qmp->text, len, "", &message, why);

			take(qmp, len);
			if (err)
				return give_up(qmp, -EPROTO, "%s", why);
			tbtf_qmp_done(&message);
		}
		if (bytes > TBTF_QMP_BYTES)
			return give_up(qmp, -EPROTO, "%zu bytes that nobody has asked for", bytes);
	}
	return -ENOTCONN;
}
