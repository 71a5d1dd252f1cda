/*
 * edits.c -- from changes in words of mail to edits of git's index.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "edits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compare.h"

static struct index_edit *add(struct edits *e, const char *path, size_t len)
{
	struct index_edit *x;

	MEM_GROW(e->v, e->n, e->cap);
	x = &e->v[e->n++];
	memset(x, 0, sizeof(*x));
	x->path = arena_strn(&e->arena, path, len);
	x->len = (uint32_t)len;
	return x;
}

void edits_put(struct edits *e, const char *path, size_t len, const struct oid *oid, unsigned mode, const struct index_stat *st)
{
	struct index_edit *x = add(e, path, len);

	x->oid = *oid;
	x->mode = mode;
	if (st)
		x->st = *st;
}

void edits_remove(struct edits *e, const char *path, size_t len)
{
	add(e, path, len)->remove = true;
}

static void put(struct edits *e, const char *path, const struct oid *oid, unsigned mode, const struct disk *d)
{
	struct index_stat is;
	struct stat st;
	bool known = d && fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);

	if (known)
		index_stat_from(&is, &st);
	edits_put(e, path, strlen(path), oid, mode, known ? &is : NULL);
}

static int by_path(const void *a, const void *b)
{
	const struct index_edit *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	/* The one that puts comes last. */
	return c ? c : (int)y->remove - (int)x->remove;
}

void edits_from_changes(struct edits *e, const struct changes *c, const struct disk *d)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *x = &c->v[i];
		const char *path;

		if (x->from) {
			path = compare_path(&e->arena, x->folder, x->from->sub, x->from->name);
			edits_remove(e, path, strlen(path));
		}
		if (x->to)
			put(e, compare_path(&e->arena, x->to_folder, x->to->sub, x->to->name), &x->to->oid, 0100644, d);
		if (x->fto)
			put(e, x->fto->path, &x->fto->oid, x->fto->mode, d);
		else if (x->ffrom)
			edits_remove(e, x->ffrom->path, strlen(x->ffrom->path));
	}
	edits_unique(e);
}

void edits_unique(struct edits *e)
{
	size_t keep = 0;

	if (!e->n)
		return;
	qsort(e->v, e->n, sizeof(*e->v), by_path);
	for (size_t i = 0; i < e->n; i++)
		if (i + 1 == e->n || strcmp(e->v[i].path, e->v[i + 1].path) != 0)
			e->v[keep++] = e->v[i];
	e->n = keep;
}

void edits_release(struct edits *e)
{
	free(e->v);
	arena_release(&e->arena);
	memset(e, 0, sizeof(*e));
}
