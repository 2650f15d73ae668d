// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - run a command on another node of a test of several VMs
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: on [-t SECONDS] NODE COMMAND...	from node 1, the one with the test
 *	  on					on the others, as their "test"
 *
 * The words of COMMAND are put together and given to sh -c over there. What it
 * prints comes here, both outputs as one, and its exit code is ours: 128 + the
 * signal where it was killed by one, 124 where the time was up (-t, 60, times
 * VM_PATIENCE; the command goes on), 125 where there is no such node any more.
 * NODE 1 is here, and no more than sh -c. NODE "host" is who runs the VMs:
 * vm/nodes.sh has the orders that it takes.
 *
 * What goes on in the background over there has to have its output elsewhere:
 * nobody reads it once the shell that started it has ended.
 *
 * The way is a serial port, which the host passes on (vm/nodes.sh), and no
 * network: it is there when links are cut, and needs no memory on the way. Both
 * ends are locked in memory, for what they are asked may be how a node does that
 * has none left. A line is a message:
 *
 *	NODE ID TEXT		node 1 asks
 *	NODE ID out TEXT	an answer: some of the output
 *	NODE ID end CODE	the last of the answer
 *	NODE gone		the host says so
 *
 * TEXT is in hexadecimal. Nodes other than 1 see it without NODE; the first that
 * they say is "ready", and "quit" is the last that they are told.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WIRE	"/dev/ttyS2"

#define EXIT_LATE	124
#define EXIT_GONE	125

#define LINE	8192		/* of a message; a command is half of it at most */
#define CHUNK	1024		/* of output, in one message */
#define JOBS	16		/* commands at a time, on one node */

