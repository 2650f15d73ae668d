// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what the tests have in common
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/tbtf.h>
#include "tbtf_util.h"

/* --- files ------------------------------------------------------------- */

static int read_path(char *buf, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (!n)
			break;
		len += n;
	}
	close(fd);
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int tu_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return read_path(buf, size, path);
}

long long tu_read_ll(const char *fmt, ...)
{
	char path[PATH_MAX], buf[64], *end;
	long long value;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (read_path(buf, sizeof(buf), path) <= 0)
		return LLONG_MIN;
	value = strtoll(buf, &end, 10);
	return end == buf ? LLONG_MIN : value;
}

int tu_write(const char *value, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int fd, ret = 0;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* --- tbtf -------------------------------------------------------------- */

int tu_knob_get(const char *name, char *buf, size_t size)
{
	char *from, *to;
	int n = tu_read(buf, size, TU_SYSFS "/%s", name);

	if (n < 0)
		return n;
	from = strchr(buf, '[');
	to = from ? strchr(from, ']') : NULL;
	if (to) {
		n = to - from - 1;
		memmove(buf, from + 1, n);
		buf[n] = '\0';
	}
	return n;
}

int tu_knob_set(const char *name, const char *value)
{
	return tu_write(value, TU_SYSFS "/%s", name);
}

int tu_knob_set_ll(const char *name, long long value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%lld", value);
	return tu_knob_set(name, buf);
}

long long tu_stat(const char *name)
{
	return tu_read_ll(TU_SYSFS "/stats/%s", name);
}

int tu_mark(unsigned int flags)
{
	return prctl(PR_SET_TBTF, (unsigned long)flags, 0UL, 0UL, 0UL) ? -errno : 0;
}

int tu_mark_get(void)
{
	int flags = prctl(PR_GET_TBTF, 0UL, 0UL, 0UL, 0UL);

	return flags < 0 ? -errno : flags;
}

/* --- /dev/tbtf --------------------------------------------------------- */

/* Opened for each call: an open one would keep the module from going. */
static int device_ioctl(unsigned long cmd, void *arg)
{
	int fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, cmd, arg))
		err = -errno;
	close(fd);
	return err;
}

int tu_role_set(pid_t pid, uint32_t role, uint32_t flags)
{
	struct tbtf_mark_args args = { .pidfd = tu_pidfd(pid), .role = role, .flags = flags };
	int err;

	if (args.pidfd < 0)
		return args.pidfd;
	err = device_ioctl(TBTF_IOC_MARK, &args);
	close(args.pidfd);
	return err;
}

int tu_query(pid_t pid, struct tbtf_info *ret)
{
	struct tbtf_query query = { .pidfd = tu_pidfd(pid) };
	int err;

	if (query.pidfd < 0)
		return query.pidfd;
	err = device_ioctl(TBTF_IOC_QUERY, &query);
	close(query.pidfd);
	*ret = query.info;
	return err;
}

