/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - what the subcommands share
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Every subcommand is one struct cmd in a file of its own; tbtf.c is the table.
 */
#ifndef _TBTF_CMD_H
#define _TBTF_CMD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <tbtf.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PATH_LEN	4096

/* Exit codes of all subcommands; some have more, said in their help. */
enum {
	EXIT_OK			= 0,
	EXIT_FAILED		= 1,
	EXIT_BAD_USAGE		= 64,	/* the values of sysexits.h */
	EXIT_NO_MODULE		= 69,
	EXIT_NOT_PERMITTED	= 77,
	EXIT_RUN_FAILED		= 125,	/* the values of env(1), nice(1), timeout(1) */
	EXIT_NOT_EXECUTABLE	= 126,
	EXIT_NOT_FOUND		= 127,
};

struct cmd {
	const char *name;
	const char *synopsis;	/* its arguments */
	const char *summary;	/* one line */
	const char *help;	/* the rest of --help */
	int (*run)(const struct cmd *cmd, int argc, char **argv);
};

extern const struct cmd cmd_run, cmd_set, cmd_clear, cmd_spare, cmd_expendable, cmd_ordinary,
	cmd_list, cmd_victims, cmd_tree, cmd_status, cmd_off, cmd_on, cmd_drill, cmd_doctor,
	cmd_stats, cmd_watch, cmd_record, cmd_top, cmd_report, cmd_why, cmd_last, cmd_guard, cmd_peers,
	cmd_lend;

#define HELP_OPTION	"  -h, --help              print this help\n"

/* -- opt.c: options and arguments --------------------------------------- */

/*
 * getopt_long(3) that answers --help and complains by itself. Returns the
 * option, -1 after the last one, or OPT_STOP: return *ret_code then.
 */
#define OPT_STOP	(-2)
int tbtf_getopt(const struct cmd *cmd, int argc, char **argv, const char *letters,
		const struct option *names, int *ret_code);

/* "tbtf CMD: message" and where help is; returns EXIT_BAD_USAGE. */
__attribute__((format(printf, 2, 3)))
int tbtf_bad_usage(const struct cmd *cmd, const char *format, ...);

void tbtf_print_help(const struct cmd *cmd, FILE *out);

/* A pid: decimal, above 0. 0 or -EINVAL. */
int tbtf_parse_pid(const char *text, pid_t *ret_pid);

/* -- msg.c: what is said, and to whom ------------------------------------ */

/* "tbtf: message" to stderr. */
__attribute__((format(printf, 1, 2)))
void tbtf_error(const char *format, ...);

/*
 * Say why something failed: "tbtf: WHAT: REASON", where the reason for the
 * errno is what a user can act on. Returns the exit code that fits.
 */
__attribute__((format(printf, 2, 3)))
int tbtf_failed(int err, const char *format, ...);

/* The module is not there: say so, and return EXIT_NO_MODULE. */
int tbtf_no_module(void);

/* Flush stdout; a full disk turns EXIT_OK into EXIT_FAILED. */
int tbtf_close_stdout(int code);

/* Print text of at most max bytes with everything unprintable as \xNN. */
void tbtf_put_text(FILE *out, const char *text, size_t max);
/* " on 2026-01-31 23:59:59", of seconds since 1970; nothing if it is 0. */
void tbtf_put_on(double time);

/* The same into buf, cut where it is full; returns buf. */
const char *tbtf_text(char *buf, size_t size, const char *text);

/* Length of the UTF-8 sequence at s, or 0 if it is none. */
size_t tbtf_utf8_len(const unsigned char *s, size_t left);

/* A size for people: "812K", "44.1M", "1.8G"; for tables, at most 6 characters. */
const char *tbtf_size(uint64_t kb, char buf[16]);

/* -- sys.c: files below the root ----------------------------------------- */

/*
 * --root DIR: read /proc, /sys, /run and /dev below DIR. It is for tests of
 * what a machine says that one has not got.
 */
extern const char *tbtf_root;

/* Path below the root; false if it is too long. */
__attribute__((format(printf, 2, 3)))
bool tbtf_path(char buf[PATH_LEN], const char *format, ...);

