// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the door for other processes: /dev/tbtf
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "tbtf.h"

static_assert(sizeof(struct tbtf_version) == 8);
static_assert(sizeof(struct tbtf_mark_args) == 16);
static_assert(sizeof(struct tbtf_info) == 72);
static_assert(sizeof(struct tbtf_query) == 80);
static_assert(sizeof(struct tbtf_list) == 24);
static_assert(sizeof(struct tbtf_candidate) == 64);
static_assert(sizeof(struct tbtf_preview) == 88);

/**
 * tbtf_device_get_task() - the process behind a pidfd
 * @pidfd: a descriptor of the caller
 * @ret_task: the leader of its thread group, with a reference
 *
 * Context: may sleep.
 * Return: 0; -EBADF if it is no pidfd; -ESRCH if the process is gone.
 */
int tbtf_device_get_task(int pidfd, struct task_struct **ret_task)
{
	struct task_struct *task;
	struct file *file;
	struct pid *pid;

	file = fget(pidfd);
	if (!file)
		return -EBADF;
	pid = tbtf_hook_pidfd_pid(file);
	task = IS_ERR(pid) ? NULL : get_pid_task(pid, PIDTYPE_TGID);
	fput(file);
	if (IS_ERR(pid))
		return -EBADF;
	if (!task)
		return -ESRCH;
	*ret_task = task;
	return 0;
}

static void fill_info(struct task_struct *task, struct tbtf_info *info)
{
	struct tbtf_role_info role = { .role = TBTF_ROLE_ORDINARY };
	struct tbtf_choice choice;
	struct tbtf_size size;

	memset(info, 0, sizeof(*info));
	info->pid = task_tgid_vnr(task);
	info->oom_score_adj = task->signal->oom_score_adj;
	tbtf_mark_get(task_tgid(task), &info->role, &info->flags);
	tbtf_size_of(task, &size);
	info->size_kb = pages_to_kb(size.size);
	info->worth_kb = pages_to_kb(size.worth);
	tbtf_choice_init(&choice, task);
	info->protected_kb = pages_to_kb(choice.p_pages);
	rcu_read_lock();
	tbtf_role_of(task, choice.p_mm, &role);
	if (role.memcg)
		info->cgroup = cgroup_id(role.memcg->css.cgroup);
	rcu_read_unlock();
	tbtf_choice_done(&choice);
	info->effective = role.role;
	info->source = role.source;
	get_task_comm(info->comm, task);
}

static long ioc_version(struct tbtf_version __user *uarg)
{
	struct tbtf_version version = {
		.abi = TBTF_ABI_VERSION,
		.features = tbtf_hook_features(),
	};

	return copy_to_user(uarg, &version, sizeof(version)) ? -EFAULT : 0;
}

static bool gone(struct task_struct *task)
{
	return !(task->flags & PF_KTHREAD) && !atomic_read(&task->signal->live);
}

static long ioc_mark(struct tbtf_mark_args __user *uarg)
{
	struct tbtf_mark_args args;
	struct task_struct *task;
	u32 flags = 0;
	long err;

	if (copy_from_user(&args, uarg, sizeof(args)))
		return -EFAULT;
	if (args.reserved || args.role > TBTF_ROLE_ORDINARY || (args.flags & ~TBTF_LOCAL) ||
	    (args.flags && args.role != TBTF_ROLE_TBTF))
		return -EINVAL;
	if (args.role == TBTF_ROLE_TBTF)
		flags = TBTF_ON | args.flags;
	err = tbtf_device_get_task(args.pidfd, &task);
	if (err)
		return err;
	if ((task->flags & PF_KTHREAD) ||
	    (is_global_init(task) && args.role == TBTF_ROLE_EXPENDABLE))
		err = -EINVAL;
	else if (gone(task))
		err = -ESRCH;
	else
		err = tbtf_mark_set(task, args.role, flags);
	put_task_struct(task);
	return err;
}

