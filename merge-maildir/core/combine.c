/*
 * combine.c -- what becomes of one message, given its three instances: the rows of the table in merge.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "combine.h"

#include <stdlib.h>
#include <string.h>

#include "label.h"
#include "merge_words.h"

struct result *combine_result(struct results *r)
{
	MEM_GROW(r->v, r->n, r->cap);
	return &r->v[r->n++];
}

void combine_release(struct combine *c)
{
	free(c->results.v);
	free(c->gone.v);
	memset(&c->results, 0, sizeof(c->results));
	memset(&c->gone, 0, sizeof(c->gone));
}

int64_t combine_mtime(int64_t a, int64_t b)
{
	if (a == COMBINE_AS_MARKED || b == COMBINE_AS_MARKED)
		return COMBINE_AS_MARKED;
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static bool has_line(const struct inst *i, int64_t mtime)
{
	return mtime != name_seconds(i->msg->name, i->msg->keylen);
}

/*
 * The date of a message that came on both sides. A date line on one side alone counts, as it does in
 * marker_merge(): what both sides have may be left out of the stores, and then only its marker is merged. Members
 * must agree on its date whatever else is loaded, and whichever of them merged it before.
 */
static int64_t came_date(const struct inst *a, int64_t ta, const struct inst *b, int64_t tb)
{
	if (has_line(a, ta) != has_line(b, tb))
		return has_line(a, ta) ? ta : tb;
	return combine_mtime(ta, tb);
}

/* The three-way date of a message: it follows the message to another folder and key. */
static int date(const struct combine *c, const struct origin *o, int64_t *out, struct err *err)
{
	int64_t t[SIDES] = { -1, -1, -1 };
	int r;

	for (int s = 0; s < SIDES; s++) {
		if (!o->at[s].msg)
			continue;
		r = trio_mtime(c->trios, (enum side)s, o->at[s].home, o->at[s].msg, &t[s], err);
		if (r)
			return r;
	}
	if (!o->at[SIDE_A].msg || !o->at[SIDE_B].msg)
		*out = o->at[SIDE_A].msg ? t[SIDE_A] : t[SIDE_B];
	else if (!o->at[SIDE_BASE].msg)
		*out = came_date(&o->at[SIDE_A], t[SIDE_A], &o->at[SIDE_B], t[SIDE_B]);
	else if (t[SIDE_A] == t[SIDE_BASE])
		*out = t[SIDE_B];
	else if (t[SIDE_B] == t[SIDE_BASE])
		*out = t[SIDE_A];
	else
		*out = combine_mtime(t[SIDE_A], t[SIDE_B]);
	return 0;
}

int combine_marked_mtime(const struct combine *c, uint32_t folder, const struct msg *m, int64_t *out, struct err *err)
{
	const struct inst i = { m, folder, folder };

	return date(c, &(struct origin){ { i, i, i } }, out, err);
}

static bool is_there(const struct inst *i, const struct msg *label, uint32_t folder)
{
	return i->msg && i->home == folder && match_same_key(i->msg, label);
}

/* Whether the markers, merged key by key, tell its date: nobody has it in another folder or under another key. */
static bool is_as_marked(const struct origin *o, const struct result *res)
{
	const struct inst *base = &o->at[SIDE_BASE];

	return res->held == COMBINE_BOTH && (!base->msg || is_there(base, &res->msg, res->folder));
}

/* Appends a result; *held collects in which sides it stays under its key. */
static int emit(struct combine *c, const struct origin *o, const struct msg *label, uint32_t folder,
		const struct oid *oid, bool away, uint8_t *held, struct err *err)
{
	struct result res = { .msg = *label, .folder = folder, .away = away, .mtime = COMBINE_AS_MARKED };
	int r;

	res.msg.oid = *oid;
	for (int s = SIDE_A; s <= SIDE_B && !away; s++)
		if (is_there(&o->at[s], label, folder))
			res.held |= (uint8_t)(1 << s);
	*held |= res.held;
	if (!c->no_dates && !is_as_marked(o, &res)) {
		r = date(c, o, &res.mtime, err);
		if (r)
			return r;
	}
	*combine_result(&c->results) = res;
	return 0;
}

/*
 * Whether a message still goes by what the base knew it by, the part of the key before the first ',' at least. Under another key in the
 * same folder it was paired by its content alone, and may be another delivery of the same bytes: no deletion of the old one is about it.
 */
