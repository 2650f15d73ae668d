// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - crashes of this machine that are on record
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The kernel hands the end of its log to pstore when it panics. A record may be in
 * several files, each a part of it, the first with the newest lines.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "crashes.h"

/* Of a long file the end is read: that is where it says how it ended. */
#define TEXT_MAX	(4 << 20)
/* Parts of one record are written at once. */
#define PARTS_S		10
#define FILES_MAX	4096

struct part {
	char path[PATH_LEN];
	char place[PATH_LEN];	/* its directory */
	double time;
	unsigned int number;	/* 1: the end; 0: it is all */
	char *text;
};

struct parts {
	struct part *part;
	size_t nr, room;
};

/* The end of a file, in memory from malloc(3). */
static int read_end(const char *path, char **ret_text, double *ret_time)
{
	size_t len = 0, size;
	struct stat st;
	ssize_t n;
	char *text;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	size = st.st_size > TEXT_MAX ? TEXT_MAX : st.st_size;
	if (st.st_size > TEXT_MAX)
		(void)lseek(fd, st.st_size - TEXT_MAX, SEEK_SET);
	text = malloc(size + 1);
	while (text && len < size) {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		len += n;
	}
	close(fd);
	if (!text || err) {
		free(text);
		return text ? err : -ENOMEM;
	}
	/* Rubbish in it must not hide what comes after. */
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	text[len] = '\0';
	*ret_text = text;
	*ret_time = st.st_mtim.tv_sec + st.st_mtim.tv_nsec / 1e9;
	return 0;
}

static unsigned int number_of(const char *text)
{
	unsigned int number;

	/* "Panic#1 Part2", as the first line of what pstore has. */
	return sscanf(text, "%*15[A-Za-z]#%*u Part%u", &number) == 1 ? number : 0;
}

