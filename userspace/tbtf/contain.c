// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - contain: swap for a marked cgroup, and for nobody else
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Swap has no owner: what is attached for one process the kernel uses for all. What it
 * does know is a limit a cgroup. So every other cgroup gets memory.swap.max = 0: the
 * siblings of the marked one, and those of each cgroup above it. What is below a sibling
 * is held by that. Cgroups that are too big to fail themselves are left alone.
 *
 * What was there before is kept in /run/tbtf/contain/ID, ID being the number of the
 * marked cgroup, before the first file is written; it is put back where it still is
 * what we wrote. Lines: the path; then of each file its path, our value, the old one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "contain.h"

#define STATE_DIR	"/run/tbtf/contain"
#define SWAP_MAX	"memory.swap.max"
#define VALUE_LEN	32

/* One file of one cgroup. */
struct change {
	char *path;
	const char *file;
	char was[VALUE_LEN];
	char wanted[VALUE_LEN];
};

struct plan {
	struct change *list;
	size_t nr;
};

int tbtf_contain_brake(const char *text, uint64_t *ret_kb)
{
	char *end;

	errno = 0;
	*ret_kb = strtoull(text, &end, 10);
	/* Less than 4 MiB is no process's memory; more than 2^50 KiB no machine's. */
	if (errno || *end || *text < '0' || *text > '9' || *ret_kb < 4096 || *ret_kb >> 50)
		return -EINVAL;
	return 0;
}

static void drop_plan(struct plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++)
		free(plan->list[i].path);
	free(plan->list);
}

static int read_value(const char *path, const char *file, char ret[VALUE_LEN])
{
	int fd = tbtf_cgfs_open(path);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = tbtf_cgfs_read(fd, file, ret, VALUE_LEN);
	close(fd);
	return len < 0 ? len : 0;
}

static int write_value(const char *path, const char *file, const char *value)
{
	int fd = tbtf_cgfs_open(path), err;

	if (fd < 0)
		return fd;
	err = tbtf_cgfs_write(fd, file, value);
	close(fd);
	return err;
}

/* 0 or an exit code. */
static int add_change(struct plan *plan, const char *path, const char *file, const char *was,
		      const char *wanted)
{
	struct change *more = realloc(plan->list, (plan->nr + 1) * sizeof(*more));

	if (!more)
		return tbtf_failed(ENOMEM, "cgroup %s", path);
	plan->list = more;
	more += plan->nr;
	more->path = strdup(path);
	if (!more->path)
		return tbtf_failed(ENOMEM, "cgroup %s", path);
	more->file = file;
	snprintf(more->was, sizeof(more->was), "%s", was);
	snprintf(more->wanted, sizeof(more->wanted), "%s", wanted);
	plan->nr++;
	return 0;
}

static bool too_big_to_fail(const char *path)
{
	char role[VALUE_LEN];

	return !read_value(path, "memory.tbtf.effective", role) && !strcmp(role, "tbtf");
}

