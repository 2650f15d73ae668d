// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the lender: what is done, and in which order
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One thread runs a loop over two listening sockets, the control connections
 * (lend-client.c), two signals and a clock; each NBD connection has a thread of its
 * own (nbd-server.c). The ledger decides (ledger.c), and here it is done: memory is
 * looked at, leases end, others are called back.
 *
 * A page that was promised is never dropped: not when its borrower is late, not when
 * memory is short here (then it is swapped, if it can be), and not when the lender is
 * asked to stop. It goes when its lease is released, or has expired while nobody was
 * connected to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <tbtf.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "lend.h"
#include "log.h"
#include "self.h"

#define SECOND		UINT64_C(1000000)
/* An offer that changed by an eighth is news. */
#define NEWS		8
/* Leases of one second, before numbers could be used twice by two lives of a lender. */
#define LEASES_A_SECOND	1000000

/**
 * tbtf_lend_now() - the time that leases are counted in
 *
 * Return: seconds of CLOCK_MONOTONIC.
 */
uint64_t tbtf_lend_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/**
 * tbtf_lend_look() - look how the node and its leases are
 * @lender: the lender: its @memory, and @held_kb of each lease
 *
 * Return: false: that cannot be said; nothing is to be lent.
 */
bool tbtf_lend_look(struct tbtf_lender *lender)
{
	int err = tbtf_self_memory(&lender->memory);

	if (err < 0) {
		tbtf_err("/proc/meminfo cannot be read: %s", strerror(-err));
		lender->memory.available_kb = 0;
		return false;
	}
	for (unsigned int i = 0; i < lender->ledger.leases; i++) {
		struct tbtf_lease *lease = &lender->ledger.lease[i];

		lease->held_kb = tbtf_store_held(lease->store) >> 10;
	}
	return true;
}

/**
 * tbtf_lend_end() - a lease ends: its memory is free when this returns
 * @lender: the lender
 * @lease: one of its ledger
 * @why: for the log
 */
void tbtf_lend_end(struct tbtf_lender *lender, struct tbtf_lease *lease, const char *why)
{
	tbtf_notice("%s: lease %" PRIu64 " has ended: %s; %" PRIu64 " of %" PRIu64 " KiB were in use",
		    lender->conf->peer[lease->borrower].name, lease->number, why,
		    tbtf_store_held(lease->store) >> 10, lease->kb);
	tbtf_keep_remove(lease);
	tbtf_nbd_server_remove(&lender->nbd, lease->export);
	tbtf_store_end(lease->store);
	tbtf_store_put(lease->store);
	explicit_bzero(lease->export, sizeof(lease->export));
	tbtf_ledger_remove(&lender->ledger, lease);
}

/* -- every second -------------------------------------------------------------------- */

/* Leases whose time is over. One that somebody is connected to is in use: it goes on. */
static void expire(struct tbtf_lender *lender, uint64_t now)
{
	struct tbtf_ledger *ledger = &lender->ledger;
	struct tbtf_lease *lease;

	for (unsigned int i = 0; i < ledger->leases; ) {
		lease = &ledger->lease[i];
		if (lease->expires > now) {
			i++;
		} else if (tbtf_nbd_server_conns(&lender->nbd, lease->export)) {
			(void)tbtf_ledger_renew(ledger, lease, now);
			i++;
		} else {
			tbtf_lend_end(lender, lease, "it has expired");
		}
	}
}

static void call_back(struct tbtf_lender *lender, uint64_t now)
{
	struct tbtf_ledger *ledger = &lender->ledger;
	struct tbtf_lease *lease;

	while ((lease = tbtf_ledger_call_back(ledger, &lender->memory, now))) {
		tbtf_notice("%s: lease %" PRIu64 " (%" PRIu64 " KiB) is called back: %s",
			    lender->conf->peer[lease->borrower].name, lease->number, lease->kb,
			    ledger->stopping ? "this lender stops" : "this node needs its memory itself");
		tbtf_lend_tell_revoked(lender, lease);
	}
	for (unsigned int i = 0; i < ledger->leases; i++) {
		lease = &ledger->lease[i];
		if (!lease->deadline || lease->late || now < lease->deadline)
			continue;
		lease->late = true;
		tbtf_warning("%s: lease %" PRIu64 " is not back in time; its %" PRIu64 " KiB stay",
			     lender->conf->peer[lease->borrower].name, lease->number, lease->held_kb);
	}
}

