/*
 * trio.c -- the folders of a merge: each as the base and the two sides have it, numbered in the order of their
 * paths.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "trio.h"

#include <stdlib.h>
#include <string.h>

#include "uidlist.h"

/* A folder of one side, as found. */
struct found {
	const char *path; /* of the file where there is one: not NUL-terminated after len */
	size_t len;
	enum side side;
	const struct folder *mail;
	const struct file *file;
};

static const struct {
	enum path_class class;
	const char *name;
} files[TRIO_FILES] = {
	[TRIO_MARKER] = { PATH_MARKER, PATH_MARKER_NAME },
	[TRIO_UIDS] = { PATH_UIDLIST, UIDLIST_NAME },
	[TRIO_WORDS] = { PATH_KEYWORDS, KEYWORDS_NAME },
};

static int cmp_paths(const struct found *x, const struct found *y)
{
	int d = memcmp(x->path, y->path, x->len < y->len ? x->len : y->len);

	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static int cmp_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int d = cmp_paths(x, y);

	return d ? d : (int)x->side - (int)y->side;
}

/* "" for ".gitmaildir", "a/b" for "a/b/.gitmaildir". */
static size_t folder_of_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static size_t find_all(struct found *v, const struct store *s, enum side side)
{
	size_t i, n = 0;

	for (i = 0; i < s->nfolders; i++) {
		const struct folder *f = &s->folders[i];

		if (f->sub[NAME_NEW].n || f->sub[NAME_CUR].n)
			v[n++] = (struct found){ f->path, strlen(f->path), side, f, NULL };
	}
	for (i = 0; i < s->nfiles; i++) {
		const struct file *f = &s->files[i];

		if (f->class == PATH_MARKER || f->class == PATH_UIDLIST || f->class == PATH_KEYWORDS)
			v[n++] = (struct found){ f->path, folder_of_file(f->path), side, NULL, f };
	}
	return n;
}

static struct trio *trio_new(struct trios *t, const struct found *f)
{
	struct trio *new;

	MEM_GROW(t->v, t->n, t->cap);
	new = &t->v[t->n++];
	*new = (struct trio){ .path = arena_strn(&t->arena, f->path, f->len) };
	for (int s = 0; s < SIDES; s++)
		new->renamed_to[s] = TRIO_NONE;
	new->renamed_from = TRIO_NONE;
	return new;
}

void trio_list(struct trios *t, const struct store *const in[SIDES], const struct merge_ops *ops)
{
	struct found *v;
	size_t i, n = 0, most = 0;

	for (int s = 0; s < SIDES; s++)
		most += in[s]->nfolders + in[s]->nfiles;
	v = mem_alloc(most * sizeof(*v));
	for (int s = 0; s < SIDES; s++)
		n += find_all(v + n, in[s], (enum side)s);
	if (n)
		qsort(v, n, sizeof(*v), cmp_found);
	t->ops = ops;
	for (i = 0; i < n; i++) {
		struct trio *at = i && cmp_paths(&v[i - 1], &v[i]) == 0 ? &t->v[t->n - 1] : trio_new(t, &v[i]);

		if (v[i].mail)
			at->mail[v[i].side] = v[i].mail;
		for (int w = 0; w < TRIO_FILES; w++)
			if (v[i].file && v[i].file->class == files[w].class)
				at->file[v[i].side][w] = v[i].file;
	}
	free(v);
}

static bool shared(const struct trio *t, int s)
{
	for (int i = 0; i < s; i++)
		if (t->parsed[i] == t->parsed[s])
			return true;
	return false;
}

void trio_release(struct trios *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (int s = SIDES - 1; s >= 0; s--)
			if (t->v[i].parsed[s] && !shared(&t->v[i], s)) {
				marker_release(t->v[i].parsed[s]);
				free(t->v[i].parsed[s]);
			}
		if (t->v[i].words)
			keywords_release(t->v[i].words);
		free(t->v[i].words);
	}
	free(t->v);
	arena_release(&t->arena);
	memset(t, 0, sizeof(*t));
}

bool trio_has(const struct trio *t, enum side side)
{
	return t->mail[side] || t->file[side][TRIO_MARKER];
}

const char *trio_file_path(struct arena *a, const char *folder, enum trio_file which)
{
	return arena_printf(a, "%s%s%s", folder, *folder ? "/" : "", files[which].name);
}

struct trio_version trio_version(const struct trios *t, uint32_t folder, enum side side, enum trio_file which)
{
	struct trio_version v = { t->v[folder].file[side][which], side, folder };

	if (!v.file && t->v[folder].renamed_from != TRIO_NONE) {
		v.folder = t->v[folder].renamed_from;
		v.file = t->v[v.folder].file[side][which];
	}
	return v;
}

const struct oid *trio_pick(const struct trio_version v[SIDES])
{
	const struct file *base = v[SIDE_BASE].file, *a = v[SIDE_A].file, *b = v[SIDE_B].file;

	if (!a || !b)
		return a ? &a->oid : b ? &b->oid : base ? &base->oid : NULL;
	if (oid_eq(&a->oid, &b->oid) || (base && oid_eq(&b->oid, &base->oid)))
		return &a->oid;
	return base && oid_eq(&a->oid, &base->oid) ? &b->oid : NULL;
}

int trio_marker(struct trios *t, enum side side, uint32_t folder, const struct marker **out, struct err *err)
{
	static const struct marker none;
	struct trio *f = &t->v[folder];
	const struct file *file = f->file[side][TRIO_MARKER];
	struct bytes text = { 0 };
	int r;

	if (!file) {
		*out = &none;
		return 0;
	}
	for (int s = 0; s < SIDES && !f->parsed[side]; s++)
		if (f->parsed[s] && oid_eq(&f->file[s][TRIO_MARKER]->oid, &file->oid))
			f->parsed[side] = f->parsed[s];
	if (!f->parsed[side]) {
		r = t->ops->read(t->ops->ctx, &file->oid, &text, err);
		if (r) {
			bytes_release(&text);
			return r;
		}
		f->parsed[side] = mem_zalloc(sizeof(struct marker));
		if (text.len)
			marker_parse(f->parsed[side], text.buf, text.len);
		bytes_release(&text);
	}
	*out = f->parsed[side];
	return 0;
}

int trio_mtime(struct trios *t, enum side side, uint32_t folder, const struct msg *m, int64_t *out, struct err *err)
{
	const struct marker *marker;
	int r = trio_marker(t, side, folder, &marker, err);

	if (!r)
		*out = marker_mtime(marker, m->name, m->keylen);
	return r;
}
