// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - process 1 of a test VM
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Mounts what a test needs, loads the module, runs one test with its output
 * on the verdict port, unloads the module, and powers off.
 *
 * It is a C program and no shell script because it has to work while the
 * machine is out of memory: it is locked in memory, forks nothing while the
 * test runs, and writes its last line without needing a page.
 *
 * /vm.conf, written by the runner, has one "key value" a line:
 *	test PATH	what to run (required)
 *	name NAME	how to call it in the log
 *	load MODULE...	modules to load first
 *	module no	do not load (nor unload) tbtf
 *	params WORD...	module parameters of tbtf
 *	adj N		oom_score_adj of the test; what it starts inherits it
 *	env NAME=VALUE	into the environment of the test; as many lines as you like
 *	ramfs yes	what is in /tmp, /run and /dev/shm is never swapped out
 *	net PATH	a script that makes the network
 *	cgroup NAME	run the test in this cgroup, of which nothing is swapped out
 *	boots N		a disk is /var, and what is on it outlives the VM's reboots, of
 *			which there may be N - 1; the test finds in VM_BOOT which it is
 *
 * The last line on the verdict port is "# vm: end exit=N unload=N"; a stream
 * without it comes from a VM that died.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define VERDICT_PORT	"/dev/ttyS1"

static char conf[4096];
static int verdict = -1;
static int kmsg = -1;

static void say(int fd, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 1)
		n = sizeof(buf) - 1;
	if (fd >= 0 && write(fd, buf, n) < 0)
		return;		/* nobody is left to tell */
}

