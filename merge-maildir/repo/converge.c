/*
 * converge.c -- from everything known to the one state that every member that knows it arrives at.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "converge.h"

#include <stdlib.h>
#include <string.h>

/*
 * Criss-cross merges have several bases, which have bases of their own, and so on. Ten levels are more than members make; a hostile history
 * could have any number, and is cut off by taking the first base alone.
 */
#define DEPTH_LIMIT 10

/* A merge to be computed: a leaf (a commit's tree), or base, a and b. */
struct expr {
	size_t leaf;		    /* index of the tree, when base, a and b are NULL */
	struct expr *base, *a, *b; /* base NULL with a and b set: merged over nothing */
	struct store *result;	    /* of the merge */
};

struct converge_priv {
	struct converge *c;
	struct repo *r;
	bool is_base; /* what is merged now is the base of another merge: nobody ever sees it */
	struct objects_batch *batch;
	const struct merge_opts *opts;
	struct oids commits; /* the leaves, in order of first use */
	struct oid *trees;
	struct store *stores;
	size_t nstores;
	struct tree_set *set;
	struct store near[2]; /* what is recorded here and one leaf, where these differ */
	struct tree_set *near_set;
	struct store head, target;
	struct store **merged; /* results, in order of making */
	size_t nmerged, merged_cap;
	struct store empty;
	/* What a merge wrote, for the next one that reads it: it is not in the repository before the batch is flushed, and never without one. */
	struct written {
		struct oid oid;
		struct bytes content;
	} *written;
	size_t nwritten, written_cap;
	struct arena arena; /* of expressions */
	/* Where members merged each other's merges, the same bases are met again and again: without this their number doubles with each level. */
	struct folded {
		struct oids list;
		unsigned depth;
		struct expr *e;
	} *folded;
	size_t nfolded, folded_cap;
};

static struct expr *new_leaf(struct converge_priv *p, const struct oid *commit)
{
	struct expr *e = arena_alloc(&p->arena, sizeof(*e));
	size_t i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < p->commits.n; i++)
		if (oid_eq(&p->commits.v[i], commit))
			break;
	if (i == p->commits.n)
		oids_add(&p->commits, commit);
	e->leaf = i;
	return e;
}

static struct expr *new_merge(struct converge_priv *p, struct expr *base, struct expr *a, struct expr *b)
{
	struct expr *e = arena_alloc(&p->arena, sizeof(*e));

	memset(e, 0, sizeof(*e));
	e->base = base;
	e->a = a;
	e->b = b;
	return e;
}

static bool same_list(const struct oids *a, const struct oids *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->v, b->v, a->n * sizeof(*a->v)));
}

static int fold_list(struct converge_priv *p, const struct oids *list, unsigned depth, struct expr **out, struct err *err);

/* The expression for the merge of a list of commits; NULL with 0 for an empty list. The depth counts: it can cut off what comes below. */
static int fold(struct converge_priv *p, const struct oids *list, unsigned depth, struct expr **out, struct err *err)
{
	struct folded *known;
	int ret;

	for (size_t i = 0; i < p->nfolded; i++)
		if (p->folded[i].depth == depth && same_list(&p->folded[i].list, list)) {
			*out = p->folded[i].e;
			return 0;
		}
	if ((ret = fold_list(p, list, depth, out, err)) < 0)
		return ret;
	MEM_GROW(p->folded, p->nfolded, p->folded_cap);
	known = &p->folded[p->nfolded++];
	*known = (struct folded){ .depth = depth, .e = *out };
	for (size_t i = 0; i < list->n; i++)
		oids_add(&known->list, &list->v[i]);
	return 0;
}

static int fold_list(struct converge_priv *p, const struct oids *list, unsigned depth, struct expr **out, struct err *err)
{
	struct oids done = { 0 };
	int ret = 0;

	*out = NULL;
	for (size_t i = 0; i < list->n && !ret; i++) {
		struct expr *leaf = new_leaf(p, &list->v[i]), *base = NULL;
		struct oids bases = { 0 };

		if (i && !(ret = history_bases(p->r, &list->v[i], &done, &bases, err))) {
			if (depth == DEPTH_LIMIT && bases.n > 1)
				bases.n = 1;
			ret = fold(p, &bases, depth + 1, &base, err);
		}
		oids_release(&bases);
		*out = i ? new_merge(p, base, *out, leaf) : leaf;
		oids_add(&done, &list->v[i]);
	}
	oids_release(&done);
	return ret;
}

static int op_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	struct converge_priv *p = ctx;

	for (size_t i = 0; i < p->nwritten; i++)
		if (oid_eq(&p->written[i].oid, oid)) {
			bytes_add(out, p->written[i].content.buf, p->written[i].content.len);
			return 0;
		}
	return objects_read(p->r, oid, OBJECTS_BLOB, out, err);
}

static int op_write(void *ctx, const char *buf, size_t len, struct oid *oid, struct err *err)
{
	struct converge_priv *p = ctx;
	struct written *w;
	int ret = 0;

	if (p->batch)
		ret = objects_add(p->batch, OBJECTS_BLOB, buf, len, oid, err);
	else
		objects_hash(OBJECTS_BLOB, buf, len, oid);
	MEM_GROW(p->written, p->nwritten, p->written_cap);
	w = &p->written[p->nwritten++];
	memset(w, 0, sizeof(*w));
	w->oid = *oid;
	bytes_add(&w->content, buf, len);
	return ret;
}

