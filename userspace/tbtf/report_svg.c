// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - report: the picture
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * From above: memory, who has it; the rungs, with each kill; pressure. All over
 * the same time. What shows when the pointer is on something lies on top, drawn
 * last, so that nothing covers it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

#define WIDTH		1000
#define LEFT		62
#define RIGHT		10
#define PLOT		(WIDTH - LEFT - RIGHT)
#define MEMORY_TOP	12
#define MEMORY_HEIGHT	250
#define LANE		24
#define PRESSURE_HEIGHT	84
#define GAP		26
#define STRIPS		232	/* that show the numbers at a time; 4 units wide */

struct svg {
	const struct report *r;
	FILE *out;
	uint64_t first, last;
	uint64_t most_kb;		/* the top of the plot of memory */
	int lanes, lane_top[3];		/* sacrifice, wait, end; 0: it does not occur */
	int pressure_top;		/* 0: not known */
	int height;
};

enum { LANE_SACRIFICE, LANE_WAIT, LANE_END };

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static double x_of(const struct svg *s, uint64_t ns)
{
	ns = ns < s->first ? s->first : ns > s->last ? s->last : ns;
	return LEFT + (double)(ns - s->first) / (s->last - s->first) * PLOT;
}

static double y_of(const struct svg *s, uint64_t kb)
{
	kb = kb > s->most_kb ? s->most_kb : kb;
	return MEMORY_TOP + MEMORY_HEIGHT * (1 - (double)kb / s->most_kb);
}

static void line(const struct svg *s, const char *look, double x1, double x2, double y1, double y2)
{
	fprintf(s->out, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
		look, x1, x2, y1, y2);
}

/* What stands left of a line across the picture. */
static void label(const struct svg *s, const char *look, double y, const char *text)
{
	fprintf(s->out, "<text class=\"%s\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
		look, LEFT - 8, y + 4, text);
}

/* --- what shows when the pointer is on it ------------------------------------- */

struct tip {
	FILE *to;
	char *text;
	size_t len;
	int lines;
};

/* Lines are collected as plain text; a name may be anything but a line feed. */
static void tip_begin(struct tip *tip)
{
	*tip = (struct tip) { 0 };
	tip->to = open_memstream(&tip->text, &tip->len);
}

__attribute__((format(printf, 2, 3)))
static void tip_line(struct tip *tip, const char *format, ...)
{
	va_list args;

	if (!tip->to)
		return;
	va_start(args, format);
	vfprintf(tip->to, format, args);
	va_end(args);
	fputc('\n', tip->to);
	tip->lines++;
}

/* The box beside (x, y), within the picture. */
static void tip_end(struct tip *tip, const struct svg *s, double x, double y)
{
	int longest = 0, width, height = tip->lines * 15 + 10;
	char *one_line, *rest = NULL;

	if (!tip->to || fclose(tip->to)) {
		free(tip->text);
		return;
	}
	/* strtok_r() eats the line feeds; so measure first. */
	for (one_line = tip->text; *one_line; one_line += strcspn(one_line, "\n") + 1) {
		char one[512];
		size_t len = strcspn(one_line, "\n");

		snprintf(one, sizeof(one), "%.*s", (int)len, one_line);
		if (html_columns(one) > longest)
			longest = html_columns(one);
	}
	width = longest * 13 / 2 + 24;
	x = x + 12 + width > WIDTH ? x - 12 - width : x + 12;
	x = x < 0 ? 0 : x;
	y = y + height > s->height ? s->height - height : y;
	y = y < 0 ? 0 : y;
	fprintf(s->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"5\"/><text>",
		x, y, width, height);
	y += 17;
	for (one_line = strtok_r(tip->text, "\n", &rest); one_line;
	     one_line = strtok_r(NULL, "\n", &rest)) {
		fprintf(s->out, "<tspan x=\"%.1f\" y=\"%.1f\">", x + 10, y);
		html_text(s->out, one_line);
		fputs("</tspan>", s->out);
		y += 15;
	}
	fputs("</text>", s->out);
	free(tip->text);
}

