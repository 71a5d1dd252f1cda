/*
 * uids.c -- records the UIDs and keywords of each folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/uidvalidity.h"
#include "../disk/file.h"
#include "../disk/live.h"
#include "../disk/lock.h"
#include "../disk/number.h"
#include "exit.h"
#include "fresh.h"

struct work {
	struct uids *u;
	struct edits *e;
	const char **touched; /* folders in which keys came or went, sorted */
	size_t ntouched;
	bool numbering; /* there is a server here that numbers folders: those without a list get one */
	bool made;	/* one got one */
	struct arena arena;
};

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_key(const struct msg *a, const struct msg *b)
{
	return a->keylen == b->keylen && !memcmp(a->name, b->name, a->keylen);
}

/* Whether a change gives or takes a message its key, or makes it another one under its key. */
static bool is_about_keys(const struct change *c)
{
	if (c->kind == CHANGE_RENAME)
		return !same_key(c->from, c->to);
	return c->kind == CHANGE_ADD || c->kind == CHANGE_MOVE || c->kind == CHANGE_DELETE || c->kind == CHANGE_CONTENT;
}

static void find_touched(struct work *w)
{
	const struct changes *c = w->u->changes;

	w->touched = mem_alloc((2 * c->n + 1) * sizeof(*w->touched));
	for (size_t i = 0; i < c->n; i++) {
		if (!is_about_keys(&c->v[i]))
			continue;
		w->touched[w->ntouched++] = c->v[i].folder;
		w->touched[w->ntouched++] = c->v[i].to_folder;
	}
	if (w->ntouched)
		qsort(w->touched, w->ntouched, sizeof(*w->touched), by_string);
}

static bool is_touched(const struct work *w, const char *folder)
{
	return w->ntouched && bsearch(&folder, w->touched, w->ntouched, sizeof(*w->touched), by_string);
}

static int by_path(const void *key, const void *file)
{
	return strcmp(key, ((const struct scan_file *)file)->path);
}

static const struct scan_file *file_at(const struct work *w, const char *path)
{
	const struct scan *s = &w->u->compare->scan;

	return s->nfiles ? bsearch(path, s->files, s->nfiles, sizeof(*s->files), by_path) : NULL;
}

static const struct index_entry *entry_at(const struct work *w, const char *path)
{
	ssize_t at = index_find(w->u->ix, path, strlen(path));

	return at < 0 ? NULL : &w->u->ix->v[at];
}

static const char *path_in(struct work *w, const char *folder, const char *name)
{
	return arena_printf(&w->arena, "%s%s%s", folder, *folder ? "/" : "", name);
}

/* The size is 0 as put() has it, or git has looked at the file since. */
static bool is_as_recorded(const struct scan_file *f, const struct index_entry *e)
{
	return f && e && (!e->st.size || (uint32_t)f->size == e->st.size) && (uint32_t)(f->mtime_ns / 1000000000) == e->st.mtime_s &&
	       (uint32_t)(f->mtime_ns % 1000000000) == e->st.mtime_ns && (uint32_t)f->ino == e->st.ino;
}

static int put(struct work *w, const char *path, const struct bytes *text, const struct stat *st, struct err *err)
{
	struct index_stat is;
	struct oid oid;
	int ret = objects_add(w->u->batch, OBJECTS_BLOB, text->buf ? text->buf : "", text->len, &oid, err);

	if (ret < 0)
		return ret;
	if (st)
		index_stat_from(&is, st);
	/* Where the size is another git takes a file for changed without asking the filter; where it is 0 it asks. */
	is.size = 0;
	edits_put(w->e, path, strlen(path), &oid, 0100644, st ? &is : NULL);
	return 0;
}

/* One directory of a folder in the index. */
struct range {
	size_t at, end, prefix;
};

static struct range range_of(const struct index *ix, const char *folder, const char *sub)
{
	struct arena a = { 0 };
	const char *dir = arena_printf(&a, "%s%s%s", folder, *folder ? "/" : "", sub);
	struct range r = { .prefix = strlen(dir) + 1 };

	index_range(ix, dir, &r.at, &r.end);
	arena_release(&a);
	return r;
}

