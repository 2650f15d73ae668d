// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a test module: out of memory in ways that user space cannot bring about
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Files in /sys/kernel/debug/oom_provoke:
 *
 *	alloc	"ORDER COUNT WORD...": so many allocations of that order, which
 *		are kept. Words, which add up: kernel, nofs, nofail, account (to
 *		the memory cgroup of the writer), lock (with a mutex held, as a
 *		filesystem would). The write fails as the first allocation
 *		that fails.
 *	got	how many are kept
 *	pieces	"KB": take memory until no more than KB are left, and give
 *		seven of eight pages back: nothing of order 3 is left, and
 *		nothing can be moved to make it
 *	free	give everything back
 *	lock	read: take the mutex, and tell how many ms that took
 *	hold	write: sleep, and not even SIGKILL helps, until
 *	release	is written to
 *	linger	"PID MS": when the process dies, keep its memory from being given
 *		back for so long, at a time when it counts as gone already. The
 *		write lasts until then.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include <linux/wait.h>

static DEFINE_SPINLOCK(kept_lock);
static LIST_HEAD(kept);
static u32 nr_kept;
static DEFINE_MUTEX(fs_mutex);
static DECLARE_WAIT_QUEUE_HEAD(held);
static unsigned int releases;
static struct dentry *dir;

/* The order of a kept allocation is in the private word of its first page. */
static void keep(struct page *page, unsigned int order)
{
	set_page_private(page, order);
	spin_lock(&kept_lock);
	list_add(&page->lru, &kept);
	nr_kept++;
	spin_unlock(&kept_lock);
}

static void let_go(struct page *page)
{
	unsigned int order = page_private(page);

	set_page_private(page, 0);
	__free_pages(page, order);
}

static void free_all(void)
{
	struct page *page, *next;
	LIST_HEAD(list);

	spin_lock(&kept_lock);
	list_splice_init(&kept, &list);
	nr_kept = 0;
	spin_unlock(&kept_lock);
	list_for_each_entry_safe(page, next, &list, lru) {
		list_del(&page->lru);
		let_go(page);
	}
}

static int alloc(unsigned int order, unsigned int count, gfp_t gfp)
{
	struct page *page;

	while (count--) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_pages(gfp, order);
		if (!page)
			return -ENOMEM;
		keep(page, order);
		cond_resched();
	}
	return 0;
}

static ssize_t get_line(char *buf, size_t size, const char __user *ubuf, size_t len)
{
	if (len >= size)
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = '\0';
	return 0;
}

static ssize_t alloc_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	unsigned int order, count;
	char buf[64], *rest, *word;
	gfp_t gfp = __GFP_NOWARN;
	bool lock = false;
	int used, err;

	err = get_line(buf, sizeof(buf), ubuf, len);
	if (err)
		return err;
	if (sscanf(buf, "%u %u %n", &order, &count, &used) < 2)
		return -EINVAL;
	rest = strim(buf + used);
	while ((word = strsep(&rest, " "))) {
		if (!strcmp(word, "kernel"))
			gfp |= GFP_KERNEL;
		else if (!strcmp(word, "nofs"))
			gfp |= GFP_NOFS;
		else if (!strcmp(word, "nofail"))
			gfp |= __GFP_NOFAIL;
		else if (!strcmp(word, "account"))
			gfp |= __GFP_ACCOUNT;
		else if (!strcmp(word, "lock"))
			lock = true;
		else
			return -EINVAL;
	}
	if (lock)
		mutex_lock(&fs_mutex);
	err = alloc(order, count, gfp);
	if (lock)
		mutex_unlock(&fs_mutex);
	return err ?: len;
}

static ssize_t pieces_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	unsigned long left_kb;
	struct page *page, *next;
	LIST_HEAD(giving);
	char buf[32];
	int err;

	err = get_line(buf, sizeof(buf), ubuf, len);
	if (!err)
		err = kstrtoul(strim(buf), 0, &left_kb);
	if (err)
		return err;
	while (global_zone_page_state(NR_FREE_PAGES) > left_kb >> (PAGE_SHIFT - 10) &&
	       !alloc(0, 1, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN))
		;
	spin_lock(&kept_lock);
	list_for_each_entry_safe(page, next, &kept, lru) {
		if (page_private(page) || !(page_to_pfn(page) % 8))
			continue;
		list_move(&page->lru, &giving);
		nr_kept--;
	}
	spin_unlock(&kept_lock);
	list_for_each_entry_safe(page, next, &giving, lru) {
		list_del(&page->lru);
		let_go(page);
	}
	return len;
}

static ssize_t free_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	free_all();
	return len;
}

static int lock_read(void *data, u64 *ret)
{
	ktime_t began = ktime_get();

	mutex_lock(&fs_mutex);
	mutex_unlock(&fs_mutex);
	*ret = ktime_ms_delta(ktime_get(), began);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(lock_fops, lock_read, NULL, "%llu\n");

static ssize_t hold_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	unsigned int seen = READ_ONCE(releases);

	wait_event(held, READ_ONCE(releases) != seen);
	return len;
}

static ssize_t release_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	WRITE_ONCE(releases, releases + 1);
	wake_up_all(&held);
	return len;
}

/* exit_mmap() wants mmap_lock for writing between MMF_OOM_SKIP and the end. */
static ssize_t linger_write(struct file *file, const char __user *ubuf, size_t len, loff_t *pos)
{
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int ms;
	char buf[32];
	pid_t nr;
	int err;

	err = get_line(buf, sizeof(buf), ubuf, len);
	if (err)
		return err;
	if (sscanf(buf, "%d %u", &nr, &ms) != 2)
		return -EINVAL;
	rcu_read_lock();
	task = pid_task(find_vpid(nr), PIDTYPE_TGID);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return -ESRCH;
	mmgrab(mm);
	mmap_read_lock(mm);
	mmput(mm);
	while (atomic_read(&mm->mm_users) && !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	if (!atomic_read(&mm->mm_users))
		msleep(ms);
	mmap_read_unlock(mm);
	mmdrop(mm);
	return len;
}

#define WRITE_FOPS(name)				\
static const struct file_operations name##_fops = {	\
	.owner = THIS_MODULE,				\
	.open = simple_open,				\
	.write = name##_write,				\
}

WRITE_FOPS(alloc);
WRITE_FOPS(pieces);
WRITE_FOPS(free);
WRITE_FOPS(hold);
WRITE_FOPS(release);
WRITE_FOPS(linger);

static int __init oom_provoke_init(void)
{
	dir = debugfs_create_dir("oom_provoke", NULL);
	debugfs_create_file("alloc", 0200, dir, NULL, &alloc_fops);
	debugfs_create_u32("got", 0400, dir, &nr_kept);
	debugfs_create_file("pieces", 0200, dir, NULL, &pieces_fops);
	debugfs_create_file("free", 0200, dir, NULL, &free_fops);
	debugfs_create_file("lock", 0400, dir, NULL, &lock_fops);
	debugfs_create_file("hold", 0200, dir, NULL, &hold_fops);
	debugfs_create_file("release", 0200, dir, NULL, &release_fops);
	debugfs_create_file("linger", 0200, dir, NULL, &linger_fops);
	return 0;
}

static void __exit oom_provoke_exit(void)
{
	debugfs_remove(dir);
	free_all();
}

module_init(oom_provoke_init);
module_exit(oom_provoke_exit);
MODULE_AUTHOR("The tbtf authors");
MODULE_DESCRIPTION("tbtf test: out of memory in ways that user space cannot bring about");
MODULE_LICENSE("GPL");