/* A name within a line of a tip. */
static const char *name_of(const struct rec_process *p, char buf[128])
{
	char text[100];

	snprintf(buf, 128, "%s (%d)", tbtf_text(text, sizeof(text), *p->comm ? p->comm : "?"), p->pid);
	return buf;
}

static void tip_when(struct tip *tip, const struct svg *s, uint64_t ns, bool with_ms)
{
	if (!tip->to)
		return;
	html_when(tip->to, s->r, ns, with_ms);
	fputc('\n', tip->to);
	tip->lines++;
}

/* --- memory ---------------------------------------------------------------------- */

/* A power of two: sizes are in units of 1024. Four to six lines of it. */
static uint64_t axis_step(uint64_t kb)
{
	uint64_t step = 1;

	while (kb / step > 6)
		step *= 2;
	return step;
}

static void memory_axis(const struct svg *s)
{
	uint64_t step = axis_step(s->most_kb);
	char size[16];

	for (uint64_t kb = 0; kb <= s->most_kb; kb += step) {
		double y = y_of(s, kb);

		line(s, kb ? "grid" : "base", LEFT, WIDTH - RIGHT, y, y);
		label(s, "mute", y, kb ? tbtf_size(kb, size) : "0");
	}
}

static uint64_t used_kb(const struct report_sample *m)
{
	return m->total_kb - m->available_kb;
}

