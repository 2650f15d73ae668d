// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - roles, sizes and previews of other processes, by /dev/tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tbtf.h"

/* The number is the same everywhere but on alpha, which adds 110 to it. */
#ifndef SYS_pidfd_open
#ifdef __alpha__
#define SYS_pidfd_open	544
#else
#define SYS_pidfd_open	434
#endif
#endif

/*
 * Marks and processes come and go between asking how many there are and
 * reading them: ask for some more, and a few times.
 */
#define ROOM_EXTRA	32
#define ROOM_TRIES	16

int tbtf_open(void)
{
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* ENXIO, ENODEV: a node in a static /dev, and nobody behind it. */
	if (errno == ENOENT || errno == ENXIO)
		return -ENODEV;
	return -errno;
}

int tbtf_pidfd_open(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int call(int dev, unsigned long request, void *argument)
{
	return ioctl(dev, request, argument) < 0 ? -errno : 0;
}

int tbtf_get_version(int dev, struct tbtf_version *ret_version)
{
	struct tbtf_version version = { 0 };
	int err = call(dev, TBTF_IOC_VERSION, &version);

	if (!err)
		*ret_version = version;
	return err;
}

int tbtf_set_role(int dev, int pidfd, uint32_t role, uint32_t flags)
{
	struct tbtf_mark_args args = {
		.pidfd = pidfd,
		.role = role,
		.flags = flags,
	};

	return call(dev, TBTF_IOC_MARK, &args);
}

int tbtf_get_info(int dev, int pidfd, struct tbtf_info *ret_info)
{
	struct tbtf_query query = { .pidfd = pidfd };
	int err = call(dev, TBTF_IOC_QUERY, &query);

	if (!err)
		*ret_info = query.info;
	return err;
}

static int info_order(const void *a, const void *b)
{
	const struct tbtf_info *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

int tbtf_get_list(int dev, struct tbtf_info **ret_infos, size_t *ret_nr)
{
	struct tbtf_info *infos = NULL, *more;
	struct tbtf_list list = { 0 };
	uint32_t room = 0;
	int err, tries;

	for (tries = 0; tries < ROOM_TRIES; tries++) {
		list = (struct tbtf_list) { .entries = (uintptr_t)infos, .count = room };
		err = call(dev, TBTF_IOC_LIST, &list);
		if (err)
			goto out_infos;
		if (list.total <= room)
			break;
		room = list.total + list.total / 8 + ROOM_EXTRA;
		more = realloc(infos, room * sizeof(*infos));
		if (!more) {
			err = -ENOMEM;
			goto out_infos;
		}
		infos = more;
	}
	if (tries == ROOM_TRIES) {
		err = -EAGAIN;
		goto out_infos;
	}
	if (list.count)
		qsort(infos, list.count, sizeof(*infos), info_order);
	*ret_infos = infos;
	*ret_nr = list.count;
	return 0;

out_infos:
	free(infos);
	return err;
}

int tbtf_preview_candidates(int dev, int pidfd, int cgroup, uint32_t policy,
			    uint32_t flags, struct tbtf_preview *ret_preview,
			    struct tbtf_candidate **ret_candidates)
{
	struct tbtf_candidate *found = NULL, *more;
	struct tbtf_preview preview = { 0 };
	uint32_t room = 0;
	int err, tries;

	for (tries = 0; tries < ROOM_TRIES; tries++) {
		preview = (struct tbtf_preview) {
			.pidfd = pidfd,
			.cgroup = cgroup,
			.policy = policy,
			.flags = flags,
			.entries = (uintptr_t)found,
			.count = room,
		};
		err = call(dev, TBTF_IOC_PREVIEW, &preview);
		if (err)
			goto out_found;
		if (preview.total <= room || room == TBTF_PREVIEW_MAX)
			break;
		room = preview.total + preview.total / 8 + ROOM_EXTRA;
		if (room > TBTF_PREVIEW_MAX || room < preview.total)
			room = TBTF_PREVIEW_MAX;
		more = realloc(found, room * sizeof(*found));
		if (!more) {
			err = -ENOMEM;
			goto out_found;
		}
		found = more;
	}
	if (tries == ROOM_TRIES) {
		err = -EAGAIN;
		goto out_found;
	}
	*ret_preview = preview;
	*ret_candidates = found;
	return 0;

out_found:
	free(found);
	return err;
}

int tbtf_preview_draws(int dev, int pidfd, int cgroup, uint32_t policy,
		       int32_t *ret_pids, uint32_t nr,
		       struct tbtf_preview *ret_preview)
{
	struct tbtf_preview preview = {
		.pidfd = pidfd,
		.cgroup = cgroup,
		.policy = policy,
		.draws = nr ? (uintptr_t)ret_pids : 0,
		.nr_draws = nr,
	};
	int err = call(dev, TBTF_IOC_PREVIEW, &preview);

	if (!err && ret_preview)
		*ret_preview = preview;
	return err;
}
