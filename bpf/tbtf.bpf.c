// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the eBPF programs: add up what the tracepoints tell
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * In: the tracepoints of the module, and of the kernel mark_victim and
 * sched_process_exit. Out: figures and the last events, in maps (tbtf_stats.h) that
 * are pinned and outlive whoever has loaded this.
 *
 * Each tracepoint of the module has two programs, of which one is loaded: a
 * tp_btf, checked against the module's types, and a raw_tp, which trusts the
 * version that the event carries.
 *
 * It runs under oom_lock, out of memory: all maps are allocated beforehand, and
 * only an OOM makes it do anything. What an event does not change is not touched,
 * and an event is copied once, to where it stays.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* vmlinux.h has the types already; nobody calls an ioctl here. */
#define _LINUX_TYPES_H
#define _LINUX_IOCTL_H
#include <linux/tbtf.h>
#include <linux/tbtf_event.h>
#include "tbtf_stats.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tbtf_control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tbtf_set);
} totals SEC(".maps");

/*
 * Of these not one a CPU: rounds come one at a time, under oom_lock, and 256
 * cgroups of a machine with 64 CPUs would be 40 MiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TBTF_MAX_CGROUPS + 8);
	__type(key, struct tbtf_key);
	__type(value, struct tbtf_keyed);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TBTF_MAX_PROCESSES + 8);
	__type(key, struct tbtf_key);
	__type(value, struct tbtf_keyed);
} processes SEC(".maps");

/* In the order in which they came; the hand of the clock goes round in them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TBTF_MAX_CGROUPS + TBTF_MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct tbtf_key);
} clock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TBTF_RING);
	__type(key, __u32);
	__type(value, struct tbtf_record);
} ring SEC(".maps");

/*
 * Whom the kernel has killed and who is not gone yet, each in the place that his pid
 * gives him. Of two that want the same one the later has it: the other's end is
 * not seen. A hash would be exact, and cost as much as all the rest of mark_victim.
 */
#define VICTIMS	1024U

struct victim {
	__u64 ns;	/* when */
	__u32 pid;	/* 0: nobody */
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VICTIMS);
	__type(key, __u32);
	__type(value, struct victim);
} victims SEC(".maps");

static const struct tbtf_keyed nothing;

/* The number of a value's bucket: the least N with value <= 2^N. */
static __always_inline __u32 bucket_of(__u64 value)
{
	__u32 n = 0;

	if (value <= 1)
		return 0;
	value--;
	if (value >> 32) {
		n += 32;
		value >>= 32;
	}
	if (value >> 16) {
		n += 16;
		value >>= 16;
	}
	if (value >> 8) {
		n += 8;
		value >>= 8;
	}
	if (value >> 4) {
		n += 4;
		value >>= 4;
	}
	if (value >> 2) {
		n += 2;
		value >>= 2;
	}
	n += value >> 1;
	return n + 1;
}

/* Where an event is counted; any of them may be NULL. */
struct where {
	struct tbtf_set *totals;
	struct tbtf_set *task;		/* the cgroup of the event's task, or its scope */
	struct tbtf_set *cgroup;	/* of the protected process */
	struct tbtf_set *process;	/* the protected process */
};

static __always_inline void add(struct tbtf_set *set, enum tbtf_counter counter, __u64 n)
{
	if (set)
		__sync_fetch_and_add(&set->counters[counter], n);
}

static __always_inline void put(struct tbtf_set *set, enum tbtf_hist_nr hist, __u32 bucket,
				__u64 value)
{
	if (!set)
		return;
	if (bucket >= TBTF_BUCKETS)
		bucket = TBTF_BUCKETS - 1;
	__sync_fetch_and_add(&set->hists[hist].buckets[bucket], 1);
	__sync_fetch_and_add(&set->hists[hist].sum, value);
}

static __always_inline void add_task(struct where *w, enum tbtf_counter counter, __u64 n)
{
	add(w->totals, counter, n);
	add(w->task, counter, n);
}

