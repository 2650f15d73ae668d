// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the helper: who it is, what it is asked, what it answers
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One end is the ladder, which asks under oom_lock and looks what has come of it
 * in its next round; the other a program that reads /dev/tbtf and answers when it
 * likes. A request is a part of its episode, so that asking takes no memory.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "event.h"
#include "tbtf.h"

static_assert(sizeof(struct tbtf_helper) == 16);
static_assert(sizeof(struct tbtf_request) == 96);
static_assert(sizeof(struct tbtf_answer) == 24);

static DEFINE_SPINLOCK(helper_lock);
static DECLARE_WAIT_QUEUE_HEAD(helper_queue);	/* who reads, or polls */

struct pid *tbtf_helper_pid;			/* H: with a reference; compared without it */
u32 tbtf_helper_rungs;				/* H: read without it */
static const struct file *helper_file;		/* H: compared */
static u32 helper_role;				/* H: that it goes back to */
static LIST_HEAD(open_asks);			/* H: oldest first */
static u64 last_id;				/* H */

static void end_ask(struct tbtf_ask *ask, enum tbtf_ask_state state, enum tbtf_answered what)
{
	lockdep_assert_held(&helper_lock);
	tbtf_ask_end(ask, state);
	list_del(&ask->list);
	tbtf_tell(answer, ask, what);
}

/**
 * tbtf_helper_next() - what is a round with nobody to kill to do about its request?
 * @ask: the request
 * @for_ever: no deadline applies to the ladder
 * @past: its deadline has passed
 *
 * Context: under oom_lock; takes helper_lock.
 * Return: enum tbtf_ask_next, never TBTF_ASK_NEXT_LATE.
 */
enum tbtf_ask_next tbtf_helper_next(struct tbtf_ask *ask, bool for_ever, bool past)
{
	enum tbtf_ask_next next;
	bool late;

	spin_lock(&helper_lock);
	next = tbtf_ask_next(ask, for_ever, past);
	late = next == TBTF_ASK_NEXT_LATE;
	if (late)
		end_ask(ask, TBTF_ASK_LATE, TBTF_ANSWERED_LATE);
	if (next != TBTF_ASK_NEXT_WAIT && ask->state == TBTF_ASK_GRANTED &&
	    ask->episode->given == ask->rung)
		ask->episode->given = TBTF_RUNG_NONE;
	spin_unlock(&helper_lock);
	if (!late)
		return next;
	tbtf_stat_inc(requests_late);
	pr_info_ratelimited("episode %llu: the helper has not answered in time\n",
			    ask->episode->id);
	return TBTF_ASK_NEXT_OVER;
}

/**
 * tbtf_helper_ask() - ask for memory
 * @ask: the request of an episode, filled but for its id
 * @capacity: pages that the scope could have now
 *
 * Context: under oom_lock; takes helper_lock.
 * Return: false if there is no helper for it (any more).
 */
bool tbtf_helper_ask(struct tbtf_ask *ask, unsigned long capacity)
{
	bool asked;

	spin_lock(&helper_lock);
	asked = tbtf_helper_rungs & ask->rung;
	if (asked) {
		ask->id = ++last_id;
		tbtf_ask_begin(ask, capacity);
		list_add_tail(&ask->list, &open_asks);
		tbtf_tell(request, ask);
	}
	spin_unlock(&helper_lock);
	if (!asked)
		return false;
	tbtf_stat_inc(requests);
	wake_up_interruptible(&helper_queue);
	pr_info_ratelimited("episode %llu: asks the helper %s %llukB for %d (%s)\n",
			    ask->episode->id, ask->rung == TBTF_RUNG_STEAL ? "for" : "to print",
			    ask->wanted_kb, ask->whom.pid, ask->whom.comm);
	return true;
}

/**
 * tbtf_helper_withdraw() - the episode ends
 * @ask: its request
 *
 * Context: under episode_lock; takes helper_lock.
 */
void tbtf_helper_withdraw(struct tbtf_ask *ask)
{
	spin_lock(&helper_lock);
	if (tbtf_ask_open(ask)) {
		end_ask(ask, TBTF_ASK_NONE, TBTF_ANSWERED_WITHDRAWN);
		tbtf_stat_inc(requests_withdrawn);
	}
	spin_unlock(&helper_lock);
}

