// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the credit line: what is decided about it, as functions from numbers to numbers
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing here asks the machine or a lender anything, allocates, or has a clock:
 * selftests/host/unit_extent.c tries them all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extent.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * tbtf_extent_word() - a state, for people
 * @state: which
 *
 * Return: a word.
 */
const char *tbtf_extent_word(enum tbtf_extent_state state)
{
	static const char * const words[] = {
		[TBTF_EXTENT_NONE] = "none",
		[TBTF_EXTENT_BUILDING] = "building",
		[TBTF_EXTENT_READY] = "ready",
		[TBTF_EXTENT_ATTACHED] = "attached",
		[TBTF_EXTENT_LEAVING] = "leaving",
		[TBTF_EXTENT_WASH] = "emptied",
		[TBTF_EXTENT_DROP] = "given-back",
	};

	return state < ARRAY_SIZE(words) ? words[state] : "?";
}

/* At least one leg that holds the pages: is that true of each of them? */
static bool all_of(const struct tbtf_extent *extent, bool lost)
{
	unsigned int n = 0;

	for (size_t i = 0; i < TBTF_LEGS; i++) {
		const struct tbtf_leg *leg = &extent->leg[i];

		if (!leg->used || leg->stale)
			continue;
		if (!leg->lost && (lost || !leg->dead))
			return false;
		n++;
	}
	return n;
}

/**
 * tbtf_extent_sum() - what the legs together mean for the extent
 * @extent: whose legs may have changed
 * @broken: its mirror takes no more writes: its pages have to be brought back
 *
 * Context: lenders.c.
 * Return: whether the main thread should look.
 */
bool tbtf_extent_sum(struct tbtf_extent *extent, bool broken)
{
	bool dead = all_of(extent, false), lost = all_of(extent, true), revoked = broken, changed;
	int64_t lease_ms = 0;
	unsigned int copies = 0;

	for (size_t i = 0; i < TBTF_LEGS; i++) {
		const struct tbtf_leg *leg = &extent->leg[i];

		if (!leg->used)
			continue;
		revoked = revoked || leg->revoked;
		if (leg->stale || leg->lost)
			continue;
		copies++;
		if (leg->lease_ms > lease_ms)
			lease_ms = leg->lease_ms;
	}
	changed = extent->dead != dead || extent->lost != lost || extent->revoked != revoked ||
		  extent->copies != copies;
	extent->dead = dead;
	extent->lost = lost;
	extent->broken = broken;
	extent->revoked = revoked;
	extent->copies = copies;
	extent->lease_ms = lease_ms;
	return changed;
}

/**
 * tbtf_extent_size() - how large an extent is to be
 * @credit_kb: the line
 * @extent_kb: what the configuration says, or 0
 *
 * The line fits into TBTF_EXTENTS_READY of them, whatever the configuration says:
 * small extents are given back one by one, but there are only so many.
 *
 * Return: KiB, whole MiB, at least TBTF_EXTENT_MIN_KB.
 */
uint64_t tbtf_extent_size(uint64_t credit_kb, uint64_t extent_kb)
{
	uint64_t least = (credit_kb + TBTF_EXTENTS_READY - 1) / TBTF_EXTENTS_READY;

	if (extent_kb < least)
		extent_kb = least;
	if (extent_kb < TBTF_EXTENT_MIN_KB)
		extent_kb = TBTF_EXTENT_MIN_KB;
	return (extent_kb + 1023) / 1024 * 1024;
}

/**
 * tbtf_extent_next() - how much to ask a lender for
 * @credit_kb: the line
 * @extent_kb: tbtf_extent_size()
 * @ready_kb: what is ready of it, or being built
 * @offer_kb: what the lender has
 * @slots: how many extents there can still be
 *
 * When few can still be, as others are in use, they are made larger: what is missing
 * has to fit into them.
 *
 * Return: KiB, whole MiB; 0: nothing, for the line is whole or the offer too small.
 */
uint64_t tbtf_extent_next(uint64_t credit_kb, uint64_t extent_kb, uint64_t ready_kb,
			  uint64_t offer_kb, unsigned int slots)
{
	uint64_t kb = extent_kb;

	if (ready_kb >= credit_kb || !slots)
		return 0;
	if (kb < (credit_kb - ready_kb + slots - 1) / slots)
		kb = (credit_kb - ready_kb + slots - 1) / slots;
	kb = (kb + 1023) / 1024 * 1024;
	if (kb > credit_kb - ready_kb)
		kb = (credit_kb - ready_kb + 1023) / 1024 * 1024;
	if (kb > offer_kb)
		kb = offer_kb / 1024 * 1024;
	if (kb >= TBTF_EXTENT_MIN_KB)
		return kb;
	/* The last piece of a line is no smaller than the others may be. */
	return offer_kb >= TBTF_EXTENT_MIN_KB ? TBTF_EXTENT_MIN_KB : 0;
}

