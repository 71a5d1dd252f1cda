/*
 * apply_add.c -- new messages in a folder: brought into its tmp/ without the lock, and then only named.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/name.h"
#include "apply_step.h"

/* The source folder, opened in a->from. ERR_NOTFOUND if it is not there, and then content is taken instead. */
static int open_source(struct apply *a, const char *path, struct err *err)
{
	if (a->from.path && !strcmp(a->from.path, path))
		return 0;
	apply_folder_close(&a->from);
	return apply_folder_open(&a->from, a->d, path, APPLY_LOOK, err);
}

/*
 * What the source folder holds by key. Read once: an entry that is out of date only costs a copy instead of a
 * link. NULL with errno.
 */
static struct lookup *source_lookup(struct apply *a)
{
	struct apply_source *s = NULL;
	size_t i;

	for (i = 0; i < a->nsources && !s; i++)
		if (!strcmp(a->sources[i]->path, a->from.path))
			s = a->sources[i];
	if (!s) {
		MEM_GROW(a->sources, a->nsources, a->sources_cap);
		s = a->sources[a->nsources++] = mem_zalloc(sizeof(*s));
		s->path = a->from.path;
	}
	return lookup_read(&s->look, a->from.sub) ? NULL : &s->look;
}

void apply_add_release(struct apply *a)
{
	size_t i;

	apply_folder_close(&a->from);
	for (i = 0; i < a->nsources; i++) {
		lookup_clear(&a->sources[i]->look);
		free(a->sources[i]);
	}
	free(a->sources);
}

/* 1 a regular file, 0 nothing or something else, -1 with errno. */
static int is_file(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	return S_ISREG(st.st_mode);
}

/* Whether a link to the file has the date that is wanted: a link shares it. */
static bool has_date(int dirfd, const char *name, int64_t mtime)
{
	struct stat st;

	return mtime < 0 || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_mtime == (time_t)mtime;
}

/* The first message with the key of name and the content oid: 1 and *out, 0 if there is none, -1 with errno. */
static int find_content(struct apply *a, struct apply_folder *f, struct lookup *look, const char *name,
			const struct oid *oid, struct lookup_entry **out)
{
	struct name n;
	size_t pos = 0;
	int rc;

	name_parse(&n, name, strlen(name));
	while ((*out = lookup_next(look, n.s, n.keylen, &pos))) {
		if (apply_is_wanted(a, f, *out))
			continue;
		rc = apply_content_is(a, f->sub[(*out)->sub], (*out)->name, oid);
		if (rc > 0 || (rc < 0 && errno != ENOENT))
			return rc;
	}
	return 0;
}

/* A file that a moved message is in. */
struct found_source {
	unsigned sub;
	const char *name; /* with the live letters of its folder; in the plan, an arena or a lookup */
};

/* The letters of the source folder, and of the one that the message goes to, as far as any of the names has one. */
static int read_letters(struct apply *a, struct apply_folder *f, const char *from_name, bool growing, struct err *err)
{
	int rc = 0;

	if (!apply_letters_in(from_name))
		return 0;
	if (!a->from.letters.read)
		rc = apply_letters_read(a, &a->from, false, err);
	if (rc >= 0 && growing && !f->letters.used)
		rc = apply_letters_read(a, f, true, err);
	return rc < 0 ? rc : 0;
}

/*
 * Somebody changed the flags of what is to be moved. They go with it: a three-way merge, for which all names must have the letters of the
 * folder that the message goes to.
 */
static int merge_flags(struct apply *a, struct apply_folder *f, struct apply_item *it, const struct found_source *from,
		       struct arena *arena, struct err *err)
{
	const struct plan_step *s = it->step;
	const char *old = s->from_name, *now = from->name;
	struct keywords_map m;
	char name[NAME_LONGEST + 1];
	int rc = read_letters(a, f, old, true, err);

	if (!rc)
		rc = read_letters(a, f, now, true, err);
	if (rc)
		return rc;
	if (a->from.letters.read && f->letters.read) {
		apply_letters_learn(f, &a->from.letters.live, now);
		keywords_map(&m, &a->from.letters.before, &f->letters.live);
		old = apply_letters_name(arena, &m, old);
		keywords_map(&m, &a->from.letters.live, &f->letters.live);
		now = apply_letters_name(arena, &m, now);
	}
	it->sub = apply_name_merge(name, &(struct apply_name){ s->from_sub, old }, &(struct apply_name){ from->sub, now },
				   &(struct apply_name){ s->sub, s->name });
	it->name = arena_strn(arena, name, strlen(name));
	return 0;
}

