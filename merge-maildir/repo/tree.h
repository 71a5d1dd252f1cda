/*
 * tree.h -- git trees to stores.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TREE_H
#define TREE_H

#include "../core/store.h"
#include "repo.h"

struct tree_set; /* owns the raw trees whose names the stores borrow */

/*
 * tree_load: reads n trees (an id that is NULL stands for the empty tree) into n stores, side by side.
 * Directories that are equal in all n are left out of all: for a merge or a comparison they do not matter
 * (with n = 1 everything is read), but for cur/ and new/ of a folder whose maps of keywords are not equal: equal
 * names need not mean the same there. Directories inside cur/, new/ and everything PATH_IGNORED is
 * left out, too. out must be an array of n zeroed stores; they are sorted. The names live until
 * tree_release(), which is called after a failure, too; release the stores first. ERR_UNSAFE, with the
 * path and the reason, when a tree holds something that must never reach a disk (path_unsafe(), a
 * symbolic link, a submodule, the same name as file and as directory, a file named cur, new or tmp).
 * which (may be NULL) gets the position of the bad tree. ERR_NOTFOUND when an object is missing.
 */
int tree_load(struct store *out, const struct oid *const *ids, size_t n, struct repo *r,
	      struct tree_set **set, size_t *which, struct err *err);
void tree_release(struct tree_set *set);

/* tree_of: the tree of a commit. */
int tree_of(struct repo *r, const struct oid *commit, struct oid *tree, struct err *err);

#endif
