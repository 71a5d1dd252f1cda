/*
 * apply.c -- carries out a plan on a live Maildir: the order, the checks and the count; the steps themselves
 * are in apply_*.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "../core/path.h"
#include "apply_step.h"
#include "aside.h"
#include "mvdir.h"

/* A folder that is removed and made again all the time: not often. */
#define TRIES 5

int apply_count(struct apply *a, int outcome)
{
	struct apply_result *r = a->res;

	if (outcome < 0)
		return outcome;
	if (outcome == APPLY_DONE)
		r->done++;
	else if (outcome == APPLY_ALREADY)
		r->already++;
	else
		r->differs++;
	if (a->ops->progress && (r->done + r->already + r->differs) % 256 == 0)
		a->ops->progress(a->ops->ctx, r->done + r->already + r->differs, a->total);
	return 0;
}

int apply_lock(struct lock *l, const struct apply *a, const struct apply_folder *f, struct err *err)
{
	int rc = lock_folder(l, a->d, f->fd, f->path, err);

	return rc == ERR_NOTFOUND ? ERR_AGAIN : rc;
}

/*
 * --- the last line of defence: whatever is wrong above us, nothing is done outside the folders and to nothing
 * but mail
 */

static int refuse(const char *path, const char *why, struct err *err)
{
	return err_set(err, ERR_UNSAFE, "refusing the path '%s': it %s", path, why);
}

/* buf holds dir and sub already; name is put behind them. */
static int check_entry(struct bytes *buf, const char *folder, const char *sub, const char *name,
		       enum path_class class, struct err *err)
{
	const char *why;
	struct path p;

	bytes_clear(buf);
	bytes_addf(buf, "%s%s%s%s", folder, *folder ? "/" : "", sub, name);
	why = path_unsafe(buf->buf, buf->len);
	if (why)
		return refuse(buf->buf, why, err);
	path_parse(&p, buf->buf, buf->len);
	if (p.class != class || p.folderlen != strlen(folder))
		return refuse(buf->buf, class == PATH_MESSAGE ? "is no message" : "is no folder", err);
	return 0;
}

static int check_message(struct bytes *buf, const char *folder, unsigned sub, const char *name, struct err *err)
{
	if (!name || sub > NAME_CUR || !name_is_message(name, strlen(name)))
		return refuse(name ? name : "", "is no message", err);
	return check_entry(buf, folder, sub == NAME_CUR ? "cur/" : "new/", name, PATH_MESSAGE, err);
}

static int check_file(const char *path, struct err *err)
{
	const char *why = path_unsafe(path, strlen(path));
	struct path p;

	if (why)
		return refuse(path, why, err);
	path_parse(&p, path, strlen(path));
	/* UIDs and keywords are not files that could be put, but are brought on their way by PLAN_IMAP. */
	if (p.class == PATH_MESSAGE || p.class == PATH_IGNORED || p.class == PATH_UIDLIST || p.class == PATH_KEYWORDS)
		return refuse(path, "is not a file that is replicated", err);
	return 0;
}

static int check_step(struct bytes *buf, const struct plan_step *s, struct err *err)
{
	int rc = 0;

	switch (s->kind) {
	case PLAN_MVFOLDER:
		if (!s->from_folder || !*s->from_folder || !*s->folder)
			return refuse(s->folder, "cannot be where a folder is moved", err);
		rc = check_entry(buf, s->from_folder, "", PATH_MARKER_NAME, PATH_MARKER, err);
		if (rc)
			return rc;
		/* fall through */
	case PLAN_MKFOLDER:
	case PLAN_IMAP:
	case PLAN_RMFOLDER:
		return check_entry(buf, s->folder, "", PATH_MARKER_NAME, PATH_MARKER, err);
	case PLAN_PUT:
	case PLAN_UNLINK:
		return check_file(s->folder, err);
	case PLAN_ADD:
		rc = check_message(buf, s->folder, s->sub, s->name, err);
		if (!rc && s->from_folder)
			rc = check_message(buf, s->from_folder, s->from_sub, s->from_name, err);
		return rc;
	case PLAN_RENAME:
	case PLAN_REPLACE:
		rc = check_message(buf, s->folder, s->sub, s->name, err);
		if (rc)
			return rc;
		/* fall through */
	case PLAN_DELETE:
		return check_message(buf, s->folder, s->from_sub, s->from_name, err);
	}
	return err_set(err, ERR_FAIL, "cannot carry out a step of unknown kind %d", (int)s->kind);
}

