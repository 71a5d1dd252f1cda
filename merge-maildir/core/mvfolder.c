/*
 * mvfolder.c -- folders that are the same in two stores but for their path: their directory can be renamed as a whole.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mvfolder.h"

#include <stdlib.h>
#include <string.h>

/* Folders that are on one side only. */
struct side {
	struct side_folder {
		const char *path;
		const char *id;
	} *v; /* sorted by path */
	size_t n, cap;
	size_t *by_id; /* those that have an id, sorted by it */
	size_t nids;
};

/* Two that may be one. */
struct candidate {
	size_t from, to; /* in their sides */
	bool same_id;
	size_t moves;
};

struct candidates {
	struct candidate *v;
	size_t n, cap;
};

/* The number of bytes of a path in which it is the folder at path, or below it; 0 if it is neither. */
static size_t covers(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	return !strncmp(folder, path, len) && (path[len] == '/' || !path[len]) ? len : 0;
}

/*
 * Only the folder itself, own: with its own messages and files; nothing else that is there or below. Paths that begin alike
 * are together in a sorted list, though others ("A-b" of "A" and "A/b") may be between.
 */
static bool is_alone(const struct store *s, const char *folder, bool own)
{
	size_t i, len = strlen(folder), lo = 0, hi = s->nfolders;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->folders[mid].path, folder) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (i = lo; i < s->nfolders && !strncmp(s->folders[i].path, folder, len); i++) {
		const struct folder *f = &s->folders[i];

		if (covers(folder, f->path) && (f->sub[NAME_NEW].n || f->sub[NAME_CUR].n) && !(own && !f->path[len]))
			return false;
	}
	lo = 0;
	hi = s->nfiles;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->files[mid].path, folder) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (i = lo; i < s->nfiles && !strncmp(s->files[i].path, folder, len); i++) {
		const char *path = s->files[i].path;

		if (covers(folder, path) && !(own && path[len] && !strchr(path + len + 1, '/')))
			return false;
	}
	return true;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct side_folder *)a)->path, ((const struct side_folder *)b)->path);
}

static int compare_ids(const void *va, const void *vb, void *v)
{
	const struct side_folder *a = (struct side_folder *)v + *(const size_t *)va, *b = (struct side_folder *)v + *(const size_t *)vb;
	int c = strcmp(a->id, b->id);

	return c ? c : strcmp(a->path, b->path);
}

/* The folders that came, or those that went, as far as they can be half of a pair. */
static void list_side(struct side *out, const struct changes *c, bool before, const struct mvfolder_facts *facts)
{
	enum change_kind kind = before ? CHANGE_FOLDER_GONE : CHANGE_FOLDER_ADD;

	for (size_t i = 0; i < c->n; i++) {
		const char *path = c->v[i].folder;

		if (c->v[i].kind != kind || !*path || !is_alone(c->from, path, before) ||
		    (before && !is_alone(c->to, path, false)))
			continue;
		MEM_GROW(out->v, out->n, out->cap);
		out->v[out->n++] = (struct side_folder){ path, facts->id(facts->ctx, before, path) };
	}
	if (!out->n)
		return;
	qsort(out->v, out->n, sizeof(*out->v), compare_paths);
	out->by_id = mem_alloc(out->n * sizeof(*out->by_id));
	for (size_t i = 0; i < out->n; i++)
		if (*out->v[i].id)
			out->by_id[out->nids++] = i;
	if (out->nids)
		qsort_r(out->by_id, out->nids, sizeof(*out->by_id), compare_ids, out->v);
}

static const struct side_folder *find_path(const struct side *s, const char *path)
{
	const struct side_folder key = { .path = path };

	return bsearch(&key, s->v, s->n, sizeof(*s->v), compare_paths);
}

/* The first folder with this id: of one that was copied with its marker there are two. */
static const struct side_folder *find_id(const struct side *s, const char *id)
{
	size_t lo = 0, hi = s->nids;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->v[s->by_id[mid]].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nids && !strcmp(s->v[s->by_id[lo]].id, id) ? &s->v[s->by_id[lo]] : NULL;
}

static void add(struct candidates *cs, size_t from, size_t to, bool same_id)
{
	MEM_GROW(cs->v, cs->n, cs->cap);
	cs->v[cs->n++] = (struct candidate){ from, to, same_id, !same_id };
}

