// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - report: from a recording, what the page will show
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

/* What is shown of the time before and after one episode. */
#define BEFORE_NS	30000000000ULL
#define AFTER_NS	10000000000ULL

/* Room for one more in an array, which doubles. NULL: no memory. */
static void *room(void **array, size_t nr, size_t size)
{
	void *more;

	if (!(nr & (nr - 1)) && (!nr || nr >= 16)) {
		more = reallocarray(*array, nr ? nr * 2 : 16, size);
		if (!more)
			return NULL;
		*array = more;
	}
	memset((char *)*array + nr * size, 0, size);
	return (char *)*array + nr * size;
}

#define ROOM(array, nr)	room((void **)&(array), nr, sizeof(*(array)))

static struct report_episode *episode_of(struct report *r, const struct rec_event *e)
{
	struct report_episode *ep;

	/* The last ones are asked for most. */
	for (size_t i = r->nr_episodes; i-- > 0;)
		if (r->episodes[i].id == e->episode)
			return &r->episodes[i];
	if (r->nr_episodes == REPORT_EPISODES)
		return NULL;
	ep = ROOM(r->episodes, r->nr_episodes);
	if (!ep)
		return NULL;
	r->nr_episodes++;
	ep->id = e->episode;
	ep->begin = e->ns;
	ep->end = e->ns;
	memcpy(ep->scope, e->scope, sizeof(ep->scope));
	memcpy(ep->scope_cgroup, e->scope_cgroup, sizeof(ep->scope_cgroup));
	return ep;
}

static int kill_of(struct report *r, struct report_episode *ep, const struct rec_event *e)
{
	struct report_kill *k;

	ep->seen_kills++;
	ep->seen_kb += e->worth_kb;
	if (r->nr_kills == REPORT_KILLS) {
		r->cut++;
		return 0;
	}
	k = ROOM(r->kills, r->nr_kills);
	if (!k)
		return -ENOMEM;
	r->nr_kills++;
	k->ns = e->ns;
	k->episode = e->episode;
	k->victim = e->task;
	k->protected = e->protected;
	k->worth_kb = e->worth_kb;
	k->dry_run = e->dry_run;
	memcpy(k->band, e->band, sizeof(k->band));
	memcpy(k->policy, e->policy, sizeof(k->policy));
	return 0;
}

/* It leaves the rung past sacrifice, if it stood on it; "": of which nothing is known. */
static void wait_ends(struct report *r, struct report_episode *ep, uint64_t ns, const char *rung)
{
	struct report_wait *wait;

	if (!ep->waiting_since)
		return;
	for (size_t i = r->nr_waits; i-- > 0;) {
		wait = &r->waits[i];
		if (wait->episode == ep->id) {
			wait->end = ns;
			snprintf(wait->rung, sizeof(wait->rung), "%s", rung);
			break;
		}
	}
	ep->waiting_since = 0;
}

static int wait_begins(struct report *r, struct report_episode *ep, const struct rec_event *e)
{
	struct report_wait *wait;

	if (ep->waiting_since)
		return 0;
	if (r->nr_waits == REPORT_KILLS) {
		r->cut++;
		return 0;
	}
	wait = ROOM(r->waits, r->nr_waits);
	if (!wait)
		return -ENOMEM;
	r->nr_waits++;
	wait->begin = e->ns;
	wait->end = 0;
	wait->episode = ep->id;
	/* Where it goes on to the next rung the reason is the same. */
	if (e->kind == REC_KILLLESS)
		memcpy(ep->why, e->what, sizeof(ep->why));
	memcpy(wait->why, ep->why, sizeof(wait->why));
	ep->waiting_since = e->ns;
	return 0;
}

static int end_of(struct report *r, const struct rec_event *e, bool died)
{
	struct report_end *end;

	if (r->nr_ends == REPORT_KILLS) {
		r->cut++;
		return 0;
	}
	end = ROOM(r->ends, r->nr_ends);
	if (!end)
		return -ENOMEM;
	r->nr_ends++;
	end->ns = e->ns;
	end->episode = e->episode;
	end->died = died;
	end->who = died ? e->task : e->protected;
	memcpy(end->what, e->what, sizeof(end->what));
	end->waited_ns = e->duration_ns;
	return 0;
}

static int add_sample(struct report *r, const struct rec_event *e)
{
	struct report_sample *s;

	if (r->nr_samples == REPORT_SAMPLES)
		return 0;
	s = ROOM(r->samples, r->nr_samples);
	if (!s)
		return -ENOMEM;
	r->nr_samples++;
	*s = (struct report_sample) {
		.ns = e->ns, .total_kb = e->total_kb, .available_kb = e->available_kb,
		.swap_total_kb = e->swap_total_kb, .swap_free_kb = e->swap_free_kb,
		.some_us = e->some_us, .full_us = e->full_us, .has_psi = e->has_psi,
		.protected_kb = e->protected_kb, .crowd_kb = e->crowd_kb, .crowd = e->crowd,
		.has_sizes = e->has_sizes,
	};
	return 0;
}