/**
 * tbtf_helper_keeps() - the role that a process gets when it is given one
 * @pid: its thread group
 * @role: that it is given
 *
 * The helper is spare whatever it is given, but for tbtf; the role waits until it
 * is the helper no more.
 *
 * Context: any; takes helper_lock.
 * Return: enum tbtf_role.
 */
u32 tbtf_helper_keeps(struct pid *pid, u32 role)
{
	if (likely(!tbtf_helper_is(pid)) || role == TBTF_ROLE_TBTF)
		return role;
	spin_lock(&helper_lock);
	if (tbtf_helper_pid == pid) {
		helper_role = role;
		role = TBTF_ROLE_SPARE;
	}
	spin_unlock(&helper_lock);
	return role;
}

/* The helper of this file, or this process, is one no more: its pid, and its role before. */
static struct pid *unregister(const struct file *file, const struct pid *pid, u32 *ret_role)
{
	struct tbtf_ask *ask, *next;
	struct pid *was;
	unsigned int n = 0;

	spin_lock(&helper_lock);
	was = tbtf_helper_pid;
	if (!was || (was != pid && helper_file != file)) {
		spin_unlock(&helper_lock);
		return NULL;
	}
	*ret_role = helper_role;
	helper_file = NULL;
	WRITE_ONCE(tbtf_helper_pid, NULL);
	WRITE_ONCE(tbtf_helper_rungs, 0);
	list_for_each_entry_safe(ask, next, &open_asks, list) {
		end_ask(ask, TBTF_ASK_ORPHANED, TBTF_ANSWERED_ORPHANED);
		n++;
	}
	spin_unlock(&helper_lock);

	tbtf_stat_inc(helper_deaths);
	tbtf_stat_add(TBTF_STAT_requests_orphaned, n);
	pr_info("the helper %d is gone, with %u requests open\n", pid_nr(was), n);
	wake_up_interruptible_all(&helper_queue);
	tbtf_wait_wake();
	return was;
}

/**
 * tbtf_helper_nr() - who is the helper?
 *
 * Context: any; takes helper_lock.
 * Return: its pid, in the initial namespace; 0: there is none.
 */
pid_t tbtf_helper_nr(void)
{
	pid_t nr;

	spin_lock(&helper_lock);
	nr = pid_nr(tbtf_helper_pid);
	spin_unlock(&helper_lock);
	return nr;
}

/**
 * tbtf_helper_exit() - a thread exits; with the last one its process is no helper
 * @task: the thread
 *
 * A child may have the file open still, and hang in a swapoff for long.
 *
 * Context: sched_process_exit: preemption off.
 */
void tbtf_helper_exit(struct task_struct *task)
{
	u32 role;

	if (unlikely(tbtf_helper_is(task_tgid(task))) && !atomic_read(&task->signal->live))
		put_pid(unregister(NULL, task_tgid(task), &role));
}

/**
 * tbtf_helper_release() - the file is closed
 * @file: an open /dev/tbtf
 *
 * Context: may sleep.
 */
void tbtf_helper_release(const struct file *file)
{
	struct task_struct *task;
	struct pid *pid;
	u32 role;

	pid = unregister(file, NULL, &role);
	if (!pid)
		return;
	task = role != TBTF_ROLE_SPARE && tbtf_mark_role(pid) == TBTF_ROLE_SPARE ?
	       get_pid_task(pid, PIDTYPE_TGID) : NULL;
	if (task) {
		tbtf_mark_set(task, role, 0);
		put_task_struct(task);
	}
	put_pid(pid);
}

/* True: for this process on this file all is done, or there is another: *ret_err. */
static bool registered(const struct file *file, u32 rungs, long *ret_err)
{
	bool done;

	spin_lock(&helper_lock);
	done = tbtf_helper_pid;
	*ret_err = tbtf_helper_pid == task_tgid(current) && helper_file == file ? 0 : -EBUSY;
	if (done && !*ret_err)
		WRITE_ONCE(tbtf_helper_rungs, rungs);
	spin_unlock(&helper_lock);
	return done;
}

/**
 * tbtf_helper_register() - TBTF_IOC_HELPER
 * @file: the open /dev/tbtf
 * @uarg: for which rungs
 *
 * Context: may sleep.
 * Return: 0; -EFAULT; -EINVAL for an unknown bit or none; -EBUSY when there is a
 * helper; -ENOSPC and -ENOMEM as tbtf_mark_set().
 */
