// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what the library and the command do without a kernel
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Writers, parsers, and readers of small files, on made-up directories. Built
 * with sanitizers by run.sh, which numbers the results.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/tbtf/cmd.h"
#include "../../userspace/tbtf/json.h"
#include "unit.h"

static char dir[PATH_LEN];	/* ours, empty at first */

static void same(const char *what, const char *got, const char *wanted)
{
	bool good = !strcmp(got, wanted);

	result(good, "%s", what);
	if (!good)
		printf("# got    %s\n# wanted %s\n", got, wanted);
}

static void put(const char *name, const char *text)
{
	char path[2 * PATH_LEN], *slash;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file)) {
		perror(path);
		exit(1);
	}
}

static int open_dir(const char *name)
{
	char path[2 * PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* -- words --------------------------------------------------------------------- */

static void test_words(void)
{
	const char *names[TBTF_REASON_NR];
	bool good = true;
	uint32_t value;

	for (uint32_t i = 0; i <= TBTF_ROLE_ORDINARY; i++)
		good &= !tbtf_role_parse(tbtf_role_name(i), &value) && value == i;
	result(good, "words: every role has one, and it is read back");
	good = true;
	for (uint32_t i = 0; i <= TBTF_POLICY_LARGEST; i++)
		good &= !tbtf_policy_parse(tbtf_policy_name(i), &value) && value == i;
	result(good, "words: every policy has one, and it is read back");
	good = true;
	for (uint32_t i = 0; i < TBTF_REASON_NR; i++) {
		names[i] = tbtf_reason_name(i);
		good &= *names[i] != '?' && *tbtf_reason_text(i) != '?';
		for (uint32_t k = 0; k < i; k++)
			good &= strcmp(names[i], names[k]) != 0;
	}
	result(good, "words: every reason has one of its own");
	good = true;
	for (uint32_t i = 0; i <= TBTF_BAND_NR; i++)
		good &= *tbtf_band_name(i) != '?';
	for (uint32_t i = 0; i <= TBTF_SOURCE_CGROUP; i++)
		good &= *tbtf_source_name(i) != '?';
	result(good, "words: every band and source has one");
	same("words: of an unknown role", tbtf_role_name(99), "?");
	same("words: of an unknown reason", tbtf_reason_text(TBTF_REASON_NR), "?");
	value = 7;
	is("words: an unknown role is refused", tbtf_role_parse("TBTF", &value), -EINVAL);
	is("words: the output is untouched then", value, 7);
	is("words: '?' is no role", tbtf_role_parse("?", &value), -EINVAL);
}

/* -- text and JSON --------------------------------------------------------------- */

static void test_utf8(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "a", 1 }, { "\xc3\xa4", 2 }, { "\xe2\x82\xac", 3 }, { "\xf0\x9f\x90\x98", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 }, { "\xc3", 0 }, { "\xc3(", 0 }, { "\xe2\x82", 0 },
		{ "\xc0\x80", 0 }, { "\xc1\xbf", 0 },		/* overlong */
		{ "\xe0\x80\x80", 0 }, { "\xf0\x80\x80\x80", 0 },
		{ "\xed\xa0\x80", 0 },				/* surrogate */
		{ "\xf4\x90\x80\x80", 0 }, { "\xf8\x88\x80\x80\x80", 0 }, { "\xff", 0 },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		good &= tbtf_utf8_len((const unsigned char *)cases[i].bytes,
				      strlen(cases[i].bytes)) == cases[i].len;
	result(good, "utf8: %zu sequences, good and bad", ARRAY_SIZE(cases));
	is("utf8: nothing left", tbtf_utf8_len((const unsigned char *)"a", 0), 0);
}

static void test_text(void)
{
	char buf[64];

	same("text: plain", tbtf_text(buf, sizeof(buf), "postgres: a b"), "postgres: a b");
	same("text: an escape sequence", tbtf_text(buf, sizeof(buf), "\033[2J\r\n"),
	     "\\x1b[2J\\x0d\\x0a");
	same("text: DEL, C1 and bad UTF-8", tbtf_text(buf, sizeof(buf), "\x7f\xc2\x9b\xff"),
	     "\\x7f\\xc2\\x9b\\xff");
	same("text: letters stay", tbtf_text(buf, sizeof(buf), "\xc3\xa4\xe2\x82\xac"),
	     "\xc3\xa4\xe2\x82\xac");
	same("text: cut before what does not fit", tbtf_text(buf, 6, "abc\x01"), "abc");
	same("text: no room at all", tbtf_text(buf, 1, "abc"), "");
}

static void test_size(void)
{
	static const struct {
		uint64_t kb;
		const char *text;
	} cases[] = {
		{ 0, "0K" }, { 1, "1K" }, { 1023, "1023K" }, { 1024, "1.0M" }, { 46182, "45.1M" },
		{ 1047552, "1023.0M" }, { 1048575, "1.0G" }, { 1048576, "1.0G" },
		{ 1ULL << 40, "1.0P" }, { UINT64_MAX, "16384.0E" },
	};
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		same("size", tbtf_size(cases[i].kb, buf), cases[i].text);
}

static void test_json(void)
{
	struct json json = { 0 };
	char *text = NULL;
	size_t size;

	json.out = open_memstream(&text, &size);
	json_open(&json, NULL, '{');
	json_string(&json, "a\"b", "\\ \" / \b\n\x1f\x7f");
	json_string_n(&json, "n", "0123456789abcdefXYZ", 16);
	json_string(&json, "bad", "\xff\xc3\xa4\xe2\x82");
	json_string_n(&json, "cut", "12345678\xc3\xa4", 9);
	json_unsigned(&json, "u", UINT64_MAX);
	json_signed(&json, "i", INT64_MIN);
	json_bool(&json, "t", true);
	json_null(&json, "z");
	json_word(&json, "w", "kill");
	json_word(&json, "w1", "4294967295");
	json_word(&json, "w2", "007");
	json_word(&json, "w3", "99999999999999999999");
	json_word(&json, "w4", "");
	json_word(&json, "w5", "0");
	json_open(&json, "e", '[');
	json_close(&json, ']');
	json_open(&json, "l", '[');
	json_unsigned(&json, NULL, 1);
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_close(&json, '}');
	fclose(json.out);
	same("json: all kinds of values", text,
	     "{\n"
	     "  \"a\\\"b\": \"\\\\ \\\" / \\u0008\\u000a\\u001f\\u007f\",\n"
	     "  \"n\": \"0123456789abcdef\",\n"
	     "  \"bad\": \"\\ufffd\xc3\xa4\\ufffd\\ufffd\",\n"
	     "  \"cut\": \"12345678\\ufffd\",\n"
	     "  \"u\": 18446744073709551615,\n"
	     "  \"i\": -9223372036854775808,\n"
	     "  \"t\": true,\n"
	     "  \"z\": null,\n"
	     "  \"w\": \"kill\",\n"
	     "  \"w1\": 4294967295,\n"
	     "  \"w2\": \"007\",\n"
	     "  \"w3\": \"99999999999999999999\",\n"
	     "  \"w4\": \"\",\n"
	     "  \"w5\": 0,\n"
	     "  \"e\": [],\n"
	     "  \"l\": [\n"
	     "    1,\n"
	     "    {}\n"
	     "  ]\n"
	     "}\n");
	free(text);
}

static void test_pid(void)
{
	static const char * const bad[] = {
		"", "0", "-1", "+1", " 1", "1 ", "1x", "0x10", "4294967297", "2147483648",
		"99999999999999999999", "self",
	};
	bool good = true;
	pid_t pid = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		good &= tbtf_parse_pid(bad[i], &pid) == -EINVAL && pid == 7;
	result(good, "pid: %zu bad ones are refused, the output untouched", ARRAY_SIZE(bad));
	result(!tbtf_parse_pid("2147483647", &pid) && pid == 2147483647, "pid: the largest");
}

/* -- the library on made-up files --------------------------------------------------- */

static void test_knobs(void)
{
	char value[16] = "before";
	uint64_t number = 7;
	int fd;

	put("sys/policy", "uniform [weighted] largest\n");
	put("sys/nap_ms", "200\n");
	put("sys/odd", "un[closed\n");
	put("sys/features", "prctl kill -group cgroup\n");
	put("secret", "1\n");
	fd = open_dir("sys");
	is("knob: a choice", tbtf_knob_get(fd, "policy", value, sizeof(value)), 0);
	same("knob: its word", value, "weighted");
	is("knob: a number", tbtf_knob_get(fd, "nap_ms", value, sizeof(value)), 0);
	same("knob: as text, without the newline", value, "200");
	is("knob: fits exactly", tbtf_knob_get(fd, "nap_ms", value, 4), 0);
	strcpy(value, "before");
	is("knob: does not fit", tbtf_knob_get(fd, "nap_ms", value, 3), -ERANGE);
	same("knob: the output is untouched then", value, "before");
	is("knob: a bracket that is not closed", tbtf_knob_get(fd, "odd", value, sizeof(value)), 0);
	same("knob: is taken as it stands", value, "un[closed");
	is("knob: no such", tbtf_knob_get(fd, "nothing", value, sizeof(value)), -ENOENT);
	is("knob: a way out", tbtf_knob_get(fd, "../secret", value, sizeof(value)), -EINVAL);
	is("knob: no name", tbtf_knob_get(fd, "", value, sizeof(value)), -EINVAL);
	is("knob: a bad descriptor", tbtf_knob_get(-1, "nap_ms", value, sizeof(value)), -EBADF);
	is("knob: set", tbtf_knob_set(fd, "nap_ms", "5"), 0);
	tbtf_knob_get(fd, "nap_ms", value, sizeof(value));
	same("knob: is set", value, "5");
	is("knob: to set a way out", tbtf_knob_set(fd, "../secret", "5"), -EINVAL);
	is("feature: in place", tbtf_feature_get(fd, "cgroup"), 1);
	is("feature: missing", tbtf_feature_get(fd, "group"), 0);
	is("feature: not known", tbtf_feature_get(fd, "roup"), -ENOENT);
	is("feature: with its minus", tbtf_feature_get(fd, "-group"), -EINVAL);

	is("stat: no directory", tbtf_stat_get(fd, "rounds", &number), -ENOENT);
	put("sys/stats/rounds", "18446744073709551615\n");
	put("sys/stats/kills", "3\n");
	put("sys/stats/README.txt", "not a counter\n");
	is("stat: one", tbtf_stat_get(fd, "rounds", &number), 0);
	result(number == UINT64_MAX, "stat: the largest");
	number = 7;
	put("sys/stats/bad", "-1\n");
	is("stat: not a number", tbtf_stat_get(fd, "bad", &number), -EPROTO);
	is("stat: a bad name", tbtf_stat_get(fd, "a/b", &number), -EINVAL);
	is("stat: the output is untouched", number, 7);
	close(fd);
}

static void test_stat_list(void)
{
	struct tbtf_stat *stats = NULL, *before;
	size_t nr = 99;
	int fd = open_dir("sys");

	before = stats;
	is("stats: one that is no number", tbtf_stat_list(fd, &stats, &nr), -EPROTO);
	result(stats == before && nr == 99, "stats: the outputs are untouched");
	put("sys/stats/bad", "5\n");
	is("stats: all", tbtf_stat_list(fd, &stats, &nr), 0);
	result(nr == 3 && !strcmp(stats[0].name, "bad") && !strcmp(stats[1].name, "kills") &&
	       !strcmp(stats[2].name, "rounds") && stats[1].value == 3,
	       "stats: in order, and nothing that is no counter");
	free(stats);
	close(fd);
}

static void test_cgroup_files(void)
{
	uint32_t role = 9, effective = 9;
	uint64_t sacrificed = 9, spared = 9;
	int fd = open_dir("cg");
	char text[64];
	ssize_t n;

	is("cgroup: no controller", tbtf_cgroup_get_role(fd, &role, NULL), -EOPNOTSUPP);
	is("cgroup: to set, no controller", tbtf_cgroup_set_role(fd, TBTF_ROLE_TBTF), -EOPNOTSUPP);
	put("cg/memory.max", "max\n");
	is("cgroup: no tbtf", tbtf_cgroup_get_role(fd, &role, &effective), -ENODEV);
	is("cgroup: events, no tbtf", tbtf_cgroup_get_events(fd, &sacrificed, &spared), -ENODEV);
	put("cg/memory.tbtf", "inherit\n");
	is("cgroup: half of it", tbtf_cgroup_get_role(fd, &role, &effective), -ENODEV);
	is("cgroup: the outputs are untouched", role + effective, 18);
	put("cg/memory.tbtf.effective", "spare\n");
	is("cgroup: roles", tbtf_cgroup_get_role(fd, &role, &effective), 0);
	result(role == TBTF_ROLE_INHERIT && effective == TBTF_ROLE_SPARE, "cgroup: both of them");
	put("cg/memory.tbtf", "grandmother\n");
	is("cgroup: a role of the future", tbtf_cgroup_get_role(fd, &role, NULL), -EPROTO);
	is("cgroup: set", tbtf_cgroup_set_role(fd, TBTF_ROLE_EXPENDABLE), 0);
	n = tbtf_cgfs_read(fd, "memory.tbtf", text, sizeof(text));
	same("cgroup: is set", n < 0 ? "" : text, "expendable");
	is("cgroup: no such role", tbtf_cgroup_set_role(fd, 77), -EINVAL);
	put("cg/memory.tbtf.events", "news 4\nspared 2\nsacrificed 1\n");
	is("cgroup: events", tbtf_cgroup_get_events(fd, &sacrificed, &spared), 0);
	result(sacrificed == 1 && spared == 2, "cgroup: in any order, among others");
	put("cg/memory.tbtf.events", "sacrificed 5\n");
	is("cgroup: one is missing", tbtf_cgroup_get_events(fd, &sacrificed, &spared), -EPROTO);
	put("cg/memory.tbtf.events", "sacrificed\nspared 1\n");
	is("cgroup: no value", tbtf_cgroup_get_events(fd, &sacrificed, &spared), -EPROTO);
	is("cgroup: the events are untouched", sacrificed + spared, 3);
	close(fd);
}

/* -- the kernel's part, without tbtf --------------------------------------------------- */

static void test_no_module(void)
{
	struct tbtf_info *infos = NULL;
	uint32_t flags = 7;
	size_t nr = 7;
	int fd;

	if (!access("/dev/tbtf", F_OK) || !access("/sys/kernel/mm/tbtf", F_OK)) {
		printf("skip no module: it is loaded here\n");
		return;
	}
	is("no module: prctl", tbtf_self_set(TBTF_ON), -ENODEV);
	is("no module: to clear", tbtf_self_set(0), -ENODEV);
	is("no module: to ask", tbtf_self_get(&flags), -ENODEV);
	is("no module: device", tbtf_open(), -ENODEV);
	is("no module: sysfs", tbtf_sysfs_open(), -ENODEV);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	is("no module: the wrong device", tbtf_get_list(fd, &infos, &nr), -ENOTTY);
	is("no module: no device", tbtf_set_role(-1, fd, TBTF_ROLE_TBTF, 0), -EBADF);
	result(flags == 7 && nr == 7 && !infos, "no module: the outputs are untouched");
	close(fd);
}

static void test_pidfd(void)
{
	int fd = tbtf_pidfd_open(getpid());

	result(fd >= 0, "pidfd: of this process");
	result(fd < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC), "pidfd: is closed in an exec");
	if (fd >= 0)
		close(fd);
	is("pidfd: of nobody", tbtf_pidfd_open(0x7fffffff), -ESRCH);
	is("pidfd: of a bad pid", tbtf_pidfd_open(-1), -EINVAL);
}

