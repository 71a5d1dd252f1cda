/*
 * apply_group.c -- all that changes in one folder at a time: messages that come, and those that change, with their
 * UIDs and keywords, in batches. First all that takes long, then the lock and only names.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/path.h"
#include "apply_step.h"

/* From here on one syncfs(2) is cheaper than an fsync(2) for each file. */
#define SYNC_ALL 16
/* A server gives a letter to a keyword that is used for the first time: not often. */
#define STALE_TRIES 5
/* Beside the err_codes: the letters that the names were translated to are no longer right. */
#define STALE 1

struct group {
	struct apply *a;
	struct apply_folder f;
	struct apply_imap imap;
	const struct plan_step **v; /* those that are about messages */
	size_t n;
	bool letters;	/* there are keywords */
	bool hidden;	/* nobody sees the folder yet: no lock, and it is synced as a whole */
	bool unsynced;	/* content was written and not synced */
};

/* --- one batch */

static int prepare(struct group *g, struct apply_item *it, struct arena *arena, struct err *err)
{
	switch (it->step->kind) {
	case PLAN_ADD:
		return apply_add_prepare(g->a, &g->f, it, arena, err);
	case PLAN_REPLACE:
		return apply_replace_prepare(g->a, &g->f, it);
	default:
		it->state = ITEM_READY;
		return 0;
	}
}

/* Writes the content of all items that need it. */
static int write_all(struct group *g, struct apply_item *v, size_t n, struct err *err)
{
	size_t i, count = 0;
	bool each;
	int rc;

	for (i = 0; i < n; i++)
		count += v[i].state == ITEM_WRITE;
	each = count <= SYNC_ALL && (!g->hidden || g->n <= SYNC_ALL);
	for (i = 0; i < n; i++) {
		if (v[i].state != ITEM_WRITE)
			continue;
		rc = apply_content_write(g->a, &g->f, v[i].step, v[i].tmp, each, err);
		if (rc)
			return rc;
		v[i].state = ITEM_READY;
		g->unsynced = !each;
	}
	if (g->unsynced && !g->hidden) {
		if (syncfs(g->f.tmp))
			return err_errno(err, "cannot sync the file system of folder '%s'", g->f.path);
		g->unsynced = false;
	}
	return 0;
}

/* An outcome. */
static int change(struct group *g, struct apply_item *it, struct err *err)
{
	switch (it->step->kind) {
	case PLAN_ADD:
		return apply_add_place(g->a, &g->f, it, err);
	case PLAN_REPLACE:
		return apply_replace(g->a, &g->f, it, err);
	default:
		return apply_rename(g->a, &g->f, it->step, err);
	}
}

/* Under the lock: the map, the list, and then the messages that they are about. 0, STALE, or an err_code. */
static int commit(struct group *g, struct apply_item *v, size_t n, uint32_t bound, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	size_t i;
	int rc = g->hidden ? 0 : apply_lock(&l, g->a, &g->f, err);

	/* What was seen before is old. */
	lookup_clear(&g->f.look);
	if (!rc && g->f.letters.used)
		rc = apply_letters_read(g->a, &g->f, true, err);
	if (!rc)
		rc = apply_imap_commit(g->a, &g->f, &g->imap, bound, err);
	for (i = 0; !rc && i < n; i++)
		if (v[i].state != ITEM_OVER)
			rc = apply_count(g->a, change(g, &v[i], err));
	lock_release(&l);
	return rc;
}

static bool has_work(const struct group *g, const struct apply_item *v, size_t n)
{
	size_t i;

	if (g->imap.uids || g->f.letters.grew)
		return true;
	for (i = 0; i < n; i++)
		if (v[i].state != ITEM_OVER)
			return true;
	return false;
}

