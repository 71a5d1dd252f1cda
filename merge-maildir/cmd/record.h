/*
 * record.h -- disk to commit.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RECORD_H
#define RECORD_H

#include "../repo/index.h"
#include "compare.h"
#include "edits.h"
#include "member.h"

struct record_opts {
	bool dry_run;	    /* change nothing, neither on disk nor in the repository */
	bool allow_deletes; /* a person has confirmed a mass deletion */
	bool patient;	    /* whoever calls does it again soon when the result is unfinished */
	bool aside;	    /* for land_finish(): the commit is made, and in the result, but neither HEAD nor the index say so */
	bool full;	    /* look at size and mtime of every message, and read every directory */
	void (*progress)(void *ctx, size_t done, size_t total); /* messages read; may be NULL */
	void *ctx;
};

struct record_result {
	bool head_known;   /* there was or is a commit now */
	bool committed;	   /* there is a new one */
	bool changed;	   /* there was something to commit (also with dry_run) */
	struct oid head, tree; /* HEAD and its tree after it */
	struct bytes summary;  /* the commit message, when changed */
	struct index index;    /* the state of HEAD after it; with dry_run before it */
	struct edits edits;    /* what was done to the index, which borrows the paths */
	struct edits imap_edits; /* the same for UIDs and keywords */
	struct words words;
	struct compare compare; /* what was on disk */
	size_t messages;	/* recorded in HEAD before */
	size_t held;		/* deletions held back because they are too many */
	bool complete;		/* all that was seen on disk is in the tree now: nothing is held back, and nothing vanished before it was read */
	bool unfinished;	/* something was locked, or not at rest: another record would see more, even if nothing changes */
};

/*
 * record_disk: records what changed on disk as one commit on HEAD, after land_finish(). The member is locked. Nothing changed: no commit. Held back, and
 * said in the result: mass deletions, what is missing from a cur/ or new/ that is gone itself (compare.lost), what was not seen for certain (compare.waiting).
 * Writes marker files that are missing or whose dates changed. On failure HEAD did not move. record_release() frees in any case.
 */
int record_disk(struct member *m, const struct record_opts *opts, struct record_result *res, struct err *err);
void record_release(struct record_result *res);

/* record_write: adds to the batch a commit of this member. */
int record_write(struct member *m, struct objects_batch *batch, const struct oid *tree, const struct oids *parents, const struct bytes *message, struct oid *out, struct err *err);

/*
 * record_warn: tells on standard error what was held back and what is left alone. Returns whether anything was held back that a person must look at. record_warn_waiting: what was not seen for certain, where nobody
 * looks again by himself.
 */
bool record_warn(const struct member *m, const struct record_result *res);
void record_warn_waiting(const struct record_result *res);

/*
 * record_keep_stamps: remembers the directories of the scan as recorded in this tree, but for folders that touched() names (may be NULL). Nothing if the record is not complete: what is
 * held back would never be looked at again.
 */
void record_keep_stamps(struct member *m, const struct record_result *res, const struct oid *tree,
			bool (*touched)(void *ctx, const char *folder, enum name_sub sub), void *ctx);

#endif
