/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * tbtf - the binary interface, and its manual
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A process gets a *role* in one of three ways: by prctl(2) on itself, by an
 * ioctl on /dev/tbtf for another process, or from its cgroup (memory.tbtf).
 * The role of a process, where it has one, goes before that of its cgroup. The
 * kernel kills all who share a memory at once, so that the role tbtf, or else
 * spare, of one of these processes goes before the others' own.
 *
 *   tbtf        too big to fail: when the kernel is about to kill it for want
 *               of memory, a smaller process is killed instead
 *   spare       never killed in another's place
 *   expendable  killed in another's place before anyone else
 *   ordinary    none of these, whatever the cgroups above say
 *   inherit     no role of its own: the nearest cgroup above that has one
 *               decides, and where none has, the process is ordinary
 *
 * All sizes are in kB (1024 bytes), all times in nanoseconds of
 * CLOCK_MONOTONIC. Every reserved field and every unknown flag must be zero;
 * otherwise the call fails with EINVAL and has changed nothing.
 */
#ifndef _UAPI_LINUX_TBTF_H
#define _UAPI_LINUX_TBTF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised when something that worked stops working; additions do not raise it. */
#define TBTF_ABI_VERSION	1

/*
 * prctl(PR_SET_TBTF, flags, 0, 0, 0)
 *	Mark the calling process (all its threads) as too big to fail, or, with
 *	flags == 0, take its mark away. The mark stays over execve(2), unless
 *	the program is executed with raised privileges (setuid, setgid or file
 *	capabilities: AT_SECURE); a child made by fork(2) does not have it.
 *	Returns 0, or
 *	EINVAL	unknown bit in flags, TBTF_LOCAL without TBTF_ON, or one of the
 *		spare arguments is not 0
 *	EPERM	flags != 0 and no CAP_SYS_RESOURCE in the initial user namespace
 *	ENOSPC	as many processes as max_marks allows have a role already
 *	ENOMEM	no memory for the mark
 *	EINVAL is also what a kernel without tbtf answers.
 *
 * prctl(PR_GET_TBTF, 0, 0, 0, 0)
 *	Returns the flags last set for the calling process: 0, TBTF_ON, or
 *	TBTF_ON | TBTF_LOCAL. It speaks of the process's own mark only: a
 *	process protected by its cgroup alone has 0 (see TBTF_IOC_QUERY).
 *	EINVAL	a spare argument is not 0
 */
#define PR_SET_TBTF		0x54425446
#define PR_GET_TBTF		0x54425447

#define TBTF_ON			(1U << 0)	/* too big to fail */
#define TBTF_LOCAL		(1U << 1)	/* its pages never leave this machine */

enum tbtf_role {
	TBTF_ROLE_INHERIT	= 0,
	TBTF_ROLE_TBTF		= 1,
	TBTF_ROLE_SPARE		= 2,
	TBTF_ROLE_EXPENDABLE	= 3,
	TBTF_ROLE_ORDINARY	= 4,
};

/* Where the role that counts for a process comes from. */
enum tbtf_source {
	TBTF_SOURCE_NONE	= 0,	/* from nowhere: it is ordinary */
	TBTF_SOURCE_PROCESS	= 1,	/* set for the process: prctl or ioctl */
	TBTF_SOURCE_MM		= 2,	/* a process that has one shares its memory */
	TBTF_SOURCE_CGROUP	= 3,	/* memory.tbtf of a cgroup above */
};

/* The order in which candidates are taken: a band opens when those before are empty. */
enum tbtf_band {
	TBTF_BAND_EXPENDABLE	= 0,	/* role expendable */
	TBTF_BAND_RAISED	= 1,	/* oom_score_adj > 0, or a descendant of the protected
					 * process with a higher oom_score_adj than its own
					 */
	TBTF_BAND_ORDINARY	= 2,	/* oom_score_adj == 0 */
	TBTF_BAND_LOWERED	= 3,	/* oom_score_adj < 0 */
	TBTF_BAND_OWN		= 4,	/* in the protected one's cgroup (not for a memcg OOM) */
	TBTF_BAND_BIGGER	= 5,	/* not smaller than the protected one, or a vfork parent:
					 * the largest of them, when no candidate is left; those
					 * with oom_score_adj < 0 after all others
					 */
	TBTF_BAND_NR		= 6,
};

