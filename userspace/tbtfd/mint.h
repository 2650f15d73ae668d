/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - a mint: one means of making memory that was not there before
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Each is a file mint-NAME.c with one struct tbtf_mint_ops, a line in the table of
 * press.c, and a word in conf.c. It has a thread of its own, in which all of its
 * operations run, so they may wait and allocate, but for serves(): that is the main
 * thread's, on the way from a request to its answer. press.c (main thread) decides who
 * prints, in which order, and when something is taken back.
 *
 * What a mint tells of itself is atomic, written by its thread and read by all. The
 * thread calls, of these, never two at a time:
 *
 *	open		once, at first: finds what a daemon before this one has left
 *	prepare		when nothing is ready and nothing is out, and now and then after
 *			that: makes it ready; whatever can be done before it is needed
 *	look		once a second, and when @fd has something: measures
 *	print		a request
 *	take_back	press.c finds that it is time: one step
 *	close		at the end; what cannot be taken back stays, to be found again
 */
#ifndef _TBTFD_MINT_H
#define _TBTFD_MINT_H

#include <linux/tbtf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"

#define TBTF_MINT_WHY	160

struct tbtf_mint;

/**
 * struct tbtf_mint_ops - what a mint is
 * @name: the word in the configuration
 * @swap: it brings swap: no use for who cannot be swapped (TBTF_REQUEST_NO_SWAP)
 * @grows: what it has out may be full soon, and more is to be ready then: looked at often
 * @serves: main thread: is it of use for this request? Neither waits nor allocates.
 *	NULL: for every one
 * @open: Return: 0, or an errno, which has been said: the daemon does not start
 * @prepare: sets @ready_kb; what is not possible is told by tbtf_mint_why()
 * @print: make @request->wanted_kb, more or less, at once or until @request->deadline_ns.
 *	Return: KiB that are there now; 0: none
 * @look: sets @used_kb, @cost_kb, @back_kb, @ns_per_kb
 * @take_back: one step. Return: 0: done, @out_kb says what is left; an errno: not now
 * @close: the daemon ends
 * @plan: main thread: for a dry run, what it would be, as a text
 */
struct tbtf_mint_ops {
	const char *name;
	bool swap;
	bool grows;
	bool (*serves)(const struct tbtf_mint *mint, const struct tbtf_request *request);
	int (*open)(struct tbtf_mint *mint);
	void (*prepare)(struct tbtf_mint *mint);
	uint64_t (*print)(struct tbtf_mint *mint, const struct tbtf_request *request);
	void (*look)(struct tbtf_mint *mint);
	int (*take_back)(struct tbtf_mint *mint);
	void (*close)(struct tbtf_mint *mint);
	void (*plan)(const struct tbtf_conf *conf, char *ret, size_t size);
};

/* What the thread is to do: the main thread's word, given when it is NONE. */
enum tbtf_mint_job {
	TBTF_JOB_NONE,
	TBTF_JOB_PRINT,
	TBTF_JOB_TAKE_BACK,
	TBTF_JOB_QUIT,
	TBTF_JOB_DONE,		/* the thread's: the main thread makes NONE of it */
};

/**
 * struct tbtf_mint - one of those that are configured
 * @ops: does not change
 * @conf: does not change
 * @fd: the thread's: another descriptor that look() is called for (QMP); -1: none
 * @ready_kb: what print() would bring now; 0: nothing
 * @preparing: nothing is ready, but soon may be: who asks waits
 * @out_kb: brought, and not taken back
 * @used_kb: of @out_kb, in use
 * @cost_kb: memory of this machine that the mint itself needs for that
 * @back_kb: how much memory has to be available for the next step back
 * @ns_per_kb: what making costs in time; 0: not known
 * @pays: false: what is out is no gain, and is to be taken back as soon as other
 *	swap has room
 * @hurry: what is being taken back, other than by @child, is to stay: a request has come
 * @stopping: nothing is made ready any more
 * @child: a swapoff at work, 0: none; a request kills it
 * @printed_kb: since the start, all that print() returned
 * @prints: how often that was not 0
 * @job: enum tbtf_mint_job
 * @request: with TBTF_JOB_PRINT
 * @kb: with TBTF_JOB_DONE after a PRINT: what it returned
 * @err: with TBTF_JOB_DONE after a TAKE_BACK: what it returned
 * @wake: an eventfd: there is a job
 * @to_main: an eventfd: it is done, or something has changed
 * @thread: of the mint
 * @why_lock: of @why
 * @why: why nothing is ready, for people; "" if there is
 */
struct tbtf_mint {
	const struct tbtf_mint_ops *ops;
	const struct tbtf_conf *conf;
	int fd;

	_Atomic uint64_t ready_kb;
	atomic_bool preparing;
	_Atomic uint64_t out_kb, used_kb, cost_kb, back_kb;
	_Atomic uint64_t ns_per_kb;
	atomic_bool pays;
	atomic_bool hurry;
	atomic_bool stopping;
	_Atomic pid_t child;
	_Atomic uint64_t printed_kb, prints;

	atomic_int job;
	struct tbtf_request request;
	uint64_t kb;
	int err;
	int wake, to_main;
	pthread_t thread;
	pthread_mutex_t why_lock;
	char why[TBTF_MINT_WHY];
};

__attribute__((format(printf, 2, 3)))
void tbtf_mint_why(struct tbtf_mint *mint, const char *format, ...);
void tbtf_mint_well(struct tbtf_mint *mint);
int tbtf_mint_start(struct tbtf_mint *mint);
bool tbtf_mint_give(struct tbtf_mint *mint, enum tbtf_mint_job job,
		    const struct tbtf_request *request);
void tbtf_mint_stop(struct tbtf_mint *mint);
int tbtf_mint_await(struct tbtf_mint *mint, pid_t pid);
int tbtf_mint_swapoff(struct tbtf_mint *mint, const char *device);

extern const struct tbtf_mint_ops tbtf_mint_zram;
extern const struct tbtf_mint_ops tbtf_mint_file;
extern const struct tbtf_mint_ops tbtf_mint_limit;
extern const struct tbtf_mint_ops tbtf_mint_hotplug;

#endif /* _TBTFD_MINT_H */
