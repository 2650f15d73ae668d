// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - rungs two and three at one glance: what the borrower of this node tells
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A part of "tbtf status"; "tbtf peers" has every lender, extent and mint. What is said
 * here of each is what somebody would do something about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "borrower.h"
#include "cmd.h"
#include "daemon.h"

/* As many as tbtfd can have of each. */
#define LENDERS		64
#define EXTENTS		16
#define MINTS		8

struct lender {
	char name[64], why[256];
	bool connected;
	uint64_t lent_kb, used_kb;
};

struct extent {
	char device[40], lender[160];
	bool connected, revoked, lost, attached;
	uint64_t kb, used_kb, copies, wanted;
};

struct mint {
	char name[16], state[16], why[256];
	uint64_t ready_kb, out_kb, used_kb;
};

struct borrower {
	uint64_t credit_kb, ready_kb, stolen_kb, used_kb;
	uint64_t requests, granted, refused, granted_kb;
	bool prints, withdrawing;
	uint64_t print_requests, print_granted, print_refused, print_granted_kb, inflation;
	struct lender lenders[LENDERS];
	struct extent extents[EXTENTS];
	struct mint mints[MINTS];
	size_t nr_lenders, nr_extents, nr_mints;
};

/* -- Reading ------------------------------------------------------------------ */

static void copy(const struct json_line *line, const char *key, char *buf, size_t size)
{
	const char *text = json_text(line, key);

	tbtf_text(buf, size, text ? text : "");
}

static void read_line(struct borrower *b, const struct json_line *line)
{
	b->credit_kb = daemon_number(line, "credit_kb");
	b->ready_kb = daemon_number(line, "ready_kb");
	b->stolen_kb = daemon_number(line, "attached_kb");
	b->used_kb = daemon_number(line, "used_kb");
	b->requests = daemon_number(line, "requests");
	b->granted = daemon_number(line, "granted");
	b->refused = daemon_number(line, "refused");
	b->granted_kb = daemon_number(line, "granted_kb");
}

static void read_lender(struct borrower *b, const struct json_line *line)
{
	struct lender *l = &b->lenders[b->nr_lenders];

	if (b->nr_lenders == LENDERS)
		return;
	b->nr_lenders++;
	copy(line, "name", l->name, sizeof(l->name));
	copy(line, "why", l->why, sizeof(l->why));
	l->connected = json_is_true(line, "connected");
	l->lent_kb = daemon_number(line, "lent_kb");
	l->used_kb = daemon_number(line, "used_kb");
}

static void read_extent(struct borrower *b, const struct json_line *line)
{
	struct extent *e = &b->extents[b->nr_extents];
	const char *state = json_text(line, "state");

	if (b->nr_extents == EXTENTS)
		return;
	b->nr_extents++;
	copy(line, "device", e->device, sizeof(e->device));
	copy(line, "lender", e->lender, sizeof(e->lender));
	e->attached = state && (!strcmp(state, "attached") || !strcmp(state, "leaving"));
	e->connected = json_is_true(line, "connected");
	e->revoked = json_is_true(line, "revoked");
	e->lost = json_is_true(line, "lost");
	e->kb = daemon_number(line, "kb");
	e->used_kb = daemon_number(line, "used_kb");
	e->copies = daemon_number(line, "copies");
	e->wanted = daemon_number(line, "copies_wanted");
}

static void read_print(struct borrower *b, const struct json_line *line)
{
	b->prints = true;
	b->withdrawing = json_is_true(line, "withdrawing");
	b->print_requests = daemon_number(line, "requests");
	b->print_granted = daemon_number(line, "granted");
	b->print_refused = daemon_number(line, "refused");
	b->print_granted_kb = daemon_number(line, "granted_kb");
	b->inflation = daemon_number(line, "inflation_permille");
}

static void read_mint(struct borrower *b, const struct json_line *line)
{
	struct mint *m = &b->mints[b->nr_mints];

	if (b->nr_mints == MINTS)
		return;
	b->nr_mints++;
	copy(line, "name", m->name, sizeof(m->name));
	copy(line, "state", m->state, sizeof(m->state));
	copy(line, "why", m->why, sizeof(m->why));
	m->ready_kb = daemon_number(line, "ready_kb");
	m->out_kb = daemon_number(line, "out_kb");
	m->used_kb = daemon_number(line, "used_kb");
}

static int read_one(const char *text, size_t len, void *arg)
{
	static const struct {
		const char *kind;
		void (*read)(struct borrower *b, const struct json_line *line);
	} kinds[] = {
		{ "line", read_line }, { "lender", read_lender }, { "extent", read_extent },
		{ "print", read_print }, { "mint", read_mint },
	};
	static struct json_line line;
	const char *kind;

	if (!json_read_line(&line, text, len))
		return -EPROTO;
	kind = json_text(&line, "kind");
	for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].kind)) {
			kinds[i].read(arg, &line);
			return 0;
		}
	return -EPROTO;
}