static uint64_t cap(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

/* From below: P, the crowd, and what else is in use. Up to which of them? */
static uint64_t level(const struct report_sample *m, int layer)
{
	uint64_t used = used_kb(m);

	switch (layer) {
	case 0:
		return 0;
	case 1:
		return cap(m->has_sizes ? m->protected_kb : 0, used);
	case 2:
		return cap(m->has_sizes ? m->protected_kb + m->crowd_kb : 0, used);
	}
	return used;
}

/* Samples may be many: of those in one step of the picture, the last is drawn. */
static size_t stride(const struct svg *s)
{
	return s->r->nr_samples / 2000 + 1;
}

static void memory_layer(const struct svg *s, int layer, const char *color, const char *id)
{
	const struct report *r = s->r;
	size_t step = stride(s), i;

	fprintf(s->out, "<path id=\"%s\" fill=\"var(--%s)\" d=\"M", id, color);
	for (i = 0; i < r->nr_samples; i += step)
		fprintf(s->out, "%.1f %.1fL", x_of(s, r->samples[i].ns),
			y_of(s, level(&r->samples[i], layer)));
	for (i = (r->nr_samples - 1) / step * step;; i -= step) {
		fprintf(s->out, "%.1f %.1f%s", x_of(s, r->samples[i].ns),
			y_of(s, level(&r->samples[i], layer - 1)), i ? "L" : "Z");
		if (!i)
			break;
	}
	fputs("\"/>\n", s->out);
}

/* P as it was at each kill: where there are no samples, all there is. */
static void sizes_line(const struct svg *s)
{
	const struct report *r = s->r;
	size_t step = r->nr_sizes / 2000 + 1;

	fputs("<path id=\"sizes\" fill=\"none\" stroke=\"var(--p)\" stroke-width=\"2\" stroke-linejoin=\"round\" d=\"M",
	      s->out);
	for (size_t i = 0; i < r->nr_sizes; i += step)
		fprintf(s->out, "%s%.1f %.1f", i ? "L" : "", x_of(s, r->sizes[i].ns),
			y_of(s, r->sizes[i].kb));
	fputs("\"/>\n", s->out);
}

static void memory(const struct svg *s)
{
	const struct report *r = s->r;
	bool has_sizes = false;

	for (size_t i = 0; i < r->nr_samples; i++)
		has_sizes |= r->samples[i].has_sizes;
	if (r->nr_samples > 1) {
		memory_layer(s, 3, "other", "used");
		if (has_sizes) {
			memory_layer(s, 2, "crowd", "crowd");
			memory_layer(s, 1, "p", "protected");
		}
	}
	if (r->nr_sizes && !has_sizes)
		sizes_line(s);
	memory_axis(s);
	for (size_t i = 0; i < r->nr_waits; i++)
		fprintf(s->out, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"var(--wait)\" opacity=\".22\"/>\n",
			x_of(s, r->waits[i].begin), MEMORY_TOP,
			larger(1, x_of(s, r->waits[i].end) - x_of(s, r->waits[i].begin)), MEMORY_HEIGHT);
	for (size_t i = 0; i < r->nr_kills; i++)
		line(s, "drop", x_of(s, r->kills[i].ns), x_of(s, r->kills[i].ns), MEMORY_TOP,
		     s->lane_top[LANE_SACRIFICE] + LANE / 2.);
}

/* --- the rungs --------------------------------------------------------------------- */

static void lane_name(const struct svg *s, int lane, const char *name)
{
	int y = s->lane_top[lane] + LANE / 2;

	line(s, "grid", LEFT, WIDTH - RIGHT, y, y);
	label(s, "name", y, name);
}

static void lanes(const struct svg *s)
{
	const struct report *r = s->r;

	lane_name(s, LANE_SACRIFICE, "kills");
	for (size_t i = 0; i < r->nr_episodes; i++) {
		const struct report_episode *ep = &r->episodes[i];

		fprintf(s->out, "<rect class=\"episode\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"4\" rx=\"2\" fill=\"var(--axis)\"/>\n",
			x_of(s, ep->begin), s->lane_top[LANE_SACRIFICE] + LANE / 2 - 2,
			larger(3, x_of(s, ep->end) - x_of(s, ep->begin)));
	}
	if (s->lane_top[LANE_WAIT])
		lane_name(s, LANE_WAIT, "waits");
	if (s->lane_top[LANE_END])
		lane_name(s, LANE_END, "the end");
}

/* --- pressure ------------------------------------------------------------------------ */

/* The share of the time between two samples; per cent. */
static double share(const struct report_sample *a, const struct report_sample *b, bool full)
{
	uint64_t ns = b->ns - a->ns, us = full ? b->full_us - a->full_us : b->some_us - a->some_us;
	double value;

	if (!a->has_psi || !b->has_psi || b->some_us < a->some_us || b->full_us < a->full_us || !ns)
		return 0;
	value = us * 1e5 / ns;
	return value > 100 ? 100 : value;
}

static void pressure_layer(const struct svg *s, bool full)
{
	const struct report *r = s->r;
	double base = s->pressure_top + PRESSURE_HEIGHT;
	size_t step = stride(s);

	fprintf(s->out, "<path id=\"%s\" fill=\"var(--%s)\" fill-opacity=\"%s\" d=\"M%.1f %.1f",
		full ? "full" : "some", full ? "full" : "some", full ? ".9" : ".45",
		x_of(s, r->samples[0].ns), base);
	for (size_t i = step; i < r->nr_samples; i += step) {
		double y = base - share(&r->samples[i - step], &r->samples[i], full) / 100 * PRESSURE_HEIGHT;

		fprintf(s->out, "L%.1f %.1fL%.1f %.1f", x_of(s, r->samples[i - step].ns), y,
			x_of(s, r->samples[i].ns), y);
	}
	fprintf(s->out, "L%.1f %.1fZ\"/>\n",
		x_of(s, r->samples[(r->nr_samples - 1) / step * step].ns), base);
}

static void pressure(const struct svg *s)
{
	static const char * const names[] = { "0", "50%", "100%" };

	for (int i = 0; i < 3; i++) {
		double y = s->pressure_top + PRESSURE_HEIGHT * (1 - i / 2.0);

		line(s, i ? "grid" : "base", LEFT, WIDTH - RIGHT, y, y);
		label(s, "mute", y, names[i]);
	}
	pressure_layer(s, false);
	pressure_layer(s, true);
}

/* --- time ------------------------------------------------------------------------------ */

static void time_axis(const struct svg *s)
{
	static const double steps[] = {
		.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200,
		86400,
	};
	double seconds = (s->last - s->first) / 1e9, step = steps[ARRAY_SIZE(steps) - 1];
	double begin = s->first / 1e9 + (s->r->has_offset ? s->r->offset : 0);

	for (size_t i = ARRAY_SIZE(steps); i-- > 0;)
		if (seconds / steps[i] <= 9)
			step = steps[i];
	while (seconds / step > 12)
		step *= 2;
	for (double t = ((int64_t)(begin / step) + 1) * step; t <= begin + seconds; t += step) {
		uint64_t ns = s->first + (t - begin) * 1e9;
		double x = x_of(s, ns);

		/* A rounding error must not make it the second before. */
		if (x < LEFT + 20 || x > WIDTH - RIGHT - 20)
			continue;
		line(s, "base", x, x, s->height - 22, s->height - 18);
		fprintf(s->out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x, s->height - 6);
		html_when(s->out, s->r, ns + 50000, step < 1);
		fputs("</text>\n", s->out);
	}
}

/* --- on top: what the pointer finds ------------------------------------------------------- */

/* The last sample not after ns. */
static const struct report_sample *sample_at(const struct report *r, uint64_t ns, size_t *hint)
{
	while (*hint + 1 < r->nr_samples && r->samples[*hint + 1].ns <= ns)
		++*hint;
	return r->nr_samples && r->samples[*hint].ns <= ns ? &r->samples[*hint] : NULL;
}

static void strip(const struct svg *s, const struct report_sample *m, double x, double width)
{
	int bottom = s->pressure_top ? s->pressure_top + PRESSURE_HEIGHT : MEMORY_TOP + MEMORY_HEIGHT;
	char size[16], total[16], crowd[16];
	struct tip tip;

	fprintf(s->out, "<g class=\"hot strip\"><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"transparent\"/>",
		x, MEMORY_TOP, width, bottom - MEMORY_TOP);
	fputs("<g class=\"tip\">", s->out);
	line(s, "rule", x + width / 2, x + width / 2, MEMORY_TOP, bottom);
	tip_begin(&tip);
	tip_when(&tip, s, m->ns, false);
	tip_line(&tip, "in use %s of %s", tbtf_size(used_kb(m), size), tbtf_size(m->total_kb, total));
	tip_line(&tip, "available %s", tbtf_size(m->available_kb, size));
	if (m->has_sizes) {
		tip_line(&tip, "protected %s", tbtf_size(m->protected_kb, size));
		tip_line(&tip, "the crowd %s in %llu", tbtf_size(m->crowd_kb, crowd),
			 (unsigned long long)m->crowd);
	}
	if (m->swap_total_kb)
		tip_line(&tip, "swap %s of %s", tbtf_size(m->swap_total_kb - cap(m->swap_free_kb, m->swap_total_kb), size),
			 tbtf_size(m->swap_total_kb, total));
	if (m->has_psi && m > s->r->samples)
		tip_line(&tip, "stalled: somebody %.0f%%, all %.0f%%", share(m - 1, m, false),
			 share(m - 1, m, true));
	tip_end(&tip, s, x + width / 2, MEMORY_TOP + 8);
	fputs("</g></g>\n", s->out);
}

static void strips(const struct svg *s)
{
	double width = (double)PLOT / STRIPS;
	const struct report_sample *m;
	size_t hint = 0;

	for (int i = 0; i < STRIPS; i++) {
		/* The middle of the strip. */
		m = sample_at(s->r, s->first + (i + .5) / STRIPS * (s->last - s->first), &hint);
		if (m)
			strip(s, m, LEFT + i * width, width);
	}
}

/* Without libm, which nothing else here needs; 0 to 1. */
static double root(double x)
{
	double y = 1;

	for (int i = 0; i < 20; i++)
		y = (y + x / y) / 2;
	return y;
}

static void kill_dots(const struct svg *s, bool hot)
{
	int y = s->lane_top[LANE_SACRIFICE] + LANE / 2;
	char name[128], size[16], worth[16];

	for (size_t i = 0; i < s->r->nr_kills; i++) {
		const struct report_kill *k = &s->r->kills[i];
		double x = x_of(s, k->ns), share = s->most_kb ? (double)k->worth_kb / s->most_kb : 0;
		struct tip tip;

		/* Its area goes with what it freed. */
		if (!hot) {
			fprintf(s->out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%d\" r=\"%.1f\" fill=\"%s\" stroke=\"var(--%s)\" stroke-width=\"2\"/>\n",
				x, y, 4 + 6 * root(share > 1 ? 1 : share),
				k->dry_run ? "none" : "var(--kill)", k->dry_run ? "kill" : "card");
			continue;
		}
		fprintf(s->out, "<g class=\"hot kill\" tabindex=\"0\"><circle cx=\"%.1f\" cy=\"%d\" r=\"11\" fill=\"transparent\"/><g class=\"tip\">",
			x, y);
		tip_begin(&tip);
		tip_when(&tip, s, k->ns, true);
		tip_line(&tip, "%s %s", name_of(&k->victim, name), k->dry_run ? "would have died" : "died");
		tip_line(&tip, "for %s", name_of(&k->protected, name));
		tip_line(&tip, "size %s, frees %s", tbtf_size(k->victim.kb, size),
			 tbtf_size(k->worth_kb, worth));
		tip_line(&tip, "band %s, oom_score_adj %d", k->band, k->victim.adj);
		tip_line(&tip, "episode %llu", (unsigned long long)k->episode);
		tip_end(&tip, s, x, y - 40);
		fputs("</g></g>\n", s->out);
	}
}

static void wait_bars(const struct svg *s, bool hot)
{
	int y = s->lane_top[LANE_WAIT] + LANE / 2;
	char buf[32];

	for (size_t i = 0; i < s->r->nr_waits; i++) {
		const struct report_wait *w = &s->r->waits[i];
		double x = x_of(s, w->begin);
		struct tip tip;

		fprintf(s->out, "%s<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"12\" rx=\"3\" fill=\"%s\"/>%s",
			hot ? "<g class=\"hot wait\" tabindex=\"0\">" : "", x, y - 6,
			larger(4, x_of(s, w->end) - x), hot ? "transparent" : "var(--wait)",
			hot ? "<g class=\"tip\">" : "\n");
		if (!hot)
			continue;
		tip_begin(&tip);
		tip_when(&tip, s, w->begin, true);
		tip_line(&tip, "nobody to kill: waits for %s%s%s", html_duration(w->end - w->begin, buf),
			 *w->rung ? " on rung " : "", w->rung);
		if (*w->why)
			tip_line(&tip, "why: %s", w->why);
		tip_line(&tip, "episode %llu", (unsigned long long)w->episode);
		tip_end(&tip, s, x, y - 40);
		fputs("</g></g>\n", s->out);
	}
}

static void end_marks(const struct svg *s, bool hot)
{
	int y = s->lane_top[LANE_END] + LANE / 2;
	char name[128], buf[32];

	for (size_t i = 0; i < s->r->nr_ends; i++) {
		const struct report_end *e = &s->r->ends[i];
		double x = x_of(s, e->ns);
		struct tip tip;

		if (!hot) {
			fprintf(s->out, "<path d=\"M%.1f %dl7 7l-7 7l-7 -7Z\" fill=\"var(--%s)\" stroke=\"var(--card)\"/>\n",
				x, y - 7, e->died ? "kill" : "soft");
			continue;
		}
		fprintf(s->out, "<g class=\"hot end\" tabindex=\"0\"><circle cx=\"%.1f\" cy=\"%d\" r=\"9\" fill=\"transparent\"/><g class=\"tip\">",
			x, y);
		tip_begin(&tip);
		tip_when(&tip, s, e->ns, true);
		if (e->died) {
			tip_line(&tip, "%s died: %s", name_of(&e->who, name), e->what);
		} else {
			tip_line(&tip, "the end of the ladder: %s", e->what);
			tip_line(&tip, "%s, after %s of waiting", name_of(&e->who, name),
				 html_duration(e->waited_ns, buf));
		}
		tip_line(&tip, "episode %llu", (unsigned long long)e->episode);
		tip_end(&tip, s, x, y - 40);
		fputs("</g></g>\n", s->out);
	}
}

/* --- all of it ------------------------------------------------------------------------------ */

static void legend(const struct svg *s, bool has_sizes)
{
	static const struct {
		const char *color, *name;
	} entries[] = {
		{ "p", "protected" }, { "crowd", "the crowd: who could go instead" },
		{ "other", "other memory in use" }, { "kill", "a kill" },
		{ "wait", "nobody left to kill: waiting" }, { "some", "somebody stalled" },
		{ "full", "all stalled" },
	};

	fputs("<ul class=\"legend\">\n", s->out);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		if ((i == 1 && !has_sizes) || (i == 2 && s->r->nr_samples < 2) ||
		    (i == 0 && !has_sizes && !s->r->nr_sizes) || (i == 3 && !s->r->nr_kills) ||
		    (i == 4 && !s->r->nr_waits) || (i > 4 && !s->pressure_top))
			continue;
		fprintf(s->out, "<li><i style=\"background:var(--%s)\"></i>%s</li>\n",
			entries[i].color, entries[i].name);
	}
	fputs("</ul>\n", s->out);
}

