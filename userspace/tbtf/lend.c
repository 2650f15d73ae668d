// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - lend: who has borrowed memory of this node, since when, how full it is
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd lend tells it (daemon.c).
 */

#include "cmd.h"
#include "daemon.h"

static void print_lend(const struct json_line *line, bool first)
{
	const char *why = json_text(line, "why");
	char a[16], b[16], c[16], text[256];

	(void)first;
	printf("lent: %s of %s, of which %s are there", daemon_size(line, "lent_kb", a),
	       daemon_size(line, "memory_kb", b), daemon_size(line, "held_kb", c));
	if (daemon_number(line, "behind_kb"))
		printf("; %s of it had to be borrowed", daemon_size(line, "behind_kb", a));
	printf("\nto lend: %s: %s\n", daemon_size(line, "offer_kb", a),
	       tbtf_text(text, sizeof(text), why ? why : ""));
	if (daemon_number(line, "offer_behind_kb"))
		printf("to borrow for it: %s\n", daemon_size(line, "offer_behind_kb", a));
	puts(json_is_true(line, "kept") ? "leases outlive this lender: the service manager keeps them" :
	     "leases end with this lender: no service manager keeps them");
	if (json_is_true(line, "stopping"))
		puts("it stops, and waits for what is lent");
}

static void print_borrower(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16];

	if (first)
		printf("\n%-16s %-9s %6s %7s %7s %7s\n", "BORROWER", "STATE", "SINCE", "LEASES", "LENT", "OFFER");
	daemon_put(line, "name", 16);
	printf(" %-9s %6s %7llu %7s %7s%s\n", json_is_true(line, "connected") ? "there" : "away",
	       daemon_ago(daemon_number(line, "since"), a), (unsigned long long)daemon_number(line, "leases"),
	       daemon_size(line, "lent_kb", b), daemon_size(line, "offer_kb", c),
	       json_is_true(line, "may_swap") ? "  may swap" : "");
}

/* "one-two": the nodes that it came by. */
static void print_path(const struct json_line *line)
{
	char key[16], buf[256];
	const char *node;

	for (int i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "path.%d", i);
		node = json_text(line, key);
		if (!node)
			break;
		printf("%s%s", i ? "-" : "", tbtf_text(buf, sizeof(buf), node));
	}
}

static void print_lease(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16], rtt[16] = "-";

	if (first)
		printf("\n%-20s %-12s %7s %7s %6s %9s %12s  %s\n", "LEASE", "BORROWER", "SIZE", "IN USE",
		       "SINCE", "LATENCY", "REQUESTS", "PATH");
	if (daemon_number(line, "rtt_us"))
		snprintf(rtt, sizeof(rtt), "%.1fms", daemon_number(line, "rtt_us") / 1000.0);
	daemon_put(line, "lease", 20);
	putchar(' ');
	daemon_put(line, "borrower", 12);
	printf(" %7s %7s %6s %9s %12llu  ", daemon_size(line, "kb", a), daemon_size(line, "written_kb", b),
	       daemon_ago(daemon_number(line, "since"), c), rtt,
	       (unsigned long long)daemon_number(line, "requests"));
	print_path(line);
	printf("%s%s%s%s\n", daemon_number(line, "connections") ? "" : "  no connection",
	       json_is_true(line, "behind") ? "  borrowed" : "",
	       json_is_true(line, "revoked") ? "  called back" : "", json_is_true(line, "late") ? ", late" : "");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct daemon_kind kinds[] = {
		{ "lend", print_lend },
		{ "borrower", print_borrower },
		{ "lease", print_lease },
		{ }
	};

	return daemon_cmd(cmd, argc, argv, &daemon_lend, kinds);
}

const struct cmd cmd_lend = {
	.name = "lend",
	.synopsis = "[--json]",
	.summary = "who has borrowed memory of this node, and how it is used",
	.help = "The borrowers of tbtfd lend, and the leases that they have.\n"
		"\nOptions:\n"
		"  -j, --json              as JSON, an object a line, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed, or no lender is running; 77 not permitted.\n",
	.run = run,
};
