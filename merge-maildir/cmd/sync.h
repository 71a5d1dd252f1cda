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
	bool unfinished;       /* record_result.unfinished, of the last record */
	bool held;	       /* record held something back, or a peer's head was refused: a person must look */
};

enum sync_flags {
	SYNC_DRY_RUN = 1, /* print what would be recorded, and the plan */
	SYNC_QUIET = 2,	  /* say nothing about what was done */
	SYNC_FULL = 4,	  /* record_opts.full */
	SYNC_AGAIN = 8,	  /* the caller does it again soon when it is unfinished, and needs not be told why */
	SYNC_BORN = 16	  /* not where nothing is recorded yet: there init or clone is at work, or has to be run again. ERR_NOTFOUND then */
};

/*
 * sync_local: records, merges all heads that are known, applies, moves HEAD: everything but talking to peers. Takes the member's lock itself. When a folder
 * has lost its cur/ or new/ nothing is merged into the store, and held says so.
 */
int sync_local(struct member *m, int flags, struct sync_outcome *out, struct err *err);

/* sync_fetch_one: fetches from one peer; an error when it could not even try, else see result (its peer is NULL). Prints nothing. */
int sync_fetch_one(struct member *m, const char *name, struct peer_result *result, struct err *err);

/*
 * sync_pause_ms: how long a member of this name waits before it pushes what it only merged. Every member makes that merge alike, and
 * the pauses differ, so that one of them tells the others, which then need not.
 */
long sync_pause_ms(const char *name);

/*
 * sync_adopt: for a new member without a commit: takes over the state of the peers that were fetched, as it is. What an interrupted
 * run left on disk is found there. ERR_NOTFOUND when there is none.
 */
int sync_adopt(struct member *m, struct err *err);

#endif
