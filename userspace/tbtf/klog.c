// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - what the module says in the kernel log
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Names in these lines are chosen by others: a process may be called
 * "x) 1kB; instead", and a cgroup may have a whole line for a name. A name of a
 * process has 15 bytes at most, so that no name can hold all that has to follow
 * it; and a path stands at the front, so that the last place from which a line
 * reads to its end is the one the module wrote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "klog.h"

/* The cursor moves only over what is there. */
static bool take(const char **s, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*s, text, len))
		return false;
	*s += len;
	return true;
}

static bool take_number(const char **s, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + *p - '0';
	}
	if (p == *s)
		return false;
	*ret = value;
	*s = p;
	return true;
}

static bool take_pid(const char **s, pid_t *ret)
{
	uint64_t value;

	if (!take_number(s, &value) || value > INT32_MAX)
		return false;
	*ret = value;
	return true;
}

static void copy(char *buf, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(buf, from, len);
	buf[len] = '\0';
}

/* What stands before text, which is passed over as well. */
static bool take_until(const char **s, const char *text, char *buf, size_t size)
{
	const char *end = strstr(*s, text);

	if (!end)
		return false;
	copy(buf, size, *s, end - *s);
	*s = end + strlen(text);
	return true;
}

/*
 * "PID (COMM)" and then what rest() finds right: a name may have parentheses in
 * it, but not all of the rest.
 */
static bool take_process(const char **s, struct klog_process *ret, struct klog_event *event,
			 bool (*rest)(const char *s, struct klog_event *event))
{
	const char *p = *s, *end;

	if (!take_pid(&p, &ret->pid) || !take(&p, " ("))
		return false;
	for (end = strchr(p, ')'); end && end - p < KLOG_COMM; end = strchr(end + 1, ')')) {
		if (!rest(end + 1, event))
			continue;
		copy(ret->comm, sizeof(ret->comm), p, end - p);
		return true;
	}
	return false;
}

static bool kb_and_end_of_sacrifice(const char *s, struct klog_event *e)
{
	bool negative;
	uint64_t adj;

	if (!take(&s, " ") || !take_number(&s, &e->victim.kb) || !take(&s, "kB, frees ") ||
	    !take_number(&s, &e->worth_kb) || !take(&s, "kB, adj "))
		return false;
	negative = take(&s, "-");
	if (!take_number(&s, &adj) || adj > 1000 || !take(&s, ", band ") ||
	    !take_until(&s, ", policy ", e->band, sizeof(e->band)) ||
	    !take_until(&s, ", ", e->policy, sizeof(e->policy)) || !take_number(&s, &e->tried))
		return false;
	e->adj = negative ? -(int)adj : (int)adj;
	e->scanned = !strcmp(s, " candidates");
	return e->scanned || !strcmp(s, " tries");
}

static bool kb_and_victim(const char *s, struct klog_event *e)
{
	return take(&s, " ") && take_number(&s, &e->protected.kb) && take(&s, "kB; instead ") &&
	       take_process(&s, &e->victim, e, kb_and_end_of_sacrifice);
}

static bool parse_sacrifice(const char *s, struct klog_event *e)
{
	e->kind = KLOG_SACRIFICE;
	return take_process(&s, &e->protected, e, kb_and_victim);
}

static bool end_of_waits(const char *s, struct klog_event *e)
{
	return take(&s, " after ") && take_number(&s, &e->kills) && take(&s, " kills: waits ");
}

static const char * const futile[] = {
	"nobody to kill", "max_kills reached",
	"the last kills regained less than a twentieth of what was consumed",
	"memory is in pieces, not gone", "only services left that respawn",
};

static bool parse_waits(const char *s, struct klog_event *e)
{
	e->kind = KLOG_WAITS;
	for (size_t i = 0; i < ARRAY_SIZE(futile); i++) {
		if (!take(&s, futile[i]))
			continue;
		snprintf(e->reason, sizeof(e->reason), "%s", futile[i]);
		return take(&s, " for ") && take_process(&s, &e->protected, e, end_of_waits);
	}
	return false;
}

static bool end_of_exhausted(const char *s, struct klog_event *e)
{
	if (!take(&s, " has outlived all: ") || !take_number(&s, &e->kills) ||
	    !take(&s, " killed for it, ") || !take_number(&s, &e->worth_kb) ||
	    !take(&s, "kB, then ") || !take_number(&s, &e->waited_ms) ||
	    !take(&s, "ms without anybody to kill; "))
		return false;
	copy(e->reason, sizeof(e->reason), s, strlen(s));
	return true;
}

static bool parse_exhausted(const char *s, struct klog_event *e)
{
	e->kind = KLOG_EXHAUSTED;
	return take_process(&s, &e->protected, e, end_of_exhausted);
}

static bool end_of_fails(const char *s, struct klog_event *e)
{
	return take(&s, " fails after ") && take_number(&s, &e->waited_ms) &&
	       !strcmp(s, "ms, as others will");
}

