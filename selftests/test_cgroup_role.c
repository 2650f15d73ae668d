// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - memory.tbtf: values, the nearest cgroup, and cgroups that come and go
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * vm: mem=256
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS	20000

static const char *const words[] = { "inherit", "tbtf", "spare", "expendable", "ordinary" };
#define WORDS	5

FIXTURE(role) {
	struct tu_hog hog;
};

FIXTURE_SETUP(role)
{
	ASSERT_EQ(0, tu_cg_make("role"));
	self->hog = (struct tu_hog){ .name = "member", .size_kb = 1024 };
	ASSERT_EQ(0, tu_hog_start(&self->hog));
}

FIXTURE_TEARDOWN(role)
{
	tu_hog_stop(&self->hog);
	EXPECT_EQ(0, tu_cg_remove("role"));
}

/* What stands in a file of a cgroup. */
static const char *get(const char *cg, const char *file)
{
	static char buf[256];

	if (tu_read(buf, sizeof(buf), TU_CGROUP "/%s/%s", cg, file) < 0)
		return "(unreadable)";
	return buf;
}

/* What counts for a process, as a word, and which cgroup it comes from. */
static const char *effective(pid_t pid, uint64_t *ret_cgroup)
{
	struct tbtf_info info;

	if (tu_query(pid, &info) || info.effective >= WORDS)
		return "(unknown)";
	if (ret_cgroup)
		*ret_cgroup = info.cgroup;
	return words[info.effective];
}

TEST_F(role, files)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {
		{ "memory.tbtf", 0644 }, { "memory.tbtf.effective", 0444 },
		{ "memory.tbtf.events", 0444 },
	};
	char path[256];
	struct stat st;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), TU_CGROUP "/role/%s", files[i].name);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(files[i].mode, st.st_mode & 0777);
		/* Not in the root: the machine is nobody's cgroup. */
		snprintf(path, sizeof(path), TU_CGROUP "/%s", files[i].name);
		EXPECT_EQ(-1, stat(path, &st));
		EXPECT_EQ(ENOENT, errno);
	}
	/* Where there is no memory controller, there is none of this. */
	ASSERT_EQ(0, mkdir(TU_CGROUP "/role/without", 0755));
	EXPECT_EQ(-1, stat(TU_CGROUP "/role/without/memory.tbtf", &st));
	ASSERT_EQ(0, tu_write("+memory", TU_CGROUP "/role/cgroup.subtree_control"));
	EXPECT_EQ(0, stat(TU_CGROUP "/role/without/memory.tbtf", &st));
	EXPECT_STREQ("inherit", get("role/without", "memory.tbtf"));
	ASSERT_EQ(0, rmdir(TU_CGROUP "/role/without"));
}

TEST_F(role, values)
{
	unsigned int i, j;

	EXPECT_STREQ("inherit", get("role", "memory.tbtf"));
	EXPECT_STREQ("ordinary", get("role", "memory.tbtf.effective"));
	EXPECT_STREQ("sacrificed 0\nspared 0", get("role", "memory.tbtf.events"));
	ASSERT_EQ(0, tu_cg_enter("role", self->hog.pid));
	/* From each to each, itself included. */
	for (i = 0; i < WORDS; i++) {
		for (j = 0; j < WORDS; j++) {
			const char *want = j ? words[j] : "ordinary";
			uint64_t cgroup = -1;

			ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", words[i]));
			ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", words[j]));
			EXPECT_STREQ(words[j], get("role", "memory.tbtf"));
			EXPECT_STREQ(want, get("role", "memory.tbtf.effective"));
			EXPECT_STREQ(want, effective(self->hog.pid, &cgroup));
			EXPECT_EQ(j ? tu_cg_id("role") : 0, cgroup);
		}
	}
	/* As `echo` writes it, and with space around. */
	ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", "spare\n"));
	EXPECT_STREQ("spare", get("role", "memory.tbtf"));
	ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", " tbtf \n"));
	EXPECT_STREQ("tbtf", get("role", "memory.tbtf"));
}

