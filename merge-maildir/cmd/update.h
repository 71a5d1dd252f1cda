/*
 * update.h -- brings the live Maildir, and then the index, from what is recorded to what a merge gave.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UPDATE_H
#define UPDATE_H

#include "../core/mvfolder.h"
#include "../core/plan.h"
#include "../disk/apply.h"
#include "../repo/converge.h"
#include "../repo/index.h"
#include "edits.h"
#include "member.h"

struct update {
	struct member *m;
	struct changes changes; /* from what is recorded to the target: what the tree and the index are told */
	struct mvfolders moves; /* folders that are renamed as a whole, */
	struct store moved;	/* what is recorded, as it is after that, */
	struct changes rest;	/* and what is to be done then; empty without moves */
	struct plan plan;
	struct apply_result applied;
	struct edits tree_edits, index_edits; /* the index borrows their paths */
	struct update_facts *facts;
};

/*
 * update_prepare: what differs between converge's head and target, and the plan for it. Reads markers of the target from blobs,
 * which must have been flushed, or from the batch when it is not NULL (it is flushed then). u is zeroed; update_release() frees in any case, before
 * converge_release() and after the index was released.
 */
int update_prepare(struct update *u, struct member *m, const struct converge *c, struct objects_batch *batch, struct err *err);
/* update_print: the plan on standard output, one step a line. */
void update_print(const struct update *u);
/* update_tree: the tree that the index gets by these changes; written to the batch. The index knows nothing of the new files yet. */
int update_tree(struct update *u, struct index *ix, struct objects_batch *batch, struct oid *tree, struct err *err);
/*
 * update_apply: carries out the plan. What the plan needs must be flushed. ix is the index, before or after update_tree(). ERR_AGAIN: UIDs that the merge gives out were given out here meanwhile; not with
 * settle: then messages have other UIDs here than in the merge, which the next record takes for a change. Likewise when a folder cannot be renamed as a whole any more; then, with
 * settle, it is built anew and the old one removed. And, with settle as well, when a folder that mail comes to was removed or renamed.
 */
int update_apply(struct update *u, const struct index *ix, bool settle, struct err *err);
/*
 * update_index: tells the index about the files as they are on disk now, and saves it. ERR_BUSY when git holds the index: it is
 * out of step then, which whoever reads it next sees.
 */
int update_index(struct update *u, struct index *ix, struct err *err);
/* update_touched: whether the plan changes this directory: for record_keep_stamps(). ctx is the struct update. */
bool update_touched(void *ctx, const char *folder, enum name_sub sub);
void update_release(struct update *u);

/*
 * update_moved: which folders an apply from one tree to the other has renamed as a whole already, as the markers on disk say. out is zeroed; mvfolders_release() frees.
 */
int update_moved(struct member *m, const struct oid *from, const struct oid *to, struct mvfolders *out, struct err *err);

#endif
