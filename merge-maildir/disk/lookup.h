/*
 * lookup.h -- finds a message of one folder by its key, when it is not under the name that was expected.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/hash.h"
#include "../core/mem.h"

struct lookup_entry {
	const char *name; /* NUL-terminated, in the lookup's arena: lives until lookup_clear() */
	uint8_t len;
	uint8_t keylen;
	uint8_t shortlen;
	uint8_t sub; /* enum name_sub */
	bool gone;
};

/* What is in cur/ and new/ of a folder, as far as it is a message. Zero-initialise. */
struct lookup {
	bool read;
	struct lookup_entry *v;
	size_t n, cap;
	size_t room; /* how many entries the tables have room for */
	struct hash_table bykey, byshort;
	struct arena arena;
};

/*
 * lookup_read: reads the two directories, sub[NAME_NEW] and sub[NAME_CUR], unless that is done already. When
 * they change meanwhile it reads them again, a few times: a readdir can miss a file that is being renamed. -1
 * with errno.
 */
int lookup_read(struct lookup *l, const int sub[2]);
/* lookup_clear: forgets it all, so that the next lookup_read() reads. Also frees. */
void lookup_clear(struct lookup *l);

/* lookup_next: the entries with this key, one a call; *it starts at 0. NULL when there are no more. */
struct lookup_entry *lookup_next(struct lookup *l, const char *key, size_t keylen, size_t *it);
/* lookup_short: the entry with this short key if there is exactly one, else NULL. */
struct lookup_entry *lookup_short(struct lookup *l, const char *key, size_t shortlen);

/*
 * lookup_came, lookup_left: keep it true to what the caller does in the directories. Nothing happens when it
 * has not been read. Entries stay where they are only until the next lookup_came().
 */
void lookup_came(struct lookup *l, unsigned sub, const char *name);
void lookup_left(struct lookup *l, unsigned sub, const char *name);

#endif
