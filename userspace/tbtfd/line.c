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
 * tbtf_line_peer() - the name of a leg's lender
 * @line: the line
 * @leg: of it
 *
 * Return: the name, or "?" if it is no longer in the configuration.
 */
const char *tbtf_line_peer(const struct tbtf_line *line, const struct tbtf_leg *leg)
{
	size_t peer = leg->peer;

	return peer < line->conf->peers ? line->conf->peer[peer].name : "?";
}

/**
 * tbtf_line_names() - the names of an extent's lenders
 * @line: the line
 * @extent: of it
 * @ret: where they go
 *
 * Context: any; allocates nothing.
 * Return: @ret; "nobody" if there is none.
 */
const char *tbtf_line_names(const struct tbtf_line *line, const struct tbtf_extent *extent,
			    char ret[TBTF_NAMES_LEN])
{
	size_t len = 0;

	strcpy(ret, "nobody");
	for (size_t i = 0; i < TBTF_LEGS; i++)
		if (extent->leg[i].used)
			len += snprintf(ret + len, TBTF_NAMES_LEN - len, "%s%s", len ? " and " : "",
					tbtf_line_peer(line, &extent->leg[i]));
	return ret;
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

static uint64_t size_of(const char *device)
{
	unsigned long long sectors = 0;
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/sys/block/%s/size", device + 5);
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

/* The device that stands on this one and is called so, if there is one. */
static bool above(const char *device, const char *called, char ret[TBTF_DEVICE_LEN])
{
	char path[64 + TBTF_DEVICE_LEN];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/sys/block/%s/holders", device + 5);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		found = !strncmp(entry->d_name, called, strlen(called)) &&
			strlen(entry->d_name) < TBTF_DEVICE_LEN - 5;
		if (found)
			(void)snprintf(ret, TBTF_DEVICE_LEN, "/dev/%.26s", entry->d_name);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

/* The extent that the device belongs to: one that has the same mirror, or a new one. */
static struct tbtf_extent *extent_with(struct tbtf_line *line, size_t *n, const char *device)
{
	char mirror[TBTF_DEVICE_LEN] = "";
	struct tbtf_extent *extent;

	if (above(device, "md_tbtf_", mirror))
		for (size_t i = 0; i < *n; i++)
			if (!strcmp(line->extent[i].mirror, mirror))
				return &line->extent[i];
	if (*n == TBTF_EXTENTS)
		return NULL;
	extent = &line->extent[(*n)++];
	extent->legs = *mirror ? TBTF_LEGS : 1;
	extent->fd = -1;
	extent->percent = -1;
	strcpy(extent->mirror, mirror);
	strcpy(extent->device, *mirror ? mirror : device);
	if (above(extent->device, "dm-", extent->crypt))
		strcpy(extent->device, extent->crypt);
	return extent;
}

static void adopt_leg(struct tbtf_line *line, struct tbtf_extent *extent, int index,
		      const char *peer, uint64_t lease)
{
	struct tbtf_leg *leg = &extent->leg[extent->leg[0].used];

	if (leg->used)
		return;		/* a third member of a mirror: none of this daemon's making */
	leg->used = true;
	leg->index = index;
	leg->peer = peer_index(line, peer);
	leg->lease = lease;
	leg->lease_ms = TBTF_LEASE_MS;
	/* Whether its connection is, the lender's thread finds out. */
	leg->dead = true;
}

static void adopt(struct tbtf_line *line, struct tbtf_extent *extent,
		  const struct tbtf_swap *swap, int swaps)
{
	const struct tbtf_swap *used = find_swap(swap, swaps, extent->device);
	char names[TBTF_NAMES_LEN];

	extent->kb = size_of(extent->device);
	/* Since when is not known any more. */
	extent->leased_s = extent->attached_s = time(NULL);
	(void)tbtf_extent_sum(extent, false);
	tbtf_info("%s of %s is still here: %s", extent->device,
		  tbtf_line_names(line, extent, names), used ? "it is swap" : "it was ready");
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
		struct tbtf_extent *extent;
		uint64_t lease;
		int index;

		if (sscanf(entry->d_name, "nbd%d%c", &index, &rest) != 1 ||
		    tbtf_nbd_backend(index, backend, sizeof(backend)) ||
		    tbtf_extent_backend_parse(backend, peer, &lease))
			continue;
		(void)snprintf(device, sizeof(device), "/dev/nbd%d", index);
		extent = extent_with(line, &n, device);
		if (extent)
			adopt_leg(line, extent, index, peer, lease);
		else
			tbtf_warning("%s is one of ours too many, and left alone", device);
	}
	if (dir)
		(void)closedir(dir);
	for (size_t i = 0; i < n; i++) {
		others -= !!find_swap(swap, swaps, line->extent[i].device);
		adopt(line, &line->extent[i], swap, swaps);
	}
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
