// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - why: I have lost my process; for whom, and why it?
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"
#include "why.h"

#define EXIT_UNKNOWN	3

struct target {
	const char *name;
	pid_t pid;		/* or 0: */
	bool is_path;
};

/* --- whom is it about? ---------------------------------------------------------- */

static bool is_unit(const char *part, size_t len, const char *name)
{
	static const char * const endings[] = { "", ".service", ".scope", ".slice" };
	size_t own = strlen(name);

	if (len < own || memcmp(part, name, own))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (len - own == strlen(endings[i]) && !memcmp(part + own, endings[i], len - own))
			return true;
	return false;
}

static bool below_unit(const char *path, const char *name)
{
	size_t len;

	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len && is_unit(path, len, name))
			return true;
	}
	return false;
}

static bool is_target(const struct rec_process *p, const struct target *target)
{
	const char *path = target->name;

	if (target->pid)
		return p->pid == target->pid;
	if (target->is_path) {
		if (!strncmp(path, "/sys/fs/cgroup/", 15))
			path += 14;
		return *p->cgroup && tbtf_cgfs_below(p->cgroup, path);
	}
	return below_unit(p->cgroup, target->name) || !strcmp(p->comm, target->name);
}

/* --- for people ------------------------------------------------------------------ */

static void put_who(const struct rec_process *p)
{
	printf("%d (", p->pid);
	tbtf_put_text(stdout, *p->comm ? p->comm : "?", SIZE_MAX);
	putchar(')');
}

static void put_scope(const struct why_death *d)
{
	if (!*d->scope)
		return;
	fputs(", an OOM of ", stdout);
	if (!strcmp(d->scope, "global"))
		fputs("the machine", stdout);
	else if (!strcmp(d->scope, "constrained"))
		fputs("a cpuset or memory policy", stdout);
	else
		tbtf_put_text(stdout, d->scope, SIZE_MAX);
}

/* Why the bands before its own were passed over. */
static const char *band_text(const char *band)
{
	static const struct {
		const char *band, *text;
	} texts[] = {
		{ "expendable", "its role is expendable: those go first" },
		{ "raised", "oom_score_adj above 0, or a child with more of it than the protected one: none was left that is expendable" },
		{ "ordinary", "none was left that is expendable or has a raised oom_score_adj" },
		{ "lowered", "its oom_score_adj is below 0: all others were gone" },
		{ "own", "of the protected one's own cgroup: all others were gone" },
		{ "bigger", "nobody smaller was left: the largest that is not protected" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].band, band))
			return texts[i].text;
	return NULL;
}

static const char *policy_text(const char *policy)
{
	if (!strcmp(policy, "uniform"))
		return "by chance: each of its band was equally likely (policy uniform)";
	if (!strcmp(policy, "weighted"))
		return "by chance, in proportion to its size (policy weighted)";
	if (!strcmp(policy, "largest"))
		return "it was the largest of its band (policy largest)";
	return NULL;
}

static void put_sacrificed(const struct why_death *d)
{
	const char *why = band_text(d->band), *chance = policy_text(d->policy);
	char size[16], other[16], worth[16];

	fputs(" died", stdout);
	tbtf_put_on(d->time);
	fputs(" in place of ", stdout);
	put_who(&d->protected);
	fputs(", which is too big to fail\n", stdout);
	printf("  episode      %llu", (unsigned long long)d->episode);
	put_scope(d);
	printf("; kill %llu", (unsigned long long)d->nth);
	if (d->of)
		printf(" of %llu", (unsigned long long)d->of);
	if (*d->outcome && strcmp(d->outcome, "?"))
		printf("; it ended: %s", d->outcome);
	putchar('\n');
	printf("  why it       %s, %s the %s of the protected one; killing it frees %s\n",
	       tbtf_size(d->victim.kb, size),
	       strcmp(d->band, "bigger") ? "smaller than" : "against",
	       tbtf_size(d->protected.kb, other), tbtf_size(d->worth_kb, worth));
	if (why)
		printf("               band %s: %s\n", d->band, why);
	if (chance && strcmp(d->band, "bigger"))
		printf("  not another  %s\n", chance);
	if (d->candidates)
		printf("               %llu could have gone\n", (unsigned long long)d->candidates);
	else if (d->tries)
		printf("               found in %llu random tries among all processes\n",
		       (unsigned long long)d->tries);
	printf("  next time    'tbtf spare' keeps it out of this, 'tbtf expendable' others ahead of it\n");
}

static void put_exhausted(const struct why_death *d)
{
	char buf[32];

	fputs(", too big to fail itself, died", stdout);
	tbtf_put_on(d->time);
	fputs(" at the end of the ladder\n", stdout);
	printf("  episode      %llu", (unsigned long long)d->episode);
	put_scope(d);
	printf("; %llu had died for it before\n", (unsigned long long)d->nth);
	snprintf(buf, sizeof(buf), "%.1f s", d->waited_ns / 1e9);
	printf("  why it       nobody was left to be killed in its place, and no memory came for %s\n",
	       buf);
	fputs("  next time    'tbtf victims' shows what there is to be killed; on_exhausted and\n"
	      "               ladder_deadline_ms say what happens then and when\n", stdout);
}

