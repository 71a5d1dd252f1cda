/*
 * packidx.c -- the index of a pack: git's gitformat-pack(5), version 2.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "packidx.h"

#include <stdlib.h>

#include "objects.h"

/* An offset with this bit does not fit: it says which of the 8 byte offsets at the end is meant. */
#define OFFSET_LARGE 0x80000000u

static int by_oid(const void *a, const void *b)
{
	return oid_cmp(&((const struct packidx_entry *)a)->oid, &((const struct packidx_entry *)b)->oid);
}

static void add32(struct bytes *out, uint32_t x)
{
	unsigned char b[4];

	for (int i = 0; i < 4; i++)
		b[i] = (unsigned char)(x >> (24 - 8 * i));
	bytes_add(out, b, sizeof(b));
}

static void add_fanout(struct bytes *out, const struct packidx_entry *v, size_t n)
{
	size_t i = 0;

	for (unsigned first = 0; first < 256; first++) {
		while (i < n && v[i].oid.h[0] <= first)
			i++;
		add32(out, (uint32_t)i);
	}
}

void packidx_format(struct bytes *out, struct packidx_entry *v, size_t n, const unsigned char pack_sha1[20])
{
	size_t begin = out->len;
	unsigned char sha1[20];
	uint32_t large = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_oid);
	bytes_reserve(out, 8 + 256 * 4 + n * (20 + 4 + 4 + 8) + 40);
	bytes_add(out, "\377tOc\0\0\0\2", 8);
	add_fanout(out, v, n);
	for (size_t i = 0; i < n; i++)
		bytes_add(out, v[i].oid.h, OID_RAW);
	for (size_t i = 0; i < n; i++)
		add32(out, v[i].crc);
	for (size_t i = 0; i < n; i++)
		add32(out, v[i].at < OFFSET_LARGE ? (uint32_t)v[i].at : OFFSET_LARGE | large++);
	for (size_t i = 0; i < n; i++) {
		if (v[i].at < OFFSET_LARGE)
			continue;
		add32(out, (uint32_t)(v[i].at >> 32));
		add32(out, (uint32_t)v[i].at);
	}
	bytes_add(out, pack_sha1, 20);
	objects_sha1(out->buf + begin, out->len - begin, sha1);
	bytes_add(out, sha1, 20);
}
