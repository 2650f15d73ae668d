// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - every knob: what is taken reads back, what is not changes nothing
 *
 * Copyright (C) 2026 The tbtf authors
 */
/* vm: mem=256 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define PARAMETERS "/sys/module/tbtf/parameters"

/* Every number, and its bounds; every word. */
static struct {
	const char *name;
	long long min, max;
	const char *words[4];
} knobs[] = {
	{ "dry_run",		0,	1 },
	{ "enabled",		0,	1 },
	{ "episode_idle_ms",	100,	3600000 },
	{ "ladder_deadline_ms",	0,	3600000 },
	{ "max_kills",		1,	1024 },
	{ "max_marks",		1,	65536 },
	{ "min_victim_kb",	0,	4294967294 },
	{ "nap_ms",		1,	10000 },
	{ "on_exhausted",	.words = { "kill", "panic" } },
	{ "on_exhausted_memcg",	.words = { "kill", "wait" } },
	{ "panic_reboot_s",	0,	86400 },
	{ "policy",		.words = { "uniform", "weighted", "largest" } },
	{ "print_rate_kb",	0,	1073741824 },
	{ "reserve_kb",		0,	0 },	/* a quarter of memory */
	{ "substitute",		.words = { "chosen", "always" } },
	{ "guard",		0,	1 },
};

#define NR_KNOBS	(sizeof(knobs) / sizeof(knobs[0]))

static const char *const bad_numbers[] = {
	"\n", " ", "\t\n", "-1", "-1\n", "0x1", "0X1", "-0x1", "1x", "1k", "1K", "1kB", "1M",
	"1ms", "1 ms", "1s", "1 1", "1,1", "1\n1", "1\n\n", " 1", "1 ", "1.0", "1e1", "yes", "on",
	"true", "max", "infinity", "[1]", "one", "--1", "+-1", "4294967295", "4294967296",
	"4294967297", "18446744073709551615", "18446744073709551616", "18446744073709551617",
	"99999999999999999999999999999999999999",
};

/* The text of a whole file, with its newline. */
static int whole(const char *dir, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -errno : n;
}

static long long memory_kb(void)
{
	char text[256];
	long long kb = 0;

	if (whole("/proc", "meminfo", text, sizeof(text)) > 0)
		sscanf(text, "MemTotal: %lld", &kb);
	return kb;
}

FIXTURE(knob) {
	const char *name;
	char before[256];
	int nr;
};

FIXTURE_VARIANT(knob) {
	int nr;
};

#define VARIANT(_name, _nr) FIXTURE_VARIANT_ADD(knob, _name) { .nr = _nr }
VARIANT(dry_run, 0);
VARIANT(enabled, 1);
VARIANT(episode_idle_ms, 2);
VARIANT(ladder_deadline_ms, 3);
VARIANT(max_kills, 4);
VARIANT(max_marks, 5);
VARIANT(min_victim_kb, 6);
VARIANT(nap_ms, 7);
VARIANT(on_exhausted, 8);
VARIANT(on_exhausted_memcg, 9);
VARIANT(panic_reboot_s, 10);
VARIANT(policy, 11);
VARIANT(print_rate_kb, 12);
VARIANT(reserve_kb, 13);
VARIANT(substitute, 14);
VARIANT(guard, 15);

FIXTURE_SETUP(knob)
{
	knobs[13].max = memory_kb() / 4;
	self->nr = variant->nr;
	self->name = knobs[self->nr].name;
	ASSERT_LT(0, whole(TU_SYSFS, self->name, self->before, sizeof(self->before)));
}

FIXTURE_TEARDOWN(knob)
{
}

static int set_and_get(const char *name, const char *text, const char *wanted)
{
	char now[256];
	int err = tu_write(text, TU_SYSFS "/%s", name);

	if (err < 0)
		return err;
	if (tu_knob_get(name, now, sizeof(now)) < 0)
		return -EIO;
	return strcmp(now, wanted) ? -ERANGE : 0;
}

/* The file's text when `word` is chosen. */
static void brackets(int nr, const char *word, char *buf, size_t size)
{
	int i, n = 0;

	for (i = 0; knobs[nr].words[i]; i++)
		n += snprintf(buf + n, size - n, "%s%s%s%s", i ? " " : "",
			      strcmp(knobs[nr].words[i], word) ? "" : "[", knobs[nr].words[i],
			      strcmp(knobs[nr].words[i], word) ? "" : "]");
	snprintf(buf + n, size - n, "\n");
}

