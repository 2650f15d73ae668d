/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - top: what its files share
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Everything is in one struct of fixed size, and every file that is read each
 * time stays open: a round of reading and drawing needs no memory, so that it
 * goes on while there is none.
 */
#ifndef _TBTF_TOP_H
#define _TBTF_TOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tbtf.h>

#define TOP_COUNTERS	64
#define TOP_SAMPLES	7200
#define TOP_ROWS	64
#define TOP_CGROUPS	16
#define TOP_LIST	1024
#define TOP_EVENTS	64
#define TOP_EVENT_LEN	256
#define TOP_CANDIDATES	8192
#define TOP_LINES	128	/* a terminal may be larger: the rest of it stays empty */
#define TOP_COLUMNS	320

/* A file that is kept open; fd is -1 when it is not. */
struct top_file {
	int fd;
};

struct top_counter {
	char name[48];
	struct top_file file;
	uint64_t value;
};

enum top_stage { TOP_IDLE, TOP_SACRIFICE, TOP_EXHAUSTED, TOP_STAGE_OTHER };

/* One look at the machine. */
struct top_sample {
	uint16_t used;		/* of memory, what is not available: per mille */
	uint16_t some, full;	/* time stalled since the look before: per mille */
	uint16_t kills;		/* since then */
	uint8_t stage;		/* enum top_stage */
};

/* What a marked process can still get; from a preview of the choice. */
struct top_headroom {
	bool known;
	uint32_t candidates;
	uint64_t worth_kb;	/* of these, in an OOM of the machine */
	uint64_t freed_kb;	/* counter sacrificed_kb when that was asked */
	char limit[128];	/* path of the cgroup above with the least room, or "" */
	uint64_t limit_kb;	/* its memory.max */
	uint64_t limit_worth_kb;	/* of the candidates in it */
	struct top_file limit_usage;	/* its memory.current */
};

struct top_row {
	pid_t pid;		/* of a cgroup: of one that is in it, or 0 */
	char name[128];		/* comm, or the path of the cgroup */
	bool is_cgroup;
	bool seen;
	int adj;
	uint64_t size_kb;
	struct top_headroom headroom;
	struct top_file usage, swap;	/* of a cgroup: memory.current, memory.swap.current */
};

struct top_event {
	char text[TOP_EVENT_LEN];
};

struct top {
	/* the module */
	bool loaded;
	struct top_file stage_file, enabled_file, dry_run_file, marked_file;
	char stage[32];
	bool enabled, dry_run;
	uint64_t marked;
	struct top_counter counters[TOP_COUNTERS];
	unsigned int nr_counters;

	/* the machine */
	struct top_file meminfo, psi;
	uint64_t total_kb, free_kb, available_kb, swap_total_kb, swap_free_kb;
	bool has_psi;
	uint64_t some_us, full_us;
	char some_avg[16], full_avg[16];

	/* its past: a ring, [nr % TOP_SAMPLES] comes next */
	struct top_sample samples[TOP_SAMPLES];
	uint64_t nr_samples;
	uint64_t last_ms;	/* CLOCK_MONOTONIC of the last look */
	uint64_t last_kills;
	unsigned int interval_ms;

	/* who is marked */
	int dev;		/* /dev/tbtf, or -errno */
	struct tbtf_info infos[TOP_LIST];
	struct tbtf_candidate candidates[TOP_CANDIDATES];
	struct top_row rows[TOP_ROWS];
	unsigned int nr_rows, next_preview;
	uint32_t nr_marked;	/* marked processes, of which the rows may be the first only */
	uint64_t walked_ms;	/* when the cgroups were gone through */

	/* what has happened: from the ring of the eBPF part, or else from the kernel log */
	bool has_ring;
	uint64_t ring_seq;	/* number of the last record of it that was read */
	int kmsg;		/* or -errno */
	char log[8192];		/* what was read of it and is no whole line yet */
	size_t log_len;
	pid_t last_victim;
	struct top_event events[TOP_EVENTS];
	uint64_t nr_events;
};

/* -- top_read.c: the machine and the module ------------------------------- */

void top_init(struct top *top, unsigned int interval_ms);

/* One look at everything. Never fails: what cannot be read is said in the picture. */
void top_look(struct top *top);

/* A file that is kept open, from its beginning, without its last newline. Length or -errno. */
ssize_t top_read(struct top_file *file, char *buf, size_t size);
int top_number(struct top_file *file, uint64_t *ret_value);
void top_close(struct top_file *file);

/* A counter, or 0 where the module has none of this name. */
uint64_t top_counter(const struct top *top, const char *name);

uint64_t top_now_ms(void);

/* -- top_marked.c: who is marked, and what he can still get ---------------- */

void top_marked_init(struct top *top);
void top_marked_look(struct top *top);

/* Of all rows together: what they have; and of the largest, who could go instead. */
void top_marked_sums(const struct top *top, uint64_t *ret_kb, uint64_t *ret_crowd_kb,
		     uint32_t *ret_crowd);

/* What a row can still get: memory that is there, and what candidates would free. */
uint64_t top_headroom_kb(const struct top *top, struct top_row *row);

/* -- top_events.c: what has happened ---------------------------------------- */

void top_events_init(struct top *top);
void top_events_look(struct top *top);

/* -- top_draw.c: the picture ------------------------------------------------ */

#define TOP_BOLD	1
#define TOP_REVERSE	2

struct top_cell {
	char text[4];		/* one character */
	uint8_t len;
	uint8_t look;		/* TOP_BOLD | TOP_REVERSE */
};

struct top_picture {
	int lines, columns;
	struct top_cell cells[TOP_LINES][TOP_COLUMNS];
};

/* span_s: how much of the past the plots show. */
void top_draw(struct top *top, struct top_picture *picture, int lines, int columns,
	      unsigned int span_s);

/* -- top_screen.c: ncurses ---------------------------------------------------- */

/* 0, or an exit code after having said why not. */
int top_screen_open(void);
void top_screen_close(void);
void top_screen_size(int *ret_lines, int *ret_columns);
void top_screen_resize(int lines, int columns);
void top_screen_show(const struct top_picture *picture);
/* A key that was pressed, or -1. */
int top_screen_key(void);

#endif /* _TBTF_TOP_H */