long tbtf_helper_register(const struct file *file, struct tbtf_helper __user *uarg)
{
	struct tbtf_helper args;
	u32 role, flags;
	long err;

	if (copy_from_user(&args, uarg, sizeof(args)))
		return -EFAULT;
	if (!args.rungs || (args.rungs & ~(TBTF_RUNG_STEAL | TBTF_RUNG_PRINT)) ||
	    args.reserved[0] || args.reserved[1] || args.reserved[2])
		return -EINVAL;
	if (registered(file, args.rungs, &err))
		return err;
	tbtf_mark_get(task_tgid(current), &role, &flags);
	if (role != TBTF_ROLE_TBTF) {
		err = tbtf_mark_set(current, TBTF_ROLE_SPARE, 0);
		if (err)
			return err;
	}
	spin_lock(&helper_lock);
	err = tbtf_helper_pid ? -EBUSY : 0;
	if (!err) {
		helper_file = file;
		helper_role = role == TBTF_ROLE_TBTF ? TBTF_ROLE_INHERIT : role;
		WRITE_ONCE(tbtf_helper_pid, get_pid(task_tgid(current)));
		WRITE_ONCE(tbtf_helper_rungs, args.rungs);
	}
	spin_unlock(&helper_lock);
	if (err && role != TBTF_ROLE_TBTF)
		tbtf_mark_set(current, role, 0);
	if (!err) {
		pr_info("%d (%s) is the helper\n", task_tgid_nr(current), current->comm);
		tbtf_wait_wake();
	}
	return err;
}

static struct tbtf_ask *first_unread(void)
{
	struct tbtf_ask *ask;

	lockdep_assert_held(&helper_lock);
	list_for_each_entry(ask, &open_asks, list)
		if (ask->state == TBTF_ASK_UNREAD)
			return ask;
	return NULL;
}

static struct tbtf_ask *find_open(u64 id)
{
	struct tbtf_ask *ask;

	lockdep_assert_held(&helper_lock);
	list_for_each_entry(ask, &open_asks, list)
		if (ask->id == id)
			return ask;
	return NULL;
}

static void fill_request(struct tbtf_request *req, const struct tbtf_ask *ask)
{
	const struct tbtf_episode *ep = ask->episode;

	*req = (struct tbtf_request) {
		.version = TBTF_REQUEST_VERSION,
		.size = sizeof(*req),
		.id = ask->id,
		.episode = ep->id,
		.rung = ask->rung,
		.scope = ep->scope,
		.scope_cgroup = ep->scope == TBTF_SCOPE_MEMCG ? ep->key : 0,
		.wanted_kb = ask->wanted_kb,
		.deadline_ns = ask->deadline_ns,
		.protected_kb = ask->whom.size_kb,
		.pid = ask->whom.pid,
		.flags = ask->flags,
		.cgroup = ask->whom.cgroup,
	};
	memcpy(req->comm, ask->whom.comm, sizeof(req->comm));
}

/* 0: there is one, and it is PENDING now; -EAGAIN; -ENOTCONN. */
static int take_request(const struct file *file, struct tbtf_request *ret)
{
	struct tbtf_ask *ask;
	int err = -ENOTCONN;

	spin_lock(&helper_lock);
	if (helper_file == file) {
		ask = first_unread();
		err = ask ? 0 : -EAGAIN;
		if (ask) {
			fill_request(ret, ask);
			ask->state = TBTF_ASK_PENDING;
		}
	}
	spin_unlock(&helper_lock);
	return err;
}

/* Something to read, or no helper any more. */
static bool has_come(const struct file *file)
{
	bool ret;

	spin_lock(&helper_lock);
	ret = helper_file != file || first_unread();
	spin_unlock(&helper_lock);
	return ret;
}

/**
 * tbtf_helper_read() - read(2) of /dev/tbtf
 * @file: the open file
 * @buf: the caller's
 * @count: its size
 *
 * Context: may sleep.
 * Return: the size of a request; -EINVAL if there is no room for one; -ENOTCONN
 * if the file is not the helper's; -EAGAIN; -ERESTARTSYS; -EFAULT.
 */
