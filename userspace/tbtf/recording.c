// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - reading a recording: the only place that knows how its lines look
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "json_read.h"
#include "recording.h"

static const struct {
	const char *word;
	enum rec_kind kind;
} kinds[] = {
	{ "sample", REC_SAMPLE },
	{ "mark", REC_MARK },
	{ "pass", REC_PASS },
	{ "episode_begin", REC_EPISODE_BEGIN },
	{ "sacrifice", REC_SACRIFICE },
	{ "killless", REC_KILLLESS },
	{ "nap", REC_NAP },
	{ "rung_end", REC_RUNG_END },
	{ "request", REC_REQUEST },
	{ "answer", REC_ANSWER },
	{ "exhausted", REC_EXHAUSTED },
	{ "relief", REC_RELIEF },
	{ "died", REC_DIED },
	{ "episode_end", REC_EPISODE_END },
	{ "oom_victim", REC_OOM_VICTIM },
	{ "lost", REC_LOST },
};

static void text(const struct json_line *line, const char *path, char *buf, size_t size)
{
	const char *value = json_text(line, path);
	size_t len = value ? strlen(value) : 0, step;

	if (len >= size) {
		/* Cut between characters. */
		for (len = 0; ; len += step) {
			step = tbtf_utf8_len((const unsigned char *)value + len, strlen(value + len));
			step = step ? step : 1;
			if (len + step >= size)
				break;
		}
	}
	if (len)
		memcpy(buf, value, len);
	buf[len] = '\0';
}

static uint64_t number(const struct json_line *line, const char *path)
{
	uint64_t value = 0;

	json_u64(line, path, &value);
	return value;
}

static void process(const struct json_line *line, const char *who, struct rec_process *ret)
{
	char path[64];
	int64_t adj = 0;
	uint64_t pid;

#define FIELD(name)	(snprintf(path, sizeof(path), "%s." name, who), path)
	pid = number(line, FIELD("pid"));
	ret->pid = pid <= INT32_MAX ? pid : 0;
	text(line, FIELD("comm"), ret->comm, sizeof(ret->comm));
	ret->kb = number(line, FIELD("size_kb"));
	json_s64(line, FIELD("adj"), &adj);
	ret->adj = adj >= -1000 && adj <= 1000 ? adj : 0;
	ret->start_ns = number(line, FIELD("start_ns"));
	ret->cgroup_id = number(line, FIELD("cgroup_id"));
	text(line, FIELD("cgroup"), ret->cgroup, sizeof(ret->cgroup));
#undef FIELD
}

/* "2026-11-22T12:34:56.789012Z", as seconds since 1970; 0: it is not there. */
static double time_of(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	double fraction = 0;
	char *end;

	if (!rest)
		return 0;
	if (*rest == '.') {
		fraction = strtod(rest, &end);
		rest = end;
	}
	return strcmp(rest, "Z") ? 0 : timegm(&tm) + fraction;
}

/* What is one field here has a key by what it means there. */
static void what(const struct json_line *line, struct rec_event *e)
{
	static const char * const keys[] = {
		"outcome", "futile", "death", "pass", "role", "answer",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !*e->what; i++)
		text(line, keys[i], e->what, sizeof(e->what));
}

static bool parse(const struct json_line *line, struct rec_event *e)
{
	const char *word = json_text(line, "event");

	memset(e, 0, sizeof(*e));
	if (!word || !json_u64(line, "ns", &e->ns))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].word, word))
			e->kind = kinds[i].kind;
	e->time = time_of(json_text(line, "time"));
	e->episode = number(line, "episode");
	text(line, "scope", e->scope, sizeof(e->scope));
	text(line, "scope_cgroup", e->scope_cgroup, sizeof(e->scope_cgroup));
	process(line, "task", &e->task);
	process(line, "protected", &e->protected);
	process(line, "caller", &e->caller);
	e->worth_kb = number(line, e->kind == REC_EPISODE_END ? "freed_kb" : "worth_kb");
	e->duration_ns = number(line, "duration_ns");
	what(line, e);
	text(line, "rung", e->rung, sizeof(e->rung));
	text(line, "band", e->band, sizeof(e->band));
	text(line, "policy", e->policy, sizeof(e->policy));
	e->candidates = number(line, "candidates");
	e->tries = number(line, "tries");
	e->dry_run = json_is_true(line, "dry_run");
	e->rounds = number(line, "rounds");
	e->kills = number(line, "kills");
	e->naps = number(line, "naps");
	e->lost = number(line, "count");
	if (e->kind != REC_SAMPLE)
		return true;
	e->total_kb = number(line, "total_kb");
	e->available_kb = number(line, "available_kb");
	e->swap_total_kb = number(line, "swap_total_kb");
	e->swap_free_kb = number(line, "swap_free_kb");
	e->has_psi = json_u64(line, "some_us", &e->some_us) &&
		     json_u64(line, "full_us", &e->full_us);
	e->has_sizes = json_u64(line, "protected_kb", &e->protected_kb);
	e->crowd_kb = number(line, "crowd_kb");
	e->crowd = number(line, "crowd");
	return e->total_kb && e->available_kb <= e->total_kb;
}

int recording_each(const char *path, struct recording *ret,
		   int (*visit)(const struct rec_event *event, void *data), void *data)
{
	static struct json_line line;
	struct rec_event event;
	char *buf = NULL;
	size_t room = 0;
	int result = 0;
	ssize_t len;
	FILE *file;

	*ret = (struct recording) { .name = strcmp(path, "-") ? path : "stdin" };
	file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!file)
		return -errno;
	while (!result && (errno = 0, len = getline(&buf, &room, file)) >= 0) {
		ret->lines++;
		if (len == 1 && *buf == '\n')
			continue;
		if (json_read_line(&line, buf, len) && parse(&line, &event)) {
			ret->events++;
			result = visit(&event, data);
			continue;
		}
		ret->bad++;
		if (!ret->first_bad)
			ret->first_bad = ret->lines;
	}
	if (!result && ferror(file))
		result = errno ? -errno : -EIO;
	free(buf);
	if (file != stdin)
		fclose(file);
	return result;
}
