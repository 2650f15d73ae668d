/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the hypervisor's monitor, by QMP: what is asked, and what it answers
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_QMP_H
#define _TBTFD_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* A line, the list of all memory devices being the longest. */
#define TBTF_QMP_LINE		16384
/* What may come until a command is answered: events, and the answer. */
#define TBTF_QMP_BYTES		65536
#define TBTF_QMP_DEPTH		8
#define TBTF_QMP_WHY		128
#define TBTF_QMP_ID		48
#define TBTF_QMP_NAME		64
/* As many slots as any machine of QEMU's has. */
#define TBTF_QMP_DEVICES	256

enum tbtf_qmp_kind {
	TBTF_QMP_GREETING,
	TBTF_QMP_EVENT,
	TBTF_QMP_RETURN,
	TBTF_QMP_ERROR,
	TBTF_QMP_FOREIGN,	/* the answer to what somebody else has asked */
};

/**
 * struct tbtf_qmp_message - a line of the monitor's
 * @kind: what it is
 * @class: of TBTF_QMP_ERROR
 * @text: what that says, or as much of it as has room
 * @line: all of it, to be given back by tbtf_qmp_done()
 * @value: of TBTF_QMP_RETURN: what was returned, a part of @line
 */
struct tbtf_qmp_message {
	enum tbtf_qmp_kind kind;
	char class[TBTF_QMP_NAME];
	char text[TBTF_QMP_WHY];
	struct json_object *line;
	struct json_object *value;
};

/**
 * struct tbtf_qmp_device - a memory device of the hypervisor's
 * @virtio: virtio-mem; otherwise a DIMM
 * @id: "" if it has none
 * @at: where it is in the guest's memory
 * @size: bytes that the guest has
 * @requested: that it shall have; of a DIMM as @size
 * @max: that it may have; of a DIMM as @size
 */
struct tbtf_qmp_device {
	bool virtio;
	char id[TBTF_QMP_NAME];
	uint64_t at, size, requested, max;
};

/**
 * struct tbtf_qmp - a connection
 * @fd: -1: there is none
 * @asked: commands so far
 * @fill: of @text
 * @text: what has come and is not read yet
 * @why: what went wrong last
 */
struct tbtf_qmp {
	int fd;
	unsigned int asked;
	size_t fill;
	char text[TBTF_QMP_LINE];
	char why[TBTF_QMP_WHY];
};

int tbtf_qmp_parse(const char *line, size_t len, const char *id, struct tbtf_qmp_message *ret,
		   char why[TBTF_QMP_WHY]);
void tbtf_qmp_done(struct tbtf_qmp_message *message);
int tbtf_qmp_devices(struct json_object *value, struct tbtf_qmp_device *ret, size_t max,
		     char why[TBTF_QMP_WHY]);
int tbtf_qmp_open(struct tbtf_qmp *qmp, const char *path, int timeout_ms);
int tbtf_qmp_ask(struct tbtf_qmp *qmp, const char *command, const char *arguments, int timeout_ms,
		 struct tbtf_qmp_message *ret);
int tbtf_qmp_drain(struct tbtf_qmp *qmp);
void tbtf_qmp_close(struct tbtf_qmp *qmp);

#endif /* _TBTFD_QMP_H */
