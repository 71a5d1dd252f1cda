/*
 * note.h -- what this member remembers of its contact with a peer: <gitdir>/maildir/peer/<name>.
 *
 * Lines "sent <id>", "contact <seconds>" and "trouble <text>"; what is not known has no line, unknown lines are dropped. Nothing depends on it for being right: without it a
 * head is pushed once more than necessary, and status has less to tell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NOTE_H
#define NOTE_H

#include <stdint.h>

#include "repo.h"

struct note {
	struct oid sent; /* zero: none */
	int64_t contact; /* seconds since 1970; 0: never */
	char *trouble;	 /* malloc'ed, one line; NULL: none */
};

/* note_read: what is there; a file that is missing or broken reads as nothing. note_release() frees. */
void note_read(struct note *n, const struct repo *r, const char *peer);
void note_release(struct note *n);
/* note_write, note_remove: as far as they can; a full disk is no reason to fail a push that succeeded. */
void note_write(const struct note *n, const struct repo *r, const char *peer);
void note_remove(const struct repo *r, const char *peer);

#endif
