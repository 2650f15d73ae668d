/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a raised limit of a cgroup: how far up, how far down again; only arithmetic
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_LIMIT_H
#define _TBTFD_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent.h"

/* memory.max and memory.high: "max" */
#define TBTF_LIMIT_NONE		UINT64_MAX
#define TBTF_LIMIT_PATH		1024
/* A line of the state file. */
#define TBTF_LIMIT_LINE		(TBTF_LIMIT_PATH + 160)
/* Less is not worth a step, nor does the module take it for memory. */
#define TBTF_LIMIT_LEAST	(4ULL << 20)

/**
 * struct tbtf_limit - a cgroup whose limit is not what it was
 * @id: of the cgroup; 0: this entry is free
 * @max: memory.max before, in bytes, as all of these
 * @high: memory.high before, or TBTF_LIMIT_NONE
 * @set: memory.max now, or about to be
 * @from: memory.max before the last step: what it is when that was not made
 * @path: below the mount of cgroup2, for people and for who comes after
 */
struct tbtf_limit {
	uint64_t id;
	uint64_t max, high;
	uint64_t set, from;
	char path[TBTF_LIMIT_PATH];
};

uint64_t tbtf_limit_room(const struct tbtf_room *room, uint64_t promised_kb);
uint64_t tbtf_limit_up(uint64_t now, uint64_t wanted, uint64_t most, uint64_t room, uint64_t above);
uint64_t tbtf_limit_down(const struct tbtf_limit *limit);
uint64_t tbtf_limit_slack(uint64_t max);
uint64_t tbtf_limit_high(const struct tbtf_limit *limit, uint64_t max);
uint64_t tbtf_limit_push(uint64_t max);
bool tbtf_limit_can(uint64_t usage, uint64_t cache, uint64_t max);
bool tbtf_limit_ours(const struct tbtf_limit *limit, uint64_t high);
int tbtf_limit_format(char *ret, size_t size, const struct tbtf_limit *limit);
int tbtf_limit_parse(const char *line, struct tbtf_limit *ret);

#endif /* _TBTFD_LIMIT_H */
