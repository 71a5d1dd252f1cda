/*
 * combine.h -- what becomes of one message, given its three instances: the rows of the table in merge.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef COMBINE_H
#define COMBINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "match.h"
#include "mem.h"
#include "trio.h"

/*
 * The date of a result is what the markers say about its folder and key, merged as they are: nothing is to be
 * done for it.
 */
#define COMBINE_AS_MARKED INT64_MIN

/* A message of the merged store. */
struct result {
	struct msg msg;
	uint32_t folder;
	uint8_t held;  /* bits 1 << SIDE_A, 1 << SIDE_B: the side has this message in this folder under this key */
	bool away;     /* its key belongs to another content: it gets a derived one (clash.h) */
	bool dead;     /* became one with another */
	int64_t mtime; /* seconds since 1970, -1: not known, or COMBINE_AS_MARKED */
};

struct results {
	struct result *v;
	size_t n, cap;
};

#define COMBINE_BOTH (1 << SIDE_A | 1 << SIDE_B)

struct combine {
	struct trios *trios;
	const struct merge_opts *opts;
	struct arena *arena; /* for new names */
	bool no_dates;	     /* markers are taken as they are: all dates are COMBINE_AS_MARKED */
	struct results results;
	struct insts gone; /* instances of A and B whose message is not under their key in their folder any more */
};

/*
 * combine_run: appends what becomes of these messages to c's lists, in their order. combine_release() frees
 * them.
 */
int combine_run(struct combine *c, const struct origins *o, struct err *err);
void combine_release(struct combine *c);

/* combine_result: room for one more result, uninitialised. */
struct result *combine_result(struct results *r);

/* combine_marked_mtime: the date of a result that is COMBINE_AS_MARKED. */
int combine_marked_mtime(const struct combine *c, uint32_t folder, const struct msg *m, int64_t *out, struct err *err);

/* combine_mtime: the date of a message that has two of them and no base: the smaller that is known. */
int64_t combine_mtime(int64_t a, int64_t b);

#endif