TEST_F(knob, takes_what_is_good)
{
	char text[64], now[256], wanted[256];
	long long min = knobs[self->nr].min, max = knobs[self->nr].max;
	const long long values[] = { min, max, min + 1, max - 1, min + (max - min) / 3, max, min };
	unsigned int i;

	for (i = 0; !knobs[self->nr].words[0] && i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(text, sizeof(text), "%lld\n", values[i]);
		snprintf(wanted, sizeof(wanted), "%lld", values[i]);
		EXPECT_EQ(0, set_and_get(self->name, text, wanted)) TH_LOG("%s: %s", self->name, text);
		/* Without the newline, too. */
		EXPECT_EQ(0, set_and_get(self->name, wanted, wanted)) TH_LOG("%s: %s", self->name, text);
		ASSERT_LT(0, whole(TU_SYSFS, self->name, now, sizeof(now)));
		EXPECT_STREQ(text, now);
	}
	for (i = 0; knobs[self->nr].words[i]; i++) {
		snprintf(text, sizeof(text), "%s\n", knobs[self->nr].words[i]);
		EXPECT_EQ(0, set_and_get(self->name, text, knobs[self->nr].words[i]));
		brackets(self->nr, knobs[self->nr].words[i], wanted, sizeof(wanted));
		ASSERT_LT(0, whole(TU_SYSFS, self->name, now, sizeof(now)));
		EXPECT_STREQ(wanted, now);
		EXPECT_EQ(0, set_and_get(self->name, knobs[self->nr].words[i], knobs[self->nr].words[i]));
	}
	ASSERT_LT(0, whole(PARAMETERS, self->name, wanted, sizeof(wanted)));
	ASSERT_LT(0, whole(TU_SYSFS, self->name, now, sizeof(now)));
	EXPECT_STREQ(now, wanted) TH_LOG("the parameter does not show what the knob is");
}

/* Refused with EINVAL, and the file is as it was. */
#define EXPECT_REFUSED(text) do {							\
	char __now[256];								\
											\
	EXPECT_EQ(-EINVAL, tu_write(text, TU_SYSFS "/%s", self->name))			\
		TH_LOG("%s: \"%s\"", self->name, text);					\
	ASSERT_LT(0, whole(TU_SYSFS, self->name, __now, sizeof(__now)));		\
	EXPECT_STREQ(self->before, __now) TH_LOG("%s: \"%s\"", self->name, text);	\
} while (0)

TEST_F(knob, refuses_what_is_bad)
{
	long long min = knobs[self->nr].min, max = knobs[self->nr].max;
	const char *const *words = knobs[self->nr].words;
	char text[256];
	unsigned int i;

	for (i = 0; !words[0] && i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++)
		EXPECT_REFUSED(bad_numbers[i]);
	if (!words[0]) {
		snprintf(text, sizeof(text), "%lld", min - 1);
		EXPECT_REFUSED(text);
		snprintf(text, sizeof(text), "%lld\n", max + 1);
		EXPECT_REFUSED(text);
		snprintf(text, sizeof(text), "%lldx", max);
		EXPECT_REFUSED(text);
		snprintf(text, sizeof(text), "0x%llx", max);
		EXPECT_REFUSED(text);
	}
	for (i = 0; words[i]; i++) {
		static const char *const forms[] = {
			"%sx", "x%s", " %s", "%s ", "[%s]", "%s\n\n", "%s\t", "%s,", "\n%s", "%.3s",
		};
		unsigned int f;

		for (f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
			snprintf(text, sizeof(text), forms[f], words[i]);
			EXPECT_REFUSED(text);
		}
		snprintf(text, sizeof(text), "%s %s", words[i], words[0]);
		EXPECT_REFUSED(text);
		snprintf(text, sizeof(text), "%s", words[i]);
		text[0] += 'A' - 'a';
		EXPECT_REFUSED(text);
	}
	for (i = 0; words[0] && i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++)
		EXPECT_REFUSED(bad_numbers[i]);
	if (words[0])
		EXPECT_REFUSED("0");
}

