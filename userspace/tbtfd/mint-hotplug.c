// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the mint hotplug: more memory from the hypervisor
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The hypervisor is asked through its monitor (qmp.c), for more of a virtio-mem device or
 * for DIMMs, or by a command of the operator's. What comes are memory blocks
 * (blocks.c), for which the kernel needs tables: a 64th of them, of memory that it has
 * already, and when it has none left it cannot be given any. So the step that is next is
 * fetched ahead, while there is some: it is there, and offline, and printing is but to say
 * that the kernel may use it. And so that the next but one can be fetched in the middle
 * of it, pages for its tables are held. Those of a process might come from ZONE_MOVABLE,
 * where no table can be; those of a pipe never do.
 *
 * What there is the hypervisor knows, and the kernel; nothing is written down, but for the
 * command.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "blocks.h"
#include "clock.h"
#include "extent.h"
#include "log.h"
#include "memory.h"
#include "mint.h"
#include "proc.h"
#include "qmp.h"

#define STATE_FILE	TBTF_RUN_DIR "/mint-hotplug"
#define DIMM		"tbtf-dimm"
#define BACKEND		"tbtf-mem"
/* The monitor answers in milliseconds; a request has to have time for the next mint. */
#define ANSWER_MS	2000
/* For memory to come; and to go, when nobody is in need. */
#define COME_MS		5000
#define GO_MS		20000
#define POLL_MS		20
#define RETRY_MS	10000
/* What goes besides the tables: directories of sysfs, page tables, the first page of a zone. */
#define BESIDES_KB	1024
#define PIPE_KB		1024
#define PIPES		65

struct source {
	const char *what;
	int (*ask)(uint64_t kb, int timeout_ms);	/* so much, beyond the base */
	int (*look)(int timeout_ms);			/* what there is */
};

static struct {
	const struct tbtf_conf *conf;
	struct tbtf_mint *mint;
	const struct source *source;
	struct tbtf_qmp qmp;
	struct tbtf_qmp_device devices[TBTF_QMP_DEVICES];
	int n;			/* of @devices */
	uint64_t step_kb;	/* whole blocks */
	uint64_t there_kb;	/* beyond the base: what the guest has */
	uint64_t max_kb;	/* beyond the base: what it can have */
	bool more;		/* something was printed: fetch the next step */
	int64_t retry_ms;	/* nobody is connected to before */
	int64_t fetch_ms;	/* nothing is fetched ahead before */
	int pipe[PIPES][2];	/* pages for tables */
	size_t pipes;
	char why[TBTF_QMP_WHY];
} the;

static void nap(void)
{
	struct timespec ts = { .tv_nsec = POLL_MS * 1000000L };

	(void)nanosleep(&ts, NULL);
}

static bool is_called(void)
{
	return atomic_load_explicit(&the.mint->job, memory_order_acquire) != TBTF_JOB_NONE;
}

static uint64_t total_kb(void)
{
	struct tbtf_room room;

	return tbtf_memory_room(&room) ? 0 : room.total_kb;
}

/* -- Pages for tables ------------------------------------------------------------------ */

static uint64_t tables_kb(uint64_t kb)
{
	return kb / TBTF_BLOCKS_TABLES + BESIDES_KB;
}

static void drop_pages(void)
{
	while (the.pipes) {
		the.pipes--;
		(void)close(the.pipe[the.pipes][0]);
		(void)close(the.pipe[the.pipes][1]);
	}
}

static bool take_pipe(void)
{
	static const char zeros[4096];
	int *ends = the.pipe[the.pipes];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return false;
	the.pipes++;
	if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_KB * 1024) < 0)
		return false;
	while (write(ends[1], zeros, sizeof(zeros)) > 0)
		;
	return errno == EAGAIN;
}

/*
 * Only while there is plenty: nobody is to be out of memory by that. When they are given up
 * there have to be enough of them above the low watermark, which is a quarter above
 * min_free_kbytes, and beyond what the CPU keeps for itself: the tables are another's work.
 */
static void hold_pages(void)
{
	struct tbtf_room room;
	uint64_t kb;

	if (the.pipes || tbtf_memory_room(&room))
		return;
	kb = tbtf_extent_ballast(room.total_kb, room.min_free_kb, sysconf(_SC_NPROCESSORS_ONLN),
				 tables_kb(the.step_kb) + room.min_free_kb / 4);
	if (tbtf_blocks_kernel_kb() < 2 * kb)
		return;
	while (the.pipes < PIPES && the.pipes * PIPE_KB < kb)
		if (!take_pipe()) {
			drop_pages();
			return;
		}
}

