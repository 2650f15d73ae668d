// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the line as it is found: what a daemon before this one has left
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Connections and swap belong to the kernel, so both outlive a daemon that is killed.
 * The names of the devices say which are ours, /proc/swaps which are in use, and the
 * lender, when it is asked, says the rest.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "lenders.h"
#include "log.h"

/* More swap devices than any kernel has. */
#define SWAPS_MAX	40

/**
 * tbtf_line_device() - the file of an extent's device
 * @extent: which has one
 * @ret: where it goes
 *
 * Context: any; allocates nothing.
 */
void tbtf_line_device(const struct tbtf_extent *extent, char ret[TBTF_DEVICE_LEN])
{
	(void)snprintf(ret, TBTF_DEVICE_LEN, "/dev/nbd%d", extent->index);
}

/**
 * tbtf_line_peer() - the name of an extent's lender
 * @line: the line
 * @extent: of it
 *
 * Return: the name, or "?" if it is no longer in the configuration.
 */
const char *tbtf_line_peer(const struct tbtf_line *line, const struct tbtf_extent *extent)
{
	return extent->peer < line->conf->peers ? line->conf->peer[extent->peer].name : "?";
}

/**
 * tbtf_line_kick() - wake the other thread
 * @eventfd: the line's to_main or to_lenders
 *
 * Context: any; allocates nothing, never waits.
 */
void tbtf_line_kick(int eventfd)
{
	uint64_t one = 1;

	if (write(eventfd, &one, sizeof(one)) < 0)
		return;		/* it is full: then it is awake */
}

static const struct tbtf_swap *find_swap(const struct tbtf_swap *swap, int n, const char *device)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(swap[i].device, device))
			return &swap[i];
	return NULL;
}

static uint64_t size_of(int index)
{
	char path[64];
	unsigned long long sectors = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/sys/block/nbd%d/size", index);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &sectors) != 1)
		sectors = 0;
	(void)fclose(file);
	return sectors / 2;
}

static size_t peer_index(const struct tbtf_line *line, const char *name)
{
	for (size_t i = 0; i < line->conf->peers; i++)
		if (!strcmp(line->conf->peer[i].name, name))
			return i;
	return TBTF_NO_PEER;
}

static void adopt(struct tbtf_line *line, struct tbtf_extent *extent, int index,
		  const char *peer, const struct tbtf_swap *swap, int swaps)
{
	const struct tbtf_swap *used;
	char device[TBTF_DEVICE_LEN];

	extent->index = index;
	extent->fd = -1;
	extent->peer = peer_index(line, peer);
	extent->kb = size_of(index);
	extent->lease_ms = TBTF_LEASE_MS;
	/* Since when is not known any more. */
	extent->leased_s = extent->attached_s = time(NULL);
	/* Whether its connection is, the lender's thread finds out. */
	extent->dead = true;
	tbtf_line_device(extent, device);
	used = find_swap(swap, swaps, device);
	tbtf_info("%s of %s is still here: %s", device, peer, used ? "it is swap" : "it was ready");
	tbtf_extent_set(extent, used ? TBTF_EXTENT_ATTACHED : TBTF_EXTENT_WASH);
}

/**
 * tbtf_line_find() - find the extents that a daemon before this one left, and free types
 * @line: with its configuration; no extent is used yet
 *
 * Context: before the lenders' thread is there.
 * Return: 0; -ENOSPC: other swap leaves no room, which has been said; or an errno
 * of /proc/swaps.
 */
int tbtf_line_find(struct tbtf_line *line)
{
	struct tbtf_swap swap[SWAPS_MAX];
	int swaps = tbtf_swap_list(swap, SWAPS_MAX), others;
	char backend[128], peer[TBTF_NAME_LEN];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	if (swaps < 0) {
		tbtf_err("cannot read /proc/swaps: %s", strerror(-swaps));
		return swaps;
	}
	others = swaps < SWAPS_MAX ? swaps : SWAPS_MAX;
	dir = opendir("/sys/block");
	while (dir && (entry = readdir(dir))) {
		char device[TBTF_DEVICE_LEN], rest;
		uint64_t lease;
		int index;

		if (sscanf(entry->d_name, "nbd%d%c", &index, &rest) != 1 ||
		    tbtf_nbd_backend(index, backend, sizeof(backend)) ||
		    tbtf_extent_backend_parse(backend, peer, &lease))
			continue;
		if (n == TBTF_EXTENTS) {
			tbtf_warning("/dev/nbd%d is one of ours too many, and left alone", index);
			continue;
		}
		line->extent[n].lease = lease;
		(void)snprintf(device, sizeof(device), "/dev/nbd%d", index);
		if (find_swap(swap, swaps, device))
			others--;
		adopt(line, &line->extent[n++], index, peer, swap, swaps);
	}
	if (dir)
		(void)closedir(dir);
	line->slots = TBTF_EXTENTS;
	if (others > TBTF_SWAP_TYPES - TBTF_EXTENTS) {
		line->slots = others < TBTF_SWAP_TYPES ? TBTF_SWAP_TYPES - others : 0;
		tbtf_warning("other swap devices: %d; that leaves %zu for extents, of %d",
			     others, line->slots, TBTF_EXTENTS);
	}
	if (line->slots < 2 || line->slots < n) {
		tbtf_err("%d other swap devices leave no room: a kernel has %d at the least",
			 others, TBTF_SWAP_TYPES);
		return -ENOSPC;
	}
	return 0;
}
