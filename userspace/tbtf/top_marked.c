// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: who is marked, and what he can still get
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Marked processes are listed each time. What needs memory, in the kernel or
 * here, is done at the start, then now and then, while no episode is open:
 * finding the marked cgroups, and asking who could be sacrificed (of one row at
 * a time).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"
#include "top.h"

#define WALK_MS		10000

static void forget_headroom(struct top_headroom *headroom)
{
	top_close(&headroom->limit_usage);
	headroom->known = false;
	headroom->limit[0] = '\0';
}

static struct top_row *new_row(struct top *top)
{
	struct top_row *row;

	if (top->nr_rows == TOP_ROWS)
		return NULL;
	row = &top->rows[top->nr_rows++];
	memset(row, 0, sizeof(*row));
	row->usage.fd = -1;
	row->swap.fd = -1;
	row->headroom.limit_usage.fd = -1;
	return row;
}

static void drop_row(struct top *top, unsigned int i)
{
	struct top_row *row = &top->rows[i];

	forget_headroom(&row->headroom);
	top_close(&row->usage);
	top_close(&row->swap);
	memmove(row, row + 1, (--top->nr_rows - i) * sizeof(*row));
}

/* --- processes ------------------------------------------------------------- */

static struct top_row *row_of_pid(struct top *top, pid_t pid)
{
	struct top_row *row;

	for (unsigned int i = 0; i < top->nr_rows; i++)
		if (!top->rows[i].is_cgroup && top->rows[i].pid == pid)
			return &top->rows[i];
	row = new_row(top);
	if (row)
		row->pid = pid;
	return row;
}

static void look_at_processes(struct top *top)
{
	struct tbtf_list list = { .entries = (uintptr_t)top->infos, .count = TOP_LIST };
	struct top_row *row;

	top->nr_marked = 0;
	if (top->dev < 0 || !top->loaded || ioctl(top->dev, TBTF_IOC_LIST, &list))
		return;
	for (unsigned int i = 0; i < list.count; i++) {
		const struct tbtf_info *info = &top->infos[i];

		if (info->role != TBTF_ROLE_TBTF)
			continue;
		top->nr_marked++;
		row = row_of_pid(top, info->pid);
		if (!row)
			continue;
		row->seen = true;
		row->adj = info->oom_score_adj;
		row->size_kb = info->size_kb;
		snprintf(row->name, sizeof(row->name), "%.*s", (int)sizeof(info->comm), info->comm);
	}
}

/* --- cgroups ---------------------------------------------------------------- */

static void look_at_cgroup(struct top_row *row)
{
	uint64_t usage, swap = 0;

	if (top_number(&row->usage, &usage))
		return;		/* it is gone */
	top_number(&row->swap, &swap);
	row->size_kb = (usage + swap) / 1024;
	row->seen = true;
}

static int first_pid(int cgroup)
{
	char text[32];

	/* The file may be long; only its first line is of interest. */
	if (tbtf_cgfs_read(cgroup, "cgroup.procs", text, sizeof(text)) <= 0)
		return 0;
	return atoi(text);
}

static int visit(int cgroup, const char *path, int depth, void *data)
{
	struct top *top = data;
	struct top_row *row;
	char role[32];

	(void)depth;
	if (tbtf_cgfs_read(cgroup, "memory.tbtf", role, sizeof(role)) < 0 || strcmp(role, "tbtf"))
		return 0;
	for (unsigned int i = 0; i < top->nr_rows; i++) {
		if (top->rows[i].is_cgroup &&
		    !strncmp(top->rows[i].name, path, sizeof(row->name) - 1)) {
			top->rows[i].pid = first_pid(cgroup);
			look_at_cgroup(&top->rows[i]);
			return 0;
		}
	}
	row = new_row(top);
	if (!row)
		return -ENOSPC;
	row->is_cgroup = true;
	row->pid = first_pid(cgroup);
	snprintf(row->name, sizeof(row->name), "%.*s", (int)sizeof(row->name) - 1, path);
	row->usage.fd = openat(cgroup, "memory.current", O_RDONLY | O_CLOEXEC);
	row->swap.fd = openat(cgroup, "memory.swap.current", O_RDONLY | O_CLOEXEC);
	look_at_cgroup(row);
	return 0;
}

/* --- headroom ---------------------------------------------------------------- */

/* What the candidates would free, in an OOM of the machine, or of a cgroup. */
static bool preview(struct top *top, pid_t pid, int cgroup, uint32_t *ret_nr, uint64_t *ret_kb)
{
	struct tbtf_preview args = {
		.cgroup = cgroup,
		.entries = (uintptr_t)top->candidates,
		.count = TOP_CANDIDATES,
	};
	uint64_t kb = 0;
	int err;

	args.pidfd = tbtf_pidfd_open(pid);
	if (args.pidfd < 0)
		return false;
	err = ioctl(top->dev, TBTF_IOC_PREVIEW, &args);
	close(args.pidfd);
	if (err)
		return false;
	for (unsigned int i = 0; i < args.count; i++)
		kb += top->candidates[i].worth_kb;
	if (ret_nr)
		*ret_nr = args.nr_candidates;
	*ret_kb = kb;
	return true;
}