/* Is there memory for the tables of so much? What is held for that is given up if need be. */
static bool have_tables(uint64_t kb)
{
	kb = tables_kb(kb);
	if (tbtf_blocks_kernel_kb() >= 2 * kb)
		return true;
	drop_pages();
	/* It would not only fail: the kernel's own code warns if there is none. */
	return tbtf_blocks_kernel_kb() >= kb;
}

/* -- A virtio-mem device, and DIMMs, through the monitor ------------------------------------ */

static void left(int err)
{
	strcpy(the.why, the.qmp.why);
	if (err == -EREMOTEIO)
		return;
	the.mint->fd = -1;
	the.retry_ms = tbtf_now_ms() + RETRY_MS;
}

static int reach(int timeout_ms)
{
	int err;

	if (the.qmp.fd >= 0)
		return 0;
	if (tbtf_now_ms() < the.retry_ms)
		return -ENOTCONN;
	err = tbtf_qmp_open(&the.qmp, the.conf->print.qmp, timeout_ms);
	if (err)
		left(err);
	else
		the.mint->fd = the.qmp.fd;
	return err;
}

static int ask_monitor(const char *command, const char *arguments, int timeout_ms)
{
	struct tbtf_qmp_message message;
	int err = reach(timeout_ms);

	if (!err) {
		err = tbtf_qmp_ask(&the.qmp, command, arguments, timeout_ms, &message);
		if (err)
			left(err);
		else
			tbtf_qmp_done(&message);
	}
	return err;
}

static int list_devices(int timeout_ms)
{
	struct tbtf_qmp_message message;
	int err = reach(timeout_ms);

	if (err)
		return err;
	err = tbtf_qmp_ask(&the.qmp, "query-memory-devices", NULL, timeout_ms, &message);
	if (!err) {
		the.n = tbtf_qmp_devices(message.value, the.devices, TBTF_QMP_DEVICES, the.qmp.why);
		tbtf_qmp_done(&message);
		if (the.n < 0) {
			tbtf_qmp_close(&the.qmp);
			err = -EPROTO;
			the.n = 0;
		}
	}
	if (err)
		left(err);
	return err;
}

static int look_virtio(int timeout_ms)
{
	uint64_t base_kb = the.conf->print.hotplug_base_kb, kb;
	int err = list_devices(timeout_ms);

	if (err)
		return err;
	for (int i = 0; i < the.n; i++) {
		const struct tbtf_qmp_device *device = &the.devices[i];

		if (!device->virtio || strcmp(device->id, the.conf->print.hotplug_device))
			continue;
		tbtf_blocks_ours(device->at, device->max);
		kb = device->size / 1024;
		the.there_kb = kb > base_kb ? kb - base_kb : 0;
		kb = device->max / 1024;
		the.max_kb = kb > base_kb ? kb - base_kb : 0;
		return 0;
	}
	(void)snprintf(the.why, sizeof(the.why), "it has no virtio-mem device '%s'",
		       the.conf->print.hotplug_device);
	return -ENODEV;
}

static int ask_virtio(uint64_t kb, int timeout_ms)
{
	char arguments[256];

	(void)snprintf(arguments, sizeof(arguments),
		       "{\"path\":\"/machine/peripheral/%s\",\"property\":\"requested-size\",\"value\":%" PRIu64 "}",
		       the.conf->print.hotplug_device, (the.conf->print.hotplug_base_kb + kb) * 1024);
	return ask_monitor("qom-set", arguments, timeout_ms);
}

static const struct source virtio = { "virtio-mem", ask_virtio, look_virtio };

/* The number in the name of a DIMM that is ours, or -1. */
static int dimm_number(const struct tbtf_qmp_device *device)
{
	unsigned int n;
	char end;

	return !device->virtio && sscanf(device->id, DIMM "%u%c", &n, &end) == 1 && n < TBTF_QMP_DEVICES ?
	       (int)n : -1;
}

/* The last of them, or NULL. */
static const struct tbtf_qmp_device *last_dimm(void)
{
	const struct tbtf_qmp_device *last = NULL;

	for (int i = 0; i < the.n; i++)
		if (dimm_number(&the.devices[i]) >= 0 &&
		    (!last || dimm_number(&the.devices[i]) > dimm_number(last)))
			last = &the.devices[i];
	return last;
}

