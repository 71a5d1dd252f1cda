/*
 * pack.h -- writes many objects into one new pack.
 *
 * Objects are deflated by helper threads and by the caller, whoever has time; not more than a few
 * megabytes wait in memory. The pack has a temporary name that git gc knows until pack_finish().
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACK_H
#define PACK_H

#include "objects.h"

struct pack;

/* pack_open: starts a pack in objdir/pack/. NULL on failure. pack_abort: drops it with its file, and frees. */
struct pack *pack_open(const char *objdir, struct err *err);
void pack_abort(struct pack *p);

/*
 * pack_add: adds an object; data is malloc'ed and becomes the pack's, on failure too. An object may be
 * added only once.
 */
int pack_add(struct pack *p, enum objects_type type, const struct oid *oid, void *data, size_t len,
	     struct err *err);

/* pack_finish: makes the pack durable, gives it its name and its index, and frees p, on failure too. */
int pack_finish(struct pack *p, struct err *err);

#endif