/* Why a process is no candidate. The first that holds is reported. */
enum tbtf_reason {
	TBTF_REASON_CANDIDATE	= 0,	/* it is one */
	TBTF_REASON_INIT	= 1,	/* the init process of the machine */
	TBTF_REASON_KTHREAD	= 2,	/* a kernel thread */
	TBTF_REASON_NO_MM	= 3,	/* a zombie: it has no memory any more */
	TBTF_REASON_SELF	= 4,	/* the protected process itself */
	TBTF_REASON_PROTECTED	= 5,	/* too big to fail as well */
	TBTF_REASON_SPARE	= 6,	/* role spare */
	TBTF_REASON_ADJ_MIN	= 7,	/* oom_score_adj is -1000 */
	TBTF_REASON_IN_FLIGHT	= 8,	/* an OOM victim already */
	TBTF_REASON_DYING	= 9,	/* exiting, or killed and on its way out */
	TBTF_REASON_ORIGIN	= 10,	/* in swapoff(2) or stopping KSM: the kernel's choice */
	TBTF_REASON_VFORK	= 11,	/* in vfork(2), as parent or as child */
	TBTF_REASON_MEMCG	= 12,	/* outside the memory cgroup that is out of memory */
	TBTF_REASON_CPUSET	= 13,	/* its cpuset has none of the nodes out of memory */
	TBTF_REASON_MEMPOLICY	= 14,	/* its memory policy has none of these nodes */
	TBTF_REASON_TOO_SMALL	= 15,	/* below min_victim_kb: not worth it */
	TBTF_REASON_ANCESTOR	= 16,	/* an ancestor of the protected process */
	TBTF_REASON_SHARED_MM	= 17,	/* shares its memory with one that must not be killed */
	TBTF_REASON_OOM_GROUP	= 18,	/* memory.oom.group would take one along that must not
					 * be killed
					 */
	TBTF_REASON_RESPAWN	= 19,	/* its cgroup has twice put new processes in the place of
					 * killed ones
					 */
	TBTF_REASON_TOO_BIG	= 20,	/* not smaller than the protected process */
	TBTF_REASON_NR		= 21,
};

enum tbtf_policy {
	TBTF_POLICY_SET		= 0,	/* what the policy knob says */
	TBTF_POLICY_UNIFORM	= 1,	/* every candidate of the band is equally likely */
	TBTF_POLICY_WEIGHTED	= 2,	/* likely in proportion to its size */
	TBTF_POLICY_LARGEST	= 3,	/* the largest of the band */
};

/*
 * /dev/tbtf, a character device of mode 0600.
 *
 * open() asks for CAP_SYS_RESOURCE in the initial user namespace, of the
 * opener; every ioctl asks it again, of the opener and of the caller: a
 * descriptor handed to somebody else is no use. EPERM otherwise.
 *
 * Errnos of every ioctl below besides its own:
 *	EPERM	the opener or the caller lacks CAP_SYS_RESOURCE
 *	EFAULT	an address is not the caller's
 *	EINVAL	an unknown flag or value, or a reserved field that is not 0
 *	ENOTTY	no such ioctl
 * and of those that take a pidfd:
 *	EBADF	it is not an open file descriptor, or not a pidfd
 *	ESRCH	the process is gone, or is a zombie
 */
#define TBTF_IOC_MAGIC		0xbf

/* What is running: TBTF_IOC_VERSION. */
struct tbtf_version {
	__u32 abi;		/* out: TBTF_ABI_VERSION of the module */
	__u32 features;		/* out: TBTF_FEATURE_* that are in place */
};

#define TBTF_FEATURE_PRCTL	(1U << 0)	/* PR_SET_TBTF and PR_GET_TBTF */
#define TBTF_FEATURE_KILL	(1U << 1)	/* the hook of oom_kill_process */
#define TBTF_FEATURE_GROUP	(1U << 2)	/* memory.oom.group spares the protected */
#define TBTF_FEATURE_CGROUP	(1U << 3)	/* the memory.tbtf files */
#define TBTF_FEATURE_FRONT	(1U << 4)	/* that of out_of_memory: waits without a scan */
#define TBTF_FEATURE_NAP	(1U << 5)	/* waiting without oom_lock */
#define TBTF_FEATURE_EXEC	(1U << 6)	/* a privileged exec drops the mark */
#define TBTF_FEATURE_RMDIR	(1U << 7)	/* a removed cgroup is forgotten at once */
#define TBTF_FEATURE_FAULT	(1U << 8)	/* that of faults: waits without mmap_lock */
#define TBTF_FEATURE_HELPER	(1U << 9)	/* TBTF_IOC_HELPER: a helper is asked for memory */

