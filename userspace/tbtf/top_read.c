// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: the machine and the module, read anew each time
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "top.h"

uint64_t top_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void open_file(struct top_file *file, const char *path)
{
	char full[PATH_LEN];

	file->fd = -1;
	if (tbtf_path(full, "%s", path))
		file->fd = open(full, O_RDONLY | O_CLOEXEC);
}

void top_close(struct top_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

ssize_t top_read(struct top_file *file, char *buf, size_t size)
{
	ssize_t len;

	if (file->fd < 0)
		return -ENOENT;
	len = pread(file->fd, buf, size - 1, 0);
	if (len < 0)
		return -errno;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int top_number(struct top_file *file, uint64_t *ret_value)
{
	char text[32], *end;
	ssize_t len = top_read(file, text, sizeof(text));

	if (len < 0)
		return len;
	*ret_value = strtoull(text, &end, 10);
	return end == text ? -EPROTO : 0;
}

/* --- the module ------------------------------------------------------------ */

static void unload(struct top *top)
{
	top_close(&top->stage_file);
	top_close(&top->enabled_file);
	top_close(&top->dry_run_file);
	top_close(&top->marked_file);
	for (unsigned int i = 0; i < top->nr_counters; i++)
		top_close(&top->counters[i].file);
	top->nr_counters = 0;
	top->loaded = false;
}

static int counter_order(const void *a, const void *b)
{
	const struct top_counter *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Once per load of the module: the only time that memory is asked for. */
static bool load(struct top *top)
{
	char path[PATH_LEN];
	struct dirent *entry;
	DIR *dir;

	open_file(&top->stage_file, "/sys/kernel/mm/tbtf/stage");
	if (top->stage_file.fd < 0)
		return false;
	open_file(&top->enabled_file, "/sys/kernel/mm/tbtf/enabled");
	open_file(&top->dry_run_file, "/sys/kernel/mm/tbtf/dry_run");
	open_file(&top->marked_file, "/sys/kernel/mm/tbtf/marked");
	if (!tbtf_path(path, "/sys/kernel/mm/tbtf/stats"))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while ((entry = readdir(dir)) && top->nr_counters < TOP_COUNTERS) {
		struct top_counter *counter = &top->counters[top->nr_counters];

		if (*entry->d_name == '.' || strlen(entry->d_name) >= sizeof(counter->name))
			continue;
		strcpy(counter->name, entry->d_name);
		counter->file.fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		if (counter->file.fd >= 0)
			top->nr_counters++;
	}
	closedir(dir);
	qsort(top->counters, top->nr_counters, sizeof(*top->counters), counter_order);
	return true;
}

uint64_t top_counter(const struct top *top, const char *name)
{
	for (unsigned int i = 0; i < top->nr_counters; i++)
		if (!strcmp(top->counters[i].name, name))
			return top->counters[i].value;
	return 0;
}

static bool flag(struct top_file *file)
{
	uint64_t value = 0;

	return !top_number(file, &value) && value;
}

static void look_at_module(struct top *top)
{
	char stage[sizeof(top->stage)];

	/* Without its module an open file of it says ENODEV for ever. */
	if (top->loaded && top_read(&top->stage_file, stage, sizeof(stage)) < 0)
		unload(top);
	if (!top->loaded) {
		if (!load(top)) {
			unload(top);
			return;
		}
		top->loaded = true;
	}
	if (top_read(&top->stage_file, top->stage, sizeof(top->stage)) < 0)
		return;
	top->enabled = flag(&top->enabled_file);
	top->dry_run = flag(&top->dry_run_file);
	if (top_number(&top->marked_file, &top->marked))
		top->marked = 0;
	for (unsigned int i = 0; i < top->nr_counters; i++)
		top_number(&top->counters[i].file, &top->counters[i].value);
}

/* --- the machine ------------------------------------------------------------- */

static uint64_t meminfo_kb(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

static void look_at_memory(struct top *top)
{
	static char text[8192];

	if (top_read(&top->meminfo, text, sizeof(text)) < 0)
		return;
	top->total_kb = meminfo_kb(text, "MemTotal:");
	top->free_kb = meminfo_kb(text, "MemFree:");
	top->available_kb = meminfo_kb(text, "MemAvailable:");
	top->swap_total_kb = meminfo_kb(text, "SwapTotal:");
	top->swap_free_kb = meminfo_kb(text, "SwapFree:");
}

static bool psi_line(const char *text, const char *which, char avg[16], uint64_t *ret_us)
{
	const char *line = strstr(text, which), *at;

	at = line ? strstr(line, "avg10=") : NULL;
	if (!at)
		return false;
	snprintf(avg, 16, "%.*s", (int)strcspn(at + 6, " \n"), at + 6);
	at = strstr(at, "total=");
	if (!at)
		return false;
	*ret_us = strtoull(at + 6, NULL, 10);
	return true;
}

static uint16_t per_mille(uint64_t part, uint64_t whole)
{
	uint64_t value = whole ? part * 1000 / whole : 0;

	return value > 1000 ? 1000 : value;
}

/* ret: the share of the time since the look before. */
static void look_at_pressure(struct top *top, uint64_t ms, struct top_sample *ret)
{
	uint64_t some, full;
	char text[512];

	/* A kernel with psi=0 has the file, and answers EOPNOTSUPP. */
	if (top_read(&top->psi, text, sizeof(text)) < 0 ||
	    !psi_line(text, "some ", top->some_avg, &some) ||
	    !psi_line(text, "full ", top->full_avg, &full)) {
		top->has_psi = false;
		return;
	}
	if (top->has_psi && ms) {
		ret->some = per_mille(some - top->some_us, ms * 1000);
		ret->full = per_mille(full - top->full_us, ms * 1000);
	}
	top->has_psi = true;
	top->some_us = some;
	top->full_us = full;
}

static uint8_t stage_of(const struct top *top)
{
	if (!top->loaded || !strcmp(top->stage, "idle"))
		return TOP_IDLE;
	if (!strcmp(top->stage, "sacrifice"))
		return TOP_SACRIFICE;
	return !strcmp(top->stage, "exhausted") ? TOP_EXHAUSTED : TOP_STAGE_OTHER;
}

void top_init(struct top *top, unsigned int interval_ms)
{
	memset(top, 0, sizeof(*top));
	top->interval_ms = interval_ms;
	top->stage_file.fd = -1;
	top->enabled_file.fd = -1;
	top->dry_run_file.fd = -1;
	top->marked_file.fd = -1;
	open_file(&top->meminfo, "/proc/meminfo");
	open_file(&top->psi, "/proc/pressure/memory");
	top_marked_init(top);
	top->kmsg = -EBADF;	/* until top_events_init() */
}

void top_look(struct top *top)
{
	uint64_t now = top_now_ms(), kills;
	struct top_sample sample = { 0 };

	look_at_module(top);
	look_at_memory(top);
	look_at_pressure(top, top->nr_samples ? now - top->last_ms : 0, &sample);
	sample.used = per_mille(top->total_kb - top->available_kb, top->total_kb);
	sample.stage = stage_of(top);
	kills = top_counter(top, "sacrifices");
	/* Counters begin anew with the module. */
	if (top->nr_samples && kills > top->last_kills)
		sample.kills = kills - top->last_kills > 999 ? 999 : kills - top->last_kills;
	top->last_kills = kills;
	top->last_ms = now;
	top->samples[top->nr_samples++ % TOP_SAMPLES] = sample;
	top_marked_look(top);
	top_events_look(top);
}
