// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - last: the machine went down by tbtf; how did it come to that?
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>

#include "cmd.h"
#include "crashes.h"
#include "json.h"

#define EXIT_UNKNOWN	3
/* The rest are only counted. */
#define KILLS_SHOWN	16

/* --- for people ------------------------------------------------------------------ */

static void put_size(const char *label, uint64_t kb, const char *after)
{
	char size[16];

	printf("  %-12s %s%s\n", label, tbtf_size(kb, size), after);
}

static void put_kills(const struct crash *crash)
{
	const struct klog_panic *p = &crash->panic;
	size_t from = crash->nr_kills > KILLS_SHOWN ? crash->nr_kills - KILLS_SHOWN : 0;
	char size[16];

	printf("  %-12s %llu in its place", "killed", (unsigned long long)p->kills);
	if (!p->partial)
		printf(", %s in all", tbtf_size(p->freed_kb, size));
	if (crash->nr_kills < p->kills && *p->last) {
		fputs("; the last: ", stdout);
		tbtf_put_text(stdout, p->last, SIZE_MAX);
	}
	putchar('\n');
	if (from)
		printf("  %-12s ... %zu before\n", "", from);
	for (size_t i = from; i < crash->nr_kills; i++) {
		const struct klog_event *e = &crash->kills[i];

		printf("  %-12s %d (", "", e->victim.pid);
		tbtf_put_text(stdout, e->victim.comm, SIZE_MAX);
		printf(") %s\n", tbtf_size(e->victim.kb, size));
	}
}

static void put_story(const struct crash *crash)
{
	const struct klog_panic *p = &crash->panic;
	char size[16], size2[16];

	fputs("tbtf took the machine down", stdout);
	tbtf_put_on(crash->time);
	if (p->usec && crash->time && !p->partial)
		printf(", %.1f s after it had booted", p->usec / 1e6);
	fputs(":\nmemory was exhausted, and on_exhausted is panic\n", stdout);
	printf("  %-12s %d (", "protected", p->protected.pid);
	tbtf_put_text(stdout, p->protected.comm, SIZE_MAX);
	if (p->partial)
		puts(")");
	else
		printf("), %s\n",
		       tbtf_size(p->protected.kb, size));
	printf("  %-12s %llu", "episode", (unsigned long long)p->episode);
	if (*crash->scope)
		printf("; for %.1f s nobody was left to be killed", crash->waited_ms / 1e3);
	putchar('\n');
	put_kills(crash);
	if (!p->partial) {
		put_size("stolen", p->stolen_kb, " from other nodes");
		put_size("printed", p->printed_kb, "");
		printf("  %-12s up to %s a second, of which %s were brought or printed\n",
		       "consumed", tbtf_size(p->consumed_kb, size),
		       tbtf_size(p->brought_kb, size2));
		put_size("needed", p->needed_kb, " more a second");
		printf("  %-12s %s\n", "reboot", p->reboots ? "by itself" :
		       "by hand: kernel.panic and panic_reboot_s are 0");
	}
	fputs("  source       ", stdout);
	tbtf_put_text(stdout, crash->source, SIZE_MAX);
	if (p->partial)
		fputs(", which has not got the panic itself", stdout);
	putchar('\n');
}

static void put_other(const struct crash *crash, const char *when)
{
	fputs(when, stdout);
	tbtf_put_on(crash->time);
	fputs(" the machine went down, not by tbtf: ", stdout);
	tbtf_put_text(stdout, crash->reason, SIZE_MAX);
	fputs(" (", stdout);
	tbtf_put_text(stdout, crash->source, SIZE_MAX);
	puts(")");
}

static int put_nothing(const struct crashes *crashes, const char *file)
{
	char backend[64];

	if (crashes->nr) {
		put_other(&crashes->crash[0], "At last");
		puts("Of tbtf no panic is on record.");
		return EXIT_UNKNOWN;
	}
	if (file) {
		printf("%s has no panic.\n", file);
		return EXIT_UNKNOWN;
	}
	puts("No panic is on record, neither in /sys/fs/pstore, /var/lib/systemd/pstore and\n"
	     "/var/crash, nor in the journal of the boot before.");
	if (!crashes_kept(backend))
		puts("And nothing here would keep one: pstore has no backend. Firmware with EFI has\n"
		     "one (modprobe efi-pstore), else a piece of memory (ramoops), or kdump-tools.");
	else
		printf("The next one would be kept: the backend of pstore is %s.\n", backend);
	return EXIT_UNKNOWN;
}

/* --- for programs ------------------------------------------------------------------- */

