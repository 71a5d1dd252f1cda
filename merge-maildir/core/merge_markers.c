/*
 * merge_markers.c -- the markers of a merged store: which folders exist, who they are, and the odd dates.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "merge_markers.h"

#include <stdlib.h>
#include <string.h>

#include "clash.h"
#include "merge_files.h"

struct work {
	struct store *out;
	struct combine *c;
	size_t result, gone; /* the first of the current folder */
};

static int cmp_gone(const void *a, const void *b)
{
	const struct inst *x = a, *y = b;

	return x->home < y->home ? -1 : x->home > y->home;
}

/* Whether a side's version is that of the folder before the other side renamed it. */
static bool is_inherited(uint32_t f, const struct trio_version v[SIDES])
{
	return (v[SIDE_A].file && v[SIDE_A].folder != f) || (v[SIDE_B].file && v[SIDE_B].folder != f);
}

bool merge_markers_exists(const struct store *out, const struct trios *trios, uint32_t f)
{
	const struct trio *t = &trios->v[f];
	const struct folder *mail = &out->folders[f];
	bool base = t->file[SIDE_BASE][TRIO_MARKER], a = t->file[SIDE_A][TRIO_MARKER], b = t->file[SIDE_B][TRIO_MARKER];

	if (mail->sub[NAME_NEW].n || mail->sub[NAME_CUR].n)
		return true;
	return base ? a && b : a || b;
}

/* Whether a message of this folder has a date that the markers, merged as they are, might not tell. */
static bool has_edits(const struct work *w, size_t nresults, size_t ngone)
{
	for (size_t i = 0; i < nresults; i++)
		if (w->c->results.v[w->result + i].mtime != COMBINE_AS_MARKED)
			return true;
	return ngone > 0;
}

static int cmp_name(const void *a, const void *b)
{
	const struct msg *x = *(const struct msg *const *)a, *y = *(const struct msg *const *)b;
	int d = memcmp(x->name, y->name, x->keylen < y->keylen ? x->keylen : y->keylen);

	return d ? d : (int)x->keylen - (int)y->keylen;
}

/* Drops the date lines of these keys. One pass over both lists: each can have a hundred thousand. */
static void forget(struct marker *m, const struct msg **keys, size_t n)
{
	size_t i, k = 0, left = 0;

	if (n)
		qsort(keys, n, sizeof(*keys), cmp_name);
	for (i = 0; i < m->n; i++) {
		int d = -1;

		while (k < n) {
			size_t len = keys[k]->keylen, min = len < m->v[i].keylen ? len : m->v[i].keylen;

			d = memcmp(m->v[i].key, keys[k]->name, min);
			if (!d)
				d = (m->v[i].keylen > len) - (m->v[i].keylen < len);
			if (d <= 0)
				break;
			k++;
		}
		if (k == n || d)
			m->v[left++] = m->v[i];
	}
	m->n = left;
}

static bool has_key(const struct folder *mail, const char *key, size_t keylen)
{
	return clash_find(&mail->sub[NAME_NEW], key, keylen, NULL) ||
	       clash_find(&mail->sub[NAME_CUR], key, keylen, NULL);
}

/*
 * The dates of results that are not where and what they were follow the message. The dates of keys that are
 * gone go too, unless another message has the key, and with it the line.
 */
static void edit(const struct work *w, uint32_t f, struct marker *m, size_t nresults, size_t ngone)
{
	const struct result *res = w->c->results.v + w->result;
	const struct inst *gone = w->c->gone.v + w->gone;
	const struct folder *mail = &w->out->folders[f];
	const struct msg **keys = mem_alloc((nresults + ngone) * sizeof(const struct msg *));
	size_t i, n = 0;

	for (i = 0; i < nresults; i++)
		if (res[i].mtime != COMBINE_AS_MARKED)
			keys[n++] = &res[i].msg;
	for (i = 0; i < ngone; i++) {
		const struct msg *g = gone[i].msg;

		if (!has_key(mail, g->name, g->keylen))
			keys[n++] = g;
	}
	forget(m, keys, n);
	for (i = 0; i < nresults; i++)
		if (res[i].mtime >= 0)
			marker_add(m, res[i].msg.name, res[i].msg.keylen, res[i].mtime);
	marker_sort(m);
	free(keys);
}

/*
 * A marker from before a renaming tells dates of messages that were in the folder under its old name. What did
 * not come along is gone from that name, or is there still, and neither says anything about the new one.
 */