static bool same_short_key(const struct msg *x, const struct msg *y)
{
	size_t n = strcspn(x->name, ",:");

	return n == strcspn(y->name, ",:") && !memcmp(x->name, y->name, n);
}

/* The message with the letters of the folder that it goes to. */
static const struct msg *local(const struct combine *c, const struct inst *i, uint32_t folder)
{
	return merge_words_local(c->trios, c->arena, i, folder);
}

/* Rows 4, 7, 11 and 13: only one side has it. */
static int alone(struct combine *c, const struct origin *o, enum side side, uint8_t *held, struct err *err)
{
	const struct inst *base = &o->at[SIDE_BASE], *i = &o->at[side];

	if (base->msg && i->home == base->home && oid_eq(&i->msg->oid, &base->msg->oid) && same_short_key(i->msg, base->msg) &&
	    !(c->opts->flag_beats_delete && !match_same_path(i->msg, base->msg)))
		return 0;
	return emit(c, o, local(c, i, i->folder), i->folder, &i->msg->oid, false, held, err);
}

/* Rows 1-3, 6, 8, 10, 12, 14 and 16: one message in one place. */
static int together(struct combine *c, const struct origin *o, uint32_t folder, uint8_t *held, struct err *err)
{
	const struct msg *base = local(c, &o->at[SIDE_BASE], folder), *a = local(c, &o->at[SIDE_A], folder),
			 *b = local(c, &o->at[SIDE_B], folder), *small, *large;
	struct msg label = label_merge(c->arena, base, a, b, NULL);
	int r;

	if (oid_eq(&a->oid, &b->oid) || (base && oid_eq(&b->oid, &base->oid)))
		return emit(c, o, &label, folder, &a->oid, false, held, err);
	if (base && oid_eq(&a->oid, &base->oid))
		return emit(c, o, &label, folder, &b->oid, false, held, err);
	small = oid_cmp(&a->oid, &b->oid) < 0 ? a : b;
	large = small == a ? b : a;
	r = emit(c, o, &label, folder, &small->oid, false, held, err);
	return r ? r : emit(c, o, &label, folder, &large->oid, true, held, err);
}

/*
 * Row 9: moved to two places. Each copy has the key of the side that moved it there. A content that one side
 * changed is in both; contents that both changed stay where they are, which keeps both without doubling any.
 */
static int apart(struct combine *c, const struct origin *o, uint8_t *held, struct err *err)
{
	const struct msg *base = o->at[SIDE_BASE].msg;
	int r = 0;

	for (int s = SIDE_A; s <= SIDE_B && !r; s++) {
		const struct inst *i = &o->at[s];
		const struct msg *here = local(c, i, i->folder), *other = local(c, &o->at[trio_other((enum side)s)], i->folder);
		const struct oid *oid = oid_eq(&here->oid, &base->oid) ? &other->oid : &here->oid;
		struct msg label = label_merge(c->arena, local(c, &o->at[SIDE_BASE], i->folder), here, other, here);

		r = emit(c, o, &label, i->folder, oid, false, held, err);
	}
	return r;
}

/*
 * Both sides have it. A folder that the other side renamed in the meantime is already taken into account in
 * folder.
 */
static int both(struct combine *c, const struct origin *o, uint8_t *held, struct err *err)
{
	const struct inst *base = &o->at[SIDE_BASE], *a = &o->at[SIDE_A], *b = &o->at[SIDE_B];

	if (base->msg && a->home == base->home)
		return together(c, o, b->folder, held, err);
	if ((base->msg && b->home == base->home) || a->folder == b->folder)
		return together(c, o, a->folder, held, err);
	return apart(c, o, held, err);
}

int combine_run(struct combine *c, const struct origins *o, struct err *err)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct origin *at = &o->v[i];
		uint8_t held = 0;
		int r = 0;

		if (at->at[SIDE_A].msg && at->at[SIDE_B].msg)
			r = both(c, at, &held, err);
		else if (at->at[SIDE_A].msg)
			r = alone(c, at, SIDE_A, &held, err);
		else if (at->at[SIDE_B].msg) /* else row 5 */
			r = alone(c, at, SIDE_B, &held, err);
		if (r)
			return r;
		for (int s = SIDE_A; s <= SIDE_B; s++)
			if (at->at[s].msg && !(held & 1 << s))
				match_add(&c->gone, &at->at[s]);
	}
	return 0;
}
