// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - report: the page
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One file that loads nothing: style and picture are in it, there is no script,
 * and its policy forbids all else. Names in it were chosen by others, and are
 * text whatever they look like.
 */
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "report.h"

#define DAY_NS	86400000000000ULL

/* Characters that turn the writing direction of what follows, and the like. */
static bool is_control(const unsigned char *s, size_t len)
{
	uint32_t c;

	if (len == 1)
		return *s < 0x20 || *s == 0x7f;
	if (len == 2)
		return *s == 0xc2 && s[1] < 0xa0;
	if (len != 3)
		return false;
	c = (s[0] & 0xf) << 12 | (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c >= 0xfffe;
}

void html_text(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), len;

	for (; left; s += len, left -= len) {
		len = tbtf_utf8_len(s, left);
		if (!len) {
			fputs("\xef\xbf\xbd", out);	/* U+FFFD */
			len = 1;
			continue;
		}
		if (is_control(s, len)) {
			for (size_t i = 0; i < len; i++)
				fprintf(out, "\\x%02x", s[i]);
			continue;
		}
		switch (*s) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fwrite(s, 1, len, out);
		}
	}
}

int html_columns(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), len;
	int n = 0;

	for (; left; s += len, left -= len) {
		len = tbtf_utf8_len(s, left);
		if (len && is_control(s, len))
			n += 4 * len;
		else
			n += len == 1 ? 1 : 2;
		len += !len;
	}
	return n;
}

void html_when(FILE *out, const struct report *r, uint64_t ns, bool with_ms)
{
	double time = ns / 1e9 + r->offset + (with_ms ? 0.0005 : 0);
	time_t seconds = time;
	char text[32];
	struct tm tm;

	if (!r->has_offset) {
		fprintf(out, "+%.*f s", with_ms ? 3 : 0,
			ns > r->first ? (ns - r->first) / 1e9 : 0.0);
		return;
	}
	localtime_r(&seconds, &tm);
	/* Of several days each time says which. */
	strftime(text, sizeof(text), r->last - r->first > DAY_NS ? "%m-%d %H:%M:%S" : "%H:%M:%S",
		 &tm);
	fputs(text, out);
	if (with_ms)
		fprintf(out, ".%03d", (int)((time - seconds) * 1000));
}

const char *html_duration(uint64_t ns, char buf[32])
{
	double seconds = ns / 1e9;

	if (ns < 10000000)
		snprintf(buf, 32, "%.2f ms", seconds * 1000);
	else if (seconds < 1)
		snprintf(buf, 32, "%.0f ms", seconds * 1000);
	else if (seconds < 60)
		snprintf(buf, 32, "%.1f s", seconds);
	else if (seconds < 3600)
		snprintf(buf, 32, "%d min %d s", (int)seconds / 60, (int)seconds % 60);
	else
		snprintf(buf, 32, "%d h %d min", (int)(seconds / 3600), (int)seconds / 60 % 60);
	return buf;
}