static void power_off(void)
{
	if (verdict >= 0)
		tcdrain(verdict);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void die(const char *what)
{
	say(kmsg, "<2>vm: init: %s: %s\n", what, strerror(errno));
	say(verdict, "# vm: init: %s: %s\n", what, strerror(errno));
	power_off();
}

/* The value of a key of /vm.conf, or NULL. */
static const char *conf_get(const char *key)
{
	static char value[1024];
	size_t len = strlen(key);
	const char *p = conf;

	while (p && *p) {
		if (!strncmp(p, key, len) && p[len] == ' ') {
			size_t n = strcspn(p + len + 1, "\n");

			if (n >= sizeof(value))
				n = sizeof(value) - 1;
			memcpy(value, p + len + 1, n);
			value[n] = '\0';
			return value;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return NULL;
}

/* All lines "env NAME=VALUE". */
static void take_env(void)
{
	const char *p;

	for (p = strstr(conf, "\nenv "); p; p = strstr(p, "\nenv ")) {
		p += 5;
		putenv(strndup(p, strcspn(p, "\n")));
	}
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		say(kmsg, "<4>vm: init: %s: cannot write \"%s\": %s\n", path, value,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir, *data;
	} fs[] = {
		{ "proc",	"/proc",		NULL },
		{ "sysfs",	"/sys",			NULL },
		{ "devtmpfs",	"/dev",			NULL },
		{ "devpts",	"/dev/pts",		NULL },
		{ "tmpfs",	"/dev/shm",		NULL },
		{ "tmpfs",	"/tmp",			NULL },
		{ "tmpfs",	"/run",			NULL },
		{ "debugfs",	"/sys/kernel/debug",	NULL },
		{ "tracefs",	"/sys/kernel/tracing",	NULL },
		{ "bpf",	"/sys/fs/bpf",		NULL },
		{ "cgroup2",	"/sys/fs/cgroup",	"nsdelegate,memory_recursiveprot" },
	};
	size_t i;

	for (i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		const char *type = fs[i].type;

		if (conf_get("ramfs") && !strcmp(type, "tmpfs"))
			type = "ramfs";
		mkdir(fs[i].dir, 0755);
		if (mount(type, fs[i].dir, type, 0, fs[i].data) && errno != EBUSY)
			say(kmsg, "<4>vm: init: cannot mount %s: %s\n", fs[i].dir,
			    strerror(errno));
	}
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpuset");
}

static void open_verdict(void)
{
	struct termios t;

	verdict = open(VERDICT_PORT, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (verdict < 0)
		verdict = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (verdict < 0)
		die(VERDICT_PORT);
	if (!tcgetattr(verdict, &t)) {
		cfmakeraw(&t);
		cfsetspeed(&t, B115200);
		tcsetattr(verdict, TCSANOW, &t);
	}
}

/*
 * The memory of a process is charged where it was when it took it: so it is to be
 * there before it has any.
 */
static void enter(const char *cgroup)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", cgroup);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/memory.swap.max", cgroup);
	put(path, "0");
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cgroup.procs", cgroup);
	put(path, "0");
}

/*
 * Run argv[0] with stdin from /dev/null and both outputs on the verdict port.
 * A terminal, not a pipe: children of kselftest programs repeat what stdio has
 * buffered when it is not line-buffered.
 */
static pid_t start(char *const argv[], const char *adj, const char *cgroup)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	setsid();
	if (cgroup)
		enter(cgroup);
	if (adj)
		put("/proc/self/oom_score_adj", adj);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	dup2(verdict, 1);
	dup2(verdict, 2);
	if (fd > 2)
		close(fd);
	execv(argv[0], argv);
	say(2, "# vm: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Wait for one process, reaping whatever else ends meanwhile. */
static int await(pid_t pid)
{
	int status;
	pid_t p;

	for (;;) {
		p = wait(&status);
		if (p == pid)
			return status;
		if (p < 0 && errno != EINTR)
			return -1;
	}
}

static void modprobe(const char *words)
{
	char line[1100];
	char *argv[64] = { "/bin/modprobe" };
	char *save, *w;
	int n = 1, status;

	snprintf(line, sizeof(line), "%s", words);
	for (w = strtok_r(line, " ", &save); w && n < 63; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	status = await(start(argv, NULL, NULL));
	if (status)
		say(verdict, "# vm: modprobe %s: status 0x%x\n", words, status);
}

/* Modules the test needs besides tbtf, one modprobe each. */
static void load_all(const char *list)
{
	char line[1024];
	char *save, *w;

	snprintf(line, sizeof(line), "%s", list);
	for (w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		modprobe(w);
}

static void make_net(const char *script)
{
	char *argv[] = { "/bin/sh", (char *)script, NULL };
	int status = await(start(argv, NULL, NULL));

	if (status)
		say(verdict, "# vm: init: %s: status 0x%x\n", script, status);
}

/*
 * The disk, and the boots that are counted on it. Each is said on the verdict port:
 * a VM that goes round and round would look like one that is slow.
 */
static void mount_disk(int boots)
{
	struct timespec nap = { .tv_nsec = 100 * 1000 * 1000 };
	char text[16] = "";
	int fd, i, boot;

	modprobe("virtio_pci");
	modprobe("virtio_blk");
	mkdir("/var", 0755);
	for (i = 0; i < 100 && access("/dev/vda", F_OK); i++)
		nanosleep(&nap, NULL);
	if (mount("/dev/vda", "/var", "ext4", 0, NULL))
		die("/dev/vda");
	fd = open("/var/boot", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die("/var/boot");
	boot = atoi(text) + 1;
	snprintf(text, sizeof(text), "%d", boot);
	if (pwrite(fd, text, strlen(text), 0) < 0 || fsync(fd))
		die("/var/boot");
	close(fd);
	setenv("VM_BOOT", text, 1);
	/* Where a panic was in the middle of a line, it ends here. */
	say(verdict, "\n# vm: boot %d\n", boot);
	if (boot > boots) {
		errno = ELOOP;
		die("one boot too many");
	}
}

/* Kill what the test left behind; wait() says when the last is gone. */
static void reap_all(void)
{
	kill(-1, SIGCONT);
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static int unload(void)
{
	struct timespec nap = { .tv_nsec = 100 * 1000 * 1000 };
	int i;

	for (i = 0; i < 20; i++) {
		if (!syscall(SYS_delete_module, "tbtf", O_NONBLOCK))
			return 0;
		if (errno == ENOENT)
			return 0;	/* the test did it */
		if (errno != EAGAIN)
			break;		/* EAGAIN: a file of it is just being closed */
		nanosleep(&nap, NULL);
	}
	return errno;
}

/* On a kernel that has kmemleak: what it finds goes to the console. */
static void leaks(void)
{
	static char buf[4096];
	ssize_t n;
	int fd = open("/sys/kernel/debug/kmemleak", O_RDWR);

	if (fd < 0)
		return;
	/* An object is reported when two scans five seconds apart miss it. */
	say(fd, "scan");
	sleep(6);
	say(fd, "scan");
	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
		char *save, *l;

		buf[n] = '\0';
		for (l = strtok_r(buf, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
			say(kmsg, "<3>vm: kmemleak: %s\n", l);
	}
	close(fd);
}

int main(void)
{
	char *argv[] = { NULL, NULL };
	char name[64], adj[16] = "0";
	int fd, status, conf_err, unloaded = 0;
	bool module = true;
	const char *v;
	ssize_t n;

	fd = open("/vm.conf", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, conf, sizeof(conf) - 1);
	conf_err = n < 0 ? errno : 0;
	close(fd);
	mount_all();
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	open_verdict();
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	setenv("PATH", "/tests:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TERM", "dumb", 1);
	if (chdir("/tests"))
		die("/tests");

	errno = conf_err;
	if (n < 0)
		die("/vm.conf");
	v = conf_get("test");
	if (!v) {
		errno = EINVAL;
		die("no test in /vm.conf");
	}
	argv[0] = strdup(v);
	take_env();
	v = conf_get("name");
	snprintf(name, sizeof(name), "%s", v ? v : argv[0]);
	v = conf_get("adj");
	if (v)
		snprintf(adj, sizeof(adj), "%.15s", v);
	v = conf_get("boots");
	if (v)
		mount_disk(atoi(v));
	v = conf_get("load");
	if (v)
		load_all(v);
	v = conf_get("net");
	if (v)
		make_net(v);

	klogctl(8, NULL, 8);		/* from here on everything on the console */
	say(kmsg, "<6>vm: begin %s\n", name);
	v = conf_get("module");
	module = !v || strcmp(v, "no");
	if (module) {
		char words[1100];

		v = conf_get("params");
		snprintf(words, sizeof(words), "tbtf %s", v ? v : "");
		modprobe(words);
	}

	status = await(start(argv, adj, conf_get("cgroup")));

	say(kmsg, "<6>vm: %s ended, status 0x%x\n", name, status);
	reap_all();
	if (module) {
		unloaded = unload();
		if (unloaded)
			say(verdict, "# vm: cannot unload tbtf: %s\n", strerror(unloaded));
	}
	leaks();
	say(kmsg, "<6>vm: end %s\n", name);
	if (WIFSIGNALED(status))
		say(verdict, "# vm: end signal=%d unload=%d\n", WTERMSIG(status), unloaded);
	else
		say(verdict, "# vm: end exit=%d unload=%d\n", WEXITSTATUS(status), unloaded);
	power_off();
}