int converge_text(void *ctx, const struct bytes *base, const struct bytes *a, const struct bytes *b, struct bytes *out)
{
	git_merge_file_input in[3];
	const struct bytes *from[3] = { base, a, b };
	git_merge_file_result res = { 0 };
	int ret = 1;

	(void)ctx;
	for (size_t i = 0; i < 3; i++) {
		git_merge_file_input_init(&in[i], GIT_MERGE_FILE_INPUT_VERSION);
		in[i].ptr = from[i] && from[i]->buf ? from[i]->buf : "";
		in[i].size = from[i] ? from[i]->len : 0;
		in[i].path = "file";
		/* git merges no file that looks binary. */
		if (memchr(in[i].ptr, 0, in[i].size))
			return 1;
	}
	if (git_merge_file(&res, base ? &in[0] : NULL, &in[1], &in[2], NULL) == 0 && res.automergeable) {
		bytes_add(out, res.ptr, res.len);
		ret = 0;
	}
	git_merge_file_result_free(&res);
	return ret;
}

static int op_text(void *ctx, const struct oid *base, const struct oid *a, const struct oid *b, struct oid *out, struct err *err)
{
	struct bytes in[3] = { { 0 } }, merged = { 0 };
	const struct oid *from[3] = { base, a, b };
	int ret = 0;

	for (size_t i = 0; i < 3 && !ret; i++)
		if (from[i])
			ret = op_read(ctx, from[i], &in[i], err);
	if (!ret)
		ret = converge_text(NULL, base ? &in[0] : NULL, &in[1], &in[2], &merged);
	if (!ret)
		ret = op_write(ctx, merged.buf ? merged.buf : "", merged.len, out, err);
	for (size_t i = 0; i < 3; i++)
		bytes_release(&in[i]);
	bytes_release(&merged);
	return ret;
}

static void op_fresh(void *ctx, size_t n)
{
	struct converge_priv *p = ctx;

	if (!p->is_base)
		p->c->fresh += n;
}

static void op_full(void *ctx, const char *folder, const char *keyword)
{
	struct converge_priv *p = ctx;

	(void)folder;
	(void)keyword;
	if (!p->is_base)
		p->c->lost++;
}

static int evaluate(struct converge_priv *p, struct expr *e, const struct store **out, struct err *err)
{
	struct merge_ops ops = { p, op_read, op_write, op_text, op_fresh, op_full };
	const struct store *base = &p->empty, *a, *b;
	bool is_base = p->is_base;
	int ret;

	if (!e->a || e->result) {
		*out = e->result ? e->result : &p->stores[e->leaf];
		return 0;
	}
	p->is_base = true;
	ret = e->base ? evaluate(p, e->base, &base, err) : 0;
	p->is_base = is_base;
	if (ret < 0 || (ret = evaluate(p, e->a, &a, err)) < 0 ||
	    (ret = evaluate(p, e->b, &b, err)) < 0)
		return ret;
	e->result = mem_zalloc(sizeof(*e->result));
	MEM_GROW(p->merged, p->nmerged, p->merged_cap);
	p->merged[p->nmerged++] = e->result;
	*out = e->result;
	return merge_stores(e->result, base, a, b, &ops, p->opts, err);
}

static int load_leaves(struct converge_priv *p, struct oid *bad, struct err *err)
{
	const struct oid **ids;
	size_t n = p->commits.n, which = 0;
	int ret = 0;

	p->trees = mem_zalloc(n * sizeof(*p->trees));
	p->stores = mem_zalloc(n * sizeof(*p->stores));
	p->nstores = n;
	ids = mem_zalloc(n * sizeof(*ids));
	for (size_t i = 0; i < n && !ret; i++) {
		ret = tree_of(p->r, &p->commits.v[i], &p->trees[i], err);
		ids[i] = &p->trees[i];
	}
	if (!ret)
		ret = tree_load(p->stores, ids, n, p->r, &p->set, &which, err);
	if (ret == ERR_UNSAFE && bad)
		*bad = p->commits.v[which];
	free(ids);
	return ret;
}

static size_t list_length(const struct store *s, const char *folder, unsigned sub)
{
	const struct folder *f = store_find_folder(s, folder);

	return f ? f->sub[sub].n : 0;
}

/* Appends to a store what is in another, but for the directories and files that are in without as well (NULL: everything). */
static void append(struct store *to, const struct store *from, const struct store *without)
{
	for (size_t i = 0; i < from->nfolders; i++) {
		const struct folder *f = &from->folders[i];

		for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++) {
			const struct msgs *l = &f->sub[sub];

			if (!l->n || (without && list_length(without, f->path, sub)))
				continue;
			for (size_t k = 0; k < l->n; k++)
				store_add_msg(store_folder(to, f->path, strlen(f->path)), sub, l->v[k].name, l->v[k].len, &l->v[k].oid);
		}
	}
	for (size_t i = 0; i < from->nfiles; i++) {
		const struct file *f = &from->files[i];

		if (!without || !store_find_file(without, f->path))
			store_add_file(to, f->path, &f->oid, f->mode, f->class);
	}
}

