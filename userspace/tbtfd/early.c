// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - stealing before the module asks: what is decided, as functions of numbers
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing here asks the machine anything, allocates, or has a clock:
 * selftests/host/unit_early.c tries it.
 */
#include "early.h"

/**
 * tbtf_early_short() - is it time to attach an extent?
 * @room: the machine's memory
 * @swap_free_kb: of all swap, whosever
 * @stalled: tasks have waited for memory lately
 *
 * As long as there is free swap the kernel does not kill, so only when that is nearly
 * used up as well there is a reason. Without a stall, what is available is: it is page
 * cache mostly, and can be dropped. With one, some of that is what programs run on.
 *
 * Return: whether.
 */
bool tbtf_early_short(const struct tbtf_room *room, uint64_t swap_free_kb, bool stalled)
{
	uint64_t low = room->total_kb / TBTF_EARLY_LOW;

	if (swap_free_kb >= low)
		return false;
	return room->available_kb < (stalled ? room->total_kb / TBTF_EARLY_STALLED : low);
}

/**
 * tbtf_early_calm() - can an extent be given back, without being attached again at once?
 * @room: the machine's memory
 * @used_kb: what the extent holds, and would be in memory again
 *
 * Return: whether.
 */
bool tbtf_early_calm(const struct tbtf_room *room, uint64_t used_kb)
{
	uint64_t high = room->total_kb / TBTF_EARLY_HIGH;

	return room->available_kb >= high && room->available_kb - high >= used_kb;
}

/**
 * tbtf_early_next_ms() - when to look again
 * @room: the machine's memory
 * @swap_free_kb: of all swap
 *
 * The sooner the less there is: as if memory were consumed as fast as it can be.
 *
 * Return: milliseconds, TBTF_EARLY_MIN_MS to TBTF_EARLY_MAX_MS.
 */
unsigned int tbtf_early_next_ms(const struct tbtf_room *room, uint64_t swap_free_kb)
{
	uint64_t low = room->total_kb / TBTF_EARLY_LOW, left = room->available_kb + swap_free_kb;
	uint64_t ms;

	/* What is below the mark already is looked at for what there is still. */
	ms = (left > low ? left - low : left) * 1000 / TBTF_EARLY_RATE_KB;
	if (ms < TBTF_EARLY_MIN_MS)
		return TBTF_EARLY_MIN_MS;
	return ms > TBTF_EARLY_MAX_MS ? TBTF_EARLY_MAX_MS : ms;
}
