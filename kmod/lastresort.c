// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the memory allocator of last resort: the reserve
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Pages that are held while memory is plentiful, and handed out when there is
 * none: to whoever the protected process waits for, as long as a helper may bring
 * more (the bridge), and then to everybody (printing). They are taken and refilled
 * by a work item, never under pressure and never by reclaim. Handing out is a
 * list entry and a page freed; nothing is allocated on the way.
 *
 * The same work item looks at the economy: what is consumed, what is printed,
 * and how long it lasts.
 *
 * A block belongs to nobody but the list it is on; page->lru is its link, and
 * which list says its order.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "economy.h"
#include "event.h"
#include "tbtf.h"

#define SMALL_PAGES	(1UL << TBTF_QUANTUM_ORDER_MIN)

/* What is held of a node. S: reserve_lock, W: the work items, one at a time. */
struct reserve {
	struct list_head quanta;	/* S: blocks of a quantum */
	struct list_head small;		/* S: blocks of SMALL_PAGES */
	unsigned long held;		/* S: pages, in both */
	unsigned long held_small;	/* S */
	unsigned long target;		/* W: pages; a multiple of a quantum */
};

static struct reserve *reserves;	/* I: one a node */
static unsigned long total;		/* S: pages held, of all nodes */
static DEFINE_SPINLOCK(reserve_lock);
static unsigned long last_bridged;	/* O: jiffies */

static struct workqueue_struct *queue;	/* ordered, and has a rescuer */
static void tick(struct work_struct *work);
static DECLARE_DELAYED_WORK(tick_work, tick);

/* A knob is written: set_mutex for the writers, and the answer of the work. */
static DEFINE_MUTEX(set_mutex);
static unsigned int set_kb;
static int set_err;

static u64 ticked_ms;			/* W */
static u64 credit;			/* W: kB times ms that may be refilled */
static struct tbtf_economy economy;	/* W; its rates are read anywhere */

/* --- taking ------------------------------------------------------------------- */

/* Is there so much in this zone that nobody will miss @pages of it? */
static bool plentiful(struct zone *zone, unsigned long pages)
{
	return zone_page_state(zone, NR_FREE_PAGES) >
	       TBTF_PLENTY_WATERMARKS * high_wmark_pages(zone) +
	       zone_managed_pages(zone) / TBTF_PLENTY_FRACTION + pages;
}

/*
 * A block that nobody misses: no flag here lets the allocation reclaim, wake
 * kswapd, or go to another node; and if that has taken it from a zone that has
 * less than plenty, it goes back. ZONE_DMA is left to those who need it.
 */
static struct page *take_block(int nid, unsigned int order)
{
	static const gfp_t from[] = { 0, __GFP_DMA32 };
	struct page *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(from); i++) {
		if (!plentiful(&NODE_DATA(nid)->node_zones[gfp_zone(from[i])], 1UL << order))
			continue;
		page = alloc_pages_node(nid, from[i] | __GFP_THISNODE | __GFP_NOWARN |
					__GFP_NOMEMALLOC, order);
		if (page && plentiful(page_zone(page), 0))
			return page;
		if (page)
			__free_pages(page, order);
	}
	return NULL;
}

/* Of what a node holds, how much is for the bridge. */
static unsigned long bridge_share(const struct reserve *reserve)
{
	return reserve->target / TBTF_BRIDGE_FRACTION;
}

/* Take one block towards the target, the bridge's first. Return: its pages, or 0. */
static unsigned long take(int nid)
{
	struct reserve *reserve = &reserves[nid];
	unsigned int order = TBTF_QUANTUM_ORDER;
	unsigned long pages;
	struct page *page;

	/* Only the work items add, so that it is not less by now. */
	if (reserve->held + TBTF_QUANTUM_PAGES > reserve->target ||
	    READ_ONCE(reserve->held_small) < bridge_share(reserve))
		order = TBTF_QUANTUM_ORDER_MIN;
	page = take_block(nid, order);
	if (!page && order != TBTF_QUANTUM_ORDER_MIN) {
		order = TBTF_QUANTUM_ORDER_MIN;
		page = take_block(nid, order);
	}
	if (!page)
		return 0;
	pages = 1UL << order;
	spin_lock(&reserve_lock);
	list_add(&page->lru, order == TBTF_QUANTUM_ORDER ? &reserve->quanta : &reserve->small);
	if (order != TBTF_QUANTUM_ORDER)
		reserve->held_small += pages;
	reserve->held += pages;
	WRITE_ONCE(total, total + pages);
	spin_unlock(&reserve_lock);
	return pages;
}