static int preview(struct tbtf_preview *pv, pid_t p, const char *cgroup)
{
	char path[PATH_MAX];
	int err;

	pv->cgroup = -1;
	pv->pidfd = tu_pidfd(p);
	if (pv->pidfd < 0)
		return pv->pidfd;
	if (cgroup) {
		snprintf(path, sizeof(path), TU_CGROUP "/%s", cgroup);
		pv->cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (cgroup && pv->cgroup < 0)
		err = -errno;
	else
		err = device_ioctl(TBTF_IOC_PREVIEW, pv);
	close(pv->pidfd);
	if (pv->cgroup >= 0)
		close(pv->cgroup);
	return err;
}

int tu_judge(pid_t p, const char *cgroup, pid_t of, struct tbtf_candidate *ret,
	     struct tbtf_preview *ret_pv)
{
	struct tbtf_preview pv = { .flags = TBTF_PREVIEW_ALL };
	struct tbtf_candidate *all;
	uint32_t i;
	int err;

	err = preview(&pv, p, cgroup);
	if (err)
		return err;
	pv.count = pv.total + 64;	/* some may be born meanwhile */
	all = calloc(pv.count, sizeof(*all));
	if (!all)
		return -ENOMEM;
	pv.entries = (uintptr_t)all;
	err = preview(&pv, p, cgroup);
	if (!err) {
		err = -ESRCH;
		for (i = 0; err && i < pv.count; i++) {
			if (all[i].pid != of)
				continue;
			*ret = all[i];
			err = 0;
		}
	}
	free(all);
	if (ret_pv)
		*ret_pv = pv;
	return err;
}

int tu_draw(pid_t p, const char *cgroup, uint32_t policy, int32_t *pids, uint32_t nr,
	    struct tbtf_preview *ret_pv)
{
	struct tbtf_preview pv = {
		.policy = policy, .draws = (uintptr_t)pids, .nr_draws = nr,
	};
	int err = preview(&pv, p, cgroup);

	if (ret_pv)
		*ret_pv = pv;
	return err;
}

/* --- processes --------------------------------------------------------- */

int tu_pidfd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int tu_adj_set(pid_t pid, int adj)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", adj);
	if (!pid)
		return tu_write(buf, "/proc/self/oom_score_adj");
	return tu_write(buf, "/proc/%d/oom_score_adj", pid);
}

long long tu_status_kb(pid_t pid, const char *field)
{
	char buf[4096], *p = buf;
	size_t len = strlen(field);

	if (tu_read(buf, sizeof(buf), "/proc/%d/status", pid) < 0)
		return -ESRCH;
	while (p) {
		if (!strncmp(p, field, len) && p[len] == ':')
			return strtoll(p + len + 1, NULL, 10);
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return -ESRCH;		/* a zombie has no Vm lines */
}

bool tu_alive(pid_t pid)
{
	char buf[512], *p;

	if (tu_read(buf, sizeof(buf), "/proc/%d/stat", pid) < 0)
		return false;
	p = strrchr(buf, ')');	/* comm may hold anything */
	return p && p[2] != 'Z' && p[2] != 'X';
}

int tu_wait(pid_t pid, int ms)
{
	long long end = tu_end_ms(ms);
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (tu_now_ms() >= end)
			return -ETIMEDOUT;
		tu_nap_ms(10);
	}
}

/* --- children ---------------------------------------------------------- */

int tu_in_child(int (*fn)(int arg), int arg)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn(arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int tu_drop_cap(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int tu_become_nobody(void)
{
	if (setresgid(TU_NOBODY, TU_NOBODY, TU_NOBODY) ||
	    setresuid(TU_NOBODY, TU_NOBODY, TU_NOBODY))
		return -errno;
	return 0;
}

int tu_send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int tu_receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

volatile unsigned int *tu_ready;

int tu_ready_reset(void)
{
	if (!tu_ready)
		tu_ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);
	if ((void *)tu_ready == MAP_FAILED) {
		tu_ready = NULL;
		return -errno;
	}
	*tu_ready = 0;
	return 0;
}

bool tu_wait_ready(unsigned int n, int ms)
{
	return TU_WAIT_FOR(*tu_ready == n, ms);
}

char *tu_fill(size_t kb, int flags)
{
	char *p = mmap(NULL, kb << 10, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

bool tu_fork(size_t kb, volatile pid_t *ret_pid)
{
	pid_t pid = fork();

	if (pid) {
		*ret_pid = pid;
		return false;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tu_adj_set(0, 0))
		_exit(1);
	if (kb)
		tu_fill(kb, MAP_PRIVATE);
	return true;
}

void tu_stay(void)
{
	__sync_fetch_and_add(tu_ready, 1);
	for (;;)
		pause();
}

static int stay_cloned(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tu_stay();
}

pid_t tu_clone(int flags)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -errno;
	return clone(stay_cloned, stack + 65536, flags | SIGCHLD, NULL);
}

/* --- cgroups ----------------------------------------------------------- */

int tu_cg_make(const char *cg)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), TU_CGROUP "/%s", cg);
	if (mkdir(path, 0755))
		return -errno;
	/* For nested ones the parent has to pass the controller on. */
	slash = strrchr(path, '/');
	*slash = '\0';
	return tu_write("+memory", "%s/cgroup.subtree_control", path);
}

