// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint limit: a cgroup that is at its limit may have more
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Nothing is made here: the machine has the memory, and the cgroup was kept from it. So
 * it is given what is really there, step by step as it is wanted, and the limit comes
 * down again step by step: memory.high first, which gives back cache and slows down who
 * wants more, then memory.max, never below what is in use.
 *
 * What the limits were is written down before each step, for a daemon that comes after
 * this one: none stays raised because a process has died. Whoever sets a limit himself
 * meanwhile has the last word: that cgroup is left as it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limit.h"
#include "log.h"
#include "memory.h"
#include "mint.h"
#include "proc.h"

#define STATE_FILE	TBTF_RUN_DIR "/mint-limit"
#define STATE_NEW	STATE_FILE ".new"
/* As many scopes as there are requests at once. */
#define CGROUPS		64
/* No tree of cgroups is deeper that somebody has made on purpose. */
#define DEPTH		64
/* What does not fit into any memory: this step back is not to be tried. */
#define NEVER_KB	(UINT64_MAX / 4)

static struct {
	char mount[256];	/* of cgroup2 */
	struct tbtf_limit limit[CGROUPS];
} the;

/* -- A cgroup's files ------------------------------------------------------------- */

/* A number of bytes, or "max". */
static int read_bytes(int dir, const char *name, uint64_t *ret)
{
	char text[32];
	int err = tbtf_proc_text_at(dir, name, text, sizeof(text));

	if (err)
		return err;
	if (!strcmp(text, "max\n"))
		*ret = TBTF_LIMIT_NONE;
	else if (sscanf(text, "%" SCNu64, ret) != 1)
		return -EPROTO;
	return 0;
}

static int write_bytes(int dir, const char *name, uint64_t bytes)
{
	/* A limit that is below usage after all makes the writer wait, without this. */
	int fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_CLOEXEC), err = 0;
	char text[32];

	if (fd < 0)
		return -errno;
	if (bytes == TBTF_LIMIT_NONE)
		strcpy(text, "max");
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, bytes);
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/* Files in memory that are on disk as well, in bytes. */
static uint64_t cache_of(int dir)
{
	static char text[8192];		/* the thread's alone */
	uint64_t active = 0, inactive = 0;
	const char *at;

	if (tbtf_proc_text_at(dir, "memory.stat", text, sizeof(text)))
		return 0;
	at = strstr(text, "\nactive_file ");
	if (at)
		(void)sscanf(at, "\nactive_file %" SCNu64, &active);
	at = strstr(text, "\ninactive_file ");
	if (at)
		(void)sscanf(at, "\ninactive_file %" SCNu64, &inactive);
	return active + inactive;
}

static int open_path(const char *path, uint64_t id)
{
	char full[sizeof(the.mount) + TBTF_LIMIT_PATH];
	struct stat st;
	int dir;

	(void)snprintf(full, sizeof(full), "%s%s", the.mount, path);
	dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	/* The number of its inode is its id: another may have got its name. */
	if (!fstat(dir, &st) && st.st_ino == id)
		return dir;
	(void)close(dir);
	return -ENOENT;
}

/* The cgroup of that id: that of @pid, or one above it. Return: its directory. */
static int open_id(pid_t pid, uint64_t id, char ret_path[TBTF_LIMIT_PATH])
{
	char file[32], text[TBTF_LIMIT_PATH + 64], *path, *end;
	int err, dir;

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	err = tbtf_proc_text(file, text, sizeof(text));
	if (err)
		return err;
	path = strstr(text, "0::/");
	end = path ? strchr(path, '\n') : NULL;
	if (!end || end - path >= TBTF_LIMIT_PATH)
		return -ENOENT;
	*end = 0;
	for (path += strlen("0::"); *path && path[1]; *strrchr(path, '/') = 0) {
		dir = open_path(path, id);
		if (dir >= 0) {
			strcpy(ret_path, path);
			return dir;
		}
	}
	return -ENOENT;
}

/* How much the cgroups above leave it. */
static uint64_t left_above(int dir)
{
	uint64_t least = TBTF_LIMIT_NONE, max, usage;
	char name[DEPTH * 3 + 32];

	for (int up = 1; up < DEPTH; up++) {
		for (int i = 0; i < up; i++)
			memcpy(name + i * 3, "../", 3);
		strcpy(name + up * 3, "memory.max");
		/* The root has none, nor has what is above the mount. */
		if (read_bytes(dir, name, &max))
			break;
		if (max == TBTF_LIMIT_NONE)
			continue;
		strcpy(name + up * 3, "memory.current");
		if (read_bytes(dir, name, &usage))
			break;
		max = max > usage ? max - usage : 0;
		least = max < least ? max : least;
	}
	return least;
}

/* -- What is written down ------------------------------------------------------------ */

