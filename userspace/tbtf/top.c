// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: the ladder, the marked and the memory, on a full screen
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd.h"
#include "top.h"

#define HEAP		(512 * 1024)
#define SPAN_S		300

static struct top top;
static struct top_picture picture;
static volatile sig_atomic_t ended, resized;

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		ended = sig;
}

/*
 * Be of use while there is no memory: have all of it beforehand, keep it, and
 * not be the one who is sacrificed. All of that as far as it is permitted.
 */
static void settle(void)
{
	struct tbtf_info info;
	void *heap;
	int self;

	/* What ncurses asks for when the window changes is there by then. */
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
	mallopt(M_MMAP_THRESHOLD, 16 * 1024 * 1024);
	heap = malloc(HEAP);
	if (heap)
		memset(heap, 1, HEAP);
	free(heap);
	/* Without the right to lock all that comes, a limit would make that fail. */
	mlockall(MCL_CURRENT | (geteuid() ? 0 : MCL_FUTURE));
	if (top.dev < 0)
		return;
	self = tbtf_pidfd_open(getpid());
	if (self < 0)
		return;
	/* A role that somebody gave it is left alone. */
	if (!tbtf_get_info(top.dev, self, &info) && info.effective == TBTF_ROLE_ORDINARY)
		tbtf_set_role(top.dev, self, TBTF_ROLE_SPARE, 0);
	close(self);
}

static void catch_signals(sigset_t *ret_unblocked)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	/* They come in while it waits, and never between looking and waiting. */
	sigprocmask(SIG_BLOCK, &blocked, ret_unblocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigdelset(ret_unblocked, signals[i]);
}

/* Returns false when it is to end. */
static bool keys(unsigned int *span_s)
{
	int key;

	while ((key = top_screen_key()) != -1) {
		switch (key) {
		case 'q':
		case 'Q':
			return false;
		case '+':
			*span_s = *span_s > 60 ? *span_s / 2 : *span_s;
			break;
		case '-':
			*span_s = *span_s < 7200 ? *span_s * 2 : *span_s;
			break;
		}
	}
	return true;
}

static int loop(unsigned int interval_ms)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned int span_s = SPAN_S;
	uint64_t next = top_now_ms();
	int lines, columns, code;
	sigset_t unblocked;

	code = top_screen_open();
	if (code)
		return code;
	/* After ncurses, which has handlers of its own. */
	catch_signals(&unblocked);
	settle();
	top_screen_size(&lines, &columns);
	while (!ended) {
		struct timespec wait;
		uint64_t now;
		int ready;

		if (resized) {
			resized = 0;
			top_screen_size(&lines, &columns);
			top_screen_resize(lines, columns);
		}
		now = top_now_ms();
		if (now >= next) {
			top_look(&top);
			next += interval_ms;
			/* The machine stood still: no looks are made up for. */
			if (next <= now)
				next = now + interval_ms;
		}
		top_draw(&top, &picture, lines, columns, span_s);
		top_screen_show(&picture);
		now = top_now_ms();
		now = next > now ? next - now : 0;
		wait = (struct timespec) { .tv_sec = now / 1000, .tv_nsec = now % 1000 * 1000000 };
		ready = ppoll(&input, 1, &wait, &unblocked);
		if (ready > 0 && !keys(&span_s))
			break;
		/* A terminal that is gone: nobody can press a key any more. */
		if (ready > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL))
			break;
	}
	top_screen_close();
	return ended ? 128 + ended : EXIT_OK;
}

static int number_of(const char *name, int otherwise, int most)
{
	const char *text = getenv(name);
	long value = text ? strtol(text, NULL, 10) : 0;

	return value > 0 && value <= most ? value : otherwise;
}

/* Without a terminal: one picture. */
static int once(void)
{
	int lines = number_of("LINES", 24, TOP_LINES);
	int columns = number_of("COLUMNS", 80, TOP_COLUMNS);

	top_look(&top);
	top_draw(&top, &picture, lines, columns, SPAN_S);
	for (int i = 0; i < picture.lines; i++) {
		int end = picture.columns;

		while (end && picture.cells[i][end - 1].text[0] == ' ')
			end--;
		for (int k = 0; k < end; k++)
			fwrite(picture.cells[i][k].text, 1, picture.cells[i][k].len, stdout);
		putchar('\n');
	}
	return EXIT_OK;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "interval",	required_argument,	NULL, 'i' },
		{ "once",	no_argument,		NULL, 'o' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	bool only_once = false;
	double interval = 1;
	int opt, code, sysfs;
	char *end;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":i:oh", names, &code)) != -1) {
		switch (opt) {
		case 'i':
			interval = strtod(optarg, &end);
			if (end == optarg || *end || !(interval >= 0.1 && interval <= 60))
				return tbtf_bad_usage(cmd,
						      "'%s' is no interval: give seconds from 0.1 to 60",
						      optarg);
			break;
		case 'o':
			only_once = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	sysfs = tbtf_open_sysfs();
	if (sysfs < 0)
		return tbtf_failed(sysfs, "/sys/kernel/mm/tbtf");
	close(sysfs);
	if (!only_once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		tbtf_error("there is no terminal: 'tbtf top --once' prints one picture");
		return EXIT_FAILED;
	}
	setlocale(LC_CTYPE, "");
	top_init(&top, interval * 1000);
	top_events_init(&top);
	return only_once ? once() : loop(interval * 1000);
}

const struct cmd cmd_top = {
	.name = "top",
	.synopsis = "[--interval SECONDS] [--once]",
	.summary = "the ladder, the marked and the memory, on a full screen",
	.help = "Options:\n"
		"  -i, --interval SECONDS  look so often, 0.1 to 60; default 1\n"
		"  -o, --once              print one picture of COLUMNS x LINES, and exit\n"
		HELP_OPTION
		"\nKeys: q quits; + and - show less or more of the past.\n"
		"\nExit status: 0; 1 failed; 69 the module is not loaded; 128+N signal N.\n",
	.run = run,
};
