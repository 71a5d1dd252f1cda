/*
 * match.h -- which message of a side is which message of the base, and which additions of both sides are one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MATCH_H
#define MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"
#include "trio.h"

/* A message of one store. */
struct inst {
	const struct msg *msg; /* NULL: there is none */
	uint32_t home;	       /* the folder it is in */
	uint32_t folder;       /* where it is to be: home, or what the other side renamed that to */
};

struct insts {
	struct inst *v;
	size_t n, cap;
};

/* One message in its three instances: what a row of the merge's table is about. */
struct origin {
	struct inst at[SIDES];
};

struct origins {
	struct origin *v;
	size_t n, cap;
};

/* match_cmp: the order of everything here: by name, bytewise, then new/ before cur/. */
int match_cmp(const struct msg *a, const struct msg *b);
bool match_same_key(const struct msg *a, const struct msg *b);
/* match_same_path: the same name in the same of the two directories. */
bool match_same_path(const struct msg *a, const struct msg *b);

void match_add(struct insts *l, const struct inst *i);
struct origin *match_origin(struct origins *o);

/*
 * match_side: gives the origins that have no instance on this side yet one of those that came, in the order of
 * the passes in match.c. Both are sorted by folder, then by match_cmp(). Those that were found are taken out
 * of came.
 */
void match_side(struct origins *o, enum side side, struct insts *came);

/*
 * match_added: what came on either side becomes origins without a base: those on both sides that are one
 * message become one. Sorts both lists, and by where the messages are to be.
 */
void match_added(struct origins *o, struct insts *a, struct insts *b);

#endif
