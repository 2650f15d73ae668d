// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the borrower's beginning: what has to be true first, and what a dry run says
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "borrow.h"
#include "daemon.h"
#include "early.h"
#include "log.h"
#include "memory.h"
#include "press.h"

/**
 * tbtf_borrow_prepare() - what has to be true before anything is borrowed
 * @conf: the configuration, checked
 * @ret_ballast_kb: how much memory was taken to be given up
 *
 * Return: 0; or the errno of what is not possible, which has been said.
 */
int tbtf_borrow_prepare(const struct tbtf_conf *conf, uint64_t *ret_ballast_kb)
{
	struct tbtf_room room;
	int err;

	if (mkdir(TBTF_RUN_DIR, 0750) && errno != EEXIST) {
		tbtf_err("cannot make %s: %s", TBTF_RUN_DIR, strerror(errno));
		return -errno;
	}
	err = tbtf_memory_lock();
	if (!err)
		err = tbtf_memory_first();
	if (err)
		return err;
	err = tbtf_memory_raise(conf->borrow.min_free_kb);
	if (err)
		return err;
	err = tbtf_memory_room(&room);
	if (err)
		return err;
	*ret_ballast_kb = tbtf_extent_ballast(room.total_kb, room.min_free_kb,
					      sysconf(_SC_NPROCESSORS_ONLN),
					      conf->borrow.ballast_kb);
	err = tbtf_memory_ballast(*ret_ballast_kb);
	if (err)
		tbtf_err("cannot take a ballast of %" PRIu64 " kB: %s", *ret_ballast_kb, strerror(-err));
	else
		tbtf_debug("ballast: %" PRIu64 " kB", *ret_ballast_kb);
	return err;
}

/**
 * tbtf_borrow_plan() - say what would be done, and do nothing
 * @conf: the configuration, checked
 *
 * Return: an exit code.
 */
int tbtf_borrow_plan(const struct tbtf_conf *conf)
{
	uint64_t extent_kb = tbtf_extent_size(conf->borrow.credit_kb, conf->borrow.extent_kb);
	struct tbtf_room room;
	uint64_t min_free_kb;

	if (tbtf_memory_room(&room)) {
		tbtf_err("cannot read /proc/meminfo");
		return EXIT_FAILED;
	}
	min_free_kb = tbtf_extent_min_free(room.total_kb, conf->borrow.min_free_kb);
	tbtf_info("dry run: would lock itself in memory, with a ballast of %" PRIu64 " kB",
		  tbtf_extent_ballast(room.total_kb, min_free_kb, sysconf(_SC_NPROCESSORS_ONLN),
				      conf->borrow.ballast_kb));
	tbtf_info("dry run: would have vm.min_free_kbytes at %" PRIu64 " or more, which is %" PRIu64,
		  min_free_kb, room.min_free_kb);
	if (conf->peers) {
		tbtf_info("dry run: would keep %" PRIu64 " kB ready, in extents of up to %" PRIu64 " kB, each a swap device of priority %" PRIu64,
			  conf->borrow.credit_kb, extent_kb, conf->borrow.priority);
		tbtf_info("dry run: would have %s of each page, which lenders %s read",
			  conf->borrow.copies > 1 ? "two copies" : "one copy",
			  conf->borrow.secrecy == TBTF_SECRECY_LENDER ? "cannot" : "can");
		if (conf->borrow.steal_when == TBTF_STEAL_PRESSURE)
			tbtf_info("dry run: would steal when less than %" PRIu64 " kB are available, and as little swap is free",
				  room.total_kb / TBTF_EARLY_LOW);
	}
	for (size_t i = 0; i < conf->peers; i++)
		tbtf_info("dry run: would ask %s at %s", conf->peer[i].name,
			  conf->peer[i].address.text);
	tbtf_press_plan(conf);
	return EXIT_OK;
}