/*
 * What is recorded here and the target, side by side. The leaves leave out what is equal in all of them, and must: what takes part in a merge has to be the same on every
 * member, whatever that has recorded. So what is recorded here is compared with one of the leaves, and what that shows is added to both.
 */
static int face(struct converge *c, const struct store *merged, const struct oid *head_tree, struct err *err)
{
	struct converge_priv *p = c->priv;
	const struct oid *ids[2] = { head_tree, &p->trees[0] };
	const struct store *leaf = &p->stores[0];
	int ret;

	for (size_t i = 1; i < p->nstores && head_tree; i++)
		if (oid_eq(&p->trees[i], head_tree)) {
			ids[1] = &p->trees[i];
			leaf = &p->stores[i];
		}
	if ((ret = tree_load(p->near, ids, 2, p->r, &p->near_set, NULL, err)) < 0)
		return ret;
	append(&p->head, &p->near[0], NULL);
	append(&p->head, leaf, &p->near[1]);
	append(&p->target, merged, NULL);
	append(&p->target, &p->near[1], leaf);
	store_sort(&p->head);
	store_sort(&p->target);
	c->head = &p->head;
	c->target = &p->target;
	return 0;
}

static struct converge_priv *start(struct converge *c, struct repo *r, struct objects_batch *batch, const struct merge_opts *opts)
{
	struct converge_priv *p = mem_zalloc(sizeof(*p));

	p->c = c;
	p->r = r;
	p->batch = batch;
	p->opts = opts;
	c->priv = p;
	return p;
}

/* Nothing is to be merged: what is recorded here becomes this tree. */
static int forward(struct converge *c, const struct oid *head_tree, struct oid *bad, struct err *err)
{
	struct converge_priv *p = c->priv;
	const struct oid *ids[2] = { head_tree, NULL };
	struct oid tree;
	size_t which = 0;
	int ret = tree_of(p->r, &p->commits.v[0], &tree, err);

	ids[1] = &tree;
	if (!ret)
		ret = tree_load(p->near, ids, 2, p->r, &p->near_set, &which, err);
	if (ret == ERR_UNSAFE && bad && which == 1)
		*bad = p->commits.v[0];
	c->head = &p->near[0];
	c->target = &p->near[1];
	return ret;
}

static int finish(struct converge *c, struct expr *e, const struct oid *head_tree, struct oid *bad, struct err *err)
{
	const struct store *merged;
	int ret;

	if (!e->a)
		return forward(c, head_tree, bad, err);
	if ((ret = load_leaves(c->priv, bad, err)) < 0 || (ret = evaluate(c->priv, e, &merged, err)) < 0)
		return ret;
	return face(c, merged, head_tree, err);
}

int converge_frontier(struct converge *c, struct repo *r, const struct oids *frontier, const struct oid *head_tree, struct objects_batch *batch,
		      const struct merge_opts *opts, struct oid *bad, struct err *err)
{
	struct converge_priv *p = start(c, r, batch, opts);
	struct expr *e;
	int ret;

	for (size_t i = 0; i < frontier->n; i++)
		oids_add(&c->frontier, &frontier->v[i]);
	if ((ret = fold(p, frontier, 0, &e, err)) < 0)
		return ret;
	return finish(c, e, head_tree, bad, err);
}

int converge_pair(struct converge *c, struct repo *r, const struct oids *bases, const struct oid *ours, const struct oid *theirs,
		  const struct oid *head_tree, struct objects_batch *batch, const struct merge_opts *opts, struct err *err)
{
	struct converge_priv *p = start(c, r, batch, opts);
	struct expr *base;
	int ret;

	if ((ret = fold(p, bases, 1, &base, err)) < 0)
		return ret;
	return finish(c, new_merge(p, base, new_leaf(p, ours), new_leaf(p, theirs)), head_tree, NULL, err);
}

void converge_release(struct converge *c)
{
	struct converge_priv *p = c->priv;

	oids_release(&c->frontier);
	if (p) {
		while (p->nmerged) {
			store_release(p->merged[--p->nmerged]);
			free(p->merged[p->nmerged]);
		}
		for (size_t i = 0; i < p->nstores; i++)
			store_release(&p->stores[i]);
		store_release(&p->near[0]);
		store_release(&p->near[1]);
		store_release(&p->head);
		store_release(&p->target);
		if (p->set)
			tree_release(p->set);
		if (p->near_set)
			tree_release(p->near_set);
		for (size_t i = 0; i < p->nwritten; i++)
			bytes_release(&p->written[i].content);
		for (size_t i = 0; i < p->nfolded; i++)
			oids_release(&p->folded[i].list);
		free(p->folded);
		free(p->written);
		free(p->merged);
		free(p->stores);
		free(p->trees);
		oids_release(&p->commits);
		arena_release(&p->arena);
		free(p);
	}
	memset(c, 0, sizeof(*c));
}
