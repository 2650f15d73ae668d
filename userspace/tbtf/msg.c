// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - messages, and text that came from elsewhere
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

static void say(const char *format, va_list args, const char *reason)
{
	/* One write: messages of several processes do not mix. */
	char line[2048];
	int len;

	len = vsnprintf(line, sizeof(line), format, args);
	if (len < 0)
		return;
	fprintf(stderr, "tbtf: %s%s%s\n", line, reason ? ": " : "", reason ? reason : "");
}

void tbtf_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, NULL);
	va_end(args);
}

int tbtf_no_module(void)
{
	char path[PATH_LEN];

	/* The module is there and the device node is not: another trouble. */
	if (tbtf_path(path, "/sys/kernel/mm/tbtf") && !access(path, F_OK))
		tbtf_error("there is no %s/dev/tbtf though the module is loaded: is /dev a devtmpfs?",
			   tbtf_root);
	else
		tbtf_error("the module is not loaded (no %s): modprobe tbtf", path);
	return EXIT_NO_MODULE;
}

int tbtf_failed(int err, const char *format, ...)
{
	const char *reason;
	int code = EXIT_FAILED;
	va_list args;

	if (err < 0)
		err = -err;
	switch (err) {
	case ENODEV:
		return tbtf_no_module();
	case EPERM:
	case EACCES:
		reason = "not permitted: it needs root with CAP_SYS_RESOURCE, outside of containers";
		code = EXIT_NOT_PERMITTED;
		break;
	case ENOSPC:
		reason = "as many processes as max_marks allows have a role; clear some, or raise it in /sys/kernel/mm/tbtf/max_marks";
		break;
	case EOPNOTSUPP:
		reason = "it has no memory controller (see cgroup.controllers), or is the root";
		break;
	case ESRCH:
		reason = "there is no such process";
		break;
	default:
		reason = strerror(err);
	}
	va_start(args, format);
	say(format, args, reason);
	va_end(args);
	return code;
}

int tbtf_close_stdout(int code)
{
	bool bad = ferror(stdout);

	errno = 0;
	/* Closed from the start is no error for a command that prints nothing. */
	if (fflush(stdout) || bad) {
		tbtf_error("cannot write the output: %s", errno ? strerror(errno) : "it failed");
		if (code == EXIT_OK)
			code = EXIT_FAILED;
	}
	return code;
}

size_t tbtf_utf8_len(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t len;

	if (!left)
		return 0;
	if (*s < 0x80)
		return 1;
	if ((*s & 0xe0) == 0xc0)
		len = 2;
	else if ((*s & 0xf0) == 0xe0)
		len = 3;
	else if ((*s & 0xf8) == 0xf0)
		len = 4;
	else
		return 0;
	if (len > left)
		return 0;
	value = *s & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	/* Overlong, a surrogate, or beyond Unicode. */
	if (value < least[len] || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff)
		return 0;
	return len;
}

/* The next character of s as a terminal may see it. Returns how many bytes it took. */
static size_t escape_one(const unsigned char *s, size_t left, char out[8])
{
	size_t len = tbtf_utf8_len(s, left);

	/* C0, DEL, and C1 (U+0080 to U+009F): all that a terminal obeys. */
	if (len && *s >= 0x20 && *s != 0x7f && !(*s == 0xc2 && s[1] < 0xa0)) {
		memcpy(out, s, len);
		out[len] = '\0';
		return len;
	}
	snprintf(out, 8, "\\x%02x", *s);
	return 1;
}

void tbtf_put_text(FILE *out, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strnlen(text, max), len;
	char one[8];

	for (; left; s += len, left -= len) {
		len = escape_one(s, left, one);
		fputs(one, out);
	}
}

const char *tbtf_text(char *buf, size_t size, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), len, at = 0;
	char one[8];

	buf[0] = '\0';
	for (; left; s += len, left -= len) {
		len = escape_one(s, left, one);
		if (at + strlen(one) >= size)
			break;
		strcpy(buf + at, one);
		at += strlen(one);
	}
	return buf;
}

const char *tbtf_size(uint64_t kb, char buf[16])
{
	static const char units[] = "KMGTPE";
	const char *unit = units;
	double size = kb;

	while (size >= 1023.95 && unit[1]) {
		size /= 1024;
		unit++;
	}
	if (unit == units)
		snprintf(buf, 16, "%lluK", (unsigned long long)kb);
	else
		snprintf(buf, 16, "%.1f%c", size, *unit);
	return buf;
}

void tbtf_put_on(double time)
{
	time_t seconds = time;
	char text[32];
	struct tm tm;

	if (!time)
		return;
	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf(" on %s", text);
}