/*
 * Set the role of a process: TBTF_IOC_MARK. TBTF_ROLE_INHERIT takes its role
 * away. It stays over execve(2), but for tbtf where that raises privileges.
 * flags: TBTF_LOCAL, with TBTF_ROLE_TBTF only.
 *	EINVAL	the pidfd is that of a kernel thread, or of init with the role expendable
 *	ENOSPC	as many processes as max_marks allows have a role already
 *	ENOMEM	no memory for the mark
 */
struct tbtf_mark_args {
	__s32 pidfd;
	__u32 role;		/* enum tbtf_role */
	__u32 flags;
	__u32 reserved;
};

/* One process: filled by TBTF_IOC_QUERY, TBTF_IOC_LIST. */
struct tbtf_info {
	__s32 pid;		/* in the caller's pid namespace; 0: not visible there */
	__s32 oom_score_adj;
	__u32 role;		/* enum tbtf_role: set for the process itself */
	__u32 flags;		/* TBTF_ON, TBTF_LOCAL: as PR_GET_TBTF gives them */
	__u32 effective;	/* enum tbtf_role: the one that counts; never inherit */
	__u32 source;		/* enum tbtf_source of it */
	__u64 cgroup;		/* id of the cgroup whose memory.tbtf made it; 0: none did */
	__u64 size_kb;		/* resident + swapped + page tables: what the kernel goes by */
	__u64 worth_kb;		/* anonymous + swapped + page tables: what killing it frees */
	__u64 protected_kb;	/* candidates are smaller than this, were it protected */
	char  comm[16];
};

/* TBTF_IOC_QUERY: fill info for the process behind pidfd. */
struct tbtf_query {
	__s32 pidfd;
	__u32 reserved;
	struct tbtf_info info;	/* out */
};

/*
 * TBTF_IOC_LIST: all processes that have a role of their own, in no order.
 * At most count entries are written to entries; count becomes how many were,
 * total how many there are. Ask with count == 0 for the number.
 */
struct tbtf_list {
	__u64 entries;		/* address of struct tbtf_info[count] */
	__u32 count;		/* in, out */
	__u32 total;		/* out */
	__u64 reserved;
};

/* A process as the choice of a victim sees it. */
struct tbtf_candidate {
	__s32 pid;		/* in the caller's pid namespace; 0: not visible there */
	__s32 oom_score_adj;
	__u32 reason;		/* enum tbtf_reason; TBTF_REASON_CANDIDATE: is one */
	__u32 band;		/* enum tbtf_band, of a candidate */
	__u64 size_kb;
	__u64 worth_kb;
	__u32 likelihood;	/* that it is the one chosen now, in millionths */
	__u32 effective;	/* enum tbtf_role */
	__u64 cgroup;		/* id of the memory cgroup it is in */
	char  comm[16];
};

/*
 * TBTF_IOC_PREVIEW: who would be sacrificed for this process, now?
 * Nothing is killed, no episode is begun, nothing is counted. The answer is
 * computed by the code that decides in an OOM, over the processes as they are
 * at that moment.
 *
 * The process behind pidfd need not be marked: it is taken as the protected
 * one. cgroup is a descriptor of a cgroup v2 directory, for an OOM at its
 * memory.max, or -1 for an OOM of the machine.
 *
 * With entries: at most count of them are written, for candidates only, or,
 * with TBTF_PREVIEW_ALL, for every process; count becomes how many were
 * written, total how many there are.
 * With draws: nr_draws choices are made one after the other, and the pid of
 * each is written to the array (0: no candidate).
 *	EBADF	cgroup is not the descriptor of a cgroup v2 directory
 *	EINVAL	cgroup is the root, or has no memory controller; or the pidfd is
 *		that of a kernel thread
 *	E2BIG	count or nr_draws is above TBTF_PREVIEW_MAX
 *	ENOMEM	no memory for the answer
 */
