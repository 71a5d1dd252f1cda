/*
 * stamps.h -- what the directories of the Maildir looked like when they were last recorded, so that a directory in which nothing changed is not read again.
 *
 * Kept in <gitdir>/maildir/stamps, for one tree: whoever moves HEAD by other means makes all of it void. It is a cache; losing it costs a scan.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STAMPS_H
#define STAMPS_H

#include "../disk/scan.h"
#include "../repo/repo.h"

struct stamps {
	struct stamps_entry {
		const char *folder;
		enum name_sub sub;
		struct scan_stamp stamp;
	} *v; /* sorted by folder and sub */
	size_t n, cap;
	struct arena arena;
};

/* stamps_load: the stamps of this tree; none when there is no file, it is broken, or it is about another tree. */
void stamps_load(struct stamps *s, struct repo *r, const struct oid *tree);
/* stamps_unchanged: for scan_opts; ctx is the struct stamps. */
bool stamps_unchanged(void *ctx, const char *folder, enum name_sub sub, const struct scan_stamp *stamp);
/*
 * stamps_save: keeps those directories of a scan that were stable (or unchanged) and that skip() does not name (may be NULL). Failing
 * to write is not an error.
 */
void stamps_save(struct repo *r, const struct oid *tree, const struct scan *scan,
		 bool (*skip)(void *ctx, const char *folder, enum name_sub sub), void *ctx);
void stamps_release(struct stamps *s);

#endif
