/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - zram devices of our own: made, known again, taken away
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_ZRAM_H
#define _TBTFD_ZRAM_H

#include "price.h"
#include "swap.h"

/* The label of the device on which pages are tried, which is never swap. */
#define TBTF_ZRAM_TRIAL		"tbtf-trial"

int tbtf_zram_add(uint64_t kb, const char *label);
int tbtf_zram_remove(int index);
int tbtf_zram_find(const char *label, int *ret, size_t max);
void tbtf_zram_device(int index, char ret[TBTF_DEVICE_LEN]);
int tbtf_zram_stat(int index, struct tbtf_zram_stat *ret);

#endif /* _TBTFD_ZRAM_H */