static bool parse_fails(const char *s, struct klog_event *e)
{
	uint64_t order;

	e->kind = KLOG_FAILS;
	if (!take(&s, "order-") || !take_number(&s, &order) || !take(&s, " allocation of "))
		return false;
	snprintf(e->reason, sizeof(e->reason), "an order-%u allocation fails", (unsigned int)order);
	return take_process(&s, &e->protected, e, end_of_fails);
}

static bool parse_dry(const char *s, struct klog_event *e)
{
	e->dry_run = true;
	return parse_sacrifice(s, e);
}

static const struct {
	const char *lead;
	bool (*parse)(const char *s, struct klog_event *event);
} forms[] = {
	{ ": spared ", parse_sacrifice },
	{ ": dry run: would have spared ", parse_dry },
	{ ": exhausted: ", parse_exhausted },
	{ ": exhausted: ", parse_fails },
	{ ": ", parse_waits },
};

/*
 * "SCOPE: what happened": the last place from which a form reads to its end.
 * Before the scope of the end of the ladder stands what it is.
 */
static bool parse_episode(const char *s, struct klog_event *ret)
{
	struct klog_event event = *ret;
	const char *begin, *at, *lead;
	bool found = false, exhausted;

	if (!take_number(&s, &event.episode) || strncmp(s, ": ", 2))
		return false;
	begin = s + 2;
	exhausted = !strncmp(begin, "exhausted: ", 11);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (exhausted != !strcmp(forms[i].lead, ": exhausted: "))
			continue;
		lead = exhausted ? ": " : forms[i].lead;
		for (at = strstr(begin, lead); at; at = strstr(at + 1, lead)) {
			struct klog_event one = event;
			const char *scope = exhausted ? begin + 11 : begin;

			if (at < scope || !forms[i].parse(at + strlen(lead), &one))
				continue;
			copy(one.scope, sizeof(one.scope), scope, at - scope);
			*ret = one;
			found = true;
		}
		if (found)
			break;
	}
	return found;
}

static bool sizes_of_killed(const char *s, struct klog_event *e)
{
	uint64_t anon, file, shmem;

	if (!take(&s, " total-vm:") || !take_number(&s, &e->victim.kb) ||
	    !take(&s, "kB, anon-rss:") || !take_number(&s, &anon) ||
	    !take(&s, "kB, file-rss:") || !take_number(&s, &file) ||
	    !take(&s, "kB, shmem-rss:") || !take_number(&s, &shmem))
		return false;
	e->victim.kb = anon + file + shmem;
	e->worth_kb = anon;
	return true;
}

/* The last place of text in s. */
static const char *last(const char *s, const char *text)
{
	const char *found = NULL;

	for (s = strstr(s, text); s; s = strstr(s + 1, text))
		found = s;
	return found;
}

/* Of a name that the kernel may have written with escapes. */
static size_t length(const char *name, const char *end)
{
	size_t n = 0;

	for (; name < end; n++)
		name += !strncmp(name, "\\x", 2) ? 4 : 1;
	return n;
}

/*
 * "...,task_memcg=/a/b,task=COMM,pid=12,uid=0": a path may have all of that in
 * it, and a name as much as fits, but the last is the kernel's.
 */
static bool parse_victim(const char *s, struct klog_event *e)
{
	const char *cgroup = strstr(s, ",task_memcg="), *pid = last(s, ",pid="), *comm = NULL, *at;
	uint64_t uid;

	if (!cgroup || !pid || pid < cgroup)
		return false;
	cgroup += strlen(",task_memcg=");
	/* The first after which there is no more than a name: 15 bytes. */
	for (at = strstr(cgroup, ",task="); at && at < pid && !comm; at = strstr(at + 1, ",task="))
		if (length(at + strlen(",task="), pid) < 16)
			comm = at;
	s = pid + strlen(",pid=");
	if (!comm || !take_pid(&s, &e->victim.pid) || !take(&s, ",uid=") || !take_number(&s, &uid))
		return false;
	e->kind = KLOG_VICTIM;
	copy(e->scope, sizeof(e->scope), cgroup, comm - cgroup);
	comm += strlen(",task=");
	copy(e->victim.comm, sizeof(e->victim.comm), comm, pid - comm);
	return true;
}

/* "[   12.345678] ", as dmesg has it; "1795349000.123456 ", as a journal. 0: none. */
static uint64_t time_of(const char *line)
{
	const char *s = line + strspn(line, "<0123456789>");
	const char *number = *s == '[' ? s + 1 + strspn(s + 1, " ") : line;
	uint64_t sec, usec;

	if (!take_number(&number, &sec) || !take(&number, ".") || !take_number(&number, &usec) ||
	    usec >= 1000000)
		return 0;
	return sec * 1000000 + usec;
}

static bool rates_of_panic(const char *s, struct klog_panic *p)
{
	if (!take_number(&s, &p->stolen_kb) || !take(&s, "kB, printed ") ||
	    !take_number(&s, &p->printed_kb) || !take(&s, "kB; consumed up to ") ||
	    !take_number(&s, &p->consumed_kb) || !take(&s, "kB/s, of it ") ||
	    !take_number(&s, &p->brought_kb) || !take(&s, "kB/s brought or printed: ") ||
	    !take_number(&s, &p->needed_kb) || !take(&s, "kB/s more were needed; reboot "))
		return false;
	p->reboots = !strcmp(s, "follows");
	return p->reboots || !strcmp(s, "by hand");
}

