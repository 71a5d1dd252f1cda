/*
 * path_derive.c -- another path for a file whose path is taken by another file, or by a directory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "path_derive.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define PATH_LONGEST 3500 /* what path_unsafe() lets pass */

void path_derive_add(struct files *l, const struct file *f, unsigned mode)
{
	MEM_GROW(l->v, l->n, l->cap);
	l->v[l->n] = *f;
	l->v[l->n++].mode = mode;
}

static bool is_in(const char *path, const char *dir, size_t len)
{
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* Compares a path with dir + "/". */
static int cmp_inside(const char *path, const char *dir, size_t len)
{
	int d = strncmp(path, dir, len);

	if (d || !path[len])
		return d ? d : -1;
	return (int)(unsigned char)path[len] - '/';
}

/* Whether a file is in a directory of this path. */
static bool has_file_in(const struct store *s, const char *dir, size_t len)
{
	size_t lo = 0, hi = s->nfiles;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_inside(s->files[mid].path, dir, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nfiles && is_in(s->files[lo].path, dir, len);
}

/* Whether a folder is in a directory of this path. */
static bool has_folder_in(const struct store *s, const char *dir, size_t len)
{
	size_t lo = 0, hi = s->nfolders;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_inside(s->folders[mid].path, dir, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nfolders && is_in(s->folders[lo].path, dir, len);
}

/* Whether a file of this path cannot be, because a directory is there. */
static bool is_directory(const struct store *s, const char *path)
{
	size_t len = strlen(path);

	return has_file_in(s, path, len) || store_find_folder(s, path) || has_folder_in(s, path, len);
}

/*
 * The path with dot and some digits after it. The end of its last component is cut off if need be; in a
 * directory whose path leaves no room, the file goes to the root.
 */
static char *with_tail(struct arena *arena, const struct file *f, char dot, unsigned attempt)
{
	const char *slash = strrchr(f->path, '/');
	const char *dir = f->path, *name = slash ? slash + 1 : f->path;
	size_t dirlen = (size_t)(name - dir), len = strlen(name), taillen, room;
	char hex[OID_HEX + 1], tail[OID_HEX + 16];

	oid_hex(&f->oid, hex);
	if (attempt < 2)
		taillen = (size_t)snprintf(tail, sizeof(tail), "%c%.*s", dot, attempt ? OID_HEX : 12, hex);
	else
		taillen = (size_t)snprintf(tail, sizeof(tail), "%c%s-%u", dot, hex, attempt);
	if (dirlen + taillen >= PATH_LONGEST)
		dirlen = 0;
	room = PATH_LONGEST - dirlen - taillen;
	if (room > NAME_LONGEST - taillen)
		room = NAME_LONGEST - taillen;
	return arena_printf(arena, "%.*s%.*s%s", (int)dirlen, dir, (int)(len < room ? len : room), name, tail);
}

static char *derive(struct arena *arena, const struct file *f, unsigned attempt)
{
	char *path = with_tail(arena, f, '.', attempt);
	struct path p;

	/* "temp" is a file like any other, but "temp.<digits>" is one that is never replicated. */
	path_parse(&p, path, strlen(path));
	return p.class == PATH_FILE ? path : with_tail(arena, f, '-', attempt);
}

static uint32_t hash_path(const char *path)
{
	return hash_bytes(path, strlen(path));
}

/* Finds a new path for each of l; those that turn out to be there already are dropped. */
static void derive_each(struct store *s, struct files *l)
{
	struct hash_table taken;
	size_t i, at, n = 0;

	hash_init(&taken, l->n);
	for (i = 0; i < l->n; i++) {
		const struct file *there = NULL;
		struct file f = l->v[i];
		unsigned attempt = 0;
		bool again = true;

		while (again) {
			size_t it = 0;

			f.path = derive(&s->arena, &l->v[i], attempt++);
			there = store_find_file(s, f.path);
			while (!there && hash_next(&taken, hash_path(f.path), &it, &at))
				if (!strcmp(l->v[at].path, f.path))
					there = &l->v[at];
			again = is_directory(s, f.path) || (there && !oid_eq(&there->oid, &f.oid));
		}
		if (there)
			continue;
		f.class = PATH_FILE;
		l->v[n] = f;
		hash_add(&taken, hash_path(f.path), n++);
	}
	hash_release(&taken);
	l->n = n;
}

/* In an order of their own: who came from which side must not decide who gets a path that two of them derive. */
static int cmp_moved(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int d = strcmp(x->path, y->path);

	return d ? d : oid_cmp(&x->oid, &y->oid);
}

static int cmp_file(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void path_derive_all(struct store *s, struct files *moved)
{
	bool *leaves = mem_zalloc(s->nfiles * sizeof(*leaves));
	size_t i, n = 0;

	for (i = 0; i < s->nfiles; i++) {
		leaves[i] = is_directory(s, s->files[i].path);
		if (leaves[i])
			path_derive_add(moved, &s->files[i], s->files[i].mode);
	}
	if (!moved->n)
		goto out;
	/*
	 * A file that leaves its path stays in its directory: what is a directory stays one, in whatever order
	 * this is done.
	 */
	qsort(moved->v, moved->n, sizeof(*moved->v), cmp_moved);
	derive_each(s, moved);
	for (i = 0; i < s->nfiles; i++)
		if (!leaves[i])
			s->files[n++] = s->files[i];
	s->nfiles = n;
	for (i = 0; i < moved->n; i++)
		store_add_file(s, moved->v[i].path, &moved->v[i].oid, moved->v[i].mode, moved->v[i].class);
	if (s->nfiles)
		qsort(s->files, s->nfiles, sizeof(*s->files), cmp_file);
out:
	free(leaves);
}