/* 0, STALE, or an err_code. */
static int try_batch(struct group *g, const struct plan_step *const *steps, size_t n, uint32_t bound, struct err *err)
{
	struct apply_item *v = mem_zalloc((n + 1) * sizeof(*v));
	struct arena arena = { 0 };
	size_t i;
	int rc = g->letters ? apply_letters_read(g->a, &g->f, true, err) : 0;

	if (rc > 0)
		rc = 0;
	for (i = 0; !rc && i < n; i++) {
		v[i].step = apply_letters_step(&arena, &g->f.letters, steps[i]);
		rc = prepare(g, &v[i], &arena, err);
	}
	if (!rc)
		rc = write_all(g, v, n, err);
	if (!rc && has_work(g, v, n))
		rc = commit(g, v, n, bound, err);
	for (i = 0; i < n; i++)
		if (v[i].tmp[0])
			unlinkat(g->f.tmp, v[i].tmp, 0);
	free(v);
	arena_release(&arena);
	if (!rc && !g->hidden)
		rc = apply_folder_sync(&g->f, err);
	return rc;
}

static int batch(struct group *g, const struct plan_step *const *steps, size_t n, uint32_t bound, struct err *err)
{
	const struct apply_result before = *g->a->res;
	char shown[256];
	int try, rc = STALE;

	for (try = 0; rc == STALE && try < STALE_TRIES; try++) {
		*g->a->res = before;
		rc = try_batch(g, steps, n, bound, err);
	}
	if (rc == STALE)
		return err_set(err, ERR_AGAIN, "folder '%s' gets new keywords all the time",
			       path_show(shown, sizeof(shown), g->f.path));
	return rc;
}

/* --- all batches */

/* By UID; those that have none come after, in the order that they had. */
static int compare(const void *va, const void *vb)
{
	const struct plan_step *a = *(const struct plan_step *const *)va, *b = *(const struct plan_step *const *)vb;

	if (a->uid != b->uid)
		return a->uid - 1u < b->uid - 1u ? -1 : 1;
	return a < b ? -1 : a > b;
}

/*
 * The lock is given back between batches, and a server that gives out a UID then must not give one that is still to
 * come here. So they come in the order of their UIDs, and after each the next UID is the first of the next batch at
 * most.
 */
static void arrange(struct group *g, const struct plan_step *s, size_t n)
{
	size_t i;

	g->v = mem_alloc((n + 1) * sizeof(*g->v));
	for (i = 0; i < n; i++)
		if (s[i].kind != PLAN_IMAP)
			g->v[g->n++] = &s[i];
	if (g->n > APPLY_BATCH)
		qsort(g->v, g->n, sizeof(*g->v), compare);
}

static uint32_t bound_at(const struct group *g, size_t next)
{
	return next < g->n && g->v[next]->uid && !g->hidden ? g->v[next]->uid : UINT32_MAX;
}

static int run(struct group *g, struct err *err)
{
	size_t i = 0, some;
	int rc;

	do {
		some = g->n - i < APPLY_BATCH ? g->n - i : APPLY_BATCH;
		rc = batch(g, g->v + i, some, bound_at(g, i + some), err);
		i += some;
	} while (!rc && i < g->n);
	return rc;
}

static bool any(const struct plan_step *s, size_t n, bool (*is)(const struct plan_step *s))
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is(&s[i]))
			return true;
	return false;
}

static bool has_keywords(const struct plan_step *s)
{
	return apply_letters_in(s->name) || apply_letters_in(s->from_name);
}

static bool has_uid(const struct plan_step *s)
{
	return s->kind == PLAN_IMAP || s->uid;
}

static bool brings_content(const struct plan_step *s)
{
	return s->kind == PLAN_ADD || s->kind == PLAN_REPLACE;
}

