/*
 * merge_files.c -- the merge of what is no message and no marker: subscriptions and plain files, by path.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "merge_files.h"

#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "path_derive.h"
#include "uidvalidity.h"

struct work {
	struct store *out;
	const struct merge_ops *ops;
	struct err *err;
	struct files moved; /* to be kept, but not under their path */
};

unsigned merge_files_mode(const struct file *base, const struct file *a, const struct file *b)
{
	if (!a || !b)
		return a ? a->mode : b ? b->mode : base ? base->mode : 0100644;
	if (a->mode == b->mode || (base && b->mode == base->mode))
		return a->mode;
	return base && a->mode == base->mode ? b->mode : 0100755;
}

static bool same(const struct file *a, const struct file *b)
{
	return a && b ? oid_eq(&a->oid, &b->oid) && a->mode == b->mode : !a && !b;
}

/* A set of lines, or a number that only grows. */
static int merge_known(struct work *w, const struct file *base, const struct file *a, const struct file *b, struct oid *oid)
{
	struct bytes in[SIDES] = { { 0 } }, merged = { 0 };
	const struct file *f[SIDES] = { base, a, b };
	int r = 0;

	for (int s = 0; s < SIDES && !r; s++)
		if (f[s])
			r = w->ops->read(w->ops->ctx, &f[s]->oid, &in[s], w->err);
	if (r)
		goto out;
	if (a->class == PATH_UIDVALIDITY)
		uidvalidity_merge(&merged, &in[SIDE_A], &in[SIDE_B]);
	else
		lines_merge(&merged, in[SIDE_BASE].buf, in[SIDE_BASE].len, in[SIDE_A].buf, in[SIDE_A].len, in[SIDE_B].buf, in[SIDE_B].len);
	r = w->ops->write(w->ops->ctx, merged.len ? merged.buf : "", merged.len, oid, w->err);
out:
	for (int s = 0; s < SIDES; s++)
		bytes_release(&in[s]);
	bytes_release(&merged);
	return r;
}

static void keep(struct work *w, const struct file *f, const struct oid *oid, unsigned mode)
{
	store_add_file(w->out, f->path, oid, mode, f->class);
}

/*
 * Both sides have it and not with the same content. a and b come in the order of their ids, so that ops need
 * not be symmetric.
 */
static int merge_content(struct work *w, const struct file *base, const struct file *a, const struct file *b, unsigned mode)
{
	struct oid oid;
	int r;

	if (a->class == PATH_SUBSCRIPTIONS || a->class == PATH_UIDVALIDITY)
		r = merge_known(w, base, a, b, &oid);
	else
		r = w->ops->text(w->ops->ctx, base ? &base->oid : NULL, &a->oid, &b->oid, &oid, w->err);
	if (r < 0)
		return r;
	if (r == 0) {
		keep(w, a, &oid, mode);
		return 0;
	}
	keep(w, a, &a->oid, mode);
	path_derive_add(&w->moved, b, mode);
	return 0;
}

static int merge_one(struct work *w, const struct file *base, const struct file *a, const struct file *b)
{
	unsigned mode = merge_files_mode(base, a, b);

	if (!a || !b) {
		const struct file *left = a ? a : b;

		/*
		 * Deleted on one side, and not touched, or deleted too, on the other. Without the last UIDVALIDITY it
		 * would be given out a second time.
		 */
		if (left && (!(base && same(left, base)) || left->class == PATH_UIDVALIDITY))
			keep(w, left, &left->oid, left->mode);
		return 0;
	}
	if (oid_eq(&a->oid, &b->oid))
		keep(w, a, &a->oid, mode);
	else if (a->class == PATH_UIDVALIDITY)
		return merge_content(w, base, a, b, mode);
	else if (base && oid_eq(&b->oid, &base->oid))
		keep(w, a, &a->oid, mode);
	else if (base && oid_eq(&a->oid, &base->oid))
		keep(w, a, &b->oid, mode);
	else if (oid_cmp(&a->oid, &b->oid) < 0)
		return merge_content(w, base, a, b, mode);
	else
		return merge_content(w, base, b, a, mode);
	return 0;
}

/*
 * Takes the file with the first path off the front of the three lists, as far as they have it. False at the
 * end.
 */
static bool next_path(const struct store *const in[SIDES], size_t at[SIDES], const struct file *f[SIDES])
{
	const char *first = NULL;

	for (int s = 0; s < SIDES; s++)
		if (at[s] < in[s]->nfiles && (!first || strcmp(in[s]->files[at[s]].path, first) < 0))
			first = in[s]->files[at[s]].path;
	if (!first)
		return false;
	for (int s = 0; s < SIDES; s++) {
		f[s] = NULL;
		/* One path twice in one store: no tree that git made has that. */
		while (at[s] < in[s]->nfiles && !strcmp(in[s]->files[at[s]].path, first))
			f[s] = &in[s]->files[at[s]++];
	}
	return true;
}

static int cmp_file(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int merge_files(struct store *out, const struct store *const in[SIDES], const struct merge_ops *ops, struct err *err)
{
	struct work w = { .out = out, .ops = ops, .err = err };
	const struct file *f[SIDES];
	size_t at[SIDES] = { 0 };
	int r = 0;

	while (!r && next_path(in, at, f)) {
		const struct file *any = f[SIDE_A] ? f[SIDE_A] : f[SIDE_B];

		/* What trio.h knows by name was merged with its folder. */
		if (any && any->class != PATH_MARKER && any->class != PATH_UIDLIST && any->class != PATH_KEYWORDS)
			r = merge_one(&w, f[SIDE_BASE], f[SIDE_A], f[SIDE_B]);
	}
	if (out->nfiles)
		qsort(out->files, out->nfiles, sizeof(*out->files), cmp_file);
	if (!r)
		path_derive_all(out, &w.moved);
	free(w.moved.v);
	return r;
}
