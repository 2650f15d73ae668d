// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a mark's life: exec, fork, threads, exit
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * This program executes itself: with an argument that says so it only tells
 * what PR_GET_TBTF gives it, by its exit code, and whether the kernel called
 * its execution a secure one.
 *
 * vm: mem=256
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "kselftest_harness.h"
#include "tbtf_util.h"

#define WAIT_MS	20000
#define NOBODY	65534
#define TELL	"tell"
#define STAY	"stay"
#define COPY	"/tmp/copy"

#define FLAGS	7		/* what PR_GET_TBTF gives; 7: an error */
#define SECURE	8		/* AT_SECURE */
#define ROOT	16		/* effective uid 0 */
#define FAILED	64		/* it never came to that */

static volatile struct {
	pid_t pids[4];
	unsigned int ready, go;
} *shared;

__attribute__((constructor))
static void tell(int argc, char **argv)
{
	int flags;

	while (argc == 2 && !strcmp(argv[1], STAY))
		pause();
	if (argc != 2 || strcmp(argv[1], TELL))
		return;
	flags = tu_mark_get();
	_exit((flags < 0 ? FLAGS : flags) | (getauxval(AT_SECURE) ? SECURE : 0) |
	      (geteuid() ? 0 : ROOT));
}

static void exec_tell(const char *path)
{
	execl(path, path, TELL, NULL);
	_exit(FAILED);
}

