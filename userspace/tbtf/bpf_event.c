// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - events, one a line: for people, and as JSON
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The JSON is described in tbtf(8): names and meanings stay, new ones can come.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bpf.h"
#include "cmd.h"
#include "json.h"
#include "sample.h"

#define SECOND	1000000000ULL

static const char * const names[] = {
	[TBTF_EVENT_MARK]		= "mark",
	[TBTF_EVENT_PASS]		= "pass",
	[TBTF_EVENT_ROUND]		= "round",
	[TBTF_EVENT_ROUND_END]		= "round_end",
	[TBTF_EVENT_EPISODE_BEGIN]	= "episode_begin",
	[TBTF_EVENT_SACRIFICE]		= "sacrifice",
	[TBTF_EVENT_KILLLESS]		= "killless",
	[TBTF_EVENT_NAP]		= "nap",
	[TBTF_EVENT_RUNG_END]		= "rung_end",
	[TBTF_EVENT_EXHAUSTED]		= "exhausted",
	[TBTF_EVENT_RELIEF]		= "relief",
	[TBTF_EVENT_DIED]		= "died",
	[TBTF_EVENT_EPISODE_END]	= "episode_end",
	[TBTF_EVENT_REQUEST]		= "request",
	[TBTF_EVENT_ANSWER]		= "answer",
	[TBTF_EVENT_PRINT]		= "print",
	[TBTF_EVENT_FORETOLD]		= "foretold",
	[TBTF_RECORD_VICTIM]		= "oom_victim",
	[TBTF_RECORD_GONE]		= "oom_victim_gone",
};

static const char * const scopes[] = { "global", "constrained", "memcg", "shared" };
static const char * const passes[] = { "", "unprotected", "origin", "dying" };
static const char * const futiles[] = { "nobody", "max_kills", "regain", "fragmented", "respawn" };
static const char * const deaths[] = { "", "exhausted", "oom", "off", "sigbus" };
static const char * const outcomes[] = {
	"open", "sacrificed", "waited", "killed", "panicked", "failed", "switched",
	"stolen", "printed",
};

static const char * const rungs[] = { "", "steal", "print" };
static const char * const answers[] = {
	"", "pending", "granted", "refused", "late", "orphaned", "withdrawn", "skipped",
};

static const char * const skips[] = {
	"", "no_swap", "shared", "no_helper", "fragmented", "local", "other_local", "swap_max",
	"locked",
};

static const char * const rounds[] = {
	"", "sacrificed", "dry_run", "waits", "fails", "exhausted", "passed", "leaving", "printed",
};

static const char * const prints[] = { "", "bridge", "last", "yield" };

#define WORD(words, nr)	((nr) < ARRAY_SIZE(words) ? (words)[nr] : "unknown")

const char *tbtf_event_name(uint32_t kind)
{
	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

/* A cgroup that has just gone is still known by those who asked before. */
const char *tbtf_event_cgroup(uint64_t id)
{
	static struct { uint64_t id; char *path; } known[TBTF_MAX_CGROUPS];
	static unsigned int next;
	char path[PATH_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].id == id && known[i].path)
			return known[i].path;
	if (tbtf_cgfs_path_of_id(id, path))
		return "";
	free(known[next].path);
	known[next].id = id;
	known[next].path = strdup(path);
	next = (next + 1) % ARRAY_SIZE(known);
	return known[(next + ARRAY_SIZE(known) - 1) % ARRAY_SIZE(known)].path ?: "";
}

static uint64_t wall_ns(uint64_t ns)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec * SECOND + wall.tv_nsec - (mono.tv_sec * SECOND + mono.tv_nsec) + ns;
}

const char *tbtf_event_time(uint64_t ns, char buf[32])
{
	uint64_t at = wall_ns(ns);
	time_t sec = at / SECOND;
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 32 - n, ".%06uZ", (unsigned int)(at % SECOND / 1000));
	return buf;
}

