/*
 * apply_add.c -- new messages in a folder, in batches: first all that takes long, then the lock and only names.
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

#define ADD_BATCH 1024
/* From here on one syncfs(2) is cheaper than an fsync(2) for each file. */
#define ADD_SYNC_ALL 16

enum add_state {
	ADD_OVER,  /* nothing more to do */
	ADD_LINK,  /* from_sub/from of the source folder is to be linked */
	ADD_WRITE, /* the content is to be written */
	ADD_PLACE  /* the content is in tmp/, and durable after the next flush() */
};

struct add_item {
	const struct plan_step *step;
	enum add_state state;
	char tmp[FILE_TMP_NAME];
	unsigned from_sub;
	const char *from; /* in the plan or in a source's lookup */
	unsigned sub;	  /* where it goes: what the step says, or with flags that were changed here meanwhile */
	char name[NAME_LONGEST + 1];
};

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

/*
 * Finds the file that a moved message is in: where the plan says, or under another name since somebody changed
 * its flags. Those flags go with it. 1, 0 if there is none, or a negative code.
 */
static int find_source(struct apply *a, struct add_item *it, struct err *err)
{
	const struct plan_step *s = it->step;
	const struct apply_name base = { s->from_sub, s->from_name }, want = { s->sub, s->name };
	struct apply_name found;
	struct lookup_entry *e;
	struct lookup *look;
	int rc = open_source(a, s->from_folder, err);

	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	it->from_sub = s->from_sub;
	it->from = s->from_name;
	rc = is_file(a->from.sub[s->from_sub], s->from_name);
	if (!rc) {
		look = source_lookup(a);
		rc = look ? find_content(a, &a->from, look, s->from_name, &s->oid, &e) : -1;
		if (rc > 0) {
			found = (struct apply_name){ e->sub, e->name };
			it->from_sub = e->sub;
			it->from = e->name;
			it->sub = apply_name_merge(it->name, &base, &found, &want);
		}
	}
	return rc < 0 ? err_errno(err, "cannot look for '%s' in folder '%s'", s->from_name, s->from_folder) : rc;
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

/* Decides how the item's message gets there; counts it when there is nothing to do. */
static int decide(struct apply *a, struct apply_folder *f, struct add_item *it, struct err *err)
{
	const struct plan_step *s = it->step;
	int rc = apply_content_is(a, f->sub[s->sub], s->name, &s->oid);

	if (rc < 0 && errno != ENOENT)
		return err_errno(err, "cannot read '%s' in folder '%s'", s->name, f->path);
	if (rc == 1)
		return apply_count(a, APPLY_ALREADY);
	it->sub = s->sub;
	memcpy(it->name, s->name, strlen(s->name) + 1);
	it->state = ADD_WRITE;
	if (!s->from_folder)
		return 0;
	rc = find_source(a, it, err);
	if (rc > 0 && has_date(a->from.sub[it->from_sub], it->from, s->mtime))
		it->state = ADD_LINK;
	if (rc)
		return rc < 0 ? rc : 0;
	rc = is_under_other_name(a, f, s, err);
	if (rc <= 0)
		return rc;
	it->state = ADD_OVER;
	return apply_count(a, APPLY_DIFFERS);
}

/* Writes the content of all items that need it. */
static int write_all(struct apply *a, struct apply_folder *f, struct add_item *v, size_t n, struct err *err)
{
	size_t i, count = 0;
	bool each;
	int rc;

	for (i = 0; i < n; i++)
		count += v[i].state == ADD_WRITE;
	each = count <= ADD_SYNC_ALL;
	for (i = 0; i < n; i++) {
		if (v[i].state != ADD_WRITE)
			continue;
		rc = apply_content_write(a, f, v[i].step, v[i].tmp, each, err);
		if (rc)
			return rc;
		v[i].state = ADD_PLACE;
	}
	if (!each && syncfs(f->tmp))
		return err_errno(err, "cannot sync the file system of folder '%s'", f->path);
	return 0;
}

static int link_one(struct apply *a, struct apply_folder *f, struct add_item *it, struct err *err)
{
	int rc = open_source(a, it->step->from_folder, err);

	if (rc)
		return rc == ERR_NOTFOUND ? APPLY_NO_LINK : rc;
	return apply_content_place(a, f, &it->step->oid, it->sub, it->name, NULL, a->from.sub[it->from_sub],
				   it->from, err);
}

static int place_one(struct apply *a, struct apply_folder *f, struct add_item *it, struct err *err)
{
	bool other = it->sub != it->step->sub || strcmp(it->name, it->step->name);
	int rc;

	if (it->state == ADD_LINK)
		rc = link_one(a, f, it, err);
	else
		rc = apply_content_place(a, f, &it->step->oid, it->sub, it->name, it->tmp, -1, NULL, err);
	if (rc == APPLY_NO_LINK) {
		it->state = ADD_WRITE;
		return 0;
	}
	it->state = ADD_OVER;
	return apply_count(a, rc >= 0 && other ? APPLY_DIFFERS : rc);
}

/* Under the lock. What cannot be linked becomes ADD_WRITE again. */
static int place_all(struct apply *a, struct apply_folder *f, struct add_item *v, size_t n, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	size_t i, first = 0;
	int rc;

	while (first < n && v[first].state == ADD_OVER)
		first++;
	if (first == n)
		return 0;
	rc = apply_lock(&l, a, f, err);
	for (i = first; !rc && i < n; i++)
		if (v[i].state != ADD_OVER)
			rc = place_one(a, f, &v[i], err);
	lock_release(&l);
	return rc;
}

static int add_batch(struct apply *a, struct apply_folder *f, const struct plan_step *s, size_t n, struct err *err)
{
	struct add_item *v = mem_zalloc(n * sizeof(*v));
	int round, rc = 0;
	size_t i;

	for (i = 0; !rc && i < n; i++) {
		v[i].step = &s[i];
		rc = decide(a, f, &v[i], err);
	}
	/* The second round is for what could not be linked. */
	for (round = 0; !rc && round < 2; round++) {
		rc = write_all(a, f, v, n, err);
		if (!rc)
			rc = place_all(a, f, v, n, err);
	}
	if (!rc)
		rc = apply_folder_sync(f, err);
	for (i = 0; i < n; i++)
		if (v[i].tmp[0])
			unlinkat(f->tmp, v[i].tmp, 0);
	free(v);
	return rc;
}

int apply_add(struct apply *a, const struct plan_step *s, size_t n, struct err *err)
{
	struct apply_folder f;
	size_t i, some;
	int rc = apply_folder_open(&f, a->d, s->folder, APPLY_MAKE, err);

	for (i = 0; !rc && i < n; i += some) {
		some = n - i < ADD_BATCH ? n - i : ADD_BATCH;
		rc = add_batch(a, &f, s + i, some, err);
	}
	apply_folder_close(&f);
	return rc;
}