/* The folder is open. Its steps are counted. */
static int fill(struct group *g, const struct plan_step *s, size_t n, struct err *err)
{
	size_t i;
	int rc = 0;

	/* A list that does not change is not even looked at. */
	if (g->hidden || any(s, n, has_uid))
		rc = apply_imap_begin(&g->imap, g->a, g->f.path, g->hidden, err);
	g->letters = g->imap.keywords || any(s, n, has_keywords);
	arrange(g, s, n);
	if (!rc)
		rc = run(g, err);
	for (i = 0; !rc && i < n; i++)
		if (s[i].kind == PLAN_IMAP)
			rc = apply_count(g->a, apply_imap_outcome(&g->imap));
	/* It has to be recorded even where the plan does not speak of it. */
	if (!rc && g->imap.settled && !any(s, n, has_uid))
		g->a->res->differs++;
	apply_imap_end(&g->imap);
	free(g->v);
	return rc;
}

static bool plan_makes(const struct plan *p, const char *folder)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->v[i].kind == PLAN_MKFOLDER && !strcmp(p->v[i].folder, folder))
			return true;
	return false;
}

/*
 * ERR_AGAIN: mail comes to a folder that was removed or renamed here meanwhile. To make it again would part it from its mail, and it would have a UIDVALIDITY that
 * clients here know with other UIDs; a merge that knows of it takes the mail along.
 */
static int gone(const char *folder, struct err *err)
{
	char shown[256];

	return err_set(err, ERR_AGAIN, "folder '%s' was removed or renamed meanwhile", path_show(shown, sizeof(shown), folder));
}

int apply_group_look(struct apply *a, const char *place, const struct plan_step *s, size_t n, struct err *err)
{
	struct apply_imap m = { 0 };
	struct apply_folder f;
	int rc;

	if (*place && any(s, n, brings_content) && !plan_makes(a->plan, s->folder) && !apply_folder_is_there(a->d, place))
		return gone(s->folder, err);
	if (!any(s, n, has_uid))
		return 0;
	rc = apply_folder_open(&f, a->d, place, APPLY_LOOK, err);
	if (!rc)
		rc = apply_imap_begin(&m, a, s->folder, false, err);
	if (!rc)
		rc = apply_imap_look(a, &f, &m, err);
	apply_imap_end(&m);
	apply_folder_close(&f);
	return rc == ERR_NOTFOUND ? 0 : rc;
}

int apply_group(struct apply *a, const struct plan_step *s, size_t n, struct err *err)
{
	struct group g = { .a = a };
	bool brings = any(s, n, brings_content);
	size_t i;
	int rc;

	/* What was made by the plan can be gone, too; and a directory in which folders are need not be one. */
	if (brings && *s->folder && !apply_folder_is_there(a->d, s->folder))
		return gone(s->folder, err);
	/* From here on the directory that was opened is meant, whatever it is called by then. */
	rc = apply_folder_open(&g.f, a->d, s->folder, APPLY_MEND, err);
	if (rc == ERR_NOTFOUND && brings)
		return gone(s->folder, err);
	/* So are its messages. */
	if (rc == ERR_NOTFOUND) {
		for (i = 0; i < n; i++)
			apply_count(a, APPLY_DIFFERS);
		return 0;
	}
	if (!rc)
		rc = fill(&g, s, n, err);
	apply_folder_close(&g.f);
	return rc;
}

/* All that was written in it, and its names. */
static int sync_hidden(struct group *g, struct err *err)
{
	g->f.dirty[NAME_NEW] = g->f.dirty[NAME_CUR] = true;
	if (g->unsynced ? syncfs(g->f.fd) : fsync(g->f.fd) && errno != EINVAL)
		return err_errno(err, "cannot sync folder '%s'", g->f.path);
	return g->unsynced ? 0 : apply_folder_sync(&g->f, err);
}

int apply_group_fill(struct apply *a, const char *place, const char *path, const struct plan_step *s, size_t n,
		     struct err *err)
{
	struct group g = { .a = a, .hidden = true };
	int rc = apply_folder_open(&g.f, a->d, place, APPLY_LOOK, err);

	if (rc)
		return rc;
	/* All questions are about the folder that it will be. */
	g.f.path = path;
	rc = fill(&g, s, n, err);
	if (!rc)
		rc = sync_hidden(&g, err);
	apply_folder_close(&g.f);
	return rc;
}
