// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - start a daemon, and wait until it says that it is ready
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: ready [-t SECONDS] [-a ADJ] [-c CGROUP] NAME COMMAND...
 *
 * What systemd does for a unit of Type=notify, as far as a test needs it: COMMAND
 * goes on in the background with NOTIFY_SOCKET set, and we are back when it has
 * sent READY=1. Its pid is in /tmp/NAME.pid, what it prints in /tmp/NAME.log. It
 * has oom_score_adj ADJ (0) and is in CGROUP, a path below /sys/fs/cgroup (the
 * root): what makes it safe has to come from itself.
 *
 * Exit code: 0; what it exited with, or 128 + the signal, if it ended before it was
 * ready; 124 if the time was up (-t, 30, times VM_PATIENCE), and it goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tbtf_util.h"

#define EXIT_LATE	124

__attribute__((noreturn))
static void fail(const char *what)
{
	fprintf(stderr, "ready: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		fail(path);
	return fd;
}

static void become(char *argv[], const char *cgroup, int adj, const char *log)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (tu_adj_set(0, adj) || tu_write("0", TU_CGROUP "/%s/cgroup.procs", cgroup) < 0)
		fail(cgroup);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0)
		fail(log);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
	execvp(argv[0], argv);
	fail(argv[0]);
}

/* True: what has come says so. */
static bool says_ready(int notify)
{
	char buf[512], *save, *line;
	ssize_t n = recv(notify, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		return false;
	buf[n] = '\0';
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strcmp(line, "READY=1"))
			return true;
	return false;
}

int main(int argc, char *argv[])
{
	const char *cgroup = "", *patience = getenv("VM_PATIENCE");
	char path[100], log[100];
	int timeout = 30, adj = 0, opt, notify, signals, status;
	struct signalfd_siginfo info;
	struct pollfd p[2];
	sigset_t child;
	long long left;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+t:a:c:")) != -1) {
		switch (opt) {
		case 't':
			timeout = atoi(optarg);
			break;
		case 'a':
			adj = atoi(optarg);
			break;
		case 'c':
			cgroup = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: ready [-t SECONDS] [-a ADJ] [-c CGROUP] NAME COMMAND...\n");
		exit(2);
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC);
	snprintf(path, sizeof(path), "/tmp/%s.notify", argv[optind]);
	notify = listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	snprintf(log, sizeof(log), "/tmp/%s.log", argv[optind]);
	pid = fork();
	if (!pid)
		become(argv + optind + 1, cgroup, adj, log);
	if (pid < 0 || signals < 0)
		fail("fork");
	snprintf(log, sizeof(log), "%d\n", pid);
	snprintf(path, sizeof(path), "/tmp/%s.pid", argv[optind]);
	status = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (status < 0 || write(status, log, strlen(log)) < 0)
		fail(path);

	p[0] = (struct pollfd){ .fd = notify, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
	left = timeout * 1000LL * (patience && atoi(patience) > 0 ? atoi(patience) : 1);
	for (; left > 0; left -= 100) {
		poll(p, 2, 100);
		if (p[0].revents && says_ready(notify))
			return 0;
		if (!p[1].revents || read(signals, &info, sizeof(info)) < 0)
			continue;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return EXIT_LATE;
}
