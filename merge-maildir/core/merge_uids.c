/*
 * merge_uids.c -- the UIDs of a merged store: which message of which folder has which.
 *
 * A list of a hundred thousand lines is read only when it has to be: most merges change flags, or bring what came on one side only, and
 * then one of the lists stands as it is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "merge_uids.h"

#include <stdlib.h>
#include <string.h>

#include "clash.h"
#include "merge_markers.h"
#include "uidlist.h"

struct work {
	struct store *out;
	struct combine *c;
	uint32_t folder;
	struct trio_version v[SIDES];
	const struct result *results; /* of the folder */
	size_t nresults, ngone;
};

static const struct msg *find(const struct folder *f, const char *key, size_t keylen)
{
	const struct msg *m = NULL;

	for (int sub = NAME_NEW; sub <= NAME_CUR && f && !m; sub++)
		m = clash_find(&f->sub[sub], key, keylen, NULL);
	return m;
}

static const struct folder *mail_of(const struct work *w, int side)
{
	return w->c->trios->v[w->v[side].folder].mail[side];
}

/* Whether that side has this very message under its key. */
static bool is_from(const struct work *w, int side, const struct msg *m)
{
	const struct msg *theirs = find(mail_of(w, side), m->name, m->keylen);

	return theirs && oid_eq(&theirs->oid, &m->oid);
}

static unsigned status(void *ctx, const char *key, size_t keylen)
{
	const struct work *w = ctx;
	const struct msg *m = find(&w->out->folders[w->folder], key, keylen);
	unsigned bits = 0;

	for (int s = 0; s < SIDES; s++) {
		if (m && is_from(w, s, m))
			bits |= 1u << s;
		if (!m && find(mail_of(w, s), key, keylen))
			return UIDLIST_GONE;
	}
	/* On no side, as far as the stores show: in a directory that is the same on all of them, and was left out. */
	return m ? bits : UIDLIST_ALL;
}

static bool same_list(const struct work *w, int x, int y)
{
	const struct file *a = w->v[x].file, *b = w->v[y].file;

	return a && b ? oid_eq(&a->oid, &b->oid) : a == b;
}

/* Whether that side has all messages of the folder, as they are in the result. */
static bool has_all(const struct work *w, int side)
{
	for (size_t i = 0; i < w->nresults; i++)
		if (!is_from(w, side, &w->results[i].msg))
			return false;
	return true;
}

/*
 * The list that stands as it is, or NULL. The list of a side whose messages are the result's, when the other side gave and took no UID; it may still know messages that the other side
 * deleted, unless nothing is gone.
 */
static const struct file *pick(const struct work *w)
{
	for (int s = SIDE_A; s <= SIDE_B; s++)
		if (w->v[s].file && w->v[s].folder == w->folder && same_list(w, trio_other((enum side)s), SIDE_BASE) && has_all(w, s) &&
		    (!w->ngone || !same_list(w, s, SIDE_BASE)))
			return w->v[s].file;
	return NULL;
}

static int write_list(const struct work *w, const struct uidlist *l, struct oid *oid, struct err *err)
{
	const struct merge_ops *ops = w->c->trios->ops;
	struct bytes text = { 0 };
	int r;

	uidlist_format(l, &text);
	r = ops->write(ops->ctx, text.buf, text.len, oid, err);
	bytes_release(&text);
	return r;
}

static struct uidlist_key *keys_of(const struct work *w)
{
	struct uidlist_key *keys = mem_alloc((w->nresults + 1) * sizeof(*keys));

	for (size_t i = 0; i < w->nresults; i++)
		keys[i] = (struct uidlist_key){ w->results[i].msg.name, w->results[i].msg.keylen };
	return keys;
}

