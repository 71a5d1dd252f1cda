/*
 * pace.h -- when to act: how long a burst of changes is let settle, and how long to leave a peer alone that does not answer. Pure; times are milliseconds of one clock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_NEVER INT64_MAX
/* Under constant change something is recorded after this time at the latest, or after one settle time if that is longer. */
#define PACE_LONGEST 500

struct pace {
	bool dirty;
	int64_t first, last; /* change since the last time that was acted on, if dirty */
};

/* pace_touch: something changed. pace_done: what changed until now is acted on. */
void pace_touch(struct pace *p, int64_t now);
void pace_done(struct pace *p);
/* pace_due: when to act, or PACE_NEVER. */
int64_t pace_due(const struct pace *p, int64_t settle);

/* How it goes with a peer, or a host. */
struct retry {
	unsigned fails;	   /* in a row; 0: it answers */
	int64_t down_since; /* the first of them */
	int64_t next;	   /* not before */
};

/* retry_failed: the pause grows from a quarter of a second to two, and beyond with the time that it has been away, to half a minute. retry_ok: it answered. True if it had not before.
 * retry_now: it was heard of, so it may be asked at once. */
void retry_failed(struct retry *r, int64_t now);
bool retry_ok(struct retry *r);
void retry_now(struct retry *r);

#endif