static int look_dimms(int timeout_ms)
{
	int err = list_devices(timeout_ms);

	if (err)
		return err;
	the.there_kb = 0;
	/* How much more fits into its slots the hypervisor says when it is asked. */
	the.max_kb = UINT64_MAX;
	for (int i = 0; i < the.n; i++) {
		if (dimm_number(&the.devices[i]) < 0)
			continue;
		tbtf_blocks_ours(the.devices[i].at, the.devices[i].size);
		the.there_kb += the.devices[i].size / 1024;
	}
	return 0;
}

static int add_dimm(uint64_t kb, int timeout_ms)
{
	const struct tbtf_qmp_device *last = last_dimm();
	int n = last ? dimm_number(last) + 1 : 0, err;
	char arguments[256];

	(void)snprintf(arguments, sizeof(arguments), "{\"id\":\"" BACKEND "%d\"}", n);
	/* One that a daemon has left which got no further. */
	err = ask_monitor("object-del", arguments, timeout_ms);
	if (err && err != -EREMOTEIO)
		return err;
	(void)snprintf(arguments, sizeof(arguments),
		       "{\"qom-type\":\"memory-backend-ram\",\"id\":\"" BACKEND "%d\",\"size\":%" PRIu64 "}",
		       n, kb * 1024);
	err = ask_monitor("object-add", arguments, timeout_ms);
	if (err)
		return err;
	(void)snprintf(arguments, sizeof(arguments),
		       "{\"driver\":\"pc-dimm\",\"id\":\"" DIMM "%d\",\"memdev\":\"" BACKEND "%d\"}", n, n);
	return ask_monitor("device_add", arguments, timeout_ms);
}

static int remove_dimm(int timeout_ms)
{
	const struct tbtf_qmp_device *last = last_dimm();
	int n, err;
	int64_t until_ms = tbtf_now_ms() + timeout_ms;
	char arguments[64];

	if (!last)
		return -ENOENT;
	n = dimm_number(last);
	err = tbtf_mint_await(the.mint, tbtf_blocks_take_off(last->at, last->size));
	if (err)
		return err;
	(void)snprintf(arguments, sizeof(arguments), "{\"id\":\"" DIMM "%d\"}", n);
	err = ask_monitor("device_del", arguments, timeout_ms);
	/* The kernel lets go of it, and the hypervisor hears that. */
	while (!err && (last = last_dimm()) && dimm_number(last) == n) {
		if (tbtf_now_ms() > until_ms)
			return -ETIMEDOUT;
		nap();
		err = look_dimms(timeout_ms);
	}
	if (err)
		return err;
	(void)snprintf(arguments, sizeof(arguments), "{\"id\":\"" BACKEND "%d\"}", n);
	return ask_monitor("object-del", arguments, timeout_ms);
}

static int ask_dimms(uint64_t kb, int timeout_ms)
{
	int err = look_dimms(timeout_ms);

	while (!err && the.there_kb + the.step_kb <= kb) {
		err = add_dimm(the.step_kb, timeout_ms);
		if (!err)
			err = look_dimms(timeout_ms);
	}
	while (!err && the.there_kb > kb)
		err = remove_dimm(timeout_ms);
	return err;
}

static const struct source dimms = { "DIMMs", ask_dimms, look_dimms };

/* -- A command -------------------------------------------------------------------------- */

static int run(const char *command, uint64_t kb, int timeout_ms)
{
	int64_t until_ms = tbtf_now_ms() + timeout_ms;
	char amount[24], *argv[] = { (char *)command, amount, NULL }, *envp[] = { NULL };
	pid_t pid, done;
	int err, status;

	(void)snprintf(amount, sizeof(amount), "%" PRIu64, kb);
	/* Not by fork(2): that would copy what this process has. */
	err = -posix_spawn(&pid, command, NULL, NULL, argv, envp);
	if (err)
		return err;
	while (!(done = waitpid(pid, &status, WNOHANG)) && tbtf_now_ms() < until_ms)
		nap();
	if (!done) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		return -ETIMEDOUT;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EREMOTEIO;
}

static int look_command(int timeout_ms)
{
	(void)timeout_ms;
	the.max_kb = UINT64_MAX;
	if (tbtf_proc_number(STATE_FILE, &the.there_kb))
		the.there_kb = 0;
	return 0;
}

