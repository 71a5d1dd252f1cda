/*
 * mvfolder.h -- folders that are the same in two stores but for their path: their directory can be renamed as a whole.
 *
 * A folder that is built anew under its new path, and removed under the old one, leaves behind what comes to the old one
 * meanwhile, in a folder whose UIDVALIDITY clients of other members know with other UIDs. A directory that is renamed takes
 * along what came before, and what comes after finds no folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MVFOLDER_H
#define MVFOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "change.h"
#include "mem.h"
#include "store.h"

struct mvfolder {
	const char *from, *to; /* paths, in the arena */
};

struct mvfolders {
	struct mvfolder *v; /* sorted by to: what is above comes before what is below */
	size_t n, cap;
	struct arena arena;
};

struct mvfolder_facts {
	void *ctx;
	/* The id in the folder's marker, before (in from) or after (in to); "" if none is known. Good until ctx is gone. */
	const char *(*id)(void *ctx, bool before, const char *folder);
	/* Whether nothing speaks against it: both are one and the same mailbox, as their lists of UIDs say, and a disk can do it. */
	bool (*same)(void *ctx, const char *from, const char *to);
};

/*
 * mvfolder_find: which folders of c->from became others of c->to as a whole. The marker of the one is in from only, that of
 * the other in to only; neither is the root; they have the same id, or there are messages that moved from the one to the
 * other. Of several that would do, one with the same id, then the one that most messages moved to; each folder is in one pair at most. Nothing else of
 * these paths, nor below them, may be in the stores: neither in to of the one, nor in from of the other, nor more in from
 * than the folder's own messages and files; what a partial store leaves out is for same() to know. out is zeroed;
 * mvfolders_release() frees.
 */
void mvfolder_find(struct mvfolders *out, const struct changes *c, const struct mvfolder_facts *facts);

/*
 * mvfolder_store: a copy of from, sorted, in which all that is in folders that were renamed has its new path. out is zeroed.
 * It borrows from from and from m.
 */
void mvfolder_store(struct store *out, const struct store *from, const struct mvfolders *m);

void mvfolders_release(struct mvfolders *m);

#endif
