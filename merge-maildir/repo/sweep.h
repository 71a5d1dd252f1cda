/*
 * sweep.h -- drops the objects that nothing reaches any more, beside a member that goes on working.
 *
 * What is still reached is packed into one new pack, without any lock. Then, under the member's lock, which is held for some milliseconds, it is made sure that what became
 * reachable meanwhile is in that pack or newer than the start, and the packs and loose objects that were there at the start get other names; they
 * are removed afterwards. Killed anywhere, it leaves a repository in which everything is there, and perhaps twice.
 *
 * Programs that do not take our lock (git receive-pack, a commit by hand) write objects first and refer to them a little later. So what is unreachable and was never known to be
 * reachable before the cut stays if it is younger than ten minutes; after a cut of very many commits young loose objects stay in any case.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "repo.h"

struct sweep_result {
	uint64_t before, after; /* bytes of packs and loose objects */
	size_t spared;		/* unreachable objects that stay because they are young */
	int64_t held_us;	/* the longest time that the lock was held */
};

/*
 * sweep_objects: all is done by one process at a time (ERR_BUSY). now: young objects are not spared. ERR_NOSPACE: nothing was dropped.
 */
int sweep_objects(struct repo *r, bool now, struct sweep_result *out, struct err *err);

/* sweep_size: bytes of packs and loose objects now. */
uint64_t sweep_size(struct repo *r);

#endif