struct tbtf_preview {
	__s32 pidfd;
	__s32 cgroup;
	__u32 policy;		/* enum tbtf_policy */
	__u32 flags;		/* TBTF_PREVIEW_* */
	__u64 entries;		/* address of struct tbtf_candidate[count], or 0 with count 0 */
	__u32 count;		/* in, out */
	__u32 total;		/* out */
	__u64 draws;		/* address of __s32[nr_draws], or 0 with nr_draws 0 */
	__u32 nr_draws;
	__u32 nr_scanned;	/* out: how many of the draws went through all processes */
	__u64 draws_ns;		/* out: time taken by the draws */
	__u64 protected_kb;	/* out: candidates are smaller than this */
	__u64 min_victim_kb;	/* out: and worth at least this */
	__u32 nr_candidates;	/* out: in all bands but TBTF_BAND_BIGGER */
	__u32 band;		/* out: the band that is open; TBTF_BAND_NR: none is */
	__u32 used_policy;	/* out: enum tbtf_policy */
	__u32 reserved;
};

#define TBTF_PREVIEW_ALL	(1U << 0)
#define TBTF_PREVIEW_MAX	(1U << 20)

#define TBTF_IOC_VERSION	_IOR(TBTF_IOC_MAGIC, 0, struct tbtf_version)
#define TBTF_IOC_MARK		_IOW(TBTF_IOC_MAGIC, 1, struct tbtf_mark_args)
#define TBTF_IOC_QUERY		_IOWR(TBTF_IOC_MAGIC, 2, struct tbtf_query)
#define TBTF_IOC_LIST		_IOWR(TBTF_IOC_MAGIC, 3, struct tbtf_list)
#define TBTF_IOC_PREVIEW	_IOWR(TBTF_IOC_MAGIC, 4, struct tbtf_preview)

/*
 * The helper's channel.
 *
 * When nobody smaller is left to be killed, memory can still come from outside
 * the kernel: from other nodes (rung two, steal), or by means that need a program
 * (rung three, print). One process of the machine, the *helper*, offers to get it:
 *
 *	fd = open("/dev/tbtf", O_RDWR | O_CLOEXEC);
 *	ioctl(fd, TBTF_IOC_HELPER, &helper);
 *	for (;;) {
 *		read(fd, &request, sizeof(request));
 *		... get memory ...
 *		ioctl(fd, TBTF_IOC_ANSWER, &answer);
 *	}
 *
 * It is the helper until the last descriptor of that open file is closed, or the
 * process that registered has exited, whichever comes first; a child that still
 * has the file open does not keep a dead helper alive. What was asked of it is
 * then refused. As long as it is the helper, it is spare (or tbtf, if it is made
 * that) whatever else is set for it, and never waits in an OOM for longer than a
 * jiffy. Its children are no more than others: who runs a swapoff should be one.
 */
enum tbtf_rung {
	TBTF_RUNG_NONE		= 0,
	TBTF_RUNG_STEAL		= 1,	/* memory of other nodes */
	TBTF_RUNG_PRINT		= 2,	/* memory that was not there before */
};

/*
 * TBTF_IOC_HELPER: be the helper. Once more by the same process, on the same
 * file: for these rungs from now on.
 *	EINVAL	rungs is 0 or has an unknown bit
 *	EBUSY	there is a helper already
 *	ENOSPC	as many processes as max_marks allows have a role already
 *	ENOMEM	no memory for the role
 */
struct tbtf_helper {
	__u32 rungs;		/* TBTF_RUNG_STEAL | TBTF_RUNG_PRINT, or one of them */
	__u32 reserved[3];
};

/*
 * read(2) gives one request, the oldest that nobody has read. It blocks until
 * there is one, or, with O_NONBLOCK, fails with EAGAIN; poll(2) and epoll(7) tell
 * when there is one (EPOLLIN), and that this file is the helper's no more
 * (EPOLLERR | EPOLLHUP). Several threads may read.
 *	EINVAL	the buffer is smaller than the request
 *	ENOTCONN  this file is not the helper's
 *
 * There is one request at a time for each episode and rung. It is over when it is
 * answered, at its deadline, and when the episode ends; an answer finds ESRCH
 * then. A later version may have more fields, at the end; size says how much was
 * written.
 */
#define TBTF_REQUEST_VERSION	1