static __always_inline void add_protected(struct where *w, enum tbtf_counter counter, __u64 n)
{
	add(w->totals, counter, n);
	add(w->cgroup, counter, n);
	add(w->process, counter, n);
}

static __always_inline void put_task(struct where *w, enum tbtf_hist_nr hist, __u64 value)
{
	__u32 bucket = bucket_of(value);

	put(w->totals, hist, bucket, value);
	put(w->task, hist, bucket, value);
}

static __always_inline void put_protected(struct where *w, enum tbtf_hist_nr hist, __u64 value)
{
	__u32 bucket = bucket_of(value);

	put(w->totals, hist, bucket, value);
	put(w->cgroup, hist, bucket, value);
	put(w->process, hist, bucket, value);
}

static __always_inline struct tbtf_control *get_control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

/*
 * A place on the clock for one more. What stands there and has been touched is
 * passed over, a few times; what has not goes.
 */
static __always_inline void make_room(void *map, enum tbtf_table table, struct tbtf_key *key)
{
	__u32 size = table == TBTF_TABLE_CGROUPS ? TBTF_MAX_CGROUPS : TBTF_MAX_PROCESSES;
	__u32 base = table == TBTF_TABLE_CGROUPS ? 0 : TBTF_MAX_CGROUPS;
	struct tbtf_control *ctl = get_control();
	struct tbtf_keyed *old;
	struct tbtf_key *slot;
	__u32 at, i;

	if (!ctl)
		return;
	for (i = 0; i < 4; i++) {
		at = base + __sync_fetch_and_add(&ctl->hand[table], 1) % size;
		slot = bpf_map_lookup_elem(&clock, &at);
		if (!slot)
			return;
		if (!slot->id)
			break;
		old = bpf_map_lookup_elem(map, slot);
		if (!old)
			break;
		if (!old->touched || i == 3) {
			if (!bpf_map_delete_elem(map, slot))
				__sync_fetch_and_add(&ctl->dropped[table], 1);
			break;
		}
		old->touched = 0;
	}
	if (slot)
		*slot = *key;
}

static __always_inline struct tbtf_set *keyed(void *map, enum tbtf_table table, __u64 id, __u64 pid,
					      const char *comm, __u64 now)
{
	struct tbtf_key key = { .id = id, .pid = pid };
	struct tbtf_keyed *entry;

	if (!id)
		return NULL;
	entry = bpf_map_lookup_elem(map, &key);
	if (!entry) {
		make_room(map, table, &key);
		bpf_map_update_elem(map, &key, &nothing, BPF_NOEXIST);
		entry = bpf_map_lookup_elem(map, &key);
		if (!entry)
			return NULL;
		entry->first = now;
	} else {
		entry->touched = 1;
	}
	entry->last = now;
	if (comm) {
		/* The compiler would do it byte by byte. */
		((__u64 *)entry->comm)[0] = ((const __u64 *)comm)[0];
		((__u64 *)entry->comm)[1] = ((const __u64 *)comm)[1];
	}
	return &entry->set;
}

static __always_inline struct tbtf_set *of_cgroup(__u64 id, __u64 now)
{
	return keyed(&cgroups, TBTF_TABLE_CGROUPS, id, 0, NULL, now);
}

static __always_inline struct tbtf_set *of_process(const struct tbtf_event_who *who, __u64 now)
{
	if (!who->pid)
		return NULL;
	return keyed(&processes, TBTF_TABLE_PROCESSES, who->start, who->pid, who->comm, now);
}

