// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the hypervisor's monitor: what it says is read, and what it should not say refused
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Also a monitor at the other end of a socket that does not answer, or not as it should.
 */
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/tbtfd/blocks.h"
#include "../../userspace/tbtfd/qmp.h"
#include "unit.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BAD		(-1)

static void test_lines(void)
{
	static const struct {
		const char *line;
		int kind;
	} table[] = {
		{ "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}", TBTF_QMP_GREETING },
		{ "{\"return\": {}, \"id\": \"me-1\"}\r", TBTF_QMP_RETURN },
		{ "{\"return\": [], \"id\": \"me-1\"}  ", TBTF_QMP_RETURN },
		{ "{\"return\": {}, \"id\": \"me-2\"}", TBTF_QMP_FOREIGN },
		{ "{\"return\": {}, \"id\": 1}", TBTF_QMP_FOREIGN },
		{ "{\"return\": {}}", TBTF_QMP_FOREIGN },
		{ "{\"id\": \"me-1\", \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}", TBTF_QMP_ERROR },
		{ "{\"id\": \"me-9\", \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}", TBTF_QMP_FOREIGN },
		{ "{\"event\": \"MEMORY_DEVICE_SIZE_CHANGE\", \"data\": {\"size\": 1}}", TBTF_QMP_EVENT },
		{ "", BAD },
		{ "\r", BAD },
		{ "{}", BAD },
		{ "[]", BAD },
		{ "null", BAD },
		{ "7", BAD },
		{ "{\"return\": {}, \"id\": \"me-1\"", BAD },
		{ "{\"return\": {}, \"id\": \"me-1\"} x", BAD },
		{ "{\"return\": {}, \"id\": \"me-1\",}", BAD },
		{ "{'return': {}, 'id': 'me-1'}", BAD },
		{ "turn\": {}, \"id\": \"me-1\"}", BAD },
		{ "{\"error\": \"no\", \"id\": \"me-1\"}", BAD },
		{ "{\"return\": [[[[[[[[[[1]]]]]]]]]], \"id\": \"me-1\"}", BAD },
	};
	struct tbtf_qmp_message message;
	char why[TBTF_QMP_WHY];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int err = tbtf_qmp_parse(table[i].line, strlen(table[i].line), "me-1", &message, why);

		is(table[i].line, err ? BAD : (int)message.kind, table[i].kind);
		if (!err)
			tbtf_qmp_done(&message);
		else
			result(*why, "and it is said why: %s", why);
	}
	result(tbtf_qmp_parse("{\"QMP\": {}}\0 ", 13, "", &message, why) == -EBADMSG, "a zero on the line");
}

/* What an error says is shown to people: as much as has room, and nothing but text. */
static void test_text(void)
{
	struct tbtf_qmp_message message;
	char why[TBTF_QMP_WHY], line[1400], desc[600];

	memset(desc, 'x', sizeof(desc) - 1);
	desc[sizeof(desc) - 1] = 0;
	snprintf(line, sizeof(line), "{\"id\":\"me\",\"error\":{\"class\":\"%s\",\"desc\":\"\\u001b[2J%s\"}}", desc, desc);
	is("a long error is read", tbtf_qmp_parse(line, strlen(line), "me", &message, why), 0);
	is("as much of it as has room", strlen(message.text), TBTF_QMP_WHY - 1);
	is("of its class, too", strlen(message.class), TBTF_QMP_NAME - 1);
	result(!strncmp(message.text, "?[2Jxx", 6), "and no escape sequences");
	tbtf_qmp_done(&message);
}

#define ONE	"{\"type\":\"virtio-mem\",\"data\":{\"memdev\":\"/objects/m\",\"memaddr\":4294967296," \
		"\"block-size\":2097152,\"size\":134217728,\"node\":0,\"max-size\":536870912," \
		"\"requested-size\":268435456,\"id\":\"vm0\"}}"
#define TWO	"{\"type\":\"dimm\",\"data\":{\"memdev\":\"/objects/n\",\"hotplugged\":true," \
		"\"addr\":4831838208,\"hotpluggable\":true,\"size\":134217728,\"slot\":0,\"node\":0,\"id\":\"d\"}}"

