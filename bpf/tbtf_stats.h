/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - statistics: the one list, and how they lie in the pinned maps
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * For the eBPF programs and for those who read their maps. The lists make the
 * enums, the names in text, JSON and OpenMetrics, and their help texts: a new
 * figure is a line here, and the place in tbtf.bpf.c where it grows.
 *
 * Every figure is kept for the machine as a whole. Where a line says TASK or
 * PROTECTED, it is also kept for the cgroup, and for PROTECTED for the process,
 * of whom the event calls so; SCOPE: for the cgroup that is out of memory.
 */
#ifndef _TBTF_STATS_H
#define _TBTF_STATS_H

/* Raised when what is below changes its place or meaning. */
#define TBTF_STATS_LAYOUT	3

/* name, for whom, help */
#define TBTF_COUNTERS(X)							\
	X(rounds, PROTECTED, "rounds with a protected process")			\
	X(passes, TASK, "OOMs in which nobody protected was about to be killed")	\
	X(passes_origin, TASK, "OOMs in which the kernel chose a swapoff or KSM writer") \
	X(passes_dying, TASK, "OOMs whose protected process was dying already")	\
	X(episodes, SCOPE, "episodes that began")				\
	X(outcome_sacrificed, SCOPE, "episodes that ended: others were killed")	\
	X(outcome_waited, SCOPE, "episodes that ended: memory came while waiting") \
	X(outcome_killed, SCOPE, "episodes that ended: on_exhausted killed a protected process") \
	X(outcome_panicked, SCOPE, "episodes that ended: on_exhausted took the machine down") \
	X(outcome_failed, SCOPE, "episodes that ended: the allocation was made to fail") \
	X(outcome_switched, SCOPE, "episodes that ended: tbtf was switched off or unloaded") \
	X(outcome_stolen, SCOPE, "episodes that ended: memory of other nodes came")	\
	X(outcome_printed, SCOPE, "episodes that ended: memory came that was not there before") \
	X(requests, PROTECTED, "requests to the helper for memory")		\
	X(requests_granted, PROTECTED, "requests that were granted")		\
	X(requests_refused, PROTECTED, "requests that were refused")		\
	X(requests_lost, PROTECTED, "requests that nobody answered in time")	\
	X(granted_bytes, PROTECTED, "bytes that the helper said it has got from other nodes") \
	X(minted_bytes, PROTECTED, "bytes that the helper said it has printed")	\
	X(skipped, PROTECTED, "times other nodes were not asked, for a reason")	\
	X(print_skipped, PROTECTED, "times nobody was asked to print, for a reason") \
	X(printed_bytes, PROTECTED, "bytes of the reserve that were printed") \
	X(bridged_bytes, PROTECTED, "bytes of the reserve for who helps the helper") \
	X(yielded_bytes, NONE, "bytes of the reserve for kills that were none of tbtf's") \
	X(foretold, NONE, "times the end of memory was foretold")		\
	X(kills, TASK, "processes killed in a protected one's place")		\
	X(freed_bytes, TASK, "bytes these kills were expected to free")		\
	X(spared, PROTECTED, "times a protected process was spared")		\
	X(dry_run, PROTECTED, "kills that were decided and not carried out")	\
	X(killless, PROTECTED, "rounds that found nobody to kill")		\
	X(naps, TASK, "naps of threads in such rounds")				\
	X(jiffies, TASK, "waits of a jiffy, by threads that must not nap")	\
	X(failed, PROTECTED, "rounds past the deadline that made an allocation fail") \
	X(exhausted, PROTECTED, "ends of the ladder")				\
	X(reliefs, PROTECTED, "faults that got the memory for which others were killed") \
	X(died_oom, TASK, "protected processes killed before the ladder's end: must be 0") \
	X(died_exhausted, TASK, "protected processes killed by on_exhausted")	\
	X(died_sigbus, TASK, "protected processes that died of SIGBUS: a page was lost") \
	X(died_off, TASK, "protected processes killed while tbtf was off or in a dry run") \
	X(marks_set, TASK, "processes that were given a role")			\
	X(marks_cleared, TASK, "processes whose role was taken, or ended with them") \
	X(oom_victims, NONE, "victims of the kernel's OOM killer, whoever chose them") \
	X(oom_victims_gone, NONE, "of these, those whose memory is back")