int tu_cg_remove(const char *cg)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), TU_CGROUP "/%s", cg);
	err = tu_write("1", "%s/cgroup.kill", path);
	if (err)
		return err;
	/* Busy until the last of those killed is gone. */
	TU_WAIT_FOR(!rmdir(path) || errno != EBUSY, 10000);
	return access(path, F_OK) ? 0 : -errno;
}

int tu_cg_enter(const char *cg, pid_t pid)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", pid);
	return tu_write(buf, TU_CGROUP "/%s/cgroup.procs", cg);
}

int tu_cg_set(const char *cg, const char *file, const char *value)
{
	return tu_write(value, TU_CGROUP "/%s/%s", cg, file);
}

long long tu_cg_get(const char *cg, const char *file, const char *key)
{
	char buf[8192], *p = buf;
	size_t len;

	if (!key)
		return tu_read_ll(TU_CGROUP "/%s/%s", cg, file);
	if (tu_read(buf, sizeof(buf), TU_CGROUP "/%s/%s", cg, file) < 0)
		return LLONG_MIN;
	len = strlen(key);
	while (p) {
		if (!strncmp(p, key, len) && p[len] == ' ')
			return strtoll(p + len + 1, NULL, 10);
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return LLONG_MIN;
}

uint64_t tu_cg_id(const char *cg)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), TU_CGROUP "/%s", cg);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* --- the kernel log ---------------------------------------------------- */

int tu_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	lseek(fd, 0, SEEK_END);
	return fd;
}

int tu_log_find(int fd, const char *regex, int ms, char *buf, size_t size)
{
	long long end = tu_end_ms(ms);
	char line[2048], *text;
	regex_t re;
	ssize_t n;
	int ret = -ETIMEDOUT;

	if (regcomp(&re, regex, REG_EXTENDED | REG_NOSUB))
		return -EINVAL;
	for (;;) {
		n = read(fd, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* overwritten meanwhile: go on with the oldest */
		if (n < 0) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			long long left = end - tu_now_ms();

			if (errno != EAGAIN && errno != EINTR) {
				ret = -errno;
				break;
			}
			if (left <= 0)
				break;
			poll(&p, 1, left);
			continue;
		}
		line[n] = '\0';
		text = strchr(line, ';');
		text = text ? text + 1 : line;
		text[strcspn(text, "\n")] = '\0';
		if (!regexec(&re, text, 0, NULL, 0)) {
			if (buf)
				snprintf(buf, size, "%s", text);
			ret = 0;
			break;
		}
	}
	regfree(&re);
	return ret;
}

/* --- time -------------------------------------------------------------- */

int tu_patience(void)
{
	static int patience;
	const char *p;

	if (!patience) {
		p = getenv("VM_PATIENCE");
		patience = p ? atoi(p) : 1;
		if (patience < 1)
			patience = 1;
	}
	return patience;
}

int tu_effort(int n)
{
	const char *p = getenv("VM_EFFORT");
	long long percent = p ? atoi(p) : 100;

	return percent < 1 || percent >= 100 || n * percent < 100 ? n : n * percent / 100;
}

long long tu_end_ms(long long ms)
{
	return tu_now_ms() + ms * tu_patience();
}

/* What the harness gives a test until it kills it (selftests/Makefile). */
#undef alarm
unsigned int alarm(unsigned int seconds);
unsigned int tu_alarm(unsigned int seconds)
{
	return alarm(seconds * tu_patience());
}

long long tu_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void tu_nap_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}
