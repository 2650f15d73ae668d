// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: the picture, in characters
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * It is drawn into memory first, so that it can be shown by ncurses or printed,
 * and so that a window too small for it is no trouble.
 */
#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "cmd.h"
#include "top.h"

#define AXIS		6	/* columns left of a plot */
#define COUNTERS	30	/* columns of the list of counters */
#define WIDE		(80 + COUNTERS)	/* from so many columns on there is one */

/* One character; what is not one column wide, or unprintable, is a '?'. */
static int put_char(struct top_cell *cell, const char *s, int look)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t len;

	cell->look = look;
	cell->len = 1;
	if ((unsigned char)*s >= 0x20 && (unsigned char)*s < 0x7f) {
		cell->text[0] = *s;
		return 1;
	}
	len = mbrtowc(&wide, s, sizeof(cell->text), &state);
	if (len && len <= sizeof(cell->text) && wcwidth(wide) == 1) {
		memcpy(cell->text, s, len);
		cell->len = len;
		return len;
	}
	cell->text[0] = '?';
	return len && len <= sizeof(cell->text) ? len : 1;
}

struct pen {
	struct top_picture *picture;
	int line, column, end;	/* end: the first column not to be written to */
	int look;
};

__attribute__((format(printf, 2, 3)))
static void put(struct pen *pen, const char *format, ...)
{
	char text[512];
	const char *s;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (pen->line < 0 || pen->line >= pen->picture->lines)
		return;
	for (s = text; *s && pen->column < pen->end; pen->column++)
		s += put_char(&pen->picture->cells[pen->line][pen->column], s, pen->look);
}

static struct pen pen_at(struct top_picture *picture, int line, int column, int end, int look)
{
	struct pen pen = {
		.picture = picture, .line = line, .column = column, .look = look,
		.end = end < picture->columns ? end : picture->columns,
	};

	return pen;
}

/* A line of a heading: reverse or bold to its end. */
static void heading(struct pen *pen)
{
	while (pen->column < pen->end)
		put(pen, " ");
}

static void clear(struct top_picture *picture, int lines, int columns)
{
	picture->lines = lines < TOP_LINES ? lines : TOP_LINES;
	picture->columns = columns < TOP_COLUMNS ? columns : TOP_COLUMNS;
	for (int i = 0; i < picture->lines; i++)
		for (int k = 0; k < picture->columns; k++)
			picture->cells[i][k] = (struct top_cell) { .text = " ", .len = 1 };
}

/* --- the ladder and the counters --------------------------------------------- */

static unsigned long long counter(const struct top *top, const char *name)
{
	return top_counter(top, name);
}

static void draw_title(struct top *top, struct top_picture *p)
{
	struct pen pen = pen_at(p, 0, 0, p->columns, TOP_REVERSE);
	char host[65] = "", clock[16];
	time_t now = time(NULL);
	struct tm tm;

	gethostname(host, sizeof(host) - 1);
	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	put(&pen, "tbtf top  %s  %s  ", host, clock);
	if (!top->loaded) {
		put(&pen, "the module is not loaded: modprobe tbtf");
	} else {
		put(&pen, "%s  stage %s  open episodes %llu", !top->enabled ? "SWITCHED OFF" :
		    top->dry_run ? "DRY RUN" : "on", top->stage, counter(top, "open_episodes"));
	}
	heading(&pen);
	if (p->columns >= 80) {
		pen = pen_at(p, 0, p->columns - 7, p->columns, TOP_REVERSE);
		put(&pen, " q quit");
	}
}

static void draw_counters(struct top *top, struct top_picture *p)
{
	struct pen pen = pen_at(p, 1, 0, p->columns, 0);
	char size[16];

	put(&pen, "episodes %llu: %llu sacrificed  %llu stolen  %llu printed  %llu waited  %llu killed  %llu failed  %llu switched",
	    counter(top, "episodes"), counter(top, "outcome_sacrificed"),
	    counter(top, "outcome_stolen"), counter(top, "outcome_printed"),
	    counter(top, "outcome_waited"), counter(top, "outcome_killed"),
	    counter(top, "outcome_failed"), counter(top, "outcome_switched"));
	pen = pen_at(p, 2, 0, p->columns, 0);
	put(&pen, "kills %llu (%s)  naps %llu  rounds %llu  passes %llu  ",
	    counter(top, "sacrifices"), tbtf_size(top_counter(top, "sacrificed_kb"), size),
	    counter(top, "naps"), counter(top, "rounds"), counter(top, "passes"));
	pen.look = counter(top, "died_oom") + counter(top, "died_exhausted") ? TOP_BOLD : 0;
	put(&pen, "died: oom %llu exhausted %llu", counter(top, "died_oom"),
	    counter(top, "died_exhausted"));
}

