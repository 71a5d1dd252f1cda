/*
 * push.h -- HEAD to every peer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PUSH_H
#define PUSH_H

#include "../repo/peer.h"
#include "member.h"

enum push_flags {
	PUSH_QUIET = 1, /* say nothing but troubles */
	PUSH_ALWAYS = 2, /* ask peers that are known to have it, too */
	PUSH_BACKGROUND = 4 /* when another push of ours to a peer is under way, leave the work to that */
};

/* push_choose: the peers with these names, or all; ERR_NOTFOUND names one that is none. The caller frees *chosen and releases peers. */
int push_choose(struct member *m, char **names, size_t nnames, struct peers *peers, struct peer ***chosen, size_t *n, struct err *err);

/*
 * push_one: pushes to one peer, one push to it at a time. An error when it could not even try; else see result (its peer is NULL), which is zero when the work was left to another
 * push. Prints nothing. What the peer has now is noted for those who wait for it (ack.h). Not under the member's lock.
 */
int push_one(struct member *m, const char *name, int flags, struct peer_result *result, struct err *err);

/* push_peers: pushes to the peers named, or to all at the same time, one push to a peer at a time; tells troubles on standard error. Returns an exit
 * status. Not under the member's lock. */
int push_peers(struct member *m, char **names, size_t nnames, int flags, struct err *err);

#endif
