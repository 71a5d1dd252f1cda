/*
 * hash.c -- a small hash table from hashes to positions: open addressing, linear probing, at most half full.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hash.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

void hash_init(struct hash_table *t, size_t n)
{
	size_t size = 16;

	while (size < 2 * n)
		size *= 2;
	t->v = mem_zalloc(size * sizeof(*t->v));
	t->mask = size - 1;
}

void hash_release(struct hash_table *t)
{
	free(t->v);
	t->v = NULL;
}

uint32_t hash_bytes(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;

	/* Eight bytes a step: names are around sixty bytes, and a folder has a hundred thousand. */
	while (len >= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
		p += 8;
		len -= 8;
	}
	w = 0;
	memcpy(&w, p, len);
	h = (h ^ w) * 0xc4ceb9fe1a85ec53u;
	return (uint32_t)(h ^ (h >> 32));
}

void hash_add(struct hash_table *t, uint32_t hash, size_t position)
{
	size_t i = hash & t->mask;

	while (t->v[i].at)
		i = (i + 1) & t->mask;
	t->v[i].hash = hash;
	t->v[i].at = (uint32_t)position + 1;
}

bool hash_next(const struct hash_table *t, uint32_t hash, size_t *it, size_t *position)
{
	for (;;) {
		const struct hash_slot *s = &t->v[(hash + *it) & t->mask];

		if (!s->at)
			return false;
		++*it;
		if (s->hash == hash) {
			*position = s->at - 1;
			return true;
		}
	}
}