/*
 * One block out of a reserve, unless it lies in a zone above @most. Return: its
 * pages, or 0.
 */
static unsigned long pop(struct reserve *reserve, struct list_head *list, enum zone_type most,
			 struct page **ret_page)
{
	unsigned long pages = list == &reserve->quanta ? TBTF_QUANTUM_PAGES : SMALL_PAGES;
	struct page *page;

	lockdep_assert_held(&reserve_lock);
	page = list_first_entry_or_null(list, struct page, lru);
	if (!page || page_zonenum(page) > most)
		return 0;
	list_del(&page->lru);
	if (list == &reserve->small)
		reserve->held_small -= pages;
	reserve->held -= pages;
	WRITE_ONCE(total, total - pages);
	*ret_page = page;
	return pages;
}

static void free_block(struct page *page, unsigned long pages)
{
	__free_pages(page, pages == SMALL_PAGES ? TBTF_QUANTUM_ORDER_MIN : TBTF_QUANTUM_ORDER);
}

/* Let a node hold no more than @pages. */
static void give_back(int nid, unsigned long pages)
{
	struct reserve *reserve = &reserves[nid];
	unsigned long n;
	struct page *page;

	do {
		n = 0;
		spin_lock(&reserve_lock);
		if (reserve->held >= pages + TBTF_QUANTUM_PAGES)
			n = pop(reserve, &reserve->quanta, MAX_NR_ZONES, &page);
		if (!n && reserve->held > pages)
			n = pop(reserve, &reserve->small, MAX_NR_ZONES, &page);
		spin_unlock(&reserve_lock);
		if (n) {
			free_block(page, n);
			tbtf_stat_add(TBTF_STAT_returned_kb, pages_to_kb(n));
		}
	} while (n);
}

/* Each node's part, in proportion to its memory, in whole quanta. */
static void set_targets(unsigned int kb)
{
	u64 quanta = DIV_ROUND_UP_ULL(kb_to_pages((u64)kb + (PAGE_SIZE >> 10) - 1),
				      TBTF_QUANTUM_PAGES);
	u64 all = 0, sum = 0, from;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		all += node_present_pages(nid);
	for_each_node_state(nid, N_MEMORY) {
		from = quanta * sum / all;
		sum += node_present_pages(nid);
		reserves[nid].target = (quanta * sum / all - from) * TBTF_QUANTUM_PAGES;
	}
}

static int take_all(int *ret_nid)
{
	unsigned long n;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		*ret_nid = nid;
		while (READ_ONCE(reserves[nid].held) < reserves[nid].target) {
			n = take(nid);
			if (!n)
				return -ENOMEM;
			tbtf_stat_add(TBTF_STAT_taken_kb, pages_to_kb(n));
			cond_resched();
		}
	}
	return 0;
}

/* All or nothing: what is refused leaves everything as it was. */
static void set_reserve(struct work_struct *work)
{
	u64 most = pages_to_kb(totalram_pages()) / TBTF_RESERVE_FRACTION;
	unsigned long *before = kcalloc(nr_node_ids, sizeof(*before), GFP_KERNEL);
	unsigned long got;
	int nid;

	set_err = before ? 0 : -ENOMEM;
	if (set_err)
		return;
	if (set_kb > most) {
		pr_err("reserve_kb=%u: a quarter of this machine's memory is the most: %llu\n",
		       set_kb, most);
		set_err = -EINVAL;
		goto out;
	}
	for_each_node_state(nid, N_MEMORY)
		before[nid] = reserves[nid].held;
	set_targets(set_kb);
	set_err = take_all(&nid);
	if (set_err) {
		got = reserves[nid].held;
		pr_err("reserve_kb=%u: of node %d's part, %llu kB, no more than %llu kB can be had without pressing anybody\n",
		       set_kb, nid, pages_to_kb(reserves[nid].target), pages_to_kb(got));
		set_targets(tbtf_knob(reserve_kb));
		/* What was handed out meanwhile is not taken anew. */
		for_each_node_state(nid, N_MEMORY)
			give_back(nid, before[nid]);
		goto out;
	}
	WRITE_ONCE(tbtf_knobs.reserve_kb, set_kb);
	for_each_node_state(nid, N_MEMORY)
		give_back(nid, reserves[nid].target);
	mod_delayed_work(queue, &tick_work, 0);
out:
	kfree(before);
}

