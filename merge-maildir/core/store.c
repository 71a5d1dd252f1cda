/*
 * store.c -- one side as data: the messages and files of a store, by folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Compares a NUL-terminated path with one of known length, bytewise. */
static int cmp_path(const char *a, const char *b, size_t blen)
{
	int d = strncmp(a, b, blen);

	return d ? d : a[blen] != '\0';
}

/* The place of the first folder that is not before path. */
static size_t folder_place(const struct store *s, const char *path, size_t len)
{
	size_t lo = 0, hi = s->nfolders;

	/* Trees and disks are read in about this order: the end is nearly always right. */
	if (hi && cmp_path(s->folders[hi - 1].path, path, len) < 0)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_path(s->folders[mid].path, path, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool folder_is(const struct store *s, size_t i, const char *path, size_t len)
{
	return i < s->nfolders && cmp_path(s->folders[i].path, path, len) == 0;
}

struct folder *store_folder(struct store *s, const char *path, size_t len)
{
	size_t i;

	/* Nearly always the same folder as for the message before. */
	if (folder_is(s, s->last_folder, path, len))
		return &s->folders[s->last_folder];
	i = folder_place(s, path, len);
	s->last_folder = i;
	if (folder_is(s, i, path, len))
		return &s->folders[i];
	MEM_GROW(s->folders, s->nfolders, s->folders_cap);
	memmove(&s->folders[i + 1], &s->folders[i], (s->nfolders - i) * sizeof(*s->folders));
	memset(&s->folders[i], 0, sizeof(s->folders[i]));
	s->folders[i].path = arena_strn(&s->arena, path, len);
	s->nfolders++;
	return &s->folders[i];
}

const struct folder *store_find_folder(const struct store *s, const char *path)
{
	size_t len = strlen(path);
	size_t i = folder_place(s, path, len);

	return folder_is(s, i, path, len) ? &s->folders[i] : NULL;
}

const struct file *store_find_file(const struct store *s, const char *path)
{
	size_t lo = 0, hi = s->nfiles;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(s->files[mid].path, path);

		if (!d)
			return &s->files[mid];
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void store_add_msg(struct folder *f, enum name_sub sub, const char *name, size_t len, const struct oid *oid)
{
	struct msgs *l = &f->sub[sub];
	const char *colon = memchr(name, ':', len);
	struct msg *m;

	MEM_GROW(l->v, l->n, l->cap);
	m = &l->v[l->n++];
	m->name = name;
	m->oid = *oid;
	m->len = (uint8_t)len;
	m->keylen = (uint8_t)(colon ? (size_t)(colon - name) : len);
	m->sub = (uint8_t)sub;
}

void store_add_file(struct store *s, const char *path, const struct oid *oid, unsigned mode,
		    enum path_class class)
{
	struct file *f;

	MEM_GROW(s->files, s->nfiles, s->files_cap);
	f = &s->files[s->nfiles++];
	f->path = path;
	f->oid = *oid;
	f->mode = mode;
	f->class = class;
}

void store_add_path(struct store *s, const char *path, size_t len, const struct oid *oid, unsigned mode)
{
	struct path p;

	path_parse(&p, path, len);
	if (p.class == PATH_IGNORED)
		return;
	if (p.class == PATH_MESSAGE)
		store_add_msg(store_folder(s, path, p.folderlen), p.sub,
			      arena_strn(&s->arena, p.name, p.namelen), p.namelen, oid);
	else
		store_add_file(s, arena_strn(&s->arena, path, len), oid, mode, p.class);
}

static int cmp_msg(const void *a, const void *b)
{
	const struct msg *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int cmp_file(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* qsort(3), but linear for what came in order: a git tree always does. */
static void sort_if_needed(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	const char *p = v;
	size_t i;

	for (i = 1; i < n; i++)
		if (cmp(p + (i - 1) * size, p + i * size) > 0)
			break;
	if (i < n)
		qsort(v, n, size, cmp);
}

void store_sort(struct store *s)
{
	size_t i;

	for (i = 0; i < s->nfolders; i++) {
		struct folder *f = &s->folders[i];

		sort_if_needed(f->sub[NAME_NEW].v, f->sub[NAME_NEW].n, sizeof(struct msg), cmp_msg);
		sort_if_needed(f->sub[NAME_CUR].v, f->sub[NAME_CUR].n, sizeof(struct msg), cmp_msg);
	}
	sort_if_needed(s->files, s->nfiles, sizeof(struct file), cmp_file);
}

size_t store_msg_count(const struct store *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->nfolders; i++)
		n += s->folders[i].sub[NAME_NEW].n + s->folders[i].sub[NAME_CUR].n;
	return n;
}

void store_release(struct store *s)
{
	size_t i;

	for (i = 0; i < s->nfolders; i++) {
		free(s->folders[i].sub[NAME_NEW].v);
		free(s->folders[i].sub[NAME_CUR].v);
	}
	free(s->folders);
	free(s->files);
	arena_release(&s->arena);
	memset(s, 0, sizeof(*s));
}
