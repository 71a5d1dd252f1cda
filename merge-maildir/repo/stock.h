/*
 * stock.h -- which packs and loose objects a repository has, and since when; and how to be rid of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STOCK_H
#define STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/err.h"
#include "../core/oid.h"

/* Objects that are not older than this may be about to be referred to. Seconds. */
#define STOCK_YOUNG 600

struct stock_pack {
	char *base; /* path without ".pack" */
	int64_t changed; /* its mtime, which git and libgit2 renew when somebody writes what is in it; nanoseconds */
	bool keep;
	struct oids ids; /* ascending; only where they were asked for */
};

struct stock_loose {
	struct oid oid;
	int64_t changed;
};

struct stock {
	char *objdir;
	struct stock_pack *packs;
	size_t npacks, packs_cap;
	struct stock_loose *loose;
	size_t nloose, loose_cap;
};

/* stock_read: what is in objects/ now. Packs with a .keep or .promisor file are to be kept. stock_release() frees. */
int stock_read(struct stock *s, const char *objdir, struct err *err);
void stock_release(struct stock *s);

/* stock_add_pack: adds pack-<name> in the directory packs, with its ids. stock_keep: a pack of this name is to be kept. */
int stock_add_pack(struct stock *s, const char *packs, const char *name, struct err *err);
void stock_keep(struct stock *s, const char *name);

/* stock_young: the loose and the packed objects of old that are not in made and were young at that time (seconds). False: none. */
bool stock_young(struct stock *old, const struct stock *made, int64_t started, struct oids *loose, struct oids *packed);
/* stock_subtract: removes from a sorted list what is in another one. */
void stock_subtract(struct oids *ids, const struct oids *less);

/* stock_rename_packs: gives the packs that are not to be kept, and that nobody has renewed, names that git does not know. stock_remove_renamed: removes them. */
int stock_rename_packs(struct stock *s, struct err *err);
void stock_remove_renamed(const char *objdir);

/* stock_remove_packed: removes loose objects that are in a pack of made. */
void stock_remove_packed(const struct stock *s, const struct stock *made);
/* stock_remove_loose: of count loose objects from position from on, removes those that are not in made nor in young, and that nobody has renewed. The position after them. */
size_t stock_remove_loose(const struct stock *s, const struct stock *made, const struct oids *young, size_t from, size_t count);

/* stock_remove_temporary: removes what killed programs left: temporary files, and halves of packs, that were not young at that time. */
void stock_remove_temporary(const char *objdir, int64_t started);

/* stock_empty: removes the files in a directory. stock_size: bytes of packs and loose objects. */
void stock_empty(const char *dir);
uint64_t stock_size(const char *objdir);

#endif
