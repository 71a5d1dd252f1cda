/*
 * merge_words.h -- what the letters for keywords mean on each side of a merge, and in its result.
 *
 * A letter is only an index into the map of its folder, and two sides can have given one letter to two names. So before anything is compared, the names of messages get the letters of the merged map of their
 * folder; and a message that goes to another folder gets that one's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MERGE_WORDS_H
#define MERGE_WORDS_H

#include "combine.h"
#include "err.h"
#include "match.h"
#include "store.h"
#include "trio.h"

/* merge_words_unify: from here on the letters in t's lists of messages are those of the merged maps; lists in which that changes a name are copied into the arena. */
int merge_words_unify(struct trios *t, struct arena *arena, struct err *err);
/* merge_words_collect: the maps of folders get the names that messages which come from other folders bring along. o: all that were matched, and redirected. */
int merge_words_collect(struct trios *t, const struct origins *o, struct err *err);
/* merge_words_local: the message with the letters of that folder: itself, or a copy in the arena. After merge_words_collect(). */
const struct msg *merge_words_local(const struct trios *t, struct arena *arena, const struct inst *i, uint32_t folder);
/* merge_words_put: adds the maps of all folders that exist to out, whose messages are complete. */
int merge_words_put(struct store *out, struct trios *t, struct err *err);

/* merge_words_text: merges the maps alone. Any may be NULL. */
void merge_words_text(struct bytes *out, const struct bytes *base, const struct bytes *a, const struct bytes *b);

#endif