static int wire = -1;
static char got[LINE + 1];	/* of a message that is not yet whole */
static size_t got_len;

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("on: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void open_wire(void)
{
	struct termios t;

	wire = open(WIRE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (wire < 0)
		die("%s: %s", WIRE, strerror(errno));
	if (tcgetattr(wire, &t))
		die("%s: %s", WIRE, strerror(errno));
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	t.c_cflag |= CLOCAL;
	tcsetattr(wire, TCSANOW, &t);
}

static void send_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(wire, buf, len);

		if (n < 0 && errno != EINTR)
			die("%s: %s", WIRE, strerror(errno));
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

/* A message: the words, then text in hexadecimal. */
__attribute__((format(printf, 3, 4)))
static void tell(const char *text, size_t len, const char *fmt, ...)
{
	static char buf[LINE + 2];
	va_list ap;
	size_t i;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n + 2 * len + 1 > LINE)
		die("the command has more than %d bytes", LINE / 2 - 64);
	for (i = 0; i < len; i++)
		n += sprintf(buf + n, "%02x", (unsigned char)text[i]);
	buf[n++] = '\n';
	send_all(buf, n);
}

/* Back from hexadecimal, in place. Its length. */
static size_t decode(char *text)
{
	unsigned int c;
	size_t n;

	for (n = 0; sscanf(text + 2 * n, "%2x", &c) == 1; n++)
		text[n] = c;
	text[n] = '\0';
	return n;
}

/* Read what has come. False: nothing can come any more. */
static bool receive(void)
{
	ssize_t n;

	if (got_len == LINE)
		got_len = 0;		/* none of ours is so long */
	n = read(wire, got + got_len, LINE - got_len);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	got_len += n;
	got[got_len] = '\0';
	return n > 0;
}

/* The next whole message of what has come, or NULL. Good until the next call. */
static char *message(void)
{
	static char line[LINE + 1];
	char *end = memchr(got, '\n', got_len);
	size_t len;

	if (!end)
		return NULL;
	len = end - got;
	memcpy(line, got, len);
	line[len] = '\0';
	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	got_len -= len + 1;
	memmove(got, end + 1, got_len);
	return line;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* --- node 1 ------------------------------------------------------------ */

/* One message: -1, or the exit code if it was the last of the answer to id. */
static int answer(char *line, const char *node, const char *id)
{
	char *save, *from = strtok_r(line, " ", &save);
	char *about = strtok_r(NULL, " ", &save);
	char *kind, *text;

	if (!from || !about || strcmp(from, node))
		return -1;
	if (!strcmp(about, "gone"))
		return EXIT_GONE;
	kind = strtok_r(NULL, " ", &save);
	text = strtok_r(NULL, " ", &save);
	if (strcmp(about, id) || !kind || !text)
		return -1;		/* to a question that nobody waited for */
	if (!strcmp(kind, "end"))
		return atoi(text);
	if (write(STDOUT_FILENO, text, decode(text)) < 0)
		return 1;
	return -1;
}

static int ask(const char *node, char *words[], int timeout)
{
	static char command[LINE];
	const char *patience = getenv("VM_PATIENCE");
	size_t len = 0;
	char id[24], *line;
	long long end;
	int i, code;

	for (i = 0; words[i]; i++)
		len += snprintf(command + len, len < LINE ? LINE - len : 0, "%s%s", i ? " " : "",
				words[i]);
	if (!strcmp(node, "1")) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		die("/bin/sh: %s", strerror(errno));
	}
	open_wire();
	/* Whoever asks at the same time waits: one port, one question. */
	if (flock(wire, LOCK_EX))
		die("%s: %s", WIRE, strerror(errno));
	end = now_ms() + timeout * 1000LL * (patience && atoi(patience) > 0 ? atoi(patience) : 1);
	snprintf(id, sizeof(id), "%lld.%d", now_ms(), getpid());
	tell(command, len, "%s %s ", node, id);
	for (;;) {
		struct pollfd p = { .fd = wire, .events = POLLIN };
		long long left = end - now_ms();

		if (left <= 0)
			return EXIT_LATE;
		if (poll(&p, 1, left) > 0 && !receive())
			return EXIT_GONE;
		while ((line = message())) {
			code = answer(line, node, id);
			if (code >= 0)
				return code;
		}
	}
}

/* --- the others -------------------------------------------------------- */

static struct job {
	pid_t pid;		/* 0: a free place */
	int out;
	char id[24];
} jobs[JOBS];

static void start(char *id, char *command)
{
	struct job *j = jobs;
	int pipes[2];
	sigset_t none;

	while (j->pid)
		if (++j == jobs + JOBS) {
			tell(NULL, 0, "%s end 126", id);
			return;
		}
	if (pipe2(pipes, O_CLOEXEC)) {
		tell(NULL, 0, "%s end 126", id);
		return;
	}
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	snprintf(j->id, sizeof(j->id), "%s", id);
	j->out = pipes[0];
	j->pid = fork();
	if (!j->pid) {
		setsid();
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(pipes[1]);
	if (j->pid < 0) {
		j->pid = 0;
		close(pipes[0]);
		tell(NULL, 0, "%s end 126", id);
		return;
	}
}

/* Pass on what it has printed; false where there is no more, for now or for ever. */
static bool pass_on(struct job *j)
{
	char buf[CHUNK];
	ssize_t n = j->out < 0 ? 0 : read(j->out, buf, sizeof(buf));

	if (n > 0)
		tell(buf, n, "%s out ", j->id);
	if (!n && j->out >= 0) {
		close(j->out);
		j->out = -1;
	}
	return n > 0;
}

static void reap(void)
{
	struct job *j;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (j = jobs; j < jobs + JOBS; j++) {
			if (j->pid != pid)
				continue;
			while (pass_on(j))
				;
			if (j->out >= 0)
				close(j->out);
			j->pid = 0;
			tell(NULL, 0, "%s end %d", j->id, WIFSIGNALED(status) ?
			     128 + WTERMSIG(status) : WEXITSTATUS(status));
		}
}

/* False: that was the last. */
static bool obey(char *line)
{
	char *save, *id = strtok_r(line, " ", &save), *text = strtok_r(NULL, " ", &save);

	if (id && !strcmp(id, "quit"))
		return false;
	if (id && text) {
		decode(text);
		start(id, text);
	}
	return true;
}

static int serve(void)
{
	struct signalfd_siginfo info;
	sigset_t child;
	char *line;
	int signals;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		die("signalfd: %s", strerror(errno));
	open_wire();
	send_all("ready\n", 6);
	for (;;) {
		struct pollfd p[2 + JOBS] = {
			{ .fd = wire, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
		};
		int i;

		for (i = 0; i < JOBS; i++) {
			p[2 + i].fd = jobs[i].pid ? jobs[i].out : -1;
			p[2 + i].events = POLLIN;
		}
		if (poll(p, 2 + JOBS, -1) < 0)
			continue;
		for (i = 0; i < JOBS; i++)
			if (jobs[i].pid && p[2 + i].revents)
				pass_on(&jobs[i]);
		if (p[1].revents && read(signals, &info, sizeof(info)) > 0)
			reap();
		if (p[0].revents && !receive())
			return 1;
		while ((line = message()))
			if (!obey(line))
				return 0;
	}
}

int main(int argc, char *argv[])
{
	int timeout = 60, opt;

	while ((opt = getopt(argc, argv, "+t:")) != -1) {
		if (opt != 't' || atoi(optarg) <= 0)
			die("usage: on [-t SECONDS] NODE COMMAND...");
		timeout = atoi(optarg);
	}
	if (argc > 1 && argc - optind < 2)
		die("usage: on [-t SECONDS] NODE COMMAND...");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall: %s", strerror(errno));
	return argc > 1 ? ask(argv[optind], argv + optind + 1, timeout) : serve();
}
