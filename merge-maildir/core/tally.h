/*
 * tally.h -- what happened to each folder, counted.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "change.h"

/* What is counted of the messages of a folder, in the order in which it is told. */
enum tally_word {
	TALLY_DELIVERED,
	TALLY_ADDED,
	TALLY_SEEN,
	TALLY_UNSEEN,
	TALLY_ANSWERED,
	TALLY_UNANSWERED,
	TALLY_FLAGGED,
	TALLY_UNFLAGGED,
	TALLY_DRAFT,
	TALLY_NO_DRAFT,
	TALLY_PASSED,
	TALLY_NOT_PASSED,
	TALLY_MARKED,
	TALLY_UNMARKED,
	TALLY_KEYWORDS,
	TALLY_OPENED,
	TALLY_RENAMED,
	TALLY_CHANGED,
	TALLY_MOVED,
	TALLY_DELETED,
	TALLY_WORDS
};

/* What happened, in words for people: "delivered", "no longer flagged". */
extern const char *const tally_words[TALLY_WORDS];

/* One folder, and what happened to it. */
struct tally {
	const char *folder;
	size_t count[TALLY_WORDS];
	const struct file *created, *deleted; /* its marker, if that came or is gone */
	struct tally *became;		      /* what it is called now */
	bool was_other;			      /* it was called otherwise before */
	size_t targets, sources;	      /* how many folders it gave messages to, and had some from */
	struct tally *target;		      /* one that it gave messages to */
};

/* Messages that went from one folder to another. */
struct tally_move {
	struct tally *from, *to;
	size_t n;
};

struct tallies {
	struct tally *v; /* sorted by folder */
	size_t n;
	struct tally_move *moves; /* by from and to, each pair once; those of a renamed folder are left out */
	size_t nmoves, moves_cap;
};

/*
 * tally_changes: counts a list of changes. A folder that is gone became another if that one is new, and all
 * messages that moved out of the one moved to the other and are all that moved there; if none moved, if
 * both have the same marker, which holds the folder's id. What else happened to its messages is then
 * counted for the new one. Pointers go into the changes, which must outlive t. tally_release() frees.
 */
void tally_changes(struct tallies *t, const struct changes *c);
void tally_release(struct tallies *t);

#endif
