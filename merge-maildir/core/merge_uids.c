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
	const struct inst *gone;
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

/*
 * The list of a side, or of what the folder was before the other side renamed it. A side that has a folder of the new name keeps the two apart; and if
 * both have one, neither goes on with the old one's list only.
 */
static struct trio_version version(const struct trios *t, uint32_t f, enum side side)
{
	const struct trio *here = &t->v[f];

	if (side == SIDE_BASE ? trio_has(here, SIDE_A) && trio_has(here, SIDE_B) : trio_has(here, side))
		return (struct trio_version){ here->file[side][TRIO_UIDS], side, f };
	return trio_version(t, f, side, TRIO_UIDS);
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

/* Whether that side has another message than the result under a key. */
static bool has_another(const struct work *w, int side, const struct msg *m)
{
	const struct msg *theirs = find(mail_of(w, side), m->name, m->keylen);

	return theirs && !oid_eq(&theirs->oid, &m->oid);
}

/*
 * Whether that side's list, if it is right for that side, has a line for each message of the folder as it is in the result, and for nothing else; and none
 * whose UID is another message's on the other side.
 */
static bool fits(const struct work *w, enum side side)
{
	const struct folder *mail = mail_of(w, side);

	for (size_t i = 0; i < w->nresults; i++)
		if (!is_from(w, side, &w->results[i].msg) || has_another(w, trio_other(side), &w->results[i].msg))
			return false;
	for (size_t i = 0; i < w->ngone; i++) {
		const struct msg *m = w->gone[i].msg;

		if (find(mail, m->name, m->keylen) && !find(&w->out->folders[w->folder], m->name, m->keylen))
			return false;
	}
	return true;
}

/* Whether nothing of a side's list has to be mixed with the other's, which is as it was, or the same. */
static bool stands(const struct work *w, enum side side)
{
	enum side other = trio_other(side);

	return w->v[side].file && w->v[side].folder == w->folder && (same_list(w, other, SIDE_BASE) || same_list(w, other, side)) && fits(w, side);
}

/* The list that stands as it is, or NULL. */
static const struct file *pick(const struct work *w)
{
	if (stands(w, SIDE_A))
		return w->v[SIDE_A].file;
	return stands(w, SIDE_B) ? w->v[SIDE_B].file : NULL;
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

/* Messages that are to have a UID. What both sides have without one waits for the next record: who knows whether it is in the stores, or left out. */
static struct uidlist_key *keys_of(const struct work *w, size_t *n)
{
	struct uidlist_key *keys = mem_alloc((w->nresults + 1) * sizeof(*keys));

	*n = 0;
	for (size_t i = 0; i < w->nresults; i++) {
		const struct msg *m = &w->results[i].msg;

		if (!is_from(w, SIDE_A, m) || !is_from(w, SIDE_B, m))
			keys[(*n)++] = (struct uidlist_key){ m->name, m->keylen };
	}
	return keys;
}

/* A list that one side lost takes no UID away from anybody: the other's counts alone, and if there is none, the base's. */
static int mix(struct work *w, struct oid *oid, bool *known, struct err *err)
{
	const struct merge_ops *ops = w->c->trios->ops;
	struct uidlist in[SIDES] = { 0 }, merged = { 0 };
	struct bytes text[SIDES] = { { 0 } };
	struct uidlist_merge_ops mops = { w, status };
	struct uidlist_key *keys = NULL;
	struct uidlist none = { .next = 1 }, *base = &in[SIDE_BASE], *a = &in[SIDE_A], *b = &in[SIDE_B];
	size_t nkeys, fresh;
	int r = 0;

	for (int s = 0; s < SIDES && !r; s++) {
		if (w->v[s].file)
			r = ops->read(ops->ctx, &w->v[s].file->oid, &text[s], err);
		if (!r)
			uidlist_parse(&in[s], text[s].buf ? text[s].buf : "", text[s].len);
	}
	if (r)
		goto out;
	if (!a->known && !b->known)
		a = b = base;
	else if (!a->known || !b->known)
		base = &none;
	keys = keys_of(w, &nkeys);
	fresh = uidlist_merge(&merged, base, a, b, &mops, keys, nkeys);
	*known = merged.known;
	if (merged.known)
		r = write_list(w, &merged, oid, err);
	if (!r && fresh && ops->fresh)
		ops->fresh(ops->ctx, fresh);
	uidlist_release(&merged);
out:
	uidlist_release(&none);
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
		w.gone = c->gone.v + gone;
		for (w.ngone = 0; gone < c->gone.n && c->gone.v[gone].home == f; gone++)
			w.ngone++;
		for (int s = 0; s < SIDES; s++) {
			w.v[s] = version(c->trios, f, (enum side)s);
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
