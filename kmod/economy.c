// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what is consumed, what is printed, and how long it lasts
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Consumed is what is there and no longer to be had: capacity less stock. So
 * memory that is brought (swap attached, a DIMM) is told from memory that is
 * used up, though both happen at once. Memory that is given back is consumed
 * with a negative sign; when that makes the average negative, all is well, and
 * the average begins again from nothing. Pure (see pure.h).
 */
#include "economy.h"

#define TBTF_ECONOMY_SHIFT	8

/* A rate of this, with its fraction and a weight, stays below 2^63. */
#define MOST_KB			((s64)1 << 40)

static s64 clamped(s64 value)
{
	return clamp(value, -MOST_KB, MOST_KB);
}

/* Towards the rate of the last @dt milliseconds, by as much as they weigh. */
static void average(s64 *avg, s64 delta_kb, s64 dt)
{
	s64 rate = clamped(delta_kb) * 1000 / dt * (1 << TBTF_ECONOMY_SHIFT);

	*avg += (rate - *avg) * min_t(s64, dt, TBTF_ECONOMY_TAU_MS) / TBTF_ECONOMY_TAU_MS;
	*avg = max_t(s64, *avg, 0);
}

/**
 * tbtf_economy_look() - how things are now
 * @eco: what is known from before
 * @now_ms: the time, of whatever clock
 * @now: what there is
 *
 * Context: any; one at a time.
 */
void tbtf_economy_look(struct tbtf_economy *eco, u64 now_ms, const struct tbtf_holdings *now)
{
	const struct tbtf_holdings *last = &eco->last;
	s64 dt = now_ms - eco->last_ms, grown = clamped(now->capacity_kb - last->capacity_kb);

	if (eco->seen && dt <= 0)
		return;
	if (eco->seen) {
		average(&eco->burn, grown - clamped(now->stock_kb - last->stock_kb), dt);
		average(&eco->grown, grown, dt);
		average(&eco->handed_out, now->handed_out_kb - last->handed_out_kb, dt);
	}
	eco->last_ms = now_ms;
	eco->last = *now;
	eco->seen = true;
}

/**
 * tbtf_economy_left_ms() - when is it all gone, if it goes on like this?
 * @eco: what is known
 *
 * Context: any.
 * Return: milliseconds from the last look; TBTF_ECONOMY_NEVER if no more is
 * consumed than is brought, or not within TBTF_ECONOMY_HORIZON_MS.
 */
u64 tbtf_economy_left_ms(const struct tbtf_economy *eco)
{
	s64 net = READ_ONCE(eco->burn) - READ_ONCE(eco->grown);
	u64 stock = min_t(u64, READ_ONCE(eco->last.stock_kb), MOST_KB);
	u64 left;

	if (net <= 0)
		return TBTF_ECONOMY_NEVER;
	left = (stock * 1000 << TBTF_ECONOMY_SHIFT) / net;
	return left > TBTF_ECONOMY_HORIZON_MS ? TBTF_ECONOMY_NEVER : left;
}

/**
 * tbtf_economy_burn_kb() - what the machine consumes
 * @eco: what is known
 *
 * Context: any.
 * Return: kB a second.
 */
u64 tbtf_economy_burn_kb(const struct tbtf_economy *eco)
{
	return READ_ONCE(eco->burn) >> TBTF_ECONOMY_SHIFT;
}

/**
 * tbtf_economy_print_kb() - what is brought, and handed out of the reserve
 * @eco: what is known
 *
 * Context: any.
 * Return: kB a second.
 */
u64 tbtf_economy_print_kb(const struct tbtf_economy *eco)
{
	return (READ_ONCE(eco->grown) + READ_ONCE(eco->handed_out)) >> TBTF_ECONOMY_SHIFT;
}

/**
 * tbtf_economy_foretells() - is it time to say how long it lasts?
 * @eco: what is known
 *
 * It is when less than TBTF_FORETELL_MS is left, and again each time that is
 * halved; anew, when there was twice as much between.
 *
 * Context: as tbtf_economy_look().
 * Return: true, and it counts as said.
 */
bool tbtf_economy_foretells(struct tbtf_economy *eco)
{
	u64 left = tbtf_economy_left_ms(eco);

	if (left >= 2 * TBTF_FORETELL_MS)
		eco->told_ms = 0;
	if (left >= TBTF_FORETELL_MS || (eco->told_ms && left > eco->told_ms / 2) ||
	    eco->told_ms == TBTF_ECONOMY_TICK_MS)
		return false;
	/* And that was the last word. */
	eco->told_ms = max_t(u64, left, TBTF_ECONOMY_TICK_MS);
	return true;
}