/* A copy of this program, with that owner and mode. */
static int make_copy(uid_t uid, mode_t mode)
{
	char buf[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(COPY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		if (write(to, buf, n) != n)
			n = -1;
	}
	if (n || fchown(to, uid, uid == NOBODY ? NOBODY : 0) || fchmod(to, mode))
		return -errno;
	close(from);
	return close(to);
}

static int exit_code(pid_t pid)
{
	int status = tu_wait(pid, WAIT_MS);

	return status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

/* What does a marked process of that user tell, executing that program? */
static int told(uid_t uid, const char *path, bool no_new_privs)
{
	pid_t pid = fork();

	if (!pid) {
		if (tu_mark(TBTF_ON | TBTF_LOCAL) || setresgid(uid, uid, uid) ||
		    setresuid(uid, uid, uid))
			_exit(FAILED);
		if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			_exit(FAILED);
		exec_tell(path);
	}
	return exit_code(pid);
}

static int role_of(pid_t pid, uint32_t *ret_source)
{
	struct tbtf_info info;
	int err = tu_query(pid, &info);

	if (ret_source)
		*ret_source = info.source;
	return err ? err : (int)info.effective;
}

FIXTURE(life) {
	long long exited, dropped;
};

FIXTURE_SETUP(life)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	ASSERT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	self->exited = tu_stat("marks_exited");
	self->dropped = tu_stat("marks_exec_dropped");
}

FIXTURE_TEARDOWN(life)
{
	unlink(COPY);
	/* Whatever it was, it has gone with its process. */
	EXPECT_TRUE(TU_WAIT_FOR(!tu_read_ll(TU_SYSFS "/marked"), WAIT_MS));
}

TEST_F(life, exec_keeps_it)
{
	EXPECT_EQ(3 | ROOT, told(0, "/proc/self/exe", false));
	EXPECT_EQ(3, told(NOBODY, "/proc/self/exe", false));
	ASSERT_EQ(0, make_copy(0, 0755));
	EXPECT_EQ(3, told(NOBODY, COPY, false));
	/* A bit that raises nothing: root is root already. */
	ASSERT_EQ(0, make_copy(0, 04755));
	EXPECT_EQ(3 | ROOT, told(0, COPY, false));
	EXPECT_EQ(self->dropped, tu_stat("marks_exec_dropped"));
	EXPECT_EQ(self->exited + 4, tu_stat("marks_exited"));
}

/* Who may become root by this program is not to bring the mark along. */
TEST_F(life, exec_with_raised_privileges_drops_it)
{
	struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	ASSERT_EQ(0, make_copy(0, 04755));
	EXPECT_EQ(SECURE | ROOT, told(NOBODY, COPY, false));
	EXPECT_EQ(self->dropped + 1, tu_stat("marks_exec_dropped"));
	/* Only another group. */
	ASSERT_EQ(0, make_copy(0, 02755));
	EXPECT_EQ(SECURE, told(NOBODY, COPY, false));
	EXPECT_EQ(self->dropped + 2, tu_stat("marks_exec_dropped"));
	/* Another user, and not a more powerful one. */
	ASSERT_EQ(0, make_copy(1000, 04755));
	EXPECT_EQ(SECURE, told(NOBODY, COPY, false));
	EXPECT_EQ(SECURE, told(0, COPY, false));
	EXPECT_EQ(self->dropped + 4, tu_stat("marks_exec_dropped"));
	/* Capabilities of the file. */
	ASSERT_EQ(0, make_copy(0, 0755));
	ASSERT_EQ(0, setxattr(COPY, "security.capability", &caps, XATTR_CAPS_SZ_2, 0));
	EXPECT_EQ(SECURE, told(NOBODY, COPY, false));
	EXPECT_EQ(self->dropped + 5, tu_stat("marks_exec_dropped"));
	/* Where the bit has no effect, the mark stays. */
	ASSERT_EQ(0, make_copy(0, 04755));
	EXPECT_EQ(3, told(NOBODY, COPY, true));
	EXPECT_EQ(self->dropped + 5, tu_stat("marks_exec_dropped"));
}

/* What others have said of a process stays, or it could shake it off by executing su. */
TEST_F(life, exec_with_raised_privileges_keeps_other_roles)
{
	static const uint32_t roles[] = {
		TBTF_ROLE_SPARE, TBTF_ROLE_EXPENDABLE, TBTF_ROLE_ORDINARY,
	};
	struct tbtf_info info;
	unsigned int i;
	pid_t pid;

	ASSERT_EQ(0, make_copy(0, 04755));
	for (i = 0; i < 3; i++) {
		shared->go = 0;
		pid = fork();
		if (!pid) {
			while (!shared->go)
				tu_nap_ms(5);
			if (setresuid(NOBODY, NOBODY, NOBODY))
				_exit(FAILED);
			execl(COPY, COPY, STAY, NULL);
			_exit(FAILED);
		}
		ASSERT_EQ(0, tu_role_set(pid, roles[i], 0));
		shared->go = 1;
		EXPECT_TRUE(TU_WAIT_FOR(!tu_query(pid, &info) && !strcmp(info.comm, "copy"),
					WAIT_MS));
		EXPECT_EQ(roles[i], info.role);
		EXPECT_EQ(roles[i], info.effective);
		kill(pid, SIGKILL);
		EXPECT_LE(0, tu_wait(pid, WAIT_MS));
	}
	EXPECT_EQ(self->dropped, tu_stat("marks_exec_dropped"));
}

TEST_F(life, failed_exec_changes_nothing)
{
	ASSERT_EQ(0, tu_mark(TBTF_ON));
	EXPECT_EQ(-1, execl("/no/such/program", "x", NULL));
	EXPECT_EQ(-1, execl("/etc/passwd", "x", NULL));
	EXPECT_EQ(TBTF_ON, tu_mark_get());
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	ASSERT_EQ(0, tu_mark(0));
}

static void *exec_in_thread(void *unused)
{
	(void)unused;
	exec_tell("/proc/self/exe");
	return NULL;
}

/* It takes over the leader's pid, and is still the same process. */
TEST_F(life, exec_by_another_thread)
{
	pthread_t thread;
	pid_t pid = fork();

	if (!pid) {
		if (tu_mark(TBTF_ON) || pthread_create(&thread, NULL, exec_in_thread, NULL))
			_exit(FAILED);
		for (;;)
			pause();
	}
	EXPECT_EQ(TBTF_ON | ROOT, exit_code(pid));
}

/* The leader is gone when another thread executes a program. */
static void *exec_after_leader(void *unused)
{
	(void)unused;
	if (!TU_WAIT_FOR(!tu_alive(getpid()), WAIT_MS))
		_exit(FAILED);
	exec_tell(COPY);	/* /proc/self is the leader's, and empty */
	return NULL;
}

TEST_F(life, exec_after_the_leaders_exit)
{
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, make_copy(0, 0755));
	pid = fork();
	if (!pid) {
		if (tu_mark(TBTF_ON) || pthread_create(&thread, NULL, exec_after_leader, NULL))
			_exit(FAILED);
		syscall(SYS_exit, 0);
	}
	EXPECT_EQ(TBTF_ON | ROOT, exit_code(pid));
	EXPECT_EQ(self->exited + 1, tu_stat("marks_exited"));
}