/* -- the command's readers, below a root ------------------------------------------------ */

static int count_visit(int cgroup, const char *path, int depth, void *data)
{
	char *seen = data;

	(void)cgroup;
	sprintf(seen + strlen(seen), "%d%s ", depth, path);
	return strstr(path, "stop") ? 7 : 0;
}

static void test_root(void)
{
	static const char mountinfo[] =
		"22 1 0:20 / /proc rw - proc none rw\n"
		"30 1 0:26 / /mnt/copy\\040of\\040it rw - cgroup2 none rw\n"
		"31 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw\n";
	char path[PATH_LEN], unit[256], text[512], wanted[2 * PATH_LEN];
	long long number = 7;
	pid_t *pids;
	size_t nr;
	int fd;

	tbtf_root = dir;
	put("proc/self/mountinfo", mountinfo);
	put("proc/self/cgroup", "4:memory:/v1\n0::/b/c\n");
	put("proc/12/status", "Name:\tx\nVmLck:\t    4 kB\nPPid:\t1\n");
	put("proc/3/comm", "a\nb\n");
	put("proc/sys/n", "-1\n");
	put("proc/sys/m", "many\n");
	put("sys/fs/cgroup/b/c/cgroup.events", "populated 1\nfrozen 0\n");
	put("sys/fs/cgroup/a/memory.max", "max\n");
	put("sys/fs/cgroup/b/memory.max", "8192\n");
	snprintf(wanted, sizeof(wanted), "%s/sys/fs/cgroup", dir);
	is("root: the mount point", tbtf_cgfs_mount(path), 0);
	same("root: the usual one, of several", path, wanted);
	is("root: the cgroup of this process", tbtf_proc_cgroup("self", path), 0);
	same("root: of v2", path, "/b/c");
	is("root: a field of status", tbtf_proc_status(12, "VmLck", &number), 0);
	is("root: its value", number, 4);
	is("root: not a prefix", tbtf_proc_status(12, "VmLc", &number), -ENODATA);
	is("root: a number", tbtf_read_number("/proc/sys/n", &number), 0);
	is("root: below 0", number, -1);
	is("root: not a number", tbtf_read_number("/proc/sys/m", &number), -EPROTO);
	is("root: pids", tbtf_proc_pids(&pids, &nr), 0);
	result(nr == 2 && pids[0] == 3 && pids[1] == 12, "root: in order, as numbers");
	free(pids);
	text[0] = '\0';
	is("root: walk", tbtf_cgfs_walk(count_visit, text), 0);
	same("root: parents first", text, "0/ 1/a 1/b 2/b/c ");
	put("sys/fs/cgroup/a/stop/x", "");
	text[0] = '\0';
	is("root: walk that ends early", tbtf_cgfs_walk(count_visit, text), 7);
	same("root: where it said so", text, "0/ 1/a 2/a/stop ");

	snprintf(wanted, sizeof(wanted), "%s/sys/fs/cgroup/b//c/", dir);
	fd = tbtf_cgfs_open_named(wanted, path);
	result(fd >= 0 && !strcmp(path, "/b/c"), "root: a cgroup by its directory");
	close(fd);
	fd = tbtf_cgfs_open_named("b", path);
	result(fd >= 0 && !strcmp(path, "/b"), "root: a cgroup by its path");
	is("root: a limit", tbtf_cgfs_number(fd, "memory.max", (uint64_t *)&number), 0);
	is("root: its value", number, 8192);
	close(fd);
	tbtf_root = "";

	result(tbtf_cgfs_below("/a/b", "/a") && tbtf_cgfs_below("/a", "/a") &&
	       tbtf_cgfs_below("/a", "/") && !tbtf_cgfs_below("/ab", "/a") &&
	       !tbtf_cgfs_below("/", "/a"), "cgroup: below or not");
	result(tbtf_unit_of_cgroup("/system.slice/db.service/x", unit) &&
	       !strcmp(unit, "db.service"), "unit: of a cgroup");
	result(tbtf_unit_of_cgroup("/user.slice/u@0.service/app.slice/y.scope", unit) &&
	       !strcmp(unit, "y.scope"), "unit: the deepest");
	result(!tbtf_unit_of_cgroup("/a.slice/.service/b", unit), "unit: of no unit");
}

static void test_capture(void)
{
	const char *good[] = { "sh", "-c", "echo a; echo b >&2; exit 3", NULL };
	const char *slow[] = { "sleep", "60", NULL };
	const char *none[] = { "no-such-program-here", NULL };
	const char *many[] = { "sh", "-c", "yes | head -100000", NULL };
	char text[32] = "before";

	is("capture: a program that takes too long", tbtf_capture(slow, 50, text, sizeof(text)),
	   -ETIMEDOUT);
	is("capture: its exit status", tbtf_capture(good, 10000, text, sizeof(text)), 3);
	same("capture: its output", text, "a");
	is("capture: none", tbtf_capture(none, 10000, text, sizeof(text)), EXIT_NOT_FOUND);
	is("capture: too much", tbtf_capture(many, 10000, text, sizeof(text)), 0);
	is("capture: is cut", strlen(text), sizeof(text) - 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: unit EMPTY-DIRECTORY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	test_words();
	test_utf8();
	test_text();
	test_size();
	test_json();
	test_pid();
	test_knobs();
	test_stat_list();
	test_cgroup_files();
	test_no_module();
	test_pidfd();
	test_root();
	test_capture();
	return failed ? 1 : 0;
}
