// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - reading the pinned maps of the eBPF part
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf.h"
#include "cmd.h"

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int open_pin(const char *name)
{
	union bpf_attr attr = { };
	char path[PATH_LEN];

	snprintf(path, sizeof(path), BPF_DIR "/%s", name);
	attr.pathname = (uintptr_t)path;
	return sys_bpf(BPF_OBJ_GET, &attr);
}

static int lookup(int map, const void *key, void *value)
{
	union bpf_attr attr = { .map_fd = map };

	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	return sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

static int next_key(int map, const void *key, void *next)
{
	union bpf_attr attr = { .map_fd = map };

	attr.key = (uintptr_t)key;
	attr.next_key = (uintptr_t)next;
	return sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr);
}

static bool known(const struct tbtf_control *ctl)
{
	return ctl->magic == TBTF_STATS_MAGIC && ctl->layout == TBTF_STATS_LAYOUT &&
	       ctl->event_version == TBTF_EVENT_VERSION &&
	       ctl->size == sizeof(struct tbtf_keyed);
}

/* The value that another tbtf has pinned may be longer than ours. */
static int value_size(int map)
{
	struct bpf_map_info info = { };
	union bpf_attr attr = { };
	int err;

	attr.info.bpf_fd = map;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	err = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	return err ? err : (int)info.value_size;
}

static int read_stamp(int map, struct tbtf_control *ret)
{
	uint32_t zero = 0;
	int err;

	err = value_size(map);
	if (err != (int)sizeof(*ret))
		return err < 0 ? err : -ESTALE;
	err = lookup(map, &zero, ret);
	return err ? err : known(ret) ? 0 : -ESTALE;
}

int tbtf_bpf_stamp(struct tbtf_control *ret)
{
	int map, err;

	map = open_pin("control");
	if (map < 0)
		return map;
	err = read_stamp(map, ret);
	close(map);
	return err;
}

static int explain(int err)
{
	switch (err) {
	case -ENOENT:
		if (access("/sys/kernel/mm/tbtf", F_OK))
			return tbtf_no_module();
		tbtf_error("the eBPF part is not attached: tbtf stats --attach");
		return EXIT_FAILED;
	case -ESTALE:
		tbtf_error("what is pinned in %s is of another version of tbtf: tbtf stats --detach, and --attach again",
			   BPF_DIR);
		return EXIT_FAILED;
	case -EPERM:
	case -EACCES:
		tbtf_error("%s: not permitted: it needs root (CAP_BPF and CAP_PERFMON do not read its files)",
			   BPF_DIR);
		return EXIT_NOT_PERMITTED;
	}
	return tbtf_failed(err, "%s", BPF_DIR);
}

static const void *map_in(const char *name, size_t size)
{
	void *mem;
	int map;

	map = open_pin(name);
	if (map < 0) {
		errno = -map;
		return NULL;
	}
	mem = mmap(NULL, size, PROT_READ, MAP_SHARED, map, 0);
	close(map);
	return mem == MAP_FAILED ? NULL : mem;
}

int tbtf_bpf_open(struct tbtf_bpf *ret)
{
	int err;

	*ret = (struct tbtf_bpf) { .control_fd = open_pin("control") };
	if (ret->control_fd < 0)
		return explain(ret->control_fd);
	err = read_stamp(ret->control_fd, &ret->control);
	if (!err) {
		ret->live = map_in("control", sizeof(*ret->live));
		ret->ring = map_in("ring", sizeof(*ret->ring) * TBTF_RING);
		if (!ret->live || !ret->ring)
			err = -errno;
	}
	if (!err)
		return EXIT_OK;
	tbtf_bpf_close(ret);
	return explain(err);
}

void tbtf_bpf_close(struct tbtf_bpf *bpf)
{
	if (bpf->live)
		munmap((void *)bpf->live, sizeof(*bpf->live));
	if (bpf->ring)
		munmap((void *)bpf->ring, sizeof(*bpf->ring) * TBTF_RING);
	if (bpf->control_fd >= 0)
		close(bpf->control_fd);
	*bpf = (struct tbtf_bpf) { .control_fd = -1 };
}

/* The last number in "0-3,5": a map of CPUs has a value for each up to there. */
static int possible_cpus(void)
{
	char buf[256], *p;
	ssize_t n;

	n = tbtf_read(buf, sizeof(buf), "/sys/devices/system/cpu/possible");
	if (n <= 0)
		return n < 0 ? (int)n : -EINVAL;
	for (p = buf + n; p > buf && p[-1] >= '0' && p[-1] <= '9'; p--)
		;
	return atoi(p) + 1;
}

