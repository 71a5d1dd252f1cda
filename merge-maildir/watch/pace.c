/*
 * pace.c -- when to act: how long a burst of changes is let settle, and how long to leave a peer alone that does not answer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "pace.h"

#define PAUSE_FIRST 250
/* A partition that ends must be over within seconds, also for those who tried in vain just now. */
#define PAUSE_USUAL 2000
/* Of a host that has been away for ten minutes nobody expects it within the second. */
#define PAUSE_SHARE 60
#define PAUSE_LONGEST 30000

void pace_touch(struct pace *p, int64_t now)
{
	if (!p->dirty)
		p->first = now;
	p->last = now;
	p->dirty = true;
}

void pace_done(struct pace *p)
{
	p->dirty = false;
}

int64_t pace_due(const struct pace *p, int64_t settle)
{
	int64_t longest = settle > PACE_LONGEST ? settle : PACE_LONGEST;

	if (!p->dirty)
		return PACE_NEVER;
	return p->last + settle < p->first + longest ? p->last + settle : p->first + longest;
}

void retry_failed(struct retry *r, int64_t now)
{
	int64_t pause = PAUSE_USUAL;

	if (!r->fails++)
		r->down_since = now;
	if (r->fails < 4)
		pause = PAUSE_FIRST << (r->fails - 1);
	if ((now - r->down_since) / PAUSE_SHARE > pause)
		pause = (now - r->down_since) / PAUSE_SHARE;
	r->next = now + (pause < PAUSE_LONGEST ? pause : PAUSE_LONGEST);
}

bool retry_ok(struct retry *r)
{
	bool was_down = r->fails != 0;

	*r = (struct retry){ 0 };
	return was_down;
}

void retry_now(struct retry *r)
{
	r->next = 0;
}
