// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a monitor that is well until it is asked for memory, and then is not
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: qmp_bad SOCKET silent|garbage|endless|closed|lies
 *
 * It has a virtio-mem device "vmem" of 512 MiB, as far as it says. When requested-size
 * is set it says nothing, rubbish, a line without an end, closes, or says that
 * it has done so. After that it does the same with all who come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *mode;
static int bad;

static int say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static void misbehave(int fd, const char *id)
{
	static char endless[4096];
	char line[256];

	if (!strcmp(mode, "garbage")) {
		say(fd, "HTTP/1.1 400 Bad Request\r\n");
	} else if (!strcmp(mode, "endless")) {
		memset(endless, 'a', sizeof(endless) - 1);
		while (say(fd, endless))
			;
	} else if (!strcmp(mode, "lies")) {
		snprintf(line, sizeof(line), "{\"return\": {}, \"id\": \"%s\"}\r\n", id);
		say(fd, line);
	}
}

static void answer(int fd, const char *line)
{
	char id[64] = "", text[512];
	const char *at = strstr(line, "\"id\":\"");

	if (at)
		sscanf(at, "\"id\":\"%63[^\"]", id);
	if (strstr(line, "qom-set") || (bad && strcmp(mode, "lies"))) {
		bad = 1;
		misbehave(fd, id);
		return;
	}
	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": \"%s\"}\r\n",
		 strstr(line, "query-memory-devices") ?
		 "[{\"type\": \"virtio-mem\", \"data\": {\"id\": \"vmem\", \"memaddr\": 4294967296, \"size\": 0, \"max-size\": 536870912, \"requested-size\": 0}}]" :
		 "{}", id);
	say(fd, text);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char line[1024];
	int listener, fd;
	FILE *file;

	if (argc != 3 || strlen(argv[1]) >= sizeof(sun.sun_path)) {
		fprintf(stderr, "usage: qmp_bad SOCKET silent|garbage|endless|closed|lies\n");
		return 2;
	}
	mode = argv[2];
	strcpy(sun.sun_path, argv[1]);
	unlink(argv[1]);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	/* It is another machine's: it has memory. */
	if (listener < 0 || bind(listener, (struct sockaddr *)&sun, sizeof(sun)) ||
	    listen(listener, 4) || mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		fd = accept(listener, NULL, NULL);
		file = fd < 0 ? NULL : fdopen(dup(fd), "r");
		if (!file)
			return 1;
		say(fd, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
		while (fgets(line, sizeof(line), file)) {
			answer(fd, line);
			if (bad && !strcmp(mode, "closed"))
				break;
		}
		fclose(file);
		close(fd);
	}
}
