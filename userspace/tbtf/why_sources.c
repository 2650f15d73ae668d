// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - why: who died, from a recording or from the kernel log
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "klog.h"
#include "why.h"

/* With the pid it is enough to tell that two events speak of the same death. */
#define SAME_NS	30000000000ULL

static struct why_death *add(struct why *why)
{
	struct why_death *more;

	if (why->nr == why->room) {
		why->room = why->room ? why->room * 2 : 64;
		more = reallocarray(why->deaths, why->room, sizeof(*more));
		if (!more)
			return NULL;
		why->deaths = more;
	}
	memset(&why->deaths[why->nr], 0, sizeof(*why->deaths));
	return &why->deaths[why->nr++];
}

/* The death of this process that has just been told of, or NULL. */
static struct why_death *told(struct why *why, pid_t pid, uint64_t ns)
{
	for (size_t i = why->nr; i-- > 0;) {
		struct why_death *d = &why->deaths[i];

		if (ns - d->ns > SAME_NS)
			return NULL;
		if (d->victim.pid == pid)
			return d;
	}
	return NULL;
}

/* The kills of an episode so far; ids begin anew with the module, so the last it is. */
static uint64_t kills_so_far(const struct why *why, uint64_t episode)
{
	for (size_t i = why->nr; i-- > 0;) {
		const struct why_death *d = &why->deaths[i];

		if (d->episode == episode && d->cause == WHY_SACRIFICED)
			return *d->outcome ? 0 : d->nth;
	}
	return 0;
}

/* What the end of an episode says of all its kills. */
static void ended(struct why *why, uint64_t episode, const char *outcome, uint64_t kills)
{
	for (size_t i = why->nr; i-- > 0;) {
		struct why_death *d = &why->deaths[i];

		/* Of one with the same id before the module was loaded anew. */
		if (d->episode == episode && *d->outcome)
			return;
		if (d->episode != episode)
			continue;
		snprintf(d->outcome, sizeof(d->outcome), "%s", outcome);
		d->of = kills;
	}
}

/* From here on the ids of episodes begin anew. */
static void all_ended(struct why *why)
{
	for (size_t i = why->nr; i-- > 0 && !*why->deaths[i].outcome;)
		snprintf(why->deaths[i].outcome, sizeof(why->deaths[i].outcome), "?");
}

static void seen(struct why *why, double time)
{
	why->lines++;
	if (time && !why->first)
		why->first = time;
	if (time)
		why->last = time;
}

/* --- a recording ------------------------------------------------------------------ */

static struct why_death *add_event(struct why *why, const struct rec_event *e, enum why_cause cause)
{
	struct why_death *d = add(why);

	if (!d)
		return NULL;
	d->cause = cause;
	d->time = e->time;
	d->ns = e->ns;
	d->episode = e->episode;
	snprintf(d->scope, sizeof(d->scope), "%s", *e->scope_cgroup ? e->scope_cgroup : e->scope);
	d->victim = e->task;
	d->protected = e->protected;
	memcpy(d->what, e->what, sizeof(d->what));
	return d;
}

static int sacrificed(struct why *why, const struct rec_event *e)
{
	uint64_t before = kills_so_far(why, e->episode);
	struct why_death *d;

	if (e->dry_run)
		return 0;
	d = add_event(why, e, WHY_SACRIFICED);
	if (!d)
		return -ENOMEM;
	d->nth = before + 1;
	d->worth_kb = e->worth_kb;
	d->candidates = e->candidates;
	d->tries = e->tries;
	memcpy(d->band, e->band, sizeof(d->band));
	memcpy(d->policy, e->policy, sizeof(d->policy));
	return 0;
}

static int of_recording(const struct rec_event *e, void *data)
{
	struct why *why = data;
	struct why_death *d;

	seen(why, e->time);
	switch (e->kind) {
	case REC_EPISODE_BEGIN:
		/* The module was loaded anew: its first episodes are not those from before. */
		ended(why, e->episode, "?", 0);
		return 0;
	case REC_SACRIFICE:
		return sacrificed(why, e);
	case REC_PASS:
		return add_event(why, e, WHY_KERNEL) ? 0 : -ENOMEM;
	case REC_EXHAUSTED:
		if (strcmp(e->what, "killed"))
			return 0;
		d = add_event(why, e, WHY_EXHAUSTED);
		if (!d)
			return -ENOMEM;
		d->victim = e->protected;
		d->waited_ns = e->duration_ns;
		d->nth = kills_so_far(why, e->episode);
		return 0;
	case REC_DIED:
		if (told(why, e->task.pid, e->ns))
			return 0;
		return add_event(why, e, WHY_DIED) ? 0 : -ENOMEM;
	case REC_OOM_VICTIM:
		if (told(why, e->task.pid, e->ns))
			return 0;
		return add_event(why, e, WHY_KERNEL) ? 0 : -ENOMEM;
	case REC_EPISODE_END:
		ended(why, e->episode, e->what, e->kills);
		return 0;
	default:
		return 0;
	}
}