static void forget_absent(struct marker *m, const struct folder *mail)
{
	size_t i, n = 0;

	for (i = 0; i < m->n; i++)
		if (has_key(mail, m->v[i].key, m->v[i].keylen))
			m->v[n++] = m->v[i];
	m->n = n;
}

static bool same(const struct marker *a, const struct marker *b)
{
	if (strcmp(a->id, b->id) || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].mtime != b->v[i].mtime || a->v[i].keylen != b->v[i].keylen ||
		    memcmp(a->v[i].key, b->v[i].key, a->v[i].keylen))
			return false;
	return true;
}

static void add(struct work *w, uint32_t f, const struct trio_version v[SIDES], const struct oid *oid)
{
	const char *path = trio_file_path(&w->out->arena, w->out->folders[f].path, TRIO_MARKER);

	store_add_file(w->out, path, oid, merge_files_mode(v[SIDE_BASE].file, v[SIDE_A].file, v[SIDE_B].file), PATH_MARKER);
}

static int write_marker(struct work *w, const struct marker *m, struct oid *oid, struct err *err)
{
	const struct merge_ops *ops = w->c->trios->ops;
	struct bytes text = { 0 };
	int r;

	marker_format(m, &text);
	r = ops->write(ops->ctx, text.buf, text.len, oid, err);
	bytes_release(&text);
	return r;
}

/* Merges what the markers say. A side that has none is of the other's opinion. */
static int mix(struct work *w, uint32_t f, const struct trio_version v[SIDES], size_t nresults, size_t ngone, struct oid *oid,
	       struct err *err)
{
	const struct marker *in[SIDES];
	struct marker merged = { 0 };
	const struct oid *same_a = NULL, *same_b = NULL;
	int r;

	for (int s = 0; s < SIDES; s++) {
		r = trio_marker(w->c->trios, v[s].side, v[s].folder, &in[s], err);
		if (r)
			return r;
	}
	if (!v[SIDE_A].file && !v[SIDE_B].file)
		in[SIDE_A] = in[SIDE_B] = in[SIDE_BASE];
	else if (!v[SIDE_A].file || !v[SIDE_B].file)
		in[SIDE_A] = in[SIDE_B] = v[SIDE_A].file ? in[SIDE_A] : in[SIDE_B];
	marker_merge(&merged, in[SIDE_BASE], in[SIDE_A], in[SIDE_B]);
	edit(w, f, &merged, nresults, ngone);
	if (is_inherited(f, v))
		forget_absent(&merged, &w->out->folders[f]);
	if (v[SIDE_A].file && same(&merged, in[SIDE_A]))
		same_a = &v[SIDE_A].file->oid;
	if (v[SIDE_B].file && same(&merged, in[SIDE_B]))
		same_b = &v[SIDE_B].file->oid;
	if (same_a && same_b)
		*oid = oid_cmp(same_a, same_b) < 0 ? *same_a : *same_b;
	else if (same_a || same_b)
		*oid = same_a ? *same_a : *same_b;
	else
		r = write_marker(w, &merged, oid, err);
	marker_release(&merged);
	return r;
}

static int one(struct work *w, uint32_t f, size_t nresults, size_t ngone, struct err *err)
{
	struct trio_version v[SIDES];
	const struct oid *picked;
	struct oid oid;
	int r;

	for (int s = 0; s < SIDES; s++)
		v[s] = trio_version(w->c->trios, f, (enum side)s, TRIO_MARKER);
	picked = trio_pick(v);
	if (!picked || is_inherited(f, v) || has_edits(w, nresults, ngone)) {
		r = mix(w, f, v, nresults, ngone, &oid, err);
		if (r)
			return r;
		picked = &oid;
	}
	add(w, f, v, picked);
	return 0;
}

int merge_markers(struct store *out, struct combine *c, struct err *err)
{
	struct work w = { .out = out, .c = c };
	int r = 0;

	if (c->gone.n)
		qsort(c->gone.v, c->gone.n, sizeof(*c->gone.v), cmp_gone);
	for (uint32_t f = 0; f < c->trios->n && !r; f++) {
		size_t i = w.result, j = w.gone;

		while (i < c->results.n && c->results.v[i].folder == f)
			i++;
		while (j < c->gone.n && c->gone.v[j].home == f)
			j++;
		if (merge_markers_exists(out, c->trios, f))
			r = one(&w, f, i - w.result, j - w.gone, err);
		w.result = i;
		w.gone = j;
	}
	return r;
}