static void measure(struct svg *s)
{
	const struct report *r = s->r;
	bool has_psi = false;
	int y;

	s->first = r->first;
	s->last = r->last > r->first ? r->last : r->first + 1000000000;
	for (size_t i = 0; i < r->nr_samples; i++) {
		s->most_kb = r->samples[i].total_kb > s->most_kb ? r->samples[i].total_kb : s->most_kb;
		has_psi |= r->samples[i].has_psi && i;
	}
	if (!r->nr_samples)
		for (size_t i = 0; i < r->nr_sizes; i++)
			if (r->sizes[i].kb + r->sizes[i].kb / 8 > s->most_kb)
				s->most_kb = r->sizes[i].kb + r->sizes[i].kb / 8;
	s->most_kb = s->most_kb ? s->most_kb : 1024;
	y = MEMORY_TOP + MEMORY_HEIGHT + 10;
	s->lane_top[LANE_SACRIFICE] = y;
	y += LANE;
	if (r->nr_waits) {
		s->lane_top[LANE_WAIT] = y;
		y += LANE;
	}
	if (r->nr_ends) {
		s->lane_top[LANE_END] = y;
		y += LANE;
	}
	if (has_psi) {
		s->pressure_top = y + GAP - 8;
		y = s->pressure_top + PRESSURE_HEIGHT;
	}
	s->height = y + 30;
}

void report_svg(const struct report *r, FILE *out)
{
	struct svg s = { .r = r, .out = out };
	bool has_sizes = false;

	measure(&s);
	for (size_t i = 0; i < r->nr_samples; i++)
		has_sizes |= r->samples[i].has_sizes;
	fputs("<figure>\n", out);
	legend(&s, has_sizes);
	fprintf(out, "<div class=\"wide\"><svg id=\"picture\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Memory, kills, waits and pressure over time; the tables below have the numbers\">\n",
		WIDTH, s.height);
	memory(&s);
	lanes(&s);
	if (s.pressure_top)
		pressure(&s);
	time_axis(&s);
	strips(&s);
	/* First what is seen, then what the pointer finds: its text covers the former. */
	for (int hot = 0; hot < 2; hot++) {
		wait_bars(&s, hot);
		end_marks(&s, hot);
		kill_dots(&s, hot);
	}
	fputs("</svg></div>\n<figcaption>Point at the picture for numbers; a dot is a process that was killed, its area what that freed.</figcaption>\n</figure>\n",
	      out);
}