/* Read a file below the root, without its last newline. Length or -errno. */
ssize_t tbtf_read(char *buf, size_t size, const char *path);
ssize_t tbtf_readf(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int tbtf_read_number(const char *path, long long *ret_value);

/* The library's openers, below the root. */
int tbtf_open_device(void);
int tbtf_open_sysfs(void);

/* The pids below /proc, ascending, in memory from malloc(3). 0 or -errno. */
int tbtf_proc_pids(pid_t **ret_pids, size_t *ret_nr);

/* comm without its newline; 0 or -errno. */
int tbtf_proc_comm(pid_t pid, char ret_comm[64]);

/* The number in a line such as "VmLck:     12 kB" of /proc/PID/status. 0 or -errno. */
int tbtf_proc_status(pid_t pid, const char *field, long long *ret_value);

/* The v2 cgroup of a process, as /proc/PID/cgroup has it: "/a/b". 0 or -errno. */
int tbtf_proc_cgroup(const char *pid, char ret_path[PATH_LEN]);

/* -- cgfs.c: the cgroup v2 tree ------------------------------------------ */

/* Where it is mounted, with the root in front. 0, -ENOENT if it is not, or -errno. */
int tbtf_cgfs_mount(char ret_mount[PATH_LEN]);

/*
 * Open the cgroup that a user has named: a directory below the mount point, or
 * the path in the tree, as in /proc/PID/cgroup. ret_path: the path in the tree.
 * The descriptor, or an exit code below 0 after having said why not.
 */
int tbtf_cgfs_open_named(const char *name, char ret_path[PATH_LEN]);

/* The descriptor of the cgroup with this path in the tree, or -errno. */
int tbtf_cgfs_open(const char *path);

/* A file of a cgroup, without its last newline. Length or -errno. */
ssize_t tbtf_cgfs_read(int cgroup, const char *file, char *buf, size_t size);
int tbtf_cgfs_write(int cgroup, const char *file, const char *value);

/* A number in a file of a cgroup, "max" being UINT64_MAX. 0 or -errno. */
int tbtf_cgfs_number(int cgroup, const char *file, uint64_t *ret_value);

/* A key of a flat keyed file (memory.events). 0 or -errno. */
int tbtf_cgfs_key(int cgroup, const char *file, const char *key, uint64_t *ret_value);

/* The path of the cgroup with this id. 0 or -errno. */
int tbtf_cgfs_path_of_id(uint64_t id, char ret_path[PATH_LEN]);

/* Whether path is base or below it. */
bool tbtf_cgfs_below(const char *path, const char *base);

/* Call visit for every cgroup, parents first, siblings by name; it returns 0 to go on. */
int tbtf_cgfs_walk(int (*visit)(int cgroup, const char *path, int depth, void *data), void *data);

/* -- unit.c: systemd ------------------------------------------------------ */

bool tbtf_systemd_running(void);

/* Output of a program, found in PATH, within timeout_ms. Its exit status or -errno. */
int tbtf_capture(const char *const argv[], int timeout_ms, char *ret_out, size_t size);

/* One property of a unit, by systemctl. 0 or -errno. */
int tbtf_unit_property(const char *unit, const char *property, char *ret_value, size_t size);

/* The cgroup of a unit; like tbtf_cgfs_open_named(). */
int tbtf_unit_open(const char *unit, char ret_path[PATH_LEN]);

/* The unit a cgroup path belongs to: its deepest ...service or ...scope. */
bool tbtf_unit_of_cgroup(const char *path, char ret_unit[256]);

/* -- place.c: making cgroups ---------------------------------------------- */

/*
 * Make a cgroup called name with the memory controller: as near to the caller's
 * own as the kernel's rules allow (an empty one of that name is taken), or
 * below the root (which must be new). ret_path: its path in the tree.
 * ret_enabled: the path of the cgroup whose cgroup.subtree_control had to be
 * given the memory controller, or "".
 * The descriptor, or an exit code below 0 after having said why not.
 */
enum tbtf_place { PLACE_BESIDE, PLACE_AT_ROOT };

int tbtf_place_cgroup(const char *name, enum tbtf_place place, char ret_path[PATH_LEN],
		      char ret_enabled[PATH_LEN]);

/* Wait until nobody is in the cgroup any more, at most timeout_ms (-1: for ever). 0 or -errno. */
int tbtf_place_wait_empty(int cgroup, int timeout_ms);

/* Remove the cgroup, and those below it, if nobody is in them. 0 or -errno. */
int tbtf_place_remove(int cgroup, const char *path);

#endif /* _TBTF_CMD_H */