static void put_died(const struct why_death *d)
{
	static const struct {
		const char *what, *text;
	} texts[] = {
		{ "exhausted", "on_exhausted: nobody was left to be killed in its place" },
		{ "oom", "of an OOM, though others could have gone: this should not be; please report it" },
		{ "off", "of an OOM while tbtf was switched off, or only counting" },
		{ "sigbus", "of SIGBUS: a page of it was lost" },
	};
	const char *text = "for a reason that is not known";

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].what, d->what))
			text = texts[i].text;
	fputs(", too big to fail itself, died", stdout);
	tbtf_put_on(d->time);
	printf("\n  why it       %s\n", text);
}

static void put_kernel(const struct why_death *d)
{
	fputs(" was killed", stdout);
	tbtf_put_on(d->time);
	fputs(" by the kernel's own choice\n", stdout);
	if (!strcmp(d->what, "unprotected"))
		fputs("  why it       the largest by the kernel's count, and not protected: tbtf stood aside\n",
		      stdout);
	else if (!strcmp(d->what, "origin"))
		fputs("  why it       it was in swapoff(2) or stopping KSM: the kernel kills those first\n",
		      stdout);
	else if (!strcmp(d->what, "dying"))
		fputs("  why it       it was dying already\n", stdout);
	else
		fputs("  why it       tbtf had no part in it: not marked, or switched off\n", stdout);
	fputs("  next time    'tbtf set' marks it as too big to fail\n", stdout);
}

static void put_death(const struct why_death *d)
{
	put_who(&d->victim);
	if (*d->victim.cgroup) {
		fputs(" of ", stdout);
		tbtf_put_text(stdout, d->victim.cgroup, SIZE_MAX);
	}
	switch (d->cause) {
	case WHY_SACRIFICED:
		put_sacrificed(d);
		break;
	case WHY_EXHAUSTED:
		put_exhausted(d);
		break;
	case WHY_DIED:
		put_died(d);
		break;
	case WHY_KERNEL:
		put_kernel(d);
		break;
	}
}

/* --- for programs ------------------------------------------------------------------- */

static void json_process(struct json *json, const char *key, const struct rec_process *p)
{
	if (!p->pid) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_signed(json, "pid", p->pid);
	json_string(json, "comm", p->comm);
	json_unsigned(json, "size_kb", p->kb);
	json_signed(json, "oom_score_adj", p->adj);
	if (*p->cgroup)
		json_string(json, "cgroup", p->cgroup);
	else
		json_null(json, "cgroup");
	json_close(json, '}');
}

static void json_text_or_null(struct json *json, const char *key, const char *text)
{
	if (*text && strcmp(text, "?"))
		json_string(json, key, text);
	else
		json_null(json, key);
}

static void json_count(struct json *json, const char *key, uint64_t value)
{
	if (value)
		json_unsigned(json, key, value);
	else
		json_null(json, key);
}

static void json_death(struct json *json, const struct why_death *d)
{
	static const char * const causes[] = {
		[WHY_SACRIFICED] = "sacrificed", [WHY_EXHAUSTED] = "exhausted",
		[WHY_DIED] = "died", [WHY_KERNEL] = "kernel",
	};

	json_open(json, NULL, '{');
	json_string(json, "cause", causes[d->cause]);
	json_text_or_null(json, "reason", d->cause == WHY_SACRIFICED ? "" : d->what);
	json_count(json, "time", d->time);
	json_count(json, "episode", d->episode);
	json_text_or_null(json, "scope", d->scope);
	json_process(json, "process", &d->victim);
	json_process(json, "protected", d->cause == WHY_SACRIFICED ? &d->protected :
		     &(struct rec_process){ 0 });
	json_count(json, "worth_kb", d->worth_kb);
	json_text_or_null(json, "band", d->band);
	json_text_or_null(json, "policy", d->policy);
	json_count(json, "candidates", d->candidates);
	json_count(json, "tries", d->tries);
	json_count(json, "kill", d->cause == WHY_SACRIFICED ? d->nth : 0);
	json_count(json, "kills", d->of);
	json_text_or_null(json, "outcome", d->outcome);
	json_close(json, '}');
}

/* --- the command ------------------------------------------------------------------------ */

static size_t count(const struct why *why, const struct target *target)
{
	size_t n = 0;

	for (size_t i = 0; i < why->nr; i++)
		n += is_target(&why->deaths[i].victim, target);
	return n;
}