/* For people: the local time of the day. */
static void put_clock(FILE *out, uint64_t ns)
{
	uint64_t at = wall_ns(ns);
	time_t sec = at / SECOND;
	struct tm tm;

	localtime_r(&sec, &tm);
	fprintf(out, "%02d:%02d:%02d.%03u ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned int)(at % SECOND / 1000000));
}

static const char *what(const struct tbtf_event *e)
{
	switch (e->kind) {
	case TBTF_EVENT_MARK:
		return tbtf_role_name(e->what) ?: "unknown";
	case TBTF_EVENT_PASS:
		return WORD(passes, e->what);
	case TBTF_EVENT_ROUND_END:
		return WORD(rounds, e->what);
	case TBTF_EVENT_KILLLESS:
		return WORD(futiles, e->what);
	case TBTF_EVENT_DIED:
		return WORD(deaths, e->what);
	case TBTF_EVENT_ANSWER:
		return WORD(answers, e->what);
	case TBTF_EVENT_PRINT:
		return WORD(prints, e->what);
	case TBTF_EVENT_RUNG_END:
	case TBTF_EVENT_EXHAUSTED:
	case TBTF_EVENT_EPISODE_END:
		return WORD(outcomes, e->what);
	}
	return "";
}

/* What "what" is called in the JSON. */
static const char *what_key(uint32_t kind)
{
	switch (kind) {
	case TBTF_EVENT_MARK:
		return "role";
	case TBTF_EVENT_PASS:
		return "pass";
	case TBTF_EVENT_ROUND_END:
		return "result";
	case TBTF_EVENT_KILLLESS:
		return "futile";
	case TBTF_EVENT_DIED:
		return "death";
	case TBTF_EVENT_ANSWER:
		return "answer";
	case TBTF_EVENT_PRINT:
		return "print";
	case TBTF_EVENT_RUNG_END:
	case TBTF_EVENT_EXHAUSTED:
	case TBTF_EVENT_EPISODE_END:
		return "outcome";
	}
	return NULL;
}

/* --- text ------------------------------------------------------------------ */

static const char *who(const struct tbtf_event_who *w, char buf[64])
{
	char comm[17], text[48];

	memcpy(comm, w->comm, 16);
	comm[16] = '\0';
	if (*comm)
		snprintf(buf, 64, "%d (%s)", w->pid, tbtf_text(text, sizeof(text), comm));
	else
		snprintf(buf, 64, "%d", w->pid);
	return buf;
}

static const char *scope(const struct tbtf_event *e)
{
	const char *path = e->scope == TBTF_SCOPE_MEMCG ? tbtf_event_cgroup(e->scope_cgroup) : "";

	return *path ? path : WORD(scopes, e->scope);
}

static void text_answer(FILE *out, const struct tbtf_event *e)
{
	char a[64], c[16];

	fprintf(out, "%s: ", WORD(rungs, e->rung));
	if (e->what == TBTF_ANSWERED_SKIPPED)
		fprintf(out, "skipped for %s: %s\n", who(&e->protected, a), WORD(skips, e->reason));
	else if (e->what == TBTF_ANSWERED_GRANTED)
		fprintf(out, "granted, %s, %.1f ms after\n", tbtf_size(e->worth_kb, c), e->ns / 1e6);
	else
		fprintf(out, "%s, %.1f ms after\n", what(e), e->ns / 1e6);
}

static void text_rung_end(FILE *out, const struct tbtf_event *e)
{
	double ms = e->ns / 1e6;

	if (e->rung)
		fprintf(out, "was on rung %s for %.0f ms: ", WORD(rungs, e->rung), ms);
	else
		fprintf(out, "has waited %.0f ms: ", ms);
	fprintf(out, "%s\n", e->what == TBTF_OUTCOME_OPEN ? "goes on" : what(e));
}

static void text_print(FILE *out, const struct tbtf_event *e)
{
	static const char * const why[] = {
		"", ": the bridge, while the helper is at work", ": nobody can bring more",
		", before a kill that is none of tbtf's",
	};
	char a[64], c[16];

	fprintf(out, "print: %s of the reserve for %s%s\n", tbtf_size(e->worth_kb, c),
		who(&e->caller, a), WORD(why, e->what));
}

void tbtf_event_text(FILE *out, const struct tbtf_record *rec)
{
	const struct tbtf_event *e = &rec->event;
	char a[64], b[64], c[16], d[16];
	double ms = e->ns / 1e6;

	put_clock(out, rec->ns);
	if (e->episode)
		fprintf(out, "episode %llu: ", (unsigned long long)e->episode);
	switch (e->kind) {
	case TBTF_EVENT_MARK:
		fprintf(out, "role of %s: %s\n", who(&e->task, a), what(e));
		break;
	case TBTF_EVENT_PASS:
		fprintf(out, "OOM of %s: the kernel kills %s: %s\n", scope(e), who(&e->task, a),
			what(e));
		break;
	case TBTF_EVENT_EPISODE_BEGIN:
		fprintf(out, "begins, of %s\n", scope(e));
		break;
	case TBTF_EVENT_SACRIFICE:
		fprintf(out, "%s %s %s, frees %s, for %s %s; band %s, %u %s\n",
			e->flags & TBTF_EVENT_DRY ? "would kill" : "kills", who(&e->task, a),
			tbtf_size(e->task.size_kb, c), tbtf_size(e->worth_kb, d),
			who(&e->protected, b), scope(e), tbtf_band_name(e->band) ?: "unknown",
			e->flags & TBTF_EVENT_SCANNED ? e->candidates : e->tries,
			e->flags & TBTF_EVENT_SCANNED ? "candidates" : "tries");
		break;
	case TBTF_EVENT_KILLLESS:
		fprintf(out, "nobody to kill for %s: %s; waits since %.0f ms\n",
			who(&e->protected, a), what(e), ms);
		break;
	case TBTF_EVENT_NAP:
		fprintf(out, "%s has waited %.1f ms\n", who(&e->task, a), ms);
		break;
	case TBTF_EVENT_RUNG_END:
		text_rung_end(out, e);
		break;
	case TBTF_EVENT_REQUEST:
		fprintf(out, "%s: asks the helper for %s for %s\n", WORD(rungs, e->rung),
			tbtf_size(e->worth_kb, c), who(&e->protected, a));
		break;
	case TBTF_EVENT_ANSWER:
		text_answer(out, e);
		break;
	case TBTF_EVENT_PRINT:
		text_print(out, e);
		break;
	case TBTF_EVENT_FORETOLD:
		fprintf(out, "MEMORY WILL BE GONE in %.1f s, if this goes on: %s left\n", ms / 1000,
			tbtf_size(e->worth_kb, c));
		break;
	case TBTF_EVENT_EXHAUSTED:
		fprintf(out, "exhausted: %s has outlived all: %s\n", who(&e->protected, a),
			what(e));
		break;
	case TBTF_EVENT_RELIEF:
		fprintf(out, "%s has its memory, %.3f ms after the kill\n", who(&e->caller, a), ms);
		break;
	case TBTF_EVENT_DIED:
		fprintf(out, "PROTECTED PROCESS DIED: %s: %s\n", who(&e->task, a), what(e));
		break;
	case TBTF_EVENT_EPISODE_END:
		fprintf(out, "ends: %s; %u rounds, %u killed, %s freed, %.1f s\n", what(e),
			e->rounds, e->kills, tbtf_size(e->worth_kb, c), ms / 1000);
		break;
	case TBTF_RECORD_VICTIM:
		fprintf(out, "the kernel kills %s\n", who(&e->task, a));
		break;
	case TBTF_RECORD_GONE:
		fprintf(out, "%s is gone, %.1f ms after\n", who(&e->task, a), ms);
		break;
	default:
		fprintf(out, "event %u, not known to this tbtf\n", e->kind);
	}
}

/* --- JSON ------------------------------------------------------------------ */

static void json_cgroup(struct json *json, const char *key, uint64_t id)
{
	const char *path = id ? tbtf_event_cgroup(id) : "";

	if (*path)
		json_string(json, key, path);
	else
		json_null(json, key);
}

static void json_who(struct json *json, const char *key, const struct tbtf_event_who *w)
{
	if (!w->pid)
		return;
	json_open(json, key, '{');
	json_signed(json, "pid", w->pid);
	if (*w->comm)
		json_string_n(json, "comm", w->comm, sizeof(w->comm));
	else
		json_null(json, "comm");
	json_unsigned(json, "start_ns", w->start);
	if (w->size_kb)
		json_unsigned(json, "size_kb", w->size_kb);
	json_signed(json, "adj", w->adj);
	json_unsigned(json, "cgroup_id", w->cgroup);
	json_cgroup(json, "cgroup", w->cgroup);
	json_close(json, '}');
}

static void json_sacrifice(struct json *json, const struct tbtf_event *e)
{
	json_unsigned(json, "worth_kb", e->worth_kb);
	json_string(json, "band", tbtf_band_name(e->band) ?: "unknown");
	json_string(json, "policy", tbtf_policy_name(e->policy) ?: "unknown");
	if (e->flags & TBTF_EVENT_SCANNED) {
		json_unsigned(json, "candidates", e->candidates);
		json_null(json, "tries");
	} else {
		json_null(json, "candidates");
		json_unsigned(json, "tries", e->tries);
	}
	json_bool(json, "dry_run", e->flags & TBTF_EVENT_DRY);
}

void tbtf_event_json(FILE *out, const struct tbtf_record *rec)
{
	const struct tbtf_event *e = &rec->event;
	struct json json = { .out = out, .line = true };
	const char *name = tbtf_event_name(e->kind);
	char time[32];

	json_open(&json, NULL, '{');
	json_string(&json, "event", name ?: "unknown");
	json_unsigned(&json, "seq", rec->seq);
	json_unsigned(&json, "ns", rec->ns);
	json_string(&json, "time", tbtf_event_time(rec->ns, time));
	if (e->episode)
		json_unsigned(&json, "episode", e->episode);
	if (e->episode || e->kind == TBTF_EVENT_PASS) {
		json_string(&json, "scope", WORD(scopes, e->scope));
		if (e->scope_cgroup)
			json_unsigned(&json, "scope_cgroup_id", e->scope_cgroup);
		json_cgroup(&json, "scope_cgroup", e->scope_cgroup);
	}
	if (what_key(e->kind))
		json_string(&json, what_key(e->kind), what(e));
	if (e->ns)
		json_unsigned(&json, "duration_ns", e->ns);
	if (e->kind == TBTF_EVENT_SACRIFICE)
		json_sacrifice(&json, e);
	if (e->kind == TBTF_EVENT_REQUEST || e->kind == TBTF_EVENT_ANSWER ||
	    (e->kind == TBTF_EVENT_RUNG_END && e->rung))
		json_string(&json, "rung", WORD(rungs, e->rung));
	if (e->kind == TBTF_EVENT_REQUEST)
		json_unsigned(&json, "wanted_kb", e->worth_kb);
	if (e->kind == TBTF_EVENT_PRINT)
		json_unsigned(&json, "printed_kb", e->worth_kb);
	if (e->kind == TBTF_EVENT_FORETOLD)
		json_unsigned(&json, "left_kb", e->worth_kb);
	if (e->kind == TBTF_EVENT_ANSWER && e->what == TBTF_ANSWERED_GRANTED)
		json_unsigned(&json, "granted_kb", e->worth_kb);
	if (e->kind == TBTF_EVENT_ANSWER && e->reason)
		json_string(&json, "reason", WORD(skips, e->reason));
	if (e->kind == TBTF_EVENT_MARK)
		json_bool(&json, "local", e->flags & TBTF_LOCAL);
	if (e->kind == TBTF_EVENT_RELIEF)
		json_unsigned(&json, "kills", e->kills);
	if (e->kind == TBTF_EVENT_EPISODE_END) {
		json_unsigned(&json, "rounds", e->rounds);
		json_unsigned(&json, "kills", e->kills);
		json_unsigned(&json, "naps", e->naps);
		json_unsigned(&json, "freed_kb", e->worth_kb);
	}
	json_who(&json, "task", &e->task);
	json_who(&json, "protected", &e->protected);
	json_who(&json, "caller", &e->caller);
	if (e->caller.pid) {
		json_signed(&json, "order", e->order);
		json_unsigned(&json, "gfp", e->gfp);
	}
	json_close(&json, '}');
}

/* --- following --------------------------------------------------------------- */

static sig_atomic_t stopped;	/* by __atomic_*: a signal sets it */

static void stop(int signal)
{
	(void)signal;
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
}

static bool is_stopped(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_RELAXED);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* How the machine is: what a picture of memory is drawn from. */
static void sample(FILE *out, uint64_t ns)
{
	struct json json = { .out = out, .line = true };
	struct tbtf_sample now;
	char time[32];

	tbtf_sample(&now);
	if (!now.total_kb)
		return;
	json_open(&json, NULL, '{');
	json_string(&json, "event", "sample");
	json_unsigned(&json, "ns", ns);
	json_string(&json, "time", tbtf_event_time(ns, time));
	json_unsigned(&json, "total_kb", now.total_kb);
	json_unsigned(&json, "free_kb", now.free_kb);
	json_unsigned(&json, "available_kb", now.available_kb);
	json_unsigned(&json, "swap_total_kb", now.swap_total_kb);
	json_unsigned(&json, "swap_free_kb", now.swap_free_kb);
	if (now.has_psi) {
		json_unsigned(&json, "some_us", now.some_us);
		json_unsigned(&json, "full_us", now.full_us);
	}
	if (now.has_marked) {
		json_unsigned(&json, "protected_kb", now.protected_kb);
		json_unsigned(&json, "crowd_kb", now.crowd_kb);
		json_unsigned(&json, "crowd", now.crowd);
	}
	json_close(&json, '}');
}

static void report_lost(const struct tbtf_follow *how, uint64_t lost)
{
	struct json json = { .out = how->out, .line = true };
	uint64_t ns = now_ns();
	char time[32];

	if (!how->json) {
		put_clock(how->out, ns);
		fprintf(how->out, "%llu events were lost\n", (unsigned long long)lost);
		return;
	}
	json_open(&json, NULL, '{');
	json_string(&json, "event", "lost");
	json_unsigned(&json, "ns", ns);
	json_string(&json, "time", tbtf_event_time(ns, time));
	json_unsigned(&json, "count", lost);
	json_close(&json, '}');
}

/*
 * Is what we read still what is pinned? Another --attach begins with new maps,
 * and ours would stay as they are for ever. An exit code.
 */
static int still_there(struct tbtf_bpf *bpf, uint64_t *seq)
{
	struct tbtf_control ctl;

	if (tbtf_bpf_stamp(&ctl)) {
		tbtf_error("the eBPF part has been detached");
		return EXIT_FAILED;
	}
	if (ctl.attached == bpf->control.attached)
		return EXIT_OK;
	tbtf_bpf_close(bpf);
	*seq = 0;
	return tbtf_bpf_open(bpf);
}

int tbtf_follow(const struct tbtf_follow *how)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	struct sigaction action = { .sa_handler = stop };
	uint64_t seq, lost, checked, sampled = 0;
	long left = how->count;
	struct tbtf_record rec = { 0 };
	struct tbtf_bpf bpf;
	bool wrote, got;
	int code;

	code = tbtf_bpf_open(&bpf);
	if (code)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* It is wanted most when there is no memory; where it may not, it goes on without. */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	seq = __atomic_load_n(&bpf.live->head, __ATOMIC_ACQUIRE);
	if (how->past)
		seq = seq > TBTF_RING ? seq - TBTF_RING : 0;
	checked = now_ns();
	while (!is_stopped()) {
		wrote = false;
		for (;;) {
			got = tbtf_bpf_next(&bpf, &seq, &rec, &lost);
			if (lost) {
				tbtf_bpf_count_lost(&bpf, lost);
				report_lost(how, lost);
				wrote = true;
			}
			if (!got)
				break;
			if (how->json)
				tbtf_event_json(how->out, &rec);
			else
				tbtf_event_text(how->out, &rec);
			wrote = true;
			if (left && !--left)
				stop(0);
			if (is_stopped())
				break;
		}
		if (how->samples && now_ns() - sampled >= SECOND) {
			sampled = now_ns();
			sample(how->out, sampled);
			wrote = true;
		}
		/* Whoever reads on has each line at once. */
		if (wrote && (fflush(how->out) || ferror(how->out))) {
			code = tbtf_failed(errno, "cannot write the output");
			break;
		}
		if (is_stopped())
			break;
		if (now_ns() - checked >= SECOND) {
			checked = now_ns();
			code = still_there(&bpf, &seq);
			if (code)
				break;
		}
		nanosleep(&pause, NULL);
	}
	tbtf_bpf_close(&bpf);
	return code;
}
