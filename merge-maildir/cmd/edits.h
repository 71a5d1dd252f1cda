/*
 * edits.h -- from changes in words of mail to edits of git's index.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef EDITS_H
#define EDITS_H

#include "../core/change.h"
#include "../disk/disk.h"
#include "../repo/index.h"

struct edits {
	struct index_edit *v;
	size_t n, cap;
	struct arena arena; /* of paths */
};

/* edits_put, edits_remove: one edit. path is copied. st may be NULL (unknown). */
void edits_put(struct edits *e, const char *path, size_t len, const struct oid *oid, unsigned mode, const struct index_stat *st);
void edits_remove(struct edits *e, const char *path, size_t len);

/*
 * edits_from_changes: appends what a list of changes means for the index. With d, stat data comes from the disk: a file that is not there, or has not the size it should, stays
 * unknown, so that git looks at it. They are unique then.
 */
void edits_from_changes(struct edits *e, const struct changes *c, const struct disk *d);
/* edits_unique: sorts, and leaves one edit a path, as index_edit() wants it: what is removed as one thing and put as another is put. */
void edits_unique(struct edits *e);
void edits_release(struct edits *e);

#endif
