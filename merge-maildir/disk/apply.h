/*
 * apply.h -- carries out a plan on a live Maildir.
 *
 * Readers never see half a message, nor a message missing that only changed its name. The disk may differ from
 * what the plan expects, because mail servers went on working: a message is then looked up by its key, flags
 * are merged three-way with what is there, and what a user removed stays removed. What is then on disk and not
 * in the merged tree is a local change, which the next record takes. Every step can be done again after a
 * crash.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef APPLY_H
#define APPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/plan.h"
#include "disk.h"

struct apply_ops {
	void *ctx;
	/* Appends a blob's content to out. */
	int (*read)(void *ctx, const struct oid *oid, struct bytes *out, struct err *err);
	/* The id that content would have as a blob: to see whether a file is still what the plan expects. */
	void (*hash)(void *ctx, const void *buf, size_t len, struct oid *out);
	/*
	 * May be NULL. Whether the tree that is to be reached has a message at exactly this place. Asked when a
	 * message is not under its name and another with its key is: with this, one of two messages of one key
	 * is never taken for the other.
	 */
	bool (*wanted)(void *ctx, const char *folder, enum name_sub sub, const char *name);
	/*
	 * May be NULL. What a store says of a folder's UIDs or keywords: appends the content of its dovecot-uidlist
	 * (PATH_UIDLIST) or dovecot-keywords (PATH_KEYWORDS); before: in what was recorded here, else in what is to
	 * be reached. ERR_NOTFOUND if it has none.
	 */
	int (*imap)(void *ctx, const char *folder, enum path_class class, bool before, struct bytes *out, struct err *err);
	/* May be NULL. Something that a person should know, in words: "has more than 26 keywords: 'x' is left out". */
	void (*note)(void *ctx, const char *folder, const char *what);
	/* May be NULL. Called now and then. */
	void (*progress)(void *ctx, size_t done, size_t total);
};

struct apply_opts {
	bool flag_beats_delete; /* a message whose flags changed since is not deleted */
	/*
	 * The last attempt: UIDs that were given out here meanwhile do not stop the apply in any case (see uidlist_advance()).
	 */
	bool settle;
};

struct apply_result {
	size_t done;	/* steps that changed the disk */
	size_t already; /* steps whose effect was there */
	size_t differs; /* steps that met a change of somebody else: the next record has something to do */
	size_t moved;	/* of the plan's first steps, PLAN_MVFOLDER, how many are done */
	bool unmoved;	/* with ERR_AGAIN: it came from the next one, which this disk will never do: see MVDIR_CANNOT */
};

/*
 * apply_plan: all steps in order. Names in the plan have the letters for keywords of the stores' own maps; on disk
 * they have those of the folder's live map, which gets what it lacks. A folder's UIDs, keywords and messages change
 * under one lock: first the map and the list, then the names.
 *
 * ERR_AGAIN: UIDs were given out here meanwhile: record and merge again. That is found out before anything is done; what
 * comes later does not stop the apply any more. Or a folder that mail comes to was removed or renamed here meanwhile. Or a folder that is to be renamed as a whole is gone, or not alone any more, or
 * its new path is taken: that does in any case, so that the caller can go on with a plan that does not ask for it. Else it stops at the first error (disk full, a lock held for
 * too long). The disk is then somewhere between, every message is there in its old or its new form, and tmp/ is clean;
 * recording and merging again goes on from there. Content is written in tmp/ before a folder's lock is
 * taken, and the lock is held only for renames, links and unlinks.
 */
int apply_plan(struct disk *d, const struct plan *p, const struct apply_ops *ops, const struct apply_opts *opts,
	       struct apply_result *res, struct err *err);

#endif