TEST_F(role, bad_values)
{
	static const char *const bad[] = {
		"", " ", "\n", "tbt", "tbtff", "TBTF", "Tbtf", "tbtf spare", "tbtf,spare", "spar",
		"inherited", "1", "0", "-1", "max", "none", "ordinary\nspare", "expendable\t.",
	};
	char longer[8192];
	unsigned int i, j;

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (i = 0; i < WORDS; i++) {
		ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", words[i]));
		for (j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
			/* Writing nothing is no write. */
			if (!*bad[j])
				continue;
			EXPECT_EQ(-EINVAL, tu_cg_set("role", "memory.tbtf", bad[j])) {
				TH_LOG("\"%s\"", bad[j]);
			}
			EXPECT_STREQ(words[i], get("role", "memory.tbtf"));
		}
		EXPECT_GT(0, tu_cg_set("role", "memory.tbtf", longer));
		EXPECT_STREQ(words[i], get("role", "memory.tbtf"));
	}
	/* The other two are not written to, by nobody. */
	EXPECT_EQ(-EINVAL, tu_cg_set("role", "memory.tbtf.effective", "tbtf"));
	EXPECT_EQ(-EINVAL, tu_cg_set("role", "memory.tbtf.events", "0"));
}

/* The nearest explicit one above wins, whatever it says. */
TEST_F(role, nearest_wins)
{
	static const char *const levels[] = { "role", "role/a", "role/a/b", "role/a/b/c" };
	unsigned int i, choice[4], n, rest, nearest;
	uint64_t cgroup = -1;

	for (i = 1; i < 4; i++) {
		ASSERT_EQ(0, tu_cg_make(levels[i]));
	}
	ASSERT_EQ(0, tu_cg_enter("role/a/b/c", self->hog.pid));
	/* Every third of all 625 ways to write to four levels. */
	for (n = 0; n < 625; n += 3) {
		nearest = 4;
		rest = n;
		for (i = 0; i < 4; i++) {
			choice[i] = rest % 5;
			rest /= 5;
			ASSERT_EQ(0, tu_cg_set(levels[i], "memory.tbtf", words[choice[i]]));
			if (choice[i])
				nearest = i;
			EXPECT_STREQ(nearest < 4 ? words[choice[nearest]] : "ordinary",
				     get(levels[i], "memory.tbtf.effective"));
		}
		EXPECT_STREQ(nearest < 4 ? words[choice[nearest]] : "ordinary",
			     effective(self->hog.pid, &cgroup));
		EXPECT_EQ(nearest < 4 ? tu_cg_id(levels[nearest]) : 0, cgroup);
	}
	for (i = 3; i > 0; i--) {
		EXPECT_EQ(0, tu_cg_remove(levels[i]));
	}
}

/* What a process is goes with it where it goes. */
TEST_F(role, migration)
{
	struct tu_hog marked = { .name = "marked", .mark = TBTF_ON };
	uint64_t cgroup = -1;

	ASSERT_EQ(0, tu_cg_make("role/in"));
	ASSERT_EQ(0, tu_cg_make("role/out"));
	ASSERT_EQ(0, tu_cg_set("role/in", "memory.tbtf", "tbtf"));
	ASSERT_EQ(0, tu_cg_set("role/out", "memory.tbtf", "expendable"));
	EXPECT_STREQ("ordinary", effective(self->hog.pid, NULL));
	ASSERT_EQ(0, tu_cg_enter("role/in", self->hog.pid));
	EXPECT_STREQ("tbtf", effective(self->hog.pid, &cgroup));
	EXPECT_EQ(tu_cg_id("role/in"), cgroup);
	ASSERT_EQ(0, tu_cg_enter("role/out", self->hog.pid));
	EXPECT_STREQ("expendable", effective(self->hog.pid, &cgroup));
	EXPECT_EQ(tu_cg_id("role/out"), cgroup);
	ASSERT_EQ(0, tu_cg_enter("", self->hog.pid));
	EXPECT_STREQ("ordinary", effective(self->hog.pid, &cgroup));
	EXPECT_EQ(0, cgroup);
	/* Its own role stays its own. */
	ASSERT_EQ(0, tu_hog_start(&marked));
	ASSERT_EQ(0, tu_cg_enter("role/out", marked.pid));
	EXPECT_STREQ("tbtf", effective(marked.pid, &cgroup));
	EXPECT_EQ(0, cgroup);
	tu_hog_stop(&marked);
	EXPECT_EQ(0, tu_cg_remove("role/in"));
	EXPECT_EQ(0, tu_cg_remove("role/out"));
}

static long long dying(void)
{
	return tu_cg_get("", "cgroup.stat", "nr_dying_descendants");
}

