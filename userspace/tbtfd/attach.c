// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the kernel's nbd: devices are made, given a new connection, and taken away
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * By generic netlink, as the ioctls need a process that stays: with netlink the
 * kernel owns the connection, and neither the end of this daemon nor its crash
 * means anything to the swap on it. Runs in the thread of lenders.c.
 *
 * Each device carries "tbtf:LENDER:LEASE" as its backend identifier, which the
 * kernel shows in sysfs, and without which it takes no new connection for it.
 */
#include <errno.h>
#include <linux/nbd-netlink.h>
#include <linux/nbd.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "attach.h"
#include "proc.h"

#define BLOCK_SIZE	4096

struct tbtf_nbd {
	struct nl_sock *ask;
	struct nl_sock *listen;		/* LINK_DEAD is multicast */
	int family;
	int answered;			/* the index of an answer, or -1 */
	bool done;			/* the kernel has acknowledged, or refused: */
	int error;			/* 0, or its errno */
	int *dead;			/* where the callback of tbtf_nbd_dead() writes */
	size_t dead_max, dead_n;
};

static int from_nl(int err)
{
	switch (-err) {
	case NLE_SUCCESS:
		return 0;
	case NLE_EXIST:
	case NLE_BUSY:
		return -EBUSY;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
		return -EPERM;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr = genlmsg_attrdata(nlmsg_data(nlmsg_hdr(msg)), 0);
	int len = genlmsg_attrlen(nlmsg_data(nlmsg_hdr(msg)), 0);
	struct tbtf_nbd *nbd = arg;

	attr = nla_find(attr, len, NBD_ATTR_INDEX);
	if (attr)
		nbd->answered = (int)nla_get_u32(attr);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct tbtf_nbd *nbd = arg;

	(void)msg;
	nbd->done = true;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct tbtf_nbd *nbd = arg;

	(void)from;
	nbd->done = true;
	nbd->error = error->error;
	return NL_STOP;
}

static int on_dead(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *head = nlmsg_data(nlmsg_hdr(msg));
	struct tbtf_nbd *nbd = arg;
	struct nlattr *attr;

	if (head->cmd != NBD_CMD_LINK_DEAD)
		return NL_OK;
	attr = nla_find(genlmsg_attrdata(head, 0), genlmsg_attrlen(head, 0), NBD_ATTR_INDEX);
	if (attr && nbd->dead_n < nbd->dead_max)
		nbd->dead[nbd->dead_n++] = (int)nla_get_u32(attr);
	return NL_OK;
}

/**
 * tbtf_nbd_open() - find the kernel's nbd
 * @ret: where the handle goes
 *
 * Return: 0; -ENOENT: the module nbd is not loaded; -ENOMEM; or of netlink.
 */
int tbtf_nbd_open(struct tbtf_nbd **ret)
{
	struct tbtf_nbd *nbd = calloc(1, sizeof(*nbd));
	int group, err = -ENOMEM;

	if (!nbd)
		return -ENOMEM;
	nbd->ask = nl_socket_alloc();
	nbd->listen = nl_socket_alloc();
	if (!nbd->ask || !nbd->listen)
		goto out_close;
	err = from_nl(genl_connect(nbd->ask));
	if (!err)
		err = from_nl(genl_connect(nbd->listen));
	if (err)
		goto out_close;
	nbd->family = genl_ctrl_resolve(nbd->ask, NBD_GENL_FAMILY_NAME);
	group = genl_ctrl_resolve_grp(nbd->ask, NBD_GENL_FAMILY_NAME, NBD_GENL_MCAST_GROUP_NAME);
	err = -ENOENT;
	if (nbd->family < 0 || group < 0)
		goto out_close;
	nl_socket_disable_seq_check(nbd->listen);
	err = from_nl(nl_socket_add_membership(nbd->listen, group));
	if (!err)
		err = from_nl(nl_socket_set_nonblocking(nbd->listen));
	if (!err)
		err = from_nl(nl_socket_modify_cb(nbd->listen, NL_CB_VALID, NL_CB_CUSTOM,
						  on_dead, nbd));
	if (!err)
		err = from_nl(nl_socket_modify_cb(nbd->ask, NL_CB_VALID, NL_CB_CUSTOM,
						  on_answer, nbd));
	if (!err)
		err = from_nl(nl_socket_modify_cb(nbd->ask, NL_CB_ACK, NL_CB_CUSTOM, on_ack, nbd));
	if (!err)
		err = from_nl(nl_socket_modify_err_cb(nbd->ask, NL_CB_CUSTOM, on_error, nbd));
	if (err)
		goto out_close;
	*ret = nbd;
	return 0;

out_close:
	tbtf_nbd_close(nbd);
	return err;
}

/**
 * tbtf_nbd_close() - forget the kernel's nbd; its devices stay
 * @nbd: the handle
 */
void tbtf_nbd_close(struct tbtf_nbd *nbd)
{
	nl_socket_free(nbd->ask);
	nl_socket_free(nbd->listen);
	free(nbd);
}

/**
 * tbtf_nbd_fd() - what can be polled for lost connections
 * @nbd: the handle
 *
 * Return: a descriptor; POLLIN: tbtf_nbd_dead() has something to say.
 */
int tbtf_nbd_fd(const struct tbtf_nbd *nbd)
{
	return nl_socket_get_fd(nbd->listen);
}

static int put_socket(struct nl_msg *msg, int socket)
{
	struct nlattr *all, *one;

	all = nla_nest_start(msg, NBD_ATTR_SOCKETS);
	one = all ? nla_nest_start(msg, NBD_SOCK_ITEM) : NULL;
	if (!one || nla_put_u32(msg, NBD_SOCK_FD, socket))
		return -ENOMEM;
	(void)nla_nest_end(msg, one);
	(void)nla_nest_end(msg, all);
	return 0;
}

/* Send @msg, wait for the kernel's answer. Takes the message in any case. */
static int ask(struct tbtf_nbd *nbd, struct nl_msg *msg)
{
	int err;

	nbd->answered = -1;
	nbd->done = false;
	nbd->error = 0;
	err = nl_send_auto(nbd->ask, msg);
	nlmsg_free(msg);
	/* An answer, if there is one, comes before the kernel acknowledges. */
	while (err >= 0 && !nbd->done)
		err = nl_recvmsgs_default(nbd->ask);
	return nbd->done ? nbd->error : from_nl(err);
}

static struct nl_msg *message(struct tbtf_nbd *nbd, uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nbd->family, 0, 0, command, 0)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/*
 * The kernel waits for as long as it is told to, not as long as we would. And it sends
 * through this socket what has to be sent for there to be memory.
 */
static int hand_over(int socket)
{
	struct timeval forever = { .tv_sec = 0 };

	if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)) ||
	    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever)))
		return -errno;
	return 0;
}

