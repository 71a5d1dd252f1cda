/*
 * merge.h -- the three-way merge of stores: pure, deterministic, symmetric, never a conflict.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MERGE_H
#define MERGE_H

#include <stdbool.h>

#include "err.h"
#include "mem.h"
#include "oid.h"
#include "store.h"

/*
 * What the merge asks of the object store, for the few files that are no messages. Each returns 0 or an
 * err_code.
 */
struct merge_ops {
	void *ctx;
	/* Appends the content of a blob to out. */
	int (*read)(void *ctx, const struct oid *oid, struct bytes *out, struct err *err);
	/* Stores content as a blob (or only computes its id when nothing is to be written). */
	int (*write)(void *ctx, const char *buf, size_t len, struct oid *oid, struct err *err);
	/*
	 * Merges the text of a plain file as git does; base may be NULL. 0: merged into out. 1: conflict, out
	 * unset.
	 */
	int (*text)(void *ctx, const struct oid *base, const struct oid *a, const struct oid *b, struct oid *out, struct err *err);
	/* May be NULL. This merge gave out n UIDs that no side had: clients will see them, and they must not be given out again. */
	void (*fresh)(void *ctx, size_t n);
	/* May be NULL. A keyword for which the folder has no letter left: messages lose it. */
	void (*full)(void *ctx, const char *folder, const char *keyword);
};

struct merge_opts {
	bool flag_beats_delete; /* maildir.deleteVsFlag = keep */
};

/*
 * merge_stores: merges a and b, which both came from base (an empty store if there is none), into out, which
 * is zeroed. The three are sorted, and are partial (see store.h) in the same way. Names in out are borrowed
 * from the inputs or live in out's arena; the inputs must outlive out. merge_stores(base, a, b) =
 * merge_stores(base, b, a) to the byte; merge_stores(base, a, a) = a; merge_stores(base, base, b) = b as long
 * as b holds no two messages under one path. On failure out is to be released all the same.
 */
int merge_stores(struct store *out, const struct store *base, const struct store *a, const struct store *b,
		 const struct merge_ops *ops, const struct merge_opts *opts, struct err *err);

/*
 * merge_file_content: the merge of one file that is no message, by its class (marker, UIDs, keywords, uidvalidity, subscriptions, plain):
 * what the merge driver and apply need. base may be NULL; a and b are there. 0: merged, the content appended
 * to out. 1: conflict (plain files only; out untouched). text merges plain files, and may be NULL: then two
 * different contents are a conflict.
 */
int merge_file_content(enum path_class class, const struct bytes *base, const struct bytes *a, const struct bytes *b,
		       int (*text)(void *ctx, const struct bytes *base, const struct bytes *a, const struct bytes *b, struct bytes *out),
		       void *ctx, struct bytes *out);

#endif
