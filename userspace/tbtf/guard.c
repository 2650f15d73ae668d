// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - guard: a machine that tbtf has taken down twice in an hour stays up
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Run once in each boot, before anything that could need memory. What it knows is in
 * a file of a few lines, and nothing that stands there, or can no longer be read, is a
 * reason to stop: then it goes by what is on record now.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "crashes.h"

#define STATE_DIR	"/var/lib/tbtf"
#define STATE_FILE	STATE_DIR "/guard"
#define MODPROBE_FILE	"/run/modprobe.d/tbtf-guard.conf"
#define MOTD_FILE	"/run/motd.d/50-tbtf-guard"
#define ISSUE_FILE	"/run/issue.d/50-tbtf-guard.issue"
/* Two panics so near to each other are one too many. */
#define TOGETHER_S	3600
/* Records that are remembered: of more the oldest are forgotten. */
#define KNOWN_MAX	64
#define STATE_MAX	65536

struct known {
	uint64_t key;		/* of what the panic said, and when */
	int64_t time;		/* of day */
};

struct guard {
	struct known known[KNOWN_MAX];
	size_t nr;
	char boot[64];		/* of which this was decided: */
	bool on;
	int64_t first, second;	/* the two panics, if it is */
	unsigned int bad_lines;
};

/* --- what is known ------------------------------------------------------------------ */

/* FNV-1a. The record may be moved, and get another time: its words stay. */
static uint64_t key_of(const struct crash *crash)
{
	uint64_t key = 0xcbf29ce484222325u ^ crash->panic.usec;

	for (const char *s = crash->reason; *s; s++)
		key = (key ^ (unsigned char)*s) * 0x100000001b3u;
	return key;
}

static struct known *find(struct guard *guard, uint64_t key)
{
	for (size_t i = 0; i < guard->nr; i++)
		if (guard->known[i].key == key)
			return &guard->known[i];
	return NULL;
}

static void remember(struct guard *guard, uint64_t key, int64_t time)
{
	if (guard->nr == KNOWN_MAX)
		memmove(guard->known, guard->known + 1, sizeof(*guard->known) * --guard->nr);
	guard->known[guard->nr++] = (struct known){ key, time };
}

static bool take_state(struct guard *guard, const char *line)
{
	char boot[64], state[8];
	long long time, first, second;
	unsigned long long key;
	int end = -1;

	if (sscanf(line, "panic %lld %llx%n", &time, &key, &end) == 2 && !line[end]) {
		if (!find(guard, key))
			remember(guard, key, time);
		return true;
	}
	if (sscanf(line, "boot %63s %7s %lld %lld%n", boot, state, &first, &second, &end) == 4 &&
	    !line[end] && (!strcmp(state, "on") || !strcmp(state, "off"))) {
		strcpy(guard->boot, boot);
		guard->on = !strcmp(state, "on");
		guard->first = first;
		guard->second = second;
		return true;
	}
	return false;
}