int tbtf_bpf_totals(struct tbtf_set *ret)
{
	struct tbtf_set *values;
	uint32_t zero = 0;
	int map, err, cpus;

	_Static_assert(sizeof(*values) % 8 == 0, "values of a CPU are 8 bytes apart");
	cpus = possible_cpus();
	if (cpus < 0)
		return cpus;
	map = open_pin("totals");
	if (map < 0)
		return map;
	values = calloc(cpus, sizeof(*values));
	err = values ? lookup(map, &zero, values) : -ENOMEM;
	memset(ret, 0, sizeof(*ret));
	/* Nothing but numbers to be added. */
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		for (size_t i = 0; i < sizeof(*ret) / sizeof(uint64_t); i++)
			((uint64_t *)ret)[i] += ((uint64_t *)&values[cpu])[i];
	free(values);
	close(map);
	return err;
}

static int by_last(const void *a, const void *b)
{
	const struct tbtf_entry *x = a, *y = b;

	return x->value.last < y->value.last ? 1 : x->value.last > y->value.last ? -1 : 0;
}

int tbtf_bpf_table(enum tbtf_table table, struct tbtf_entry **ret, size_t *ret_nr)
{
	bool cgroups = table == TBTF_TABLE_CGROUPS;
	size_t room = (cgroups ? TBTF_MAX_CGROUPS : TBTF_MAX_PROCESSES) + 8, nr = 0;
	struct tbtf_key key = { 0 };
	struct tbtf_entry *entries;
	bool first = true;
	int map;

	map = open_pin(cgroups ? "cgroups" : "processes");
	if (map < 0)
		return map;
	entries = calloc(room, sizeof(*entries));
	if (!entries) {
		close(map);
		return -ENOMEM;
	}
	/* An entry that goes meanwhile makes it begin anew: it is bounded by the room. */
	while (nr < room && !next_key(map, first ? NULL : &key, &entries[nr].key)) {
		first = false;
		key = entries[nr].key;
		if (!lookup(map, &key, &entries[nr].value))
			nr++;
	}
	close(map);
	qsort(entries, nr, sizeof(*entries), by_last);
	*ret = entries;
	*ret_nr = nr;
	return 0;
}

int tbtf_bpf_next(const struct tbtf_bpf *bpf, uint64_t *seq, struct tbtf_record *ret,
		  uint64_t *ret_lost)
{
	uint64_t head, want, before, after;
	const struct tbtf_record *rec;

	*ret_lost = 0;
	for (;;) {
		head = __atomic_load_n(&bpf->live->head, __ATOMIC_ACQUIRE);
		want = *seq + 1;
		if (want > head)
			return 0;
		if (head - want >= TBTF_RING) {
			/* A little ahead of the writer's hand: it goes on. */
			*ret_lost += head - TBTF_RING / 2 - *seq;
			*seq = head - TBTF_RING / 2;
			continue;
		}
		rec = &bpf->ring[(want - 1) % TBTF_RING];
		before = __atomic_load_n(&rec->seq, __ATOMIC_ACQUIRE);
		/* 0 or an older one: it is just being written. */
		if (before < want)
			return 0;
		if (before == want) {
			memcpy(ret, rec, sizeof(*ret));
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			after = __atomic_load_n(&rec->seq, __ATOMIC_RELAXED);
			if (after == want) {
				*seq = want;
				return 1;
			}
		}
		/* Overwritten by a newer one. */
		*seq = want;
		++*ret_lost;
	}
}

void tbtf_bpf_count_lost(const struct tbtf_bpf *bpf, uint64_t lost)
{
	struct tbtf_control *ctl;

	if (!lost)
		return;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, bpf->control_fd, 0);
	if (ctl == MAP_FAILED)
		return;
	__atomic_add_fetch(&ctl->lost, lost, __ATOMIC_RELAXED);
	munmap(ctl, sizeof(*ctl));
}

int tbtf_bpf_detach(void)
{
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	dir = opendir(BPF_DIR);
	if (!dir) {
		if (errno != ENOENT)
			return explain(-errno);
		tbtf_error("nothing is pinned in %s", BPF_DIR);
		return EXIT_OK;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(dirfd(dir), entry->d_name, 0) && !err)
			err = -errno;
	closedir(dir);
	if (!err && rmdir(BPF_DIR))
		err = -errno;
	return err ? explain(err) : EXIT_OK;
}
