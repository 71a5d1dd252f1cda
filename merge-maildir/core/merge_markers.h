/*
 * merge_markers.h -- the markers of a merged store: which folders exist, who they are, and the odd dates.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MERGE_MARKERS_H
#define MERGE_MARKERS_H

#include "combine.h"
#include "err.h"
#include "store.h"

/*
 * merge_markers: adds the markers to out, whose messages are complete. c: the results, sorted by folder; gone
 * is sorted here. A folder has a marker if a message is in it, if one side made it, or if neither side deleted
 * it.
 */
int merge_markers(struct store *out, struct combine *c, struct err *err);

/* merge_markers_exists: whether the merged store, whose messages are complete, has the folder of that number. */
bool merge_markers_exists(const struct store *out, const struct trios *t, uint32_t folder);

#endif