static int check_plan(const struct plan *p, struct err *err)
{
	struct bytes buf = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < p->n; i++)
		rc = check_step(&buf, &p->v[i], err);
	bytes_release(&buf);
	return rc;
}

/* --- the steps */

/* What a folder that is to be renamed was found to be: 0, or ERR_AGAIN. */
static int judge_move(struct apply *a, const struct plan_step *s, int found, struct err *err)
{
	char from[256], to[256];

	if (found == MVDIR_DONE || found == MVDIR_GONE)
		return 0;
	a->res->unmoved = found == MVDIR_CANNOT;
	return err_set(err, ERR_AGAIN, "folder '%s' cannot be renamed to '%s' %s", path_show(from, sizeof(from), s->from_folder),
		       path_show(to, sizeof(to), s->folder),
		       found == MVDIR_ABSENT  ? "because it is gone"
		       : found == MVDIR_TAKEN ? "because that is there already"
		       : found == MVDIR_HOLDS ? "without the folders below it"
					      : "on this disk");
}

static int move_folder(struct apply *a, const struct plan_step *s, struct err *err)
{
	int found = mvdir_move(a->d, s->from_folder, s->folder, err);
	int rc = found < 0 ? found : judge_move(a, s, found, err);

	if (rc)
		return rc;
	a->res->moved++;
	return found == MVDIR_DONE ? APPLY_DONE : APPLY_ALREADY;
}

static int remove_folder(struct apply *a, const struct plan_step *s, struct err *err)
{
	int rc;

	/* The root is the Maildir itself. */
	if (!*s->folder)
		return APPLY_DIFFERS;
	rc = aside_remove_folder(a->d, s->folder, err);
	if (rc < 0)
		return rc;
	return rc == ASIDE_REMOVED ? APPLY_DONE : rc == ASIDE_ABSENT ? APPLY_ALREADY : APPLY_DIFFERS;
}

/* The plan, and what of it was done before its turn. */
struct run {
	const struct plan *p;
	bool *done;
	size_t *groups, ngroups; /* where the steps of each folder begin */
	size_t next;		 /* the group that is looked at first: both come in the order of folders */
};

static bool same_group(const struct plan_step *a, const struct plan_step *b)
{
	bool same_kind = plan_is_grouped(a->kind) ? plan_is_grouped(b->kind)
						  : a->kind == PLAN_DELETE && b->kind == PLAN_DELETE;

	return same_kind && !strcmp(a->folder, b->folder);
}

static size_t run_length(const struct plan *p, size_t i)
{
	size_t n = 1;

	while (i + n < p->n && same_group(&p->v[i], &p->v[i + n]))
		n++;
	return n;
}

static void find_groups(struct run *r)
{
	size_t i, cap = 0;

	r->done = mem_zalloc(r->p->n + 1);
	for (i = 0; i < r->p->n; i += run_length(r->p, i)) {
		if (!plan_is_grouped(r->p->v[i].kind))
			continue;
		MEM_GROW(r->groups, r->ngroups, cap);
		r->groups[r->ngroups++] = i;
	}
}

/*
 * Where the steps for the messages of the folder begin, and how many they are. False if some of them are about
 * messages that should be there already: such a folder is not new.
 */
static bool find_group(struct run *r, const char *folder, size_t *first, size_t *n)
{
	size_t i, k;

	*first = *n = 0;

	if (!r->done)
		find_groups(r);
	for (i = 0; i < r->ngroups; i++) {
		size_t at = (r->next + i) % r->ngroups;

		if (strcmp(r->p->v[r->groups[at]].folder, folder))
			continue;
		r->next = at;
		*first = r->groups[at];
		*n = run_length(r->p, *first);
		for (k = *first; k < *first + *n; k++)
			if (r->p->v[k].kind != PLAN_ADD && r->p->v[k].kind != PLAN_IMAP)
				return false;
		break;
	}
	return true;
}

static int make_folder(struct apply *a, struct run *r, const struct plan_step *s, struct err *err)
{
	size_t first, n;
	int rc;

	if (apply_folder_is_there(a->d, s->folder) || !find_group(r, s->folder, &first, &n))
		return apply_count(a, apply_folder_make(a->d, s->folder, err));
	rc = apply_build(a, s->folder, r->p->v + first, n, err);
	if (rc == 1)
		memset(r->done + first, true, n);
	return apply_count(a, rc ? (rc < 0 ? rc : APPLY_DONE) : apply_folder_make(a->d, s->folder, err));
}