/**
 * tbtf_nbd_connect() - make a block device of an export
 * @nbd: the handle
 * @socket: after tbtf_nbd_go(); still to be closed by the caller
 * @export: what the server said
 * @times: how long the kernel waits
 * @backend: what the device shall be called in sysfs
 * @ret_index: N of /dev/nbdN
 *
 * Return: 0; -EBUSY: no device is free; -EPERM; -ENOMEM; -EIO.
 */
int tbtf_nbd_connect(struct tbtf_nbd *nbd, int socket, const struct tbtf_export *export,
		     const struct tbtf_nbd_times *times, const char *backend, int *ret_index)
{
	struct nl_msg *msg;
	int err;

	err = hand_over(socket);
	if (err)
		return err;
	msg = message(nbd, NBD_CMD_CONNECT);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u64(msg, NBD_ATTR_SIZE_BYTES, export->size) ||
	    nla_put_u64(msg, NBD_ATTR_BLOCK_SIZE_BYTES, BLOCK_SIZE) ||
	    nla_put_u64(msg, NBD_ATTR_SERVER_FLAGS, export->flags) ||
	    nla_put_u64(msg, NBD_ATTR_CLIENT_FLAGS, 0) ||
	    nla_put_u64(msg, NBD_ATTR_TIMEOUT, times->request_s) ||
	    nla_put_u64(msg, NBD_ATTR_DEAD_CONN_TIMEOUT, times->dead_s) ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, backend) ||
	    put_socket(msg, socket)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	err = ask(nbd, msg);
	if (err)
		return err;
	if (nbd->answered < 0)
		return -EIO;
	*ret_index = nbd->answered;
	return 0;
}