/* name, unit, for whom, help */
#define TBTF_HISTS(X)								\
	X(round, NS, PROTECTED, "time to decide a round, without what is waited then") \
	X(relief, NS, PROTECTED, "time from the first kill for a fault until it had its memory") \
	X(nap, NS, TASK, "time of a nap")					\
	X(rung_steal, NS, PROTECTED, "time on rung two, where other nodes are asked") \
	X(rung_print, NS, PROTECTED, "time on rung three, where memory is printed") \
	X(rung_wait, NS, PROTECTED, "time an episode had nothing left but to wait") \
	X(grant, NS, PROTECTED, "time from a request until it was granted")	\
	X(victim_gone, NS, NONE, "time from the kernel's kill until the victim's memory is back") \
	X(candidates, COUNT, PROTECTED, "processes looked at for a choice")	\
	X(victim_size, KB, TASK, "size of those killed in a protected one's place")

#define TBTF_COUNTER_ENUM(name, whose, help)		TBTF_COUNTER_##name,
enum tbtf_counter { TBTF_COUNTERS(TBTF_COUNTER_ENUM) TBTF_COUNTER_NR };

#define TBTF_HIST_ENUM(name, unit, whose, help)		TBTF_HIST_##name,
enum tbtf_hist_nr { TBTF_HISTS(TBTF_HIST_ENUM) TBTF_HIST_NR };

/*
 * Bucket N has the values above 2^(N-1) up to 2^N, the first 0 and 1 as well;
 * the last one all that is more: in ns, above four and a half minutes.
 */
#define TBTF_BUCKETS	40

struct tbtf_hist {
	__u64 buckets[TBTF_BUCKETS];
	__u64 sum;
};

struct tbtf_set {
	__u64 counters[TBTF_COUNTER_NR];
	struct tbtf_hist hists[TBTF_HIST_NR];
};

/* A cgroup (its id, and 0), or a process (when it was started, and its pid). */
struct tbtf_key {
	__u64 id;
	__u64 pid;
};

struct tbtf_keyed {
	__u64 first;		/* ns: when it came into the table */
	__u64 last;		/* ns: of its last event */
	__u64 touched;		/* since the hand of the clock went by */
	char  comm[16];		/* of a process */
	struct tbtf_set set;
};

/*
 * How many cgroups and processes are kept. When one more comes, the oldest goes
 * to which nothing has happened lately (a clock: what has been touched is passed
 * over once).
 */
#define TBTF_MAX_CGROUPS	256
#define TBTF_MAX_PROCESSES	64

/* Events of the kernel itself, told as if they were tracepoints of ours. */
enum tbtf_record_kind {
	TBTF_RECORD_VICTIM	= 32,	/* the kernel's OOM killer takes task */
	TBTF_RECORD_GONE	= 33,	/* its memory is back, ns after */
};

/*
 * The last events. Not a BPF_MAP_TYPE_RINGBUF: that has one reader, who takes
 * what he reads, and with none it fills up and drops what is new. This one has
 * any number, among them who looks only after the fact, and drops what is old.
 * A reader knows by the numbers what he has missed.
 *
 * seq is 0 while the record is being written, else its number, from 1 on.
 */
#define TBTF_RING	1024

struct tbtf_record {
	__u64 seq;
	__u64 ns;		/* CLOCK_MONOTONIC */
	struct tbtf_event event;
};

#define TBTF_STATS_MAGIC	0x7462746673746174ULL

enum tbtf_table { TBTF_TABLE_CGROUPS, TBTF_TABLE_PROCESSES, TBTF_TABLE_NR };
enum tbtf_mode { TBTF_MODE_TP_BTF = 1, TBTF_MODE_RAW_TP = 2 };

/* The stamp: who finds these maps pinned looks here first. */
struct tbtf_control {
	__u64 magic;
	__u32 layout;		/* TBTF_STATS_LAYOUT */
	__u32 event_version;	/* TBTF_EVENT_VERSION */
	__u32 size;		/* of a tbtf_keyed: a list that has grown */
	__u32 mode;		/* enum tbtf_mode */
	__u64 attached;		/* ns: since when this is counted */
	__u64 head;		/* number of the last record */
	__u64 lost;		/* records overwritten before a reader had them; he adds it */
	__u64 bad;		/* events of another version, not counted */
	__u64 victims;		/* of the kernel's, who are not gone yet */
	__u64 hand[TBTF_TABLE_NR];
	__u64 dropped[TBTF_TABLE_NR];	/* entries that went for others */
};

#endif /* _TBTF_STATS_H */