/* A write longer than a page, and one in two pieces. */
TEST_F(knob, refuses_what_is_long)
{
	static char text[8192];
	char now[256], path[PATH_MAX];
	int fd;

	memset(text, '1', sizeof(text) - 1);
	EXPECT_GT(0, tu_write(text, TU_SYSFS "/%s", self->name));
	snprintf(path, sizeof(path), TU_SYSFS "/%s", self->name);
	fd = open(path, O_WRONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, "1x", 2));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
	ASSERT_LT(0, whole(TU_SYSFS, self->name, now, sizeof(now)));
	EXPECT_STREQ(self->before, now);
}

/* What there is in /sys: nothing writable but the table above, and all of that. */
TEST(the_table_is_complete)
{
	unsigned int found = 0, i;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	dir = opendir(TU_SYSFS);
	ASSERT_NE(NULL, dir);
	while ((d = readdir(dir))) {
		ASSERT_EQ(0, fstatat(dirfd(dir), d->d_name, &st, 0));
		if (!S_ISREG(st.st_mode))
			continue;
		for (i = 0; i < NR_KNOBS && strcmp(knobs[i].name, d->d_name); i++)
			;
		EXPECT_EQ(i < NR_KNOBS ? 0644U : 0444U, st.st_mode & 0777) TH_LOG("%s", d->d_name);
		found += i < NR_KNOBS;
	}
	closedir(dir);
	EXPECT_EQ(NR_KNOBS, found);

	found = 0;
	dir = opendir(PARAMETERS);
	ASSERT_NE(NULL, dir);
	while ((d = readdir(dir))) {
		ASSERT_EQ(0, fstatat(dirfd(dir), d->d_name, &st, 0));
		if (!S_ISREG(st.st_mode))
			continue;
		for (i = 0; i < NR_KNOBS && strcmp(knobs[i].name, d->d_name); i++)
			;
		EXPECT_LT(i, NR_KNOBS) TH_LOG("parameter %s is no knob", d->d_name);
		EXPECT_EQ(0444U, st.st_mode & 0777) TH_LOG("%s", d->d_name);
		found++;
	}
	closedir(dir);
	EXPECT_EQ(NR_KNOBS, found);
}

TEST(what_is_shown_is_one_line)
{
	char text[256];

	EXPECT_LT(0, whole(TU_SYSFS, "features", text, sizeof(text)));
	EXPECT_STREQ("prctl kill group cgroup front nap exec rmdir fault helper\n", text);
	EXPECT_LT(0, whole(TU_SYSFS, "abi", text, sizeof(text)));
	EXPECT_STREQ("1\n", text);
	EXPECT_LT(0, whole(TU_SYSFS, "marked", text, sizeof(text)));
	EXPECT_STREQ("0\n", text);
	EXPECT_LT(0, whole(TU_SYSFS, "stage", text, sizeof(text)));
	EXPECT_STREQ("idle\n", text);
}

TEST(statistics_begin_at_zero_and_are_read_only)
{
	struct dirent *d;
	struct stat st;
	char text[256];
	DIR *dir;
	int n = 0;

	dir = opendir(TU_SYSFS "/stats");
	ASSERT_NE(NULL, dir);
	while ((d = readdir(dir))) {
		ASSERT_EQ(0, fstatat(dirfd(dir), d->d_name, &st, 0));
		if (!S_ISREG(st.st_mode))
			continue;
		n++;
		EXPECT_EQ(0444U, st.st_mode & 0777) TH_LOG("%s", d->d_name);
		EXPECT_LT(0, whole(TU_SYSFS "/stats", d->d_name, text, sizeof(text)));
		EXPECT_STREQ("0\n", text) TH_LOG("%s", d->d_name);
		/* Not for root either. */
		EXPECT_GT(0, tu_write("1", TU_SYSFS "/stats/%s", d->d_name));
	}
	closedir(dir);
	EXPECT_LT(30, n);
}

TEST(only_root_writes)
{
	unsigned int i;

	ASSERT_EQ(0, setuid(65534));
	for (i = 0; i < NR_KNOBS; i++) {
		EXPECT_EQ(-EACCES, tu_write("1", TU_SYSFS "/%s", knobs[i].name));
		EXPECT_EQ(-EACCES, tu_write("1", PARAMETERS "/%s", knobs[i].name));
	}
}

TEST_HARNESS_MAIN