ssize_t tbtf_helper_read(const struct file *file, char __user *buf, size_t count)
{
	struct tbtf_request req;
	struct tbtf_ask *ask;
	int err, signal;

	if (count < sizeof(req))
		return -EINVAL;
	/* Another thread may take it after the wait. */
	while ((err = take_request(file, &req)) == -EAGAIN) {
		if (file->f_flags & O_NONBLOCK)
			return err;
		signal = wait_event_interruptible_exclusive(helper_queue, has_come(file));
		if (signal)
			return signal;
	}
	if (err)
		return err;
	if (!copy_to_user(buf, &req, sizeof(req)))
		return sizeof(req);
	/* Nobody has seen it. */
	spin_lock(&helper_lock);
	ask = find_open(req.id);
	if (ask)
		ask->state = TBTF_ASK_UNREAD;
	spin_unlock(&helper_lock);
	return -EFAULT;
}

/**
 * tbtf_helper_poll() - poll(2) of /dev/tbtf
 * @file: the open file
 * @wait: as poll_wait() wants it
 *
 * Context: may sleep.
 * Return: EPOLLIN when there is a request; EPOLLERR and EPOLLHUP when the file is
 * not the helper's.
 */
__poll_t tbtf_helper_poll(struct file *file, struct poll_table_struct *wait)
{
	__poll_t mask;

	poll_wait(file, &helper_queue, wait);
	spin_lock(&helper_lock);
	if (helper_file != file)
		mask = EPOLLERR | EPOLLHUP;
	else
		mask = first_unread() ? EPOLLIN | EPOLLRDNORM : 0;
	spin_unlock(&helper_lock);
	return mask;
}

/**
 * tbtf_helper_answer() - TBTF_IOC_ANSWER
 * @file: the open /dev/tbtf
 * @uarg: the answer
 *
 * Context: may sleep.
 * Return: 0; -EFAULT; -EINVAL; -ESRCH if there is no such request (any more);
 * -ENOTCONN if the file is not the helper's.
 */
long tbtf_helper_answer(const struct file *file, struct tbtf_answer __user *uarg)
{
	struct tbtf_answer args;
	struct tbtf_ask *ask;
	enum tbtf_rung rung = TBTF_RUNG_NONE;
	u64 episode = 0, ms = 0;
	bool granted;
	long err = 0;

	if (copy_from_user(&args, uarg, sizeof(args)))
		return -EFAULT;
	if (args.reserved || args.result < TBTF_ANSWER_PENDING ||
	    args.result > TBTF_ANSWER_REFUSED || args.granted_kb > TBTF_GRANT_MAX_KB)
		return -EINVAL;
	granted = args.result == TBTF_ANSWER_GRANTED;
	if (granted != !!args.granted_kb)
		return -EINVAL;

	spin_lock(&helper_lock);
	ask = find_open(args.id);
	if (helper_file != file) {
		err = -ENOTCONN;
	} else if (!ask) {
		err = -ESRCH;
	} else if (args.result == TBTF_ANSWER_PENDING) {
		ask->state = TBTF_ASK_PENDING;
		tbtf_tell(answer, ask, TBTF_ANSWERED_PENDING);
	} else {
		episode = ask->episode->id;
		rung = ask->rung;
		ms = div_u64(ktime_get_ns() - ask->asked_ns, NSEC_PER_MSEC);
		if (granted) {
			ask->granted_kb = args.granted_kb;
			ask->brought_kb += args.granted_kb;
			ask->episode->given = ask->rung;
			end_ask(ask, TBTF_ASK_GRANTED, TBTF_ANSWERED_GRANTED);
		} else {
			end_ask(ask, TBTF_ASK_REFUSED, TBTF_ANSWERED_REFUSED);
		}
	}
	spin_unlock(&helper_lock);
	if (err || args.result == TBTF_ANSWER_PENDING)
		return err;

	if (granted) {
		tbtf_stat_inc(requests_granted);
		tbtf_stat_add(rung == TBTF_RUNG_STEAL ? TBTF_STAT_granted_kb :
			      TBTF_STAT_minted_kb, args.granted_kb);
		pr_info_ratelimited("episode %llu: the helper grants %llukB after %llums\n",
				    episode, args.granted_kb, ms);
	} else {
		tbtf_stat_inc(requests_refused);
		pr_info_ratelimited("episode %llu: the helper refuses after %llums\n", episode, ms);
	}
	tbtf_wait_wake();
	return 0;
}
