// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the memory that is lent, one store a lease
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * A store is a memfd. It is anonymous memory as any other, and may be swapped, but
 * it has what a mapping of /dev/zero lacks: fstat(2) says at once how much of it
 * there is, swapped or not; a hole is punched for certain, also in a huge page; and
 * its file descriptor can outlive the process (keep.c). What it lacks is the page of
 * zeroes for reading where nothing was written, so @written says where that is. Behind
 * the data the same memfd has these bits and a note of its owner's, so that it is all
 * there is to a lease, at any moment, also the one in which the process is killed.
 *
 * Nobody gets what was another's: each lease has a memfd of its own, new and empty.
 *
 * The operations on data may be called by any number of threads at once and take no
 * lock. What two of them do to the same bytes at the same time is as undefined as it
 * is in NBD; what they do to other bytes of the same page is not: bits are changed
 * one by one, and only whole pages are punched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23	/* of Linux 5.14, not of every C library's headers */
#endif

#define WORD_PAGES	64U

#define MAGIC		"tbtf store 1"

/* The last page of the memfd. */
struct last_page {
	char magic[16];
	uint64_t size;
	uint64_t reserved;
	char note[TBTF_STORE_NOTE];
};

_Static_assert(sizeof(struct last_page) == TBTF_STORE_PAGE, "it is a page");

static uint64_t pages(uint64_t bytes)
{
	return (bytes + TBTF_STORE_PAGE - 1) / TBTF_STORE_PAGE * TBTF_STORE_PAGE;
}

/* The bits, in whole words, and the last page. */
static uint64_t tail_size(uint64_t size)
{
	uint64_t words = (size / TBTF_STORE_PAGE + WORD_PAGES - 1) / WORD_PAGES;

	return pages(words * sizeof(uint64_t)) + TBTF_STORE_PAGE;
}

/*
 * The daemon has locked itself, and what it maps from then on; what it lends must
 * not be. A mapping that allows nothing is not populated, and once it is unlocked
 * it may be allowed everything.
 */
static int map(struct tbtf_store *store)
{
	store->base = mmap(NULL, store->size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, store->fd, 0);
	if (store->base == MAP_FAILED)
		return -errno;
	if (munlock(store->base, store->size) < 0 ||
	    mprotect(store->base, store->size, PROT_READ | PROT_WRITE) < 0)
		goto fail;
	/* For who looks at a core: there is much of it, and it is somebody else's. */
	(void)madvise(store->base, store->size, MADV_DONTDUMP);
	return 0;
fail:
	(void)munmap(store->base, store->size);
	return -errno;
}

static struct last_page *last_page(const struct tbtf_store *store)
{
	return (void *)(store->tail + store->tail_size - TBTF_STORE_PAGE);
}

/* Maps what is in @fd, which is as long as it has to be. */
static int open_store(struct tbtf_store **ret, int fd, uint64_t size)
{
	struct tbtf_store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->size = size;
	store->fd = fd;
	store->tail_size = tail_size(size);
	atomic_init(&store->refs, 1);
	store->tail = mmap(NULL, store->tail_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, size);
	if (store->tail == MAP_FAILED) {
		err = -errno;
		goto free_store;
	}
	(void)madvise(store->tail, store->tail_size, MADV_DONTDUMP);
	store->written = (void *)store->tail;
	store->note = last_page(store)->note;
	err = map(store);
	if (err < 0)
		goto unmap_tail;
	*ret = store;
	return 0;

unmap_tail:
	(void)munmap(store->tail, store->tail_size);
free_store:
	free(store);
	return err;
}

/**
 * tbtf_store_new - a store that holds nothing yet, and no memory
 * @ret: the store, with one reference
 * @size: bytes, a multiple of TBTF_STORE_PAGE, not 0
 *
 * Return: 0, or -ENOMEM, -EMFILE, -EAGAIN... of memfd_create(2), fallocate(2), mmap(2),
 * munlock(2).
 */
int tbtf_store_new(struct tbtf_store **ret, uint64_t size)
{
	int fd = memfd_create("tbtf-lent", MFD_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size + tail_size(size)) < 0 || fallocate(fd, 0, size, tail_size(size)) < 0)
		err = -errno;
	if (!err)
		err = open_store(ret, fd, size);
	if (err < 0) {
		(void)close(fd);
		return err;
	}
	memcpy(last_page(*ret)->magic, MAGIC, sizeof(MAGIC));
	last_page(*ret)->size = size;
	return 0;
}

/**
 * tbtf_store_again - a store of an earlier life
 * @ret: the store, with one reference: as it was, and with its note
 * @fd: its memfd; the store's from now on, if this succeeds
 *
 * Return: 0, or -EINVAL: it is none; or as tbtf_store_new().
 */