int borrower_read(struct borrower **ret)
{
	struct borrower *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	err = daemon_ask(&daemon_borrow, read_one, b);
	if (err) {
		free(b);
		return err;
	}
	*ret = b;
	return 0;
}

/* -- What is missing ----------------------------------------------------------- */

/* One line of it. */
typedef void (*say_missing)(void *arg, const char *text);

static void missing_lenders(const struct borrower *b, say_missing say, void *arg)
{
	uint64_t lack = b->credit_kb > b->ready_kb ? b->credit_kb - b->ready_kb : 0;
	char size[16], text[512];

	if (lack) {
		snprintf(text, sizeof(text), "%s of the credit line", tbtf_size(lack, size));
		say(arg, text);
	}
	for (size_t i = 0; i < b->nr_lenders; i++) {
		const struct lender *l = &b->lenders[i];

		/* Who has nothing left is no trouble while the line is whole. */
		if (l->connected && !(lack && *l->why))
			continue;
		snprintf(text, sizeof(text), "lender %s: %s%s%s", l->name, l->connected ? "" : "away",
			 !l->connected && *l->why ? ": " : "", l->why);
		say(arg, text);
	}
}

static void missing_extent(const struct extent *e, say_missing say, void *arg)
{
	char text[512], size[16];

	if (e->lost)
		snprintf(text, sizeof(text), "%s in %s: lost by %s", tbtf_size(e->used_kb, size),
			 e->device, e->lender);
	else if (!e->connected)
		snprintf(text, sizeof(text), "%s in %s: no connection to %s",
			 tbtf_size(e->used_kb, size), e->device, e->lender);
	else if (e->copies < e->wanted)
		snprintf(text, sizeof(text), "%llu of %llu copies of %s in %s",
			 (unsigned long long)(e->wanted - e->copies), (unsigned long long)e->wanted,
			 tbtf_size(e->used_kb, size), e->device);
	else if (e->revoked)
		snprintf(text, sizeof(text), "a place for %s in %s: called back by %s",
			 tbtf_size(e->used_kb, size), e->device, e->lender);
	else
		return;
	say(arg, text);
}

static void each_missing(const struct borrower *b, say_missing say, void *arg)
{
	char text[512];

	missing_lenders(b, say, arg);
	for (size_t i = 0; i < b->nr_extents; i++)
		if (b->extents[i].attached)
			missing_extent(&b->extents[i], say, arg);
	for (size_t i = 0; i < b->nr_mints; i++) {
		const struct mint *m = &b->mints[i];

		if (!*m->why || !strcmp(m->state, "out"))
			continue;
		snprintf(text, sizeof(text), "mint %s: %s", m->name, m->why);
		say(arg, text);
	}
}

/* -- For people ---------------------------------------------------------------- */

static void print_missing(void *arg, const char *text)
{
	bool *any = arg;

	printf("%smissing   %s\n", *any ? "" : "\n", text);
	*any = true;
}

static void print_asked(uint64_t requests, uint64_t granted, uint64_t kb, uint64_t refused)
{
	char size[16];

	printf("  asked        %llu times, granted %llu (%s), refused %llu\n",
	       (unsigned long long)requests, (unsigned long long)granted, tbtf_size(kb, size),
	       (unsigned long long)refused);
}

/* "two 48.0M, three 16.0M" */
static void print_lenders(const struct borrower *b)
{
	bool any = false;
	char size[16];

	printf("  lent by      ");
	for (size_t i = 0; i < b->nr_lenders; i++) {
		const struct lender *l = &b->lenders[i];

		if (!l->lent_kb)
			continue;
		printf("%s%s %s", any ? ", " : "", l->name, tbtf_size(l->lent_kb, size));
		any = true;
	}
	puts(any ? "" : "nobody");
}

/* Of what is swap: the fewest that a page has, and that it should have. */
static void least_copies(const struct borrower *b, uint64_t *copies, uint64_t *wanted)
{
	*copies = *wanted = 0;
	for (size_t i = 0; i < b->nr_extents; i++) {
		const struct extent *e = &b->extents[i];

		if (!e->attached || !e->wanted)
			continue;
		if (!*wanted || e->copies < *copies)
			*copies = e->copies;
		if (e->wanted > *wanted)
			*wanted = e->wanted;
	}
}

static void print_steal(const struct borrower *b)
{
	uint64_t copies, wanted;
	char x[16], y[16];

	puts("\nrung two, memory of other nodes:");
	printf("  credit line  %s ready of %s\n", tbtf_size(b->ready_kb, x), tbtf_size(b->credit_kb, y));
	printf("  stolen       %s, of which %s are in use\n", tbtf_size(b->stolen_kb, x),
	       tbtf_size(b->used_kb, y));
	print_asked(b->requests, b->granted, b->granted_kb, b->refused);
	print_lenders(b);
	least_copies(b, &copies, &wanted);
	if (wanted)
		printf("  copies       %llu of each page at least; %llu are wanted\n",
		       (unsigned long long)copies, (unsigned long long)wanted);
}