static int is_child(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

/* All children of a cgroup, but the one on the way to the marked cgroup. */
static int plan_children(struct plan *plan, const char *parent, const char *but, size_t but_len)
{
	struct dirent **names = NULL;
	char path[PATH_LEN], was[VALUE_LEN];
	int dir, nr, code = 0;

	dir = tbtf_cgfs_open(parent);
	if (dir < 0)
		return tbtf_failed(dir, "cgroup %s", parent);
	nr = scandirat(dir, ".", &names, is_child, alphasort);
	close(dir);
	if (nr < 0)
		return tbtf_failed(errno, "cgroup %s", parent);
	for (int i = 0; i < nr; i++) {
		const char *name = names[i]->d_name;

		if (!code && (strlen(name) != but_len || strncmp(name, but, but_len)) &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", parent[1] ? parent : "", name) < sizeof(path) &&
		    !read_value(path, SWAP_MAX, was) && strcmp(was, "0") && !too_big_to_fail(path))
			code = add_change(plan, path, SWAP_MAX, was, "0");
		free(names[i]);
	}
	free(names);
	return code;
}

/* Who may not swap cannot be helped. */
static int check_may_swap(const char *path)
{
	char upto[PATH_LEN], value[VALUE_LEN];

	strcpy(upto, path);
	for (char *end = upto + strlen(upto); end > upto; end = strrchr(upto, '/')) {
		*end = '\0';
		if (!*upto)
			break;
		if (!read_value(upto, SWAP_MAX, value) && !strcmp(value, "0")) {
			tbtf_error("cgroup %s has memory.swap.max = 0: nothing of %s could go anywhere",
				   upto, path);
			return EXIT_FAILED;
		}
	}
	return 0;
}

/* Processes of the root cgroup have no limits; kernel threads need none. */
static void note_root(void)
{
	char text[256], link[PATH_LEN];
	int fd = tbtf_cgfs_open("/");
	unsigned int n = 0;
	FILE *file;

	if (fd < 0)
		return;
	file = fdopen(openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC), "r");
	close(fd);
	if (!file)
		return;
	while (fgets(text, sizeof(text), file)) {
		snprintf(link, sizeof(link), "%s/proc/%d/exe", tbtf_root, atoi(text));
		n += readlink(link, text, sizeof(text)) > 0;
	}
	fclose(file);
	if (n)
		tbtf_error("note: %u processes are in no cgroup but the root, and may be swapped all the same", n);
}

static int plan_all(struct plan *plan, const char *path, const struct contain *contain)
{
	char parent[PATH_LEN] = "/", was[VALUE_LEN], wanted[VALUE_LEN];
	const char *at = path;
	int code = 0, err;

	if (!path[1]) {
		tbtf_error("the root cgroup has everybody in it: there are no others");
		return EXIT_FAILED;
	}
	err = read_value(path, SWAP_MAX, was);
	if (err)
		return tbtf_failed(err, "cgroup %s: memory.swap.max", path);
	code = check_may_swap(path);
	while (!code && *at) {
		size_t len = strcspn(++at, "/");

		code = plan_children(plan, parent, at, len);
		at += len;
		snprintf(parent, sizeof(parent), "%.*s", (int)(at - path), path);
	}
	if (code || !contain->brake_kb)
		return code;
	err = read_value(path, "memory.high", was);
	if (err)
		return tbtf_failed(err, "cgroup %s: memory.high", path);
	snprintf(wanted, sizeof(wanted), "%" PRIu64, contain->brake_kb * 1024);
	return add_change(plan, path, "memory.high", was, wanted);
}

/* -- What was there before --------------------------------------------------- */

static bool state_path(int cgroup, char ret[PATH_LEN])
{
	struct stat st;

	return !fstat(cgroup, &st) && tbtf_path(ret, STATE_DIR "/%ju", (uintmax_t)st.st_ino);
}

static int keep_state(const char *state, const char *path, const struct plan *plan)
{
	char dir[PATH_LEN];
	int fd, err = 0;
	FILE *file;

	if (tbtf_path(dir, "/run/tbtf"))
		mkdir(dir, 0750);
	if (tbtf_path(dir, STATE_DIR))
		mkdir(dir, 0700);
	fd = open(state, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		err = -errno;
		close(fd);
		unlink(state);
		return err;
	}
	fprintf(file, "%s\n", path);
	for (size_t i = 0; i < plan->nr; i++)
		fprintf(file, "%s %s %s %s\n", plan->list[i].file, plan->list[i].wanted,
			plan->list[i].was, plan->list[i].path);
	if (ferror(file))
		err = -EIO;
	if (fclose(file) && !err)
		err = -errno;
	if (err)
		unlink(state);
	return err;
}

