/*
 * converge.h -- from everything known to the one state that every member that knows it arrives at.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CONVERGE_H
#define CONVERGE_H

#include "../core/merge.h"
#include "history.h"
#include "tree.h"

/*
 * A merge as data: which commits, in which order, over which bases. Made from history alone, before any tree is read, so that all trees can be read side by side.
 */
struct converge {
	struct oids frontier;	 /* ascending */
	const struct store *head, *target; /* what is recorded here, and what it is to become; partial in the same way */
	size_t fresh; /* how many UIDs the merge gave out that no side had: then it is to be sealed, see history_view() */
	size_t lost;  /* how many names of keywords found no letter */
	struct converge_priv *priv;
};

/*
 * converge_frontier: the store that the frontier (ascending, not empty) merges to: folded in that order, each step over the best common ancestors, which are merged by the
 * same rule when there are several, and are empty when there are none. head_tree is what is recorded here (NULL: nothing). New blobs (markers, subscriptions) go to the batch; NULL: they are only hashed.
 * ERR_UNSAFE names the commit whose tree must not be used, in bad (may be NULL). c is zeroed; converge_release() frees in any case.
 */
int converge_frontier(struct converge *c, struct repo *r, const struct oids *frontier, const struct oid *head_tree, struct objects_batch *batch,
		      const struct merge_opts *opts, struct oid *bad, struct err *err);

/*
 * converge_pair: the same for a merge that git asked for: ours and theirs over bases (any number), compared with head_tree.
 */
int converge_pair(struct converge *c, struct repo *r, const struct oids *bases, const struct oid *ours, const struct oid *theirs,
		  const struct oid *head_tree, struct objects_batch *batch, const struct merge_opts *opts, struct err *err);

void converge_release(struct converge *c);

/* converge_text: a three-way merge of plain text by git's own rules, for merge_file_content(). 0 merged, 1 conflict. */
int converge_text(void *ctx, const struct bytes *base, const struct bytes *a, const struct bytes *b, struct bytes *out);

#endif