/* Whatever it is that stands there: what cannot be understood is left out, and counted. */
static void read_state(struct guard *guard)
{
	static char text[STATE_MAX];
	char path[PATH_LEN], *line, *rest = NULL;
	struct stat st;
	ssize_t n;

	memset(guard, 0, sizeof(*guard));
	/* A fifo would be waited for. */
	if (tbtf_path(path, STATE_FILE) && !lstat(path, &st) && !S_ISREG(st.st_mode)) {
		tbtf_error(STATE_FILE " is no file, and is left out");
		guard->bad_lines++;
		return;
	}
	n = tbtf_read(text, sizeof(text), STATE_FILE);
	if (n == -ENOENT || n == -ENOTDIR)
		return;
	if (n < 0) {
		tbtf_error(STATE_FILE " cannot be read: %s", strerror(-n));
		guard->bad_lines++;
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = '?';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		guard->bad_lines += !take_state(guard, line);
	if (guard->bad_lines)
		tbtf_error("%u lines of " STATE_FILE " make no sense and are left out",
			   guard->bad_lines);
}

/* A file with its directory, whole or not at all. 0 or -errno. */
static int put_file(const char *name, const char *text)
{
	char path[PATH_LEN], dir[PATH_LEN], temporary[PATH_LEN + 8];
	size_t len = strlen(text);
	char *slash;
	int fd, err = 0;

	if (!tbtf_path(path, "%s", name))
		return -ENAMETOOLONG;
	strcpy(dir, path);
	slash = strrchr(dir, '/');
	*slash = '\0';
	(void)mkdir(dir, 0755);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		err = errno ? -errno : -EIO;
	if (close(fd) < 0 && !err)
		err = -errno;
	/* It may be a directory, of whomever. */
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		(void)unlink(temporary);
	fd = err ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	return err;
}

static int write_state(const struct guard *guard)
{
	static char text[STATE_MAX];
	size_t len = 0;

	for (size_t i = 0; i < guard->nr; i++)
		len += snprintf(text + len, sizeof(text) - len, "panic %" PRId64 " %016" PRIx64 "\n",
				guard->known[i].time, guard->known[i].key);
	snprintf(text + len, sizeof(text) - len, "boot %s %s %" PRId64 " %" PRId64 "\n",
		 guard->boot, guard->on ? "on" : "off", guard->first, guard->second);
	return put_file(STATE_FILE, text);
}

/* --- what follows from it -------------------------------------------------------------- */

/* Seconds since the machine was booted; 0 if that cannot be said. */
static int64_t uptime(void)
{
	char text[64];

	return tbtf_read(text, sizeof(text), "/proc/uptime") > 0 ? atoll(text) : 0;
}

/*
 * A panic that was not known yet, not long before this boot, and another within an
 * hour before it. A clock that is wrong makes a panic one of just now: there is no
 * harm in a kill.
 */
static void decide(struct guard *guard, const struct crashes *crashes)
{
	int64_t now = time(NULL), booted = now - uptime(), latest = 0;
	bool found = false;

	for (size_t i = crashes->nr; i-- > 0;) {
		const struct crash *crash = &crashes->crash[i];
		int64_t when = crash->time <= 0 || crash->time > now ? now : (int64_t)crash->time;

		if (!crash->ours || find(guard, key_of(crash)))
			continue;
		remember(guard, key_of(crash), when);
		if (booted - when <= TOGETHER_S && when >= latest) {
			latest = when;
			found = true;
		}
	}
	guard->on = false;
	guard->first = guard->second = 0;
	for (size_t i = 0, same = 0; found && i < guard->nr; i++) {
		int64_t when = guard->known[i].time;

		/* Itself, once. */
		if (when == latest && !same++)
			continue;
		if (when <= latest && latest - when <= TOGETHER_S) {
			guard->on = true;
			guard->first = when > guard->first ? when : guard->first;
			guard->second = latest;
		}
	}
}

static const char *clock_text(int64_t when, char buf[32])
{
	time_t seconds = when;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

static void put_console(const char *text)
{
	char path[PATH_LEN], line[512];
	int fd, len;

	if (!tbtf_path(path, "/dev/kmsg"))
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return;
	/* 2: also on a console that is told to be quiet. In one write: that is one line. */
	len = snprintf(line, sizeof(line), "<2>%s", text);
	if (write(fd, line, len) != len)
		tbtf_error("/dev/kmsg: %s", strerror(errno));
	close(fd);
}

/* The module: how it is loaded, and if it is already. False: that has failed. */
static bool set_module(bool on)
{
	char path[PATH_LEN];
	int sysfs, err = 0;

	if (on)
		err = put_file(MODPROBE_FILE, "# Made by 'tbtf guard': see tbtf-last(8).\noptions tbtf guard=1\n");
	else if (tbtf_path(path, MODPROBE_FILE) && unlink(path) < 0 && errno != ENOENT)
		err = -errno;
	if (err)
		tbtf_error(MODPROBE_FILE ": %s", strerror(-err));
	sysfs = tbtf_open_sysfs();
	if (sysfs < 0)
		return !err;
	if (tbtf_knob_set(sysfs, "guard", on ? "1" : "0") < 0) {
		tbtf_error("/sys/kernel/mm/tbtf/guard cannot be set");
		err = -EIO;
	}
	close(sysfs);
	return !err;
}

static bool put_on(const struct guard *guard)
{
	char text[512], line[256], first[32], second[32];
	bool good = set_module(true);

	snprintf(line, sizeof(line), "tbtf: guard: the machine was taken down twice within an hour (%s, %s): until 'tbtf guard --clear' or the next boot on_exhausted=panic kills\n",
		 clock_text(guard->first, first), clock_text(guard->second, second));
	put_console(line);
	snprintf(text, sizeof(text), "\ntbtf took this machine down twice within an hour (%s and\n%s). In this boot it does not: when memory is exhausted, it is the\nprotected process that is killed. 'tbtf last' says what it was, 'tbtf guard\n--clear' allows panics again.\n\n",
		 first, second);
	/* Who logs in is shown the one by pam_motd, the other by agetty before. */
	if (put_file(MOTD_FILE, text) < 0 || put_file(ISSUE_FILE, text) < 0) {
		tbtf_error("it cannot be said to who logs in: " MOTD_FILE);
		good = false;
	}
	return good;
}

static void take_off(void)
{
	char path[PATH_LEN];

	if (tbtf_path(path, MOTD_FILE))
		(void)unlink(path);
	if (tbtf_path(path, ISSUE_FILE))
		(void)unlink(path);
}

static int boot(void)
{
	struct crashes crashes;
	struct guard guard;
	char id[64] = "";
	bool good = true;
	int err;

	read_state(&guard);
	if (tbtf_read(id, sizeof(id), "/proc/sys/kernel/random/boot_id") <= 0)
		strcpy(id, "?");
	/* Started anew in the same boot: what was decided stands. */
	if (strcmp(guard.boot, id)) {
		err = crashes_read(&crashes);
		if (err) {
			tbtf_error("the records of panics cannot be read: %s", strerror(-err));
			good = false;
			memset(&crashes, 0, sizeof(crashes));
		}
		snprintf(guard.boot, sizeof(guard.boot), "%s", id);
		decide(&guard, &crashes);
		crashes_free(&crashes);
	}
	if (guard.on)
		good &= put_on(&guard);
	err = write_state(&guard);
	if (err) {
		tbtf_error(STATE_FILE " cannot be written: %s", strerror(-err));
		good = false;
	}
	return good ? EXIT_OK : EXIT_FAILED;
}

static int clear(void)
{
	struct guard guard;
	int err;

	read_state(&guard);
	for (size_t i = 0; i < guard.nr; i++)
		guard.known[i].time = 0;
	guard.on = false;
	guard.first = guard.second = 0;
	if (!*guard.boot)
		strcpy(guard.boot, "?");
	err = write_state(&guard);
	if (err)
		return tbtf_failed(err, STATE_FILE);
	take_off();
	if (!set_module(false))
		return EXIT_FAILED;
	puts("Panics are allowed again.");
	return EXIT_OK;
}

static int show(void)
{
	char id[64] = "", first[32], second[32], value[16], backend[64];
	struct guard guard;
	int sysfs, n = 0;

	read_state(&guard);
	(void)tbtf_read(id, sizeof(id), "/proc/sys/kernel/random/boot_id");
	for (size_t i = 0; i < guard.nr; i++)
		n += guard.known[i].time > 0;
	if (!*guard.boot || strcmp(guard.boot, id))
		puts("The guard has not looked in this boot ('tbtf guard --boot', tbtf-guard.service).");
	else if (guard.on)
		printf("The machine was taken down twice within an hour, on %s and\n%s: on_exhausted=panic kills until 'tbtf guard --clear' or the next boot.\n",
		       clock_text(guard.first, first), clock_text(guard.second, second));
	else
		puts("Panics are allowed.");
	printf("Panics of tbtf's that count: %d.\n", n);
	if (!crashes_kept(backend))
		puts("pstore has no backend: of a panic nothing is kept, and the guard would not see it.");
	sysfs = tbtf_open_sysfs();
	if (sysfs >= 0) {
		if (!tbtf_knob_get(sysfs, "guard", value, sizeof(value)))
			printf("The module's guard is %s.\n", value);
		close(sysfs);
	}
	return EXIT_OK;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "boot",	no_argument,	NULL, 'b' },
		{ "clear",	no_argument,	NULL, 'c' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	bool do_boot = false, do_clear = false;
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":bch", names, &code)) != -1) {
		switch (opt) {
		case 'b':
			do_boot = true;
			break;
		case 'c':
			do_clear = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	if (do_boot && do_clear)
		return tbtf_bad_usage(cmd, "--boot and --clear exclude each other");
	return do_boot ? boot() : do_clear ? clear() : show();
}

const struct cmd cmd_guard = {
	.name = "guard",
	.synopsis = "[--boot | --clear]",
	.summary = "no panic in the boot after two within an hour",
	.help = "Without an option it says how things are.\n\n"
		"Options:\n"
		"  -b, --boot              look whether it has come to that, and see to it: what\n"
		"                          tbtf-guard.service does in each boot\n"
		"  -c, --clear             allow panics again, now\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed.\n",
	.run = run,
};