static int save(void)
{
	char line[TBTF_LIMIT_LINE];
	bool any = false;
	FILE *file;
	int err;

	file = fopen(STATE_NEW, "we");
	if (!file)
		return -errno;
	for (size_t i = 0; i < CGROUPS; i++) {
		if (!the.limit[i].id || tbtf_limit_format(line, sizeof(line), &the.limit[i]))
			continue;
		any = true;
		(void)fprintf(file, "%s\n", line);
	}
	err = ferror(file) ? -EIO : 0;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && !any)
		err = unlink(STATE_FILE) && errno != ENOENT ? -errno : 0;
	else if (!err)
		err = rename(STATE_NEW, STATE_FILE) ? -errno : 0;
	if (err || !any)
		(void)unlink(STATE_NEW);
	return err;
}

static void forget(struct tbtf_limit *limit)
{
	limit->id = 0;
	if (save())
		tbtf_warning("cannot write %s: %s", STATE_FILE, strerror(errno));
}

/*
 * Is it ours still? Otherwise it is forgotten. Return: its directory, or a negative
 * number.
 */
static int open_ours(struct tbtf_limit *limit)
{
	uint64_t max, high;
	int dir = open_path(limit->path, limit->id);

	if (dir < 0) {
		forget(limit);
		return dir;
	}
	if (read_bytes(dir, "memory.max", &max)) {
		/* It is about to go. */
		(void)close(dir);
		return -ENODEV;
	}
	if (max == limit->set)
		return dir;
	if (max == limit->from && max > limit->max) {
		limit->set = max;
		return dir;
	}
	if (max != limit->max)
		tbtf_notice("%s: memory.max is %" PRIu64 " kB, which is not of tbtfd: it stays so",
			    limit->path, max / 1024);
	if (!read_bytes(dir, "memory.high", &high) && tbtf_limit_ours(limit, high))
		(void)write_bytes(dir, "memory.high", limit->high);
	(void)close(dir);
	forget(limit);
	return -ESTALE;
}

static int load(void)
{
	char line[TBTF_LIMIT_LINE];
	size_t n = 0;
	FILE *file;
	int dir;

	file = fopen(STATE_FILE, "re");
	if (!file) {
		if (errno == ENOENT)
			return 0;
		tbtf_err("cannot read %s: %s", STATE_FILE, strerror(errno));
		return -errno;
	}
	while (n < CGROUPS && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (tbtf_limit_parse(line, &the.limit[n]))
			tbtf_warning("%s: a line that is not of this version: left out", STATE_FILE);
		else
			n++;
	}
	(void)fclose(file);
	for (size_t i = 0; i < n; i++) {
		dir = open_ours(&the.limit[i]);
		if (dir < 0)
			continue;
		(void)close(dir);
		tbtf_info("%s may have %" PRIu64 " kB since before this daemon began, once %" PRIu64 " kB",
			  the.limit[i].path, the.limit[i].set / 1024, the.limit[i].max / 1024);
	}
	return 0;
}

/* -- Measuring ---------------------------------------------------------------------- */

/* How all stand; which limit could come down now, or NULL. */
static struct tbtf_limit *measure(struct tbtf_mint *mint)
{
	uint64_t out = 0, used = 0, promised = 0, usage, by;
	struct tbtf_limit *next = NULL;
	struct tbtf_room room;
	int dir;

	for (size_t i = 0; i < CGROUPS; i++) {
		struct tbtf_limit *limit = &the.limit[i];

		if (!limit->id)
			continue;
		dir = open_ours(limit);
		if (dir < 0)
			continue;
		if (!read_bytes(dir, "memory.current", &usage)) {
			by = limit->set - limit->max;
			out += by;
			used += usage > limit->max ? usage - limit->max : 0;
			promised += limit->set > usage ? limit->set - usage : 0;
			if (tbtf_limit_can(usage, cache_of(dir), tbtf_limit_down(limit)))
				next = limit;
		}
		(void)close(dir);
	}
	mint->out_kb = out / 1024;
	mint->used_kb = (used < out ? used : out) / 1024;
	mint->back_kb = next || !out ? 0 : NEVER_KB;
	if (tbtf_memory_room(&room))
		return next;
	by = tbtf_limit_room(&room, promised / 1024);
	mint->ready_kb = by * 1024 < TBTF_LIMIT_LEAST ? 0 : by;
	if (mint->ready_kb)
		tbtf_mint_well(mint);
	else
		tbtf_mint_why(mint, "the machine itself has no memory to spare");
	return next;
}

static void look(struct tbtf_mint *mint)
{
	(void)measure(mint);
}

/* -- Up, and down --------------------------------------------------------------------- */

static bool serves(const struct tbtf_mint *mint, const struct tbtf_request *request)
{
	(void)mint;
	return request->scope_cgroup;
}

static struct tbtf_limit *entry_of(uint64_t id)
{
	struct tbtf_limit *free_one = NULL;

	for (size_t i = 0; i < CGROUPS; i++) {
		if (the.limit[i].id == id)
			return &the.limit[i];
		if (!the.limit[i].id && !free_one)
			free_one = &the.limit[i];
	}
	return free_one;
}