static __always_inline struct tbtf_set *get_totals(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

/* A record to be filled. */
static __always_inline struct tbtf_record *begin_record(struct tbtf_control *ctl, __u64 now,
							__u64 *ret_seq)
{
	struct tbtf_record *rec;
	__u32 at;

	*ret_seq = __sync_fetch_and_add(&ctl->head, 1);
	at = *ret_seq % TBTF_RING;
	rec = bpf_map_lookup_elem(&ring, &at);
	if (!rec)
		return NULL;
	/* Full barriers: who reads the number before and after has read one record. */
	__sync_lock_test_and_set(&rec->seq, 0);
	rec->ns = now;
	return rec;
}

static __always_inline void end_record(struct tbtf_record *rec, __u64 seq)
{
	__sync_lock_test_and_set(&rec->seq, seq + 1);
}

static __always_inline void begin_event(struct tbtf_event *e, enum tbtf_record_kind kind)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->version = TBTF_EVENT_VERSION;
	e->size = sizeof(*e);
	e->kind = kind;
}

/*
 * What a round without an event of its end costs is most of it here: one set after the
 * other, each asked once whether it is there.
 */
static __always_inline void sacrifice_for(struct tbtf_set *set, const struct tbtf_event *e,
					  __u64 looked_at, __u32 bucket, __u32 bucket_ns)
{
	if (!set)
		return;
	put(set, TBTF_HIST_candidates, bucket, looked_at);
	if (e->flags & TBTF_EVENT_DRY) {
		add(set, TBTF_COUNTER_dry_run, 1);
		return;
	}
	/* It is the end of the round as well. */
	add(set, TBTF_COUNTER_rounds, 1);
	add(set, TBTF_COUNTER_spared, 1);
	put(set, TBTF_HIST_round, bucket_ns, e->ns);
}

static __always_inline void sacrifice_of(struct tbtf_set *set, const struct tbtf_event *e)
{
	add(set, TBTF_COUNTER_kills, 1);
	add(set, TBTF_COUNTER_freed_bytes, e->worth_kb << 10);
}

static __always_inline void count_sacrifice(struct where *w, const struct tbtf_event *e)
{
	__u64 looked_at = e->flags & TBTF_EVENT_SCANNED ? e->candidates : e->tries;
	__u32 bucket = bucket_of(looked_at), bucket_ns = bucket_of(e->ns);

	sacrifice_for(w->totals, e, looked_at, bucket, bucket_ns);
	sacrifice_for(w->cgroup, e, looked_at, bucket, bucket_ns);
	sacrifice_for(w->process, e, looked_at, bucket, bucket_ns);
	if (e->flags & TBTF_EVENT_DRY)
		return;
	sacrifice_of(w->totals, e);
	sacrifice_of(w->task, e);
	/* Of a protected process these are the kills for it. */
	sacrifice_of(w->process, e);
	put_task(w, TBTF_HIST_victim_size, e->task.size_kb);
}

static __always_inline void count_round(struct where *w, const struct tbtf_event *e)
{
	add_protected(w, TBTF_COUNTER_rounds, 1);
	put_protected(w, TBTF_HIST_round, e->ns);
	if (e->what == TBTF_ROUND_PASSED)
		add(w->totals, TBTF_COUNTER_passes, 1);
	if (e->what == TBTF_ROUND_FAILS)
		add_protected(w, TBTF_COUNTER_failed, 1);
}

static __always_inline void count_outcome(struct where *w, __u32 outcome)
{
	switch (outcome) {
	case TBTF_OUTCOME_SACRIFICED:
		return add_task(w, TBTF_COUNTER_outcome_sacrificed, 1);
	case TBTF_OUTCOME_WAITED:
		return add_task(w, TBTF_COUNTER_outcome_waited, 1);
	case TBTF_OUTCOME_KILLED:
		return add_task(w, TBTF_COUNTER_outcome_killed, 1);
	case TBTF_OUTCOME_PANICKED:
		return add_task(w, TBTF_COUNTER_outcome_panicked, 1);
	case TBTF_OUTCOME_FAILED:
		return add_task(w, TBTF_COUNTER_outcome_failed, 1);
	case TBTF_OUTCOME_SWITCHED:
		return add_task(w, TBTF_COUNTER_outcome_switched, 1);
	case TBTF_OUTCOME_STOLEN:
		return add_task(w, TBTF_COUNTER_outcome_stolen, 1);
	case TBTF_OUTCOME_PRINTED:
		return add_task(w, TBTF_COUNTER_outcome_printed, 1);
	}
}

