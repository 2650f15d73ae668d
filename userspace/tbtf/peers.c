// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - peers: who has lent this node memory, since when, how fast
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * tbtfd borrow tells it (daemon.c).
 */

#include "cmd.h"
#include "daemon.h"

static void print_line(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16], d[16];

	(void)first;
	printf("credit line: %s ready of %s; %s are swap, %s of that in use\n",
	       daemon_size(line, "ready_kb", a), daemon_size(line, "credit_kb", b), daemon_size(line, "attached_kb", c),
	       daemon_size(line, "used_kb", d));
	printf("asked %llu times, granted %llu (%s), refused %llu",
	       (unsigned long long)daemon_number(line, "requests"), (unsigned long long)daemon_number(line, "granted"),
	       daemon_size(line, "granted_kb", a), (unsigned long long)daemon_number(line, "refused"));
	if (daemon_number(line, "granted"))
		printf("; the last one took %.1f ms", daemon_number(line, "last_grant_us") / 1000.0);
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
	if (daemon_number(line, "latency_us"))
		snprintf(latency, sizeof(latency), "%.1fms", daemon_number(line, "latency_us") / 1000.0);
	daemon_put(line, "name", 16);
	printf(" %-9s %6s %9s %7s %7s %7s  %s%s\n",
	       json_is_true(line, "connected") ? "there" : "away", daemon_ago(daemon_number(line, "since"), a), latency,
	       daemon_size(line, "offer_kb", b), daemon_size(line, "lent_kb", c), daemon_size(line, "used_kb", d),
	       json_is_true(line, "may_swap") ? "may swap; " : "",
	       tbtf_text(buf, sizeof(buf), why ? why : ""));
}

/* What a mirror lacks, and how much of that is there already. */
static void print_copies(const struct json_line *line)
{
	uint64_t copies = daemon_number(line, "copies"), wanted = daemon_number(line, "copies_wanted"), percent;

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
	daemon_put(line, "device", 12);
	putchar(' ');
	daemon_put(line, "lender", 16);
	putchar(' ');
	daemon_put(line, "state", 10);
	printf(" %7s %7s %7s %7s%s%s%s%s", daemon_size(line, "kb", a), daemon_size(line, "used_kb", b),
	       daemon_ago(daemon_number(line, "leased"), c), daemon_ago(daemon_number(line, "attached"), d),
	       json_is_true(line, "secret") ? "  encrypted" : "",
	       json_is_true(line, "connected") ? "" : "  no connection",
	       json_is_true(line, "revoked") ? "  called back" : "",
	       json_is_true(line, "lost") ? "  lost" : "");
	print_copies(line);
	putchar('\n');
}

static void print_totals(const struct json_line *line, bool first)
{
	char a[16], b[16], c[16];

	(void)first;
	printf("\nprinting: asked %llu times, granted %llu (%s), refused %llu; burns %s/s, prints %s/s",
	       (unsigned long long)daemon_number(line, "requests"), (unsigned long long)daemon_number(line, "granted"),
	       daemon_size(line, "granted_kb", a), (unsigned long long)daemon_number(line, "refused"),
	       daemon_size(line, "burn_kb_s", b), daemon_size(line, "print_kb_s", c));
	if (daemon_number(line, "inflation_permille"))
		printf(", at %.1f %%", daemon_number(line, "inflation_permille") / 10.0);
	printf("%s\n", json_is_true(line, "withdrawing") ? "; withdraws" : "");
}

static void print_mint(const struct json_line *line, bool first)
{
	const char *why = json_text(line, "why");
	char a[16], b[16], c[16], d[16], price[16] = "-", buf[256];

	if (first)
		printf("%-10s %-10s %7s %7s %7s %7s %9s  %s\n", "MINT", "STATE", "READY", "OUT", "IN USE",
		       "COSTS", "PRICE", "");
	if (daemon_number(line, "price_permille"))
		snprintf(price, sizeof(price), "%.1f %%", daemon_number(line, "price_permille") / 10.0);
	daemon_put(line, "name", 10);
	putchar(' ');
	daemon_put(line, "state", 10);
	printf(" %7s %7s %7s %7s %9s  %s\n", daemon_size(line, "ready_kb", a), daemon_size(line, "out_kb", b),
	       daemon_size(line, "used_kb", c), daemon_size(line, "cost_kb", d), price,
	       tbtf_text(buf, sizeof(buf), why ? why : ""));
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct daemon_kind kinds[] = {
		{ "line", print_line },
		{ "lender", print_lender },
		{ "extent", print_extent },
		{ "print", print_totals },
		{ "mint", print_mint },
		{ }
	};

	return daemon_cmd(cmd, argc, argv, &daemon_borrow, kinds);
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
