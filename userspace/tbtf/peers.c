// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - peers: who has lent this node memory, since when, how fast
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd borrow tells it on its control socket, an object of JSON a line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "json_read.h"

#define SOCKET		"/run/tbtf/borrow.sock"
#define QUESTION	"{\"type\":\"status\"}\n"
/* A daemon that is alive answers at once, and has an answer for some milliseconds even then. */
#define ANSWER_S	10

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = ANSWER_S };
	char path[PATH_LEN];
	int fd, err;

	if (!tbtf_path(path, SOCKET) || strlen(path) >= sizeof(address.sun_path))
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

static uint64_t number(const struct json_line *line, const char *key)
{
	uint64_t value = 0;

	return json_u64(line, key, &value) ? value : 0;
}

static const char *size(const struct json_line *line, const char *key, char buf[16])
{
	return tbtf_size(number(line, key), buf);
}

/* "3d", "12h", "5m", "7s": since then. */
static const char *ago(uint64_t since, char buf[16])
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

static void put(const struct json_line *line, const char *key, int width)
{
	const char *text = json_text(line, key);
	char buf[256];

	printf("%-*s", width, tbtf_text(buf, sizeof(buf), text ? text : "?"));
}

static void print_line(const struct json_line *line)
{
	char a[16], b[16], c[16], d[16];

	printf("credit line: %s ready of %s; %s are swap, %s of that in use\n",
	       size(line, "ready_kb", a), size(line, "credit_kb", b), size(line, "attached_kb", c),
	       size(line, "used_kb", d));
	printf("asked %llu times, granted %llu (%s), refused %llu",
	       (unsigned long long)number(line, "requests"), (unsigned long long)number(line, "granted"),
	       size(line, "granted_kb", a), (unsigned long long)number(line, "refused"));
	if (number(line, "granted"))
		printf("; the last one took %.1f ms", number(line, "last_grant_us") / 1000.0);
	putchar('\n');
}

static void print_lender(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16], d[16], latency[16] = "-";
	const char *why = json_text(line, "why");
	char buf[256];

	if (first)
		printf("\n%-16s %-9s %6s %9s %7s %7s %7s  %s\n", "LENDER", "STATE", "SINCE", "LATENCY", "OFFERS",
		       "LENT", "IN USE", "");
	if (number(line, "latency_us"))
		snprintf(latency, sizeof(latency), "%.1fms", number(line, "latency_us") / 1000.0);
	put(line, "name", 16);
	printf(" %-9s %6s %9s %7s %7s %7s  %s%s\n",
	       json_is_true(line, "connected") ? "there" : "away", ago(number(line, "since"), a), latency,
	       size(line, "offer_kb", b), size(line, "lent_kb", c), size(line, "used_kb", d),
	       json_is_true(line, "may_swap") ? "may swap; " : "",
	       tbtf_text(buf, sizeof(buf), why ? why : ""));
}

/* What a mirror lacks, and how much of that is there already. */
static void print_copies(const struct json_line *line)
{
	uint64_t copies = number(line, "copies"), wanted = number(line, "copies_wanted"), percent;

	if (copies >= wanted)
		return;
	printf("  %llu of %llu copies", (unsigned long long)copies, (unsigned long long)wanted);
	if (json_u64(line, "copied_percent", &percent))
		printf("  %llu%% copied", (unsigned long long)percent);
}

static void print_extent(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16], d[16];

	if (first)
		printf("\n%-12s %-16s %-10s %7s %7s %7s %7s\n", "DEVICE", "LENDER", "STATE", "SIZE",
		       "IN USE", "LEASED", "SWAP");
	put(line, "device", 12);
	putchar(' ');
	put(line, "lender", 16);
	putchar(' ');
	put(line, "state", 10);
	printf(" %7s %7s %7s %7s%s%s%s%s", size(line, "kb", a), size(line, "used_kb", b),
	       ago(number(line, "leased"), c), ago(number(line, "attached"), d),
	       json_is_true(line, "secret") ? "  encrypted" : "",
	       json_is_true(line, "connected") ? "" : "  no connection",
	       json_is_true(line, "revoked") ? "  called back" : "",
	       json_is_true(line, "lost") ? "  lost" : "");
	print_copies(line);
	putchar('\n');
}