static const char style[] =
":root{--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--mute:#898781;--line:#e1e0d9;"
"--axis:#c3c2b7;--p:#2a78d6;--crowd:#1baf7a;--other:#c9c7bd;--kill:#d03b3b;--wait:#eda100;"
"--some:#eb6834;--full:#a32d2d;--edge:rgba(11,11,11,.10)}\n"
"@media(prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;"
"--mute:#898781;--line:#2c2c2a;--axis:#383835;--p:#3987e5;--crowd:#199e70;--other:#4a4944;"
"--kill:#e66767;--wait:#c98500;--some:#d95926;--full:#f09595;--edge:rgba(255,255,255,.10)}}\n"
":root{color-scheme:light dark}\n"
"*{box-sizing:border-box}\n"
"body{margin:0;padding:32px 16px 64px;background:var(--page);color:var(--ink);"
"font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}\n"
"main{max-width:1120px;margin:0 auto}\n"
"header p{color:var(--soft);margin:0 0 24px;max-width:75ch}\n"
"h1{font-size:26px;line-height:1.25;margin:0 0 8px;font-weight:650;text-wrap:balance}\n"
"h2{font-size:17px;margin:36px 0 12px;font-weight:650}\n"
".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0 0 24px}\n"
".figures div{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:12px 14px;"
"display:flex;flex-direction:column;justify-content:space-between}\n"
".figures dt{color:var(--soft);font-size:13px}\n"
".figures dd{margin:2px 0 0;font-size:24px;font-weight:600;line-height:1.2}\n"
".figures .bad dd{color:var(--kill)}\n"
"figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:16px}\n"
"figcaption{color:var(--soft);font-size:13px;margin-top:8px}\n"
".legend{display:flex;flex-wrap:wrap;gap:6px 18px;margin:0 0 10px;padding:0;list-style:none;"
"font-size:13px;color:var(--soft)}\n"
".legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;"
"vertical-align:-1px}\n"
".wide{overflow-x:auto}\n"
"svg{display:block;width:100%;min-width:720px;height:auto;overflow:visible;font:11px system-ui,sans-serif}\n"
"svg text{fill:var(--mute)}\n"
"svg .name{fill:var(--soft)}\n"
".grid{stroke:var(--ink);opacity:.1}\n"
".base{stroke:var(--axis)}\n"
".drop{stroke:var(--kill);opacity:.55}\n"
".hot .tip{visibility:hidden;pointer-events:none}\n"
".hot:hover .tip,.hot:focus .tip{visibility:visible}\n"
".hot{outline:none}\n"
".tip rect{fill:var(--card);stroke:var(--axis)}\n"
".tip text{fill:var(--ink)}\n"
".rule{stroke:var(--mute);stroke-dasharray:2 3}\n"
".table{overflow-x:auto;background:var(--card);border:1px solid var(--edge);border-radius:10px}\n"
"table{border-collapse:collapse;width:100%;font-size:13.5px}\n"
"th,td{padding:7px 12px;text-align:left;border-top:1px solid var(--line);vertical-align:top;"
"white-space:nowrap}\n"
"thead th{border-top:0;color:var(--soft);font-weight:550}\n"
".n{text-align:right;font-variant-numeric:tabular-nums}\n"
"bdi{unicode-bidi:isolate}\n"
"td small{color:var(--mute);font-size:12px}\n"
".path{white-space:normal;overflow-wrap:anywhere;min-width:24ch;color:var(--soft)}\n"
".out{font-weight:600}\n"
".out.killed,.out.panicked,.out.died{color:var(--kill)}\n"
".note{color:var(--soft);font-size:13.5px;max-width:75ch}\n"
"footer{margin-top:40px;color:var(--mute);font-size:13px}\n";

static void who(FILE *out, const struct rec_process *p)
{
	if (!p->pid) {
		fputs("\xe2\x80\x93", out);
		return;
	}
	fputs("<bdi>", out);
	html_text(out, *p->comm ? p->comm : "?");
	fprintf(out, "</bdi> <small>%d</small>", p->pid);
}

static void size_cell(FILE *out, uint64_t kb)
{
	char size[16];

	fprintf(out, "<td class=\"n\" data-kb=\"%llu\">%s</td>", (unsigned long long)kb,
		tbtf_size(kb, size));
}

static void count_cell(FILE *out, uint64_t n)
{
	fprintf(out, "<td class=\"n\">%llu</td>", (unsigned long long)n);
}

static void when_cell(FILE *out, const struct report *r, uint64_t ns)
{
	fprintf(out, "<td class=\"n\" data-ns=\"%llu\">", (unsigned long long)ns);
	html_when(out, r, ns, true);
	fputs("</td>", out);
}