/* A side without a list is of the other's opinion: a list that is lost takes no UID away from anybody. */
static int mix(struct work *w, struct oid *oid, bool *known, struct err *err)
{
	const struct merge_ops *ops = w->c->trios->ops;
	struct uidlist in[SIDES] = { 0 }, merged = { 0 };
	struct bytes text[SIDES] = { { 0 } };
	struct uidlist_merge_ops mops = { w, status };
	struct uidlist_key *keys = NULL;
	struct uidlist *of[SIDES] = { &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B] };
	size_t fresh;
	int r = 0;

	for (int s = 0; s < SIDES && !r; s++) {
		if (w->v[s].file)
			r = ops->read(ops->ctx, &w->v[s].file->oid, &text[s], err);
		if (!r)
			uidlist_parse(&in[s], text[s].buf ? text[s].buf : "", text[s].len);
	}
	if (r)
		goto out;
	if (!in[SIDE_A].known)
		of[SIDE_A] = in[SIDE_B].known ? of[SIDE_B] : of[SIDE_BASE];
	if (!in[SIDE_B].known)
		of[SIDE_B] = of[SIDE_A];
	keys = keys_of(w);
	fresh = uidlist_merge(&merged, of[SIDE_BASE], of[SIDE_A], of[SIDE_B], &mops, keys, w->nresults);
	*known = merged.known;
	if (merged.known)
		r = write_list(w, &merged, oid, err);
	if (!r && fresh && ops->fresh)
		ops->fresh(ops->ctx, fresh);
	uidlist_release(&merged);
out:
	for (int s = 0; s < SIDES; s++) {
		uidlist_release(&in[s]);
		bytes_release(&text[s]);
	}
	free(keys);
	return r;
}

static int one(struct work *w, struct err *err)
{
	const struct file *picked = pick(w);
	struct oid oid;
	bool known = true;
	int r = 0;

	if (picked)
		oid = picked->oid;
	else
		r = mix(w, &oid, &known, err);
	if (!r && known)
		store_add_file(w->out, trio_file_path(&w->out->arena, w->out->folders[w->folder].path, TRIO_UIDS), &oid, 0100644,
			       PATH_UIDLIST);
	return r;
}

int merge_uids(struct store *out, struct combine *c, struct err *err)
{
	struct work w = { .out = out, .c = c };
	size_t at = 0, gone = 0;
	int r = 0;

	for (uint32_t f = 0; f < c->trios->n && !r; f++) {
		bool any = false;

		w.folder = f;
		w.results = c->results.v + at;
		for (w.nresults = 0; at < c->results.n && c->results.v[at].folder == f; at++)
			w.nresults++;
		for (w.ngone = 0; gone < c->gone.n && c->gone.v[gone].home == f; gone++)
			w.ngone++;
		for (int s = 0; s < SIDES; s++) {
			w.v[s] = trio_version(c->trios, f, (enum side)s, TRIO_UIDS);
			any |= w.v[s].file != NULL;
		}
		if (any && merge_markers_exists(out, c->trios, f))
			r = one(&w, err);
	}
	return r;
}

struct texts {
	struct uidlist *base, *a, *b;
};

static unsigned status_of_line(void *ctx, const char *key, size_t keylen)
{
	struct texts *t = ctx;
	bool base = uidlist_find(t->base, key, keylen), a = uidlist_find(t->a, key, keylen), b = uidlist_find(t->b, key, keylen);

	return (a && b) || (!base && (a || b)) ? UIDLIST_ALL : UIDLIST_GONE;
}

void merge_uids_text(struct bytes *out, const struct bytes *base, const struct bytes *a, const struct bytes *b)
{
	struct uidlist in[SIDES] = { 0 }, merged = { 0 };
	const struct bytes *text[SIDES] = { base, a, b };
	struct texts t = { &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B] };
	struct uidlist_merge_ops ops = { &t, status_of_line };

	for (int s = 0; s < SIDES; s++)
		uidlist_parse(&in[s], text[s] && text[s]->buf ? text[s]->buf : "", text[s] ? text[s]->len : 0);
	uidlist_merge(&merged, &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B], &ops, NULL, 0);
	if (merged.known)
		uidlist_format(&merged, out);
	uidlist_release(&merged);
	for (int s = 0; s < SIDES; s++)
		uidlist_release(&in[s]);
}
