/*
 * trio.h -- the folders of a merge: each as the base and the two sides have it, numbered in the order of their
 * paths.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TRIO_H
#define TRIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "keywords.h"
#include "marker.h"
#include "mem.h"
#include "merge.h"
#include "store.h"

/* The three stores of a merge. Nothing may depend on which side is called A and which B. */
enum side { SIDE_BASE, SIDE_A, SIDE_B };
#define SIDES 3
#define TRIO_NONE UINT32_MAX

static inline enum side trio_other(enum side s)
{
	return s == SIDE_A ? SIDE_B : SIDE_A;
}

/* The files of a folder that the merge knows by name. */
enum trio_file { TRIO_MARKER, TRIO_UIDS, TRIO_WORDS };
#define TRIO_FILES 3

struct trio {
	const char *path;
	const struct folder *mail[SIDES]; /* NULL: no messages */
	const struct file *file[SIDES][TRIO_FILES]; /* NULL: there is none */
	struct marker *parsed[SIDES];	  /* the marker's content once it was needed; equal markers share one */
	struct keywords *words;		  /* what letters mean in the merged folder, once that was needed: see merge_words.h */
	bool words_grew;		  /* words is more than was merged from the three files */
	uint32_t renamed_to[SIDES];	  /* what SIDE_A, SIDE_B call it now, or TRIO_NONE: see rename.h */
	uint32_t renamed_from;		  /* the other way round, for both sides */
};

struct trios {
	struct trio *v; /* sorted by path */
	size_t n, cap;
	const struct merge_ops *ops;
	struct arena arena;
};

/*
 * trio_list: all folders that have a message, a marker, a uidlist or a map of keywords on any of the three sides. t is zeroed;
 * trio_release() frees.
 */
void trio_list(struct trios *t, const struct store *const in[SIDES], const struct merge_ops *ops);
void trio_release(struct trios *t);

/* trio_has: whether that side has anything of the folder, as far as the stores show. */
bool trio_has(const struct trio *t, enum side side);

/* trio_file_path: the path of such a file in a folder, in an arena. */
const char *trio_file_path(struct arena *a, const char *folder, enum trio_file which);

/* A file of a folder on one side: under the folder's name, or under the one that it had before it was renamed. */
struct trio_version {
	const struct file *file; /* NULL: there is none */
	enum side side;
	uint32_t folder; /* whose it is */
};

struct trio_version trio_version(const struct trios *t, uint32_t folder, enum side side, enum trio_file which);
/* trio_pick: the one of three contents that stands if no two of them are to be mixed; else, or if there is none, NULL. A side that has none is of the other's opinion. */
const struct oid *trio_pick(const struct trio_version v[SIDES]);

/*
 * trio_marker: the content of a folder's marker on that side, an empty one if it has none. Read when it is
 * first asked for: most merges need none, and the marker of an imported folder has a line for each of its
 * messages.
 */
int trio_marker(struct trios *t, enum side side, uint32_t folder, const struct marker **out, struct err *err);
/* trio_mtime: the mtime of the message with this key in that folder on that side, -1 if it is not known. */
int trio_mtime(struct trios *t, enum side side, uint32_t folder, const struct msg *m, int64_t *out, struct err *err);

#endif