static DECLARE_WORK(set_work, set_reserve);

/**
 * tbtf_lastresort_set() - hold so much
 * @kb: the reserve from now on
 *
 * What is missing is taken at once, what is too much given back. On failure
 * nothing has changed, and the log says why.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if that is more than a quarter of the machine's memory;
 * -ENOMEM if so much is not to be had without pressing anybody.
 */
int tbtf_lastresort_set(unsigned int kb)
{
	int err;

	mutex_lock(&set_mutex);
	set_kb = kb;
	/* By the work item: a writer may be confined to some nodes. */
	queue_work(queue, &set_work);
	flush_work(&set_work);
	err = set_err;
	mutex_unlock(&set_mutex);
	return err;
}

/* --- handing out ---------------------------------------------------------------- */

/* Of which list is given: the quanta go before what is left of the bridge. */
static struct list_head *choose(struct reserve *reserve, enum tbtf_give part)
{
	return part == TBTF_GIVE_BRIDGE || list_empty(&reserve->quanta) ? &reserve->small :
									  &reserve->quanta;
}

/* One block for this OOM, of its nearest node that has one. */
static unsigned long give_block(const struct oom_control *oc, enum tbtf_give part,
				struct zone **ret_zone)
{
	struct zonelist *list = oc->zonelist ?: node_zonelist(numa_mem_id(), GFP_KERNEL);
	struct zoneref *ref;
	unsigned long n = 0;
	struct page *page;
	int nid;

	spin_lock(&reserve_lock);
	for (ref = list->_zonerefs; ref->zone && !n; ref++) {
		nid = zonelist_node_idx(ref);
		if ((oc->nodemask && !node_isset(nid, *oc->nodemask)) ||
		    !node_isset(nid, current->mems_allowed))
			continue;
		n = pop(&reserves[nid], choose(&reserves[nid], part), gfp_zone(oc->gfp_mask),
			&page);
	}
	spin_unlock(&reserve_lock);
	if (n) {
		*ret_zone = page_zone(page);
		free_block(page, n);
	}
	return n;
}

/* Would the allocation still find nothing in this zone? */
static bool below_min(const struct oom_control *oc, struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_PAGES) < min_wmark_pages(zone) +
	       zone->lowmem_reserve[gfp_zone(oc->gfp_mask)] + (1UL << oc->order);
}

static unsigned long give(const struct oom_control *oc, enum tbtf_give part)
{
	unsigned long n, given = 0;
	struct zone *zone;

	/* Of a memory cgroup the limit is a counter, which no page changes. */
	if (!READ_ONCE(total) || oc->memcg || oc->order == -1)
		return 0;
	if (part == TBTF_GIVE_BRIDGE) {
		if (tbtf_mark_role(task_tgid(current)) != TBTF_ROLE_SPARE &&
		    time_before(jiffies, last_bridged + msecs_to_jiffies(TBTF_BRIDGE_MS)))
			return 0;
		last_bridged = jiffies;
		return give_block(oc, part, &zone);
	}
	do {
		n = give_block(oc, part, &zone);
		given += n;
	} while (n && given < TBTF_ROUND_QUANTA * TBTF_QUANTUM_PAGES && below_min(oc, zone));
	return given;
}

/**
 * tbtf_lastresort_give() - hand out of the reserve, so that this OOM can try again
 * @ep: its episode
 * @oc: the OOM
 * @part: the bridge, or how much of the rest
 *
 * Context: under oom_lock. Allocates nothing, and takes no longer for a large
 * reserve than for a small one.
 * Return: pages that are free now; 0 if there are none for this OOM.
 */
unsigned long tbtf_lastresort_give(struct tbtf_episode *ep, const struct oom_control *oc,
				   enum tbtf_give part)
{
	unsigned long given;

