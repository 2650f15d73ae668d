// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a sample of the machine's memory, of the protected and of the crowd
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What tbtf top looks at, without its screen.
 */
#include <string.h>

#include "sample.h"
#include "top.h"

void tbtf_sample(struct tbtf_sample *ret)
{
	static struct top machine;
	static bool begun;

	if (!begun)
		top_init(&machine, 1000);
	begun = true;
	top_look(&machine);
	*ret = (struct tbtf_sample) {
		.total_kb = machine.total_kb,
		.free_kb = machine.free_kb,
		.available_kb = machine.available_kb,
		.swap_total_kb = machine.swap_total_kb,
		.swap_free_kb = machine.swap_free_kb,
		.has_psi = machine.has_psi,
		.some_us = machine.some_us,
		.full_us = machine.full_us,
		.has_marked = machine.loaded && machine.dev >= 0,
	};
	if (ret->has_marked)
		top_marked_sums(&machine, &ret->protected_kb, &ret->crowd_kb, &ret->crowd);
}
