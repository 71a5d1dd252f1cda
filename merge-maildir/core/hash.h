/*
 * hash.h -- a small hash table from hashes to positions in an array of the caller's, who compares.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HASH_H
#define HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_table {
	struct hash_slot {
		uint32_t hash;
		uint32_t at; /* position + 1; 0: free */
	} *v;
	size_t mask;
};

/* hash_init: a table for at most n elements (fewer than 2^32 - 1). hash_release() frees. */
void hash_init(struct hash_table *t, size_t n);
void hash_release(struct hash_table *t);

uint32_t hash_bytes(const void *data, size_t len);

/* hash_add: notes that the element at this position has this hash. */
void hash_add(struct hash_table *t, uint32_t hash, size_t position);
/*
 * hash_next: the positions with this hash, one a call, in the order of adding; *it starts at 0. False when there are no more.
 */
bool hash_next(const struct hash_table *t, uint32_t hash, size_t *it, size_t *position);

#endif