/* Names of the last victims may have anything in them, but not all of the rest. */
static bool rest_of_panic(const char *s, struct klog_panic *p)
{
	static const char stolen[] = "; stolen ";
	const char *end;

	if (!take(&s, " has outlived all others; it has ") || !take_number(&s, &p->protected.kb) ||
	    !take(&s, "kB; killed for it: ") || !take_number(&s, &p->kills) || !take(&s, ", ") ||
	    !take_number(&s, &p->freed_kb) || !take(&s, "kB"))
		return false;
	for (end = strstr(s, stolen); end; end = strstr(end + 1, stolen)) {
		if (!rates_of_panic(end + strlen(stolen), p))
			continue;
		if (take(&s, " (last: ") && end > s)
			copy(p->last, sizeof(p->last), s, end - s - 1);
		return true;
	}
	return false;
}

bool klog_panic(const char *line, struct klog_panic *ret)
{
	static const char lead[] = "Kernel panic - not syncing: tbtf: episode ";
	struct klog_panic panic = { .usec = time_of(line) };
	const char *s = strstr(line, lead), *end;

	if (!s)
		return false;
	s += strlen(lead);
	if (!take_number(&s, &panic.episode) || !take(&s, ": memory is exhausted, ") ||
	    !take_pid(&s, &panic.protected.pid) || !take(&s, " ("))
		return false;
	for (end = strchr(s, ')'); end && end - s < KLOG_COMM; end = strchr(end + 1, ')')) {
		if (!rest_of_panic(end + 1, &panic))
			continue;
		copy(panic.protected.comm, sizeof(panic.protected.comm), s, end - s);
		*ret = panic;
		return true;
	}
	return false;
}

bool klog_parse(const char *line, struct klog_event *ret_event)
{
	static const char killed[] = "Killed process ";
	struct klog_event event = { .kind = KLOG_KILLED };
	const char *s;

	event.usec = time_of(line);
	s = strstr(line, "tbtf: episode ");
	if (s) {
		if (!parse_episode(s + strlen("tbtf: episode "), &event))
			return false;
		*ret_event = event;
		return true;
	}
	s = strstr(line, "oom-kill:constraint=");
	if (s) {
		if (!parse_victim(s, &event))
			return false;
		*ret_event = event;
		return true;
	}
	s = strstr(line, killed);
	if (!s || !strstr(line, "emory") || s < strstr(line, "emory"))
		return false;
	s += strlen(killed);
	if (!take_process(&s, &event.victim, &event, sizes_of_killed))
		return false;
	*ret_event = event;
	return true;
}

const char *klog_record(const char *line, uint64_t *ret_usec)
{
	const char *s = line;
	uint64_t number;

	if (!take_number(&s, &number) || !take(&s, ",") || !take_number(&s, &number) ||
	    !take(&s, ",") || !take_number(&s, ret_usec))
		return NULL;
	s = strchr(s, ';');
	return s ? s + 1 : NULL;
}

void klog_describe(const struct klog_event *e, char *buf, size_t size)
{
	char size1[16], size2[16], size3[16];
	unsigned long long episode = e->episode;

	switch (e->kind) {
	case KLOG_SACRIFICE:
		snprintf(buf, size, "#%llu %s%s (%d) %s %s for %s (%d) %s, frees %s, band %s",
			 episode, e->dry_run ? "dry run: " : "", e->victim.comm, e->victim.pid,
			 tbtf_size(e->victim.kb, size1), e->dry_run ? "would die" : "dies",
			 e->protected.comm, e->protected.pid, tbtf_size(e->protected.kb, size2),
			 tbtf_size(e->worth_kb, size3), e->band);
		break;
	case KLOG_WAITS:
		snprintf(buf, size, "#%llu %s (%d) waits after %llu kills: %s", episode,
			 e->protected.comm, e->protected.pid, (unsigned long long)e->kills,
			 e->reason);
		break;
	case KLOG_FAILS:
		snprintf(buf, size, "#%llu %s of %s (%d) after %llu ms", episode, e->reason,
			 e->protected.comm, e->protected.pid, (unsigned long long)e->waited_ms);
		break;
	case KLOG_EXHAUSTED:
		snprintf(buf, size, "#%llu exhausted after %llu kills and %llu ms: %s (%d): %s",
			 episode, (unsigned long long)e->kills, (unsigned long long)e->waited_ms,
			 e->protected.comm, e->protected.pid, e->reason);
		break;
	case KLOG_KILLED:
		snprintf(buf, size, "the kernel killed %s (%d) %s", e->victim.comm, e->victim.pid,
			 tbtf_size(e->victim.kb, size1));
		break;
	case KLOG_VICTIM:
		snprintf(buf, size, "the kernel chose %s (%d) of %s", e->victim.comm,
			 e->victim.pid, e->scope);
		break;
	}
}