/* A cgroup removed while it is marked is forgotten, and the kernel can free it. */
TEST_F(role, removed_while_marked)
{
	unsigned int i, round;
	long long before;
	char name[64];

	EXPECT_TRUE(TU_WAIT_FOR(!dying(), WAIT_MS));
	before = dying();
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), "role/removed%u", i);
			ASSERT_EQ(0, tu_cg_make(name));
			/* The same name again: another cgroup, and nothing is known of it. */
			ASSERT_STREQ("inherit", get(name, "memory.tbtf"));
			ASSERT_STREQ("ordinary", get(name, "memory.tbtf.effective"));
			ASSERT_EQ(0, tu_cg_set(name, "memory.tbtf", words[1 + (i + round) % 4]));
		}
		/* One of them with a process in it, which leaves or dies. */
		ASSERT_EQ(0, tu_cg_enter("role/removed7", self->hog.pid));
		ASSERT_STREQ(words[1 + (7 + round) % 4], effective(self->hog.pid, NULL));
		ASSERT_EQ(0, tu_cg_enter("", self->hog.pid));
		for (i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), "role/removed%u", i);
			ASSERT_EQ(0, tu_cg_remove(name));
		}
		EXPECT_STREQ("ordinary", effective(self->hog.pid, NULL));
	}
	EXPECT_TRUE(TU_WAIT_FOR(dying() == before, WAIT_MS)) {
		TH_LOG("%lld cgroups dying, %lld before", dying(), before);
	}
}

/* A mark that was taken back, and one of a whole tree removed from below. */
TEST_F(role, removed_tree)
{
	static const char *const levels[] = { "role/a", "role/a/b", "role/a/b/c" };
	int i;

	EXPECT_TRUE(TU_WAIT_FOR(!dying(), WAIT_MS));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, tu_cg_make(levels[i]));
		ASSERT_EQ(0, tu_cg_set(levels[i], "memory.tbtf", "tbtf"));
	}
	ASSERT_EQ(0, tu_cg_set("role/a/b", "memory.tbtf", "inherit"));
	for (i = 3; i-- > 0;) {
		EXPECT_EQ(0, tu_cg_remove(levels[i]));
	}
	EXPECT_TRUE(TU_WAIT_FOR(!dying(), WAIT_MS));
}

/* An open file of a cgroup that is gone: nothing to read, nothing to write. */
TEST_F(role, file_of_a_removed_cgroup)
{
	char buf[64];
	int fd;

	ASSERT_EQ(0, tu_cg_make("role/gone"));
	ASSERT_EQ(0, tu_cg_set("role/gone", "memory.tbtf", "tbtf"));
	fd = open(TU_CGROUP "/role/gone/memory.tbtf", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, read(fd, buf, sizeof(buf)));
	ASSERT_EQ(0, tu_cg_remove("role/gone"));
	EXPECT_EQ(-1, pread(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, write(fd, "spare", 5));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
	EXPECT_TRUE(TU_WAIT_FOR(!dying(), WAIT_MS));
}

/* The controller is taken from a cgroup that is marked, and given back: a new start. */
TEST_F_TIMEOUT(role, controller_taken_away, 90)
{
	struct stat st;

	ASSERT_EQ(0, tu_cg_make("role/below"));
	ASSERT_EQ(0, tu_cg_set("role", "memory.tbtf", "spare"));
	ASSERT_EQ(0, tu_cg_set("role/below", "memory.tbtf", "tbtf"));
	ASSERT_EQ(0, tu_cg_enter("role/below", self->hog.pid));
	EXPECT_STREQ("tbtf", effective(self->hog.pid, NULL));
	ASSERT_EQ(0, tu_write("-memory", TU_CGROUP "/role/cgroup.subtree_control"));
	EXPECT_EQ(-1, stat(TU_CGROUP "/role/below/memory.tbtf", &st));
	EXPECT_STREQ("spare", effective(self->hog.pid, NULL));
	ASSERT_EQ(0, tu_write("+memory", TU_CGROUP "/role/cgroup.subtree_control"));
	EXPECT_STREQ("inherit", get("role/below", "memory.tbtf"));
	EXPECT_STREQ("spare", get("role/below", "memory.tbtf.effective"));
	EXPECT_STREQ("spare", effective(self->hog.pid, NULL));
	/* Removed while it has no controller: found out by a sweep, in some time. */
	ASSERT_EQ(0, tu_cg_set("role/below", "memory.tbtf", "tbtf"));
	ASSERT_EQ(0, tu_write("-memory", TU_CGROUP "/role/cgroup.subtree_control"));
	ASSERT_EQ(0, tu_cg_enter("", self->hog.pid));
	EXPECT_EQ(0, tu_cg_remove("role/below"));
	EXPECT_TRUE(TU_WAIT_FOR(!dying(), 3 * WAIT_MS));
}

TEST_HARNESS_MAIN
