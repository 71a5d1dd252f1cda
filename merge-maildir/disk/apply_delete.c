/*
 * apply_delete.c -- messages that a folder has: deleted, under the name the plan knows or the one they have got
 * since.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../core/name.h"
#include "apply_step.h"

static int delete_name(struct apply_folder *f, unsigned sub, const char *name)
{
	if (unlinkat(f->sub[sub], name, 0))
		return -1;
	apply_folder_left(f, sub, name);
	return 0;
}

static int delete_failed(const struct apply_folder *f, const char *name, struct err *err)
{
	/* A directory of that name is no message, and not ours to remove. */
	if (errno == EISDIR)
		return APPLY_DIFFERS;
	return err_errno(err, "cannot delete '%s' in folder '%s'", name, f->path);
}

/* 1 deleted, 0 it is other content, which stays, -1 with errno. */
static int delete_if_same(struct apply *a, struct apply_folder *f, const struct lookup_entry *e,
			  const struct oid *oid)
{
	char name[NAME_LONGEST + 1];
	unsigned sub = e->sub;
	int rc = apply_content_is(a, f->sub[sub], e->name, oid);

	if (rc <= 0)
		return rc;
	memcpy(name, e->name, (size_t)e->len + 1);
	return delete_name(f, sub, name) ? -1 : 1;
}

/* Looks at all that may be the message. An outcome, or -1 with errno. */
static int delete_by_key(struct apply *a, struct apply_folder *f, const struct plan_step *s)
{
	struct lookup_entry *e;
	bool kept = false;
	size_t pos = 0;
	int rc;

	while ((e = apply_find_key(a, f, s->from_name, &pos))) {
		if (a->flag_beats_delete)
			return APPLY_DIFFERS;
		rc = delete_if_same(a, f, e, &s->from_oid);
		if (rc)
			return rc < 0 ? -1 : APPLY_DONE;
		kept = true;
	}
	if (kept)
		return APPLY_DIFFERS;
	e = apply_find_short(a, f, s);
	if (!e)
		return APPLY_ALREADY;
	if (a->flag_beats_delete)
		return APPLY_DIFFERS;
	rc = delete_if_same(a, f, e, &s->from_oid);
	return rc < 0 ? -1 : rc ? APPLY_DONE : APPLY_DIFFERS;
}

/*
 * A deletion wins over a change of flags, unless the administrator wants it the other way. But a key can have
 * come back with other content, and that stays.
 */
static int delete_found(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err)
{
	int try, rc;

	for (try = 0; try < APPLY_FIND_TRIES; try++) {
		rc = apply_look(f, err);
		if (rc)
			return rc;
		rc = delete_by_key(a, f, s);
		if (rc >= 0)
			return rc;
		if (errno != ENOENT)
			return delete_failed(f, s->from_name, err);
		lookup_clear(&f->look);
	}
	return APPLY_DIFFERS;
}

static int delete_step(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err)
{
	if (!delete_name(f, s->from_sub, s->from_name))
		return APPLY_DONE;
	if (errno == ENOENT)
		return delete_found(a, f, s, err);
	return delete_failed(f, s->from_name, err);
}

static bool any_letters(const struct plan_step *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (apply_letters_in(s[i].from_name))
			return true;
	return false;
}

/* Under one lock. */
static int locked_batch(struct apply *a, struct apply_folder *f, const struct plan_step *s, size_t n, struct err *err)
{
	struct arena arena = { 0 };
	struct lock l;
	size_t i;
	int rc = apply_lock(&l, a, f, err);

	/* What was seen under an earlier lock is old. */
	lookup_clear(&f->look);
	if (!rc && any_letters(s, n) && apply_letters_read(a, f, false, err) < 0)
		rc = err ? err->code : ERR_FAIL;
	for (i = 0; !rc && i < n; i++)
		rc = apply_count(a, delete_step(a, f, apply_letters_step(&arena, &f->letters, &s[i]), err));
	lock_release(&l);
	arena_release(&arena);
	return rc;
}

int apply_delete(struct apply *a, const struct plan_step *s, size_t n, struct err *err)
{
	struct apply_folder f;
	size_t i, some;
	int rc = apply_folder_open(&f, a->d, s->folder, APPLY_MEND, err);

	/* The whole folder was removed here, or renamed: so are its messages. */
	if (rc == ERR_NOTFOUND) {
		for (i = 0; i < n; i++)
			apply_count(a, APPLY_ALREADY);
		return 0;
	}
	for (i = 0; !rc && i < n; i += some) {
		some = n - i < APPLY_BATCH ? n - i : APPLY_BATCH;
		rc = locked_batch(a, &f, s + i, some, err);
	}
	if (!rc)
		rc = apply_folder_sync(&f, err);
	apply_folder_close(&f);
	return rc;
}