static int ask_command(uint64_t kb, int timeout_ms)
{
	const char *command = the.conf->print.hotplug_command;
	char text[32];
	int err = 0;

	/* More is written down before it is there, and less when it is gone. */
	(void)snprintf(text, sizeof(text), "%" PRIu64 "\n", kb);
	if (kb > the.there_kb)
		err = tbtf_proc_write(STATE_FILE, text, O_CREAT | O_TRUNC);
	if (!err)
		err = run(command, kb, timeout_ms);
	if (!err && kb < the.there_kb)
		err = tbtf_proc_write(STATE_FILE, text, O_CREAT | O_TRUNC);
	if (!err)
		the.there_kb = kb;
	else
		(void)snprintf(the.why, sizeof(the.why), "hotplug_command %" PRIu64 ": %s", kb,
			       err == -EREMOTEIO ? "it has failed" : strerror(-err));
	return err;
}

static const struct source command = { "a command", ask_command, look_command };

/* -- What there is ------------------------------------------------------------------------ */

static uint64_t whole(uint64_t kb)
{
	return kb / tbtf_blocks_kb() * tbtf_blocks_kb();
}

/* How much more may be asked for, in whole blocks. */
static uint64_t left_kb(void)
{
	uint64_t most = the.conf->print.hotplug_max_kb;

	if (the.max_kb < most)
		most = the.max_kb;
	return the.there_kb < most ? whole(most - the.there_kb) : 0;
}

static void reckon(struct tbtf_mint *mint)
{
	uint64_t offline = tbtf_blocks_offline_kb(), out, step = the.step_kb;
	struct tbtf_room room;

	out = the.there_kb > offline ? the.there_kb - offline : 0;
	mint->out_kb = out;
	mint->cost_kb = the.there_kb / TBTF_BLOCKS_TABLES;
	if (tbtf_memory_room(&room))
		return;
	/* What the machine could not do without. */
	mint->used_kb = out > room.available_kb ? out - room.available_kb : 0;
	mint->back_kb = out < step ? out : step;
}

/* Fetched ahead is only what the kernel does not use at once. */
static bool is_ahead(void)
{
	return the.conf->print.hotplug_ahead && !tbtf_blocks_automatic();
}

/* What could be printed. */
static void set_ready(struct tbtf_mint *mint)
{
	uint64_t offline = tbtf_blocks_offline_kb(), more = left_kb();

	if (!offline && !is_ahead())
		offline = more < the.step_kb ? more : the.step_kb;
	mint->ready_kb = mint->stopping ? 0 : offline;
}

/* Until so much is there, in use or not, or it is enough. Return: KiB. */
static uint64_t await_memory(uint64_t kb, uint64_t before, int64_t until_ms, bool use, bool yields)
{
	uint64_t total, there;

	for (;;) {
		if (use)
			(void)tbtf_blocks_online(UINT64_MAX);
		total = total_kb();
		there = (total > before ? total - before : 0) + (use ? 0 : tbtf_blocks_offline_kb());
		if (there >= kb || tbtf_now_ms() >= until_ms || (yields && is_called()))
			return there;
		nap();
	}
}

/* The step that is next: asked for while there is time. */
static bool fetch(struct tbtf_mint *mint)
{
	uint64_t before = total_kb(), kb = left_kb(), there;
	int err;

	if (kb > the.step_kb)
		kb = the.step_kb;
	if (!kb) {
		tbtf_mint_why(mint, "all of hotplug_max_kb, or of what there can be, has been asked for");
		return false;
	}
	if (!have_tables(kb)) {
		tbtf_mint_why(mint, "the kernel has no %" PRIu64 " kB free for the tables of %" PRIu64 " kB more",
			      tables_kb(kb), kb);
		return false;
	}
	err = the.source->ask(the.there_kb + kb, ANSWER_MS);
	if (err) {
		tbtf_mint_why(mint, "%" PRIu64 " kB more are not to be had: %s", kb, the.why);
		return false;
	}
	there = await_memory(kb, before, tbtf_now_ms() + COME_MS, false, true);
	err = the.source->look(ANSWER_MS);
	if (!there && !is_called()) {
		/* Not later either, when nobody expects it. */
		if (!err)
			(void)the.source->ask(the.there_kb, ANSWER_MS);
		tbtf_mint_why(mint, "%" PRIu64 " kB were asked for, and have not come", kb);
		return false;
	}
	hold_pages();
	tbtf_info("%" PRIu64 " kB more are ready: of %s, with %" PRIu64 " kB of tables", there,
		  the.source->what, there / TBTF_BLOCKS_TABLES);
	return true;
}