	/* Who naps would eat what those need that it waits for. */
	if (part == TBTF_GIVE_BRIDGE && tbtf_wait_kind(ep, oc) != TBTF_WAIT_JIFFY)
		return 0;
	given = give(oc, part);
	if (!given)
		return 0;
	if (part == TBTF_GIVE_BRIDGE) {
		tbtf_stat_add(TBTF_STAT_bridged_kb, pages_to_kb(given));
	} else {
		tbtf_stat_add(TBTF_STAT_printed_kb, pages_to_kb(given));
		ep->printed += given;
	}
	tbtf_tell(print, ep, oc, part == TBTF_GIVE_BRIDGE ? TBTF_PRINT_BRIDGE : TBTF_PRINT_LAST,
		  given);
	return given;
}

/**
 * tbtf_lastresort_yield() - an OOM that is none of tbtf's: it would be later without us
 * @oc: the OOM
 *
 * Context: under oom_lock; as tbtf_lastresort_give().
 * Return: true if there is memory for it now.
 */
bool tbtf_lastresort_yield(const struct oom_control *oc)
{
	unsigned long given = give(oc, TBTF_GIVE_ALL);

	if (given) {
		tbtf_stat_add(TBTF_STAT_yielded_kb, pages_to_kb(given));
		tbtf_tell(print, NULL, oc, TBTF_PRINT_YIELD, given);
	}
	return given;
}

/* --- the clock: refilling, and the economy ---------------------------------------- */

static void refill(u64 ms)
{
	const u64 quantum = pages_to_kb(TBTF_QUANTUM_PAGES) * MSEC_PER_SEC;
	unsigned long n = 1;
	int nid;

	credit += tbtf_knob(print_rate_kb) * ms;
	for_each_node_state(nid, N_MEMORY) {
		while (n && credit >= quantum &&
		       READ_ONCE(reserves[nid].held) < reserves[nid].target) {
			n = take(nid);
			credit -= pages_to_kb(n) * MSEC_PER_SEC;
			tbtf_stat_add(TBTF_STAT_refilled_kb, pages_to_kb(n));
			cond_resched();
		}
	}
	/* What was not wanted cannot be saved up. */
	credit = min(credit, quantum);
}

static void look(u64 now)
{
	long swap = tbtf_swap_total ? READ_ONCE(*tbtf_swap_total) : 0;
	struct tbtf_holdings has = {
		.stock_kb = pages_to_kb(si_mem_available() + max(get_nr_swap_pages(), 0L) +
					READ_ONCE(total)),
		.capacity_kb = pages_to_kb(totalram_pages() + swap),
		.handed_out_kb = atomic64_read(&tbtf_stats[TBTF_STAT_printed_kb]) +
				 atomic64_read(&tbtf_stats[TBTF_STAT_bridged_kb]),
	};

	tbtf_economy_look(&economy, now, &has);
	if (!tbtf_knob(enabled) || !tbtf_role_anyone_protected() ||
	    !tbtf_economy_foretells(&economy))
		return;
	pr_warn("memory lasts for %llums if this goes on: %llukB left, %llukB of it in reserve; %llukB/s consumed, %llukB/s printed\n",
		tbtf_economy_left_ms(&economy), has.stock_kb, pages_to_kb(READ_ONCE(total)),
		tbtf_economy_burn_kb(&economy), tbtf_economy_print_kb(&economy));
	tbtf_tell(foretold, tbtf_economy_left_ms(&economy), has.stock_kb);
	tbtf_sysfs_foretold();
}

static void tick(struct work_struct *work)
{
	u64 now = ktime_to_ms(ktime_get());

	if (READ_ONCE(tbtf_stopping))
		return;
	/* After a rest there is nothing to be made up for. */
	refill(ticked_ms ? min(now - ticked_ms, (u64)MSEC_PER_SEC) : 0);
	ticked_ms = now;
	look(now);
	if (tbtf_role_anyone_protected() || tbtf_knob(reserve_kb)) {
		queue_delayed_work(queue, &tick_work, msecs_to_jiffies(TBTF_ECONOMY_TICK_MS));
	} else {
		memset(&economy, 0, sizeof(economy));
		ticked_ms = 0;
	}
}