static struct number_message message_at(const struct index *ix, const struct range *r, enum name_sub sub)
{
	const char *name = ix->v[r->at].path + r->prefix;

	return (struct number_message){ name, (uint8_t)strcspn(name, ":"), (uint8_t)sub, false };
}

/* Merged as they come, because they are wanted in the order of their names, and that is the order of the index. */
struct number_message *uids_messages(const struct index *ix, const char *folder, size_t *n)
{
	struct range new = range_of(ix, folder, "new"), cur = range_of(ix, folder, "cur");
	struct number_message *v = mem_alloc((new.end - new.at + cur.end - cur.at + 1) * sizeof(*v));

	*n = 0;
	while (new.at < new.end || cur.at < cur.end) {
		bool first = cur.at == cur.end ||
			     (new.at < new.end && strcmp(ix->v[new.at].path + new.prefix, ix->v[cur.at].path + cur.prefix) <= 0);
		struct range *r = first ? &new : &cur;

		if (!strchr(ix->v[r->at].path + r->prefix, '/'))
			v[(*n)++] = message_at(ix, r, first ? NAME_NEW : NAME_CUR);
		r->at++;
	}
	return v;
}

/* A message that has other content now is another one to whoever knows its UID. */
static void renew_changed(const struct work *w, struct number *in)
{
	const struct changes *c = w->u->changes;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind != CHANGE_CONTENT || strcmp(c->v[i].folder, in->folder) != 0)
			continue;
		for (size_t k = 0; k < in->n; k++)
			if (in->v[k].keylen == c->v[i].to->keylen && !memcmp(in->v[k].name, c->v[i].to->name, in->v[k].keylen))
				in->v[k].renew = true;
	}
}

void uids_trouble(unsigned trouble, const char *folder, void (*say)(void *ctx, const char *what), void *ctx)
{
	static const struct {
		unsigned bit;
		const char *what;
	} words[] = {
		{ UIDLIST_FOREIGN, "has a form that is not known: it is left alone, and what was recorded stands" },
		{ UIDLIST_TORN, "ends in the middle of a line: record puts it right" },
		{ UIDLIST_UNORDERED, "is not in the order of its UIDs: record puts it right" },
		{ UIDLIST_TWICE, "has two UIDs for one message: the larger counts" },
		{ UIDLIST_SHARED, "has one UID for two messages: record gives them new ones" },
		{ UIDLIST_BAD_LINE, "has lines that make no sense: record drops them" },
		{ NUMBER_LOST, "was gone: it is put back as it was recorded" },
		{ NUMBER_FULL, "has no UIDs left: the folder needs a new UIDVALIDITY" },
	};
	char name[256], what[512];

	path_show(name, sizeof(name), folder);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!(trouble & words[i].bit))
			continue;
		snprintf(what, sizeof(what), "'" UIDLIST_NAME "' of folder '%s' %s", name, words[i].what);
		say(ctx, what);
	}
}

static void warn(void *ctx, const char *what)
{
	(void)ctx;
	exit_warn("%s", what);
}

int uids_before(void *ctx, struct bytes *out, struct err *err)
{
	const struct uids_before *b = ctx;

	return b->entry ? objects_read(b->repo, &b->entry->oid, OBJECTS_BLOB, out, err) : 0;
}

/* A mail server that makes a folder makes cur/ first and its list a moment later, with the UIDVALIDITY that it has told its client by then. */
#define YOUNG_NS INT64_C(2000000000)

static bool is_being_made(const struct scan_folder *f)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - f->sub[NAME_CUR].stamp.ctime_ns;
	return age >= 0 && age < YOUNG_NS;
}

static int number(struct work *w, const char *folder, const char *path, const struct index_entry *was, struct err *err)
{
	struct uids_before before = { &w->u->m->repo, was };
	struct number in = { .folder = folder, .before = uids_before, .ctx = &before, .make = w->numbering };
	struct bytes text = { 0 };
	unsigned trouble = 0;
	size_t given;
	struct stat st;
	int ret;

	in.v = uids_messages(w->u->ix, folder, &in.n);
	renew_changed(w, &in);
	ret = number_folder(&w->u->m->disk, &in, &text, &st, &given, &trouble, err);
	if (ret == ERR_BUSY) {
		/* Its messages are recorded without new UIDs; they get them when the lock is free. */
		exit_warn("%s", err->msg);
		w->u->later = true;
		ret = 0;
	} else if (ret >= 0) {
		uids_trouble(trouble, folder, warn, NULL);
		w->made |= ret == NUMBER_DONE && !was;
		ret = ret == NUMBER_DONE ? put(w, path, &text, &st, err) : 0;
	}
	free(in.v);
	bytes_release(&text);
	return ret;
}

