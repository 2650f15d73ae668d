// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what tbtfd tells on its control sockets, an object of JSON a line
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "daemon.h"

#define QUESTION	"{\"type\":\"status\"}\n"
/* A daemon that is alive answers at once, and has an answer for some milliseconds even then. */
#define ANSWER_S	10

const struct daemon daemon_borrow = { "/run/tbtf/borrow.sock", "borrower", "tbtfd-borrow" };
const struct daemon daemon_lend = { "/run/tbtf/lend.sock", "lender", "tbtfd-lend" };

static int dial(const struct daemon *daemon)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = ANSWER_S };
	char path[PATH_LEN];
	int fd, err;

	if (!tbtf_path(path, "%s", daemon->socket) || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    send(fd, QUESTION, strlen(QUESTION), MSG_NOSIGNAL) == (ssize_t)strlen(QUESTION))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int daemon_ask(const struct daemon *daemon, int (*each)(const char *text, size_t len, void *arg),
	       void *arg)
{
	int fd = dial(daemon), err = 0;
	bool any = false;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *file;

	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!err && (len = getline(&text, &room, file)) > 0) {
		any = true;
		err = each(text, len, arg);
	}
	/* It says one line at least. */
	if (!err && !any)
		err = errno ? -errno : -EPROTO;
	free(text);
	fclose(file);
	return err;
}

struct show {
	bool as_json;
	const struct daemon_kind *kinds, *before;
};

static int show_line(const char *text, size_t len, void *arg)
{
	const struct daemon_kind *kind;
	static struct json_line line;
	struct show *show = arg;
	const char *name;

	if (show->as_json) {
		printf("%s", text);
		return 0;
	}
	name = json_read_line(&line, text, len) ? json_text(&line, "kind") : NULL;
	for (kind = show->kinds; name && kind->name; kind++) {
		if (strcmp(name, kind->name))
			continue;
		kind->print(&line, show->before != kind);
		show->before = kind;
		return 0;
	}
	return -EPROTO;
}

static int daemon_show(const struct daemon *daemon, bool as_json, const struct daemon_kind *kinds)
{
	struct show show = { as_json, kinds, NULL };
	int err = daemon_ask(daemon, show_line, &show);

	if (err == -ENOENT || err == -ECONNREFUSED) {
		tbtf_error("no %s is running (nobody listens at %s%s): systemctl start %s", daemon->role,
			   tbtf_root, daemon->socket, daemon->unit);
		return EXIT_FAILED;
	}
	if (err == -EACCES || err == -EPERM)
		return tbtf_failed(err, "%s", daemon->socket);
	return err ? tbtf_failed(err, "the answer of tbtfd") : EXIT_OK;
}

int daemon_cmd(const struct cmd *cmd, int argc, char **argv, const struct daemon *daemon,
	       const struct daemon_kind *kinds)
{
	static const struct option names[] = {
		{ "json",	no_argument,	NULL, 'j' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	bool as_json = false;
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":jh", names, &code)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	return daemon_show(daemon, as_json, kinds);
}

uint64_t daemon_number(const struct json_line *line, const char *key)
{
	uint64_t value = 0;

	return json_u64(line, key, &value) ? value : 0;
}

const char *daemon_size(const struct json_line *line, const char *key, char buf[16])
{
	return tbtf_size(daemon_number(line, key), buf);
}

/* "3d", "12h", "5m", "7s": since then. */
const char *daemon_ago(uint64_t since, char buf[16])
{
	static const struct { uint64_t s; char unit; } units[] = {
		{ 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	uint64_t now = time(NULL), s = since && now > since ? now - since : 0;
	size_t i = 0;

	if (!since)
		return "-";
	while (units[i].s > 1 && s < units[i].s)
		i++;
	snprintf(buf, 16, "%llu%c", (unsigned long long)(s / units[i].s), units[i].unit);
	return buf;
}

void daemon_put(const struct json_line *line, const char *key, int width)
{
	const char *text = json_text(line, key);
	char buf[256];

	printf("%-*s", width, tbtf_text(buf, sizeof(buf), text ? text : "?"));
}
