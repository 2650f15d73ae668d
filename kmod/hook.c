// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - where the module meets the kernel
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Five functions of the kernel are redirected through ftrace, four of them
 * always, security_task_prctl only for the two options that are tbtf's. A
 * decision is made here, and then the original goes on behind its patched entry,
 * with the stack as it would be without us (compat/entry.S): there is no second
 * pass through ftrace, and nothing of ours below what the kernel then does.
 * Tracepoints tell of exit, exec, oom_score_adj and rmdir.
 *
 * FTRACE_OPS_FL_IPMODIFY keeps a second redirection of the same function out,
 * whoever comes first; FTRACE_OPS_FL_PERMANENT keeps kernel.ftrace_enabled from
 * switching the hooks off unseen.
 *
 * Going away: after unregistering, a task may still stand between the patched
 * entry and its count (first synchronize_rcu_tasks()), sleep in a decision
 * (counted, woken), or stand between the end of its count and the original
 * (second one).
 */
#include <linux/atomic.h>
#include <linux/binfmts.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/ftrace.h>
#include <linux/tracepoint.h>

#include "event.h"
#include "tbtf.h"

bool tbtf_stopping;
struct mutex *tbtf_oom_lock;	/* the kernel's; NULL: not found */
struct blocking_notifier_head *tbtf_oom_notifiers;
static bool *oom_killer_disabled_ptr;

static unsigned long scan_tasks_addr;
static unsigned long pidfd_pid_addr;
static atomic_t inflight;
static u32 features;

const char *const tbtf_feature_names[] = {
	"prctl", "kill", "group", "cgroup", "front", "nap", "exec", "rmdir", "fault",
	"helper", NULL
};

struct hook {
	const char *name;
	void *entry;
	u32 feature;
	bool needed;
	unsigned long addr;		/* of the fentry site; 0: there is none */
	bool on;
	struct ftrace_ops ops;
};

/*
 * Nothing here may be traced and hooked at once, and nothing counts: if another
 * user changes the address after us, our function is not entered.
 */
static void notrace redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, ops);

	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->entry);
}

static void notrace redirect_prctl(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	/* Two numbers in a row: one comparison, paid by every prctl of the machine. */
	unsigned int option = (unsigned int)ftrace_regs_get_argument(fregs, 0) - PR_SET_TBTF;

	if (unlikely(option <= PR_GET_TBTF - PR_SET_TBTF))
		redirect(ip, parent_ip, ops, fregs);
}

enum { HOOK_PRCTL, HOOK_KILL, HOOK_GROUP, HOOK_FRONT, HOOK_FAULT, HOOK_NR };

static int entry_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
		       unsigned long arg5);

static struct hook hooks[HOOK_NR] = {
	[HOOK_PRCTL] = {
		.name = "security_task_prctl",
		.entry = entry_prctl,
		.feature = TBTF_FEATURE_PRCTL,
		.needed = true,
		.ops.func = redirect_prctl,
	},
	[HOOK_KILL] = {
		.name = "oom_kill_process",
		.entry = tbtf_entry_kill,
		.feature = TBTF_FEATURE_KILL,
		.needed = true,
		.ops.func = redirect,
	},
	[HOOK_GROUP] = {
		.name = "oom_kill_memcg_member",
		.entry = tbtf_entry_group,
		.feature = TBTF_FEATURE_GROUP,
		.ops.func = redirect,
	},
	[HOOK_FRONT] = {
		.name = "out_of_memory",
		.entry = tbtf_entry_front,
		.feature = TBTF_FEATURE_FRONT,
		.ops.func = redirect,
	},
	[HOOK_FAULT] = {
		.name = "pagefault_out_of_memory",
		.entry = tbtf_entry_fault,
		.feature = TBTF_FEATURE_FAULT,
		.ops.func = redirect,
	},
};

static struct tbtf_decision decided(unsigned int nr, bool ended, unsigned long ret)
{
	struct tbtf_decision decision = {
		/* Behind the entry that ftrace has patched. */
		.go_on = ended ? 0 : hooks[nr].addr + MCOUNT_INSN_SIZE,
		.ret = ret,
	};

	atomic_dec(&inflight);
	return decision;
}

struct tbtf_decision tbtf_decide_kill(struct oom_control *oc, const char *message)
{
	atomic_inc(&inflight);
	return decided(HOOK_KILL, tbtf_episode_kill(oc), 0);
}

struct tbtf_decision tbtf_decide_group(struct task_struct *task, void *message)
{
	atomic_inc(&inflight);
	return decided(HOOK_GROUP, tbtf_episode_spares_member(task), 0);
}

struct tbtf_decision tbtf_decide_front(struct oom_control *oc)
{
	bool progress = false, ended;

	atomic_inc(&inflight);
	/* While tasks are frozen for suspend, every allocation is to fail. */
	ended = !(oom_killer_disabled_ptr && READ_ONCE(*oom_killer_disabled_ptr)) &&
		tbtf_episode_front(oc, &progress);
	return decided(HOOK_FRONT, ended, progress);
}

