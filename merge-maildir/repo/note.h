/*
 * note.h -- what this member remembers of its contact with a peer: <gitdir>/maildir/peer/<name>.
 *
 * Lines "sent <id>", "contact <seconds>", "trouble <text>", "since <seconds>", "failed <seconds>" and "refused"; what is not known has no line, unknown lines are dropped. Nothing depends on it for being
 * right: without it a head is pushed once more than necessary, a delivery waits for a peer that is down, and status has less to tell.
 *
 * For programs without libgit2, too: gitdir is the path of the repository.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NOTE_H
#define NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/oid.h"

struct note {
	struct oid sent; /* zero: none */
	int64_t contact; /* seconds since 1970; 0: never */
	char *trouble;	 /* malloc'ed, one line; NULL: none */
	int64_t since;	 /* when the trouble began, seconds since 1970: the first of all failures that no success came after; 0: there is none */
	int64_t failed;	 /* the last of these failures */
	bool refused;	 /* the trouble is that our push was refused: that it lets us fetch is no success then */
};

/* note_read: what is there; a file that is missing or broken reads as nothing. note_release() frees. */
void note_read(struct note *n, const char *gitdir, const char *peer);
void note_release(struct note *n);
/* note_trouble: a failure at the time now, why in one line. note_no_trouble: a success. Both only change *n. */
void note_trouble(struct note *n, const char *why, bool refused, int64_t now);
void note_no_trouble(struct note *n);
/*
 * note_is_down: whether nobody should wait for this peer: it has failed for more than a minute, and a failure is so fresh that it says something of the present: where nobody tries, the
 * peer may be back for hours.
 */
bool note_is_down(const struct note *n, int64_t now);
/* note_write, note_remove: as far as they can; a full disk is no reason to fail a push that succeeded. */
void note_write(const struct note *n, const char *gitdir, const char *peer);
void note_remove(const char *gitdir, const char *peer);

#endif
