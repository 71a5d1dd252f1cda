/*
 * missing.c -- what was there once and is not there now.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "missing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/header.h"
#include "../core/marker.h"
#include "../repo/tree.h"
#include "when.h"

static bool in_folder(const struct missing *r, const char *folder)
{
	return !r->folder || which_folder(r->folder, folder);
}

static void add_item(struct missing *r, const char *folder, const struct msg *m)
{
	MEM_GROW(r->v, r->n, r->cap);
	r->v[r->n].folder = arena_strn(&r->arena, folder, strlen(folder));
	r->v[r->n].msg = *m;
	r->v[r->n].msg.name = arena_strn(&r->arena, m->name, m->len);
	r->v[r->n++].mtime = -1;
}

static void add_folder(struct missing *r, const char *folder)
{
	MEM_GROW(r->folders, r->nfolders, r->folders_cap);
	r->folders[r->nfolders++] = arena_strn(&r->arena, folder, strlen(folder));
}

static void say_there(struct missing *r, const char *folder, const struct msg *m)
{
	struct bytes key = { 0 };
	char name[400];

	r->there++;
	if (r->there > MISSING_LISTED_MOST)
		return;
	header_show(&key, m->name, m->keylen, NAME_LONGEST);
	printf("'%s' is in '%s': left alone\n", key.buf, path_show(name, sizeof(name), folder));
	bytes_release(&key);
}

/* Whether the folder has a message of this key, whatever its flags, or of this short key: the same one after a server appended its size. */
static bool is_there(const struct missing *r, const char *folder, const struct msg *m)
{
	const struct index *ix = &r->rec->index;
	struct name n;
	bool there = false;

	name_parse(&n, m->name, m->len);
	for (unsigned sub = NAME_NEW; sub <= NAME_CUR && !there; sub++) {
		struct arena a = { 0 };
		const char *dir = arena_printf(&a, "%s%s%s", folder, *folder ? "/" : "", sub == NAME_NEW ? "new" : "cur");
		size_t lo, hi, end, skip = strlen(dir) + 1;

		index_range(ix, dir, &lo, &hi);
		for (end = hi; lo < hi;) {
			size_t mid = lo + (hi - lo) / 2;

			if (strncmp(ix->v[mid].path + skip, n.s, n.shortlen) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < end && !strncmp(ix->v[lo].path + skip, n.s, n.shortlen) && !there; lo++) {
			char c = ix->v[lo].path[skip + n.shortlen];

			there = !c || c == ':' || c == ',';
		}
		arena_release(&a);
	}
	return there;
}

/*
 * Where later changes left messages: one that moved on after it was brought back is not to be brought back again. Whether it is there still only
 * the index can say: of two members' changes that did not know of each other the later one need not be what the merge came to.
 */
struct alive {
	struct place {
		const char *folder;
		struct msg msg;
	} *v;
	size_t n, cap;
};

static const struct place *find_alive(const struct missing *r, const struct alive *a, const struct msg *m)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].msg.keylen == m->keylen && !memcmp(a->v[i].msg.name, m->name, m->keylen) &&
		    is_there(r, a->v[i].folder, &a->v[i].msg))
			return &a->v[i];
	return NULL;
}

static int look_at_step(struct missing *r, const struct trail_step *step, struct alive *alive, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < step->changes.n && ret >= 0; i++) {
		const struct change *c = &step->changes.v[i];
		const struct place *p;

		if (!c->from && !c->to)
			continue;
		if ((ret = which_match(r->which, r->repo, c->to ? c->to : c->from, err)) <= 0)
			continue;
		if (c->to) {
			MEM_GROW(alive->v, alive->n, alive->cap);
			alive->v[alive->n].folder = arena_strn(&r->arena, c->to_folder, strlen(c->to_folder));
			alive->v[alive->n].msg = *c->to;
			alive->v[alive->n++].msg.name = arena_strn(&r->arena, c->to->name, c->to->len);
		} else if (c->kind == CHANGE_DELETE && in_folder(r, c->folder)) {
			p = find_alive(r, alive, c->from);
			if (p)
				say_there(r, p->folder, &p->msg);
			else
				add_item(r, c->folder, c->from);
		}
	}
	return ret < 0 ? ret : 0;
}

/* What was deleted the last time that a message like this was. */
static int find_deleted(struct missing *r, struct err *err)
{
	const struct trail_step *step;
	struct alive alive = { 0 };
	int ret;

	while ((ret = trail_next(&r->trail, &step, err)) > 0) {
		if ((ret = look_at_step(r, step, &alive, err)) < 0)
			break;
		if (r->n && step->commit->parents.n)
			oids_add(&r->from, step->commit->parents.v);
		if (r->n || r->there)
			break;
	}
	free(alive.v);
	return ret < 0 ? ret : 0;
}

/* Whether a folder that was asked for was there at the time, or is there now. */
static int check_folder(struct missing *r, struct err *err)
{
	int ret = which_folder_there(r->repo, &r->rec->tree, r->folder, err);

	for (size_t i = 0; i < r->from.n && !ret; i++) {
		struct oid tree;

		if ((ret = tree_of(r->repo, &r->from.v[i], &tree, err)) == 0)
			ret = which_folder_there(r->repo, &tree, r->folder, err);
	}
	return ret ? (ret < 0 ? ret : 0) : err_set(err, ERR_NOTFOUND, "there is no folder '%.200s', and there was none", r->folder);
}