static void prepare(struct tbtf_mint *mint)
{
	int err;

	the.retry_ms = 0;
	err = the.source->look(ANSWER_MS);
	if (err) {
		mint->ready_kb = 0;
		tbtf_mint_why(mint, "%s: %s", the.conf->print.qmp, the.why);
		return;
	}
	hold_pages();
	if (is_ahead() && !tbtf_blocks_offline_kb())
		(void)fetch(mint);
	reckon(mint);
	/* Of a daemon before this one: it may be in the middle of something. */
	the.more = mint->out_kb;
	set_ready(mint);
	if (mint->ready_kb)
		tbtf_mint_well(mint);
}

/* Whoever has waited for the next step is to go on. */
static void prepared(struct tbtf_mint *mint)
{
	static const uint64_t one = 1;

	if (atomic_exchange(&mint->preparing, false) && write(mint->to_main, &one, sizeof(one)) < 0)
		errno = 0;	/* it is full: then somebody is awake */
}

/* Something is out, and more may be wanted. */
static void fetch_more(struct tbtf_mint *mint)
{
	the.fetch_ms = tbtf_now_ms() + RETRY_MS;
	mint->preparing = true;
	if (!is_ahead() || fetch(mint))
		the.more = false;
	set_ready(mint);
	if (mint->ready_kb)
		tbtf_mint_well(mint);
}

static void look(struct tbtf_mint *mint)
{
	if (the.qmp.fd >= 0 && tbtf_qmp_drain(&the.qmp)) {
		left(-EPIPE);
		mint->ready_kb = tbtf_blocks_offline_kb();
		tbtf_mint_why(mint, "%s: %s", the.conf->print.qmp, the.why);
	}
	/* With a job at hand, somebody waits for its end. */
	if (!is_called() && (mint->out_kb || the.qmp.fd < 0)) {
		if (!the.source->look(ANSWER_MS) && mint->out_kb && the.more && !mint->ready_kb &&
		    !mint->stopping && tbtf_now_ms() >= the.fetch_ms)
			fetch_more(mint);
		if (mint->out_kb)
			prepared(mint);
	}
	reckon(mint);
}

/* -- Printing, and back -------------------------------------------------------------------- */

static bool serves(const struct tbtf_mint *mint, const struct tbtf_request *request)
{
	(void)mint;
	return !request->scope_cgroup;
}

/* How long may it take: half of what is left, for the next mint shall have time too. */
static int time_for(const struct tbtf_request *request)
{
	int64_t left;

	if (!request->deadline_ns)
		return COME_MS;
	left = ((int64_t)(request->deadline_ns / 1000000) - tbtf_now_ms()) / 2;
	if (left < POLL_MS)
		left = POLL_MS;
	return left < COME_MS ? (int)left : COME_MS;
}

static uint64_t print(struct tbtf_mint *mint, const struct tbtf_request *request)
{
	uint64_t before = total_kb(), kb = tbtf_blocks_offline_kb(), got;
	int64_t from_ms = tbtf_now_ms();
	int ms = time_for(request), err;

	if (!kb) {
		kb = left_kb() < the.step_kb ? left_kb() : the.step_kb;
		drop_pages();
		err = kb ? the.source->ask(the.there_kb + kb, ms < ANSWER_MS ? ms : ANSWER_MS) : -ENOSPC;
		if (err) {
			mint->ready_kb = 0;
			tbtf_mint_why(mint, "%" PRIu64 " kB more are not to be had: %s", kb,
				      err == -ENOSPC ? "that is all" : the.why);
			return 0;
		}
	}
	got = await_memory(kb, before, from_ms + ms, true, false);
	the.more = true;
	the.fetch_ms = 0;
	mint->ready_kb = 0;
	/* Who asks before it is fetched is to wait for that. */
	mint->preparing = got && is_ahead() && left_kb();
	if (!got) {
		tbtf_mint_why(mint, "%" PRIu64 " kB were asked for, and have not come", kb);
		if (!the.source->look(ANSWER_MS))
			(void)the.source->ask(the.there_kb, ANSWER_MS);
		return 0;
	}
	mint->out_kb += got;
	mint->ns_per_kb = (tbtf_now_ms() - from_ms) * 1000000 / got;
	return got;
}

/* A request has come, or it does not go: what is left of it stays, and more may be wanted. */
static int keep(struct tbtf_mint *mint, int err)
{
	the.more = true;
	the.fetch_ms = 0;
	(void)the.source->ask(the.there_kb, ANSWER_MS);
	set_ready(mint);
	mint->preparing = !mint->ready_kb && is_ahead() && left_kb();
	return err;
}

