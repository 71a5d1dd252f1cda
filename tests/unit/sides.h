/*
 * sides.h -- stores for tests, written down as "<letter of the content> <path>".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SIDES_H
#define SIDES_H

#include <string.h>

#include "core/store.h"

/* A content is one letter; its id is that letter 20 times. */
static inline struct oid content(char letter)
{
	struct oid oid;

	memset(oid.h, letter, sizeof(oid.h));
	return oid;
}

static inline void side_add(struct store *s, const char *entry)
{
	struct oid oid = content(entry[0]);

	store_add_path(s, entry + 2, strlen(entry + 2), &oid, 0100644);
}

/* side: a sorted store of these entries, which end with NULL. */
static inline struct store side(const char *const *entries)
{
	struct store s = { 0 };

	while (*entries)
		side_add(&s, *entries++);
	store_sort(&s);
	return s;
}

#define SIDE(...) side((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING side((const char *const[]){ NULL })

#endif