static uint64_t raise_limit(struct tbtf_mint *mint, const struct tbtf_request *request, int dir,
			    const char *path)
{
	struct tbtf_limit *limit = entry_of(request->scope_cgroup), before;
	uint64_t max, high, to;
	int err;

	if (!limit || read_bytes(dir, "memory.max", &max) || read_bytes(dir, "memory.high", &high) ||
	    max == TBTF_LIMIT_NONE)
		return 0;
	to = tbtf_limit_up(max, request->wanted_kb * 1024, mint->conf->print.limit_max_kb * 1024,
			   mint->ready_kb * 1024, left_above(dir));
	if (to == max)
		return 0;
	before = *limit;
	if (limit->id && max != limit->set) {
		/* Somebody has set it meanwhile: that is what it goes back to. */
		limit->id = 0;
	}
	if (!limit->id) {
		*limit = (struct tbtf_limit){ .max = max, .high = high };
		strcpy(limit->path, path);
		before = *limit;
	}
	limit->id = request->scope_cgroup;
	limit->from = max;
	limit->set = to;
	/* Without that it could stay raised for good. */
	err = save();
	if (!err)
		err = write_bytes(dir, "memory.max", to);
	if (err) {
		tbtf_warning("cannot raise memory.max of %s: %s", path, strerror(-err));
		*limit = before;
		(void)save();
		return 0;
	}
	if (limit->high != TBTF_LIMIT_NONE)
		(void)write_bytes(dir, "memory.high", tbtf_limit_high(limit, to));
	tbtf_info("%s may have %" PRIu64 " kB now, %" PRIu64 " kB more", path, to / 1024, (to - max) / 1024);
	return (to - max) / 1024;
}

static uint64_t print(struct tbtf_mint *mint, const struct tbtf_request *request)
{
	char path[TBTF_LIMIT_PATH];
	uint64_t kb;
	int dir;

	dir = open_id(request->pid, request->scope_cgroup, path);
	if (dir < 0) {
		tbtf_warning("no cgroup %" PRIu64 " of %d is to be found: %s",
			     (uint64_t)request->scope_cgroup, request->pid, strerror(-dir));
		return 0;
	}
	(void)measure(mint);
	kb = raise_limit(mint, request, dir, path);
	(void)close(dir);
	return kb;
}

static int lower_limit(struct tbtf_limit *limit, int dir)
{
	uint64_t to = tbtf_limit_down(limit), usage;
	int err;

	limit->from = limit->set;
	limit->set = to;
	err = save();
	if (!err)
		err = write_bytes(dir, "memory.high", tbtf_limit_push(to));
	if (!err)
		err = read_bytes(dir, "memory.current", &usage);
	if (!err && usage > tbtf_limit_push(to))
		err = -EBUSY;
	if (!err)
		err = write_bytes(dir, "memory.max", to);
	if (err)
		limit->set = limit->from;
	/* It must not brake whom nobody wants to be slow, whatever has come of it. */
	(void)write_bytes(dir, "memory.high", tbtf_limit_high(limit, limit->set));
	if (err || limit->set > limit->max) {
		(void)save();
		return err;
	}
	tbtf_info("%s is back at %" PRIu64 " kB", limit->path, limit->max / 1024);
	forget(limit);
	return 0;
}

static int take_back(struct tbtf_mint *mint)
{
	struct tbtf_limit *limit = measure(mint);
	int dir, err;

	if (!limit)
		return mint->out_kb ? -EBUSY : 0;
	dir = open_ours(limit);
	if (dir < 0)
		return 0;
	err = lower_limit(limit, dir);
	(void)close(dir);
	return err;
}

/* -- Beginning and end ------------------------------------------------------------------ */

static int find_mount(void)
{
	char line[1024], where[256], type[32];
	FILE *file = fopen("/proc/self/mounts", "re");

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %255s %31s", where, type) == 2 && !strcmp(type, "cgroup2")) {
			strcpy(the.mount, where);
			break;
		}
	(void)fclose(file);
	return *the.mount ? 0 : -ENOENT;
}

static int find(struct tbtf_mint *mint)
{
	int err = find_mount();

	if (err) {
		tbtf_err("[print] mints: 'limit' needs cgroup v2 mounted: %s", strerror(-err));
		return err;
	}
	err = load();
	if (!err)
		(void)measure(mint);
	return err;
}

static void prepare(struct tbtf_mint *mint)
{
	(void)measure(mint);
}

static void end(struct tbtf_mint *mint)
{
	(void)mint;
	for (size_t i = 0; i < CGROUPS; i++)
		if (the.limit[i].id)
			tbtf_notice("%s may still have %" PRIu64 " kB, once %" PRIu64 " kB: the next tbtfd lowers it",
				    the.limit[i].path, the.limit[i].set / 1024, the.limit[i].max / 1024);
}

static void plan(const struct tbtf_conf *conf, char *ret, size_t size)
{
	(void)snprintf(ret, size, "memory.max of a cgroup at its limit, up to %" PRIu64 " kB",
		       conf->print.limit_max_kb);
}

const struct tbtf_mint_ops tbtf_mint_limit = {
	.name = "limit",
	.serves = serves,
	.open = find,
	.prepare = prepare,
	.print = print,
	.look = look,
	.take_back = take_back,
	.close = end,
	.plan = plan,
};