/* The map is missing on disk, where letters are in use: as it was recorded is the best that is known. */
static int put_back(struct work *w, struct words_folder *f, struct err *err)
{
	struct disk *d = &w->u->m->disk;
	struct lock l = { .dirfd = -1 };
	int fd = file_open_dir(d, f->folder), ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open folder '%s'", f->folder);
	ret = lock_folder(&l, d, fd, f->folder, err);
	if (!ret && faccessat(fd, KEYWORDS_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		ret = live_write_keywords(d, fd, f->folder, &f->disk, err);
	lock_release(&l);
	close(fd);
	return ret == ERR_BUSY || ret == ERR_NOTFOUND ? 0 : ret;
}

static int words(struct work *w, const char *folder, const char *path, const struct index_entry *was, struct err *err)
{
	struct words_folder *f;
	struct bytes text = { 0 };
	int ret = words_of(w->u->words, folder, &f, err);

	if (!ret && f->missing)
		ret = put_back(w, f, err);
	if (!ret && (f->grew || was))
		keywords_format(&f->canon, &text);
	if (!ret && text.len)
		ret = put(w, path, &text, f->read ? &f->st : NULL, err);
	bytes_release(&text);
	return ret;
}

static bool was_read(const struct words *w, const char *folder)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->v[i]->folder, folder))
			return w->v[i]->grew || w->v[i]->missing;
	return false;
}

static bool is_empty(struct work *w, const char *folder)
{
	size_t n;

	free(uids_messages(w->u->ix, folder, &n));
	return !n;
}

static int one(struct work *w, const struct scan_folder *f, struct err *err)
{
	const char *folder = f->path;
	const char *list = path_in(w, folder, UIDLIST_NAME), *map = path_in(w, folder, KEYWORDS_NAME);
	const struct index_entry *list_was = entry_at(w, list), *map_was = entry_at(w, map);
	const struct scan_file *list_is = file_at(w, list), *map_is = file_at(w, map);
	int ret = 0;

	if (w->u->patient && !list_is && !list_was && is_being_made(f) && is_empty(w, folder))
		w->u->young = true;
	else if (is_touched(w, folder) ? list_is || list_was || w->numbering
				       : list_is ? !is_as_recorded(list_is, list_was) : list_was || w->numbering)
		ret = number(w, folder, list, list_was, err);
	if (!ret && ((map_is && !is_as_recorded(map_is, map_was)) || was_read(w->u->words, folder)))
		ret = words(w, folder, map, map_was, err);
	return ret;
}

/* A list that was made has taken a UIDVALIDITY, after the file was looked at. */
static int put_validity(struct work *w, struct err *err)
{
	struct fresh x = { 0 };
	int ret = fresh_read_file(&x, &w->u->m->disk, UIDVALIDITY_NAME, w->u->batch, NULL, err);

	if (!ret && x.there)
		edits_put(w->e, UIDVALIDITY_NAME, strlen(UIDVALIDITY_NAME), &x.oid, 0100644, &x.st);
	return ret;
}

int uids_record(struct uids *u, struct edits *e, struct err *err)
{
	struct work w = { .u = u, .e = e };
	const struct scan *s = &u->compare->scan;
	int ret = 0;

	find_touched(&w);
	w.numbering = file_at(&w, UIDVALIDITY_NAME) != NULL;
	for (size_t i = 0; i < s->nfolders && !ret; i++)
		if (s->folders[i].sub[NAME_CUR].present)
			ret = one(&w, &s->folders[i], err);
	if (!ret && w.made)
		ret = put_validity(&w, err);
	edits_unique(e);
	words_warn(u->words);
	free(w.touched);
	arena_release(&w.arena);
	return ret;
}
