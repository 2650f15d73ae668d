/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the conversation with the module: /dev/tbtf as its helper
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_KERNEL_H
#define _TBTFD_KERNEL_H

#include <linux/tbtf.h>
#include <stdbool.h>
#include <stdint.h>

int tbtf_kernel_open(uint32_t rungs);
int tbtf_kernel_read(int dev, struct tbtf_request *ret);
bool tbtf_kernel_local(int dev);
int tbtf_kernel_answer(int dev, uint64_t id, enum tbtf_answer_result result, uint64_t granted_kb);

#endif /* _TBTFD_KERNEL_H */
