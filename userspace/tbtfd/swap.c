// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - swap devices: header, swapon, swapoff, what is in use
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/swap.h>
#include <unistd.h>

#include "swap.h"

/* swapon(2): trim clusters of pages when they are free; not the whole device at first. */
#ifndef SWAP_FLAG_DISCARD
#define SWAP_FLAG_DISCARD	0x10000
#endif
#define SWAP_FLAG_DISCARD_PAGES	0x40000

/* As many lines as there can be swap devices, and the title. */
#define SWAPS_TEXT		8192

/* The kernel's union swap_header, version 1: what it reads of it. */
struct header {
	char boot[1024];
	uint32_t version;
	uint32_t last_page;
	uint32_t bad_pages;
	unsigned char uuid[16];
	char label[16];
};

/**
 * tbtf_swap_header() - what mkswap(8) writes at the beginning of a device
 * @header: where it goes: the device's first page
 * @kb: the device's size, whole pages
 * @label: up to 15 characters: whose it is
 *
 * Return: 0; -ERANGE: a device that small or large is no swap.
 */
int tbtf_swap_header(unsigned char header[TBTF_SWAP_HEADER], uint64_t kb, const char *label)
{
	uint64_t pages = kb / (TBTF_SWAP_HEADER / 1024);
	struct header h = { .version = 1 };

	if (pages < 10 || pages > UINT32_MAX)
		return -ERANGE;
	h.last_page = pages - 1;
	(void)snprintf(h.label, sizeof(h.label), "%s", label);
	/* Two of the same would be confused by those who look for swap by its uuid. */
	if (getrandom(h.uuid, sizeof(h.uuid), GRND_NONBLOCK) != sizeof(h.uuid))
		memset(h.uuid, 0, sizeof(h.uuid));
	memset(header, 0, TBTF_SWAP_HEADER);
	memcpy(header, &h, sizeof(h));
	memcpy(header + TBTF_SWAP_HEADER - 10, "SWAPSPACE2", 10);
	return 0;
}

/**
 * tbtf_swap_labelled() - is that the header of swap with this label?
 * @header: the first page of a device or file
 * @label: as given to tbtf_swap_header()
 *
 * Return: whether.
 */
bool tbtf_swap_labelled(const unsigned char header[TBTF_SWAP_HEADER], const char *label)
{
	struct header h;

	memcpy(&h, header, sizeof(h));
	return !memcmp(header + TBTF_SWAP_HEADER - 10, "SWAPSPACE2", 10) &&
	       !strncmp(h.label, label, sizeof(h.label));
}

/**
 * tbtf_swap_on() - make a prepared device swap
 * @device: its file
 * @priority: equal ones are used in turn, 0 to 32767
 *
 * Context: the path of a steal. In user space nothing is allocated.
 * Return: 0, or the errno of swapon(2).
 */
int tbtf_swap_on(const char *device, unsigned int priority)
{
	int flags = SWAP_FLAG_PREFER | (priority & SWAP_FLAG_PRIO_MASK) |
		    SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES;

	return swapon(device, flags) ? -errno : 0;
}

/**
 * tbtf_swap_on_last() - make a prepared file swap, of the lowest priority that there is
 * @file: its name
 *
 * Return: 0, or the errno of swapon(2).
 */
int tbtf_swap_on_last(const char *file)
{
	return swapon(file, 0) ? -errno : 0;
}

/* One file that is opened, written, and closed; in the child nothing may be said. */
static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	(void)close(fd);
}

/**
 * tbtf_swap_off() - bring a device's pages back, in a child
 * @device: its file
 *
 * A process at swapoff is the first that the kernel kills when memory runs out, and
 * killing it merely ends the swapoff. So it is one that nobody misses: unmarked, not
 * spare, and with an oom_score_adj that says so.
 *
 * Context: forks. The child dies with this process.
 * Return: its pid, whose exit code is the errno (0: done); or -errno of fork(2).
 */
pid_t tbtf_swap_off(const char *device)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid)
		return pid < 0 ? -errno : pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(ECANCELED);
	(void)signal(SIGTERM, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	write_file("/proc/self/oom_score_adj", "1000");
	(void)prctl(PR_SET_NAME, "tbtfd-swapoff");
	_exit(swapoff(device) ? errno & 0xff : 0);
}

/**
 * tbtf_swap_parse() - read /proc/swaps
 * @text: its contents; changed
 * @ret: where the devices go
 * @max: so many at most
 *
 * Return: how many there are, which may be above @max; -EPROTO: not of that form.
 */
int tbtf_swap_parse(char *text, struct tbtf_swap *ret, size_t max)
{
	char *line, *rest = text, *next;
	int n = 0;

	line = strsep(&rest, "\n");
	if (!line || strncmp(line, "Filename", 8))
		return -EPROTO;
	while ((line = strsep(&rest, "\n")) && *line) {
		size_t len = strcspn(line, " \t");
		unsigned long long size, used;

		next = line + len + strspn(line + len, " \t");
		if (sscanf(next, "%*s %llu %llu", &size, &used) != 2)
			return -EPROTO;
		if ((size_t)n < max) {
			struct tbtf_swap *swap = &ret[n];

			if (len >= sizeof(swap->device))
				len = sizeof(swap->device) - 1;
			memcpy(swap->device, line, len);
			swap->device[len] = 0;
			swap->size_kb = size;
			swap->used_kb = used;
		}
		n++;
	}
	return n;
}

/**
 * tbtf_swap_list() - the swap devices of this machine
 * @ret: where they go
 * @max: so many at most
 *
 * Context: any thread; allocates nothing.
 * Return: as tbtf_swap_parse(), or the errno of reading.
 */
int tbtf_swap_list(struct tbtf_swap *ret, size_t max)
{
	char text[SWAPS_TEXT];
	size_t fill = 0;
	ssize_t len;
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (fill < sizeof(text) - 1) {
		len = read(fd, text + fill, sizeof(text) - 1 - fill);
		if (len <= 0)
			break;
		fill += len;
	}
	(void)close(fd);
	text[fill] = 0;
	return tbtf_swap_parse(text, ret, max);
}

/**
 * tbtf_swap_find() - is that swap now?
 * @file: a device's or file's name, as the kernel has it
 * @ret: how it is used
 *
 * Context: any thread; allocates nothing.
 * Return: 0; -ENOENT: it is none; or the errno of reading.
 */
int tbtf_swap_find(const char *file, struct tbtf_swap *ret)
{
	struct tbtf_swap swap[TBTF_SWAPS_MAX];
	int n = tbtf_swap_list(swap, TBTF_SWAPS_MAX);

	if (n < 0)
		return n;
	for (int i = 0; i < n && i < TBTF_SWAPS_MAX; i++) {
		if (strcmp(swap[i].device, file))
			continue;
		*ret = swap[i];
		return 0;
	}
	return -ENOENT;
}
