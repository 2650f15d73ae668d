// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a small service manager: keeps a service's file descriptors, and starts it again
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * usage: keeper SOCKET MAX COMMAND...
 *
 * What systemd does for a unit with FileDescriptorStoreMax=MAX, as far as a test needs
 * it (sd_notify(3), sd_listen_fds(3)): COMMAND has NOTIFY_SOCKET=SOCKET; FDSTORE=1 keeps
 * up to MAX descriptors by their names, FDSTOREREMOVE=1 drops them, BARRIER=1 is
 * answered. READY=1 is passed on to our own NOTIFY_SOCKET. A COMMAND that is killed by
 * a signal is started again with what is kept. So it is after SIGHUP, which is passed
 * on, when it has ended. SIGTERM is passed on, too. Otherwise its end is ours. What
 * happens is printed, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_MAX	600
#define FIRST		3	/* SD_LISTEN_FDS_START */
#define HIGH		1000	/* where ours are, out of the way */

static struct kept {
	int fd;
	char name[64];
} kept[KEPT_MAX];

static int n_kept, max_kept, notify;
static struct sockaddr_un up = { .sun_family = AF_UNIX };

__attribute__((noreturn))
static void fail(const char *what)
{
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(2);
}

static pid_t start(char *argv[])
{
	static char names[KEPT_MAX * 64];
	char number[16];
	sigset_t none;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < n_kept; i++) {
		if (dup2(kept[i].fd, FIRST + i) < 0)
			fail("dup2");
		strcat(strcat(names, i ? ":" : ""), kept[i].name);
	}
	if (n_kept) {
		snprintf(number, sizeof(number), "%d", n_kept);
		setenv("LISTEN_FDS", number, 1);
		setenv("LISTEN_FDNAMES", names, 1);
		snprintf(number, sizeof(number), "%d", getpid());
		setenv("LISTEN_PID", number, 1);
	}
	execvp(argv[0], argv);
	fail(argv[0]);
}

static void drop(const char *name)
{
	for (int i = 0; i < n_kept; ) {
		if (strcmp(kept[i].name, name)) {
			i++;
			continue;
		}
		close(kept[i].fd);
		kept[i] = kept[--n_kept];
		printf("dropped %s\n", name);
	}
}

static void ready(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	printf("ready\n");
	if (*up.sun_path && fd >= 0)
		sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&up, sizeof(up));
	close(fd);
}

/* One message: lines, and perhaps a descriptor. */
static void receive(void)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control;
	char text[4096], name[64] = "stored", *line, *save;
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control) };
	bool store = false, remove = false;
	struct cmsghdr *c;
	int fd = -1;
	ssize_t n = recvmsg(notify, &msg, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return;
	text[n] = 0;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strcmp(line, "READY=1"))
			ready();
		else if (!strcmp(line, "FDSTORE=1"))
			store = true;
		else if (!strcmp(line, "FDSTOREREMOVE=1"))
			remove = true;
		else if (!strncmp(line, "FDNAME=", 7))
			snprintf(name, sizeof(name), "%s", line + 7);
	}
	if (remove)
		drop(name);
	if (store && fd >= 0 && n_kept < max_kept) {
		kept[n_kept].fd = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
		if (kept[n_kept].fd < 0)
			fail("dup");
		strcpy(kept[n_kept++].name, name);
		printf("kept %s\n", name);
	}
	if (fd >= 0)
		close(fd);
}

int main(int argc, char *argv[])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct signalfd_siginfo info;
	struct pollfd p[2];
	bool again = false;
	sigset_t set;
	int status;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: keeper SOCKET MAX COMMAND...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	max_kept = atoi(argv[2]) < KEPT_MAX ? atoi(argv[2]) : KEPT_MAX;
	if (getenv("NOTIFY_SOCKET"))
		snprintf(up.sun_path, sizeof(up.sun_path), "%s", getenv("NOTIFY_SOCKET"));
	notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unlink(argv[1]);
	if (notify < 0 || bind(notify, (struct sockaddr *)&address, sizeof(address)))
		fail(argv[1]);
	setenv("NOTIFY_SOCKET", argv[1], 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[0] = (struct pollfd){ .fd = notify, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN };
	/* So that descriptors from FIRST on are free for the service. */
	for (int i = 0; i < 2; i++) {
		p[i].fd = fcntl(p[i].fd, F_DUPFD_CLOEXEC, HIGH);
		if (p[i].fd < 0)
			fail("dup");
	}
	notify = p[0].fd;
	pid = start(argv + 3);
	for (;;) {
		poll(p, 2, -1);
		if (p[0].revents)
			receive();
		if (!p[1].revents || read(p[1].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD) {
			again = info.ssi_signo == SIGHUP;
			kill(pid, info.ssi_signo);
		} else if (waitpid(pid, &status, WNOHANG) == pid) {
			/* What it said last is still to be read. */
			while (poll(p, 1, 0) > 0)
				receive();
			printf("%s %d, %d kept\n", WIFSIGNALED(status) ? "killed" : "exit",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), n_kept);
			if (!again && !WIFSIGNALED(status))
				return WEXITSTATUS(status);
			again = false;
			pid = start(argv + 3);
		}
	}
}
