/*
 * words.c -- between the letters for keywords in names on disk and those in what is recorded.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../disk/file.h"
#include "../disk/live.h"
#include "exit.h"

void words_init(struct words *w, struct repo *r, const struct disk *d, const struct index *ix)
{
	*w = (struct words){ .repo = r, .disk = d, .ix = ix };
}

void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		keywords_release(&w->v[i]->disk);
		keywords_release(&w->v[i]->canon);
		free(w->v[i]);
	}
	free(w->v);
	arena_release(&w->arena);
	memset(w, 0, sizeof(*w));
}

void words_again(struct words *w)
{
	struct words same = *w;

	words_release(w);
	words_init(w, same.repo, same.disk, same.ix);
}

static int read_disk(struct words *w, struct words_folder *f, struct err *err)
{
	int fd = file_open_dir(w->disk, f->folder), ret = 0;
	struct bytes text = { 0 };

	/* A folder that is gone has no letters to translate. */
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : err_errno(err, "cannot open folder '%s'", f->folder);
	ret = live_read(fd, f->folder, KEYWORDS_NAME, &text, &f->st, err);
	close(fd);
	f->read = !ret;
	f->missing = ret == ERR_NOTFOUND;
	if (!ret && text.len)
		keywords_parse(&f->disk, text.buf, text.len);
	bytes_release(&text);
	return f->missing ? 0 : ret;
}

static int read_recorded(struct words *w, struct words_folder *f, struct err *err)
{
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s%s%s", f->folder, *f->folder ? "/" : "", KEYWORDS_NAME);
	ssize_t at = index_find(w->ix, path, strlen(path));
	struct bytes text = { 0 };
	int ret = at < 0 ? 0 : objects_read(w->repo, &w->ix->v[at].oid, OBJECTS_BLOB, &text, err);

	if (!ret && text.len)
		keywords_parse(&f->canon, text.buf, text.len);
	f->missing = f->missing && text.len;
	bytes_release(&text);
	arena_release(&a);
	return ret;
}

static void copy(struct keywords *to, const struct keywords *from)
{
	for (int i = 0; i < KEYWORDS_MOST; i++)
		if (from->name[i])
			keywords_add(to, from->name[i], i);
}

void words_warn(const struct words *w)
{
	char name[256];

	for (size_t k = 0; k < w->n; k++) {
		const struct words_folder *f = w->v[k];

		path_show(name, sizeof(name), f->folder);
		if (f->disk.trouble)
			exit_warn("'" KEYWORDS_NAME "' of folder '%s' is broken: lines that say nothing, or have an index above %d, are passed over", name,
				  KEYWORDS_MOST - 1);
		for (int i = 0; i < KEYWORDS_MOST; i++)
			if (f->disk.name[i] && keywords_find(&f->canon, f->disk.name[i]) < 0)
				exit_warn("folder '%s' has more than %d keywords on all members together: '%s' stays on this one", name,
					  KEYWORDS_MOST, f->disk.name[i]);
	}
}

static void connect(struct words_folder *f)
{
	for (int i = 0; i < KEYWORDS_MOST; i++)
		if (f->disk.name[i] && keywords_find(&f->canon, f->disk.name[i]) < 0 && keywords_add(&f->canon, f->disk.name[i], i) >= 0)
			f->grew = true;
	keywords_map(&f->map, &f->disk, &f->canon);
	for (int i = 0; i < KEYWORDS_MOST; i++)
		if (f->canon.name[i] && keywords_find(&f->disk, f->canon.name[i]) < 0)
			f->hidden |= name_flag((char)('a' + i));
}

static int make(struct words *w, struct words_folder *f, struct err *err)
{
	int ret = read_disk(w, f, err);

	if (!ret)
		ret = read_recorded(w, f, err);
	if (ret)
		return ret;
	if (f->missing)
		copy(&f->disk, &f->canon);
	connect(f);
	return 0;
}

int words_of(struct words *w, const char *folder, struct words_folder **out, struct err *err)
{
	size_t lo = 0, hi = w->n;
	int ret;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(w->v[mid]->folder, folder);

		if (!d) {
			*out = w->v[mid];
			return 0;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	MEM_GROW(w->v, w->n, w->cap);
	memmove(w->v + lo + 1, w->v + lo, (w->n - lo) * sizeof(*w->v));
	w->n++;
	w->v[lo] = *out = mem_zalloc(sizeof(**out));
	(*out)->folder = arena_strn(&w->arena, folder, strlen(folder));
	ret = make(w, *out, err);
	return ret;
}

bool words_is_plain(const struct words_folder *f)
{
	return f->map.same && !f->hidden;
}

size_t words_canonical(const struct words_folder *f, char *out, const char *name, size_t len, const char *recorded)
{
	size_t n = keywords_rename(out, &f->map, name, len);
	struct name now, was;
	name_flags kept;
	char copy_of[NAME_LONGEST + 1];
	size_t joined;

	if (!f->hidden || !recorded)
		return n;
	name_parse(&was, recorded, strlen(recorded));
	kept = was.has_flags ? was.flags & f->hidden : 0;
	if (!kept)
		return n;
	memcpy(copy_of, out, n);
	name_parse(&now, copy_of, n);
	joined = name_join(out, now.s, now.keylen, (now.has_flags ? now.flags : 0) | kept, now.has_flags ? now.tail : "",
			   now.has_flags ? now.taillen : 0);
	if (!joined)
		memcpy(out, copy_of, n);
	out[joined ? joined : n] = '\0';
	return joined ? joined : n;
}