/* All of them, where there is room. */
static void draw_list(struct top *top, struct top_picture *p, int line, int end)
{
	struct pen pen = pen_at(p, line++, p->columns - COUNTERS + 2, p->columns, TOP_BOLD);
	unsigned int zeros = 0;

	put(&pen, "COUNTER");
	for (unsigned int i = 0; i < top->nr_counters && line < end - 1; i++) {
		const struct top_counter *c = &top->counters[i];

		zeros += !c->value;
		if (!c->value)
			continue;
		pen = pen_at(p, line++, p->columns - COUNTERS + 2, p->columns, 0);
		put(&pen, "%-18.18s %9llu", c->name, (unsigned long long)c->value);
	}
	if (zeros && line < end) {
		pen = pen_at(p, line, p->columns - COUNTERS + 2, p->columns, 0);
		put(&pen, "(%u more are 0)", zeros);
	}
}

/* --- who is marked ------------------------------------------------------------- */

static void draw_row(struct top *top, struct top_picture *p, struct top_row *row, int line, int end)
{
	struct pen pen = pen_at(p, line, 0, end, 0);
	char size[16], headroom[24] = "-", candidates[16] = "-", name[256];
	bool stale = strcmp(top->stage, "idle");

	tbtf_size(row->size_kb, size);
	if (row->headroom.known) {
		char kb[16];

		/* While an episode is open nobody is asked anew. */
		snprintf(headroom, sizeof(headroom), "%s%s", stale ? "~" : "",
			 tbtf_size(top_headroom_kb(top, row), kb));
		snprintf(candidates, sizeof(candidates), "%s%u", stale ? "~" : "",
			 row->headroom.candidates);
	}
	tbtf_text(name, sizeof(name), row->name);
	if (row->is_cgroup)
		put(&pen, "%8s %5s", "cgroup", "");
	else
		put(&pen, "%8d %5d", row->pid, row->adj);
	put(&pen, " %7s %9s %10s  %s", size, headroom, candidates, name);
	if (row->headroom.known && *row->headroom.limit &&
	    !(row->is_cgroup && !strcmp(row->headroom.limit, row->name))) {
		tbtf_text(name, sizeof(name), row->headroom.limit);
		put(&pen, "  (limit: %s)", name);
	}
}

static void draw_marked(struct top *top, struct top_picture *p, int line, int lines, int end)
{
	struct pen pen = pen_at(p, line, 0, end, TOP_BOLD);

	put(&pen, "%8s %5s %7s %9s %10s  %s", "PID", "ADJ", "SIZE", "HEADROOM", "CANDIDATES",
	    "TOO BIG TO FAIL");
	if (lines < 2)
		return;
	pen = pen_at(p, line + 1, 0, end, 0);
	if (!top->loaded)
		return;
	if (!top->nr_rows && top->dev == -ENODEV)
		put(&pen, "  there is no /dev/tbtf");
	else if (!top->nr_rows && top->dev < 0)
		put(&pen, "  not permitted: who is marked is for root to see (%llu have a role)",
		    (unsigned long long)top->marked);
	else if (!top->nr_rows)
		put(&pen, "  nobody is marked: tbtf set PID, tbtf run COMMAND");
	for (unsigned int i = 0; i < top->nr_rows && (int)i < lines - 1; i++) {
		/* The last line says how many there was no room for. */
		if ((int)i == lines - 2 && top->nr_rows > i + 1) {
			pen = pen_at(p, line + 1 + i, 0, end, 0);
			put(&pen, "  and %u more", top->nr_rows - i);
			return;
		}
		draw_row(top, p, &top->rows[i], line + 1 + i, end);
	}
}