static int by_pair(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

static int by_evidence(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;

	if (a->same_id != b->same_id)
		return a->same_id ? -1 : 1;
	if (a->moves != b->moves)
		return a->moves > b->moves ? -1 : 1;
	return by_pair(a, b);
}

/* All pairs that anything speaks for, those that most speaks for first. */
static void list_candidates(struct candidates *cs, const struct changes *c, const struct side *gone, const struct side *came)
{
	size_t keep = 0;

	for (size_t i = 0; i < gone->n; i++) {
		const struct side_folder *to = *gone->v[i].id ? find_id(came, gone->v[i].id) : NULL;

		if (to)
			add(cs, i, (size_t)(to - came->v), true);
	}
	for (size_t i = 0; i < c->n; i++) {
		const struct change *x = &c->v[i];
		const struct side_folder *from, *to;

		if (x->kind == CHANGE_MOVE && (from = find_path(gone, x->folder)) && (to = find_path(came, x->to_folder)))
			add(cs, (size_t)(from - gone->v), (size_t)(to - came->v), false);
	}
	if (!cs->n)
		return;
	qsort(cs->v, cs->n, sizeof(*cs->v), by_pair);
	for (size_t i = 0; i < cs->n; i++)
		if (keep && !by_pair(&cs->v[keep - 1], &cs->v[i])) {
			cs->v[keep - 1].moves += cs->v[i].moves;
			cs->v[keep - 1].same_id |= cs->v[i].same_id;
		} else {
			cs->v[keep++] = cs->v[i];
		}
	cs->n = keep;
	qsort(cs->v, cs->n, sizeof(*cs->v), by_evidence);
}

static int by_to(const void *a, const void *b)
{
	return strcmp(((const struct mvfolder *)a)->to, ((const struct mvfolder *)b)->to);
}

void mvfolder_find(struct mvfolders *out, const struct changes *c, const struct mvfolder_facts *facts)
{
	struct side gone = { 0 }, came = { 0 };
	struct candidates cs = { 0 };
	bool *from_taken, *to_taken;

	list_side(&gone, c, true, facts);
	if (gone.n)
		list_side(&came, c, false, facts);
	if (came.n)
		list_candidates(&cs, c, &gone, &came);
	from_taken = mem_zalloc(gone.n + 1);
	to_taken = mem_zalloc(came.n + 1);
	for (size_t i = 0; i < cs.n; i++) {
		const struct candidate *x = &cs.v[i];
		const char *from = gone.v[x->from].path, *to = came.v[x->to].path;

		if (from_taken[x->from] || to_taken[x->to] || !facts->same(facts->ctx, from, to))
			continue;
		from_taken[x->from] = to_taken[x->to] = true;
		MEM_GROW(out->v, out->n, out->cap);
		out->v[out->n++] = (struct mvfolder){ arena_strn(&out->arena, from, strlen(from)), arena_strn(&out->arena, to, strlen(to)) };
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_to);
	free(from_taken);
	free(to_taken);
	free(cs.v);
	free(gone.v);
	free(gone.by_id);
	free(came.v);
	free(came.by_id);
}

static int by_from(const void *a, const void *b)
{
	return strcmp((*(const struct mvfolder *const *)a)->from, (*(const struct mvfolder *const *)b)->from);
}

/* Where the folder is then; itself if it stays. sorted: pointers to all pairs, by from. */
static const char *new_path(const struct mvfolder **sorted, size_t n, const char *folder)
{
	const struct mvfolder key = { .from = folder }, *pkey = &key;
	const struct mvfolder **found = bsearch(&pkey, sorted, n, sizeof(*sorted), by_from);

	return found ? (*found)->to : folder;
}

void mvfolder_store(struct store *out, const struct store *from, const struct mvfolders *m)
{
	const struct mvfolder **sorted = mem_alloc((m->n + 1) * sizeof(*sorted));

	for (size_t i = 0; i < m->n; i++)
		sorted[i] = &m->v[i];
	if (m->n)
		qsort(sorted, m->n, sizeof(*sorted), by_from);
	for (size_t i = 0; i < from->nfolders; i++) {
		const struct folder *f = &from->folders[i];
		const char *path = new_path(sorted, m->n, f->path);
		struct folder *to = store_folder(out, path, strlen(path));

		for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++)
			for (size_t k = 0; k < f->sub[sub].n; k++)
				store_add_msg(to, sub, f->sub[sub].v[k].name, f->sub[sub].v[k].len, &f->sub[sub].v[k].oid);
	}
	for (size_t i = 0; i < from->nfiles; i++) {
		const struct file *f = &from->files[i];
		const char *slash = strrchr(f->path, '/'), *path = f->path;

		if (slash) {
			const char *dir = arena_strn(&out->arena, f->path, (size_t)(slash - f->path));
			const char *now = new_path(sorted, m->n, dir);

			if (now != dir)
				path = arena_printf(&out->arena, "%s%s", now, slash);
		}
		store_add_file(out, path, &f->oid, f->mode, f->class);
	}
	store_sort(out);
	free(sorted);
}

void mvfolders_release(struct mvfolders *m)
{
	free(m->v);
	arena_release(&m->arena);
	*m = (struct mvfolders){ 0 };
}
