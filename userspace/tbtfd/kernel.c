// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the conversation with the module: /dev/tbtf as its helper
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel.h"

/* Processes with a role of their own that are looked through. */
#define LIST_MAX	512

/**
 * tbtf_kernel_open() - become the helper
 * @rungs: TBTF_RUNG_*, those that are asked for
 *
 * Return: the descriptor, which does not block; -ENOENT: the module is not loaded;
 * -ENOTTY: it is too old for helpers; -EBUSY: there is a helper; -EPERM, -EACCES;
 * -ENOSPC, -ENOMEM: no mark is left for a helper.
 */
int tbtf_kernel_open(uint32_t rungs)
{
	struct tbtf_helper helper = { .rungs = rungs };
	int dev = open("/dev/tbtf", O_RDWR | O_CLOEXEC | O_NONBLOCK), err;

	if (dev < 0)
		return -errno;
	if (ioctl(dev, TBTF_IOC_HELPER, &helper)) {
		err = -errno;
		(void)close(dev);
		return err;
	}
	return dev;
}

/**
 * tbtf_kernel_read() - the next request
 * @dev: the descriptor
 * @ret: where it goes
 *
 * Context: the path of a steal; allocates nothing, does not wait.
 * Return: 0; -EAGAIN: there is none; -EPROTO: a request of a module that is newer in
 * a way that this daemon cannot know; -ENOTCONN: not the helper any more.
 */
int tbtf_kernel_read(int dev, struct tbtf_request *ret)
{
	ssize_t len = read(dev, ret, sizeof(*ret));

	if (len < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (len != sizeof(*ret) || ret->version != TBTF_REQUEST_VERSION)
		return -EPROTO;
	ret->comm[sizeof(ret->comm) - 1] = 0;
	return 0;
}

/**
 * tbtf_kernel_answer() - what has become of a request
 * @dev: the descriptor
 * @id: which
 * @result: TBTF_ANSWER_*
 * @granted_kb: with TBTF_ANSWER_GRANTED how much
 *
 * Context: the path of a steal; allocates nothing, does not wait.
 * Return: 0; -ESRCH: it is over; or another errno of TBTF_IOC_ANSWER.
 */
int tbtf_kernel_answer(int dev, uint64_t id, enum tbtf_answer_result result, uint64_t granted_kb)
{
	struct tbtf_answer answer = {
		.id = id,
		.result = result,
		.granted_kb = granted_kb,
	};

	return ioctl(dev, TBTF_IOC_ANSWER, &answer) ? -errno : 0;
}

/**
 * tbtf_kernel_local() - has some process the mark TBTF_LOCAL?
 * @dev: the descriptor
 *
 * Context: thread main; allocates nothing.
 * Return: whether; true as well if that cannot be found out.
 */
bool tbtf_kernel_local(int dev)
{
	static struct tbtf_info infos[LIST_MAX];
	struct tbtf_list list = { .entries = (uintptr_t)infos, .count = LIST_MAX };

	if (ioctl(dev, TBTF_IOC_LIST, &list) || list.total > list.count)
		return true;
	for (uint32_t i = 0; i < list.count; i++)
		if (infos[i].flags & TBTF_LOCAL)
			return true;
	return false;
}