/* Put back what a state file has, where nobody has changed it since. */
static int undo(const char *state)
{
	char file[64], wanted[VALUE_LEN], was[VALUE_LEN], now[VALUE_LEN], *line = NULL;
	size_t room = 0;
	int at, err, code = 0;
	FILE *in;

	in = fopen(state, "re");
	if (!in)
		return errno == ENOENT ? 0 : tbtf_failed(errno, "%s", state);
	if (getline(&line, &room, in) < 0)
		code = tbtf_failed(EIO, "%s", state);
	while (!code && getline(&line, &room, in) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%63s %31s %31s %n", file, wanted, was, &at) != 3)
			continue;
		/* A cgroup that is gone has taken its limit along. */
		if (read_value(line + at, file, now) || strcmp(now, wanted))
			continue;
		err = write_value(line + at, file, was);
		if (err && err != -ENOENT)
			code = tbtf_failed(err, "cgroup %s: cannot make %s %s again", line + at, file, was);
	}
	free(line);
	fclose(in);
	if (!code)
		unlink(state);
	return code;
}

/* Whose cgroup went away before it was cleared: a unit that was stopped. */
static void sweep(void)
{
	char dir[PATH_LEN], state[PATH_LEN], path[PATH_LEN], now[PATH_LEN];
	struct dirent *entry;
	FILE *file;
	DIR *all;
	int fd;

	all = tbtf_path(dir, STATE_DIR) ? opendir(dir) : NULL;
	if (!all)
		return;
	while ((entry = readdir(all))) {
		if (entry->d_name[0] == '.' || !tbtf_path(state, STATE_DIR "/%s", entry->d_name))
			continue;
		file = fopen(state, "re");
		if (!file)
			continue;
		if (!fgets(path, sizeof(path), file))
			*path = '\0';
		fclose(file);
		path[strcspn(path, "\n")] = '\0';
		fd = *path ? tbtf_cgfs_open(path) : -ENOENT;
		if (fd < 0 || !state_path(fd, now) || strcmp(now, state))
			(void)undo(state);
		if (fd >= 0)
			close(fd);
	}
	closedir(all);
}

/* -- Doing it ------------------------------------------------------------------ */

static void show(const struct plan *plan)
{
	char shown[256];

	for (size_t i = 0; i < plan->nr; i++)
		printf("%s/%s: %s -> %s\n", tbtf_text(shown, sizeof(shown), plan->list[i].path),
		       plan->list[i].file, plan->list[i].was, plan->list[i].wanted);
}

static int carry_out(const struct plan *plan, const char *state)
{
	int err;

	for (size_t i = 0; i < plan->nr; i++) {
		const struct change *change = &plan->list[i];

		err = write_value(change->path, change->file, change->wanted);
		/* It went away meanwhile. */
		if (!err || err == -ENOENT || err == -ENODEV)
			continue;
		tbtf_failed(err, "cgroup %s: %s = %s", change->path, change->file, change->wanted);
		(void)undo(state);
		return EXIT_FAILED;
	}
	return 0;
}

int tbtf_contain(int cgroup, const char *path, const struct contain *contain)
{
	struct plan plan = { 0 };
	char state[PATH_LEN];
	int code, err;

	if (!contain->dry_run)
		sweep();
	if (!state_path(cgroup, state))
		return tbtf_failed(errno, "cgroup %s", path);
	if (!access(state, F_OK)) {
		tbtf_error("cgroup %s is contained already: tbtf clear --cgroup %s first", path, path);
		return EXIT_FAILED;
	}
	code = plan_all(&plan, path, contain);
	if (!code && contain->dry_run) {
		show(&plan);
	} else if (!code) {
		err = keep_state(state, path, &plan);
		if (err)
			code = tbtf_failed(err, "%s", state);
		else
			code = carry_out(&plan, state);
	}
	if (!code)
		note_root();
	drop_plan(&plan);
	return code;
}

int tbtf_contain_undo(int cgroup)
{
	char state[PATH_LEN];
	int code = state_path(cgroup, state) ? undo(state) : 0;

	sweep();
	return code;
}