/*
 * Finds the file that a moved message is in: where the plan says, or under another name since somebody changed
 * its flags. 1, 0 if there is none, or a negative code.
 */
static int find_source(struct apply *a, struct apply_folder *f, struct apply_item *it, struct found_source *from,
		       struct arena *arena, struct err *err)
{
	const struct plan_step *s = it->step;
	struct lookup_entry *e;
	struct lookup *look;
	int rc = open_source(a, s->from_folder, err);

	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	rc = read_letters(a, f, s->from_name, false, err);
	if (rc)
		return rc;
	*from = (struct found_source){ s->from_sub, s->from_name };
	if (a->from.letters.read)
		from->name = apply_letters_name(arena, &a->from.letters.before_live, s->from_name);
	rc = is_file(a->from.sub[from->sub], from->name);
	if (!rc) {
		look = source_lookup(a);
		rc = look ? find_content(a, &a->from, look, s->from_name, &s->oid, &e) : -1;
		if (rc > 0) {
			*from = (struct found_source){ e->sub, e->name };
			rc = merge_flags(a, f, it, from, arena, err);
			return rc ? rc : 1;
		}
	}
	return rc < 0 ? err_errno(err, "cannot look for '%s' in folder '%s'", s->from_name, s->from_folder) : rc;
}

/* No links here, or it is gone again: the content comes from the repository. */
static bool is_no_link(int e)
{
	return e == EXDEV || e == EMLINK || e == EPERM || e == EACCES || e == ENOENT || e == EOPNOTSUPP;
}

/* 1 the message is in the folder's tmp/ now, or only needs to be written, 0 it is nowhere, or a negative code. */
static int take_source(struct apply *a, struct apply_folder *f, struct apply_item *it, struct arena *arena, struct err *err)
{
	const struct plan_step *s = it->step;
	struct found_source from = { 0 };
	int rc = find_source(a, f, it, &from, arena, err);

	if (rc <= 0 || !has_date(a->from.sub[from.sub], from.name, s->mtime))
		return rc;
	if (!file_link_tmp(a->d, a->from.sub[from.sub], from.name, f->tmp, it->tmp)) {
		it->state = ITEM_READY;
		return 1;
	}
	it->tmp[0] = '\0';
	return is_no_link(errno) ? 1 : err_errno(err, "cannot link '%s' of folder '%s'", from.name, s->from_folder);
}

/*
 * A move whose source is gone may have been carried out before, and then somebody changed the flags of what it
 * made. A second file with that key would be one mail too many. 1, 0, or a negative code.
 */
static int is_under_other_name(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err)
{
	struct lookup_entry *e;
	int rc = lookup_read(&f->look, f->sub);

	if (!rc)
		rc = find_content(a, f, &f->look, s->name, &s->oid, &e);
	return rc < 0 ? err_errno(err, "cannot look for '%s' in folder '%s'", s->name, f->path) : rc;
}

int apply_add_prepare(struct apply *a, struct apply_folder *f, struct apply_item *it, struct arena *arena, struct err *err)
{
	const struct plan_step *s = it->step;
	int rc = apply_content_is(a, f->sub[s->sub], s->name, &s->oid);

	if (rc < 0 && errno != ENOENT)
		return err_errno(err, "cannot read '%s' in folder '%s'", s->name, f->path);
	it->state = ITEM_OVER;
	if (rc == 1)
		return apply_count(a, APPLY_ALREADY);
	it->sub = s->sub;
	it->name = s->name;
	if (s->from_folder) {
		it->state = ITEM_WRITE;
		rc = take_source(a, f, it, arena, err);
		if (rc)
			return rc < 0 ? rc : 0;
		rc = is_under_other_name(a, f, s, err);
		if (rc < 0)
			return rc;
		if (rc) {
			it->state = ITEM_OVER;
			return apply_count(a, APPLY_DIFFERS);
		}
	}
	it->state = ITEM_WRITE;
	return 0;
}

int apply_add_place(struct apply *a, struct apply_folder *f, struct apply_item *it, struct err *err)
{
	const struct plan_step *s = it->step;
	bool other = it->sub != s->sub || strcmp(it->name, s->name);
	int rc = apply_content_place(a, f, &s->oid, it->sub, it->name, it->tmp, err);

	return rc >= 0 && other ? APPLY_DIFFERS : rc;
}
