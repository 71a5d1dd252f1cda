/*
 * apply_message.c -- messages that a folder has: renamed or replaced, under the name the plan knows or the one
 * they have got since.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/name.h"
#include "apply_step.h"
#include "file.h"

static bool is_there(const struct apply_folder *f, unsigned sub, const char *name, struct stat *st)
{
	return !fstatat(f->sub[sub], name, st, AT_SYMLINK_NOFOLLOW);
}

int apply_look(struct apply_folder *f, struct err *err)
{
	return lookup_read(&f->look, f->sub) ? err_errno(err, "cannot read folder '%s'", f->path) : 0;
}

struct lookup_entry *apply_find_key(struct apply *a, struct apply_folder *f, const char *name, size_t *pos)
{
	struct lookup_entry *e;
	struct name n;

	name_parse(&n, name, strlen(name));
	while ((e = lookup_next(&f->look, n.s, n.keylen, pos)))
		if (!apply_is_wanted(a, f, e))
			return e;
	return NULL;
}

/*
 * By the short key only if the content is right: a key that differs from the first ',' on may be another
 * message.
 */
struct lookup_entry *apply_find_short(struct apply *a, struct apply_folder *f, const struct plan_step *s)
{
	struct lookup_entry *e;
	struct name n;

	name_parse(&n, s->from_name, strlen(s->from_name));
	e = lookup_short(&f->look, n.s, n.shortlen);
	if (e && !apply_is_wanted(a, f, e) && apply_content_is(a, f->sub[e->sub], e->name, &s->from_oid) == 1)
		return e;
	return NULL;
}

/* The message of a step that is not where it was expected. */
static struct lookup_entry *find(struct apply *a, struct apply_folder *f, const struct plan_step *s)
{
	struct lookup_entry *e;
	size_t pos = 0;

	e = apply_find_key(a, f, s->from_name, &pos);
	if (!e)
		e = apply_find_short(a, f, s);
	/* The key itself was to change, and that is done already. */
	pos = 0;
	return e ? e : apply_find_key(a, f, s->name, &pos);
}

/*
 * Renames within the folder, from what is found to where it is to be, which is another name: of a file under one name none would be left. 0 or -1
 * with errno.
 */
static int move_name(struct apply_folder *f, unsigned from_sub, const char *from, unsigned sub, const char *name)
{
	struct stat old, new;

	if (from_sub == sub && !strcmp(from, name)) {
		errno = EEXIST;
		return -1;
	}
	if (file_rename_new(f->sub[from_sub], from, f->sub[sub], name)) {
		if (errno != EEXIST)
			return -1;
		/*
		 * The same file under both names: a kill between link and unlink, on a file system without
		 * renameat2.
		 */
		if (!is_there(f, from_sub, from, &old) || !is_there(f, sub, name, &new) || old.st_dev != new.st_dev ||
		    old.st_ino != new.st_ino) {
			errno = EEXIST;
			return -1;
		}
		if (unlinkat(f->sub[from_sub], from, 0))
			return -1;
	} else {
		apply_folder_came(f, sub, name);
	}
	apply_folder_left(f, from_sub, from);
	return 0;
}

static int rename_failed(const struct apply_folder *f, const char *from, const char *to, struct err *err)
{
	return err_errno(err, "cannot rename '%s' to '%s' in folder '%s'", from, to, f->path);
}

/*
 * Of two messages that are the same but for their keys one is left, with the date of the key that stays. It gets it before the key, because servers
 * look at a file's date once, when they see its name for the first time. What fails here fails in the rename, or is only a date.
 */
static void set_date(const struct apply_folder *f, unsigned sub, const char *name, int64_t mtime)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)mtime } };
	struct stat st;

	if (mtime >= 0 && is_there(f, sub, name, &st) && S_ISREG(st.st_mode) && st.st_mtime != (time_t)mtime)
		utimensat(f->sub[sub], name, times, AT_SYMLINK_NOFOLLOW);
}

/* Somebody was there before us: merges what they did to the name with what we want of it. */
static int rename_found(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err)
{
	const struct apply_name base = { s->from_sub, s->from_name }, want = { s->sub, s->name };
	char from[NAME_LONGEST + 1], to[NAME_LONGEST + 1];
	struct stat st;
	int try, rc;

	for (try = 0; try < APPLY_FIND_TRIES; try++) {
		struct lookup_entry *e;
		struct apply_name found;
		unsigned sub;
		bool as_wanted;

		if (is_there(f, s->sub, s->name, &st) && !is_there(f, s->from_sub, s->from_name, &st))
			return APPLY_ALREADY;
		rc = apply_look(f, err);
		if (rc)
			return rc;
		e = find(a, f, s);
		/* Deleted here: that stands. */
		if (!e)
			return APPLY_DIFFERS;
		/* A copy, because the lookup forgets it while we work. */
		memcpy(from, e->name, (size_t)e->len + 1);
		found = (struct apply_name){ e->sub, from };
		sub = apply_name_merge(to, &base, &found, &want);
		as_wanted = sub == s->sub && !strcmp(to, s->name);
		if (sub == found.sub && !strcmp(to, from))
			return as_wanted ? APPLY_ALREADY : APPLY_DIFFERS;
		set_date(f, found.sub, from, s->mtime);
		if (!move_name(f, found.sub, from, sub, to))
			return as_wanted ? APPLY_DONE : APPLY_DIFFERS;
		if (errno == EEXIST)
			return APPLY_DIFFERS;
		if (errno != ENOENT)
			return rename_failed(f, from, to, err);
		lookup_clear(&f->look);
	}
	return APPLY_DIFFERS;
}

