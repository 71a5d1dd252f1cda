/*
 * walk.h -- short walks through the commit graph, so that the usual questions need no git process.
 *
 * Most questions of ancestry are about commits that are a few steps apart. A walk answers them by reading these few commits, and gives up with ERR_AGAIN, for the
 * caller to ask git, when it would have to read many. It knows .git/shallow, which libgit2 1.5 does not: a commit listed there has no parents.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WALK_H
#define WALK_H

#include "repo.h"

struct walk;

/* walk_begin: reads the shallow file. ERR_FAIL when it is broken. walk_end() frees; NULL is fine. */
int walk_begin(struct walk **w, struct repo *r, struct err *err);
void walk_end(struct walk *w);

/* walk_is_boundary: whether history was cut behind this commit. */
bool walk_is_boundary(const struct walk *w, const struct oid *commit);

/* walk_maximal: those of heads (no duplicates) that are ancestors of no other, ascending. ERR_AGAIN: too far; ERR_NOTFOUND: a commit is missing, its id is in the message. */
int walk_maximal(struct walk *w, const struct oids *heads, struct oids *out, struct err *err);

/* walk_bases: the best common ancestors of one and the union of others, ascending. Errors as above. */
int walk_bases(struct walk *w, const struct oid *one, const struct oids *others, struct oids *out, struct err *err);

#endif