static __always_inline void count_answer(struct where *w, const struct tbtf_event *e)
{
	switch (e->what) {
	case TBTF_ANSWERED_PENDING:
		return;
	case TBTF_ANSWERED_GRANTED:
		add_protected(w, TBTF_COUNTER_requests_granted, 1);
		add_protected(w, e->rung == TBTF_RUNG_PRINT ? TBTF_COUNTER_minted_bytes :
			      TBTF_COUNTER_granted_bytes, e->worth_kb << 10);
		return put_protected(w, TBTF_HIST_grant, e->ns);
	case TBTF_ANSWERED_REFUSED:
		return add_protected(w, TBTF_COUNTER_requests_refused, 1);
	case TBTF_ANSWERED_SKIPPED:
		return add_protected(w, e->rung == TBTF_RUNG_PRINT ? TBTF_COUNTER_print_skipped :
				     TBTF_COUNTER_skipped, 1);
	default:
		return add_protected(w, TBTF_COUNTER_requests_lost, 1);
	}
}

static __always_inline void count_rung(struct where *w, const struct tbtf_event *e)
{
	switch (e->rung) {
	case TBTF_RUNG_STEAL:
		return put_protected(w, TBTF_HIST_rung_steal, e->ns);
	case TBTF_RUNG_PRINT:
		return put_protected(w, TBTF_HIST_rung_print, e->ns);
	default:
		return put_protected(w, TBTF_HIST_rung_wait, e->ns);
	}
}

static __always_inline void count_print(struct where *w, const struct tbtf_event *e)
{
	switch (e->what) {
	case TBTF_PRINT_BRIDGE:
		return add_protected(w, TBTF_COUNTER_bridged_bytes, e->worth_kb << 10);
	case TBTF_PRINT_LAST:
		return add_protected(w, TBTF_COUNTER_printed_bytes, e->worth_kb << 10);
	case TBTF_PRINT_YIELD:
		return add(w->totals, TBTF_COUNTER_yielded_bytes, e->worth_kb << 10);
	}
}

static __always_inline void count_death(struct where *w, __u32 why)
{
	enum tbtf_counter counter;

	switch (why) {
	case TBTF_DEATH_EXHAUSTED:
		counter = TBTF_COUNTER_died_exhausted;
		break;
	case TBTF_DEATH_OOM:
		counter = TBTF_COUNTER_died_oom;
		break;
	case TBTF_DEATH_SIGBUS:
		counter = TBTF_COUNTER_died_sigbus;
		break;
	default:
		counter = TBTF_COUNTER_died_off;
	}
	add_task(w, counter, 1);
	add(w->process, counter, 1);
}

/* The cgroup of protected; not looked up twice where it is that of task. */
static __always_inline struct tbtf_set *of_cgroup_too(struct where *w, const struct tbtf_event *e,
						      __u64 now)
{
	return e->protected.cgroup == e->task.cgroup ? w->task :
						       of_cgroup(e->protected.cgroup, now);
}

/*
 * One event of the module. @kind is known when this is compiled: each program
 * has only what its event needs.
 */