TEST_F(life, fork_drops_it)
{
	pid_t pid;

	ASSERT_EQ(0, tu_mark(TBTF_ON));
	pid = fork();
	if (!pid)
		_exit(tu_mark_get() | role_of(getpid(), NULL) << 2);
	EXPECT_EQ(TBTF_ROLE_ORDINARY << 2, exit_code(pid));
	/* The child may have one of its own, and the parent's stays its own. */
	pid = fork();
	if (!pid)
		_exit(tu_mark(TBTF_ON | TBTF_LOCAL) ?: tu_mark_get());
	EXPECT_EQ(TBTF_ON | TBTF_LOCAL, exit_code(pid));
	EXPECT_EQ(TBTF_ON, tu_mark_get());
	ASSERT_EQ(0, tu_mark(0));
}

/* What children inherit is the cgroup's. */
TEST_F(life, fork_in_a_marked_cgroup)
{
	pid_t pid;

	ASSERT_EQ(0, tu_cg_make("life"));
	ASSERT_EQ(0, tu_cg_set("life", "memory.tbtf", "tbtf"));
	pid = fork();
	if (!pid) {
		if (tu_cg_enter("life", 0))
			_exit(FAILED);
		pid = fork();
		if (!pid)
			_exit(role_of(getpid(), NULL) | tu_mark_get() << 4);
		_exit(exit_code(pid));
	}
	EXPECT_EQ(TBTF_ROLE_TBTF, exit_code(pid));
	EXPECT_EQ(0, tu_cg_remove("life"));
}

static int tell_clone(void *unused)
{
	(void)unused;
	shared->ready = 1;
	while (shared->go != 1)
		tu_nap_ms(5);
	exec_tell("/proc/self/exe");
	return FAILED;
}

static pid_t start_clone(int flags)
{
	char *stack = mmap(NULL, 262144, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	return clone(tell_clone, stack + 262144, flags | SIGCHLD, NULL);
}

/* A process that shares the memory shares the fate, not the mark; an exec parts them. */
TEST_F(life, clone_vm)
{
	uint32_t source;
	pid_t pid;

	ASSERT_EQ(0, tu_mark(TBTF_ON));
	pid = start_clone(CLONE_VM);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(TU_WAIT_FOR(shared->ready, WAIT_MS));
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(pid, &source));
	EXPECT_EQ(TBTF_SOURCE_MM, source);
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	shared->go = 1;
	EXPECT_EQ(ROOT, exit_code(pid));
	EXPECT_EQ(TBTF_ON, tu_mark_get());
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	ASSERT_EQ(0, tu_mark(0));
}

