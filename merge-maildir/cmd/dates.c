/*
 * dates.c -- keeps the marker file of each folder in step with what was found on disk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "dates.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../disk/validity.h"

static int by_path(const void *key, const void *file)
{
	return strcmp(key, ((const struct scan_file *)file)->path);
}

int dates_open(struct dates *dt, const struct scan *scan, const struct index *ix, struct repo *r, struct err *err)
{
	memset(dt, 0, sizeof(*dt));
	dt->v = mem_zalloc((scan->nfolders + 1) * sizeof(*dt->v));
	dt->n = scan->nfolders;
	for (size_t i = 0; i < scan->nfolders; i++) {
		const struct scan_folder *f = &scan->folders[i];
		struct dates_folder *x = &dt->v[i];
		ssize_t at;
		int ret;

		x->folder = f->path;
		x->path = arena_printf(&dt->arena, "%s%s%s", f->path, *f->path ? "/" : "", PATH_MARKER_NAME);
		if (!f->sub[NAME_CUR].present ||
		    (scan->nfiles && bsearch(x->path, scan->files, scan->nfiles, sizeof(*scan->files), by_path)))
			continue;
		x->missing = x->loaded = true;
		at = index_find(ix, x->path, strlen(x->path));
		if (at < 0) {
			validity_new_guid(x->marker.id);
			continue;
		}
		if ((ret = objects_read(r, &ix->v[at].oid, OBJECTS_BLOB, &x->before, err)) < 0)
			return ret;
		marker_parse(&x->marker, x->before.buf, x->before.len);
		bytes_clear(&x->before);
	}
	return 0;
}

static int load(struct dates *dt, const struct disk *d, const char *folder, struct dates_folder **out, struct err *err)
{
	size_t lo = 0, hi = dt->n;

	*out = NULL;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct dates_folder *x = &dt->v[mid];
		int cmp = strcmp(x->folder, folder), ret;

		if (cmp < 0) {
			lo = mid + 1;
		} else if (cmp > 0) {
			hi = mid;
		} else {
			if (!x->loaded) {
				ret = file_read(d, x->path, &x->before, NULL, err);
				if (ret == ERR_NOTFOUND)
					return 0;
				if (ret < 0)
					return ret;
				marker_parse(&x->marker, x->before.buf, x->before.len);
				x->loaded = true;
			}
			*out = x;
			return 0;
		}
	}
	return 0;
}

int dates_set(struct dates *dt, const struct disk *d, const char *folder, const char *key, size_t keylen, int64_t mtime, struct err *err)
{
	struct dates_folder *x;
	int ret = load(dt, d, folder, &x, err);

	if (!ret && x)
		marker_set(&x->marker, key, keylen, mtime);
	return ret;
}

int dates_forget(struct dates *dt, const struct disk *d, const char *folder, const char *key, size_t keylen, struct err *err)
{
	struct dates_folder *x;
	int ret = load(dt, d, folder, &x, err);

	if (!ret && x)
		marker_forget(&x->marker, key, keylen);
	return ret;
}

int dates_write(struct dates *dt, struct disk *d, struct objects_batch *batch, struct edits *e, struct err *err)
{
	struct bytes b = { 0 };
	int ret = 0;

	for (size_t i = 0; i < dt->n && !ret; i++) {
		struct dates_folder *x = &dt->v[i];
		struct index_stat is;
		struct stat st;
		struct oid oid;

		if (!x->loaded)
			continue;
		bytes_clear(&b);
		marker_format(&x->marker, &b);
		if (!x->missing && b.len == x->before.len && !memcmp(b.buf, x->before.buf, b.len))
			continue;
		/* The folder was renamed or removed since the scan: all is to be looked at once more. */
		if ((ret = file_replace(d, x->path, b.buf, b.len, false, err)) == ERR_NOTFOUND)
			ret = ERR_AGAIN;
		if (ret < 0 || (ret = objects_add(batch, OBJECTS_BLOB, b.buf, b.len, &oid, err)) < 0)
			break;
		if (fstatat(d->root, x->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			index_stat_from(&is, &st);
		else
			memset(&is, 0, sizeof(is));
		edits_put(e, x->path, strlen(x->path), &oid, 0100644, &is);
	}
	bytes_release(&b);
	return ret;
}

void dates_release(struct dates *dt)
{
	for (size_t i = 0; i < dt->n; i++) {
		marker_release(&dt->v[i].marker);
		bytes_release(&dt->v[i].before);
	}
	free(dt->v);
	arena_release(&dt->arena);
	memset(dt, 0, sizeof(*dt));
}
