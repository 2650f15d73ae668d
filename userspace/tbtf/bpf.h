/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the eBPF part: attaching it, reading what it has counted
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Who only reads needs bpf(2) and nothing else; libbpf is for attaching.
 */
#ifndef _TBTF_BPF_H
#define _TBTF_BPF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/tbtf_event.h>
#include <tbtf_stats.h>

#define BPF_DIR	"/sys/fs/bpf/tbtf"

struct json;

/* -- bpf_attach.c ----------------------------------------------------------- */

/* Load, attach, pin. raw: by raw tracepoints also where types are there. An exit code. */
int tbtf_bpf_attach(bool raw);

/* -- bpf_pins.c -------------------------------------------------------------- */

/* Take away all pins: the kernel then frees the rest. An exit code, having said why. */
int tbtf_bpf_detach(void);

/* What is pinned; opened by tbtf_bpf_open(), to be closed. */
struct tbtf_bpf {
	struct tbtf_control control;	/* as it was then */
	const struct tbtf_control *live;	/* mapped, read only */
	const struct tbtf_record *ring;	/* likewise */
	int control_fd;
};

/* EXIT_OK, or an exit code having said what is wrong and what to do. */
int tbtf_bpf_open(struct tbtf_bpf *ret);
void tbtf_bpf_close(struct tbtf_bpf *bpf);

/* The stamp of what is pinned. 0; -ENOENT: nothing is; -ESTALE: of another tbtf; or -errno. */
int tbtf_bpf_stamp(struct tbtf_control *ret);

/* Sums over all CPUs. 0 or -errno. */
int tbtf_bpf_totals(struct tbtf_set *ret);

/* All of a table, in memory from malloc(3), those with the latest event first. 0 or -errno. */
struct tbtf_entry {
	struct tbtf_key key;
	struct tbtf_keyed value;
};

int tbtf_bpf_table(enum tbtf_table table, struct tbtf_entry **ret, size_t *ret_nr);

/*
 * The record after *seq, which becomes its number: 1, or 0 if there is none yet.
 * *ret_lost: how many between were overwritten before they were read.
 */
int tbtf_bpf_next(const struct tbtf_bpf *bpf, uint64_t *seq, struct tbtf_record *ret,
		  uint64_t *ret_lost);

/* Tell the statistics that so many were lost. */
void tbtf_bpf_count_lost(const struct tbtf_bpf *bpf, uint64_t lost);

/* -- bpf_event.c: events, for people and for programs ------------------------- */

const char *tbtf_event_name(uint32_t kind);	/* "sacrifice", ...; NULL: not known */
void tbtf_event_text(FILE *out, const struct tbtf_record *rec);
void tbtf_event_json(FILE *out, const struct tbtf_record *rec);

/* The path of a cgroup, remembered; "" if it is gone. */
const char *tbtf_event_cgroup(uint64_t id);

/* "2026-11-22T12:34:56.789012Z" of a CLOCK_MONOTONIC time. */
const char *tbtf_event_time(uint64_t ns, char buf[32]);

/* Read and pass on events until a signal: of tbtf watch and tbtf record. An exit code. */
struct tbtf_follow {
	bool past;		/* begin with what is there already */
	bool json;
	bool samples;		/* once a second, how the machine is */
	long count;		/* stop after so many; 0: do not */
	FILE *out;
};

int tbtf_follow(const struct tbtf_follow *how);

#endif /* _TBTF_BPF_H */