/* The nth of those that are there and swap or not, as said. */
static int nth(const struct tbtf_offer *offer, size_t n, bool may_swap, uint32_t which)
{
	for (size_t i = 0; i < n; i++)
		if (offer[i].there && offer[i].offer_kb >= TBTF_EXTENT_MIN_KB &&
		    offer[i].may_swap == may_swap && !which--)
			return i;
	return -1;
}

static uint32_t count(const struct tbtf_offer *offer, size_t n, bool may_swap)
{
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += offer[i].there && offer[i].offer_kb >= TBTF_EXTENT_MIN_KB &&
			 offer[i].may_swap == may_swap;
	return found;
}

/**
 * tbtf_extent_lender() - whom to ask for the next extent
 * @offer: what each has
 * @n: how many
 * @random: any number
 *
 * Of two drawn at random the one that offers more: offers are old when they are
 * compared, and if all took the best all would take the same. One that may itself swap
 * is asked when there is no other.
 *
 * Return: its index, or -1: there is none.
 */
int tbtf_extent_lender(const struct tbtf_offer *offer, size_t n, uint32_t random)
{
	bool may_swap = !count(offer, n, false);
	uint32_t there = count(offer, n, may_swap), first, second;
	int a, b;

	if (!there)
		return -1;
	first = random % there;
	/* Another one, if there is. */
	second = there > 1 ? (first + 1 + (random / there) % (there - 1)) % there : first;
	a = nth(offer, n, may_swap, first);
	b = nth(offer, n, may_swap, second);
	return offer[b].offer_kb > offer[a].offer_kb ? b : a;
}

/* How many of those attached have a lender in common with this one. */
static unsigned int in_common(const struct tbtf_extent *extent, size_t n,
			      const struct tbtf_extent *with)
{
	unsigned int found = 0;

	for (size_t i = 0; i < n; i++) {
		int state = tbtf_extent_state(&extent[i]);

		if (state != TBTF_EXTENT_ATTACHED && state != TBTF_EXTENT_LEAVING)
			continue;
		for (size_t j = 0; j < TBTF_LEGS * TBTF_LEGS; j++) {
			const struct tbtf_leg *a = &extent[i].leg[j / TBTF_LEGS];
			const struct tbtf_leg *b = &with->leg[j % TBTF_LEGS];

			found += a->used && b->used && a->peer == b->peer;
		}
	}
	return found;
}

/* Are all copies there, and can they be reached? */
static bool whole(const struct tbtf_extent *extent)
{
	unsigned int n = 0;

	for (size_t i = 0; i < TBTF_LEGS; i++)
		n += extent->leg[i].used && !extent->leg[i].stale && !extent->leg[i].lost &&
		     !extent->leg[i].dead;
	return n >= extent->legs;
}

/**
 * tbtf_extent_pick() - which extent is attached next
 * @extent: the line
 * @n: its slots
 *
 * Of those that are this node's own, and close no ring: one that has all its copies, if
 * there is one. Then the one whose lenders have the fewest attached: the kernel spreads
 * pages evenly over devices of equal priority. Then the one that has been ready longest.
 *
 * Context: owner main; allocates nothing.
 * Return: its slot, or -1: none is ready.
 */
int tbtf_extent_pick(const struct tbtf_extent *extent, size_t n)
{
	unsigned int least = 0;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		const struct tbtf_extent *e = &extent[i];
		unsigned int of_peer;

		if (tbtf_extent_state(e) != TBTF_EXTENT_READY || e->dead || e->revoked || e->lost ||
		    e->barred || e->path.n > 1)
			continue;
		of_peer = in_common(extent, n, e);
		if (best >= 0 && whole(&extent[best]) != whole(e)) {
			if (whole(&extent[best]))
				continue;
		} else if (best >= 0 && (of_peer > least ||
			   (of_peer == least && e->leased_s >= extent[best].leased_s))) {
			continue;
		}
		best = i;
		least = of_peer;
	}
	return best;
}

/**
 * tbtf_extent_emptiest() - which extent could be given back
 * @use: the line
 * @n: its slots
 *
 * Return: the slot that holds least, of equals the oldest; -1: none is attached.
 */
int tbtf_extent_emptiest(const struct tbtf_use *use, size_t n)
{
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		if (!use[i].attached)
			continue;
		if (best < 0 || use[i].used_kb < use[best].used_kb ||
		    (use[i].used_kb == use[best].used_kb &&
		     use[i].attached_s < use[best].attached_s))
			best = i;
	}
	return best;
}

/**
 * tbtf_extent_worth() - may a swapoff that failed do better now?
 * @extent: which is swap
 * @used_kb: what it holds now
 *
 * Return: whether none has failed, or an eighth less is in use than when one did.
 */
bool tbtf_extent_worth(const struct tbtf_extent *extent, uint64_t used_kb)
{
	return !extent->failed_kb || used_kb <= extent->failed_kb - extent->failed_kb / 8;
}

