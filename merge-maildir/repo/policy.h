/*
 * policy.h -- what the configuration of a member asks of a delivery: on how many peers a message must be, and what becomes of it otherwise.
 *
 * Read by one run of "git config", which takes a fraction of the time in which libgit2 would be started, and nevertheless as long as a whole delivery. So what it said is kept in
 * <gitdir>/maildir/policy, and holds as long as none of the files that git reads has changed; where that cannot be told, as with files that include others, it is not kept.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/err.h"

struct policy {
	char *name;	/* maildir.name: what this member is called */
	char **peers;	/* the names of its peers, sorted */
	size_t npeers;
	size_t ack;	/* maildir.ackPeers; default 1 if there are peers that the member pushes to by itself (maildir.autoPush), else 0 */
	int timeout;	/* maildir.ackTimeout, seconds; default 10 */
	bool defer;	/* maildir.ackFallback = defer; default accept */
};

/* policy_read: of the repository gitdir. ERR_NOTMEMBER: it has no name; ERR_ENV: git does not run, or the configuration cannot be read or holds nonsense. policy_release() frees. */
int policy_read(struct policy *p, const char *gitdir, struct err *err);
/* policy_parse: the same from what "git config -z --get-regexp" wrote: "<key>\n<value>\0" or "<key>\0" each. text[len] is NUL. */
int policy_parse(struct policy *p, const char *text, size_t len, struct err *err);
void policy_release(struct policy *p);

/* policy_number: a whole number of seconds, or of peers, up to a million; -1 if it is none. */
long policy_number(const char *s);
/* policy_fallback: "accept" or "defer". False if it is neither. */
bool policy_fallback(const char *s, bool *defer);

#endif