struct tbtf_request {
	__u32 version;		/* TBTF_REQUEST_VERSION */
	__u32 size;		/* of this struct */
	__u64 id;		/* of the request, never 0, never used again */
	__u64 episode;		/* its id */
	__u32 rung;		/* enum tbtf_rung: TBTF_RUNG_STEAL or TBTF_RUNG_PRINT */
	__u32 scope;		/* enum tbtf_scope (<linux/tbtf_event.h>) */
	__u64 scope_cgroup;	/* id of the cgroup that is at its limit; 0: of none */
	__u64 wanted_kb;	/* what will be needed; less is good, more is no use yet */
	__u64 deadline_ns;	/* CLOCK_MONOTONIC: until then it is waited for */
	__u64 protected_kb;	/* the size of the protected process */
	__s32 pid;		/* of the protected process, in the initial pid namespace */
	__u32 flags;		/* TBTF_REQUEST_* */
	__u64 cgroup;		/* id of its memory cgroup */
	char  comm[16];		/* of it */
};

#define TBTF_REQUEST_AGAIN	(1U << 0)	/* what was granted in this episode, on this rung,
						 * is used up
						 */
#define TBTF_REQUEST_NO_SWAP	(1U << 1)	/* rung three: swap is no use, for nothing of the
						 * protected process can be swapped out
						 */

/*
 * TBTF_IOC_ANSWER: what has become of a request. TBTF_ANSWER_PENDING says that the
 * helper is at it, may be given any number of times, and buys no time;
 * TBTF_ANSWER_GRANTED that memory is there now, and wakes all who wait for it;
 * TBTF_ANSWER_REFUSED that none will come: the ladder goes on to the next rung at
 * once. The last two end the request.
 *	EINVAL	no such result; or granted_kb is 0, or above TBTF_GRANT_MAX_KB, with
 *		TBTF_ANSWER_GRANTED, or not 0 with another
 *	ESRCH	there is no such request, or not any more
 *	ENOTCONN  this file is not the helper's
 */
enum tbtf_answer_result {
	TBTF_ANSWER_PENDING	= 1,
	TBTF_ANSWER_GRANTED	= 2,
	TBTF_ANSWER_REFUSED	= 3,
};

#define TBTF_GRANT_MAX_KB	(1ULL << 40)

struct tbtf_answer {
	__u64 id;
	__u32 result;		/* enum tbtf_answer_result */
	__u32 reserved;
	__u64 granted_kb;
};

/*
 * TBTF_IOC_LENDING: so much memory of other nodes is held by who has this file open,
 * and would be lost with the machine. As long as it is not 0 on some file,
 * on_exhausted=panic kills instead. Closing the file ends it, and so does the death of
 * who has it open.
 *	EINVAL	held_kb is above TBTF_GRANT_MAX_KB, or reserved is not 0
 */
struct tbtf_lending {
	__u64 held_kb;
	__u64 reserved;
};

#define TBTF_IOC_HELPER		_IOW(TBTF_IOC_MAGIC, 5, struct tbtf_helper)
#define TBTF_IOC_ANSWER		_IOW(TBTF_IOC_MAGIC, 6, struct tbtf_answer)
#define TBTF_IOC_LENDING	_IOW(TBTF_IOC_MAGIC, 7, struct tbtf_lending)

/* How an episode ended. Every episode ends in exactly one of these. */
enum tbtf_outcome {
	TBTF_OUTCOME_OPEN	= 0,	/* it has not ended */
	TBTF_OUTCOME_SACRIFICED	= 1,	/* others were killed, and that was enough */
	TBTF_OUTCOME_WAITED	= 2,	/* nobody was left to kill, and the OOM went by: memory came
					 * from elsewhere, or who wanted it gave up
					 */
	TBTF_OUTCOME_KILLED	= 3,	/* on_exhausted: the kernel's choice among the protected */
	TBTF_OUTCOME_PANICKED	= 4,	/* on_exhausted: the machine went down */
	TBTF_OUTCOME_FAILED	= 5,	/* the allocation was made to fail */
	TBTF_OUTCOME_SWITCHED	= 6,	/* switched off, or unloaded, before it ended */
	TBTF_OUTCOME_STOLEN	= 7,	/* memory of other nodes came, and that was enough */
	TBTF_OUTCOME_PRINTED	= 8,	/* memory came that was not there before, likewise */
	TBTF_OUTCOME_NR		= 9,
};

#endif /* _UAPI_LINUX_TBTF_H */
