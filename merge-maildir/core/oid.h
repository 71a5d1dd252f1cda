/*
 * oid.h -- an object id of git (SHA-1) as a value.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef OID_H
#define OID_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define OID_RAW 20
#define OID_HEX 40

struct oid {
	unsigned char h[OID_RAW];
};

static inline int oid_cmp(const struct oid *a, const struct oid *b)
{
	return memcmp(a->h, b->h, OID_RAW);
}

static inline bool oid_eq(const struct oid *a, const struct oid *b)
{
	return memcmp(a->h, b->h, OID_RAW) == 0;
}

/* oid_hex: writes 40 digits and a NUL to out and returns it. */
char *oid_hex(const struct oid *o, char out[OID_HEX + 1]);
/* oid_parse: reads 40 digits from s (what follows is not looked at). False if they are not that. */
bool oid_parse(struct oid *o, const char *s);
bool oid_is_zero(const struct oid *o);

/* A list of ids. Zero-initialise; oids_release() frees. */
struct oids {
	struct oid *v;
	size_t n, cap;
};

void oids_add(struct oids *l, const struct oid *o);
/* oids_sort: ascending, duplicates removed. */
void oids_sort(struct oids *l);
void oids_release(struct oids *l);

#endif