struct tbtf_decision tbtf_decide_fault(void)
{
	atomic_inc(&inflight);
	return decided(HOOK_FAULT, tbtf_episode_fault(), 0);
}

static int entry_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
		       unsigned long arg5)
{
	int ret;

	atomic_inc(&inflight);
	ret = tbtf_prctl(option, arg2, arg3, arg4, arg5);
	atomic_dec(&inflight);
	return ret;
}

static TBTF_EXIT_PROBE(probe_exit, task)
{
	tbtf_tell(died, task);
	tbtf_mark_exit(task);
	tbtf_helper_exit(task);
}

static void probe_exec(void *unused, struct task_struct *task, pid_t old_pid,
		       struct linux_binprm *bprm)
{
	tbtf_mark_exec(task, bprm->secureexec);
}

static void probe_adj(void *unused, struct task_struct *task)
{
	tbtf_victim_adj_changed(task);
}

static void probe_rmdir(void *unused, struct cgroup *cgrp, const char *path)
{
	tbtf_role_rmdir(cgrp);
}

struct probe {
	const char *name;
	void *func;
	u32 feature;
	bool needed;
	struct tracepoint *tp;
	bool on;
};

enum { PROBE_EXIT, PROBE_EXEC, PROBE_ADJ, PROBE_RMDIR, PROBE_NR };

static struct probe probes[PROBE_NR] = {
	/* Without it a mark would stay behind, and hold its pid and its mm. */
	[PROBE_EXIT] = { .name = "sched_process_exit", .func = probe_exit, .needed = true },
	/* Without it a privileged program would run with its caller's mark. */
	[PROBE_EXEC] = {
		.name = "sched_process_exec", .func = probe_exec, .needed = true,
		.feature = TBTF_FEATURE_EXEC,
	},
	[PROBE_ADJ] = { .name = "oom_score_adj_update", .func = probe_adj },
	[PROBE_RMDIR] = {
		.name = "cgroup_rmdir", .func = probe_rmdir, .feature = TBTF_FEATURE_RMDIR,
	},
};

