/*
 * rawtree.h -- the bytes of a git tree, entry by entry.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RAWTREE_H
#define RAWTREE_H

#include <stddef.h>

#include "../core/mem.h"
#include "../core/oid.h"

/*
 * More entries than this in one tree and all below it is no mail store but an attack: a few hundred bytes
 * of nested trees can name billions of files.
 */
#define RAWTREE_ENTRIES_MOST ((size_t)20000000)

enum rawtree_kind { RAWTREE_FILE, RAWTREE_DIR, RAWTREE_LINK, RAWTREE_MODULE, RAWTREE_UNKNOWN };

struct rawtree_entry {
	const char *name; /* NUL-terminated, in the tree's bytes; not empty */
	size_t len;
	const struct oid *oid; /* likewise in the tree's bytes */
	enum rawtree_kind kind;
	unsigned mode; /* as git's index has it: 0100644, 0100755, 0120000, 0160000; 040000 for a directory */
};

struct rawtree {
	const unsigned char *p, *end;
};

/* rawtree_next: the next entry: 1, 0 at the end, or -1 when the bytes are no tree. */
int rawtree_next(struct rawtree *t, struct rawtree_entry *e);

/* rawtree_cmp: git's order of entries: bytewise, a directory as if its name ended in '/'. */
int rawtree_cmp(const struct rawtree_entry *a, const struct rawtree_entry *b);

/* rawtree_add: appends an entry to the bytes of a tree. */
void rawtree_add(struct bytes *tree, unsigned mode, const char *name, size_t len, const struct oid *oid);

#endif