static void print_print(const struct borrower *b)
{
	uint64_t out = 0, used = 0;
	char x[16], y[16];

	puts("\nrung three, memory that is printed:");
	for (size_t i = 0; i < b->nr_mints; i++) {
		out += b->mints[i].out_kb;
		used += b->mints[i].used_kb;
	}
	printf("  printed      %s, of which %s are in use", tbtf_size(out, x), tbtf_size(used, y));
	if (b->inflation)
		printf(", at %llu.%llu %%", (unsigned long long)b->inflation / 10,
		       (unsigned long long)b->inflation % 10);
	puts(b->withdrawing ? "; it is being withdrawn" : "");
	print_asked(b->print_requests, b->print_granted, b->print_granted_kb, b->print_refused);
	printf("  mints        ");
	for (size_t i = 0; i < b->nr_mints; i++) {
		const struct mint *m = &b->mints[i];

		printf("%s%s %s", i ? ", " : "", m->name, m->state);
		if (m->ready_kb)
			printf(" %s", tbtf_size(m->ready_kb, x));
	}
	puts("");
}

void borrower_print(const struct borrower *b, int err)
{
	bool any = false;

	if (err == -ENOENT || err == -ECONNREFUSED) {
		puts("\nrungs two and three: no borrower is running, and nothing is stolen or printed but\n"
		     "  what the module has in reserve: write /etc/tbtf/tbtfd.conf (tbtfd.conf(5)), then\n"
		     "  systemctl start tbtfd-borrow");
		return;
	}
	if (err == -EACCES || err == -EPERM) {
		puts("\nrungs two and three: only root may ask the borrower");
		return;
	}
	if (err) {
		printf("\nrungs two and three: the borrower does not answer: %s\n", strerror(-err));
		return;
	}
	if (b->nr_lenders)
		print_steal(b);
	if (b->prints)
		print_print(b);
	else
		puts("\nrung three, memory that is printed: no mints ([print] of tbtfd.conf(5))");
	each_missing(b, print_missing, &any);
	if (!any)
		puts("\nmissing   nothing");
}

/* -- For programs -------------------------------------------------------------- */

static void json_missing(void *arg, const char *text)
{
	json_string(arg, NULL, text);
}

static void json_print(struct json *json, const struct borrower *b)
{
	json_open(json, "print", '{');
	json_unsigned(json, "requests", b->print_requests);
	json_unsigned(json, "granted", b->print_granted);
	json_unsigned(json, "refused", b->print_refused);
	json_unsigned(json, "granted_kb", b->print_granted_kb);
	json_unsigned(json, "inflation_permille", b->inflation);
	json_bool(json, "withdrawing", b->withdrawing);
	json_open(json, "mints", '[');
	for (size_t i = 0; i < b->nr_mints; i++) {
		const struct mint *m = &b->mints[i];

		json_open(json, NULL, '{');
		json_string(json, "name", m->name);
		json_string(json, "state", m->state);
		json_unsigned(json, "ready_kb", m->ready_kb);
		json_unsigned(json, "out_kb", m->out_kb);
		json_unsigned(json, "used_kb", m->used_kb);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

void borrower_print_json(struct json *json, const struct borrower *b)
{
	uint64_t copies, wanted;

	if (!b) {
		json_null(json, "borrower");
		return;
	}
	least_copies(b, &copies, &wanted);
	json_open(json, "borrower", '{');
	json_unsigned(json, "credit_kb", b->credit_kb);
	json_unsigned(json, "ready_kb", b->ready_kb);
	json_unsigned(json, "stolen_kb", b->stolen_kb);
	json_unsigned(json, "used_kb", b->used_kb);
	json_unsigned(json, "requests", b->requests);
	json_unsigned(json, "granted", b->granted);
	json_unsigned(json, "refused", b->refused);
	json_unsigned(json, "granted_kb", b->granted_kb);
	json_unsigned(json, "copies", copies);
	json_unsigned(json, "copies_wanted", wanted);
	json_open(json, "lenders", '[');
	for (size_t i = 0; i < b->nr_lenders; i++) {
		json_open(json, NULL, '{');
		json_string(json, "name", b->lenders[i].name);
		json_bool(json, "connected", b->lenders[i].connected);
		json_unsigned(json, "lent_kb", b->lenders[i].lent_kb);
		json_unsigned(json, "used_kb", b->lenders[i].used_kb);
		json_close(json, '}');
	}
	json_close(json, ']');
	if (b->prints)
		json_print(json, b);
	else
		json_null(json, "print");
	json_open(json, "missing", '[');
	each_missing(b, json_missing, json);
	json_close(json, ']');
	json_close(json, '}');
}
