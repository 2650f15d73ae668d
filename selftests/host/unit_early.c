// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - unit tests of stealing before the module asks (host)
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include "unit.h"
#include "../../userspace/tbtfd/early.h"

#define MIB	1024ULL
#define GIB	(1024 * MIB)

static struct tbtf_room room(uint64_t total_kb, uint64_t available_kb)
{
	return (struct tbtf_room){ .total_kb = total_kb, .available_kb = available_kb };
}

static bool is_short(uint64_t available_kb, uint64_t swap_free_kb, bool stalled)
{
	struct tbtf_room r = room(16 * GIB, available_kb);

	return tbtf_early_short(&r, swap_free_kb, stalled);
}

static bool calm(uint64_t available_kb, uint64_t used_kb)
{
	struct tbtf_room r = room(16 * GIB, available_kb);

	return tbtf_early_calm(&r, used_kb);
}

static unsigned int next_ms(uint64_t total_kb, uint64_t available_kb, uint64_t swap_free_kb)
{
	struct tbtf_room r = room(total_kb, available_kb);

	return tbtf_early_next_ms(&r, swap_free_kb);
}

static void test_short(void)
{
	is("short: plenty", is_short(8 * GIB, 0, false), 0);
	is("short: a sixteenth is enough", is_short(GIB, 0, false), 0);
	is("short: less is not", is_short(GIB - 1, 0, false), 1);
	is("short: nothing at all", is_short(0, 0, false), 1);
	is("short: but there is swap", is_short(0, GIB, false), 0);
	is("short: of which little is left", is_short(0, GIB - 1, false), 1);
	is("short: tasks wait, and a quarter is cache that they need", is_short(4 * GIB - 1, 0, true), 1);
	is("short: tasks wait for something else", is_short(4 * GIB, 0, true), 0);
	is("short: tasks wait, and there is swap", is_short(GIB, 2 * GIB, true), 0);
}

static void test_calm(void)
{
	is("calm: an eighth stays", calm(2 * GIB, 0), 1);
	is("calm: less stays", calm(2 * GIB - 1, 0), 0);
	is("calm: an eighth stays beside what comes back", calm(3 * GIB, GIB), 1);
	is("calm: less stays beside it", calm(3 * GIB, GIB + 1), 0);
	is("calm: more than there is", calm(3 * GIB, 20 * GIB), 0);
}

static void test_next(void)
{
	bool ends = true;

	is("next: far away", next_ms(64 * GIB, 32 * GIB, 0), TBTF_EARLY_MAX_MS);
	is("next: 5 GiB before it, of which a sixteenth is 4", next_ms(64 * GIB, 5 * GIB, 0), 250);
	is("next: with swap", next_ms(64 * GIB, 4 * GIB, 2 * GIB), 500);
	is("next: about to", next_ms(64 * GIB, 4 * GIB + 1, 0), TBTF_EARLY_MIN_MS);
	is("next: a small machine", next_ms(128 * MIB, 64 * MIB, 0), 13);
	/* However fast it goes, the last look before the mark finds half of it still there. */
	for (uint64_t left = 16 * GIB; left > 4 * GIB; left -= 64 * MIB) {
		uint64_t gone = next_ms(64 * GIB, left, 0) * TBTF_EARLY_RATE_KB / 1000;

		ends = ends && left - (gone < left ? gone : left) >= 4 * GIB - 64 * MIB;
	}
	result(ends, "next: nobody gets past the mark unseen");
}

/*
 * A machine whose processes want so much, all the time: what does not fit is swapped. It
 * attaches and gives back as the daemon would, for a long time. Returns how often it did
 * either after it should have settled.
 */
static unsigned int restless(uint64_t wanted, uint64_t extent)
{
	uint64_t total = 16 * GIB, attached = 0;
	unsigned int changes = 0;

	for (int step = 0; step < 1000; step++) {
		/* The kernel keeps a little free, and swaps what is beyond. */
		uint64_t keeps = total / 64, fits = total - keeps;
		uint64_t used = wanted > fits ? wanted - fits : 0;
		struct tbtf_room r;
		uint64_t held;

		if (used > attached)
			used = attached;
		r = room(total, total - keeps > wanted - used ? total - keeps - (wanted - used) : 0);
		/* All of it is in one extent, the worst of them; the others are empty. */
		held = used < extent ? used : extent;
		if (tbtf_early_short(&r, attached - used, false)) {
			attached += extent;
			changes += step >= 500;
		} else if (attached && tbtf_early_calm(&r, attached - used >= extent ? 0 : held)) {
			attached -= extent;
			changes += step >= 500;
		}
	}
	return changes;
}

static void test_settles(void)
{
	unsigned int worst = 0;

	for (uint64_t wanted = 8 * GIB; wanted < 32 * GIB; wanted += 32 * MIB)
		for (uint64_t extent = 256 * MIB; extent <= 4 * GIB; extent *= 2) {
			unsigned int n = restless(wanted, extent);

			worst = n > worst ? n : worst;
		}
	is("settles: whatever is wanted, nothing goes to and fro", worst, 0);
}

int main(void)
{
	test_short();
	test_calm();
	test_next();
	test_settles();
	return !!failed;
}
