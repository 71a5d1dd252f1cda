/*
 * trail.h -- the way back through history: what each change did to the mail, the newest first.
 *
 * Commits are compared with their parents by git itself, many pairs by one process: a tree of 20,000 messages is stored as a delta to its
 * neighbour, and git keeps what it unpacked last, which libgit2 does not do with large trees.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TRAIL_H
#define TRAIL_H

#include "../core/change.h"
#include "converge.h"
#include "repo.h"

struct trail_commit {
	struct oid oid, tree;
	int64_t time; /* of the committer: seconds since 1970 */
	char *author; /* "Name <mail>"; bytes of a peer */
	struct oids parents; /* none at the boundary of a shallow repository */
	bool view;	/* merged, no change: see history.h */
	bool boundary;	/* history was cut behind it: what it changed is not known */
};

struct trail {
	struct trail_commit *v; /* all that the head reaches, children before parents, otherwise by time, the newest first */
	size_t n, cap;
	struct trail_priv *priv;
};

/* trail_open: reads the commits that head reaches. t is zeroed; trail_release() frees in any case. ERR_NOTFOUND when one is missing that should be there. */
int trail_open(struct trail *t, struct repo *r, const struct oid *head, struct err *err);
void trail_release(struct trail *t);

/* What one commit did. */
struct trail_step {
	const struct trail_commit *commit;
	struct changes changes;
};

/*
 * trail_next: the next commit that is a change and whose changes are known, and what it changed: against its parent (which may be a view),
 * against nothing if it is the first one, and a merge made by hand against what the merge of its parents would have been. 1, 0 at the end, or an
 * err_code. What the step points to is there until the next call.
 */
int trail_next(struct trail *t, const struct trail_step **step, struct err *err);

/* trail_oldest: the time from which on history is here, and whether it goes back to the first record. */
int64_t trail_oldest(const struct trail *t, bool *whole);

/*
 * trail_at: the state at a time (seconds since 1970): of the changes made until then those that are ancestors of no other, ascending; their merge is what the
 * store was. Empty: history does not go back so far.
 */
void trail_at(const struct trail *t, int64_t when, struct oids *frontier);

/* trail_blob: the blob that a tree has at a path. ERR_NOTFOUND if there is none. */
int trail_blob(struct repo *r, const struct oid *tree, const char *path, struct oid *blob, struct err *err);

#endif
