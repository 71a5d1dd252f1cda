/*
 * history.h -- commits: changes, views, the frontier, merge bases.
 *
 * A change is a commit made by a member's record, or by hand. A view is a canonical merge: a commit that is wholly derived from its parents, which are changes; every member that knows the same
 * changes makes the same one, with the same id. The frontier is the set of changes that are ancestors of no other change known. A member's HEAD is the frontier's only element, or the view of the frontier.
 * A view is recognised by deriving it again (all but its tree, which is never trusted: only its parents are taken). A commit at the boundary of a shallow repository is a change.
 *
 * libgit2 1.5 does not know .git/shallow, so questions of ancestry are asked of the git command.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "objects.h"
#include "repo.h"

/* What a commit says. Strings are malloc'ed; history_commit_release() frees. */
struct history_commit {
	struct oid tree;
	struct oids parents;
	char *author, *committer; /* "Name <mail>" */
	int64_t author_time, committer_time;
	int author_tz, committer_tz; /* minutes east of UTC */
	char *message;
};

int history_read(struct repo *r, const struct oid *commit, struct history_commit *out, struct err *err);
void history_commit_release(struct history_commit *c);

/* history_write: adds a commit to a batch. */
int history_write(struct objects_batch *b, const struct history_commit *c, struct oid *out, struct err *err);

/* history_is_view: 1 when the commit is a canonical merge, 0 when it is a change, or an err_code. */
int history_is_view(struct repo *r, const struct oid *commit, struct err *err);

/*
 * history_frontier: the frontier of what heads reach: views are replaced by their parents, the rest reduced to those that are
 * ancestors of no other; ascending by id. A head whose objects are missing: ERR_NOTFOUND with its id in the message.
 */
int history_frontier(struct repo *r, const struct oids *heads, struct oids *out, struct err *err);

/* history_has_more: 1 when a head has changes that none of the others reaches, 0 when not, or an err_code. */
int history_has_more(struct repo *r, const struct oid *head, const struct oids *others, struct err *err);

/* history_bases: the best common ancestors of one and of (the union of) others, ascending by id; none is not an error. */
int history_bases(struct repo *r, const struct oid *one, const struct oids *others, struct oids *out, struct err *err);

/* history_is_ancestor: 1 when a is b or an ancestor of b, 0 when not, or an err_code. */
int history_is_ancestor(struct repo *r, const struct oid *a, const struct oid *b, struct err *err);

/* history_ahead_behind: how many commits other than views ours has that theirs has not, and the other way round. */
int history_ahead_behind(struct repo *r, const struct oid *ours, const struct oid *theirs, size_t *ahead, size_t *behind, struct err *err);

/*
 * history_view: adds to the batch the view with this tree of the frontier (at least two changes, ascending). Identity "git-maildir <view@git-maildir>", time = the latest committer time of the parents, zone +0000, message
 * "Merge the changes of <author names of the parents, sorted, each once>" and a line a parent with its subject: nothing in it depends on who makes it.
 *
 * sealed: the merge gave out UIDs. Clients see them, so they must not be given out again when the frontier has grown and its view is another one. Therefore the view is followed by a change
 * with the same tree, identity and time, which is what out gets then: part of history from then on, and the same on all members that saw this frontier.
 */
int history_view(struct repo *r, struct objects_batch *b, const struct oids *frontier, const struct oid *tree, bool sealed, struct oid *out,
		 struct err *err);

#endif