static void __init match_tracepoint(struct tracepoint *tp, void *unused)
{
	unsigned int i;

	for (i = 0; i < PROBE_NR; i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

static int __init attach_probes(void)
{
	unsigned int i;
	int err;

	for_each_kernel_tracepoint(match_tracepoint, NULL);
	for (i = 0; i < PROBE_NR; i++) {
		struct probe *probe = &probes[i];

		err = probe->tp ? tracepoint_probe_register(probe->tp, probe->func, NULL) : -ENOENT;
		/* Done without where it is missing, not where memory was for a moment. */
		if (err && (probe->needed || err != -ENOENT)) {
			pr_err("cannot attach to the tracepoint %s: %d; not loading\n",
			       probe->name, err);
			return err;
		}
		if (err) {
			pr_warn("no tracepoint %s (%d): done without\n", probe->name, err);
			continue;
		}
		probe->on = true;
		features |= probe->feature;
	}
	if (probes[PROBE_ADJ].on)
		tbtf_victim_adj_tracked();
	return 0;
}

static void detach_probes(void)
{
	unsigned int i;

	for (i = 0; i < PROBE_NR; i++)
		if (probes[i].on)
			tracepoint_probe_unregister(probes[i].tp, probes[i].func, NULL);
	tracepoint_synchronize_unregister();
}

static int __init switch_on(struct hook *hook)
{
	int err;

	hook->addr = tbtf_ksym_text(hook->name);
	if (!hook->addr)
		return -ENOENT;
	hook->ops.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
	err = ftrace_set_filter_ip(&hook->ops, hook->addr, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&hook->ops);
	if (err) {
		ftrace_set_filter_ip(&hook->ops, hook->addr, 1, 0);
		return err;
	}
	hook->on = true;
	features |= hook->feature;
	return 0;
}

static bool __init ftrace_is_off(void)
{
	int *enabled = (int *)tbtf_ksym_data("ftrace_enabled");

	return enabled && !READ_ONCE(*enabled);
}

static int __init switch_on_all(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < HOOK_NR; i++) {
		err = switch_on(&hooks[i]);
		if (!err)
			continue;
		if (err == -EBUSY)
			pr_err("%s %s; not loading\n", hooks[i].name, ftrace_is_off() ?
			       "cannot be hooked: kernel.ftrace_enabled is 0" :
			       "is redirected by somebody else already (a live patch, another module?)");
		else if (hooks[i].needed || !(err == -ENOENT || err == -EINVAL))
			pr_err("cannot hook %s: %s (%d); not loading\n", hooks[i].name,
			       err == -ENOENT ? "this kernel has no such function" : "ftrace refuses",
			       err);
		else
			pr_warn("cannot hook %s (%d): done without, see features\n",
				hooks[i].name, err);
		/* Done without where this kernel has no such place, not for want of memory. */
		if (hooks[i].needed || !(err == -ENOENT || err == -EINVAL))
			return err;
	}
	return 0;
}

/**
 * tbtf_hook_stop() - let no round begin, and wake all who wait in one
 *
 * Context: any; the first thing on the way out.
 */
void tbtf_hook_stop(void)
{
	WRITE_ONCE(tbtf_stopping, true);
	tbtf_wait_wake();
}

static void switch_off_all(void)
{
	unsigned int i;

	tbtf_hook_stop();
	for (i = 0; i < HOOK_NR; i++) {
		if (!hooks[i].on)
			continue;
		unregister_ftrace_function(&hooks[i].ops);
		ftrace_set_filter_ip(&hooks[i].ops, hooks[i].addr, 1, 0);
		hooks[i].on = false;
	}
	synchronize_rcu_tasks();
	while (atomic_read(&inflight)) {
		tbtf_wait_wake();
		msleep(20);
	}
	synchronize_rcu_tasks();
}

/*
 * Ask the way a program would. On a kernel where the redirection does nothing
 * the answer is that of the original, which does not know the option.
 */
static int __init prove(void)
{
	int ret = tbtf_call(hooks[HOOK_PRCTL].addr, PR_GET_TBTF, 0, 0, 0, 0);

	if (ret == 0)
		return 0;
	pr_err("%s is hooked, but the hook is not entered (%d); not loading\n",
	       hooks[HOOK_PRCTL].name, ret);
	return -ENXIO;
}

/**
 * tbtf_hook_features() - what is in place
 *
 * Context: any.
 * Return: TBTF_FEATURE_*.
 */
u32 tbtf_hook_features(void)
{
	return READ_ONCE(features);
}

/**
 * tbtf_hook_add_feature() - another file's part is in place
 * @feature: TBTF_FEATURE_*
 *
 * Context: at load.
 */
void __init tbtf_hook_add_feature(u32 feature)
{
	features |= feature;
}

/**
 * tbtf_hook_scan_tasks() - mem_cgroup_scan_tasks() of the kernel
 * @memcg: not the root
 * @fn: called for each process in it and below, until it returns non-zero
 * @arg: passed on
 *
 * Context: may sleep; takes cgroup locks.
 * Return: what the last @fn returned.
 */
unsigned long tbtf_hook_scan_tasks(struct mem_cgroup *memcg,
				   int (*fn)(struct task_struct *task, void *arg), void *arg)
{
	return tbtf_call(scan_tasks_addr, (unsigned long)memcg, (unsigned long)fn,
			 (unsigned long)arg, 0, 0);
}

/**
 * tbtf_hook_pidfd_pid() - pidfd_pid() of the kernel
 * @file: a file
 *
 * Context: any.
 * Return: the pid, without a reference; ERR_PTR(-EBADF) if it is no pidfd.
 */
struct pid *tbtf_hook_pidfd_pid(const struct file *file)
{
	return (struct pid *)tbtf_call(pidfd_pid_addr, (unsigned long)file, 0, 0, 0, 0);
}

/**
 * tbtf_hook_setup() - find, hook and attach everything
 *
 * On failure nothing is left in place, and the reason is in the log.
 *
 * Context: may sleep.
 * Return: 0; -ENOENT for a missing function or tracepoint; -EBUSY where
 * another redirects a function; -ENXIO if a hook has no effect; or what
 * ftrace returned.
 */
int __init tbtf_hook_setup(void)
{
	int err;

	scan_tasks_addr = tbtf_ksym_text("mem_cgroup_scan_tasks");
	pidfd_pid_addr = tbtf_ksym_text("pidfd_pid");
	if (!scan_tasks_addr || !pidfd_pid_addr) {
		pr_err("this kernel has no %s; not loading\n",
		       scan_tasks_addr ? "pidfd_pid" : "mem_cgroup_scan_tasks");
		return -ENOENT;
	}
	tbtf_oom_notifiers =
		(struct blocking_notifier_head *)tbtf_ksym_data("oom_notify_list");
	oom_killer_disabled_ptr = (bool *)tbtf_ksym_data("oom_killer_disabled");
	if (!tbtf_oom_notifiers)
		pr_warn("oom_notify_list not found: done without\n");
	if (!oom_killer_disabled_ptr)
		pr_warn("oom_killer_disabled not found: done without\n");
	tbtf_oom_lock = (struct mutex *)tbtf_ksym_data("oom_lock");
	if (tbtf_oom_lock)
		features |= TBTF_FEATURE_NAP;
	else
		pr_warn("oom_lock not found: nobody will wait for memory, see features\n");

	err = attach_probes();
	if (!err)
		err = switch_on_all();
	if (!err)
		err = prove();
	if (err)
		tbtf_hook_teardown();
	return err;
}

/**
 * tbtf_hook_teardown() - take everything out of the kernel again
 *
 * When it returns, no task is in the module by way of a hook.
 *
 * Context: may sleep, for some grace periods and until nobody naps any more.
 */
void tbtf_hook_teardown(void)
{
	switch_off_all();
	detach_probes();
}