static __always_inline void count(const struct tbtf_event *e, const enum tbtf_event_kind kind,
				  __u64 now)
{
	struct where w = { .totals = get_totals() };

	if (!w.totals)
		return;
	/* For whom: the cgroups and the process that the figures of this kind are of. */
	switch (kind) {
	case TBTF_EVENT_PASS:
	case TBTF_EVENT_MARK:
		w.task = of_cgroup(e->task.cgroup, now);
		break;
	case TBTF_EVENT_EPISODE_BEGIN:
	case TBTF_EVENT_EPISODE_END:
		w.task = of_cgroup(e->scope_cgroup, now);
		break;
	case TBTF_EVENT_NAP:
		w.task = of_cgroup(e->task.cgroup, now);
		w.process = of_process(&e->protected, now);
		break;
	case TBTF_EVENT_SACRIFICE:
	case TBTF_EVENT_DIED:
		w.task = of_cgroup(e->task.cgroup, now);
		w.cgroup = of_cgroup_too(&w, e, now);
		w.process = of_process(&e->protected, now);
		break;
	default:
		w.cgroup = of_cgroup(e->protected.cgroup, now);
		w.process = of_process(&e->protected, now);
	}

	switch (kind) {
	case TBTF_EVENT_MARK:
		if (e->what == TBTF_ROLE_INHERIT)
			add_task(&w, TBTF_COUNTER_marks_cleared, 1);
		else
			add_task(&w, TBTF_COUNTER_marks_set, 1);
		break;
	case TBTF_EVENT_PASS:
		if (e->what == TBTF_PASS_UNPROTECTED)
			add_task(&w, TBTF_COUNTER_passes, 1);
		else if (e->what == TBTF_PASS_ORIGIN)
			add_task(&w, TBTF_COUNTER_passes_origin, 1);
		else
			add_task(&w, TBTF_COUNTER_passes_dying, 1);
		break;
	case TBTF_EVENT_ROUND_END:
		count_round(&w, e);
		break;
	case TBTF_EVENT_EPISODE_BEGIN:
		add_task(&w, TBTF_COUNTER_episodes, 1);
		break;
	case TBTF_EVENT_EPISODE_END:
		count_outcome(&w, e->what);
		break;
	case TBTF_EVENT_SACRIFICE:
		count_sacrifice(&w, e);
		break;
	case TBTF_EVENT_KILLLESS:
		add_protected(&w, TBTF_COUNTER_killless, 1);
		break;
	case TBTF_EVENT_NAP:
		if (e->flags & TBTF_EVENT_JIFFY) {
			add_task(&w, TBTF_COUNTER_jiffies, 1);
			add(w.process, TBTF_COUNTER_jiffies, 1);
		} else {
			add_task(&w, TBTF_COUNTER_naps, 1);
			add(w.process, TBTF_COUNTER_naps, 1);
			put_task(&w, TBTF_HIST_nap, e->ns);
			put(w.process, TBTF_HIST_nap, bucket_of(e->ns), e->ns);
		}
		break;
	case TBTF_EVENT_RUNG_END:
		count_rung(&w, e);
		break;
	case TBTF_EVENT_PRINT:
		count_print(&w, e);
		break;
	case TBTF_EVENT_FORETOLD:
		add(w.totals, TBTF_COUNTER_foretold, 1);
		break;
	case TBTF_EVENT_REQUEST:
		add_protected(&w, TBTF_COUNTER_requests, 1);
		break;
	case TBTF_EVENT_ANSWER:
		count_answer(&w, e);
		break;
	case TBTF_EVENT_EXHAUSTED:
		add_protected(&w, TBTF_COUNTER_exhausted, 1);
		/* No episode_end follows. */
		if (e->what == TBTF_OUTCOME_PANICKED)
			add(w.totals, TBTF_COUNTER_outcome_panicked, 1);
		break;
	case TBTF_EVENT_RELIEF:
		add_protected(&w, TBTF_COUNTER_reliefs, 1);
		put_protected(&w, TBTF_HIST_relief, e->ns);
		break;
	case TBTF_EVENT_DIED:
		count_death(&w, e->what);
		break;
	default:
		break;
	}
}

/* The module's own idea of the type: only there is it relocated. */
struct tbtf_event___module {
	__u16 version;
	__u16 size;
	__u32 what;
	__u32 flags;
} __attribute__((preserve_access_index));

/* What has to be known of an event before it is read. */
struct head {
	__u16 version;
	__u16 size;
	__u32 what;
	__u32 flags;
};

