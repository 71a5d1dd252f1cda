/*
 * await.h -- waits until a message is on enough peers, and sees to it that somebody works on that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AWAIT_H
#define AWAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "../core/err.h"
#include "ack.h"

struct await {
	const char *gitdir;  /* the repository, */
	const char *maildir; /* its Maildir, */
	const char *program; /* and git-maildir: absolute paths */
	char *const *peers;  /* the peers that count */
	size_t npeers;
	size_t wanted;	     /* on so many of them */
	struct moment since; /* the message was in its place by then */
	int timeout;	     /* seconds */
	bool skip_down;	     /* do not wait for peers that are down (note_is_down()) */
	const volatile sig_atomic_t *stop; /* not 0: the time is up */

	/* What came of it. */
	size_t acked;	    /* peers that have it */
	struct err trouble; /* why nothing could be started, if that is so: code is not 0 */
};

/* await_start: sees to it that what is on disk now is recorded and pushed: nothing if a watcher is there, or a sync that has not begun to look; else one is started in the background. */
void await_start(struct await *w);

/*
 * await_peers: waits, and returns acked, when that is wanted or more, or as many as can be expected (skip_down), or the time is up. Looks again and again whether a watcher that was
 * there still is, and whether without one a sync should be started once more.
 */
size_t await_peers(struct await *w);

#endif