int tbtf_store_again(struct tbtf_store **ret, int fd)
{
	struct last_page last;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(last) ||
	    pread(fd, &last, sizeof(last), st.st_size - sizeof(last)) != sizeof(last) ||
	    memcmp(last.magic, MAGIC, sizeof(MAGIC)) || !last.size || last.size % TBTF_STORE_PAGE ||
	    last.size > (uint64_t)st.st_size || last.size + tail_size(last.size) != (uint64_t)st.st_size)
		return -EINVAL;
	return open_store(ret, fd, last.size);
}

/**
 * tbtf_store_get - one more who uses it
 * @store: the store, of which the caller knows that it has a reference
 *
 * Return: @store.
 */
struct tbtf_store *tbtf_store_get(struct tbtf_store *store)
{
	atomic_fetch_add_explicit(&store->refs, 1, memory_order_relaxed);
	return store;
}

/**
 * tbtf_store_put - one less who uses it; after the last it is gone
 * @store: the store, or NULL
 */
void tbtf_store_put(struct tbtf_store *store)
{
	if (!store || atomic_fetch_sub(&store->refs, 1) != 1)
		return;
	(void)munmap(store->base, store->size);
	(void)munmap(store->tail, store->tail_size);
	(void)close(store->fd);
	free(store);
}

static void punch(struct tbtf_store *store, uint64_t offset, uint64_t len)
{
	while (fallocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len) < 0 &&
	       errno == EINTR)
		;
}

/**
 * tbtf_store_end - give all of its memory back now
 * @store: the store, whose lease has ended
 *
 * Does not wait for who still serves it: their connections are being shut down, and
 * what they write until then goes with the last reference.
 */
void tbtf_store_end(struct tbtf_store *store)
{
	punch(store, 0, store->size);
}

/**
 * tbtf_store_prepay - have memory behind a part of it
 * @store: the store
 * @from: offset, a multiple of TBTF_STORE_PAGE
 * @to: end of the part, likewise
 *
 * Resident lending is prepaid: a borrower's page-out shall not wait for an allocation
 * of ours. It is filled with zeroes and mapped, so that nothing is left to do.
 * Takes about a quarter of a second per GiB; may be called while others use it.
 *
 * Return: 0, or -ENOMEM: there is none, or a cgroup's limit forbids it.
 */
int tbtf_store_prepay(struct tbtf_store *store, uint64_t from, uint64_t to)
{
	while (madvise(store->base + from, to - from, MADV_POPULATE_WRITE) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return -ENOMEM;
	}
	return 0;
}

/**
 * tbtf_store_held - how much memory there is behind it
 * @store: the store
 *
 * Return: bytes, resident or swapped.
 */