/* The marked one of two leaves by exec: its mark moves on, and the memory behind has none. */
TEST_F(life, clone_vm_marked_one_leaves)
{
	uint32_t source;
	pid_t pid, sharer;

	pid = fork();
	if (!pid) {
		if (tu_mark(TBTF_ON))
			_exit(FAILED);
		shared->pids[0] = start_clone(CLONE_VM);
		while (shared->go != 2)
			tu_nap_ms(5);
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(FAILED);
	}
	ASSERT_TRUE(TU_WAIT_FOR(shared->ready && shared->pids[0], WAIT_MS));
	sharer = shared->pids[0];
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(sharer, &source));
	EXPECT_EQ(TBTF_SOURCE_MM, source);
	shared->go = 2;
	EXPECT_TRUE(TU_WAIT_FOR(role_of(sharer, &source) != TBTF_ROLE_TBTF, WAIT_MS));
	EXPECT_EQ(TBTF_ROLE_ORDINARY, role_of(sharer, &source));
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(pid, &source));
	EXPECT_EQ(TBTF_SOURCE_PROCESS, source);
	kill(sharer, SIGKILL);
	kill(pid, SIGKILL);
	EXPECT_LE(0, tu_wait(pid, WAIT_MS));
}

TEST_F(life, vfork)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, tu_mark(TBTF_ON));
	pid = vfork();
	if (!pid)
		exec_tell("/proc/self/exe");
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(ROOT, WEXITSTATUS(status));
	EXPECT_EQ(TBTF_ON, tu_mark_get());
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(getpid(), NULL));
	ASSERT_EQ(0, tu_mark(0));
}

static void *mark_and_leave(void *unused)
{
	(void)unused;
	return (void *)(long)tu_mark(TBTF_ON);
}

static void *last_thread(void *unused)
{
	(void)unused;
	if (!TU_WAIT_FOR(!tu_alive(getpid()), WAIT_MS))
		_exit(FAILED);
	shared->ready = 1 + tu_mark_get();
	while (!shared->go)
		tu_nap_ms(5);
	_exit(tu_mark_get());
	return NULL;
}

/* Whoever has set it may go, the leader as well: the process has it until its last thread ends. */
TEST_F(life, thread_and_leader_exit)
{
	pthread_t thread;
	void *ret;
	pid_t pid = fork();

	if (!pid) {
		if (pthread_create(&thread, NULL, mark_and_leave, NULL) ||
		    pthread_join(thread, &ret) || ret || tu_mark_get() != TBTF_ON ||
		    pthread_create(&thread, NULL, last_thread, NULL))
			_exit(FAILED);
		syscall(SYS_exit, 0);
	}
	ASSERT_TRUE(TU_WAIT_FOR(shared->ready, WAIT_MS));
	EXPECT_EQ(1 + TBTF_ON, shared->ready);
	EXPECT_EQ(TBTF_ROLE_TBTF, role_of(pid, NULL));
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	EXPECT_EQ(self->exited, tu_stat("marks_exited"));
	/* A role can be set on it from outside, and taken away. */
	ASSERT_EQ(0, tu_role_set(pid, TBTF_ROLE_SPARE, 0));
	EXPECT_EQ(TBTF_ROLE_SPARE, role_of(pid, NULL));
	ASSERT_EQ(0, tu_role_set(pid, TBTF_ROLE_INHERIT, 0));
	EXPECT_EQ(0, tu_read_ll(TU_SYSFS "/marked"));
	ASSERT_EQ(0, tu_role_set(pid, TBTF_ROLE_TBTF, 0));
	shared->go = 1;
	EXPECT_EQ(TBTF_ON, exit_code(pid));
	EXPECT_EQ(self->exited + 1, tu_stat("marks_exited"));
}

/* A killed one, and one whose parent has not looked yet. */
TEST_F(life, zombie_has_none)
{
	struct tu_hog hog = { .name = "zombie", .mark = TBTF_ON, .threads = 8 };

	ASSERT_EQ(0, tu_hog_start(&hog));
	EXPECT_EQ(1, tu_read_ll(TU_SYSFS "/marked"));
	kill(hog.pid, SIGKILL);
	EXPECT_TRUE(TU_WAIT_FOR(!tu_read_ll(TU_SYSFS "/marked"), WAIT_MS));
	EXPECT_EQ(self->exited + 1, tu_stat("marks_exited"));
	EXPECT_EQ(0, tu_stat("died_oom"));
	tu_hog_stop(&hog);
}

TEST_HARNESS_MAIN