/**
 * tbtf_extent_crowded() - would swap be short if one extent were given back?
 * @extent: all
 * @n: how many there are
 * @but: which is to go
 * @size_kb: of the process for which there is swap, all of it: what is in memory may have
 *	its place in swap as well; 0: it does not matter
 *
 * Swap must not be full: then the kernel takes no more from processes, not even what has
 * been written already.
 *
 * Return: whether what is left has no room for all of it and an eighth; false where the
 * extent is the only one.
 */
bool tbtf_extent_crowded(const struct tbtf_extent *extent, size_t n, int but, uint64_t size_kb)
{
	uint64_t left_kb = 0;

	for (size_t i = 0; i < n; i++)
		if ((int)i != but && tbtf_extent_state(&extent[i]) == TBTF_EXTENT_ATTACHED &&
		    !extent[i].lost && !extent[i].dead)
			left_kb += extent[i].kb;
	return left_kb && left_kb < size_kb + size_kb / 8;
}

/**
 * tbtf_extent_fits() - is there room for pages that come back, and some to spare?
 * @used_kb: how much comes back
 * @room: the machine's memory
 * @share: what is to spare: memory divided by this, TBTF_SPARE_*
 *
 * What the kernel keeps free for itself is not in MemAvailable already. Nothing always
 * fits.
 *
 * Return: whether.
 */
bool tbtf_extent_fits(uint64_t used_kb, const struct tbtf_room *room, unsigned int share)
{
	uint64_t spare = room->total_kb / share;

	return !used_kb || (room->available_kb > spare && room->available_kb - spare >= used_kb);
}

/**
 * tbtf_extent_min_free() - what vm.min_free_kbytes has to be while pages go out
 * @total_kb: the machine's memory
 * @said_kb: what the configuration says, or 0
 *
 * The network needs memory to send pages away with, and the answers of the lender
 * need some to be received: with the kernel's own value a machine with large frames
 * stood still for ever.
 *
 * Return: KiB.
 */
uint64_t tbtf_extent_min_free(uint64_t total_kb, uint64_t said_kb)
{
	uint64_t kb = total_kb / 100;

	if (said_kb)
		return said_kb;
	if (kb < 64 * 1024)
		return 64 * 1024;
	return kb > 512 * 1024 ? 512 * 1024 : kb;
}

/**
 * tbtf_extent_ballast() - how much memory has to be given up for some to be free
 * @total_kb: the machine's memory
 * @min_free_kb: vm.min_free_kbytes
 * @cpus: how many
 * @said_kb: how much shall be free, of the configuration
 *
 * What a CPU frees it keeps for itself at first, up to its share of the low watermark,
 * which is a quarter above min_free_kbytes; and what it keeps does not count as free
 * when an allocation is refused. So that much is lost. With 4 MiB of ballast on a machine
 * of 2 CPUs and 8 MiB of min_free_kbytes all of it was.
 *
 * Return: KiB; at most a sixteenth of memory, but not less than @said_kb.
 */
uint64_t tbtf_extent_ballast(uint64_t total_kb, uint64_t min_free_kb, unsigned int cpus,
			     uint64_t said_kb)
{
	uint64_t kept = min_free_kb * 5 / 4 / (cpus ? cpus : 1), most = total_kb / 16;

	if (!said_kb)
		return 0;
	if (said_kb + kept > most)
		return said_kb > most ? said_kb : most;
	return said_kb + kept;
}

/**
 * tbtf_extent_backend() - what an extent's device is called in sysfs
 * @ret: where it goes
 * @size: of @ret
 * @peer: the lender's name
 * @lease: the number of the lease
 *
 * By this the daemon knows its own after a crash, and touches no others.
 *
 * Return: 0; -ENAMETOOLONG: no room.
 */
int tbtf_extent_backend(char *ret, size_t size, const char *peer, uint64_t lease)
{
	int len = snprintf(ret, size, "tbtf:%s:%" PRIu64, peer, lease);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/**
 * tbtf_extent_backend_parse() - the opposite
 * @text: a line of /sys/block/nbdN/backend, with or without its newline
 * @ret_peer: the lender's name
 * @ret_lease: the number of the lease
 *
 * Return: 0; -EINVAL: not of this daemon.
 */
int tbtf_extent_backend_parse(const char *text, char ret_peer[TBTF_NAME_LEN], uint64_t *ret_lease)
{
	const char *colon, *digit;
	char name[TBTF_NAME_LEN];
	uint64_t lease = 0;

	if (strncmp(text, "tbtf:", 5))
		return -EINVAL;
	text += 5;
	colon = strchr(text, ':');
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, colon - text);
	name[colon - text] = 0;
	for (digit = colon + 1; *digit >= '0' && *digit <= '9'; digit++) {
		if (lease > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		lease = lease * 10 + (*digit - '0');
	}
	if (digit == colon + 1 || (*digit && strcmp(digit, "\n")) || !tbtf_conf_name_ok(name))
		return -EINVAL;
	strcpy(ret_peer, name);
	*ret_lease = lease;
	return 0;
}
