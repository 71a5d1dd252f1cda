/*
 * sync.h -- merge what is known, and apply it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SYNC_H
#define SYNC_H

#include "../repo/peer.h"
#include "record.h"

struct sync_outcome {
	bool recorded, merged; /* HEAD moved because of changes here; because of changes of others */
	bool held;	       /* record held something back, or a peer's head was refused: a person must look */
};

/*
 * sync_local: records, merges all heads that are known, applies, moves HEAD: everything but talking to peers. Takes the member's lock itself. With dry_run prints what it would record and
 * the plan. quiet: says nothing about what was done. When a folder
 * has lost its cur/ or new/ nothing is merged into the store, and held says so.
 */
int sync_local(struct member *m, bool dry_run, bool quiet, struct sync_outcome *out, struct err *err);

/*
 * sync_adopt: for a new member without a commit: takes over the state of the peers that were fetched, as it is. What an interrupted
 * run left on disk is found there. ERR_NOTFOUND when there is none.
 */
int sync_adopt(struct member *m, struct err *err);

#endif