static __always_inline void take(const void *event, const struct head *head,
				 const enum tbtf_event_kind kind)
{
	struct tbtf_control *ctl = get_control();
	__u64 now = bpf_ktime_get_ns(), seq;
	struct tbtf_record *rec;
	struct tbtf_event e;

	if (!ctl)
		return;
	if (head->version != TBTF_EVENT_VERSION || head->size != sizeof(e)) {
		__sync_fetch_and_add(&ctl->bad, 1);
		return;
	}
	/*
	 * A copy of our own: a record is anybody's again when the others have gone once
	 * round the ring, and a CPU of a virtual machine may stand still for that long.
	 */
	if (bpf_probe_read_kernel(&e, sizeof(e), event))
		return;
	count(&e, kind, now);
	/*
	 * What a round came to is told by another event, and who waits comes back
	 * often: these are counted only.
	 */
	if (kind == TBTF_EVENT_ROUND_END ||
	    (kind == TBTF_EVENT_NAP && (head->flags & TBTF_EVENT_JIFFY)) ||
	    (kind == TBTF_EVENT_PRINT && (head->flags & TBTF_EVENT_MORE)))
		return;
	rec = begin_record(ctl, now, &seq);
	if (!rec)
		return;
	rec->event = e;
	end_record(rec, seq);
}