static void test_devices(void)
{
	static const struct {
		const char *list;
		int n;
	} table[] = {
		{ "[]", 0 },
		{ "[" ONE "]", 1 },
		{ "[" ONE "," TWO "]", 2 },
		{ "[{\"type\":\"nvdimm\",\"data\":{}}," TWO "]", 1 },
		{ "[" ONE "," TWO "," TWO "]", -EBADMSG },	/* only two have room */
		{ "{}", -EBADMSG },
		{ "[7]", -EBADMSG },
		{ "[null]", -EBADMSG },
		{ "[{\"type\":\"dimm\"}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":[]}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":1}}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":-1,\"addr\":0}}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":\"1\",\"addr\":0}}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":1.5,\"addr\":0}}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":99999999999999999999,\"addr\":0}}]", -EBADMSG },
		{ "[{\"type\":\"dimm\",\"data\":{\"size\":9223372036854775800,\"addr\":4096}}]", -EBADMSG },
		{ "[{\"type\":\"virtio-mem\",\"data\":{\"size\":1,\"memaddr\":0,\"max-size\":1}}]", -EBADMSG },
		{ "[{\"type\":\"virtio-mem\",\"data\":{\"size\":2,\"memaddr\":0,\"max-size\":1,\"requested-size\":1}}]", -EBADMSG },
		{ "[{\"type\":\"virtio-mem\",\"data\":{\"size\":1,\"memaddr\":0,\"max-size\":1,\"requested-size\":2}}]", -EBADMSG },
	};
	struct tbtf_qmp_device device[2];
	char why[TBTF_QMP_WHY];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct json_object *list = json_tokener_parse(table[i].list);

		is(table[i].list, tbtf_qmp_devices(list, device, ARRAY_SIZE(device), why), table[i].n);
		if (table[i].n == 2) {
			result(device[0].virtio && !strcmp(device[0].id, "vm0") && device[0].at == 1ULL << 32 &&
			       device[0].size == 128 << 20 && device[0].requested == 256 << 20 &&
			       device[0].max == 512 << 20, "a virtio-mem device is read");
			result(!device[1].virtio && !strcmp(device[1].id, "d") && device[1].at == 4831838208 &&
			       device[1].size == 128 << 20 && device[1].max == 128 << 20, "a DIMM is read");
		}
		json_object_put(list);
	}
}

/* -- a monitor at the other end ------------------------------------------------------------ */

static char path[108];

/* How it answers the second command; the first is qmp_capabilities. */
struct monitor {
	const char *name;
	bool greets;		/* somebody had it open: no greeting, and the rest of a line */
	bool negotiated;	/* likewise: capabilities are refused */
	const char *answer;	/* %s is the id; NULL: none */
	unsigned int times;	/* of @answer */
	bool hangs_up;
	int err;
};

static const struct monitor monitors[] = {
	{ "answers", true, false, "{\"return\": {}, \"id\": \"%s\"}\r\n", 1, false, 0 },
	{ "has been opened before", false, true, "{\"return\": {}, \"id\": \"%s\"}\r\n", 1, false, 0 },
	{ "says other things first", true, false,
	  "{\"event\": \"RTC_CHANGE\"}\r\n{\"return\": 7, \"id\": \"x\"}\r\n{\"return\": {}, \"id\": \"%s\"}\r\n",
	  1, false, 0 },
	{ "refuses", true, false, "{\"id\": \"%s\", \"error\": {\"class\": \"GenericError\", \"desc\": \"too much\"}}\n",
	  1, false, -EREMOTEIO },
	{ "says nothing", true, false, NULL, 0, false, -ETIMEDOUT },
	{ "hangs up", true, false, NULL, 0, true, -EPIPE },
	{ "hangs up in the middle", true, false, "{\"return\": {}, \"id\": ", 1, true, -EPIPE },
	{ "says rubbish", true, false, "\177ELF\n", 1, false, -EPROTO },
	{ "says it twice on a line", true, false, "{\"return\": {}, \"id\": \"%s\"}{}\n", 1, false, -EPROTO },
	{ "has a line without an end", true, false, "aaaaaaaaaaaaaaaa", 1 << 20, false, -EPROTO },
	{ "has events without an end", true, false, "{\"event\": \"RTC_CHANGE\"}\r\n", 1 << 20, false, -EPROTO },
	{ "answers another", true, false, "{\"return\": {}, \"id\": \"tbtfd-1-1\"}\r\n", 1, false, -ETIMEDOUT },
};

static int listener;

