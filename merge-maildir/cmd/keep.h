/*
 * keep.h -- what stays recorded although it is not on disk: messages of which nobody knows yet what became, and those whose deletion a person has to confirm.
 *
 * A message stays in its folder. Where this is not on disk either, its marker, its lists and its files stay with it, because a tree with a message in it has the folder. Where
 * it was renamed, which its marker tells, the message goes along: else there were two folders with one id, the others would not
 * see that one became the other, and what came to it there would stay behind.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef KEEP_H
#define KEEP_H

#include "../core/hash.h"
#include "compare.h"
#include "fresh.h"

struct keep {
	const struct index *ix;
	bool *stays; /* by position in the index: a message that stays recorded */
	struct keep_folder {
		const char *path; /* not terminated */
		size_t len;
		bool gone;	/* it is not on disk under this name */
		const char *to; /* where its marker is now; NULL: nowhere */
	} *v;		/* those that messages of stay */
	size_t n;
	struct hash_table by_path;
	struct arena arena;
};

/* keep_init: nothing stays. keep_message: a message, by its position in the index, stays. keep_release() frees. */
void keep_init(struct keep *k, const struct index *ix);
void keep_message(struct keep *k, size_t i);

/*
 * keep_folders: finds out what became of the folders of what stays; to be called when messages were added, before keep_as(). A message does not stay where something else has
 * got its path in a folder that was renamed. fresh: what was read of c->fresh.
 */
int keep_folders(struct keep *k, const struct compare *c, const struct fresh *fresh, struct repo *r, const struct disk *d, struct err *err);

/*
 * keep_as: the path under which an entry of the index that is not on disk stays recorded, or NULL; the entry's own one, the same pointer, where nothing changes. Good
 * until keep_release().
 */
const char *keep_as(struct keep *k, size_t i);
void keep_release(struct keep *k);

#endif
