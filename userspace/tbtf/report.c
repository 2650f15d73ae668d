// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - report: a page of HTML from a recording
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "report.h"

/* "2026-11-22 12:34:56", "2026-11-22T12:34", or "@" and seconds since 1970. */
static bool parse_time(const char *text, double *ret)
{
	static const char * const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d",
	};
	const char *end;
	char *number_end;

	if (*text == '@') {
		*ret = strtod(text + 1, &number_end);
		return number_end != text + 1 && !*number_end && *ret > 0 && *ret < 1e12;
	}
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };

		end = strptime(text, formats[i], &tm);
		if (end && !*end) {
			*ret = mktime(&tm);
			return *ret > 0;
		}
	}
	return false;
}

static bool parse_episode(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '1' && *text <= '9' && !errno && !*end;
}

/* Written beside, and renamed when it is whole. */
static int write_to(const struct report *report, const char *path)
{
	char beside[PATH_LEN];
	FILE *out;
	int err = 0, fd;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	fd = mkstemp(beside);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		err = -errno;
		close(fd);
		unlink(beside);
		return err;
	}
	report_html(report, out);
	if (fflush(out) || ferror(out) || fchmod(fd, 0644))
		err = errno ? -errno : -EIO;
	if (fclose(out) && !err)
		err = -errno;
	if (!err && rename(beside, path))
		err = -errno;
	if (err)
		unlink(beside);
	return err;
}

static int say_nothing_found(const struct report *report)
{
	if (!report->recording.events)
		tbtf_error("%s is no recording: none of its %llu lines is one that 'tbtf record' or 'tbtf watch --json' writes",
			   report->recording.name, (unsigned long long)report->recording.lines);
	else if (report->wanted)
		tbtf_error("%s has nothing of episode %llu", report->recording.name,
			   (unsigned long long)report->wanted);
	else
		tbtf_error("%s has nothing of that time", report->recording.name);
	return EXIT_FAILED;
}

/* "-" is read twice where a span is asked for: keep it. */
static int keep_stdin(char path[PATH_LEN])
{
	FILE *copy = tmpfile();
	char buf[65536];
	size_t n;

	if (!copy)
		return -errno;
	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0)
		if (fwrite(buf, 1, n, copy) != n)
			return errno ? -errno : -EIO;
	if (fflush(copy) || ferror(stdin))
		return errno ? -errno : -EIO;
	snprintf(path, PATH_LEN, "/proc/self/fd/%d", fileno(copy));
	return 0;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "episode",	required_argument,	NULL, 'e' },
		{ "from",	required_argument,	NULL, 'f' },
		{ "to",		required_argument,	NULL, 't' },
		{ "output",	required_argument,	NULL, 'o' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const char *output = NULL, *name;
	char kept[PATH_LEN];
	struct report report = { 0 };
	int opt, code, err;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":e:f:t:o:h", names, &code)) != -1) {
		switch (opt) {
		case 'e':
			if (!parse_episode(optarg, &report.wanted))
				return tbtf_bad_usage(cmd, "'%s' is no episode: give its number", optarg);
			break;
		case 'f':
		case 't':
			if (!parse_time(optarg, opt == 'f' ? &report.from_time : &report.to_time))
				return tbtf_bad_usage(cmd,
						      "'%s' is no time: give one such as '2026-11-22 12:34:56', or @SECONDS since 1970",
						      optarg);
			break;
		case 'o':
			output = optarg;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind + 1 < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind + 1]);
	name = optind < argc ? argv[optind] : RECORDING_DEFAULT;
	if (report.wanted && (report.from_time || report.to_time))
		return tbtf_bad_usage(cmd, "an episode and a time exclude each other");
	if (report.from_time && report.to_time && report.from_time >= report.to_time)
		return tbtf_bad_usage(cmd, "the time ends before it begins");
	err = 0;
	snprintf(kept, sizeof(kept), "%s", name);
	if (!strcmp(name, "-"))
		err = keep_stdin(kept);
	if (!err)
		err = report_read(&report, kept);
	report.recording.name = strcmp(name, "-") ? name : "stdin";
	if (err == -ENODATA) {
		code = say_nothing_found(&report);
	} else if (err == -ENOENT && optind == argc) {
		tbtf_error("there is no %s: give a recording, made by 'tbtf record' or 'tbtf watch --json'",
			   name);
		code = EXIT_FAILED;
	} else if (err) {
		tbtf_error("%s: %s", name, strerror(-err));
		code = EXIT_FAILED;
	} else if (output) {
		err = write_to(&report, output);
		code = EXIT_OK;
		if (err) {
			tbtf_error("%s: %s", output, strerror(-err));
			code = EXIT_FAILED;
		}
	} else {
		report_html(&report, stdout);
		code = EXIT_OK;
	}
	report_free(&report);
	return code;
}

const struct cmd cmd_report = {
	.name = "report",
	.synopsis = "[OPTION...] [FILE]",
	.summary = "a page of HTML of a recording: what happened, and when",
	.help = "FILE is what 'tbtf record' or 'tbtf watch --json' has written, or - for\n"
		"stdin; default: " RECORDING_DEFAULT "\n"
		"The page needs nothing but a browser: no network, no other file.\n"
		"\nOptions:\n"
		"  -e, --episode N         only this episode, and what was around it\n"
		"  -f, --from TIME         only from then on, '2026-11-22 12:34:56' or @SECONDS\n"
		"  -t, --to TIME           only until then\n"
		"  -o, --output FILE       write it there, not to stdout\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed.\n",
	.run = run,
};
