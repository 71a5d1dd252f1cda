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

/*
 * Whether the file that the index knows as e is the one that is now called folder/name and has this stat. Size and mtime must agree as well,
 * because inodes are used again: a message that was removed and one that was then put in its place may have the same.
 */
static bool same_file(const struct index_entry *e, const struct stat *st)
{
	struct path p;

	if (e->st.ino != (uint32_t)st->st_ino || e->st.size != (uint32_t)st->st_size || e->st.mtime_s != (uint32_t)st->st_mtime ||
	    (e->st.mtime_ns && e->st.mtime_ns != (uint32_t)st->st_mtim.tv_nsec))
		return false;
	path_parse(&p, e->path, e->len);
	return p.class == PATH_MESSAGE;
}

/* Whether it also kept its folder and key: then only flags changed, and its date is noted already. */
static bool same_place(const struct index_entry *e, const struct compare_fresh *f)
{
	struct path p;

	path_parse(&p, e->path, e->len);
	return p.folderlen == strlen(f->folder) && !memcmp(e->path, f->folder, p.folderlen) &&
	       name_same_key(p.name, p.namelen, f->entry->name, f->entry->len);
}

/* The gone message that is this file now, as an index into c->gone. */
static size_t find_same(const struct hash_table *by_ino, const struct compare *c, const struct index *ix, const struct stat *st)
{
	uint32_t ino = (uint32_t)st->st_ino;
	size_t it = 0, g;

	while (hash_next(by_ino, hash_bytes(&ino, sizeof(ino)), &it, &g))
		if (same_file(&ix->v[c->gone[g]], st))
			return g;
	return COMPARE_NONE;
}

/*
 * The gone message that a vanished one may have been, as an index into c->gone: it was moved here, and has been renamed again already. By its inode, or, if
 * it was moved by copying, by its key.
 */
static size_t find_vanished(const struct hash_table *by_ino, const struct compare *c, const struct index *ix, const struct compare_fresh *f)
{
	uint32_t ino = (uint32_t)f->entry->ino;
	size_t it = 0, g;

	while (hash_next(by_ino, hash_bytes(&ino, sizeof(ino)), &it, &g))
		if (ix->v[c->gone[g]].st.ino == ino)
			return g;
	for (g = 0; g < c->ngone; g++) {
		const struct index_entry *e = &ix->v[c->gone[g]];
		struct path p;

		path_parse(&p, e->path, e->len);
		if (p.class == PATH_MESSAGE && name_same_key(p.name, p.namelen, f->entry->name, f->entry->len))
			return g;
	}
	return COMPARE_NONE;
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

static struct fresh as_recorded(const struct index_entry *e, const struct compare_fresh *f)
{
	return (struct fresh){ .there = true, .renamed = same_place(e, f), .oid = e->oid, .st = e->st, .mtime = e->st.mtime_s, .maybe = COMPARE_NONE };
}

/*
 * A file that was seen and could not be opened any more. found says which gone messages turned up elsewhere. One that did not was renamed or moved twice since, and what
 * it was called in between is a state that it was in: to say "gone" instead would record a deletion that nobody made.
 */
static void explain_vanished(struct fresh *out, bool *found, const struct hash_table *by_ino, const struct compare *c, const struct index *ix,
			     const struct compare_fresh *f)
{
	size_t g = find_vanished(by_ino, c, ix, f);

	if (g == COMPARE_NONE || found[g])
		return;
	if (ix->v[c->gone[g]].st.ino != (uint32_t)f->entry->ino) {
		out->maybe = g;
		return;
	}
	*out = as_recorded(&ix->v[c->gone[g]], f);
	found[g] = true;
}

int fresh_read(struct fresh *out, const struct compare *c, const struct index *ix, const struct disk *d, struct objects_batch *batch,
	       const struct record_opts *opts, struct err *err)
{
	struct hash_table by_ino;
	struct bytes content = { 0 };
	struct arena a = { 0 };
	bool *found = mem_zalloc(c->ngone + 1);
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
		const char *path = compare_path(&a, f->folder, f->sub, f->entry->name);
		size_t g = COMPARE_NONE;
		struct stat st;

		if (fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			g = find_same(&by_ino, c, ix, &st);
		if (g != COMPARE_NONE) {
			out[i] = as_recorded(&ix->v[c->gone[g]], f);
			out[i].mtime = st.st_mtime;
			found[g] = true;
		} else {
			bytes_clear(&content);
			ret = fresh_read_file(&out[i], d, path, batch, &content, err);
		}
		out[i].maybe = COMPARE_NONE;
		arena_release(&a);
		if (opts->progress && (i % 256 == 255 || i + 1 == c->nfresh))
			opts->progress(opts->ctx, i + 1, c->nfresh);
	}
	for (size_t i = 0; i < c->nfresh && !ret; i++)
		if (!out[i].there)
			explain_vanished(&out[i], found, &by_ino, c, ix, &c->fresh[i]);
	free(found);
	bytes_release(&content);
	arena_release(&a);
	hash_release(&by_ino);
	return ret;
}