uint64_t tbtf_store_held(const struct tbtf_store *store)
{
	struct stat st;
	uint64_t bytes = fstat(store->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;

	return bytes > store->tail_size ? bytes - store->tail_size : 0;
}

/**
 * tbtf_store_written - how much of it may hold something else than zeroes
 * @store: the store
 *
 * Return: bytes.
 */
uint64_t tbtf_store_written(const struct tbtf_store *store)
{
	uint64_t n = 0;

	for (uint64_t page = 0; page < store->size / TBTF_STORE_PAGE; page += WORD_PAGES)
		n += __builtin_popcountll(atomic_load_explicit(&store->written[page / WORD_PAGES],
							       memory_order_relaxed));
	return n * TBTF_STORE_PAGE;
}

/* The bits of pages [@page, @end) that are in the word of @page. */
static uint64_t bits(uint64_t page, uint64_t end)
{
	uint64_t first = page % WORD_PAGES, n = end - page;
	uint64_t mask = n >= WORD_PAGES ? UINT64_MAX : (UINT64_C(1) << n) - 1;

	return mask << first;
}

static uint64_t next_word(uint64_t page)
{
	return (page / WORD_PAGES + 1) * WORD_PAGES;
}

/**
 * tbtf_store_writing - note that something is about to be written
 * @store: the store
 * @offset: where
 * @len: how much, not 0
 */
void tbtf_store_writing(struct tbtf_store *store, uint64_t offset, uint64_t len)
{
	uint64_t page = offset / TBTF_STORE_PAGE, mask;
	uint64_t end = (offset + len + TBTF_STORE_PAGE - 1) / TBTF_STORE_PAGE;

	for (; page < end; page = next_word(page)) {
		_Atomic uint64_t *word = &store->written[page / WORD_PAGES];

		mask = bits(page, end);
		/* Mostly it is set, and a line that is only read stays in all caches. */
		if (~atomic_load_explicit(word, memory_order_relaxed) & mask)
			atomic_fetch_or_explicit(word, mask, memory_order_relaxed);
	}
}

/*
 * Whole pages hold nothing any more, and their memory is given back. What was never
 * written is as it should be: if it was prepaid, it stays so.
 */
static void clear(struct tbtf_store *store, uint64_t page, uint64_t end)
{
	uint64_t at = page * TBTF_STORE_PAGE, to = end * TBTF_STORE_PAGE, next, mask;
	bool written;

	for (; at < to; at = next) {
		next = tbtf_store_extent(store, at, to, &written);
		if (!written)
			continue;
		page = at / TBTF_STORE_PAGE;
		end = next / TBTF_STORE_PAGE;
		for (; page < end; page = next_word(page)) {
			mask = bits(page, end);
			atomic_fetch_and_explicit(&store->written[page / WORD_PAGES], ~mask,
						  memory_order_relaxed);
		}
		punch(store, at, next - at);
	}
}

/**
 * tbtf_store_trim - the borrower does not need this any more
 * @store: the store
 * @offset: where
 * @len: how much, not 0
 *
 * The memory of whole pages that were written is free when this returns, and they
 * read as zeroes. The borrower's right to it remains: see the ledger.
 */
void tbtf_store_trim(struct tbtf_store *store, uint64_t offset, uint64_t len)
{
	uint64_t page = (offset + TBTF_STORE_PAGE - 1) / TBTF_STORE_PAGE;
	uint64_t end = (offset + len) / TBTF_STORE_PAGE;

	if (page < end)
		clear(store, page, end);
}

/* Part of a page, or pages that are to be kept. */
static void fill_zero(struct tbtf_store *store, uint64_t offset, uint64_t len)
{
	bool written;
	uint64_t end = offset + len, next;

	for (; offset < end; offset = next) {
		next = tbtf_store_extent(store, offset, end, &written);
		if (written)
			memset(store->base + offset, 0, next - offset);
	}
}

/**
 * tbtf_store_zero - this shall read as zeroes
 * @store: the store
 * @offset: where
 * @len: how much, not 0
 * @keep: do not give memory back
 */
void tbtf_store_zero(struct tbtf_store *store, uint64_t offset, uint64_t len, bool keep)
{
	uint64_t page = (offset + TBTF_STORE_PAGE - 1) / TBTF_STORE_PAGE;
	uint64_t end = (offset + len) / TBTF_STORE_PAGE;

	if (keep || page >= end) {
		fill_zero(store, offset, len);
		return;
	}
	fill_zero(store, offset, page * TBTF_STORE_PAGE - offset);
	clear(store, page, end);
	fill_zero(store, end * TBTF_STORE_PAGE, offset + len - end * TBTF_STORE_PAGE);
}

/**
 * tbtf_store_cache - this will be read soon
 * @store: the store
 * @offset: where
 * @len: how much, not 0
 *
 * What was swapped comes back, in the background.
 */
void tbtf_store_cache(struct tbtf_store *store, uint64_t offset, uint64_t len)
{
	uint64_t from = offset / TBTF_STORE_PAGE * TBTF_STORE_PAGE;

	(void)madvise(store->base + from, offset + len - from, MADV_WILLNEED);
}

/**
 * tbtf_store_extent - how far it is all written, or all not
 * @store: the store
 * @offset: from where, less than @end
 * @end: and where to stop looking
 * @ret_written: which of the two it is at @offset
 *
 * Return: the first offset where it is different, or @end.
 */
uint64_t tbtf_store_extent(const struct tbtf_store *store, uint64_t offset, uint64_t end,
			   bool *ret_written)
{
	uint64_t page = offset / TBTF_STORE_PAGE, word, flip;
	uint64_t last = (end + TBTF_STORE_PAGE - 1) / TBTF_STORE_PAGE;

	word = atomic_load_explicit(&store->written[page / WORD_PAGES], memory_order_relaxed);
	*ret_written = word >> (page % WORD_PAGES) & 1;
	flip = *ret_written ? UINT64_MAX : 0;
	for (;;) {
		word = (word ^ flip) & bits(page, last);
		if (word) {
			page = page / WORD_PAGES * WORD_PAGES + __builtin_ctzll(word);
			break;
		}
		page = next_word(page);
		if (page >= last)
			return end;
		word = atomic_load_explicit(&store->written[page / WORD_PAGES],
					    memory_order_relaxed);
	}
	return page * TBTF_STORE_PAGE < end ? page * TBTF_STORE_PAGE : end;
}