static void tell_news(struct tbtf_lender *lender)
{
	char why[TBTF_PEER_MESSAGE];
	uint64_t own = tbtf_ledger_offer(&lender->ledger, &lender->memory, why), told = lender->told_kb;
	uint64_t offer = own + lender->memory.behind_kb;
	uint64_t change = offer > told ? offer - told : told - offer;

	if (change <= told / NEWS && !(told && !offer))
		return;
	lender->told_kb = offer;
	tbtf_debug("%" PRIu64 " KiB to lend, %" PRIu64 " more to be borrowed: %s", own,
		   lender->memory.behind_kb, why);
	tbtf_lend_tell_offer(lender);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct tbtf_lender *lender = data;
	uint64_t now = tbtf_lend_now();

	tbtf_nbd_server_tick(&lender->nbd);
	tbtf_lend_tick(lender);
	tbtf_lend_behind_tick(lender);
	expire(lender, now);
	if (tbtf_lend_look(lender)) {
		call_back(lender, now);
		tell_news(lender);
	}
	tbtf_lend_hold(lender);
	if (lender->ledger.stopping && !lender->ledger.leases)
		(void)sd_event_exit(lender->event, EXIT_OK);
	(void)sd_event_source_set_time(source, usec + SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* -- beginning and end --------------------------------------------------------------- */

/* The first signal: everybody shall take back what is theirs. The second: at once. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct tbtf_lender *lender = data;
	uint64_t kb = tbtf_ledger_promised(&lender->ledger);

	(void)source;
	(void)info;
	if (lender->ledger.stopping || !lender->ledger.leases)
		return sd_event_exit(lender->event, EXIT_OK);
	lender->ledger.stopping = true;
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=waiting for %u leases to come back", lender->ledger.leases);
	tbtf_notice("stops when %u leases (%" PRIu64 " KiB) are back; a second signal stops it at once",
		    lender->ledger.leases, kb);
	call_back(lender, tbtf_lend_now());
	return 0;
}

/* It is to be started again: nobody needs to move, if somebody keeps the memory. */
static int on_restart(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct tbtf_lender *lender = data;

	if (!tbtf_keep_works() && lender->ledger.leases)
		return on_signal(source, info, data);
	lender->leaving = true;
	return sd_event_exit(lender->event, EXIT_OK);
}

static int on_control(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (conn >= 0)
		tbtf_lend_take(data, conn);
	return 0;
}

static int on_nbd(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct tbtf_lender *lender = data;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)source;
	(void)revents;
	if (conn >= 0)
		(void)tbtf_nbd_server_take(&lender->nbd, conn);
	return 0;
}

/* [::], which nobody has said, is also 0.0.0.0 on a node without IPv6. */
static int open_socket(const struct tbtf_address *address, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_storage sa = address->sa;
	int fd, yes = 1, no = 0, err;

	/* The port is at the same place in both. */
	((struct sockaddr_in *)&sa)->sin_port = htons(port);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && !strcmp(address->text, "[::]")) {
		memcpy(&sa, &any, sizeof(any));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, (void *)&sa, sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
		 sizeof(struct sockaddr_in)) < 0 || listen(fd, 64) < 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

static int listen_at(struct tbtf_lender *lender, uint16_t port, sd_event_io_handler_t handler)
{
	int fd = open_socket(&lender->conf->lend.listen, port), err = fd;
	sd_event_source *source = NULL;

	if (fd >= 0)
		err = sd_event_add_io(lender->event, &source, fd, EPOLLIN, handler, lender);
	if (err >= 0)
		err = sd_event_source_set_io_fd_own(source, true);
	if (err >= 0)
		err = sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
	if (err < 0)
		tbtf_err("cannot listen at %s, port %u: %s", lender->conf->lend.listen.text, port,
			 strerror(-err));
	return err;
}

static uint16_t control_port(const struct tbtf_conf *conf)
{
	return ntohs(((const struct sockaddr_in *)&conf->lend.listen.sa)->sin_port);
}

static int set_up_loop(struct tbtf_lender *lender)
{
	sigset_t set;
	int err;

	/* OpenSSL writes to sockets as to any file: who is gone must not take us along. */
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	err = sd_event_new(&lender->event);
	if (err >= 0)
		err = sd_event_add_signal(lender->event, NULL, SIGTERM, on_signal, lender);
	if (err >= 0)
		err = sd_event_add_signal(lender->event, NULL, SIGINT, on_signal, lender);
	if (err >= 0)
		err = sd_event_add_signal(lender->event, NULL, SIGHUP, on_restart, lender);
	if (err >= 0)
		err = sd_event_add_time_relative(lender->event, NULL, CLOCK_MONOTONIC, SECOND,
						 SECOND / 10, on_tick, lender);
	if (err < 0) {
		tbtf_err("the event loop cannot be set up: %s", strerror(-err));
		return err;
	}
	return 0;
}

/* Everything that has to be true before anybody is told that this lender is there. */
static int set_up(struct tbtf_lender *lender, const struct tbtf_conf *conf)
{
	struct tbtf_tls_error tls_error;
	struct tbtf_self_error error;
	int err;

	if (conf->lend.too_big_to_fail) {
		err = tbtf_self_set(TBTF_ON);
		if (err < 0) {
			tbtf_err("cannot mark itself, as [lend] too_big_to_fail = yes wants: %s",
				 strerror(-err));
			return err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_NO_MODULE;
		}
	}
	if (tbtf_self_lock(&error) < 0 || tbtf_self_last_to_die(&error) < 0) {
		tbtf_err("%s", error.text);
		return EXIT_NOT_PERMITTED;
	}
	if (conf->security.encryption == TBTF_ENCRYPTION_TLS &&
	    tbtf_tls_setup(&lender->tls, conf, true, &tls_error) < 0) {
		tbtf_err("%s", tls_error.text);
		return EXIT_BAD_CONFIG;
	}
	err = tbtf_nbd_server_setup(&lender->nbd, conf, lender->tls);
	if (err < 0 || set_up_loop(lender) < 0)
		return EXIT_FAILED;
	tbtf_keep_find(lender);
	if (listen_at(lender, conf->lend.nbd_port, on_nbd) < 0 ||
	    listen_at(lender, control_port(conf), on_control) < 0)
		return EXIT_FAILED;
	tbtf_lend_control_open(lender);
	return EXIT_OK;
}

static void tear_down(struct tbtf_lender *lender)
{
	struct tbtf_ledger *ledger = &lender->ledger;

	tbtf_lend_close(lender);
	tbtf_lend_behind_end(lender);
	tbtf_lend_control_close(lender);
	tbtf_nbd_server_stop(&lender->nbd);
	if (lender->leaving)
		tbtf_notice("%u leases stay with the service manager", ledger->leases);
	while (ledger->leases && !lender->leaving) {
		tbtf_warning("%s: what lease %" PRIu64 " holds is lost",
			     lender->conf->peer[ledger->lease[0].borrower].name, ledger->lease[0].number);
		tbtf_lend_end(lender, &ledger->lease[0], "this lender was stopped");
	}
	sd_event_unref(lender->event);
	tbtf_tls_free(lender->tls);
}

static int dry(const struct tbtf_lender *lender)
{
	char why[TBTF_PEER_MESSAGE];
	uint64_t kb = tbtf_ledger_offer(&lender->ledger, &lender->memory, why), far;
	bool may_swap;

	printf("would lend %" PRIu64 " KiB now: %s\n", kb, why);
	for (size_t i = 0; i < lender->conf->peers; i++) {
		kb = tbtf_ledger_offer_to(&lender->ledger, &lender->memory, i, &may_swap, &far);
		printf("  to %s, at most %" PRIu64 " KiB\n", lender->conf->peer[i].name, kb);
	}
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/**
 * tbtf_lend() - be a lender until told to stop
 * @conf: the configuration, checked; has to stay
 * @dry_run: say what there is to lend, and do nothing
 *
 * Return: an exit code.
 */
int tbtf_lend(const struct tbtf_conf *conf, bool dry_run)
{
	static struct tbtf_lender lender;	/* the ledger has a good hundred KiB */
	char why[TBTF_PEER_MESSAGE];
	int code;

	lender.conf = conf;
	tbtf_lend_behind_setup(&lender);
	if (!tbtf_lend_look(&lender))
		return EXIT_FAILED;
	tbtf_ledger_setup(&lender.ledger, conf, &lender.memory, (uint64_t)time(NULL) * LEASES_A_SECOND);
	if (dry_run)
		return dry(&lender);
	code = set_up(&lender, conf);
	if (code)
		return code;
	lender.told_kb = tbtf_ledger_offer(&lender.ledger, &lender.memory, why);
	tbtf_notice("ready as %s: %" PRIu64 " KiB to lend: %s", conf->node, lender.told_kb, why);
	(void)sd_notify(0, "READY=1");
	code = sd_event_loop(lender.event);
	if (code < 0) {
		tbtf_err("the event loop has failed: %s", strerror(-code));
		code = EXIT_FAILED;
	}
	tear_down(&lender);
	return code;
}
