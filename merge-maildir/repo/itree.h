/*
 * itree.h -- the ids of the trees of an index: git's TREE extension.
 *
 * One node a directory, with its tree's id as long as no entry below it is edited. So after an edit only
 * the trees from there up to the root have to be made again.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ITREE_H
#define ITREE_H

#include "index.h"

struct itree {
	const char *name; /* the last component; "" for the root */
	uint32_t len;
	bool valid;   /* oid and n are what the entries say */
	size_t n;     /* entries below it, at any depth */
	struct oid oid;
	struct itree **sub; /* in git's order of trees */
	size_t nsub, cap;
};

/*
 * Nodes live in the arena. itree_new: an invalid node. itree_append: puts a node behind the others; they
 * have to come in git's order.
 */
struct itree *itree_new(struct arena *a, const char *name, size_t len);
void itree_append(struct arena *a, struct itree *t, struct itree *sub);

/* itree_parse: reads the extension's content. NULL if it is broken. itree_format: appends it to out. */
struct itree *itree_parse(struct arena *a, const unsigned char *buf, size_t len);
void itree_format(const struct itree *t, struct bytes *out);

/* itree_whole: whether all nodes are valid and the root has n entries. */
bool itree_whole(const struct itree *t, size_t n);

/* itree_invalidate: an entry was edited. */
void itree_invalidate(struct itree *t, const char *path, size_t len);

/*
 * itree_write: adds the trees of all nodes that are not valid to the batch, and makes them valid. v are
 * the n entries of the index.
 */
int itree_write(struct itree *t, struct arena *a, const struct index_entry *v, size_t n,
		struct objects_batch *b, struct err *err);

#endif
