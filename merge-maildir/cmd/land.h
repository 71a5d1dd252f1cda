/*
 * land.h -- brings the Maildir, HEAD and the index to what a merge gave, in this order; and to its end what was killed in the middle of that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LAND_H
#define LAND_H

#include "record.h"
#include "update.h"

struct landing {
	struct update update;
	bool again; /* it brings to its end what was noted by another landing, which is not noted again: see land_finish() */
	struct oid tree; /* what HEAD is to say of the Maildir */
};

/*
 * land_prepare: the plan, and the tree for the commit that is to be made; rec->index is changed to that. The batch (NULL: for a look at l->update only, there is no tree then) is flushed, and gets the tree.
 * l is zeroed; land_release() frees in any case, before converge_release() and record_release().
 */
int land_prepare(struct landing *l, struct member *m, struct record_result *rec, const struct converge *c, struct objects_batch *batch, struct err *err);
/*
 * land: applies, and moves HEAD from old (NULL: it is not there yet) to the commit target, which has l->tree; why is for the reflog. ERR_AGAIN: the world moved underneath, the whole round is to be done
 * again; with settle only for a folder that is gone, see update_apply(). Whatever happens in between, a kill too, the next record finishes it, see applying.h.
 */
int land(struct landing *l, struct member *m, struct record_result *rec, struct objects_batch *batch, const struct oid *target, const struct oid *old, bool settle, const char *why,
	 struct err *err);
void land_release(struct landing *l);

/*
 * land_finish: brings an apply that did not come to its end to it; if there is none, nothing. What users did meanwhile becomes a change on top of what it was on its way to. The member is locked. For record_disk().
 */
int land_finish(struct member *m, struct err *err);

#endif
