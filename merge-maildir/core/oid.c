/*
 * oid.c -- an object id of git (SHA-1) as a value.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "oid.h"

#include <stdlib.h>

#include "mem.h"

char *oid_hex(const struct oid *o, char out[OID_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < OID_RAW; i++) {
		out[2 * i] = digits[o->h[i] >> 4];
		out[2 * i + 1] = digits[o->h[i] & 15];
	}
	out[OID_HEX] = '\0';
	return out;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool oid_parse(struct oid *o, const char *s)
{
	struct oid got;
	size_t i;

	for (i = 0; i < OID_RAW; i++) {
		int hi = hex_value(s[2 * i]);
		int lo = hi < 0 ? -1 : hex_value(s[2 * i + 1]);

		if (lo < 0)
			return false;
		got.h[i] = (unsigned char)(hi << 4 | lo);
	}
	*o = got;
	return true;
}

bool oid_is_zero(const struct oid *o)
{
	static const struct oid zero;

	return oid_eq(o, &zero);
}

void oids_add(struct oids *l, const struct oid *o)
{
	struct oid copy = *o; /* o may point into the list that grows */

	MEM_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = copy;
}

static int cmp(const void *a, const void *b)
{
	return oid_cmp(a, b);
}

void oids_sort(struct oids *l)
{
	size_t i, n = 0;

	if (l->n < 2)
		return;
	qsort(l->v, l->n, sizeof(*l->v), cmp);
	for (i = 0; i < l->n; i++)
		if (!n || !oid_eq(&l->v[n - 1], &l->v[i]))
			l->v[n++] = l->v[i];
	l->n = n;
}

void oids_release(struct oids *l)
{
	free(l->v);
	memset(l, 0, sizeof(*l));
}
