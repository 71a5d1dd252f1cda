/*
 * keep.c -- what stays recorded although it is not on disk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keep.h"

#include <stdlib.h>
#include <string.h>

#include "../core/marker.h"
#include "../disk/file.h"
#include "../repo/objects.h"

void keep_init(struct keep *k, const struct index *ix)
{
	memset(k, 0, sizeof(*k));
	k->ix = ix;
	k->stays = mem_zalloc((ix->n + 1) * sizeof(*k->stays));
}

void keep_message(struct keep *k, size_t i)
{
	k->stays[i] = true;
}

static struct keep_folder *folder_of(const struct keep *k, const struct index_entry *e, const struct path *p)
{
	size_t it = 0, at;

	while (k->n && hash_next(&k->by_path, hash_bytes(e->path, p->folderlen), &it, &at))
		if (k->v[at].len == p->folderlen && !memcmp(k->v[at].path, e->path, p->folderlen))
			return &k->v[at];
	return NULL;
}

static void list_folders(struct keep *k)
{
	size_t messages = 0;

	for (size_t i = 0; i < k->ix->n; i++)
		messages += k->stays[i];
	hash_release(&k->by_path);
	free(k->v);
	k->v = mem_zalloc((messages + 1) * sizeof(*k->v));
	k->n = 0;
	hash_init(&k->by_path, messages);
	for (size_t i = 0; i < k->ix->n; i++) {
		const struct index_entry *e = &k->ix->v[i];
		struct path p;

		if (!k->stays[i])
			continue;
		path_parse(&p, e->path, e->len);
		if (folder_of(k, e, &p))
			continue;
		hash_add(&k->by_path, hash_bytes(e->path, p.folderlen), k->n);
		k->v[k->n++] = (struct keep_folder){ .path = e->path, .len = p.folderlen };
	}
}

static void id_of(const struct bytes *text, char id[MARKER_ID_HEX + 1])
{
	struct marker m = { 0 };

	marker_parse(&m, text->buf, text->len);
	memcpy(id, m.id, sizeof(m.id));
	marker_release(&m);
}

/* Looks among the markers that are new on disk for the one of a folder that is gone. */
static int find_renamed(struct keep *k, struct keep_folder *f, const struct index_entry *marker, const struct compare *c, struct repo *r,
			const struct disk *d, struct err *err)
{
	char was[MARKER_ID_HEX + 1], is[MARKER_ID_HEX + 1];
	struct bytes b = { 0 };
	int ret = objects_read(r, &marker->oid, OBJECTS_BLOB, &b, err);

	if (!ret)
		id_of(&b, was);
	for (size_t i = 0; i < c->nfiles && !ret && *was && !f->to; i++) {
		const struct scan_file *file = c->files[i].file;
		struct path p;

		path_parse(&p, file->path, strlen(file->path));
		if (c->files[i].was != COMPARE_NONE || file->class != PATH_MARKER || !p.folderlen)
			continue;
		bytes_clear(&b);
		ret = file_read(d, file->path, &b, NULL, err);
		/* The folder is gone again: who records it will see that. */
		if (ret == ERR_NOTFOUND) {
			ret = 0;
			continue;
		}
		if (ret < 0)
			break;
		id_of(&b, is);
		if (!strcmp(was, is))
			f->to = arena_strn(&k->arena, file->path, p.folderlen);
	}
	bytes_release(&b);
	return ret;
}

/* In a folder that was renamed a message may be on disk already under the name of one that stays. */
static void give_way(struct keep *k, const struct compare *c, const struct fresh *fresh)
{
	struct hash_table by_path;
	struct arena a = { 0 };
	char **paths = mem_alloc((c->nfresh + 1) * sizeof(*paths));

	hash_init(&by_path, c->nfresh);
	for (size_t i = 0; i < c->nfresh; i++) {
		if (!fresh[i].there)
			continue;
		paths[i] = compare_path(&a, c->fresh[i].folder, c->fresh[i].sub, c->fresh[i].name);
		hash_add(&by_path, hash_bytes(paths[i], strlen(paths[i])), i);
	}
	for (size_t i = 0; i < k->ix->n; i++) {
		const char *as = k->stays[i] ? keep_as(k, i) : NULL;
		size_t it = 0, at;

		while (as && as != k->ix->v[i].path && hash_next(&by_path, hash_bytes(as, strlen(as)), &it, &at))
			if (!strcmp(paths[at], as))
				k->stays[i] = false;
	}
	hash_release(&by_path);
	free(paths);
	arena_release(&a);
}

int keep_folders(struct keep *k, const struct compare *c, const struct fresh *fresh, struct repo *r, const struct disk *d, struct err *err)
{
	bool renamed = false;
	int ret = 0;

	list_folders(k);
	for (size_t g = 0; g < c->ngone && k->n && !ret; g++) {
		const struct index_entry *e = &k->ix->v[c->gone[g]];
		struct keep_folder *f;
		struct path p;

		path_parse(&p, e->path, e->len);
		if (!path_is_quiet(p.class) || !(f = folder_of(k, e, &p)))
			continue;
		f->gone = true;
		/* The root is never renamed, nor does it come from elsewhere. */
		if (p.class == PATH_MARKER && p.folderlen)
			ret = find_renamed(k, f, e, c, r, d, err);
		renamed |= f->to != NULL;
	}
	if (!ret && renamed)
		give_way(k, c, fresh);
	return ret;
}

const char *keep_as(struct keep *k, size_t i)
{
	const struct index_entry *e = &k->ix->v[i];
	const struct keep_folder *f;
	struct path p;

	if (!k->n)
		return NULL;
	path_parse(&p, e->path, e->len);
	f = folder_of(k, e, &p);
	if (!f)
		return NULL;
	if (p.class != PATH_MESSAGE)
		return f->gone && !f->to ? e->path : NULL;
	if (!k->stays[i] || !f->to)
		return k->stays[i] ? e->path : NULL;
	return arena_printf(&k->arena, "%s%s", f->to, e->path + f->len);
}

void keep_release(struct keep *k)
{
	free(k->stays);
	free(k->v);
	hash_release(&k->by_path);
	arena_release(&k->arena);
	memset(k, 0, sizeof(*k));
}
