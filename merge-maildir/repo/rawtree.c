/*
 * rawtree.c -- the bytes of a git tree, entry by entry.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rawtree.h"

#include <stdio.h>
#include <string.h>

#define MODE_DIGITS_MOST 7

/* Old gits wrote 0100664, too: only the owner's x counts. */
static void set_mode(struct rawtree_entry *e, unsigned mode)
{
	switch (mode & 0170000) {
	case 0100000:
		e->kind = RAWTREE_FILE;
		e->mode = mode & 0100 ? 0100755 : 0100644;
		return;
	case 0040000:
		e->kind = RAWTREE_DIR;
		break;
	case 0120000:
		e->kind = RAWTREE_LINK;
		break;
	case 0160000:
		e->kind = RAWTREE_MODULE;
		break;
	default:
		e->kind = RAWTREE_UNKNOWN;
	}
	e->mode = mode & 0170000;
}

int rawtree_next(struct rawtree *t, struct rawtree_entry *e)
{
	const unsigned char *p = t->p, *nul;
	unsigned mode = 0, digits = 0;

	if (p == t->end)
		return 0;
	for (; p < t->end && *p >= '0' && *p <= '7' && digits < MODE_DIGITS_MOST; p++, digits++)
		mode = mode << 3 | (*p - '0');
	if (!digits || p == t->end || *p++ != ' ')
		return -1;
	nul = memchr(p, '\0', (size_t)(t->end - p));
	if (!nul || nul == p || t->end - nul <= OID_RAW)
		return -1;
	e->name = (const char *)p;
	e->len = (size_t)(nul - p);
	e->oid = (const struct oid *)(nul + 1);
	set_mode(e, mode);
	t->p = nul + 1 + OID_RAW;
	return 1;
}

/* The byte after the name, as the order has it. */
static unsigned char after(const struct rawtree_entry *e, size_t i)
{
	return i < e->len ? (unsigned char)e->name[i] : e->kind == RAWTREE_DIR ? '/' : '\0';
}

int rawtree_cmp(const struct rawtree_entry *a, const struct rawtree_entry *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int d = memcmp(a->name, b->name, n);

	if (d)
		return d;
	d = (int)after(a, n) - (int)after(b, n);
	/* "a/" as a name cannot be in a tree that git made; here it must only have a place. */
	return d ? d : (a->len > b->len) - (a->len < b->len);
}

void rawtree_add(struct bytes *tree, unsigned mode, const char *name, size_t len, const struct oid *oid)
{
	const char *digits = mode == 0100644 ? "100644 " : mode == 0040000 ? "40000 " : NULL;
	char odd[16];
	size_t n;
	char *p;

	if (!digits) {
		snprintf(odd, sizeof(odd), "%o ", mode);
		digits = odd;
	}
	n = strlen(digits);
	p = bytes_reserve(tree, n + len + 1 + OID_RAW);
	memcpy(p, digits, n);
	memcpy(p + n, name, len);
	p[n + len] = '\0';
	memcpy(p + n + len + 1, oid->h, OID_RAW);
	tree->len += n + len + 1 + OID_RAW;
}
