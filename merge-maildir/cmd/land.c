/*
 * land.c -- brings the Maildir, HEAD and the index to what a merge gave, in this order; and to its end what was killed in the middle of that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "land.h"

#include <string.h>

#include "../core/summary.h"
#include "../repo/applying.h"
#include "../repo/tree.h"
#include "exit.h"

/* How often the whole is done again when the world moves underneath. */
#define ROUNDS 6

int land_prepare(struct landing *l, struct member *m, struct record_result *rec, const struct converge *c, struct objects_batch *batch, struct err *err)
{
	int ret = update_prepare(&l->update, m, c, batch, err);

	return ret < 0 || !batch ? ret : update_tree(&l->update, &rec->index, batch, &l->tree, err);
}

int land(struct landing *l, struct member *m, struct record_result *rec, struct objects_batch *batch, const struct oid *target, const struct oid *old, bool settle, const char *why,
	 struct err *err)
{
	int ret = objects_flush(batch, err);

	if (!ret && old && l->update.plan.n && !l->again)
		ret = applying_begin(&m->repo, old, target, err);
	if (ret < 0 || (ret = update_apply(&l->update, &rec->index, settle, err)) < 0 || (ret = repo_set_head(&m->repo, target, old, why, err)) < 0)
		return ret;
	applying_end(&m->repo);
	ret = update_index(&l->update, &rec->index, err);
	if (ret == ERR_BUSY) {
		exit_warn("%s", err->msg);
		ret = 0;
	}
	return ret;
}

void land_release(struct landing *l)
{
	update_release(&l->update);
}

/* What is different between two trees, in words. */
static int summary_between(struct member *m, const struct oid *from, const struct oid *to, struct bytes *out, struct err *err)
{
	const struct oid *ids[2] = { from, to };
	struct store stores[2] = { { 0 } };
	struct tree_set *set = NULL;
	struct changes changes = { 0 };
	int ret = tree_load(stores, ids, 2, &m->repo, &set, NULL, err);

	if (!ret) {
		change_find(&changes, &stores[0], &stores[1]);
		summary_of(&changes, out);
	}
	changes_release(&changes);
	store_release(&stores[0]);
	store_release(&stores[1]);
	if (set)
		tree_release(set);
	return ret;
}

/* The commit that HEAD is to be at: the one that the apply was on its way to, or, if users did something meanwhile, a change on top of it. */
static int find_target(struct member *m, struct objects_batch *batch, const struct oid *to, const struct oid *tree, struct oid *target, struct err *err)
{
	struct bytes summary = { 0 };
	struct oids parents = { 0 };
	struct oid to_tree;
	int ret = tree_of(&m->repo, to, &to_tree, err);

	*target = *to;
	if (!ret && !oid_eq(&to_tree, tree) && !(ret = objects_flush(batch, err)) && !(ret = summary_between(m, &to_tree, tree, &summary, err))) {
		oids_add(&parents, to);
		ret = record_write(m, batch, tree, &parents, &summary, target, err);
	}
	oids_release(&parents);
	bytes_release(&summary);
	return ret;
}

/*
 * What the disk and the commit are merged over: what was recorded before, but with the new names of the folders that the apply has renamed by then. Otherwise each message in them would count as one that a
 * user moved, and a move survives a deletion. A commit that nothing refers to.
 */
static int find_base(struct member *m, struct objects_batch *batch, const struct oid *from, const struct oid *to, struct oid *base, struct err *err)
{
	struct bytes message = { 0 };
	struct mvfolders moves = { 0 };
	struct oids parents = { 0 };
	struct edits edits = { 0 };
	struct index ix = { 0 };
	struct oid trees[2], tree;
	int ret;

	*base = *from;
	if ((ret = tree_of(&m->repo, from, &trees[0], err)) < 0 || (ret = tree_of(&m->repo, to, &trees[1], err)) < 0 ||
	    (ret = update_moved(m, &trees[0], &trees[1], &moves, err)) < 0 || !moves.n || (ret = index_load(&ix, &m->repo, &trees[0], err)) < 0)
		goto out;
	for (size_t i = 0; i < moves.n; i++) {
		size_t lo, hi, cut = strlen(moves.v[i].from);

		for (index_range(&ix, moves.v[i].from, &lo, &hi); lo < hi; lo++) {
			const struct index_entry *e = &ix.v[lo];
			const char *path = arena_printf(&edits.arena, "%s%s", moves.v[i].to, e->path + cut);

			edits_remove(&edits, e->path, e->len);
			edits_put(&edits, path, strlen(path), &e->oid, e->mode, NULL);
		}
	}
	edits_unique(&edits);
	index_edit(&ix, edits.v, edits.n);
	bytes_addstr(&message, "Folders renamed\n");
	oids_add(&parents, from);
	if (!(ret = index_write_tree(&ix, batch, &tree, err)) && !(ret = record_write(m, batch, &tree, &parents, &message, base, err)))
		ret = objects_flush(batch, err);
out:
	index_release(&ix);
	edits_release(&edits);
	oids_release(&parents);
	mvfolders_release(&moves);
	bytes_release(&message);
	return ret;
}

/*
 * What the note says stays, in whatever state this ends: what is on its way now has changes of users on top, and to compare the disk with these over what was recorded before all that would bring
 * back what users made and took away again.
 */
static int finish(struct member *m, const struct oid *from, const struct oid *to, bool settle, struct err *err)
{
	struct merge_opts mopts = { .flag_beats_delete = m->repo.flag_beats_delete };
	struct record_opts ropts = { .aside = true };
	struct objects_batch *batch = objects_begin(&m->repo);
	struct record_result rec = { 0 };
	struct oids bases = { 0 };
	struct converge c = { 0 };
	struct landing l = { .again = true };
	struct oid target, base;
	int ret = record_disk(m, &ropts, &rec, err);

	if (!ret && !(ret = find_base(m, batch, from, to, &base, err)))
		oids_add(&bases, &base);
	/* Nothing can be applied to a folder that has lost a directory: the record that comes after this says so. What is there counts as this member's own changes then. */
	if (!ret && rec.compare.nlost)
		applying_end(&m->repo);
	else if (!ret && !(ret = converge_pair(&c, &m->repo, &bases, &rec.head, to, &rec.tree, batch, &mopts, err)) &&
		 !(ret = land_prepare(&l, m, &rec, &c, batch, err)) && !(ret = find_target(m, batch, to, &l.tree, &target, err)))
		ret = land(&l, m, &rec, batch, &target, from, settle, "record: finish a merge", err);
	record_release(&rec);
	land_release(&l);
	converge_release(&c);
	oids_release(&bases);
	objects_end(batch);
	return ret;
}

int land_finish(struct member *m, struct err *err)
{
	struct oid from, to;
	int ret = ERR_AGAIN;

	for (int i = 0; ret == ERR_AGAIN && i < ROUNDS; i++) {
		if ((ret = applying_find(&m->repo, &from, &to, err)) <= 0)
			return ret;
		ret = finish(m, &from, &to, i + 1 == ROUNDS, err);
	}
	/* Somebody removed what it was on its way to: no record could ever be made again. */
	if (ret == ERR_NOTFOUND || ret == ERR_UNSAFE) {
		applying_end(&m->repo);
		ret = 0;
	}
	return ret;
}
