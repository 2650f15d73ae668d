/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - how well the memory of protected processes can be compressed
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_SAMPLE_H
#define _TBTFD_SAMPLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct tbtf_sample - what the last sample has said
 * @pages: of how many pages; 0: there was none yet, or nobody is protected
 * @price: memory for a thousand of them (price.h)
 * @ns_per_kb: how long packing them took
 * @quit: the thread is to end
 * @wake: an eventfd: look at once
 * @thread: which samples
 */
struct tbtf_sample {
	_Atomic uint64_t ns_per_kb;
	atomic_uint pages, price;
	atomic_bool quit;
	int wake;
	pthread_t thread;
};

int tbtf_sample_start(struct tbtf_sample *sample);
void tbtf_sample_stop(struct tbtf_sample *sample);

#endif /* _TBTFD_SAMPLE_H */
