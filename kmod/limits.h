/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - every limit, time and default, each with its reason
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTF_LIMITS_H
#define _TBTF_LIMITS_H

/*
 * min_victim_kb: a process worth less is no candidate. Too low, and an OOM
 * takes dozens of small daemons and frees nothing; too high, and nobody is
 * left but the protected process. Measured on Debian 12
 * (Documentation/design/episode.rst has the tables): of the 19 processes of a
 * plain server 18 are worth less than 3.1 MiB, of the 33 of one with a dozen
 * services more 30 are worth less than 4 MiB, and all that the machine itself
 * lives by is among these. The others are programs in Python and the like, of
 * 8 to 12 MiB: services that can be started again, each worth its kill. 8 MiB
 * leaves the daemons room to grow to twice their size. Those below do not go in
 * the last band either: all together they are 30 MB, and the machine. A 4096th of memory
 * keeps up with machines where 8 MiB is nothing; below 1 GiB the floor shrinks
 * with the machine, down to 1 MiB.
 */
#define TBTF_MIN_VICTIM_KB		(8 * 1024)
#define TBTF_MIN_VICTIM_FRACTION	4096
#define TBTF_MIN_VICTIM_FULL_KB		(1024 * 1024)
#define TBTF_MIN_VICTIM_FLOOR_KB	1024

/*
 * max_kills: sacrifices in one episode. An OOM that sixteen deaths have not
 * ended is not one that deaths end: a tmpfs, a leak in the kernel, or P itself
 * eats faster than others die. Lower cuts short an honest crowd, higher empties
 * the machine before the next rung is tried.
 */
#define TBTF_MAX_KILLS			16
#define TBTF_MAX_KILLS_LIMIT		1024

/*
 * So long nobody else is sacrificed while the address space of a victim is being
 * taken down, from when that was first seen. It takes a millisecond for each 10 MB
 * or so, but the mappings are closed in the course of it, and a driver or a
 * filesystem that hangs there must not hold up everybody else. So many victims are
 * remembered, and so long (an mm is a few kilobytes): more die within a second
 * only where several cgroups are out of memory at once.
 */
#define TBTF_LEAVING_MS			1000
#define TBTF_LEAVING_NR			8
#define TBTF_LEAVING_SWEEP_MS		2000
#define TBTF_LEAVING_KEEP_MS		60000

/*
 * After a kill so many rounds may find pages there that were not when the kernel
 * looked. If there are more such, the pages are no use to the one who asks.
 */
#define TBTF_LOOKS			4

/*
 * In an OOM of order > 0 beside plenty of single pages, memory is in pieces,
 * not gone, and the pages of a random process do not fit them together.
 */
#define TBTF_FRAGMENTED_KILLS		2

/*
 * Two generations of one cgroup may die in an episode: the first was in the
 * way, the second may be chance. A third is a service that respawns.
 */
#define TBTF_GENERATIONS		2
#define TBTF_CGROUPS_REMEMBERED		32

/*
 * Regain is judged over so many kills, and must be a twentieth of what was
 * consumed. It is what the victims were worth, not what was measured: what others
 * took meanwhile cannot be told from what a victim did not give. So the rule
 * bites where memory that was there at the first of these kills and could not be
 * used (swap, cache) has gone since; against all else there is max_kills.
 */
#define TBTF_REGAIN_KILLS		8
#define TBTF_REGAIN_FRACTION		20

/*
 * max_marks: processes with a role of their own. A mark costs 72 bytes, so
 * the limit is not for memory but for sense: where everyone is too big to
 * fail, nobody is. The limit of the knob keeps the hash chains short.
 */
#define TBTF_MAX_MARKS			1024
#define TBTF_MAX_MARKS_LIMIT		(1 << 16)
#define TBTF_MARK_HASH_BITS		7

/* Cgroups with a role or a count: some 100 bytes each. */
#define TBTF_MAX_CGROUPS		65536
#define TBTF_CGROUP_HASH_BITS		7
/* Records ready to be taken under oom_lock, refilled by a work item. */
#define TBTF_CGROUP_POOL		32
/*
 * After a count: who polls is told so soon, out of the OOM path. And so often is
 * looked for cgroups that have lost the memory controller without being removed:
 * a record pins the css until then.
 */
#define TBTF_CGROUP_TELL_MS		20
#define TBTF_CGROUP_SWEEP_MS		10000