/* The cgroup above with the least room below its memory.max. */
static int tightest(const char *path, char ret_path[PATH_LEN], uint64_t *ret_max)
{
	uint64_t max, usage, room, least = UINT64_MAX;
	char above[PATH_LEN], *slash;
	int cgroup, found = -1;

	snprintf(above, sizeof(above), "%s", path);
	while (above[0] && above[1]) {
		cgroup = tbtf_cgfs_open(above);
		if (cgroup < 0)
			break;
		if (!tbtf_cgfs_number(cgroup, "memory.max", &max) && max != UINT64_MAX &&
		    !tbtf_cgfs_number(cgroup, "memory.current", &usage)) {
			room = max > usage ? max - usage : 0;
			if (room < least) {
				least = room;
				*ret_max = max;
				snprintf(ret_path, PATH_LEN, "%s", above);
				if (found >= 0)
					close(found);
				found = cgroup;
				cgroup = -1;
			}
		}
		if (cgroup >= 0)
			close(cgroup);
		slash = strrchr(above, '/');
		*slash = '\0';
	}
	return found;
}

static void ask_headroom(struct top *top, struct top_row *row)
{
	struct top_headroom *headroom = &row->headroom;
	char pid[16], path[PATH_LEN], limit[PATH_LEN];
	uint64_t max;
	int cgroup;

	forget_headroom(headroom);
	if (!row->pid || !preview(top, row->pid, -1, &headroom->candidates, &headroom->worth_kb))
		return;
	headroom->known = true;
	headroom->freed_kb = top_counter(top, "sacrificed_kb");
	snprintf(pid, sizeof(pid), "%d", row->pid);
	if (tbtf_proc_cgroup(pid, path))
		return;
	cgroup = tightest(path, limit, &max);
	if (cgroup < 0)
		return;
	headroom->limit_usage.fd = openat(cgroup, "memory.current", O_RDONLY | O_CLOEXEC);
	headroom->limit_kb = max / 1024;
	if (preview(top, row->pid, cgroup, NULL, &headroom->limit_worth_kb))
		snprintf(headroom->limit, sizeof(headroom->limit), "%.*s",
			 (int)sizeof(headroom->limit) - 1, limit);
	close(cgroup);
}

static uint64_t left(uint64_t worth, uint64_t freed)
{
	return worth > freed ? worth - freed : 0;
}

uint64_t top_headroom_kb(const struct top *top, struct top_row *row)
{
	struct top_headroom *headroom = &row->headroom;
	uint64_t freed = top_counter(top, "sacrificed_kb") - headroom->freed_kb;
	uint64_t kb = top->available_kb + top->swap_free_kb + left(headroom->worth_kb, freed);
	uint64_t usage, limited;

	if (!*headroom->limit || top_number(&headroom->limit_usage, &usage))
		return kb;
	usage /= 1024;
	limited = (headroom->limit_kb > usage ? headroom->limit_kb - usage : 0) +
		  left(headroom->limit_worth_kb, freed);
	return limited < kb ? limited : kb;
}

void top_marked_sums(const struct top *top, uint64_t *ret_kb, uint64_t *ret_crowd_kb,
		     uint32_t *ret_crowd)
{
	const struct top_row *first = NULL;

	*ret_kb = 0;
	*ret_crowd_kb = 0;
	*ret_crowd = 0;
	/* They are in the order of their size. */
	for (unsigned int i = 0; i < top->nr_rows; i++) {
		*ret_kb += top->rows[i].size_kb;
		if (!first && top->rows[i].headroom.known)
			first = &top->rows[i];
	}
	if (!first)
		return;
	*ret_crowd_kb = left(first->headroom.worth_kb,
			     top_counter(top, "sacrificed_kb") - first->headroom.freed_kb);
	*ret_crowd = *ret_crowd_kb ? first->headroom.candidates : 0;
}

/* --- all of it ----------------------------------------------------------------- */

void top_marked_init(struct top *top)
{
	top->dev = tbtf_open_device();
}

static int row_order(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->size_kb != y->size_kb)
		return x->size_kb < y->size_kb ? 1 : -1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

void top_marked_look(struct top *top)
{
	bool quiet = !top->loaded || !strcmp(top->stage, "idle");

	if (top->dev < 0 && top->loaded)
		top_marked_init(top);	/* the module has come meanwhile */
	for (unsigned int i = 0; i < top->nr_rows; i++)
		top->rows[i].seen = false;
	look_at_processes(top);
	if (top->loaded && (!top->walked_ms ||
			    (quiet && top->last_ms - top->walked_ms >= WALK_MS))) {
		/* Roles are given and taken: only what is found stays. */
		tbtf_cgfs_walk(visit, top);
		top->walked_ms = top->last_ms;
	} else if (top->loaded) {
		for (unsigned int i = 0; i < top->nr_rows; i++)
			if (top->rows[i].is_cgroup)
				look_at_cgroup(&top->rows[i]);
	}
	for (unsigned int i = top->nr_rows; i-- > 0;)
		if (!top->rows[i].seen)
			drop_row(top, i);
	qsort(top->rows, top->nr_rows, sizeof(*top->rows), row_order);
	if (top->dev < 0 || !quiet || !top->nr_rows)
		return;
	/* Those of whom nothing is known first, then one after the other. */
	for (unsigned int i = 0; i < top->nr_rows; i++) {
		if (!top->rows[i].headroom.known && top->rows[i].pid) {
			ask_headroom(top, &top->rows[i]);
			if (top->rows[i].headroom.known)
				return;
		}
	}
	ask_headroom(top, &top->rows[top->next_preview++ % top->nr_rows]);
}
