/*
 * prune.h -- which part of history is still needed: pure computation over a commit graph.
 *
 * History is cut at one commit, the newest that everything known descends from and that every way back leads through. Everything that a peer can still send descends from what was last received from it, so
 * whatever is merged later, all commits that the merge asks for (merge bases, the bases of several bases, the parents of a view) are the cut or newer than it: every
 * question has the answer that it had before. A merge never has one parent before the cut and one behind it. When all peers have the view that is HEAD, the view
 * itself is the cut: every later change descends from it, so nobody will ask for its parents again.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PRUNE_H
#define PRUNE_H

#include <stdint.h>

#include "../core/err.h"
#include "../core/mem.h"
#include "../core/oid.h"

struct prune_node {
	struct oid oid;
	int64_t time;
	size_t first, nparents; /* in prune_graph.parents */
};

struct prune_graph {
	struct prune_node *v; /* children before their parents */
	size_t n, cap;
	size_t *parents, nparents, parents_cap;
	size_t *sorted; /* by id */
};

#define PRUNE_NONE ((size_t)-1)

/*
 * prune_parse: adds the commits of "git rev-list --topo-order --timestamp --parents", lines "<time> <id> <parent>...". Parents that have no line are cut off already. ERR_FAIL when it is
 * no such list. prune_release() frees; fine on a zeroed graph.
 */
int prune_parse(struct prune_graph *g, const char *text, size_t len, struct err *err);
void prune_release(struct prune_graph *g);

/* prune_find: where a commit is in g->v, or PRUNE_NONE. */
size_t prune_find(const struct prune_graph *g, const struct oid *oid);

struct prune_cut {
	size_t at;	/* the commit to become the oldest; PRUNE_NONE: there is none, all is kept */
	size_t kept;	/* commits that are kept of those that the heads reach, the cut included */
	size_t dropped; /* those behind the cut */
};

/* Everything is older than this. */
#define PRUNE_ANY_AGE INT64_MAX

/*
 * prune_compute: the newest possible cut for these heads (positions in g->v): what is known here, and what was last received from each peer. The cut is older than before (PRUNE_ANY_AGE: it may be the
 * newest commit), and so is all behind it; no commit counts as younger than one that descends from it.
 */
void prune_compute(const struct prune_graph *g, const size_t *heads, size_t nheads, int64_t before, struct prune_cut *out);

/* prune_descends: whether a commit is at or descends from another. */
bool prune_descends(const struct prune_graph *g, size_t commit, size_t from);

#endif