/*
 * nap_ms: how long a thread of a protected process sleeps between two rounds
 * with nobody to kill. Shorter burns the CPU on reclaim that cannot succeed,
 * longer delays the decision when a candidate has come up. Memory that comes by
 * itself ends it within a slice; of the machine's, a little does not count, for
 * it comes and goes all the time.
 */
#define TBTF_NAP_MS			200
#define TBTF_NAP_MS_LIMIT		10000
#define TBTF_SLICE_MS			20
/* While another thread tries on behalf of all, one sleeps so many naps at the most. */
#define TBTF_NAPS_IN_A_ROW		25
#define TBTF_GAIN_PAGES			64UL

/*
 * A charge of a memory cgroup deep in a system call may have the lock of a
 * directory behind it, and whoever wants that waits as well, in whatever
 * cgroup. So long after the first round with nobody to kill such charges still
 * wait, for memory that is on its way; then they fail.
 */
#define TBTF_SYSCALL_WAIT_MS		1000

/*
 * episode_idle_ms: rounds further apart belong to different episodes. Longer
 * than a victim with much memory takes to die, shorter than the interval at
 * which an operator would call it another incident.
 */
#define TBTF_EPISODE_IDLE_MS		10000
#define TBTF_EPISODE_IDLE_MS_MIN	100
#define TBTF_EPISODE_IDLE_MS_LIMIT	(3600 * 1000)

/*
 * Scopes with an episode at once. One more takes the place of one that is quiet;
 * where all are stuck it has no ladder: others die for it, but nobody waits.
 */
#define TBTF_MAX_EPISODES		256

/*
 * ladder_deadline_ms: from the first round with nobody to kill to an outcome.
 * Shorter than the minute after which load balancers and watchdogs give up
 * on a machine, longer than a slow disk needs to write out swap.
 */
#define TBTF_LADDER_DEADLINE_MS		30000
#define TBTF_LADDER_DEADLINE_MS_LIMIT	(3600 * 1000)

/*
 * So long without a round, and the deadline starts anew: memory that came has
 * lasted. Shorter would let a trickle put off the end for ever.
 */
#define TBTF_RELIEF_MS			2000

/*
 * So many threads that found nobody to kill are known again when they come back without
 * their memory, after so long at the most: then it has not started anew, however long
 * reclaim has kept them. A thread that is stopped looks the same, and within a minute
 * hardly meets another shortage than that in which it was stopped. More threads make up
 * for it by coming more often, one after the other.
 */
#define TBTF_STUCK_NR			16
#define TBTF_STUCK_MS			60000

/*
 * A request to the helper is for what the scope would consume in so long, going
 * on as it did lately: it has come by then, and the next is on its way. Judged
 * over a second at least, for kills come in bursts. The floor is worth the trouble
 * of attaching a device, of which a kernel has 26 at most.
 */
#define TBTF_STEAL_AHEAD_MS		10000
#define TBTF_STEAL_OVER_MS		1000
#define TBTF_STEAL_FLOOR_KB		(64 * 1024)

/*
 * Where the helper prints as well, rung two has this part of the ladder's time. Who
 * borrows is done within a tenth of a second or has nobody to borrow from; who hangs
 * must not take the time in which memory could be had otherwise.
 */
#define TBTF_STEAL_SHARE		2

/*
 * What was granted is given so long to show before more is asked for: a thread that
 * was on its way through reclaim when it came has not seen it. Longer keeps P
 * waiting when it eats an extent in less, shorter asks those more often who lie.
 */
#define TBTF_STEAL_SHOWS_MS		200

/*
 * A grant was one, if what the scope could have has grown by half of it, and by
 * so much: then the deadline starts anew when it is used up.
 */
#define TBTF_STEAL_REAL_KB		4096

/*
 * Of a process of which less than this, or less than a sixteenth, is not locked in
 * memory, nothing can be swapped out that would help. The counters know what is
 * locked, not what of it is a file, so its program and libraries stand in doubt.
 */
#define TBTF_STEAL_SWAPPABLE_KB		4096
#define TBTF_STEAL_SWAPPABLE_FRACTION	16

/*
 * reserve_kb: nothing is held unless asked for. What is held is memory that nobody
 * has, so that every OOM comes earlier by as much; what it buys is time, and who
 * has no other node and no mint to buy it for has no use for time. At most a quarter
 * of the machine: a reserve that is more is no longer kept for an emergency, it is one.
 */
