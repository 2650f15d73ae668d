// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a mint at work: its thread, and what all mints have in common
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One job at a time, given by the main thread, which neither waits for it nor takes a
 * lock: the job is a word that both write, each when it is its turn. Between jobs the
 * thread makes ready what is not, and measures.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "mint.h"
#include "swap.h"

#define STACK		(256 * 1024)
#define LOOK_MS		1000
#define LOOK_GROWS_MS	100
#define LOOK_SOON_MS	10
/* What could not be made ready is tried again after so long. */
#define PREPARE_MS	10000

static void kick(int eventfd)
{
	uint64_t one = 1;

	if (write(eventfd, &one, sizeof(one)) < 0)
		return;		/* it is full: then somebody is awake */
}

/**
 * tbtf_mint_why() - say why nothing is ready
 * @mint: the mint
 * @format: a sentence
 *
 * The same is said once in the log.
 *
 * Context: the mint's thread.
 */
void tbtf_mint_why(struct tbtf_mint *mint, const char *format, ...)
{
	char why[TBTF_MINT_WHY];
	bool same;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	(void)pthread_mutex_lock(&mint->why_lock);
	same = !strcmp(why, mint->why);
	strcpy(mint->why, why);
	(void)pthread_mutex_unlock(&mint->why_lock);
	if (!same)
		tbtf_warning("%s prints nothing: %s", mint->ops->name, why);
}

/**
 * tbtf_mint_well() - nothing is wrong any more
 * @mint: the mint
 *
 * Context: the mint's thread.
 */
void tbtf_mint_well(struct tbtf_mint *mint)
{
	(void)pthread_mutex_lock(&mint->why_lock);
	mint->why[0] = 0;
	(void)pthread_mutex_unlock(&mint->why_lock);
}

/**
 * tbtf_mint_await() - wait for a child that takes something back
 * @mint: the mint
 * @pid: of the child, or a negative errno
 *
 * Context: the mint's thread; for as long as that takes, or until a request comes.
 * Return: 0; -EINTR: it was killed; or the errno that it ended with, or that @pid is.
 */
int tbtf_mint_await(struct tbtf_mint *mint, pid_t pid)
{
	siginfo_t info;
	int status;

	if (pid < 0)
		return pid;
	mint->child = pid;
	/* First without reaping: whoever kills it has to find it, and nobody else. */
	while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
		;
	mint->child = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/**
 * tbtf_mint_swapoff() - bring back what is in swap that a mint has made
 * @mint: the mint
 * @device: its file
 *
 * Context: the mint's thread; for as long as that takes, or until a request comes.
 * Return: 0; -EINTR: it was killed; or the errno of swapoff(2) or fork(2).
 */
int tbtf_mint_swapoff(struct tbtf_mint *mint, const char *device)
{
	return tbtf_mint_await(mint, tbtf_swap_off(device));
}

/* Returns false when it is time to go. */
static bool work(struct tbtf_mint *mint)
{
	int job = atomic_load_explicit(&mint->job, memory_order_acquire);

	switch (job) {
	case TBTF_JOB_PRINT:
		mint->kb = mint->ops->print(mint, &mint->request);
		if (mint->kb) {
			mint->printed_kb += mint->kb;
			mint->prints++;
		}
		break;
	case TBTF_JOB_TAKE_BACK:
		mint->err = mint->ops->take_back(mint);
		break;
	case TBTF_JOB_QUIT:
		return false;
	default:
		return true;
	}
	mint->ops->look(mint);
	atomic_store_explicit(&mint->job, TBTF_JOB_DONE, memory_order_release);
	kick(mint->to_main);
	return true;
}

static int look_ms(const struct tbtf_mint *mint)
{
	/* Somebody may wait for it, and every moment there is less memory to make it with. */
	if (mint->preparing)
		return LOOK_SOON_MS;
	return mint->ops->grows && mint->out_kb ? LOOK_GROWS_MS : LOOK_MS;
}

static void *run(void *data)
{
	struct tbtf_mint *mint = data;
	int64_t prepare_ms = 0;
	uint64_t count;

	/* That was possible for the main thread. */
	(void)tbtf_memory_first();
	while (work(mint)) {
		struct pollfd fds[] = {
			{ .fd = mint->wake, .events = POLLIN },
			{ .fd = mint->fd, .events = POLLIN },
		};

		if (!mint->ready_kb && !mint->out_kb && !mint->stopping &&
		    (mint->preparing || tbtf_now_ms() >= prepare_ms)) {
			mint->ops->prepare(mint);
			prepare_ms = tbtf_now_ms() + PREPARE_MS;
			/* Whoever waits for it wants to know what has become of it. */
			if (atomic_exchange(&mint->preparing, false))
				kick(mint->to_main);
			continue;
		}
		(void)poll(fds, 2, look_ms(mint));
		if (fds[0].revents && read(mint->wake, &count, sizeof(count)) > 0)
			continue;
		mint->ops->look(mint);
	}
	mint->ops->close(mint);
	return NULL;
}

/**
 * tbtf_mint_start() - let it look for what is there, and begin
 * @mint: with @ops, @conf and @to_main
 *
 * Context: after the memory is locked: what it allocates stays.
 * Return: 0; or what is not possible, which has been said.
 */
int tbtf_mint_start(struct tbtf_mint *mint)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err;

	mint->fd = -1;
	mint->pays = true;
	mint->preparing = true;
	(void)pthread_mutex_init(&mint->why_lock, NULL);
	mint->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mint->wake < 0) {
		tbtf_err("cannot make an eventfd: %s", strerror(errno));
		return -errno;
	}
	err = mint->ops->open(mint);
	if (err)
		return err;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&mint->thread, &attr, run, mint);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (err)
		tbtf_err("cannot start a thread: %s", strerror(-err));
	return err;
}

/**
 * tbtf_mint_give() - give it something to do
 * @mint: the mint
 * @job: what
 * @request: with TBTF_JOB_PRINT
 *
 * Context: the main thread; neither waits nor allocates.
 * Return: false: it has something to do already.
 */
bool tbtf_mint_give(struct tbtf_mint *mint, enum tbtf_mint_job job,
		    const struct tbtf_request *request)
{
	if (atomic_load_explicit(&mint->job, memory_order_acquire) != TBTF_JOB_NONE)
		return false;
	if (request)
		mint->request = *request;
	atomic_store_explicit(&mint->job, job, memory_order_release);
	kick(mint->wake);
	return true;
}

/**
 * tbtf_mint_stop() - end it; what is out stays
 * @mint: which has nothing to do
 *
 * Context: the main thread, at the end; waits for the mint's.
 */
void tbtf_mint_stop(struct tbtf_mint *mint)
{
	atomic_store_explicit(&mint->job, TBTF_JOB_QUIT, memory_order_release);
	kick(mint->wake);
	(void)pthread_join(mint->thread, NULL);
	(void)close(mint->wake);
}