/* Only the stores have other letters for its keywords. */
static bool stays(const struct plan_step *s)
{
	return s->from_sub == s->sub && !strcmp(s->from_name, s->name);
}

int apply_rename(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err)
{
	struct stat st;

	if (stays(s))
		return is_there(f, s->sub, s->name, &st) ? APPLY_ALREADY : rename_found(a, f, s, err);
	set_date(f, s->from_sub, s->from_name, s->mtime);
	if (!move_name(f, s->from_sub, s->from_name, s->sub, s->name))
		return APPLY_DONE;
	if (errno == ENOENT)
		return rename_found(a, f, s, err);
	if (errno != EEXIST)
		return rename_failed(f, s->from_name, s->name, err);
	/* Which of the two errors comes when the one is missing and the other is there is up to the kernel. */
	return is_there(f, s->from_sub, s->from_name, &st) ? APPLY_DIFFERS : APPLY_ALREADY;
}

/* Where the message that is to be replaced is now, copied to name. 1, 0 if nowhere, or a negative code. */
static int find_replaced(struct apply *a, struct apply_folder *f, const struct plan_step *s, unsigned *sub,
			 char *name, struct err *err)
{
	struct lookup_entry *e;
	struct stat st;
	int rc;

	*sub = s->from_sub;
	strcpy(name, s->from_name);
	if (is_there(f, *sub, name, &st))
		return 1;
	*sub = s->sub;
	strcpy(name, s->name);
	if (is_there(f, *sub, name, &st))
		return 1;
	rc = apply_look(f, err);
	if (rc)
		return rc;
	e = find(a, f, s);
	if (!e)
		return 0;
	*sub = e->sub;
	memcpy(name, e->name, (size_t)e->len + 1);
	return 1;
}

/*
 * Then the file, which has the right content, gets the name that is wanted, with what was done to its flags
 * here.
 */
static int rename_replaced(struct apply_folder *f, const struct plan_step *s, const struct apply_name *found,
			   bool changed, struct err *err)
{
	const struct apply_name base = { s->from_sub, s->from_name }, want = { s->sub, s->name };
	char to[NAME_LONGEST + 1];
	unsigned sub;

	if (found->sub == s->sub && !strcmp(found->name, s->name))
		return changed ? APPLY_DONE : APPLY_ALREADY;
	sub = apply_name_merge(to, &base, found, &want);
	if (sub == found->sub && !strcmp(to, found->name))
		return APPLY_DIFFERS;
	if (move_name(f, found->sub, found->name, sub, to))
		return errno == EEXIST || errno == ENOENT ? APPLY_DIFFERS : rename_failed(f, found->name, to, err);
	return sub == s->sub && !strcmp(to, s->name) ? APPLY_DONE : APPLY_DIFFERS;
}

/*
 * Under the lock, with the new content in tmp. The old file is replaced under the name it has, and then
 * renamed: at no time are there two files with the key, which Dovecot would make two mails of, and after a kill
 * in between only the rename is left to do.
 */
int apply_replace(struct apply *a, struct apply_folder *f, struct apply_item *it, struct err *err)
{
	const struct plan_step *s = it->step;
	char now[NAME_LONGEST + 1], *tmp = it->tmp;
	struct apply_name found = { 0, now };
	bool changed = false;
	int rc = find_replaced(a, f, s, &found.sub, now, err);

	if (rc < 0)
		return rc;
	/* Deleted here, changed there: the changed content stays. */
	if (!rc)
		return apply_content_place(a, f, &s->oid, s->sub, s->name, tmp, err);
	rc = apply_content_is(a, f->sub[found.sub], now, &s->oid);
	if (!rc) {
		rc = apply_content_is(a, f->sub[found.sub], now, &s->from_oid);
		/*
		 * Changed here as well: both stay, ours under a derived key, since its own is found to be
		 * taken.
		 */
		if (!rc)
			return apply_content_place(a, f, &s->oid, found.sub, now, tmp, err);
		changed = true;
		if (rc > 0)
			rc = renameat(f->tmp, tmp, f->sub[found.sub], now);
		if (!rc) {
			tmp[0] = '\0';
			f->dirty[found.sub] = true;
		}
	}
	if (rc < 0)
		return err_errno(err, "cannot replace '%s' in folder '%s'", now, f->path);
	return rename_replaced(f, s, &found, changed, err);
}

int apply_replace_prepare(struct apply *a, struct apply_folder *f, struct apply_item *it)
{
	const struct plan_step *s = it->step;
	struct stat st;

	it->state = ITEM_WRITE;
	/* Whatever else is the case will be seen under the lock. */
	if ((!is_there(f, s->from_sub, s->from_name, &st) || stays(s)) &&
	    apply_content_is(a, f->sub[s->sub], s->name, &s->oid) == 1) {
		it->state = ITEM_OVER;
		return apply_count(a, APPLY_ALREADY);
	}
	return 0;
}