static void cgroup_of(FILE *out, const struct rec_process *p)
{
	if (*p->cgroup)
		html_text(out, p->cgroup);
	else if (p->cgroup_id)
		fprintf(out, "id %llu", (unsigned long long)p->cgroup_id);
	else
		fputs("\xe2\x80\x93", out);
}

/* --- what it comes to ------------------------------------------------------- */

struct sums {
	uint64_t kills, dry, freed_kb, naps, died, least_kb;
	bool has_least;
};

static uint64_t kills_of(const struct report_episode *ep)
{
	/* The module has counted them all; the recording may have lost some. */
	return ep->ended && ep->kills > ep->seen_kills ? ep->kills : ep->seen_kills;
}

static uint64_t freed_of(const struct report_episode *ep)
{
	return ep->ended && ep->freed_kb > ep->seen_kb ? ep->freed_kb : ep->seen_kb;
}

static struct sums sum_up(const struct report *r)
{
	struct sums s = { .least_kb = UINT64_MAX };
	uint64_t dry_kb = 0;

	for (size_t i = 0; i < r->nr_kills; i++)
		if (r->kills[i].dry_run) {
			s.dry++;
			dry_kb += r->kills[i].worth_kb;
		}
	for (size_t i = 0; i < r->nr_episodes; i++) {
		s.kills += kills_of(&r->episodes[i]);
		s.freed_kb += freed_of(&r->episodes[i]);
		s.naps += r->episodes[i].naps;
	}
	s.kills -= s.dry < s.kills ? s.dry : s.kills;
	s.freed_kb -= dry_kb < s.freed_kb ? dry_kb : s.freed_kb;
	for (size_t i = 0; i < r->nr_ends; i++)
		s.died += r->ends[i].died;
	for (size_t i = 0; i < r->nr_samples; i++)
		if (r->samples[i].available_kb < s.least_kb)
			s.least_kb = r->samples[i].available_kb;
	s.has_least = r->nr_samples;
	return s;
}

static bool another(const struct rec_process *q, const struct rec_process **p)
{
	if (*p && q->pid && q->pid != (*p)->pid)
		return true;
	if (q->pid)
		*p = q;
	return false;
}

/* The one for whom it all was, if it was one. */
static const struct rec_process *only_protected(const struct report *r, const struct sums *s)
{
	const struct rec_process *p = NULL;

	for (size_t i = 0; i < r->nr_kills; i++)
		if ((!r->kills[i].dry_run || !s->kills) && another(&r->kills[i].protected, &p))
			return NULL;
	for (size_t i = 0; i < r->nr_ends; i++)
		if (another(&r->ends[i].who, &p))
			return NULL;
	for (size_t i = 0; i < r->nr_episodes && !s->kills && !s->dry; i++)
		if (another(&r->episodes[i].protected, &p))
			return NULL;
	return p;
}

static void headline(const struct report *r, const struct sums *s, FILE *out)
{
	const struct rec_process *p = only_protected(r, s);

	if (!r->nr_episodes) {
		fputs("No episode: nobody had to die", out);
		return;
	}
	if (s->dry && !s->kills)
		fprintf(out, "%llu would have died (dry run)", (unsigned long long)s->dry);
	else if (s->kills == 1)
		fputs("One process died", out);
	else if (s->kills)
		fprintf(out, "%llu processes died", (unsigned long long)s->kills);
	else
		fputs("Nobody was killed", out);
	if (!p) {
		fputs(" for the protected", out);
	} else {
		fputs(s->kills || s->dry ? " for <bdi>" : " in place of <bdi>", out);
		html_text(out, p->comm);
		fputs("</bdi>", out);
	}
	if (s->died)
		fputs(s->kills || s->dry ? ", and it was not enough" : ", which died itself", out);
}

