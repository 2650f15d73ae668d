/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the library's interface
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * libtbtf reaches the tbtf kernel module: by prctl(2) for the calling process,
 * by /dev/tbtf for others, by sysfs for knobs and counters, and by the
 * memory.tbtf files for cgroups. The words (role, band, reason, preview) and
 * what the kernel does with them are explained in <linux/tbtf.h>; libtbtf(3)
 * and tbtf(4) are the manuals.
 *
 * Every function returns 0 or a count on success and a negative errno on
 * failure. Outputs are called ret_... and are untouched on failure. The library
 * never prints, keeps no state, and may be called from any thread. Descriptors
 * are opened with O_CLOEXEC and are closed by the caller with close(2).
 *
 * Where there is no tbtf, every function that needs it returns -ENODEV: also
 * the prctl, which the kernel itself answers with EINVAL in this case.
 */
#ifndef _LIBTBTF_TBTF_H
#define _LIBTBTF_TBTF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/tbtf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- The calling process ------------------------------------------------- */

/*
 * Mark the calling process (all its threads) as too big to fail: flags is
 * TBTF_ON, or TBTF_ON | TBTF_LOCAL; 0 takes the mark away.
 *	-ENODEV	the kernel has no tbtf: the module is not loaded
 *	-EINVAL	unknown flags, or TBTF_LOCAL without TBTF_ON
 *	-EPERM	no CAP_SYS_RESOURCE in the initial user namespace
 *	-ENOSPC	as many processes as max_marks allows have a role already
 *	-ENOMEM	no memory for the mark
 */
int tbtf_self_set(uint32_t flags);

/* The flags last set for the calling process. -ENODEV: no tbtf. */
int tbtf_self_get(uint32_t *ret_flags);

/* -- Other processes: /dev/tbtf and pidfds ------------------------------- */

/*
 * Open /dev/tbtf. Returns the descriptor, or
 *	-ENODEV	there is no such device: the module is not loaded
 *	-EPERM, -EACCES	not permitted: CAP_SYS_RESOURCE in the initial user
 *		namespace is needed, and access to the device node
 */
int tbtf_open(void);

/*
 * A descriptor of the process pid: pidfd_open(2), which old C libraries lack.
 *	-ESRCH	there is no such process
 *	-EINVAL, -ENOENT	pid is not above 0, or is a thread and not a process
 */
int tbtf_pidfd_open(pid_t pid);

/*
 * The functions below take dev, from tbtf_open(), and pidfd, from
 * tbtf_pidfd_open() or from clone(2). All of them can fail with
 *	-EBADF	dev or pidfd is not an open descriptor of its kind
 *	-ENOTTY	dev is not /dev/tbtf
 *	-EPERM	the opener of dev or the caller lacks CAP_SYS_RESOURCE
 *	-EINVAL	an unknown flag or value
 * and those that take a pidfd with
 *	-ESRCH	the process is gone, or is a zombie
 */

/* What is running: ABI number and features (TBTF_FEATURE_*). */
int tbtf_get_version(int dev, struct tbtf_version *ret_version);

/*
 * Give the process a role (enum tbtf_role); TBTF_ROLE_INHERIT takes its role
 * away. flags: 0, or TBTF_LOCAL with TBTF_ROLE_TBTF.
 *	-ENOSPC	as many processes as max_marks allows have a role already
 *	-ENOMEM	no memory for the mark
 */
int tbtf_set_role(int dev, int pidfd, uint32_t role, uint32_t flags);

/* The role and the sizes of a process, as the kernel sees them now. */
int tbtf_get_info(int dev, int pidfd, struct tbtf_info *ret_info);

/*
 * All processes that have a role of their own, ordered by pid, in memory from
 * malloc(3): free(3) it. With none, *ret_infos may be NULL.
 *	-ENOMEM	no memory
 *	-EAGAIN	the number of marks kept growing while they were read
 */
int tbtf_get_list(int dev, struct tbtf_info **ret_infos, size_t *ret_nr);

/*
 * Who would be sacrificed for the process behind pidfd, now? Nothing is killed
 * or counted, and the process need not be marked. cgroup is a descriptor of a
 * cgroup v2 directory, for an OOM at its memory.max, or -1 for an OOM of the
 * machine; policy is enum tbtf_policy; flags is 0 or TBTF_PREVIEW_ALL.
 *
 * tbtf_preview_candidates() gives ret_preview->count of them, in no order, in
 * memory from malloc(3): free(3) it. *ret_candidates may be NULL with none.
 * (ret_preview->total is more only when there are above TBTF_PREVIEW_MAX.)
 *
 * tbtf_preview_draws() makes nr choices one after the other and writes the pid
 * of each to ret_pids[] (0: there was no candidate). ret_preview may be NULL.
 *	-EBADF	cgroup is not the descriptor of a cgroup v2 directory
 *	-EINVAL	cgroup is the root, or has no memory controller; or the pidfd is
 *		that of a kernel thread
 *	-E2BIG	nr is above TBTF_PREVIEW_MAX
 *	-ENOMEM	no memory for the answer
 *	-EAGAIN	the number of processes kept growing while they were read
 */