/**
 * tbtf_nbd_again() - give a device that lost its connection another one
 * @nbd: the handle
 * @index: of the device
 * @socket: after tbtf_nbd_go()
 * @backend: what it is called in sysfs
 *
 * What waits for the old connection goes out again on the new one.
 *
 * Return: 0; -EINVAL: the device is another's; -ENOSPC: it has a connection; or of netlink.
 */
int tbtf_nbd_again(struct tbtf_nbd *nbd, int index, int socket, const char *backend)
{
	struct nl_msg *msg;
	int err;

	err = hand_over(socket);
	if (err)
		return err;
	msg = message(nbd, NBD_CMD_RECONFIGURE);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NBD_ATTR_INDEX, index) ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, backend) ||
	    put_socket(msg, socket)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return ask(nbd, msg);
}

/**
 * tbtf_nbd_patience() - how long requests wait for a new connection from now on
 * @nbd: the handle
 * @index: of the device
 * @dead_s: how long
 * @backend: what it is called in sysfs
 *
 * Those that wait already go on as before.
 *
 * Return: 0; -EINVAL: the device is another's; or of netlink.
 */
int tbtf_nbd_patience(struct tbtf_nbd *nbd, int index, uint64_t dead_s, const char *backend)
{
	struct nl_msg *msg = message(nbd, NBD_CMD_RECONFIGURE);

	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NBD_ATTR_INDEX, index) ||
	    nla_put_string(msg, NBD_ATTR_BACKEND_IDENTIFIER, backend) ||
	    nla_put_u64(msg, NBD_ATTR_DEAD_CONN_TIMEOUT, dead_s)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return ask(nbd, msg);
}

/**
 * tbtf_nbd_disconnect() - take a device away from its export
 * @nbd: the handle
 * @index: of the device, which must not be in use
 *
 * Return: 0; or of netlink.
 */
int tbtf_nbd_disconnect(struct tbtf_nbd *nbd, int index)
{
	struct nl_msg *msg = message(nbd, NBD_CMD_DISCONNECT);

	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NBD_ATTR_INDEX, index)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return ask(nbd, msg);
}

/**
 * tbtf_nbd_dead() - which devices lost a connection since the last call
 * @nbd: the handle
 * @ret_index: their numbers
 * @max: so many at most
 *
 * Return: how many; -ENOBUFS: some notices were lost: look at all.
 */
int tbtf_nbd_dead(struct tbtf_nbd *nbd, int *ret_index, size_t max)
{
	int err;

	nbd->dead = ret_index;
	nbd->dead_max = max;
	nbd->dead_n = 0;
	do {
		err = nl_recvmsgs_default(nbd->listen);
	} while (!err);
	return err == -NLE_AGAIN ? (int)nbd->dead_n : -ENOBUFS;
}

static int read_sysfs(int index, const char *name, char *ret, size_t size)
{
	char path[64];
	int err;

	(void)snprintf(path, sizeof(path), "/sys/block/nbd%d/%s", index, name);
	err = tbtf_proc_text(path, ret, size);
	if (err)
		return err;
	ret[strcspn(ret, "\n")] = 0;
	return 0;
}

/**
 * tbtf_nbd_backend() - what a device is called in sysfs
 * @index: of the device
 * @ret: where it goes
 * @size: of @ret
 *
 * Return: 0; -ENOENT: there is no such device, or nothing is connected to it.
 */
int tbtf_nbd_backend(int index, char *ret, size_t size)
{
	return read_sysfs(index, "backend", ret, size);
}

/**
 * tbtf_nbd_connected() - has a device an export?
 * @index: of the device
 *
 * Return: whether; a connection that is lost and may come back counts.
 */
bool tbtf_nbd_connected(int index)
{
	char pid[16];

	return !read_sysfs(index, "pid", pid, sizeof(pid));
}