static void span(const struct report *r, FILE *out)
{
	char buf[32], date[32];
	time_t begin = r->first / 1e9 + r->offset;
	struct tm tm;

	if (r->has_offset) {
		localtime_r(&begin, &tm);
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
		fprintf(out, "%s, ", date);
		html_when(out, r, r->first, false);
		fputs(" to ", out);
		html_when(out, r, r->last, false);
		fputs(", ", out);
	}
	fprintf(out, "%s. ", html_duration(r->last - r->first, buf));
	fputs("From the recording <bdi>", out);
	html_text(out, r->recording.name);
	fputs("</bdi>.", out);
}

static void figure(FILE *out, const char *id, const char *name, bool bad, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
static void figure(FILE *out, const char *id, const char *name, bool bad, const char *format, ...)
{
	va_list args;

	fprintf(out, "<div%s><dt>%s</dt><dd id=\"%s\">", bad ? " class=\"bad\"" : "", name, id);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputs("</dd></div>\n", out);
}

static void figures(const struct report *r, const struct sums *s, FILE *out)
{
	char size[16];

	fputs("<dl class=\"figures\">\n", out);
	figure(out, "episodes", r->nr_episodes == 1 ? "episode" : "episodes", false, "%zu",
	       r->nr_episodes);
	figure(out, "kills", "killed in their place", false, "%llu", (unsigned long long)s->kills);
	figure(out, "freed", "expected to free", false, "%s", tbtf_size(s->freed_kb, size));
	figure(out, "waits", "waits past the kills", false, "%zu", r->nr_waits);
	figure(out, "died", "protected that died", s->died, "%llu", (unsigned long long)s->died);
	if (s->has_least)
		figure(out, "least", "least memory available", false, "%s",
		       tbtf_size(s->least_kb, size));
	fputs("</dl>\n", out);
}

/* --- tables -------------------------------------------------------------------- */

/* A name that begins with a # is of a column of numbers. */
static void table(FILE *out, const char *heading, const char *id, const char * const names[])
{
	fprintf(out, "<h2>%s</h2>\n<div class=\"table\"><table id=\"%s\"><thead><tr>", heading, id);
	for (; *names; names++)
		fprintf(out, **names == '#' ? "<th class=\"n\">%s</th>" : "<th>%s</th>",
			*names + (**names == '#'));
	fputs("</tr></thead><tbody>\n", out);
}

static void episodes(const struct report *r, FILE *out)
{
	static const char * const names[] = {
		"#Id", "#Began", "#Lasted", "Outcome", "Protected", "#Its size", "#Killed",
		"#Freed", "#Rounds", "#Naps", "Scope", NULL
	};
	char buf[32];

	table(out, "Episodes", "episode-table", names);
	for (size_t i = 0; i < r->nr_episodes; i++) {
		const struct report_episode *ep = &r->episodes[i];

		fprintf(out, "<tr data-episode=\"%llu\"><td class=\"n\">%llu</td>",
			(unsigned long long)ep->id, (unsigned long long)ep->id);
		when_cell(out, r, ep->begin);
		fprintf(out, "<td class=\"n\">%s%s</td>", ep->begun && ep->ended ? "" : "&gt; ",
			html_duration(ep->end - ep->begin, buf));
		fputs("<td class=\"out ", out);
		html_text(out, ep->outcome);
		fputs("\">", out);
		html_text(out, *ep->outcome ? ep->outcome : ep->ended ? "?" : "open");
		fputs("</td><td>", out);
		who(out, &ep->protected);
		fputs("</td>", out);
		size_cell(out, ep->protected.kb);
		count_cell(out, kills_of(ep));
		size_cell(out, freed_of(ep));
		if (ep->ended) {
			count_cell(out, ep->rounds);
			count_cell(out, ep->naps);
		} else {
			fputs("<td class=\"n\">\xe2\x80\x93</td><td class=\"n\">\xe2\x80\x93</td>", out);
		}
		fputs("<td class=\"path\">", out);
		html_text(out, *ep->scope_cgroup ? ep->scope_cgroup :
			  strcmp(ep->scope, "global") ? ep->scope : "the machine");
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void kills(const struct report *r, FILE *out)
{
	static const char * const names[] = {
		"#When", "#Episode", "Killed", "#Size", "#Freed", "Band", "Policy", "For",
		"Its cgroup", NULL
	};

	table(out, "Who died, and for whom", "kill-table", names);
	for (size_t i = 0; i < r->nr_kills; i++) {
		const struct report_kill *k = &r->kills[i];

		fputs("<tr>", out);
		when_cell(out, r, k->ns);
		count_cell(out, k->episode);
		fputs("<td>", out);
		who(out, &k->victim);
		fputs(k->dry_run ? " <small>dry run</small></td>" : "</td>", out);
		size_cell(out, k->victim.kb);
		size_cell(out, k->worth_kb);
		fputs("<td>", out);
		html_text(out, k->band);
		fputs("</td><td>", out);
		html_text(out, k->policy);
		fputs("</td><td>", out);
		who(out, &k->protected);
		fputs("</td><td class=\"path\">", out);
		cgroup_of(out, &k->victim);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void ends(const struct report *r, FILE *out)
{
	static const char * const names[] = {
		"#When", "#Episode", "What", "Whose", "#Waited before", NULL
	};
	char buf[32];

	table(out, "The end of the ladder", "end-table", names);
	for (size_t i = 0; i < r->nr_ends; i++) {
		const struct report_end *e = &r->ends[i];

		fputs("<tr>", out);
		when_cell(out, r, e->ns);
		count_cell(out, e->episode);
		fprintf(out, "<td class=\"out %s\">%s: ", e->died ? "died" : "",
			e->died ? "it died" : "exhausted");
		html_text(out, e->what);
		fputs("</td><td>", out);
		who(out, &e->who);
		fprintf(out, "</td><td class=\"n\">%s</td></tr>\n",
			e->died ? "\xe2\x80\x93" : html_duration(e->waited_ns, buf));
	}
	fputs("</tbody></table></div>\n", out);
}

static void notes(const struct report *r, FILE *out)
{
	if (r->lost)
		fprintf(out, "<p class=\"note\" id=\"lost\">%llu events were lost before they were recorded, and are missing here.</p>\n",
			(unsigned long long)r->lost);
	if (r->cut)
		fprintf(out, "<p class=\"note\" id=\"cut\">%llu events more than a page holds were left out: give a shorter span (--episode, --from, --to).</p>\n",
			(unsigned long long)r->cut);
	if (r->recording.bad)
		fprintf(out, "<p class=\"note\" id=\"bad\">%llu of %llu lines of the recording are none of its own and were passed over; the first is line %llu.</p>\n",
			(unsigned long long)r->recording.bad,
			(unsigned long long)r->recording.lines,
			(unsigned long long)r->recording.first_bad);
	if (!r->nr_samples)
		fputs("<p class=\"note\" id=\"no-samples\">The recording has no samples of memory: it was made by tbtf watch --json. tbtf record takes them.</p>\n", out);
}

void report_html(const struct report *r, FILE *out)
{
	struct sums s = sum_up(r);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
	      "<link rel=\"icon\" href=\"data:,\"/>\n<title>tbtf: ", out);
	html_text(out, r->recording.name);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<header>\n<h1>", style);
	headline(r, &s, out);
	fputs("</h1>\n<p>", out);
	span(r, out);
	fputs("</p>\n</header>\n", out);
	figures(r, &s, out);
	report_svg(r, out);
	notes(r, out);
	if (r->nr_episodes)
		episodes(r, out);
	if (r->nr_kills)
		kills(r, out);
	if (r->nr_ends)
		ends(r, out);
	fputs("<footer>Made by tbtf report " TBTF_VERSION ". Sizes are in units of 1024.</footer>\n"
	      "</main>\n</body>\n</html>\n", out);
}
