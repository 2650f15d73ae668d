/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - the memory that is lent, one store a lease
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_STORE_H
#define _TBTFD_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a bit of @written stands for; that of every machine tbtf knows, or part of it. */
#define TBTF_STORE_PAGE	4096U
/* What its owner may write down about it, to find it in a later life. */
#define TBTF_STORE_NOTE	4064U

/**
 * struct tbtf_store - the memory of one lease
 * @base: where it is mapped
 * @size: bytes, whole pages
 * @fd: the memfd behind it: the data, the bits of @written, and a last page with a note
 * @tail: where all but the data is mapped; locked, as everything else here
 * @tail_size: of that
 * @written: a bit a page: it may hold something else than zeroes
 * @note: TBTF_STORE_NOTE bytes for the owner; zeroes at first
 * @refs: the lease has one, and each connection that serves it
 */
struct tbtf_store {
	char *base;
	uint64_t size;
	int fd;
	char *tail;
	uint64_t tail_size;
	_Atomic uint64_t *written;
	char *note;
	atomic_uint refs;
};

int tbtf_store_new(struct tbtf_store **ret, uint64_t size);
int tbtf_store_again(struct tbtf_store **ret, int fd);
struct tbtf_store *tbtf_store_get(struct tbtf_store *store);
void tbtf_store_put(struct tbtf_store *store);
void tbtf_store_end(struct tbtf_store *store);
int tbtf_store_prepay(struct tbtf_store *store, uint64_t from, uint64_t to);
uint64_t tbtf_store_written(const struct tbtf_store *store);
uint64_t tbtf_store_held(const struct tbtf_store *store);

void tbtf_store_writing(struct tbtf_store *store, uint64_t offset, uint64_t len);
void tbtf_store_trim(struct tbtf_store *store, uint64_t offset, uint64_t len);
void tbtf_store_zero(struct tbtf_store *store, uint64_t offset, uint64_t len, bool keep);
void tbtf_store_cache(struct tbtf_store *store, uint64_t offset, uint64_t len);
uint64_t tbtf_store_extent(const struct tbtf_store *store, uint64_t offset, uint64_t end,
			   bool *ret_written);

#endif /* _TBTFD_STORE_H */
