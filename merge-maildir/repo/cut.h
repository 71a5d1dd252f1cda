/*
 * cut.h -- makes a repository shallow where prune.h says: reads its history, its peers and the user's own references, and writes the cut.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CUT_H
#define CUT_H

#include "peer.h"
#include "prune.h"
#include "repo.h"

struct cut_peer {
	char *name;
	bool known;   /* something was received from it: without that it has nothing in common with us, and needs nothing of our history */
	bool missing; /* the commit that it was last at is not in this repository: nobody can say what it needs */
	bool let_go;  /* silent for longer than maildir.peerMaxAge, and it would hold history back */
	struct oid head;
	int64_t contact; /* when it was last heard of; when that is not known, the date of its head */
	size_t holds;	 /* commits that are kept for its sake alone */
	struct oid without; /* if it holds some: where the cut would be without it */
};

struct cut {
	struct bytes refs; /* all references when this was computed: see cut_refs() */
	struct prune_graph graph;
	struct prune_cut cut;
	struct cut_peer *peers;
	size_t npeers;
	char **blockers; /* references of the user's that reach what is behind the cut through it: then nothing is cut */
	size_t nblockers, blockers_cap;
	struct oids own; /* commits of the user's references that have history besides what is kept anyway: they keep what they reach */
};

/* cut_plan: where history can be cut now, if all is kept that is at most keep seconds old. ERR_FAIL when the shallow file is broken; ERR_NOTFOUND when there is no commit. c is zeroed; cut_release() frees in any case. */
int cut_plan(struct cut *c, struct repo *r, int64_t keep, int64_t now, struct err *err);
void cut_release(struct cut *c);

/* cut_missing: the peer that makes any cut impossible because its commit is missing, or NULL. */
const struct cut_peer *cut_missing(const struct cut *c);

/*
 * cut_write: makes the repository shallow at the cut, durable; removes the references of peers that are let go, the lines of reflogs that lead behind the cut (all: of all reflogs but the
 * stash, which is one), and git's commit-graph. Takes the repository's lock for some milliseconds. ERR_AGAIN when a reference has moved since the plan. Objects stay: see sweep.h.
 */
int cut_write(const struct cut *c, struct repo *r, bool all, struct err *err);

/* cut_tidy: drops lines of commits that are not there any more from the shallow file. */
int cut_tidy(struct repo *r, struct err *err);

/* cut_heal: removes .git/shallow.lock if a prune that was killed left it. git's fetches fail as long as it is there. */
void cut_heal(struct repo *r);

/* cut_refs: all references, a line "<id> <name>" each. */
int cut_refs(struct repo *r, struct bytes *out, struct err *err);
/* cut_ref_line: the line at *pos of such a text, which then is the next one's place; name is malloc'ed. False at the end. */
bool cut_ref_line(const struct bytes *refs, size_t *pos, struct oid *oid, char **name);

#endif