int why_read_recording(const char *path, struct why *why)
{
	struct recording recording;

	return recording_each(path, &recording, of_recording, why);
}

/* --- the kernel log ----------------------------------------------------------------- */

static void process(struct rec_process *to, const struct klog_process *from)
{
	to->pid = from->pid;
	to->kb = from->kb;
	snprintf(to->comm, sizeof(to->comm), "%s", from->comm);
}

static int of_log(struct why *why, const struct klog_event *e, double time)
{
	const char *scope = strncmp(e->scope, "memcg ", 6) ? e->scope : e->scope + 6;
	uint64_t ns = e->usec * 1000, before;
	struct why_death *d;

	seen(why, time);
	if (e->dry_run || e->kind == KLOG_WAITS || e->kind == KLOG_FAILS)
		return 0;
	d = e->kind == KLOG_KILLED || e->kind == KLOG_VICTIM ? told(why, e->victim.pid, ns) : NULL;
	if (d) {
		/* The kernel's own lines about it know its cgroup. */
		if (e->kind == KLOG_VICTIM)
			snprintf(d->victim.cgroup, sizeof(d->victim.cgroup), "%s", e->scope);
		else if (!d->victim.kb)
			d->victim.kb = e->victim.kb;
		return 0;
	}
	before = kills_so_far(why, e->episode);
	d = add(why);
	if (!d)
		return -ENOMEM;
	d->time = time;
	d->ns = ns;
	d->episode = e->episode;
	snprintf(d->scope, sizeof(d->scope), "%s", e->episode ? scope : "");
	process(&d->victim, &e->victim);
	process(&d->protected, &e->protected);
	d->worth_kb = e->worth_kb;
	switch (e->kind) {
	case KLOG_SACRIFICE:
		d->cause = WHY_SACRIFICED;
		d->nth = before + 1;
		d->victim.adj = e->adj;
		*(e->scanned ? &d->candidates : &d->tries) = e->tried;
		snprintf(d->band, sizeof(d->band), "%s", e->band);
		snprintf(d->policy, sizeof(d->policy), "%s", e->policy);
		break;
	case KLOG_EXHAUSTED:
		d->cause = WHY_EXHAUSTED;
		d->victim = d->protected;
		d->waited_ns = e->waited_ms * 1000000;
		d->nth = e->kills;
		break;
	default:
		d->cause = WHY_KERNEL;
		if (e->kind == KLOG_VICTIM)
			snprintf(d->victim.cgroup, sizeof(d->victim.cgroup), "%s", e->scope);
	}
	return 0;
}

/* offset: what makes the time of day of a log's own. */
static int of_line(struct why *why, const char *line, double offset)
{
	struct klog_event event;
	uint64_t usec = 0;
	const char *text = klog_record(line, &usec);

	if (strstr(line, "tbtf: loaded: "))
		all_ended(why);
	if (!klog_parse(text ? text : line, &event))
		return 0;
	if (text)
		event.usec = usec;
	return of_log(why, &event, event.usec ? event.usec / 1e6 + offset : 0);
}

/* What was said before the last boot is in the journal only. */
static int read_journal(struct why *why)
{
	FILE *journal = popen("journalctl --no-pager -q -o short-unix _TRANSPORT=kernel 2>/dev/null", "re");
	char *line = NULL;
	size_t room = 0;
	int err = 0, status;

	if (!journal)
		return -errno;
	while (!err && getline(&line, &room, journal) > 0) {
		line[strcspn(line, "\n")] = '\0';
		err = of_line(why, line, 0);
	}
	free(line);
	status = pclose(journal);
	if (err)
		return err;
	return status ? -ENOENT : 0;
}

static int read_kmsg(struct why *why)
{
	char path[PATH_LEN], text[8193], *begin, *end;
	struct timespec now, up;
	size_t len = 0;
	double offset;
	ssize_t n;
	int fd, err = 0;

	if (!tbtf_path(path, "/dev/kmsg"))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &up);
	offset = now.tv_sec - up.tv_sec + (now.tv_nsec - up.tv_nsec) / 1e9;
	while (!err) {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		/* EPIPE: records were overwritten before we came; the next is there. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0) {
			err = n && errno != EAGAIN ? -errno : 0;
			break;
		}
		len += n;
		text[len] = '\0';
		for (begin = text; !err && (end = strchr(begin, '\n')); begin = end + 1) {
			*end = '\0';
			err = of_line(why, begin, offset);
		}
		len = strlen(begin);
		/* Longer than any record: not what we look for. */
		if (len > sizeof(text) / 2)
			len = 0;
		memmove(text, begin, len);
	}
	close(fd);
	return err;
}

int why_read_log(struct why *why, const char **ret_source)
{
	if (tbtf_systemd_running()) {
		*ret_source = "the kernel's lines in the journal";
		if (!read_journal(why) && why->lines)
			return 0;
		why->nr = 0;
	}
	*ret_source = "the kernel log of this boot";
	return read_kmsg(why);
}

void why_free(struct why *why)
{
	free(why->deaths);
	memset(why, 0, sizeof(*why));
}