static void put_json(const struct why *why, const struct target *target, const char *source)
{
	struct json json = JSON_INIT(stdout);

	json_open(&json, NULL, '{');
	json_string(&json, "source", source);
	json_open(&json, "deaths", '[');
	for (size_t i = 0; i < why->nr; i++)
		if (is_target(&why->deaths[i].victim, target))
			json_death(&json, &why->deaths[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

static void put_text(const struct why *why, const struct target *target, const char *source)
{
	for (size_t i = 0; i < why->nr; i++)
		if (is_target(&why->deaths[i].victim, target))
			put_death(&why->deaths[i]);
	printf("(from %s)\n", source);
}

/* Nothing is known of it: where has been looked, and what that has. */
static void say_unknown(const struct why *why, const struct target *target, const char *source)
{
	char from[32] = "", to[32] = "", name[PATH_LEN];
	size_t spared = 0;
	time_t seconds;
	struct tm tm;

	tbtf_text(name, sizeof(name), target->name);
	for (size_t i = 0; i < why->nr; i++)
		spared += why->deaths[i].cause == WHY_SACRIFICED &&
			  is_target(&why->deaths[i].protected, target);
	if (spared) {
		tbtf_error("%s has nothing of a death of %s; %zu died in its place", source, name,
			   spared);
		return;
	}
	if (!why->lines) {
		tbtf_error("%s has nothing of tbtf, nor of any OOM", source);
		return;
	}
	if (why->first) {
		seconds = why->first;
		strftime(from, sizeof(from), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
		seconds = why->last;
		strftime(to, sizeof(to), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	}
	tbtf_error("%s has nothing of %s%s%s%s%s", source, name, *from ? "; it speaks of " : "", from,
		   *from ? " to " : "", to);
}

/* One source. EXIT_OK: the answer is given. */
static int answer(struct why *why, const struct target *target, const char *source, bool as_json)
{
	int code = EXIT_UNKNOWN;

	if (count(why, target)) {
		if (as_json)
			put_json(why, target, source);
		else
			put_text(why, target, source);
		code = EXIT_OK;
	} else {
		say_unknown(why, target, source);
	}
	why_free(why);
	return code;
}

static int from_log(const struct target *target, bool as_json)
{
	struct why why = { 0 };
	const char *source;
	int err;

	err = why_read_log(&why, &source);
	if (err) {
		why_free(&why);
		if (err == -EPERM || err == -EACCES)
			tbtf_error("the kernel log: not permitted: it needs root");
		else
			tbtf_error("the kernel log: %s", strerror(-err));
		return err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	}
	return answer(&why, target, source, as_json);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "file",	required_argument,	NULL, 'f' },
		{ "log",	no_argument,		NULL, 'l' },
		{ "json",	no_argument,		NULL, 'j' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const char *file = NULL;
	bool as_json = false, log = false;
	struct why why = { 0 };
	struct target target;
	char path[PATH_LEN], source[PATH_LEN + 32];
	int opt, code, err;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":f:ljh", names, &code)) != -1) {
		switch (opt) {
		case 'f':
			file = optarg;
			break;
		case 'l':
			log = true;
			break;
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind == argc)
		return tbtf_bad_usage(cmd, "give the pid, the unit, the cgroup or the name of what was lost");
	if (optind + 1 < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind + 1]);
	if (file && log)
		return tbtf_bad_usage(cmd, "--file and --log exclude each other");
	target = (struct target) { .name = argv[optind], .is_path = *argv[optind] == '/' };
	if (!*target.name)
		return tbtf_bad_usage(cmd, "the name is empty");
	if (target.name[strspn(target.name, "0123456789")] == '\0' &&
	    tbtf_parse_pid(target.name, &target.pid))
		return tbtf_bad_usage(cmd, "'%s' is not a pid", target.name);
	if (log)
		return from_log(&target, as_json);
	if (file)
		snprintf(path, sizeof(path), "%s", file);
	else if (!tbtf_path(path, "%s", RECORDING_DEFAULT))
		return EXIT_FAILED;
	snprintf(source, sizeof(source), "the recording %s", strcmp(path, "-") ? path : "of stdin");
	err = why_read_recording(path, &why);
	if (!err && (file || count(&why, &target)))
		return answer(&why, &target, source, as_json);
	if (err && (file || err != -ENOENT))
		tbtf_error("%s: %s", path, strerror(-err));
	else if (!err)
		say_unknown(&why, &target, source);
	why_free(&why);
	/* It may have begun later than that. */
	return file ? EXIT_FAILED : from_log(&target, as_json);
}

const struct cmd cmd_why = {
	.name = "why",
	.synopsis = "[OPTION...] PID|UNIT|CGROUP|NAME",
	.summary = "it was killed: for whom, and why it",
	.help = "Looks into the recording (" RECORDING_DEFAULT "), and\n"
		"where that has nothing into the kernel log.\n"
		"\nOptions:\n"
		"  -f, --file FILE         look into this recording only; - is stdin\n"
		"  -l, --log               look into the kernel log only\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 3 nothing is known of it; 77 not permitted.\n",
	.run = run,
};
