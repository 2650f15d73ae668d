/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - small files of /proc and /sys, and what both daemons want of them
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_PROC_H
#define _TBTFD_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/meminfo and /proc/self/status fit. */
#define TBTF_PROC_TEXT	8192

int tbtf_proc_text_at(int dir, const char *path, char *ret, size_t size);
int tbtf_proc_text(const char *path, char *ret, size_t size);
int tbtf_proc_write(const char *path, const char *text, int flags);
int tbtf_proc_field(const char *text, const char *name, uint64_t *ret);
uint64_t tbtf_proc_size_kb(pid_t pid);
int tbtf_proc_number(const char *path, uint64_t *ret);
int tbtf_proc_last_to_die(void);
int tbtf_proc_pressure(void);
uint64_t tbtf_proc_waited_us(void);

#endif /* _TBTFD_PROC_H */