/* What was there at the time and is not there now. */
static int find_missing(struct missing *r, struct err *err)
{
	struct merge_opts opts = { .flag_beats_delete = r->repo->flag_beats_delete };
	struct converge c = { 0 };
	struct changes changes = { 0 };
	char time[WHEN_SHOWN];
	bool whole;
	int ret;

	trail_at(&r->trail, r->at, &r->from);
	if (!r->from.n)
		return err_set(err, ERR_NOTFOUND, "history goes back to %s only", when_show(time, trail_oldest(&r->trail, &whole)));
	if (r->folder && (ret = check_folder(r, err)) < 0)
		return ret;
	ret = converge_frontier(&c, r->repo, &r->from, &r->rec->tree, NULL, &opts, NULL, err);
	if (!ret)
		change_find(&changes, c.target, c.head);
	for (size_t i = 0; i < changes.n && ret >= 0; i++) {
		const struct change *x = &changes.v[i];

		if (!in_folder(r, x->folder))
			continue;
		if (x->kind == CHANGE_FOLDER_GONE && !r->which)
			add_folder(r, x->folder);
		/* What was moved on is somewhere, but not where it was. */
		if (x->kind != CHANGE_DELETE && (x->kind != CHANGE_MOVE || r->which))
			continue;
		if (r->which && (ret = which_match(r->which, r->repo, x->from, err)) <= 0)
			continue;
		add_item(r, x->folder, x->from);
	}
	changes_release(&changes);
	converge_release(&c);
	return ret < 0 ? ret : 0;
}

static int item_cmp(const void *a, const void *b)
{
	const struct missing_item *x = a, *y = b;
	int d = strcmp(x->folder, y->folder);

	return d ? d : strcmp(x->msg.name, y->msg.name);
}

/* Sorts, and leaves out what is there and what comes twice. */
static void choose(struct missing *r)
{
	size_t keep = 0;

	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), item_cmp);
	for (size_t i = 0; i < r->n; i++) {
		const struct missing_item *last = keep ? &r->v[keep - 1] : NULL, *x = &r->v[i];

		if (last && !strcmp(last->folder, x->folder) && last->msg.keylen == x->msg.keylen &&
		    !memcmp(last->msg.name, x->msg.name, x->msg.keylen))
			continue;
		if (is_there(r, x->folder, &x->msg))
			say_there(r, x->folder, &x->msg);
		else
			r->v[keep++] = *x;
	}
	r->n = keep;
}

/* The markers of a folder as they were on each side of the time. */
static int read_markers(struct missing *r, const char *folder, struct marker *v, struct err *err)
{
	struct bytes path = { 0 };
	int ret = 0;

	bytes_addf(&path, "%s%s%s", folder, *folder ? "/" : "", PATH_MARKER_NAME);
	for (size_t i = 0; i < r->from.n && !ret; i++) {
		struct bytes b = { 0 };
		struct oid tree, blob;

		memset(&v[i], 0, sizeof(v[i]));
		if ((ret = tree_of(r->repo, &r->from.v[i], &tree, err)) < 0)
			break;
		ret = trail_blob(r->repo, &tree, path.buf, &blob, err);
		if (!ret && !(ret = objects_read(r->repo, &blob, OBJECTS_BLOB, &b, err)))
			marker_parse(&v[i], b.buf, b.len);
		/* Without its marker a message still has the time in its name. */
		if (ret == ERR_NOTFOUND)
			ret = 0;
		bytes_release(&b);
	}
	bytes_release(&path);
	return ret;
}

static int find_dates(struct missing *r, struct err *err)
{
	struct marker *v = mem_zalloc((r->from.n + 1) * sizeof(*v));
	const char *folder = NULL;
	int ret = 0;

	for (size_t i = 0; i < r->n && !ret; i++) {
		struct missing_item *x = &r->v[i];

		if (!folder || strcmp(folder, x->folder) != 0) {
			for (size_t k = 0; k < r->from.n; k++)
				marker_release(&v[k]);
			memset(v, 0, (r->from.n + 1) * sizeof(*v));
			folder = x->folder;
			ret = read_markers(r, folder, v, err);
		}
		x->mtime = name_seconds(x->msg.name, x->msg.keylen);
		for (size_t k = 0; k < r->from.n; k++) {
			int64_t t = marker_mtime(&v[k], x->msg.name, x->msg.keylen);

			if (t >= 0 && t != name_seconds(x->msg.name, x->msg.keylen)) {
				x->mtime = t;
				break;
			}
		}
	}
	for (size_t k = 0; k < r->from.n; k++)
		marker_release(&v[k]);
	free(v);
	return ret;
}

int missing_find(struct missing *r, struct err *err)
{
	char time[WHEN_SHOWN];
	bool whole;
	int ret;

	if ((ret = trail_open(&r->trail, r->repo, &r->rec->head, err)) < 0 ||
	    (ret = r->at < 0 ? find_deleted(r, err) : find_missing(r, err)) < 0)
		return ret;
	if (r->which && !r->n && !r->there)
		return err_set(err, ERR_NOTFOUND, "no message '%.200s' is missing; history goes back to %s", r->which->id,
			       when_show(time, trail_oldest(&r->trail, &whole)));
	choose(r);
	return find_dates(r, err);
}

void missing_release(struct missing *r)
{
	trail_release(&r->trail);
	oids_release(&r->from);
	free(r->v);
	free(r->folders);
	arena_release(&r->arena);
}