/**
 * tbtf_lastresort_wake() - somebody is protected now: the economy is to be looked at
 *
 * Context: any; must not be called once tbtf_lastresort_stop() has been.
 */
void tbtf_lastresort_wake(void)
{
	if (!delayed_work_pending(&tick_work) && !READ_ONCE(tbtf_stopping))
		queue_delayed_work(queue, &tick_work, 0);
}

/**
 * tbtf_lastresort_note() - what is consumed in this episode, at its worst
 * @ep: the episode
 *
 * At the end of a long wait nothing is, for there is nothing.
 *
 * Context: under oom_lock.
 */
void tbtf_lastresort_note(struct tbtf_episode *ep)
{
	u64 burn = tbtf_economy_burn_kb(&economy);

	if (burn <= ep->burn_kb)
		return;
	ep->burn_kb = burn;
	ep->print_kb = tbtf_economy_print_kb(&economy);
}

/* --- what is shown ---------------------------------------------------------------- */

/**
 * tbtf_lastresort_held_kb() - how much is held now
 *
 * Context: any.
 * Return: kB.
 */
u64 tbtf_lastresort_held_kb(void)
{
	return pages_to_kb(READ_ONCE(total));
}

static ssize_t burn_kb_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tbtf_economy_burn_kb(&economy));
}

static ssize_t print_kb_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", tbtf_economy_print_kb(&economy));
}

static ssize_t left_kb_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(economy.last.stock_kb));
}

static ssize_t left_ms_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	u64 left = tbtf_economy_left_ms(&economy);

	return left == TBTF_ECONOMY_NEVER ? sysfs_emit(buf, "never\n") :
					    sysfs_emit(buf, "%llu\n", left);
}

static struct kobj_attribute burn_kb_attr = __ATTR_RO(burn_kb);
static struct kobj_attribute print_kb_attr = __ATTR_RO(print_kb);
static struct kobj_attribute left_kb_attr = __ATTR_RO(left_kb);
static struct kobj_attribute left_ms_attr = __ATTR_RO(left_ms);

static struct attribute *economy_attrs[] = {
	&burn_kb_attr.attr,
	&print_kb_attr.attr,
	&left_kb_attr.attr,
	&left_ms_attr.attr,
	NULL
};

const struct attribute_group tbtf_economy_group = {
	.name = "economy",
	.attrs = economy_attrs,
};

/**
 * tbtf_lastresort_setup() - take the reserve that was asked for at load
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EINVAL. The log has the reason.
 */
int __init tbtf_lastresort_setup(void)
{
	unsigned int kb = tbtf_knob(reserve_kb);
	int nid, err;

	reserves = kvcalloc(nr_node_ids, sizeof(*reserves), GFP_KERNEL);
	/* With a rescuer: the clock must not wait for memory. */
	queue = alloc_ordered_workqueue("tbtf_reserve", WQ_MEM_RECLAIM);
	if (!reserves || !queue) {
		tbtf_lastresort_teardown();
		return -ENOMEM;
	}
	for (nid = 0; nid < nr_node_ids; nid++) {
		INIT_LIST_HEAD(&reserves[nid].quanta);
		INIT_LIST_HEAD(&reserves[nid].small);
	}
	/* Nothing is held yet, and on failure that is what is gone back to. */
	tbtf_knobs.reserve_kb = 0;
	err = kb ? tbtf_lastresort_set(kb) : 0;
	if (err)
		tbtf_lastresort_teardown();
	return err;
}

/**
 * tbtf_lastresort_stop() - let the clock stand still
 *
 * Context: may sleep; tbtf_stopping is set.
 */
void tbtf_lastresort_stop(void)
{
	cancel_delayed_work_sync(&tick_work);
}

/**
 * tbtf_lastresort_teardown() - give back everything
 *
 * Context: may sleep; nobody is handed out to, and nobody wakes the clock.
 */
void tbtf_lastresort_teardown(void)
{
	int nid;

	cancel_delayed_work_sync(&tick_work);
	if (queue)
		destroy_workqueue(queue);
	for (nid = 0; reserves && nid < nr_node_ids; nid++)
		give_back(nid, 0);
	WARN_ON_ONCE(total);
	kvfree(reserves);
}