static void read_id(FILE *file, char id[64])
{
	char line[512], *at;

	id[0] = 0;
	if (!fgets(line, sizeof(line), file))
		return;
	at = strstr(line, "\"id\":\"");
	if (at)
		sscanf(at, "\"id\":\"%63[^\"]", id);
}

static void *serve(void *data)
{
	const struct monitor *monitor = data;
	int fd = accept(listener, NULL, NULL);
	FILE *file = fdopen(fd, "r+");
	char id[64];

	setbuf(file, NULL);
	if (monitor->greets)
		fprintf(file, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	else
		fprintf(file, "_CHANGE\"}\r\n{\"return\": {}, \"id\": \"tbtfd-1-1\"}\r\n");
	read_id(file, id);
	if (monitor->negotiated)
		fprintf(file, "{\"id\": \"%s\", \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"complete\"}}\r\n", id);
	else
		fprintf(file, "{\"return\": {}, \"id\": \"%s\"}\r\n", id);
	read_id(file, id);
	for (unsigned int i = 0; monitor->answer && i < monitor->times; i++)
		if (fprintf(file, monitor->answer, id) < 0)
			break;
	/* Until the other end is closed. */
	while (!monitor->hangs_up && fgetc(file) != EOF)
		;
	fclose(file);
	return NULL;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void test_monitors(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	static struct tbtf_qmp qmp;
	struct tbtf_qmp_message message;
	pthread_t thread;
	int64_t from;
	int err;

	snprintf(path, sizeof(path), "%s/qmp.%d", getenv("tmp") ?: "/tmp", getpid());
	strcpy(sun.sun_path, path);
	is("no socket", tbtf_qmp_open(&qmp, path, 1000), -ENOENT);
	is("no device", tbtf_qmp_open(&qmp, "/", 1000), -ENODEV);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) || listen(listener, 1))
		exit(2);
	for (size_t i = 0; i < ARRAY_SIZE(monitors); i++) {
		const struct monitor *monitor = &monitors[i];

		pthread_create(&thread, NULL, serve, (void *)monitor);
		err = tbtf_qmp_open(&qmp, path, 20000);
		result(!err, "a monitor that %s: is opened", monitor->name);
		from = now_ms();
		err = tbtf_qmp_ask(&qmp, "qom-set", "{\"value\":1}", monitor->err == -ETIMEDOUT ? 300 : 20000, &message);
		is("and asked", err, monitor->err);
		if (!err)
			tbtf_qmp_done(&message);
		else
			result(*qmp.why, "it is said: %s", qmp.why);
		result(now_ms() - from < 15000, "in bounded time");
		result((qmp.fd >= 0) == (!err || err == -EREMOTEIO), "the connection is kept if it is good");
		result(qmp.fd < 0 || !tbtf_qmp_drain(&qmp), "nothing is left over");
		tbtf_qmp_close(&qmp);
		is("without a connection", tbtf_qmp_ask(&qmp, "x", NULL, 1000, &message), -ENOTCONN);
		pthread_join(thread, NULL);
	}
	unlink(path);
}

/* -- where tables can be ------------------------------------------------------------------- */

static void test_zones(void)
{
	long page_kb = sysconf(_SC_PAGESIZE) / 1024;
	static const char text[] =
		"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 100\n  pages free     3840\n"
		"        boost    0\n        min      40\n        low      50\n        high     60\n"
		"        spanned  4095\n  pagesets\n    cpu: 0\n              count: 0\n              high:  0\n"
		"Node 0, zone    DMA32\n  pages free     90\n        boost    0\n        min      80\n"
		"        low      100\n        high     120\n"
		"Node 0, zone   Normal\n  pages free     1100\n        boost    0\n        min      80\n"
		"        low      100\n        high     120\n"
		"Node 0, zone  Movable\n  pages free     32768\n        boost    0\n        min      10\n"
		"        low      12\n        high     14\n"
		"Node 0, zone   Device\n  pages free     0\n        min      0\n        low      0\n        high     0\n";

	is("free in zones that can have tables", tbtf_blocks_parse_zones(text), (3790 + 1000) * page_kb);
	is("nothing is nothing", tbtf_blocks_parse_zones(""), 0);
	is("nor is what is no such text", tbtf_blocks_parse_zones("low 7\nlow\npages free\n"), 0);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_lines();
	test_text();
	test_devices();
	test_monitors();
	test_zones();
	return failed != 0;
}
