/*
 * merge_uids.h -- the UIDs of a merged store: which message of which folder has which.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MERGE_UIDS_H
#define MERGE_UIDS_H

#include "combine.h"
#include "err.h"
#include "store.h"

/*
 * merge_uids: adds the uidlists to out, whose messages are complete. c: the results, sorted by folder, and gone, sorted by where they were. Tells the number of fresh UIDs to ops->fresh.
 * A folder that no side has a list for gets none.
 */
int merge_uids(struct store *out, struct combine *c, struct err *err);

/* merge_uids_text: merges the lists alone, when nothing is known of messages: a line is what a message is. Any may be NULL. */
void merge_uids_text(struct bytes *out, const struct bytes *base, const struct bytes *a, const struct bytes *b);

#endif