#define TBTF_RESERVE_KB			0
#define TBTF_RESERVE_FRACTION		4

/*
 * A quantum: what is taken and handed out at a time, 256 KiB. It is just as much
 * as wakes who naps (TBTF_GAIN_PAGES), and goes into the buddy lists, where
 * everybody's allocation finds it: what is of order 3 or less stays in a list of the
 * CPU that frees it. Larger, and an OOM that wants one page gets megabytes; smaller
 * costs a pass through all of reclaim for each. On a machine in pieces a quantum is
 * put together of blocks of 64 KiB, and not of less.
 */
#define TBTF_QUANTUM_ORDER		6
#define TBTF_QUANTUM_ORDER_MIN		4
#define TBTF_QUANTUM_PAGES		(1UL << TBTF_QUANTUM_ORDER)

/*
 * So many quanta in one round, where the zone has fallen below its min watermark
 * and one would not lift it out: who may use the last pages of a zone (reclaim, the
 * dying) may have brought it to 0, and then nothing less than the watermark helps.
 * 4 MiB is that of a machine of 1 GiB; where it is more, rounds follow each other.
 */
#define TBTF_ROUND_QUANTA		16

/*
 * The bridge: a quarter of the reserve is not printed as long as somebody may bring
 * more, but is for those he needs: him, the kernel's threads, whoever holds a lock
 * that he waits for. They are given 64 KiB at a time, too little to wake the one that
 * naps and would eat it, and not more often than each so many ms, or what is a quarter
 * of a small reserve would be gone before his first message is. The helper himself does
 * not wait for that.
 */
#define TBTF_BRIDGE_FRACTION		4
#define TBTF_BRIDGE_MS			20

/*
 * print_rate_kb: so much goes back into the reserve in a second, when memory is
 * plentiful again. What is refilled is taken from whoever would have used it: at
 * 16 MiB a second a reserve of 64 MiB is back within the time in which an episode
 * ends, and that is a small part of what one CPU can fault in.
 */
#define TBTF_PRINT_RATE_KB		16384
#define TBTF_PRINT_RATE_KB_LIMIT	(1024 * 1024 * 1024)

/*
 * Plentiful: twice the high watermark of the zone and a 64th of it. kswapd sleeps
 * from the high watermark on; what is taken above twice of it wakes nobody, and the
 * 64th is for what the machine allocates between two looks.
 */
#define TBTF_PLENTY_WATERMARKS		2
#define TBTF_PLENTY_FRACTION		64

/*
 * The economy is looked at twice a second, as long as anybody is protected or there
 * is a reserve. Averages forget with a time constant of 4 s: shorter, and every burst
 * of page faults is a catastrophe; longer, and a leak of seconds is seen too late. A
 * prediction from that is worth nothing beyond an hour, and somebody's attention from a
 * minute on: time to free something, to attach something, or to fail over.
 */
#define TBTF_ECONOMY_TICK_MS		500
#define TBTF_ECONOMY_TAU_MS		4000
#define TBTF_ECONOMY_HORIZON_MS		(3600 * 1000ULL)
#define TBTF_FORETELL_MS		60000ULL

/*
 * Handing out a reserve is thousands of events. All are told and counted, but who keeps
 * the last thousand keeps one of these in so many ms, and what led to them.
 */
#define TBTF_TELL_PRINT_MS		100

/*
 * Names of victims in the last line before a panic: who died first is a matter of
 * the log, and one record of pstore may be all that is left.
 */
#define TBTF_VICTIMS_TOLD		4

/* Time to read the console, and for kdump to start; then the machine is back. */
#define TBTF_PANIC_REBOOT_S		10
#define TBTF_PANIC_REBOOT_S_LIMIT	86400

/*
 * Random pids tried before all processes are gone through. With dense pids a
 * few tries do; a failed series costs less than the kernel's own selection
 * over 64 processes.
 */
#define TBTF_TRIES			64

/*
 * Candidates whose memory somebody else has too are looked up among all
 * processes, one walk each. Past this many in one choice the rest are taken to
 * be shared with one that must not die: a wrong "no" is safe, and the choice
 * stays linear.
 */
#define TBTF_SHARER_WALKS		16
#define TBTF_PREVIEW_WALKS		1024

/* Steps up the tree of processes before it is taken for endless. */
#define TBTF_ANCESTORS			1024

#endif /* _TBTF_LIMITS_H */