static int add_size(struct report *r, const struct rec_event *e)
{
	struct report_size *size;

	if (!e->protected.kb || r->nr_sizes == REPORT_SAMPLES)
		return 0;
	size = ROOM(r->sizes, r->nr_sizes);
	if (!size)
		return -ENOMEM;
	r->nr_sizes++;
	size->ns = e->ns;
	size->kb = e->protected.kb;
	return 0;
}

static int of_episode(struct report *r, const struct rec_event *e)
{
	struct report_episode *ep = episode_of(r, e);

	if (!ep) {
		if (r->nr_episodes < REPORT_EPISODES)
			return -ENOMEM;
		r->cut++;
		return 0;
	}
	ep->end = e->ns;
	if (e->protected.pid)
		ep->protected = e->protected;
	if (!*ep->scope_cgroup)
		memcpy(ep->scope_cgroup, e->scope_cgroup, sizeof(ep->scope_cgroup));
	switch (e->kind) {
	case REC_EPISODE_BEGIN:
		ep->begun = true;
		break;
	case REC_EPISODE_END:
		ep->ended = true;
		memcpy(ep->outcome, e->what, sizeof(ep->outcome));
		ep->rounds = e->rounds;
		ep->kills = e->kills;
		ep->naps = e->naps;
		ep->freed_kb = e->worth_kb;
		wait_ends(r, ep, e->ns, "");
		break;
	case REC_SACRIFICE:
		wait_ends(r, ep, e->ns, "");
		if (add_size(r, e))
			return -ENOMEM;
		return kill_of(r, ep, e);
	case REC_KILLLESS:
		return wait_begins(r, ep, e);
	case REC_RUNG_END:
		wait_ends(r, ep, e->ns, e->rung);
		return strcmp(e->what, "open") ? 0 : wait_begins(r, ep, e);
	case REC_EXHAUSTED:
		wait_ends(r, ep, e->ns, "");
		return end_of(r, e, false);
	default:
		break;
	}
	return 0;
}

static int collect(const struct rec_event *e, void *data)
{
	struct report *r = data;

	if (e->time && !r->has_offset) {
		r->offset = e->time - e->ns / 1e9;
		r->has_offset = true;
	}
	if (e->ns < r->from || e->ns > r->to)
		return 0;
	if (r->wanted && e->episode && e->episode != r->wanted)
		return 0;
	if (!r->first)
		r->first = e->ns;
	r->last = e->ns > r->last ? e->ns : r->last;
	if (e->kind == REC_SAMPLE)
		return add_sample(r, e);
	if (e->kind == REC_LOST)
		r->lost += e->lost;
	if (e->kind == REC_DIED && end_of(r, e, true))
		return -ENOMEM;
	return e->episode ? of_episode(r, e) : 0;
}

struct search {
	uint64_t id, begin, end;
	double offset;
	bool has_offset;
};

static int look_for(const struct rec_event *e, void *data)
{
	struct search *search = data;

	if (e->time && !search->has_offset) {
		search->offset = e->time - e->ns / 1e9;
		search->has_offset = true;
	}
	if (!search->id || e->episode != search->id)
		return 0;
	if (!search->begin)
		search->begin = e->ns;
	search->end = e->ns;
	return 0;
}

int report_read(struct report *r, const char *path)
{
	struct search search = { .id = r->wanted };
	int err;

	r->to = UINT64_MAX;
	if (r->wanted || r->from_time || r->to_time) {
		err = recording_each(path, &r->recording, look_for, &search);
		if (err)
			return err;
	}
	if (r->wanted) {
		if (!search.begin)
			return -ENODATA;
		r->from = search.begin > BEFORE_NS ? search.begin - BEFORE_NS : 0;
		r->to = search.end + AFTER_NS;
	}
	if (r->from_time > search.offset)
		r->from = (r->from_time - search.offset) * 1e9;
	if (r->to_time)
		r->to = r->to_time > search.offset ? (r->to_time - search.offset) * 1e9 : 0;
	err = recording_each(path, &r->recording, collect, r);
	if (err)
		return err;
	if (!r->first)
		return -ENODATA;
	/* What is open has no end yet: it goes on to the end of the picture. */
	for (size_t i = 0; i < r->nr_waits; i++)
		if (!r->waits[i].end)
			r->waits[i].end = r->last;
	for (size_t i = 0; i < r->nr_episodes; i++)
		if (!r->episodes[i].ended)
			r->episodes[i].end = r->last;
	return 0;
}

void report_free(struct report *r)
{
	free(r->kills);
	free(r->episodes);
	free(r->waits);
	free(r->ends);
	free(r->samples);
	free(r->sizes);
}