#define PROGRAMS(name, kind)							\
SEC("tp_btf/tbtf_" #name)							\
int BPF_PROG(btf_##name, struct tbtf_event___module *event)			\
{										\
	struct head head;							\
										\
	/* From 6.12 on the verifier wants to see this asked. */		\
	if (!event)								\
		return 0;							\
	head.version = event->version;						\
	head.size = event->size;						\
	head.what = event->what;						\
	head.flags = event->flags;						\
	take(event, &head, kind);						\
	return 0;								\
}										\
										\
SEC("raw_tp/tbtf_" #name)							\
int raw_##name(struct bpf_raw_tracepoint_args *ctx)				\
{										\
	const struct tbtf_event *event = (void *)ctx->args[0];			\
	struct head head = { };							\
										\
	bpf_probe_read_kernel(&head.version, sizeof(head.version), &event->version); \
	bpf_probe_read_kernel(&head.size, sizeof(head.size), &event->size);	\
	bpf_probe_read_kernel(&head.what, sizeof(head.what), &event->what);	\
	bpf_probe_read_kernel(&head.flags, sizeof(head.flags), &event->flags);	\
	take(event, &head, kind);						\
	return 0;								\
}

PROGRAMS(mark, TBTF_EVENT_MARK)
PROGRAMS(pass, TBTF_EVENT_PASS)
PROGRAMS(round_end, TBTF_EVENT_ROUND_END)
PROGRAMS(episode_begin, TBTF_EVENT_EPISODE_BEGIN)
PROGRAMS(sacrifice, TBTF_EVENT_SACRIFICE)
PROGRAMS(killless, TBTF_EVENT_KILLLESS)
PROGRAMS(nap, TBTF_EVENT_NAP)
PROGRAMS(rung_end, TBTF_EVENT_RUNG_END)
PROGRAMS(request, TBTF_EVENT_REQUEST)
PROGRAMS(answer, TBTF_EVENT_ANSWER)
PROGRAMS(print, TBTF_EVENT_PRINT)
PROGRAMS(foretold, TBTF_EVENT_FORETOLD)
PROGRAMS(exhausted, TBTF_EVENT_EXHAUSTED)
PROGRAMS(relief, TBTF_EVENT_RELIEF)
PROGRAMS(died, TBTF_EVENT_DIED)
PROGRAMS(episode_end, TBTF_EVENT_EPISODE_END)

/* --- the kernel's own ------------------------------------------------------ */

/*
 * Each has two programs again. Where the kernel hands over a task as such, @typed, its
 * fields are read where they lie: a load each, and not a call.
 */
static __always_inline void fill_task(struct tbtf_event *e, struct task_struct *task,
				      const bool typed)
{
	if (typed) {
		e->task.pid = task->tgid;
		e->task.start = task->group_leader->start_boottime;
		e->task.adj = task->signal->oom_score_adj;
		((__u64 *)e->task.comm)[0] = *(__u64 *)&task->comm[0];
		((__u64 *)e->task.comm)[1] = *(__u64 *)&task->comm[8];
	} else {
		e->task.pid = BPF_CORE_READ(task, tgid);
		e->task.start = BPF_CORE_READ(task, group_leader, start_boottime);
		e->task.adj = BPF_CORE_READ(task, signal, oom_score_adj);
		BPF_CORE_READ_INTO(&e->task.comm, task, comm);
	}
}

/* @task: the victim; or NULL, and only its @pid is known */
static __always_inline void take_victim(struct task_struct *task, __u32 pid, const bool typed)
{
	struct tbtf_control *ctl = get_control();
	__u64 now = bpf_ktime_get_ns(), seq;
	struct tbtf_record *rec;
	struct victim *victim;
	__u32 at;

	if (!ctl)
		return;
	add(get_totals(), TBTF_COUNTER_oom_victims, 1);
	rec = begin_record(ctl, now, &seq);
	if (!rec)
		return;
	begin_event(&rec->event, TBTF_RECORD_VICTIM);
	if (task)
		fill_task(&rec->event, task, typed);
	else
		rec->event.task.pid = pid;
	at = (__u32)rec->event.task.pid % VICTIMS;
	victim = bpf_map_lookup_elem(&victims, &at);
	if (victim) {
		if (!victim->pid)
			__sync_fetch_and_add(&ctl->victims, 1);
		victim->ns = now;
		victim->pid = rec->event.task.pid;
	}
	end_record(rec, seq);
}

/* Where it is a pid yet this is refused by the verifier, and all is loaded raw. */
SEC("tp_btf/mark_victim")
int BPF_PROG(btf_mark_victim, struct task_struct *task)
{
	take_victim(task, 0, true);
	return 0;
}

/* Before 6.9 (and stable kernels of that time) it is a pid, since then the task. */
SEC("raw_tp/mark_victim")
int raw_mark_victim(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 arg = ctx->args[0];

	take_victim(arg >> 32 ? (struct task_struct *)arg : NULL, (__u32)arg, false);
	return 0;
}

static __always_inline void take_exit(struct task_struct *task, const bool typed)
{
	struct tbtf_control *ctl = get_control();
	struct tbtf_record *rec;
	struct victim *victim;
	__u64 now, ns, seq;
	__u32 pid, at;

	/* Every exit on the machine comes here: as a rule no further. */
	if (!ctl || !ctl->victims ||
	    (typed ? task->signal->live.counter : BPF_CORE_READ(task, signal, live.counter)))
		return;
	pid = typed ? task->tgid : BPF_CORE_READ(task, tgid);
	at = pid % VICTIMS;
	victim = bpf_map_lookup_elem(&victims, &at);
	if (!victim || victim->pid != pid)
		return;
	now = bpf_ktime_get_ns();
	ns = now - victim->ns;
	/* Two last threads may both come here. */
	if (__sync_val_compare_and_swap(&victim->pid, pid, 0) != pid)
		return;
	__sync_fetch_and_add(&ctl->victims, -1);
	add(get_totals(), TBTF_COUNTER_oom_victims_gone, 1);
	put(get_totals(), TBTF_HIST_victim_gone, bucket_of(ns), ns);
	rec = begin_record(ctl, now, &seq);
	if (!rec)
		return;
	begin_event(&rec->event, TBTF_RECORD_GONE);
	rec->event.ns = ns;
	fill_task(&rec->event, task, typed);
	rec->event.task.cgroup = bpf_get_current_cgroup_id();
	end_record(rec, seq);
}

/* After its memory is gone, for every thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(btf_process_exit, struct task_struct *task)
{
	take_exit(task, true);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int raw_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	take_exit((struct task_struct *)ctx->args[0], false);
	return 0;
}
