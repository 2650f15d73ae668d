// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a raised limit of a cgroup: how far up, how far down again; only arithmetic
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing here asks the machine anything: selftests/host/unit_limit.c tries it all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"

#define PAGE		4096ULL
#define MIB		(1ULL << 20)
/* This part of memory stays for all others. */
#define KEPT_FRACTION	16
#define KEPT_LEAST_KB	16384
/* A limit comes down in so many steps, or more. */
#define STEPS		8

/**
 * tbtf_limit_room() - how much higher may limits be on this machine now?
 * @room: its memory
 * @promised_kb: by which limits are raised already and that is not yet in use: it
 *	is in what is available, and no longer free to be given
 *
 * Return: KiB.
 */
uint64_t tbtf_limit_room(const struct tbtf_room *room, uint64_t promised_kb)
{
	uint64_t kept = room->total_kb / KEPT_FRACTION;

	kept = kept < KEPT_LEAST_KB ? KEPT_LEAST_KB : kept;
	kept += room->min_free_kb + promised_kb;
	return room->available_kb > kept ? room->available_kb - kept : 0;
}

/**
 * tbtf_limit_up() - the next higher limit
 * @now: memory.max
 * @wanted: by how much it is to grow
 * @most: it never becomes more
 * @room: what the machine has
 * @above: what the cgroups above leave; TBTF_LIMIT_NONE: they have no limit
 *
 * Return: memory.max to be set, in whole pages; @now: no use.
 */
uint64_t tbtf_limit_up(uint64_t now, uint64_t wanted, uint64_t most, uint64_t room, uint64_t above)
{
	uint64_t by = wanted;

	if (now >= most)
		return now;
	by = by < most - now ? by : most - now;
	by = by < room ? by : room;
	by = by < above ? by : above;
	by = by / PAGE * PAGE;
	return by < TBTF_LIMIT_LEAST ? now : now + by;
}

/**
 * tbtf_limit_down() - the next lower limit
 * @limit: the cgroup
 *
 * Return: memory.max to be set: what it was before, in the end.
 */
uint64_t tbtf_limit_down(const struct tbtf_limit *limit)
{
	uint64_t by = limit->set > limit->max ? limit->set - limit->max : 0, step = by / STEPS;

	step = (step < TBTF_LIMIT_LEAST ? TBTF_LIMIT_LEAST : step) / PAGE * PAGE;
	return by <= step ? limit->max : limit->set - step;
}

/**
 * tbtf_limit_slack() - how far above usage a limit stays that is lowered
 * @max: the limit
 *
 * Return: bytes: what P may take between a look and the write.
 */
uint64_t tbtf_limit_slack(uint64_t max)
{
	uint64_t slack = max / 64 / PAGE * PAGE;

	return slack < MIB ? MIB : slack;
}

/**
 * tbtf_limit_high() - memory.high for a limit
 * @limit: the cgroup
 * @max: memory.max
 *
 * As far from its limit as it was: otherwise it would brake just when there is room.
 *
 * Return: memory.high; TBTF_LIMIT_NONE: none.
 */
uint64_t tbtf_limit_high(const struct tbtf_limit *limit, uint64_t max)
{
	if (limit->high == TBTF_LIMIT_NONE || max <= limit->max)
		return limit->high;
	return limit->high + (max - limit->max);
}

/**
 * tbtf_limit_push() - memory.high while a limit is lowered
 * @max: that it is lowered to
 *
 * Writing it gives back what of the cache stands in the way, and who wants more
 * is slowed down until the limit itself is written.
 *
 * Return: memory.high.
 */
uint64_t tbtf_limit_push(uint64_t max)
{
	uint64_t by = tbtf_limit_slack(max) / 2;

	return max > by ? max - by : 0;
}

/**
 * tbtf_limit_can() - can a limit be lowered so far without pressing anybody?
 * @usage: memory.current
 * @cache: of it, files that are on disk as well
 * @max: the limit to be
 *
 * Half of the cache is taken for what nobody needs: all else would have to go to swap.
 *
 * Return: whether.
 */
bool tbtf_limit_can(uint64_t usage, uint64_t cache, uint64_t max)
{
	uint64_t slack = tbtf_limit_slack(max);

	return usage - (cache < usage ? cache : usage) / 2 + slack <= max;
}

/**
 * tbtf_limit_ours() - was this memory.high written by tbtfd?
 * @limit: the cgroup
 * @high: memory.high
 *
 * Return: whether.
 */
bool tbtf_limit_ours(const struct tbtf_limit *limit, uint64_t high)
{
	return high == tbtf_limit_high(limit, limit->set) ||
	       high == tbtf_limit_high(limit, limit->from) ||
	       high == tbtf_limit_push(limit->set) || high == tbtf_limit_push(limit->from);
}

/**
 * tbtf_limit_format() - a line for the state file
 * @ret: the line, without its end
 * @size: TBTF_LIMIT_LINE is enough
 * @limit: the cgroup
 *
 * Return: 0; -ENOSPC: it does not fit.
 */
int tbtf_limit_format(char *ret, size_t size, const struct tbtf_limit *limit)
{
	int n = snprintf(ret, size, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
			 limit->id, limit->max, limit->high, limit->set, limit->from, limit->path);

	return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

/**
 * tbtf_limit_parse() - such a line
 * @line: without its end
 * @ret: untouched on failure
 *
 * Return: 0; -EPROTO: it is none.
 */
int tbtf_limit_parse(const char *line, struct tbtf_limit *ret)
{
	struct tbtf_limit limit = { .id = 0 };
	int at = 0;

	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", &limit.id,
		   &limit.max, &limit.high, &limit.set, &limit.from, &at) != 5 || !at)
		return -EPROTO;
	if (!limit.id || line[at] != '/' || strlen(line + at) >= sizeof(limit.path) ||
	    limit.set == TBTF_LIMIT_NONE || limit.max > limit.set || limit.max > limit.from ||
	    strstr(line + at, "/../"))
		return -EPROTO;
	strcpy(limit.path, line + at);
	*ret = limit;
	return 0;
}