/* --- the past --------------------------------------------------------------------- */

/* What one column of the plots shows. */
struct column {
	bool known;
	unsigned int used, some, full, kills;
	uint8_t stage;
};

static struct column column_of(const struct top *top, uint64_t first, unsigned int step)
{
	struct column c = { 0 };

	for (uint64_t i = first; i < first + step && i < top->nr_samples; i++) {
		const struct top_sample *s = &top->samples[i % TOP_SAMPLES];

		if (i + TOP_SAMPLES < top->nr_samples)
			continue;
		c.known = true;
		c.used = s->used > c.used ? s->used : c.used;
		c.some = s->some > c.some ? s->some : c.some;
		c.full = s->full > c.full ? s->full : c.full;
		c.stage = s->stage > c.stage ? s->stage : c.stage;
		c.kills += s->kills;
	}
	return c;
}

static bool has_blocks(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* The part of a bar in the row-th line from below, of lines that make 1000. */
static const char *bar(unsigned int value, int row, int lines)
{
	static const char * const ascii[] = { " ", ".", ":", "#" };
	static const char * const blocks[] = {
		" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"
	};
	int steps = has_blocks() ? 8 : 3;
	int filled = ((int)value * lines * steps + 500) / 1000 - row * steps;

	/* What is there is seen. */
	if (value && !row && filled <= 0)
		filled = 1;
	filled = filled < 0 ? 0 : filled > steps ? steps : filled;
	return has_blocks() ? blocks[filled] : ascii[filled];
}

static void axis(struct top_picture *p, int line, int lines, int row, int end)
{
	struct pen pen = pen_at(p, line + lines - 1 - row, 0, end, 0);

	if (row == lines - 1)
		put(&pen, "%4s |", "100%");
	else if (!row)
		put(&pen, "%4s |", "0");
	else
		put(&pen, "%4s |", "");
}

/* How many seconds ago, from "-5m" to "now". */
static void time_axis(struct top_picture *p, int line, int width, unsigned int seconds, int end)
{
	struct pen pen = pen_at(p, line, AXIS, end, 0);
	char text[32];

	for (int i = 0; i < width; i++)
		put(&pen, "-");
	snprintf(text, sizeof(text), "-%um%02us", seconds / 60, seconds % 60);
	pen = pen_at(p, line, AXIS, end, 0);
	put(&pen, "%s", text);
	pen = pen_at(p, line, AXIS + width - 3, end, 0);
	put(&pen, "now");
	snprintf(text, sizeof(text), "-%um%02us", seconds / 2 / 60, seconds / 2 % 60);
	pen = pen_at(p, line, AXIS + width / 2 - (int)strlen(text) / 2, end, 0);
	put(&pen, "%s", text);
}

static void draw_past(struct top *top, struct top_picture *p, int line, int memory, int pressure,
		      int end, unsigned int span_s)
{
	int width = end - AXIS, first_line = line + 1, ladder = line + 1 + memory;
	unsigned int step, seconds;
	char used[16], total[16], swap[16], swap_total[16];
	struct pen pen;
	uint64_t last;

	if (width < 10)
		return;
	pen = pen_at(p, line, 0, end, TOP_BOLD);
	put(&pen, "MEMORY %s of %s in use, swap %s of %s",
	    tbtf_size(top->total_kb - top->available_kb, used), tbtf_size(top->total_kb, total),
	    tbtf_size(top->swap_total_kb - top->swap_free_kb, swap),
	    tbtf_size(top->swap_total_kb, swap_total));
	for (int row = 0; row < memory; row++)
		axis(p, first_line, memory, row, end);
	pen = pen_at(p, ladder, 0, end, 0);
	put(&pen, "%4s |", "kill");
	pen = pen_at(p, ladder + 1, 0, end, TOP_BOLD);
	if (top->has_psi)
		put(&pen, "PRESSURE somebody stalled %s%%, all %s%% of the last 10 s",
		    top->some_avg, top->full_avg);
	else
		put(&pen, "PRESSURE is not known: this kernel has no /proc/pressure (psi=1)");
	for (int row = 0; row < pressure; row++)
		axis(p, ladder + 2, pressure, row, end);

	/* Samples per column: columns stay where they are as time goes by. */
	step = (span_s * 1000 / top->interval_ms + width - 1) / width;
	step = step ? step : 1;
	seconds = (uint64_t)step * width * top->interval_ms / 1000;
	last = (top->nr_samples + step - 1) / step;
	for (int i = 0; i < width && i < (int64_t)last; i++) {
		struct column c = column_of(top, (last - 1 - i) * step, step);
		int at = AXIS + width - 1 - i;

		if (!c.known)
			break;
		for (int row = 0; row < memory; row++) {
			pen = pen_at(p, first_line + memory - 1 - row, at, end, 0);
			put(&pen, "%s", bar(c.used, row, memory));
		}
		for (int row = 0; row < pressure && top->has_psi; row++) {
			bool all = c.full * pressure > (unsigned int)row * 1000;

			pen = pen_at(p, ladder + 1 + pressure - row, at, end, 0);
			/* All stalled: full characters; somebody: a shape of its own. */
			if (all)
				put(&pen, "%s", bar(c.full, row, pressure));
			else if (c.some * pressure > (unsigned int)row * 1000)
				put(&pen, "+");
		}
		pen = pen_at(p, ladder, at, end, c.kills ? TOP_BOLD : 0);
		if (c.kills)
			put(&pen, c.kills > 9 ? "*" : "%u", c.kills);
		else if (c.stage)
			put(&pen, c.stage == TOP_EXHAUSTED ? "w" : "-");
	}
	time_axis(p, ladder + 2 + pressure, width, seconds, end);
}

/* --- what has happened -------------------------------------------------------------- */

static void draw_events(struct top *top, struct top_picture *p, int line, int lines, int end)
{
	struct pen pen = pen_at(p, line, 0, end, TOP_BOLD);
	uint64_t first;

	put(&pen, top->has_ring ? "EVENTS of the eBPF part" : "EVENTS in the kernel log");
	if (lines < 2)
		return;
	pen = pen_at(p, line + 1, 0, end, 0);
	if (top->kmsg < 0 && !top->has_ring) {
		put(&pen, "  /dev/kmsg: %s", strerror(-top->kmsg));
		return;
	}
	if (!top->nr_events)
		put(&pen, "  none of tbtf's");
	first = top->nr_events > (uint64_t)lines - 1 ? top->nr_events - (lines - 1) : 0;
	if (top->nr_events - first > TOP_EVENTS)
		first = top->nr_events - TOP_EVENTS;
	for (uint64_t i = first; i < top->nr_events; i++) {
		char text[2 * TOP_EVENT_LEN];

		pen = pen_at(p, line + 1 + i - first, 0, end, 0);
		put(&pen, "%s", tbtf_text(text, sizeof(text), top->events[i % TOP_EVENTS].text));
	}
}

/*
 * From above: title, counters (2), the marked, memory, the rungs, pressure,
 * the axis, events. What a window has more than the least goes to the marked,
 * to memory and to the events alike.
 */
void top_draw(struct top *top, struct top_picture *p, int lines, int columns, unsigned int span_s)
{
	int end, spare, pressure, marked, memory, events, line = 3;

	clear(p, lines, columns);
	end = p->columns >= WIDE ? p->columns - COUNTERS : p->columns;
	pressure = p->lines >= 40 ? 5 : 2;
	/* Headings: marked, memory, the rungs, pressure, the axis, events. */
	spare = p->lines - line - 6 - pressure;
	marked = spare / 4;
	if (marked > (int)top->nr_rows)
		marked = top->nr_rows ? (int)top->nr_rows : 1;
	marked = marked < 1 ? 1 : marked;
	memory = (spare - marked) / 2;
	memory = memory < 2 ? 2 : memory > 24 ? 24 : memory;
	events = spare - marked - memory;

	draw_title(top, p);
	draw_counters(top, p);
	draw_marked(top, p, line, 1 + marked, end);
	line += 1 + marked;
	draw_past(top, p, line, memory, pressure, end, span_s);
	line += 4 + memory + pressure;
	draw_events(top, p, line, 1 + events, end);
	if (end < p->columns)
		draw_list(top, p, 3, p->lines);
}