/* n steps that come together. */
static int carry_out(struct apply *a, struct run *r, const struct plan_step *s, size_t n, struct err *err)
{
	switch (s->kind) {
	case PLAN_MVFOLDER:
		return apply_count(a, move_folder(a, s, err));
	case PLAN_MKFOLDER:
		return make_folder(a, r, s, err);
	case PLAN_ADD:
	case PLAN_RENAME:
	case PLAN_REPLACE:
	case PLAN_IMAP:
		return apply_group(a, s, n, err);
	case PLAN_DELETE:
		return apply_delete(a, s, n, err);
	case PLAN_PUT:
		return apply_count(a, apply_file_put(a, s, err));
	case PLAN_UNLINK:
		return apply_count(a, apply_file_unlink(a, s, err));
	case PLAN_RMFOLDER:
		return apply_count(a, remove_folder(a, s, err));
	}
	return ERR_FAIL;
}

/* Where a folder is before the plan is carried out. */
static const char *place_now(const struct apply *a, const struct plan *p, const char *folder)
{
	size_t i;

	for (i = 0; i < p->n && p->v[i].kind == PLAN_MVFOLDER; i++)
		if (!strcmp(p->v[i].folder, folder) && apply_folder_is_there(a->d, p->v[i].from_folder))
			return p->v[i].from_folder;
	return folder;
}

/*
 * Whether the plan has to be made anew, as far as can be seen: before anything is done. A disk on which half of a plan was carried out can be brought to the rest of it later, but what users do until
 * then cannot always be told from what is not done yet: mail that the plan brought, and that a user deleted, would come a second time.
 */
static int look_first(struct apply *a, const struct plan *p, struct err *err)
{
	size_t i, n, groups = 0;
	int rc = 0;

	for (i = 0; !rc && i < p->n && p->v[i].kind == PLAN_MVFOLDER; i++) {
		int found = mvdir_look(a->d, p->v[i].from_folder, p->v[i].folder, err);

		rc = found < 0 ? found : judge_move(a, &p->v[i], found, err);
	}
	for (i = 0; i < p->n; i += run_length(p, i))
		groups++;
	/* What is the only one does nothing before it finds out. */
	for (i = 0; groups > 1 && !rc && i < p->n; i += n) {
		n = run_length(p, i);
		if (plan_is_grouped(p->v[i].kind))
			rc = apply_group_look(a, place_now(a, p, p->v[i].folder), &p->v[i], n, err);
	}
	return rc;
}

/*
 * n steps that come together. Where the world moves underneath, and something of the plan is done already, it is carried on with all the same:
 * look_first() says why.
 */
static int carry_on(struct apply *a, struct run *r, const struct plan_step *s, size_t n, struct err *err)
{
	const struct apply_result before = *a->res;
	bool settle = a->settle;
	int rc = carry_out(a, r, s, n, err);

	/* Whether a folder can be renamed is not tried again: the caller has another plan. */
	if (s->kind == PLAN_MVFOLDER)
		return rc;
	for (int try = 0; rc == ERR_AGAIN && (settle || a->res->done) && try < TRIES; try++) {
		*a->res = before;
		a->settle = true;
		rc = carry_out(a, r, s, n, err);
		a->res->differs++;
	}
	a->settle = settle;
	return rc;
}

int apply_plan(struct disk *d, const struct plan *p, const struct apply_ops *ops, const struct apply_opts *opts,
	       struct apply_result *res, struct err *err)
{
	struct apply_result none = { 0 };
	struct apply a = { .d = d, .plan = p, .ops = ops, .res = res ? res : &none, .total = p->n };
	struct run r = { .p = p };
	size_t i, n;
	int rc;

	memset(a.res, 0, sizeof(*a.res));
	a.flag_beats_delete = opts && opts->flag_beats_delete;
	a.settle = opts && opts->settle;
	/*
	 * All of it before the first step: a plan with one bad step comes from a tree that nothing of should be
	 * trusted.
	 */
	rc = check_plan(p, err);
	if (!rc && !a.settle)
		rc = look_first(&a, p, err);
	for (i = 0; !rc && i < p->n; i += n) {
		n = run_length(p, i);
		if (!r.done || !r.done[i])
			rc = carry_on(&a, &r, &p->v[i], n, err);
	}
	apply_add_release(&a);
	bytes_release(&a.buf);
	free(r.done);
	free(r.groups);
	return rc;
}