static int take_back(struct tbtf_mint *mint)
{
	int64_t until_ms = tbtf_now_ms() + GO_MS;
	uint64_t before, target;
	int err;

	the.more = false;
	mint->ready_kb = 0;
	err = the.source->look(ANSWER_MS);
	if (err)
		return err;
	before = the.there_kb;
	/* What is there and not in use goes first, whoever decides that. */
	target = tbtf_blocks_offline_kb() + the.step_kb;
	target = before > target ? before - target : 0;
	err = the.source->ask(target, ANSWER_MS);
	while (!err && the.there_kb > target && !mint->hurry && tbtf_now_ms() < until_ms) {
		nap();
		err = the.source->look(ANSWER_MS);
	}
	reckon(mint);
	if (err == -EINTR || (!err && the.there_kb > target && mint->hurry))
		return keep(mint, -ECANCELED);
	/* A part is a step as well. */
	if (!err && the.there_kb < before)
		return 0;
	return keep(mint, err ? err : -EBUSY);
}

/* -- Beginning and end ------------------------------------------------------------------------ */

static int find(struct tbtf_mint *mint)
{
	const char *path = mint->conf->print.hotplug_command;
	struct stat st;
	int err;

	the.conf = mint->conf;
	the.mint = mint;
	the.qmp.fd = -1;
	the.source = *path ? &command : *mint->conf->print.hotplug_device ? &virtio : &dimms;
	if (*path && (stat(path, &st) || !S_ISREG(st.st_mode) || access(path, X_OK))) {
		tbtf_err("[print] hotplug_command = %s: not a file that can be run", path);
		return -ENOEXEC;
	}
	err = tbtf_blocks_open();
	if (err == -EOPNOTSUPP)
		tbtf_err("[print] mints: 'hotplug' needs a kernel that can be given memory (CONFIG_MEMORY_HOTPLUG)");
	else if (err)
		tbtf_err("[print] mints: 'hotplug': cannot look at memory blocks: %s", strerror(-err));
	if (err)
		return err;
	/* What is offline and was fetched by a daemon before this one is ours. */
	if (the.source == &command && !look_command(0) && the.there_kb)
		tbtf_blocks_ours(0, UINT64_MAX / 2);
	the.step_kb = whole(mint->conf->print.hotplug_step_kb + tbtf_blocks_kb() - 1);
	if (the.step_kb > mint->conf->print.hotplug_max_kb) {
		tbtf_err("[print] hotplug_max_kb = %" PRIu64 " is less than a memory block of this machine: %" PRIu64 " kB",
			 mint->conf->print.hotplug_max_kb, tbtf_blocks_kb());
		return -EINVAL;
	}
	if (tbtf_blocks_automatic() && mint->conf->print.hotplug_ahead)
		tbtf_notice("the kernel uses memory as soon as it is there (auto_online_blocks): none is fetched ahead");
	return 0;
}

static void end(struct tbtf_mint *mint)
{
	uint64_t offline = tbtf_blocks_offline_kb();

	/* Nobody would use it. */
	(void)mint;
	if (offline && !the.source->look(ANSWER_MS) && the.there_kb >= offline)
		(void)the.source->ask(the.there_kb - offline, ANSWER_MS);
	drop_pages();
	tbtf_qmp_close(&the.qmp);
}

static void plan(const struct tbtf_conf *conf, char *ret, size_t size)
{
	if (*conf->print.hotplug_command)
		(void)snprintf(ret, size, "up to %" PRIu64 " kB of the hypervisor's, by %s",
			       conf->print.hotplug_max_kb, conf->print.hotplug_command);
	else if (*conf->print.hotplug_device)
		(void)snprintf(ret, size, "up to %" PRIu64 " kB of the virtio-mem device %s, asked for at %s",
			       conf->print.hotplug_max_kb, conf->print.hotplug_device, conf->print.qmp);
	else
		(void)snprintf(ret, size, "up to %" PRIu64 " kB of DIMMs of %" PRIu64 " kB, asked for at %s",
			       conf->print.hotplug_max_kb, conf->print.hotplug_step_kb, conf->print.qmp);
}

const struct tbtf_mint_ops tbtf_mint_hotplug = {
	.name = "hotplug",
	.serves = serves,
	.open = find,
	.prepare = prepare,
	.print = print,
	.look = look,
	.take_back = take_back,
	.close = end,
	.plan = plan,
};
