/*
 * label.h -- the name of a message that two sides named differently: key, flags and the rest, each three-way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LABEL_H
#define LABEL_H

#include <stddef.h>

#include "mem.h"
#include "store.h"

/*
 * label_merge: the name and directory (sub) of the message that is base, a and b on the three sides; base may
 * be NULL: flags unite then. If only one side changed name or directory, that is the result, to the byte. If
 * both did, it is in cur/ if either is; the key is the one that changed, of two changed ones the smaller; each
 * flag three-way; what follows the flags likewise, of two changed ones the smaller. Of infos that are not
 * flags ("2,...") nothing is mixed: the smaller. A name that would be too long: the smaller of the two. If
 * keyof (a or b) is not NULL, the key is that one's whatever the others say, and its name is taken if the
 * merged one would be too long. Symmetric in a and b. The id in the result means nothing. New names are in the
 * arena.
 */
struct msg label_merge(struct arena *arena, const struct msg *base, const struct msg *a, const struct msg *b,
		       const struct msg *keyof);

/*
 * label_rekey: m under another key. If the name would be too long, what follows the flags is dropped, and then
 * the info.
 */
struct msg label_rekey(struct arena *arena, const struct msg *m, const char *key, size_t keylen);

#endif