static long ioc_query(struct tbtf_query __user *uarg)
{
	struct task_struct *task;
	struct tbtf_query query;
	long err;

	if (copy_from_user(&query, uarg, sizeof(query)))
		return -EFAULT;
	if (query.reserved)
		return -EINVAL;
	err = tbtf_device_get_task(query.pidfd, &task);
	if (err)
		return err;
	if (gone(task))
		err = -ESRCH;
	else
		fill_info(task, &query.info);
	put_task_struct(task);
	if (!err && copy_to_user(uarg, &query, sizeof(query)))
		err = -EFAULT;
	return err;
}

static long ioc_list(struct tbtf_list __user *uarg)
{
	struct tbtf_info __user *to;
	struct task_struct *task;
	struct tbtf_list list;
	struct tbtf_info info;
	struct pid **pids;
	u32 i, n, written = 0;
	long err;

	if (copy_from_user(&list, uarg, sizeof(list)))
		return -EFAULT;
	if (list.reserved || (list.count && !list.entries))
		return -EINVAL;
	to = u64_to_user_ptr(list.entries);
	err = tbtf_mark_list(&pids, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		task = !err && written < list.count ? get_pid_task(pids[i], PIDTYPE_TGID) : NULL;
		put_pid(pids[i]);
		if (!task)
			continue;
		fill_info(task, &info);
		put_task_struct(task);
		if (copy_to_user(&to[written], &info, sizeof(info)))
			err = -EFAULT;
		else
			written++;
	}
	kvfree(pids);
	list.count = written;
	list.total = n;
	if (!err && copy_to_user(uarg, &list, sizeof(list)))
		err = -EFAULT;
	return err;
}

static bool allowed(const struct file *file)
{
	return capable(CAP_SYS_RESOURCE) &&
	       file_ns_capable(file, &init_user_ns, CAP_SYS_RESOURCE);
}

static long tbtf_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	if (!allowed(file))
		return -EPERM;
	switch (cmd) {
	case TBTF_IOC_VERSION:
		return ioc_version(uarg);
	case TBTF_IOC_MARK:
		return ioc_mark(uarg);
	case TBTF_IOC_QUERY:
		return ioc_query(uarg);
	case TBTF_IOC_LIST:
		return ioc_list(uarg);
	case TBTF_IOC_PREVIEW:
		return tbtf_preview(uarg);
	case TBTF_IOC_HELPER:
		return tbtf_helper_register(file, uarg);
	case TBTF_IOC_ANSWER:
		return tbtf_helper_answer(file, uarg);
	case TBTF_IOC_LENDING:
		return tbtf_hold_lending(file, uarg);
	}
	return -ENOTTY;
}

static ssize_t tbtf_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return allowed(file) ? tbtf_helper_read(file, buf, count) : -EPERM;
}

static int tbtf_release(struct inode *inode, struct file *file)
{
	tbtf_helper_release(file);
	tbtf_hold_release(file);
	return 0;
}

static int tbtf_open(struct inode *inode, struct file *file)
{
	if (!allowed(file))
		return -EPERM;
	tbtf_hold_open(file);
	return nonseekable_open(inode, file);
}

static const struct file_operations tbtf_fops = {
	.owner = THIS_MODULE,
	.open = tbtf_open,
	.release = tbtf_release,
	.read = tbtf_read,
	.poll = tbtf_helper_poll,
	.unlocked_ioctl = tbtf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice tbtf_miscdev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tbtf",
	.mode = 0600,
	.fops = &tbtf_fops,
};

/**
 * tbtf_device_setup() - make /dev/tbtf
 *
 * Context: may sleep.
 * Return: 0, or what misc_register() says.
 */
int __init tbtf_device_setup(void)
{
	int err = misc_register(&tbtf_miscdev);

	if (err)
		pr_err("cannot make /dev/tbtf: %d; not loading\n", err);
	else
		tbtf_hook_add_feature(TBTF_FEATURE_HELPER);
	return err;
}

/**
 * tbtf_device_teardown() - remove it
 *
 * Context: may sleep; an open descriptor holds the module, so there is none.
 */
void tbtf_device_teardown(void)
{
	misc_deregister(&tbtf_miscdev);
}
