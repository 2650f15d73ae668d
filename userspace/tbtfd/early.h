/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - stealing before the module asks: whether, and what that must not undo
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * early.c reckons and is tested on the host; early-watch.c looks at the machine.
 */
#ifndef _TBTFD_EARLY_H
#define _TBTFD_EARLY_H

#include <systemd/sd-event.h>

#include "extent.h"

/*
 * An extent is attached when less than this part of memory is available, and as little
 * swap is free. More would make swap of memory that is not needed; less is gone before
 * swapon(2) is done.
 */
#define TBTF_EARLY_LOW		16
/* Where tasks wait for memory, page cache that is needed counts as available. */
#define TBTF_EARLY_STALLED	4
/*
 * What has to be available after an extent has been given back: twice what would have
 * it attached again.
 */
#define TBTF_EARLY_HIGH		8
/* Memory is consumed by this much a second at most, KiB. */
#define TBTF_EARLY_RATE_KB	(4ULL << 20)
/* From one look to the next. */
#define TBTF_EARLY_MIN_MS	10
#define TBTF_EARLY_MAX_MS	1000

bool tbtf_early_short(const struct tbtf_room *room, uint64_t swap_free_kb, bool stalled);
bool tbtf_early_calm(const struct tbtf_room *room, uint64_t used_kb);
unsigned int tbtf_early_next_ms(const struct tbtf_room *room, uint64_t swap_free_kb);

/**
 * struct tbtf_early_ops - what the watch asks of the borrower
 * @attach: make one extent swap, and say so; @why: in words. Whether there was one
 * @local: whether some process has the mark TBTF_LOCAL
 */
struct tbtf_early_ops {
	bool (*attach)(const char *why);
	bool (*local)(void);
};

int tbtf_early_start(sd_event *event, const struct tbtf_early_ops *ops);

#endif /* _TBTFD_EARLY_H */
