/*
 * fresh.c -- what is in the messages and files that are new on disk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fresh.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../core/hash.h"
#include "../disk/file.h"

static size_t key_length(const char *name, size_t len)
{
	const char *colon = memchr(name, ':', len);

	return colon ? (size_t)(colon - name) : len;
}

/*
 * Whether the file that the index knows as e is the one that is now called folder/name with this inode and stat (NULL: not asked yet). The same
 * key in the same folder with the same inode needs no more proof; elsewhere size and mtime must agree as well, because inodes are used again.
 */
static bool same_file(const struct index_entry *e, const struct compare_fresh *f, const struct stat *st)
{
	struct path p;

	if (e->st.ino != (uint32_t)f->entry->ino)
		return false;
	path_parse(&p, e->path, e->len);
	if (p.class != PATH_MESSAGE)
		return false;
	if (!st)
		return p.folderlen == strlen(f->folder) && !memcmp(e->path, f->folder, p.folderlen) &&
		       key_length(p.name, p.namelen) == key_length(f->entry->name, f->entry->len) &&
		       !memcmp(p.name, f->entry->name, key_length(p.name, p.namelen));
	return e->st.size == (uint32_t)st->st_size && e->st.mtime_s == (uint32_t)st->st_mtime &&
	       (!e->st.mtime_ns || e->st.mtime_ns == (uint32_t)st->st_mtim.tv_nsec);
}

static const struct index_entry *find_same(const struct hash_table *by_ino, const struct compare *c, const struct index *ix,
					   const struct compare_fresh *f, const struct stat *st)
{
	uint32_t ino = (uint32_t)f->entry->ino;
	size_t it = 0, g;

	while (hash_next(by_ino, hash_bytes(&ino, sizeof(ino)), &it, &g))
		if (same_file(&ix->v[c->gone[g]], f, st))
			return &ix->v[c->gone[g]];
	return NULL;
}

int fresh_read_file(struct fresh *out, const struct disk *d, const char *path, struct objects_batch *batch, struct bytes *content,
		    struct err *err)
{
	struct bytes own = { 0 }, *b = content ? content : &own;
	struct stat st;
	size_t before = b->len;
	int ret = file_read(d, path, b, &st, err);

	out->there = ret == 0;
	if (ret == ERR_NOTFOUND) {
		ret = 0;
	} else if (!ret) {
		index_stat_from(&out->st, &st);
		out->mtime = st.st_mtime;
		if (batch)
			ret = objects_add(batch, OBJECTS_BLOB, b->buf + before, b->len - before, &out->oid, err);
		else
			objects_hash(OBJECTS_BLOB, b->buf + before, b->len - before, &out->oid);
	}
	bytes_release(&own);
	return ret;
}

int fresh_read(struct fresh *out, const struct compare *c, const struct index *ix, const struct disk *d, struct objects_batch *batch,
	       const struct record_opts *opts, struct err *err)
{
	struct hash_table by_ino;
	struct bytes content = { 0 };
	struct arena a = { 0 };
	int ret = 0;

	hash_init(&by_ino, c->ngone);
	for (size_t g = 0; g < c->ngone; g++) {
		uint32_t ino = ix->v[c->gone[g]].st.ino;

		if (ino)
			hash_add(&by_ino, hash_bytes(&ino, sizeof(ino)), g);
	}
	memset(out, 0, c->nfresh * sizeof(*out));
	for (size_t i = 0; i < c->nfresh && !ret; i++) {
		const struct compare_fresh *f = &c->fresh[i];
		const struct index_entry *e = find_same(&by_ino, c, ix, f, NULL);
		const char *path = compare_path(&a, f->folder, f->sub, f->entry->name);
		struct stat st;

		if (e) {
			out[i] = (struct fresh){ .there = true, .renamed = true, .oid = e->oid, .st = e->st };
		} else if (fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && (e = find_same(&by_ino, c, ix, f, &st))) {
			out[i] = (struct fresh){ .there = true, .oid = e->oid, .st = e->st, .mtime = st.st_mtime };
		} else {
			bytes_clear(&content);
			ret = fresh_read_file(&out[i], d, path, batch, &content, err);
		}
		arena_release(&a);
		if (opts->progress && (i % 256 == 255 || i + 1 == c->nfresh))
			opts->progress(opts->ctx, i + 1, c->nfresh);
	}
	bytes_release(&content);
	arena_release(&a);
	hash_release(&by_ino);
	return ret;
}