static void print_totals(const struct json_line *line)
{
	char a[16], b[16], c[16];

	printf("\nprinting: asked %llu times, granted %llu (%s), refused %llu; burns %s/s, prints %s/s",
	       (unsigned long long)number(line, "requests"), (unsigned long long)number(line, "granted"),
	       size(line, "granted_kb", a), (unsigned long long)number(line, "refused"),
	       size(line, "burn_kb_s", b), size(line, "print_kb_s", c));
	if (number(line, "inflation_permille"))
		printf(", at %.1f %%", number(line, "inflation_permille") / 10.0);
	printf("%s\n", json_is_true(line, "withdrawing") ? "; withdraws" : "");
}

static void print_mint(const struct json_line *line, bool first)
{
	const char *why = json_text(line, "why");
	char a[16], b[16], c[16], d[16], price[16] = "-", buf[256];

	if (first)
		printf("%-10s %-10s %7s %7s %7s %7s %9s  %s\n", "MINT", "STATE", "READY", "OUT", "IN USE",
		       "COSTS", "PRICE", "");
	if (number(line, "price_permille"))
		snprintf(price, sizeof(price), "%.1f %%", number(line, "price_permille") / 10.0);
	put(line, "name", 10);
	putchar(' ');
	put(line, "state", 10);
	printf(" %7s %7s %7s %7s %9s  %s\n", size(line, "ready_kb", a), size(line, "out_kb", b),
	       size(line, "used_kb", c), size(line, "cost_kb", d), price,
	       tbtf_text(buf, sizeof(buf), why ? why : ""));
}

/* One line of the answer. -EPROTO: none of those that there are. */
static int print(const char *text, size_t len, bool as_json, const char **before)
{
	static const char * const kinds[] = { "line", "lender", "extent", "print", "mint" };
	static struct json_line line;
	const char *kind;
	size_t i = 0;

	if (as_json) {
		printf("%s", text);
		return 0;
	}
	if (!json_read_line(&line, text, len))
		return -EPROTO;
	kind = json_text(&line, "kind");
	while (kind && i < ARRAY_SIZE(kinds) && strcmp(kind, kinds[i]))
		i++;
	if (!kind || i == ARRAY_SIZE(kinds))
		return -EPROTO;
	if (i == 0)
		print_line(&line);
	else if (i == 1)
		print_lender(&line, *before != kinds[i]);
	else if (i == 2)
		print_extent(&line, *before != kinds[i]);
	else if (i == 3)
		print_totals(&line);
	else
		print_mint(&line, *before != kinds[i]);
	*before = kinds[i];
	return 0;
}

static int print_all(int fd, bool as_json)
{
	const char *before = NULL;
	FILE *file = fdopen(fd, "r");
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!err && (len = getline(&text, &room, file)) > 0) {
		err = print(text, len, as_json, &before);
		if (as_json)
			before = "";
	}
	/* It says one line at least. */
	if (!err && !before)
		err = errno ? -errno : -EPROTO;
	free(text);
	fclose(file);
	return err;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "json",	no_argument,	NULL, 'j' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	bool as_json = false;
	int opt, code, fd, err;

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
	fd = dial();
	if (fd == -ENOENT || fd == -ECONNREFUSED) {
		tbtf_error("no borrower is running (nobody listens at %s%s): systemctl start tbtfd-borrow",
			   tbtf_root, SOCKET);
		return EXIT_FAILED;
	}
	if (fd < 0)
		return tbtf_failed(fd, SOCKET);
	err = print_all(fd, as_json);
	return err ? tbtf_failed(err, "the answer of tbtfd") : EXIT_OK;
}

const struct cmd cmd_peers = {
	.name = "peers",
	.synopsis = "[--json]",
	.summary = "who has lent this node memory, and how it is used",
	.help = "The lenders of tbtfd borrow, and the extents that they have given.\n"
		"\nOptions:\n"
		"  -j, --json              as JSON, an object a line, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed, or no borrower is running; 77 not permitted.\n",
	.run = run,
};