static void json_crash(struct json *json, const struct crash *crash)
{
	const struct klog_panic *p = &crash->panic;

	json_open(json, NULL, '{');
	json_string(json, "source", crash->source);
	if (crash->time)
		json_unsigned(json, "time", crash->time);
	else
		json_null(json, "time");
	json_bool(json, "by_tbtf", crash->ours);
	json_string(json, "reason", crash->reason);
	if (crash->ours) {
		json_bool(json, "partial", p->partial);
		json_unsigned(json, "episode", p->episode);
		json_open(json, "process", '{');
		json_signed(json, "pid", p->protected.pid);
		json_string(json, "comm", p->protected.comm);
		if (!p->partial)
			json_unsigned(json, "size_kb", p->protected.kb);
		json_close(json, '}');
		if (*crash->scope)
			json_unsigned(json, "waited_ms", crash->waited_ms);
		json_unsigned(json, "kills", p->kills);
	}
	if (crash->ours && !p->partial) {
		json_unsigned(json, "freed_kb", p->freed_kb);
		json_unsigned(json, "stolen_kb", p->stolen_kb);
		json_unsigned(json, "printed_kb", p->printed_kb);
		json_unsigned(json, "consumed_kb_s", p->consumed_kb);
		json_unsigned(json, "brought_kb_s", p->brought_kb);
		json_unsigned(json, "needed_kb_s", p->needed_kb);
		json_bool(json, "reboots", p->reboots);
	}
	if (crash->ours) {
		json_open(json, "killed", '[');
		for (size_t i = 0; i < crash->nr_kills; i++) {
			json_open(json, NULL, '{');
			json_signed(json, "pid", crash->kills[i].victim.pid);
			json_string(json, "comm", crash->kills[i].victim.comm);
			json_unsigned(json, "size_kb", crash->kills[i].victim.kb);
			json_close(json, '}');
		}
		json_close(json, ']');
	}
	json_close(json, '}');
}

static void put_json(const struct crashes *crashes)
{
	struct json json = JSON_INIT(stdout);
	char backend[64];

	json_open(&json, NULL, '{');
	if (crashes_kept(backend))
		json_string(&json, "pstore", backend);
	else
		json_null(&json, "pstore");
	json_open(&json, "crashes", '[');
	for (size_t i = 0; i < crashes->nr; i++)
		json_crash(&json, &crashes->crash[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

/* --- the command ---------------------------------------------------------------------- */

static const struct crash *last_of_ours(const struct crashes *crashes)
{
	for (size_t i = 0; i < crashes->nr; i++)
		if (crashes->crash[i].ours)
			return &crashes->crash[i];
	return NULL;
}

static int tell(const struct crashes *crashes, const char *file)
{
	const struct crash *ours = last_of_ours(crashes);

	if (!ours)
		return put_nothing(crashes, file);
	put_story(ours);
	if (ours != crashes->crash)
		put_other(crashes->crash, "After that,");
	return EXIT_OK;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "file",	required_argument,	NULL, 'f' },
		{ "json",	no_argument,		NULL, 'j' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	struct crashes crashes = { 0 };
	const char *file = NULL;
	bool as_json = false;
	int opt, code, err;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":f:jh", names, &code)) != -1) {
		switch (opt) {
		case 'f':
			file = optarg;
			break;
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	err = file ? crashes_read_file(&crashes, file) : crashes_read(&crashes);
	if (err && err != -ENODATA)
		return tbtf_failed(err, "%s", file ? file : "last");
	/* What cannot be seen is not the same as nothing. */
	if (!last_of_ours(&crashes) && *crashes.denied) {
		tbtf_error("%s cannot be looked into: root can", crashes.denied);
		crashes_free(&crashes);
		return EXIT_NOT_PERMITTED;
	}
	code = EXIT_OK;
	if (as_json) {
		put_json(&crashes);
		code = last_of_ours(&crashes) ? EXIT_OK : EXIT_UNKNOWN;
	} else {
		code = tell(&crashes, file);
	}
	crashes_free(&crashes);
	return code;
}

const struct cmd cmd_last = {
	.name = "last",
	.synopsis = "[--file FILE] [--json]",
	.summary = "why tbtf took the machine down the last time",
	.help = "Looks at what pstore, systemd-pstore and kdump have kept of the kernel's last\n"
		"words, and at the journal of the boot before.\n\n"
		"Options:\n"
		"  -f, --file FILE         look into this file: the log of a console, say\n"
		"  -j, --json              as JSON, see tbtf-json(5); all crashes on record\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 3 no panic of tbtf's is on record; 77 not permitted.\n",
	.run = run,
};