static int add(struct parts *parts, const char *place, const char *path)
{
	struct part *more, *part;
	int err;

	if (parts->nr == parts->room) {
		parts->room = parts->room ? parts->room * 2 : 16;
		more = reallocarray(parts->part, parts->room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		parts->part = more;
	}
	part = &parts->part[parts->nr];
	err = read_end(path, &part->text, &part->time);
	if (err)
		return err;
	snprintf(part->path, sizeof(part->path), "%s", path);
	snprintf(part->place, sizeof(part->place), "%s", place);
	part->number = number_of(part->text);
	parts->nr++;
	return 0;
}

/* Files that begin like that, in a directory and, depth permitting, those below it. */
static int look(struct crashes *crashes, struct parts *parts, const char *place, const char *begin,
		int depth)
{
	char path[PATH_LEN];
	struct dirent *entry;
	struct stat st;
	int err = 0;
	DIR *dir;

	dir = opendir(place);
	if (!dir) {
		if (errno == EACCES)
			snprintf(crashes->denied, sizeof(crashes->denied), "%s", place);
		return errno == ENOMEM ? -ENOMEM : 0;
	}
	while (err != -ENOMEM && parts->nr < FILES_MAX && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || snprintf(path, sizeof(path), "%s/%s", place,
						      entry->d_name) >= (int)sizeof(path))
			continue;
		if (lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			err = look(crashes, parts, path, begin, depth - 1);
		else if (S_ISREG(st.st_mode) && !strncmp(entry->d_name, begin, strlen(begin)))
			err = add(parts, place, path);
		if (err == -EACCES)
			snprintf(crashes->denied, sizeof(crashes->denied), "%s", path);
	}
	closedir(dir);
	return err == -ENOMEM ? err : 0;
}

/* Those that belong together, the oldest lines first: by place, then time, then number. */
static int in_order(const void *va, const void *vb)
{
	const struct part *a = va, *b = vb;
	int order = strcmp(a->place, b->place);

	if (order)
		return order;
	if (a->time - b->time > PARTS_S || b->time - a->time > PARTS_S)
		return a->time < b->time ? -1 : 1;
	return (a->number < b->number) - (a->number > b->number);
}

static int newest_first(const void *va, const void *vb)
{
	const struct crash *a = va, *b = vb;

	return (a->time < b->time) - (a->time > b->time);
}

/* --- what a record says ------------------------------------------------------------- */

static int kill_of(struct crash *crash, const struct klog_event *event)
{
	struct klog_event *more = reallocarray(crash->kills, crash->nr_kills + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	crash->kills = more;
	crash->kills[crash->nr_kills++] = *event;
	return 0;
}

/* The kills of another load of the module, whose episode had the same number. */
static void forget_kills(struct crash *crash)
{
	free(crash->kills);
	crash->kills = NULL;
	crash->nr_kills = 0;
	crash->waited_ms = 0;
	*crash->scope = '\0';
}

/* One line. The events are those of all episodes, until it is known which one it was. */
static int take_line(struct crash *crash, const char *line)
{
	static const char lead[] = "Kernel panic - not syncing: ";
	const char *said = strstr(line, lead);
	struct klog_event event;

	if (*crash->reason)
		return 0;	/* what comes after the first panic is its consequence */
	if (said) {
		snprintf(crash->reason, sizeof(crash->reason), "%s", said + strlen(lead));
		crash->ours = klog_panic(line, &crash->panic);
		return 0;
	}
	if (strstr(line, "tbtf: loaded: "))
		forget_kills(crash);
	if (!klog_parse(line, &event))
		return 0;
	if (event.kind == KLOG_SACRIFICE && !event.dry_run)
		return kill_of(crash, &event);
	if (event.kind == KLOG_EXHAUSTED) {
		crash->waited_ms = event.waited_ms;
		snprintf(crash->scope, sizeof(crash->scope), "%s", event.scope);
		/* All that a journal has of it: the panic came too late for that. */
		crash->panic.usec = event.usec;
		crash->panic.episode = event.episode;
		crash->panic.protected = event.protected;
		crash->panic.kills = event.kills;
		crash->panic.partial = !strcmp(event.reason, "on_exhausted=panic") ||
				       strstr(event.reason, "-1000: panic");
	}
	return 0;
}

static int take_text(struct crash *crash, char *text)
{
	char *end;
	int err = 0;

	for (; !err && *text; text = end + 1) {
		end = strchr(text, '\n');
		if (end)
			*end = '\0';
		text[strcspn(text, "\r")] = '\0';
		err = take_line(crash, text);
		if (!end)
			break;
	}
	return err;
}

static int finish(struct crashes *crashes, struct crash *crash)
{
	struct crash *more;
	size_t n = 0;

	if (!*crash->reason) {
		forget_kills(crash);
		return 0;
	}
	for (size_t i = 0; i < crash->nr_kills; i++)
		if (crash->kills[i].episode == crash->panic.episode && crash->ours)
			crash->kills[n++] = crash->kills[i];
	crash->nr_kills = n;
	more = reallocarray(crashes->crash, crashes->nr + 1, sizeof(*more));
	if (!more) {
		forget_kills(crash);
		return -ENOMEM;
	}
	crashes->crash = more;
	crashes->crash[crashes->nr++] = *crash;
	return 0;
}

static int take_parts(struct crashes *crashes, struct parts *parts)
{
	struct crash crash;
	size_t i = 0, first;
	int err = 0;

	if (parts->nr)
		qsort(parts->part, parts->nr, sizeof(*parts->part), in_order);
	while (!err && i < parts->nr) {
		memset(&crash, 0, sizeof(crash));
		first = i;
		do {
			const struct part *p = &parts->part[i];

			snprintf(crash.source, sizeof(crash.source), "%s", p->path);
			crash.time = p->time;
			err = take_text(&crash, parts->part[i].text);
			i++;
		} while (!err && i < parts->nr && parts->part[i].number &&
			 parts->part[i].number < parts->part[i - 1].number &&
			 !strcmp(parts->part[i].place, parts->part[first].place) &&
			 parts->part[i].time - parts->part[first].time <= PARTS_S);
		if (!err)
			err = finish(crashes, &crash);
		else
			forget_kills(&crash);
	}
	return err;
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->nr; i++)
		free(parts->part[i].text);
	free(parts->part);
}

/* Where nothing keeps the last words, the boot before may have ended in the last but one. */
static int read_journal(struct crashes *crashes)
{
	FILE *journal = popen("journalctl --no-pager -q -k -b -1 -o short-unix 2>/dev/null", "re");
	struct crash crash = { .source = "the journal of the boot before" };
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	if (!journal)
		return 0;
	while (!err && getline(&line, &room, journal) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (atof(line) > 0)
			crash.time = atof(line);
		err = take_line(&crash, line);
	}
	free(line);
	(void)pclose(journal);
	if (!err && !*crash.reason && crash.panic.partial) {
		snprintf(crash.reason, sizeof(crash.reason), "tbtf: episode %llu: memory is exhausted",
			 (unsigned long long)crash.panic.episode);
		crash.ours = true;
	}
	return err ? err : finish(crashes, &crash);
}

int crashes_read(struct crashes *ret)
{
	static const struct {
		const char *place, *begin;
		int depth;
	} places[] = {
		{ "/sys/fs/pstore", "dmesg-", 0 },
		{ "/var/lib/systemd/pstore", "dmesg", 2 },
		{ "/var/crash", "dmesg.", 1 },
	};
	struct parts parts = { 0 };
	char path[PATH_LEN];
	int err = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; !err && i < ARRAY_SIZE(places); i++)
		if (tbtf_path(path, "%s", places[i].place))
			err = look(ret, &parts, path, places[i].begin, places[i].depth);
	if (!err)
		err = take_parts(ret, &parts);
	free_parts(&parts);
	if (!err && !ret->nr && tbtf_systemd_running())
		err = read_journal(ret);
	if (err)
		crashes_free(ret);
	else if (ret->nr)
		qsort(ret->crash, ret->nr, sizeof(*ret->crash), newest_first);
	return err;
}

int crashes_read_file(struct crashes *ret, const char *path)
{
	struct parts parts = { 0 };
	int err;

	memset(ret, 0, sizeof(*ret));
	err = add(&parts, "", path);
	if (!err)
		err = take_parts(ret, &parts);
	free_parts(&parts);
	if (err)
		crashes_free(ret);
	return err ? err : ret->nr ? 0 : -ENODATA;
}

void crashes_free(struct crashes *crashes)
{
	for (size_t i = 0; i < crashes->nr; i++)
		free(crashes->crash[i].kills);
	free(crashes->crash);
	crashes->crash = NULL;
	crashes->nr = 0;
}

bool crashes_kept(char ret[64])
{
	if (tbtf_read(ret, 64, "/sys/module/pstore/parameters/backend") <= 0 ||
	    !strcmp(ret, "(null)"))
		*ret = '\0';
	return *ret;
}
