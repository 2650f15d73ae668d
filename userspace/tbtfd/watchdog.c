// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the watchdog: the machine comes back even where its panic does not end
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A hardware timer resets the machine unless it is told again and again not to. It runs
 * only while memory is running out and on_exhausted is panic: a machine that is well
 * is not reset because this process was stopped or killed. It is told for as long as
 * the loop below comes round, which after a panic it does not.
 *
 * The loop takes no memory: its files are open and their buffers there from the first
 * round on, and it is locked in memory, and real-time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "conf.h"
#include "daemon.h"
#include "log.h"
#include "memory.h"

#define KNOBS		"/sys/kernel/mm/tbtf/"
/* The ladder has 0 s at the least from its first round to a panic. */
#define LOOK_MS		250
/* As the module foretells the end. */
#define DANGER_MS	60000
/* So long all has to be well before it is let go. */
#define CALM_MS		10000

struct watchdog {
	const char *path;
	int dev;
	int stage, exhausted, left;	/* files of the module; -1: it is not loaded */
	bool runs;
	int64_t danger_at;		/* ms: when there was danger last */
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* -- the device ---------------------------------------------------------------------- */

static int set(const struct watchdog *dog, int option)
{
	return ioctl(dog->dev, WDIOC_SETOPTIONS, &option) ? -errno : 0;
}

/* Let go for good: without the letter it would run on when the file is closed. */
static void let_go(struct watchdog *dog)
{
	(void)set(dog, WDIOS_DISABLECARD);
	if (write(dog->dev, "V", 1) != 1)
		tbtf_warning("%s: cannot be told that it is not wanted any more: %s", dog->path,
			     strerror(errno));
	(void)close(dog->dev);
}

static int open_dog(struct watchdog *dog, uint64_t timeout_s)
{
	struct watchdog_info info = { 0 };
	int seconds = timeout_s, err;

	dog->dev = open(dog->path, O_WRONLY | O_CLOEXEC);
	if (dog->dev < 0) {
		err = -errno;
		tbtf_err("%s: %s%s", dog->path, strerror(-err),
			 err == -EBUSY ? ": somebody else has it (RuntimeWatchdogSec= of systemd?)" : "");
		return err;
	}
	/* It runs from here on. */
	if (ioctl(dog->dev, WDIOC_GETSUPPORT, &info)) {
		err = -errno;
		tbtf_err("%s: is no watchdog: %s", dog->path, strerror(-err));
		(void)close(dog->dev);
		return err;
	}
	if (!(info.options & WDIOF_MAGICCLOSE)) {
		tbtf_err("%s (%.32s) cannot be stopped once it runs: that would reset a machine that is well",
			 dog->path, info.identity);
		let_go(dog);
		return -EOPNOTSUPP;
	}
	if (ioctl(dog->dev, WDIOC_SETTIMEOUT, &seconds) || seconds != (int)timeout_s) {
		tbtf_err("%s (%.32s) cannot have a timeout of %" PRIu64 " s", dog->path, info.identity,
			 timeout_s);
		let_go(dog);
		return -EINVAL;
	}
	err = set(dog, WDIOS_DISABLECARD);
	if (err) {
		tbtf_err("%s (%.32s) cannot be stopped: %s (nowayout?)", dog->path, info.identity,
			 strerror(-err));
		let_go(dog);
		return err;
	}
	if (!strncmp((const char *)info.identity, "Software", 8))
		tbtf_warning("%s (%.32s) is a program of the kernel, and stands still with it in a panic: only hardware does not",
			     dog->path, info.identity);
	tbtf_notice("ready: %s (%.32s), %" PRIu64 " s", dog->path, info.identity, timeout_s);
	return 0;
}

/* -- the module ---------------------------------------------------------------------- */

static void close_module(struct watchdog *dog)
{
	if (dog->stage >= 0)
		(void)close(dog->stage);
	if (dog->exhausted >= 0)
		(void)close(dog->exhausted);
	if (dog->left >= 0)
		(void)close(dog->left);
	dog->stage = dog->exhausted = dog->left = -1;
}

static bool open_module(struct watchdog *dog)
{
	if (dog->stage >= 0)
		return true;
	dog->stage = open(KNOBS "stage", O_RDONLY | O_CLOEXEC);
	dog->exhausted = open(KNOBS "on_exhausted", O_RDONLY | O_CLOEXEC);
	dog->left = open(KNOBS "economy/left_ms", O_RDONLY | O_CLOEXEC);
	if (dog->stage >= 0 && dog->exhausted >= 0 && dog->left >= 0)
		return true;
	close_module(dog);
	return false;
}

static bool look(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* May a panic come? False also where that cannot be asked: it is the module's to panic. */
static bool danger(struct watchdog *dog)
{
	char stage[32], exhausted[32], left[32];

	if (!open_module(dog))
		return false;
	if (!look(dog->stage, stage, sizeof(stage)) || !look(dog->left, left, sizeof(left)) ||
	    !look(dog->exhausted, exhausted, sizeof(exhausted))) {
		close_module(dog);	/* unloaded; it may come again */
		return false;
	}
	if (!strstr(exhausted, "[panic]"))
		return false;
	return strcmp(stage, "idle\n") || (*left != 'n' && atoll(left) < DANGER_MS);
}

/* -- the loop ------------------------------------------------------------------------ */

static void round_of(struct watchdog *dog, int64_t now)
{
	int err;

	if (danger(dog))
		dog->danger_at = now;
	if (!dog->runs && dog->danger_at == now) {
		err = set(dog, WDIOS_ENABLECARD);
		if (err) {
			tbtf_err("%s cannot be started: %s", dog->path, strerror(-err));
			return;
		}
		dog->runs = true;
		tbtf_notice("memory runs out: the watchdog runs");
	}
	if (!dog->runs)
		return;
	if (now - dog->danger_at >= CALM_MS) {
		if (!set(dog, WDIOS_DISABLECARD)) {
			dog->runs = false;
			tbtf_notice("all is well again: the watchdog is stopped");
			return;
		}
	}
	if (ioctl(dog->dev, WDIOC_KEEPALIVE, 0))
		tbtf_warning("%s: %s", dog->path, strerror(errno));
}

/**
 * tbtf_watchdog_run() - be that until told to stop
 * @conf: the configuration, checked
 * @dry_run: say what would be done, and touch nothing: opening a watchdog starts it
 *
 * Return: an exit code.
 */
int tbtf_watchdog_run(const struct tbtf_conf *conf, bool dry_run)
{
	struct watchdog dog = {
		.path = conf->exhausted.watchdog, .stage = -1, .exhausted = -1, .left = -1,
		.danger_at = INT64_MIN / 2,
	};
	const struct timespec nap = { .tv_nsec = LOOK_MS * 1000000L };
	struct sigaction action = { .sa_handler = on_signal };
	int err;

	if (dry_run) {
		printf("would run %s, of %" PRIu64 " s, while memory runs out and on_exhausted is panic\n",
		       dog.path, conf->exhausted.watchdog_timeout_s);
		return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
	}
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	if (tbtf_memory_lock() || tbtf_memory_first())
		return EXIT_NOT_PERMITTED;
	err = open_dog(&dog, conf->exhausted.watchdog_timeout_s);
	if (err)
		return err == -EACCES || err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	(void)danger(&dog);
	(void)sd_notify(0, "READY=1");
	while (!stop) {
		round_of(&dog, tbtf_now_ms());
		(void)nanosleep(&nap, NULL);
	}
	let_go(&dog);
	tbtf_notice("stopped, and the watchdog with it");
	return EXIT_OK;
}