int tbtf_preview_candidates(int dev, int pidfd, int cgroup, uint32_t policy,
			    uint32_t flags, struct tbtf_preview *ret_preview,
			    struct tbtf_candidate **ret_candidates);
int tbtf_preview_draws(int dev, int pidfd, int cgroup, uint32_t policy,
		       int32_t *ret_pids, uint32_t nr,
		       struct tbtf_preview *ret_preview);

/* -- Cgroups: memory.tbtf ------------------------------------------------ */

/*
 * cgroup is a descriptor of a cgroup v2 directory. They fail with
 *	-ENODEV	it has the memory controller but no memory.tbtf: the module is
 *		not loaded, or could not make these files (feature "cgroup")
 *	-EOPNOTSUPP	it has no memory controller, or is the root
 *	-EPERM	to write: no CAP_SYS_RESOURCE in the initial user namespace
 *	-EINVAL	no such role
 *	-EPROTO	the file has something in it that this library cannot read
 */

/* Set the cgroup's own role (enum tbtf_role). */
int tbtf_cgroup_set_role(int cgroup, uint32_t role);

/* Its own role, and the one that counts in it. Either output may be NULL. */
int tbtf_cgroup_get_role(int cgroup, uint32_t *ret_role, uint32_t *ret_effective);

/* How many of its processes were sacrificed, and how often one was spared. */
int tbtf_cgroup_get_events(int cgroup, uint64_t *ret_sacrificed, uint64_t *ret_spared);

/* -- Knobs and counters: sysfs ------------------------------------------- */

/*
 * Open /sys/kernel/mm/tbtf for the functions below, which also take any other
 * directory of the same shape. Returns a descriptor, or -ENODEV.
 */
int tbtf_sysfs_open(void);

/*
 * The value of a knob, or of a read-only file beside the knobs ("features",
 * "marked", "stage", "abi"): one line without its newline, and of a choice
 * ("[uniform] weighted largest") the word that is chosen.
 *	-ENOENT	there is no such file
 *	-EINVAL	name has other characters than a-z, 0-9 and _
 *	-ERANGE	the value does not fit into size bytes
 */
int tbtf_knob_get(int sysfs, const char *name, char *ret_value, size_t size);

/*
 * Set a knob.
 *	-ENOENT	there is no such knob
 *	-EINVAL	not a value of this knob (nothing has changed), or a bad name
 *	-EACCES, -EPERM	not permitted, or the file is read-only
 */
int tbtf_knob_set(int sysfs, const char *name, const char *value);

/*
 * Whether a feature ("kill", "cgroup", ... : see tbtf(4)) is in place: 1 or 0.
 *	-ENOENT	the module does not know this feature
 *	-EINVAL	a bad name
 */
int tbtf_feature_get(int sysfs, const char *feature);

struct tbtf_stat {
	char name[48];
	uint64_t value;
};

/* One counter. -ENOENT: there is none of this name; -EINVAL: a bad name. */
int tbtf_stat_get(int sysfs, const char *name, uint64_t *ret_value);

/*
 * All counters, ordered by name, in memory from malloc(3): free(3) it. The
 * counters are read one after the other, not at one moment.
 */
int tbtf_stat_list(int sysfs, struct tbtf_stat **ret_stats, size_t *ret_nr);

/* -- Words --------------------------------------------------------------- */

/* The word for a value, as the kernel and the tbtf command write it, or "?". */
const char *tbtf_role_name(uint32_t role);
const char *tbtf_source_name(uint32_t source);
const char *tbtf_band_name(uint32_t band);
const char *tbtf_policy_name(uint32_t policy);
const char *tbtf_reason_name(uint32_t reason);

/* Why a process is no candidate, as a phrase of a few words, or "?". */
const char *tbtf_reason_text(uint32_t reason);

/* The value of a word. -EINVAL: there is no such word. */
int tbtf_role_parse(const char *word, uint32_t *ret_role);
int tbtf_policy_parse(const char *word, uint32_t *ret_policy);

#ifdef __cplusplus
}
#endif

#endif /* _LIBTBTF_TBTF_H */
